//! `fen cluster`: founds a cluster and looks after it.

use crate::exit::{Exit, Failure, say};
use crate::reach::{Reach, failure, wait};
use clap::{Args, Subcommand};
use fen_api::{Client, ClientOptions, wire};
use fen_cluster::Config;
use serde_json::json;
use std::fmt::Write as _;
use std::path::PathBuf;

/// Found a cluster and look after it.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Init(Init),
    Status(Status),
    TransferLeader(TransferLeader),
}

/// Found a cluster out of nodes that are running. Said twice, it changes nothing the second time.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  fen cluster init --shards 1 node-1.toml node-2.toml node-3.toml")]
struct Init {
    /// How many shards; customers are spread over them for ever.
    #[arg(long, default_value_t = 1)]
    shards: u32,
    /// The configurations of all founding nodes; the first one's certificates are used.
    #[arg(value_name = "CONFIG", required = true)]
    configs: Vec<PathBuf>,
}

/// Show nodes, groups, leaders and how far behind members are, as one node sees it.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  fen cluster status --endpoint 127.0.0.1:7001 --certificates fen-dev")]
struct Status {
    #[command(flatten)]
    reach: Reach,
}

/// Hand the leadership of a group to another of its members. Ask the node that leads it now.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  fen cluster transfer-leader --group 1 --to 2 --endpoint 127.0.0.1:7001 --certificates fen-dev")]
struct TransferLeader {
    /// The group: 0 is the directory, the rest are shards.
    #[arg(long)]
    group: u32,
    /// The node that shall lead it.
    #[arg(long)]
    to: u64,
    #[command(flatten)]
    reach: Reach,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments, json: bool) -> Result<Exit, Failure> {
    match &arguments.command {
        Command::Init(init) => {
            let configs = init.configs.iter().map(|file| Config::read(file)).collect::<Result<Vec<_>, _>>();
            let configs = configs.map_err(|fault| Failure::usage(fault.to_string()))?;
            wait(found(&configs, init.shards))?;
            let nodes = configs.len();
            let text = if json {
                format!("{}\n", json!({"nodes": nodes, "shards": init.shards}))
            } else {
                format!("the cluster is founded: {nodes} nodes, {} shards\n", init.shards)
            };
            say(&text)?;
        }
        Command::Status(status) => {
            let reply = wait(async { status.reach.client()?.status().await.map_err(failure) })?;
            say(&if json { status_json(&reply) } else { status_text(&reply) })?;
        }
        Command::TransferLeader(transfer) => {
            wait(async {
                let client = transfer.reach.client()?;
                client.transfer_leader(transfer.group, transfer.to).await.map_err(failure)
            })?;
        }
    }
    Ok(Exit::Done)
}

/// Founds a cluster of nodes that are running with these configurations.
pub(crate) async fn found(configs: &[Config], shards: u32) -> Result<(), Failure> {
    let first = configs.first().ok_or_else(|| Failure::usage("no configuration of any node"))?;
    let certificates = first.certificates().map_err(|fault| Failure::usage(fault.to_string()))?;
    let security = certificates.map(|pem| pem.client_security());
    let options = ClientOptions { security, ..ClientOptions::default() };
    let client = Client::new(&[first.client_address.to_string()], options).map_err(failure)?;
    let node = |config: &Config| wire::Node {
        id: config.node,
        peer_address: config.peer_address.to_string(),
        client_address: config.client_address.to_string(),
    };
    client.init(configs.iter().map(node).collect(), shards).await.map_err(failure)
}

fn status_text(reply: &wire::StatusReply) -> String {
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
        let Ok(()) = writeln!(
            text,
            "  {name}: {leader}, term {}, entry {} applied, voters {:?}{behind}",
            group.term, group.applied_index, group.voters
        ) else {
            continue;
        };
    }
    if reply.groups.len() < 2 {
        text.push_str("  no shard here yet: fen cluster init\n");
    }
    text
}

fn status_json(reply: &wire::StatusReply) -> String {
    let nodes = reply.nodes.iter().map(
        |node| json!({"node": node.id, "peer_address": node.peer_address, "client_address": node.client_address}),
    );
    let groups = reply.groups.iter().map(|group| {
        let lags = group.lags.iter().map(|lag| json!({"node": lag.node, "entries": lag.entries}));
        json!({
            "group": group.group, "leader": group.leader, "term": group.term, "last_index": group.last_index,
            "applied_index": group.applied_index, "voters": group.voters, "learners": group.learners,
            "lags": lags.collect::<Vec<_>>(),
        })
    });
    let status = json!({
        "cluster": reply.cluster_id, "node": reply.node, "nodes": nodes.collect::<Vec<_>>(),
        "groups": groups.collect::<Vec<_>>(),
    });
    format!("{status}\n")
}
