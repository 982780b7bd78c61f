//! `fen start`: one node of a cluster, until it is told to stop.

use crate::exit::{Exit, Failure, say};
use crate::reach;
use clap::Args;
use fen_cluster::{Config, Node};
use std::path::PathBuf;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Run one node of a cluster.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  fen start --config /etc/fen/node-1.toml

The configuration file:
  cluster = \"5f0c...\"                # 32 hex digits, the same on all nodes
  node = 1                           # for ever; a node that lost its disk comes back under a new one
  data = \"/var/lib/fen\"
  peer_address = \"10.0.0.1:7101\"     # listens for the other nodes
  client_address = \"10.0.0.1:7001\"   # listens for clients, gRPC and REST
  watch_address = \"127.0.0.1:7201\"   # may be left out: /metrics, /healthz, /readyz without certificates, loopback
  [security]
  authority = \"authority.pem\"        # paths relative to this file
  certificate = \"node-1.pem\"
  key = \"node-1.key\"
  [limits]                           # may be left out
  cache_mb = 64
  replay_mb = 256
  kept_entries = 128
  [tempo]                            # may be left out
  heartbeat_ms = 25
  election_ms_min = 60
  election_ms_max = 130

SIGTERM and SIGINT stop it in order; it also starts well after a kill.")]
pub(crate) struct Arguments {
    /// The node's configuration.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Stop when standard input is closed: for programs that start nodes and may die themselves.
    #[arg(long, hide = true)]
    until_stdin_closes: bool,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    log_to_stderr();
    let config = Config::read(&arguments.config).map_err(|fault| Failure::usage(fault.to_string()))?;
    reach::wait(serve(config, arguments.until_stdin_closes))
}

/// Fen's own words from `info` on; from the replication library only what is wrong.
fn log_to_stderr() {
    let quiet = Targets::new().with_default(LevelFilter::INFO).with_target("openraft", LevelFilter::ERROR);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false);
    tracing_subscriber::registry().with(lines.with_filter(quiet)).init();
}

async fn serve(config: Config, until_stdin_closes: bool) -> Result<Exit, Failure> {
    let words = format!("node {} of cluster {}", config.node, config.cluster);
    let addresses = format!("peers {}, clients {}", config.peer_address, config.client_address);
    let node = Node::start(config).await.map_err(|fault| {
        Failure::unreachable(fault.to_string())
            .mend("is another node running on this folder or these addresses?")
    })?;
    say(&format!("{words} is up: {addresses}\n"))?;
    let listen = |kind| signal(kind).map_err(|error| Failure::unreachable(format!("signals: {error}")));
    let (mut terminated, mut interrupted) =
        (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    let parent = async {
        if until_stdin_closes {
            stdin_closed().await;
        } else {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        _told = terminated.recv() => {}
        _told = interrupted.recv() => {}
        () = parent => {}
        reason = node.failed() => {
            return Err(Failure::unreachable(format!("the node stops: {reason}"))
                .mend("see to the disk, then start it again; it recovers what was durable"));
        }
    }
    node.stop().await;
    Ok(Exit::Done)
}

async fn stdin_closed() {
    // A thread of its own: nothing else may wait for a read that may never come back.
    let (sender, closed) = tokio::sync::oneshot::channel::<()>();
    std::thread::spawn(move || {
        let _read = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        drop(sender);
    });
    let _ended = closed.await;
}
