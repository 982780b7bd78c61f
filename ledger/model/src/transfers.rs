//! Posting a transfer: the rules in checking order, for money moved or reserved, and for the end of a reservation.

use crate::existing::{self, with_inherited};
use crate::journal::{Ending, Entry, expiry};
use crate::products::is_of_the_bank;
use crate::{Model, refuse_if};
use fen_book::CreateTransferStatus as Status;
use fen_book::clearing::is_clearing;
use fen_book::{
    Account, AccountFlags, Amount, Balances, Outcome, Stamp, Transfer, TransferFlags, TransferId,
};

impl Model {
    /// Posts, reserves, or ends a reservation; or says why not.
    pub(crate) fn create_transfer(&mut self, asked: &Transfer, clock: Stamp) -> Outcome<Status> {
        let refused = |status| Outcome { timestamp: clock, status };
        if let Err(status) = well_formed(asked) {
            return refused(status);
        }
        if let Some(existing) = self.transfer(asked.id) {
            let pending = self.transfer(existing.pending_id);
            return existing::transfer(asked, &existing, pending.as_ref(), clock);
        }
        if self.burned.contains(&asked.id) {
            return refused(Status::IdAlreadyFailed);
        }
        let granted = if ends_a_pending(asked) {
            self.grant_ending(asked, clock)
        } else {
            self.grant_movement(asked, clock)
        };
        match granted {
            Ok(entry) => {
                self.journal.push(entry);
                let stamp = entry.transfer().map_or(clock, |transfer| transfer.timestamp);
                Outcome { timestamp: stamp, status: Status::Created }
            }
            Err(status) => refused(status),
        }
    }

    /// Money moved or reserved: what will be written, or the first rule that forbids it.
    fn grant_movement(&self, asked: &Transfer, clock: Stamp) -> Result<Entry, Status> {
        refuse_if(asked.debit_account_id.is_zero(), Status::DebitAccountIdMustNotBeZero)?;
        refuse_if(asked.debit_account_id.is_max(), Status::DebitAccountIdMustNotBeIntMax)?;
        refuse_if(asked.credit_account_id.is_zero(), Status::CreditAccountIdMustNotBeZero)?;
        refuse_if(asked.credit_account_id.is_max(), Status::CreditAccountIdMustNotBeIntMax)?;
        refuse_if(asked.debit_account_id == asked.credit_account_id, Status::AccountsMustBeDifferent)?;
        refuse_if(!asked.pending_id.is_zero(), Status::PendingIdMustBeZero)?;
        let pending = asked.flags.contains(TransferFlags::PENDING);
        let closing =
            asked.flags.intersects(TransferFlags::CLOSING_DEBIT.with(TransferFlags::CLOSING_CREDIT));
        refuse_if(!pending && !asked.timeout.is_zero(), Status::TimeoutReservedForPendingTransfer)?;
        refuse_if(!pending && closing, Status::ClosingTransferMustBePending)?;
        refuse_if(asked.ledger.is_zero(), Status::LedgerMustNotBeZero)?;
        refuse_if(asked.code.is_zero(), Status::CodeMustNotBeZero)?;

        let debit = self.opened(asked.debit_account_id).ok_or(Status::DebitAccountNotFound)?;
        let credit = self.opened(asked.credit_account_id).ok_or(Status::CreditAccountNotFound)?;
        refuse_if(debit.ledger != credit.ledger, Status::AccountsMustHaveTheSameLedger)?;
        refuse_if(asked.ledger != debit.ledger, Status::TransferMustHaveTheSameLedgerAsAccounts)?;
        refuse_if(self.is_control(debit.id), Status::DebitAccountIsAControlAccount)?;
        refuse_if(self.is_control(credit.id), Status::CreditAccountIsAControlAccount)?;
        let stamp = self.stamp_for(asked, &debit, &credit, clock)?;
        refuse_if(self.is_closed(debit.id), Status::DebitAccountAlreadyClosed)?;
        refuse_if(self.is_closed(credit.id), Status::CreditAccountAlreadyClosed)?;

        let debited = self.balances(debit.id);
        let credited = self.balances(credit.id);
        let amount = balanced_amount(asked, &debited, &credited);
        let transfer = Transfer { amount, timestamp: stamp, ..*asked };
        refuse_overflow(&transfer, &debited, &credited)?;
        self.refuse_beyond_limits(&transfer, (&debit, &debited), (&credit, &credited))?;
        Ok(if pending { Entry::Pending { transfer } } else { Entry::Plain { transfer } })
    }

    /// The stamp that a movement will bear: the clock's, or its own where it is imported.
    fn stamp_for(
        &self,
        asked: &Transfer,
        debit: &Account,
        credit: &Account,
        clock: Stamp,
    ) -> Result<Stamp, Status> {
        if !asked.flags.contains(TransferFlags::IMPORTED) {
            return Ok(clock);
        }
        let stamp = asked.timestamp;
        refuse_if(!self.may_import_transfer_at(stamp), Status::ImportedEventTimestampMustNotRegress)?;
        refuse_if(stamp <= debit.timestamp, Status::ImportedEventTimestampMustPostdateDebitAccount)?;
        refuse_if(stamp <= credit.timestamp, Status::ImportedEventTimestampMustPostdateCreditAccount)?;
        refuse_if(!asked.timeout.is_zero(), Status::ImportedEventTimeoutMustBeZero)?;
        Ok(stamp)
    }

    /// An imported transfer's stamp lies above that of every transfer, and on that of no account.
    fn may_import_transfer_at(&self, stamp: Stamp) -> bool {
        self.transfers().all(|transfer| transfer.timestamp < stamp)
            && self.accounts.iter().all(|account| account.timestamp != stamp)
    }

    /// The end of a reservation: what will be written, or the first rule that forbids it.
    fn grant_ending(&self, asked: &Transfer, clock: Stamp) -> Result<Entry, Status> {
        let posts = asked.flags.contains(TransferFlags::POST_PENDING_TRANSFER);
        let voids = asked.flags.contains(TransferFlags::VOID_PENDING_TRANSFER);
        refuse_if(posts && voids, Status::FlagsAreMutuallyExclusive)?;
        refuse_if(asked.flags.intersects(NOT_WITH_AN_ENDING), Status::FlagsAreMutuallyExclusive)?;
        refuse_if(asked.pending_id.is_zero(), Status::PendingIdMustNotBeZero)?;
        refuse_if(asked.pending_id.is_max(), Status::PendingIdMustNotBeIntMax)?;
        refuse_if(asked.pending_id == asked.id, Status::PendingIdMustBeDifferent)?;
        refuse_if(!asked.timeout.is_zero(), Status::TimeoutReservedForPendingTransfer)?;

        let pending = self.transfer(asked.pending_id).ok_or(Status::PendingTransferNotFound)?;
        refuse_if(!pending.flags.contains(TransferFlags::PENDING), Status::PendingTransferNotPending)?;
        let meant = with_inherited(asked, &pending);
        refuse_if(
            meant.debit_account_id != pending.debit_account_id,
            Status::PendingTransferHasDifferentDebitAccountId,
        )?;
        refuse_if(
            meant.credit_account_id != pending.credit_account_id,
            Status::PendingTransferHasDifferentCreditAccountId,
        )?;
        refuse_if(meant.ledger != pending.ledger, Status::PendingTransferHasDifferentLedger)?;
        refuse_if(meant.code != pending.code, Status::PendingTransferHasDifferentCode)?;
        refuse_if(meant.amount > pending.amount, Status::ExceedsPendingTransferAmount)?;
        refuse_if(voids && meant.amount < pending.amount, Status::PendingTransferHasDifferentAmount)?;

        match self.ending(pending.id) {
            Ending::Open => {}
            Ending::Posted => return Err(Status::PendingTransferAlreadyPosted),
            Ending::Voided => return Err(Status::PendingTransferAlreadyVoided),
            Ending::Expired => return Err(Status::PendingTransferExpired),
        }
        refuse_if(expiry(&pending).is_some_and(|end| end <= clock), Status::PendingTransferExpired)?;
        let imported = asked.flags.contains(TransferFlags::IMPORTED);
        refuse_if(
            imported && !self.may_import_transfer_at(asked.timestamp),
            Status::ImportedEventTimestampMustNotRegress,
        )?;
        let posts_here = posts && !is_of_clearing(&pending);
        refuse_if(posts_here && self.is_closed(pending.debit_account_id), Status::DebitAccountAlreadyClosed)?;
        refuse_if(
            posts_here && self.is_closed(pending.credit_account_id),
            Status::CreditAccountAlreadyClosed,
        )?;

        let transfer = Transfer { timestamp: if imported { asked.timestamp } else { clock }, ..meant };
        Ok(if posts { Entry::Post { transfer, pending } } else { Entry::Void { transfer, pending } })
    }

    /// Refuses what would take an account past its other side by more than its limit.
    fn refuse_beyond_limits(
        &self,
        transfer: &Transfer,
        (debit, debited): (&Account, &Balances),
        (credit, credited): (&Account, &Balances),
    ) -> Result<(), Status> {
        let with_limit = |covered: Amount, account: &Account| {
            covered.checked_add(self.limit_of(account.id)).unwrap_or(Amount::MAX)
        };
        let debits = sum(sum(debited.debits_pending, debited.debits_posted), transfer.amount);
        refuse_if(
            debit.flags.contains(AccountFlags::DEBITS_MUST_NOT_EXCEED_CREDITS)
                && debits > with_limit(debited.credits_posted, debit),
            Status::ExceedsCredits,
        )?;
        let credits = sum(sum(credited.credits_pending, credited.credits_posted), transfer.amount);
        refuse_if(
            credit.flags.contains(AccountFlags::CREDITS_MUST_NOT_EXCEED_DEBITS)
                && credits > with_limit(credited.debits_posted, credit),
            Status::ExceedsDebits,
        )
    }

    /// The transfers of these ids, `None` where there is none.
    pub fn lookup_transfers(&self, ids: &[TransferId]) -> Vec<Option<Transfer>> {
        ids.iter().map(|id| self.transfer(*id)).collect()
    }
}

/// What is asked of any request before its id is looked up.
fn well_formed(asked: &Transfer) -> Result<(), Status> {
    refuse_if(asked.flags.has_unknown(), Status::ReservedFlag)?;
    refuse_if(asked.id.is_zero(), Status::IdMustNotBeZero)?;
    refuse_if(asked.id.is_max(), Status::IdMustNotBeIntMax)?;
    refuse_if(is_of_the_bank(asked.id), Status::IdMustNotBeTheBanksOwn)
}

/// The flags that make no sense on a post or a void.
const NOT_WITH_AN_ENDING: TransferFlags = TransferFlags::PENDING
    .with(TransferFlags::BALANCING_DEBIT)
    .with(TransferFlags::BALANCING_CREDIT)
    .with(TransferFlags::CLOSING_DEBIT)
    .with(TransferFlags::CLOSING_CREDIT);

fn ends_a_pending(asked: &Transfer) -> bool {
    asked.flags.intersects(TransferFlags::POST_PENDING_TRANSFER.with(TransferFlags::VOID_PENDING_TRANSFER))
}

/// What is moved: all that is asked for, or with balancing flags at most what keeps the account within its other
/// side, which may be nothing.
fn balanced_amount(asked: &Transfer, debited: &Balances, credited: &Balances) -> Amount {
    let mut amount = asked.amount;
    if asked.flags.contains(TransferFlags::BALANCING_DEBIT) {
        let spent = sum(debited.debits_posted, debited.debits_pending);
        amount = amount.min(debited.credits_posted.saturating_sub(spent));
    }
    if asked.flags.contains(TransferFlags::BALANCING_CREDIT) {
        let received = sum(credited.credits_posted, credited.credits_pending);
        amount = amount.min(credited.debits_posted.saturating_sub(received));
    }
    amount
}

/// Refuses what would take any balance, or the sum of a side, or the end of the reservation, out of range.
fn refuse_overflow(transfer: &Transfer, debited: &Balances, credited: &Balances) -> Result<(), Status> {
    let amount = transfer.amount;
    let overflows = |balance: Amount| amount.checked_add(balance).is_none();
    let pending = transfer.flags.contains(TransferFlags::PENDING);
    refuse_if(pending && overflows(debited.debits_pending), Status::OverflowsDebitsPending)?;
    refuse_if(pending && overflows(credited.credits_pending), Status::OverflowsCreditsPending)?;
    refuse_if(overflows(debited.debits_posted), Status::OverflowsDebitsPosted)?;
    refuse_if(overflows(credited.credits_posted), Status::OverflowsCreditsPosted)?;
    refuse_if(overflows(sum(debited.debits_pending, debited.debits_posted)), Status::OverflowsDebits)?;
    refuse_if(overflows(sum(credited.credits_pending, credited.credits_posted)), Status::OverflowsCredits)?;
    refuse_if(transfer.timestamp.checked_after(transfer.timeout).is_none(), Status::OverflowsTimeout)
}

/// Sums that the rules keep within 128 bits.
fn sum(one: Amount, other: Amount) -> Amount {
    one.checked_add(other).expect("pending and posted together stay below 2^128")
}

/// Whether another shard relies on it.
fn is_of_clearing(transfer: &Transfer) -> bool {
    is_clearing(transfer.debit_account_id) || is_clearing(transfer.credit_account_id)
}
