//! A cluster's books, over its clients' protocol.
//!
//! **Order.** Commands go one after the other: each is sent when the one before has its answer, so that what a file
//! says first is done first, whichever node or connection carries it. The next one is made meanwhile. A command holds
//! as much as each shard takes at once, times the shards; the gateway deals it out to them.
//!
//! **Asking again.** The client asks until it has an answer: leaders and gateways may die meanwhile. Commands bear ids,
//! so what was done before answers `exists`.

use super::{Answers, Books, BooksFault, Collected, Room, Sent, Work};
use crate::outcome::Status;
use crate::run::{ORDERS_MAX, TRANSFERS_MAX};
use fen_api::{Client, ClientFault};
use fen_book::batches::{BatchEntry, BatchOrder, BatchReply};
use fen_book::loan::command::LoanCommand;
use fen_book::{Account, AccountId, BusinessDate, EVENTS_MAX, Outcome, Stamp};
use std::sync::{Mutex, PoisonError};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

impl From<ClientFault> for BooksFault {
    fn from(fault: ClientFault) -> Self {
        Self(fault.to_string())
    }
}

/// See the module.
pub struct ClusterBooks {
    runtime: Runtime,
    client: Client,
    /// How many shards there are, at least one.
    shards: usize,
    /// Says when the command before is answered.
    last: Mutex<Option<oneshot::Receiver<()>>>,
}

impl ClusterBooks {
    /// Reaches a cluster; `connect` is called where something waits for the network.
    ///
    /// # Errors
    /// Where no node answers.
    pub fn reach(connect: impl FnOnce() -> Result<Client, ClientFault>) -> Result<Self, BooksFault> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(|error| BooksFault(format!("no thread to run on: {error}")))?;
        let client = {
            let _inside = runtime.enter();
            connect()?
        };
        let status = runtime.block_on(client.status())?;
        let shards = usize::try_from(status.shards_last).unwrap_or(1).max(1);
        Ok(Self { runtime, client, shards, last: Mutex::new(None) })
    }

    /// The client, for what is no part of a file's way.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Runs something that waits for the network.
    pub fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }
}

async fn carry_out(client: &Client, openings: &[Account], work: Work) -> Result<Answers, ClientFault> {
    for part in openings.chunks(EVENTS_MAX) {
        // Accounts that are there stay as they are; whatever else is wrong, the items themselves will hear.
        client.create_accounts(part).await?;
    }
    match work {
        Work::Transfers(events) => Ok(super::told(client.create_transfers(&events).await?, Status::Transfer)),
        Work::Orders(orders) => {
            let count = orders.len();
            let reply = client.loans(&LoanCommand::Orders(orders)).await?;
            let outcome = |result: &fen_api::wire::Result| {
                let status = Status::Loan(u16::try_from(result.status).ok()?);
                Some(Outcome { timestamp: Stamp::new(result.timestamp), status })
            };
            let outcomes: Option<Answers> = reply.results.iter().map(outcome).collect();
            let outcomes = outcomes.filter(|outcomes| outcomes.len() == count);
            outcomes.ok_or(ClientFault::Garbled("not one status for each loan event"))
        }
    }
}

impl Books for ClusterBooks {
    fn business_date(&self) -> Result<Option<BusinessDate>, BooksFault> {
        // Behind the last key there is no file: the day is all that is asked for.
        let (_, date) = self.block_on(self.client.batches(u128::MAX, ""))?;
        Ok(date)
    }

    fn registry(&self, order: &BatchOrder) -> Result<BatchReply, BooksFault> {
        Ok(self.block_on(self.client.batch(order))?)
    }

    fn batches(&self, message_id: Option<&str>) -> Result<Vec<BatchEntry>, BooksFault> {
        let mut all = Vec::new();
        let mut after = 0;
        loop {
            let (page, _) = self.block_on(self.client.batches(after, message_id.unwrap_or_default()))?;
            match page.last() {
                Some(last) => after = last.file.key,
                None => return Ok(all),
            }
            all.extend(page);
        }
    }

    fn room(&self) -> Room {
        Room {
            transfers: (TRANSFERS_MAX * self.shards).min(EVENTS_MAX),
            orders: ORDERS_MAX,
            // A chain does not reach over shards.
            chain: 0,
        }
    }

    fn send(&self, openings: Vec<Account>, work: Work) -> Result<Sent<'_>, BooksFault> {
        let (done, answered) = oneshot::channel();
        let before = self.last.lock().unwrap_or_else(PoisonError::into_inner).replace(answered);
        let client = self.client.clone();
        let asking: JoinHandle<Result<Answers, ClientFault>> = self.runtime.spawn(async move {
            if let Some(before) = before {
                // One that failed lets the next one go, which then fails too or is told what is so.
                drop(before.await);
            }
            let answers = carry_out(&client, &openings, work).await;
            // Whoever was to wait may have gone.
            let _unwanted = done.send(());
            answers
        });
        Ok(Box::new(move || {
            let lost = |_| BooksFault("an answer was lost inside this process".to_owned());
            Ok(self.block_on(asking).map_err(lost)??)
        }))
    }

    fn collected(&self, loan: u128, events: &[u128]) -> Result<Collected, BooksFault> {
        let told = self.block_on(self.client.moved(loan, events))?;
        Ok(Collected { amounts: told.amounts, is_in_full_only: told.collects_in_full })
    }

    fn available(&self, account: u128, loan: u128) -> Result<Option<u128>, BooksFault> {
        let account = if account == 0 {
            let Some(of_loan) = self.block_on(self.client.moved(loan, &[]))?.account else { return Ok(None) };
            of_loan
        } else {
            AccountId::new(account)
        };
        let position = self.block_on(self.client.lookup_positions(&[account]))?.into_iter().flatten().next();
        Ok(position.and_then(|position| super::spendable(&position)))
    }
}
