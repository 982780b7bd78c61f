//! What can be wrong with a log, and the mend.

use std::io;
use thiserror::Error;

/// A broken log, or a broken disk below it.
#[derive(Debug, Error)]
pub enum WalFault {
    /// Bytes that were durable once are not what was written.
    #[error(
        "{file} is damaged at byte {offset}: {what}. Nothing was changed. Restore this node from its peers or from a \
         backup; do not edit or remove the file"
    )]
    Damaged {
        /// Which file.
        file: String,
        /// Where in it.
        offset: u64,
        /// What is wrong there.
        what: &'static str,
    },
    /// A segment between others is not there.
    #[error(
        "{file} is missing, though parts of the log before and after it exist: put it back, or restore this node"
    )]
    Missing {
        /// Which file.
        file: String,
    },
    /// The log was written by a newer release.
    #[error("{file} has format version {found}, this release knows up to {known}: start the newer release")]
    Newer {
        /// Which file.
        file: String,
        /// Its version.
        found: u32,
        /// The newest version that this release reads.
        known: u32,
    },
    /// The file belongs to another log.
    #[error("{file} belongs to log {found:016x}, not to {expected:016x}: these are another ledger's files")]
    Foreign {
        /// Which file.
        file: String,
        /// The identity in it.
        found: u64,
        /// The identity asked for.
        expected: u64,
    },
    /// A body beyond the limit; nothing was staged.
    #[error("a body of {bytes} bytes is beyond the limit of {limit}: split the batch")]
    TooLarge {
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// No room for another segment. Nothing was staged and the log is whole: try again when there is room.
    #[error(
        "the disk is full: the log needs {bytes} bytes for another segment ({source}); make room and try again"
    )]
    Full {
        /// How much is needed.
        bytes: u64,
        /// What the disk said.
        source: io::Error,
    },
    /// The disk failed.
    #[error("{doing} {file} failed: {source}")]
    Disk {
        /// Which file.
        file: String,
        /// What was being done to it.
        doing: &'static str,
        /// What the disk said.
        source: io::Error,
    },
    /// An earlier write or sync failed, so nothing is certain any more.
    #[error("the log has stopped after a fault ({because}): restart the node; it recovers what was durable")]
    Poisoned {
        /// That fault.
        because: String,
    },
    /// The segment of a position has been released.
    #[error("segment {segment} of the log has been released")]
    Released {
        /// Its number.
        segment: u64,
    },
    /// Whoever recovery showed a frame to cannot take it.
    #[error("{file}, frame at byte {offset}: {reason}")]
    Refused {
        /// Which file.
        file: String,
        /// Where in it.
        offset: u64,
        /// Why.
        reason: String,
    },
    /// The options contradict each other.
    #[error("a log cannot be laid out so: {rule}")]
    Options {
        /// The rule that is broken.
        rule: &'static str,
    },
}

impl WalFault {
    pub(super) fn disk(file: &str, doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        let file = file.to_owned();
        move |source| Self::Disk { file, doing, source }
    }
}
