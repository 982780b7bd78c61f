//! Loan terms and the schedules that follow from them, exactly.
//!
//! [`Terms`] say what was agreed; [`schedule()`] answers with what is due, when. In between everything is integer or
//! rational: interest is principal times days times rate, and it is rounded once, where it is billed.
//!
//! **Invariants.** The principal parts of a schedule add up to the loan; the last `outstanding` is zero; every
//! total is principal + interest + fees; the same terms give the same schedule on every machine.
//!
//! **Limits.** [`PERIODS_MAX`] instalments, days from [`Day::MIN`] to [`Day::MAX`], money up to
//! [`Money::PRINCIPAL_MAX`]. Terms outside them, or at odds with themselves, are refused with a [`TermsStatus`].
//!
//! **Deliberately absent.** A clock (no day is "today"), a float, holidays (they move days in the book, where the
//! calendar is), and anything that happens after the first day: lateness, prepayment and penalties are the book's.
//!
//! Tested beside each module, and against published schedules in `tests/`.

#![deny(clippy::float_arithmetic, clippy::as_conversions)]

#[macro_use]
mod named;

mod bearing;
pub mod currency;
pub mod day;
pub mod day_count;
mod draws;
pub mod factor;
mod level;
pub mod money;
pub mod periods;
pub mod plain;
pub mod rate;
pub mod rounding;
pub mod schedule;
pub mod terms;

pub use currency::Currency;
pub use day::{Day, Period, PeriodUnit, Weekday};
pub use day_count::{DayCount, Share};
pub use factor::{Accruing, Factor, interest};
pub use money::Money;
pub use periods::{Span, spans};
pub use plain::Plain;
pub use rate::{Percent, Rate, RateBasis};
pub use rounding::{Rounding, RoundingMode};
pub use schedule::{Instalment, RowKind, Schedule, schedule};
pub use terms::{
    Accrual, Amortisation, DRAWS_MAX, Draw, FEES_MAX, Fee, FlatBase, Grace, InterestMethod, LaterDraws,
    PERIODS_MAX, Terms, TermsStatus, Timing,
};
