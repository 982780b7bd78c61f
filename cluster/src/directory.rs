//! Group 0: who holds what, and what shall become of it. Nodes, shards and their members, which slot lies on which
//! shard, the products, the days that are closed, and beside them the registry of payment files.
//!
//! It is small, and changes seldom; every node holds all of it. Its commands and its image are JSON with a version,
//! so that a person can read them and an older node can refuse what it does not know.
//!
//! **The plan.** An operator changes only what is *wanted*: which nodes shall be a group's voters. The node that leads
//! this group compares what is wanted with what is, and takes the next step (see `steward`). So
//! there is nothing to resume: whoever leads next compares again.

mod change;
mod machine;

pub use change::Change;
pub use machine::DirectoryMachine;
pub(crate) use machine::registry_parcel;

use crate::route::Slot;
use fen_net::NodeId;
use fen_raft::GroupId;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

const VERSION: u32 = 1;
/// Shards of one cluster, at most.
pub const SHARDS_MAX: u32 = 256;
/// Members of one shard's group, where there are so many nodes.
pub const REPLICAS: usize = 3;
/// Voters of the directory's own group, where there are so many nodes.
pub const KEEPERS: usize = 5;

/// A node as others reach it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct NodeEntry {
    /// Where its peers reach it, host and port.
    pub peer_address: String,
    /// Where clients reach it, host and port.
    pub client_address: String,
}

/// A shard's group.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct ShardEntry {
    /// The group's number, from 1.
    pub group: u32,
    /// The nodes that founded it. Who belongs to it now, the group itself knows.
    pub founders: Vec<u64>,
    /// All nodes that hold it or are about to.
    pub holders: Vec<u64>,
    /// The nodes that shall be its voters.
    #[serde(default)]
    pub wanted: Vec<u64>,
    /// How many of the directory's products, from the first on, lie on its shelf.
    #[serde(default)]
    pub shelved: usize,
}

/// A product as it was put, for the shards to take in this order.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct ProductEntry {
    /// The product's id, in decimal.
    pub id: String,
    /// Its currency.
    pub ledger: u32,
    /// The book's command, in hex.
    pub command: String,
}

/// A run of slots on one shard.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
struct SlotRun {
    first: u16,
    group: u32,
}

/// What the directory says.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct Directory {
    version: u32,
    /// By id.
    pub nodes: BTreeMap<u64, NodeEntry>,
    /// In order of their groups.
    pub shards: Vec<ShardEntry>,
    slots: Vec<SlotRun>,
    /// The nodes that shall vote on the directory itself.
    #[serde(default)]
    pub keepers: Vec<u64>,
    /// Nodes that are on their way out.
    #[serde(default)]
    pub leaving: BTreeSet<u64>,
    /// Nodes that are gone; their ids are never given again.
    #[serde(default)]
    retired: BTreeSet<u64>,
    /// All products, in the order in which they were put.
    #[serde(default)]
    pub products: Vec<ProductEntry>,
    /// The last day that is closed, or is being closed, on every shard.
    #[serde(default)]
    pub closed_through: Option<i32>,
}

impl Directory {
    /// What an earlier release did not write is as it was then: all holders are voters, all nodes keep the directory.
    fn complete(&mut self) {
        for shard in &mut self.shards {
            if shard.wanted.is_empty() {
                shard.wanted.clone_from(&shard.holders);
            }
        }
        if self.keepers.is_empty() {
            self.keepers = self.nodes.keys().copied().collect();
        }
    }

    /// Whether the cluster has been founded.
    pub fn is_founded(&self) -> bool {
        !self.shards.is_empty()
    }

    /// The shard that holds a slot; `None` before the founding.
    pub fn shard_of(&self, slot: Slot) -> Option<GroupId> {
        let after = self.slots.partition_point(|run| run.first <= slot.number());
        self.slots.get(after.checked_sub(1)?).map(|run| GroupId(run.group))
    }

    /// A shard's entry.
    pub fn shard(&self, group: GroupId) -> Option<&ShardEntry> {
        self.shards.iter().find(|shard| shard.group == group.0)
    }

    /// A node's entry.
    pub fn node(&self, node: NodeId) -> Option<&NodeEntry> {
        self.nodes.get(&node.0)
    }

    /// How many slots a shard holds.
    pub fn slots_of(&self, group: GroupId) -> u32 {
        let ends = self.slots.iter().skip(1).map(|run| run.first).chain([crate::route::SLOTS]);
        let runs = self.slots.iter().zip(ends).filter(|(run, _)| run.group == group.0);
        runs.map(|(run, end)| u32::from(end - run.first)).sum()
    }

    /// The version of a product that was put last.
    pub fn product(&self, id: u128) -> Option<&ProductEntry> {
        let id = id.to_string();
        self.products.iter().rev().find(|product| product.id == id)
    }
}
