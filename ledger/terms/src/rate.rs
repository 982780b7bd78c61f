//! Rates as exact fractions of a per cent.

use core::fmt;

/// An exact percentage: `numerator / denominator` per cent. 3.7 % is 37/10.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Percent {
    numerator: u64,
    denominator: u64,
}

named! {
    /// What a rate is stated for.
    RateBasis {
        /// Per cent a year.
        Annual = 1, "annual_rate";
        /// Per cent a day.
        Daily = 2, "daily_rate";
    }
}

/// An interest rate: a percentage a year or a day.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Rate {
    /// Year or day.
    pub basis: RateBasis,
    /// How many per cent.
    pub percent: Percent,
}

/// The most decimals a percentage is read with.
const PERCENT_DECIMALS_MAX: usize = 15;

impl Percent {
    /// Zero per cent.
    pub const ZERO: Percent = Percent { numerator: 0, denominator: 1 };
    /// The largest percentage: ten thousand per cent, a hundred times the principal.
    pub const WHOLE_MAX: u64 = 10_000;
    /// The largest denominator: fifteen decimals.
    pub const DENOMINATOR_MAX: u64 = 1_000_000_000_000_000;

    /// `numerator / denominator` per cent in lowest terms, or `None` where the denominator is zero or above
    /// [`Self::DENOMINATOR_MAX`], or the percentage is above [`Self::WHOLE_MAX`].
    pub const fn new(numerator: u64, denominator: u64) -> Option<Percent> {
        if denominator == 0 {
            return None;
        }
        let (mut divisor, mut rest) = (denominator, numerator % denominator);
        while rest > 0 {
            (divisor, rest) = (rest, divisor % rest);
        }
        let (numerator, denominator) = (numerator / divisor, denominator / divisor);
        if denominator > Self::DENOMINATOR_MAX || numerator.div_ceil(denominator) > Self::WHOLE_MAX {
            return None;
        }
        Some(Percent { numerator, denominator })
    }

    /// The numerator, in lowest terms.
    pub const fn numerator(self) -> u64 {
        self.numerator
    }
    /// The denominator, in lowest terms, at least one.
    pub const fn denominator(self) -> u64 {
        self.denominator
    }
    /// Whether it is nothing.
    pub const fn is_zero(self) -> bool {
        self.numerator == 0
    }
    /// Whether it is a hundred per cent.
    pub const fn is_hundred(self) -> bool {
        self.numerator == 100 && self.denominator == 1
    }
    /// Whether it is more than a hundred per cent.
    pub const fn exceeds_hundred(self) -> bool {
        self.numerator > self.denominator.saturating_mul(100)
    }

    /// Reads a decimal such as `"3.7"` or `"0.05"`, with up to fifteen decimals.
    pub fn parse(text: &str) -> Option<Percent> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let bare_point = text.contains('.') && fraction.is_empty();
        let fraction = fraction.trim_end_matches('0');
        if whole.is_empty() || bare_point || fraction.len() > PERCENT_DECIMALS_MAX {
            return None;
        }
        let (numerator, denominator) = (whole.bytes().map(|byte| (byte, 1)))
            .chain(fraction.bytes().map(|byte| (byte, 10)))
            .try_fold((0_u64, 1_u64), |(sum, scale), (byte, step)| {
                let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
                Some((sum.checked_mul(10)?.checked_add(digit)?, scale.checked_mul(step)?))
            })?;
        Self::new(numerator, denominator)
    }
}

impl Rate {
    /// A rate by the year.
    pub const fn annual(percent: Percent) -> Rate {
        Rate { basis: RateBasis::Annual, percent }
    }
    /// A rate by the day.
    pub const fn daily(percent: Percent) -> Rate {
        Rate { basis: RateBasis::Daily, percent }
    }
}

impl fmt::Display for Percent {
    /// A decimal where it is one, else a fraction.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut scale, mut decimals) = (1_u64, 0_usize);
        while scale % self.denominator != 0 {
            decimals += 1;
            match scale.checked_mul(10) {
                Some(next) if decimals <= PERCENT_DECIMALS_MAX => scale = next,
                Some(_) | None => return write!(f, "{}/{}", self.numerator, self.denominator),
            }
        }
        let scaled = u128::from(self.numerator) * u128::from(scale / self.denominator);
        let (whole, fraction) = (scaled / u128::from(scale), scaled % u128::from(scale));
        if decimals == 0 { write!(f, "{whole}") } else { write!(f, "{whole}.{fraction:0decimals$}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_go_there_and_back() {
        for text in ["3.7", "0.05", "0", "36", "7.123456789012345", "10000"] {
            assert_eq!(Percent::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Percent::parse("7.20000000000000000000"), Percent::new(36, 5));
        assert_eq!(Percent::new(1, 3).unwrap().to_string(), "1/3");
    }

    #[test]
    fn what_is_no_percentage_is_none() {
        for text in
            ["", ".", "1.", ".5", "-1", "1e2", "10000.1", "7.1234567890123456", "99999999999999999999"]
        {
            assert_eq!(Percent::parse(text), None, "{text}");
        }
        assert_eq!(Percent::new(1, 0), None);
    }
}
