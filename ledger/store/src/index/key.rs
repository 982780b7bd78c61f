//! What is looked for, and its fingerprint.

use crate::segment::{high_half, low_half};
use fen_book::TransferId;

/// Bits of a fingerprint: at ten million keys one absent key in 100,000 meets another's fingerprint, and that only
/// where the filter has let it through.
pub(crate) const FINGERPRINT_BITS: u32 = 40;

/// The role of an id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum KeyKind {
    /// The id of a transfer, or a burned one.
    Id,
    /// The id of the pending transfer that a record ends.
    PendingId,
}

/// An id in a role.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Key {
    kind: KeyKind,
    id: TransferId,
    fingerprint: u64,
}

fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    low_half(product) ^ high_half(product)
}

impl Key {
    /// The key of an id in a role.
    #[inline]
    pub(crate) fn new(kind: KeyKind, id: TransferId) -> Self {
        let tag: u64 = match kind {
            KeyKind::Id => 0x2d35_8dcc_aa6c_78a5,
            KeyKind::PendingId => 0x8bb8_4b93_962e_acc9,
        };
        let (low, high) = (low_half(id.get()), high_half(id.get()));
        let first = fold(low ^ tag, high ^ 0x4b33_a62e_d433_d4a3);
        let second = fold(first ^ low, 0x4d5a_2da5_1de1_aa47);
        Self { kind, id, fingerprint: second >> (64 - FINGERPRINT_BITS) }
    }

    pub(crate) fn kind(&self) -> KeyKind {
        self.kind
    }

    pub(crate) fn id(&self) -> TransferId {
        self.id
    }

    /// Its [`FINGERPRINT_BITS`] bits.
    #[inline]
    pub(crate) fn fingerprint(&self) -> u64 {
        self.fingerprint
    }
}

/// The smallest and the largest of the ids; zero is no id.
pub(crate) fn reach(ids: &[TransferId]) -> Option<(TransferId, TransferId)> {
    let mut reach: Option<(TransferId, TransferId)> = None;
    for id in ids.iter().filter(|id| !id.is_zero()) {
        let (low, high) = reach.unwrap_or((*id, *id));
        reach = Some((low.min(*id), high.max(*id)));
    }
    reach
}
