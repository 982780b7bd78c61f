//! The model with a clock of its own, as a ledger in memory has: one nanosecond an event, and what `tick` adds.

use crate::Model;
use fen_book::{Command, Reply, STAMP_MAX, Stamp};

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

    /// Carries out one command at the next stamps.
    pub fn apply(&mut self, command: &Command<'_>) -> Reply {
        self.advance(u64::try_from(command.stamp_count()).expect("stamps are counted in 64 bits"));
        let reply = self.model.apply(command, self.clock);
        // A reader looks at the clock as it is now, which this command itself has moved.
        self.model.apply(&Command::Pulse, self.clock);
        reply
    }

    /// Lets time pass.
    pub fn tick(&mut self, nanoseconds: u64) -> Stamp {
        self.advance(nanoseconds);
        self.model.apply(&Command::Pulse, self.clock);
        self.clock
    }

    fn advance(&mut self, nanoseconds: u64) {
        let clock = self.clock.get().checked_add(nanoseconds).map(Stamp::new);
        self.clock = clock.filter(|clock| *clock <= STAMP_MAX).expect("the clock stays within the stamps");
    }
}
