//! Who does a node's waiting work: threads of their own, or tasks that share the one thread of a simulation.
//!
//! A worker is written once, as a future that takes jobs from a queue. In a node that serves clients it has a thread
//! to itself and blocks in it, for the disk and for its next job. In a simulation it is one task among all the
//! others, so that the order of everything follows from one seed; there each job first waits as long as the
//! simulation says, which is how a slow disk or a slow processor looks.
//!
//! **Invariants.** Jobs of one queue are done in the order in which they were sent. A worker ends when nobody can
//! send to it any more, after everything that was sent.

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::thread::{Thread, current, park};
use std::time::Duration;
use tokio::sync::Notify;

/// How fast a simulated node works.
pub trait Pace: Send + Sync + 'static {
    /// How long this worker's next job waits before it is done.
    fn before_job(&self, worker: &str) -> Duration;
}

/// See the module.
#[derive(Clone, Default)]
pub enum Crew {
    /// Each worker has a thread.
    #[default]
    Threads,
    /// Workers are tasks of the runtime that hires them.
    Tasks(Arc<dyn Pace>),
}

/// A helper's work.
type Work<T> = Box<dyn FnMut(T) + Send>;

/// Does jobs of one kind beside whoever sends them.
pub enum Helper<T> {
    /// On a thread of its own.
    Beside(Sender<T>),
    /// Where it is asked: on the one thread there is no beside.
    Here(Work<T>),
}

impl<T> Helper<T> {
    /// Hands a job over; waits while as many as agreed wait already.
    pub fn send(&mut self, job: T) -> io::Result<()> {
        match self {
            Self::Beside(jobs) => {
                jobs.send(job).map_err(|_| io::Error::other("a helping thread has stopped"))
            }
            Self::Here(work) => {
                work(job);
                Ok(())
            }
        }
    }
}

impl Crew {
    /// Starts a worker.
    pub fn hire(&self, name: &str, work: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        match self {
            Self::Threads => {
                std::thread::Builder::new().name(name.to_owned()).spawn(move || block_on(work))?;
            }
            Self::Tasks(_) => drop(tokio::spawn(work)),
        }
        Ok(())
    }

    /// Starts a helper, for whom at most `waiting_max` jobs wait.
    pub fn helper<T: Send + 'static>(
        &self,
        name: &str,
        waiting_max: usize,
        mut work: impl FnMut(T) + Send + 'static,
    ) -> io::Result<Helper<T>> {
        match self {
            Self::Threads => {
                let (jobs, queue) = crossbeam_channel::bounded(waiting_max);
                let run = move || queue.into_iter().for_each(&mut work);
                std::thread::Builder::new().name(name.to_owned()).spawn(run)?;
                Ok(Helper::Beside(jobs))
            }
            Self::Tasks(_) => Ok(Helper::Here(Box::new(work))),
        }
    }

    /// A piece of work that waits for the disk, beside the tasks.
    pub async fn aside<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
        match self {
            Self::Threads => tokio::task::spawn_blocking(work).await.map_err(io::Error::other),
            Self::Tasks(pace) => {
                tokio::time::sleep(pace.before_job("aside")).await;
                Ok(work())
            }
        }
    }

    /// Whether work that is done [aside](Self::aside) may wait for the workers; in a simulation nobody may block.
    pub fn may_wait_aside(&self) -> bool {
        matches!(self, Self::Threads)
    }

    /// A worker's next job has come: in a simulation it takes its time.
    pub async fn turn(&self, worker: &str) {
        match self {
            Self::Threads => {}
            Self::Tasks(pace) => {
                let wait = pace.before_job(worker);
                if !wait.is_zero() {
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }

    /// A worker waits: for the disk to have room, or for another worker.
    pub(crate) async fn rest(&self, time: Duration) {
        match self {
            Self::Threads => std::thread::sleep(time),
            Self::Tasks(_) => tokio::time::sleep(time).await,
        }
    }

    /// A queue of jobs for one worker. Whoever sends blocks while `waiting_max` wait; in a simulation nobody may
    /// block, and nobody does.
    pub(crate) fn queue<T>(&self, waiting_max: usize) -> (Orders<T>, Queue<T>) {
        let ((orders, jobs), bell) = match self {
            Self::Threads => (crossbeam_channel::bounded(waiting_max), None),
            Self::Tasks(_) => (crossbeam_channel::unbounded(), Some(Arc::new(Notify::new()))),
        };
        (Orders { jobs: Some(orders), bell: bell.clone() }, Queue { jobs, bell })
    }
}

/// The end of a queue where jobs go in.
pub(crate) struct Orders<T> {
    jobs: Option<Sender<T>>,
    bell: Option<Arc<Notify>>,
}

impl<T> Clone for Orders<T> {
    fn clone(&self) -> Self {
        Self { jobs: self.jobs.clone(), bell: self.bell.clone() }
    }
}

impl<T> Orders<T> {
    pub(crate) fn send(&self, job: T) -> Result<(), Closed> {
        let jobs = self.jobs.as_ref().expect("a queue takes jobs until it is dropped");
        jobs.send(job).map_err(|_| Closed)?;
        if let Some(bell) = &self.bell {
            bell.notify_one();
        }
        Ok(())
    }
}

impl<T> Drop for Orders<T> {
    fn drop(&mut self) {
        // The worker sees that nobody sends any more, so the channel goes before the bell rings.
        drop(self.jobs.take());
        if let Some(bell) = &self.bell {
            bell.notify_one();
        }
    }
}

/// Nobody is at the other end any more.
#[derive(Debug)]
pub(crate) struct Closed;

/// The end of a queue where a worker takes jobs out. Without a bell it blocks the thread that it is awaited on.
pub(crate) struct Queue<T> {
    jobs: Receiver<T>,
    bell: Option<Arc<Notify>>,
}

impl<T> Queue<T> {
    /// The next job; none if there is none in time.
    pub(crate) async fn next_within(&self, patience: Duration) -> Result<Option<T>, Closed> {
        let Some(bell) = &self.bell else {
            return match self.jobs.recv_timeout(patience) {
                Ok(job) => Ok(Some(job)),
                Err(RecvTimeoutError::Timeout) => Ok(None),
                Err(RecvTimeoutError::Disconnected) => Err(Closed),
            };
        };
        loop {
            match self.jobs.try_recv() {
                Ok(job) => return Ok(Some(job)),
                Err(TryRecvError::Disconnected) => return Err(Closed),
                Err(TryRecvError::Empty) => {
                    if tokio::time::timeout(patience, bell.notified()).await.is_err() {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// A job that waits already.
    pub(crate) fn try_next(&self) -> Option<T> {
        self.jobs.try_recv().ok()
    }

    #[cfg(test)]
    pub(crate) fn never() -> Self {
        Self { jobs: crossbeam_channel::never(), bell: None }
    }
}

/// Wakes a thread that waits for its one future.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs one future on this thread, to its end.
fn block_on(work: impl Future<Output = ()>) {
    let waker = Waker::from(Arc::new(Unpark(current())));
    let mut context = Context::from_waker(&waker);
    let mut work = pin!(work);
    while work.as_mut().poll(&mut context).is_pending() {
        park();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    struct Slow;

    impl Pace for Slow {
        fn before_job(&self, _worker: &str) -> Duration {
            Duration::from_millis(10)
        }
    }

    /// The same worker on a thread and as a task: the same jobs in the same order, and it ends with its senders.
    fn all_jobs_are_done_in_order(crew: &Crew) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (orders, queue) = crew.queue::<u32>(2);
            let done = Arc::new(Mutex::new(Vec::new()));
            let (ended, end) = tokio::sync::oneshot::channel();
            let (writing, crew_of_worker) = (done.clone(), crew.clone());
            let worker = async move {
                while let Ok(job) = queue.next_within(Duration::from_secs(1)).await {
                    crew_of_worker.turn("test").await;
                    writing.lock().unwrap().extend(job);
                }
                ended.send(()).unwrap();
            };
            crew.hire("worker", worker).unwrap();
            for job in 0..10 {
                orders.clone().send(job).unwrap();
            }
            drop(orders);
            end.await.unwrap();
            assert_eq!(*done.lock().unwrap(), (0..10).collect::<Vec<_>>());
        });
    }

    #[test]
    fn a_worker_is_the_same_on_a_thread_and_as_a_task() {
        all_jobs_are_done_in_order(&Crew::Threads);
        all_jobs_are_done_in_order(&Crew::Tasks(Arc::new(Slow)));
    }
}
