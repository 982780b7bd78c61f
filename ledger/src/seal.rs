//! The seal thread: turns full chunks into segments, and merges index runs when there is nothing to seal.

use crate::apply::Note;
use crate::fault::{Fault, words};
use crate::room::until_room;
use crate::shard::touched_ids;
use crossbeam_channel::{Receiver, Sender};
use fen_book::Chunk;
use fen_store::journal::{Journal, JournalFault};
use fen_store::wal::Spares;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Everything that the seal thread owns.
pub(crate) struct Sealer {
    pub(crate) journal: Arc<Journal>,
    pub(crate) spares: Arc<Spares>,
    pub(crate) notes: Sender<Note>,
    /// The chunk at which the checkpoint in force begins: replay never asks for what is before it.
    pub(crate) settled: Arc<AtomicU32>,
    pub(crate) sealed: Sender<u32>,
    /// Set when the ledger closes: nothing waits for room any more.
    pub(crate) closing: Arc<AtomicBool>,
}

impl Sealer {
    /// Runs until the apply thread is gone, or a segment cannot be written.
    pub(crate) fn run(self, chunks: &Receiver<Arc<Chunk>>) {
        while let Ok(chunk) = chunks.recv() {
            let number = chunk.number;
            let sealed = until_room(&self.closing, JournalFault::is_full, || {
                self.journal.seal(&chunk, &touched_ids(&chunk))
            });
            // Dropped here, so that the book can use its memory again.
            drop(chunk);
            let Some(sealed) = sealed else { return };
            if let Err(fault) = sealed.and_then(|_| self.tidy()) {
                let _gone = self.notes.send(Note::Broken(Fault::Stopped(words(&fault))));
                return;
            }
            let _gone = self.notes.send(Note::ChunkSealed(number));
            let _none_waits = self.sealed.try_send(number);
        }
    }

    /// Merging can wait until there is room; it is tried again after the next chunk.
    fn tidy(&self) -> Result<(), JournalFault> {
        loop {
            match self.journal.merge_once(self.settled.load(Ordering::Acquire)) {
                Ok(true) => {}
                Ok(false) => break,
                Err(fault) if fault.is_full() => break,
                Err(fault) => return Err(fault),
            }
        }
        // A file that could not be made ahead of need is made when it is needed; that path reports the fault.
        let _later = self.spares.fill();
        Ok(())
    }
}
