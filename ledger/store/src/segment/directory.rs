//! The directory of a segment: where its pieces are, and enough of what is in them to choose among them.
//!
//! It is the last piece of the file but for the trailer, which is of fixed length and leads to it.

use super::accounts::page_rows;
use super::bits::{Cursor, Malformed, narrow, put_varint, wide};
use super::columns::{Columns, encode_columns};
use super::piece::{Home, range_of, seal};
use super::zone::{Span, Zone};
use super::{ACCOUNTS_MAX, BLOCKS, FORMAT, HEADER_BYTES, MAGIC, PAGE_ACCOUNTS};
use crate::journal::{JournalFault, Piece};
use fen_book::{AccountSlot, CHUNK_RECORDS, Stamp};
use std::ops::Range;

/// Bytes of the trailer: where the directory is (start and length), segment number, format, a crc32c of these
/// four, zero, and the magic.
pub(crate) const TRAILER_BYTES: usize = 32;

/// See the module's words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Directory {
    pub(crate) accounts: u32,
    pub(crate) block_ends: Vec<u32>,
    pub(crate) block_stamps: Vec<Span<Stamp>>,
    pub(crate) account_page_ends: Vec<u32>,
    pub(crate) account_page_slots: Vec<AccountSlot>,
    pub(crate) touch_page_ends: Vec<u32>,
    pub(crate) zone: Zone,
}

impl Directory {
    /// Appends directory and trailer.
    pub(crate) fn encode(&self, segment: u32, out: &mut Vec<u8>) {
        let start = out.len();
        put_varint(u128::from(self.accounts), out);
        let ends: Vec<u64> = self.block_ends.iter().map(|end| u64::from(*end)).collect();
        let lows: Vec<u64> = self.block_stamps.iter().map(|stamps| stamps.min.get()).collect();
        let highs: Vec<u64> = self.block_stamps.iter().map(|stamps| stamps.max.get()).collect();
        encode_columns(&[&ends[..], &lows[..], &highs[..]], out);
        let pages = self.account_page_ends.len();
        for begin in (0..pages).step_by(PAGE_ACCOUNTS) {
            let group = begin..pages.min(begin + PAGE_ACCOUNTS);
            let column =
                |ends: &[u32]| ends[group.clone()].iter().map(|end| u64::from(*end)).collect::<Vec<_>>();
            let slots: Vec<u32> = self.account_page_slots.iter().map(|slot| slot.get()).collect();
            let columns = [column(&self.account_page_ends), column(&slots), column(&self.touch_page_ends)];
            encode_columns(&columns.each_ref().map(Vec::as_slice), out);
        }
        self.zone.encode(out);
        seal(Piece::Directory, segment, start, out);
        write_trailer(narrow(start), narrow(out.len() - start), segment, out);
    }

    /// Reads the directory of a file of `size` bytes, and the segment's number.
    pub(crate) fn read(home: &Home<'_>, size: u64) -> Result<(Self, u32), JournalFault> {
        let trailer = Trailer::read(home, size)?;
        let home = Home { number: trailer.segment, ..*home };
        let range = u64::from(trailer.start)..u64::from(trailer.end);
        let body = home.read(Piece::Directory, &range)?;
        let mut cursor = Cursor::new(body.bytes(), body.end());
        let directory = Self::parse(&mut cursor, body.bytes())
            .map_err(|malformed| home.malformed(Piece::Directory, range.start, malformed))?;
        if !directory.is_in_order(trailer.start) {
            return Err(home.damaged(Piece::Directory, range.start, "its pieces do not lie in a row"));
        }
        Ok((directory, trailer.segment))
    }

    fn parse(cursor: &mut Cursor<'_>, bytes: &[u8]) -> Result<Self, Malformed> {
        let accounts = narrow(cursor.count(ACCOUNTS_MAX)?);
        let blocks: Columns<3> = Columns::parse(cursor, BLOCKS)?;
        let block_ends = (0..BLOCKS).map(|row| word(blocks.get(bytes, 0, row))).collect();
        let stamp = |column, row| Stamp::new(blocks.get(bytes, column, row));
        let block_stamps = (0..BLOCKS).map(|row| Span { min: stamp(1, row), max: stamp(2, row) }).collect();
        let pages = wide(accounts).div_ceil(PAGE_ACCOUNTS);
        let mut columns: [Vec<u32>; 3] = std::array::from_fn(|_| Vec::with_capacity(pages));
        for begin in (0..pages).step_by(PAGE_ACCOUNTS) {
            let rows = (pages - begin).min(PAGE_ACCOUNTS);
            let group: Columns<3> = Columns::parse(cursor, rows)?;
            for (index, column) in columns.iter_mut().enumerate() {
                column.extend((0..rows).map(|row| word(group.get(bytes, index, row))));
            }
        }
        let [account_page_ends, slots, touch_page_ends] = columns;
        let account_page_slots = slots.into_iter().map(AccountSlot::new).collect();
        let zone = Zone::decode(cursor, CHUNK_RECORDS)?;
        Ok(Self {
            accounts,
            block_ends,
            block_stamps,
            account_page_ends,
            account_page_slots,
            touch_page_ends,
            zone,
        })
    }

    /// Whether the pieces follow one another from the header to the directory.
    fn is_in_order(&self, directory_start: u32) -> bool {
        let pieces = [&self.block_ends, &self.account_page_ends, &self.touch_page_ends];
        let mut last = HEADER_BYTES;
        let mut rising = true;
        for end in pieces.into_iter().flatten() {
            rising &= *end > last;
            last = *end;
        }
        rising && last == directory_start && self.account_page_slots.is_sorted()
    }

    pub(crate) fn block(&self, number: u32) -> Option<Range<u64>> {
        range_of(HEADER_BYTES, &self.block_ends, number)
    }

    pub(crate) fn account_page(&self, number: u32) -> Option<Range<u64>> {
        range_of(*self.block_ends.last()?, &self.account_page_ends, number)
    }

    pub(crate) fn touch_page(&self, number: u32) -> Option<Range<u64>> {
        range_of(*self.account_page_ends.last()?, &self.touch_page_ends, number)
    }

    /// How many accounts a page has.
    pub(crate) fn page_rows(&self, number: u32) -> usize {
        page_rows(self.accounts, number)
    }

    /// The page where an account must be, if it is anywhere.
    pub(crate) fn page_of(&self, slot: AccountSlot) -> Option<u32> {
        self.account_page_slots.partition_point(|first| *first <= slot).checked_sub(1).map(narrow)
    }
}

fn word(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// The last bytes of a segment.
struct Trailer {
    start: u32,
    end: u32,
    segment: u32,
}

fn write_trailer(start: u32, length: u32, segment: u32, out: &mut Vec<u8>) {
    let begin = out.len();
    for word in [start, length, segment, FORMAT] {
        out.extend_from_slice(&word.to_le_bytes());
    }
    let sum = crc32c::crc32c(&out[begin..]);
    out.extend_from_slice(&sum.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&MAGIC);
    assert_eq!(out.len() - begin, TRAILER_BYTES, "a trailer has its fixed length");
}

impl Trailer {
    fn read(home: &Home<'_>, size: u64) -> Result<Self, JournalFault> {
        let length = u64::from(narrow(TRAILER_BYTES));
        let Some(at) = size.checked_sub(length) else {
            return Err(home.damaged(Piece::Frame, 0, "the file is too short for a segment"));
        };
        let mut bytes = [0; TRAILER_BYTES];
        home.file
            .read_at(&mut bytes, at)
            .map_err(|source| JournalFault::disk(home.path, "reading the trailer", source))?;
        let mut words = [0u32; 6];
        for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(4)) {
            *word = bytes.first_chunk::<4>().map_or(0, |bytes| u32::from_le_bytes(*bytes));
        }
        let [start, length, segment, format, sum, _] = words;
        if bytes[24..] != MAGIC {
            return Err(home.damaged(Piece::Frame, at, "it does not end as a segment does"));
        }
        if sum != crc32c::crc32c(&bytes[..16]) {
            return Err(home.damaged(Piece::Frame, at, "its checksum differs"));
        }
        if format > FORMAT {
            let file = home.path.to_path_buf();
            return Err(JournalFault::Newer { file, found: format, known: FORMAT });
        }
        let end = start.checked_add(length).filter(|end| u64::from(*end) == at);
        let end = end.ok_or_else(|| home.damaged(Piece::Frame, at, "it leads nowhere"))?;
        Ok(Self { start, end, segment })
    }
}
