//! Plain terms, reckoned in machine integers: the same schedule as [`crate::exact_schedule()`], without allocating.
//!
//! One draw, no down payment, no grace, no fees, declining interest: that is almost every loan a bank makes, and at
//! disbursement it has a microsecond for each. Here a period bears `owed x g / d`, with one denominator `d` for the
//! whole loan and everything in 128 bits, checked. Whatever is not plain, or does not fit, is `None`: then the exact
//! way is taken, as [`crate::schedule()`] does. The two never differ; `tests/plain.rs` holds one against the other.
//!
//! The level instalment is P / (v(1) + ... + v(n)), where v(k) = d / (d + g(1)) x ... x d / (d + g(k)) is what a unit
//! due after k periods is worth. The v are reckoned with 63 binary places and cut, so the sum lies between two bounds
//! that are known; where both bounds give the same rounded level, that is the level, and where they do not (a tie, or a
//! figure within a millionth of a fen of one), it is `None` again.

mod walk;

pub use walk::Walk;

use crate::day::{Day, DueDays, Period, PeriodUnit};
use crate::day_count::{DayCount, by_calendar_year};
use crate::factor::divisor_in_common;
use crate::money::Money;
use crate::rate::RateBasis;
use crate::rounding::Rounding;
use crate::schedule::{Instalment, RowKind};
use crate::terms::{Accrual, Amortisation, Grace, InterestMethod, PERIODS_MAX, Terms, Timing};
use crate::ticks::{Clock, DAYS_OF_YEARS, TickRate};

/// Binary places of what a unit due later is worth.
const PLACES: u32 = 63;
/// Numerators and denominators stay below this, so that no product of two figures passes 128 bits.
const FIGURE_MAX: u128 = 1 << 63;

/// What each period counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Counted {
    /// The same in every period: `per_period`, or whole months of 30 days.
    Alike,
    /// Actual days.
    Days,
    /// Actual days of common and of leap years, over 365 x 366.
    DaysOfYears,
}

/// Terms that are plain enough, ready for any principal and day of disbursement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Plain {
    amortisation: Amortisation,
    rounding: Rounding,
    periods: u16,
    period: Period,
    counted: Counted,
    /// What a unit of principal bears for each unit counted.
    numerator: u128,
    /// Over this.
    denominator: u128,
}

impl Plain {
    /// The plain part of these terms; `None` where they are not plain. Their principal and `disbursed_on` are left
    /// out: [`Self::rows`] takes those of the loan at hand.
    pub fn of(terms: &Terms) -> Option<Plain> {
        let plain = terms.disbursements.is_empty()
            && terms.fees.is_empty()
            && terms.down_payment.is_none()
            && terms.grace == Grace::default()
            && terms.interest == InterestMethod::Declining;
        let too_dear = terms.rate.basis == RateBasis::Daily && terms.rate.percent.exceeds_hundred();
        let Timing::Regular { periods, period, first_due_on: None } = terms.timing else {
            return None;
        };
        if !plain || too_dear || periods == 0 || periods > PERIODS_MAX || period.every == 0 {
            return None;
        }
        if terms.check_rounding().is_err() {
            return None;
        }
        let (counted, above, below) = units_counted(terms, period);
        let percent = terms.rate.percent;
        let numerator = u128::from(percent.numerator()).checked_mul(above)?;
        let denominator = u128::from(percent.denominator()).checked_mul(100)?.checked_mul(below)?;
        let common = divisor_in_common(denominator, numerator);
        let plain = Plain {
            amortisation: terms.amortisation,
            rounding: terms.rounding,
            periods,
            period,
            counted,
            numerator: numerator / common,
            denominator: denominator / common,
        };
        (plain.numerator < FIGURE_MAX && plain.denominator < FIGURE_MAX).then_some(plain)
    }

    /// How many rows a schedule has.
    pub fn row_count(&self) -> usize {
        match self.amortisation {
            Amortisation::Bullet => 1,
            Amortisation::EqualInstalment | Amortisation::EqualPrincipal | Amortisation::InterestOnly => {
                usize::from(self.periods)
            }
        }
    }

    /// The due day of a row, from zero, of a loan that has a schedule.
    pub fn due_on(&self, disbursed_on: Day, row: u16) -> Option<Day> {
        let periods = match self.amortisation {
            Amortisation::Bullet => self.periods,
            Amortisation::EqualInstalment | Amortisation::EqualPrincipal | Amortisation::InterestOnly => {
                row.checked_add(1)?
            }
        };
        disbursed_on.plus_periods(self.period, u32::from(periods))
    }

    /// Writes the schedule of one loan into the first rows, and says how many. `None` where there is no room, the terms
    /// cannot be kept or a figure does not fit: then [`crate::schedule()`] knows the answer or the status.
    pub fn rows(&self, principal: Money, disbursed_on: Day, rows: &mut [Instalment]) -> Option<usize> {
        let mut walk = self.walk(principal, disbursed_on)?;
        let rows = rows.get_mut(..self.row_count())?;
        for row in &mut *rows {
            *row = walk.step()?;
        }
        Some(rows.len())
    }

    /// What a sum bears for each tick of an instalment's period, and the sum: the principal owed before it, or where
    /// interest is fixed at the outset the interest itself, by the days of its period.
    pub fn running(&self, row: &Instalment) -> (TickRate, Money) {
        let days = u64::try_from(row.from.days_until(row.due)).unwrap_or(0).max(1);
        if self.amortisation == Amortisation::Bullet {
            return (TickRate::of_days(days), row.interest);
        }
        let owed = row.outstanding.checked_add(row.principal).unwrap_or(row.outstanding);
        let (ticks, clock) = match self.counted {
            Counted::Alike => (u128::from(days), Clock::Days),
            Counted::Days => (1, Clock::Days),
            Counted::DaysOfYears => (1, Clock::DaysOfYears),
        };
        (TickRate::over(self.numerator, self.denominator, ticks, clock), owed)
    }

    /// What a unit of principal bears from one due day to the next, over the denominator.
    fn bears(&self, from: Day, due: Day) -> Option<u128> {
        let count = match self.counted {
            Counted::Alike => 1,
            Counted::Days => u128::try_from(from.days_until(due)).ok()?,
            Counted::DaysOfYears => {
                // A share over 365 alone counts 366 for each day here, and the other way round.
                let share = by_calendar_year(from, due);
                let scale = DAYS_OF_YEARS / u128::from(share.denominator);
                u128::from(share.numerator).checked_mul(scale)?
            }
        };
        self.numerator.checked_mul(count).filter(|numerator| *numerator < FIGURE_MAX)
    }

    fn interest(&self, owed: Money, bears: u128) -> Option<Money> {
        self.rounding.mode.divide(owed.get().checked_mul(bears)?, self.denominator, self.rounding.to)
    }

    fn bullet(&self, principal: Money, disbursed_on: Day) -> Option<Instalment> {
        let (mut from, mut bears) = (disbursed_on, 0_u128);
        let mut due_days = DueDays::after(disbursed_on, self.period);
        for _ in 0..self.periods {
            let due = due_days.next()?;
            bears = bears.checked_add(self.bears(from, due)?)?;
            from = due;
        }
        let interest = self.interest(principal, bears)?;
        row_of(1, (disbursed_on, from), principal, interest, Money::ZERO)
    }

    /// The level, between two bounds.
    fn level(&self, principal: Money, disbursed_on: Day) -> Option<Money> {
        let mut worth = 1_u128 << PLACES;
        let (mut sum, mut from) = (0_u128, disbursed_on);
        let mut due_days = DueDays::after(disbursed_on, self.period);
        for _ in 0..self.periods {
            let due = due_days.next()?;
            let whole = self.denominator.checked_add(self.bears(from, due)?)?;
            worth = worth.checked_mul(self.denominator)? / whole;
            sum = sum.checked_add(worth)?;
            from = due;
        }
        // Each cut is below one, and later factors only make earlier cuts smaller: v(k) is short of the truth by less
        // than k.
        let periods = u128::from(self.periods);
        let short = periods.checked_mul(periods.checked_add(1)?)? / 2;
        let scaled = principal.get().checked_mul(1 << PLACES)?;
        let unit = self.rounding.instalment_unit();
        let high = self.rounding.mode.divide(scaled, sum, unit)?;
        let low = self.rounding.mode.divide(scaled, sum.checked_add(short)?, unit)?;
        (low == high).then_some(high)
    }
}

fn row_of(
    n: u32,
    (from, due): (Day, Day),
    principal: Money,
    interest: Money,
    outstanding: Money,
) -> Option<Instalment> {
    let total = principal.checked_add(interest)?;
    let (kind, fees) = (RowKind::Instalment, Money::ZERO);
    Some(Instalment { n, kind, from, due, principal, interest, fees, total, outstanding })
}

/// What is counted, and what each unit of it is as a fraction of what the rate is stated for.
fn units_counted(terms: &Terms, period: Period) -> (Counted, u128, u128) {
    let every = u128::from(period.every);
    let year_days = u128::from(terms.day_count.year_days());
    let by_year = match terms.rate.basis {
        RateBasis::Annual => 1,
        RateBasis::Daily => year_days,
    };
    let over_year = match terms.rate.basis {
        RateBasis::Annual => year_days,
        RateBasis::Daily => 1,
    };
    match (terms.accrual, period.unit) {
        (Accrual::PerPeriod, PeriodUnit::Month) => (Counted::Alike, every * by_year, 12),
        (Accrual::PerPeriod, PeriodUnit::Week) => (Counted::Alike, every * by_year, 52),
        (Accrual::PerPeriod, PeriodUnit::Day) => (Counted::Alike, every * by_year, 365),
        (Accrual::Daily, PeriodUnit::Month) if terms.day_count.counts_months() => {
            (Counted::Alike, every * 30, over_year)
        }
        (Accrual::Daily, PeriodUnit::Day | PeriodUnit::Week | PeriodUnit::Month) => {
            if terms.day_count == DayCount::ActualActual && terms.rate.basis == RateBasis::Annual {
                (Counted::DaysOfYears, 1, DAYS_OF_YEARS)
            } else {
                (Counted::Days, 1, over_year)
            }
        }
    }
}
