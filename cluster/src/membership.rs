//! Who belongs to a group: what its leader is asked about that, and the next step from what is to what is wanted.
//!
//! A new member first gets the log, without a vote. When it has nearly all of it, it votes; only then the old ones
//! leave, and a leader that is to leave hands over before. So a group never has fewer members with all entries than
//! it had before.

use crate::ask::Members;
use crate::fault::ServeFault;
use bytes::Bytes;
use fen_api::wire;
use fen_net::NodeId;
use fen_raft::{Group, GroupId, GroupStatus, Machine, Peer};
use prost::Message;
use std::collections::BTreeSet;

/// So many entries behind, a member has caught up.
const CAUGHT_UP: u64 = 64;

/// Answers what a group's leader is asked about its members.
pub(crate) async fn serve<M: Machine>(group: &Group<M>, asked: Members) -> Result<Bytes, ServeFault> {
    let status = group.status();
    if !status.leads {
        return Err(ServeFault::NotLeader(status.leader));
    }
    match asked {
        Members::Standing => return Ok(Bytes::from(status_message(group.id(), &status).encode_to_vec())),
        Members::Invite(node) => group.invite(NodeId(node.id), Peer { address: node.peer_address }).await?,
        Members::Voters(nodes) => group.set_voters(nodes.ids.into_iter().map(NodeId).collect()).await?,
        Members::Dismiss(nodes) => group.dismiss(nodes.ids.into_iter().map(NodeId).collect()).await?,
        Members::HandOver(to) => {
            let to = to.ids.first().copied().map(NodeId);
            let to = to.filter(|to| status.voters.contains(to)).ok_or_else(|| {
                ServeFault::Refused(format!("{} has no such voter to hand over to", group.id()))
            })?;
            group.transfer_leadership(to).await?;
        }
    }
    Ok(Bytes::new())
}

/// A group's standing as its message.
pub(crate) fn status_message(id: GroupId, status: &GroupStatus) -> wire::GroupStatus {
    let numbers = |nodes: &BTreeSet<NodeId>| nodes.iter().map(|node| node.0).collect();
    wire::GroupStatus {
        group: id.0,
        leader: status.leader.map_or(0, |leader| leader.0),
        term: status.term,
        last_index: status.last_index.unwrap_or(0),
        applied_index: status.applied.map_or(0, |place| place.index),
        voters: numbers(&status.voters),
        learners: numbers(&status.learners),
        lags: status
            .lag
            .iter()
            .map(|(node, entries)| wire::Lag { node: node.0, entries: *entries })
            .collect(),
        wanted: Vec::new(),
        slots: 0,
    }
}

/// What to do next for a group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// It is as wanted.
    Nothing,
    /// A node that shall vote is no member yet.
    Invite(u64),
    /// A new member lacks entries.
    Wait {
        /// Which.
        node: u64,
        /// How many; unknown before it has answered.
        entries: Option<u64>,
    },
    /// These vote from now on.
    Voters(Vec<u64>),
    /// The leader shall leave; this one takes over.
    HandOver(u64),
    /// These get the log and shall not.
    Dismiss(Vec<u64>),
}

/// The next step from what is to what is wanted: these voters, and these others who get the log without a vote.
pub(crate) fn next_step(now: &wire::GroupStatus, wanted: &[u64], readers: &[u64]) -> Step {
    let wanted: BTreeSet<u64> = wanted.iter().copied().collect();
    let voters: BTreeSet<u64> = now.voters.iter().copied().collect();
    let is_member = |node: &u64| voters.contains(node) || now.learners.contains(node);
    if wanted.is_empty() {
        return Step::Nothing;
    }
    if let Some(stranger) = wanted.iter().chain(readers).find(|node| !is_member(node)) {
        return Step::Invite(*stranger);
    }
    for node in wanted.difference(&voters) {
        let lag = now.lags.iter().find(|lag| lag.node == *node).map(|lag| lag.entries);
        if lag.is_none_or(|entries| entries > CAUGHT_UP) {
            return Step::Wait { node: *node, entries: lag };
        }
    }
    if !wanted.is_subset(&voters) {
        return Step::Voters(voters.union(&wanted).copied().collect());
    }
    if !wanted.contains(&now.leader) {
        let lag =
            |node: &&u64| now.lags.iter().find(|lag| lag.node == **node).map_or(u64::MAX, |lag| lag.entries);
        return wanted.iter().min_by_key(lag).map_or(Step::Nothing, |node| Step::HandOver(*node));
    }
    if voters != wanted {
        return Step::Voters(wanted.into_iter().collect());
    }
    let odd: Vec<u64> = now.learners.iter().copied().filter(|node| !readers.contains(node)).collect();
    if odd.is_empty() { Step::Nothing } else { Step::Dismiss(odd) }
}

impl Step {
    /// In words, for who watches; nothing where nothing is to be done.
    pub(crate) fn words(&self, group: GroupId) -> Option<String> {
        let name =
            if group == GroupId::DIRECTORY { "directory".to_owned() } else { format!("shard {}", group.0) };
        Some(match self {
            Self::Nothing => return None,
            Self::Invite(node) => format!("{name}: node {node} is invited"),
            Self::Wait { node, entries: Some(entries) } => {
                format!("{name}: node {node} lacks {entries} entries")
            }
            Self::Wait { node, entries: None } => format!("{name}: node {node} has not answered yet"),
            Self::Voters(nodes) => format!("{name}: nodes {nodes:?} become its voters"),
            Self::Dismiss(nodes) => format!("{name}: nodes {nodes:?} get its log no longer"),
            Self::HandOver(node) => format!("{name}: its leadership goes to node {node}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes every step as a group would, until nothing is left; the voters after each change.
    fn walk(now: wire::GroupStatus, wanted: &[u64]) -> Vec<Vec<u64>> {
        walk_with(now, wanted, &[])
    }

    fn walk_with(mut now: wire::GroupStatus, wanted: &[u64], readers: &[u64]) -> Vec<Vec<u64>> {
        let mut voters = Vec::new();
        for _step in 0..20 {
            match next_step(&now, wanted, readers) {
                Step::Nothing => {
                    assert_eq!(now.learners, readers, "nobody else gets the log");
                    return voters;
                }
                Step::Dismiss(nodes) => now.learners.retain(|node| !nodes.contains(node)),
                Step::Invite(node) => {
                    now.learners.push(node);
                    now.lags.push(wire::Lag { node, entries: 1_000 });
                }
                Step::Wait { node, .. } => {
                    let lag = now.lags.iter_mut().find(|lag| lag.node == node).unwrap();
                    lag.entries = 0;
                }
                Step::Voters(nodes) => {
                    assert!(nodes.contains(&now.leader), "a leader never votes itself out");
                    now.learners.retain(|node| !nodes.contains(node));
                    now.voters.clone_from(&nodes);
                    voters.push(nodes);
                }
                Step::HandOver(node) => {
                    assert!(now.voters.contains(&node));
                    now.leader = node;
                }
            }
        }
        panic!("it never ends: {now:?}");
    }

    #[test]
    fn every_change_ends_and_never_drops_a_member_before_its_successor_votes() {
        let group = |leader, voters: &[u64]| wire::GroupStatus {
            group: 1,
            leader,
            voters: voters.to_vec(),
            ..wire::GroupStatus::default()
        };
        assert_eq!(walk(group(1, &[1]), &[1, 2, 3]), [vec![1, 2, 3]]);
        assert_eq!(walk(group(2, &[1, 2, 3]), &[2, 3, 4]), [vec![1, 2, 3, 4], vec![2, 3, 4]]);
        assert_eq!(walk(group(1, &[1, 2, 3]), &[2, 3, 4]), [vec![1, 2, 3, 4], vec![2, 3, 4]]);
        assert_eq!(walk(group(1, &[1]), &[2]), [vec![1, 2], vec![2]]);
        assert_eq!(walk(group(1, &[1, 2, 3]), &[3, 2, 1]), Vec::<Vec<u64>>::new());
        // A member that was invited and is not wanted any more goes; one that only reads stays.
        let mut odd = group(1, &[1, 2, 3]);
        odd.learners = vec![5, 6];
        assert_eq!(walk_with(odd, &[1, 2, 3], &[6]), Vec::<Vec<u64>>::new());
        assert_eq!(walk_with(group(1, &[1]), &[1], &[2]), Vec::<Vec<u64>>::new());
        // Stopped half-way, it goes on from there: 4 is invited already, then voted in already.
        let mut half = group(1, &[1, 2, 3]);
        half.learners = vec![4];
        half.lags = vec![wire::Lag { node: 4, entries: 5 }];
        assert_eq!(walk(half, &[2, 3, 4]), [vec![1, 2, 3, 4], vec![2, 3, 4]]);
        assert_eq!(walk(group(4, &[1, 2, 3, 4]), &[2, 3, 4]), [vec![2, 3, 4]]);
    }
}
