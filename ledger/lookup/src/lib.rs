//! Secondary indexes: from a client's key (an external reference, a customer) to the places that bear it.
//!
//! What is indexed comes in units of [`UNIT_PLACES`] places, each complete and never changed: sealed segments of the
//! journal, full stretches of the list of accounts. A unit's keys become a *run*, sorted by hash and cut into buckets;
//! eight neighbouring runs become one, up to [`RUN_UNITS_MAX`] units. sled keeps the buckets (`keeper.rs`).
//!
//! **Invariants.** An index is a hint and never the only copy of anything: whoever asks holds each place against the
//! key. It is never silently short: the list of runs says which units are covered, each bucket bears a checksum over
//! its name and its bytes, and a bucket that is not there, does not hold or cannot be read is a [`Broken`], never
//! "none". A run names what it was made from; where the books have other units now, the index is made again.
//!
//! A broken index is made again in a fresh folder while whoever asks looks at everything. Nothing here is durable when
//! it returns: after a crash the index begins where its list ends.
//!
//! Limits: about 10 bytes on disk for each place with a key, before sled's own overhead; feeding holds the entries of
//! one merged run in memory, 64 MiB at most. Deliberately absent: threads, and what the places mean.
//!
//! Tested in `tests.rs` (against a plain map; every page of the files damaged; cut off at any moment).

mod keeper;
mod run;
#[cfg(test)]
mod tests;

pub use keeper::{Lookup, Places};

use std::fmt;
use std::sync::Arc;

/// Places in a unit.
pub const UNIT_PLACES: u32 = 65_536;
/// Units in the largest run.
pub const RUN_UNITS_MAX: u32 = 64;

/// Which index.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// From an external reference to records of the journal.
    Reference,
    /// From a customer to accounts.
    Customer,
}

impl Kind {
    const fn tree(self) -> &'static str {
        match self {
            Self::Reference => "references",
            Self::Customer => "customers",
        }
    }
}

/// What a unit is known by: equal names mean equal entries.
pub type UnitName = [u8; 32];

/// A key, and the place in its unit that bears it.
pub type Entry = (u128, u32);

/// What an index is made from.
pub trait Source {
    /// Why a unit cannot be told.
    type Fault: fmt::Display;

    /// How many complete units there are.
    ///
    /// # Errors
    /// Where the source is gone.
    fn units(&self) -> Result<u32, Self::Fault>;

    /// What a unit is known by; `None` where that cannot be told now.
    ///
    /// # Errors
    /// Where the source is gone.
    fn name(&self, unit: u32) -> Result<Option<UnitName>, Self::Fault>;

    /// A unit's entries, in any order.
    ///
    /// # Errors
    /// Where the unit cannot be read.
    fn entries(&self, unit: u32) -> Result<Vec<Entry>, Self::Fault>;
}

/// The index cannot answer; it is made again.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the secondary index is being made again: {0}")]
pub struct Broken(pub Arc<str>);

/// Why feeding stopped.
#[derive(Debug, thiserror::Error)]
pub enum FeedFault {
    /// The index broke; the next feeding begins with an empty one.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// The source could not tell a unit; what comes before it is indexed.
    #[error("{0}")]
    Source(Arc<str>),
}
