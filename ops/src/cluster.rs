//! `fen cluster`: founds a cluster and looks after it.
//!
//! A change of members is kept by the cluster itself, which carries it out: the command only watches, and may be
//! killed and asked again at any time.

mod status;
mod watch;

use crate::exit::{Exit, Failure, say};
use crate::reach::{Reach, failure, wait};
use clap::{Args, Subcommand};
use fen_api::{Client, ClientOptions, wire};
use fen_cluster::Config;
use serde_json::json;
use std::path::{Path, PathBuf};

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
    AddNode(AddNode),
    ReplaceNode(ReplaceNode),
    MoveReplica(MoveReplica),
    AddShard(AddShard),
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

/// Add a node that runs and belongs to no cluster yet. Shards with fewer than three members get it as one.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  fen start --config node-4.toml &
  fen cluster add-node node-4.toml --endpoint 127.0.0.1:7001

Killed, the command may be given again; the cluster goes on with what was begun either way.")]
struct AddNode {
    /// The new node's configuration: an id that was never used, the cluster's id.
    #[arg(value_name = "CONFIG")]
    config: PathBuf,
    #[command(flatten)]
    watch: Watch,
}

/// Put a new node in the place of a lost one, in every group that it belonged to.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  fen start --config node-4.toml &
  fen cluster replace-node --lost 2 node-4.toml --endpoint 127.0.0.1:7001

The lost node's id is never used again: with its disk it lost its votes, and could give one twice.")]
struct ReplaceNode {
    /// The id of the node that is lost.
    #[arg(long)]
    lost: u64,
    /// The new node's configuration: an id that was never used; the lost one's addresses are free.
    #[arg(value_name = "CONFIG")]
    config: PathBuf,
    #[command(flatten)]
    watch: Watch,
}

/// Move a member of a shard's group to another node.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  fen cluster move-replica --group 1 --from 1 --to 4 --endpoint 127.0.0.1:7001")]
struct MoveReplica {
    /// The shard.
    #[arg(long)]
    group: u32,
    /// The node that it leaves.
    #[arg(long)]
    from: u64,
    /// The node that it goes to.
    #[arg(long)]
    to: u64,
    #[command(flatten)]
    watch: Watch,
}

/// Found a further shard on nodes of the cluster. It has every product and the business date, and no customers yet.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  fen cluster add-shard --nodes 3,4,5 --endpoint 127.0.0.1:7001

Customers stay where they are: this release moves no slots between shards, so say at the founding how many there are.")]
struct AddShard {
    /// The nodes that hold it.
    #[arg(long, value_delimiter = ',', required = true)]
    nodes: Vec<u64>,
    #[command(flatten)]
    watch: Watch,
}

/// Which cluster, and whether to wait.
#[derive(Args, Debug)]
struct Watch {
    #[command(flatten)]
    reach: Reach,
    /// Return when the cluster has kept the change, without waiting until it is carried out.
    #[arg(long)]
    detach: bool,
}

/// Hand the leadership of a group to another of its members.
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
            let (reply, plan) = wait(async {
                let client = status.reach.client()?;
                let reply = client.status().await.map_err(failure)?;
                // Before the founding, and while nobody leads the directory, there is no plan to be had.
                let founded = reply.groups.iter().any(|group| group.group > 0);
                let plan = if founded { client.plan().await.unwrap_or_default() } else { Vec::new() };
                Ok((reply, plan))
            })?;
            say(&if json { status::json(&reply, &plan) } else { status::text(&reply, &plan) })?;
        }
        Command::AddNode(add) => {
            let node = node_of(&add.config)?;
            let text = format!("node {} has joined", node.id);
            let change = async |client: &Client| client.add_node(node).await;
            watch::carry_out(&add.watch.reach, add.watch.detach, json, &text, change)?;
        }
        Command::ReplaceNode(replace) => {
            let (lost, node) = (replace.lost, node_of(&replace.config)?);
            let text = format!("node {} has taken the place of node {lost}", node.id);
            let change = async |client: &Client| client.replace_node(lost, node).await;
            watch::carry_out(&replace.watch.reach, replace.watch.detach, json, &text, change)?;
        }
        Command::MoveReplica(away) => {
            let MoveReplica { group, from, to, watch } = away;
            let text = format!("shard {group} has moved from node {from} to node {to}");
            let change = async |client: &Client| client.move_replica(*group, *from, *to).await;
            watch::carry_out(&watch.reach, watch.detach, json, &text, change)?;
        }
        Command::AddShard(add) => {
            let text = format!("there is a further shard on nodes {:?}", add.nodes);
            let change = async |client: &Client| {
                let last = client.status().await?.shards_last;
                client.add_shard(last + 1, add.nodes.clone()).await
            };
            watch::carry_out(&add.watch.reach, add.watch.detach, json, &text, change)?;
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

/// A node as its configuration describes it.
fn node_of(file: &Path) -> Result<wire::Node, Failure> {
    let config = Config::read(file).map_err(|fault| Failure::usage(fault.to_string()))?;
    Ok(wire::Node {
        id: config.node,
        peer_address: config.peer_address.to_string(),
        client_address: config.client_address.to_string(),
    })
}
