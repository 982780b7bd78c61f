//! A ledger in a directory: recovery, and the threads that run it.
//!
//! ```text
//! callers -> log thread (stamps, one sync for all that wait) -> apply thread (owns the book) -> callers
//!                 ^ frees segments                                |  full chunks -> seal thread -> journal
//!                 +------------- checkpoint thread <--- pages ----+
//! ```

use crate::apply::{Apply, Note, Progress, Read};
use crate::body::Body;
use crate::checkpoint::Checkpoints;
use crate::clock::Clock;
use crate::fault::{Answer, Fault, words};
use crate::format::{Format, check_or_create};
use crate::log::{Log, Submission};
use crate::lookup::Feeder;
use crate::seal::Sealer;
use crate::shard::{CheckpointHeader, Shard, touched_ids};
use crate::tidy::Tidier;
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use fen_book::{Command, Reply, Stamp};
use fen_lookup::Lookup;
use fen_store::checkpoint::{CheckpointFault, PageStore};
use fen_store::disk::Disk;
use fen_store::journal::Journal;
use fen_store::room::Room;
use fen_store::wal::{Found, LogIndex, SegmentNumber, Wal, WalOptions};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use zerocopy::FromBytes;

/// Where the checkpoints are.
const CHECKPOINT: &str = "checkpoint";

/// How long opening waits for the secondary indexes that are there.
const INDEX_PATIENCE: Duration = Duration::from_secs(1);

/// How a durable ledger runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// Commands that may wait for the log thread; more callers block.
    pub queue_commands_max: usize,
    /// A checkpoint begins when so many bytes were logged since the last one; restart replays at most twice as
    /// much.
    pub checkpoint_bytes: u64,
    /// Whether transfers by reference and accounts by customer are indexed; without, they are looked for.
    pub secondary_indexes: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { queue_commands_max: 64, checkpoint_bytes: 256 << 20, secondary_indexes: true }
    }
}

/// What recovery found; see [`Ledger::recovery`](crate::Ledger::recovery).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// The entry up to which the checkpoint had everything.
    pub checkpoint_index: u64,
    /// Entries replayed from the log.
    pub replayed_entries: u64,
    /// Whether an unfinished last write was cut off; nothing of it was ever acknowledged.
    pub cut_a_torn_write: bool,
    /// Whether the newest checkpoint was damaged, so that the one before it and a longer replay had to serve.
    pub newest_checkpoint_was_damaged: bool,
}

/// The running ledger.
pub(crate) struct Durable {
    submissions: Option<Sender<Submission>>,
    reads: Sender<Read>,
    threads: Vec<JoinHandle<()>>,
    next_expiry: Arc<AtomicU64>,
    clock: Arc<dyn Clock>,
    journal: Arc<Journal>,
    lookup: Option<Arc<Lookup>>,
    identity: u64,
    recovery: Recovery,
    room: Room,
}

/// A directory read back into memory, before any thread runs.
struct Recovered {
    shard: Shard,
    store: PageStore,
    wal: Wal,
    identity: u64,
    recovery: Recovery,
}

fn open_fault(fault: &dyn std::fmt::Display) -> Fault {
    Fault::Open(words(fault))
}

fn recover(disk: &Arc<dyn Disk>) -> Answer<Recovered> {
    let Format { identity } = check_or_create(disk)?;
    let journal =
        Journal::open(Arc::clone(disk), Path::new("journal")).map_err(|fault| open_fault(&fault))?;
    let Restored { store, mut shard, newest_was_damaged } = restore(disk, &Arc::new(journal))?;
    let mut recovery = Recovery {
        checkpoint_index: shard.applied().get(),
        newest_checkpoint_was_damaged: newest_was_damaged,
        ..Recovery::default()
    };
    let mut replayed = 0u64;
    let mut visit = |_, found: Found<'_>| -> Result<(), String> {
        let Found::Entry(entry) = found else { return Ok(()) };
        if entry.index <= shard.applied() {
            return Ok(());
        }
        if entry.index.get() != shard.applied().get() + 1 {
            return Err(format!("entry {} follows entry {}", entry.index.get(), shard.applied().get()));
        }
        let command = Command::decode(entry.kind, entry.body)?;
        shard.apply(entry.index, &command, entry.stamp).map_err(|fault| fault.to_string())?;
        replayed += 1;
        seal_now(&mut shard).map_err(|fault| fault.to_string())
    };
    let options = WalOptions::new(identity);
    let from = SegmentNumber::new(checkpoint_header(&store).replay_from);
    let (wal, found) = Wal::open(Arc::clone(disk), Path::new("log"), &options, from, &mut visit)
        .map_err(|fault| open_fault(&fault))?;
    recovery.replayed_entries = replayed;
    recovery.cut_a_torn_write = found.torn.is_some();
    Ok(Recovered { shard, store, wal, identity, recovery })
}

/// The shard of a checkpoint, before the log is replayed.
struct Restored {
    store: PageStore,
    shard: Shard,
    newest_was_damaged: bool,
}

/// The shard of the newest checkpoint; where that is damaged, of the one before, for which the log is kept too.
fn restore(disk: &Arc<dyn Disk>, journal: &Arc<Journal>) -> Answer<Restored> {
    let place = Path::new(CHECKPOINT);
    let newest = PageStore::open(Arc::clone(disk), place);
    let restored = match &newest {
        Ok(store) => Shard::restore(store, Arc::clone(journal)),
        Err(fault) => Err(open_fault(fault)),
    };
    let (fault, is_damage) = match (restored, newest) {
        (Ok(shard), Ok(store)) => return Ok(Restored { store, shard, newest_was_damaged: false }),
        (Err(fault), newest) => (fault, is_damage(newest)),
        (Ok(_), Err(_)) => unreachable!("a checkpoint that did not open is not restored"),
    };
    let generations = PageStore::generations(disk.as_ref(), place).unwrap_or_default();
    let before = generations.iter().rev().nth(1).filter(|_| is_damage);
    let older = before.and_then(|number| PageStore::open_generation(Arc::clone(disk), place, *number).ok());
    // If the older one is no better, what is wrong with the newest is what people must know.
    let restored = older.and_then(|store| {
        let shard = Shard::restore(&store, Arc::clone(journal)).ok()?;
        Some(Restored { store, shard, newest_was_damaged: true })
    });
    if restored.is_some() {
        eprintln!("fen: {fault}; going on from the checkpoint before it, and a longer replay");
    }
    restored.ok_or(fault)
}

/// Whether a checkpoint that could not be restored has rotted, and is not merely another release's.
fn is_damage(opened: Result<PageStore, CheckpointFault>) -> bool {
    let fault = match opened {
        Ok(store) => store.load(&mut |_, _| Ok(())).err(),
        Err(fault) => Some(fault),
    };
    matches!(fault, Some(CheckpointFault::Damaged { .. } | CheckpointFault::DamagedPage { .. }))
}

/// What the checkpoint in force says of the log; where there is none, all of the log is replayed.
fn checkpoint_header(store: &PageStore) -> CheckpointHeader {
    let none = CheckpointHeader { replay_from: SegmentNumber::FIRST.get(), ..CheckpointHeader::default() };
    CheckpointHeader::read_from_bytes(store.header()).unwrap_or(none)
}

/// Replay seals as it goes: chunks that were sealed before the crash are only let go of.
fn seal_now(shard: &mut Shard) -> Answer<()> {
    for chunk in shard.take_full_chunks() {
        if shard.journal().chunks() <= chunk.number {
            shard
                .journal()
                .seal(&chunk, &touched_ids(&chunk))
                .map_err(|fault| Fault::Stopped(words(&fault)))?;
        }
        let number = chunk.number;
        drop(chunk);
        shard.chunk_is_sealed(number);
    }
    Ok(())
}

impl Durable {
    pub(crate) fn open(
        disk: &Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        options: &Options,
        lookup: Option<Lookup>,
    ) -> Answer<Self> {
        let Recovered { shard, store, wal, identity, recovery } = recover(disk)?;
        let (submissions, submitted) = bounded::<Submission>(options.queue_commands_max);
        let (reads, read_queue) = unbounded::<Read>();
        let (notes, note_queue) = unbounded::<Note>();
        let (durable, durable_queue) = bounded(2);
        let (to_seal, seal_queue) = bounded(1);
        let (to_checkpoint, checkpoint_queue) = bounded(8);
        let (sealed, sealed_queue) = bounded(1);
        let release = Arc::new(AtomicU64::new(0));
        let room = Room::default();
        let header = checkpoint_header(&store);
        let settled = Arc::new(AtomicU32::new(header.book.chunk));
        // Known before the first reader comes, and not only once the apply thread runs.
        let next_expiry = shard.book().next_expiry().unwrap_or(Stamp::MAX);
        let next_expiry = Arc::new(AtomicU64::new(next_expiry.get()));
        let journal = Arc::clone(shard.journal());
        let log = Log {
            clock: Arc::clone(&clock),
            last_index: LogIndex::new(shard.applied().get()),
            last_stamp: shard.book().clock(),
            release: Arc::clone(&release),
            durable,
            wal,
        };
        let (untidy, untidy_queue) = bounded(1);
        let tidier = Tidier {
            journal: Arc::clone(&journal),
            spares: log.wal.spares(),
            notes: notes.clone(),
            settled: Arc::clone(&settled),
        };
        let (indexable, indexable_queue) = bounded(1);
        let sealer = Sealer {
            journal: Arc::clone(&journal),
            notes: notes.clone(),
            sealed,
            untidy,
            indexable,
            room: room.clone(),
        };
        let checkpoints = Checkpoints {
            replay_from: header.replay_from,
            store,
            journal: Arc::clone(&journal),
            sealed: sealed_queue,
            notes,
            release,
            room: room.clone(),
            settled,
        };
        let apply = Apply {
            shard,
            reads: read_queue,
            notes: note_queue,
            to_seal,
            to_checkpoint,
            next_expiry: Arc::clone(&next_expiry),
            checkpoint_bytes: options.checkpoint_bytes,
            progress: Progress::default(),
        };
        let mut threads = vec![
            spawn("fen-log", move || log.run(&submitted))?,
            spawn("fen-apply", move || apply.run(&durable_queue))?,
            spawn("fen-seal", move || sealer.run(&seal_queue))?,
            spawn("fen-tidy", move || tidier.run(&untidy_queue))?,
            spawn("fen-checkpoint", move || checkpoints.run(&checkpoint_queue))?,
        ];
        let lookup = lookup.map(Arc::new);
        if let Some(lookup) = &lookup {
            let feeder = Feeder {
                journal: Arc::clone(&journal),
                lookup: Arc::clone(lookup),
                reads: reads.clone(),
                room: room.clone(),
            };
            let (opened, ready) = bounded(1);
            threads.push(spawn("fen-lookup", move || feeder.run(&indexable_queue, &opened))?);
            // Who asks at once should not have to look at everything; a slow or broken index hinders nobody.
            let _ready_or_later = ready.recv_timeout(INDEX_PATIENCE);
        }
        let submissions = Some(submissions);
        Ok(Self {
            submissions,
            reads,
            threads,
            next_expiry,
            clock,
            journal,
            lookup,
            identity,
            recovery,
            room,
        })
    }

    pub(crate) fn lookup(&self) -> Option<&Lookup> {
        self.lookup.as_deref()
    }

    pub(crate) fn recovery(&self) -> Recovery {
        self.recovery
    }

    pub(crate) fn identity(&self) -> u64 {
        self.identity
    }

    pub(crate) fn journal(&self) -> &Arc<Journal> {
        &self.journal
    }

    pub(crate) fn clock(&self) -> Stamp {
        self.clock.now()
    }

    /// Hands a command to the log; the answer comes when it is durable and applied.
    pub(crate) fn submit(&self, body: Body) -> Answer<Receiver<Answer<Reply>>> {
        let (reply, answer) = bounded(1);
        let submissions =
            self.submissions.as_ref().expect("submissions are open until the ledger is dropped");
        submissions.send(Submission { body, reply }).map_err(|_| stopped())?;
        Ok(answer)
    }

    /// Reads the shard between two commits, all that was answered before included. Money whose reservation has
    /// lapsed by the clock is released first.
    pub(crate) fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Shard) -> T + Send + 'static,
    ) -> Answer<T> {
        if self.next_expiry.load(Ordering::Acquire) <= self.clock.now().get() {
            self.submit(Body::Pulse)?.recv().map_err(|_| stopped())??;
        }
        let (reply, answer) = bounded(1);
        let read: Read = Box::new(move |shard| {
            let _gone = reply.send(look(shard));
        });
        self.reads.send(read).map_err(|_| stopped())?;
        answer.recv().map_err(|_| stopped())
    }
}

pub(crate) fn stopped() -> Fault {
    Fault::Stopped(Arc::from("its threads are gone; the first fault was given to the caller that met it"))
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Answer<JoinHandle<()>> {
    std::thread::Builder::new().name(name.to_owned()).spawn(run).map_err(|fault| open_fault(&fault))
}

impl Drop for Durable {
    /// Waits until what was submitted is durable, applied and answered.
    fn drop(&mut self) {
        self.submissions = None;
        self.room.close();
        for thread in self.threads.drain(..) {
            let _panicked = thread.join();
        }
    }
}
