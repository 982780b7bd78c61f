//! From a chunk to the bytes of its segment: a pure function, the same on every replica.

use super::accounts::{Line, TouchRows, encode_account_page};
use super::bits::{narrow, wide};
use super::block::Rows;
use super::directory::Directory;
use super::zone::{Span, Zone};
use super::{ACCOUNTS_MAX, BLOCK_RECORDS, FORMAT, MAGIC, PAGE_ACCOUNTS};
use fen_book::{AccountId, AccountSlot, Amount, CHUNK_RECORDS, Chunk, NO_SLOT, PartPost, Touch, Transfer};

/// Encodes a full chunk. `account_ids` names the accounts of `chunk.touches`, in the same order.
///
/// # Panics
/// Where the chunk is not one: not [`CHUNK_RECORDS`] records, an account without a touch, an id that is not its
/// account's. Such a chunk is a bug of the book, and must not become history.
pub fn encode(chunk: &Chunk, account_ids: &[AccountId]) -> Vec<u8> {
    assert_eq!(chunk.records.len(), CHUNK_RECORDS, "only a full chunk is sealed");
    assert_eq!(chunk.slots.len(), CHUNK_RECORDS, "every record has its accounts' slots");
    assert_eq!(chunk.touches.len(), account_ids.len(), "every touched account has its id");
    assert!(account_ids.len() <= ACCOUNTS_MAX, "a record touches two accounts at most");
    let mut draft = Draft::new(chunk, account_ids);
    let mut out = Vec::with_capacity(CHUNK_RECORDS * 48);
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&FORMAT.to_le_bytes());
    out.extend_from_slice(&chunk.number.to_le_bytes());
    let mut directory = Directory {
        accounts: narrow(account_ids.len()),
        block_ends: Vec::new(),
        block_stamps: Vec::new(),
        account_page_ends: Vec::new(),
        account_page_slots: Vec::new(),
        touch_page_ends: Vec::new(),
        zone: Zone::of(&chunk.records),
    };
    draft.encode_blocks(&mut directory, &mut out);
    draft.encode_accounts(&mut directory, &mut out);
    directory.encode(chunk.number, &mut out);
    out
}

/// From a slot to its reference (place by rising slot): open addressing, at most half full, no removal.
struct References {
    /// Slot plus one above, reference below; zero is empty.
    entries: Vec<u64>,
    shift: u32,
}

impl References {
    /// Of slots that rise.
    fn new(slots: impl ExactSizeIterator<Item = AccountSlot>) -> Self {
        let capacity = (2 * slots.len()).next_power_of_two().max(16);
        let mut references = Self { entries: vec![0; capacity], shift: 64 - capacity.trailing_zeros() };
        for (reference, slot) in (0u32..).zip(slots) {
            assert_ne!(slot, NO_SLOT, "a touch names an account");
            let place = references.place(slot);
            assert_eq!(references.entries[place], 0, "an account is touched once in a chunk");
            references.entries[place] = (u64::from(slot.get()) + 1) << 32 | u64::from(reference);
        }
        references
    }

    /// Where the slot's entry is or would be.
    #[inline]
    fn place(&self, slot: AccountSlot) -> usize {
        let key = u64::from(slot.get()) + 1;
        let spread = key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> self.shift;
        let mut at = usize::try_from(spread).unwrap_or(0);
        while self.entries[at] != 0 && self.entries[at] >> 32 != key {
            at = (at + 1) & (self.entries.len() - 1);
        }
        at
    }

    #[inline]
    fn get(&self, slot: AccountSlot) -> u32 {
        let entry = self.entries[self.place(slot)];
        assert_ne!(entry, 0, "every account of a record is touched");
        u32::try_from(entry & u64::from(u32::MAX)).unwrap_or(0)
    }
}

/// The blocks with entries of each account, rising and each once, in one list.
struct Postings {
    blocks: Vec<u8>,
    /// Where those of a reference begin and end.
    places: Vec<[u32; 2]>,
}

impl Postings {
    /// Counts, then places: two passes over small tables instead of a set for each account.
    fn of(references: &[[u32; 2]], accounts: usize) -> Self {
        let mut places = vec![[0u32; 2]; accounts + 1];
        for reference in references.as_flattened() {
            places[wide(*reference)][0] += 1;
        }
        let mut start = 0;
        for place in &mut places {
            let count = place[0];
            *place = [start, start];
            start += count;
        }
        let mut blocks = vec![0u8; wide(start)];
        for (block, references) in (0..=u8::MAX).zip(references.chunks(BLOCK_RECORDS)) {
            for reference in references.as_flattened() {
                let [start, end] = &mut places[wide(*reference)];
                if *start == *end || blocks[wide(*end) - 1] != block {
                    blocks[wide(*end)] = block;
                    *end += 1;
                }
            }
        }
        Self { blocks, places }
    }

    fn blocks_of(&self, reference: usize) -> &[u8] {
        let [start, end] = self.places[reference];
        &self.blocks[wide(start)..wide(end)]
    }
}

/// The chunk with its accounts in order. Lists are by reference, so by rising slot.
struct Draft<'a> {
    chunk: &'a Chunk,
    touches: Vec<&'a Touch>,
    ids: Vec<AccountId>,
    /// The references of each record's debit and credit account; one beyond the last is "no account".
    references: Vec<[u32; 2]>,
    postings: Postings,
    /// The part posts that are still to come.
    part_posts: &'a [PartPost],
}

impl<'a> Draft<'a> {
    /// Every step is one short loop over one table: the cache misses of many accounts then overlap.
    fn new(chunk: &'a Chunk, account_ids: &[AccountId]) -> Self {
        let places = chunk.touches.iter().zip(0u64..);
        let mut order: Vec<u64> =
            places.map(|(touch, place)| u64::from(touch.slot.get()) << 32 | place).collect();
        order.sort_unstable();
        let place = |key: &u64| usize::try_from(key & u64::from(u32::MAX)).unwrap_or(0);
        let touches: Vec<&Touch> = order.iter().map(|key| &chunk.touches[place(key)]).collect();
        let ids: Vec<AccountId> = order.iter().map(|key| account_ids[place(key)]).collect();
        let slot = |key: &u64| AccountSlot::new(u32::try_from(key >> 32).unwrap_or(0));
        let table = References::new(order.iter().map(slot));
        let nobody = narrow(ids.len());
        let refer = |slot: AccountSlot| if slot == NO_SLOT { nobody } else { table.get(slot) };
        let references: Vec<[u32; 2]> = chunk.slots.iter().map(|slots| slots.map(refer)).collect();
        for (record, [debit, credit]) in chunk.records.iter().zip(&references) {
            let id = |reference: &u32| ids.get(wide(*reference)).copied().unwrap_or_default();
            assert_eq!(record.debit_account_id, id(debit), "a record's account is the one in its slot");
            assert_eq!(record.credit_account_id, id(credit), "a record's account is the one in its slot");
        }
        let postings = Postings::of(&references, ids.len());
        Self { chunk, touches, ids, references, postings, part_posts: &chunk.part_posts }
    }

    /// What the record at `position` released beyond what it posted.
    fn released(&mut self, position: usize, record: &Transfer) -> Amount {
        let Some((next, rest)) = self.part_posts.split_first() else { return Amount::ZERO };
        if next.position != narrow(position) {
            assert!(next.position > narrow(position), "part posts stand by rising position");
            return Amount::ZERO;
        }
        self.part_posts = rest;
        next.pending_amount.checked_sub(record.amount).expect("a post takes at most what was reserved")
    }

    fn encode_blocks(&mut self, directory: &mut Directory, out: &mut Vec<u8>) {
        let chunk = self.chunk;
        let mut rows = Rows::new();
        for (number, records) in (0..=u8::MAX).zip(chunk.records.chunks_exact(BLOCK_RECORDS)) {
            let first = usize::from(number) * BLOCK_RECORDS;
            let mut stamps = Span { min: records[0].timestamp, max: records[0].timestamp };
            for (row, record) in records.iter().enumerate() {
                let references = self.references[first + row];
                let released = self.released(first + row, record);
                rows.set(row, record, references, released);
                stamps.min = stamps.min.min(record.timestamp);
                stamps.max = stamps.max.max(record.timestamp);
            }
            rows.encode(u32::from(number), chunk.number, out);
            directory.block_ends.push(narrow(out.len()));
            directory.block_stamps.push(stamps);
        }
        assert!(self.part_posts.is_empty(), "every part post is a record of the chunk");
    }

    /// The accounts of the page that begins with reference `first`.
    fn page(&self, first: usize) -> Vec<Line<'_>> {
        let end = self.ids.len().min(first + PAGE_ACCOUNTS);
        let line = |at: usize| Line {
            id: self.ids[at],
            touch: *self.touches[at],
            blocks: self.postings.blocks_of(at),
        };
        (first..end).map(line).collect()
    }

    fn encode_accounts(&self, directory: &mut Directory, out: &mut Vec<u8>) {
        // Pages of touches are gathered apart: they stand behind all pages of accounts.
        let mut touches = Vec::with_capacity(out.capacity() / 2);
        let mut columns = TouchRows::default();
        for (number, first) in (0u32..).zip((0..self.ids.len()).step_by(PAGE_ACCOUNTS)) {
            let lines = self.page(first);
            encode_account_page(&lines, number, self.chunk.number, out);
            directory.account_page_ends.push(narrow(out.len()));
            directory.account_page_slots.push(lines[0].touch.slot);
            columns.encode(&lines, number, self.chunk.number, &mut touches);
            directory.touch_page_ends.push(narrow(touches.len()));
        }
        let start = narrow(out.len());
        for end in &mut directory.touch_page_ends {
            *end += start;
        }
        out.extend_from_slice(&touches);
    }
}
