//! What is due, when: the schedule that follows from the terms.
//!
//! The walk goes from period to period. Each bears its interest exactly; it is rounded where it is billed. Of each
//! instalment what is not interest is principal, and the last takes the rest, so the principal parts always add up.

use crate::bearing::{Bearing, Owed};
use crate::day::Day;
use crate::draws::{Placed, place};
use crate::level::Exact;
use crate::money::Money;
use crate::periods::Span;
use crate::plain::Plain;
use crate::terms::{Amortisation, LaterDraws, Terms, TermsStatus};
use num_bigint::BigUint;

named! {
    /// What a row of a schedule is.
    RowKind {
        /// A share of a draw, paid back on the draw's day.
        DownPayment = 1, "down_payment";
        /// An instalment.
        Instalment = 2, "instalment";
        /// Fees that fall due after the last instalment.
        Fees = 3, "fees";
    }
}

/// One row of a schedule.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Instalment {
    /// Its place in the schedule, from one, over rows of every kind.
    pub n: u32,
    /// What kind of row it is.
    pub kind: RowKind,
    /// The first day of the period whose interest it bears; for rows without a period its due day.
    pub from: Day,
    /// The day it falls due.
    pub due: Day,
    /// The principal part.
    pub principal: Money,
    /// The interest part.
    pub interest: Money,
    /// Fees.
    pub fees: Money,
    /// Principal + interest + fees.
    pub total: Money,
    /// The principal still owed after it, draws on its due day included.
    pub outstanding: Money,
}

impl Instalment {
    /// A row with nothing in it, to be written over.
    pub const EMPTY: Instalment = Instalment {
        n: 0,
        kind: RowKind::Instalment,
        from: Day::MIN,
        due: Day::MIN,
        principal: Money::ZERO,
        interest: Money::ZERO,
        fees: Money::ZERO,
        total: Money::ZERO,
        outstanding: Money::ZERO,
    };
}

/// What is due, when. The principal parts add up to the loan, and the last `outstanding` is zero.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Schedule {
    /// The rows, by due day; an instalment stands before the down payment of a draw on its due day.
    pub instalments: Vec<Instalment>,
    /// All interest.
    pub total_interest: Money,
    /// All that is to be paid: principal, interest and fees.
    pub total: Money,
}

/// The schedule of these terms: the plain way where they are plain, else the exact way. The answer is the same.
///
/// # Errors
/// The first status that says why the terms cannot be kept.
pub fn schedule(terms: &Terms) -> Result<Schedule, TermsStatus> {
    match plain_schedule(terms) {
        Some(schedule) => Ok(schedule),
        None => exact_schedule(terms),
    }
}

/// The schedule by machine integers, where that can be.
fn plain_schedule(terms: &Terms) -> Option<Schedule> {
    let plain = Plain::of(terms)?;
    let mut rows = vec![Instalment::EMPTY; plain.row_count()];
    plain.rows(terms.principal, terms.disbursed_on, &mut rows)?;
    let total_interest = rows.iter().try_fold(Money::ZERO, |sum, row| sum.checked_add(row.interest))?;
    let total = total_interest.checked_add(terms.principal)?;
    Some(Schedule { instalments: rows, total_interest, total })
}

/// The schedule of these terms by whole numbers of any size: every kind of terms, and what the plain way is held
/// against.
///
/// # Errors
/// The first status that says why the terms cannot be kept.
pub fn exact_schedule(terms: &Terms) -> Result<Schedule, TermsStatus> {
    let spans = terms.check()?;
    let draws = place(terms, &spans)?;
    let parts = Walk::new(terms, &spans, &draws).parts().ok_or(TermsStatus::AmountTooLarge)?;
    rows(terms, &spans, &draws, &parts).ok_or(TermsStatus::AmountTooLarge)
}

/// Principal and interest of one instalment.
#[derive(Clone, Copy, Debug)]
struct Part {
    principal: Money,
    interest: Money,
}

/// The walk from period to period.
struct Walk<'a> {
    terms: &'a Terms,
    periods: usize,
    draws: &'a [Placed],
    bearing: Bearing,
    owed: Owed,
    /// How many draws have been made.
    arrived: usize,
    /// Interest that was borne and is not yet billed, over the bearing's denominator.
    unbilled: BigUint,
    billed: Money,
    /// The level total, or the equal part of principal, once there is one.
    regular: Option<Money>,
}

impl<'a> Walk<'a> {
    fn new(terms: &'a Terms, spans: &[Span], draws: &'a [Placed]) -> Walk<'a> {
        // The draws add up to the principal, which is bounded.
        let lent = Money::new(draws.iter().map(|draw| draw.financed().get()).sum());
        Walk {
            terms,
            periods: spans.len(),
            draws,
            bearing: Bearing::new(terms, spans, draws),
            owed: Owed { before: Money::ZERO, now: Money::ZERO, lent },
            arrived: 0,
            unbilled: BigUint::ZERO,
            billed: Money::ZERO,
            regular: None,
        }
    }

    /// Every instalment's principal and interest; `None` where a figure leaves 128 bits.
    fn parts(mut self) -> Option<Vec<Part>> {
        (0..self.periods).map(|index| self.part(index)).collect()
    }

    fn part(&mut self, index: usize) -> Option<Part> {
        let arrived = self.arrived..self.draws.partition_point(|draw| draw.period <= index);
        self.arrived = arrived.end;
        self.owed.before = self.owed.now;
        for draw in self.draws.iter().take(arrived.end).skip(arrived.start) {
            self.owed.now = self.owed.now.checked_add(draw.financed())?;
        }
        if !arrived.is_empty() {
            self.regular = None;
        }
        let own = self.bearing.period(index, self.owed.before, self.draws, arrived);
        let principal = self.principal(index, &own)?.min(self.owed.now);
        self.owed.now = self.owed.now.checked_sub(principal)?;
        let interest = self.bill(index, own)?;
        Some(Part { principal, interest })
    }

    fn is_last(&self, index: usize) -> bool {
        index.saturating_add(1) == self.periods
    }

    /// The interest billed with an instalment: its own and what grace has kept back, rounded once. The last one of a
    /// flat loan takes what is left of the whole.
    fn bill(&mut self, index: usize, own: BigUint) -> Option<Money> {
        self.unbilled += own;
        let kept_back = match self.terms.amortisation {
            Amortisation::Bullet => true,
            Amortisation::EqualInstalment | Amortisation::EqualPrincipal | Amortisation::InterestOnly => {
                index < usize::from(self.terms.grace.interest)
            }
        };
        if kept_back && !self.is_last(index) {
            return Some(Money::ZERO);
        }
        let interest = match self.bearing.total() {
            Some(total) if self.is_last(index) => self.rounded(total)?.saturating_sub(self.billed),
            Some(_) | None => self.rounded(&self.unbilled)?,
        };
        self.unbilled = BigUint::ZERO;
        self.billed = self.billed.checked_add(interest)?;
        Some(interest)
    }

    fn rounded(&self, numerator: &BigUint) -> Option<Money> {
        let rounding = &self.terms.rounding;
        rounding.mode.divide_any(numerator, self.bearing.denominator(), rounding.to)
    }

    /// The principal part of an instalment whose own interest is `own`; never more than is owed is taken of it.
    fn principal(&mut self, index: usize, own: &BigUint) -> Option<Money> {
        if self.is_last(index) {
            return Some(self.owed.now);
        }
        if index < usize::from(self.terms.grace.principal) {
            return Some(Money::ZERO);
        }
        match self.terms.amortisation {
            Amortisation::InterestOnly | Amortisation::Bullet => Some(Money::ZERO),
            Amortisation::EqualPrincipal => {
                let part = match self.regular {
                    Some(part) => part,
                    None => self.equal_part(index)?,
                };
                self.regular = Some(part);
                Some(part)
            }
            Amortisation::EqualInstalment => {
                let level = match self.regular {
                    Some(level) => level,
                    None => self.level(index, own)?,
                };
                // A period that bears more than the level (a very long first one) pays its interest and no
                // principal, and the level is solved again over the rest.
                let principal = level.checked_sub(self.rounded(own)?);
                self.regular = principal.map(|_| level);
                Some(principal.unwrap_or(Money::ZERO))
            }
        }
    }

    fn equal_part(&self, index: usize) -> Option<Money> {
        let (amount, first) = match self.terms.later_draws {
            LaterDraws::RemainingTerm => (self.owed.now, index),
            LaterDraws::WholeTerm => (self.owed.lent, usize::from(self.terms.grace.principal)),
        };
        let instalments = u128::try_from(self.periods.checked_sub(first)?).ok()?;
        self.terms.rounding.mode.divide(amount.get(), instalments, self.terms.rounding.to)
    }

    fn level(&self, index: usize, own: &BigUint) -> Option<Money> {
        let Exact { numerator, denominator } = match self.terms.later_draws {
            LaterDraws::RemainingTerm => self.bearing.level(index, self.owed, own)?,
            LaterDraws::WholeTerm => {
                self.bearing.whole_term_level(usize::from(self.terms.grace.principal), self.owed)?
            }
        };
        let rounding = &self.terms.rounding;
        rounding.mode.divide_any(&numerator, &denominator, rounding.instalment_unit())
    }
}

/// Puts instalments, down payments and fees in order.
fn rows(terms: &Terms, spans: &[Span], draws: &[Placed], parts: &[Part]) -> Option<Schedule> {
    let mut book = Rows::new(draws);
    for (index, (span, part)) in spans.iter().zip(parts).enumerate() {
        for draw in draws.iter().filter(|draw| draw.period == index && !draw.down.is_zero()) {
            book.push(RowKind::DownPayment, (draw.on, draw.on), draw.down, Money::ZERO)?;
        }
        let is_row = match terms.amortisation {
            Amortisation::Bullet => index.saturating_add(1) == spans.len(),
            Amortisation::EqualInstalment | Amortisation::EqualPrincipal | Amortisation::InterestOnly => true,
        };
        if is_row {
            let from =
                if terms.amortisation == Amortisation::Bullet { terms.disbursed_on } else { span.from };
            book.push(RowKind::Instalment, (from, span.due), part.principal, part.interest)?;
        }
    }
    for fee in &terms.fees {
        book.charge(fee.on, fee.amount)?;
    }
    book.close()
}

/// The rows as they grow.
struct Rows<'a> {
    draws: &'a [Placed],
    listed: Vec<Instalment>,
    repaid: Money,
}

impl<'a> Rows<'a> {
    fn new(draws: &'a [Placed]) -> Rows<'a> {
        Rows { draws, listed: Vec::new(), repaid: Money::ZERO }
    }

    fn push(
        &mut self,
        kind: RowKind,
        (from, due): (Day, Day),
        principal: Money,
        interest: Money,
    ) -> Option<()> {
        self.repaid = self.repaid.checked_add(principal)?;
        let before = self.draws.iter().take_while(|draw| draw.on <= due);
        let drawn = before.map(|draw| draw.drawn).try_fold(Money::ZERO, Money::checked_add)?;
        self.listed.push(Instalment {
            kind,
            from,
            due,
            principal,
            interest,
            outstanding: drawn.checked_sub(self.repaid)?,
            ..Instalment::EMPTY
        });
        Some(())
    }

    /// Bills a fee with the first instalment due on or after its day, else with a row of its own day at the end.
    fn charge(&mut self, on: Day, amount: Money) -> Option<()> {
        let billed_with = |row: &&mut Instalment| match row.kind {
            RowKind::Instalment => row.due >= on,
            RowKind::Fees => row.due == on,
            RowKind::DownPayment => false,
        };
        if let Some(row) = self.listed.iter_mut().find(billed_with) {
            row.fees = row.fees.checked_add(amount)?;
            return Some(());
        }
        if amount.is_zero() {
            return Some(());
        }
        let place = self.listed.partition_point(|row| row.due < on);
        self.listed.insert(
            place,
            Instalment { kind: RowKind::Fees, from: on, due: on, fees: amount, ..Instalment::EMPTY },
        );
        Some(())
    }

    /// Numbers the rows and adds them up.
    fn close(mut self) -> Option<Schedule> {
        let (mut total_interest, mut total) = (Money::ZERO, Money::ZERO);
        for (n, row) in (1_u32..).zip(&mut self.listed) {
            row.n = n;
            row.total = row.principal.checked_add(row.interest)?.checked_add(row.fees)?;
            total_interest = total_interest.checked_add(row.interest)?;
            total = total.checked_add(row.total)?;
        }
        Some(Schedule { instalments: self.listed, total_interest, total })
    }
}
