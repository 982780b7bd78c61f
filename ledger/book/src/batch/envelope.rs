//! What decides, before an event is looked at by itself, whether it is refused: whose stamp it bears.

use super::Stamps;
use crate::quantity::Stamp;

/// Whether an event, and the batch by its first event, are imported.
#[derive(Clone, Copy)]
pub(super) struct Origin {
    pub(super) batch_imported: bool,
    pub(super) event_imported: bool,
    pub(super) timestamp: Stamp,
}

/// The statuses of a command for an unsound envelope, in checking order.
pub(super) struct EnvelopeStatuses<S> {
    pub(super) imported_expected: S,
    pub(super) imported_not_expected: S,
    pub(super) timestamp_must_be_zero: S,
    pub(super) timestamp_out_of_range: S,
    pub(super) timestamp_must_not_advance: S,
}

impl Origin {
    /// The first rule that is broken, if any.
    #[inline]
    pub(super) fn check<S: Copy>(self, stamps: Stamps, statuses: &EnvelopeStatuses<S>) -> Option<S> {
        match (self.batch_imported, self.event_imported) {
            (true, false) => Some(statuses.imported_expected),
            (false, true) => Some(statuses.imported_not_expected),
            (false, false) if self.timestamp.is_zero() => None,
            (false, false) => Some(statuses.timestamp_must_be_zero),
            (true, true) if !self.timestamp.is_in_range() => Some(statuses.timestamp_out_of_range),
            (true, true) if self.timestamp >= stamps.last => Some(statuses.timestamp_must_not_advance),
            (true, true) => None,
        }
    }
}
