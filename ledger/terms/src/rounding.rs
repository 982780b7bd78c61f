//! Rounding: the only place where an exact figure becomes money.

use crate::money::Money;
use num_bigint::BigUint;
use num_rational::BigRational;

named! {
    /// Which neighbour an exact figure goes to.
    RoundingMode {
        /// To the nearest, a half to the even neighbour.
        HalfEven = 1, "half_even";
        /// To the nearest, a half away from zero.
        HalfUp = 2, "half_up";
        /// To the nearest, a half towards zero.
        HalfDown = 3, "half_down";
        /// Away from zero.
        Up = 4, "up";
        /// Towards zero.
        Down = 5, "down";
    }
}

/// How money is rounded where it is billed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Rounding {
    /// Which neighbour.
    pub mode: RoundingMode,
    /// The unit that interest, equal-principal parts and level totals are rounded to, in minor units; at least one.
    pub to: Money,
    /// The unit that each level total and each down payment is rounded to instead, if given.
    pub instalment_to: Option<Money>,
}

impl Rounding {
    /// To the minor unit, half to even: what banks do unless they say otherwise.
    pub const BANKERS: Rounding =
        Rounding { mode: RoundingMode::HalfEven, to: Money::new(1), instalment_to: None };

    /// The unit for level totals and down payments.
    pub const fn instalment_unit(&self) -> Money {
        match self.instalment_to {
            Some(unit) => unit,
            None => self.to,
        }
    }
}

impl RoundingMode {
    /// Whether a quotient with this remainder goes up. `doubled` compares twice the remainder with the divisor, the
    /// remainder not being zero.
    const fn goes_up(self, doubled: core::cmp::Ordering, quotient_is_odd: bool) -> bool {
        use core::cmp::Ordering::{Equal, Greater, Less};
        match (self, doubled) {
            (Self::Up, Less | Equal | Greater)
            | (Self::HalfEven | Self::HalfUp | Self::HalfDown, Greater)
            | (Self::HalfUp, Equal) => true,
            (Self::HalfEven, Equal) => quotient_is_odd,
            (Self::HalfDown, Equal)
            | (Self::HalfEven | Self::HalfUp | Self::HalfDown, Less)
            | (Self::Down, Less | Equal | Greater) => false,
        }
    }

    /// `numerator / denominator` as a whole number of `unit`s, or `None` where the denominator or unit is zero or the
    /// result leaves 128 bits. The integer twin of [`Self::round`].
    pub fn divide(self, numerator: u128, denominator: u128, unit: Money) -> Option<Money> {
        let divisor = denominator.checked_mul(unit.get())?;
        // Most figures fit 64 bits, where the machine divides by itself.
        let small = u64::try_from(numerator).ok().zip(u64::try_from(divisor).ok());
        let (quotient, remainder) = if let Some((numerator, divisor)) = small {
            (u128::from(numerator.checked_div(divisor)?), u128::from(numerator.checked_rem(divisor)?))
        } else {
            let quotient = numerator.checked_div(divisor)?;
            (quotient, numerator.checked_sub(quotient.checked_mul(divisor)?)?)
        };
        let up = if remainder == 0 {
            false
        } else {
            // Twice the remainder against the divisor, without doubling: remainder <=> divisor - remainder.
            self.goes_up(remainder.cmp(&divisor.checked_sub(remainder)?), quotient % 2 == 1)
        };
        quotient.checked_add(u128::from(up))?.checked_mul(unit.get()).map(Money::new)
    }

    /// `numerator / denominator` as a whole number of `unit`s, of any size; `None` where the denominator or unit is
    /// zero or the result leaves 128 bits.
    pub fn divide_any(self, numerator: &BigUint, denominator: &BigUint, unit: Money) -> Option<Money> {
        let divisor = denominator * unit.get();
        if divisor == BigUint::ZERO {
            return None;
        }
        let quotient = numerator / &divisor;
        let remainder = numerator - &quotient * &divisor;
        let up =
            remainder != BigUint::ZERO && self.goes_up((&remainder * 2_u8).cmp(&divisor), quotient.bit(0));
        let quotient = u128::try_from(quotient).ok()?;
        quotient.checked_add(u128::from(up))?.checked_mul(unit.get()).map(Money::new)
    }

    /// The exact figure as a whole number of `unit`s; `None` where it is negative, the unit is zero or the result
    /// leaves 128 bits.
    pub fn round(self, exact: &BigRational, unit: Money) -> Option<Money> {
        self.divide_any(&exact.numer().to_biguint()?, &exact.denom().to_biguint()?, unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(mode: RoundingMode, numerator: u128, denominator: u128, unit: u128) -> u128 {
        let unit = Money::new(unit);
        let integer = mode.divide(numerator, denominator, unit).unwrap();
        let exact = BigRational::new(numerator.into(), denominator.into());
        assert_eq!(mode.round(&exact, unit), Some(integer));
        integer.get()
    }

    #[test]
    fn each_mode_by_quarters() {
        use RoundingMode::{Down, HalfDown, HalfEven, HalfUp, Up};
        for (mode, expected) in [
            (HalfEven, [0, 0, 0, 1, 1, 1, 2, 2, 2]),
            (HalfUp, [0, 0, 1, 1, 1, 1, 2, 2, 2]),
            (HalfDown, [0, 0, 0, 1, 1, 1, 1, 2, 2]),
            (Up, [0, 1, 1, 1, 1, 2, 2, 2, 2]),
            (Down, [0, 0, 0, 0, 1, 1, 1, 1, 2]),
        ] {
            for (quarters, rounded) in (0_u128..).zip(expected) {
                assert_eq!(both(mode, quarters, 4, 1), rounded, "{mode} of {quarters}/4");
                assert_eq!(both(mode, quarters * 25, 1, 100), rounded * 100, "{mode} of {quarters}/4 to 100");
            }
        }
    }

    #[test]
    fn what_cannot_be_rounded_is_none() {
        assert_eq!(RoundingMode::Up.divide(1, 0, Money::new(1)), None);
        assert_eq!(RoundingMode::Up.divide(1, 1, Money::ZERO), None);
        assert_eq!(RoundingMode::Up.divide(u128::MAX, 1, Money::new(2)), None);
        let minus_one = BigRational::from_integer((-1).into());
        assert_eq!(RoundingMode::Down.round(&minus_one, Money::new(1)), None);
        assert_eq!(RoundingMode::Up.divide_any(&1_u8.into(), &BigUint::ZERO, Money::new(1)), None);
        assert_eq!(RoundingMode::Up.divide_any(&1_u8.into(), &1_u8.into(), Money::ZERO), None);
        assert_eq!(RoundingMode::Up.divide_any(&u128::MAX.into(), &1_u8.into(), Money::new(2)), None);
    }
}
