//! The tidy thread: merges index runs and makes log files ahead of need, so that nobody on a transfer's way waits for
//! either. A large merge takes half a second.

use crate::apply::Note;
use crate::fault::{Fault, words};
use crossbeam_channel::{Receiver, Sender};
use fen_store::journal::{Journal, JournalFault};
use fen_store::wal::Spares;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Everything that the tidy thread owns.
pub(crate) struct Tidier {
    pub(crate) journal: Arc<Journal>,
    pub(crate) spares: Arc<Spares>,
    pub(crate) notes: Sender<Note>,
    /// The chunk at which the checkpoint in force begins: replay never asks for what is before it.
    pub(crate) settled: Arc<AtomicU32>,
}

impl Tidier {
    /// Runs until the seal thread is gone, or a run cannot be written.
    pub(crate) fn run(self, untidy: &Receiver<()>) {
        while untidy.recv().is_ok() {
            // A file that could not be made ahead of need is made when it is needed; that path reports the fault.
            let _later = self.spares.fill();
            if let Err(fault) = self.merge() {
                let _gone = self.notes.send(Note::Broken(Fault::Stopped(words(&fault))));
                return;
            }
        }
    }

    /// Merging can wait until there is room; it is tried again after the next chunk.
    fn merge(&self) -> Result<(), JournalFault> {
        loop {
            match self.journal.merge_once(self.settled.load(Ordering::Acquire)) {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(fault) if fault.is_full() => return Ok(()),
                Err(fault) => return Err(fault),
            }
        }
    }
}
