//! Day counts: how much of a year lies between two days.
//!
//! | name    | counts                                     | over                                       |
//! |---------|--------------------------------------------|--------------------------------------------|
//! | act/365 | actual days                                | 365 (ISDA "Actual/365 (Fixed)")            |
//! | act/360 | actual days                                | 360 (ISDA "Actual/360", money market)      |
//! | act/364 | actual days                                | 364 (52 whole weeks)                       |
//! | act/act | actual days of each calendar year          | 365 or 366 (ISDA "Actual/Actual")          |
//! | 30/360  | 30 days a whole month, then actual days    | 360                                        |
//! | 30/365  | 30 days a whole month, then actual days    | 365                                        |
//!
//! Act/act splits a period at 1 January: the days before it belong to the old year, 1 January and after to the new.

named! {
    /// How days become a fraction of a year.
    DayCount {
        /// Actual days over 365.
        Actual365 = 1, "act/365";
        /// Actual days over 360.
        Actual360 = 2, "act/360";
        /// Actual days over the days of the calendar year they lie in.
        ActualActual = 3, "act/act";
        /// Actual days over 364.
        Actual364 = 4, "act/364";
        /// Whole months of 30 days, and the odd days, over 360.
        Thirty360 = 5, "30/360";
        /// Whole months of 30 days, and the odd days, over 365.
        Thirty365 = 6, "30/365";
    }
}

/// An exact fraction of a year, `numerator / denominator`; the denominator is at most 365 x 366.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct YearFraction {
    /// Days, or days times the other year's days where two kinds of year are mixed.
    pub numerator: u32,
    /// Days a year; never zero.
    pub denominator: u32,
}
