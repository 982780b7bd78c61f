//! The ordinary course of a loan: one draw, repaid in the order in which things fall due, in time or late, in full or
//! in part. Nine figures say all of it.
//!
//! [`Life::fold`](super::life::Life::fold) is the definition; this is the same answer for the loans that need no more
//! than this, from a record instead of from all events. The instalments follow from the contract, the principal and the
//! day ([`fen_terms::Plain`]). Payments go to the oldest debt first, so at every moment there is one instalment that
//! the money has come to: all before it are settled, of all behind it nothing is paid. What of it is paid, and the
//! principal-days that it has been late, are figures of the record; those behind it are late with their whole
//! principal from their due day on.
//!
//! **Invariants.** Position, exposure and next change are those of the fold, after every event and on every day.
//! Interest for lateness is kept as whole principal-days and rounded once, from all of them. Principal is at most
//! 2^46 minor units. **Deliberately absent.** Everything else that can happen to a loan: it is folded.
//! Tested against the fold, event by event, in `tests/course.rs`.

mod glance;
mod of_life;
mod ordinary;
mod rows;

pub(crate) use glance::Glance;
pub(crate) use ordinary::Ordinary;

use super::accrual;
use super::allocation::{Age, InAdvance};
use super::control::{Position, Role};
use super::money::{Component, Money, Parts};
use super::unbilled::{Running, Unbilled};
use fen_terms::{Day, Instalment};
use rows::{Line, Rows};

/// How far a loan has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Course {
    /// The day the money was paid out.
    pub(crate) disbursed_on: Day,
    /// How much.
    pub(crate) principal: Money,
    /// What of it is owed.
    pub(crate) owed: Money,
    /// All interest paid.
    pub(crate) interest_paid: Money,
    /// Interest for lateness of the instalments that are settled; all of it is paid.
    pub(crate) late_settled: Money,
    /// What of the running instalment's interest for lateness is paid.
    pub(crate) late_paid: Money,
    /// Its overdue principal times the days overdue, summed up to `as_of`.
    pub(crate) late_days: u128,
    /// How many instalments are settled: the next one is running.
    pub(crate) settled: u16,
    /// The day all of this is as of.
    pub(crate) as_of: Day,
}

impl Course {
    /// A loan just paid out.
    pub(crate) const fn new(principal: Money, disbursed_on: Day) -> Self {
        Self {
            disbursed_on,
            principal,
            owed: principal,
            interest_paid: Money::ZERO,
            late_settled: Money::ZERO,
            late_paid: Money::ZERO,
            late_days: 0,
            settled: 0,
            as_of: disbursed_on,
        }
    }
}

/// A course with its instalments, to be carried on.
#[derive(Clone)]
pub(crate) struct Run<'a> {
    pub(crate) course: Course,
    ordinary: &'a Ordinary,
    /// Known are the running one and the one behind it, and all up to the first that is due after `as_of`.
    rows: Rows<'a>,
    /// Principal and interest of the instalments that are settled.
    settled: (Money, Money),
}

fn principal_of(row: &Instalment) -> Money {
    super::life::from_terms(row.principal)
}

fn interest_of(row: &Instalment) -> Money {
    super::life::from_terms(row.interest)
}

/// Principal times days.
fn principal_days(principal: Money, from: Day, to: Day) -> u128 {
    let days = u128::try_from(from.days_until(to)).unwrap_or(0);
    principal.or_zero().to_amount().get().saturating_mul(days)
}

impl<'a> Run<'a> {
    /// Takes up a course.
    pub(crate) fn of(course: Course, ordinary: &'a Ordinary) -> Self {
        let mut rows = Rows::of(ordinary, course.principal, course.disbursed_on);
        let settled = usize::from(course.settled);
        rows.reach(settled.saturating_add(1), course.as_of);
        let mut sums = (Money::ZERO, Money::ZERO);
        for row in rows.iter().take(settled) {
            sums.0 += row.principal;
            sums.1 += row.interest;
        }
        let mut run = Self { course, ordinary, rows, settled: sums };
        run.pass_settled();
        run
    }

    /// The instalment that the money has come to; none once all are settled.
    fn running(&self) -> Option<&Line> {
        self.rows.get(usize::from(self.course.settled))
    }

    /// Those from the running one on, as far as they are known.
    fn open(&self) -> impl Iterator<Item = &Line> {
        self.rows.iter().skip(usize::from(self.course.settled))
    }

    /// What is outstanding of the running instalment.
    fn outstanding(&self, row: &Line) -> Parts {
        let course = &self.course;
        Parts {
            principal: row.principal + self.settled.0 - (course.principal - course.owed),
            interest: row.interest + self.settled.1 - course.interest_paid,
            fees: Money::ZERO,
            penalties: self.charged(course.late_days) - course.late_paid,
        }
    }

    /// Interest for lateness on principal-days, rounded by the product's rule.
    fn charged(&self, days: u128) -> Money {
        let Some(late) = self.ordinary.late else { return Money::ZERO };
        let rounding = &self.ordinary.rounding;
        let exact = days.checked_mul(late.numerator);
        let money = exact.and_then(|exact| rounding.mode.divide(exact, late.denominator, rounding.to));
        super::life::from_terms(money.expect("lateness of bounded principal is bounded"))
    }

    /// Lets the days up to one pass.
    pub(crate) fn age_to(&mut self, to: Day) {
        if to <= self.course.as_of {
            return;
        }
        if let Some(row) = self.running()
            && self.ordinary.bears_lateness()
        {
            let from = row.due.max(self.course.as_of);
            let days = principal_days(self.outstanding(row).principal, from, to);
            self.course.late_days = self.course.late_days.saturating_add(days);
        }
        self.course.as_of = to;
        self.rows.reach(0, to);
    }

    /// Moves on past what is settled.
    fn pass_settled(&mut self) {
        while let Some(&row) = self.running()
            && self.outstanding(&row).total().is_zero()
        {
            self.settled.0 += row.principal;
            self.settled.1 += row.interest;
            self.course.late_settled += self.course.late_paid;
            self.course.late_paid = Money::ZERO;
            self.course.settled = self.course.settled.saturating_add(1);
            self.rows.reach(usize::from(self.course.settled).saturating_add(1), self.course.as_of);
            self.course.late_days = match self.running() {
                Some(next) if self.ordinary.bears_lateness() => {
                    principal_days(next.principal, next.due, self.course.as_of)
                }
                Some(_) | None => 0,
            };
        }
    }

    /// Takes a repayment on the day that the course is as of. `None` where the money goes another way than the
    /// ordinary one: past all that is owed, or in advance to other instalments than the next.
    pub(crate) fn pay(&mut self, amount: Money, in_advance: Option<InAdvance>) -> Option<()> {
        let in_advance = in_advance.unwrap_or(self.ordinary.in_advance);
        let mut rest = amount;
        while rest.is_positive() {
            let row = *self.running()?;
            let age = match row.due.cmp(&self.course.as_of) {
                core::cmp::Ordering::Less => Age::PastDue,
                core::cmp::Ordering::Equal => Age::Due,
                core::cmp::Ordering::Greater if in_advance != InAdvance::NextInstalments => return None,
                core::cmp::Ordering::Greater => Age::InAdvance,
            };
            let outstanding = self.outstanding(&row);
            for component in self.ordinary.components(age) {
                let part = outstanding[component].min(rest);
                rest -= part;
                match component {
                    Component::Principal => self.course.owed -= part,
                    Component::Interest => self.course.interest_paid += part,
                    Component::Penalty => self.course.late_paid += part,
                    Component::Fee => {}
                }
            }
            self.pass_settled();
        }
        Some(())
    }

    /// What is due up to a day and not paid.
    pub(crate) fn due_through(&mut self, day: Day) -> Money {
        self.rows.reach(0, day);
        let mut sum = Money::ZERO;
        for (place, row) in self.open().take_while(|row| row.due <= day).enumerate() {
            sum += if place == 0 {
                self.outstanding(row).total()
            } else {
                row.principal + row.interest + self.charged_behind(row)
            };
        }
        sum
    }

    /// Interest for lateness of an instalment behind the running one.
    fn charged_behind(&self, row: &Line) -> Money {
        self.charged(principal_days(row.principal, row.due, self.course.as_of))
    }

    /// Whether nothing is owed.
    pub(crate) fn is_closed(&self) -> bool {
        self.running().is_none()
    }

    /// The due day of the running instalment, if it was due before a day.
    pub(crate) fn overdue_since(&self, as_of: Day) -> Option<Day> {
        self.running().map(|row| row.due).filter(|due| *due < as_of)
    }

    /// Days past due of the running instalment.
    fn days_past_due(&self) -> u32 {
        let days = self.running().map_or(0, |row| row.due.days_until(self.course.as_of));
        days.max(0).unsigned_abs()
    }

    /// All interest for lateness charged.
    fn late_charged(&self) -> Money {
        let mut sum = self.course.late_settled + self.charged(self.course.late_days);
        if self.ordinary.bears_lateness() {
            for row in self.open().skip(1).take_while(|row| row.due < self.course.as_of) {
                sum += self.charged_behind(row);
            }
        }
        sum
    }

    /// What the loan comes to in its product's control accounts: see [`position`](super::position::position).
    pub(crate) fn position(&self) -> Position {
        let course = &self.course;
        let billed =
            self.rows.iter().take_while(|row| row.due <= course.as_of).map(|row| row.interest).sum::<Money>();
        let interest = (billed - course.interest_paid).or_zero();
        let charged = self.late_charged();
        let penalties = charged - course.late_settled - course.late_paid;
        let days = self.days_past_due();
        let mut position = Position::default();
        position[Role::Principal] = course.owed;
        position[Role::InterestReceivable] = interest;
        position[Role::InterestIncome] = -billed.max(course.interest_paid);
        position[Role::PenaltyReceivable] = penalties;
        position[Role::PenaltyIncome] = -charged;
        if self.ordinary.classes.is_non_accrual(days) {
            position[Role::InterestIncome] += interest;
            position[Role::PenaltyIncome] += penalties;
            position[Role::Suspense] = -(interest + penalties);
        }
        let class = self.ordinary.classes.class(days);
        let provision = accrual::provision(course.owed, self.ordinary.classes.provision_of(class));
        position[Role::ProvisionExpense] = provision;
        position[Role::Provision] = -provision;
        position
    }

    /// What it earns before it is billed: see [`Life::unbilled`](super::life::Life::unbilled).
    pub(crate) fn unbilled(&self) -> Unbilled {
        let course = &self.course;
        if self.is_closed() || self.ordinary.classes.is_non_accrual(self.days_past_due()) {
            return Unbilled::default();
        }
        let billed = self.rows.iter().take_while(|row| row.due <= course.as_of);
        let billed = billed.map(|row| row.interest).sum::<Money>();
        let Some(current) = self.rows.iter().find(|row| row.due > course.as_of) else {
            return Unbilled::default();
        };
        let (rate, sum) = self.ordinary.running(&current.instalment());
        Unbilled::of(Running { rate, sum, from: current.from }, (course.interest_paid - billed).or_zero())
    }

    /// The next day on which the position changes of itself: see [`next_change`](super::position::next_change).
    pub(crate) fn next_change(&self) -> Option<Day> {
        let as_of = self.course.as_of;
        let billed = self.rows.iter().map(|row| row.due).find(|due| *due > as_of);
        let not_yet_late = self.open().map(|row| row.due).find(|due| *due >= as_of);
        let missed = not_yet_late.and_then(|due| due.plus_days(1));
        let overdue = self.overdue_since(as_of);
        let runs_daily = overdue.is_some() && (self.ordinary.bears_lateness() || self.ordinary.collects);
        let tomorrow = if runs_daily { as_of.plus_days(1) } else { None };
        let aged = overdue.and_then(|since| {
            let days = since.days_until(as_of).max(0).unsigned_abs();
            since.plus_days(i64::from(self.ordinary.classes.next_threshold(days)?))
        });
        let given_up = overdue.and_then(|since| since.plus_days(i64::from(self.ordinary.write_off_days?)));
        let days = billed.into_iter().chain(missed).chain(tomorrow).chain(given_up).chain(aged);
        days.filter(|day| *day > as_of).min()
    }
}
