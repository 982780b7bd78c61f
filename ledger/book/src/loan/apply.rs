//! Loan commands on the book: plan, post, enter. Every event's transfers are one linked chain, so it is posted as a
//! whole or not at all.

use super::control::{Leg, Role, control_account, legs};
use super::money::Money;
use super::order::LoanOrder;
use super::plan::{Entry, LoanPlan, Planner, Refusal};
use super::product::Product;
use super::product_status::ProductStatus;
use super::status::LoanStatus;
use crate::account::Account;
use crate::bank_ids::{Asker, bank_id};
use crate::batch::{AccountBatch, PostingBatch, run};
use crate::book::Book;
use crate::command::Outcome;
use crate::quantity::{AccountSlot, Amount, Code, LedgerCode, Stamp, TransferId};
use crate::recall::Recall;
use crate::status::CreateTransferStatus;
use crate::transfer::{Transfer, TransferFlags};

/// How many stamps each loan event takes: one for each transfer that it can come to.
pub const STAMPS_PER_EVENT: u64 = 32;

const _: () = assert!(super::control::ROLES < 32, "an event has fewer transfers than it has stamps");

/// The code of control accounts: this plus the role's number.
pub const CONTROL_CODE: u16 = 9_000;

/// The code of a loan event's transfers: this plus the act's number.
pub const EVENT_CODE: u16 = 9_100;

/// The code of day-end's transfers.
pub const DAY_END_CODE: u16 = 9_200;

impl Book {
    /// Puts a product in force, as its first version or a further one; opens its control accounts.
    pub(crate) fn put_product(&mut self, product: &Product, last: Stamp, recall: &Recall) -> ProductStatus {
        let status = self.loans.plan_product(product, &self.accounts);
        if status != ProductStatus::Created {
            return status;
        }
        if self.loans.product(product.id).is_none() {
            let accounts: Vec<Account> = Role::ALL
                .iter()
                .map(|role| Account {
                    id: control_account(product.id, *role),
                    ledger: product.ledger,
                    code: Code::new(CONTROL_CODE.saturating_add(u16::from(role.number()))),
                    ..Account::default()
                })
                .collect();
            run::<AccountBatch>(self, &accounts, last, recall);
        }
        self.loans.shelve(product);
        ProductStatus::Created
    }

    /// Takes loan orders one after the other.
    pub(crate) fn take_orders(
        &mut self,
        orders: Vec<LoanOrder>,
        last: Stamp,
        recall: &Recall,
    ) -> Vec<Outcome<LoanStatus>> {
        let count = u64::try_from(orders.len()).unwrap_or(u64::MAX);
        let before = last.get().saturating_sub(count.saturating_mul(STAMPS_PER_EVENT));
        let mut outcomes = Vec::with_capacity(orders.len());
        for (place, order) in (1_u64..).zip(orders) {
            let stamp = Stamp::new(before.saturating_add(place.saturating_mul(STAMPS_PER_EVENT)));
            outcomes.push(self.take_order(order, Asker::Client, stamp, recall));
        }
        outcomes
    }

    pub(crate) fn take_order(
        &mut self,
        mut order: LoanOrder,
        asker: Asker,
        stamp: Stamp,
        recall: &Recall,
    ) -> Outcome<LoanStatus> {
        self.loans.complete(&mut order);
        let planner = Planner { loans: &self.loans, accounts: &self.accounts, asker, sequence: stamp.get() };
        match planner.plan(&order) {
            Ok(plan) => match self.post_loan(&order, &plan, stamp, recall) {
                Ok(()) => {
                    self.enter(&order, plan, stamp);
                    Outcome { timestamp: stamp, status: LoanStatus::Created }
                }
                Err(status) => {
                    self.burn_event(order.id, status);
                    Outcome { timestamp: stamp, status }
                }
            },
            Err(refusal) => refused(refusal, stamp),
        }
    }

    /// Posts what a plan changes in the product's control accounts and outside.
    fn post_loan(
        &mut self,
        order: &LoanOrder,
        plan: &LoanPlan,
        stamp: Stamp,
        recall: &Recall,
    ) -> Result<(), LoanStatus> {
        let legs = legs(plan.product_id, &plan.change, plan.outside);
        let code = EVENT_CODE.saturating_add(order.act.number());
        let ledger = self.loans.product(plan.product_id).map(|product| product.ledger);
        let marks = Marks {
            first_id: Some(order.id),
            loan_id: order.loan_id,
            ledger: ledger.unwrap_or_default(),
            code,
            day: order.effective_on.get(),
        };
        self.post_legs(&legs, &marks, stamp, recall)
    }

    /// Posts legs as one chain whose last transfer bears `last`.
    pub(crate) fn post_legs(
        &mut self,
        legs: &[Leg],
        marks: &Marks,
        last: Stamp,
        recall: &Recall,
    ) -> Result<(), LoanStatus> {
        let count = u64::try_from(legs.len()).unwrap_or(u64::MAX);
        let first = last.get().saturating_add(1).saturating_sub(count);
        let chain: Vec<Transfer> = (0_u64..)
            .zip(legs)
            .map(|(place, leg)| {
                let is_last = place.saturating_add(1) == count;
                let own_id = bank_id(Stamp::new(first.saturating_add(place)));
                Transfer {
                    id: marks.first_id.filter(|_| place == 0).map_or(own_id, TransferId::new),
                    debit_account_id: leg.debit,
                    credit_account_id: leg.credit,
                    amount: leg.amount.to_amount(),
                    user_data_128: marks.loan_id,
                    user_data_32: marks.day.cast_unsigned(),
                    ledger: marks.ledger,
                    code: Code::new(marks.code),
                    flags: if is_last { TransferFlags::NONE } else { TransferFlags::LINKED },
                    ..Transfer::default()
                }
            })
            .collect();
        let outcomes = run::<PostingBatch>(self, &chain, last, recall);
        let refusal = outcomes.iter().map(|outcome| outcome.status).find(|status| {
            !matches!(status, CreateTransferStatus::Created | CreateTransferStatus::LinkedEventFailed)
        });
        refusal.map_or(Ok(()), |status| Err(of_transfer(status)))
    }

    /// Burns the id of an event that the moment's balances refused, unless its first transfer was what they refused.
    fn burn_event(&mut self, id: u128, status: LoanStatus) {
        use LoanStatus::{AccountAlreadyClosed, ExceedsCredits, ExceedsDebits};
        let id = TransferId::new(id);
        let of_the_moment = [AccountAlreadyClosed, ExceedsCredits, ExceedsDebits].contains(&status);
        if of_the_moment && self.young.find(id).is_none() {
            self.burn(id);
        }
    }

    /// Enters an event that is posted.
    fn enter(&mut self, order: &LoanOrder, plan: LoanPlan, stamp: Stamp) {
        let Self { loans, accounts, .. } = self;
        loans.business_date = Some(plan.today);
        loans.days.begin(plan.today, Stamp::new(stamp.get().saturating_sub(STAMPS_PER_EVENT)));
        match plan.entry {
            Entry::Course { slot, course, wakes_on, unbilled: (before, after) } => {
                let slot = slot.unwrap_or_else(|| loans.open(order, accounts));
                loans.register.take(slot, order, stamp, accounts);
                loans.proceed(slot, (&course, wakes_on), &plan.change, (&before, &after), accounts);
            }
            Entry::Folded { loan, outlook, reverses } => {
                let known = loans.register.slot_of(loan.id);
                let slot = known.unwrap_or_else(|| loans.open(order, accounts));
                if let Some(event) = reverses.and_then(|event| loans.register.events.find(event)) {
                    loans.register.events.reverse(event);
                }
                loans.register.take(slot, order, stamp, accounts);
                loans.settle(slot, *loan, &outlook, plan.today, accounts);
            }
        }
    }

    /// What an account has left before its limit, if it has one; all there can be, if it has none.
    pub(crate) fn available(&self, slot: AccountSlot) -> Money {
        let account = self.accounts.get(slot);
        let debits = account.debits_posted.get().saturating_add(account.debits_pending.get());
        let credits = account.credits_posted.get();
        let limit = self.accounts.limit(slot).get();
        let left = Amount::new(credits.saturating_add(limit).saturating_sub(debits));
        Money::from_amount(left).unwrap_or(Money::new(i128::from(i64::MAX)))
    }
}

/// What all transfers of a posting bear.
pub(crate) struct Marks {
    /// The id of the first one, if the client chose it.
    pub(crate) first_id: Option<u128>,
    pub(crate) loan_id: u128,
    pub(crate) ledger: LedgerCode,
    pub(crate) code: u16,
    pub(crate) day: i32,
}

fn refused((status, stamp): Refusal, now: Stamp) -> Outcome<LoanStatus> {
    Outcome { timestamp: stamp.unwrap_or(now), status }
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
