//! The dictionary of a segment's accounts, by rising slot, in pages of 256: who they are (account pages), and
//! where they stood and which blocks have their entries (touch pages). Kept apart, because a record needs only
//! names and a statement needs one account's touch.

use super::bits::{Cursor, Malformed, from_halves, high_half, low_half, narrow, wide};
use super::columns::{Columns, encode_columns};
use super::piece::{Body, Home, seal};
use super::{BLOCKS, PAGE_ACCOUNTS};
use crate::journal::{JournalFault, Piece};
use fen_book::{AccountId, AccountSlot, Amount, Balances, Touch};
use std::ops::Range;

/// A set of blocks of one segment.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct BlockSet {
    words: [u64; 4],
}

/// A set of fewer blocks is kept as a list of their numbers, a byte each; a larger one as its bits.
const LIST_MAX: usize = 32;

impl BlockSet {
    /// Adds a block.
    pub(crate) fn insert(&mut self, block: u8) {
        self.words[usize::from(block) / 64] |= 1 << (block % 64);
    }

    /// How many there are.
    pub fn len(&self) -> u32 {
        self.words.iter().map(|word| word.count_ones()).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.words == [0; 4]
    }

    /// Whether the block is in it.
    pub fn contains(&self, block: u8) -> bool {
        self.words[usize::from(block) / 64] >> (block % 64) & 1 == 1
    }

    /// The blocks, rising.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = u8> + use<> {
        let mut blocks = Vec::new();
        for (begin, word) in [0u8, 64, 128, 192].into_iter().zip(self.words) {
            let mut rest = word;
            while rest != 0 {
                blocks.push(begin + u8::try_from(rest.trailing_zeros()).unwrap_or(0));
                rest &= rest - 1;
            }
        }
        blocks.into_iter()
    }

    /// Appends blocks, given rising and each once.
    fn encode(blocks: &[u8], out: &mut Vec<u8>) {
        if blocks.len() < LIST_MAX {
            out.extend_from_slice(blocks);
        } else {
            let mut set = Self::default();
            for block in blocks {
                set.insert(*block);
            }
            for word in set.words {
                out.extend_from_slice(&word.to_le_bytes());
            }
        }
    }

    fn bytes_of(count: u64) -> usize {
        usize::try_from(count).unwrap_or(LIST_MAX).min(LIST_MAX)
    }

    fn decode(bytes: &[u8]) -> Self {
        let mut set = Self::default();
        if bytes.len() < LIST_MAX {
            for block in bytes {
                set.insert(*block);
            }
        } else {
            for (word, bytes) in set.words.iter_mut().zip(bytes.chunks_exact(8)) {
                *word = bytes.first_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes));
            }
        }
        set
    }
}

/// What a segment knows of one account that it touches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TouchedAccount {
    /// Who it is.
    pub id: AccountId,
    /// Where it lives in the book.
    pub slot: AccountSlot,
    /// Its place in the segment's dictionary.
    pub reference: u32,
    /// Its balances before the segment's first record.
    pub opening: Balances,
    /// The nearest older segment that touches it.
    pub previous: Option<u32>,
    /// Where its entries are.
    pub blocks: BlockSet,
}

/// An account on its way to disk.
pub(crate) struct Line<'a> {
    pub(crate) id: AccountId,
    pub(crate) touch: Touch,
    /// Rising, each once.
    pub(crate) blocks: &'a [u8],
}

const SLOT: usize = 0;
const ID_LESS_SLOT: usize = 1;
const ID_HIGH: usize = 2;

/// Appends an account page. An id's lower half is kept less the slot: ids given in order cost nothing.
pub(crate) fn encode_account_page(lines: &[Line<'_>], number: u32, segment: u32, out: &mut Vec<u8>) {
    let start = out.len();
    let mut columns = [[0u64; PAGE_ACCOUNTS]; 3];
    for (row, line) in lines.iter().enumerate() {
        let slot = u64::from(line.touch.slot.get());
        columns[SLOT][row] = slot;
        columns[ID_LESS_SLOT][row] = low_half(line.id.get()).wrapping_sub(slot);
        columns[ID_HIGH][row] = high_half(line.id.get());
    }
    encode_columns(&columns.each_ref().map(|column| &column[..lines.len()]), out);
    seal(Piece::AccountPage(number), segment, start, out);
}

const BACK: usize = 0;
const BALANCES: usize = 1;
const BLOCK_COUNT: usize = 9;
const TOUCH_COLUMNS: usize = 10;

/// The columns of one touch page after another.
pub(crate) struct TouchRows {
    values: Vec<[u64; PAGE_ACCOUNTS]>,
}

impl Default for TouchRows {
    fn default() -> Self {
        Self { values: vec![[0; PAGE_ACCOUNTS]; TOUCH_COLUMNS] }
    }
}

impl TouchRows {
    /// Appends a touch page: the columns, then every account's blocks.
    pub(crate) fn encode(&mut self, lines: &[Line<'_>], number: u32, segment: u32, out: &mut Vec<u8>) {
        let start = out.len();
        for (row, line) in lines.iter().enumerate() {
            self.values[BACK][row] = chunks_back(segment, line.touch.previous);
            let opening = &line.touch.opening;
            let balances = [
                opening.debits_pending,
                opening.debits_posted,
                opening.credits_pending,
                opening.credits_posted,
            ];
            for (index, balance) in balances.iter().enumerate() {
                self.values[BALANCES + 2 * index][row] = low_half(balance.get());
                self.values[BALANCES + 2 * index + 1][row] = high_half(balance.get());
            }
            self.values[BLOCK_COUNT][row] = u64::from(narrow(line.blocks.len()));
        }
        let columns: [&[u64]; TOUCH_COLUMNS] =
            std::array::from_fn(|column| &self.values[column][..lines.len()]);
        encode_columns(&columns, out);
        for line in lines {
            BlockSet::encode(line.blocks, out);
        }
        seal(Piece::TouchPage(number), segment, start, out);
    }
}

/// How many chunks back the previous touch is; zero for none. `previous` counts chunks from one.
fn chunks_back(segment: u32, previous: u32) -> u64 {
    if previous == 0 {
        return 0;
    }
    let back = (u64::from(segment) + 1).checked_sub(u64::from(previous));
    back.filter(|back| *back > 0).expect("a touch's previous chunk is older than its own")
}

/// An account page read back.
pub(crate) struct AccountPage {
    body: Body,
    columns: Columns<3>,
    count: usize,
}

impl AccountPage {
    pub(crate) fn read(
        home: &Home<'_>,
        number: u32,
        count: usize,
        range: &Range<u64>,
    ) -> Result<Self, JournalFault> {
        let piece = Piece::AccountPage(number);
        let body = home.read(piece, range)?;
        let columns = Columns::parse(&mut Cursor::new(body.bytes(), body.end()), count)
            .map_err(|malformed| home.malformed(piece, range.start, malformed))?;
        Ok(Self { body, columns, count })
    }

    fn slot_value(&self, row: usize) -> u64 {
        self.columns.get(self.body.bytes(), SLOT, row)
    }

    pub(crate) fn slot(&self, row: usize) -> AccountSlot {
        AccountSlot::new(u32::try_from(self.slot_value(row)).unwrap_or(u32::MAX))
    }

    #[inline]
    pub(crate) fn id(&self, row: usize) -> AccountId {
        let bytes = self.body.bytes();
        let low = self.columns.get(bytes, ID_LESS_SLOT, row).wrapping_add(self.slot_value(row));
        AccountId::new(from_halves(low, self.columns.get(bytes, ID_HIGH, row)))
    }

    /// The row of an account.
    pub(crate) fn row_of(&self, slot: AccountSlot) -> Option<usize> {
        let wanted = u64::from(slot.get());
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low.midpoint(high);
            if self.slot_value(middle) < wanted {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        (low < self.count && self.slot_value(low) == wanted).then_some(low)
    }

    /// The row of the account with this id, by looking at every one.
    pub(crate) fn row_with_id(&self, id: AccountId) -> Option<usize> {
        (0..self.count).find(|row| self.id(*row) == id)
    }
}

/// A touch page read back.
pub(crate) struct TouchPage {
    body: Body,
    columns: Columns<TOUCH_COLUMNS>,
    blocks_at: usize,
    count: usize,
}

impl TouchPage {
    pub(crate) fn read(
        home: &Home<'_>,
        number: u32,
        count: usize,
        range: &Range<u64>,
    ) -> Result<Self, JournalFault> {
        let piece = Piece::TouchPage(number);
        let body = home.read(piece, range)?;
        Self::parse(body, count).map_err(|malformed| home.malformed(piece, range.start, malformed))
    }

    fn parse(body: Body, count: usize) -> Result<Self, Malformed> {
        let mut cursor = Cursor::new(body.bytes(), body.end());
        let columns = Columns::parse(&mut cursor, count)?;
        let blocks_at = cursor.at();
        let page = Self { body, columns, blocks_at, count };
        let end = page.blocks_start(count);
        if end == page.body.end() { Ok(page) } else { Err(Malformed { at: blocks_at }) }
    }

    fn block_count(&self, row: usize) -> u64 {
        self.columns.get(self.body.bytes(), BLOCK_COUNT, row)
    }

    fn blocks_start(&self, row: usize) -> usize {
        let mut counts = [0u64; PAGE_ACCOUNTS];
        let counts = &mut counts[..row.min(self.count)];
        self.columns.column(BLOCK_COUNT).fill(self.body.bytes(), counts);
        self.blocks_at + counts.iter().map(|count| BlockSet::bytes_of(*count)).sum::<usize>()
    }

    /// What the account had before the segment.
    pub(crate) fn opening(&self, row: usize) -> Balances {
        let bytes = self.body.bytes();
        let balance = |index: usize| {
            let at = BALANCES + 2 * index;
            Amount::new(from_halves(self.columns.get(bytes, at, row), self.columns.get(bytes, at + 1, row)))
        };
        Balances {
            debits_pending: balance(0),
            debits_posted: balance(1),
            credits_pending: balance(2),
            credits_posted: balance(3),
        }
    }

    /// The account's balances, the segment before (as its distance), and its blocks.
    pub(crate) fn touch(&self, row: usize) -> (Balances, u64, BlockSet) {
        let bytes = self.body.bytes();
        let opening = self.opening(row);
        let start = self.blocks_start(row);
        let end = start + BlockSet::bytes_of(self.block_count(row));
        let blocks = BlockSet::decode(bytes.get(start..end).unwrap_or_default());
        (opening, self.columns.get(bytes, BACK, row), blocks)
    }
}

/// How many accounts page `number` of a dictionary of `total` has.
pub(crate) fn page_rows(total: u32, number: u32) -> usize {
    wide(total).saturating_sub(wide(number) * PAGE_ACCOUNTS).min(PAGE_ACCOUNTS)
}

/// The page and the row in it of a reference.
#[inline]
pub(crate) fn place(reference: u32) -> (u32, usize) {
    let reference = wide(reference);
    (narrow(reference / PAGE_ACCOUNTS), reference % PAGE_ACCOUNTS)
}

const _: () = assert!(BLOCKS == 256, "a block's number is one byte");
