//! Why a node did not do what it was asked.

use fen_net::{NetFault, NodeId};
use fen_raft::GroupFault;
use fen_store::wal::WalFault;
use std::io;
use thiserror::Error;

/// What a client hears instead of an answer.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum ServeFault {
    /// Another node leads, or none at the moment.
    #[error("another node leads this shard")]
    NotLeader(Option<NodeId>),
    /// More is waiting than this node can hold; nothing was done.
    #[error("busy: ask again in a moment")]
    Busy,
    /// A disk is full: nothing was done, and nothing is written until there is room. Reads go on.
    #[error("{0}")]
    NoRoom(String),
    /// No answer now; whether it was done is not known.
    #[error("{0}")]
    Unavailable(String),
    /// The request itself is wrong; nothing was done.
    #[error("{0}")]
    Refused(String),
}

impl From<GroupFault> for ServeFault {
    fn from(fault: GroupFault) -> Self {
        match fault {
            GroupFault::NotLeader { leader } => Self::NotLeader(leader.map(|(node, _)| node)),
            GroupFault::Refused(reason) => Self::Refused(reason),
            GroupFault::Lost | GroupFault::NoMajority(_) | GroupFault::Stopped(_) => {
                Self::Unavailable(fault.to_string())
            }
        }
    }
}

/// Why a node cannot start, or had to stop.
#[derive(Debug, Error)]
pub enum NodeFault {
    /// The configuration is wrong.
    #[error("{file}: {reason}")]
    Config {
        /// Which file.
        file: String,
        /// Which key, and the mend.
        reason: String,
    },
    /// The data directory cannot be used.
    #[error("data directory: {0}")]
    Data(String),
    /// The write-ahead log cannot be used.
    #[error("log: {0}")]
    Log(#[from] WalFault),
    /// The network cannot be used.
    #[error("network: {0}")]
    Net(#[from] NetFault),
    /// Replication does not run.
    #[error("replication: {0}")]
    Group(#[from] GroupFault),
    /// The clients' side cannot be served.
    #[error("clients' address: {0}")]
    Gateway(String),
    /// The operating system's word.
    #[error(transparent)]
    Io(#[from] io::Error),
}
