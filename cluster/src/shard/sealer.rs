//! Turns full chunks into segments, so that the machine's own worker need not. A full disk is waited for.

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use fen_book::Chunk;
use fen_ledger::shard::touched_ids;
use fen_raft::{Crew, Helper};
use fen_store::journal::{Journal, JournalFault};
use fen_store::room::Room;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Full chunks that may wait; the machine waits with one more.
const CHUNKS_MAX: usize = 2;

/// See the module.
pub(super) struct Sealer {
    chunks: Helper<Arc<Chunk>>,
    sealed: Receiver<Result<u32, String>>,
    /// The chunk at which the checkpoint in force begins; index runs are merged up to it.
    settled: Arc<AtomicU32>,
}

impl Sealer {
    /// Starts it. What is answered beside it is rung whenever the journal has another chunk.
    pub(super) fn start(
        crew: &Crew,
        journal: Arc<Journal>,
        settled: u32,
        room: Room,
    ) -> io::Result<(Self, Receiver<u32>)> {
        let settled = Arc::new(AtomicU32::new(settled));
        let merge_below = Arc::clone(&settled);
        let (done, sealed) = unbounded();
        let (bell, rung): (Sender<u32>, Receiver<u32>) = bounded(1);
        let work = move |chunk: Arc<Chunk>| {
            let number = chunk.number;
            let merge_below = merge_below.load(Ordering::Acquire);
            let result = room.until_room(JournalFault::is_full, || seal(&journal, &chunk, merge_below));
            let result = match result {
                Some(result) => result.map(|()| number).map_err(|fault| fault.to_string()),
                None => Err("the disk is full: a segment of the journal cannot be written".to_owned()),
            };
            // The machine has gone; what is sealed stays sealed. One ring is enough for all that came before it.
            drop((done.send(result), bell.try_send(number)));
        };
        Ok((Self { chunks: crew.helper("fen-seal", CHUNKS_MAX, work)?, sealed, settled }, rung))
    }

    pub(super) fn seal(&mut self, chunk: Arc<Chunk>) -> io::Result<()> {
        self.chunks.send(chunk)
    }

    /// A chunk that was sealed meanwhile.
    pub(super) fn sealed_now(&self) -> io::Result<Option<u32>> {
        self.sealed.try_recv().ok().transpose().map_err(io::Error::other)
    }

    /// A checkpoint is in force that begins at this chunk.
    pub(super) fn settle(&self, chunk: u32) {
        self.settled.store(chunk, Ordering::Release);
    }
}

fn seal(journal: &Journal, chunk: &Chunk, settled: u32) -> Result<(), JournalFault> {
    // After a restart the log is replayed from the checkpoint, and what was sealed since is sealed already.
    if journal.chunks() <= chunk.number {
        journal.seal(chunk, &touched_ids(chunk))?;
    }
    while journal.merge_once(settled)? {}
    Ok(())
}
