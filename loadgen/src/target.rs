//! What is driven: a ledger in this process, or a cluster of others.
//!
//! **Invariants.** An answer is pending until it is waited for, once. A cluster's client asks again under the same ids
//! until it has an answer, so `exists` means that the first asking was done: it counts as created, and the check
//! proves that it was done once.

use crate::fault::{Fault, Run};
use fen_api::{Client, ClientFault, answers, wire};
use fen_book::loan::status::LoanStatus;
use fen_cluster::local::LocalCluster;
use fen_ledger::{
    Account, AccountFilter, AccountId, Body, CreateAccountStatus, CreateTransferStatus, Ledger, LoanCommand,
    LoanReply, Outcome, Reply, Ticket, Transfer, TransferId,
};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// Connections to a cluster: a command of a mebibyte does not stand in another's way.
const CONNECTIONS: usize = 4;

/// Transfers in a command that goes over the first of these.
const SMALL: usize = 64;

/// How long members of a cluster may take to come to one place of their log, and how often they are asked.
const PATIENCE: Duration = Duration::from_mins(1);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// An answer on its way.
pub enum Pending {
    /// From a ledger in this process.
    Ledger(Ticket),
    /// From a cluster.
    Cluster(Heard),
}

/// An answer that a task of the client will leave for the thread that waits. The thread sleeps meanwhile: on a machine
/// that the nodes share, one that spins would be paid by them.
pub struct Heard(Arc<(Mutex<Option<Run<Reply>>>, Condvar)>);

/// Who leaves it; nothing left is a fault.
struct Teller(Arc<(Mutex<Option<Run<Reply>>>, Condvar)>);

impl Teller {
    fn pair() -> (Self, Heard) {
        let place: Arc<(Mutex<Option<Run<Reply>>>, Condvar)> = Arc::default();
        (Self(Arc::clone(&place)), Heard(place))
    }

    fn tell(&self, answer: Run<Reply>) {
        let (place, bell) = &*self.0;
        place.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(answer);
        bell.notify_one();
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        self.tell(Err(lost()));
    }
}

impl Heard {
    fn wait_until(&self, deadline: Option<Instant>) -> Run<Option<Reply>> {
        let (place, bell) = &*self.0;
        let mut answer = place.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(answer) = answer.take() {
                return answer.map(Some);
            }
            let left =
                deadline.map_or(Duration::MAX, |deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return Ok(None);
            }
            answer = bell.wait_timeout(answer, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

fn lost() -> Fault {
    Fault::Process("an answer was lost inside the load generator".to_owned())
}

impl Pending {
    /// Waits for the answer.
    ///
    /// # Errors
    /// A fault of the ledger or the cluster.
    pub fn wait(self) -> Run<Reply> {
        match self {
            Self::Ledger(ticket) => Ok(ticket.wait()?),
            Self::Cluster(answer) => answer.wait_until(None)?.ok_or_else(lost),
        }
    }

    /// The answer, if it comes until `deadline`. It comes once: do not ask again after it.
    ///
    /// # Errors
    /// As [`Pending::wait`].
    pub fn wait_until(&self, deadline: Instant) -> Run<Option<Reply>> {
        match self {
            Self::Ledger(ticket) => Ok(ticket.wait_until(deadline)?),
            Self::Cluster(answer) => answer.wait_until(Some(deadline)),
        }
    }
}

/// See the module.
pub trait Target: Sync {
    /// Carries out a loan command and waits for the reply.
    ///
    /// # Errors
    /// A fault of the ledger or the cluster.
    fn loan(&self, command: &LoanCommand) -> Run<LoanReply>;

    /// Hands over a command without waiting.
    ///
    /// # Errors
    /// It cannot be handed over.
    fn submit(&self, body: Body) -> Run<Pending>;

    /// Accounts by id.
    ///
    /// # Errors
    /// A fault of the ledger or the cluster.
    fn accounts(&self, ids: &[AccountId]) -> Run<Vec<Option<Account>>>;

    /// Transfers by id.
    ///
    /// # Errors
    /// As [`Target::accounts`].
    fn transfers(&self, ids: &[TransferId]) -> Run<Vec<Option<Transfer>>>;

    /// How many entries of one account a filter finds.
    ///
    /// # Errors
    /// As [`Target::accounts`].
    fn entries(&self, filter: &AccountFilter) -> Run<usize>;

    /// The books' own audit: what it finds is added to `faults`. How many transfers they hold, where they can say.
    ///
    /// # Errors
    /// As [`Target::accounts`].
    fn audit(&self, faults: &mut Vec<String>) -> Run<Option<u64>>;
}

impl Target for Ledger {
    fn loan(&self, command: &LoanCommand) -> Run<LoanReply> {
        Ok(self.loans(command)?)
    }

    fn submit(&self, body: Body) -> Run<Pending> {
        Ok(Pending::Ledger(Self::submit(self, body)?))
    }

    fn accounts(&self, ids: &[AccountId]) -> Run<Vec<Option<Account>>> {
        Ok(self.lookup_accounts(ids)?)
    }

    fn transfers(&self, ids: &[TransferId]) -> Run<Vec<Option<Transfer>>> {
        Ok(self.lookup_transfers(ids)?)
    }

    fn entries(&self, filter: &AccountFilter) -> Run<usize> {
        Ok(self.account_transfers(filter)?.len())
    }

    fn audit(&self, faults: &mut Vec<String>) -> Run<Option<u64>> {
        let mut audit = Self::audit(self)?;
        faults.append(&mut audit.faults);
        for (code, totals) in &audit.ledgers {
            let posted = totals.debits_posted == totals.credits_posted;
            if !posted || totals.debits_pending != totals.credits_pending {
                faults.push(format!("debits and credits of ledger {code} differ"));
            }
        }
        Ok(Some(audit.transfers))
    }
}

/// A cluster, over its clients' protocol.
pub struct Cluster {
    runtime: Runtime,
    clients: Vec<Client>,
    next: AtomicUsize,
}

impl Cluster {
    /// Reaches a cluster by clients that `client` makes.
    ///
    /// # Errors
    /// No thread to run on, or what `client` says.
    pub fn reached(client: &dyn Fn() -> Run<Client>) -> Run<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(|error| Fault::Process(format!("no thread to run on: {error}")))?;
        let clients = {
            let _inside = runtime.enter();
            (0..CONNECTIONS).map(|_| client()).collect::<Result<_, _>>()?
        };
        Ok(Self { runtime, clients, next: AtomicUsize::new(0) })
    }

    /// Reaches a cluster of processes of this machine.
    ///
    /// # Errors
    /// As [`Cluster::reached`], or certificates that cannot be read.
    pub fn of(processes: &LocalCluster) -> Run<Self> {
        Self::reached(&|| Ok(processes.client()?))
    }

    /// Runs something that waits for the network.
    pub(crate) fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// One of the connections, in turn.
    pub(crate) fn client(&self) -> &Client {
        let place = self.next.fetch_add(1, Ordering::Relaxed);
        &self.clients[place % self.clients.len()]
    }

    /// The node that leads a group.
    ///
    /// # Errors
    /// None does, for long.
    pub(crate) fn leader(&self, group: u32) -> Run<u64> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let status = self.block_on(self.client().status())?;
            let found = status.groups.iter().find(|found| found.group == group);
            if let Some(leader) = found.map(|found| found.leader).filter(|leader| *leader != 0) {
                return Ok(leader);
            }
            if Instant::now() > deadline {
                return Err(Fault::Process(format!("group {group} has no leader")));
            }
            std::thread::sleep(LOOK_EVERY / 20);
        }
    }

    /// How many shards it has, and how many copies of each it keeps.
    ///
    /// # Errors
    /// It does not answer, or was not founded.
    pub(crate) fn shape(&self) -> Run<(u32, u32)> {
        let status = self.block_on(self.client().status())?;
        let shards = status.groups.iter().filter(|group| group.group > 0);
        let copies = shards.clone().map(|group| group.voters.len()).max().unwrap_or(0);
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        match shards.count() {
            0 => {
                Err(Fault::Parameter("the cluster has no shards: found it with fen cluster init".to_owned()))
            }
            shards => Ok((count(shards), count(copies))),
        }
    }

    /// What all members found when they added their books up: nothing where all is right and every member of a shard
    /// has the same digest. One that lags behind is waited for.
    pub(crate) fn verified(&self) -> Run<wire::VerifyReply> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut reply = self.block_on(self.client().verify(&|_loans| ()))?;
            for member in &reply.members {
                let (shard, node) = (member.group, member.node);
                let words = member.faults.iter().map(|fault| format!("shard {shard}, node {node}: {fault}"));
                reply.faults.extend(words);
            }
            if reply.faults.is_empty() || Instant::now() > deadline {
                return Ok(reply);
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

/// Done at an earlier asking is done.
fn done_before<S: PartialEq + Copy>(outcomes: Vec<Outcome<S>>, exists: S, created: S) -> Vec<Outcome<S>> {
    let told = |outcome: Outcome<S>| {
        let status = if outcome.status == exists { created } else { outcome.status };
        Outcome { status, ..outcome }
    };
    outcomes.into_iter().map(told).collect()
}

async fn lent(client: &Client, command: &LoanCommand) -> Result<LoanReply, ClientFault> {
    let reply = answers::loan_reply(command, &client.loans(command).await?)
        .ok_or(ClientFault::Garbled("a reply to another command, or one of another release"))?;
    Ok(match reply {
        LoanReply::Orders(outcomes) => {
            LoanReply::Orders(done_before(outcomes, LoanStatus::Exists, LoanStatus::Created))
        }
        LoanReply::Product(_) | LoanReply::DayEnd(_) => reply,
    })
}

async fn send(client: &Client, body: &Body) -> Result<Reply, ClientFault> {
    match body {
        Body::Transfers(transfers) => {
            let (exists, created) = (CreateTransferStatus::Exists, CreateTransferStatus::Created);
            let outcomes = client.create_transfers(transfers).await?;
            Ok(Reply::Transfers(done_before(outcomes, exists, created)))
        }
        Body::Accounts(accounts) => {
            let (exists, created) = (CreateAccountStatus::Exists, CreateAccountStatus::Created);
            let outcomes = client.create_accounts(accounts).await?;
            Ok(Reply::Accounts(done_before(outcomes, exists, created)))
        }
        Body::Loans(packed) => {
            let command = LoanCommand::decode(packed).map_err(ClientFault::Setup)?;
            Ok(Reply::Loans(lent(client, &command).await?))
        }
        Body::TransfersWithBalances(_)
        | Body::Openings(_)
        | Body::Limits(_)
        | Body::ChainEnds(_)
        | Body::Batch(_)
        | Body::Pulse => Err(ClientFault::Setup("no load of this kind is sent to a cluster".to_owned())),
    }
}

impl Target for Cluster {
    fn loan(&self, command: &LoanCommand) -> Run<LoanReply> {
        Ok(self.block_on(lent(self.client(), command))?)
    }

    fn submit(&self, body: Body) -> Run<Pending> {
        let (teller, heard) = Teller::pair();
        let is_small = matches!(&body, Body::Transfers(transfers) if transfers.len() <= SMALL);
        // Small ones of one client travel together.
        let client = if is_small { self.clients[0].clone() } else { self.client().clone() };
        self.runtime.spawn(async move {
            teller.tell(send(&client, &body).await.map_err(Fault::from));
        });
        Ok(Pending::Cluster(heard))
    }

    fn accounts(&self, ids: &[AccountId]) -> Run<Vec<Option<Account>>> {
        Ok(self.block_on(self.client().lookup_accounts(ids))?)
    }

    fn transfers(&self, ids: &[TransferId]) -> Run<Vec<Option<Transfer>>> {
        Ok(self.block_on(self.client().lookup_transfers(ids))?)
    }

    fn entries(&self, filter: &AccountFilter) -> Run<usize> {
        Ok(self.block_on(self.client().account_transfers(filter))?.len())
    }

    /// Where transfers cross, each is there in parts: then their number is not told.
    fn audit(&self, faults: &mut Vec<String>) -> Run<Option<u64>> {
        let reply = self.verified()?;
        faults.extend(reply.faults);
        for totals in reply.members.iter().flat_map(|member| &member.ledgers) {
            let posted = totals.debits_posted == totals.credits_posted;
            if !posted || totals.debits_pending != totals.credits_pending {
                faults.push(format!("debits and credits of ledger {} differ", totals.ledger));
            }
        }
        let one_shard = reply.members.iter().all(|member| member.group == reply.members[0].group);
        Ok(reply.members.first().filter(|_| one_shard).map(|member| member.transfers))
    }
}
