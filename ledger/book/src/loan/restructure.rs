//! Spreading anew what is owed: re-ageing, restructuring, re-amortisation.
//!
//! On the day of the event every instalment that is not due yet falls away, and so does what is unpaid of those that
//! were. The principal is spread over new instalments from the first new due day on; interest, fees and penalties that
//! were past due, and the interest accrued up to the day, stand in a row of their own, due with the first of them. So
//! nothing is forgiven, nothing is capitalised, and nothing is past due any more. A re-amortisation keeps the due days that
//! are to come and spreads over them; else the event names new ones.

use super::life::Life;
use super::money::{Money, Parts};
use super::row::{Row, RowKind};
use super::status::LoanStatus;
use fen_terms::{Amortisation, Day, Percent, Period, Rate, Terms, Timing, spans};

impl Life<'_> {
    /// Spreads what is owed over `periods` instalments, the first due on `first_due_on`.
    pub(super) fn restructure(
        &mut self,
        first_due_on: Day,
        (periods, period): (u16, Option<Period>),
        percent: Option<Percent>,
        on: Day,
    ) -> Result<(), LoanStatus> {
        let period = period.or_else(|| self.period()).ok_or(LoanStatus::PeriodMustBeKnown)?;
        let due_dates = self.new_due_dates(first_due_on, (periods, period), on)?;
        self.spread_anew((due_dates, Some(period)), percent, on)
    }

    /// Spreads what is owed over the instalments that are not due yet, on their due days.
    pub(super) fn reamortise(&mut self, on: Day) -> Result<(), LoanStatus> {
        let to_come = |row: &&Row| row.kind == RowKind::Instalment && row.due_on > on;
        let due_dates: Vec<Day> = self.rows.iter().filter(to_come).map(|row| row.due_on).collect();
        if due_dates.is_empty() {
            return Err(LoanStatus::PeriodsMustExceedPast);
        }
        self.spread_anew((due_dates, self.period()), None, on)
    }

    fn spread_anew(
        &mut self,
        (mut due_dates, period): (Vec<Day>, Option<Period>),
        percent: Option<Percent>,
        on: Day,
    ) -> Result<(), LoanStatus> {
        let is_later = |row: &Row| row.kind == RowKind::Instalment && row.due_on > on;
        let is_touched = |row: &Row| !row.paid.total().is_zero() || !row.credited.is_zero();
        if !self.outstanding().principal.is_positive() {
            return Err(LoanStatus::NothingOwed);
        }
        if self.rows.iter().any(|row| is_later(row) && is_touched(row)) {
            return Err(LoanStatus::InstalmentsPaidInAdvance);
        }
        let (arrears, credited) = self.take_up(on, is_later);
        let kept: Vec<Day> =
            self.rows.iter().filter(|row| row.kind == RowKind::Instalment).map(|row| row.due_on).collect();
        let first = kept.len();
        for due_on in &due_dates {
            let row = Row::new(self.next_key(), RowKind::Instalment, on, *due_on);
            self.rows.push(row);
        }
        due_dates.splice(0..0, kept);
        self.terms.timing = Timing::Dates { due_dates, period };
        if let Some(percent) = percent {
            let rate = Rate { basis: self.terms.rate.basis, percent };
            self.rates.push((on, rate));
            self.terms.rate = rate;
        }
        self.sort_rows();
        self.lay_spans(first)?;
        self.begin_on(first, on);
        self.solve_levels(first, self.terms.rate)?;
        self.lay_arrears(first, arrears, credited, on);
        self.reprice(first, self.as_of_for_plan());
        self.lay_fees(on);
        Ok(())
    }

    /// The due days of the new instalments; a bullet has one, at the end.
    fn new_due_dates(
        &self,
        first_due_on: Day,
        (periods, period): (u16, Period),
        on: Day,
    ) -> Result<Vec<Day>, LoanStatus> {
        let timing = Timing::Regular { periods, period, first_due_on: Some(first_due_on) };
        let terms = Terms { timing, disbursed_on: on, ..self.terms.clone() };
        let spans = spans(&terms).map_err(LoanStatus::Terms)?;
        let due_dates: Vec<Day> = spans.iter().map(|span| self.rolled(span.due)).collect();
        match (self.terms.amortisation, due_dates.last()) {
            (Amortisation::Bullet, Some(last)) => Ok(vec![*last]),
            _ => Ok(due_dates),
        }
    }

    /// Takes what is unpaid out of the rows up to a day, and the instalments after it away. Says what was past due or
    /// accrued of interest, fees and penalties, and what of the principal had been credited back.
    fn take_up(&mut self, on: Day, is_later: impl Fn(&Row) -> bool) -> (Parts, Money) {
        let mut arrears = Parts { interest: self.accrued(on), ..Parts::ZERO };
        let mut credited = Money::ZERO;
        let unpaid: Vec<Option<Money>> =
            self.charges.iter().map(|charge| self.charge_unpaid(charge.event)).collect();
        let key = self.next_key();
        for row in &mut self.rows {
            let mut open = row.outstanding();
            if is_later(row) {
                arrears.fees += (open.fees - row.fee_planned).or_zero();
                arrears.penalties += open.penalties;
                continue;
            }
            let back = open.principal.min(row.credited).or_zero();
            row.credited -= back;
            credited += back;
            row.due = row.due - open;
            row.fee_planned = row.fee_planned.min(row.due.fees);
            open.principal = Money::ZERO;
            arrears += open;
        }
        let is_nothing =
            |row: &Row| row.kind == RowKind::Arrears && row.due == Parts::ZERO && row.paid == Parts::ZERO;
        self.rows.retain(|row| !is_later(row) && !is_nothing(row));
        for (charge, unpaid) in self.charges.iter_mut().zip(unpaid) {
            if let Some(unpaid) = unpaid.filter(|unpaid| unpaid.is_positive()) {
                charge.amount = charge.waived + unpaid;
                charge.row_key = key;
            }
        }
        self.arrears_key = key;
        (arrears, credited)
    }

    /// Lets the first new instalment bear interest from the day of the event on.
    pub(super) fn begin_on(&mut self, first: usize, on: Day) {
        let index = self.instalments().nth(first);
        if let Some(row) = index.and_then(|index| self.rows.get_mut(index)) {
            row.from = on;
        }
    }

    fn lay_arrears(&mut self, first: usize, arrears: Parts, credited: Money, on: Day) {
        let index = self.instalments().nth(first);
        let Some(row) = index.and_then(|index| self.rows.get_mut(index)) else { return };
        row.credited += credited;
        row.due.principal += credited;
        let due_on = row.due_on;
        if !arrears.total().is_zero() {
            let mut row = Row::new(self.arrears_key, RowKind::Arrears, on, due_on);
            row.due = arrears;
            self.rows.push(row);
            self.sort_rows();
        }
    }
}
