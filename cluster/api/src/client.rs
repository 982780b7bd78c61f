//! A client: knows a few nodes, finds the leader among them, and asks again until it has an answer.
//!
//! Asking again is safe, for every command bears ids: what was posted the first time answers `exists` the second
//! time, with the first one's stamp. So a caller of [`Client::create_transfers`] treats `exists` as done.

use crate::fault::ClientFault;
use crate::records::{self, PackedResult};
use crate::together::{self, Together};
use crate::wire::cluster_client::ClusterClient;
use crate::wire::history_client::HistoryClient;
use crate::wire::ledger_client::LedgerClient;
use crate::{LEADER_KEY, MESSAGE_BYTES_MAX, RETRY_KEY, wire};
use bytes::Bytes;
use fen_book::{
    Account, AccountFilter, AccountId, BalanceLine, BusinessDate, CreateAccountStatus, CreateTransferStatus,
    OpenPending, Outcome, Transfer, TransferId,
};
use futures_util::future::join_all;
use std::future::Future;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, Response, Status};

/// How long a call may take that adds up or copies whole books: a node gives up after a minute.
const LONG_ATTEMPT: Duration = Duration::from_secs(65);
const LONG_PATIENCE: Duration = Duration::from_mins(3);
const BACK_OFF_FIRST: Duration = Duration::from_millis(5);
/// A node that cannot be reached within this is given up.
const CONNECT_PATIENCE: Duration = Duration::from_secs(1);
/// A node with calls under way is pinged so often, and given up when it does not answer that in time: one that has
/// stopped is told from one that has much to do.
const PING_EVERY: Duration = Duration::from_secs(1);
const PONG_PATIENCE: Duration = Duration::from_secs(2);
const BACK_OFF_LONGEST: Duration = Duration::from_millis(200);
const STREAM_WINDOW_BYTES: u32 = 4 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 16 << 20;

/// Certificates, in PEM.
#[derive(Clone, Debug)]
pub struct ClientSecurity {
    /// The cluster's authority.
    pub authority: String,
    /// The client's own certificate.
    pub certificate: String,
    /// And its key.
    pub key: String,
    /// The name in the nodes' certificates under which clients reach them.
    pub server_name: String,
}

impl ClientSecurity {
    /// From a folder with `authority.pem`, `client.pem` and `client.key`.
    ///
    /// # Errors
    /// The file that cannot be read, and why.
    pub fn in_folder(folder: &Path, server_name: &str) -> Result<Self, String> {
        let text = |name: &str| {
            let path = folder.join(name);
            std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
        };
        Ok(Self {
            authority: text("authority.pem")?,
            certificate: text("client.pem")?,
            key: text("client.key")?,
            server_name: server_name.to_owned(),
        })
    }
}

/// How patient a client is, and how it proves who it is.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// After so long without any answer a call fails.
    pub patience: Duration,
    /// After so long without an answer a node is given up and another one asked, though it still answers pings: longer
    /// than a node takes to give up by itself, since what is asked twice is work twice. Doubled with each round.
    pub attempt: Duration,
    /// TLS; without it the connection is plaintext, which nodes take on loopback only.
    pub security: Option<ClientSecurity>,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self { patience: Duration::from_secs(30), attempt: Duration::from_secs(12), security: None }
    }
}

/// See the module. Cheap to clone; all clones share the connections.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    options: ClientOptions,
    nodes: Mutex<Nodes>,
    together: Together,
}

/// Whom to ask.
struct Nodes {
    addresses: Vec<String>,
    channels: Vec<Channel>,
    preferred: usize,
}

impl Client {
    /// Knows these nodes (host and port each); connects when first asked.
    pub fn new(addresses: &[String], options: ClientOptions) -> Result<Self, ClientFault> {
        if addresses.is_empty() {
            return Err(ClientFault::Setup("no address of any node".to_owned()));
        }
        let channels =
            addresses.iter().map(|address| channel(address, &options)).collect::<Result<_, _>>()?;
        let nodes = Nodes { addresses: addresses.to_vec(), channels, preferred: 0 };
        Ok(Self {
            shared: Arc::new(Shared { options, nodes: Mutex::new(nodes), together: Together::default() }),
        })
    }

    /// Opens accounts; one outcome for each.
    pub async fn create_accounts(
        &self,
        accounts: &[Account],
    ) -> Result<Vec<Outcome<CreateAccountStatus>>, ClientFault> {
        let packed = records::pack_accounts(accounts);
        let results = self.submit(wire::RecordKind::Accounts, packed).await?;
        outcomes(results, accounts.len(), CreateAccountStatus::from_number)
    }

    /// Posts transfers; one outcome for each. Few of them travel with what others ask of this client meanwhile.
    pub async fn create_transfers(
        &self,
        transfers: &[Transfer],
    ) -> Result<Vec<Outcome<CreateTransferStatus>>, ClientFault> {
        let results = if together::may_travel(transfers) {
            together::submit(self, transfers).await?
        } else {
            self.submit(wire::RecordKind::Transfers, records::pack_transfers(transfers)).await?
        };
        outcomes(results, transfers.len(), CreateTransferStatus::from_number)
    }

    /// What waits to travel together.
    pub(crate) fn together(&self) -> &Together {
        &self.shared.together
    }

    /// Sends packed records, at most 8,189.
    pub async fn submit(
        &self,
        kind: wire::RecordKind,
        records: Bytes,
    ) -> Result<Vec<PackedResult>, ClientFault> {
        let message = wire::PackedBatch { kind: kind.into(), records };
        let ask = |channel| {
            let message = message.clone();
            async move { ledger(channel).submit(message).await }
        };
        let reply = self.ask(ask).await?;
        records::unpack_results(&reply.results).ok_or(ClientFault::Garbled("results of the wrong size"))
    }

    /// The accounts as they are now.
    pub async fn lookup_accounts(&self, ids: &[AccountId]) -> Result<Vec<Option<Account>>, ClientFault> {
        let message = wire::Ids { ids: ids.iter().map(|id| id_message(id.get())).collect() };
        let ask = |channel| {
            let message = message.clone();
            async move { ledger(channel).lookup_accounts(message).await }
        };
        let found = self.ask(ask).await?.found;
        found
            .iter()
            .map(|found| found.account.as_ref().map(records::account).transpose())
            .collect::<Result<_, _>>()
            .map_err(|_| ClientFault::Garbled("an account that no book could hold"))
    }

    /// The transfers with these ids.
    pub async fn lookup_transfers(&self, ids: &[TransferId]) -> Result<Vec<Option<Transfer>>, ClientFault> {
        let message = wire::Ids { ids: ids.iter().map(|id| id_message(id.get())).collect() };
        let ask = |channel| {
            let message = message.clone();
            async move { ledger(channel).lookup_transfers(message).await }
        };
        transfers(&self.ask(ask).await?)
    }

    /// An account's transfers.
    pub async fn account_transfers(&self, filter: &AccountFilter) -> Result<Vec<Transfer>, ClientFault> {
        let message = records::account_filter_message(filter);
        let ask = |channel| async move { ledger(channel).get_account_transfers(message).await };
        Ok(transfers(&self.ask(ask).await?)?.into_iter().flatten().collect())
    }

    /// An account's balances after each of its transfers.
    pub async fn account_balances(&self, filter: &AccountFilter) -> Result<Vec<BalanceLine>, ClientFault> {
        let message = records::account_filter_message(filter);
        let ask = |channel| async move { ledger(channel).get_account_balances(message).await };
        Ok(self.ask(ask).await?.lines.iter().map(records::balance_line).collect())
    }

    /// An account and its open pending transfers, at one moment.
    pub async fn position(&self, id: AccountId) -> Result<Option<(Account, Vec<OpenPending>)>, ClientFault> {
        let message = wire::PositionRequest { account_id: records::halves(id.get()) };
        let ask = |channel| async move { ledger(channel).get_position(message).await };
        let position = self.ask(ask).await?;
        let account = position.account.as_ref().map(records::account).transpose();
        let account = account.map_err(|_| ClientFault::Garbled("an account that no book could hold"))?;
        let pendings = position.pendings.iter().map(records::open_pending).collect();
        Ok(account.map(|account| (account, pendings)))
    }

    /// How one node, the first that answers, sees the cluster.
    pub async fn status(&self) -> Result<wire::StatusReply, ClientFault> {
        self.ask(|channel| async move { cluster(channel).status(wire::StatusRequest {}).await }).await
    }

    /// Founds the cluster.
    pub async fn init(&self, nodes: Vec<wire::Node>, shards: u32) -> Result<(), ClientFault> {
        let message = wire::InitRequest { nodes, shards };
        let ask = |channel| {
            let message = message.clone();
            async move { cluster(channel).init(message).await }
        };
        self.ask(ask).await.map(|_| ())
    }

    /// Hands a group's leadership over.
    pub async fn transfer_leader(&self, group: u32, to: u64) -> Result<(), ClientFault> {
        let message = wire::TransferLeaderRequest { group, to };
        let ask = |channel| async move { cluster(channel).transfer_leader(message).await };
        self.ask(ask).await.map(|_| ())
    }

    /// A node joins.
    pub async fn add_node(&self, node: wire::Node) -> Result<(), ClientFault> {
        let ask = |channel| {
            let node = node.clone();
            async move { cluster(channel).add_node(node).await }
        };
        self.ask(ask).await.map(|_| ())
    }

    /// A new node takes the place of a lost one.
    pub async fn replace_node(&self, lost: u64, node: wire::Node) -> Result<(), ClientFault> {
        let message = wire::ReplaceNodeRequest { lost, node: Some(node) };
        let ask = |channel| {
            let message = message.clone();
            async move { cluster(channel).replace_node(message).await }
        };
        self.ask(ask).await.map(|_| ())
    }

    /// A member of a group moves to another node.
    pub async fn move_replica(&self, group: u32, from: u64, to: u64) -> Result<(), ClientFault> {
        let message = wire::MoveReplicaRequest { group, from, to };
        let ask = |channel| async move { cluster(channel).move_replica(message).await };
        self.ask(ask).await.map(|_| ())
    }

    /// A further shard, under the next number, on these nodes.
    pub async fn add_shard(&self, group: u32, nodes: Vec<u64>) -> Result<(), ClientFault> {
        let message = wire::AddShardRequest { group, nodes };
        let ask = |channel| {
            let message = message.clone();
            async move { cluster(channel).add_shard(message).await }
        };
        self.ask(ask).await.map(|_| ())
    }

    /// What is still to be done until the cluster is as wanted; nothing once it is.
    pub async fn plan(&self) -> Result<Vec<String>, ClientFault> {
        let ask = |channel| async move { cluster(channel).get_plan(wire::PlanRequest {}).await };
        Ok(self.ask(ask).await?.steps)
    }

    /// Every member of every shard adds its books up again, and looks at every loan, some in a call: `looked_at` hears
    /// how many.
    pub async fn verify(&self, looked_at: &(dyn Fn(u64) + Sync)) -> Result<wire::VerifyReply, ClientFault> {
        let ask = |channel| async move {
            cluster(channel).max_decoding_message_size(MESSAGE_BYTES_MAX).verify(wire::VerifyRequest {}).await
        };
        let mut reply: wire::VerifyReply = self.ask_long(ask).await?;
        let looking = reply.members.iter().map(|member| self.verify_loans(member, looked_at));
        let found = join_all(looking).await;
        for (member, found) in reply.members.iter_mut().zip(found) {
            match found {
                Ok(faults) => member.faults.extend(faults),
                Err(fault) => member.faults.push(format!("its loans were not all looked at: {fault}")),
            }
        }
        Ok(reply)
    }

    /// All loans of a member, some in a call.
    async fn verify_loans(
        &self,
        member: &wire::MemberAudit,
        looked_at: &(dyn Fn(u64) + Sync),
    ) -> Result<Vec<String>, ClientFault> {
        let (mut faults, mut first) = (Vec::new(), 0);
        while u64::from(first) < member.loans {
            let message = wire::VerifyLoansRequest { group: member.group, node: member.node, first };
            let reply =
                self.ask(|channel| async move { cluster(channel).verify_loans(message).await }).await?;
            if reply.next <= first {
                return Err(ClientFault::Refused("it has fewer loans than it had".to_owned()));
            }
            looked_at(u64::from(reply.next - first));
            faults.extend(reply.faults);
            first = reply.next;
        }
        Ok(faults)
    }

    /// Every member of every shard moves old segments of its journal to its archive; give the client patience.
    pub async fn archive(&self, before: BusinessDate) -> Result<Vec<wire::MemberArchived>, ClientFault> {
        let message = wire::ArchiveRequest { before: before.get() };
        let ask = |channel| async move { cluster(channel).archive(message).await };
        Ok(self.ask_long(ask).await?.members)
    }

    /// As [`Client::ask`], for what takes its time: asked a second time, it would only take twice as long.
    async fn ask_long<T, F, A>(&self, ask: F) -> Result<T, ClientFault>
    where
        F: FnMut(Channel) -> A,
        A: Future<Output = Result<Response<T>, Status>>,
    {
        let options = &self.shared.options;
        self.ask_within(options.patience.max(LONG_PATIENCE), options.attempt.max(LONG_ATTEMPT), ask).await
    }

    /// Asks until somebody answers: the node that last did well first, then the others in turn.
    pub(crate) async fn ask<T, F, A>(&self, ask: F) -> Result<T, ClientFault>
    where
        F: FnMut(Channel) -> A,
        A: Future<Output = Result<Response<T>, Status>>,
    {
        let options = &self.shared.options;
        self.ask_within(options.patience, options.attempt, ask).await
    }

    async fn ask_within<T, F, A>(
        &self,
        patience: Duration,
        mut attempt: Duration,
        mut ask: F,
    ) -> Result<T, ClientFault>
    where
        F: FnMut(Channel) -> A,
        A: Future<Output = Result<Response<T>, Status>>,
    {
        let deadline = Instant::now() + patience;
        let mut back_off = BACK_OFF_FIRST;
        loop {
            let (index, channel) = self.nodes(Nodes::choose);
            let left = deadline.saturating_duration_since(Instant::now());
            let last = match tokio::time::timeout(attempt.min(left), ask(channel)).await {
                Ok(Ok(response)) => {
                    self.heed_hint(response.metadata());
                    return Ok(response.into_inner());
                }
                Ok(Err(status)) => {
                    if status.code() == Code::FailedPrecondition {
                        return Err(ClientFault::NoRoom(status.message().to_owned()));
                    }
                    if !worth_asking_again(status.code()) {
                        return Err(ClientFault::Refused(status.message().to_owned()));
                    }
                    let hint = self.heed_hint(status.metadata());
                    if status.code() == Code::ResourceExhausted {
                        back_off = hint.unwrap_or(back_off);
                    } else {
                        self.nodes(|nodes| nodes.give_up(index));
                    }
                    status.message().to_owned()
                }
                Err(_elapsed) => {
                    self.nodes(|nodes| nodes.give_up(index));
                    attempt *= 2;
                    "nothing in time".to_owned()
                }
            };
            if Instant::now() + back_off >= deadline {
                let endpoints = self.nodes(|nodes| nodes.addresses.join(", "));
                return Err(ClientFault::Unreachable { endpoints, seconds: patience.as_secs(), last });
            }
            tokio::time::sleep(back_off).await;
            back_off = (back_off * 2).min(BACK_OFF_LONGEST);
        }
    }

    fn nodes<T>(&self, act: impl FnOnce(&mut Nodes) -> T) -> T {
        act(&mut self.shared.nodes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Goes to the leader next time, if the node said who it is; gives the node's wish for a pause.
    fn heed_hint(&self, metadata: &tonic::metadata::MetadataMap) -> Option<Duration> {
        if let Some(leader) = metadata.get(LEADER_KEY).and_then(|value| value.to_str().ok()) {
            self.nodes(|nodes| nodes.prefer(leader, &self.shared.options));
        }
        let pause = metadata.get(RETRY_KEY).and_then(|value| value.to_str().ok());
        pause.and_then(|pause| pause.parse().ok()).map(Duration::from_millis)
    }
}

impl Nodes {
    fn choose(&mut self) -> (usize, Channel) {
        (self.preferred, self.channels[self.preferred].clone())
    }

    /// The next one's turn, unless somebody else has already moved on.
    fn give_up(&mut self, index: usize) {
        if self.preferred == index {
            self.preferred = (index + 1) % self.channels.len();
        }
    }

    fn prefer(&mut self, leader: &str, options: &ClientOptions) {
        if let Some(index) = self.addresses.iter().position(|address| address == leader) {
            self.preferred = index;
        } else if let Ok(channel) = channel(leader, options) {
            self.addresses.push(leader.to_owned());
            self.channels.push(channel);
            self.preferred = self.channels.len() - 1;
        }
    }
}

/// Whether another node, or the same one later, may give another answer.
pub(crate) fn worth_asking_again(code: Code) -> bool {
    match code {
        Code::Unavailable
        | Code::DeadlineExceeded
        | Code::ResourceExhausted
        | Code::Aborted
        | Code::Cancelled
        | Code::Unknown
        | Code::Internal => true,
        Code::Ok
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::FailedPrecondition
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::DataLoss
        | Code::Unauthenticated => false,
    }
}

fn channel(address: &str, options: &ClientOptions) -> Result<Channel, ClientFault> {
    let setup = |error: &dyn std::fmt::Display| ClientFault::Setup(format!("{address}: {error}"));
    let scheme = if options.security.is_some() { "https" } else { "http" };
    let mut endpoint =
        Endpoint::from_shared(format!("{scheme}://{address}")).map_err(|error| setup(&error))?;
    if let Some(security) = &options.security {
        let tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(&security.authority))
            .identity(Identity::from_pem(&security.certificate, &security.key))
            .domain_name(&security.server_name);
        endpoint = endpoint.tls_config(tls).map_err(|error| setup(&error))?;
    }
    Ok(endpoint
        .connect_timeout(CONNECT_PATIENCE)
        .http2_keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PONG_PATIENCE)
        .tcp_nodelay(true)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .connect_lazy())
}

pub(crate) fn ledger(channel: Channel) -> LedgerClient<Channel> {
    LedgerClient::new(channel).max_decoding_message_size(MESSAGE_BYTES_MAX)
}

pub(crate) fn history(channel: Channel) -> HistoryClient<Channel> {
    HistoryClient::new(channel).max_decoding_message_size(MESSAGE_BYTES_MAX)
}

pub(crate) fn cluster(channel: Channel) -> ClusterClient<Channel> {
    ClusterClient::new(channel)
}

pub(crate) fn id_message(id: u128) -> wire::Uint128 {
    records::halves(id).unwrap_or_default()
}

pub(crate) fn transfers(message: &wire::Transfers) -> Result<Vec<Option<Transfer>>, ClientFault> {
    let read = |found: &wire::FoundTransfer| found.transfer.as_ref().map(records::transfer).transpose();
    let transfers: Result<_, String> = message.found.iter().map(read).collect();
    transfers.map_err(|_| ClientFault::Garbled("a transfer that no book could hold"))
}

fn outcomes<S>(
    results: Vec<PackedResult>,
    count: usize,
    status: impl Fn(u16) -> Option<S>,
) -> Result<Vec<Outcome<S>>, ClientFault> {
    if results.len() != count {
        return Err(ClientFault::Garbled("not one result for each event"));
    }
    let outcome = |result: PackedResult| {
        let status = status(result.status)?;
        Some(Outcome { timestamp: result.timestamp, status })
    };
    let outcomes: Option<_> = results.into_iter().map(outcome).collect();
    outcomes.ok_or(ClientFault::Garbled("a status that this release does not know"))
}
