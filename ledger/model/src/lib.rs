//! The naive model of accounts and transfers: the book as one would write it if speed did not matter.
//!
//! It keeps what was asked for and granted, and nothing that follows from it: no balance, no state of a pending
//! transfer, no "closed" mark. Each of these is found by re-reading the whole journal, every time, so there is no
//! running figure that could drift. A chain is undone by going back to a copy of everything. The book is run beside
//! this model, command by command, and must give the same answers.
//!
//! **Invariants.** A refusal changes nothing but the set of burned ids. The journal only grows.
//!
//! **Limits.** Work grows with the square of the journal: it is meant for thousands of entries, not millions.
//!
//! **Absent on purpose.** Every line that the book could share: agreement between two copies of one mistake proves
//! nothing. What the two share is what crosses the border: records, statuses, filters.

#![allow(
    clippy::missing_panics_doc,
    reason = "it panics where it contradicts itself, which is what a model is for"
)]

mod accounts;
mod batch;
mod chain_ends;
mod clock;
mod existing;
mod journal;
mod openings;
mod products;
mod queries;
mod receipts;
mod transfers;

pub use clock::ModelLedger;
pub use journal::{Ending, Entry};

use fen_book::loan::product::Product;
use fen_book::{Account, AccountId, Amount, Command, Reply, Stamp, TransferId};
use std::collections::{BTreeMap, BTreeSet};

/// Everything there is to know about a ledger: what was opened, what was posted, and which ids are spent.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Model {
    /// In order of opening, as they were asked for, with their stamps; the balances here are always zero.
    accounts: Vec<Account>,
    /// In order of posting.
    journal: Vec<Entry>,
    /// Ids of transfers that were refused for a reason of the moment, and stay refused.
    burned: BTreeSet<TransferId>,
    /// How far accounts may go beyond their flag's rule.
    limits: BTreeMap<AccountId, Amount>,
    /// The transfers that were linked together, chain by chain.
    chains: Vec<Vec<TransferId>>,
    /// Every version of every product, in the order in which they came into force.
    products: Vec<Product>,
}

impl Model {
    /// An empty ledger.
    pub fn new() -> Self {
        Self::default()
    }

    /// Carries out one command of the log. `stamp` is the last that it takes, one for each record that it can make.
    /// What fell due before the first of them has expired before the command begins.
    pub fn apply(&mut self, command: &Command<'_>, stamp: Stamp) -> Reply {
        self.expire_due(before(stamp, command.stamp_count()));
        match command {
            Command::CreateAccounts(events) => Reply::Accounts(batch::run(self, events, stamp)),
            Command::CreateTransfers(events) => Reply::Transfers(batch::run(self, events, stamp)),
            Command::CreateTransfersWithBalances(events) => Reply::Receipts(self.receipts(events, stamp)),
            Command::OpenAccounts(events) => Reply::Openings(batch::run(self, events, stamp)),
            Command::SetLimits(events) => Reply::Limits(self.set_limits(events, stamp)),
            Command::EndChains(events) => Reply::ChainEnds(self.end_chains(events, stamp)),
            Command::Loans(body) => Reply::Loans(self.loans(body, stamp)),
            Command::Batch(_) => {
                unreachable!("the registry of payment files holds no money: its own tests say what it does")
            }
            Command::Pulse => Reply::Done,
        }
    }

    /// Everything that was posted, in order.
    pub fn journal(&self) -> &[Entry] {
        &self.journal
    }

    /// Ends every open pending transfer whose time is up at `now`.
    fn expire_due(&mut self, now: Stamp) {
        for pending in self.open_pendings() {
            if pending.expires_at().is_some_and(|end| end <= now) {
                self.journal.push(Entry::Expiry { pending: pending.transfer });
            }
        }
    }
}

/// The clock just before the first of `count` stamps of which the last is `stamp`.
fn before(stamp: Stamp, count: usize) -> Stamp {
    let count = u64::try_from(count).expect("a batch is far smaller than 2^64");
    Stamp::new(stamp.get().checked_sub(count).expect("stamps begin above the count of the first batch"))
}

/// A rule: where `broken` holds, the answer is `status`, and no later rule is looked at.
fn refuse_if<S>(broken: bool, status: S) -> Result<(), S> {
    if broken { Err(status) } else { Ok(()) }
}
