//! The teller of one shard on one node: gathers commands into parcels, proposes them, and answers reads.
//!
//! While a few parcels are on their way, whatever comes in waits and goes together with the next one: a lone client
//! never waits for company, and a crowd shares its round trips. What waits is bounded; past that the answer is
//! `Busy`, at once.

use crate::ask::Ask;
use crate::clock::Clock;
use crate::fault::ServeFault;
use crate::parcel::{self, BODY_BYTES_MAX, PackedCommand, Packer};
use crate::shard::{ShardMachine, kind};
use bytes::Bytes;
use fen_api::{records, wire};
use fen_book::{AccountId, EVENTS_MAX, Transfer, TransferId};
use fen_ledger::history;
use fen_raft::{Crew, Group, Parcel};
use prost::Message;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

/// Commands that may wait for a parcel.
const WAITING_MAX: usize = 1_024;
/// Bytes of commands that may wait or be on their way, in KiB.
const WAITING_KIB_MAX: usize = 64 << 10;
/// Parcels on their way at once.
const PARCELS_MAX: usize = 4;
/// How often a leader looks whether something has lapsed.
const PULSE_EVERY: Duration = Duration::from_millis(100);
/// The most ids in one look-up.
const IDS_MAX: usize = EVENTS_MAX;

struct Waiting {
    command: PackedCommand,
    asker: Asker,
}

/// Who waits for an answer, and the room that the command takes until then.
struct Asker {
    answer: oneshot::Sender<Result<Bytes, ServeFault>>,
    _room: Option<OwnedSemaphorePermit>,
}

/// See the module. Cheap to clone.
#[derive(Clone)]
pub struct Teller {
    group: Group<ShardMachine>,
    queue: mpsc::Sender<Waiting>,
    room: Arc<Semaphore>,
    next_expiry: Arc<AtomicU64>,
    clock: Arc<dyn Clock>,
    crew: Crew,
}

impl Teller {
    /// Opens the counter; it closes when the last clone is gone.
    pub fn start(
        group: Group<ShardMachine>,
        next_expiry: Arc<AtomicU64>,
        clock: Arc<dyn Clock>,
        crew: Crew,
    ) -> Self {
        let (queue, waiting) = mpsc::channel(WAITING_MAX);
        tokio::spawn(gather(group.clone(), clock.clone(), waiting));
        let room = Arc::new(Semaphore::new(WAITING_KIB_MAX));
        let teller = Self { group, queue, room, next_expiry, clock, crew };
        tokio::spawn(pulse(
            teller.queue.downgrade(),
            teller.group.clone(),
            teller.next_expiry.clone(),
            teller.clock.clone(),
        ));
        teller
    }

    /// The group behind it.
    pub fn group(&self) -> &Group<ShardMachine> {
        &self.group
    }

    /// Answers one question, if this node leads the shard.
    pub async fn serve(&self, ask: Ask) -> Result<Bytes, ServeFault> {
        match ask {
            Ask::Submit(command) => self.submit(command).await,
            Ask::Accounts(ids) => self.accounts(ids).await,
            Ask::Transfers(ids) => self.transfers(ids).await,
            Ask::AccountTransfers(filter) => self.account_transfers(filter).await,
            Ask::Balances(filter) => self.balances(filter).await,
            Ask::Position(request) => self.position(request).await,
            Ask::Change(_) => Err(ServeFault::Refused("a shard is not the directory".to_owned())),
        }
    }

    async fn submit(&self, command: PackedCommand) -> Result<Bytes, ServeFault> {
        check(&command)?;
        let kib = u32::try_from(command.body.len() >> 10).unwrap_or(u32::MAX).saturating_add(1);
        let room = self.room.clone().try_acquire_many_owned(kib).map_err(|_| ServeFault::Busy)?;
        let (answer, receiver) = oneshot::channel();
        match self.queue.try_send(Waiting { command, asker: Asker { answer, _room: Some(room) } }) {
            Ok(()) => {
                receiver.await.map_err(|_| ServeFault::Unavailable("the shard has stopped".to_owned()))?
            }
            Err(mpsc::error::TrySendError::Full(_)) => Err(ServeFault::Busy),
            Err(mpsc::error::TrySendError::Closed(_)) => {
                Err(ServeFault::Unavailable("the shard has stopped".to_owned()))
            }
        }
    }

    /// What has lapsed by now is released before anybody looks.
    async fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&ShardMachine) -> T + Send + 'static,
    ) -> Result<T, ServeFault> {
        if self.next_expiry.load(Ordering::Relaxed) <= self.clock.now() {
            self.submit(PackedCommand { kind: kind::PULSE, body: Bytes::new() }).await?;
        }
        Ok(self.group.read(|machine| look(machine)).await?)
    }

    /// Reads the sealed journal where it may wait for the disk.
    async fn behind<T: Send + 'static>(
        &self,
        look: impl FnOnce() -> Result<T, fen_ledger::Fault> + Send + 'static,
    ) -> Result<T, ServeFault> {
        let looked = self.crew.aside(look).await;
        let looked = looked.map_err(|error| ServeFault::Unavailable(error.to_string()))?;
        looked.map_err(|fault| ServeFault::Refused(fault.to_string()))
    }

    async fn accounts(&self, ids: wire::Ids) -> Result<Bytes, ServeFault> {
        let ids = wide_ids(&ids)?;
        let found = self.read(move |shard| {
            let message = |id: &u128| wire::FoundAccount {
                account: shard
                    .shard()
                    .book()
                    .account(AccountId::new(*id))
                    .as_ref()
                    .map(records::account_message),
            };
            wire::Accounts { found: ids.iter().map(message).collect() }
        });
        Ok(found.await?.encode_to_vec().into())
    }

    async fn transfers(&self, ids: wire::Ids) -> Result<Bytes, ServeFault> {
        let ids: Vec<TransferId> = wide_ids(&ids)?.into_iter().map(TransferId::new).collect();
        let young = |machine: &ShardMachine| {
            let found = history::young_lookup(machine.shard().book(), &ids);
            (found, machine.shard().journal().clone(), ids)
        };
        let (found, journal, ids) = self.read(young).await?;
        let found = self.behind(move || history::lookup_transfers(&journal, &ids, found)).await?;
        let found = history::only_transfers(found);
        let message = |record: &Option<Transfer>| wire::FoundTransfer {
            transfer: record.as_ref().map(records::transfer_message),
        };
        Ok(wire::Transfers { found: found.iter().map(message).collect() }.encode_to_vec().into())
    }

    async fn account_transfers(&self, filter: wire::AccountFilter) -> Result<Bytes, ServeFault> {
        let filter = records::account_filter(&filter).map_err(ServeFault::Refused)?;
        let young = move |machine: &ShardMachine| {
            (history::young_transfers(machine.shard().book(), &filter), machine.shard().journal().clone())
        };
        let (Some(part), journal) = self.read(young).await? else { return Ok(Bytes::new()) };
        let transfers = self.behind(move || history::account_transfers(&journal, part, &filter)).await?;
        let message = |transfer| wire::FoundTransfer { transfer: Some(records::transfer_message(transfer)) };
        Ok(wire::Transfers { found: transfers.iter().map(message).collect() }.encode_to_vec().into())
    }

    async fn balances(&self, filter: wire::AccountFilter) -> Result<Bytes, ServeFault> {
        let filter = records::account_filter(&filter).map_err(ServeFault::Refused)?;
        let young = move |machine: &ShardMachine| {
            (history::young_balances(machine.shard().book(), &filter), machine.shard().journal().clone())
        };
        let (Some(part), journal) = self.read(young).await? else { return Ok(Bytes::new()) };
        let lines = self.behind(move || history::account_balances(&journal, part, &filter)).await?;
        let lines = lines.iter().map(records::balance_message).collect();
        Ok(wire::BalanceLines { lines }.encode_to_vec().into())
    }

    async fn position(&self, request: wire::PositionRequest) -> Result<Bytes, ServeFault> {
        let id = AccountId::new(records::wide(request.account_id));
        let position = self.read(move |shard| shard.shard().book().position(id)).await?;
        let message = position.map_or_else(wire::Position::default, |position| wire::Position {
            account: Some(records::account_message(&position.account)),
            pendings: position.pendings.iter().map(records::pending_message).collect(),
        });
        Ok(message.encode_to_vec().into())
    }
}

/// Nothing enters the log that the machine could not read.
fn check(command: &PackedCommand) -> Result<(), ServeFault> {
    let refused = |reason: String| Err(ServeFault::Refused(reason));
    let records = command.body.len() / records::RECORD_BYTES;
    if !matches!(command.kind, kind::PULSE | kind::CREATE_ACCOUNTS | kind::CREATE_TRANSFERS) {
        return refused(format!("command {} is not known to this release", command.kind));
    }
    if command.body.len() != records * records::RECORD_BYTES {
        return refused(format!("{} bytes are no whole number of records", command.body.len()));
    }
    if records > EVENTS_MAX || command.body.len() > BODY_BYTES_MAX {
        return refused(format!("{records} events; the most in one command are {EVENTS_MAX}"));
    }
    if command.kind == kind::PULSE && records > 0 {
        return refused("a pulse has no events".to_owned());
    }
    Ok(())
}

fn wide_ids(ids: &wire::Ids) -> Result<Vec<u128>, ServeFault> {
    if ids.ids.len() > IDS_MAX {
        return Err(ServeFault::Refused(format!(
            "{} ids; the most in one call are {IDS_MAX}",
            ids.ids.len()
        )));
    }
    Ok(ids.ids.iter().map(|id| records::wide(Some(*id))).collect())
}

/// Fills parcels from the queue and sends them off, a few at a time, until the queue is closed.
async fn gather(group: Group<ShardMachine>, clock: Arc<dyn Clock>, mut queue: mpsc::Receiver<Waiting>) {
    let under_way = Arc::new(Semaphore::new(PARCELS_MAX));
    let mut held: Option<Waiting> = None;
    loop {
        let first = match held.take() {
            Some(waiting) => waiting,
            None => match queue.recv().await {
                Some(waiting) => waiting,
                None => return,
            },
        };
        // Waiting here, not after packing, lets the parcel fill while the earlier ones are on their way.
        let Ok(place) = under_way.clone().acquire_owned().await else { return };
        let (mut packer, mut askers) = (Packer::default(), Vec::new());
        packer.add(&first.command);
        askers.push(first.asker);
        while let Ok(next) = queue.try_recv() {
            if !packer.fits(next.command.body.len()) {
                held = Some(next);
                break;
            }
            packer.add(&next.command);
            askers.push(next.asker);
        }
        let parcel = Parcel { stamp: clock.now(), body: packer.finish() };
        let group = group.clone();
        tokio::spawn(async move {
            hand_out(group.propose(parcel).await.map_err(ServeFault::from), askers);
            drop(place);
        });
    }
}

fn hand_out(result: Result<fen_raft::Answer, ServeFault>, askers: Vec<Asker>) {
    let split = result.and_then(|answer| {
        parcel::split_answers(answer.0)
            .filter(|answers| answers.len() == askers.len())
            .ok_or_else(|| ServeFault::Unavailable("the shard's answer cannot be read".to_owned()))
    });
    match split {
        Ok(answers) => {
            for (answer, asker) in answers.into_iter().zip(askers) {
                // Whoever asked has gone; what was posted stays posted.
                drop(asker.answer.send(Ok(answer)));
            }
        }
        Err(fault) => {
            for asker in askers {
                drop(asker.answer.send(Err(fault.clone())));
            }
        }
    }
}

/// Lets time pass in the book where nobody else does.
async fn pulse(
    queue: mpsc::WeakSender<Waiting>,
    group: Group<ShardMachine>,
    next_expiry: Arc<AtomicU64>,
    clock: Arc<dyn Clock>,
) {
    loop {
        tokio::time::sleep(PULSE_EVERY).await;
        let Some(queue) = queue.upgrade() else { return };
        if next_expiry.load(Ordering::Relaxed) <= clock.now() && group.status().leads {
            let command = PackedCommand { kind: kind::PULSE, body: Bytes::new() };
            let (answer, done) = oneshot::channel();
            // A full queue lets time pass by itself.
            if queue.try_send(Waiting { command, asker: Asker { answer, _room: None } }).is_ok() {
                drop(done.await);
            }
        }
    }
}
