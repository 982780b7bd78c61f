//! The apply thread: owns the shard, applies what is durable, answers, and keeps storage busy behind it.

use crate::checkpoint::CheckpointWork;
use crate::fault::{Answer, Fault};
use crate::log::{Logged, answer};
use crate::shard::Shard;
use crossbeam_channel::{Receiver, Sender, select};
use fen_book::{Chunk, Stamp};
use fen_store::wal::SegmentNumber;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Pages that are copied for a running checkpoint between two commits: 2 MiB, well under a millisecond.
const PAGES_PER_STEP: usize = 32;

/// How long the thread waits for work while pages are still to be copied.
const CHECKPOINT_PATIENCE: Duration = Duration::from_micros(200);

/// Something that wants to read the shard between two commits.
pub(crate) type Read = Box<dyn FnOnce(&Shard) + Send>;

/// What may come back to the apply thread from the threads behind it.
pub(crate) enum Note {
    /// The journal has this chunk.
    ChunkSealed(u32),
    /// The running checkpoint is in place.
    CheckpointDone,
    /// Storage broke; the ledger stops.
    Broken(Fault),
}

/// Everything that the apply thread owns.
pub(crate) struct Apply {
    pub(crate) shard: Shard,
    pub(crate) reads: Receiver<Read>,
    pub(crate) notes: Receiver<Note>,
    pub(crate) to_seal: Sender<Arc<Chunk>>,
    pub(crate) to_checkpoint: Sender<CheckpointWork>,
    /// When the next pending transfer lapses, for readers; the largest stamp where none will.
    pub(crate) next_expiry: Arc<AtomicU64>,
    /// A checkpoint begins when so many bytes were logged since the last one.
    pub(crate) checkpoint_bytes: u64,
    pub(crate) progress: Progress,
}

/// Where the thread stands.
#[derive(Default)]
pub(crate) struct Progress {
    bytes_since_checkpoint: u64,
    checkpoint_is_running: bool,
    pages_are_pending: bool,
    broken: Option<Fault>,
}

impl Apply {
    /// Runs until the log thread is gone and all it sent is applied.
    pub(crate) fn run(mut self, durable: &Receiver<Vec<Logged>>) {
        self.publish_expiry();
        loop {
            // While a checkpoint runs, its pages are copied between commits, as fast as they are written.
            let idle = if self.progress.pages_are_pending { CHECKPOINT_PATIENCE } else { Duration::MAX };
            if self.progress.pages_are_pending && !self.to_checkpoint.is_full() {
                self.copy_pages();
            }
            let batch = select! {
                recv(durable) -> batch => match batch {
                    Ok(batch) => Some(batch),
                    Err(_) => return,
                },
                recv(self.reads) -> read => { self.serve(read.ok()); None }
                recv(self.notes) -> note => { self.take_note(note.ok()); None }
                default(idle) => None,
            };
            if let Some(batch) = batch {
                self.apply_all(batch);
            }
            self.serve_waiting();
        }
    }

    fn serve_waiting(&mut self) {
        while let Ok(note) = self.notes.try_recv() {
            self.take_note(Some(note));
        }
        while let Ok(read) = self.reads.try_recv() {
            self.serve(Some(read));
        }
    }

    fn serve(&mut self, read: Option<Read>) {
        if let Some(read) = read {
            read(&self.shard);
        }
    }

    fn take_note(&mut self, note: Option<Note>) {
        match note {
            Some(Note::ChunkSealed(number)) => self.shard.chunk_is_sealed(number),
            Some(Note::CheckpointDone) => self.progress.checkpoint_is_running = false,
            Some(Note::Broken(fault)) => self.progress.broken = Some(fault),
            None => {}
        }
    }

    fn apply_all(&mut self, batch: Vec<Logged>) {
        let mut segment = None;
        for logged in batch {
            segment = Some(logged.segment);
            let result = self.apply_one(&logged);
            if let Err(fault) = &result {
                self.progress.broken = Some(fault.clone());
            }
            answer(&logged.submission.reply, result);
            let full = self.shard.take_full_chunks();
            for chunk in full {
                let _stopped = self.to_seal.send(chunk);
            }
        }
        self.publish_expiry();
        if let Some(segment) = segment {
            self.begin_checkpoint_if_due(segment);
        }
    }

    fn apply_one(&mut self, logged: &Logged) -> Answer<fen_book::Reply> {
        if let Some(fault) = &self.progress.broken {
            return Err(fault.clone());
        }
        let command = logged.submission.body.command();
        self.progress.bytes_since_checkpoint += command.encode().1.len() as u64;
        self.shard.apply(logged.index, &command, logged.stamp)
    }

    fn publish_expiry(&self) {
        let next = self.shard.book().next_expiry().unwrap_or(Stamp::MAX);
        self.next_expiry.store(next.get(), Ordering::Release);
    }

    fn begin_checkpoint_if_due(&mut self, segment: SegmentNumber) {
        let due = self.progress.bytes_since_checkpoint >= self.checkpoint_bytes;
        if !due || self.progress.checkpoint_is_running || self.progress.broken.is_some() {
            return;
        }
        let (header, pages) = self.shard.freeze(segment);
        let _stopped = self.to_checkpoint.send(CheckpointWork::Begin(Box::new(header)));
        let _stopped = self.to_checkpoint.send(CheckpointWork::Pages(pages));
        self.progress.checkpoint_is_running = true;
        self.progress.pages_are_pending = true;
        self.progress.bytes_since_checkpoint = 0;
    }

    fn copy_pages(&mut self) {
        let next = self.shard.take_frozen(PAGES_PER_STEP);
        self.progress.pages_are_pending = next.is_some();
        let _stopped = self.to_checkpoint.send(next.map_or(CheckpointWork::End, CheckpointWork::Pages));
    }
}
