//! The clients: each does one thing after another, keeps asking under the same ids until it has an answer, and writes
//! down when it asked, when it was answered, and what.

use crate::dice::Dice;
use crate::story::Story;
use crate::town::Counter;
use fen_api::records::{self, PackedResult};
use fen_api::wire;
use fen_api::wire::ledger_server::Ledger;
use fen_book::{
    Account, AccountFlags, AccountId, Amount, Code, CreateAccountStatus, CreateTransferStatus, LedgerCode,
    TimeoutSeconds, Transfer, TransferFlags, TransferId,
};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tonic::{Code as GrpcCode, Request, Status};

/// The currency.
pub const CNY: LedgerCode = LedgerCode::new(156);
/// The bank's own account, which every shard keeps a part of.
pub const BANK: AccountId = AccountId::new((u64::MAX as u128) << 64 | 1);

/// What ends a reservation.
pub const ENDS: TransferFlags =
    TransferFlags::POST_PENDING_TRANSFER.with(TransferFlags::VOID_PENDING_TRANSFER);

/// A transfer that was asked for.
#[derive(Clone, Debug)]
pub struct Order {
    /// As it was sent.
    pub transfer: Transfer,
    /// When, in virtual milliseconds.
    pub asked_ms: u64,
    /// When its answer came, and what it was.
    pub answer: Option<(u64, PackedResult)>,
    /// The chain that it was sent in, by the first member's place in the history; most stand alone.
    pub chain: Range<usize>,
}

/// A balance that was read.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Whose.
    pub account: AccountId,
    /// When it was asked for.
    pub asked_ms: u64,
    /// When the answer came.
    pub answered_ms: u64,
    /// Debits and credits posted.
    pub posted: (u128, u128),
}

/// All that the clients know.
#[derive(Default, Debug)]
pub struct History {
    /// Every transfer, in the order of asking.
    pub orders: Vec<Order>,
    /// Every balance read.
    pub readings: Vec<Reading>,
}

/// What clients share.
#[derive(Clone)]
pub struct Street {
    /// Whom they find at each node; the town keeps this true.
    pub counters: Arc<Mutex<Vec<Option<Counter>>>>,
    /// What they wrote down.
    pub history: Arc<Mutex<History>>,
    /// Customers' accounts, by shards.
    pub circles: Arc<Vec<Vec<AccountId>>>,
    /// What happens.
    pub story: Story,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How a call may end badly.
enum Miss {
    /// Ask again; this is why.
    Again(String),
    /// It was refused for good.
    Refused(String),
}

/// One client.
pub struct Client {
    /// From 1.
    pub number: u64,
    /// Its choices.
    pub dice: Dice,
    /// Where it lives.
    pub street: Street,
    sent: u64,
    pendings: Vec<Transfer>,
}

impl Client {
    /// A client that has done nothing yet.
    pub fn new(seed: u64, number: u64, street: Street) -> Self {
        Self { number, dice: Dice::new(seed ^ number, "client"), street, sent: 0, pendings: Vec::new() }
    }

    /// So many things, one after another.
    pub async fn live(mut self, things: u64) {
        for _thing in 0..things {
            tokio::time::sleep(self.dice.pause(0, 400)).await;
            if self.dice.happens(250_000) {
                self.read().await;
            } else {
                self.pay().await;
            }
        }
    }

    fn id(&mut self) -> TransferId {
        self.sent += 1;
        TransferId::new(u128::from(self.number) << 64 | u128::from(self.sent))
    }

    fn draw(&mut self) -> Transfer {
        let at_home = self.dice.index(self.street.circles.len());
        let one = self.somebody_of(at_home);
        let elsewhere = self.dice.index(self.street.circles.len());
        let place = if self.dice.happens(450_000) { elsewhere } else { at_home };
        let other = self.somebody_of(place);
        // A payee whom nobody knows: his shard refuses what the payer's has reserved.
        let other = if self.dice.happens(30_000) { AccountId::new(other.get() + 1) } else { other };
        let amount = self.dice.within(1, 500);
        let id = self.id();
        let base = Transfer {
            id,
            ledger: CNY,
            code: Code::new(1),
            amount: Amount::new(u128::from(amount)),
            debit_account_id: one,
            credit_account_id: other,
            ..Transfer::default()
        };
        match self.dice.below(10) {
            0..=2 => Transfer { debit_account_id: BANK, credit_account_id: one, ..base },
            3 => Transfer { debit_account_id: one, credit_account_id: BANK, ..base },
            4 | 5 => {
                let timeout = TimeoutSeconds::new(u32::try_from(self.dice.within(1, 8)).unwrap_or(1));
                let pending = Transfer { flags: TransferFlags::PENDING, timeout, ..base };
                self.pendings.push(pending);
                pending
            }
            6 if !self.pendings.is_empty() => {
                let place = self.dice.index(self.pendings.len());
                let pending = self.pendings.swap_remove(place);
                let flags = if self.dice.happens(600_000) {
                    TransferFlags::POST_PENDING_TRANSFER
                } else {
                    TransferFlags::VOID_PENDING_TRANSFER
                };
                // The accounts are named, so that the batch is routed without looking for the pending first.
                Transfer {
                    flags,
                    pending_id: pending.id,
                    debit_account_id: pending.debit_account_id,
                    credit_account_id: pending.credit_account_id,
                    amount: if flags == TransferFlags::POST_PENDING_TRANSFER {
                        Amount::new(1 + pending.amount.get() / 2)
                    } else {
                        Amount::ZERO
                    },
                    ..base
                }
            }
            _payment => base,
        }
    }

    fn somebody_of(&mut self, circle: usize) -> AccountId {
        let members = self.street.circles[circle].len();
        self.street.circles[circle][self.dice.index(members)]
    }

    /// Events that stand alone, and here and there a chain of two or three.
    fn draw_batch(&mut self) -> (Vec<Transfer>, Vec<Range<usize>>) {
        let count = self.dice.within(1, 6);
        let (mut batch, mut chains) = (Vec::new(), Vec::new());
        for _event in 0..count {
            let members = if self.dice.happens(100_000) { self.dice.within(2, 3) } else { 1 };
            let first = batch.len();
            for member in 1..=members {
                let mut event = self.draw();
                // What ends a reservation stands alone.
                while members > 1 && event.flags.intersects(ENDS) {
                    event = self.draw();
                }
                let flags =
                    if member < members { event.flags.with(TransferFlags::LINKED) } else { event.flags };
                batch.push(Transfer { flags, ..event });
            }
            chains.resize(batch.len(), first..batch.len());
        }
        (batch, chains)
    }

    async fn pay(&mut self) {
        let (batch, chains) = self.draw_batch();
        let first = {
            let asked_ms = self.street.story.milliseconds();
            let mut history = lock(&self.street.history);
            let first = history.orders.len();
            history.orders.extend(batch.iter().zip(&chains).map(|(transfer, chain)| Order {
                transfer: *transfer,
                asked_ms,
                answer: None,
                chain: first + chain.start..first + chain.end,
            }));
            first
        };
        let records = records::pack_transfers(&batch);
        let message = wire::PackedBatch { kind: wire::RecordKind::Transfers.into(), records };
        let reply = self
            .ask(|counter| {
                let message = message.clone();
                async move { counter.gateway.submit_packed(message).await }
            })
            .await;
        let Some(results) = records::unpack_results(&reply.results).filter(|all| all.len() == batch.len())
        else {
            return self.street.story.fail("results of the wrong size");
        };
        let answered_ms = self.street.story.milliseconds();
        let mut history = lock(&self.street.history);
        for (order, result) in history.orders[first..].iter_mut().zip(results) {
            order.answer = Some((answered_ms, result));
        }
    }

    async fn read(&mut self) {
        let circle = self.dice.index(self.street.circles.len());
        let circle = self.street.circles[circle].clone();
        let ids: Vec<AccountId> =
            (0..self.dice.within(1, 3)).map(|_| circle[self.dice.index(circle.len())]).collect();
        let asked_ms = self.street.story.milliseconds();
        let message =
            wire::Ids { ids: ids.iter().map(|id| records::halves(id.get()).unwrap_or_default()).collect() };
        let reply = self
            .ask(|counter| {
                let message = message.clone();
                async move { counter.gateway.look_up(message).await }
            })
            .await;
        let answered_ms = self.street.story.milliseconds();
        let mut history = lock(&self.street.history);
        for (id, found) in ids.iter().zip(reply.found) {
            let Some(account) = found.account else {
                self.street.story.fail(&format!("account {id:?} was opened and is not found"));
                continue;
            };
            let posted = (records::wide(account.debits_posted), records::wide(account.credits_posted));
            history.readings.push(Reading { account: *id, asked_ms, answered_ms, posted });
        }
    }

    /// Asks one node after another until one answers.
    async fn ask<T, F: Future<Output = Result<T, Status>>>(&mut self, call: impl Fn(Counter) -> F) -> T {
        let mut attempts = 0_u64;
        loop {
            attempts += 1;
            match self.attempt(&call).await {
                Ok(answer) => {
                    if attempts > 1 {
                        self.street.story.mark("a client had to ask again");
                    }
                    return answer;
                }
                Err(Miss::Again(why)) => {
                    if attempts.is_multiple_of(50) {
                        let line = format!("client {} has asked {attempts} times: {why}", self.number);
                        self.street.story.line(&line);
                    }
                    tokio::time::sleep(self.dice.pause(5, 100)).await;
                }
                Err(Miss::Refused(reason)) => {
                    self.street.story.fail(&format!("client {} was refused: {reason}", self.number));
                    // The run has failed; nothing more is to be learnt from this client.
                    std::future::pending::<()>().await;
                }
            }
        }
    }

    async fn attempt<T, F: Future<Output = Result<T, Status>>>(
        &mut self,
        call: &impl Fn(Counter) -> F,
    ) -> Result<T, Miss> {
        let node = self.dice.index(lock(&self.street.counters).len());
        tokio::time::sleep(self.dice.pause(0, 3)).await;
        let counter = lock(&self.street.counters)[node].clone();
        let Some(counter) = counter.filter(|counter| !counter.life.is_over()) else {
            return Err(Miss::Again("nobody is there".to_owned()));
        };
        let patience = self.dice.pause(300, 4_000);
        let life = counter.life.clone();
        let answer = tokio::select! {
            biased;
            () = life.ended() => return Err(Miss::Again("the node is gone".to_owned())),
            answer = tokio::time::timeout(patience, call(counter)) => answer,
        };
        // One answer in fifty is lost on the way.
        if self.dice.happens(20_000) {
            self.street.story.mark("an answer was lost on its way to the client");
            return Err(Miss::Again("its answer was lost".to_owned()));
        }
        match answer {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(status)) if matches!(status.code(), GrpcCode::InvalidArgument | GrpcCode::Internal) => {
                Err(Miss::Refused(status.message().to_owned()))
            }
            Ok(Err(status)) => Err(Miss::Again(status.to_string())),
            Err(_late) => Err(Miss::Again("no answer in time".to_owned())),
        }
    }

    /// Opens all accounts, before the others begin.
    pub async fn open_accounts(&mut self) {
        let customers = self.street.circles.iter().flatten().copied().collect::<Vec<_>>();
        let flags = |id: AccountId| {
            if id == BANK { AccountFlags::NONE } else { AccountFlags::DEBITS_MUST_NOT_EXCEED_CREDITS }
        };
        let account =
            |id| Account { id, ledger: CNY, code: Code::new(1), flags: flags(id), ..Account::default() };
        let accounts: Vec<Account> = std::iter::once(BANK).chain(customers).map(account).collect();
        let records = records::pack_accounts(&accounts);
        let message = wire::PackedBatch { kind: wire::RecordKind::Accounts.into(), records };
        let reply = self
            .ask(|counter| {
                let message = message.clone();
                async move { counter.gateway.submit_packed(message).await }
            })
            .await;
        let opened = [CreateAccountStatus::Created.number(), CreateAccountStatus::Exists.number()];
        for result in records::unpack_results(&reply.results).unwrap_or_default() {
            if !opened.contains(&result.status) {
                self.street.story.fail(&format!("an account was not opened: status {}", result.status));
            }
        }
    }
}

/// The calls as the network's side of the gateway makes them.
trait Calls {
    fn submit_packed(
        &self,
        message: wire::PackedBatch,
    ) -> impl Future<Output = Result<wire::PackedResults, Status>>;
    fn look_up(&self, message: wire::Ids) -> impl Future<Output = Result<wire::Accounts, Status>>;
}

impl Calls for fen_cluster::gateway::Gateway {
    async fn submit_packed(&self, message: wire::PackedBatch) -> Result<wire::PackedResults, Status> {
        Ok(Ledger::submit(self, Request::new(message)).await?.into_inner())
    }
    async fn look_up(&self, message: wire::Ids) -> Result<wire::Accounts, Status> {
        Ok(Ledger::lookup_accounts(self, Request::new(message)).await?.into_inner())
    }
}

/// The status of a transfer's result.
pub fn status_of(result: PackedResult) -> Option<CreateTransferStatus> {
    CreateTransferStatus::from_number(result.status)
}
