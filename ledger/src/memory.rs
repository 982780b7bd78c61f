//! A ledger in memory: the same book, no disk, and a clock that only moves when it is told to.

use crate::body::Body;
use crate::fault::{Answer, Fault};
use fen_book::{Book, Recall, Reply, STAMP_MAX, Stamp};

/// The book keeps all of its journal.
pub(crate) struct Memory {
    pub(crate) book: Book,
    clock: Stamp,
}

impl Memory {
    pub(crate) fn new(start: Stamp) -> Self {
        Self { book: Book::new(), clock: start }
    }

    pub(crate) fn clock(&self) -> Stamp {
        self.clock
    }

    /// Each stamp that the command takes moves the clock by one.
    pub(crate) fn apply(&mut self, body: &Body) -> Answer<Reply> {
        let command = body.command();
        let stamp = self.later(u64::try_from(command.stamp_count()).unwrap_or(u64::MAX))?;
        let reply = self.book.apply(&command, stamp, &Recall::nothing());
        self.clock = stamp;
        Ok(reply)
    }

    pub(crate) fn tick(&mut self, nanoseconds: u64) -> Answer<Stamp> {
        self.clock = self.later(nanoseconds)?;
        Ok(self.clock)
    }

    fn later(&self, nanoseconds: u64) -> Answer<Stamp> {
        match self.clock.get().checked_add(nanoseconds) {
            Some(later) if later <= STAMP_MAX.get() => Ok(Stamp::new(later)),
            Some(_) | None => Err(Fault::ClockAtItsEnd),
        }
    }
}
