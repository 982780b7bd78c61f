//! The checkpoint thread: writes the pages that the apply thread hands over, and puts them in force at the end.

use crate::apply::Note;
use crate::fault::{Fault, words};
use crate::room::until_room;
use crate::shard::CheckpointHeader;
use crossbeam_channel::{Receiver, Sender};
use fen_book::image::{Table, TablePage};
use fen_store::checkpoint::{CheckpointFault, PageId, PageStore};
use fen_store::journal::Journal;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use zerocopy::IntoBytes;

/// What the apply thread hands over, in this order.
pub(crate) enum CheckpointWork {
    /// A checkpoint begins.
    Begin(Box<CheckpointHeader>),
    /// Some of its pages.
    Pages(Vec<TablePage>),
    /// It has all its pages.
    End,
}

/// Everything that the checkpoint thread owns.
pub(crate) struct Checkpoints {
    pub(crate) store: PageStore,
    pub(crate) journal: Arc<Journal>,
    pub(crate) sealed: Receiver<u32>,
    pub(crate) notes: Sender<Note>,
    pub(crate) release: Arc<AtomicU64>,
    /// Set when the ledger closes: nothing waits for room any more.
    pub(crate) closing: Arc<AtomicBool>,
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
            match self.write(&header, work) {
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

    /// False where the ledger was closed before the checkpoint was whole. A full disk is waited for: the book has
    /// forgotten that these pages changed, so no later checkpoint would have them.
    fn write(
        &mut self,
        header: &CheckpointHeader,
        work: &Receiver<CheckpointWork>,
    ) -> Result<bool, CheckpointFault> {
        let is_of_open_chunk =
            |id: &PageId| Table::OF_OPEN_CHUNK.iter().any(|table| table.number() == id.table);
        let mut left_over: BTreeSet<PageId> =
            self.store.current().pages().map(|(id, _)| id).filter(is_of_open_chunk).collect();
        let is_full = |fault: &CheckpointFault| matches!(fault, CheckpointFault::Full { .. });
        let mut draft = self.store.draft()?;
        loop {
            match work.recv() {
                Ok(CheckpointWork::Pages(pages)) => {
                    for page in pages {
                        let id = PageId { table: page.table.number(), page: page.page };
                        left_over.remove(&id);
                        let put = until_room(&self.closing, is_full, || draft.put(id, &page.bytes));
                        let Some(put) = put else { return Ok(false) };
                        put?;
                    }
                }
                Ok(CheckpointWork::End) => break,
                Ok(CheckpointWork::Begin(_)) | Err(_) => return Ok(false),
            }
        }
        for id in left_over {
            draft.remove(id);
        }
        while self.journal.chunks() < header.book.chunk {
            if self.sealed.recv().is_err() {
                return Ok(false);
            }
        }
        match until_room(&self.closing, is_full, || draft.finish(header.as_bytes())) {
            Some(finished) => finished.map(|_| true),
            None => Ok(false),
        }
    }
}
