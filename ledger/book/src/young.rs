//! The young journal in the book's memory: the open chunk, and full chunks until storage has sealed them.
//!
//! **Invariants.** Records are appended, never changed. A chunk is closed exactly when a record is due and
//! [`CHUNK_RECORDS`] stand in it. A record is here or in a sealed segment, never in neither.

use crate::account::Account;
use crate::accounts::{narrow, wide};
use crate::bank_ids::Highest;
use crate::journal::{CHUNK_RECORDS, Chunk, PartPost, Touch};
use crate::quantity::{AccountSlot, Amount, RecordNumber, Stamp, TransferId};
use crate::slots::{SlotIndex, hash_of};
use crate::transfer::{Transfer, TransferFlags};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// What the book must find in a chunk while it is young.
struct Finder {
    ids: SlotIndex,
    highest: Highest,
    resolutions: BTreeMap<TransferId, u32>,
}

impl Finder {
    fn new() -> Self {
        let ids = SlotIndex::with_capacity(CHUNK_RECORDS);
        Self { ids, highest: Highest::default(), resolutions: BTreeMap::new() }
    }

    #[inline]
    fn find<'a>(&self, chunk: &'a Chunk, id: TransferId) -> Option<&'a Transfer> {
        if self.highest.is_below(id.get()) {
            return None;
        }
        let at = |position| &chunk.records[wide(AccountSlot::new(position))];
        self.ids.find(hash_of(id.get()), |position| at(position).id == id).map(at)
    }

    fn resolution<'a>(&self, chunk: &'a Chunk, pending_id: TransferId) -> Option<&'a Transfer> {
        let position = self.resolutions.get(&pending_id)?;
        chunk.records.get(wide(AccountSlot::new(*position)))
    }

    #[inline]
    fn note(&mut self, record: &Transfer, position: u32) {
        if !record.id.is_zero() {
            self.ids.insert(hash_of(record.id.get()), position);
            self.highest.note(record.id.get());
        }
        if !record.pending_id.is_zero() {
            self.resolutions.insert(record.pending_id, position);
        }
    }
}

fn empty_chunk(number: u32) -> Chunk {
    Chunk {
        number,
        records: Vec::with_capacity(CHUNK_RECORDS),
        touches: Vec::new(),
        slots: Vec::with_capacity(CHUNK_RECORDS),
        part_posts: Vec::new(),
    }
}

/// See the module's words.
pub struct Young {
    open: Chunk,
    finder: Finder,
    full: VecDeque<(Arc<Chunk>, Finder)>,
    /// A forgotten chunk's memory: taken again, it costs no page fault.
    spare: Option<(Chunk, Finder)>,
    last_transfer_stamp: Stamp,
}

impl Young {
    pub(crate) fn new() -> Self {
        Self::restore(empty_chunk(0), Stamp::ZERO)
    }

    /// Puts the open chunk of a checkpoint into service.
    pub(crate) fn restore(open: Chunk, last_transfer_stamp: Stamp) -> Self {
        let mut finder = Finder::new();
        for (position, record) in open.records.iter().enumerate() {
            finder.note(record, narrow(position).get());
        }
        Self { open, finder, full: VecDeque::new(), spare: None, last_transfer_stamp }
    }

    /// The stamp of the youngest transfer ever posted; zero where there is none.
    pub fn last_transfer_stamp(&self) -> Stamp {
        self.last_transfer_stamp
    }

    /// How many records the journal has, sealed ones included.
    pub fn next_number(&self) -> RecordNumber {
        let in_open = u64::try_from(self.open.records.len()).unwrap_or(u64::MAX);
        RecordNumber::new(self.open.first().get().saturating_add(in_open))
    }

    /// The open chunk; it grows.
    pub fn open_chunk(&self) -> &Chunk {
        &self.open
    }

    /// Full chunks that storage has not sealed yet, oldest first.
    pub fn full_chunks(&self) -> impl DoubleEndedIterator<Item = &Arc<Chunk>> {
        self.full.iter().map(|(chunk, _)| chunk)
    }

    /// All young chunks, oldest first.
    pub fn chunks(&self) -> impl DoubleEndedIterator<Item = &Chunk> {
        self.full.iter().map(|(chunk, _)| &**chunk).chain(core::iter::once(&self.open))
    }

    /// The record with this id: a transfer, or the mark of a burned id.
    #[inline]
    pub fn find(&self, id: TransferId) -> Option<&Transfer> {
        if let Some(record) = self.finder.find(&self.open, id) {
            return Some(record);
        }
        self.full.iter().rev().find_map(|(chunk, finder)| finder.find(chunk, id))
    }

    /// Looks ahead: the entry at an id's home in the open chunk's index.
    #[inline]
    pub(crate) fn peek(&self, hash: u32) -> u64 {
        self.finder.ids.peek(hash)
    }

    /// The post, void or expiry that ended a pending transfer.
    pub fn resolution(&self, pending_id: TransferId) -> Option<&Transfer> {
        if let Some(record) = self.finder.resolution(&self.open, pending_id) {
            return Some(record);
        }
        self.full.iter().rev().find_map(|(chunk, finder)| finder.resolution(chunk, pending_id))
    }

    /// Whether a young transfer bears exactly this stamp.
    pub fn has_stamp(&self, stamp: Stamp) -> bool {
        self.chunks().any(|chunk| {
            let first = chunk.records.partition_point(|record| record.timestamp < stamp);
            chunk.records[first..]
                .iter()
                .take_while(|record| record.timestamp == stamp)
                .any(Transfer::is_transfer)
        })
    }

    /// Makes room for one record, and says which chunk it will stand in, plus one: the mark that the accounts
    /// it touches must bear.
    #[inline]
    pub(crate) fn make_room(&mut self) -> u32 {
        if self.open.records.len() == CHUNK_RECORDS {
            self.close_chunk();
        }
        self.open.number.checked_add(1).expect("a journal has fewer than 2^32 chunks")
    }

    #[cold]
    fn close_chunk(&mut self) {
        let number = self.open.number.checked_add(1).expect("a journal has fewer than 2^32 chunks");
        let (mut next, finder) = self.spare.take().unwrap_or_else(|| (empty_chunk(number), Finder::new()));
        next.number = number;
        let chunk = core::mem::replace(&mut self.open, next);
        let finder = core::mem::replace(&mut self.finder, finder);
        self.full.push_back((Arc::new(chunk), finder));
    }

    /// Notes an account's first entry in the open chunk, before its balances change.
    #[inline]
    pub(crate) fn touch(&mut self, slot: AccountSlot, account: &Account) {
        let touch = Touch { opening: account.balances(), slot, previous: account.reserved, reserved: 0 };
        self.open.touches.push(touch);
    }

    /// Appends a record for which room was made.
    #[inline]
    pub(crate) fn push(&mut self, record: &Transfer, slots: [AccountSlot; 2]) {
        assert!(record.timestamp >= self.last_transfer_stamp, "stamps never fall along the journal");
        self.last_transfer_stamp = record.timestamp;
        let position = narrow(self.open.records.len()).get();
        self.finder.note(record, position);
        self.open.records.push(*record);
        self.open.slots.push(slots);
    }

    /// Notes that the record about to be pushed posts less than its pending transfer had reserved.
    #[inline]
    pub(crate) fn note_part_post(&mut self, pending_amount: Amount) {
        let position = narrow(self.open.records.len()).get();
        self.open.part_posts.push(PartPost { pending_amount, position, reserved: [0; 3] });
    }

    /// Drops a full chunk that storage has sealed and indexed. Out of turn or unknown: nothing happens.
    pub(crate) fn forget(&mut self, number: u32) {
        let is_next = self.full.front().is_some_and(|(chunk, _)| chunk.number == number);
        let Some((chunk, mut finder)) = self.full.pop_front_if(|_| is_next) else { return };
        if let Ok(mut chunk) = Arc::try_unwrap(chunk) {
            chunk.records.clear();
            chunk.touches.clear();
            chunk.slots.clear();
            chunk.part_posts.clear();
            finder.ids.clear();
            finder.highest = Highest::default();
            finder.resolutions.clear();
            self.spare = Some((chunk, finder));
        }
    }
}

/// The mark of an id that was refused for good.
pub(crate) fn burned(id: TransferId, stamp: Stamp) -> Transfer {
    Transfer { id, flags: TransferFlags::BURNED, timestamp: stamp, ..Transfer::default() }
}
