//! Loans: what was agreed, what happened, and what follows from both.
//!
//! [`Life::fold`](life::Life::fold) is the definition: from a [`Contract`](contract::Contract) and its
//! [`Event`](event::Event)s it gives every instalment as of a day. All else in the book (postings, classes, day-end)
//! follows from lives and is tested against it. `course` gives the same answers for loans that run their ordinary
//! course, from a record of fixed size; `register` keeps loans and orders in pages.

mod accrual;
pub mod allocation;
pub mod apply;
mod audit;
pub mod bank_days;
pub mod classes;
pub(crate) mod codec;
pub mod command;
pub mod contract;
pub mod control;
mod course;
pub mod day_end;
pub mod event;
pub mod fees;
pub mod holidays;
pub mod life;
mod limits;
pub mod loans;
mod look_ahead;
pub mod money;
pub mod order;
mod pay;
mod plan;
pub mod portfolio;
pub mod position;
mod posting;
pub mod product;
mod product_codec;
pub mod product_status;
mod register;
mod reprice;
mod restructure;
pub mod row;
pub mod share;
pub mod status;
pub mod subsidy;
mod unbilled;
pub mod view;

pub(crate) use register::{LoanCounts, LoanTables};
