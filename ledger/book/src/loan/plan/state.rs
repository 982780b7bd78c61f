//! Whether a loan, as it stands, can take an event: the rules that look at its state and at what it owes.

use super::{Planner, Status};
use crate::loan::event::Event;
use crate::loan::life::Life;
use crate::loan::loans::Loan;
use crate::loan::money::Money;
use crate::loan::order::{LoanAct, LoanOrder, Reschedule};
use crate::loan::row::Row;
use fen_terms::Day;

impl Planner<'_> {
    /// Whether the loan, as it stands, can take the event.
    pub(super) fn check_state(
        &self,
        loan: &Loan,
        order: &LoanOrder,
        (on, amount): (Day, Money),
    ) -> Result<(), Status> {
        if loan.events.is_empty() {
            return Err(Status::EventMustNotPrecedeDisbursement);
        }
        let life = self.loans.life(loan);
        let act = &order.act;
        let gives_up = matches!(act, LoanAct::ChargeOff | LoanAct::WriteOff | LoanAct::Sell { .. });
        if gives_up && life.draws.iter().any(|draw| draw.on > on) {
            return Err(Status::EventMustNotPrecedeDisbursement);
        }
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

    pub(super) fn check_waiver(&self, loan: &Loan, life: &Life<'_>, act: &LoanAct) -> Result<(), Status> {
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
        | LoanAct::Reschedule(_)
        | LoanAct::ChargeOff
        | LoanAct::WriteOff
        | LoanAct::Sell { .. } => Ok(()),
    }
}

fn check_reschedule(act: &LoanAct) -> Result<(), Status> {
    let LoanAct::Reschedule(Reschedule { shift, rate, periods, first_due_on, period, is_reamortisation }) =
        act
    else {
        return Ok(());
    };
    let named = [shift.is_some(), rate.is_some(), periods.is_some()].into_iter().filter(|is| *is).count();
    let names_one = if *is_reamortisation {
        named == 0 && first_due_on.is_none() && period.is_none()
    } else if first_due_on.is_some() {
        shift.is_none() && periods.is_some()
    } else {
        named == 1 && period.is_none()
    };
    if names_one { Ok(()) } else { Err(Status::RescheduleMustNameOne) }
}
