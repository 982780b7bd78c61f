//! Node to node: frames over TCP (or another [`Wire`]), with TLS, in lanes.
//!
//! A *lane* is a connection with one purpose, so that a snapshot never delays a heartbeat and a heartbeat never
//! waits behind a megabyte of entries. Within a lane frames keep their order, and many requests are under way at
//! once, told apart by their id.
//!
//! **Invariants.** A frame is handed on only if the checksums over its header and its body are right. A length is
//! believed only after the header's checksum. Everything is bounded: the body by its lane's limit, the frames that
//! wait to be sent, the connections, the time that a stranger may take to say who he is. A peer speaks only after
//! a [`hello`](Hello) that names protocol, cluster, sender and receiver, and with TLS only under the name that its
//! certificate bears.
//!
//! Deliberately absent: what the frames say (the replication's business), retries (the caller knows whether a
//! request may be sent twice), discovery.
//!
//! Tested in `tests/net.rs`: exchange, order, limits, garbled and truncated frames, strangers.

mod connection;
mod fault;
mod frame;
mod hello;
mod links;
mod listener;
mod security;
mod wire;

pub use fault::NetFault;
pub use frame::{Body, Frame, HEADER_BYTES, Kind, Lane};
pub use hello::{ClusterId, Hello, NodeId, PROTOCOL_VERSION};
pub use links::{Call, CallSender, Link, Links};
pub use listener::{Listener, Outbox, Receive, Session, Stop};
pub use security::{Authority, NODES_NAME, Security, node_name};
pub use wire::{Door, Pipe, Stream, Tcp, Wire, Wired};
