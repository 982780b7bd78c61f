//! Writes a shard's checkpoints beside the machine, which only copies changed pages between its jobs.
//!
//! **Invariants.** Pages are handed over once, so there is one checkpoint at a time, and one that fails ends the machine.
//! Where nobody may wait (a simulation has one thread) all pages are gathered first, and written in one go.

use crossbeam_channel::{Receiver, Sender, TryRecvError, TrySendError, bounded, unbounded};
use fen_book::image::TablePage;
use fen_ledger::checkpoint::{self, CheckpointWork};
use fen_ledger::shard::{CheckpointHeader, Shard};
use fen_raft::{Crew, Helper, Mark};
use fen_store::checkpoint::{Generation, PageId, PageStore};
use fen_store::journal::Journal;
use fen_store::room::Room;
use std::io;
use std::sync::Arc;

/// Pages taken from the book at once: 2 MiB.
const PAGES_PER_STEP: usize = 32;
/// Steps that may wait for the disk.
const STEPS_MAX: usize = 4;

/// See the module.
pub(super) struct Keeper {
    writer: Helper<Job>,
    may_wait: bool,
    under_way: Option<UnderWay>,
}

/// A checkpoint for the writer.
struct Job {
    header: Vec<u8>,
    chunk: u32,
    beside: Vec<(PageId, Vec<u8>)>,
    work: Receiver<CheckpointWork>,
    done: Sender<io::Result<Arc<Generation>>>,
}

struct UnderWay {
    mark: Mark,
    chunk: u32,
    /// Until the writer has all pages.
    pages: Option<Sender<CheckpointWork>>,
    /// What the writer had no place for.
    next: Option<CheckpointWork>,
    /// Until the pages are gathered, where nobody may wait.
    job: Option<Box<Job>>,
    done: Receiver<io::Result<Arc<Generation>>>,
}

/// A checkpoint that is in force.
pub(super) struct Kept {
    pub(super) mark: Mark,
    pub(super) chunk: u32,
    pub(super) generation: Arc<Generation>,
}

/// How far it is.
pub(super) enum Step {
    Kept(Kept),
    /// There is more to hand over.
    More,
    /// The writer is busy.
    Waits,
}

impl Keeper {
    /// Starts the writer. `sealed` is rung when the journal has another chunk.
    pub(super) fn start(
        crew: &Crew,
        mut store: PageStore,
        journal: Arc<Journal>,
        sealed: Receiver<u32>,
        room: Room,
    ) -> io::Result<Self> {
        let work = move |job: Job| {
            let order = checkpoint::Checkpoint { header: &job.header, chunk: job.chunk, beside: &job.beside };
            let written = checkpoint::write(&mut store, &order, &job.work, (&journal, &sealed), &room);
            let done = match written {
                Ok(true) => Ok(store.current()),
                Ok(false) => Err(io::Error::other(
                    "the checkpoint was given up: its machine stops, or the disk is full",
                )),
                Err(fault) => Err(io::Error::other(fault)),
            };
            // The machine has gone; the checkpoint stays.
            drop(job.done.send(done));
        };
        let writer = crew.helper("fen-checkpoint", 1, work)?;
        Ok(Self { writer, may_wait: crew.may_wait_aside(), under_way: None })
    }

    /// Begins a checkpoint of a shard that was frozen with this header and these first pages; `header` is what goes to
    /// disk.
    pub(super) fn begin(
        &mut self,
        (frozen, pages): (&CheckpointHeader, Vec<TablePage>),
        header: Vec<u8>,
        beside: Vec<(PageId, Vec<u8>)>,
        mark: Mark,
    ) -> io::Result<()> {
        let (hand_over, work) = if self.may_wait { bounded(STEPS_MAX) } else { unbounded() };
        let (tell, done) = bounded(1);
        let chunk = frozen.book.chunk;
        let job = Job { header, chunk, beside, work, done: tell };
        let job = if self.may_wait {
            self.writer.send(job)?;
            None
        } else {
            Some(Box::new(job))
        };
        let next = Some(CheckpointWork::Pages(pages));
        self.under_way = Some(UnderWay { mark, chunk, pages: Some(hand_over), next, job, done });
        Ok(())
    }

    /// Hands over some more pages, or hears that all is in force.
    pub(super) fn go_on(&mut self, shard: &mut Shard) -> io::Result<Step> {
        let Some(under_way) = &mut self.under_way else {
            return Err(io::Error::other("no checkpoint is under way"));
        };
        if let Some(pages) = &under_way.pages {
            let next = under_way.next.take().unwrap_or_else(|| {
                shard.take_frozen(PAGES_PER_STEP).map_or(CheckpointWork::End, CheckpointWork::Pages)
            });
            let is_last = matches!(next, CheckpointWork::End);
            match pages.try_send(next) {
                Ok(()) if is_last => under_way.pages = None,
                Ok(()) => return Ok(Step::More),
                Err(TrySendError::Full(next)) => {
                    under_way.next = Some(next);
                    return Ok(Step::Waits);
                }
                // The writer has failed, and says why below.
                Err(TrySendError::Disconnected(_)) => under_way.pages = None,
            }
        }
        if let Some(job) = under_way.job.take() {
            self.writer.send(*job)?;
        }
        match under_way.done.try_recv() {
            Ok(generation) => {
                let generation = generation?;
                let kept = Kept { mark: under_way.mark.clone(), chunk: under_way.chunk, generation };
                self.under_way = None;
                Ok(Step::Kept(kept))
            }
            Err(TryRecvError::Empty) => Ok(Step::Waits),
            Err(TryRecvError::Disconnected) => Err(io::Error::other("the checkpoint's thread has stopped")),
        }
    }
}
