//! The book: accounts and transfers (and loans) as a pure function of the log.
//!
//! **Invariants.** Same commands in, same bytes out, on every replica and release. No clock, disk, network,
//! thread, randomness, hash order or float. Debits equal credits in every ledger after every command.

#![deny(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::float_arithmetic)]

#[cfg(target_endian = "big")]
compile_error!("Fen's records are little-endian in memory and on disk");

#[macro_use]
mod flags;

pub mod account;
pub mod accounts;
mod bank_ids;
mod batch;
pub mod batches;
pub mod book;
pub mod clearing;
pub mod command;
pub mod image;
pub mod journal;
mod limits;
pub mod loan;
mod look_ahead;
pub mod memo;
pub mod opening;
pub mod pages;
pub mod pendings;
mod plan;
mod post;
pub mod quantity;
pub mod read;
pub mod recall;
pub mod slots;
pub mod status;
pub mod transfer;
mod view;
pub mod young;

pub use account::{Account, AccountFlags, Balances};
pub use book::Book;
pub use command::{
    AccountFilter, BalanceLine, CHAIN_ENDS_MAX, ChainOutcome, Command, EVENTS_MAX, OpenPending,
    OpeningStatus, Outcome, QueryFilter, Receipt, Reply,
};
pub use journal::{CHUNK_RECORDS, Chunk, NO_SLOT, PartPost, Touch};
pub use loan::bank_days::BankDays;
pub use opening::{AccountOpening, ChainEnd, LimitChange};
pub use plan::first_difference;
pub use quantity::{
    AccountId, AccountSlot, Amount, BusinessDate, Code, LedgerCode, RecordNumber, STAMP_MAX, Stamp,
    TimeoutSeconds, TransferId,
};
pub use read::{Entry, Position, StampRange};
pub use recall::{Named, Recall};
pub use status::{CreateAccountStatus, CreateTransferStatus, SetLimitStatus};
pub use transfer::{Transfer, TransferFlags};
