//! What each period bears, exactly: on the declining balance, or flat.
//!
//! Declining interest is what is owed times the factor of the stretch it was owed in. Flat interest is reckoned draw by
//! draw, on the first principal from the draw's day to the end of the loan, and spread evenly over the instalments: what
//! an interest-free period would have borne is not charged to the others.

use crate::draws::Placed;
use crate::factor::{Factor, divisor_in_common};
use crate::level::{Common, Exact, Levels};
use crate::money::Money;
use crate::periods::Span;
use crate::terms::{Amortisation, FlatBase, InterestMethod, LaterDraws, Terms};
use num_bigint::BigUint;

/// What a period bears, as numerators over one denominator.
pub(crate) enum Bearing {
    Declining(Declining),
    Flat(Flat),
}

/// Interest on what is owed.
pub(crate) struct Declining {
    denominator: BigUint,
    /// What a unit owed over all of each period bears; nothing in an interest-free one.
    periods: Vec<BigUint>,
    /// What a unit of each draw bears in the period that holds its day.
    draws: Vec<BigUint>,
    /// Only where a level is to be solved.
    levels: Option<Levels>,
}

/// Interest on what was lent.
pub(crate) struct Flat {
    denominator: BigUint,
    /// What each draw adds to every instalment due after it.
    shares: Vec<BigUint>,
    /// The sum of the shares of the draws so far; of all draws, where they are spread over the whole term.
    share: BigUint,
    /// All that is charged.
    total: BigUint,
    periods: usize,
    interest_free: usize,
}

/// What is owed at a point of the walk through the periods.
#[derive(Clone, Copy)]
pub(crate) struct Owed {
    /// Before the draws of this period.
    pub(crate) before: Money,
    /// With the draws of this period.
    pub(crate) now: Money,
    /// All that is ever drawn, less down payments.
    pub(crate) lent: Money,
}

impl Bearing {
    pub(crate) fn new(terms: &Terms, spans: &[Span], draws: &[Placed]) -> Bearing {
        match terms.interest {
            InterestMethod::Declining => Bearing::Declining(Declining::new(terms, spans, draws)),
            InterestMethod::Flat => Bearing::Flat(Flat::new(terms, spans, draws)),
        }
    }

    /// The denominator of everything here.
    pub(crate) fn denominator(&self) -> &BigUint {
        match self {
            Bearing::Declining(declining) => &declining.denominator,
            Bearing::Flat(flat) => &flat.denominator,
        }
    }

    /// What period `index` bears; `arrived` are its draws, as a range of all draws.
    pub(crate) fn period(
        &mut self,
        index: usize,
        before: Money,
        draws: &[Placed],
        arrived: core::ops::Range<usize>,
    ) -> BigUint {
        match self {
            Bearing::Declining(declining) => declining.period(index, before, draws, arrived),
            Bearing::Flat(flat) => flat.period(index, arrived),
        }
    }

    /// All interest of the loan, where it is known beforehand.
    pub(crate) fn total(&self) -> Option<&BigUint> {
        match self {
            Bearing::Declining(_) => None,
            Bearing::Flat(flat) => Some(&flat.total),
        }
    }

    /// The level that clears what is owed from period `index` on, its interest being `own`.
    pub(crate) fn level(&self, index: usize, owed: Owed, own: &BigUint) -> Option<Exact> {
        match self {
            Bearing::Declining(declining) => {
                let owed = &declining.denominator * owed.now.get() + own;
                declining.levels.as_ref()?.clearing(index, &owed)
            }
            Bearing::Flat(flat) => flat.level(index, owed.now),
        }
    }

    /// The level that would clear all draws over the whole term, had they been made at the start; `first` is the first
    /// period with principal.
    pub(crate) fn whole_term_level(&self, first: usize, owed: Owed) -> Option<Exact> {
        match self {
            Bearing::Declining(declining) => {
                let owed = (&declining.denominator + declining.periods.get(first)?) * owed.lent.get();
                declining.levels.as_ref()?.clearing(first, &owed)
            }
            Bearing::Flat(flat) => flat.level(first, owed.lent),
        }
    }
}

/// The factors of every period, and of every draw in the period that holds its day.
fn factors(terms: &Terms, spans: &[Span], draws: &[Placed]) -> (Vec<Factor>, Vec<Factor>) {
    let accruing = terms.accruing();
    let periods = spans.iter().map(|span| accruing.factor(span, span.from, span.due)).collect();
    let draws = (draws.iter())
        .map(|draw| {
            spans.get(draw.period).map_or(Factor::ZERO, |span| accruing.factor(span, draw.on, span.due))
        })
        .collect();
    (periods, draws)
}

impl Declining {
    fn new(terms: &Terms, spans: &[Span], draws: &[Placed]) -> Declining {
        let (mut periods, mut first) = factors(terms, spans, draws);
        let interest_free = usize::from(terms.grace.interest_free);
        periods.iter_mut().take(interest_free).for_each(|factor| *factor = Factor::ZERO);
        for (factor, draw) in first.iter_mut().zip(draws) {
            if draw.period < interest_free {
                *factor = Factor::ZERO;
            }
        }
        let common = Common::of(periods.iter().chain(&first).copied());
        let periods: Vec<BigUint> = periods.into_iter().map(|factor| common.numerator(factor)).collect();
        let draws = first.into_iter().map(|factor| common.numerator(factor)).collect();
        let levels = match terms.amortisation {
            Amortisation::EqualInstalment => Some(Levels::new(&periods, &common.denominator)),
            Amortisation::EqualPrincipal | Amortisation::InterestOnly | Amortisation::Bullet => None,
        };
        Declining { denominator: common.denominator, periods, draws, levels }
    }

    fn period(
        &self,
        index: usize,
        before: Money,
        draws: &[Placed],
        arrived: core::ops::Range<usize>,
    ) -> BigUint {
        let on_balance = self.periods.get(index).map_or(BigUint::ZERO, |numerator| numerator * before.get());
        let first = self.draws.iter().zip(draws).take(arrived.end).skip(arrived.start);
        first.fold(on_balance, |sum, (numerator, draw)| sum + numerator * draw.financed().get())
    }
}

impl Flat {
    fn new(terms: &Terms, spans: &[Span], draws: &[Placed]) -> Flat {
        let (periods, first) = factors(terms, spans, draws);
        let common = Common::of(periods.iter().chain(&first).copied());
        let interest_free = usize::from(terms.grace.interest_free);
        // Each draw is spread over so many instalments; all shares are brought to one denominator.
        let spread = |draw: &Placed| {
            let instalments = match terms.later_draws {
                LaterDraws::RemainingTerm => spans.len().saturating_sub(draw.period),
                LaterDraws::WholeTerm => spans.len(),
            };
            u128::try_from(instalments.max(1)).unwrap_or(1)
        };
        let mut scale = BigUint::from(1_u8);
        for instalments in draws.iter().map(spread) {
            let rest = u128::try_from(&scale % instalments).unwrap_or(0);
            scale *= instalments / divisor_in_common(instalments, rest);
        }
        let (mut shares, mut total) = (Vec::with_capacity(draws.len()), BigUint::ZERO);
        for (draw, own) in draws.iter().zip(first) {
            let base = match terms.flat_base {
                FlatBase::Financed => draw.financed(),
                FlatBase::Drawn => draw.drawn,
            };
            let later = periods.iter().skip(draw.period.saturating_add(1));
            let factor = later.fold(common.numerator(own), |sum, factor| sum + common.numerator(*factor));
            let interest = factor * base.get();
            let share = &interest * (&scale / spread(draw));
            let first = match terms.later_draws {
                LaterDraws::RemainingTerm => draw.period,
                LaterDraws::WholeTerm => 0,
            };
            total += interest * &scale - &share * BigUint::from(interest_free.saturating_sub(first));
            shares.push(share);
        }
        let denominator = common.denominator * scale;
        let mut flat =
            Flat { denominator, shares, share: BigUint::ZERO, total, periods: spans.len(), interest_free };
        if terms.later_draws == LaterDraws::WholeTerm {
            flat.share = flat.shares.drain(..).sum();
        }
        flat
    }

    fn period(&mut self, index: usize, arrived: core::ops::Range<usize>) -> BigUint {
        for share in self.shares.iter().take(arrived.end).skip(arrived.start) {
            self.share += share;
        }
        if index < self.interest_free { BigUint::ZERO } else { self.share.clone() }
    }

    /// The balance and the interest from period `index` on, spread evenly over the instalments from there.
    fn level(&self, index: usize, balance: Money) -> Option<Exact> {
        let instalments = self.periods.checked_sub(index).filter(|count| *count > 0)?;
        let bearing = self.periods.saturating_sub(index.max(self.interest_free));
        Some(Exact {
            numerator: &self.denominator * balance.get() + &self.share * bearing,
            denominator: &self.denominator * instalments,
        })
    }
}
