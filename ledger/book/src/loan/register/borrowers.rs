//! Who owes how much of a product: each borrower's open loans of a product hang on one thread, so that limits per
//! borrower and counts of borrowers cost no map of ten million entries.
//!
//! **Invariants.** Exactly the loans with principal owed hang on a thread; a borrower without such loans has none. All of
//! it follows from the loans' records: nothing is in a checkpoint.

use super::LoanSlot;
use crate::quantity::AccountId;
use crate::slots::{SlotIndex, hash_of};

const NONE: LoanSlot = LoanSlot::MAX;

/// Who borrows through an account: its upper half, or the whole id where that is zero.
pub(crate) fn customer(account: AccountId) -> u128 {
    let upper = account.get() >> 64;
    if upper == 0 { account.get() } else { upper }
}

/// A borrower of a product, named by the product's id and the customer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Borrower {
    pub(crate) product_id: u128,
    pub(crate) customer: u128,
}

impl Borrower {
    fn hash(self) -> u32 {
        hash_of(self.product_id.rotate_left(61) ^ self.customer)
    }
}

/// See the module's words.
pub(crate) struct Borrowers {
    /// The first loan on each thread.
    first: SlotIndex,
    /// By slot, the next loan on the same thread.
    next: Vec<LoanSlot>,
}

impl Default for Borrowers {
    fn default() -> Self {
        Self { first: SlotIndex::with_capacity(0), next: Vec::new() }
    }
}

fn wide(slot: LoanSlot) -> usize {
    usize::try_from(slot).unwrap_or(usize::MAX)
}

impl Borrowers {
    /// The open loans of a borrower. `of` says whose a loan is.
    pub(crate) fn loans(
        &self,
        borrower: Borrower,
        of: impl Fn(LoanSlot) -> Borrower,
    ) -> impl Iterator<Item = LoanSlot> + '_ {
        let mut at = self.first.find(borrower.hash(), |slot| of(slot) == borrower).unwrap_or(NONE);
        core::iter::from_fn(move || {
            let slot = at;
            at = self.next.get(wide(slot)).copied().unwrap_or(NONE);
            (slot != NONE).then_some(slot)
        })
    }

    /// Hangs a loan on its borrower's thread; true where it is the first one there.
    pub(crate) fn add(&mut self, slot: LoanSlot, of: impl Fn(LoanSlot) -> Borrower) -> bool {
        if self.next.len() <= wide(slot) {
            self.next.resize(wide(slot).saturating_add(1), NONE);
        }
        let borrower = of(slot);
        let first = self.first.find(borrower.hash(), |first| of(first) == borrower);
        if let Some(first) = first {
            self.next[wide(slot)] = core::mem::replace(&mut self.next[wide(first)], slot);
        } else {
            self.next[wide(slot)] = NONE;
            self.first.insert(borrower.hash(), slot);
        }
        first.is_none()
    }

    /// Takes a loan off its borrower's thread; true where it was the last one there.
    pub(crate) fn remove(&mut self, slot: LoanSlot, of: impl Fn(LoanSlot) -> Borrower) -> bool {
        let borrower = of(slot);
        let hash = borrower.hash();
        let first = self.first.find(hash, |first| of(first) == borrower);
        let first = first.expect("an open loan hangs on its borrower's thread");
        let after = self.next[wide(slot)];
        self.next[wide(slot)] = NONE;
        if first == slot {
            self.first.remove(hash, slot);
            if after != NONE {
                self.first.insert(hash, after);
            }
            return after == NONE;
        }
        let mut before = first;
        while self.next[wide(before)] != slot {
            before = self.next[wide(before)];
            assert!(before != NONE, "an open loan hangs on its borrower's thread");
        }
        self.next[wide(before)] = after;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_hold_what_was_hung_on_them() {
        let of = |slot: LoanSlot| Borrower { product_id: 7, customer: u128::from(slot % 3) };
        let mut borrowers = Borrowers::default();
        let firsts: Vec<bool> = (0..9).map(|slot| borrowers.add(slot, of)).collect();
        assert_eq!(firsts, [true, true, true, false, false, false, false, false, false]);
        let loans = |borrowers: &Borrowers, customer| {
            let mut loans: Vec<LoanSlot> =
                borrowers.loans(Borrower { product_id: 7, customer }, of).collect();
            loans.sort_unstable();
            loans
        };
        assert_eq!(loans(&borrowers, 1), [1, 4, 7]);
        assert!(!borrowers.remove(1, of) && !borrowers.remove(7, of));
        assert_eq!(loans(&borrowers, 1), [4]);
        assert!(borrowers.remove(4, of));
        assert!(loans(&borrowers, 1).is_empty());
        assert_eq!(loans(&borrowers, 2), [2, 5, 8]);
        assert!(loans(&borrowers, 9).is_empty());
    }
}
