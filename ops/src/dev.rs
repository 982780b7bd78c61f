//! `fen dev`: a whole cluster on this machine, in one command.
//!
//! Each node is a process of its own, so that one can be killed to see what happens; it is started again after a
//! moment. Everything lies in one folder: an authority drawn for it, certificates, configurations, data.

use crate::cluster::found;
use crate::exit::{Exit, Failure, say};
use crate::reach::wait;
use clap::Args;
use fen_cluster::{Config, Limits, SecurityConfig, TempoConfig};
use fen_net::{Authority, NODES_NAME, NodeId, node_name};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
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
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=9))]
    nodes: u64,
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
    let files = prepare(arguments)?;
    let configs = files.iter().map(|file| Config::read(file)).collect::<Result<Vec<_>, _>>();
    let configs = configs.map_err(|fault| Failure::usage(fault.to_string()))?;
    let mut nodes = Vec::new();
    for file in files {
        nodes.push(Process { child: start(&file)?, file, down_since: None });
    }
    wait(async {
        found(&configs, arguments.shards).await?;
        let endpoints: Vec<String> = configs.iter().map(|config| config.client_address.to_string()).collect();
        let certificates = if configs.iter().any(|config| config.security.plaintext) {
            String::new()
        } else {
            format!(" --certificates {}", arguments.data.display())
        };
        for (node, config) in nodes.iter().zip(&configs) {
            let (id, process, address) = (config.node, node.child.id(), config.client_address);
            say(&format!("node {id}: process {process}, clients {address}\n"))?;
        }
        say(&format!(
            "{} nodes are up; Ctrl-C stops them\n  fen cluster status --endpoint {}{certificates}\n",
            configs.len(),
            endpoints.join(",")
        ))?;
        look_after(&mut nodes).await
    })?;
    stop(nodes);
    Ok(Exit::Done)
}

/// One node's process.
struct Process {
    child: Child,
    file: PathBuf,
    down_since: Option<std::time::Instant>,
}

/// The configurations; made on the first run, found on later ones.
fn prepare(arguments: &Arguments) -> Result<Vec<PathBuf>, Failure> {
    let file = |node: u64| arguments.data.join(format!("node-{node}.toml"));
    let files: Vec<PathBuf> = (1..=arguments.nodes).map(file).collect();
    if files.iter().all(|file| file.exists()) {
        return Ok(files);
    }
    if files.iter().any(|file| file.exists()) {
        return Err(Failure::usage(format!("{} holds another number of nodes", arguments.data.display()))
            .mend("name the same number as before, or another folder"));
    }
    write_all(arguments)
        .map_err(|reason| Failure::unreachable(format!("{}: {reason}", arguments.data.display())))?;
    Ok(files)
}

fn write_all(arguments: &Arguments) -> Result<(), String> {
    let folder = &arguments.data;
    std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    let write =
        |name: &str, text: &str| write_private(&folder.join(name), text).map_err(|error| error.to_string());
    let authority = if arguments.plaintext {
        None
    } else {
        let authority = Authority::create().map_err(|fault| fault.to_string())?;
        write("authority.pem", authority.certificate())?;
        write("authority.key", authority.key())?;
        let (certificate, key) =
            authority.issue(&["client.fen".to_owned()]).map_err(|fault| fault.to_string())?;
        write("client.pem", &certificate)?;
        write("client.key", &key)?;
        Some(authority)
    };
    let cluster = uuid::Uuid::now_v7().simple().to_string();
    for node in 1..=arguments.nodes {
        let security = match &authority {
            None => SecurityConfig { plaintext: true, ..SecurityConfig::default() },
            Some(authority) => {
                let names = [node_name(NodeId(node)), NODES_NAME.to_owned(), Ipv4Addr::LOCALHOST.to_string()];
                let (certificate, key) = authority.issue(&names).map_err(|fault| fault.to_string())?;
                write(&format!("node-{node}.pem"), &certificate)?;
                write(&format!("node-{node}.key"), &key)?;
                SecurityConfig {
                    plaintext: false,
                    authority: Some("authority.pem".into()),
                    certificate: Some(format!("node-{node}.pem").into()),
                    key: Some(format!("node-{node}.key").into()),
                }
            }
        };
        let config = Config {
            cluster: cluster.clone(),
            node,
            data: format!("node-{node}").into(),
            peer_address: address(arguments.port, 100 + node - 1)?,
            client_address: address(arguments.port, node - 1)?,
            security,
            limits: Limits::default(),
            tempo: TempoConfig::default(),
        };
        let text = toml::to_string(&config).map_err(|error| error.to_string())?;
        write(&format!("node-{node}.toml"), &text)?;
    }
    Ok(())
}

fn address(first: u16, offset: u64) -> Result<SocketAddr, String> {
    let port =
        u16::try_from(u64::from(first) + offset).map_err(|_| format!("no port {offset} above {first}"))?;
    Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
}

/// Keys are their owner's alone.
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

fn start(file: &Path) -> Result<Child, Failure> {
    let fault = |error: std::io::Error| Failure::unreachable(format!("a node cannot be started: {error}"));
    let program = std::env::current_exe().map_err(fault)?;
    Command::new(program)
        .arg("start")
        .arg("--config")
        .arg(file)
        .arg("--until-stdin-closes")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .map_err(fault)
}

/// Starts nodes again that have ended, until it is told to stop.
async fn look_after(nodes: &mut [Process]) -> Result<(), Failure> {
    let listen = |kind| signal(kind).map_err(|error| Failure::unreachable(format!("signals: {error}")));
    let (mut terminated, mut interrupted) =
        (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    loop {
        tokio::select! {
            _told = terminated.recv() => return Ok(()),
            _told = interrupted.recv() => return Ok(()),
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        for node in &mut *nodes {
            match node.down_since {
                None => {
                    if let Ok(Some(status)) = node.child.try_wait() {
                        say(&format!("{} ended ({status}); it is started again\n", node.file.display()))?;
                        node.down_since = Some(std::time::Instant::now());
                    }
                }
                Some(since) if since.elapsed() >= PAUSE_BEFORE_RESTART => {
                    node.child = start(&node.file)?;
                    node.down_since = None;
                    say(&format!("{} is process {}\n", node.file.display(), node.child.id()))?;
                }
                Some(_waiting) => {}
            }
        }
    }
}

/// Closes every node's standard input, which tells it to stop, and waits.
fn stop(mut nodes: Vec<Process>) {
    for node in &mut nodes {
        drop(node.child.stdin.take());
    }
    for mut node in nodes {
        // One that has already ended needs no waiting.
        let _ended = node.child.wait();
    }
}
