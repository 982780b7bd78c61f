//! One number for all the books: equal digests mean equal books, whoever keeps them.
//!
//! SHA-256 over the accounts, their limits, the open pending transfers, the loans, the journal and the
//! registry of payment files: the hash of every sealed
//! segment, then the records of the open chunk. The clock is not part of it, nor is what is only how the books are
//! kept.

use crate::shard::{Shard, touched_ids};
use fen_book::accounts::shown;
use fen_book::{AccountSlot, Book, Chunk};
use fen_store::segment::{self, SegmentHash};
use sha2::{Digest, Sha256};
use zerocopy::IntoBytes;

/// The digest of the books. `sealed` are the hashes of the segments that the book no longer holds, in order.
pub(crate) fn digest(book: &Book, sealed: &[[u8; 32]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(b"fen books 1");
    for number in 0..book.accounts().len() {
        let slot = AccountSlot::new(u32::try_from(number).unwrap_or(u32::MAX));
        hasher.update(shown(book.accounts().get(slot)).as_bytes());
        let limit = book.accounts().limit(slot);
        if !limit.is_zero() {
            hasher.update(limit.as_bytes());
        }
    }
    for pending in book.pendings().by_age() {
        hasher.update(pending.transfer.as_bytes());
    }
    for hash in sealed {
        hasher.update(hash);
    }
    for chunk in book.young().full_chunks() {
        hasher.update(hash_of_chunk(chunk));
    }
    for record in &book.young().open_chunk().records {
        hasher.update(record.as_bytes());
    }
    book.loans().feed(&mut |bytes| hasher.update(bytes));
    book.batches().feed(&mut |bytes| hasher.update(bytes));
    hasher.finalize().into()
}

/// The digest of a shard's books.
pub(crate) fn of_shard(shard: &Shard) -> [u8; 32] {
    digest(shard.book(), &sealed_below(shard))
}

/// The hashes of the segments that the book no longer holds, in order.
fn sealed_below(shard: &Shard) -> Vec<[u8; 32]> {
    let first_young = shard.book().young().chunks().next().map_or(0, |chunk| chunk.number);
    let hashes = shard.journal().segment_hashes().into_iter();
    hashes.filter(|(number, _)| *number < first_young).map(|(_, hash)| *hash.bytes()).collect()
}

/// The hash that a chunk's segment has, or will have.
fn hash_of_chunk(chunk: &Chunk) -> [u8; 32] {
    *SegmentHash::of(&segment::encode(chunk, &touched_ids(chunk))).bytes()
}
