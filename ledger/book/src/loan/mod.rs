//! Loans: what was agreed, what happened, and what follows from both.
//!
//! [`Life::fold`](life::Life::fold) is the definition: from a [`Contract`](contract::Contract) and its
//! [`Event`](event::Event)s it gives every instalment as of a day. All else in the book (postings, classes, day-end)
//! follows from lives and is tested against it.

mod accrual;
pub mod allocation;
pub mod contract;
pub mod event;
pub mod life;
pub mod money;
mod pay;
mod reprice;
pub mod row;
pub mod status;
