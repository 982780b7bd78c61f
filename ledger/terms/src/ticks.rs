//! Interest day by day within a period: what a unit of principal bears for each tick of a clock.
//!
//! Within one period every day bears alike, but for act/act, where days of leap years bear a little less. So the days
//! are counted by one of two clocks, and interest over any stretch is `rate x (ticks at its end - ticks at its start)`.
//! Sums of `principal` and of `principal x ticks at the start` then tell the interest of any number of loans on any day,
//! exactly, without looking at one of them.
//!
//! **Invariant.** From one day of a period to a later one, ticks times the rate are [`Accruing::factor`]. Tested in
//! `tests/rules.rs`.

use crate::day::{Day, is_leap_year};
use crate::day_count::DayCount;
use crate::factor::{Accruing, Factor, divisor_in_common};
use crate::periods::Span;
use crate::rate::RateBasis;
use crate::terms::Accrual;

named! {
    /// By what days are counted.
    Clock {
        /// Each day is one.
        Days = 1, "days";
        /// A day of a common year is 366, of a leap year 365: over 365 x 366, each is its share of its year.
        DaysOfYears = 2, "days_of_years";
    }
}

/// Days of common and of leap years over one denominator.
pub(crate) const DAYS_OF_YEARS: u128 = 365 * 366;

impl Clock {
    /// What the clock shows when a day begins.
    pub fn at(self, day: Day) -> i64 {
        let days = i64::from(day.number());
        match self {
            Clock::Days => days,
            Clock::DaysOfYears => {
                let (year, _, _) = day.ymd();
                let begun = Day::from_ymd(year, 1, 1).map_or(0, |first| i64::from(first.days_until(day)));
                let of_this_year = if is_leap_year(year) { begun } else { 0 };
                days * 366 - (366 * leap_years_before(year) + of_this_year)
            }
        }
    }
}

/// How many leap years lie before a year, from the year one on.
fn leap_years_before(year: i32) -> i64 {
    let past = i64::from(year) - 1;
    past.div_euclid(4) - past.div_euclid(100) + past.div_euclid(400)
}

/// What a unit of principal bears for each tick: `numerator / denominator`, in lowest terms, so that what bears alike
/// is one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TickRate {
    /// The numerator.
    pub numerator: u128,
    /// The denominator, at least one.
    pub denominator: u128,
    /// What ticks.
    pub clock: Clock,
}

impl TickRate {
    /// A fraction in lowest terms over so many ticks.
    pub(crate) fn over(numerator: u128, denominator: u128, ticks: u128, clock: Clock) -> TickRate {
        let common = divisor_in_common(ticks, numerator);
        // Denominators are below 2^110, and a period has fewer than 2^17 ticks.
        TickRate {
            numerator: numerator / common,
            denominator: denominator.saturating_mul(ticks / common),
            clock,
        }
    }

    /// What bears interest that is fixed at the outset, over so many days.
    pub fn of_days(days: u64) -> TickRate {
        TickRate { numerator: 1, denominator: u128::from(days.max(1)), clock: Clock::Days }
    }
}

impl Accruing {
    /// What each tick within a period bears.
    pub fn tick_rate(&self, span: &Span) -> TickRate {
        let is_whole = self.accrual == Accrual::PerPeriod && span.charged.is_some();
        if self.day_count == DayCount::ActualActual && self.rate.basis == RateBasis::Annual && !is_whole {
            let (above, below) = (self.rate.percent.numerator(), self.rate.percent.denominator());
            let rate = Factor::new(above.into(), u128::from(below) * 100 * DAYS_OF_YEARS);
            let rate = rate.unwrap_or(Factor::ZERO);
            return TickRate::over(rate.numerator(), rate.denominator(), 1, Clock::DaysOfYears);
        }
        let factor = self.factor(span, span.from, span.due);
        let days = u128::from(span.days().max(1));
        TickRate::over(factor.numerator(), factor.denominator(), days, Clock::Days)
    }
}
