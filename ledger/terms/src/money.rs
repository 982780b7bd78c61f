//! Money in minor units, and its major-unit text at the edge.

use core::fmt;

/// An amount in minor units (fen, cents), never negative.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(u128);

/// The most decimals a currency can have here; ISO 4217 knows up to four.
pub const DECIMALS_MAX: u8 = 9;

impl Money {
    /// Nothing.
    pub const ZERO: Money = Money(0);
    /// The largest principal: ten million million million minor units, with room above it for interest.
    pub const PRINCIPAL_MAX: Money = Money(10_000_000_000_000_000_000);

    /// Wraps minor units.
    pub const fn new(minor: u128) -> Money {
        Money(minor)
    }
    /// The minor units.
    pub const fn get(self) -> u128 {
        self.0
    }
    /// Whether this is nothing.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
    /// The sum, or `None` beyond 128 bits.
    pub const fn checked_add(self, other: Money) -> Option<Money> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Money(sum)),
            None => None,
        }
    }
    /// The difference, or `None` where it would be negative.
    pub const fn checked_sub(self, other: Money) -> Option<Money> {
        match self.0.checked_sub(other.0) {
            Some(difference) => Some(Money(difference)),
            None => None,
        }
    }
    /// The difference, or nothing where it would be negative.
    #[must_use]
    pub const fn saturating_sub(self, other: Money) -> Money {
        Money(self.0.saturating_sub(other.0))
    }

    /// Reads major units (`"10000.00"`, `"0.5"`, `"7"`) in a currency with `decimals` decimals. Trailing zeros
    /// beyond the currency's decimals are allowed; a fraction finer than a minor unit, a sign or an exponent is not.
    pub fn parse(text: &str, decimals: u8) -> Option<Money> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        if whole.is_empty() || (text.contains('.') && fraction.is_empty()) || decimals > DECIMALS_MAX {
            return None;
        }
        let kept = usize::from(decimals).min(fraction.len());
        let (fraction, finer) = fraction.split_at_checked(kept)?;
        if finer.bytes().any(|byte| byte != b'0') {
            return None;
        }
        let padding = usize::from(decimals) - kept;
        let digits = whole.bytes().chain(fraction.bytes()).chain(core::iter::repeat_n(b'0', padding));
        let minor = digits.into_iter().try_fold(0_u128, |sum, byte| {
            let digit = byte.is_ascii_digit().then(|| u128::from(byte - b'0'))?;
            sum.checked_mul(10)?.checked_add(digit)
        })?;
        Some(Money(minor))
    }

    /// Prints major units with exactly `decimals` decimals.
    pub const fn display(self, decimals: u8) -> MoneyDisplay {
        MoneyDisplay { money: self, decimals }
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Money({})", self.0)
    }
}

/// Money on its way to a reader, in major units.
#[derive(Clone, Copy, Debug)]
pub struct MoneyDisplay {
    money: Money,
    decimals: u8,
}

impl fmt::Display for MoneyDisplay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.decimals == 0 {
            return write!(f, "{}", self.money.0);
        }
        let unit = 10_u128.saturating_pow(u32::from(self.decimals));
        let width = usize::from(self.decimals);
        write!(f, "{}.{:0width$}", self.money.0 / unit, self.money.0 % unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn major_units_go_there_and_back() {
        for (text, decimals, minor) in [
            ("10000.00", 2, 1_000_000),
            ("0.05", 2, 5),
            ("7", 0, 7),
            ("1.234", 3, 1_234),
            ("340282366920938463463374607431768211455", 0, u128::MAX),
        ] {
            let money = Money::parse(text, decimals).unwrap();
            assert_eq!(money.get(), minor);
            assert_eq!(money.display(decimals).to_string(), text);
        }
        assert_eq!(Money::parse("12", 2), Some(Money::new(1_200)));
        assert_eq!(Money::parse("12.5", 2), Some(Money::new(1_250)));
        assert_eq!(Money::parse("12.5000", 2), Some(Money::new(1_250)));
        assert_eq!(Money::parse("12.00", 0), Some(Money::new(12)));
    }

    #[test]
    fn what_is_no_amount_is_none() {
        for text in ["", ".", "1.", ".5", "-1", "+1", "1e3", "1,000", " 1", "1.005", "é", "1.é0", "１"] {
            assert_eq!(Money::parse(text, 2), None, "{text}");
        }
        assert_eq!(Money::parse("340282366920938463463374607431768211456", 0), None);
        assert_eq!(Money::parse("1", 200), None);
    }
}
