//! Which loans run an ordinary course: those whose product and contract hold nothing that the course does not know.
//!
//! Every field of a product, a contract and its terms is named here, one by one: whoever adds a field must say here
//! whether a loan that uses it is still ordinary, or the house does not build.

use super::super::allocation::{Age, Allocation, Direction, InAdvance};
use super::super::classes::Classes;
use super::super::contract::{Contract, InterestOn};
use super::super::fees::Fees;
use super::super::money::{Component, Money};
use super::super::position::Standing;
use super::super::product::Product;
use fen_terms::{DayCount, Instalment, Plain, RateBasis, Rounding, Terms, TickRate};

/// Figures of the interest for lateness stay below this, so that no product passes 128 bits.
const FIGURE_MAX: u128 = 1 << 60;

/// The largest principal, in minor units: times the days of three centuries it still fits 64 bits.
pub(super) const PRINCIPAL_MAX: i128 = 1 << 46;

/// How overdue principal bears interest: this much for each unit and day.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct LateRate {
    pub(super) numerator: u128,
    pub(super) denominator: u128,
}

/// What all loans of one contract share on their ordinary course.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Ordinary {
    pub(super) plain: Plain,
    pub(super) late: Option<LateRate>,
    pub(super) rounding: Rounding,
    /// The components in the order in which they are paid, by age.
    components: [[Component; 4]; 3],
    pub(super) in_advance: InAdvance,
    pub(super) collects: bool,
    pub(super) classes: Classes,
    pub(super) write_off_days: Option<u16>,
}

impl Ordinary {
    /// How loans of a contract run, or `None` where any of it asks for the fold.
    pub(crate) fn of(contract: &Contract, product: &Product) -> Option<Self> {
        // Those not looked at bear on whether a loan is made, or only on events that are folded anyway.
        let Product {
            id: _,
            ledger: _,
            terms: _,
            amount: _,
            periods: _,
            rate: _,
            allocation: _,
            in_advance: _,
            prepayment: _,
            interest_on: _,
            settlement_day: _,
            down_payment_from: _,
            penalty_multiple: _,
            collects,
            collects_in_full: _,
            classes,
            limits: _,
            funders,
            is_stopped: _,
            fees: _,
            holidays: _,
            draws_max: _,
            line: _,
            write_off_days,
            subsidy: _,
            compensation: _,
        } = product;
        let Contract {
            terms,
            allocation,
            in_advance,
            prepayment: _,
            interest_on,
            settlement_day: _,
            // Terms with a down payment are not plain.
            down_payment_from: _,
            penalty_multiple: _,
            fees,
            holidays,
            subsidy,
            subsidy_room: _,
        } = contract;
        let asks_for_the_fold = !funders.is_empty()
            || *interest_on != InterestOn::Schedule
            || *fees != Fees::default()
            || holidays.is_some()
            || subsidy.is_some();
        if asks_for_the_fold {
            return None;
        }
        Some(Self {
            plain: Plain::of(terms)?,
            late: late_rate(contract)?,
            rounding: terms.rounding,
            components: components(allocation)?,
            in_advance: *in_advance,
            collects: *collects,
            classes: *classes,
            write_off_days: *write_off_days,
        })
    }

    /// Whether the plain way can tell the instalments of a loan.
    pub(crate) fn keeps(&self, principal: Money, disbursed_on: fen_terms::Day) -> bool {
        let is_bounded = principal.is_positive() && principal.get() <= PRINCIPAL_MAX;
        is_bounded && (self.plain.is_sure(disbursed_on) || self.rows(principal, disbursed_on).is_some())
    }

    /// The instalments of a loan; `None` where the plain way cannot tell them.
    pub(crate) fn rows(&self, principal: Money, disbursed_on: fen_terms::Day) -> Option<Vec<Instalment>> {
        if !principal.is_positive() || principal.get() > PRINCIPAL_MAX {
            return None;
        }
        let mut rows = vec![Instalment::EMPTY; self.plain.row_count()];
        let written = self.plain.rows(super::super::life::to_terms(principal), disbursed_on, &mut rows)?;
        (written == rows.len() && u16::try_from(written).is_ok()).then_some(rows)
    }

    /// How a loan stands so many days past due.
    pub(super) fn standing(&self, days: u32) -> Standing {
        Standing {
            days_past_due: days,
            class: self.classes.class(days),
            stage: self.classes.stage(days),
            is_non_accrual: self.classes.is_non_accrual(days),
        }
    }

    /// What bears the interest of an instalment, and how much for each tick.
    pub(super) fn running(&self, row: &Instalment) -> (TickRate, Money) {
        let (rate, sum) = self.plain.running(row);
        (rate, super::super::life::from_terms(sum))
    }

    /// The components in the order in which a row of an age is paid.
    pub(super) fn components(&self, age: Age) -> [Component; 4] {
        match age {
            Age::PastDue => self.components[0],
            Age::Due => self.components[1],
            Age::InAdvance => self.components[2],
        }
    }

    /// Whether anything is charged for lateness.
    pub(super) fn bears_lateness(&self) -> bool {
        self.late.is_some()
    }
}

/// The orders of the components; `None` unless older debts come first, instalment by instalment.
fn components(allocation: &Allocation) -> Option<[[Component; 4]; 3]> {
    if allocation.direction != Direction::Horizontal || !allocation.ages().eq(Age::ALL) {
        return None;
    }
    let of = |age| allocation.components(age).collect::<Vec<_>>().try_into().ok();
    Some([of(Age::PastDue)?, of(Age::Due)?, of(Age::InAdvance)?])
}

/// What overdue principal bears for each day, or `Some(None)` where it bears nothing.
#[allow(clippy::option_option, reason = "the outer one is 'not ordinary', the inner one 'nothing'")]
fn late_rate(contract: &Contract) -> Option<Option<LateRate>> {
    let Terms {
        principal: _,
        rate,
        timing: _,
        amortisation: _,
        interest: _,
        accrual: _,
        day_count,
        disbursed_on: _,
        rounding: _,
        down_payment: _,
        flat_base: _,
        grace: _,
        disbursements: _,
        later_draws: _,
        fees: _,
    } = &contract.terms;
    let Some(multiple) = contract.penalty_multiple else { return Some(None) };
    if multiple.is_zero() || rate.percent.is_zero() {
        return Some(None);
    }
    let year_days: u128 = match (rate.basis, day_count) {
        (RateBasis::Daily, _) => 1,
        // A day's share changes with the year: the fold counts that.
        (RateBasis::Annual, DayCount::ActualActual) => return None,
        (RateBasis::Annual, DayCount::Actual365 | DayCount::Thirty365) => 365,
        (RateBasis::Annual, DayCount::Actual360 | DayCount::Thirty360) => 360,
        (RateBasis::Annual, DayCount::Actual364) => 364,
    };
    let (above, below) = (rate.percent.numerator(), rate.percent.denominator());
    let numerator = u128::from(above).checked_mul(u128::from(multiple.numerator()))?;
    let denominator = u128::from(below)
        .checked_mul(u128::from(multiple.denominator()))?
        .checked_mul(100)?
        .checked_mul(year_days)?;
    let fits = numerator < FIGURE_MAX && denominator < FIGURE_MAX;
    fits.then_some(Some(LateRate { numerator, denominator }))
}
