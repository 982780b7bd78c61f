//! Bugs that the simulator must find. This file, and every place that asks it, is only in builds with the feature
//! `planted`, which only the simulator turns on, and only to try its oracles.

use std::sync::atomic::{AtomicU8, Ordering};

/// A bug that somebody could have written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Bug {
    /// Entries count as durable while they are only staged; they are written when the queue runs empty.
    AnsweredBeforeDurable = 1,
    /// A vote is given and not written down.
    LostVote = 2,
    /// Entries that a new leader declared void are not declared void in the log.
    ForgottenTruncation = 3,
    /// A purge takes one entry too many.
    PurgeOffByOne = 4,
    /// A leader answers reads without asking whether it still leads.
    StaleRead = 5,
    /// A leader that starts again goes on leading in its old term.
    LeaderRestored = 6,
    /// A checkpoint says that it stands one entry earlier than it does, so that one is applied twice.
    AppliedTwice = 7,
    /// A batch that is split by shard loses a fen.
    LostFen = 8,
    /// The leg of a transfer between shards moves a fen less than was reserved.
    LostInClearing = 9,
    /// A leg that is asked again is done again.
    LegTwice = 10,
}

impl Bug {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::AnsweredBeforeDurable,
        Self::LostVote,
        Self::ForgottenTruncation,
        Self::PurgeOffByOne,
        Self::StaleRead,
        Self::LeaderRestored,
        Self::AppliedTwice,
        Self::LostFen,
        Self::LostInClearing,
        Self::LegTwice,
    ];
}

static PLANTED: AtomicU8 = AtomicU8::new(0);

/// Plants a bug into this process.
pub fn plant(bug: Bug) {
    PLANTED.store(bug as u8, Ordering::SeqCst);
}

/// Whether this bug is here.
pub fn is_here(bug: Bug) -> bool {
    PLANTED.load(Ordering::SeqCst) == bug as u8
}
