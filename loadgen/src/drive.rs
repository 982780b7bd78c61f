//! The driver: client threads that send commands, in a closed loop or at a set rate.
//!
//! The next command's number is drawn from one counter, so what is sent does not depend on how many clients there are.
//!
//! **Closed loop.** Each client keeps a few commands under way. The latency runs from the moment a command is handed
//! over to the moment its client has the answer in hand: a client that is making the next one sees an answer late,
//! never early. The time to make a command is not part of the latency, but it is part of the rate, as the clients
//! share the machine with the ledger.
//!
//! **At a rate.** Each command has a moment at which it is due, and its latency runs from then, whether or not it
//! could be handed over at that moment: a ledger that stalls is charged for everybody who would have come meanwhile.

use crate::answers::Answers;
use crate::fault::{Fault, Run};
use crate::measure::thread_cpu;
use crate::stream::Stream;
use crate::target::{Pending, Target};
use crate::timing::Timing;
use crate::workload::Workload;
use crate::{Unwatched, Watch};
use fen_ledger::{Account, AccountFilter, Body, CreateAccountStatus, Reply};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What to send, and how.
#[derive(Clone, Copy)]
pub struct Load<'a> {
    /// What the commands are.
    pub stream: &'a dyn Stream,
    /// Threads.
    pub clients: u32,
    /// Commands that each client keeps under way; at a rate, any number.
    pub under_way: u32,
    /// The number of the first command.
    pub first: u64,
    /// The number after the last one.
    pub end: u64,
    /// Every so manieth number is sent: other processes send those between.
    pub stride: u64,
    /// Commands a second, if not as many as go.
    pub rate: Option<u64>,
    /// No command is handed over later than this.
    pub seconds_max: Option<Duration>,
    /// Nor after this was set.
    pub stop: Option<&'a AtomicBool>,
    /// Whether each client looks up accounts and reads a statement after every command.
    pub reads: bool,
}

/// A run of batches that one driver has sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Sent {
    /// The first number.
    pub first: u64,
    /// The numbers end before this one.
    pub end: u64,
    /// Every so manieth.
    pub stride: u64,
}

/// How it went.
#[derive(Clone, Default, Debug)]
pub struct Driven {
    /// Every answer.
    pub answers: Answers,
    /// Of the batches.
    pub timing: Timing,
    /// Of the reads.
    pub reads: Timing,
    /// From the first batch to the last answer.
    pub taken: Duration,
    /// Which batches were sent.
    pub sent: Vec<Sent>,
    /// Transfers that were created.
    pub created: u64,
    /// What the client threads used of the processor.
    pub client_cpu: Duration,
}

impl Driven {
    /// Adds what another driver did at the same time.
    pub fn merge(&mut self, other: Self) {
        self.answers.merge(other.answers);
        self.timing.merge(&other.timing);
        self.reads.merge(&other.reads);
        self.created += other.created;
        self.client_cpu += other.client_cpu;
        self.sent.extend(other.sent);
        self.taken = self.taken.max(other.taken);
    }

    /// The numbers of all batches that were sent.
    pub fn batches(&self) -> impl Iterator<Item = u64> + '_ {
        let step = |stride: u64| usize::try_from(stride).unwrap_or(usize::MAX);
        self.sent.iter().flat_map(move |sent| (sent.first..sent.end).step_by(step(sent.stride)))
    }
}

/// Opens the accounts of a workload.
///
/// # Errors
/// A fault of the ledger, or an account that it refuses.
pub fn open_accounts(books: &dyn Target, workload: &Workload, watch: &dyn Watch) -> Run<()> {
    watch.step("accounts", workload.accounts);
    let batches = workload.account_batches();
    open_all(books, batches.map(|numbers| numbers.map(|number| workload.account(number)).collect()), watch)
}

/// Opens accounts, batch by batch.
pub(crate) fn open_all(
    books: &dyn Target,
    batches: impl Iterator<Item = Vec<Account>>,
    watch: &dyn Watch,
) -> Run<()> {
    let mut under_way: VecDeque<Pending> = VecDeque::new();
    for accounts in batches {
        under_way.push_back(books.submit(Body::Accounts(accounts))?);
        if under_way.len() > 4 {
            opened(under_way.pop_front(), watch)?;
        }
    }
    while let Some(ticket) = under_way.pop_front() {
        opened(Some(ticket), watch)?;
    }
    Ok(())
}

fn opened(ticket: Option<Pending>, watch: &dyn Watch) -> Run<()> {
    let Some(ticket) = ticket else { return Ok(()) };
    let Reply::Accounts(outcomes) = ticket.wait()? else {
        return Err(Fault::Accounts("the answer is not one to accounts".to_owned()));
    };
    let refused = outcomes.iter().find(|outcome| outcome.status != CreateAccountStatus::Created);
    if let Some(outcome) = refused {
        return Err(Fault::Accounts(format!("one of them was answered {}", outcome.status.name())));
    }
    watch.done(u64::try_from(outcomes.len()).unwrap_or(u64::MAX));
    Ok(())
}

/// Sends a load and waits for every answer.
///
/// # Errors
/// A fault of the ledger.
pub fn drive(books: &dyn Target, load: &Load<'_>, watch: &dyn Watch) -> Run<Driven> {
    assert!(load.clients > 0 && load.under_way > 0 && load.stride > 0, "somebody sends something");
    let drive = Drive { books, load, watch, next: AtomicU64::new(load.first), start: Instant::now() };
    let mut all = Driven::default();
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..load.clients).map(|_| scope.spawn(|| drive.client())).collect();
        for client in clients {
            all.merge(client.join().map_err(|_| Fault::Process("a client thread panicked".to_owned()))??);
        }
        Ok::<(), Fault>(())
    })?;
    all.taken = drive.start.elapsed();
    let end = drive.next.load(Ordering::Relaxed).min(load.end).max(load.first);
    all.sent = vec![Sent { first: load.first, end, stride: load.stride }];
    Ok(all)
}

/// As [`drive`], watched by nobody.
///
/// # Errors
/// As [`drive`].
pub fn drive_unwatched(books: &dyn Target, load: &Load<'_>) -> Run<Driven> {
    drive(books, load, &Unwatched)
}

struct Drive<'a> {
    books: &'a dyn Target,
    load: &'a Load<'a>,
    watch: &'a dyn Watch,
    next: AtomicU64,
    start: Instant,
}

struct UnderWay {
    batch: u64,
    /// When it was handed over; at a rate, when it was due.
    since: Instant,
    ticket: Pending,
}

impl Drive<'_> {
    /// The next command's number. Whoever gets one sends it, so that the numbers have no gaps.
    fn take(&self) -> Option<u64> {
        let is_late = self.load.seconds_max.is_some_and(|max| self.start.elapsed() >= max);
        if is_late || self.load.stop.is_some_and(|stop| stop.load(Ordering::Relaxed)) {
            return None;
        }
        let batch = self.next.fetch_add(self.load.stride, Ordering::Relaxed);
        (batch < self.load.end).then_some(batch)
    }

    fn client(&self) -> Run<Driven> {
        let mut driven = Driven::default();
        match self.load.rate {
            None => self.closed_loop(&mut driven)?,
            Some(rate) => self.at_rate(rate.max(1), &mut driven)?,
        }
        driven.client_cpu = thread_cpu();
        Ok(driven)
    }

    fn closed_loop(&self, driven: &mut Driven) -> Run<()> {
        let mut under_way: VecDeque<UnderWay> = VecDeque::new();
        let under_way_max = usize::try_from(self.load.under_way).unwrap_or(usize::MAX);
        loop {
            while under_way.len() < under_way_max
                && let Some(batch) = self.take()
            {
                let body = self.load.stream.body(batch);
                let since = Instant::now();
                let ticket = self.books.submit(body)?;
                under_way.push_back(UnderWay { batch, since, ticket });
            }
            let Some(UnderWay { batch, since, ticket }) = under_way.pop_front() else { return Ok(()) };
            self.answered(driven, batch, since, &ticket.wait()?)?;
        }
    }

    fn at_rate(&self, rate: u64, driven: &mut Driven) -> Run<()> {
        let mut under_way: VecDeque<UnderWay> = VecDeque::new();
        while let Some(batch) = self.take() {
            let since = self.start + due_after((batch - self.load.first) / self.load.stride, rate);
            while let Some(first) = under_way.front()
                && let Some(reply) = first.ticket.wait_until(since)?
            {
                self.answered(driven, first.batch, first.since, &reply)?;
                under_way.pop_front();
            }
            std::thread::sleep(since.saturating_duration_since(Instant::now()));
            let ticket = self.books.submit(self.load.stream.body(batch))?;
            under_way.push_back(UnderWay { batch, since, ticket });
        }
        for UnderWay { batch, since, ticket } in under_way {
            self.answered(driven, batch, since, &ticket.wait()?)?;
        }
        Ok(())
    }

    fn answered(&self, driven: &mut Driven, batch: u64, since: Instant, reply: &Reply) -> Run<()> {
        let (at, latency) = (self.start.elapsed(), since.elapsed());
        let mut refused = Vec::new();
        let events = self.load.stream.judge(reply, &mut refused)?;
        let created = events - u64::try_from(refused.len()).unwrap_or(events);
        driven.answers.keep(batch, refused);
        driven.timing.record(at, latency, created);
        driven.created += created;
        self.watch.done(created);
        self.watch.answered(batch);
        if self.load.reads {
            self.read(batch, &mut driven.reads)?;
        }
        Ok(())
    }

    /// Looks up accounts of the command, and reads the last hundred entries of one.
    fn read(&self, batch: u64, timing: &mut Timing) -> Run<()> {
        let ids = self.load.stream.accounts(batch);
        let Some(first) = ids.first() else { return Ok(()) };
        let began = Instant::now();
        self.books.accounts(&ids)?;
        timing.record(self.start.elapsed(), began.elapsed(), 0);
        let filter = AccountFilter {
            account_id: *first,
            limit: 100,
            debits: true,
            credits: true,
            reversed: true,
            ..AccountFilter::default()
        };
        let began = Instant::now();
        self.books.entries(&filter)?;
        timing.record(self.start.elapsed(), began.elapsed(), 0);
        Ok(())
    }
}

/// How long after the start the command of a place is due.
fn due_after(place: u64, rate: u64) -> Duration {
    let nanoseconds = u128::from(place) * 1_000_000_000 / u128::from(rate);
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
}
