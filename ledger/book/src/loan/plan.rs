//! Whether a loan order can be: the first rule that it breaks, in the order of [`LoanStatus`], or what to post.

use super::allocation::InAdvance;
use super::control::Position;
use super::course::{Course, Run};
use super::event::{Event, EventId, EventKind};
use super::life::Life;
use super::limits::{Draw, check_amount};
use super::loans::{Loan, Loans, Outlook, event_kind};
use super::money::Money;
use super::order::{LoanAct, LoanId, LoanOrder, Opening};
use super::product::{LineKind, Product, ProductId};
use super::register::LoanSlot;
use super::row::Row;
use super::status::LoanStatus as Status;
use super::unbilled::Unbilled;
use crate::account::AccountFlags;
use crate::accounts::Accounts;
use crate::bank_ids::Asker;
use crate::quantity::{AccountId, AccountSlot, Stamp};
use fen_terms::Day;

/// What to post for an order, and what to enter.
pub(crate) struct LoanPlan {
    /// The product.
    pub(crate) product_id: ProductId,
    /// What changes in the product's control accounts.
    pub(crate) change: Position,
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
        Self { product_id, change, outside, today, entry }
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
        self.plan_new(order).map_err(|status| (status, None))
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
            | LoanAct::Reschedule { .. }
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

    fn new_loan(&self, order: &LoanOrder, opening: &Opening, product: &Product) -> Result<Loan, Status> {
        Ok(Loan {
            id: order.loan_id,
            product_id: product.id,
            product_version: self.loans.product_version(product.id).unwrap_or(0),
            account_id: opening.account_id,
            contract: product.contract(&opening.terms)?,
            facts: opening.facts,
            line: None,
            opened_on: Day::from_number(order.effective_on.get()).ok_or(Status::DateOutOfRange)?,
            events: Vec::new(),
            posted: Position::default(),
            unbilled: Unbilled::default(),
        })
    }

    fn plan_line(
        &self,
        order: &LoanOrder,
        opening: &Opening,
        line: Money,
        today: Day,
    ) -> Result<LoanPlan, Status> {
        let product = self.lending_product(opening.product_id)?;
        if self.loans.register.slot_of(order.loan_id).is_some() {
            return Err(Status::LoanExists);
        }
        self.check_account(opening.account_id, product)?;
        check_amount(product, line)?;
        let mut loan = self.new_loan(order, opening, product)?;
        loan.line = Some(line);
        self.check_terms(order, &loan, product, line)?;
        let outlook = Loans::outlook_of(&loan, product, &[], today)?;
        Ok(LoanPlan::folded(loan, &outlook, None, None, today))
    }

    /// Whether the terms of a line can be kept, were it drawn in full on the day it is opened.
    fn check_terms(
        &self,
        order: &LoanOrder,
        loan: &Loan,
        product: &Product,
        line: Money,
    ) -> Result<(), Status> {
        let drawn = self.event(order, loan.opened_on, EventKind::Disburse { amount: line });
        Loans::outlook_of(loan, product, &[drawn], loan.opened_on).map(|_| ())
    }

    fn plan_draw(
        &self,
        order: &LoanOrder,
        opening: &Opening,
        amount: Money,
        (on, today): (Day, Day),
    ) -> Result<LoanPlan, Status> {
        let product = self.lending_product(opening.product_id)?;
        let known = self.loans.loan(order.loan_id, self.accounts);
        let is_new = known.is_none();
        let mut loan = if let Some(loan) = known {
            self.check_further_draw(&loan, opening)?;
            loan.into_owned()
        } else {
            let account = self.check_account(opening.account_id, product)?;
            if let Some(plan) = self.begin_course((opening, account), product, amount, (on, today))? {
                return Ok(plan);
            }
            self.new_loan(order, opening, product)?
        };
        let account = self.check_account(loan.account_id, product)?;
        let product = if loan.events.is_empty() { product } else { self.loans.product_of(&loan) };
        let exposure_before = if is_new { Money::ZERO } else { self.exposure_of(order.loan_id) };
        loan.events.push(self.event(order, on, EventKind::Disburse { amount }));
        loan.contract.subsidy_room = self.loans.subsidy_room(&loan, product, on)?;
        let outlook = Loans::outlook_of(&loan, product, &loan.events, today)?;
        let draws = draws_of(&loan);
        let drawn = draws.iter().copied().sum();
        let used = match self.loans.product(loan.product_id).map(|product| product.line) {
            Some(LineKind::ClosedEnd) => drawn,
            Some(LineKind::Revolving) | None => outlook.exposure,
        };
        let draw = Draw {
            on,
            amount: if loan.line.is_some() { amount } else { drawn },
            account_id: loan.account_id,
            region: loan.facts.region,
            more: outlook.exposure - exposure_before,
            exceeds_line: loan.line.is_some_and(|line| used > line),
            count: draws.len(),
        };
        self.check_limits(loan.product_id, &draw)?;
        let outside = Some((account, -paid_out(&loan, amount)));
        Ok(LoanPlan::folded(loan, &outlook, outside, None, today))
    }

    /// The principal of a loan that counts for limits.
    fn exposure_of(&self, loan_id: LoanId) -> Money {
        let slot = self.loans.register.slot_of(loan_id);
        slot.map_or(Money::ZERO, |slot| self.loans.register.record(slot).owed())
    }

    /// The plan of a loan that sets out on an ordinary course, on terms that were agreed on before.
    fn begin_course(
        &self,
        (opening, account): (&Opening, AccountSlot),
        product: &Product,
        amount: Money,
        (on, today): (Day, Day),
    ) -> Result<Option<LoanPlan>, Status> {
        let register = &self.loans.register;
        let version = self.loans.product_version(product.id).unwrap_or(0);
        let agreed = register.agreements.find(product.id, version, &opening.terms);
        let Some(agreed) = agreed else { return Ok(None) };
        let Some(ordinary) = &register.agreements.get(agreed).ordinary else { return Ok(None) };
        let place = Place::New { agreed, account };
        if !ordinary.keeps(amount, on) {
            return Ok(None);
        }
        let mut run = Run::of(Course::new(amount, on), ordinary);
        run.age_to(today);
        let (account_id, region) = (opening.account_id, opening.facts.region);
        let draw = Draw { on, amount, account_id, region, more: amount, exceeds_line: false, count: 1 };
        self.check_limits(product.id, &draw)?;
        let unbilled = (Unbilled::default(), run.unbilled());
        let entry = Entry::Course { place, course: run.course, wakes_on: run.next_change(), unbilled };
        let outside = Some((account, -amount));
        Ok(Some(LoanPlan { product_id: product.id, change: run.position(), outside, today, entry }))
    }

    /// A further draw may repeat what the loan was made with, but not change it.
    fn check_further_draw(&self, loan: &Loan, opening: &Opening) -> Result<(), Status> {
        if loan.product_id != opening.product_id {
            return Err(Status::LoanHasDifferentProduct);
        }
        if !opening.account_id.is_zero() && loan.account_id != opening.account_id {
            return Err(Status::LoanHasDifferentAccount);
        }
        let life = self.loans.life(loan);
        if life.written_off_on.is_some() {
            return Err(Status::LoanWrittenOff);
        }
        if life.charged_off.is_some() {
            return Err(Status::LoanAlreadyChargedOff);
        }
        if life.sold.is_some() {
            return Err(Status::LoanSold);
        }
        let states_terms = opening.terms != super::product::StatedTerms::default();
        if states_terms {
            let mut stated = self.loans.product_of(loan).contract(&opening.terms)?;
            stated.subsidy_room = loan.contract.subsidy_room;
            if stated != loan.contract {
                return Err(Status::TermFixedByProduct);
            }
        }
        Ok(())
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
            | LoanAct::Reschedule { .. }
            | LoanAct::ChargeOff
            | LoanAct::WriteOff
            | LoanAct::Sell { .. } => None,
            LoanAct::OpenLine(_) | LoanAct::Reverse { .. } => return Err(Status::EventNotReversible),
        };
        if self.loans.register.events.record(event).is_reversed != 0 {
            return Err(Status::EventAlreadyReversed);
        }
        let amount = reversed.act.amount().and_then(Money::from_amount).unwrap_or_default();
        let account = named_or(reversed.act.account(), loan.account_id);
        let account = self.accounts.slot_of(account).ok_or(Status::AccountNotFound)?;
        let mut loan = loan.into_owned();
        loan.events.retain(|event| event.id != event_id);
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
            | LoanAct::Reschedule { .. }
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
            return Ok(LoanPlan { product_id: product.id, change, outside, today, entry });
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

    /// Whether the loan, as it stands, can take the event.
    fn check_state(&self, loan: &Loan, order: &LoanOrder, (on, amount): (Day, Money)) -> Result<(), Status> {
        if loan.events.is_empty() {
            return Err(Status::EventMustNotPrecedeDisbursement);
        }
        let life = self.loans.life(loan);
        let act = &order.act;
        let takes_closed =
            matches!(act, LoanAct::Charge { .. } | LoanAct::Chargeback { .. } | LoanAct::Recover { .. });
        if life.is_closed() && life.written_off_on.is_none() && !takes_closed && was_closed(loan, on)? {
            return Err(Status::LoanClosed);
        }
        let is_recovery = matches!(act, LoanAct::Recover { .. });
        if life.written_off_on.is_some() && !is_recovery {
            return Err(Status::LoanWrittenOff);
        }
        if life.written_off_on.is_none() && is_recovery {
            return Err(Status::LoanNotWrittenOff);
        }
        if life.charged_off.is_some() && matches!(act, LoanAct::ChargeOff) {
            return Err(Status::LoanAlreadyChargedOff);
        }
        if life.sold.is_some() && matches!(act, LoanAct::Sell { .. } | LoanAct::ChargeOff | LoanAct::WriteOff)
        {
            return Err(Status::LoanSold);
        }
        if matches!(act, LoanAct::Sell { .. }) && !self.loans.product_of(loan).funders.is_empty() {
            return Err(Status::LoanHasFunders);
        }
        self.check_waiver(loan, &life, act)?;
        check_amounts(&life, act, amount)?;
        check_reschedule(act)
    }

    fn check_waiver(&self, loan: &Loan, life: &Life<'_>, act: &LoanAct) -> Result<(), Status> {
        let LoanAct::Waive { event_id, forgive: None } = act else { return Ok(()) };
        let event = self.loans.register.events.find(*event_id).ok_or(Status::EventNotFound)?;
        if self.loans.register.record(self.loans.register.events.record(event).loan).id != loan.id {
            return Err(Status::EventHasDifferentLoan);
        }
        match life.charge_unpaid(*event_id) {
            None => Err(Status::ChargeNotFound),
            Some(unpaid) if unpaid.is_zero() => Err(Status::ChargeAlreadyPaid),
            Some(_) => Ok(()),
        }
    }
}

/// Whether everything was paid on a day already: what comes backdated from before then, came to an open loan.
fn was_closed(loan: &Loan, on: Day) -> Result<bool, Status> {
    let earlier: Vec<Event> =
        loan.events.iter().filter(|event| event.takes_effect_on() <= on).cloned().collect();
    Ok(Life::fold(&loan.contract, &earlier, on)?.is_closed())
}

/// What reaches the borrower of a draw.
fn paid_out(loan: &Loan, drawn: Money) -> Money {
    drawn - loan.contract.fees.of_draw(drawn, &loan.contract.terms.rounding)
}

/// The draws of a loan, in order of arrival.
fn draws_of(loan: &Loan) -> Vec<Money> {
    let amount = |event: &Event| match event.kind {
        EventKind::Disburse { amount } => Some(amount),
        EventKind::Repay { .. }
        | EventKind::Prepay { .. }
        | EventKind::Charge { .. }
        | EventKind::Waive { .. }
        | EventKind::Forgive { .. }
        | EventKind::Chargeback { .. }
        | EventKind::Refund { .. }
        | EventKind::ShiftDueDate { .. }
        | EventKind::ChangeRate { .. }
        | EventKind::ChangePeriods { .. }
        | EventKind::Restructure { .. }
        | EventKind::ChargeOff
        | EventKind::WriteOff
        | EventKind::Recover { .. }
        | EventKind::Sell { .. } => None,
    };
    loan.events.iter().filter_map(amount).collect()
}

fn named_or(named: Option<AccountId>, own: AccountId) -> AccountId {
    named.filter(|account| !account.is_zero()).unwrap_or(own)
}

fn check_amounts(life: &Life<'_>, act: &LoanAct, amount: Money) -> Result<(), Status> {
    match act {
        LoanAct::Refund { .. } if amount > life.overpaid => Err(Status::ExceedsOverpaid),
        LoanAct::Chargeback { .. } => {
            let paid: Money = life.rows.iter().map(|row| row.paid.total()).sum();
            let given_back: Money = life.rows.iter().map(|row: &Row| row.credited).sum();
            if amount > paid + life.overpaid - given_back { Err(Status::ExceedsRepaid) } else { Ok(()) }
        }
        LoanAct::Recover { .. } => {
            let on = life.written_off_on.unwrap_or(Day::MAX);
            let billed = |row: &Row| {
                let unbilled = if row.due_on > on { row.written_off.interest } else { Money::ZERO };
                row.written_off.total() - unbilled - row.fees_deferred(on).1
            };
            let written_off: Money = life.rows.iter().map(billed).sum();
            if amount + life.recovered > written_off { Err(Status::ExceedsWrittenOff) } else { Ok(()) }
        }
        LoanAct::OpenLine(_)
        | LoanAct::Disburse(_)
        | LoanAct::Repay { .. }
        | LoanAct::Prepay { .. }
        | LoanAct::Charge { .. }
        | LoanAct::Waive { .. }
        | LoanAct::Reverse { .. }
        | LoanAct::Refund { .. }
        | LoanAct::Reschedule { .. }
        | LoanAct::ChargeOff
        | LoanAct::WriteOff
        | LoanAct::Sell { .. } => Ok(()),
    }
}

fn check_reschedule(act: &LoanAct) -> Result<(), Status> {
    let LoanAct::Reschedule { shift, rate, periods, first_due_on } = act else { return Ok(()) };
    if first_due_on.is_some() {
        let is_whole = shift.is_none() && periods.is_some();
        return if is_whole { Ok(()) } else { Err(Status::RescheduleMustNameOne) };
    }
    let named = [shift.is_some(), rate.is_some(), periods.is_some()].into_iter().filter(|is| *is).count();
    if named == 1 { Ok(()) } else { Err(Status::RescheduleMustNameOne) }
}
