//! What a loan event or a day-end posts: the transfers that bring a change of control accounts about, all or none.
//!
//! They are one linked chain. Nearly always each of its members goes through, and then they are posted straight, by the
//! slots of their accounts; where anything could refuse one, the chain is planned as a client's would be, and says what
//! refuses it.
//!
//! **Invariant.** Both ways write the same records. Builds with debug assertions hold every straight posting against the
//! plan of its chain.

use super::control::{Leg, Position, legs};
use super::money::Money;
use super::product::ProductId;
use super::status::LoanStatus;
use crate::account::{Account, AccountFlags};
use crate::bank_ids::bank_id;
use crate::batch::{PostingBatch, plan_whole, run};
use crate::book::Book;
use crate::plan::{Effect, TransferPlan};
use crate::quantity::{AccountSlot, Amount, Code, LedgerCode, Stamp, TransferId};
use crate::recall::Recall;
use crate::status::CreateTransferStatus;
use crate::transfer::{Transfer, TransferFlags};
use crate::view::View;

/// Sums below this have room for anything that a posting adds.
const ROOM: Amount = Amount::new(1 << 120);

/// What asks for a closer look than the straight way takes.
const LIMITING: AccountFlags = AccountFlags::DEBITS_MUST_NOT_EXCEED_CREDITS
    .with(AccountFlags::CREDITS_MUST_NOT_EXCEED_DEBITS)
    .with(AccountFlags::CLOSED);

/// What all transfers of a posting bear.
pub(super) struct Marks {
    /// The id of the first one, if the client chose it.
    pub(super) first_id: Option<u128>,
    pub(super) loan_id: u128,
    pub(super) code: u16,
    pub(super) day: i32,
}

/// A change to be posted.
pub(super) struct Posting<'a> {
    pub(super) product_id: ProductId,
    /// Of the product's control accounts.
    pub(super) change: &'a Position,
    /// The outside account and what it is debited (positive) or credited.
    pub(super) outside: Option<(AccountSlot, Money)>,
    pub(super) marks: &'a Marks,
}

/// Which stamps the transfers bear, one after the other.
#[derive(Clone, Copy)]
pub(super) enum LastStamp {
    /// This one is the last.
    Of(Stamp),
    /// They come right after this one.
    After(Stamp),
}

impl Book {
    /// Posts a change, and says the stamp of its last transfer.
    pub(super) fn post_change(
        &mut self,
        posting: &Posting<'_>,
        stamp: LastStamp,
        recall: &Recall,
    ) -> Result<Stamp, LoanStatus> {
        let shelf = self.loans.products.get(&posting.product_id).expect("a plan knows the product");
        let ledger = shelf.current().ledger;
        let mut kept = core::mem::take(&mut self.kept_legs);
        legs(&shelf.controls, posting.change, posting.outside, &mut kept);
        let count = u64::try_from(kept.len()).unwrap_or(u64::MAX);
        let (first, last) = match stamp {
            LastStamp::Of(last) => (last.get().saturating_add(1).saturating_sub(count), last),
            LastStamp::After(before) => {
                (before.get().saturating_add(1), Stamp::new(before.get().saturating_add(count)))
            }
        };
        let chain = Chain { legs: &kept, marks: posting.marks, ledger, first };
        let posted = if self.is_free(&chain, posting.outside, recall) {
            self.post_straight(&chain, last, recall);
            Ok(last)
        } else {
            self.post_chain(&chain, last, recall).map(|()| last)
        };
        self.kept_legs = kept;
        posted
    }

    /// Whether nothing can refuse any of the transfers: only a moment's balances and a taken id do, and only of accounts
    /// with limits or near the end of 128 bits.
    fn is_free(&self, chain: &Chain<'_>, outside: Option<(AccountSlot, Money)>, recall: &Recall) -> bool {
        let own = outside.map(|(slot, _)| slot);
        let takes = |slot: AccountSlot| {
            let account = self.accounts.get(slot);
            has_room(account) && (own == Some(slot) || !account.flags.intersects(LIMITING))
        };
        if !chain.legs.iter().all(|leg| takes(leg.debit) && takes(leg.credit)) {
            return false;
        }
        let view = View { book: self, recall, overlay: None };
        if chain.marks.first_id.is_some_and(|id| view.record(TransferId::new(id)).is_some()) {
            return false;
        }
        outside.is_none_or(|(slot, money)| self.may_move(slot, money))
    }

    /// Whether an account may be debited (positive) or credited so much.
    fn may_move(&self, slot: AccountSlot, money: Money) -> bool {
        let account = self.accounts.get(slot);
        let sum = |one: Amount, other: Amount| one.get().saturating_add(other.get());
        let debits = sum(account.debits_posted, account.debits_pending);
        let credits = sum(account.credits_posted, account.credits_pending);
        let limit = || {
            let is_limited = account.flags.contains(AccountFlags::HAS_LIMIT);
            if is_limited { self.accounts.limit(slot).get() } else { 0 }
        };
        let flags = account.flags;
        if flags.contains(AccountFlags::CLOSED) {
            return false;
        }
        if money.is_positive() {
            !flags.contains(AccountFlags::DEBITS_MUST_NOT_EXCEED_CREDITS)
                || debits.saturating_add(money.to_amount().get())
                    <= account.credits_posted.get().saturating_add(limit())
        } else {
            !flags.contains(AccountFlags::CREDITS_MUST_NOT_EXCEED_DEBITS)
                || credits.saturating_add((-money).to_amount().get())
                    <= account.debits_posted.get().saturating_add(limit())
        }
    }

    fn post_straight(&mut self, chain: &Chain<'_>, last: Stamp, recall: &Recall) {
        if cfg!(debug_assertions) {
            let transfers = chain.transfers(self);
            let planned = plan_whole::<PostingBatch>(self, &transfers, last, recall);
            let planned = planned.map(|plans| plans.iter().map(written).collect());
            let straight: Vec<_> =
                (0..chain.legs.len()).map(|place| written(&chain.plan(self, place))).collect();
            assert_eq!(Some(straight), planned, "a posting goes the same way straight and as a chain");
        }
        for place in 0..chain.legs.len() {
            let plan = chain.plan(self, place);
            self.post(&plan);
        }
    }

    fn post_chain(&mut self, chain: &Chain<'_>, last: Stamp, recall: &Recall) -> Result<(), LoanStatus> {
        let transfers = chain.transfers(self);
        let outcomes = run::<PostingBatch>(self, &transfers, last, recall);
        let refusal = outcomes.iter().map(|outcome| outcome.status).find(|status| {
            !matches!(status, CreateTransferStatus::Created | CreateTransferStatus::LinkedEventFailed)
        });
        refusal.map_or(Ok(()), |status| Err(of_transfer(status)))
    }
}

fn has_room(account: &Account) -> bool {
    let sums =
        [account.debits_posted, account.debits_pending, account.credits_posted, account.credits_pending];
    sums.iter().all(|sum| *sum < ROOM)
}

/// What of a plan differs between two ways of posting, if anything does.
fn written(plan: &TransferPlan) -> (Transfer, AccountSlot, AccountSlot) {
    (plan.record, plan.debit, plan.credit)
}

/// The transfers of a posting.
struct Chain<'a> {
    legs: &'a [Leg],
    marks: &'a Marks,
    ledger: LedgerCode,
    /// The stamp of the first.
    first: u64,
}

impl Chain<'_> {
    /// One of the transfers, without a stamp.
    fn transfer(&self, book: &Book, place: usize) -> Transfer {
        let Self { legs, marks, ledger, .. } = *self;
        let leg = &legs[place];
        let own_id = bank_id(self.stamp(place));
        let is_last = place.saturating_add(1) == legs.len();
        Transfer {
            id: marks.first_id.filter(|_| place == 0).map_or(own_id, TransferId::new),
            debit_account_id: book.accounts.get(leg.debit).id,
            credit_account_id: book.accounts.get(leg.credit).id,
            amount: leg.amount.to_amount(),
            user_data_128: marks.loan_id,
            user_data_32: marks.day.cast_unsigned(),
            ledger,
            code: Code::new(marks.code),
            flags: if is_last { TransferFlags::NONE } else { TransferFlags::LINKED },
            ..Transfer::default()
        }
    }

    fn stamp(&self, place: usize) -> Stamp {
        Stamp::new(self.first.saturating_add(u64::try_from(place).unwrap_or(u64::MAX)))
    }

    fn transfers(&self, book: &Book) -> Vec<Transfer> {
        (0..self.legs.len()).map(|place| self.transfer(book, place)).collect()
    }

    /// What posting one of the transfers writes.
    fn plan(&self, book: &Book, place: usize) -> TransferPlan {
        let leg = &self.legs[place];
        TransferPlan {
            record: Transfer { timestamp: self.stamp(place), ..self.transfer(book, place) },
            debit: leg.debit,
            credit: leg.credit,
            chain: self.stamp(0),
            effect: Effect::Post,
        }
    }
}

/// What a transfer's refusal means for the loan event it belongs to: only a moment's balances and a taken id refuse
/// what a plan has checked, since nobody but the bank moves control accounts or gives ids of the bank's own.
const REFUSALS: [(CreateTransferStatus, LoanStatus); 23] = {
    use CreateTransferStatus as Transfer;
    use LoanStatus as Event;
    [
        (Transfer::ExceedsCredits, Event::ExceedsCredits),
        (Transfer::ExceedsDebits, Event::ExceedsDebits),
        (Transfer::IdAlreadyFailed, Event::IdAlreadyFailed),
        (Transfer::DebitAccountAlreadyClosed, Event::AccountAlreadyClosed),
        (Transfer::CreditAccountAlreadyClosed, Event::AccountAlreadyClosed),
        (Transfer::OverflowsDebitsPending, Event::Overflows),
        (Transfer::OverflowsCreditsPending, Event::Overflows),
        (Transfer::OverflowsDebitsPosted, Event::Overflows),
        (Transfer::OverflowsCreditsPosted, Event::Overflows),
        (Transfer::OverflowsDebits, Event::Overflows),
        (Transfer::OverflowsCredits, Event::Overflows),
        (Transfer::Exists, Event::ExistsWithDifferentFields),
        (Transfer::ExistsWithDifferentFlags, Event::ExistsWithDifferentFields),
        (Transfer::ExistsWithDifferentPendingId, Event::ExistsWithDifferentFields),
        (Transfer::ExistsWithDifferentTimeout, Event::ExistsWithDifferentFields),
        (Transfer::ExistsWithDifferentDebitAccountId, Event::ExistsWithDifferentFields),
        (Transfer::ExistsWithDifferentCreditAccountId, Event::ExistsWithDifferentFields),
        (Transfer::ExistsWithDifferentAmount, Event::ExistsWithDifferentFields),
        (Transfer::ExistsWithDifferentUserData128, Event::ExistsWithDifferentFields),
        (Transfer::ExistsWithDifferentUserData64, Event::ExistsWithDifferentFields),
        (Transfer::ExistsWithDifferentUserData32, Event::ExistsWithDifferentFields),
        (Transfer::ExistsWithDifferentLedger, Event::ExistsWithDifferentFields),
        (Transfer::ExistsWithDifferentCode, Event::ExistsWithDifferentFields),
    ]
};

fn of_transfer(status: CreateTransferStatus) -> LoanStatus {
    let refusal = REFUSALS.iter().find(|(transfer, _)| *transfer == status);
    refusal.map(|(_, event)| *event).expect("a planned posting is refused only for what a moment decides")
}
