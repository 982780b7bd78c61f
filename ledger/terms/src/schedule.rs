//! What is due, when: the schedule that follows from the terms.

use crate::day::Day;
use crate::money::Money;

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

/// What is due, when. The principal parts add up to the loan, and the last `outstanding` is zero.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Schedule {
    /// The rows, by due day.
    pub instalments: Vec<Instalment>,
    /// All interest.
    pub total_interest: Money,
    /// All that is to be paid: principal, interest and fees.
    pub total: Money,
}
