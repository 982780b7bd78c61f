//! Loan terms and the schedules that follow from them, exactly.
//!
//! [`Terms`] say what was agreed; [`schedule()`] answers with what is due, when. In between everything is integer or
//! rational: interest is principal times days times rate, and it is rounded once, where it is billed.
//!
//! **Invariants.** The principal parts of a schedule add up to the loan; the last `outstanding` is zero; every
//! total is principal + interest + fees; the same terms give the same schedule on every machine.
//!
//! **What the names mean elsewhere.**
//!
//! | here                               | in Apache Fineract                                | as lenders say                  |
//! |------------------------------------|---------------------------------------------------|---------------------------------|
//! | `equal_instalment`, `declining`    | equal instalments, declining balance              | annuity, level payment          |
//! | `equal_principal`                  | equal principal payments                          | linear, straight principal      |
//! | `flat`                             | flat                                              | add-on interest                 |
//! | `per_period`                       | same as repayment period                          | a twelfth of the nominal rate   |
//! | `daily` with 30/360                | daily, 30 days a month, 360 a year                | 30/360                          |
//! | `daily` with act/365, act/360      | daily, actual days a month, 365 or 360 a year     | Actual/365 (Fixed), Actual/360  |
//! | `instalment_to`                    | instalment amount in multiples of                 | payment rounded to              |
//! | `grace.principal`                  | grace on principal payment                        | interest-only period            |
//! | `grace.interest`                   | grace on interest payment                         | interest deferred, not compound |
//! | `grace.interest_free`              | interest free period                              | introductory zero rate          |
//! | `down_payment`                     | down payment, as a percentage of what is disbursed| deposit, first instalment down  |
//! | `later_draws: remaining_term`      | tranches of a progressive schedule                | re-amortised at each advance    |
//! | `later_draws: whole_term`          | tranches of a cumulative schedule                 | instalment of the full facility |
//!
//! The figures agree with that engine's published schedules (`tests/published.rs`) but for three habits of it: it may
//! move a level by a cent to bring the last instalment nearer to the others, it rounds each stretch of a period split by
//! a draw, and its act/act gives 31 December to the new year. Here a level is rounded once, a period's interest once,
//! and the year begins on 1 January.
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
pub mod ticks;

pub use currency::Currency;
pub use day::{Day, DueDays, Period, PeriodUnit, Weekday};
pub use day_count::{DayCount, Share};
pub use factor::{Accruing, Factor, interest};
pub use money::Money;
pub use periods::{Span, spans};
pub use plain::Plain;
pub use rate::{Percent, Rate, RateBasis};
pub use rounding::{Rounding, RoundingMode};
pub use schedule::{Instalment, RowKind, Schedule, exact_schedule, schedule};
pub use terms::{
    Accrual, Amortisation, DRAWS_MAX, Draw, FEES_MAX, Fee, FlatBase, Grace, InterestMethod, LaterDraws,
    PERIODS_MAX, Terms, TermsStatus, Timing,
};
pub use ticks::{Clock, TickRate};
