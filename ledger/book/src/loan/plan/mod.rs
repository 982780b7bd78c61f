//! Whether a loan order can be: the first rule that it breaks, in the order of [`LoanStatus`], or what to post.

mod lending;
mod state;

use crate::account::AccountFlags;
use crate::accounts::Accounts;
use crate::bank_ids::Asker;
use crate::loan::allocation::InAdvance;
use crate::loan::control::Position;
use crate::loan::course::Course;
use crate::loan::event::{Event, EventId, EventKind};
use crate::loan::loans::{Loan, Loans, Outlook, event_kind};
use crate::loan::money::Money;
use crate::loan::order::{LoanAct, LoanOrder};
use crate::loan::product::{Product, ProductId};
use crate::loan::register::LoanSlot;
use crate::loan::status::LoanStatus as Status;
use crate::loan::unbilled::Unbilled;
use crate::quantity::{AccountId, AccountSlot, Stamp};
use fen_terms::Day;

use lending::paid_out;

/// What to post for an order, and what to enter.
pub(crate) struct LoanPlan {
    /// The product.
    pub(crate) product_id: ProductId,
    /// What changes in the product's control accounts by the loan's own position.
    pub(crate) change: Position,
    /// By how much the interest that its product's loans have earned unbilled is more.
    pub(crate) accrued: Money,
    /// The outside account and what it is debited (positive) or credited.
    pub(crate) outside: Option<(AccountSlot, Money)>,
    /// The bank's day, where the order is the first event.
    pub(crate) today: Day,
    /// What to enter.
    pub(crate) entry: Entry,
}

/// What to enter for an order.
#[allow(clippy::large_enum_variant, reason = "the large one is the ordinary one, and lives for one event")]
pub(crate) enum Entry {
    /// A loan's course, which goes on or begins.
    Course {
        place: Place,
        course: Course,
        wakes_on: Option<Day>,
        /// What it earned before it was billed, and what it earns now.
        unbilled: (Unbilled, Unbilled),
    },
    /// A loan that was folded.
    Folded {
        /// The loan as it will be.
        loan: Box<Loan>,
        /// What it will come to.
        outlook: Box<Outlook>,
        /// The event that is taken back, for a reversal.
        reverses: Option<EventId>,
    },
}

/// Where a loan that runs its course is entered.
pub(crate) enum Place {
    /// Where it is.
    Known(LoanSlot),
    /// It is new: the number of what was agreed, and the borrower's account.
    New { agreed: u32, account: AccountSlot },
}

impl LoanPlan {
    fn folded(
        loan: Loan,
        outlook: &Outlook,
        outside: Option<(AccountSlot, Money)>,
        reverses: Option<EventId>,
        today: Day,
    ) -> Self {
        let change = outlook.position.since(&loan.posted);
        let product_id = loan.product_id;
        let entry = Entry::Folded { loan: Box::new(loan), outlook: Box::new(outlook.clone()), reverses };
        Self { product_id, change, accrued: Money::ZERO, outside, today, entry }
    }
}

/// The parties to a plan.
pub(crate) struct Planner<'a> {
    pub(crate) loans: &'a Loans,
    pub(crate) accounts: &'a Accounts,
    /// Who gave the order.
    pub(crate) asker: Asker,
    /// The order's place in the order of arrival.
    pub(crate) sequence: u64,
}

/// A refusal, or that the order was taken before, when.
pub(crate) type Refusal = (Status, Option<Stamp>);

impl Planner<'_> {
    pub(crate) fn plan(&self, order: &LoanOrder) -> Result<LoanPlan, Refusal> {
        self.check_identity(order)?;
        let mut plan = self.plan_new(order).map_err(|status| (status, None))?;
        let accruals = &self.loans.products.get(&plan.product_id).expect("a plan knows the product").accruals;
        plan.accrued = match &plan.entry {
            Entry::Course { unbilled: (before, after), .. } => accruals.change(before, after, plan.today),
            Entry::Folded { loan, outlook, .. } => {
                accruals.change(&loan.unbilled, &outlook.unbilled, plan.today)
            }
        };
        Ok(plan)
    }

    fn check_identity(&self, order: &LoanOrder) -> Result<(), Refusal> {
        if order.id == 0 || order.loan_id == 0 {
            return Err((Status::IdMustNotBeZero, None));
        }
        if self.asker.is_denied(order.id) {
            return Err((Status::IdMustNotBeTheBanksOwn, None));
        }
        if order.id == u128::MAX || order.loan_id == u128::MAX {
            return Err((Status::IdMustNotBeIntMax, None));
        }
        match self.loans.order(order.id, self.accounts) {
            Some((known, stamp)) => match known.first_difference(order) {
                None => Err((Status::Exists, Some(stamp))),
                Some(difference) => Err((difference, None)),
            },
            None => Ok(()),
        }
    }

    fn plan_new(&self, order: &LoanOrder) -> Result<LoanPlan, Status> {
        let amount = match order.act.amount() {
            Some(amount) if amount.is_zero() => return Err(Status::AmountMustNotBeZero),
            Some(amount) => Money::from_amount(amount).ok_or(Status::AmountTooLarge)?,
            None => Money::ZERO,
        };
        let on = Day::from_number(order.effective_on.get()).ok_or(Status::DateOutOfRange)?;
        let today = self.loans.business_date.unwrap_or(on);
        if on > today {
            return Err(Status::EffectiveOnMustNotFollowBusinessDate);
        }
        match &order.act {
            LoanAct::OpenLine(opening) => self.plan_line(order, opening, amount, today),
            LoanAct::Disburse(opening) => self.plan_draw(order, opening, amount, (on, today)),
            LoanAct::Reverse { event_id } => self.plan_reversal(order, *event_id, today),
            LoanAct::Repay { .. }
            | LoanAct::Prepay { .. }
            | LoanAct::Charge { .. }
            | LoanAct::Waive { .. }
            | LoanAct::Chargeback { .. }
            | LoanAct::Refund { .. }
            | LoanAct::Reschedule(_)
            | LoanAct::ChargeOff
            | LoanAct::WriteOff
            | LoanAct::Recover { .. }
            | LoanAct::Sell { .. } => self.plan_event(order, amount, (on, today)),
        }
    }

    /// The product of an opening, if it may lend in general.
    fn lending_product(&self, id: ProductId) -> Result<&Product, Status> {
        let product = self.loans.product(id).ok_or_else(|| {
            let is_withheld = self.loans.withheld.contains(&id);
            if is_withheld { Status::ControlAccountExists } else { Status::ProductNotFound }
        })?;
        if product.is_stopped { Err(Status::ProductStopped) } else { Ok(product) }
    }

    /// Checks an account that money moves to or from.
    fn check_account(&self, id: AccountId, product: &Product) -> Result<AccountSlot, Status> {
        let slot = self.accounts.slot_of(id).ok_or(Status::AccountNotFound)?;
        self.check_account_in(slot, product)
    }

    fn check_account_in(&self, slot: AccountSlot, product: &Product) -> Result<AccountSlot, Status> {
        let account = self.accounts.get(slot);
        if account.ledger != product.ledger {
            return Err(Status::AccountHasDifferentLedger);
        }
        if self.loans.controls(account.id) {
            return Err(Status::AccountIsAControlAccount);
        }
        if account.flags.contains(AccountFlags::CLOSED) {
            return Err(Status::AccountAlreadyClosed);
        }
        Ok(slot)
    }

    fn event(&self, order: &LoanOrder, on: Day, kind: EventKind) -> Event {
        Event { id: order.id, effective_on: on, sequence: self.sequence, kind }
    }

    fn plan_reversal(&self, order: &LoanOrder, event_id: EventId, today: Day) -> Result<LoanPlan, Status> {
        let loan = self.loans.loan(order.loan_id, self.accounts).ok_or(Status::LoanNotFound)?;
        let event = self.loans.register.events.find(event_id).ok_or(Status::EventNotFound)?;
        let reversed = self.loans.register.order_at(event, self.accounts);
        if reversed.loan_id != order.loan_id {
            return Err(Status::EventHasDifferentLoan);
        }
        let direction = match &reversed.act {
            LoanAct::Disburse(_) | LoanAct::Chargeback { .. } | LoanAct::Refund { .. } => Some(true),
            LoanAct::Repay { .. } | LoanAct::Prepay { .. } | LoanAct::Recover { .. } => Some(false),
            LoanAct::Charge { .. }
            | LoanAct::Waive { .. }
            | LoanAct::Reschedule(_)
            | LoanAct::ChargeOff
            | LoanAct::WriteOff
            | LoanAct::Sell { .. } => None,
            LoanAct::OpenLine(_) if loan.events.is_empty() => None,
            LoanAct::OpenLine(_) => return Err(Status::LineDrawn),
            LoanAct::Reverse { .. } => return Err(Status::EventNotReversible),
        };
        if self.loans.register.events.record(event).is_reversed != 0 {
            return Err(Status::EventAlreadyReversed);
        }
        let amount = reversed.act.amount().and_then(Money::from_amount).unwrap_or_default();
        let account = named_or(reversed.act.account(), loan.account_id);
        let account = self.accounts.slot_of(account).ok_or(Status::AccountNotFound)?;
        let mut loan = loan.into_owned();
        loan.events.retain(|event| event.id != event_id);
        if matches!(reversed.act, LoanAct::OpenLine(_)) {
            (loan.line, loan.is_cancelled) = (None, true);
        }
        let has_recoveries = loan.events.iter().any(|event| matches!(event.kind, EventKind::Recover { .. }));
        if matches!(reversed.act, LoanAct::WriteOff) && has_recoveries {
            return Err(Status::LoanNotWrittenOff);
        }
        let outlook = self.loans.outlook(&loan, &loan.events, today)?;
        let is_draw = matches!(reversed.act, LoanAct::Disburse(_));
        let moved = if is_draw { paid_out(&loan, amount) } else { amount };
        let outside = direction.map(|takes| (account, if takes { moved } else { -moved }));
        Ok(LoanPlan::folded(loan, &outlook, outside, Some(event_id), today))
    }

    fn plan_event(
        &self,
        order: &LoanOrder,
        amount: Money,
        (on, today): (Day, Day),
    ) -> Result<LoanPlan, Status> {
        let slot = self.loans.register.slot_of(order.loan_id).ok_or(Status::LoanNotFound)?;
        let agreed = self.loans.register.agreed(slot);
        let product = self.loans.version(agreed.product_id, agreed.version);
        let moved = match &order.act {
            LoanAct::Repay { account_id, .. }
            | LoanAct::Prepay { account_id, .. }
            | LoanAct::Recover { account_id, .. } => Some((*account_id, amount)),
            LoanAct::Chargeback { account_id, .. } | LoanAct::Refund { account_id, .. } => {
                Some((*account_id, -amount))
            }
            LoanAct::OpenLine(_)
            | LoanAct::Disburse(_)
            | LoanAct::Charge { .. }
            | LoanAct::Waive { .. }
            | LoanAct::Reverse { .. }
            | LoanAct::Reschedule(_)
            | LoanAct::ChargeOff
            | LoanAct::WriteOff
            | LoanAct::Sell { .. } => None,
        };
        let outside = match moved {
            // The loan's own account needs no look-up.
            Some((named, money)) if named.is_zero() => {
                Some((self.check_account_in(self.loans.register.account(slot), product)?, money))
            }
            Some((named, money)) => Some((self.check_account(named, product)?, money)),
            None => None,
        };
        if let LoanAct::Repay { in_advance, .. } = &order.act
            && let Some((change, entry)) = self.continue_course(slot, amount, *in_advance, (on, today))?
        {
            return Ok(LoanPlan {
                product_id: product.id,
                change,
                accrued: Money::ZERO,
                outside,
                today,
                entry,
            });
        }
        let mut loan = self.loans.loan_at(slot, self.accounts).into_owned();
        self.check_state(&loan, order, (on, amount))?;
        let kind = event_kind(&order.act, amount).ok_or(Status::RescheduleMustNameOne)?;
        loan.events.push(self.event(order, on, kind));
        let outlook = self.loans.outlook(&loan, &loan.events, today)?;
        Ok(LoanPlan::folded(loan, &outlook, outside, None, today))
    }

    /// What a repayment does to a loan that runs its ordinary course and goes on with it; nothing where it takes
    /// another: the repayment is backdated, or more than is owed.
    fn continue_course(
        &self,
        slot: LoanSlot,
        amount: Money,
        in_advance: Option<InAdvance>,
        (on, today): (Day, Day),
    ) -> Result<Option<(Position, Entry)>, Status> {
        let Some(mut run) = self.loans.register.run(slot).filter(|run| on >= run.course.as_of) else {
            return Ok(None);
        };
        let (before, earned_before) = (run.position(), run.unbilled());
        run.age_to(on);
        if run.is_closed() {
            return Err(Status::LoanClosed);
        }
        if run.pay(amount, in_advance).is_none() {
            return Ok(None);
        }
        run.age_to(today);
        let unbilled = (earned_before, run.unbilled());
        let (course, wakes_on) = (run.course, run.next_change());
        let entry = Entry::Course { place: Place::Known(slot), course, wakes_on, unbilled };
        Ok(Some((run.position().since(&before), entry)))
    }
}

fn named_or(named: Option<AccountId>, own: AccountId) -> AccountId {
    named.filter(|account| !account.is_zero()).unwrap_or(own)
}
