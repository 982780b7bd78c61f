//! Segments: a full chunk of the journal as one immutable file, small and read in pieces.
//!
//! ```text
//! header      magic, format, number                                    16 bytes
//! blocks      256 records each, by columns                             256 of them
//! accounts    who the touched accounts are, 256 a page, by slot
//! touches     opening balances, the segment before, which blocks have entries; 256 a page
//! directory   ends of the pieces, stamps of the blocks, zone, sums by ledger and code
//! trailer     where the directory is, number, format, magic            32 bytes
//! ```
//!
//! One record is one block and two account pages; an account's history is one account page, one touch page and the
//! blocks with its entries. Every piece bears a crc32c over its place and its bytes, so a damaged one is named and
//! the others are read on. The file is named by its number and the SHA-256 of all its bytes (`sha256sum` agrees),
//! and says by itself which accounts it speaks of: no live book is needed to read it.
//!
//! **Invariants.** The bytes are a function of the chunk: every replica writes the same file. Nothing is ever
//! rewritten. Reading never panics, whatever the bytes, and allocates no more than the file's size plus a constant.
//!
//! Deliberately absent: a general compressor (a record is read by unpacking its own bits, not its neighbours');
//! an index by id (see the module `index`: it spans segments).

mod accounts;
mod bits;
mod block;
mod column;
mod columns;
mod directory;
mod encode;
mod piece;
mod reading;
mod sums;
#[cfg(test)]
pub(crate) mod testing;
mod zone;

pub use accounts::{BlockSet, TouchedAccount};
pub use encode::encode;
pub use sums::{CodeFlow, Flow};
pub use zone::{Fields, Span, Zone};

pub(crate) use accounts::AccountPage;
pub(crate) use bits::{Cursor, Malformed, high_half, low_half, narrow, put_varint, wide};
pub(crate) use block::{Block, field};
pub(crate) use columns::{Columns, encode_columns};
pub(crate) use piece::{Body, Home, seal};
pub(crate) use reading::Reading;
pub(crate) use zone::stamps_meet;

use crate::disk::File;
use crate::journal::{JournalFault, Piece};
use accounts::{TouchPage, place};
use directory::Directory;
use fen_book::{AccountId, AccountSlot, Balances, CHUNK_RECORDS, RecordNumber, Stamp, Transfer};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Records in a block.
pub const BLOCK_RECORDS: usize = 256;
/// Blocks in a segment.
pub const BLOCKS: usize = CHUNK_RECORDS / BLOCK_RECORDS;
/// The version of the format that this release writes, and the newest that it reads.
pub const FORMAT: u32 = 1;

const MAGIC: [u8; 8] = *b"FEN-SEGM";
const HEADER_BYTES: u32 = 16;
/// Accounts in a page.
const PAGE_ACCOUNTS: usize = 256;
/// A record touches two accounts at most.
const ACCOUNTS_MAX: usize = 2 * CHUNK_RECORDS;

/// The SHA-256 of all bytes of a segment's file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentHash([u8; 32]);

impl SegmentHash {
    /// The hash of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Wraps a hash that was kept elsewhere.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Display for SegmentHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for SegmentHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SegmentHash({self})")
    }
}

/// The name of a segment's file: its number and its hash, as in `00000012-<64 hex digits>.seg`.
pub fn file_name(number: u32, hash: &SegmentHash) -> String {
    format!("{number:08}-{hash}.seg")
}

/// The number and hash that a file name stands for, or `None` where it is not a segment's.
pub fn parse_file_name(name: &str) -> Option<(u32, SegmentHash)> {
    let (number, hex) = name.strip_suffix(".seg")?.split_once('-')?;
    let mut hash = [0; 32];
    if !hex.is_ascii() || hex.len() != 2 * hash.len() {
        return None;
    }
    for (index, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hex.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    let found = (number.parse().ok()?, SegmentHash(hash));
    (file_name(found.0, &found.1) == name).then_some(found)
}

/// An open segment: its directory in memory, everything else read when asked for.
pub struct Segment {
    file: Arc<dyn File>,
    path: PathBuf,
    number: u32,
    size: u64,
    directory: Directory,
}

impl std::fmt::Debug for Segment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Segment").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Segment {
    /// Opens a segment: reads and checks trailer and directory. `path` is for faults.
    pub fn open(file: Arc<dyn File>, path: &Path) -> Result<Self, JournalFault> {
        let size = file.size().map_err(|source| JournalFault::disk(path, "asking for its size", source))?;
        let (directory, number) = Directory::read(&Home { file: &*file, path, number: 0 }, size)?;
        Ok(Self { file, path: path.to_path_buf(), number, size, directory })
    }

    /// Segments are numbered from zero, as their chunks are.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Bytes of its file.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Where its file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The number of its first record.
    pub fn first(&self) -> RecordNumber {
        first_record(self.number)
    }

    /// What values it holds.
    pub fn zone(&self) -> &Zone {
        &self.directory.zone
    }

    /// How many accounts it touches.
    pub fn account_count(&self) -> u32 {
        self.directory.accounts
    }

    fn home(&self) -> Home<'_> {
        Home { file: &*self.file, path: &self.path, number: self.number }
    }

    /// The fault of a file whose number is not the one in its name.
    pub(crate) fn misnamed(&self) -> JournalFault {
        self.home().damaged(Piece::Frame, 0, "its number is not the one in its name")
    }

    fn nowhere(&self, piece: Piece) -> JournalFault {
        self.home().damaged(piece, 0, "something leads to it, but there is none")
    }

    /// Reads every byte and compares with the hash that the file was named by.
    pub fn verify(&self, hash: &SegmentHash) -> Result<(), JournalFault> {
        const STEP_BYTES: usize = 1 << 20;
        let mut digest = Sha256::new();
        let mut at = 0;
        while at < self.size {
            let step = usize::try_from(self.size - at).unwrap_or(STEP_BYTES).min(STEP_BYTES);
            let mut bytes = vec![0; step];
            self.file
                .read_at(&mut bytes, at)
                .map_err(|source| JournalFault::disk(&self.path, "reading", source))?;
            digest.update(&bytes);
            at += u64::from(narrow(step));
        }
        self.compare(SegmentHash(digest.finalize().into()), hash)
    }

    /// All bytes, compared with the hash that the file was named by.
    pub fn read_all(&self, hash: &SegmentHash) -> Result<Vec<u8>, JournalFault> {
        let mut bytes = vec![0; usize::try_from(self.size).unwrap_or(0)];
        self.file
            .read_at(&mut bytes, 0)
            .map_err(|source| JournalFault::disk(&self.path, "reading", source))?;
        self.compare(SegmentHash::of(&bytes), hash)?;
        Ok(bytes)
    }

    fn compare(&self, found: SegmentHash, stated: &SegmentHash) -> Result<(), JournalFault> {
        if found == *stated {
            return Ok(());
        }
        Err(self.home().damaged(Piece::Whole, 0, "its SHA-256 is not the one in its name"))
    }

    /// The record at a position, which counts from zero within the segment.
    pub fn record(&self, position: u32) -> Result<Transfer, JournalFault> {
        let (number, row) = block_of(position);
        let block = self.block(number)?;
        let [debit, credit] = block.references(row);
        Ok(block.record(row, self.account_id(debit)?, self.account_id(credit)?))
    }

    /// What the segment knows of an account, or `None` where it has no entry of it.
    pub fn touch_of(&self, slot: AccountSlot) -> Result<Option<TouchedAccount>, JournalFault> {
        let Some(number) = self.directory.page_of(slot) else { return Ok(None) };
        let page = self.account_page(number)?;
        let Some(row) = page.row_of(slot) else { return Ok(None) };
        self.touch_in(number, &page, row).map(Some)
    }

    /// Every account that the segment touches, by rising slot.
    pub fn touches(&self) -> impl Iterator<Item = Result<TouchedAccount, JournalFault>> + '_ {
        (0..self.directory.accounts).map(|reference| {
            let (number, row) = place(reference);
            self.touch_in(number, &self.account_page(number)?, row)
        })
    }

    fn touch_in(&self, number: u32, page: &AccountPage, row: usize) -> Result<TouchedAccount, JournalFault> {
        let piece = Piece::TouchPage(number);
        let range = self.directory.touch_page(number).ok_or_else(|| self.nowhere(piece))?;
        let touches = TouchPage::read(&self.home(), number, self.directory.page_rows(number), &range)?;
        let (opening, back, blocks) = touches.touch(row);
        let previous = if back == 0 {
            None
        } else {
            let older = u32::try_from(back).ok().and_then(|back| self.number.checked_sub(back));
            let fault = || self.home().damaged(piece, range.start, "it leads before the first segment");
            Some(older.ok_or_else(fault)?)
        };
        let reference = number * narrow(PAGE_ACCOUNTS) + narrow(row);
        Ok(TouchedAccount { id: page.id(row), slot: page.slot(row), reference, opening, previous, blocks })
    }

    /// Calls `each` with what every touched account had before the segment, in the order of their references.
    pub(crate) fn openings(&self, each: &mut dyn FnMut(AccountSlot, Balances)) -> Result<(), JournalFault> {
        for number in 0..narrow(self.directory.account_page_ends.len()) {
            let page = self.account_page(number)?;
            let range =
                self.directory.touch_page(number).ok_or_else(|| self.nowhere(Piece::TouchPage(number)))?;
            let rows = self.directory.page_rows(number);
            let touches = TouchPage::read(&self.home(), number, rows, &range)?;
            for row in 0..rows {
                each(page.slot(row), touches.opening(row));
            }
        }
        Ok(())
    }

    /// The slot of an account, found without a book by looking through the dictionary.
    pub fn slot_of(&self, id: AccountId) -> Result<Option<AccountSlot>, JournalFault> {
        for number in 0..narrow(self.directory.account_page_ends.len()) {
            let page = self.account_page(number)?;
            if let Some(row) = page.row_with_id(id) {
                return Ok(Some(page.slot(row)));
            }
        }
        Ok(None)
    }

    /// The positions of an account's entries, rising.
    pub fn positions_of(&self, account: &TouchedAccount) -> Result<Vec<u32>, JournalFault> {
        let mut positions = Vec::new();
        for number in account.blocks.iter() {
            let block = self.block(u32::from(number))?;
            let first = u32::from(number) * narrow(BLOCK_RECORDS);
            positions.extend(block.rows_of(account.reference).into_iter().map(|row| first + narrow(row)));
        }
        Ok(positions)
    }

    /// The first position with a stamp at or above the given one; [`CHUNK_RECORDS`] where all are below.
    pub fn position_at_stamp(&self, stamp: Stamp) -> Result<u32, JournalFault> {
        let blocks = &self.directory.block_stamps;
        let number = narrow(blocks.partition_point(|stamps| stamps.max < stamp));
        let first = number * narrow(BLOCK_RECORDS);
        if wide(number) == BLOCKS {
            return Ok(first);
        }
        let block = self.block(number)?;
        let row = (0..BLOCK_RECORDS).find(|row| block.stamp(*row) >= stamp).unwrap_or(BLOCK_RECORDS);
        Ok(first + narrow(row))
    }

    /// The stamps of a block, from the directory.
    pub(crate) fn block_stamps(&self, number: u32) -> Option<&Span<Stamp>> {
        self.directory.block_stamps.get(wide(number))
    }

    pub(crate) fn block(&self, number: u32) -> Result<Block, JournalFault> {
        self.block_over(number, None)
    }

    /// As [`Segment::block`], into the memory of a block that is not needed any more.
    pub(crate) fn block_over(&self, number: u32, spent: Option<Block>) -> Result<Block, JournalFault> {
        let range = self.directory.block(number).ok_or_else(|| self.nowhere(Piece::Block(number)))?;
        Block::read(&self.home(), number, &range, spent)
    }

    fn account_page(&self, number: u32) -> Result<AccountPage, JournalFault> {
        let piece = Piece::AccountPage(number);
        let range = self.directory.account_page(number).ok_or_else(|| self.nowhere(piece))?;
        AccountPage::read(&self.home(), number, self.directory.page_rows(number), &range)
    }

    /// The id behind a reference; the reference just beyond the dictionary is "no account".
    fn account_id(&self, reference: u32) -> Result<AccountId, JournalFault> {
        if reference == self.directory.accounts {
            return Ok(AccountId::ZERO);
        }
        let (number, row) = place(reference);
        self.check_reference(reference)?;
        Ok(self.account_page(number)?.id(row))
    }

    fn check_reference(&self, reference: u32) -> Result<(), JournalFault> {
        if reference < self.directory.accounts {
            return Ok(());
        }
        Err(self.home().damaged(Piece::Whole, 0, "a record names an account that is not in the dictionary"))
    }
}

/// The number that the header of a segment's bytes states.
pub(crate) fn number_of(bytes: &[u8]) -> Option<u32> {
    let header = bytes.strip_prefix(&MAGIC)?;
    header.get(4..).and_then(<[u8]>::first_chunk::<4>).map(|number| u32::from_le_bytes(*number))
}

/// The block of a position, and the row in it.
pub(crate) fn block_of(position: u32) -> (u32, usize) {
    let position = wide(position);
    (narrow(position / BLOCK_RECORDS), position % BLOCK_RECORDS)
}

/// The number of a segment's first record.
pub(crate) fn first_record(segment: u32) -> RecordNumber {
    RecordNumber::new(u64::from(segment) * u64::from(narrow(CHUNK_RECORDS)))
}

#[cfg(test)]
mod tests;
