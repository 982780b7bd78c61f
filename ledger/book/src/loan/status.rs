//! Why a loan command was refused, in checking order; the numbers are for ever.

use fen_terms::TermsStatus;

macro_rules! loan_statuses {
    ($($(#[$doc:meta])* $variant:ident = $number:literal, $text:literal;)*) => {
        /// The answer to one loan event. The first that applies, in this order, is the answer.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum LoanStatus {
            $($(#[$doc])* $variant,)*
            /// The terms themselves can't be kept; numbered from 10,000 on.
            Terms(TermsStatus),
        }

        impl LoanStatus {
            /// The statuses of the loan side itself, in checking order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The number that is stored and sent.
            pub const fn number(self) -> u16 {
                match self {
                    $(Self::$variant => $number,)*
                    Self::Terms(status) => status.number().saturating_add(10_000),
                }
            }

            /// The name that people and programs read.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                    Self::Terms(status) => status.name(),
                }
            }
        }
    };
}

loan_statuses! {
    /// Another member of the chain was refused.
    LinkedEventFailed = 10, "linked_event_failed";
    /// Zero names nothing.
    IdMustNotBeZero = 20, "id_must_not_be_zero";
    /// What the bank itself posts has these ids.
    IdMustNotBeTheBanksOwn = 25, "id_must_not_be_the_banks_own";
    /// The largest id is reserved.
    IdMustNotBeIntMax = 30, "id_must_not_be_int_max";
    /// The id was taken by another op.
    ExistsWithDifferentOp = 31, "exists_with_different_op";
    /// The id was taken for another loan.
    ExistsWithDifferentLoanId = 32, "exists_with_different_loan_id";
    /// ... of another product.
    ExistsWithDifferentProductId = 33, "exists_with_different_product_id";
    /// ... through another account.
    ExistsWithDifferentAccountId = 34, "exists_with_different_account_id";
    /// ... over another amount.
    ExistsWithDifferentAmount = 35, "exists_with_different_amount";
    /// ... as of another day.
    ExistsWithDifferentEffectiveOn = 36, "exists_with_different_effective_on";
    /// ... with other terms of its own.
    ExistsWithDifferentTerms = 37, "exists_with_different_terms";
    /// ... with another decision, model, score, region, first-time mark or collateral.
    ExistsWithDifferentFacts = 38, "exists_with_different_facts";
    /// The id is taken by a transfer.
    ExistsWithDifferentFields = 40, "exists_with_different_fields";
    /// ... going elsewhere where it is in advance.
    ExistsWithDifferentInAdvance = 41, "exists_with_different_in_advance";
    /// ... of another kind of charge.
    ExistsWithDifferentKind = 42, "exists_with_different_kind";
    /// ... due on another day.
    ExistsWithDifferentDueOn = 43, "exists_with_different_due_on";
    /// ... of another event.
    ExistsWithDifferentEventId = 44, "exists_with_different_event_id";
    /// ... to another day, rate or number of instalments.
    ExistsWithDifferentSchedule = 45, "exists_with_different_schedule";
    /// ... to another buyer.
    ExistsWithDifferentOwner = 46, "exists_with_different_owner";
    /// The very same event was taken before.
    Exists = 50, "exists";
    /// The id was refused for good: what the refusal depended on may change, the answer does not.
    IdAlreadyFailed = 55, "id_already_failed";
    /// Nothing to move.
    AmountMustNotBeZero = 60, "amount_must_not_be_zero";
    /// More than a loan may be.
    AmountTooLarge = 70, "amount_too_large";
    /// Not a day, or far from any.
    DateOutOfRange = 80, "date_out_of_range";
    /// Events do not come from the future.
    EffectiveOnMustNotFollowBusinessDate = 90, "effective_on_must_not_follow_business_date";
    /// No such product.
    ProductNotFound = 100, "product_not_found";
    /// The product is not in force here: an account is open under the id of one of its control accounts.
    ControlAccountExists = 105, "control_account_exists";
    /// The stop switch is on.
    ProductStopped = 110, "product_stopped";
    /// No such loan.
    LoanNotFound = 120, "loan_not_found";
    /// A line is opened once.
    LoanExists = 125, "loan_exists";
    /// A further draw must be of the loan's own product.
    LoanHasDifferentProduct = 130, "loan_has_different_product";
    /// A further draw must go to the loan's own account.
    LoanHasDifferentAccount = 140, "loan_has_different_account";
    /// No such account.
    AccountNotFound = 150, "account_not_found";
    /// Money in another currency.
    AccountHasDifferentLedger = 160, "account_has_different_ledger";
    /// A product's control accounts are moved by what its loans come to, and are nobody's to pay from or to.
    AccountIsAControlAccount = 165, "account_is_a_control_account";
    /// The account takes no transfer.
    AccountAlreadyClosed = 170, "account_already_closed";
    /// Before the first draw there is no loan.
    EventMustNotPrecedeDisbursement = 180, "event_must_not_precede_disbursement";
    /// Everything is paid.
    LoanClosed = 190, "loan_closed";
    /// It was given up; what still comes is a recovery.
    LoanWrittenOff = 200, "loan_written_off";
    /// There is nothing to recover before a write-off.
    LoanNotWrittenOff = 210, "loan_not_written_off";
    /// It can be charged off once.
    LoanAlreadyChargedOff = 220, "loan_already_charged_off";
    /// It belongs to someone else from that day on.
    LoanSold = 230, "loan_sold";
    /// Funders have a share in it: what they have at stake can't be sold with it.
    LoanHasFunders = 235, "loan_has_funders";
    /// The event to reverse or waive isn't there.
    EventNotFound = 240, "event_not_found";
    /// The event belongs to another loan.
    EventHasDifferentLoan = 250, "event_has_different_loan";
    /// A reversal can't be reversed, nor a waiver, nor a write-off: only money that came or went, and charges.
    EventNotReversible = 260, "event_not_reversible";
    /// Something was drawn of the line.
    LineDrawn = 265, "line_drawn";
    /// It was reversed before.
    EventAlreadyReversed = 270, "event_already_reversed";
    /// The event to waive isn't a charge.
    ChargeNotFound = 280, "charge_not_found";
    /// Nothing of the charge is unpaid.
    ChargeAlreadyPaid = 290, "charge_already_paid";
    /// More than is owed of that kind.
    ExceedsOwed = 295, "exceeds_owed";
    /// There is no overpaid balance so large.
    ExceedsOverpaid = 300, "exceeds_overpaid";
    /// More than was ever repaid.
    ExceedsRepaid = 310, "exceeds_repaid";
    /// More than was written off.
    ExceedsWrittenOff = 320, "exceeds_written_off";
    /// The product takes only the whole loan early.
    OnlyFullSettlement = 330, "only_full_settlement";
    /// No instalment is due on the day that is to move.
    NoInstalmentDueThatDay = 340, "no_instalment_due_that_day";
    /// Due days must rise.
    DueDatesMustRise = 350, "due_dates_must_rise";
    /// Beyond the calendar.
    DueDateOutOfRange = 360, "due_date_out_of_range";
    /// More instalments are past already.
    PeriodsMustExceedPast = 370, "periods_must_exceed_past";
    /// A bare list of due days can't be stretched.
    PeriodMustBeKnown = 380, "period_must_be_known";
    /// There is nothing left to spread anew.
    NothingOwed = 385, "nothing_owed";
    /// What is to fall away was paid in advance.
    InstalmentsPaidInAdvance = 390, "instalments_paid_in_advance";
    /// Reschedules name a day pair, a rate or a count, or a first due day with a count: one of these.
    RescheduleMustNameOne = 400, "reschedule_must_name_one";
    /// The product fixes a term that the loan states otherwise.
    TermFixedByProduct = 410, "term_fixed_by_product";
    /// Neither product nor loan states a term.
    TermMissing = 420, "term_missing";
    /// Below the product's smallest loan.
    AmountBelowProductMinimum = 430, "amount_below_product_minimum";
    /// Above the product's largest loan.
    AmountAboveProductMaximum = 440, "amount_above_product_maximum";
    /// Outside the product's terms.
    PeriodsOutsideProduct = 450, "periods_outside_product";
    /// Outside the product's band.
    RateOutsideProduct = 460, "rate_outside_product";
    /// The region isn't served.
    RegionNotServed = 470, "region_not_served";
    /// The product has ended.
    ProductEnded = 480, "product_ended";
    /// The product has as many borrowers as it may.
    ExceedsBorrowers = 490, "exceeds_borrowers";
    /// All loans of the product together would be too much.
    ExceedsExposure = 500, "exceeds_exposure";
    /// All loans of the borrower together would be too much.
    ExceedsExposurePerBorrower = 510, "exceeds_exposure_per_borrower";
    /// More than the line has left.
    ExceedsLine = 520, "exceeds_line";
    /// The product allows only so many draws of a loan.
    ExceedsDraws = 525, "exceeds_draws";
    /// The account would go below its limit.
    ExceedsCredits = 530, "exceeds_credits";
    /// The account would go above its limit.
    ExceedsDebits = 540, "exceeds_debits";
    /// A balance would leave 128 bits.
    Overflows = 550, "overflows";
    /// The day is closed already.
    DayAlreadyClosed = 560, "day_already_closed";
    /// Days are closed one after the other.
    DayMustFollowBusinessDate = 570, "day_must_follow_business_date";
    /// Done.
    Created = 0, "created";
}

impl core::fmt::Display for LoanStatus {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.pad(self.name())
    }
}
