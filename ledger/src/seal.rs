//! The seal thread: turns full chunks into segments, and merges index runs when there is nothing to seal.

use crate::apply::Note;
use crate::fault::{Fault, words};
use crate::shard::touched_ids;
use crossbeam_channel::{Receiver, Sender};
use fen_book::Chunk;
use fen_store::journal::{Journal, JournalFault};
use fen_store::wal::Spares;
use std::sync::Arc;

/// Everything that the seal thread owns.
pub(crate) struct Sealer {
    pub(crate) journal: Arc<Journal>,
    pub(crate) spares: Arc<Spares>,
    pub(crate) notes: Sender<Note>,
    pub(crate) sealed: Sender<u32>,
}

impl Sealer {
    /// Runs until the apply thread is gone, or a segment cannot be written.
    pub(crate) fn run(self, chunks: &Receiver<Arc<Chunk>>) {
        while let Ok(chunk) = chunks.recv() {
            let number = chunk.number;
            let result = self.seal(chunk);
            if let Err(fault) = result {
                let _gone = self.notes.send(Note::Broken(Fault::Stopped(words(&fault))));
                return;
            }
            let _gone = self.notes.send(Note::ChunkSealed(number));
            let _none_waits = self.sealed.try_send(number);
        }
    }

    /// The chunk is dropped here, so that the book can use its memory again.
    fn seal(&self, chunk: Arc<Chunk>) -> Result<(), JournalFault> {
        self.journal.seal(&chunk, &touched_ids(&chunk))?;
        drop(chunk);
        while self.journal.merge_once()? {}
        // A file that could not be made ahead of need is made when it is needed; that path reports the fault.
        let _later = self.spares.fill();
        Ok(())
    }
}
