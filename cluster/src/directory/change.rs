//! Changes of the directory, and the rules they keep: the same on every node, refused with a reason.

use super::{
    Directory, KEEPERS, NodeEntry, ProductEntry, REPLICAS, SHARDS_MAX, ShardEntry, SlotRun, VERSION,
};
use crate::route::SLOTS;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Products that a cluster keeps, versions counted, at most.
const PRODUCTS_MAX: usize = 4_096;

/// A change of the directory. Asked for twice, it is done once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Change {
    /// The first: these nodes, so many shards.
    Found {
        /// By id.
        nodes: BTreeMap<u64, NodeEntry>,
        /// At least one, at most [`SHARDS_MAX`].
        shards: u32,
    },
    /// A node joins. Shards with fewer than [`REPLICAS`] members are to have it as one.
    Join {
        /// Its id, never used before.
        node: u64,
        /// Where it is.
        entry: NodeEntry,
    },
    /// A new node takes the place of a lost one, everywhere.
    Replace {
        /// The lost one.
        lost: u64,
        /// The new one's id, never used before.
        node: u64,
        /// Where that is.
        entry: NodeEntry,
    },
    /// A member of a shard's group moves to another node.
    Move {
        /// The shard.
        group: u32,
        /// From here.
        from: u64,
        /// To here.
        to: u64,
    },
    /// A new shard, without slots at first.
    AddShard {
        /// Its number: the next one.
        group: u32,
        /// Its members.
        nodes: Vec<u64>,
    },
    /// Every other member that is about to leave a shard has left it.
    Settled {
        /// The shard.
        group: u32,
    },
    /// A node that was leaving is in no group any more.
    Retire {
        /// Which.
        node: u64,
    },
    /// A product, for every shard there is and will be.
    PutProduct(ProductEntry),
    /// A shard has so many of the products on its shelf.
    Shelved {
        /// The shard.
        group: u32,
        /// How many, from the first on.
        count: usize,
    },
    /// A day is to be closed on every shard, and all days before it.
    CloseDay {
        /// Counted from 1970-01-01.
        through: i32,
    },
}

impl Change {
    /// As the log carries it.
    pub fn encode(&self) -> Bytes {
        Bytes::from(serde_json::to_vec(self).expect("a change is plain data"))
    }
}

impl Directory {
    /// Makes a change, or says why not; after a refusal the directory must not be used.
    pub(super) fn change(&mut self, change: Change) -> Result<(), String> {
        if !matches!(change, Change::Found { .. }) && !self.is_founded() {
            return Err("the cluster has not been founded yet: fen cluster init".to_owned());
        }
        match change {
            Change::Found { nodes, shards } => self.found(nodes, shards),
            Change::Join { node, entry } => self.join(node, entry),
            Change::Replace { lost, node, entry } => self.replace(lost, node, entry),
            Change::Move { group, from, to } => self.move_replica(group, from, to),
            Change::AddShard { group, nodes } => self.add_shard(group, nodes),
            Change::Settled { group } => {
                let shard = self.shard_mut(group)?;
                shard.holders.clone_from(&shard.wanted);
                Ok(())
            }
            Change::Retire { node } => self.retire(node),
            Change::PutProduct(product) => self.put_product(product),
            Change::Shelved { group, count } => {
                let most = self.products.len();
                let shard = self.shard_mut(group)?;
                shard.shelved = shard.shelved.max(count.min(most));
                Ok(())
            }
            Change::CloseDay { through } => {
                self.closed_through = self.closed_through.max(Some(through));
                Ok(())
            }
        }
    }

    fn shard_mut(&mut self, group: u32) -> Result<&mut ShardEntry, String> {
        let unknown = || format!("there is no shard {group}");
        self.shards.iter_mut().find(|shard| shard.group == group).ok_or_else(unknown)
    }

    fn found(&mut self, nodes: BTreeMap<u64, NodeEntry>, shards: u32) -> Result<(), String> {
        if self.is_founded() {
            return Err("the cluster has been founded already".to_owned());
        }
        if nodes.is_empty() || shards == 0 || shards > SHARDS_MAX {
            return Err(format!("a cluster has nodes, and 1 to {SHARDS_MAX} shards"));
        }
        let ids: Vec<u64> = nodes.keys().copied().collect();
        let share = |shard: u32| {
            let from = usize::try_from(shard).unwrap_or(0);
            (0..REPLICAS.min(ids.len())).map(|next| ids[(from + next) % ids.len()]).collect::<Vec<u64>>()
        };
        let entry = |shard: u32| ShardEntry {
            group: shard + 1,
            founders: share(shard),
            holders: share(shard),
            wanted: share(shard),
            shelved: 0,
        };
        self.shards = (0..shards).map(entry).collect();
        let first = |shard: u32| u16::try_from(u32::from(SLOTS) * shard / shards).unwrap_or(SLOTS);
        self.slots = (0..shards).map(|shard| SlotRun { first: first(shard), group: shard + 1 }).collect();
        // All founders found the directory's group; who keeps it of a larger cluster is settled later.
        self.keepers = ids.iter().copied().take(KEEPERS).collect();
        self.nodes = nodes;
        self.version = VERSION;
        Ok(())
    }

    /// A node that is new, under an id and at addresses that nobody has.
    fn admit(&mut self, node: u64, entry: NodeEntry) -> Result<(), String> {
        if node == 0 {
            return Err("node: 0 is no node; count from 1".to_owned());
        }
        if self.retired.contains(&node) || self.nodes.contains_key(&node) {
            return Err(format!("node {node}: the id is taken; a new node needs one that was never used"));
        }
        let is_taken = |other: &NodeEntry| {
            other.peer_address == entry.peer_address || other.client_address == entry.client_address
        };
        if let Some((other, _)) =
            self.nodes.iter().find(|(id, other)| is_taken(other) && !self.leaving.contains(id))
        {
            return Err(format!("node {node}: node {other} has one of its addresses"));
        }
        self.nodes.insert(node, entry);
        Ok(())
    }

    fn join(&mut self, node: u64, entry: NodeEntry) -> Result<(), String> {
        if self.nodes.get(&node) == Some(&entry) && !self.leaving.contains(&node) {
            return Ok(());
        }
        self.admit(node, entry)?;
        if self.keepers.len() < KEEPERS {
            self.keepers.push(node);
        }
        for shard in &mut self.shards {
            if shard.wanted.len() < REPLICAS {
                shard.wanted.push(node);
                shard.holders.push(node);
            }
        }
        Ok(())
    }

    fn replace(&mut self, lost: u64, node: u64, entry: NodeEntry) -> Result<(), String> {
        let is_leaving = self.retired.contains(&lost) || self.leaving.contains(&lost);
        if is_leaving && self.nodes.get(&node) == Some(&entry) {
            return Ok(());
        }
        if is_leaving || !self.nodes.contains_key(&lost) {
            return Err(format!("node {lost}: there is none to be replaced"));
        }
        self.leaving.insert(lost);
        self.admit(node, entry)?;
        let swap = |ids: &mut Vec<u64>| match ids.iter_mut().find(|id| **id == lost) {
            Some(id) => {
                *id = node;
                true
            }
            None => false,
        };
        swap(&mut self.keepers);
        for shard in &mut self.shards {
            if swap(&mut shard.wanted) {
                shard.holders.push(node);
            }
        }
        Ok(())
    }

    fn move_replica(&mut self, group: u32, from: u64, to: u64) -> Result<(), String> {
        if !self.nodes.contains_key(&to) || self.leaving.contains(&to) {
            return Err(format!("node {to}: there is no such node; add it first"));
        }
        let shard = self.shard_mut(group)?;
        let (is_from, is_to) = (shard.wanted.contains(&from), shard.wanted.contains(&to));
        if !is_from && is_to {
            return Ok(());
        }
        if !is_from {
            return Err(format!("node {from}: it is no member of shard {group}"));
        }
        if is_to {
            return Err(format!("node {to}: it is a member of shard {group} already"));
        }
        shard.wanted.retain(|node| *node != from);
        shard.wanted.push(to);
        if !shard.holders.contains(&to) {
            shard.holders.push(to);
        }
        Ok(())
    }

    fn add_shard(&mut self, group: u32, nodes: Vec<u64>) -> Result<(), String> {
        if self.shards.iter().any(|shard| shard.group == group && shard.founders == nodes) {
            return Ok(());
        }
        let next = self.shards.last().map_or(1, |shard| shard.group + 1);
        if group != next || next > SHARDS_MAX {
            return Err(format!("the next shard is {next}, and a cluster has at most {SHARDS_MAX}"));
        }
        let mut known = nodes.clone();
        known.sort_unstable();
        known.dedup();
        let is_there = |node: &u64| self.nodes.contains_key(node) && !self.leaving.contains(node);
        if nodes.is_empty() || known.len() != nodes.len() || !nodes.iter().all(is_there) {
            return Err("a shard has one or more nodes of the cluster, each once".to_owned());
        }
        self.shards.push(ShardEntry {
            group,
            founders: nodes.clone(),
            holders: nodes.clone(),
            wanted: nodes,
            shelved: 0,
        });
        Ok(())
    }

    fn retire(&mut self, node: u64) -> Result<(), String> {
        if !self.leaving.contains(&node) || self.shards.iter().any(|shard| shard.holders.contains(&node)) {
            return Err(format!("node {node}: it is not on its way out, or still holds a shard"));
        }
        self.leaving.remove(&node);
        self.nodes.remove(&node);
        self.retired.insert(node);
        Ok(())
    }

    fn put_product(&mut self, product: ProductEntry) -> Result<(), String> {
        let last = self.products.iter().rev().find(|other| other.id == product.id);
        if last == Some(&product) {
            return Ok(());
        }
        if last.is_some_and(|last| last.ledger != product.ledger) {
            return Err("ledger_must_not_change".to_owned());
        }
        if self.products.len() >= PRODUCTS_MAX {
            return Err(format!("a cluster keeps {PRODUCTS_MAX} products, versions counted, at most"));
        }
        self.products.push(product);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(port: u16) -> NodeEntry {
        NodeEntry { peer_address: format!("h:{port}"), client_address: format!("h:{}", port + 1) }
    }

    fn founded(nodes: u64) -> Directory {
        let mut directory = Directory::default();
        let port = |node: u64| u16::try_from(node * 10).unwrap();
        let nodes = (1..=nodes).map(|node| (node, entry(port(node)))).collect();
        directory.change(Change::Found { nodes, shards: 2 }).unwrap();
        directory
    }

    #[test]
    fn a_cluster_grows_and_a_change_asked_for_twice_is_done_once() {
        let mut directory = founded(1);
        for (node, port) in [(2, 20), (3, 30), (4, 40)] {
            let join = Change::Join { node, entry: entry(port) };
            directory.change(join.clone()).unwrap();
            let once = directory.clone();
            directory.change(join).unwrap();
            assert_eq!(directory, once);
        }
        assert_eq!(directory.keepers, [1, 2, 3, 4]);
        assert!(directory.shards.iter().all(|shard| shard.wanted == [1, 2, 3]), "three members, no more");
        let refused = |change| directory.clone().change(change).unwrap_err();
        assert!(refused(Change::Join { node: 4, entry: entry(50) }).contains("taken"));
        assert!(refused(Change::Join { node: 5, entry: entry(40) }).contains("node 4 has one"));
        assert!(refused(Change::Move { group: 1, from: 4, to: 4 }).contains("no member"));
        assert!(refused(Change::Move { group: 1, from: 1, to: 2 }).contains("already"));
        assert!(refused(Change::Move { group: 9, from: 1, to: 4 }).contains("no shard 9"));
        let away = Change::Move { group: 1, from: 1, to: 4 };
        directory.change(away.clone()).unwrap();
        directory.change(away).unwrap();
        assert_eq!(directory.shards[0].wanted, [2, 3, 4]);
        assert_eq!(directory.shards[0].holders, [1, 2, 3, 4], "until it has left");
        directory.change(Change::Settled { group: 1 }).unwrap();
        assert_eq!(directory.shards[0].holders, [2, 3, 4]);
    }

    #[test]
    fn a_lost_node_is_replaced_everywhere_and_its_id_never_comes_back() {
        let mut directory = founded(3);
        let replace = Change::Replace { lost: 2, node: 4, entry: entry(20) };
        directory.change(replace.clone()).unwrap();
        directory.change(replace.clone()).unwrap();
        assert_eq!(directory.keepers, [1, 4, 3]);
        assert!(directory.shards.iter().all(|shard| shard.wanted.contains(&4) && !shard.wanted.contains(&2)));
        assert!(directory.clone().change(Change::Retire { node: 2 }).is_err(), "it holds shards still");
        for group in [1, 2] {
            directory.change(Change::Settled { group }).unwrap();
        }
        directory.change(Change::Retire { node: 2 }).unwrap();
        directory.change(replace).unwrap();
        let again = directory.change(Change::Join { node: 2, entry: entry(90) });
        assert!(again.unwrap_err().contains("never used"));
    }

    #[test]
    fn products_are_kept_in_order_and_keep_their_currency() {
        let mut directory = founded(1);
        let product = |ledger, command: &str| {
            Change::PutProduct(ProductEntry { id: "7".into(), ledger, command: command.into() })
        };
        for command in ["aa", "aa", "bb", "aa"] {
            directory.change(product(156, command)).unwrap();
        }
        assert_eq!(directory.products.len(), 3, "what is in force is not put again");
        assert_eq!(directory.change(product(840, "cc")), Err("ledger_must_not_change".into()));
        directory.change(Change::Shelved { group: 1, count: 99 }).unwrap();
        assert_eq!(directory.shards[0].shelved, 3);
    }
}
