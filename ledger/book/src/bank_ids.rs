//! The transfers that the bank itself makes: their ids, and who may ask for them.
//!
//! What a loan event or a day-end posts beyond the transfer that bears the event's own id has an id of the bank's own:
//! its stamp, under an upper half of all ones. No two such transfers bear one stamp, so nothing but a client's choice
//! could take such an id before the bank does; therefore clients are refused them. All other ids under that upper half
//! (stamps keep the top bit free) are as free as any. Tested by the scripts that walk the statuses in order.

use crate::quantity::{STAMP_MAX, Stamp, TransferId};

/// The upper half of what is the bank's own.
pub(crate) const ONES: u128 = 0xffff_ffff_ffff_ffff;

/// Who asks for a transfer or a loan event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Asker {
    /// Whoever sent the command.
    Client,
    /// The book, for what a loan event or a day-end comes to.
    Bank,
}

impl Asker {
    /// Whether an id is one that the asker may not choose.
    #[inline]
    pub(crate) fn is_denied(self, id: u128) -> bool {
        self == Self::Client && is_bank_id(id)
    }
}

/// The id of a transfer that the bank itself makes.
pub(crate) fn bank_id(stamp: Stamp) -> TransferId {
    TransferId::new(ONES << 64 | u128::from(stamp.get()))
}

fn is_bank_id(id: u128) -> bool {
    id >> 64 == ONES && id & ONES <= u128::from(STAMP_MAX.get())
}

/// The highest ids of clients and of the bank in a set: ids that rise with time are known to be new without a look-up,
/// and neither's hide the other's.
#[derive(Clone, Copy, Default)]
pub(crate) struct Highest([u128; 2]);

impl Highest {
    /// Whether an id lies above all of its kind.
    #[inline]
    pub(crate) fn is_below(self, id: u128) -> bool {
        id > self.0[usize::from(id >> 64 == ONES)]
    }

    /// Notes an id of the set.
    #[inline]
    pub(crate) fn note(&mut self, id: u128) {
        let highest = &mut self.0[usize::from(id >> 64 == ONES)];
        *highest = id.max(*highest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_above_all_others_of_their_kind_are_new() {
        let mut highest = Highest::default();
        for id in [7, bank_id(Stamp::new(5)).get()] {
            assert!(highest.is_below(id));
            highest.note(id);
            assert!(!highest.is_below(id) && !highest.is_below(id - 1) && highest.is_below(id + 1));
        }
        assert!(highest.is_below(8) && !highest.is_below(7));
    }

    #[test]
    fn only_stamps_under_ones_are_the_banks() {
        for stamp in [0, 1, STAMP_MAX.get()] {
            assert!(Asker::Client.is_denied(bank_id(Stamp::new(stamp)).get()));
            assert!(!Asker::Bank.is_denied(bank_id(Stamp::new(stamp)).get()));
        }
        for free in [0, 1, u128::MAX, u128::MAX - 1, ONES, ONES << 63, ONES << 64 | 1 << 63] {
            assert!(!Asker::Client.is_denied(free), "{free:x}");
        }
    }
}
