//! A node: one log, one directory, the shards that the directory gives it, and the two doors, for peers and for
//! clients.
//!
//! ```text
//! clients -> gateway -> router -> teller -> group -> scribe (one log) -> disk
//!                          \        |         |  \-> peers
//!                           \-> peers' tellers  \--> machine (the book)
//! ```

use crate::ask::{self, Ask};
use crate::config::{Certificates, Config};
use crate::crossing::driver::Driver;
use crate::directory::{Change, Directory, DirectoryMachine, NodeEntry, SHARDS_MAX, ShardEntry};
use crate::door::Door;
use crate::fault::{NodeFault, ServeFault};
use crate::gateway::Gateway;
use crate::membership::status_message;
use crate::mend;
use crate::reads::keep_indexes;
use crate::router::Router;
use crate::shard::ShardMachine;
use crate::steward;
use crate::teller::Teller;
use crate::vault::{Damage, Vault};
use crate::world::{ClientDoor, World};
use fen_api::wire;
use fen_lookup::Lookup;
use fen_net::{Links, Listener, NodeId, Security, Stop};
use fen_raft::{Group, GroupId, Groups, Members, Peer, Scribe, Site};
use fen_store::wal::WalOptions;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// What the node's doors share.
pub struct Office {
    /// This node.
    pub node: NodeId,
    /// The way to every shard's leader.
    pub router: Router,
    cluster: String,
}

impl Office {
    /// How the node and its groups stand.
    pub fn status(&self) -> wire::StatusReply {
        let directory = self.router.directory();
        let tellers = self.router.tellers();
        let shards =
            tellers.iter().map(|teller| status_message(teller.group().id(), &teller.group().status()));
        let own = self.router.directory_group().map(|group| status_message(group.id(), &group.status()));
        let mut groups: Vec<wire::GroupStatus> = own.into_iter().chain(shards).collect();
        groups.sort_by_key(|group| group.group);
        for group in &mut groups {
            let shard = directory.shard(GroupId(group.group));
            group.wanted = shard.map_or_else(|| directory.keepers.clone(), |shard| shard.wanted.clone());
            group.slots = directory.slots_of(GroupId(group.group));
        }
        let node = |(id, entry): (&u64, &NodeEntry)| wire::Node {
            id: *id,
            peer_address: entry.peer_address.clone(),
            client_address: entry.client_address.clone(),
        };
        let nodes = directory.nodes.iter().map(node).collect();
        let shards_last = directory.shards.last().map_or(0, |shard| shard.group);
        wire::StatusReply { cluster_id: self.cluster.clone(), node: self.node.0, groups, nodes, shards_last }
    }

    /// The cluster's id, as 32 hexadecimal digits.
    pub(crate) fn cluster_id(&self) -> &str {
        &self.cluster
    }

    /// Founds the cluster: the directory's group among all nodes, then the directory's first words.
    pub async fn found(&self, request: wire::InitRequest, deadline: Instant) -> Result<(), ServeFault> {
        let refused = |reason: String| Err(ServeFault::Refused(reason));
        if !request.nodes.iter().any(|node| node.id == self.node.0) {
            return refused(format!("{} is asked to found a cluster without itself", self.node));
        }
        if request.shards == 0 || request.shards > SHARDS_MAX {
            return refused(format!("shards: 1 to {SHARDS_MAX}"));
        }
        let members: Members = request
            .nodes
            .iter()
            .map(|node| (NodeId(node.id), Peer { address: node.peer_address.clone() }))
            .collect();
        if members.len() != request.nodes.len() {
            return refused("a node is named twice".to_owned());
        }
        if self.router.directory().is_founded() {
            return Ok(());
        }
        let group = self.router.directory_group().ok_or(ServeFault::NotLeader(None))?;
        group.found(&members).await?;
        let nodes: BTreeMap<u64, NodeEntry> = request
            .nodes
            .into_iter()
            .map(|node| {
                let entry =
                    NodeEntry { peer_address: node.peer_address, client_address: node.client_address };
                (node.id, entry)
            })
            .collect();
        self.router.change(&Change::Found { nodes, shards: request.shards }, deadline).await
    }

    /// Hands a group's leadership over.
    pub async fn transfer_leader(
        &self,
        group: GroupId,
        to: NodeId,
        deadline: Instant,
    ) -> Result<(), ServeFault> {
        let question = Ask::Members(ask::Members::HandOver(wire::NodeIds { ids: vec![to.0] }));
        if group == GroupId::DIRECTORY {
            return self.router.ask_directory(&question, deadline).await.map(|_| ());
        }
        if self.router.directory().shard(group).is_none() {
            return Err(ServeFault::Refused(format!("there is no shard {}", group.0)));
        }
        self.router.ask(group, &question, deadline).await.map(|_| ())
    }

    /// Keeps a change of the directory; what follows from it is done by and by.
    pub async fn change(&self, change: &Change, deadline: Instant) -> Result<(), ServeFault> {
        self.router.change(change, deadline).await
    }

    /// What is still to be done until everything is as wanted.
    pub async fn plan(&self, deadline: Instant) -> Result<wire::PlanReply, ServeFault> {
        let answer = self.router.ask_directory(&Ask::Plan, deadline).await?;
        ask::read(answer).map_err(ServeFault::Unavailable)
    }
}

/// A running node. Stopped by [`Node::stop`]; dropped, it stops without waiting.
pub struct Node {
    office: Arc<Office>,
    gateway: Gateway,
    failed: watch::Receiver<Option<String>>,
    door: Option<Door>,
    following: JoinHandle<()>,
    caring: JoinHandle<()>,
    peers: Stop,
}

/// The most that the log stages for one write.
const STAGING_BYTES_MAX: usize = 8 << 20;

/// How long a founder waits for the one before it.
const FOUNDING_TURN: Duration = Duration::from_secs(1);

/// What it takes to start a shard.
struct Builder {
    config: Config,
    world: World,
    scribe: Scribe,
    links: Links,
    groups: Groups,
    router: Router,
}

impl Node {
    /// Starts a node from its configuration, with all that it held when it stopped.
    pub async fn start(config: Config) -> Result<Self, NodeFault> {
        let world = World::machine(&config)?;
        Self::start_in(world, config).await
    }

    /// The same in any world.
    pub async fn start_in(world: World, config: Config) -> Result<Self, NodeFault> {
        let fault = |reason: String| NodeFault::Config { file: "configuration".to_owned(), reason };
        let cluster = config.cluster_id().map_err(fault)?;
        let node = config.node_id();
        let certificates = config.certificates()?;
        let security = certificates.as_ref().map_or(Ok(Security::Plain), Certificates::security)?;
        // The log's files bear the node's and the cluster's id, so that another's are never taken for its own.
        let identity = u64::try_from(cluster.0 & u128::from(u64::MAX)).unwrap_or(0) ^ node.0.rotate_left(32);
        let cache_bytes = config.limits.cache_mb << 20;
        let segment_bytes = config.limits.segment_mb << 20;
        let staging_bytes =
            usize::try_from(segment_bytes / 2).map_or(STAGING_BYTES_MAX, |half| half.min(STAGING_BYTES_MAX));
        let options = WalOptions { segment_bytes, staging_bytes, ..WalOptions::new(identity) };
        let (disk, crew) = (world.disk.clone(), world.crew.clone());
        let open = move || Scribe::open(&crew, disk, Path::new("log"), &options, cache_bytes);
        let scribe = world.crew.aside(open).await??;
        let failed = scribe.failed();
        let links = Links::over(world.wire.clone(), cluster, node, security.clone());
        let (machine, changes) = DirectoryMachine::open(world.disk.clone(), Path::new("directory"))?;
        let router = Router::new(node, links.clone(), changes.clone(), world.clock.clone());
        let groups = Groups::new(world.disk.clone(), PathBuf::from("incoming"), Arc::new(router.clone()))?;
        let builder = Builder { config, world, scribe, links, groups, router };
        let directory = Group::start(&builder.site(), GroupId::DIRECTORY, machine).await?;
        builder.groups.add(directory.clone());
        builder.router.set_directory_group(directory);
        let (wire, address) = (&*builder.world.wire, builder.config.peer_address);
        let listener = Listener::bind_on(wire, address, cluster, node, security).await?;
        let peers = listener.serve(Arc::new(builder.groups.clone()))?;
        let office =
            Arc::new(Office { node, router: builder.router.clone(), cluster: format!("{:032x}", cluster.0) });
        let gateway = Gateway::new(office.clone());
        let door = match builder.world.door {
            ClientDoor::Open => Some(Door::open(&builder.config, gateway.clone(), failed.clone()).await?),
            ClientDoor::Shut => None,
        };
        let caring = tokio::spawn(steward::work(builder.router.clone(), builder.router.plan()));
        let following = tokio::spawn(builder.follow(changes));
        Ok(Self { office, gateway, failed, door, following, caring, peers })
    }

    /// What its doors share.
    pub fn office(&self) -> &Arc<Office> {
        &self.office
    }

    /// What clients call.
    pub fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// Where clients reach it over the network, if they can.
    pub fn client_address(&self) -> Option<SocketAddr> {
        self.door.as_ref().map(|door| door.address)
    }

    /// Waits until the node can no longer go on, and says why.
    pub async fn failed(&self) -> String {
        let mut failed = self.failed.clone();
        match failed.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone().unwrap_or_default(),
            Err(_closed) => "the log's thread has ended".to_owned(),
        }
    }

    /// Stops in order: no new calls, those under way get their answers, then the groups. What is durable stays.
    pub async fn stop(self) {
        let Self { office, door, following, caring, peers, .. } = self;
        following.abort();
        caring.abort();
        if let Some(door) = door {
            door.close().await;
        }
        drop(peers);
        office.router.close().await;
    }
}

impl Builder {
    fn site(&self) -> Site<'_> {
        Site {
            node: self.config.node_id(),
            scribe: &self.scribe,
            links: self.links.clone(),
            tempo: self.config.tempo(),
            replay_bytes_max: self.config.limits.replay_mb << 20,
            kept_entries: self.config.limits.kept_entries,
        }
    }

    /// Starts the shards that the directory gives this node, and stops those that it takes away, as it changes.
    async fn follow(self, mut changes: watch::Receiver<Arc<Directory>>) {
        loop {
            let directory = changes.borrow_and_update().clone();
            for shard in &directory.shards {
                let group = GroupId(shard.group);
                let ours = shard.holders.contains(&self.config.node);
                if ours
                    && self.router.teller(group).is_none()
                    && let Err(fault) = self.start_shard(shard, &directory).await
                {
                    tracing::error!(shard = shard.group, %fault, "a shard does not start");
                }
                if !ours && let Some(teller) = self.router.remove(group) {
                    self.groups.remove(group);
                    teller.group().stop().await;
                    tracing::info!(shard = shard.group, "a shard has moved away from this node");
                }
            }
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    async fn start_shard(&self, shard: &ShardEntry, directory: &Directory) -> Result<(), NodeFault> {
        let id = GroupId(shard.group);
        let (disk, crew) = (self.world.disk.clone(), self.world.crew.clone());
        let folder = folder_of(shard);
        let (number, room) = (shard.group, self.scribe.room().clone());
        let open = move || ShardMachine::open(number, crew, Vault::open(disk, folder)?, &room);
        let machine = match self.world.crew.aside(open.clone()).await? {
            Err(fault) if Damage::is(&fault) && self.world.crew.may_wait_aside() => {
                tracing::error!(shard = shard.group, %fault, "its books are damaged; another member's take their place");
                let vault = Vault::open(self.world.disk.clone(), folder_of(shard))?;
                let from = mend::books(&self.router, id, vault, self.scribe.purged(id)).await?;
                tracing::warn!(shard = shard.group, %from, "the books are mended");
                self.world.crew.aside(open).await?
            }
            opened => opened,
        }?;
        let (next_expiry, board) = (machine.next_expiry(), machine.board());
        let group = Group::start(&self.site(), id, machine).await?;
        self.groups.add(group.clone());
        if let Some(rank) = shard.founders.iter().position(|founder| *founder == self.config.node) {
            let address = |node: &u64| {
                let entry = directory.node(NodeId(*node));
                entry.map(|entry| (NodeId(*node), Peer { address: entry.peer_address.clone() }))
            };
            let members: Members = shard.founders.iter().filter_map(address).collect();
            tokio::spawn(found_in_turn(group.clone(), members, rank));
        }
        let folder = |data: &PathBuf| data.join(folder_of(shard)).join("lookup");
        let lookup = self.world.indexes.as_ref().map(|data| Arc::new(Lookup::new(&folder(data))));
        let of_node = (self.config.node_id(), self.world.clone());
        let files = (self.scribe.room().clone(), lookup);
        let teller = Teller::start(group, next_expiry, board.clone(), of_node, files);
        self.router.add(id, teller.clone());
        tokio::spawn(keep_indexes(self.router.clone(), teller.clone()));
        Driver::start(self.router.clone(), teller, board);
        if self.world.crew.may_wait_aside() {
            tokio::spawn(mend::watch(self.router.clone(), id));
        }
        Ok(())
    }
}

/// Where a shard's books lie.
fn folder_of(shard: &ShardEntry) -> PathBuf {
    PathBuf::from("shards").join(shard.group.to_string())
}

/// The first founder founds the group, so that no two stand for election at once; the others stand by, in case it is
/// not there.
async fn found_in_turn(group: Group<ShardMachine>, members: Members, rank: usize) {
    let turn = FOUNDING_TURN.saturating_mul(u32::try_from(rank).unwrap_or(u32::MAX));
    let founded = group.wait_for(turn, |status| !status.voters.is_empty()).await;
    if founded.is_err()
        && let Err(fault) = group.found(&members).await
    {
        tracing::error!(group = group.id().0, %fault, "a shard cannot be founded");
    }
}
