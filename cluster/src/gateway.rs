//! What clients call, on every node: splits batches by shard, passes each part to its leader, joins the answers.

use crate::ask::{self, Ask};
use crate::fault::ServeFault;
use crate::node::Office;
use crate::parcel::PackedCommand;
use crate::shard::kind;
use crate::split::{self, Parts};
use bytes::{BufMut, Bytes, BytesMut};
use fen_api::records::{self, PackedResult, RECORD_BYTES};
use fen_api::wire::cluster_server::Cluster;
use fen_api::wire::ledger_server::Ledger;
use fen_api::{LEADER_KEY, RETRY_KEY, wire};
use fen_book::{EVENTS_MAX, TransferId};
use fen_net::NodeId;
use fen_raft::GroupId;
use prost::Message;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tonic::{Request, Response, Status};
use zerocopy::IntoBytes;

/// How long a call may take that names no deadline.
const PATIENCE: Duration = Duration::from_secs(10);
/// When a busy node wants to be asked again.
const RETRY_MS: &str = "20";

/// See the module. Cheap to clone.
#[derive(Clone)]
pub struct Gateway {
    office: Arc<Office>,
}

/// An answer's bytes, and who gave it.
type Reply = Result<(Bytes, Option<NodeId>), ServeFault>;

impl Gateway {
    /// For the node with this office.
    pub fn new(office: Arc<Office>) -> Self {
        Self { office }
    }

    async fn submit(&self, kind_number: u16, records: Bytes, deadline: Instant) -> Reply {
        let events = records.len() / RECORD_BYTES;
        if records.len() != events * RECORD_BYTES {
            return Err(ServeFault::Refused(format!(
                "{} bytes are no whole number of records",
                records.len()
            )));
        }
        if events > EVENTS_MAX {
            return Err(ServeFault::Refused(format!(
                "{events} events; the most in one call are {EVENTS_MAX}"
            )));
        }
        let directory = self.office.router.directory();
        match &directory.shards[..] {
            [] => Err(not_founded()),
            [only] => {
                let question = Ask::Submit(PackedCommand { kind: kind_number, body: records });
                let answered = self.office.router.ask(GroupId(only.group), &question, deadline).await?;
                Ok((answered.bytes, Some(answered.leader)))
            }
            _several => {
                let parts = if kind_number == kind::CREATE_ACCOUNTS {
                    split::accounts(&directory, &records)
                } else {
                    let found = self.find_pendings(&records, deadline).await?;
                    split::transfers(&directory, &records, &found)
                };
                self.submit_parts(kind_number, events, parts.map_err(ServeFault::Refused)?, deadline).await
            }
        }
    }

    async fn submit_parts(&self, kind_number: u16, events: usize, parts: Parts, deadline: Instant) -> Reply {
        let mut asking = Vec::new();
        for (group, part) in parts {
            let router = self.office.router.clone();
            let question = Ask::Submit(PackedCommand { kind: kind_number, body: part.records.freeze() });
            let asked = tokio::spawn(async move { router.ask(group, &question, deadline).await });
            asking.push((part.events, asked));
        }
        let mut answers = Vec::new();
        for (events, asked) in asking {
            let answered = asked.await.map_err(|error| ServeFault::Unavailable(error.to_string()))??;
            answers.push((events, answered.bytes));
        }
        let joined = split::join(events, &answers);
        joined.map(|results| (results, None)).ok_or_else(unreadable)
    }

    /// On which shards the pending transfers are that a batch ends without naming an account.
    async fn find_pendings(
        &self,
        records: &[u8],
        deadline: Instant,
    ) -> Result<BTreeMap<TransferId, GroupId>, ServeFault> {
        let pendings = split::pendings_to_find(records);
        let mut found = BTreeMap::new();
        if pendings.is_empty() {
            return Ok(found);
        }
        let ids = pendings.iter().map(|id| records::halves(id.get()).unwrap_or_default()).collect();
        for (group, answer) in self.ask_all(&Ask::Transfers(wire::Ids { ids }), deadline).await? {
            let transfers: wire::Transfers = ask::read(answer).map_err(ServeFault::Unavailable)?;
            let there = pendings.iter().zip(&transfers.found).filter(|(_, found)| found.transfer.is_some());
            found.extend(there.map(|(pending, _)| (*pending, group)));
        }
        Ok(found)
    }

    /// The same question to every shard.
    async fn ask_all(&self, question: &Ask, deadline: Instant) -> Result<Vec<(GroupId, Bytes)>, ServeFault> {
        let directory = self.office.router.directory();
        if !directory.is_founded() {
            return Err(not_founded());
        }
        let mut answers = Vec::new();
        for shard in &directory.shards {
            let group = GroupId(shard.group);
            answers.push((group, self.office.router.ask(group, question, deadline).await?.bytes));
        }
        Ok(answers)
    }

    async fn lookup_accounts(&self, ids: wire::Ids, deadline: Instant) -> Result<wire::Accounts, ServeFault> {
        let count = ids.ids.len();
        let mut joined = wire::Accounts { found: vec![wire::FoundAccount { account: None }; count] };
        for (_group, answer) in self.ask_all(&Ask::Accounts(ids), deadline).await? {
            let part: wire::Accounts = ask::read(answer).map_err(ServeFault::Unavailable)?;
            if part.found.len() != count {
                return Err(unreadable());
            }
            for (so_far, found) in joined.found.iter_mut().zip(part.found) {
                so_far.account = match (so_far.account.take(), found.account) {
                    (Some(one), Some(other)) => Some(sum(&one, &other)?),
                    (one, other) => one.or(other),
                };
            }
        }
        Ok(joined)
    }

    async fn lookup_transfers(
        &self,
        ids: wire::Ids,
        deadline: Instant,
    ) -> Result<wire::Transfers, ServeFault> {
        let count = ids.ids.len();
        let mut joined = wire::Transfers { found: vec![wire::FoundTransfer { transfer: None }; count] };
        for (_group, answer) in self.ask_all(&Ask::Transfers(ids), deadline).await? {
            let part: wire::Transfers = ask::read(answer).map_err(ServeFault::Unavailable)?;
            for (so_far, found) in joined.found.iter_mut().zip(part.found) {
                so_far.transfer = so_far.transfer.take().or(found.transfer);
            }
        }
        Ok(joined)
    }

    /// Asks the shard of one customer's account.
    async fn ask_home(&self, account: u128, question: Ask, deadline: Instant) -> Result<Bytes, ServeFault> {
        let directory = self.office.router.directory();
        let group = match crate::route::home(fen_book::AccountId::new(account)) {
            crate::route::Home::Slot(slot) => directory.shard_of(slot),
            crate::route::Home::Everywhere | crate::route::Home::Inherited => match &directory.shards[..] {
                [only] => Some(GroupId(only.group)),
                [] => None,
                _several => {
                    return Err(ServeFault::Refused(
                            "the bank's own accounts have a part on every shard: look at the customers' entries, \
                             or look the account up"
                                .to_owned(),
                        ));
                }
            },
        };
        let group = group.ok_or_else(not_founded)?;
        Ok(self.office.router.ask(group, &question, deadline).await?.bytes)
    }

    fn response<T>(&self, message: T, leader: Option<NodeId>) -> Response<T> {
        let mut response = Response::new(message);
        let directory = self.office.router.directory();
        let elsewhere =
            leader.filter(|leader| *leader != self.office.node).and_then(|leader| directory.node(leader));
        if let Some(address) = elsewhere.and_then(|entry| entry.client_address.parse().ok()) {
            response.metadata_mut().insert(LEADER_KEY, address);
        }
        response
    }
}

/// The two parts of one of the bank's own accounts.
fn sum(one: &wire::Account, other: &wire::Account) -> Result<wire::Account, ServeFault> {
    let add = |one: Option<wire::Uint128>, other: Option<wire::Uint128>| {
        let sum = records::wide(one).checked_add(records::wide(other));
        let overflow = || ServeFault::Refused("the parts of an account add up to more than 2^128".to_owned());
        sum.map(records::halves).ok_or_else(overflow)
    };
    Ok(wire::Account {
        debits_pending: add(one.debits_pending, other.debits_pending)?,
        debits_posted: add(one.debits_posted, other.debits_posted)?,
        credits_pending: add(one.credits_pending, other.credits_pending)?,
        credits_posted: add(one.credits_posted, other.credits_posted)?,
        ..*one
    })
}

fn not_founded() -> ServeFault {
    ServeFault::Unavailable("the cluster has not been founded yet: fen cluster init".to_owned())
}

fn unreadable() -> ServeFault {
    ServeFault::Unavailable("a shard's answer cannot be read".to_owned())
}

fn status(fault: ServeFault) -> Status {
    match fault {
        ServeFault::NotLeader(_) | ServeFault::Unavailable(_) => Status::unavailable(fault.to_string()),
        ServeFault::Refused(reason) => Status::invalid_argument(reason),
        ServeFault::Busy => {
            let mut status = Status::resource_exhausted(fault.to_string());
            let retry = RETRY_MS.parse().expect("digits are metadata");
            status.metadata_mut().insert(RETRY_KEY, retry);
            status
        }
    }
}

/// When a call's answer is of no use any more.
fn deadline<T>(request: &Request<T>) -> Instant {
    let given = request.metadata().get("grpc-timeout").and_then(|value| value.to_str().ok());
    Instant::now() + given.and_then(timeout).unwrap_or(PATIENCE).min(Duration::from_mins(1))
}

/// A timeout as gRPC writes it: up to eight digits and a unit.
fn timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let count: u64 = digits.parse().ok().filter(|_| digits.len() <= 8)?;
    match unit {
        "H" => Some(Duration::from_hours(count)),
        "M" => Some(Duration::from_mins(count)),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _unknown => None,
    }
}

fn results(packed: &[u8]) -> Result<Vec<PackedResult>, Status> {
    records::unpack_results(packed).ok_or_else(|| status(unreadable()))
}

#[tonic::async_trait]
impl Ledger for Gateway {
    async fn create_accounts(
        &self,
        request: Request<wire::CreateAccountsRequest>,
    ) -> Result<Response<wire::Results>, Status> {
        let deadline = deadline(&request);
        let mut packed = BytesMut::new();
        for account in &request.into_inner().accounts {
            packed.put_slice(records::account(account).map_err(Status::invalid_argument)?.as_bytes());
        }
        let (answer, leader) =
            self.submit(kind::CREATE_ACCOUNTS, packed.freeze(), deadline).await.map_err(status)?;
        Ok(self.response(records::account_results(&results(&answer)?), leader))
    }

    async fn create_transfers(
        &self,
        request: Request<wire::CreateTransfersRequest>,
    ) -> Result<Response<wire::Results>, Status> {
        let deadline = deadline(&request);
        let mut packed = BytesMut::new();
        for transfer in &request.into_inner().transfers {
            packed.put_slice(records::transfer(transfer).map_err(Status::invalid_argument)?.as_bytes());
        }
        let (answer, leader) =
            self.submit(kind::CREATE_TRANSFERS, packed.freeze(), deadline).await.map_err(status)?;
        Ok(self.response(records::transfer_results(&results(&answer)?), leader))
    }

    async fn submit(
        &self,
        request: Request<wire::PackedBatch>,
    ) -> Result<Response<wire::PackedResults>, Status> {
        let deadline = deadline(&request);
        let batch = request.into_inner();
        let kind_number = match batch.kind() {
            wire::RecordKind::Accounts => kind::CREATE_ACCOUNTS,
            wire::RecordKind::Transfers => kind::CREATE_TRANSFERS,
            wire::RecordKind::Unspecified => {
                return Err(Status::invalid_argument("kind: accounts or transfers"));
            }
        };
        let (results, leader) =
            Self::submit(self, kind_number, batch.records, deadline).await.map_err(status)?;
        Ok(self.response(wire::PackedResults { results }, leader))
    }

    async fn lookup_accounts(&self, request: Request<wire::Ids>) -> Result<Response<wire::Accounts>, Status> {
        let deadline = deadline(&request);
        let accounts = Self::lookup_accounts(self, request.into_inner(), deadline).await.map_err(status)?;
        Ok(self.response(accounts, None))
    }

    async fn lookup_transfers(
        &self,
        request: Request<wire::Ids>,
    ) -> Result<Response<wire::Transfers>, Status> {
        let deadline = deadline(&request);
        let transfers = Self::lookup_transfers(self, request.into_inner(), deadline).await.map_err(status)?;
        Ok(self.response(transfers, None))
    }

    async fn get_account_transfers(
        &self,
        request: Request<wire::AccountFilter>,
    ) -> Result<Response<wire::Transfers>, Status> {
        let deadline = deadline(&request);
        let filter = request.into_inner();
        let account = records::wide(filter.account_id);
        let answer = self.ask_home(account, Ask::AccountTransfers(filter), deadline).await.map_err(status)?;
        read(answer).map(|message| self.response(message, None))
    }

    async fn get_account_balances(
        &self,
        request: Request<wire::AccountFilter>,
    ) -> Result<Response<wire::BalanceLines>, Status> {
        let deadline = deadline(&request);
        let filter = request.into_inner();
        let account = records::wide(filter.account_id);
        let answer = self.ask_home(account, Ask::Balances(filter), deadline).await.map_err(status)?;
        read(answer).map(|message| self.response(message, None))
    }

    async fn get_position(
        &self,
        request: Request<wire::PositionRequest>,
    ) -> Result<Response<wire::Position>, Status> {
        let deadline = deadline(&request);
        let message = request.into_inner();
        let account = records::wide(message.account_id);
        let answer = self.ask_home(account, Ask::Position(message), deadline).await.map_err(status)?;
        read(answer).map(|message| self.response(message, None))
    }
}

fn read<M: Message + Default>(answer: Bytes) -> Result<M, Status> {
    ask::read(answer).map_err(Status::internal)
}

#[tonic::async_trait]
impl Cluster for Gateway {
    async fn status(
        &self,
        _request: Request<wire::StatusRequest>,
    ) -> Result<Response<wire::StatusReply>, Status> {
        Ok(Response::new(self.office.status()))
    }

    async fn init(&self, request: Request<wire::InitRequest>) -> Result<Response<wire::InitReply>, Status> {
        let deadline = deadline(&request);
        self.office.found(request.into_inner(), deadline).await.map_err(status)?;
        Ok(Response::new(wire::InitReply {}))
    }

    async fn transfer_leader(
        &self,
        request: Request<wire::TransferLeaderRequest>,
    ) -> Result<Response<wire::TransferLeaderReply>, Status> {
        let message = request.into_inner();
        self.office.transfer_leader(GroupId(message.group), NodeId(message.to)).await.map_err(status)?;
        Ok(Response::new(wire::TransferLeaderReply {}))
    }
}
