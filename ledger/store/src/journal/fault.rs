//! What can be wrong with the files of the journal, told so that an operator knows which piece to mend and how.

use fen_book::RecordNumber;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A part of a file that is checked by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Piece {
    /// The first or last bytes, which say what the file is.
    Frame,
    /// The directory of a segment or of an index run.
    Directory,
    /// A block of records (of index entries, in a run).
    Block(u32),
    /// A page of the dictionary of accounts.
    AccountPage(u32),
    /// A page of opening balances and positions.
    TouchPage(u32),
    /// The filter of an index run.
    Filter,
    /// The file as a whole: its bytes are not those that its name stands for.
    Whole,
}

impl std::fmt::Display for Piece {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Frame => f.write_str("frame"),
            Self::Directory => f.write_str("directory"),
            Self::Block(number) => write!(f, "block {number}"),
            Self::AccountPage(number) => write!(f, "account page {number}"),
            Self::TouchPage(number) => write!(f, "touch page {number}"),
            Self::Filter => f.write_str("filter"),
            Self::Whole => f.write_str("whole file"),
        }
    }
}

/// Why the journal could not answer. Never an answer: a fault leaves the question open.
#[derive(Clone, Debug, thiserror::Error)]
pub enum JournalFault {
    /// Bytes are not what was written.
    #[error(
        "{}: {piece} at byte {offset} is damaged ({what}); fetch the file from another replica or a backup",
        file.display()
    )]
    Damaged {
        /// Which file.
        file: PathBuf,
        /// Which part of it.
        piece: Piece,
        /// Where the part begins, or where in it reading stopped.
        offset: u64,
        /// What gave it away.
        what: &'static str,
    },
    /// A later release wrote the file.
    #[error("{}: written in format {found}, this release reads up to {known}; run the newer release", file.display())]
    Newer {
        /// Which file.
        file: PathBuf,
        /// Its format.
        found: u32,
        /// The newest that this release knows.
        known: u32,
    },
    /// A segment is not in its place.
    #[error(
        "segment {number} is missing in {} and in its folder archive (if that is a link or a mount, is it there?); \
         put it back, or fetch it from another replica",
        directory.display()
    )]
    Missing {
        /// Where it should be.
        directory: PathBuf,
        /// Which one.
        number: u32,
    },
    /// Two files claim the same segment.
    #[error("{} and {} both claim segment {number}; remove the one whose hash is not in the digest", first.display(), second.display())]
    Twice {
        /// One.
        first: PathBuf,
        /// The other.
        second: PathBuf,
        /// Which segment.
        number: u32,
    },
    /// A question for a record that is not sealed (yet).
    #[error("record {number} is not in the sealed journal, which ends before record {end}")]
    NotSealed {
        /// Which record.
        number: RecordNumber,
        /// The first that is not sealed.
        end: RecordNumber,
    },
    /// A chunk was handed over out of turn, or differs from the one sealed under its number.
    #[error("chunk {number} cannot be sealed: {what}")]
    OutOfTurn {
        /// Which chunk.
        number: u32,
        /// Why.
        what: &'static str,
    },
    /// A segment is sound and has other records than when its root was worked out.
    #[error(
        "segment {number} is not the one whose records were hashed for a digest: history was replaced; \
         compare it with another replica and with the digests that others hold"
    )]
    OtherHistory {
        /// Which segment.
        number: u32,
    },
    /// The disk refused.
    #[error("{}: {doing} failed: {source}", file.display())]
    Disk {
        /// Which file.
        file: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        source: Arc<io::Error>,
    },
}

impl JournalFault {
    /// Whether the disk had no room: nothing is broken, and the same call may be made again.
    pub fn is_full(&self) -> bool {
        let full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
        matches!(self, Self::Disk { source, .. } if full.contains(&source.kind()))
    }

    /// Whether bytes on disk are not what was written: another copy mends it. What is missing may only lie in an archive
    /// that is not mounted.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged { .. })
    }

    /// Whether putting a sound file in place mends it.
    pub(crate) fn is_mendable(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::Missing { .. })
    }

    /// Whether a later release wrote the file.
    pub(crate) fn is_newer(&self) -> bool {
        matches!(self, Self::Newer { .. })
    }

    /// Wraps what the system said.
    pub(crate) fn disk(file: &Path, doing: &'static str, source: io::Error) -> Self {
        Self::Disk { file: file.to_path_buf(), doing, source: Arc::new(source) }
    }
}
