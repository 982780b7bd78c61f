//! What is driven: a ledger in this process, or a cluster of others.
//!
//! **Invariants.** An answer is pending until it is waited for, once. A cluster's client asks again under the same ids
//! until it has an answer, so `exists` means that the first asking was done: it counts as created, and the check
//! proves that it was done once.

use crate::fault::{Fault, Run};
use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use fen_api::{Client, ClientFault};
use fen_cluster::local::LocalCluster;
use fen_ledger::{
    Account, AccountFilter, AccountId, Body, CreateAccountStatus, CreateTransferStatus, Ledger, Outcome,
    Reply, Ticket, Transfer, TransferId,
};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use tokio::runtime::Runtime;

/// Connections to a cluster: a command of a mebibyte does not stand in another's way.
const CONNECTIONS: usize = 4;

/// An answer on its way.
pub enum Pending {
    /// From a ledger in this process.
    Ledger(Ticket),
    /// From a cluster.
    Cluster(Receiver<Result<Reply, ClientFault>>),
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
            Self::Cluster(answer) => Ok(answer.recv().map_err(|_| lost())??),
        }
    }

    /// The answer, if it comes until `deadline`. It comes once: do not ask again after it.
    ///
    /// # Errors
    /// As [`Pending::wait`].
    pub fn wait_until(&self, deadline: Instant) -> Run<Option<Reply>> {
        match self {
            Self::Ledger(ticket) => Ok(ticket.wait_until(deadline)?),
            Self::Cluster(answer) => match answer.recv_deadline(deadline) {
                Ok(answer) => Ok(Some(answer?)),
                Err(RecvTimeoutError::Timeout) => Ok(None),
                Err(RecvTimeoutError::Disconnected) => Err(lost()),
            },
        }
    }
}

/// See the module.
pub trait Target: Sync {
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
    /// Reaches a cluster of processes of this machine.
    ///
    /// # Errors
    /// No thread to run on, or certificates that cannot be read.
    pub fn of(processes: &LocalCluster) -> Run<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(|error| Fault::Process(format!("no thread to run on: {error}")))?;
        let clients = {
            let _inside = runtime.enter();
            (0..CONNECTIONS).map(|_| processes.client()).collect::<Result<_, _>>()?
        };
        Ok(Self { runtime, clients, next: AtomicUsize::new(0) })
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
}

/// Done at an earlier asking is done.
fn done_before<S: PartialEq + Copy>(outcomes: Vec<Outcome<S>>, exists: S, created: S) -> Vec<Outcome<S>> {
    let told = |outcome: Outcome<S>| {
        let status = if outcome.status == exists { created } else { outcome.status };
        Outcome { status, ..outcome }
    };
    outcomes.into_iter().map(told).collect()
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
        Body::TransfersWithBalances(_)
        | Body::Openings(_)
        | Body::Limits(_)
        | Body::ChainEnds(_)
        | Body::Loans(_)
        | Body::Batch(_)
        | Body::Pulse => Err(ClientFault::Setup("no load of this kind is sent to a cluster".to_owned())),
    }
}

impl Target for Cluster {
    fn submit(&self, body: Body) -> Run<Pending> {
        let (answer, pending) = bounded(1);
        let client = self.client().clone();
        self.runtime.spawn(async move {
            // Whoever does not wait any more does not want it.
            let _unwanted = answer.send(send(&client, &body).await);
        });
        Ok(Pending::Cluster(pending))
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

    fn audit(&self, _faults: &mut Vec<String>) -> Run<Option<u64>> {
        Ok(None)
    }
}
