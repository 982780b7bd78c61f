//! What the storage looked up for a command before the book sees it.
//!
//! The book holds only the young journal. Before a command is applied, the storage looks for the ids and pending
//! ids that it names among the sealed segments, and hands over the records it found. So the book reads no disk,
//! and a broken disk is a fault of the storage, never an answer of the book.

use crate::quantity::{Stamp, TransferId};
use crate::transfer::Transfer;
use std::collections::{BTreeMap, BTreeSet};

/// Records from sealed segments. Complete for the command that it was made for: what is neither here nor in the
/// young journal does not exist.
#[derive(Clone, Default, Debug)]
pub struct Recall {
    transfers: BTreeMap<TransferId, Transfer>,
    resolutions: BTreeMap<TransferId, Transfer>,
    stamps: BTreeSet<Stamp>,
}

impl Recall {
    /// Nothing was found, or nothing is sealed yet.
    pub fn nothing() -> Self {
        Self::default()
    }

    /// Adds the record of a sealed transfer or burned id.
    pub fn add_record(&mut self, record: Transfer) {
        self.transfers.insert(record.id, record);
    }

    /// Adds the sealed post, void or expiry of a pending transfer.
    pub fn add_resolution(&mut self, record: Transfer) {
        self.resolutions.insert(record.pending_id, record);
    }

    /// Notes that a sealed transfer bears exactly this stamp (asked for by imported accounts only).
    pub fn add_stamp(&mut self, stamp: Stamp) {
        self.stamps.insert(stamp);
    }

    pub(crate) fn record(&self, id: TransferId) -> Option<&Transfer> {
        if self.transfers.is_empty() { None } else { self.transfers.get(&id) }
    }

    pub(crate) fn resolution(&self, pending_id: TransferId) -> Option<&Transfer> {
        if self.resolutions.is_empty() { None } else { self.resolutions.get(&pending_id) }
    }

    pub(crate) fn has_stamp(&self, stamp: Stamp) -> bool {
        self.stamps.contains(&stamp)
    }
}
