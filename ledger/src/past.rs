//! Books with a past: the two things that every question of the past needs, whoever keeps them.
//!
//! A question is a look at the book between two commands, then a reading of the journal on the caller's own thread.
//! [`Ledger`] answers so, and so does a shard of a cluster: it implements [`Past`], and the functions of
//! [`statement`](crate::statement), [`turnover`](crate::turnover), [`search`](crate::search), [`feed`](crate::feed),
//! [`as_of`](crate::as_of) and [`export`](crate::export) answer for it.
//!
//! **Invariants.** A look sees all that was answered before it was asked for. A ledger without a journal has all its
//! records in the book.

use crate::fault::Answer;
use crate::{Keep, Ledger, settled};
use fen_book::Book;
use fen_lookup::Lookup;
use fen_store::journal::Journal;

/// See the module's words.
pub trait Past {
    /// Looks at the book between two commands.
    ///
    /// # Errors
    /// [`Fault::Stopped`](crate::Fault::Stopped), and whatever hinders the keeper from asking its book.
    fn look<T: Send + 'static>(&self, look: impl FnOnce(&Book) -> T + Send + 'static) -> Answer<T>;

    /// The sealed records; none where all are young.
    fn journal(&self) -> Option<&Journal>;

    /// The secondary indexes; without them what they would point at is looked for.
    fn lookup(&self) -> Option<&Lookup> {
        None
    }
}

impl Past for Ledger {
    fn look<T: Send + 'static>(&self, look: impl FnOnce(&Book) -> T + Send + 'static) -> Answer<T> {
        match &self.keep {
            Keep::Memory(memory) => Ok(look(&settled(memory)?.book)),
            Keep::Durable(durable) => durable.read(move |shard| look(shard.book())),
        }
    }

    fn journal(&self) -> Option<&Journal> {
        match &self.keep {
            Keep::Memory(_) => None,
            Keep::Durable(durable) => Some(durable.journal()),
        }
    }

    fn lookup(&self) -> Option<&Lookup> {
        match &self.keep {
            Keep::Memory(_) => None,
            Keep::Durable(durable) => durable.lookup(),
        }
    }
}
