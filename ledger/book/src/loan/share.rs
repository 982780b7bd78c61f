//! Splitting an amount by shares, to the fen.
//!
//! The rule for odd fen: each funder gets its share rounded down to the fen, and the bank, which is never on the list,
//! gets what is left of the whole. So the parts always add up, and every funder can reckon its own from the total
//! alone. Running totals are split, never single amounts, so no fen is lost however often money moves.

use super::accrual;
use super::money::Money;
use super::product::Funder;
use fen_terms::Percent;

/// The funders' parts of a total, in the order of the list; the bank's is the rest.
pub fn split(total: Money, funders: &[Funder]) -> Vec<Money> {
    funders.iter().map(|funder| share_of(total, funder.share)).collect()
}

/// A share of a total, rounded down to the fen.
pub fn share_of(total: Money, share: Percent) -> Money {
    let hundredth = accrual::ratio(share.numerator(), share.denominator()) / accrual::ratio(100, 1);
    accrual::round_down(&(accrual::exact(total) * hundredth))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bank_bears_the_odd_fen() {
        let third = Percent::new(100, 3).unwrap();
        let funders = [Funder { id: 1, share: third }, Funder { id: 2, share: third }];
        for total in [0, 1, 2, 3, 100, 1_000_001] {
            let parts = split(Money::new(total), &funders);
            let bank = total - parts.iter().map(|part| part.get()).sum::<i128>();
            assert!((0..3).contains(&(bank - total / 3)), "{total}");
        }
    }
}
