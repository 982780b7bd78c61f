//! What a plan reads: the book as it is, seen through what the earlier members of an open chain would do to it.
//!
//! A chain is all or nothing. Its members are planned one after the other against an [`Overlay`] that carries
//! the effects of the members before; only when the last is planned are all of them posted. So nothing is ever
//! undone.

use crate::account::{Account, AccountFlags};
use crate::accounts::{narrow, wide};
use crate::book::Book;
use crate::pendings::Pending;
use crate::plan::{AccountPlan, TransferPlan};
use crate::quantity::{AccountId, AccountSlot, Amount, Stamp, TransferId};
use crate::recall::Recall;
use crate::transfer::{Transfer, TransferFlags};
use std::collections::BTreeMap;

/// What the planned members of the open chain would change.
#[derive(Clone, Default)]
pub(crate) struct Overlay {
    accounts: BTreeMap<AccountSlot, Account>,
    opened: BTreeMap<AccountId, AccountSlot>,
    limits: BTreeMap<AccountSlot, Amount>,
    records: BTreeMap<TransferId, Transfer>,
    pendings: BTreeMap<TransferId, Pending>,
    resolutions: BTreeMap<TransferId, Transfer>,
    last_account_stamp: Stamp,
    last_transfer_stamp: Stamp,
}

impl Overlay {
    /// Lets later members see a planned account.
    pub(crate) fn open(&mut self, book: &Book, plan: &AccountPlan) -> AccountSlot {
        let slot = narrow(book.accounts.len().saturating_add(self.opened.len()));
        self.opened.insert(plan.account.id, slot);
        let mut account = plan.account;
        if !plan.limit.is_zero() {
            account.flags = account.flags.with(AccountFlags::HAS_LIMIT);
        }
        self.accounts.insert(slot, account);
        self.limits.insert(slot, plan.limit);
        self.last_account_stamp = plan.account.timestamp;
        slot
    }

    /// Lets later members see a planned transfer.
    pub(crate) fn post(&mut self, book: &Book, plan: &TransferPlan) {
        let account = |overlay: &Self, slot| match overlay.accounts.get(&slot) {
            Some(account) => *account,
            None => *book.accounts.get(slot),
        };
        let mut debit = account(self, plan.debit);
        let mut credit = account(self, plan.credit);
        plan.effect.on_debit(&mut debit, plan.record.amount);
        plan.effect.on_credit(&mut credit, plan.record.amount);
        self.accounts.insert(plan.debit, debit);
        self.accounts.insert(plan.credit, credit);
        self.records.insert(plan.record.id, plan.record);
        self.last_transfer_stamp = plan.record.timestamp;
        if plan.record.flags.contains(TransferFlags::PENDING) {
            self.pendings.insert(plan.record.id, plan.pending());
        }
        if !plan.record.pending_id.is_zero() {
            self.pendings.remove(&plan.record.pending_id);
            self.resolutions.insert(plan.record.pending_id, plan.record);
        }
    }
}

/// Where a pending transfer stands.
pub(crate) enum PendingState<'a> {
    /// Still reserving.
    Open(&'a Pending),
    /// Ended by this post, void or expiry.
    Ended(&'a Transfer),
}

/// The book, what storage recalled for the command, and the open chain.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) book: &'a Book,
    pub(crate) recall: &'a Recall,
    pub(crate) overlay: Option<&'a Overlay>,
}

impl<'a> View<'a> {
    #[inline]
    pub(crate) fn slot_of(&self, id: AccountId) -> Option<AccountSlot> {
        if let Some(overlay) = self.overlay
            && let Some(slot) = overlay.opened.get(&id)
        {
            return Some(*slot);
        }
        self.book.accounts.slot_of(id)
    }

    #[inline]
    pub(crate) fn account(&self, slot: AccountSlot) -> &'a Account {
        if let Some(overlay) = self.overlay
            && let Some(account) = overlay.accounts.get(&slot)
        {
            return account;
        }
        self.book.accounts.get(slot)
    }

    /// The limit of an account that has one.
    #[cold]
    pub(crate) fn limit(&self, slot: AccountSlot) -> Amount {
        match self.overlay.and_then(|overlay| overlay.limits.get(&slot)) {
            Some(limit) => *limit,
            None if wide(slot) < self.book.accounts.len() => self.book.accounts.limit(slot),
            None => Amount::ZERO,
        }
    }

    /// The record with this id: a transfer or the mark of a burned id, of any age.
    #[inline]
    pub(crate) fn record(&self, id: TransferId) -> Option<&'a Transfer> {
        if let Some(overlay) = self.overlay
            && let Some(record) = overlay.records.get(&id)
        {
            return Some(record);
        }
        match self.book.young.find(id) {
            Some(record) => Some(record),
            None => self.recall.record(id),
        }
    }

    /// The record that a post or void names: as [`View::record`], and those that are open, or were when the
    /// command began, so that storage need not recall them.
    pub(crate) fn reserved_record(&self, id: TransferId) -> Option<&'a Transfer> {
        if let Some(open) = self.open_pending(id) {
            return Some(&open.transfer);
        }
        self.record(id)
            .or_else(|| self.book.ended_now.get(&id))
            .or_else(|| self.book.pendings.get(id).map(|pending| &pending.transfer))
    }

    /// The open pending transfer with this id.
    pub(crate) fn open_pending(&self, id: TransferId) -> Option<&'a Pending> {
        let Some(overlay) = self.overlay else { return self.book.pendings.get(id) };
        match overlay.pendings.get(&id) {
            Some(pending) => Some(pending),
            None if overlay.resolutions.contains_key(&id) => None,
            None => self.book.pendings.get(id),
        }
    }

    /// Where the pending transfer with this record stands.
    pub(crate) fn pending_state(&self, id: TransferId) -> PendingState<'a> {
        if let Some(pending) = self.open_pending(id) {
            return PendingState::Open(pending);
        }
        let in_chain = self.overlay.and_then(|overlay| overlay.resolutions.get(&id));
        let ended =
            in_chain.or_else(|| self.book.young.resolution(id)).or_else(|| self.recall.resolution(id));
        PendingState::Ended(ended.expect("a pending transfer is open, or a record tells how it ended"))
    }

    /// The post, void or expiry that ended a pending transfer.
    pub(crate) fn resolution(&self, id: TransferId) -> Option<&'a Transfer> {
        let in_chain = self.overlay.and_then(|overlay| overlay.resolutions.get(&id));
        in_chain.or_else(|| self.book.young.resolution(id)).or_else(|| self.recall.resolution(id))
    }

    pub(crate) fn last_account_stamp(&self) -> Stamp {
        let planned = self.overlay.map_or(Stamp::ZERO, |overlay| overlay.last_account_stamp);
        self.book.accounts.last_stamp().max(planned)
    }

    pub(crate) fn last_transfer_stamp(&self) -> Stamp {
        let planned = self.overlay.map_or(Stamp::ZERO, |overlay| overlay.last_transfer_stamp);
        self.book.young.last_transfer_stamp().max(planned)
    }

    pub(crate) fn has_account_stamp(&self, stamp: Stamp) -> bool {
        let planned = self.overlay.is_some_and(|overlay| {
            overlay
                .opened
                .values()
                .any(|slot| overlay.accounts.get(slot).is_some_and(|a| a.timestamp == stamp))
        });
        planned || self.book.accounts.has_stamp(stamp)
    }

    pub(crate) fn has_transfer_stamp(&self, stamp: Stamp) -> bool {
        let planned = self
            .overlay
            .is_some_and(|overlay| overlay.records.values().any(|record| record.timestamp == stamp));
        planned || self.book.young.has_stamp(stamp) || self.recall.has_stamp(stamp)
    }
}
