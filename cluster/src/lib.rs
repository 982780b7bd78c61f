//! A node of a cluster: shards, the directory of who holds what, and the gateway that clients call.
//!
//! Follow one transfer: the [`gateway`] takes it in, [`split`] finds its shard, the [`router`] the shard's leader;
//! there the [`teller`] gathers it with others into a [`parcel`], the group makes it durable on a majority, the
//! [`shard`]'s machine applies it, and its result goes the same way back.
//!
//! Every node serves every call. What it leads it answers itself, the rest it passes on, once.

pub mod ask;
pub mod books;
pub mod clock;
pub mod config;
pub mod crossing;
pub mod directory;
mod door;
pub mod fault;
mod figures;
pub mod gateway;
pub mod image;
pub mod local;
mod membership;
mod mend;
pub mod node;
pub mod parcel;
mod reads;
mod rest;
pub mod route;
pub mod router;
pub mod shard;
pub mod split;
mod steward;
pub mod teller;
pub mod vault;
pub mod world;

pub use config::{Certificates, Config, Limits, SecurityConfig, TempoConfig};
pub use fault::{NodeFault, ServeFault};
pub use node::Node;
pub use world::{ClientDoor, World};
