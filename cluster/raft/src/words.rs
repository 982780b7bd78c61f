//! Fen's words for what is replicated, and the replication library's types filled in with them.

use bytes::Bytes;
use openraft::impls::leader_id_std;
use openraft::{EntryPayload, RaftTypeConfig};
use openraft_rt_tokio::TokioRuntime;
use std::fmt;

/// Names a replication group: 0 is the directory, the rest are shards.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct GroupId(pub u32);

impl GroupId {
    /// The group that knows all the others.
    pub const DIRECTORY: Self = Self(0);
}

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "group {}", self.0)
    }
}

/// What one log entry carries to the machine: the leader's clock and bytes that only the machine reads.
#[derive(Clone, PartialEq, Eq)]
pub struct Parcel {
    /// The leader's clock when it was proposed, in nanoseconds. A proposal: the machine keeps its own clock rising
    /// whatever a leader says.
    pub stamp: u64,
    /// At most [`PARCEL_BYTES_MAX`].
    pub body: Bytes,
}

/// The longest parcel: what the write-ahead log takes in one frame.
pub const PARCEL_BYTES_MAX: usize = 1 << 20;

impl fmt::Debug for Parcel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Parcel({} bytes, stamp {})", self.body.len(), self.stamp)
    }
}

impl fmt::Display for Parcel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What the machine answered to a parcel.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Answer(pub Bytes);

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({} bytes)", self.0.len())
    }
}

/// Where a member of a group is reached by its peers.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Peer {
    /// Host and port.
    pub address: String,
}

/// A place in a group's log.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LogPlace {
    /// The leader's term that proposed it.
    pub term: u64,
    /// From zero, without holes.
    pub index: u64,
}

/// The replication library's types.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Types;

impl RaftTypeConfig for Types {
    type D = Parcel;
    type R = Answer;
    type NodeId = u64;
    type Node = Peer;
    type Term = u64;
    type LeaderId = leader_id_std::LeaderId<u64, u64>;
    type Vote = openraft::impls::Vote<Self::LeaderId>;
    type Payload = EntryPayload<Parcel, u64, Peer>;
    type Entry =
        openraft::impls::Entry<openraft::type_config::alias::CommittedLeaderIdOf<Self>, Self::Payload>;
    type AsyncRuntime = TokioRuntime;
    type Responder<T>
        = openraft::impls::OneshotResponder<Self, T>
    where
        T: openraft::OptionalSend + 'static;
    type Batch<T>
        = openraft::impls::InlineBatch<T>
    where
        T: openraft::OptionalSend + 'static;
    type ErrorSource = openraft::impls::BoxedErrorSource;
}

pub(crate) type Entry = openraft::type_config::alias::EntryOf<Types>;
pub(crate) type LogId = openraft::type_config::alias::LogIdOf<Types>;
pub(crate) type Vote = openraft::type_config::alias::VoteOf<Types>;
pub(crate) type CommittedLeader = openraft::type_config::alias::CommittedLeaderIdOf<Types>;
pub(crate) type LeaderId = openraft::type_config::alias::LeaderIdOf<Types>;
pub(crate) type Membership = openraft::Membership<u64, Peer>;
pub(crate) type StoredMembership = openraft::type_config::alias::StoredMembershipOf<Types>;

impl LogPlace {
    pub(crate) fn of(id: LogId) -> Self {
        Self { term: *id.leader_id, index: id.index }
    }
    pub(crate) fn log_id(self) -> LogId {
        LogId { leader_id: CommittedLeader::new(self.term), index: self.index }
    }
}
