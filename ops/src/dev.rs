//! `fen dev`: a whole cluster on this machine, in one command.
//!
//! Each node is a process of its own, so that one can be killed to see what happens; it is started again after a
//! moment. Everything lies in one folder: an authority drawn for it, certificates, configurations, data.

use crate::exit::{Exit, Failure, say};
use crate::reach::wait;
use clap::Args;
use fen_cluster::local::{Hosts, Layout, LocalCluster, LocalFault};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};

/// How long a node that ended stays down.
const PAUSE_BEFORE_RESTART: Duration = Duration::from_secs(2);
/// How often the nodes are looked after.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Run a whole cluster on this machine.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  fen dev --data fen-dev
  fen cluster status --endpoint 127.0.0.1:7001 --certificates fen-dev

Ctrl-C stops it; the data stays, and the same command goes on with it. Kill a node to see what happens: it is
started again after two seconds.")]
pub(crate) struct Arguments {
    /// The folder for everything; made if there is none.
    #[arg(long, value_name = "DIR", default_value = "fen-dev")]
    data: PathBuf,
    /// How many nodes.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=9))]
    nodes: u16,
    /// How many shards.
    #[arg(long, default_value_t = 1)]
    shards: u32,
    /// Clients' ports are counted from this one, peers' from a hundred above.
    #[arg(long, default_value_t = 7001)]
    port: u16,
    /// No certificates: only this machine can reach it anyway.
    #[arg(long)]
    plaintext: bool,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let &Arguments { nodes, port, plaintext: is_plaintext, .. } = arguments;
    let files = Layout { nodes, port, is_plaintext, hosts: Hosts::Loopback }
        .files(&arguments.data)
        .map_err(failure)?;
    let program = std::env::current_exe()
        .map_err(|error| Failure::unreachable(format!("this program cannot be found: {error}")))?;
    let mut cluster = LocalCluster::start(&program, &files).map_err(failure)?;
    wait(async {
        cluster.found(arguments.shards).await.map_err(failure)?;
        let certificates = if is_plaintext {
            String::new()
        } else {
            format!(" --certificates {}", arguments.data.display())
        };
        for place in 0..cluster.size() {
            let (id, process, _, address) = cluster.node(place);
            say(&format!("node {id}: process {}, clients {address}\n", process.unwrap_or_default()))?;
        }
        say(&format!(
            "{} nodes are up; Ctrl-C stops them\n  fen cluster status --endpoint {}{certificates}\n",
            cluster.size(),
            cluster.endpoints().join(",")
        ))?;
        look_after(&mut cluster).await
    })?;
    Ok(Exit::Done)
}

fn failure(fault: LocalFault) -> Failure {
    match fault {
        LocalFault::AnotherLayout(_) | LocalFault::Config(_) => Failure::usage(fault.to_string()),
        LocalFault::Broken { .. } => Failure::unreachable(fault.to_string()),
        LocalFault::Client(fault) => crate::reach::failure(fault),
    }
}

/// Starts nodes again that have ended, until it is told to stop.
async fn look_after(cluster: &mut LocalCluster) -> Result<(), Failure> {
    let listen = |kind| signal(kind).map_err(|error| Failure::unreachable(format!("signals: {error}")));
    let (mut terminated, mut interrupted) =
        (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    let mut down_since: Vec<Option<Instant>> = vec![None; cluster.size()];
    loop {
        tokio::select! {
            _told = terminated.recv() => return Ok(()),
            _told = interrupted.recv() => return Ok(()),
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        for (place, down_since) in down_since.iter_mut().enumerate() {
            if let Some(status) = cluster.has_ended(place) {
                let (_, _, file, _) = cluster.node(place);
                say(&format!("{} ended ({status}); it is started again\n", file.display()))?;
                *down_since = Some(Instant::now());
            } else if down_since.is_some_and(|since| since.elapsed() >= PAUSE_BEFORE_RESTART) {
                cluster.start_node(place).map_err(failure)?;
                *down_since = None;
                let (_, process, file, _) = cluster.node(place);
                say(&format!("{} is process {}\n", file.display(), process.unwrap_or_default()))?;
            }
        }
    }
}
