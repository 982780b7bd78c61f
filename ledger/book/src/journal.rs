//! The young end of the journal: applied transfers that are not yet sealed into a segment.
//!
//! The journal is one sequence of 128-byte records in the order of applying: transfers, marks of burned ids
//! ([`TransferFlags::BURNED`](crate::TransferFlags::BURNED): `id` and a stamp, all else zero), expiries
//! ([`TransferFlags::EXPIRY`](crate::TransferFlags::EXPIRY): `pending_id`, accounts, amount, ledger and code of
//! the pending transfer, `id` zero), and [memos](crate::memo) of commands that move no money. Stamps never fall along it; a transfer's stamp is above every earlier
//! transfer's.
//!
//! It is cut into chunks of exactly [`CHUNK_RECORDS`], so every replica cuts alike. A full chunk is handed to the
//! storage as it is, with what a reader needs to follow one account without reading the rest: its [`Touch`]es.

use crate::account::Balances;
use crate::quantity::{AccountSlot, Amount, RecordNumber};
use crate::transfer::Transfer;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Records in a chunk, and so in a sealed segment.
pub const CHUNK_RECORDS: usize = 1 << CHUNK_BITS;

const CHUNK_BITS: u32 = 16;

/// The first entry of an account within a chunk: what its balances were before it, and where to look further back.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Touch {
    /// The balances before the chunk's first record.
    pub opening: Balances,
    /// Which account.
    pub slot: AccountSlot,
    /// The number, plus one, of the nearest older chunk with an entry of this account; zero where there is none.
    pub previous: u32,
    /// Keeps the record a multiple of its alignment.
    pub reserved: u64,
}

const _: () = assert!(size_of::<Touch>() == 80);

/// A post that took less than its pending transfer had reserved. The record tells what was posted; a reader who
/// follows the balances of an account must also know what was released, and this tells it.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct PartPost {
    /// What the pending transfer had reserved, all of which the post released.
    pub pending_amount: Amount,
    /// The post's position in its chunk.
    pub position: u32,
    /// Keeps the record a multiple of its alignment.
    pub reserved: [u32; 3],
}

const _: () = assert!(size_of::<PartPost>() == 32);

/// A full chunk, immutable from here on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Chunk {
    /// Chunks are numbered from zero; chunk `n` holds the records from `n * CHUNK_RECORDS` on.
    pub number: u32,
    /// Exactly [`CHUNK_RECORDS`] of them.
    pub records: Vec<Transfer>,
    /// One for each account that any of the records moves, in the order of first touch.
    pub touches: Vec<Touch>,
    /// For each record the slots of its debit and its credit account ([`NO_SLOT`] for a burned id).
    pub slots: Vec<[AccountSlot; 2]>,
    /// One for each post of less than its pending amount, by rising position. Every other post, void and expiry
    /// released exactly the amount in its record.
    pub part_posts: Vec<PartPost>,
}

/// Stands for "no account" in [`Chunk::slots`].
pub const NO_SLOT: AccountSlot = AccountSlot::MAX;

impl Chunk {
    /// The number of its first record.
    pub fn first(&self) -> RecordNumber {
        RecordNumber::new(u64::from(self.number) << CHUNK_BITS)
    }
}
