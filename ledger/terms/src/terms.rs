//! What was agreed: the terms of a loan, and whether they can be kept.
//!
//! Refusals answer with the first status that applies, in the order of [`TermsStatus`]. Every figure is
//! exact: money in minor units, rates as fractions of a per cent, days as day numbers.

use crate::day::{Day, Period};
use crate::day_count::DayCount;
use crate::factor::Accruing;
use crate::money::Money;
use crate::periods::{Span, spans};
use crate::rate::{Percent, Rate, RateBasis};
use crate::rounding::Rounding;

/// The most instalments of a loan: a hundred years of months.
pub const PERIODS_MAX: u16 = 1_200;
/// The most draws of a loan.
pub const DRAWS_MAX: usize = 360;
/// The most fees in a schedule.
pub const FEES_MAX: usize = 10_000;

named! {
    /// How the principal comes back.
    Amortisation {
        /// Principal + interest are the same in every instalment (annuity).
        EqualInstalment = 1, "equal_instalment";
        /// The principal part is the same in every instalment.
        EqualPrincipal = 2, "equal_principal";
        /// Interest in every instalment, all principal in the last.
        InterestOnly = 3, "interest_only";
        /// One instalment at the end of the term, with all principal and all interest.
        Bullet = 4, "bullet";
    }
}

named! {
    /// What interest is reckoned on.
    InterestMethod {
        /// On the principal still owed.
        Declining = 1, "declining";
        /// On the first principal over the whole term, spread evenly over the instalments.
        Flat = 2, "flat";
    }
}

named! {
    /// How much interest a period bears.
    Accrual {
        /// By its days, as the day count says.
        Daily = 1, "daily";
        /// The annual rate / periods a year (12 months, 52 weeks, 365 days), however many days it has.
        PerPeriod = 2, "per_period";
    }
}

named! {
    /// What flat interest is reckoned on where there is a down payment.
    FlatBase {
        /// What is left after the down payment.
        Financed = 1, "financed";
        /// What was drawn, down payment included.
        Drawn = 2, "drawn";
    }
}

named! {
    /// How a draw after the first comes back.
    LaterDraws {
        /// Spread over the instalments due after it.
        RemainingTerm = 1, "remaining_term";
        /// Spread over the whole term: the instalments are those of all draws together from the first on, as far
        /// as anything is owed, and the last takes the rest.
        WholeTerm = 2, "whole_term";
    }
}

/// When instalments fall due.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Timing {
    /// `periods` instalments, each a period after the one before, reckoned from the anchor.
    Regular {
        /// How many instalments, 1 to [`PERIODS_MAX`].
        periods: u16,
        /// The distance between them.
        period: Period,
        /// The first due day, where it is not one period after `disbursed_on`; then it is the anchor.
        first_due_on: Option<Day>,
    },
    /// These days, rising.
    Dates {
        /// The due days.
        due_dates: Vec<Day>,
        /// The period they stand for, if it is to be charged per period.
        period: Option<Period>,
    },
}

/// How many instalments go without principal, without a bill for interest, and without interest, each counted from
/// the first instalment.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Debug)]
pub struct Grace {
    /// The first so many instalments have no principal.
    pub principal: u16,
    /// The interest of the first so many periods is billed with the instalment after them.
    pub interest: u16,
    /// The first so many periods bear no interest.
    pub interest_free: u16,
}

/// Money paid out to the borrower.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Draw {
    /// The day; it bears interest from this day on.
    pub on: Day,
    /// How much.
    pub amount: Money,
}

/// A fee, billed with the first instalment due on or after its day; after the last, in a row of its own.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Fee {
    /// The day.
    pub on: Day,
    /// How much.
    pub amount: Money,
}

/// The terms of one loan.
///
/// [`Terms::check`] says whether they can be kept; [`crate::schedule()`] says what they come to.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Terms {
    /// All that is lent: the sum of the draws.
    pub principal: Money,
    /// The rate.
    pub rate: Rate,
    /// When instalments fall due.
    pub timing: Timing,
    /// How the principal comes back.
    pub amortisation: Amortisation,
    /// What interest is reckoned on.
    pub interest: InterestMethod,
    /// How much interest a period bears.
    pub accrual: Accrual,
    /// How days become a fraction of a year.
    pub day_count: DayCount,
    /// The day of the first draw: interest runs from it, due days are reckoned from it.
    pub disbursed_on: Day,
    /// How money is rounded.
    pub rounding: Rounding,
    /// The share of each draw that is paid back on its day, if any.
    pub down_payment: Option<Percent>,
    /// What flat interest is reckoned on.
    pub flat_base: FlatBase,
    /// Grace.
    pub grace: Grace,
    /// The draws, if there are several; empty means one, of the principal, on `disbursed_on`.
    pub disbursements: Vec<Draw>,
    /// How later draws come back.
    pub later_draws: LaterDraws,
    /// Fees.
    pub fees: Vec<Fee>,
}

impl Terms {
    /// How the loan accrues.
    pub const fn accruing(&self) -> Accruing {
        Accruing { rate: self.rate, day_count: self.day_count, accrual: self.accrual }
    }

    /// The draws, in order of their days; one of the whole principal where none are listed.
    pub fn draws(&self) -> Vec<Draw> {
        if self.disbursements.is_empty() {
            return vec![Draw { on: self.disbursed_on, amount: self.principal }];
        }
        let mut draws = self.disbursements.clone();
        draws.sort_by_key(|draw| draw.on);
        draws
    }

    /// The periods of the loan, where the terms can be kept.
    ///
    /// # Errors
    /// The first status that says why they cannot.
    pub fn check(&self) -> Result<Vec<Span>, TermsStatus> {
        if self.principal.is_zero() {
            return Err(TermsStatus::PrincipalMustNotBeZero);
        }
        if self.principal > Money::PRINCIPAL_MAX {
            return Err(TermsStatus::PrincipalTooLarge);
        }
        if self.rate.basis == RateBasis::Daily && self.rate.percent.exceeds_hundred() {
            return Err(TermsStatus::RateTooLarge);
        }
        let spans = spans(self)?;
        self.check_rounding()?;
        if self.down_payment.is_some_and(|percent| percent.is_hundred() || percent.exceeds_hundred()) {
            return Err(TermsStatus::DownPaymentTooLarge);
        }
        let periods = spans.len();
        let Grace { principal, interest, interest_free } = self.grace;
        if usize::from(principal.max(interest)) >= periods || usize::from(interest_free) > periods {
            return Err(TermsStatus::GraceTooLong);
        }
        self.check_draws(&spans)?;
        self.check_fees()?;
        Ok(spans)
    }

    /// Whether the units of rounding can be kept.
    pub(crate) fn check_rounding(&self) -> Result<(), TermsStatus> {
        if self.rounding.to.is_zero() {
            return Err(TermsStatus::RoundingUnitMustNotBeZero);
        }
        if self.rounding.to > Money::PRINCIPAL_MAX {
            return Err(TermsStatus::RoundingUnitTooLarge);
        }
        match self.rounding.instalment_to {
            Some(unit) if unit.is_zero() => Err(TermsStatus::InstalmentUnitMustNotBeZero),
            Some(unit) if unit > Money::PRINCIPAL_MAX => Err(TermsStatus::InstalmentUnitTooLarge),
            Some(_) | None => Ok(()),
        }
    }

    fn check_draws(&self, spans: &[Span]) -> Result<(), TermsStatus> {
        if self.disbursements.is_empty() {
            return Ok(());
        }
        if self.disbursements.len() > DRAWS_MAX {
            return Err(TermsStatus::TooManyDraws);
        }
        if self.disbursements.iter().any(|draw| draw.amount.is_zero()) {
            return Err(TermsStatus::DrawMustNotBeZero);
        }
        if self.disbursements.iter().any(|draw| draw.on < self.disbursed_on) {
            return Err(TermsStatus::DrawMustNotPrecedeDisbursement);
        }
        let last_due = spans.last().map(|span| span.due);
        if self.disbursements.iter().any(|draw| Some(draw.on) >= last_due) {
            return Err(TermsStatus::DrawMustPrecedeLastDue);
        }
        let drawn = self.disbursements.iter().try_fold(Money::ZERO, |sum, draw| sum.checked_add(draw.amount));
        if drawn != Some(self.principal) {
            return Err(TermsStatus::DrawsMustAddUp);
        }
        Ok(())
    }

    fn check_fees(&self) -> Result<(), TermsStatus> {
        if self.fees.len() > FEES_MAX {
            return Err(TermsStatus::TooManyFees);
        }
        if self.fees.iter().any(|fee| fee.on < self.disbursed_on) {
            return Err(TermsStatus::FeeMustNotPrecedeDisbursement);
        }
        let fees = self.fees.iter().try_fold(Money::ZERO, |sum, fee| sum.checked_add(fee.amount));
        if fees.is_none_or(|fees| fees > Money::PRINCIPAL_MAX) {
            return Err(TermsStatus::FeesTooLarge);
        }
        Ok(())
    }
}

macro_rules! terms_statuses {
    ($($variant:ident = $number:literal, $text:literal, $field:literal, $mend:literal;)*) => {
        /// Why terms cannot be kept, in checking order; the first that applies is the answer. The numbers are for
        /// ever and step by ten, so that a later rule can stand in its place.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(u16)]
        #[allow(missing_docs, reason = "each name says its rule in words; `mend` says what to do")]
        pub enum TermsStatus {
            $($variant = $number,)*
        }

        impl TermsStatus {
            /// Every status, in checking order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The number that is stored and sent.
            pub const fn number(self) -> u16 {
                match self {
                    $(Self::$variant => $number,)*
                }
            }
            /// The name that people and programs read.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }
            /// The field at fault, as it is written in JSON.
            pub const fn field(self) -> &'static str {
                match self {
                    $(Self::$variant => $field,)*
                }
            }
            /// What to do about it.
            pub const fn mend(self) -> &'static str {
                match self {
                    $(Self::$variant => $mend,)*
                }
            }
        }
    };
}

terms_statuses! {
    PrincipalMustNotBeZero = 10, "principal_must_not_be_zero", "principal", "lend something";
    PrincipalTooLarge = 20, "principal_too_large", "principal", "lend at most 10^19 minor units";
    RateTooLarge = 30, "rate_too_large", "annual_rate or daily_rate",
        "state at most 10000 per cent a year or 100 per cent a day";
    PeriodsOutOfRange = 40, "periods_out_of_range", "periods", "state 1 to 1200 instalments";
    PeriodMustNotBeZero = 50, "period_must_not_be_zero", "period.every", "count at least one unit";
    FirstDueMustFollowDisbursement = 60, "first_due_must_follow_disbursement", "first_due_on",
        "let the first instalment fall due after disbursed_on";
    DueDatesMustRise = 70, "due_dates_must_rise", "due_dates",
        "list each day once, in order, all after disbursed_on";
    DueDateOutOfRange = 80, "due_date_out_of_range", "periods", "end the loan by 2200-12-31";

    RoundingUnitMustNotBeZero = 100, "rounding_unit_must_not_be_zero", "rounding.to", "round to at least a minor unit";
    RoundingUnitTooLarge = 110, "rounding_unit_too_large", "rounding.to", "round to at most 10^19 minor units";
    InstalmentUnitMustNotBeZero = 120, "instalment_unit_must_not_be_zero", "rounding.instalment_to",
        "round to at least a minor unit, or leave it out";
    InstalmentUnitTooLarge = 130, "instalment_unit_too_large", "rounding.instalment_to",
        "round to at most 10^19 minor units";
    DownPaymentTooLarge = 140, "down_payment_too_large", "down_payment_percent", "pay down less than 100 per cent";
    GraceTooLong = 150, "grace_too_long", "grace", "leave at least the last instalment without grace";
    TooManyDraws = 160, "too_many_disbursements", "disbursements", "draw at most 360 times";
    DrawMustNotBeZero = 170, "disbursement_must_not_be_zero", "disbursements", "draw something each time";
    DrawMustNotPrecedeDisbursement = 180, "disbursement_must_not_precede_disbursed_on", "disbursements",
        "let disbursed_on be the day of the first draw";
    DrawMustPrecedeLastDue = 190, "disbursement_must_precede_last_due", "disbursements",
        "draw before the last instalment falls due";
    DrawsMustAddUp = 200, "disbursements_must_add_up", "disbursements", "let the draws add up to the principal";
    TooManyFees = 210, "too_many_fees", "fees", "state at most 10000 fees";
    FeeMustNotPrecedeDisbursement = 220, "fee_must_not_precede_disbursed_on", "fees",
        "charge on or after disbursed_on";
    FeesTooLarge = 230, "fees_too_large", "fees", "charge at most 10^19 minor units in all";
    AmountTooLarge = 240, "amount_too_large", "principal",
        "lend less, for a shorter time, at a lower rate or with a smaller rounding unit";
}

impl core::fmt::Display for TermsStatus {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.pad(self.name())
    }
}

impl core::error::Error for TermsStatus {}
