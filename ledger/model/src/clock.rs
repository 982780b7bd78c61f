//! The model with a clock of its own, as a ledger in memory has: one nanosecond an event, and what `tick` adds.

use crate::Model;
use fen_book::{
    Account, Command, CreateAccountStatus, CreateTransferStatus, Outcome, Reply, STAMP_MAX, Stamp, Transfer,
};

/// A model and the time. Reading through [`Self::model`] sees everything that is due by now as expired.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ModelLedger {
    model: Model,
    clock: Stamp,
}

impl ModelLedger {
    /// An empty ledger whose first event will bear the stamp after `start`.
    pub fn new(start: Stamp) -> Self {
        Self { model: Model::new(), clock: start }
    }

    /// The stamp of the last event, or of the last tick.
    pub fn clock(&self) -> Stamp {
        self.clock
    }

    /// The books, as of now.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Opens accounts.
    pub fn create_accounts(&mut self, events: &[Account]) -> Vec<Outcome<CreateAccountStatus>> {
        let Reply::Accounts(outcomes) = self.run(&Command::CreateAccounts(events), events.len()) else {
            panic!("accounts were asked for")
        };
        outcomes
    }

    /// Posts transfers.
    pub fn create_transfers(&mut self, events: &[Transfer]) -> Vec<Outcome<CreateTransferStatus>> {
        let Reply::Transfers(outcomes) = self.run(&Command::CreateTransfers(events), events.len()) else {
            panic!("transfers were asked for")
        };
        outcomes
    }

    /// Lets time pass.
    pub fn tick(&mut self, nanoseconds: u64) -> Stamp {
        self.advance(nanoseconds);
        self.model.apply(&Command::Pulse, self.clock);
        self.clock
    }

    fn run(&mut self, command: &Command<'_>, count: usize) -> Reply {
        self.advance(u64::try_from(count).expect("a batch is far smaller than 2^64"));
        let reply = self.model.apply(command, self.clock);
        // A reader looks at the clock as it is now, which this command itself has moved.
        self.model.apply(&Command::Pulse, self.clock);
        reply
    }

    fn advance(&mut self, nanoseconds: u64) {
        let clock = self.clock.get().checked_add(nanoseconds).map(Stamp::new);
        self.clock = clock.filter(|clock| *clock <= STAMP_MAX).expect("the clock stays within the stamps");
    }
}
