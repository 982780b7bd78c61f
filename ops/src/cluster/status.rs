//! How the cluster stands, for people and for machines.

use fen_api::wire;
use serde_json::json;
use std::fmt::Write as _;

/// For people.
pub(super) fn text(reply: &wire::StatusReply, plan: &[String]) -> String {
    let mut text = format!("cluster {}, seen from node {}\n", reply.cluster_id, reply.node);
    for node in &reply.nodes {
        let Ok(()) = writeln!(
            text,
            "  node {}: peers {}, clients {}",
            node.id, node.peer_address, node.client_address
        ) else {
            continue;
        };
    }
    for group in &reply.groups {
        let name = if group.group == 0 { "directory".to_owned() } else { format!("shard {}", group.group) };
        let leader = if group.leader == 0 {
            "nobody leads".to_owned()
        } else {
            format!("node {} leads", group.leader)
        };
        let behind: Vec<String> = group
            .lags
            .iter()
            .filter(|lag| lag.entries > 0)
            .map(|lag| format!("node {} lacks {}", lag.node, lag.entries))
            .collect();
        let behind = if behind.is_empty() { String::new() } else { format!("; {}", behind.join(", ")) };
        let slots = if group.group == 0 { String::new() } else { format!(", {} of 4096 slots", group.slots) };
        let Ok(()) = writeln!(
            text,
            "  {name}: {leader}, term {}, entry {} applied, voters {:?}{slots}{behind}",
            group.term, group.applied_index, group.voters
        ) else {
            continue;
        };
    }
    if reply.groups.len() < 2 {
        text.push_str("  no shard here yet: fen cluster init\n");
    }
    for step in plan {
        text.push_str("  under way: ");
        text.push_str(step);
        text.push('\n');
    }
    text
}

/// For machines.
pub(super) fn json(reply: &wire::StatusReply, plan: &[String]) -> String {
    let nodes = reply.nodes.iter().map(
        |node| json!({"node": node.id, "peer_address": node.peer_address, "client_address": node.client_address}),
    );
    let groups = reply.groups.iter().map(|group| {
        let lags = group.lags.iter().map(|lag| json!({"node": lag.node, "entries": lag.entries}));
        json!({
            "group": group.group, "leader": group.leader, "term": group.term, "last_index": group.last_index,
            "applied_index": group.applied_index, "voters": group.voters, "learners": group.learners,
            "lags": lags.collect::<Vec<_>>(), "wanted": group.wanted, "slots": group.slots,
        })
    });
    let status = json!({
        "cluster": reply.cluster_id, "node": reply.node, "nodes": nodes.collect::<Vec<_>>(),
        "groups": groups.collect::<Vec<_>>(), "under_way": plan,
    });
    format!("{status}\n")
}
