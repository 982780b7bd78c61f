//! Fees that a product charges of itself: when money is paid out, with each instalment, and once for a late one.

use super::accrual;
use super::money::Money;
use fen_terms::{Percent, Rounding};

/// What a fee comes to: an amount, a share of what it is reckoned on, or both.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FeeRule {
    /// In minor units, whatever it is reckoned on.
    pub amount: Money,
    /// Per cent of what it is reckoned on.
    pub percent: Percent,
}

/// A fee for an instalment that is not paid in time, once for each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LateFee {
    /// How much; reckoned on what is unpaid of the instalment's principal and interest.
    pub rule: FeeRule,
    /// So many days after the due day.
    pub after_days: u16,
}

/// What is charged of itself.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Fees {
    /// Of each draw, kept back from what is paid out.
    pub disbursement: Option<FeeRule>,
    /// Of each instalment's principal and interest as planned, billed with it.
    pub instalment: Option<FeeRule>,
    /// Of what is late.
    pub late: Option<LateFee>,
}

impl FeeRule {
    /// The fee on a base, its share rounded once by the product's rule.
    pub fn of(&self, base: Money, rounding: &Rounding) -> Money {
        let hundredth = accrual::ratio(self.percent.numerator(), self.percent.denominator());
        let share = accrual::exact(base.or_zero()) * hundredth / accrual::ratio(100, 1);
        let rounded = rounding.mode.round(&share, rounding.to).expect("a share of bounded money is bounded");
        self.amount + super::life::from_terms(rounded)
    }
}

impl Fees {
    /// What is kept back of a draw; never more than the draw.
    pub fn of_draw(&self, drawn: Money, rounding: &Rounding) -> Money {
        self.disbursement.map_or(Money::ZERO, |rule| rule.of(drawn, rounding).min(drawn))
    }

    /// Every rule there is.
    pub fn rules(&self) -> impl Iterator<Item = FeeRule> {
        [self.disbursement, self.instalment, self.late.map(|late| late.rule)].into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fee_is_an_amount_and_a_share_rounded_once() {
        let rule = FeeRule { amount: Money::new(100), percent: Percent::new(1, 2).unwrap() };
        assert_eq!(rule.of(Money::new(1_000_100), &Rounding::BANKERS), Money::new(100 + 5_000));
        assert_eq!(rule.of(Money::new(1_000_300), &Rounding::BANKERS), Money::new(100 + 5_002));
        let fees = Fees { disbursement: Some(rule), ..Fees::default() };
        assert_eq!(fees.of_draw(Money::new(50), &Rounding::BANKERS), Money::new(50), "no more than is drawn");
    }
}
