//! Interest that was earned and is not billed yet, of all loans of a product together.
//!
//! What a loan earns is [`Unbilled`]: a sum that bears so much for each tick from a day on (its principal in the period
//! that runs, or where interest is fixed at the outset that interest), less what of its interest was recognised before
//! its days had come. Loans with one rate and one clock are one line of [`Accruals`]: the sum of what they owe, and of
//! what they owe times the ticks at which each began. So any day's interest of all of them is one multiplication,
//! exact, and rounded once for the product, half to even; a day costs as much as there are rates, not loans.
//!
//! Loans enter, change and leave their line with the events and the wakings that change their positions. Day-end posts
//! the difference to the day before: accrued interest against interest income. When a bill comes, its loan begins anew
//! with nothing on the due day, so the accrual goes as the receivable comes. Between two day-ends the account stands as
//! of the last one; an event that changes what its loan had earned by then (a settlement, a backdated draw, a write-off)
//! posts that too, so that no interest is income twice.
//!
//! **Invariants.** The lines are the sum over all loans of what each of them is from its record or its fold; the audit
//! adds them up again. A line whose sums are nothing is not kept. Loans in non-accrual, given up, sold or settled are in
//! no line. Money is below 2^80, ticks below 2^27, loans fewer than 2^32: no sum passes 128 bits.
//! **Deliberately absent.** Interest and fees for lateness: they are charged day by day, and in the positions.
//! Tested in `tests/course.rs` (courses against the fold) and `tests/loan_model` (against a walk over every day).

use super::accrual;
use super::contract::InterestOn;
use super::life::Life;
use super::money::Money;
use super::position::standing;
use super::product::Product;
use super::row::{Row, RowKind};
use fen_terms::{Accruing, Amortisation, Day, InterestMethod, RoundingMode, TickRate};
use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::Zero;
use std::collections::BTreeMap;

/// A sum that bears interest from a day on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Running {
    pub(crate) rate: TickRate,
    pub(crate) sum: Money,
    pub(crate) from: Day,
}

/// What a loan earns before it is billed, until its next change.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct Unbilled {
    /// Hardly a loan has more than this.
    running: Option<Running>,
    more: Vec<Running>,
    /// Interest recognised before its days had come.
    ahead: Money,
}

impl Unbilled {
    /// Of one sum.
    pub(crate) fn of(running: Running, ahead: Money) -> Self {
        Self { running: Some(running), more: Vec::new(), ahead }
    }

    fn push(&mut self, running: Running) {
        if self.running.is_none() {
            self.running = Some(running);
        } else {
            self.more.push(running);
        }
    }

    fn all(&self) -> impl Iterator<Item = &Running> {
        self.running.iter().chain(&self.more)
    }

    /// Whether nothing of it was earned, or recognised ahead, when a day began.
    fn is_nothing_on(&self, day: Day) -> bool {
        self.ahead.is_zero() && self.all().all(|running| running.from == day)
    }
}

/// Loans with one rate and one clock.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Line {
    /// What bears.
    pub(crate) sum: i128,
    /// Each times the ticks at which it began to.
    pub(crate) ticks: i128,
}

/// The interest of a product's loans that is not billed yet.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct Accruals {
    pub(crate) lines: BTreeMap<TickRate, Line>,
    /// Interest recognised before its days had come.
    pub(crate) ahead: Money,
    /// What of it stands in the general ledger.
    pub(crate) posted: Money,
}

impl Accruals {
    /// Whether nothing runs and nothing is posted.
    pub(crate) fn is_idle(&self) -> bool {
        self.lines.is_empty() && self.ahead.is_zero() && self.posted.is_zero()
    }

    /// A loan that was one thing is another.
    pub(crate) fn shift(&mut self, before: &Unbilled, after: &Unbilled) {
        if before == after {
            return;
        }
        for running in before.all() {
            self.add(running, -1);
        }
        for running in after.all() {
            self.add(running, 1);
        }
        self.ahead += after.ahead - before.ahead;
    }

    /// By how much the sums as of a day change, to the fen, when a loan that was one thing is another.
    pub(crate) fn change(&self, before: &Unbilled, after: &Unbilled, day: Day) -> Money {
        let is_alike = before == after || (before.is_nothing_on(day) && after.is_nothing_on(day));
        if is_alike {
            return Money::ZERO;
        }
        let mut changed = self.clone();
        changed.shift(before, after);
        changed.as_of(day) - self.as_of(day)
    }

    fn add(&mut self, running: &Running, sign: i128) {
        if running.sum.is_zero() || running.rate.numerator == 0 {
            return;
        }
        let begun = i128::from(running.rate.clock.at(running.from));
        let bears = running.sum.get().checked_mul(sign);
        let ticks = bears.and_then(|bears| bears.checked_mul(begun));
        let (Some(bears), Some(ticks)) = (bears, ticks) else {
            panic!("sums of money times ticks are bounded")
        };
        let line = self.lines.entry(running.rate).or_default();
        line.sum = line.sum.checked_add(bears).expect("sums of money are bounded");
        line.ticks = line.ticks.checked_add(ticks).expect("sums of money times ticks are bounded");
        if *line == Line::default() {
            self.lines.remove(&running.rate);
        }
    }

    /// What was earned before a day began and is not billed, less what was recognised ahead, to the fen.
    pub(crate) fn as_of(&self, day: Day) -> Money {
        let exact = self.exactly(day);
        let size = if exact < BigRational::zero() { -&exact } else { exact.clone() };
        let rounded = RoundingMode::HalfEven.round(&size, fen_terms::Money::new(1));
        let rounded = super::life::from_terms(rounded.expect("interest on bounded principal is bounded"));
        if exact < BigRational::zero() { -rounded } else { rounded }
    }

    /// The same, exactly.
    pub(crate) fn exactly(&self, day: Day) -> BigRational {
        let mut exact = -accrual::exact(self.ahead);
        for (rate, line) in &self.lines {
            let per_tick = BigRational::new(BigInt::from(rate.numerator), BigInt::from(rate.denominator));
            exact += (whole(line.sum) * whole(rate.clock.at(day)) - whole(line.ticks)) * per_tick;
        }
        exact
    }
}

fn whole(number: impl Into<BigInt>) -> BigRational {
    BigRational::from_integer(number.into())
}

impl Life<'_> {
    /// What the loan earns as of a day before it is billed.
    pub(crate) fn unbilled(&self, product: &Product, as_of: Day) -> Unbilled {
        let is_given_up = self.written_off_on.is_some() || self.charged_off.is_some() || self.sold.is_some();
        let is_settled = self.is_settled_early || !self.outstanding().total().is_positive();
        if is_given_up || is_settled || standing(self, product, as_of).is_non_accrual {
            return Unbilled::default();
        }
        let mut unbilled = Unbilled::default();
        let instalments = || self.rows.iter().filter(|row| row.kind == RowKind::Instalment);
        let grace = self.terms.grace;
        if let Some(current) = instalments().position(|row| row.due_on > as_of) {
            // Interest that grace withholds is billed with the first instalment after it.
            let first = if current <= usize::from(grace.interest) { 0 } else { current };
            let free = usize::from(grace.interest_free);
            let bearing = instalments().take(current.saturating_add(1)).skip(first.max(free));
            bearing.for_each(|row| self.let_run(row, as_of, &mut unbilled));
        }
        for row in self.rows.iter().filter(|row| row.due_on > as_of) {
            unbilled.ahead += row.paid.interest + row.waived.interest - row.interest_carried;
            if row.kind == RowKind::Arrears {
                unbilled.ahead -= row.due.interest;
            }
        }
        unbilled
    }

    /// Adds the sums that bear the interest of an instalment, each from its first day on; one that bears no more counts
    /// against itself from then on.
    fn let_run(&self, row: &Row, as_of: Day, unbilled: &mut Unbilled) {
        let Some(span) = &row.span else { return };
        let mut bearing: Vec<(Running, Day)> = Vec::new();
        if self.terms.interest == InterestMethod::Flat || self.terms.amortisation == Amortisation::Bullet {
            let rate = TickRate::of_days(row.planned_days());
            bearing.push((Running { rate, sum: row.interest_planned, from: row.from }, row.due_on));
        } else {
            let real_until = match self.contract.interest_on {
                InterestOn::Schedule => None,
                InterestOn::Balance => Some(row.due_on),
            };
            let (day_count, accrual) = (self.contract.terms.day_count, self.contract.terms.accrual);
            for (from, to) in self.stretches(row.from, row.due_on, real_until) {
                let sum = self.bearing_on(from, real_until).or_zero();
                let rate = Accruing { rate: self.rate_on(from), day_count, accrual }.tick_rate(span);
                match bearing.last_mut() {
                    Some((before, end)) if before.sum == sum && before.rate == rate => *end = to,
                    _ => bearing.push((Running { rate, sum, from }, to)),
                }
            }
        }
        for (running, end) in bearing {
            unbilled.push(running);
            if end < row.due_on || row.due_on <= as_of {
                unbilled.push(Running { sum: -running.sum, from: end, ..running });
            }
        }
    }
}
