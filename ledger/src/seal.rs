//! The seal thread: turns full chunks into segments.

use crate::apply::Note;
use crate::fault::{Fault, words};
use crate::shard::touched_ids;
use crossbeam_channel::{Receiver, Sender};
use fen_book::Chunk;
use fen_store::journal::{Journal, JournalFault};
use fen_store::room::Room;
use std::sync::Arc;

/// Everything that the seal thread owns.
pub(crate) struct Sealer {
    pub(crate) journal: Arc<Journal>,
    pub(crate) notes: Sender<Note>,
    pub(crate) sealed: Sender<u32>,
    /// Wakes the thread that tidies up behind this one.
    pub(crate) untidy: Sender<()>,
    /// Wakes the thread that feeds the secondary indexes.
    pub(crate) indexable: Sender<()>,
    /// Closed when the ledger is.
    pub(crate) room: Room,
}

impl Sealer {
    /// Runs until the apply thread is gone, or a segment cannot be written.
    pub(crate) fn run(self, chunks: &Receiver<Arc<Chunk>>) {
        while let Ok(chunk) = chunks.recv() {
            let number = chunk.number;
            let sealed = self
                .room
                .until_room(JournalFault::is_full, || self.journal.seal(&chunk, &touched_ids(&chunk)));
            // Dropped here, so that the book can use its memory again.
            drop(chunk);
            let Some(sealed) = sealed else { return };
            if let Err(fault) = sealed {
                let _gone = self.notes.send(Note::Broken(Fault::Stopped(words(&fault))));
                return;
            }
            let _gone = self.notes.send(Note::ChunkSealed(number));
            let _none_waits = self.sealed.try_send(number);
            let _awake_already = self.untidy.try_send(());
            let _awake_already = self.indexable.try_send(());
        }
    }
}
