//! Interest by the day, exactly: what principal is multiplied by for a stretch of days within a period.

use super::contract::Contract;
use super::money::Money;
use fen_terms::{Accruing, Day, DayCount, Percent, Rate, RateBasis, Span};
use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{ToPrimitive, Zero};

/// What a unit of principal bears over days within a period.
pub(crate) fn factor(contract: &Contract, rate: Rate, span: &Span, from: Day, to: Day) -> BigRational {
    let accruing = Accruing { rate, day_count: contract.terms.day_count, accrual: contract.terms.accrual };
    accruing.factor(span, from, to).to_rational()
}

/// What overdue principal bears per unit: always by the day.
pub(crate) fn late_factor(contract: &Contract, rate: &Rate, from: Day, to: Day) -> BigRational {
    if to <= from {
        return BigRational::zero();
    }
    let percent = ratio(rate.percent.numerator(), rate.percent.denominator()) / whole(100);
    match rate.basis {
        RateBasis::Daily => percent * whole(from.days_until(to)),
        RateBasis::Annual => match contract.terms.day_count {
            DayCount::Thirty360 => percent * whole(from.days_until(to)) / whole(360),
            DayCount::Thirty365 => percent * whole(from.days_until(to)) / whole(365),
            day_count @ (DayCount::Actual365
            | DayCount::Actual360
            | DayCount::ActualActual
            | DayCount::Actual364) => percent * year_fraction(day_count, from, to),
        },
    }
}

/// An exact, non-negative figure of interest as money, by the product's rule. The one place where the life of a loan
/// rounds.
pub(crate) fn round(contract: &Contract, exact: &BigRational) -> Money {
    let rounding = &contract.terms.rounding;
    let money = rounding.mode.round(exact, rounding.to).expect("interest on bounded principal is bounded");
    Money::new(i128::try_from(money.get()).expect("interest on bounded principal is bounded"))
}

/// What is provided for principal owed at a rate of at most a hundred per cent, rounded up to the minor unit: provisions
/// err on the safe side.
pub(crate) fn provision(principal: Money, rate: Percent) -> Money {
    if rate.is_zero() || !principal.is_positive() {
        return Money::ZERO;
    }
    let (numerator, denominator) =
        (u128::from(rate.numerator()), u128::from(rate.denominator()).saturating_mul(100));
    if let Some(hundredfold) = principal.to_amount().get().checked_mul(numerator) {
        let whole = i128::try_from(hundredfold.div_ceil(denominator));
        return Money::new(whole.expect("a share of money is no more than the money"));
    }
    let share = exact(principal) * ratio(rate.numerator(), rate.denominator()) / whole(100);
    Money::new(share.ceil().to_integer().to_i128().expect("a share of money is no more than the money"))
}

/// An exact, non-negative figure as money, rounded down: a share of what is shared.
pub(crate) fn round_down(exact: &BigRational) -> Money {
    Money::new(exact.floor().to_integer().to_i128().expect("a share of money is no more than the money"))
}

/// Money as an exact figure.
pub(crate) fn exact(money: Money) -> BigRational {
    BigRational::from_integer(BigInt::from(money.get()))
}

/// `numerator / denominator`, exactly.
pub(crate) fn ratio(numerator: u64, denominator: u64) -> BigRational {
    BigRational::new(BigInt::from(numerator), BigInt::from(denominator))
}

fn whole(number: i32) -> BigRational {
    BigRational::from_integer(BigInt::from(number))
}

fn year_fraction(day_count: DayCount, from: Day, to: Day) -> BigRational {
    let fraction = day_count.year_fraction(from, to);
    ratio(fraction.numerator, fraction.denominator)
}
