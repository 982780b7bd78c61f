//! Draws: what is paid out when, what of it is paid back at once, and in which period the rest begins to bear interest.

use crate::day::Day;
use crate::money::Money;
use crate::periods::Span;
use crate::terms::{Terms, TermsStatus};

/// A draw with its place in the schedule.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placed {
    /// The period that holds its day; a draw on a due day belongs to the period that begins there.
    pub(crate) period: usize,
    /// Its day.
    pub(crate) on: Day,
    /// All that is paid out.
    pub(crate) drawn: Money,
    /// What is paid back on the same day.
    pub(crate) down: Money,
}

impl Placed {
    /// What is left after the down payment; it bears interest.
    pub(crate) fn financed(&self) -> Money {
        self.drawn.saturating_sub(self.down)
    }
}

/// Every draw, by day.
pub(crate) fn place(terms: &Terms, spans: &[Span]) -> Result<Vec<Placed>, TermsStatus> {
    (terms.draws().iter())
        .map(|draw| {
            let period = spans.partition_point(|span| span.due <= draw.on);
            let down = terms.down_payment_of(draw.amount).ok_or(TermsStatus::AmountTooLarge)?;
            Ok(Placed { period, on: draw.on, drawn: draw.amount, down })
        })
        .collect()
}

impl Terms {
    /// The share of a draw that is paid back on its day, rounded once, never more than the draw; `None` beyond 128 bits.
    pub fn down_payment_of(&self, drawn: Money) -> Option<Money> {
        let Some(percent) = self.down_payment else { return Some(Money::ZERO) };
        let numerator = drawn.get().checked_mul(u128::from(percent.numerator()))?;
        let denominator = u128::from(percent.denominator()).checked_mul(100)?;
        let down = self.rounding.mode.divide(numerator, denominator, self.rounding.instalment_unit())?;
        Some(down.min(drawn))
    }
}
