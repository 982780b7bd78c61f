//! What can be wrong with a checkpoint, and the mend.

use std::io;
use thiserror::Error;

/// A broken checkpoint, or a broken disk below it.
#[derive(Debug, Error)]
pub enum CheckpointFault {
    /// A manifest is not what was written.
    #[error(
        "{file} is damaged: {what}. Nothing was changed. Open the generation before it if the log still reaches back to \
         it, or restore this node from its peers or from a backup"
    )]
    Damaged {
        /// Which file.
        file: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A page is not what was written.
    #[error(
        "page {page} of table {table} is damaged ({file} at byte {offset}). Open the generation before if the log still \
         reaches back to it, or restore this node from its peers or from a backup"
    )]
    DamagedPage {
        /// Which table.
        table: u16,
        /// Which page of it.
        page: u32,
        /// Which file.
        file: String,
        /// Where in it the page begins.
        offset: u64,
    },
    /// A file is not there.
    #[error("{file} is missing: put it back, or restore this node from its peers or from a backup")]
    Missing {
        /// Which file.
        file: String,
    },
    /// The checkpoint was written by a newer release.
    #[error("{file} has format version {found}, this release knows up to {known}: start the newer release")]
    Newer {
        /// Which file.
        file: String,
        /// Its version.
        found: u32,
        /// The newest version that this release reads.
        known: u32,
    },
    /// A header beyond the limit.
    #[error("a header of {bytes} bytes is beyond the limit of {limit}")]
    TooLarge {
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// No room for the checkpoint. The one before stands, and the draft too: go on when there is room.
    #[error("the disk is full: {file} cannot grow ({source}); the checkpoint before stands; make room")]
    Full {
        /// Which file.
        file: String,
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
    /// An earlier write or sync failed, so no more checkpoints are written.
    #[error("checkpoints have stopped after a fault ({because}): restart the node")]
    Poisoned {
        /// That fault.
        because: String,
    },
    /// Whoever the pages are shown to cannot take one.
    #[error("page {page} of table {table}: {reason}")]
    Refused {
        /// Which table.
        table: u16,
        /// Which page of it.
        page: u32,
        /// Why.
        reason: String,
    },
}

impl CheckpointFault {
    /// Whether bytes on disk are not what was written, or gone: another copy mends it. A full or failing disk and a newer
    /// format are something else.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::DamagedPage { .. } | Self::Missing { .. })
    }

    /// What a failing call means that leaves the disk uncertain: a sync, or a change of names.
    pub(super) fn uncertain(file: &str, doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        let file = file.to_owned();
        move |source| Self::Disk { file, doing, source }
    }

    /// What a failing call means otherwise; where it could not find room, nothing is broken.
    pub(super) fn disk(file: &str, doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        let file = file.to_owned();
        move |source| {
            if matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
                return Self::Full { file, source };
            }
            Self::Disk { file, doing, source }
        }
    }
}
