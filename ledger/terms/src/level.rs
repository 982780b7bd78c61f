//! The level instalment, solved exactly.
//!
//! Let period i bear f(i) per unit of what is owed. A level instalment A takes what is owed from w to w x (1 + f) - A.
//! Setting what is owed after the last instalment to zero and solving for A:
//!
//! A = w(k) x (1 + f(k+1)) ... (1 + f(n)) / sum over m from k to n of (1 + f(m+1)) ... (1 + f(n))
//!
//! where w(k) is what is owed at the end of period k, its interest included. With every f = g / d over one common
//! denominator d the numerator and the denominator are whole numbers, so nothing is rounded before A itself.

use crate::factor::{Factor, divisor_in_common};
use num_bigint::BigUint;

/// Factors brought to one denominator.
pub(crate) struct Common {
    /// The denominator of all.
    pub(crate) denominator: BigUint,
}

impl Common {
    /// The least common denominator of all factors.
    pub(crate) fn of(factors: impl Iterator<Item = Factor>) -> Common {
        let mut denominator = BigUint::from(1_u8);
        for factor in factors {
            // The remainder of a division by 128 bits fits 128 bits.
            let rest = u128::try_from(&denominator % factor.denominator()).unwrap_or(0);
            denominator *= factor.denominator() / divisor_in_common(factor.denominator(), rest);
        }
        Common { denominator }
    }

    /// A factor's numerator over the common denominator.
    pub(crate) fn numerator(&self, factor: Factor) -> BigUint {
        &self.denominator / factor.denominator() * factor.numerator()
    }
}

/// What the level of each period is multiplied by and divided by, from the last period backwards.
pub(crate) struct Levels {
    /// For each period k: the product of (d + g) after k, and the weighted sum of such products from k on, times d.
    weights: Vec<(BigUint, BigUint)>,
}

/// An exact figure, `numerator / denominator`.
pub(crate) struct Exact {
    pub(crate) numerator: BigUint,
    pub(crate) denominator: BigUint,
}

impl Levels {
    /// Prepares the levels of all periods whose factors have these numerators over `denominator`.
    pub(crate) fn new(numerators: &[BigUint], denominator: &BigUint) -> Levels {
        let mut product = BigUint::from(1_u8);
        let mut sum = BigUint::ZERO;
        let mut weights = Vec::with_capacity(numerators.len());
        for numerator in numerators.iter().rev() {
            sum = &product + sum * denominator;
            weights.push((product.clone(), &sum * denominator));
            product *= denominator + numerator;
        }
        weights.reverse();
        Levels { weights }
    }

    /// The level from period `index` on that clears `owed`: what is owed at that period's end, interest included, as
    /// a numerator over the common denominator. `None` beyond the last period.
    pub(crate) fn clearing(&self, index: usize, owed: &BigUint) -> Option<Exact> {
        let (product, sum) = self.weights.get(index)?;
        Some(Exact { numerator: owed * product, denominator: sum.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_clears_what_is_owed() {
        // 100 at 10 % and 20 %: A = 110 x 1.2 / (1.2 + 1) = 60.
        let factors = [Factor::new(1, 10).unwrap(), Factor::new(1, 5).unwrap()];
        let common = Common::of(factors.into_iter());
        assert_eq!(common.denominator, BigUint::from(10_u8));
        let numerators = factors.map(|factor| common.numerator(factor));
        let levels = Levels::new(&numerators, &common.denominator);
        let owed = BigUint::from(100_u8) * (&common.denominator + &numerators[0]);
        let level = levels.clearing(0, &owed).unwrap();
        assert_eq!(level.numerator, level.denominator * 60_u8);
        assert!(levels.clearing(2, &owed).is_none());
    }

    #[test]
    fn one_denominator_for_all() {
        let factors = [(37, 12_000), (1, 365), (1, 366), (0, 1)].map(|(n, d)| Factor::new(n, d).unwrap());
        let common = Common::of(factors.into_iter());
        assert_eq!(common.denominator, BigUint::from(12_000_u64 * 73 * 61));
        assert_eq!(common.numerator(factors[0]), BigUint::from(37_u64 * 73 * 61));
    }
}
