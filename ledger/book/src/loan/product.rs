//! A product: the terms and rules that its loans share, as data.
//!
//! A term that the product states holds for every loan; what it leaves open, each loan states for itself, within the
//! product's bands. Changing a product gives it a new version; loans keep the contract they were made under.

use super::allocation::{Allocation, InAdvance};
use super::classes::Classes;
use super::contract::{Contract, DownPaymentFrom, InterestOn, Prepayment, SettlementDay};
use super::fees::Fees;
use super::holidays::Holidays;
use super::money::{MONEY_MAX, Money};
use super::status::LoanStatus;
use super::subsidy::{Compensation, Subsidy};
use crate::quantity::LedgerCode;
use fen_terms::{
    Accrual, Amortisation, Day, DayCount, FlatBase, Grace, InterestMethod, LaterDraws, Percent, Period, Rate,
    Rounding, Terms, Timing,
};
use std::sync::Arc;

/// Names a product.
pub type ProductId = u128;

/// The most products of a bank.
pub const PRODUCTS_MAX: usize = 1 << 16;

/// The most funders of a product, the bank not counted.
pub const FUNDERS_MAX: usize = 8;

/// The most regions of a product.
pub const REGIONS_MAX: usize = 1_024;

/// Terms as one side states them; `None` leaves a term open.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct StatedTerms {
    /// The rate.
    pub rate: Option<Rate>,
    /// How many instalments.
    pub periods: Option<u16>,
    /// The distance between due days.
    pub period: Option<Period>,
    /// The first due day, and from then on the anchor.
    pub first_due_on: Option<Day>,
    /// The due days, one by one, instead of a count.
    pub due_dates: Option<Vec<Day>>,
    /// How principal comes back; equal instalments unless stated.
    pub amortisation: Option<Amortisation>,
    /// What interest is reckoned on; the declining balance unless stated.
    pub interest: Option<InterestMethod>,
    /// By the day, unless stated.
    pub accrual: Option<Accrual>,
    /// Actual days over 365, unless stated.
    pub day_count: Option<DayCount>,
    /// To the minor unit, half to even, unless stated.
    pub rounding: Option<Rounding>,
    /// None, unless stated.
    pub down_payment: Option<Percent>,
    /// What is financed, unless stated.
    pub flat_base: Option<FlatBase>,
    /// None, unless stated.
    pub grace: Option<Grace>,
    /// Over the remaining term, unless stated.
    pub later_draws: Option<LaterDraws>,
}

/// From and to, both inclusive; `None` is no bound.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Band<T> {
    /// At least.
    pub min: Option<T>,
    /// At most.
    pub max: Option<T>,
}

impl<T> Default for Band<T> {
    fn default() -> Self {
        Self { min: None, max: None }
    }
}

impl<T: PartialOrd + Copy> Band<T> {
    /// Whether a value lies below the band.
    pub fn is_below(&self, value: T) -> bool {
        self.min.is_some_and(|min| value < min)
    }

    /// Whether a value lies above the band.
    pub fn is_above(&self, value: T) -> bool {
        self.max.is_some_and(|max| value > max)
    }

    /// Whether nothing can lie in the band.
    pub fn is_empty(&self) -> bool {
        matches!((self.min, self.max), (Some(min), Some(max)) if min > max)
    }
}

/// What a regulator or the bank's risk department allows, enforced at the moment of disbursement.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Borrowers with an open loan of the product, at most.
    pub borrowers: Option<u32>,
    /// Outstanding principal of the product, at most.
    pub exposure: Option<Money>,
    /// Outstanding principal of the product per borrower, at most.
    pub exposure_per_borrower: Option<Money>,
    /// The regions served; empty is everywhere.
    pub regions: Vec<u32>,
    /// The last day on which it is lent.
    pub ends_on: Option<Day>,
}

/// Who lends beside the bank, and how much of every loan.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Funder {
    /// The client's own name of the funder.
    pub id: u128,
    /// The share of principal and interest, in per cent.
    pub share: Percent,
}

/// A product.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Product {
    /// Who it is.
    pub id: ProductId,
    /// The currency: the ISO 4217 number.
    pub ledger: LedgerCode,
    /// The terms that it states.
    pub terms: StatedTerms,
    /// How large a loan may be, all draws together.
    pub amount: Band<Money>,
    /// How many instalments a loan may have.
    pub periods: Band<u16>,
    /// Which rates a loan may bear, by the year or the day as the loan states it.
    pub rate: Band<Percent>,
    /// Where repayments go.
    pub allocation: Allocation,
    /// Where repayments in advance go.
    pub in_advance: InAdvance,
    /// What an early repayment does.
    pub prepayment: Prepayment,
    /// What interest is reckoned on.
    pub interest_on: InterestOn,
    /// Whether the settlement day bears interest.
    pub settlement_day: SettlementDay,
    /// How a draw's down payment comes in.
    pub down_payment_from: DownPaymentFrom,
    /// Interest on overdue principal, as a multiple of the rate; `None` charges none.
    pub penalty_multiple: Option<Percent>,
    /// Whether day-end collects from the borrower's account what is due.
    pub collects: bool,
    /// Whether a collection, by day-end or by a payment file, takes all it asks for or nothing.
    pub collects_in_full: bool,
    /// How overdue loans are classed and provided for.
    pub classes: Classes,
    /// Limits.
    pub limits: Limits,
    /// Who lends beside the bank.
    pub funders: Vec<Funder>,
    /// The stop switch: no new money while it is on.
    pub is_stopped: bool,
    /// What is charged of itself.
    pub fees: Fees,
    /// How due days avoid days off, if they do.
    pub holidays: Option<Arc<Holidays>>,
    /// How often a loan may be drawn upon; `None` is no bound but that of schedules.
    pub draws_max: Option<u16>,
    /// Whether what is repaid of a line can be drawn again.
    pub line: LineKind,
    /// So many days past due, day-end writes a loan off.
    pub write_off_days: Option<u16>,
    /// Who bears a part of the interest.
    pub subsidy: Option<Subsidy>,
    /// Who makes good a part of the loss.
    pub compensation: Option<Compensation>,
}

/// Whether what is repaid of a line can be drawn again.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Debug)]
pub enum LineKind {
    /// It can.
    #[default]
    Revolving,
    /// All draws together stay within the line.
    ClosedEnd,
}

impl LineKind {
    /// Every choice.
    pub const ALL: [Self; 2] = [Self::Revolving, Self::ClosedEnd];

    /// The name in a product.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Revolving => "revolving",
            Self::ClosedEnd => "closed_end",
        }
    }

    /// The choice of a name, or `None` where there is none.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|choice| choice.name() == name)
    }
}

/// Compares two percentages exactly.
pub(super) fn exceeds(a: Percent, b: Percent) -> bool {
    let left = u128::from(a.numerator()).saturating_mul(u128::from(b.denominator()));
    let right = u128::from(b.numerator()).saturating_mul(u128::from(a.denominator()));
    left > right
}

impl Product {
    pub(super) fn leaves_the_bank_a_share(&self) -> bool {
        let shares = self
            .funders
            .iter()
            .map(|funder| super::accrual::ratio(funder.share.numerator(), funder.share.denominator()));
        shares.sum::<num_rational::BigRational>() < super::accrual::ratio(100, 1)
    }

    pub(super) fn has_funder_twice(&self) -> bool {
        let mut ids: Vec<u128> = self.funders.iter().map(|funder| funder.id).collect();
        ids.sort_unstable();
        ids.windows(2).any(|pair| pair[0] == pair[1])
    }

    /// Whether a rate lies outside the product's band.
    pub fn is_rate_outside(&self, rate: Percent) -> bool {
        self.rate.min.is_some_and(|min| exceeds(min, rate))
            || self.rate.max.is_some_and(|max| exceeds(rate, max))
    }

    pub(super) fn is_periods_outside(&self, periods: u16) -> bool {
        self.periods.is_below(periods) || self.periods.is_above(periods)
    }

    /// The contract of a loan that states `own` where the product leaves terms open.
    ///
    /// # Errors
    /// Where the loan states otherwise what the product states, or a term is missing, or outside its band.
    pub fn contract(&self, own: &StatedTerms) -> Result<Contract, LoanStatus> {
        let product = &self.terms;
        let has_product_count = product.periods.is_some() || product.due_dates.is_some();
        let has_own_count = own.periods.is_some() || own.due_dates.is_some();
        if has_product_count
            && has_own_count
            && (product.periods, &product.due_dates) != (own.periods, &own.due_dates)
        {
            return Err(LoanStatus::TermFixedByProduct);
        }
        let terms = Terms {
            principal: fen_terms::Money::ZERO,
            rate: stated(product.rate, own.rate)?.unwrap_or(Rate::annual(Percent::ZERO)),
            amortisation: stated(product.amortisation, own.amortisation)?
                .unwrap_or(Amortisation::EqualInstalment),
            interest: stated(product.interest, own.interest)?.unwrap_or(InterestMethod::Declining),
            accrual: stated(product.accrual, own.accrual)?.unwrap_or(Accrual::Daily),
            day_count: stated(product.day_count, own.day_count)?.unwrap_or(DayCount::Actual365),
            disbursed_on: Day::MIN,
            rounding: stated(product.rounding, own.rounding)?.unwrap_or(Rounding::BANKERS),
            down_payment: stated(product.down_payment, own.down_payment)?,
            flat_base: stated(product.flat_base, own.flat_base)?.unwrap_or(FlatBase::Financed),
            grace: stated(product.grace, own.grace)?.unwrap_or_default(),
            disbursements: Vec::new(),
            later_draws: stated(product.later_draws, own.later_draws)?.unwrap_or(LaterDraws::RemainingTerm),
            fees: Vec::new(),
            // Last, so that a term that both sides state is told before one that none does.
            timing: self.timing(own)?,
        };
        if self.is_rate_outside(terms.rate.percent) {
            return Err(LoanStatus::RateOutsideProduct);
        }
        Ok(Contract {
            terms,
            allocation: self.allocation,
            in_advance: self.in_advance,
            prepayment: self.prepayment,
            interest_on: self.interest_on,
            settlement_day: self.settlement_day,
            penalty_multiple: self.penalty_multiple,
            down_payment_from: self.down_payment_from,
            fees: self.fees,
            holidays: self.holidays.clone(),
            subsidy: self.subsidy,
            subsidy_room: match self.subsidy {
                Some(Subsidy { borrower_max: Some(_), .. }) | None => Money::ZERO,
                Some(Subsidy { borrower_max: None, .. }) => Money::from_minor(MONEY_MAX),
            },
        })
    }

    fn timing(&self, own: &StatedTerms) -> Result<Timing, LoanStatus> {
        let product = &self.terms;
        let period = stated(product.period, own.period)?;
        if let Some(due_dates) = product.due_dates.as_ref().or(own.due_dates.as_ref()) {
            return Ok(Timing::Dates { due_dates: due_dates.clone(), period });
        }
        let periods = product.periods.or(own.periods).ok_or(LoanStatus::TermMissing)?;
        if self.is_periods_outside(periods) {
            return Err(LoanStatus::PeriodsOutsideProduct);
        }
        let first_due_on = stated(product.first_due_on, own.first_due_on)?;
        Ok(Timing::Regular { periods, period: period.ok_or(LoanStatus::TermMissing)?, first_due_on })
    }
}

/// What both sides together state of one term.
fn stated<T: PartialEq>(product: Option<T>, own: Option<T>) -> Result<Option<T>, LoanStatus> {
    match (product, own) {
        (Some(product), Some(own)) if product != own => Err(LoanStatus::TermFixedByProduct),
        (Some(product), _) => Ok(Some(product)),
        (None, own) => Ok(own),
    }
}
