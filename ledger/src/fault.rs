//! Why a ledger could not do what it was asked: a broken world, never a refusal (those are statuses).

use std::sync::Arc;

/// A fault. Cheap to clone: when the storage breaks, every caller gets the same one.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Fault {
    /// The directory cannot be opened as a ledger; the text names the place and the mend.
    #[error("cannot open the ledger: {0}")]
    Open(Arc<str>),
    /// Storage broke while the ledger ran; it stops, and nothing that was not answered is to be relied on.
    #[error("the ledger has stopped: {0}")]
    Stopped(Arc<str>),
    /// There is no room on the disk; nothing of the command was done, and it may be sent again.
    #[error("the disk is full: {0}; make room and send the same command again")]
    DiskFull(Arc<str>),
    /// A piece of history is damaged; the rest can be read.
    #[error("history cannot be read: {0}")]
    Damaged(Arc<str>),
    /// A cursor that this question cannot go on from; the text says why.
    #[error("the cursor is refused: {0}")]
    Cursor(Arc<str>),
    /// More events than one command may hold.
    #[error("{count} events in one command; at most {max} are allowed: send them in several commands")]
    TooManyEvents {
        /// How many came.
        count: usize,
        /// How many may come.
        max: usize,
    },
    /// Only an in-memory ledger's clock can be moved by hand.
    #[error("only an in-memory ledger's clock can be moved: a durable one follows the machine's")]
    ClockIsNotOurs,
    /// The clock would pass the largest stamp.
    #[error("the clock cannot move past 2^63 - 1 nanoseconds")]
    ClockAtItsEnd,
}

/// How the ledger's calls end.
pub type Answer<T> = Result<T, Fault>;

/// Any fault's words, shared.
pub(crate) fn words(fault: &dyn std::fmt::Display) -> Arc<str> {
    Arc::from(fault.to_string())
}
