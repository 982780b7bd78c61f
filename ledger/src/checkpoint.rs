//! The checkpoint thread: writes the pages that the apply thread hands over, and puts them in force at the end. A
//! shard of a cluster writes its own through [`write()`], with whatever it keeps beside the book.

use crate::apply::Note;
use crate::fault::{Fault, words};
use crate::shard::{CheckpointHeader, OTHER_TABLES};
use crossbeam_channel::{Receiver, Sender};
use fen_book::image::{Table, TablePage};
use fen_store::checkpoint::{CheckpointFault, PageId, PageStore};
use fen_store::journal::Journal;
use fen_store::room::Room;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use zerocopy::IntoBytes;

/// What the apply thread hands over, in this order.
pub enum CheckpointWork {
    /// A checkpoint begins.
    Begin(Box<CheckpointHeader>),
    /// Some of its pages.
    Pages(Vec<TablePage>),
    /// It has all its pages.
    End,
}

/// A checkpoint to be written.
pub struct Checkpoint<'a> {
    /// Its header, with what follows it.
    pub header: &'a [u8],
    /// It stands on the journal below this chunk.
    pub chunk: u32,
    /// Pages of tables beside the book's; they take the place of all that were there.
    pub beside: &'a [(PageId, Vec<u8>)],
}

/// Writes one checkpoint from the pages that come after its beginning. False where they stop coming before its end, or
/// the room is closed. A full disk is waited for: the book has forgotten that these pages changed, so no later
/// checkpoint would have them. `sealed` is rung when the journal has another chunk.
///
/// # Errors
/// A disk that fails: nothing more can be written.
pub fn write(
    store: &mut PageStore,
    checkpoint: &Checkpoint<'_>,
    work: &Receiver<CheckpointWork>,
    (journal, sealed): (&Journal, &Receiver<u32>),
    room: &Room,
) -> Result<bool, CheckpointFault> {
    let is_replaced = |id: &PageId| {
        id.table >= OTHER_TABLES || Table::OF_OPEN_CHUNK.iter().any(|table| table.number() == id.table)
    };
    let mut left_over: BTreeSet<PageId> =
        store.current().pages().map(|(id, _)| id).filter(is_replaced).collect();
    let is_full = |fault: &CheckpointFault| matches!(fault, CheckpointFault::Full { .. });
    let mut draft = store.draft()?;
    let mut put = |id: PageId, bytes: &[u8]| {
        left_over.remove(&id);
        room.until_room(is_full, || draft.put(id, bytes))
    };
    for (id, bytes) in checkpoint.beside {
        let Some(done) = put(*id, bytes) else { return Ok(false) };
        done?;
    }
    loop {
        match work.recv() {
            Ok(CheckpointWork::Pages(pages)) => {
                for page in pages {
                    let id = PageId { table: page.table.number(), page: page.page };
                    let Some(done) = put(id, &page.bytes) else { return Ok(false) };
                    done?;
                }
            }
            Ok(CheckpointWork::End) => break,
            Ok(CheckpointWork::Begin(_)) | Err(_) => return Ok(false),
        }
    }
    for id in left_over {
        draft.remove(id);
    }
    while journal.chunks() < checkpoint.chunk {
        if sealed.recv().is_err() {
            return Ok(false);
        }
    }
    match room.until_room(is_full, || draft.finish(checkpoint.header)) {
        Some(finished) => finished.map(|_| true),
        None => Ok(false),
    }
}

/// Everything that the checkpoint thread owns.
pub(crate) struct Checkpoints {
    pub(crate) store: PageStore,
    pub(crate) journal: Arc<Journal>,
    pub(crate) sealed: Receiver<u32>,
    pub(crate) notes: Sender<Note>,
    pub(crate) release: Arc<AtomicU64>,
    /// Closed when the ledger is.
    pub(crate) room: Room,
    /// The chunk at which the checkpoint in force begins.
    pub(crate) settled: Arc<AtomicU32>,
    /// Where replay starts from the checkpoint in force.
    pub(crate) replay_from: u64,
}

impl Checkpoints {
    /// Runs until the apply thread is gone, or a checkpoint cannot be written.
    pub(crate) fn run(mut self, work: &Receiver<CheckpointWork>) {
        while let Ok(next) = work.recv() {
            let CheckpointWork::Begin(header) = next else { continue };
            let checkpoint = Checkpoint { header: header.as_bytes(), chunk: header.book.chunk, beside: &[] };
            let journal = (&*self.journal, &self.sealed);
            match write(&mut self.store, &checkpoint, work, journal, &self.room) {
                Ok(true) => {
                    // The log stays for the generation before as well: a damaged newest one can be mended from it.
                    self.release.store(self.replay_from, Ordering::Release);
                    self.replay_from = header.replay_from;
                    self.settled.store(header.book.chunk, Ordering::Release);
                    let _gone = self.notes.send(Note::CheckpointDone);
                }
                Ok(false) => return,
                Err(fault) => {
                    let _gone = self.notes.send(Note::Broken(Fault::Stopped(words(&fault))));
                    return;
                }
            }
        }
    }
}
