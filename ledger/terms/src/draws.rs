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
            Ok(Placed { period, on: draw.on, drawn: draw.amount, down: down_payment(terms, draw.amount)? })
        })
        .collect()
}

/// The share of a draw that is paid back on its day, rounded once, never more than the draw.
fn down_payment(terms: &Terms, drawn: Money) -> Result<Money, TermsStatus> {
    let Some(percent) = terms.down_payment else {
        return Ok(Money::ZERO);
    };
    // At most 64 + 57 bits, and 50 + 7.
    let numerator = drawn.get() * u128::from(percent.numerator());
    let denominator = u128::from(percent.denominator()) * 100;
    let down = terms.rounding.mode.divide(numerator, denominator, terms.rounding.instalment_unit());
    Ok(down.ok_or(TermsStatus::AmountTooLarge)?.min(drawn))
}
