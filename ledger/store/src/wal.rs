//! The write-ahead log: one per node, shared by all its groups (shards), written by one thread.
//!
//! It is a directory of segment files of fixed size, numbered without gaps. A segment is a header block and then
//! *batches*; a batch is what one [`Wal::commit`] wrote and made durable, begins on a 4,096-byte block and holds
//! *frames*; a frame is a 64-byte header and a body. Frames are entries (a command of a group at an index) or
//! controls (what a group's consensus must remember, cut off or let go).
//!
//! **Invariants**
//! - What was durable is never written again: batches begin on fresh blocks, so a torn write cannot hurt them.
//! - A frame counts only in its place: its checksum covers the log's identity, its segment's number, and the life
//!   (count of openings) and batch in which it was written. What a recycled file held before is never mistaken for
//!   the present, nor is what an earlier life left behind a tail that was cut.
//! - Batches are written one after the other, each after the last one's sync. So a broken frame is a torn tail only
//!   if nothing of a later batch exists; otherwise it was durable once and is damage: the log refuses to open.
//! - A segment's header says where its predecessor ended; only the last segment can have a torn tail.
//! - Every segment begins with the standing controls of all groups, so that releasing older ones loses none.
//! - After a failed write or sync every further call refuses: what the disk then holds is unknown.
//!
//! Limits: a body of [`BODY_BYTES_MAX`], a kept blob of [`KEEP_BYTES_MAX`], segments below 1 GiB.
//!
//! Deliberately absent: threads and queues (the caller batches whatever is queued between two commits), compression,
//! and any retry of a failed sync.
//!
//! Tested in `wal/tests`: every disk call failing or stopping the machine, torn and lost writes, flipped bits,
//! recycled segments, and arbitrary bytes as a segment.

mod fault;
mod frame;
mod index;
mod reader;
mod recovery;
mod segment;
mod spares;
#[cfg(test)]
mod tests;
mod writer;

pub use fault::WalFault;
pub use frame::checksum_of;
pub use index::{GroupIndex, IndexFault, Placed};
pub use reader::{StoredEntry, WalReader};
pub use recovery::Recovery;
pub use spares::Spares;
pub use writer::Wal;

use core::fmt;
use fen_book::Stamp;

/// The largest body of an entry: a full batch of records, with room for an envelope.
pub const BODY_BYTES_MAX: usize = (1 << 20) + (1 << 16);

/// The largest blob of [`Control::Keep`]: it is written again into every new segment.
pub const KEEP_BYTES_MAX: usize = 4096;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name($inner);

        impl $name {
            /// Wraps the integer as it is.
            pub const fn new(value: $inner) -> Self {
                Self(value)
            }
            /// The integer.
            pub const fn get(self) -> $inner {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

number! {
    /// Names a group: a shard, or the one ledger of a single node.
    GroupId(u32)
}
number! {
    /// The place of an entry in its group's log.
    LogIndex(u64)
}
number! {
    /// Names a segment of the log; they are numbered from [`SegmentNumber::FIRST`] on, without gaps.
    SegmentNumber(u64)
}

impl SegmentNumber {
    /// The first segment of every log.
    pub const FIRST: Self = Self(1);

    fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// A command in a group's log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry<'a> {
    /// Whose log.
    pub group: GroupId,
    /// Its place there.
    pub index: LogIndex,
    /// The term (and, packed as the group likes, the leader) that it was proposed in; zero on a single node.
    pub term: u64,
    /// What kind of command; the log does not look into it.
    pub kind: u16,
    /// The stamp of the command's last event.
    pub stamp: Stamp,
    /// The command's bytes, at most [`BODY_BYTES_MAX`].
    pub body: &'a [u8],
}

/// What a group's consensus wants remembered, in order with its entries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Control<'a> {
    /// A standing blob (a vote, a committed index): the last one of each name holds, whatever is released.
    Keep {
        /// Whose.
        group: GroupId,
        /// Which blob of the group.
        name: u16,
        /// At most [`KEEP_BYTES_MAX`] bytes.
        body: &'a [u8],
    },
    /// The group's entries from `from` on are void; others will take their places.
    Truncate {
        /// Whose.
        group: GroupId,
        /// The first void one.
        from: LogIndex,
    },
    /// The group's entries up to `up_to` are not needed any more; holds whatever is released.
    Purge {
        /// Whose.
        group: GroupId,
        /// The last one not needed.
        up_to: LogIndex,
        /// Its term.
        term: u64,
    },
    /// The group has left this node: nothing of it is kept.
    Forget {
        /// Which.
        group: GroupId,
    },
}

/// A frame as recovery shows it. Bodies lie at addresses that are multiples of 64.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Found<'a> {
    /// A command.
    Entry(Entry<'a>),
    /// A control; kept blobs and purge marks come again at the beginning of each segment.
    Control(Control<'a>),
}

/// Where a frame lies.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Position {
    /// In which segment.
    pub segment: SegmentNumber,
    /// At which byte of it.
    pub offset: u32,
    /// How long its body is.
    pub length: u32,
}

/// How a log is laid out. What is not given here is fixed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WalOptions {
    /// Which log this is, chosen at random by whoever creates it; files of another log are refused.
    pub identity: u64,
    /// The size of new segments.
    pub segment_bytes: u64,
    /// How much is staged at most before it is written without waiting for a commit.
    pub staging_bytes: usize,
    /// How many empty segments [`Spares::fill`] holds in reserve.
    pub spares_min: usize,
    /// How many released segments are kept for another life; more are removed.
    pub spares_max: usize,
}

impl WalOptions {
    /// The layout for a server: segments of 64 MiB, two to sixteen in reserve, up to 8 MiB in one write.
    pub const fn new(identity: u64) -> Self {
        Self { identity, segment_bytes: 64 << 20, staging_bytes: 8 << 20, spares_min: 2, spares_max: 16 }
    }
}
