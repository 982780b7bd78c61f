//! What a unit of principal bears over a stretch of days: the rate by the day count, exactly.

use crate::day::{Day, PeriodUnit};
use crate::day_count::{DayCount, Share, actual_days, by_calendar_year};
use crate::money::Money;
use crate::periods::Span;
use crate::rate::{Rate, RateBasis};
use crate::rounding::RoundingMode;
use crate::terms::Accrual;
use num_bigint::BigUint;
use num_rational::BigRational;

/// Interest per unit of principal, an exact fraction in lowest terms.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Factor {
    numerator: u128,
    denominator: u128,
}

/// The greatest common divisor.
pub(crate) const fn divisor_in_common(mut a: u128, mut b: u128) -> u128 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

impl Factor {
    /// No interest.
    pub const ZERO: Factor = Factor { numerator: 0, denominator: 1 };

    /// `numerator / denominator` in lowest terms; `None` where the denominator is zero.
    pub const fn new(numerator: u128, denominator: u128) -> Option<Factor> {
        if denominator == 0 {
            return None;
        }
        let common = divisor_in_common(denominator, numerator);
        Some(Factor { numerator: numerator / common, denominator: denominator / common })
    }

    /// The numerator, in lowest terms.
    pub const fn numerator(self) -> u128 {
        self.numerator
    }
    /// The denominator, in lowest terms, at least one.
    pub const fn denominator(self) -> u128 {
        self.denominator
    }
    /// The same as a big rational.
    pub fn to_rational(self) -> BigRational {
        BigRational::new_raw(self.numerator.into(), self.denominator.into())
    }
}

/// How a loan accrues: its rate, its day count, and whether periods are charged by the day or whole.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Accruing {
    /// The rate.
    pub rate: Rate,
    /// The day count.
    pub day_count: DayCount,
    /// By the day, or by the period.
    pub accrual: Accrual,
}

impl Accruing {
    /// What a unit of principal bears from `from` to `to`, both within `span`; nothing where `to` is not later.
    ///
    /// A part of a period that is counted as a whole (a month of 30 days, or a period charged per period) bears its
    /// share of it by actual days, so that parts add up to the whole whatever happens in between.
    pub fn factor(&self, span: &Span, from: Day, to: Day) -> Factor {
        let part = Share { numerator: actual_days(from, to), denominator: span.days().max(1) };
        let percent = self.rate.percent;
        let (years, rate_days) = match (self.accrual, span.charged) {
            (Accrual::PerPeriod, Some(period)) => {
                let every = u64::from(period.every);
                let year = match period.unit {
                    PeriodUnit::Day => Share { numerator: every, denominator: 365 },
                    PeriodUnit::Week => Share { numerator: every, denominator: 52 },
                    PeriodUnit::Month => Share { numerator: every, denominator: 12 },
                };
                (times(year, part), self.day_count.year_days())
            }
            (Accrual::PerPeriod, None) | (Accrual::Daily, Some(_) | None) => {
                self.by_days(span, from, to, part)
            }
        };
        let days = match self.rate.basis {
            RateBasis::Annual => 1,
            RateBasis::Daily => rate_days,
        };
        // At most 64 + 9 + 54 bits above and 50 + 7 + 47 below: see the limits on rates and days.
        let numerator = u128::from(percent.numerator()) * u128::from(days) * u128::from(years.numerator);
        let denominator = u128::from(percent.denominator()) * 100 * u128::from(years.denominator);
        Factor::new(numerator, denominator).unwrap_or(Factor::ZERO)
    }

    /// The fraction of a year by the day count, and how many days that year has where the rate is by the day.
    fn by_days(&self, span: &Span, from: Day, to: Day, part: Share) -> (Share, u64) {
        let year_days = self.day_count.year_days();
        let days = if self.day_count.counts_months() {
            times(span.thirty_days, part)
        } else {
            Share { numerator: actual_days(from, to), denominator: 1 }
        };
        let by_year = Share { numerator: days.numerator, denominator: days.denominator * year_days };
        match (self.day_count, self.rate.basis) {
            (DayCount::ActualActual, RateBasis::Annual) => (by_calendar_year(from, to), year_days),
            (
                DayCount::ActualActual
                | DayCount::Actual365
                | DayCount::Actual360
                | DayCount::Actual364
                | DayCount::Thirty360
                | DayCount::Thirty365,
                RateBasis::Annual | RateBasis::Daily,
            ) => (by_year, year_days),
        }
    }
}

/// A product of two shares. Days and years are small: three hundred years have fewer than 2^17 days, so neither side
/// passes 2^60.
fn times(a: Share, b: Share) -> Share {
    Share { numerator: a.numerator * b.numerator, denominator: a.denominator * b.denominator }
}

/// Interest on several balances, each over its own stretch of days, rounded once; `None` beyond 128 bits.
///
/// This is how interest between due days is reckoned: keep what was owed from when to when, never a rounded sum.
pub fn interest(parts: &[(Money, Factor)], mode: RoundingMode, unit: Money) -> Option<Money> {
    let (mut numerator, mut denominator) = (BigUint::ZERO, BigUint::from(1_u8));
    for (balance, factor) in parts {
        numerator =
            numerator * factor.denominator + BigUint::from(balance.get()) * factor.numerator * &denominator;
        denominator *= factor.denominator;
    }
    mode.divide_any(&numerator, &denominator, unit)
}
