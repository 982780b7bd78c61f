//! The driver: a closed loop of client threads, each keeping a few batches under way.
//!
//! The next batch's number is drawn from one counter, so what is sent does not depend on how many clients there are.
//! The latency of a batch runs from the moment it is handed over to the moment its client has the answer in hand:
//! a client that is making the next batch sees an answer late, never early. The time to make a batch is not part of
//! the latency, but it is part of the rate, as the clients share the machine with the ledger.

use crate::check::Answers;
use crate::fault::{Fault, Run};
use crate::measure::thread_cpu;
use crate::timing::Timing;
use crate::workload::{Workload, account_id};
use crate::{Unwatched, Watch};
use fen_ledger::{
    Account, AccountFilter, Body, CreateAccountStatus, CreateTransferStatus, Ledger, Outcome, Reply, Ticket,
};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What to send, and how.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// What the batches are.
    pub workload: Workload,
    /// Threads.
    pub clients: u32,
    /// Batches that each client keeps under way.
    pub under_way: u32,
    /// The number of the first batch.
    pub first: u64,
    /// The number after the last one.
    pub end: u64,
    /// No batch is handed over later than this.
    pub seconds_max: Option<Duration>,
    /// Whether each client looks up accounts and reads a statement after every batch.
    pub reads: bool,
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
    /// The number after the last batch that was sent.
    pub end: u64,
    /// Transfers that were created.
    pub created: u64,
    /// What the client threads used of the processor.
    pub client_cpu: Duration,
}

impl Driven {
    fn merge(&mut self, other: Self) {
        self.answers.merge(other.answers);
        self.timing.merge(&other.timing);
        self.reads.merge(&other.reads);
        self.created += other.created;
        self.client_cpu += other.client_cpu;
    }
}

/// Opens the accounts of a workload.
///
/// # Errors
/// A fault of the ledger, or an account that it refuses.
pub fn open_accounts(ledger: &Ledger, workload: &Workload, watch: &dyn Watch) -> Run<()> {
    watch.step("accounts", workload.accounts);
    let mut under_way: VecDeque<Ticket> = VecDeque::new();
    for numbers in workload.account_batches() {
        let accounts: Vec<Account> = numbers.map(|number| workload.account(number)).collect();
        under_way.push_back(ledger.submit(Body::Accounts(accounts))?);
        if under_way.len() > 4 {
            opened(under_way.pop_front(), watch)?;
        }
    }
    while let Some(ticket) = under_way.pop_front() {
        opened(Some(ticket), watch)?;
    }
    Ok(())
}

fn opened(ticket: Option<Ticket>, watch: &dyn Watch) -> Run<()> {
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
pub fn drive(ledger: &Ledger, load: &Load, watch: &dyn Watch) -> Run<Driven> {
    assert!(load.clients > 0 && load.under_way > 0, "somebody sends something");
    let drive = Drive { ledger, load, watch, next: AtomicU64::new(load.first), start: Instant::now() };
    let mut all = Driven::default();
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..load.clients).map(|_| scope.spawn(|| drive.client())).collect();
        for client in clients {
            all.merge(client.join().map_err(|_| Fault::Process("a client thread panicked".to_owned()))??);
        }
        Ok::<(), Fault>(())
    })?;
    all.taken = drive.start.elapsed();
    all.end = drive.next.load(Ordering::Relaxed).min(load.end);
    Ok(all)
}

/// As [`drive`], watched by nobody.
///
/// # Errors
/// As [`drive`].
pub fn drive_unwatched(ledger: &Ledger, load: &Load) -> Run<Driven> {
    drive(ledger, load, &Unwatched)
}

struct Drive<'a> {
    ledger: &'a Ledger,
    load: &'a Load,
    watch: &'a dyn Watch,
    next: AtomicU64,
    start: Instant,
}

struct UnderWay {
    batch: u64,
    handed_over: Instant,
    ticket: Ticket,
}

impl Drive<'_> {
    /// The next batch's number. Whoever gets one sends it, so that the numbers have no gaps.
    fn take(&self) -> Option<u64> {
        if self.load.seconds_max.is_some_and(|max| self.start.elapsed() >= max) {
            return None;
        }
        let batch = self.next.fetch_add(1, Ordering::Relaxed);
        (batch < self.load.end).then_some(batch)
    }

    fn client(&self) -> Run<Driven> {
        let mut driven = Driven::default();
        let mut under_way: VecDeque<UnderWay> = VecDeque::new();
        let under_way_max = usize::try_from(self.load.under_way).unwrap_or(usize::MAX);
        loop {
            while under_way.len() < under_way_max
                && let Some(batch) = self.take()
            {
                let body = Body::Transfers(self.load.workload.transfers(batch));
                let handed_over = Instant::now();
                let ticket = self.ledger.submit(body)?;
                under_way.push_back(UnderWay { batch, handed_over, ticket });
            }
            let Some(UnderWay { batch, handed_over, ticket }) = under_way.pop_front() else { break };
            let outcomes = transfers_of(ticket.wait()?)?;
            let (at, latency) = (self.start.elapsed(), handed_over.elapsed());
            let created = driven.answers.keep(batch, &outcomes);
            driven.timing.record(at, latency, created);
            driven.created += created;
            self.watch.done(created);
            self.watch.answered(batch);
            if self.load.reads {
                self.read(batch, &mut driven.reads)?;
            }
        }
        driven.client_cpu = thread_cpu();
        Ok(driven)
    }

    /// Looks up the accounts of a hundred transfers of the batch, and reads the last hundred entries of one.
    fn read(&self, batch: u64, timing: &mut Timing) -> Run<()> {
        let numbers: Vec<u64> =
            self.load.workload.orders(batch).take(100).map(|(_, order)| order.debit).collect();
        let ids: Vec<_> = numbers.iter().map(|number| account_id(*number)).collect();
        let began = Instant::now();
        self.ledger.lookup_accounts(&ids)?;
        timing.record(self.start.elapsed(), began.elapsed(), 0);
        let filter = AccountFilter {
            account_id: ids[0],
            limit: 100,
            debits: true,
            credits: true,
            reversed: true,
            ..AccountFilter::default()
        };
        let began = Instant::now();
        self.ledger.account_transfers(&filter)?;
        timing.record(self.start.elapsed(), began.elapsed(), 0);
        Ok(())
    }
}

fn transfers_of(reply: Reply) -> Run<Vec<Outcome<CreateTransferStatus>>> {
    let Reply::Transfers(outcomes) = reply else {
        return Err(Fault::Process("the answer is not one to transfers".to_owned()));
    };
    Ok(outcomes)
}
