//! One replication group on this node: proposes, reads, changes members, tells how it stands.

use crate::adapter::Adapter;
use crate::machine::{Desk, Machine};
use crate::network::Network;
#[cfg(feature = "planted")]
use crate::planted::{self, Bug};
use crate::scribe::Scribe;
use crate::words::{Answer, GroupId, LogPlace, PARCEL_BYTES_MAX, Parcel, Peer, Types};
use fen_net::{Links, NodeId};
use openraft::async_runtime::WatchReceiver;
use openraft::errors::{
    ClientWriteError, ForwardToLeader, InitializeError, LinearizableReadError, RaftError,
};
use openraft::{ChangeMembers, Config, Raft, RaftMetrics, ReadPolicy, ServerState, SnapshotPolicy};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use thiserror::Error;

/// How fast a group notices that its leader is gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tempo {
    /// Between two heartbeats.
    pub heartbeat_ms: u64,
    /// After the lease of the lost leader, which lasts as long as the longest wait, a follower waits at least so long
    /// before it stands for election.
    pub election_ms_min: u64,
    /// And at most so long. A new leader is there between their sum and twice this after the last sign of the old one.
    pub election_ms_max: u64,
}

impl Default for Tempo {
    fn default() -> Self {
        Self { heartbeat_ms: 25, election_ms_min: 60, election_ms_max: 130 }
    }
}

/// A member of a group: its node, and where peers reach it.
pub type Members = BTreeMap<NodeId, Peer>;

/// Why a group did not do what was asked. Whether a proposal was applied is not known after [`GroupFault::Lost`]:
/// the same parcel may be proposed again only if its commands bear ids.
#[derive(Clone, Debug, Error)]
pub enum GroupFault {
    /// Another node leads, or none does at the moment.
    #[error("{} leads", leader.as_ref().map_or("nobody".to_owned(), |(node, _)| node.to_string()))]
    NotLeader {
        /// Which node, and where peers reach it.
        leader: Option<(NodeId, Peer)>,
    },
    /// Leadership changed while the proposal was under way.
    #[error("leadership was lost while the proposal was under way")]
    Lost,
    /// A majority cannot be reached.
    #[error("no majority: {0}")]
    NoMajority(String),
    /// The request itself is impossible.
    #[error("{0}")]
    Refused(String),
    /// The group has stopped on this node: its log or its machine is broken.
    #[error("stopped: {0}")]
    Stopped(String),
}

/// How a group stands, seen from this node.
#[derive(Clone, Debug)]
pub struct GroupStatus {
    /// Who leads, as far as this node knows.
    pub leader: Option<NodeId>,
    /// The term.
    pub term: u64,
    /// Whether this node leads.
    pub leads: bool,
    /// The last entry in this node's log.
    pub last_index: Option<u64>,
    /// The last entry that this node has applied.
    pub applied: Option<LogPlace>,
    /// Voters.
    pub voters: BTreeSet<NodeId>,
    /// Learners.
    pub learners: BTreeSet<NodeId>,
    /// On the leader: how many entries each other member still lacks.
    pub lag: BTreeMap<NodeId, u64>,
}

/// See the module. Cheap to clone.
pub struct Group<M: Machine> {
    id: GroupId,
    raft: Raft<Types, Adapter<M>>,
    desk: Desk<M>,
}

impl<M: Machine> Clone for Group<M> {
    fn clone(&self) -> Self {
        Self { id: self.id, raft: self.raft.clone(), desk: self.desk.clone() }
    }
}

/// Where a group lives.
pub struct Site<'a> {
    /// This node.
    pub node: NodeId,
    /// The node's log.
    pub scribe: &'a Scribe,
    /// The ways to its peers.
    pub links: Links,
    /// How fast it reacts.
    pub tempo: Tempo,
    /// After so many bytes of entries a new image is made, so that a restart replays about so much at most.
    pub replay_bytes_max: u64,
    /// So many entries are kept behind an image, for members that are a little late.
    pub kept_entries: u64,
}

impl<M: Machine> Group<M> {
    /// Takes up a group where it was left, or begins it without members.
    pub async fn start(site: &Site<'_>, id: GroupId, machine: M) -> Result<Self, GroupFault> {
        let replay_bytes = Arc::new(AtomicU64::new(0));
        let name = format!("fen-machine-{}", id.0);
        let (adapter, desk) =
            Adapter::start(site.scribe.crew(), &name, machine, replay_bytes.clone()).map_err(stopped)?;
        let network = Network { group: id, links: site.links.clone(), crew: site.scribe.crew().clone() };
        let config = Arc::new(config(site)?);
        let log = site.scribe.group(id);
        let raft = Raft::new(site.node.0, config, network, log, adapter).await.map_err(stopped)?;
        tokio::spawn(make_images(raft.clone(), replay_bytes, site.replay_bytes_max));
        Ok(Self { id, raft, desk })
    }

    /// Which group.
    pub fn id(&self) -> GroupId {
        self.id
    }

    pub(crate) fn raft(&self) -> &Raft<Types, Adapter<M>> {
        &self.raft
    }

    /// Founds the group with these voters. Done already is done.
    pub async fn found(&self, members: &Members) -> Result<(), GroupFault> {
        let nodes: BTreeMap<u64, Peer> = members.iter().map(|(node, peer)| (node.0, peer.clone())).collect();
        match self.raft.initialize(nodes).await {
            Ok(()) | Err(RaftError::APIError(InitializeError::NotAllowed(_))) => Ok(()),
            Err(RaftError::APIError(fault)) => Err(GroupFault::Refused(fault.to_string())),
            Err(RaftError::Fatal(fault)) => Err(stopped(fault)),
        }
    }

    /// Puts a parcel into the log; answers when it is durable on a majority and applied here.
    pub async fn propose(&self, parcel: Parcel) -> Result<Answer, GroupFault> {
        if parcel.body.len() > PARCEL_BYTES_MAX {
            return Err(GroupFault::Refused(format!("a parcel of {} bytes", parcel.body.len())));
        }
        Ok(self.raft.client_write(parcel).await.map_err(write_fault)?.data)
    }

    /// Looks into the machine when everything acknowledged before this call is applied. Only on the leader.
    pub async fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&mut M) -> T + Send + 'static,
    ) -> Result<T, GroupFault> {
        #[cfg(feature = "planted")]
        if planted::is_here(Bug::StaleRead) && self.status().leads {
            return self.desk.read(look).await.map_err(stopped);
        }
        self.raft.ensure_linearizable(ReadPolicy::ReadIndex).await.map_err(read_fault)?;
        self.desk.read(look).await.map_err(stopped)
    }

    /// Up to which entry a read that begins now has to wait for, confirmed by a majority. Only on the leader.
    pub async fn read_index(&self) -> Result<u64, GroupFault> {
        self.raft.ensure_linearizable(ReadPolicy::ReadIndex).await.map_err(read_fault)?;
        // What the leader has applied by then is at least as much.
        Ok(self.status().applied.map_or(0, |place| place.index))
    }

    /// Looks into the machine as this node has it, however old.
    pub async fn peek<T: Send + 'static>(
        &self,
        look: impl FnOnce(&mut M) -> T + Send + 'static,
    ) -> Result<T, GroupFault> {
        self.desk.read(look).await.map_err(stopped)
    }

    /// Adds a member that gets the log but has no vote; answers when it has caught up.
    pub async fn add_learner(&self, node: NodeId, peer: Peer) -> Result<(), GroupFault> {
        self.raft.add_learner(node.0, peer, true).await.map(|_| ()).map_err(write_fault)
    }

    /// Adds a member that gets the log but has no vote; answers at once, it catches up by and by.
    pub async fn invite(&self, node: NodeId, peer: Peer) -> Result<(), GroupFault> {
        self.raft.add_learner(node.0, peer, false).await.map(|_| ()).map_err(write_fault)
    }

    /// Makes these nodes, members all, the voters; others leave.
    pub async fn set_voters(&self, voters: BTreeSet<NodeId>) -> Result<(), GroupFault> {
        let voters: BTreeSet<u64> = voters.into_iter().map(|node| node.0).collect();
        let change = ChangeMembers::ReplaceAllVoters(voters);
        self.raft.change_membership(change, false).await.map(|_| ()).map_err(write_fault)
    }

    /// Lets go of members without a vote.
    pub async fn dismiss(&self, learners: BTreeSet<NodeId>) -> Result<(), GroupFault> {
        let learners: BTreeSet<u64> = learners.into_iter().map(|node| node.0).collect();
        let change = ChangeMembers::RemoveNodes(learners);
        self.raft.change_membership(change, true).await.map(|_| ()).map_err(write_fault)
    }

    /// Hands leadership over.
    pub async fn transfer_leadership(&self, to: NodeId) -> Result<(), GroupFault> {
        self.raft.trigger().transfer_leader(to.0).await.map_err(stopped)
    }

    /// Makes an image now.
    pub async fn make_image(&self) -> Result<(), GroupFault> {
        self.raft.trigger().snapshot().await.map_err(stopped)
    }

    /// How the group stands.
    pub fn status(&self) -> GroupStatus {
        status(&self.raft.metrics().borrow_watched())
    }

    /// Waits until the group stands as wanted.
    pub async fn wait_for(
        &self,
        patience: Duration,
        mut wanted: impl FnMut(&GroupStatus) -> bool,
    ) -> Result<GroupStatus, GroupFault> {
        let mut metrics = self.raft.metrics();
        let waiting = async {
            loop {
                let now = status(&metrics.borrow_and_update());
                if wanted(&now) {
                    return Ok(now);
                }
                metrics.changed().await.map_err(stopped)?;
            }
        };
        let late = GroupFault::Refused(format!("not so within {} ms", patience.as_millis()));
        tokio::time::timeout(patience, waiting).await.map_err(|_| late)?
    }

    /// Stops the group on this node; its log stays.
    pub async fn stop(&self) {
        // A task that panicked has stopped as well.
        let _stopped = self.raft.shutdown().await;
    }
}

/// How often a group looks whether its log has grown long.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// On every member: asks for a new image once the log since the last one has grown long, until the group stops.
async fn make_images<M: Machine>(
    raft: Raft<Types, Adapter<M>>,
    replay_bytes: Arc<AtomicU64>,
    bytes_max: u64,
) {
    while raft.metrics().borrow_watched().running_state.is_ok() {
        if replay_bytes.load(Ordering::Relaxed) >= bytes_max {
            replay_bytes.store(0, Ordering::Relaxed);
            // That it was made shows in the replay of the next start; that it failed, in the group's state.
            let _asked = raft.trigger().snapshot().await;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn config(site: &Site<'_>) -> Result<Config, GroupFault> {
    let tempo = site.tempo;
    let config = Config {
        cluster_name: "fen".to_owned(),
        heartbeat_interval: tempo.heartbeat_ms,
        election_timeout_min: tempo.election_ms_min,
        election_timeout_max: tempo.election_ms_max,
        install_snapshot_timeout: 120_000,
        // Number caps only: the log caps what it hands out in bytes.
        max_payload_entries: 256,
        max_append_entries: Some(256),
        // Images are made by bytes of log, and sent to followers whose entries are gone, not to slow ones.
        replication_lag_threshold: u64::MAX / 4,
        snapshot_policy: SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: site.kept_entries,
        purge_batch_size: 1,
        enable_pre_vote: Some(true),
        // A leader that starts again stands for election like everybody else. Entries are sent before the leader's own
        // disk has them: what it lost with its power, followers may hold, and in the same term it would write other
        // entries under the same numbers.
        enable_leader_restore: Some(false),
        ..Config::default()
    };
    #[cfg(feature = "planted")]
    let config = Config { enable_leader_restore: Some(planted::is_here(Bug::LeaderRestored)), ..config };
    config.validate().map_err(|fault| GroupFault::Refused(fault.to_string()))
}

fn status(metrics: &RaftMetrics<Types>) -> GroupStatus {
    let last = metrics.last_log_index;
    let lag = metrics.replication.iter().flatten().map(|(node, matching)| {
        let has = matching.as_ref().map_or(0, |id| id.index + 1);
        (NodeId(*node), last.map_or(0, |last| last + 1).saturating_sub(has))
    });
    let membership = metrics.membership_config.membership();
    GroupStatus {
        leader: metrics.current_leader.map(NodeId),
        term: metrics.current_term,
        leads: metrics.state == ServerState::Leader,
        last_index: last,
        applied: metrics.last_applied.map(LogPlace::of),
        voters: membership.voter_ids().map(NodeId).collect(),
        learners: membership.learner_ids().map(NodeId).collect(),
        lag: lag.collect(),
    }
}

fn stopped(fault: impl std::fmt::Display) -> GroupFault {
    GroupFault::Stopped(fault.to_string())
}

fn not_leader(forward: ForwardToLeader<Types>) -> GroupFault {
    let leader = forward.leader_id.map(NodeId).zip(forward.leader_node);
    GroupFault::NotLeader { leader }
}

fn write_fault(fault: RaftError<Types, ClientWriteError<Types>>) -> GroupFault {
    match fault {
        RaftError::APIError(ClientWriteError::ForwardToLeader(forward)) => not_leader(forward),
        RaftError::APIError(ClientWriteError::LogEntryDiscarded(_)) => GroupFault::Lost,
        RaftError::APIError(ClientWriteError::ChangeMembershipError(fault)) => {
            GroupFault::Refused(fault.to_string())
        }
        RaftError::APIError(ClientWriteError::PreconditionFailed(fault)) => {
            GroupFault::Refused(fault.to_string())
        }
        RaftError::Fatal(fault) => stopped(fault),
    }
}

fn read_fault(fault: RaftError<Types, LinearizableReadError<Types>>) -> GroupFault {
    match fault {
        RaftError::APIError(LinearizableReadError::ForwardToLeader(forward)) => not_leader(forward),
        RaftError::APIError(LinearizableReadError::QuorumNotEnough(fault)) => {
            GroupFault::NoMajority(fault.to_string())
        }
        RaftError::Fatal(fault) => stopped(fault),
    }
}

impl From<io::Error> for GroupFault {
    fn from(error: io::Error) -> Self {
        stopped(error)
    }
}
