//! One shard: the book with the history that storage keeps for it. Single-threaded; threads belong to the caller.
//!
//! **Invariants.** Commands are applied in the order of their log indexes, each once. Before a command is
//! applied, [`Recall`] holds every sealed record that it can name. A chunk leaves the book only when the journal
//! has it durable and indexed.

use crate::audit::{self, Audit};
use crate::digest;
use crate::fault::{Answer, Fault, words};
use fen_book::image::{Header, Restore, TablePage};
use fen_book::{
    AccountId, Book, Chunk, Command, Named, QueryFilter, Recall, Reply, Stamp, Transfer, TransferId,
};
use fen_store::checkpoint::{PageId, PageStore, PageVisitor};
use fen_store::journal::{Journal, JournalFault};
use fen_store::wal::{LogIndex, SegmentNumber};
use std::sync::Arc;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// What a checkpoint says of the log beside the book's own header.
#[derive(Clone, Copy, Default, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct CheckpointHeader {
    /// The layout of the pages, so that a later release can tell.
    pub version: u64,
    /// The last entry applied.
    pub applied: u64,
    /// The log segment that holds it: replay starts here.
    pub replay_from: u64,
    /// The book's counts.
    pub book: Header,
}

/// Tables of a checkpoint from this number on are not the book's, but of whoever keeps the log beside it.
pub const OTHER_TABLES: u16 = 256;

/// The layout that this release writes.
pub const CHECKPOINT_VERSION: u64 = 3;

/// See the module's words.
pub struct Shard {
    book: Book,
    journal: Arc<Journal>,
    applied: LogIndex,
    replay_from: SegmentNumber,
    next_to_seal: u32,
}

impl Shard {
    /// The shard as its last checkpoint has it; the log goes on from [`Shard::applied`].
    ///
    /// # Errors
    /// [`Fault::Open`], where a page or the header is damaged or from another release.
    pub fn restore(store: &PageStore, journal: Arc<Journal>) -> Answer<Self> {
        let restored = Self::restore_beside(store, journal, &mut |page, _| {
            Err(format!("table {} is unknown to this release", page.table))
        });
        restored.map_err(|fault| if let Fault::Damaged(words) = fault { Fault::Open(words) } else { fault })
    }

    /// As [`Shard::restore`], for a checkpoint that holds tables beside the book's, from [`OTHER_TABLES`] on: their
    /// pages are handed to `others`, in order.
    ///
    /// # Errors
    /// [`Fault::Damaged`] where bytes are not what was written, which another member's copy mends; else as
    /// [`Shard::restore`], and whatever `others` finds wrong.
    pub fn restore_beside(
        store: &PageStore,
        journal: Arc<Journal>,
        others: &mut PageVisitor<'_>,
    ) -> Answer<Self> {
        let open = |fault: &dyn std::fmt::Display| Fault::Open(words(fault));
        if store.generation() == 0 {
            let next_to_seal = 0;
            let (applied, replay_from) = (LogIndex::new(0), SegmentNumber::FIRST);
            return Ok(Self { book: Book::new(), journal, applied, replay_from, next_to_seal });
        }
        // What follows the header belongs to whoever keeps the log.
        let (header, _keepers_own) = CheckpointHeader::read_from_prefix(store.header()).map_err(|_| {
            open(&"the checkpoint's header has the wrong size: it was written by another release")
        })?;
        if header.version != CHECKPOINT_VERSION {
            return Err(open(&format!(
                "the checkpoint has layout {}, this release knows {CHECKPOINT_VERSION}: use the release that wrote it",
                header.version
            )));
        }
        let mut restore = Restore::of(&header.book).map_err(|reason| open(&reason))?;
        let mut visit = |id: PageId, bytes: &[u8]| {
            if id.table >= OTHER_TABLES { others(id, bytes) } else { restore.page(id.table, id.page, bytes) }
        };
        store
            .load(&mut visit)
            .map_err(|fault| if fault.is_damage() { Fault::Damaged(words(&fault)) } else { open(&fault) })?;
        let book = restore.finish().map_err(|reason| open(&reason))?;
        let sealed = journal.chunks();
        if sealed < header.book.chunk {
            return Err(open(&format!(
                "the journal has {sealed} segments, the checkpoint needs {}: restore the missing ones from a backup",
                header.book.chunk
            )));
        }
        Ok(Self {
            book,
            journal,
            applied: LogIndex::new(header.applied),
            replay_from: SegmentNumber::new(header.replay_from),
            next_to_seal: header.book.chunk,
        })
    }

    /// The book, to be read.
    pub fn book(&self) -> &Book {
        &self.book
    }

    /// The sealed journal.
    pub fn journal(&self) -> &Arc<Journal> {
        &self.journal
    }

    /// The last entry applied.
    pub fn applied(&self) -> LogIndex {
        self.applied
    }

    /// The log segment from which entries may still be needed after a restart from the last checkpoint.
    pub fn replay_from(&self) -> SegmentNumber {
        self.replay_from
    }

    /// Applies the next entry of the log.
    ///
    /// # Errors
    /// [`Fault::Stopped`], where history that the command names cannot be read: the node must not guess.
    pub fn apply(&mut self, index: LogIndex, command: &Command<'_>, stamp: Stamp) -> Answer<Reply> {
        assert!(index.get() == self.applied.get() + 1, "entries are applied in order, none left out");
        let recall = self.recall(command)?;
        let reply = self.book.apply(command, stamp, &recall);
        self.applied = index;
        Ok(reply)
    }

    /// What storage knows of what a command names.
    fn recall(&self, command: &Command<'_>) -> Answer<Recall> {
        let mut recall = Recall::nothing();
        if self.journal.chunks() == 0 {
            return Ok(recall);
        }
        self.look_up(&Named::by(command), &mut recall).map_err(|fault| Fault::Stopped(words(&fault)))?;
        Ok(recall)
    }

    /// While the log is replayed the journal is ahead of the book: what the book has not applied yet, it must
    /// not recall.
    fn look_up(&self, named: &Named, recall: &mut Recall) -> Result<(), JournalFault> {
        let below = self.first_young();
        let is_ended = |id: &TransferId| self.book.pendings().get(*id).is_none();
        let ended: Vec<TransferId> = named.pending_ids.iter().copied().filter(is_ended).collect();
        for ids in [&named.ids, &ended] {
            for (_, found) in self.journal.find_transfers_before(below, ids)? {
                recall.add_record(found.record);
            }
        }
        for (_, found) in self.journal.resolutions_before(below, &ended)? {
            recall.add_resolution(found.record);
        }
        for stamp in &named.stamps {
            let (timestamp_min, timestamp_max) = (*stamp, *stamp);
            let filter = QueryFilter { timestamp_min, timestamp_max, limit: 1, ..QueryFilter::default() };
            if let Some(found) = self.journal.query_transfers(&filter, below).next() {
                found?;
                recall.add_stamp(*stamp);
            }
        }
        Ok(())
    }

    /// A record by its id, sealed or young; the mark of a burned id is one too.
    ///
    /// # Errors
    /// [`Fault::Stopped`], where history cannot be read.
    pub fn find_record(&self, id: TransferId) -> Answer<Option<Transfer>> {
        if let Some(record) = self.book.young().find(id) {
            return Ok(Some(*record));
        }
        let found = self.journal.find_transfers_before(self.first_young(), &[id]);
        let found = found.map_err(|fault| Fault::Stopped(words(&fault)))?;
        Ok(found.into_iter().next().map(|(_, found)| found.record))
    }

    /// Adds the whole journal up again and looks at every invariant, but not at the lives of loans:
    /// [`Shard::audit_lives`] does.
    pub fn audit_sums(&self) -> Audit {
        audit::of_shard(self)
    }

    /// All of the audit at once.
    pub fn audit(&self) -> Audit {
        let whole = self.audit_sums().lives(|first| Ok(self.audit_lives(first)));
        whole.expect("a look at the books in hand does not fail")
    }

    /// Which of up to [`audit::LIVES`] loans, from the one at `first` on, in the order in which they were made, are not
    /// what their events come to.
    pub fn audit_lives(&self, first: u32) -> Vec<String> {
        audit::of_lives(&self.book, first)
    }

    /// One number for all the books; equal books have equal numbers, whoever keeps them.
    pub fn digest(&self) -> [u8; 32] {
        digest::of_shard(self)
    }

    /// The number of the first record that the book still has.
    pub fn first_young(&self) -> fen_book::RecordNumber {
        self.book.first_young()
    }

    /// Full chunks that were not handed out before, to be sealed.
    pub fn take_full_chunks(&mut self) -> Vec<Arc<Chunk>> {
        let next = self.next_to_seal;
        let full: Vec<Arc<Chunk>> =
            self.book.young().full_chunks().filter(|chunk| chunk.number >= next).cloned().collect();
        if let Some(last) = full.last() {
            self.next_to_seal = last.number + 1;
        }
        full
    }

    /// Lets go of a chunk that the journal has.
    pub fn chunk_is_sealed(&mut self, number: u32) {
        assert!(self.journal.chunks() > number, "a chunk is let go only when the journal has it");
        self.book.forget_chunk(number);
    }

    /// Fixes the moment of a checkpoint: its header, and the first of its pages. `segment` holds the last applied
    /// entry.
    pub fn freeze(&mut self, segment: SegmentNumber) -> (CheckpointHeader, Vec<TablePage>) {
        let frozen = self.book.freeze();
        let header = CheckpointHeader {
            version: CHECKPOINT_VERSION,
            applied: self.applied.get(),
            replay_from: segment.get(),
            book: frozen.header,
        };
        (header, frozen.pages)
    }

    /// About `pages_max` more pages of the last freeze; `None` when all were handed out.
    pub fn take_frozen(&mut self, pages_max: usize) -> Option<Vec<TablePage>> {
        self.book.has_frozen().then(|| self.book.take_frozen(pages_max))
    }
}

/// The ids of the accounts that a chunk touches, in the order of its touches.
pub fn touched_ids(chunk: &Chunk) -> Vec<AccountId> {
    let mut ids = Vec::with_capacity(chunk.touches.len());
    for (record, slots) in chunk.records.iter().zip(&chunk.slots) {
        for (slot, id) in slots.iter().zip([record.debit_account_id, record.credit_account_id]) {
            if chunk.touches.get(ids.len()).is_some_and(|touch| touch.slot == *slot) {
                ids.push(id);
            }
        }
    }
    assert!(ids.len() == chunk.touches.len(), "every touch belongs to a record, in order");
    ids
}
