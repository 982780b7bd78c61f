//! The book: accounts, open pending transfers and the young journal, changed by commands only.
//!
//! Follow one transfer: [`Book::apply`] ends what has lapsed, gives the event its stamp and its place in a chain
//! (`batch`), plans it against a view of the book (`view`, `plan`), and posts the plan (`post`).
//!
//! **Invariants.** After every command debits equal credits, posted and pending, in every ledger; the pending
//! balances of an account are the sum of its open pending transfers; a closed account stays closed until the
//! pending transfer that closed it ends. Deliberately absent: any clock, disk or thread, and any `Result`: a
//! refusal is a status, a broken rule is a panic that stops the node.

use crate::accounts::Accounts;
use crate::batch::{AccountBatch, OpeningBatch, ReceiptBatch, TransferBatch, run};
use crate::batches::{BatchOrder, BatchReply, BatchStatus, Batches};
use crate::command::{Command, Reply};
use crate::loan::control::Leg;
use crate::loan::loans::Loans;
use crate::pendings::Pendings;
use crate::quantity::{Stamp, TransferId};
use crate::recall::Recall;
use crate::transfer::Transfer;
use crate::young::Young;
use std::collections::BTreeMap;

/// See the module's words.
pub struct Book {
    pub(crate) accounts: Accounts,
    pub(crate) pendings: Pendings,
    pub(crate) young: Young,
    /// Products, loans, the business date.
    pub(crate) loans: Loans,
    /// Payment files.
    pub(crate) batches: Batches,
    /// The stamp of the last event applied.
    pub(crate) clock: Stamp,
    /// Memory for the transfers of a loan event, kept from one to the next.
    pub(crate) kept_legs: Vec<Leg>,
    /// Pending transfers that ended in the command that is being applied.
    pub(crate) ended_now: BTreeMap<TransferId, Transfer>,
}

impl Default for Book {
    fn default() -> Self {
        Self::new()
    }
}

impl Book {
    /// An empty book.
    pub fn new() -> Self {
        Self {
            accounts: Accounts::new(),
            pendings: Pendings::new(),
            young: Young::new(),
            loans: Loans::default(),
            batches: Batches::default(),
            clock: Stamp::ZERO,
            kept_legs: Vec::new(),
            ended_now: BTreeMap::new(),
        }
    }

    /// Applies one entry of the log. `stamp` is that of its last event; see [`Command`].
    ///
    /// # Panics
    /// When the log breaks its promises: a stamp not above the last one's, or more events than
    /// [`EVENTS_MAX`](crate::EVENTS_MAX). Both are checked where commands enter the log.
    pub fn apply(&mut self, command: &Command<'_>, stamp: Stamp, recall: &Recall) -> Reply {
        let stamps = u64::try_from(command.stamp_count()).expect("a command's stamps are counted in 64 bits");
        let now = Stamp::new(stamp.get().checked_sub(stamps).expect("a stamp leaves room for its events"));
        assert!(now >= self.clock, "stamps rise from command to command");
        assert!(command.event_count() <= command.event_count_max(), "a command's events fit the log");
        self.ended_now.clear();
        self.expire(now);
        let reply = match command {
            Command::CreateAccounts(events) => {
                Reply::Accounts(run::<AccountBatch>(self, events, stamp, recall))
            }
            Command::CreateTransfers(events) => {
                Reply::Transfers(run::<TransferBatch>(self, events, stamp, recall))
            }
            Command::CreateTransfersWithBalances(events) => {
                Reply::Receipts(run::<ReceiptBatch>(self, events, stamp, recall))
            }
            Command::OpenAccounts(events) => {
                Reply::Openings(run::<OpeningBatch>(self, events, stamp, recall))
            }
            Command::SetLimits(events) => Reply::Limits(self.set_limits(events, stamp)),
            Command::EndChains(events) => Reply::ChainEnds(self.end_chains(events, stamp, recall)),
            Command::Loans(body) => Reply::Loans(self.apply_loans(body, stamp, recall)),
            Command::Batch(body) => Reply::Batch(self.take_batch(body, stamp)),
            Command::Pulse => Reply::Done,
        };
        self.clock = stamp;
        reply
    }

    /// Takes an order to the registry.
    fn take_batch(&mut self, body: &[u8], stamp: Stamp) -> BatchReply {
        let order = BatchOrder::decode(body).expect("the log takes orders to the registry that decode");
        let reply = self.batches.take(&order, stamp);
        if reply.outcome.status == BatchStatus::Created {
            self.tell_file(&order, stamp);
        }
        reply
    }

    /// Ends every pending transfer that has lapsed at `now`.
    fn expire(&mut self, now: Stamp) {
        while let Some(pending) = self.pendings.first_lapsed(now) {
            self.post_expiry(&pending, now);
        }
    }

    /// The stamp of the last event applied.
    pub fn clock(&self) -> Stamp {
        self.clock
    }

    /// When the next pending transfer lapses; a [`Command::Pulse`] at or after it releases the money.
    pub fn next_expiry(&self) -> Option<Stamp> {
        self.pendings.next_expiry()
    }

    /// All accounts.
    pub fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// Products, loans and the business date.
    pub fn loans(&self) -> &Loans {
        &self.loans
    }

    /// Payment files.
    pub fn batches(&self) -> &Batches {
        &self.batches
    }

    /// All open pending transfers.
    pub fn pendings(&self) -> &Pendings {
        &self.pendings
    }

    /// The young end of the journal.
    pub fn young(&self) -> &Young {
        &self.young
    }

    /// Drops full chunk `number`, which storage has sealed and indexed. Changes no answer.
    pub fn forget_chunk(&mut self, number: u32) {
        self.young.forget(number);
    }
}
