//! Replication: many groups on a node, over one write-ahead log and one set of connections.
//!
//! A [`Group`] puts [`Parcel`]s into a log that a majority holds, and applies them to its [`Machine`] in the same
//! order on every member. This crate is the only one that knows which replication library does it.
//!
//! **Who runs.** One *scribe* thread writes for all groups ([`Scribe`]); each group has a *machine* thread that
//! owns its state ([`Machine`]); consensus and connections are tasks that hold neither. Requests to followers are
//! pipelined, and sent while the leader's own disk still writes.
//!
//! **What is durable when.** A vote, before it is given. An entry, before this node counts as one that has it. How
//! far a group is committed: with the next write, or within 50 ms; after a restart the machine is brought at least
//! so far from its last image. An image ([`Image`]), before the log behind it is thrown away.
//!
//! **What can go wrong.** A failed write stops the node ([`Scribe::failed`]); a machine that cannot go on stops
//! its group. A wiped node must come back under a new id: under the old one it could vote twice.
//!
//! Tested by the replication library's own suite for logs (`tests/suite.rs`) and by three nodes over loopback
//! (`tests/three.rs`).

mod adapter;
mod codec;
mod crew;
mod group;
mod log;
mod machine;
mod network;
#[cfg(feature = "planted")]
pub mod planted;
mod receive;
mod scribe;
mod tail;
mod words;

#[cfg(test)]
mod suite;

pub use crew::{Crew, Helper, Pace};
pub use group::{Group, GroupFault, GroupStatus, Members, Site, Tempo};
pub use machine::{Audience, Checkpoint, Image, ImageContent, Machine, Mark};
pub use receive::{Groups, Serve, forward};
pub use scribe::Scribe;
pub use words::{Answer, GroupId, LogPlace, PARCEL_BYTES_MAX, Parcel, Peer};
