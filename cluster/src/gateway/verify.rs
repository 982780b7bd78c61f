//! Every member of every shard adds its books up again, the members are held against each other, and the shards too.
//! Loans are looked at in calls of their own, some at a time: a fold takes its time, and payments go on in between.

use super::{Call, Gateway, not_founded};
use crate::ask::{self, Ask, Read};
use crate::fault::ServeFault;
use fen_api::batches::{self, ENTRIES_MAX};
use fen_api::{records, wire};
use fen_net::NodeId;
use fen_raft::GroupId;
use futures_util::future::join_all;
use std::time::Duration;
use tokio::time::Instant;

/// Between two rounds, while members are at different places of their log.
const PAUSE: Duration = Duration::from_millis(100);
/// For so long members may keep moving before they are compared as they are.
const ROUNDS_MAX: u32 = 20;

impl Gateway {
    /// What all members found, and what is wrong between them.
    pub(super) async fn verify(&self, call: &Call) -> Result<wire::VerifyReply, ServeFault> {
        let directory = self.office.router.directory();
        if !directory.is_founded() {
            return Err(not_founded());
        }
        let mut reply = wire::VerifyReply::default();
        for shard in &directory.shards {
            let group = GroupId(shard.group);
            let (members, faults) = self.verify_shard(group, &shard.holders, call.deadline).await;
            reply.members.extend(members);
            reply.faults.extend(faults);
        }
        reply.faults.extend(self.verify_files(call.deadline).await?);
        if directory.shards.len() > 1 {
            let (crossed, faults) = self.verify_clearing(call).await;
            reply.crossed = crossed;
            reply.faults.extend(faults);
        }
        Ok(reply)
    }

    /// A member looks at some of its loans.
    pub(super) async fn verify_loans(
        &self,
        asked: wire::VerifyLoansRequest,
        call: &Call,
    ) -> Result<wire::VerifyLoansReply, ServeFault> {
        let (node, group) = (NodeId(asked.node), GroupId(asked.group));
        let question = Read::AuditLives(asked);
        let answer = self.office.router.ask_member(node, group, &question, call.deadline).await?;
        ask::read(answer).map_err(ServeFault::Unavailable)
    }

    /// What is wrong with the registry of payment files, which the directory's group keeps.
    async fn verify_files(&self, deadline: Instant) -> Result<Vec<String>, ServeFault> {
        let mut faults = Vec::new();
        let mut after = None;
        loop {
            let query = wire::BatchQuery { after, limit: ENTRIES_MAX, ..wire::BatchQuery::default() };
            let answer = self.office.router.ask_directory(&Ask::Batches(query), deadline).await?;
            let list: wire::BatchList = ask::read(answer).map_err(ServeFault::Unavailable)?;
            if list.entries.is_empty() {
                return Ok(faults);
            }
            for message in list.entries {
                let key = message.file.as_ref().and_then(|file| file.key);
                match batches::entry(message) {
                    Some(entry) => faults.extend(entry.fault(records::wide(key))),
                    None => faults.push("a payment file of the registry cannot be read".to_owned()),
                }
                after = key;
            }
        }
    }

    /// Asks all members of a shard until they answer for the same place of their log: one digest then.
    async fn verify_shard(
        &self,
        group: GroupId,
        holders: &[u64],
        deadline: Instant,
    ) -> (Vec<wire::MemberAudit>, Vec<String>) {
        for round in 1.. {
            let asking = holders.iter().map(|node| async move {
                let asked = self.office.router.ask_member(NodeId(*node), group, &Read::Audit, deadline).await;
                let audit = asked.and_then(|answer| {
                    ask::read::<wire::MemberAudit>(answer).map_err(ServeFault::Unavailable)
                });
                audit
                    .map(|audit| wire::MemberAudit { group: group.0, node: *node, ..audit })
                    .map_err(|fault| format!("shard {}: node {node} does not answer: {fault}", group.0))
            });
            let (mut members, mut faults) = (Vec::new(), Vec::new());
            for answered in join_all(asking).await {
                match answered {
                    Ok(audit) => members.push(audit),
                    Err(fault) => faults.push(fault),
                }
            }
            let is_even = members.windows(2).all(|pair| pair[0].commands == pair[1].commands);
            let is_late = round >= ROUNDS_MAX || Instant::now() + PAUSE >= deadline;
            if !is_even && !is_late {
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            faults.extend(differences(group, &members));
            return (members, faults);
        }
        (Vec::new(), Vec::new())
    }
}

/// What is wrong between the members of one shard.
fn differences(group: GroupId, members: &[wire::MemberAudit]) -> Vec<String> {
    let mut faults = Vec::new();
    for (place, one) in members.iter().enumerate() {
        for other in &members[place + 1..] {
            if one.commands == other.commands && one.digest != other.digest {
                faults.push(format!(
                    "shard {}: nodes {} and {} have taken the same {} commands and have different books",
                    group.0, one.node, other.node, one.commands
                ));
            }
            if one.commands != other.commands {
                faults.push(format!(
                    "shard {}: nodes {} and {} could not be compared, {} and {} commands: ask again when fewer \
                     payments come in",
                    group.0, one.node, other.node, one.commands, other.commands
                ));
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_at_one_place_have_one_digest_or_are_named() {
        let member = |node, commands, digest: u8| wire::MemberAudit {
            node,
            commands,
            digest: vec![digest; 32],
            ..wire::MemberAudit::default()
        };
        let of = |members: &[wire::MemberAudit]| differences(GroupId(1), members);
        assert!(of(&[member(1, 9, 7), member(2, 9, 7), member(3, 9, 7)]).is_empty());
        let found = of(&[member(1, 9, 7), member(2, 9, 8), member(3, 9, 7)]);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("nodes 1 and 2") && found[0].contains("different books"));
        assert!(of(&[member(1, 9, 7), member(2, 10, 8)])[0].contains("could not be compared"));
    }
}
