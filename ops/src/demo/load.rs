//! How fast: a load of payments between many accounts, every batch durable before it is answered.
//!
//! A figure for the tour, not a benchmark: it is short, and says so. `fen bench` measures.

use super::heading;
use super::story::{account, payment};
use crate::exit::Failure;
use crate::faults::broken;
use crate::print::count;
use fen_book::{AccountFlags, AccountId, EVENTS_MAX};
use fen_ledger::{Body, Ledger};
use std::collections::VecDeque;
use std::time::Instant;

const ACCOUNTS: u128 = 100_000;
/// In a build without optimisation the tour must not take minutes.
const BATCHES: u128 = if cfg!(debug_assertions) { 10 } else { 120 };
/// Batches under way at a time, so that the disk and the book are both busy.
const UNDER_WAY_MAX: usize = 8;
const FIRST_ID: u128 = 1 << 64;

/// What the load did.
pub(super) struct Load {
    /// Posted.
    pub(super) transfers: u64,
    seconds: f64,
}

/// Opens the accounts and posts between them.
pub(super) fn run(ledger: &Ledger) -> Result<Load, Failure> {
    let ids: Vec<u128> = (0..ACCOUNTS).collect();
    for ids in ids.chunks(EVENTS_MAX) {
        let accounts: Vec<_> =
            ids.iter().map(|index| account(customer(*index), AccountFlags::NONE)).collect();
        ledger.create_accounts(&accounts).map_err(|fault| broken(&fault))?;
    }
    let batches: Vec<Body> = (0..BATCHES).map(batch).collect();
    let begun = Instant::now();
    let mut under_way = VecDeque::new();
    let mut transfers = 0_u64;
    let mut settle = |ticket: fen_ledger::Ticket| -> Result<(), Failure> {
        let reply = ticket.wait().map_err(|fault| broken(&fault))?;
        let fen_ledger::Reply::Transfers(outcomes) = reply else {
            return Err(Failure::refused("the ledger answered another command"));
        };
        let created =
            |status: fen_book::CreateTransferStatus| status == fen_book::CreateTransferStatus::Created;
        transfers += outcomes.iter().filter(|outcome| created(outcome.status)).count() as u64;
        Ok(())
    };
    for body in batches {
        if under_way.len() == UNDER_WAY_MAX {
            under_way.pop_front().map_or(Ok(()), &mut settle)?;
        }
        under_way.push_back(ledger.submit(body).map_err(|fault| broken(&fault))?);
    }
    under_way.into_iter().try_for_each(settle)?;
    Ok(Load { transfers, seconds: begun.elapsed().as_secs_f64() })
}

fn customer(index: u128) -> AccountId {
    AccountId::new((1_000 + index) << 64 | 1)
}

/// Payments between customers that follow from their number, so that every tour posts the same.
fn batch(number: u128) -> Body {
    let events = EVENTS_MAX as u128;
    let first = number * events;
    let payments = (first..first + events).map(|index| {
        let from = index.wrapping_mul(2_654_435_761) % ACCOUNTS;
        let to = (from + 1 + index % (ACCOUNTS - 1)) % ACCOUNTS;
        payment(FIRST_ID + index, customer(from), customer(to), 1 + index % 10_000)
    });
    Body::Transfers(payments.collect())
}

impl Load {
    /// Posted a second.
    pub(super) fn per_second(&self) -> f64 {
        // Counts of a tour are far below 2^52, where a float would begin to round them.
        f64::from(u32::try_from(self.transfers).unwrap_or(u32::MAX)) / self.seconds.max(1e-9)
    }

    pub(super) fn words(&self) -> String {
        let build = if cfg!(debug_assertions) {
            " This build is not optimised: cargo run --release -- demo."
        } else {
            ""
        };
        let rate = format!("{:.0}", self.per_second()).parse::<u64>().unwrap_or_default();
        format!(
            "{}{} payments between {} accounts in {:.2} s: {} a second, each durable before it was answered.\n\
             A short run in the same process as the tour; `fen bench` measures in earnest.{build}\n",
            heading("7. How fast"),
            count(self.transfers),
            count(ACCOUNTS),
            self.seconds,
            count(rate),
        )
    }
}
