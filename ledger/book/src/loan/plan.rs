//! Whether a loan order can be: the first rule that it breaks, in the order of [`LoanStatus`], or what to post.

use super::event::{Event, EventId, EventKind};
use super::life::Life;
use super::loans::{Loan, Loans, Outlook, customer, event_kind};
use super::money::Money;
use super::order::{LoanAct, LoanOrder, Opening};
use super::product::{LineKind, Product, ProductId};
use super::row::Row;
use super::status::LoanStatus as Status;
use crate::account::AccountFlags;
use crate::accounts::Accounts;
use crate::quantity::{AccountId, Stamp};
use fen_terms::Day;

/// What to post for an order, and what to enter.
pub(crate) struct LoanPlan {
    /// The loan as it will be.
    pub(crate) loan: Loan,
    /// What it will come to.
    pub(crate) outlook: Outlook,
    /// The outside account and what it is debited (positive) or credited.
    pub(crate) outside: Option<(AccountId, Money)>,
    /// The event that is taken back, for a reversal.
    pub(crate) reverses: Option<EventId>,
    /// The bank's day, where the order is the first event.
    pub(crate) today: Day,
}

/// The parties to a plan.
pub(crate) struct Planner<'a> {
    pub(crate) loans: &'a Loans,
    pub(crate) accounts: &'a Accounts,
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
        if order.id == u128::MAX || order.loan_id == u128::MAX {
            return Err((Status::IdMustNotBeIntMax, None));
        }
        match self.loans.orders.get(&order.id) {
            Some((known, stamp)) => match known.first_difference(order) {
                None => Err((Status::Exists, Some(*stamp))),
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
        let product = self.loans.product(id).ok_or(Status::ProductNotFound)?;
        if product.is_stopped { Err(Status::ProductStopped) } else { Ok(product) }
    }

    /// Checks an account that money moves to or from.
    fn check_account(&self, id: AccountId, product: &Product) -> Result<(), Status> {
        let slot = self.accounts.slot_of(id).ok_or(Status::AccountNotFound)?;
        let account = self.accounts.get(slot);
        if account.ledger != product.ledger {
            return Err(Status::AccountHasDifferentLedger);
        }
        if account.flags.contains(AccountFlags::CLOSED) {
            return Err(Status::AccountAlreadyClosed);
        }
        Ok(())
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
            posted: super::control::Position::default(),
            posted_as_of: Day::MIN,
            exposure: Money::ZERO,
            wakes_on: None,
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
        if self.loans.loan(order.loan_id).is_some() {
            return Err(Status::LoanExists);
        }
        self.check_account(opening.account_id, product)?;
        check_amount(product, line)?;
        let mut loan = self.new_loan(order, opening, product)?;
        loan.line = Some(line);
        self.check_terms(order, &loan, product, line)?;
        let outlook = Loans::outlook_of(&loan, product, &[], today)?;
        Ok(LoanPlan { loan, outlook, outside: None, reverses: None, today })
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
        let mut loan = if let Some(loan) = self.loans.loan(order.loan_id) {
            self.check_further_draw(loan, opening)?;
            loan.clone()
        } else {
            self.check_account(opening.account_id, product)?;
            self.new_loan(order, opening, product)?
        };
        self.check_account(loan.account_id, product)?;
        let product = if loan.events.is_empty() { product } else { self.loans.product_of(&loan) };
        loan.events.push(self.event(order, on, EventKind::Disburse { amount }));
        loan.contract.subsidy_room = self.loans.subsidy_room(&loan, product, on)?;
        let outlook = Loans::outlook_of(&loan, product, &loan.events, today)?;
        self.check_limits(&loan, amount, (on, outlook.exposure))?;
        let outside = Some((loan.account_id, -paid_out(&loan, amount)));
        Ok(LoanPlan { loan, outlook, outside, reverses: None, today })
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

    /// The limits that hold at the moment of disbursement.
    fn check_limits(&self, loan: &Loan, amount: Money, (on, exposure): (Day, Money)) -> Result<(), Status> {
        let shelf = self.loans.products.get(&loan.product_id).ok_or(Status::ProductNotFound)?;
        let product = shelf.current();
        let draws = draws_of(loan);
        let drawn: Money = draws.iter().copied().sum();
        check_amount(product, if loan.line.is_some() { amount } else { drawn })?;
        let limits = &product.limits;
        if !limits.regions.is_empty() && !limits.regions.contains(&loan.facts.region) {
            return Err(Status::RegionNotServed);
        }
        if limits.ends_on.is_some_and(|last| on > last) {
            return Err(Status::ProductEnded);
        }
        let owed = shelf.borrowers.get(&customer(loan.account_id)).copied();
        let count = u32::try_from(shelf.borrowers.len()).unwrap_or(u32::MAX);
        if owed.is_none() && limits.borrowers.is_some_and(|most| count >= most) {
            return Err(Status::ExceedsBorrowers);
        }
        let more = exposure - loan.exposure;
        if limits.exposure.is_some_and(|most| shelf.exposure + more > most) {
            return Err(Status::ExceedsExposure);
        }
        if limits.exposure_per_borrower.is_some_and(|most| owed.unwrap_or_default() + more > most) {
            return Err(Status::ExceedsExposurePerBorrower);
        }
        let used = match product.line {
            LineKind::Revolving => exposure,
            LineKind::ClosedEnd => drawn,
        };
        if loan.line.is_some_and(|line| used > line) {
            return Err(Status::ExceedsLine);
        }
        if product.draws_max.is_some_and(|most| draws.len() > usize::from(most)) {
            return Err(Status::ExceedsDraws);
        }
        Ok(())
    }

    fn event(&self, order: &LoanOrder, on: Day, kind: EventKind) -> Event {
        Event { id: order.id, effective_on: on, sequence: self.sequence, kind }
    }

    fn plan_reversal(&self, order: &LoanOrder, event_id: EventId, today: Day) -> Result<LoanPlan, Status> {
        let loan = self.loans.loan(order.loan_id).ok_or(Status::LoanNotFound)?;
        let (reversed, _) = self.loans.orders.get(&event_id).ok_or(Status::EventNotFound)?;
        if reversed.loan_id != order.loan_id {
            return Err(Status::EventHasDifferentLoan);
        }
        let direction = match &reversed.act {
            LoanAct::Disburse(_) | LoanAct::Chargeback { .. } | LoanAct::Refund { .. } => Some(true),
            LoanAct::Repay { .. } | LoanAct::Prepay { .. } | LoanAct::Recover { .. } => Some(false),
            LoanAct::Charge { .. } | LoanAct::ChargeOff => None,
            LoanAct::OpenLine(_)
            | LoanAct::Waive { .. }
            | LoanAct::Reverse { .. }
            | LoanAct::Reschedule { .. }
            | LoanAct::WriteOff
            | LoanAct::Sell { .. } => return Err(Status::EventNotReversible),
        };
        if self.loans.reversed.contains(&event_id) {
            return Err(Status::EventAlreadyReversed);
        }
        let amount = reversed.act.amount().and_then(Money::from_amount).unwrap_or_default();
        let account = named_or(reversed.act.account(), loan.account_id);
        let mut loan = loan.clone();
        loan.events.retain(|event| event.id != event_id);
        let outlook = self.loans.outlook(&loan, &loan.events, today)?;
        let is_draw = matches!(reversed.act, LoanAct::Disburse(_));
        let moved = if is_draw { paid_out(&loan, amount) } else { amount };
        let outside = direction.map(|takes| (account, if takes { moved } else { -moved }));
        Ok(LoanPlan { loan, outlook, outside, reverses: Some(event_id), today })
    }

    fn plan_event(
        &self,
        order: &LoanOrder,
        amount: Money,
        (on, today): (Day, Day),
    ) -> Result<LoanPlan, Status> {
        let loan = self.loans.loan(order.loan_id).ok_or(Status::LoanNotFound)?;
        let product = self.loans.product_of(loan);
        let outside = match &order.act {
            LoanAct::Repay { account_id, .. }
            | LoanAct::Prepay { account_id, .. }
            | LoanAct::Recover { account_id, .. } => {
                Some((named_or(Some(*account_id), loan.account_id), amount))
            }
            LoanAct::Chargeback { account_id, .. } | LoanAct::Refund { account_id, .. } => {
                Some((named_or(Some(*account_id), loan.account_id), -amount))
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
        if let Some((account, _)) = outside {
            self.check_account(account, product)?;
        }
        self.check_state(loan, order, (on, amount))?;
        let kind = event_kind(&order.act, amount).ok_or(Status::RescheduleMustNameOne)?;
        let mut loan = loan.clone();
        loan.events.push(self.event(order, on, kind));
        let outlook = self.loans.outlook(&loan, &loan.events, today)?;
        Ok(LoanPlan { loan, outlook, outside, reverses: None, today })
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
        let (charge, _) = self.loans.orders.get(event_id).ok_or(Status::EventNotFound)?;
        if charge.loan_id != loan.id {
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

fn check_amount(product: &Product, amount: Money) -> Result<(), Status> {
    if product.amount.is_below(amount) {
        return Err(Status::AmountBelowProductMinimum);
    }
    if product.amount.is_above(amount) {
        return Err(Status::AmountAboveProductMaximum);
    }
    Ok(())
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
            let written_off: Money = life.rows.iter().map(|row| row.written_off.total()).sum();
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
