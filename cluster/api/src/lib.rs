//! What clients call: the protocol in gRPC, the records in it, and a client that finds the leader.
//!
//! The protocol is `proto/fen.proto`; [`wire`] is what the compiler made of it. [`records`] turns its messages into
//! the book's records and back. [`Client`] is what every program in this house uses.

pub mod answers;
pub mod batches;
mod calls;
pub mod client;
pub mod export;
pub mod fault;
pub mod feed;
pub mod proofs;
pub mod records;
pub mod reports;
pub mod search;
pub mod statements;
mod together;

/// The protocol's messages and services, generated from `proto/fen.proto`.
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::pedantic,
    clippy::allow_attributes_without_reason,
    clippy::wildcard_enum_match_arm,
    reason = "generated"
)]
pub mod wire {
    tonic::include_proto!("fen.v1");
}

pub use client::{Client, ClientOptions, ClientSecurity};
pub use fault::ClientFault;
pub use feed::Feed;

/// The longest message on the wire, either way: a full batch of records and its frame.
pub const MESSAGE_BYTES_MAX: usize = 4 << 20;

/// The metadata key under which a node says where clients reach the leader.
pub const LEADER_KEY: &str = "fen-leader";

/// The metadata key under which a busy node says when to ask again, in milliseconds.
pub const RETRY_KEY: &str = "fen-retry-ms";

/// The metadata key with which a caller says who may answer a read: `member` is any member of the shard, as it has
/// the books; without it the leader answers, once a majority has confirmed that it leads.
pub const READ_KEY: &str = "fen-read";

/// The metadata key under which an answer by a member says how old it is at most, in milliseconds.
pub const AGE_KEY: &str = "fen-age-ms";
