//! Why a product was refused: its contradictions, in checking order; the numbers are for ever.

use super::contract::InterestOn;
use super::holidays::{HOLIDAYS_MAX, WEEKDAYS};
use super::product::{FUNDERS_MAX, Product, REGIONS_MAX, exceeds};
use fen_terms::{Grace, PERIODS_MAX, Percent, Rate, RateBasis};

macro_rules! product_statuses {
    ($($variant:ident = $number:literal, $text:literal, $mend:literal;)*) => {
        /// The answer to `put_product`. The first that applies, in this order, is the answer.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        #[repr(u16)]
        #[allow(missing_docs, reason = "each name says its rule in words; `mend` says what to do")]
        pub enum ProductStatus {
            $($variant = $number,)*
        }

        impl ProductStatus {
            /// Every status, in checking order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name that people and programs read.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// What to do about it; nothing where nothing is wrong.
            pub const fn mend(self) -> &'static str {
                match self { $(Self::$variant => $mend,)* }
            }
        }
    };
}

product_statuses! {
    IdMustNotBeZero = 10, "id_must_not_be_zero", "give the product an id";
    IdMustNotBeIntMax = 20, "id_must_not_be_int_max", "give it a smaller id: the largest is reserved";
    LedgerMustNotBeZero = 30, "ledger_must_not_be_zero", "state the currency by its ISO 4217 number";
    LedgerMustNotChange = 40, "ledger_must_not_change", "a product keeps its currency: give another one another id";
    PeriodsAndDueDatesAreExclusive = 50, "periods_and_due_dates_are_exclusive", "state one of the two";
    PeriodsOutOfRange = 52, "periods_out_of_range", "state 1 to 1200 instalments";
    PeriodMustNotBeZero = 54, "period_must_not_be_zero", "count at least one unit a period";
    DueDatesMustRise = 56, "due_dates_must_rise", "list each day once, in order";
    AmountBandIsEmpty = 60, "amount_band_is_empty", "let amount_min be at most amount_max";
    PeriodsBandIsEmpty = 70, "periods_band_is_empty", "let periods_min be at most periods_max";
    RateBandIsEmpty = 80, "rate_band_is_empty", "let rate_min be at most rate_max";
    RateTooLarge = 85, "rate_too_large", "state at most 100 per cent a day";
    RateOutsideBand = 90, "rate_outside_band", "state a rate within rate_min and rate_max, or none";
    PeriodsOutsideBand = 100, "periods_outside_band", "state periods within periods_min and periods_max, or none";
    RoundingUnitMustNotBeZero = 102, "rounding_unit_must_not_be_zero", "round to at least a minor unit";
    GraceTooLong = 104, "grace_too_long", "leave at least the last instalment without grace";
    DownPaymentMustBeBelowHundred = 110, "down_payment_must_be_below_hundred", "pay down less than 100 per cent";
    PenaltyMultipleTooLarge = 115, "penalty_multiple_too_large", "state at most 100 times the rate";
    ClassThresholdsMustRise = 120, "class_thresholds_must_rise", "let each class begin after the one before";
    StageThresholdsMustRise = 130, "stage_thresholds_must_rise", "let stage 3 begin after stage 2";
    WriteOffBeforeLoss = 135, "write_off_before_loss", "write off no earlier than a loan is classed as loss";
    ProvisionRateAboveHundred = 140, "provision_rate_above_hundred", "provide for at most 100 per cent";
    FunderSharesMustStayBelowHundred = 150, "funder_shares_must_stay_below_hundred", "leave the bank a share";
    FunderShareMustNotBeZero = 155, "funder_share_must_not_be_zero", "leave out who lends nothing";
    TooManyFunders = 160, "too_many_funders", "list at most 8";
    FundersMustDiffer = 170, "funders_must_differ", "list each funder once";
    TooManyRegions = 180, "too_many_regions", "list at most 1024";
    LimitsContradict = 181, "limits_contradict",
        "let amount_min be at most the exposure of a borrower, and that at most the whole exposure";
    FeeShareAboveHundred = 182, "fee_share_above_hundred", "charge at most 100 per cent";
    LateFeeMustFollowDueDay = 183, "late_fee_must_follow_due_day", "charge it at least one day after the due day";
    TooManyHolidays = 184, "too_many_holidays", "list at most 4096 days";
    HolidaysMustRise = 185, "holidays_must_rise", "list each day once, in order";
    WeekHasNoBusinessDay = 186, "week_has_no_business_day", "leave a day of the week to do business on";
    SubsidyShareAboveHundred = 187, "subsidy_share_above_hundred", "let the party bear at most all of the interest";
    SubsidyNeedsPlannedInterest = 188, "subsidy_needs_planned_interest", "subsidise only where interest_on is schedule";
    CompensationShareAboveHundred = 189, "compensation_share_above_hundred", "make good at most all of the loss";
    IdCollides = 190, "id_collides", "choose another id: a product's control accounts have these numbers";
    TooManyProducts = 191, "too_many_products", "keep at most 65536 products";
    ControlAccountExists = 192, "control_account_exists",
        "choose another id: an account was opened under the id of one of the product's control accounts";
    FundersMustKeepTheirPlace = 195, "funders_must_keep_their_place",
        "a funder's account goes by its place: list new funders behind those of earlier versions";
    Exists = 200, "exists", "";
    Created = 0, "created", "";
}

impl Product {
    /// What is wrong with the product by itself, if anything.
    pub fn first_contradiction(&self) -> Option<ProductStatus> {
        let rules = self.of_identity_and_timing().into_iter();
        let rules = rules.chain(self.of_bands_and_terms()).chain(self.of_classes()).chain(self.of_parties());
        let mut rules = rules.chain(self.of_limits_and_fees());
        rules.find(|(is_broken, _)| *is_broken).map(|(_, status)| status)
    }

    fn of_identity_and_timing(&self) -> [(bool, ProductStatus); 7] {
        use ProductStatus as Status;
        let due_dates = self.terms.due_dates.as_deref().unwrap_or_default();
        let counts = [self.terms.periods, self.periods.min, self.periods.max].into_iter().flatten();
        let is_count_wrong = counts.clone().any(|count| count == 0 || count > PERIODS_MAX)
            || due_dates.len() > usize::from(PERIODS_MAX)
            || self.terms.due_dates.as_ref().is_some_and(Vec::is_empty);
        [
            (self.id == 0, Status::IdMustNotBeZero),
            (self.id == u128::MAX, Status::IdMustNotBeIntMax),
            (self.ledger.is_zero(), Status::LedgerMustNotBeZero),
            (
                self.terms.periods.is_some() && self.terms.due_dates.is_some(),
                Status::PeriodsAndDueDatesAreExclusive,
            ),
            (is_count_wrong, Status::PeriodsOutOfRange),
            (self.terms.period.is_some_and(|period| period.every == 0), Status::PeriodMustNotBeZero),
            (due_dates.windows(2).any(|pair| pair[0] >= pair[1]), Status::DueDatesMustRise),
        ]
    }

    fn of_bands_and_terms(&self) -> [(bool, ProductStatus); 9] {
        use ProductStatus as Status;
        let terms = &self.terms;
        let is_daily_above_hundred =
            |rate: Rate| rate.basis == RateBasis::Daily && rate.percent.exceeds_hundred();
        let is_unit_zero = terms.rounding.is_some_and(|rounding| {
            rounding.to.is_zero() || rounding.instalment_to.is_some_and(fen_terms::Money::is_zero)
        });
        let Grace { principal, interest, interest_free } = terms.grace.unwrap_or_default();
        let is_grace_too_long = terms
            .periods
            .is_some_and(|periods| principal.max(interest) >= periods || interest_free > periods);
        [
            (self.amount.is_empty(), Status::AmountBandIsEmpty),
            (self.periods.is_empty(), Status::PeriodsBandIsEmpty),
            (
                matches!((self.rate.min, self.rate.max), (Some(min), Some(max)) if exceeds(min, max)),
                Status::RateBandIsEmpty,
            ),
            (terms.rate.is_some_and(is_daily_above_hundred), Status::RateTooLarge),
            (terms.rate.is_some_and(|rate| self.is_rate_outside(rate.percent)), Status::RateOutsideBand),
            (terms.periods.is_some_and(|count| self.is_periods_outside(count)), Status::PeriodsOutsideBand),
            (is_unit_zero, Status::RoundingUnitMustNotBeZero),
            (is_grace_too_long, Status::GraceTooLong),
            (
                terms.down_payment.is_some_and(|share| share.is_hundred() || share.exceeds_hundred()),
                Status::DownPaymentMustBeBelowHundred,
            ),
        ]
    }

    fn of_classes(&self) -> [(bool, ProductStatus); 5] {
        use ProductStatus as Status;
        let loss_after = self.classes.more_days_than[3];
        let provision = &self.classes.provision;
        [
            (self.penalty_multiple.is_some_and(Percent::exceeds_hundred), Status::PenaltyMultipleTooLarge),
            (!self.classes.thresholds_rise(), Status::ClassThresholdsMustRise),
            (!self.classes.stages_rise(), Status::StageThresholdsMustRise),
            (self.write_off_days.is_some_and(|days| days <= loss_after), Status::WriteOffBeforeLoss),
            (provision.iter().any(|rate| rate.exceeds_hundred()), Status::ProvisionRateAboveHundred),
        ]
    }

    fn of_parties(&self) -> [(bool, ProductStatus); 4] {
        use ProductStatus as Status;
        [
            (!self.leaves_the_bank_a_share(), Status::FunderSharesMustStayBelowHundred),
            (self.funders.iter().any(|funder| funder.share.is_zero()), Status::FunderShareMustNotBeZero),
            (self.funders.len() > FUNDERS_MAX, Status::TooManyFunders),
            (self.has_funder_twice(), Status::FundersMustDiffer),
        ]
    }

    fn of_limits_and_fees(&self) -> [(bool, ProductStatus); 10] {
        use ProductStatus as Status;
        let limits = &self.limits;
        let ladder = [self.amount.min, limits.exposure_per_borrower, limits.exposure];
        let rungs: Vec<_> = ladder.into_iter().flatten().collect();
        let holidays = self.holidays.as_deref();
        let is_share_wrong = |share: Option<Percent>| share.is_some_and(Percent::exceeds_hundred);
        [
            (limits.regions.len() > REGIONS_MAX, Status::TooManyRegions),
            (rungs.windows(2).any(|pair| pair[0] > pair[1]), Status::LimitsContradict),
            (self.fees.rules().any(|rule| rule.percent.exceeds_hundred()), Status::FeeShareAboveHundred),
            (self.fees.late.is_some_and(|late| late.after_days == 0), Status::LateFeeMustFollowDueDay),
            (
                holidays
                    .is_some_and(|table| table.days_off.len().max(table.working_days.len()) > HOLIDAYS_MAX),
                Status::TooManyHolidays,
            ),
            (holidays.is_some_and(|table| !table.rises()), Status::HolidaysMustRise),
            (
                holidays.is_some_and(|table| WEEKDAYS.iter().all(|(day, _)| table.weekend.contains(day))),
                Status::WeekHasNoBusinessDay,
            ),
            (is_share_wrong(self.subsidy.map(|subsidy| subsidy.share_max)), Status::SubsidyShareAboveHundred),
            (
                self.subsidy.is_some() && self.interest_on != InterestOn::Schedule,
                Status::SubsidyNeedsPlannedInterest,
            ),
            (
                is_share_wrong(self.compensation.map(|compensation| compensation.share)),
                Status::CompensationShareAboveHundred,
            ),
        ]
    }
}

impl core::fmt::Display for ProductStatus {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.pad(self.name())
    }
}
