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
use std::time::Instant;
use tokio::sync::{mpsc, oneshot};

/// Jobs that may wait for the machine.
const JOBS_MAX: usize = 256;

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

/// See the module.
pub trait Machine: Send + 'static {
    /// What the durable image held that this machine was opened from. The log is replayed from there.
    fn mark(&self) -> Mark;
    /// Applies one parcel. The same parcels in the same order give the same state and the same answers on every
    /// node. A fault is a broken disk, never an answer: it stops the node.
    fn apply(&mut self, place: LogPlace, parcel: &Parcel, audience: Audience) -> io::Result<Answer>;
    /// Makes the present state durable, with its mark, and gives it out for a follower that needs it. The log up
    /// to the mark may be thrown away afterwards.
    fn checkpoint(&mut self, mark: Mark) -> io::Result<Image>;
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

async fn work<M: Machine>(crew: Crew, mut machine: M, mut queue: mpsc::Receiver<Job<M>>) {
    let mut fault: Option<String> = None;
    let told = |fault: &Option<String>| match fault {
        None => Ok(()),
        Some(reason) => Err(io::Error::other(reason.clone())),
    };
    while let Some(job) = queue.recv().await {
        crew.turn("machine").await;
        match job {
            Job::Apply { place, parcel, answer } => {
                // After a fault the state is not what the log says; nothing more is applied or answered.
                if fault.is_some() {
                    continue;
                }
                let audience = if answer.is_some() { Audience::Client } else { Audience::Nobody };
                let begun = Instant::now();
                let applied = machine.apply(place, &parcel, audience);
                metrics::histogram!("fen_apply_seconds").record(begun.elapsed().as_secs_f64());
                match applied {
                    Ok(reply) => {
                        if let Some(answer) = answer {
                            answer.send(reply);
                        }
                    }
                    Err(error) => fault = Some(error.to_string()),
                }
            }
            Job::Barrier(done) => drop(done.send(told(&fault))),
            Job::Checkpoint(mark, done) => {
                let image = told(&fault).and_then(|()| machine.checkpoint(mark));
                // A machine hands each change to one checkpoint: after this one failed, a later one would lack what
                // it was handed. Only a restart, from the checkpoint before and the log, has it all.
                note(&mut fault, &image);
                drop(done.send(image));
            }
            Job::Image(done) => drop(done.send(machine.image())),
            Job::Install(image, done) => {
                let installed = told(&fault).and_then(|()| machine.install(image));
                note(&mut fault, &installed);
                drop(done.send(installed));
            }
            Job::Read(look) => look(&mut machine),
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
        fn checkpoint(&mut self, mark: Mark) -> io::Result<Image> {
            self.checkpoints += 1;
            if self.checkpoints == 1 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            Ok(Image { mark, content: Arc::new(Bytes::new()) })
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
