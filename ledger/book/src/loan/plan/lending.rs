//! Lines and draws: whether a loan begins or grows, on which terms, and what is paid out.

use super::{Entry, LoanPlan, Place, Planner, Status};
use crate::loan::control::Position;
use crate::loan::course::{Course, Run};
use crate::loan::event::{Event, EventKind};
use crate::loan::limits::{Draw, check_amount};
use crate::loan::loans::{Loan, Loans};
use crate::loan::money::Money;
use crate::loan::order::{LoanId, LoanOrder, Opening};
use crate::loan::product::{LineKind, Product, StatedTerms};
use crate::loan::unbilled::Unbilled;
use crate::quantity::AccountSlot;
use fen_terms::Day;

impl Planner<'_> {
    pub(super) fn plan_line(
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
    pub(super) fn check_terms(
        &self,
        order: &LoanOrder,
        loan: &Loan,
        product: &Product,
        line: Money,
    ) -> Result<(), Status> {
        let drawn = self.event(order, loan.opened_on, EventKind::Disburse { amount: line });
        Loans::outlook_of(loan, product, &[drawn], loan.opened_on).map(|_| ())
    }

    pub(super) fn plan_draw(
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

    pub(super) fn new_loan(
        &self,
        order: &LoanOrder,
        opening: &Opening,
        product: &Product,
    ) -> Result<Loan, Status> {
        Ok(Loan {
            id: order.loan_id,
            product_id: product.id,
            product_version: self.loans.product_version(product.id).unwrap_or(0),
            account_id: opening.account_id,
            contract: product.contract(&opening.terms)?,
            facts: opening.facts,
            line: None,
            is_cancelled: false,
            opened_on: Day::from_number(order.effective_on.get()).ok_or(Status::DateOutOfRange)?,
            events: Vec::new(),
            posted: Position::default(),
            unbilled: Unbilled::default(),
        })
    }

    /// The principal of a loan that counts for limits.
    pub(super) fn exposure_of(&self, loan_id: LoanId) -> Money {
        let slot = self.loans.register.slot_of(loan_id);
        slot.map_or(Money::ZERO, |slot| self.loans.register.record(slot).owed())
    }

    /// The plan of a loan that sets out on an ordinary course, on terms that were agreed on before.
    pub(super) fn begin_course(
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
        Ok(Some(LoanPlan {
            product_id: product.id,
            change: run.position(),
            accrued: Money::ZERO,
            outside,
            today,
            entry,
        }))
    }

    /// A further draw may repeat what the loan was made with, but not change it.
    pub(super) fn check_further_draw(&self, loan: &Loan, opening: &Opening) -> Result<(), Status> {
        if loan.product_id != opening.product_id {
            return Err(Status::LoanHasDifferentProduct);
        }
        if !opening.account_id.is_zero() && loan.account_id != opening.account_id {
            return Err(Status::LoanHasDifferentAccount);
        }
        if loan.is_cancelled {
            return Err(Status::LoanClosed);
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
        let states_terms = opening.terms != StatedTerms::default();
        if states_terms {
            let mut stated = self.loans.product_of(loan).contract(&opening.terms)?;
            stated.subsidy_room = loan.contract.subsidy_room;
            if stated != loan.contract {
                return Err(Status::TermFixedByProduct);
            }
        }
        Ok(())
    }
}

/// What reaches the borrower of a draw.
pub(super) fn paid_out(loan: &Loan, drawn: Money) -> Money {
    drawn - loan.contract.kept_back(drawn).total()
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
        | EventKind::Reamortise
        | EventKind::ChargeOff
        | EventKind::WriteOff
        | EventKind::Recover { .. }
        | EventKind::Sell { .. } => None,
    };
    loan.events.iter().filter_map(amount).collect()
}
