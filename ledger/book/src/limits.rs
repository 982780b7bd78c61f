//! Changing limits, and ending whole chains of pending transfers: commands that act on what is there.

use crate::account::{Account, AccountFlags};
use crate::batch::{TransferBatch, run};
use crate::book::Book;
use crate::command::{ChainOutcome, EVENTS_MAX, Outcome};
use crate::opening::{ChainEnd, LimitChange};
use crate::pendings::Pending;
use crate::plan::refuse;
use crate::quantity::{AccountSlot, Amount, Stamp, TransferId};
use crate::recall::Recall;
use crate::status::{CreateTransferStatus, SetLimitStatus};
use crate::transfer::{Transfer, TransferFlags};
use crate::view::View;

/// Whether an account's flags give a limit something to bear on.
pub(crate) fn can_have_limit(account: &Account) -> bool {
    let limiting =
        AccountFlags::DEBITS_MUST_NOT_EXCEED_CREDITS.with(AccountFlags::CREDITS_MUST_NOT_EXCEED_DEBITS);
    account.flags.intersects(limiting)
}

impl Book {
    pub(crate) fn set_limits(&mut self, events: &[LimitChange], last: Stamp) -> Vec<Outcome<SetLimitStatus>> {
        let others = u64::try_from(events.len()).unwrap_or(u64::MAX).saturating_sub(1);
        let first = last.get().saturating_sub(others);
        let mut outcomes = Vec::with_capacity(events.len());
        for (event, timestamp) in events.iter().zip((first..).map(Stamp::new)) {
            let status = match self.plan_limit(event) {
                Ok(slot) => {
                    self.accounts.set_limit(slot, event.limit);
                    self.tell_limit(event.account_id, event.limit, timestamp);
                    SetLimitStatus::Set
                }
                Err(status) => status,
            };
            outcomes.push(Outcome { timestamp, status });
        }
        outcomes
    }

    fn plan_limit(&self, event: &LimitChange) -> Result<AccountSlot, SetLimitStatus> {
        if event.account_id.is_zero() {
            return Err(SetLimitStatus::IdMustNotBeZero);
        }
        if event.account_id.is_max() {
            return Err(SetLimitStatus::IdMustNotBeIntMax);
        }
        let slot = self.accounts.slot_of(event.account_id).ok_or(SetLimitStatus::AccountNotFound)?;
        let account = self.accounts.get(slot);
        if !can_have_limit(account) {
            return Err(SetLimitStatus::LimitNeedsALimitingFlag);
        }
        if overdrawn(account) > event.limit {
            return Err(SetLimitStatus::BalanceExceedsLimit);
        }
        Ok(slot)
    }

    /// Ends each event's chain as one linked chain of posts or voids; see [`ChainEnd`].
    pub(crate) fn end_chains(
        &mut self,
        events: &[ChainEnd],
        last: Stamp,
        recall: &Recall,
    ) -> Vec<ChainOutcome> {
        let each = u64::try_from(EVENTS_MAX).unwrap_or(u64::MAX);
        let mut before =
            last.get().saturating_sub(each.saturating_mul(u64::try_from(events.len()).unwrap_or(0)));
        let mut outcomes = Vec::with_capacity(events.len());
        for event in events {
            outcomes.push(self.end_chain(event, Stamp::new(before), recall));
            before = before.saturating_add(each);
        }
        outcomes
    }

    fn end_chain(&mut self, event: &ChainEnd, before: Stamp, recall: &Recall) -> ChainOutcome {
        let view = View { book: self, recall, overlay: None };
        let stamp = Stamp::new(before.get().saturating_add(1));
        if let Some(outcome) = known_end(view, event, stamp) {
            return ChainOutcome { outcome, members: 0 };
        }
        let orders = self.chain_orders(event);
        let count = u64::try_from(orders.len()).unwrap_or(u64::MAX);
        let answers =
            run::<TransferBatch>(self, &orders, Stamp::new(before.get().saturating_add(count)), recall);
        let failed = CreateTransferStatus::LinkedEventFailed;
        let telling = answers.iter().find(|answer| answer.status != failed);
        let outcome = *telling.expect("a chain has a member that was created, or one that broke it");
        if outcome.status.burns_id() && answers.first() != Some(&outcome) {
            // Whichever member was refused, it was the first id that the client was told has failed.
            self.burn(event.id);
        }
        let is_done = outcome.status == CreateTransferStatus::Created;
        ChainOutcome { outcome, members: if is_done { u32::try_from(count).unwrap_or(u32::MAX) } else { 0 } }
    }

    /// The posts or voids that end a chain, linked; one that will be refused where nothing is open.
    fn chain_orders(&self, event: &ChainEnd) -> Vec<Transfer> {
        let is_void = event.flags.contains(TransferFlags::VOID_PENDING_TRANSFER);
        let order = |pending_id: TransferId, number: u128, flags: TransferFlags| Transfer {
            id: TransferId::new(event.id.get().wrapping_add(number)),
            pending_id,
            amount: if is_void { Amount::ZERO } else { Amount::MAX },
            flags,
            ..Transfer::default()
        };
        let Some(pending) = self.pendings.get(event.pending_id) else {
            return vec![order(event.pending_id, 0, event.flags)];
        };
        let members: Vec<&Pending> = self.pendings.of_chain(pending.chain).collect();
        let last = members.len().saturating_sub(1);
        let flags = |index| if index == last { event.flags } else { event.flags.with(TransferFlags::LINKED) };
        let numbered = members.iter().enumerate().zip(0u128..);
        numbered.map(|((index, member), number)| order(member.transfer.id, number, flags(index))).collect()
    }
}

/// The answer to an event that can be told without looking at the chain: wrong flags, or an id used before.
fn known_end(view: View<'_>, event: &ChainEnd, stamp: Stamp) -> Option<Outcome<CreateTransferStatus>> {
    let flags = event.flags;
    if flags != TransferFlags::POST_PENDING_TRANSFER && flags != TransferFlags::VOID_PENDING_TRANSFER {
        return Some(refuse(CreateTransferStatus::FlagsAreMutuallyExclusive, stamp));
    }
    let existing = view.record(event.id)?;
    let no = |status| Some(refuse(status, stamp));
    if existing.flags.contains(TransferFlags::BURNED) {
        return no(CreateTransferStatus::IdAlreadyFailed);
    }
    if existing.flags.without(TransferFlags::LINKED) != flags {
        return no(CreateTransferStatus::ExistsWithDifferentFlags);
    }
    let members = event.id.get()..event.id.get().saturating_add(u128::try_from(EVENTS_MAX).unwrap_or(0));
    let ended_by_it = match view.resolution(event.pending_id) {
        Some(end) => members.contains(&end.id.get()),
        None => false,
    };
    if !ended_by_it {
        return no(CreateTransferStatus::ExistsWithDifferentPendingId);
    }
    Some(Outcome { timestamp: existing.timestamp, status: CreateTransferStatus::Exists })
}

/// How far the account is beyond its flag's rule.
fn overdrawn(account: &Account) -> Amount {
    let beyond = |pending: Amount, posted: Amount, bound: Amount| {
        Amount::new(pending.get().saturating_add(posted.get())).saturating_sub(bound)
    };
    if account.flags.contains(AccountFlags::DEBITS_MUST_NOT_EXCEED_CREDITS) {
        beyond(account.debits_pending, account.debits_posted, account.credits_posted)
    } else {
        beyond(account.credits_pending, account.credits_posted, account.debits_posted)
    }
}
