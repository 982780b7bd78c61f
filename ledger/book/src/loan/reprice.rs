//! What each instalment owes, from what is owed: the first plan, later draws, and everything that changes the plan.

use super::accrual;
use super::contract::{InterestOn, Prepayment};
use super::life::{Life, from_terms, to_terms};
use super::money::{Money, Parts};
use super::row::{Level, Row, RowKind};
use super::status::LoanStatus;
use fen_terms::{
    Accrual, Amortisation, Day, Draw, Grace, Instalment, InterestMethod, LaterDraws, Percent, Rate, Terms,
    Timing, schedule, spans,
};
use num_rational::BigRational;
use num_traits::Zero;

impl Life<'_> {
    /// Takes a draw into the schedule: every row gets the difference between the plans without and with it.
    pub(super) fn draw(&mut self, amount: Money, on: Day) -> Result<(), LoanStatus> {
        if self.draws.is_empty() {
            self.avoid_days_off(on)?;
        } else if self.begins_anew(on) {
            return self.draw_anew(amount, on);
        }
        let before = if self.draws.is_empty() { Vec::new() } else { self.plan()? };
        self.draws.push(Draw { on, amount: to_terms(amount) });
        let after = match self.plan() {
            Ok(plan) => plan,
            Err(status) => {
                self.draws.pop();
                return Err(status);
            }
        };
        let is_instalment = |row: &&Instalment| row.kind == fen_terms::RowKind::Instalment;
        let old: Vec<&Instalment> = before.iter().filter(is_instalment).collect();
        for (ordinal, planned) in after.iter().filter(is_instalment).enumerate() {
            self.lay(ordinal, old.get(ordinal).copied(), planned);
        }
        self.lay_down_payments(&before, &after);
        self.lay_spans(0)?;
        self.movements.push((on, -amount));
        self.sort_rows();
        self.lay_fees(on);
        if self.contract.interest_on == InterestOn::Balance {
            self.reprice(0, Some(on));
        }
        Ok(())
    }

    /// Whether a draw comes when the last instalment was due: then it has a schedule of its own, as if it were the first.
    /// Only where instalments of several draws do not hang together by more than their sum.
    fn begins_anew(&self, on: Day) -> bool {
        let terms = &self.contract.terms;
        let stands_alone = terms.interest == InterestMethod::Declining
            && terms.later_draws == LaterDraws::RemainingTerm
            && terms.amortisation != Amortisation::Bullet
            && terms.accrual == Accrual::Daily
            && terms.grace == Grace::default()
            && matches!(terms.timing, Timing::Regular { .. });
        let last_due =
            self.instalments().filter_map(|index| self.rows.get(index)).map(|row| row.due_on).max();
        stands_alone && last_due.is_some_and(|last| last <= on)
    }

    /// Takes a draw that begins a schedule anew, behind the instalments that were due before it.
    fn draw_anew(&mut self, amount: Money, on: Day) -> Result<(), LoanStatus> {
        let mut own = self.contract.terms.clone();
        (own.principal, own.disbursed_on, own.rate) = (to_terms(amount), on, self.terms.rate);
        if let Timing::Regular { first_due_on, .. } = &mut own.timing {
            *first_due_on = None;
        }
        let new = spans(&own).map_err(LoanStatus::Terms)?;
        let period = self.period();
        let new: Vec<Day> = new.iter().map(|span| self.rolled(span.due)).collect();
        own.timing = Timing::Dates { due_dates: new.clone(), period };
        let planned = schedule(&own).map_err(LoanStatus::Terms)?.instalments;
        let before = self.instalments().filter_map(|index| self.rows.get(index)).map(|row| row.due_on);
        let mut due_dates: Vec<Day> = before.collect();
        let first = due_dates.len();
        due_dates.extend(new);
        self.terms.timing = Timing::Dates { due_dates, period };
        self.draws.push(Draw { on, amount: to_terms(amount) });
        let instalments = planned.iter().filter(|row| row.kind == fen_terms::RowKind::Instalment);
        for (place, row) in instalments.enumerate() {
            self.lay(first.saturating_add(place), None, row);
        }
        self.lay_down_payments(&[], &planned);
        self.sort_rows();
        self.lay_spans(first)?;
        self.begin_on(first, on);
        self.movements.push((on, -amount));
        self.lay_fees(on);
        if self.contract.interest_on == InterestOn::Balance {
            self.reprice(0, Some(on));
        }
        Ok(())
    }

    /// Moves the due days that follow from the first draw off the days on which the bank does no business.
    fn avoid_days_off(&mut self, on: Day) -> Result<(), LoanStatus> {
        if self.contract.holidays.is_some() {
            let terms = Terms { disbursed_on: on, ..self.terms.clone() };
            let spans = spans(&terms).map_err(LoanStatus::Terms)?;
            let due_dates = spans.iter().map(|span| self.rolled(span.due)).collect();
            self.terms.timing = Timing::Dates { due_dates, period: self.period() };
        }
        Ok(())
    }

    /// A due day, off the days on which the bank does no business.
    pub(super) fn rolled(&self, day: Day) -> Day {
        self.contract.holidays.as_ref().map_or(day, |holidays| holidays.rolled(day))
    }

    /// Gives the instalments due after a day the product's own fee, as they are planned.
    pub(super) fn lay_fees(&mut self, on: Day) {
        let Some(rule) = self.contract.fees.instalment else { return };
        let rounding = &self.contract.terms.rounding;
        for row in &mut self.rows {
            if row.kind == RowKind::Instalment && row.due_on > on && row.paid.fees.is_zero() {
                let fee = rule.of(row.principal_scheduled() + row.due.interest, rounding);
                row.due.fees += fee - row.fee_planned;
                row.fee_planned = fee;
            }
        }
    }

    /// The plan of all draws so far, on the terms as they stand.
    fn plan(&self) -> Result<Vec<Instalment>, LoanStatus> {
        let mut terms = self.terms.clone();
        terms.principal = to_terms(self.drawn());
        terms.disbursed_on = self.draws.first().map_or(terms.disbursed_on, |draw| draw.on);
        terms.disbursements.clone_from(&self.draws);
        let planned = schedule(&terms).map_err(LoanStatus::Terms)?;
        Ok(planned.instalments)
    }

    fn lay(&mut self, ordinal: usize, before: Option<&Instalment>, after: &Instalment) {
        let principal =
            from_terms(after.principal) - before.map_or(Money::ZERO, |row| from_terms(row.principal));
        let interest =
            from_terms(after.interest) - before.map_or(Money::ZERO, |row| from_terms(row.interest));
        let is_in_grace = ordinal < usize::from(self.terms.grace.principal);
        let is_level = self.terms.amortisation == Amortisation::EqualInstalment && !is_in_grace;
        let index = self.instalments().nth(ordinal).unwrap_or(self.rows.len());
        if index == self.rows.len() {
            let row = Row::new(self.next_key(), RowKind::Instalment, after.from, after.due);
            self.rows.push(row);
        }
        let Some(row) = self.rows.get_mut(index) else { return };
        row.due.principal += principal;
        row.due.interest += interest;
        row.interest_planned += interest;
        row.level = match row.level {
            Level::Total(total) if is_level => Level::Total(total + principal + interest),
            Level::Total(_) | Level::Principal(_) => level_of(row, is_level),
        };
    }

    /// Gives the instalments from a place on their periods, as the due days make them.
    pub(super) fn lay_spans(&mut self, first: usize) -> Result<(), LoanStatus> {
        let mut terms = self.terms.clone();
        terms.disbursed_on = self.draws.first().map_or(terms.disbursed_on, |draw| draw.on);
        let spans = spans(&terms).map_err(LoanStatus::Terms)?;
        let is_instalment = |row: &&mut Row| row.kind == RowKind::Instalment;
        for (row, span) in self.rows.iter_mut().filter(is_instalment).zip(spans).skip(first) {
            if row.span.is_none_or(|before| before.from != span.from) {
                row.from = span.from;
                row.planned_from = span.from;
            }
            row.span = Some(span);
        }
        Ok(())
    }

    fn lay_down_payments(&mut self, before: &[Instalment], after: &[Instalment]) {
        let is_down_payment = |row: &&Instalment| row.kind == fen_terms::RowKind::DownPayment;
        let known = before.iter().filter(is_down_payment).count();
        for planned in after.iter().filter(is_down_payment).skip(known) {
            let mut row = Row::new(self.next_key(), RowKind::DownPayment, planned.due, planned.due);
            row.due.principal = from_terms(planned.principal);
            row.level = Level::Principal(row.due.principal);
            self.rows.push(row);
        }
    }

    pub(super) fn instalments(&self) -> impl Iterator<Item = usize> {
        let is_instalment = |(_, row): &(usize, &Row)| row.kind == RowKind::Instalment;
        self.rows.iter().enumerate().filter(is_instalment).map(|(index, _)| index)
    }

    /// The place of the first instalment due after a day.
    fn first_due_after(&self, on: Day) -> usize {
        self.instalments().filter(|index| self.rows.get(*index).is_some_and(|row| row.due_on <= on)).count()
    }

    /// Reckons the instalments from a place on anew: the interest of each on what is owed in its period, and
    /// principal for what is left of its level and not paid on a later one; the last that is open takes the rest. With
    /// `as_of`, what is owed up to that day is what really was, and what is overdue counts as paid on that day; without,
    /// all is as planned.
    pub(super) fn reprice(&mut self, first: usize, as_of: Option<Day>) {
        let indices: Vec<usize> = self.instalments().collect();
        let total = self.drawn() - self.principal_beside_instalments();
        let scheduled =
            |life: &Self, index: &usize| life.rows.get(*index).map_or(Money::ZERO, Row::principal_scheduled);
        let mut assigned: Money = indices.iter().take(first).map(|index| scheduled(self, index)).sum();
        let paid = |life: &Self, index: &usize| {
            life.rows.get(*index).map_or(Money::ZERO, Row::principal_scheduled_paid)
        };
        let mut paid_later: Money = indices.iter().skip(first).map(|index| paid(self, index)).sum();
        let mut carried = Money::ZERO;
        let mut withheld = BigRational::zero();
        for (ordinal, index) in indices.iter().enumerate().skip(first) {
            let exact = self.interest_exact_of(*index, ordinal, as_of) + withheld;
            let is_withheld = ordinal < usize::from(self.terms.grace.interest);
            let interest =
                if is_withheld { Money::ZERO } else { accrual::round(self.contract, &exact) + carried };
            withheld = if is_withheld { exact } else { BigRational::zero() };
            paid_later -= paid(self, index);
            let Some(row) = self.rows.get_mut(*index) else { continue };
            row.interest_carried = carried;
            let principal = reprice_row(row, interest, total - assigned - paid_later);
            carried = if is_withheld { carried } else { (interest - row.due.interest).or_zero() };
            assigned += principal;
        }
        let is_open = |index: &&usize| {
            self.rows.get(**index).is_some_and(|row| {
                row.principal_scheduled_paid() + row.paid.interest + row.subsidised
                    < row.principal_scheduled() + row.due.interest
            })
        };
        let rest = indices.iter().skip(first).rev().find(is_open).or_else(|| indices.last()).copied();
        if let Some(row) = rest.and_then(|index| self.rows.get_mut(index)) {
            row.due.principal += total - assigned;
        }
    }

    fn principal_beside_instalments(&self) -> Money {
        let beside = |row: &&Row| matches!(row.kind, RowKind::DownPayment | RowKind::Prepayment);
        self.rows.iter().filter(beside).map(Row::principal_scheduled).sum()
    }

    fn interest_exact_of(&self, index: usize, ordinal: usize, as_of: Option<Day>) -> BigRational {
        if ordinal < usize::from(self.terms.grace.interest_free) {
            return BigRational::zero();
        }
        let due_on = self.rows.get(index).map_or(Day::MIN, |row| row.due_on);
        self.interest_exact(index, due_on, as_of)
    }

    /// The interest of an instalment from the first day it bears up to a day.
    pub(super) fn interest_exact(&self, index: usize, until: Day, as_of: Option<Day>) -> BigRational {
        let Some(row) = self.rows.get(index) else { return BigRational::zero() };
        if self.terms.interest == InterestMethod::Flat || self.terms.amortisation == Amortisation::Bullet {
            return interest_of_the_plan(row, until);
        }
        let Some(span) = &row.span else { return BigRational::zero() };
        let mut exact = BigRational::zero();
        for (from, to) in self.stretches(row.from, until, as_of) {
            let owed = self.bearing_on(from, as_of);
            if owed.is_positive() {
                let factor = accrual::factor(self.contract, self.rate_on(from), span, from, to);
                exact += accrual::exact(owed) * factor;
            }
        }
        exact
    }

    /// What bears ordinary interest at the end of a day. Where interest is as planned, principal that is paid late bears
    /// interest for lateness instead, so no more than was planned; and what was paid early bears none.
    pub(super) fn bearing_on(&self, day: Day, as_of: Option<Day>) -> Money {
        let owed = self.owed_on(day, as_of);
        match self.contract.interest_on {
            InterestOn::Schedule => owed.min(self.owed_on(day, None)),
            InterestOn::Balance => owed,
        }
    }

    /// The days between which neither what is owed nor the rate changes.
    pub(super) fn stretches(&self, from: Day, to: Day, as_of: Option<Day>) -> Vec<(Day, Day)> {
        let changes = (self.movements.iter().map(|(day, _)| *day))
            .chain(self.rates.iter().map(|(day, _)| *day))
            .chain(self.rows.iter().map(|row| row.due_on))
            .chain(as_of);
        let mut days: Vec<Day> = changes.filter(|day| *day > from && *day < to).collect();
        days.extend([from, to]);
        days.sort_unstable();
        days.dedup();
        days.iter().copied().zip(days.iter().copied().skip(1)).collect()
    }

    /// What is owed at the end of a day: really, before `as_of`; from then on as planned, the overdue as if paid.
    fn owed_on(&self, day: Day, as_of: Option<Day>) -> Money {
        if as_of.is_some_and(|as_of| day < as_of) {
            let moved = self.movements.iter().filter(|(from, _)| *from <= day).map(|(_, amount)| *amount);
            return -moved.sum::<Money>();
        }
        let drawn: Money =
            self.draws.iter().filter(|draw| draw.on <= day).map(|draw| from_terms(draw.amount)).sum();
        let gone = self.rows.iter().map(|row| match (row.due_on <= day, as_of) {
            (true, _) => row.principal_scheduled(),
            (false, Some(_)) => row.principal_scheduled_paid(),
            (false, None) => Money::ZERO,
        });
        drawn - gone.sum::<Money>()
    }

    pub(super) fn rate_on(&self, day: Day) -> Rate {
        let current = self.rates.iter().rev().find(|(from, _)| *from <= day);
        current.map_or(self.contract.terms.rate, |(_, rate)| *rate)
    }

    /// Lets interest for lateness run up to a day, at the product's multiple of the rate. Where ordinary interest
    /// is reckoned on the balance, overdue principal bears that already, and lateness only what goes beyond it.
    pub(super) fn accrue_lateness(&mut self, to: Day) {
        let Some(multiple) = self.contract.penalty_multiple else { return };
        let mut multiple = accrual::ratio(multiple.numerator(), multiple.denominator());
        if self.contract.interest_on == InterestOn::Balance {
            multiple = (multiple - accrual::ratio(1, 1)).max(BigRational::zero());
        }
        let (aged_to, rate) = (self.aged_to, self.rate_on(to));
        for row in &mut self.rows {
            let overdue = row.outstanding().principal;
            if row.due_on < to && overdue.is_positive() {
                let from = row.due_on.max(aged_to);
                let factor = accrual::late_factor(self.contract, &rate, from, to);
                row.late_exact += accrual::exact(overdue) * factor * &multiple;
                let late = accrual::round(self.contract, &row.late_exact);
                row.due.penalties += late - row.late_interest;
                row.late_interest = late;
            }
        }
    }

    /// Moves the instalment due on a day, and those after it by whole periods from there.
    pub(super) fn shift_due_date(&mut self, from: Day, to: Day) -> Result<(), LoanStatus> {
        let indices: Vec<usize> = self.instalments().collect();
        let due_on = |index: &usize| self.rows.get(*index).map(|row| row.due_on);
        let first = indices.iter().position(|index| due_on(index) == Some(from));
        let first = first.ok_or(LoanStatus::NoInstalmentDueThatDay)?;
        let before = first.checked_sub(1).and_then(|place| indices.get(place)).and_then(due_on);
        if to <= before.unwrap_or(self.draws.first().map_or(Day::MIN, |draw| draw.on)) {
            return Err(LoanStatus::DueDatesMustRise);
        }
        let mut due_dates: Vec<Day> = indices.iter().filter_map(due_on).collect();
        for (count, place) in (first..due_dates.len()).enumerate() {
            let shifted = self.shifted(to, due_dates[place], from, count).map(|day| self.rolled(day));
            due_dates[place] = shifted.ok_or(LoanStatus::DueDateOutOfRange)?;
        }
        self.set_due_dates(due_dates, first)?;
        self.reprice(first, self.as_of_for_plan());
        Ok(())
    }

    fn shifted(&self, to: Day, old: Day, old_first: Day, count: usize) -> Option<Day> {
        match self.period() {
            Some(period) => to.plus_periods(period, u32::try_from(count).ok()?),
            None => to.plus_days(i64::from(old_first.days_until(old))),
        }
    }

    pub(super) fn period(&self) -> Option<fen_terms::Period> {
        match &self.terms.timing {
            Timing::Regular { period, .. } => Some(*period),
            Timing::Dates { period, .. } => *period,
        }
    }

    /// Gives the instalments from a place on new due days, and so new periods.
    fn set_due_dates(&mut self, due_dates: Vec<Day>, first: usize) -> Result<(), LoanStatus> {
        let is_instalment = |row: &&mut Row| row.kind == RowKind::Instalment;
        for (row, due_on) in self.rows.iter_mut().filter(is_instalment).zip(&due_dates).skip(first) {
            row.due_on = *due_on;
        }
        self.terms.timing = Timing::Dates { due_dates, period: self.period() };
        self.sort_rows();
        self.lay_spans(first)
    }

    /// Changes the rate from a day on; equal instalments are solved anew for those due after it.
    pub(super) fn change_rate(&mut self, percent: Percent, on: Day) -> Result<(), LoanStatus> {
        let rate = Rate { basis: self.terms.rate.basis, percent };
        self.rates.push((on, rate));
        self.terms.rate = rate;
        let first = self.first_due_after(on);
        self.solve_levels(first, rate)?;
        self.reprice(first, self.as_of_for_plan());
        Ok(())
    }

    /// Stretches or shortens the loan to so many instalments.
    pub(super) fn change_periods(&mut self, periods: u16, on: Day) -> Result<(), LoanStatus> {
        let first = self.first_due_after(on);
        let wanted = usize::from(periods);
        if wanted <= first {
            return Err(LoanStatus::PeriodsMustExceedPast);
        }
        let indices: Vec<usize> = self.instalments().collect();
        let mut due_dates: Vec<Day> =
            indices.iter().filter_map(|index| self.rows.get(*index)).map(|row| row.due_on).collect();
        let anchor = due_dates.first().copied().ok_or(LoanStatus::EventMustNotPrecedeDisbursement)?;
        let period = self.period().ok_or(LoanStatus::PeriodMustBeKnown)?;
        while due_dates.len() < wanted {
            let count = u32::try_from(due_dates.len()).unwrap_or(u32::MAX);
            let due_on = anchor.plus_periods(period, count).ok_or(LoanStatus::DueDateOutOfRange)?;
            due_dates.push(self.rolled(due_on));
        }
        due_dates.truncate(wanted);
        self.match_rows(&indices, &due_dates)?;
        self.set_due_dates(due_dates, first)?;
        self.solve_levels(first, self.terms.rate)?;
        self.reprice(first, self.as_of_for_plan());
        self.lay_fees(on);
        Ok(())
    }

    /// Drops the instalments beyond the new last one, or adds what is missing.
    fn match_rows(&mut self, indices: &[usize], due_dates: &[Day]) -> Result<(), LoanStatus> {
        let dropped: Vec<u32> = indices
            .iter()
            .skip(due_dates.len())
            .filter_map(|index| self.rows.get(*index))
            .map(|row| row.key)
            .collect();
        let is_touched = |row: &Row| !row.paid.total().is_zero() || !row.credited.is_zero();
        if self.rows.iter().any(|row| dropped.contains(&row.key) && is_touched(row)) {
            return Err(LoanStatus::InstalmentsPaidInAdvance);
        }
        self.rows.retain(|row| !dropped.contains(&row.key));
        let mut previous = due_dates.get(indices.len().saturating_sub(1)).copied();
        for due_on in due_dates.iter().skip(indices.len()) {
            let row = Row::new(self.next_key(), RowKind::Instalment, previous.unwrap_or(*due_on), *due_on);
            self.rows.push(row);
            previous = Some(*due_on);
        }
        self.sort_rows();
        Ok(())
    }

    /// Solves the levels of the instalments from a place on, for the principal that they are to bring back.
    pub(super) fn solve_levels(&mut self, first: usize, rate: Rate) -> Result<(), LoanStatus> {
        let indices: Vec<usize> = self.instalments().skip(first).collect();
        let before: Money = (self.instalments().take(first))
            .filter_map(|index| self.rows.get(index))
            .map(Row::principal_scheduled)
            .sum();
        let principal = self.drawn() - self.principal_beside_instalments() - before;
        let Some(start) = indices.first().and_then(|index| self.rows.get(*index)) else { return Ok(()) };
        if !principal.is_positive() {
            return Ok(());
        }
        let due_dates = indices.iter().filter_map(|index| self.rows.get(*index)).map(|row| row.due_on);
        let terms = Terms {
            principal: to_terms(principal),
            rate,
            timing: Timing::Dates { due_dates: due_dates.collect(), period: self.period() },
            disbursed_on: start.from,
            down_payment: None,
            grace: Grace::default(),
            disbursements: Vec::new(),
            fees: Vec::new(),
            ..self.terms.clone()
        };
        let planned = schedule(&terms).map_err(LoanStatus::Terms)?;
        let is_level = self.terms.amortisation == Amortisation::EqualInstalment;
        for (index, planned) in indices.iter().zip(&planned.instalments) {
            let Some(row) = self.rows.get_mut(*index) else { continue };
            row.due.principal = from_terms(planned.principal) + row.credited;
            row.due.interest = from_terms(planned.interest);
            row.interest_planned = row.due.interest;
            row.planned_from = row.from;
            row.level = level_of(row, is_level);
        }
        Ok(())
    }

    /// After principal was repaid outside the schedule: fewer instalments, or smaller ones.
    pub(super) fn follow_prepayment(&mut self, on: Day) -> Result<(), LoanStatus> {
        let first = self.first_due_after(on);
        match self.contract.prepayment {
            // A bullet's interest is fixed for its principal: it is fixed anew for what is left.
            Prepayment::ShortenTerm if self.terms.amortisation == Amortisation::Bullet => {
                self.solve_levels(first, self.rate_on(on))?;
            }
            Prepayment::SmallerInstalments => self.solve_levels(first, self.rate_on(on))?,
            Prepayment::ShortenTerm | Prepayment::KeepInstalments | Prepayment::FullSettlementOnly => {}
        }
        self.reprice(first, self.as_of_for_plan());
        let is_bare =
            |row: &Row| row.kind == RowKind::Instalment && row.due_on > on && row.level_is_nothing();
        for row in self.rows.iter_mut().filter(|row| is_bare(row)) {
            row.drop_planned_fee();
        }
        self.rows.retain(|row| {
            row.kind != RowKind::Instalment
                || row.due_on <= on
                || row.due != Parts::ZERO
                || row.paid != Parts::ZERO
                || !row.credited.is_zero()
        });
        Ok(())
    }

    pub(super) fn as_of_for_plan(&self) -> Option<Day> {
        match self.contract.interest_on {
            InterestOn::Schedule => None,
            InterestOn::Balance => Some(self.aged_to),
        }
    }
}

/// Interest that was fixed at the outset, by the days that it was fixed for.
fn interest_of_the_plan(row: &Row, until: Day) -> BigRational {
    let part = row.from.days_until(until).max(0).unsigned_abs();
    accrual::exact(row.interest_planned) * accrual::ratio(u64::from(part), row.planned_days())
}

/// Sets a row's interest and, within what is left of the loan, its principal; says the principal.
fn reprice_row(row: &mut Row, interest: Money, left: Money) -> Money {
    let paid = row.principal_scheduled_paid();
    let principal = match row.level {
        Level::Total(total) => {
            let is_ahead = paid > total - interest;
            row.due.interest = if is_ahead { row.paid.interest } else { interest.max(row.paid.interest) };
            (total - row.due.interest).or_zero()
        }
        Level::Principal(principal) => {
            row.due.interest = interest.max(row.paid.interest);
            principal
        }
    };
    let principal = principal.min(left).max(paid);
    row.due.principal = principal + row.credited;
    principal
}

fn level_of(row: &Row, is_level: bool) -> Level {
    if is_level {
        Level::Total(row.principal_scheduled() + row.due.interest)
    } else {
        Level::Principal(row.principal_scheduled())
    }
}
