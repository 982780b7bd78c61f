//! What a group replicates: a machine that is a pure function of its log, on a thread of its own.
//!
//! The machine never waits for the network or for consensus, and nobody waits for the machine with a lock in his
//! hand: work comes to its thread over a bounded queue, in log order, and reads take their turn in the same queue.

use crate::crew::Crew;
use crate::words::{Answer, LogPlace, Parcel, Types};
use bytes::Bytes;
use openraft::storage::ApplyResponder;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{mpsc, oneshot};

/// Jobs that may wait for the machine.
const JOBS_MAX: usize = 256;
/// How long a machine without jobs rests while its checkpoint waits for the disk.
const CHECKPOINT_PATIENCE: Duration = Duration::from_micros(200);

/// Whether anybody hears the answer: on followers, and when a log is replayed, nobody does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Audience {
    /// A client waits on this node.
    Client,
    /// The answer would be thrown away.
    Nobody,
}

/// Up to where an image holds the log, and who belonged to the group then.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Mark {
    /// The last entry applied; none before the first.
    pub place: Option<LogPlace>,
    /// The group's membership; only the replication reads it.
    pub membership: Bytes,
}

/// The bytes of an image, read piece by piece, from any thread.
pub trait ImageContent: Send + Sync + 'static {
    /// All of it, in bytes.
    fn size(&self) -> u64;
    /// Fills the buffer from `offset` on.
    fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
}

impl ImageContent for Bytes {
    fn size(&self) -> u64 {
        self.len() as u64
    }
    fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let end = start.checked_add(buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(self.get(start..end).ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// The whole state of a machine at one place of its log.
#[derive(Clone)]
pub struct Image {
    /// Which place.
    pub mark: Mark,
    /// The state.
    pub content: Arc<dyn ImageContent>,
}

/// How far a checkpoint is.
pub enum Checkpoint {
    /// It is durable.
    Whole(Image),
    /// The next moment's work waits.
    UnderWay,
    /// It waits for others.
    Waits,
}

/// See the module.
pub trait Machine: Send + 'static {
    /// What the durable image held that this machine was opened from. The log is replayed from there.
    fn mark(&self) -> Mark;
    /// Applies one parcel. The same parcels in the same order give the same state and the same answers on every
    /// node. A fault is a broken disk, never an answer: it stops the node.
    fn apply(&mut self, place: LogPlace, parcel: &Parcel, audience: Audience) -> io::Result<Answer>;
    /// Makes the present state durable, with its mark, and gives it out for a follower that needs it. The log up
    /// to the mark may be thrown away afterwards. What takes its time is only begun here, and [gone on](Self::go_on)
    /// with; there is no other checkpoint before this one is whole.
    fn checkpoint(&mut self, mark: Mark) -> io::Result<Checkpoint>;
    /// Goes on with the checkpoint under way, for a moment at a time: called between jobs.
    fn go_on(&mut self) -> io::Result<Checkpoint> {
        Err(io::Error::other("no checkpoint is under way"))
    }
    /// The last durable image, if there is one.
    fn image(&mut self) -> io::Result<Option<Image>>;
    /// Takes the place of all state, durably.
    fn install(&mut self, image: Image) -> io::Result<()>;
}

type Read<M> = Box<dyn FnOnce(&mut M) + Send>;

/// Work for the machine's worker.
pub(crate) enum Job<M> {
    /// One entry, in order.
    Apply {
        place: LogPlace,
        parcel: Parcel,
        answer: Option<ApplyResponder<Types>>,
    },
    /// All earlier work is done, or the first fault.
    Barrier(oneshot::Sender<io::Result<()>>),
    Checkpoint(Mark, oneshot::Sender<io::Result<Image>>),
    Image(oneshot::Sender<io::Result<Option<Image>>>),
    Install(Image, oneshot::Sender<io::Result<()>>),
    Read(Read<M>),
}

/// The way to the machine's worker.
pub(crate) struct Desk<M>(mpsc::Sender<Job<M>>);

impl<M> Clone for Desk<M> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

fn stopped() -> io::Error {
    io::Error::other("the machine's worker has stopped")
}

impl<M: Machine> Desk<M> {
    /// Starts the worker; it ends when the last desk is gone.
    pub(crate) fn start(crew: &Crew, name: &str, machine: M) -> io::Result<Self> {
        let (jobs, queue) = mpsc::channel(JOBS_MAX);
        crew.hire(name, work(crew.clone(), machine, queue))?;
        Ok(Self(jobs))
    }

    pub(crate) async fn send(&self, job: Job<M>) -> io::Result<()> {
        self.0.send(job).await.map_err(|_| stopped())
    }

    /// Sends a job that answers, and waits for the answer.
    pub(crate) async fn ask<T>(
        &self,
        job: impl FnOnce(oneshot::Sender<io::Result<T>>) -> Job<M>,
    ) -> io::Result<T> {
        let (sender, receiver) = oneshot::channel();
        self.send(job(sender)).await?;
        receiver.await.map_err(|_| stopped())?
    }

    /// Looks into the machine, after all work that was queued before.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&mut M) -> T + Send + 'static,
    ) -> io::Result<T> {
        let (sender, receiver) = oneshot::channel();
        let look: Read<M> = Box::new(move |machine| drop(sender.send(look(machine))));
        self.send(Job::Read(look)).await?;
        receiver.await.map_err(|_| stopped())
    }
}

/// Remembers the first fault.
fn note<T>(fault: &mut Option<String>, done: &io::Result<T>) {
    if let Err(error) = done {
        fault.get_or_insert_with(|| error.to_string());
    }
}

async fn work<M: Machine>(crew: Crew, machine: M, mut queue: mpsc::Receiver<Job<M>>) {
    let mut worker = Worker { machine, fault: None, under_way: None };
    loop {
        let job = if worker.under_way.is_some() {
            match queue.try_recv() {
                Ok(job) => Some(job),
                Err(TryRecvError::Empty) => None,
                Err(TryRecvError::Disconnected) => return,
            }
        } else {
            match queue.recv().await {
                Some(job) => Some(job),
                None => return,
            }
        };
        let is_idle = job.is_none();
        if let Some(job) = job {
            crew.turn("machine").await;
            worker.take(job);
        }
        if worker.go_on() == Turn::Waits && is_idle {
            crew.rest(CHECKPOINT_PATIENCE).await;
        }
    }
}

/// What the worker has.
struct Worker<M> {
    machine: M,
    /// The first fault. After it the state is not what the log says; nothing more is applied or answered.
    fault: Option<String>,
    /// Who waits for the checkpoint under way.
    under_way: Option<oneshot::Sender<io::Result<Image>>>,
}

#[derive(PartialEq, Eq)]
enum Turn {
    Done,
    Waits,
}

impl<M: Machine> Worker<M> {
    fn told(&self) -> io::Result<()> {
        match &self.fault {
            None => Ok(()),
            Some(reason) => Err(io::Error::other(reason.clone())),
        }
    }

    fn take(&mut self, job: Job<M>) {
        match job {
            Job::Apply { place, parcel, answer } => self.apply(place, &parcel, answer),
            Job::Barrier(done) => drop(done.send(self.told())),
            Job::Checkpoint(mark, done) => {
                if self.under_way.is_some() {
                    return drop(done.send(Err(io::Error::other("a checkpoint is under way"))));
                }
                let begun = self.told().and_then(|()| self.machine.checkpoint(mark));
                self.under_way = Some(done);
                self.heed(begun);
            }
            Job::Image(done) => drop(done.send(self.machine.image())),
            Job::Install(image, done) => {
                let installed = self.told().and_then(|()| self.machine.install(image.clone()));
                note(&mut self.fault, &installed);
                // What was under way is of a state that is gone.
                if let Some(waiting) = self.under_way.take() {
                    drop(waiting.send(self.told().map(|()| image)));
                }
                drop(done.send(installed));
            }
            Job::Read(look) => look(&mut self.machine),
        }
    }

    fn apply(&mut self, place: LogPlace, parcel: &Parcel, answer: Option<ApplyResponder<Types>>) {
        if self.fault.is_some() {
            return;
        }
        let audience = if answer.is_some() { Audience::Client } else { Audience::Nobody };
        let begun = Instant::now();
        let applied = self.machine.apply(place, parcel, audience);
        metrics::histogram!("fen_apply_seconds").record(begun.elapsed().as_secs_f64());
        match applied {
            Ok(reply) => {
                if let Some(answer) = answer {
                    answer.send(reply);
                }
            }
            Err(error) => self.fault = Some(error.to_string()),
        }
    }

    /// A moment's work on the checkpoint under way.
    fn go_on(&mut self) -> Turn {
        if self.under_way.is_none() {
            return Turn::Done;
        }
        let gone_on = self.machine.go_on();
        let turn = if matches!(gone_on, Ok(Checkpoint::Waits)) { Turn::Waits } else { Turn::Done };
        self.heed(gone_on);
        turn
    }

    fn heed(&mut self, checkpoint: io::Result<Checkpoint>) {
        let image = match checkpoint {
            Ok(Checkpoint::UnderWay | Checkpoint::Waits) => return,
            Ok(Checkpoint::Whole(image)) => Ok(image),
            Err(error) => Err(error),
        };
        // A machine hands each change to one checkpoint: after this one failed, a later one would lack what it was
        // handed. Only a restart, from the checkpoint before and the log, has it all.
        note(&mut self.fault, &image);
        if let Some(done) = self.under_way.take() {
            drop(done.send(image));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Its first checkpoint meets a full disk.
    #[derive(Default)]
    struct Unlucky {
        checkpoints: u64,
    }

    impl Machine for Unlucky {
        fn mark(&self) -> Mark {
            Mark::default()
        }
        fn apply(&mut self, _place: LogPlace, _parcel: &Parcel, _audience: Audience) -> io::Result<Answer> {
            Ok(Answer::default())
        }
        fn checkpoint(&mut self, mark: Mark) -> io::Result<Checkpoint> {
            self.checkpoints += 1;
            if self.checkpoints == 1 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            Ok(Checkpoint::Whole(Image { mark, content: Arc::new(Bytes::new()) }))
        }
        fn image(&mut self) -> io::Result<Option<Image>> {
            Ok(None)
        }
        fn install(&mut self, _image: Image) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn after_a_failed_checkpoint_there_is_no_other() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let desk = Desk::start(&Crew::Threads, "unlucky", Unlucky::default()).unwrap();
            let checkpoint = |done| Job::Checkpoint(Mark::default(), done);
            let first = desk.ask(checkpoint).await.err().unwrap().to_string();
            let second = desk.ask(checkpoint).await.err().unwrap().to_string();
            assert_eq!(first, second);
            assert!(desk.ask(Job::Barrier).await.is_err(), "nothing more is applied");
            assert_eq!(desk.read(|machine| machine.checkpoints).await.unwrap(), 1, "reading goes on");
        });
    }
}
