//! Loan commands on the book: plan, post (`posting.rs`), enter.

use super::control::{Position, Role, control_account};
use super::look_ahead::GROUP;
use super::money::Money;
use super::order::LoanOrder;
use super::plan::{Entry, LoanPlan, Place, Planner, Refusal};
use super::posting::{LastStamp, Marks, Posting};
use super::product::Product;
use super::product_status::ProductStatus;
use super::status::LoanStatus;
use crate::account::Account;
use crate::bank_ids::Asker;
use crate::batch::{AccountBatch, run};
use crate::book::Book;
use crate::command::Outcome;
use crate::memo::is_told_by_transfers;
use crate::quantity::{AccountSlot, Amount, Code, Stamp, TransferId};
use crate::recall::Recall;

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
        if status == ProductStatus::ControlAccountExists {
            self.loans.withheld.insert(product.id);
        }
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
        let shelved = self.loans.shelve(product, &self.accounts);
        shelved.expect("a product that comes into force has its control accounts");
        self.tell_product(product, last);
        ProductStatus::Created
    }

    /// Takes loan orders one after the other.
    pub(crate) fn take_orders(
        &mut self,
        mut orders: Vec<LoanOrder>,
        last: Stamp,
        recall: &Recall,
    ) -> Vec<Outcome<LoanStatus>> {
        let count = u64::try_from(orders.len()).unwrap_or(u64::MAX);
        let before = last.get().saturating_sub(count.saturating_mul(STAMPS_PER_EVENT));
        let mut outcomes = Vec::with_capacity(orders.len());
        let mut stamp = Stamp::new(before);
        for group in orders.chunks_mut(GROUP) {
            self.look_ahead_to(group);
            for order in group {
                stamp = Stamp::new(stamp.get().saturating_add(STAMPS_PER_EVENT));
                outcomes.push(self.take_order(order, Asker::Client, stamp, recall));
            }
        }
        outcomes
    }

    pub(crate) fn take_order(
        &mut self,
        order: &mut LoanOrder,
        asker: Asker,
        stamp: Stamp,
        recall: &Recall,
    ) -> Outcome<LoanStatus> {
        self.loans.complete(order);
        let planner = Planner { loans: &self.loans, accounts: &self.accounts, asker, sequence: stamp.get() };
        let records = self.young.next_number();
        match planner.plan(order) {
            Ok(plan) => match self.post_loan(order, &plan, stamp, recall) {
                Ok(()) => {
                    let product_id = plan.product_id;
                    let has_posted = self.young.next_number() > records;
                    self.enter(order, plan, stamp);
                    if !has_posted || !is_told_by_transfers(&order.act) {
                        self.tell_order(order, product_id, stamp);
                    }
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
        let marks = Marks {
            first_id: Some(order.id),
            loan_id: order.loan_id,
            code: EVENT_CODE.saturating_add(order.act.number()),
            day: order.effective_on.get(),
        };
        let mut change = plan.change;
        change.add(&accrued(plan.accrued));
        let posting =
            Posting { product_id: plan.product_id, change: &change, outside: plan.outside, marks: &marks };
        self.post_change(&posting, LastStamp::Of(stamp), recall).map(|_| ())
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
        self.begin_day(plan.today, Stamp::new(stamp.get().saturating_sub(STAMPS_PER_EVENT)));
        let Self { loans, accounts, .. } = self;
        loans.business_date = Some(plan.today);
        let shelf = loans.products.get_mut(&plan.product_id).expect("a plan knows the product");
        shelf.posted.add(&accrued(plan.accrued));
        shelf.accruals.posted += plan.accrued;
        match plan.entry {
            Entry::Course { place, course, wakes_on, unbilled: (before, after) } => {
                let slot = match place {
                    Place::Known(slot) => slot,
                    Place::New { agreed, account } => loans.open_agreed(order, agreed, account),
                };
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

/// Interest earned unbilled, in a product's control accounts.
pub(super) fn accrued(more: Money) -> Position {
    let mut position = Position::default();
    if !more.is_zero() {
        position[Role::InterestAccrued] = more;
        position[Role::InterestIncome] = -more;
    }
    position
}

fn refused((status, stamp): Refusal, now: Stamp) -> Outcome<LoanStatus> {
    Outcome { timestamp: stamp.unwrap_or(now), status }
}
