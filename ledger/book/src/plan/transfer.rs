//! Posting or reserving a transfer: the rules, in checking order.

use super::{Effect, TransferPlan, TransferRefused, refuse};
use crate::account::{Account, AccountFlags};
use crate::bank_ids::Asker;
use crate::quantity::{AccountSlot, Amount, Stamp};
use crate::status::CreateTransferStatus as Status;
use crate::transfer::{Transfer, TransferFlags};
use crate::view::View;

/// One event of `create_transfers`, with its stamp and that of the chain that it belongs to.
#[derive(Clone, Copy)]
pub(crate) struct TransferOrder<'a> {
    pub(crate) transfer: &'a Transfer,
    pub(crate) stamp: Stamp,
    pub(crate) chain: Stamp,
    pub(crate) asker: Asker,
}

impl TransferOrder<'_> {
    pub(super) fn no<T>(&self, status: Status) -> Result<T, TransferRefused> {
        Err(refuse(status, self.stamp))
    }

    pub(super) fn has(&self, flags: TransferFlags) -> bool {
        self.transfer.flags.contains(flags)
    }
}

/// The two accounts of a transfer.
#[derive(Clone, Copy)]
struct Sides<'a> {
    debit: &'a Account,
    credit: &'a Account,
    debit_slot: AccountSlot,
    credit_slot: AccountSlot,
}

impl View<'_> {
    pub(crate) fn plan_transfer(&self, order: TransferOrder<'_>) -> Result<TransferPlan, TransferRefused> {
        let transfer = order.transfer;
        if transfer.flags.has_unknown() {
            return order.no(Status::ReservedFlag);
        }
        if transfer.id.is_zero() {
            return order.no(Status::IdMustNotBeZero);
        }
        if transfer.id.is_max() {
            return order.no(Status::IdMustNotBeIntMax);
        }
        if order.asker.is_denied(transfer.id.get()) {
            return order.no(Status::IdMustNotBeTheBanksOwn);
        }
        if let Some(existing) = self.record(transfer.id) {
            return Err(self.transfer_exists(order, existing));
        }
        let ends = TransferFlags::POST_PENDING_TRANSFER.with(TransferFlags::VOID_PENDING_TRANSFER);
        if transfer.flags.intersects(ends) {
            return self.plan_resolution(order);
        }
        if let Some(status) = first_wrong_field(transfer) {
            return order.no(status);
        }
        let sides = self.sides(order)?;
        let stamp = self.transfer_stamp(order, sides)?;
        let amount = moved_amount(order, sides)?;
        self.check_room(order, sides, stamp, amount)?;
        let record = Transfer { amount, timestamp: stamp, ..*transfer };
        let effect =
            if order.has(TransferFlags::PENDING) { Effect::Reserve(transfer.flags) } else { Effect::Post };
        let chain = if order.chain.is_zero() { stamp } else { order.chain };
        Ok(TransferPlan { record, debit: sides.debit_slot, credit: sides.credit_slot, chain, effect })
    }

    #[inline]
    fn sides(&self, order: TransferOrder<'_>) -> Result<Sides<'_>, TransferRefused> {
        let transfer = order.transfer;
        let Some(debit_slot) = self.slot_of(transfer.debit_account_id) else {
            return order.no(Status::DebitAccountNotFound);
        };
        let Some(credit_slot) = self.slot_of(transfer.credit_account_id) else {
            return order.no(Status::CreditAccountNotFound);
        };
        let (debit, credit) = (self.account(debit_slot), self.account(credit_slot));
        if debit.ledger != credit.ledger {
            return order.no(Status::AccountsMustHaveTheSameLedger);
        }
        if transfer.ledger != debit.ledger {
            return order.no(Status::TransferMustHaveTheSameLedgerAsAccounts);
        }
        if order.asker == Asker::Client && self.book.loans.controls(transfer.debit_account_id) {
            return order.no(Status::DebitAccountIsAControlAccount);
        }
        if order.asker == Asker::Client && self.book.loans.controls(transfer.credit_account_id) {
            return order.no(Status::CreditAccountIsAControlAccount);
        }
        Ok(Sides { debit, credit, debit_slot, credit_slot })
    }

    /// The stamp that the record will bear.
    #[inline]
    fn transfer_stamp(&self, order: TransferOrder<'_>, sides: Sides<'_>) -> Result<Stamp, TransferRefused> {
        if !order.has(TransferFlags::IMPORTED) {
            return Ok(order.stamp);
        }
        let stamp = order.transfer.timestamp;
        if self.transfer_stamp_regresses(stamp) {
            return order.no(Status::ImportedEventTimestampMustNotRegress);
        }
        if stamp <= sides.debit.timestamp {
            return order.no(Status::ImportedEventTimestampMustPostdateDebitAccount);
        }
        if stamp <= sides.credit.timestamp {
            return order.no(Status::ImportedEventTimestampMustPostdateCreditAccount);
        }
        if !order.transfer.timeout.is_zero() {
            return order.no(Status::ImportedEventTimeoutMustBeZero);
        }
        Ok(stamp)
    }

    pub(super) fn transfer_stamp_regresses(&self, stamp: Stamp) -> bool {
        stamp <= self.last_transfer_stamp() || self.has_account_stamp(stamp)
    }

    /// Whether the sums fit, the timeout ends within time, and both accounts may go so far.
    #[inline]
    fn check_room(
        &self,
        order: TransferOrder<'_>,
        sides: Sides<'_>,
        stamp: Stamp,
        amount: Amount,
    ) -> Result<(), TransferRefused> {
        let Sides { debit, credit, .. } = sides;
        let fits = |balance: Amount| balance.checked_add(amount).is_some();
        if order.has(TransferFlags::PENDING) {
            if !fits(debit.debits_pending) {
                return order.no(Status::OverflowsDebitsPending);
            }
            if !fits(credit.credits_pending) {
                return order.no(Status::OverflowsCreditsPending);
            }
        }
        if !fits(debit.debits_posted) {
            return order.no(Status::OverflowsDebitsPosted);
        }
        if !fits(credit.credits_posted) {
            return order.no(Status::OverflowsCreditsPosted);
        }
        let Some(debits_after) = debits(debit).checked_add(amount) else {
            return order.no(Status::OverflowsDebits);
        };
        let Some(credits_after) = credits(credit).checked_add(amount) else {
            return order.no(Status::OverflowsCredits);
        };
        if stamp.checked_after(order.transfer.timeout).is_none() {
            return order.no(Status::OverflowsTimeout);
        }
        if debit.flags.contains(AccountFlags::DEBITS_MUST_NOT_EXCEED_CREDITS)
            && debits_after > self.with_limit(sides.debit_slot, debit, debit.credits_posted)
        {
            return order.no(Status::ExceedsCredits);
        }
        if credit.flags.contains(AccountFlags::CREDITS_MUST_NOT_EXCEED_DEBITS)
            && credits_after > self.with_limit(sides.credit_slot, credit, credit.debits_posted)
        {
            return order.no(Status::ExceedsDebits);
        }
        Ok(())
    }

    #[inline]
    fn with_limit(&self, slot: AccountSlot, account: &Account, bound: Amount) -> Amount {
        if account.flags.contains(AccountFlags::HAS_LIMIT) {
            return bound.checked_add(self.limit(slot)).unwrap_or(Amount::MAX);
        }
        bound
    }
}

/// The amount that moves: as asked, or what balancing leaves of it.
#[inline]
fn moved_amount(order: TransferOrder<'_>, sides: Sides<'_>) -> Result<Amount, TransferRefused> {
    if sides.debit.flags.contains(AccountFlags::CLOSED) {
        return order.no(Status::DebitAccountAlreadyClosed);
    }
    if sides.credit.flags.contains(AccountFlags::CLOSED) {
        return order.no(Status::CreditAccountAlreadyClosed);
    }
    let mut amount = order.transfer.amount;
    if order.has(TransferFlags::BALANCING_DEBIT) {
        let room = sides.debit.credits_posted.saturating_sub(debits(sides.debit));
        amount = amount.min(room);
    }
    if order.has(TransferFlags::BALANCING_CREDIT) {
        let room = sides.credit.debits_posted.saturating_sub(credits(sides.credit));
        amount = amount.min(room);
    }
    Ok(amount)
}

const SUM_FITS: &str = "pending and posted together fit: overflows_debits and overflows_credits are refused";

fn debits(account: &Account) -> Amount {
    account.debits_posted.checked_add(account.debits_pending).expect(SUM_FITS)
}

fn credits(account: &Account) -> Amount {
    account.credits_posted.checked_add(account.credits_pending).expect(SUM_FITS)
}

/// The first rule that the fields break by themselves, whatever the book holds.
#[inline]
fn first_wrong_field(transfer: &Transfer) -> Option<Status> {
    if transfer.debit_account_id.is_zero() {
        return Some(Status::DebitAccountIdMustNotBeZero);
    }
    if transfer.debit_account_id.is_max() {
        return Some(Status::DebitAccountIdMustNotBeIntMax);
    }
    if transfer.credit_account_id.is_zero() {
        return Some(Status::CreditAccountIdMustNotBeZero);
    }
    if transfer.credit_account_id.is_max() {
        return Some(Status::CreditAccountIdMustNotBeIntMax);
    }
    if transfer.debit_account_id == transfer.credit_account_id {
        return Some(Status::AccountsMustBeDifferent);
    }
    if !transfer.pending_id.is_zero() {
        return Some(Status::PendingIdMustBeZero);
    }
    if !transfer.flags.contains(TransferFlags::PENDING) {
        if !transfer.timeout.is_zero() {
            return Some(Status::TimeoutReservedForPendingTransfer);
        }
        if transfer.flags.intersects(TransferFlags::CLOSING_DEBIT.with(TransferFlags::CLOSING_CREDIT)) {
            return Some(Status::ClosingTransferMustBePending);
        }
    }
    if transfer.ledger.is_zero() {
        return Some(Status::LedgerMustNotBeZero);
    }
    if transfer.code.is_zero() {
        return Some(Status::CodeMustNotBeZero);
    }
    None
}
