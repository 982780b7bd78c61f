//! The log thread: gives commands their stamps and makes them durable, as many with one sync as are waiting.

use crate::body::Body;
use crate::clock::Clock;
use crate::fault::{Answer, Fault, words};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use fen_book::{Reply, Stamp};
use fen_store::wal::{Entry, GroupId, LogIndex, SegmentNumber, Wal, WalFault};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The group of a ledger that is alone on its node.
pub(crate) const GROUP: GroupId = GroupId::new(1);

/// Bytes that one sync carries at most: past this, commands wait for the next one.
const COMMIT_BYTES_MAX: usize = 6 << 20;

/// How long it must be quiet before the last write is proven complete by one behind it: not between the commands
/// of a busy client, whom that would keep waiting.
const QUIET: Duration = Duration::from_millis(20);

/// A command on its way to the log.
pub(crate) struct Submission {
    pub(crate) body: Body,
    pub(crate) reply: Sender<Answer<Reply>>,
}

/// A command that is durable.
pub(crate) struct Logged {
    pub(crate) submission: Submission,
    pub(crate) index: LogIndex,
    pub(crate) stamp: Stamp,
    pub(crate) segment: SegmentNumber,
}

/// Everything that the log thread owns.
pub(crate) struct Log {
    pub(crate) wal: Wal,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) last_index: LogIndex,
    pub(crate) last_stamp: Stamp,
    /// Segments below this number are no longer needed; set by the checkpoint thread.
    pub(crate) release: Arc<AtomicU64>,
    pub(crate) durable: Sender<Vec<Logged>>,
}

impl Log {
    /// Runs until every sender of `submissions` is gone or the disk breaks.
    pub(crate) fn run(mut self, submissions: &Receiver<Submission>) {
        let mut released = 0;
        while let Some(first) = self.next(submissions) {
            let mut staged = Vec::new();
            if let Err(fault) = self.stage_all(first, submissions, &mut staged).and_then(|()| self.commit()) {
                refuse_all(staged, submissions, &fault);
                return;
            }
            if self.durable.send(staged).is_err() {
                return;
            }
            let release = self.release.load(Ordering::Acquire);
            if release > released {
                if let Err(fault) = self.wal.release(SegmentNumber::new(release)) {
                    refuse_all(Vec::new(), submissions, &Fault::Stopped(words(&fault)));
                    return;
                }
                released = release;
            }
        }
    }

    /// The next command; `None` when there will be none. When it has become quiet the log is settled. A fault of that
    /// is the next commit's too, so it is told there.
    fn next(&mut self, submissions: &Receiver<Submission>) -> Option<Submission> {
        match submissions.recv_timeout(QUIET) {
            Ok(submission) => Some(submission),
            Err(RecvTimeoutError::Timeout) => {
                let _poisoned = self.wal.settle();
                submissions.recv().ok()
            }
            Err(RecvTimeoutError::Disconnected) => {
                let _poisoned = self.wal.settle();
                None
            }
        }
    }

    /// Stages the first command and all that are waiting behind it, up to one commit's worth.
    fn stage_all(
        &mut self,
        first: Submission,
        submissions: &Receiver<Submission>,
        staged: &mut Vec<Logged>,
    ) -> Answer<()> {
        let mut next = Some(first);
        while let Some(submission) = next {
            self.stage(submission, staged)?;
            next =
                if self.wal.staged_bytes() < COMMIT_BYTES_MAX { submissions.try_recv().ok() } else { None };
        }
        Ok(())
    }

    fn stage(&mut self, submission: Submission, staged: &mut Vec<Logged>) -> Answer<()> {
        let command = submission.body.command();
        let (kind, body) = command.encode();
        let stamps = command.stamp_count() as u64;
        let stamp = Stamp::new(self.clock.now().get().max(self.last_stamp.get() + stamps));
        let index = LogIndex::new(self.last_index.get() + 1);
        let entry = Entry { group: GROUP, index, term: 0, kind, stamp, body };
        match self.wal.append(&entry) {
            Ok(position) => {
                self.last_stamp = stamp;
                self.last_index = index;
                staged.push(Logged { submission, index, stamp, segment: position.segment });
                Ok(())
            }
            Err(fault @ WalFault::Full { .. }) => {
                answer(&submission.reply, Err(Fault::DiskFull(words(&fault))));
                Ok(())
            }
            Err(fault) => {
                let fault = Fault::Stopped(words(&fault));
                answer(&submission.reply, Err(fault.clone()));
                Err(fault)
            }
        }
    }

    fn commit(&mut self) -> Answer<()> {
        self.wal.commit().map_err(|fault| Fault::Stopped(words(&fault)))
    }
}

/// Gives an answer; a caller that no longer waits is no fault.
pub(crate) fn answer(reply: &Sender<Answer<Reply>>, with: Answer<Reply>) {
    let _gone = reply.send(with);
}

/// The disk broke: whoever waits or comes later hears of it, until the ledger is dropped.
fn refuse_all(staged: Vec<Logged>, submissions: &Receiver<Submission>, fault: &Fault) {
    for logged in staged {
        answer(&logged.submission.reply, Err(fault.clone()));
    }
    for submission in submissions {
        answer(&submission.reply, Err(fault.clone()));
    }
}
