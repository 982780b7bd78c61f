//! A whole cluster on this machine: a folder with certificates and configurations, and a process for each node.
//!
//! **Invariants.** A node's process ends with whoever started it: its standard input closes. A folder is laid out
//! once; found again, it is used as it is.
//!
//! Used by `fen dev`, by the load generator and by tests; a cluster for customers is one node a machine.

use crate::config::{Config, Limits, SecurityConfig, TempoConfig};
use crate::fault::NodeFault;
use fen_api::{Client, ClientFault, ClientOptions, wire};
use fen_net::{Authority, NODES_NAME, NodeId, node_name};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use thiserror::Error;

/// Peers' ports are counted from so far above the clients'.
const PEERS_ABOVE: u16 = 100;
/// Where free ports are looked for: Linux draws those of outgoing connections from 32,768 on.
const PORTS: Range<u16> = 10_000..32_000;
/// So many first ports are tried.
const ATTEMPTS_MAX: usize = 1_000;

/// Why a cluster could not be laid out, started or founded.
#[derive(Debug, Error)]
pub enum LocalFault {
    /// What is in the folder is for another layout.
    #[error("{0} holds another number of nodes; name the same number as before, or another folder")]
    AnotherLayout(String),
    /// The folder cannot be written, or a process not be started.
    #[error("{what}: {reason}")]
    Broken {
        /// The folder or the program.
        what: String,
        /// Why.
        reason: String,
    },
    /// A configuration is wrong.
    #[error(transparent)]
    Config(#[from] NodeFault),
    /// The nodes do not answer.
    #[error(transparent)]
    Client(#[from] ClientFault),
}

/// How a cluster is laid out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layout {
    /// How many nodes.
    pub nodes: u16,
    /// Clients' ports are counted from this one, peers' from a hundred above.
    pub port: u16,
    /// No certificates: loopback needs none.
    pub is_plaintext: bool,
    /// At which addresses the nodes are.
    pub hosts: Hosts,
}

/// At which addresses the nodes of a layout are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hosts {
    /// All at 127.0.0.1.
    Loopback,
    /// Each at one of its own, from this one upwards: they are in network namespaces.
    From(Ipv4Addr),
}

impl Layout {
    /// A first port such that every port of the layout was free a moment ago. It lies below those that the system draws
    /// for outgoing connections, so that none of them takes a node's port while the node is down.
    ///
    /// # Errors
    /// Where the system gives out no port.
    pub fn free_port(nodes: u16) -> io::Result<u16> {
        for _attempt in 0..ATTEMPTS_MAX {
            let [.., high, low] = *uuid::Uuid::now_v7().as_bytes();
            let drawn = u16::from_be_bytes([high, low]);
            let first = PORTS.start + drawn % (PORTS.end - PORTS.start);
            let mut ports = (0..nodes).flat_map(|node| [first + node, first + PEERS_ABOVE + node]);
            if ports.all(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()) {
                return Ok(first);
            }
        }
        Err(io::ErrorKind::AddrNotAvailable.into())
    }

    /// The nodes' configurations in a folder: made on the first run, found on later ones.
    ///
    /// # Errors
    /// The folder cannot be written, or holds another number of nodes.
    pub fn files(&self, folder: &Path) -> Result<Vec<PathBuf>, LocalFault> {
        let files: Vec<PathBuf> =
            (1..=self.nodes).map(|node| folder.join(format!("node-{node}.toml"))).collect();
        if files.iter().all(|file| file.exists()) {
            return Ok(files);
        }
        if files.iter().any(|file| file.exists()) {
            return Err(LocalFault::AnotherLayout(folder.display().to_string()));
        }
        let broken = |reason| LocalFault::Broken { what: folder.display().to_string(), reason };
        self.write(folder).map_err(broken)?;
        Ok(files)
    }

    fn write(self, folder: &Path) -> Result<(), String> {
        std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
        let write = |name: &str, text: &str| {
            write_private(&folder.join(name), text).map_err(|error| error.to_string())
        };
        let authority = if self.is_plaintext {
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
        for node in 1..=self.nodes {
            let security = match &authority {
                None => SecurityConfig { plaintext: true, ..SecurityConfig::default() },
                Some(authority) => {
                    let names = names_of(u64::from(node), self.host(node - 1));
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
                node: u64::from(node),
                data: format!("node-{node}").into(),
                peer_address: self.address(node - 1, PEERS_ABOVE)?,
                client_address: self.address(node - 1, 0)?,
                watch_address: None,
                security,
                limits: Limits::default(),
                tempo: TempoConfig::default(),
            };
            let text = toml::to_string(&config).map_err(|error| error.to_string())?;
            write(&format!("node-{node}.toml"), &text)?;
        }
        Ok(())
    }

    /// Where the node at a place, counted from nought, is.
    fn host(self, place: u16) -> IpAddr {
        IpAddr::V4(match self.hosts {
            Hosts::Loopback => Ipv4Addr::LOCALHOST,
            Hosts::From(first) => Ipv4Addr::from_bits(first.to_bits() + u32::from(place)),
        })
    }

    fn address(self, place: u16, above: u16) -> Result<SocketAddr, String> {
        let offset = above + place;
        let port =
            self.port.checked_add(offset).ok_or_else(|| format!("no port {offset} above {}", self.port))?;
        Ok(SocketAddr::from((self.host(place), port)))
    }
}

/// The names in a node's certificate.
fn names_of(node: u64, host: IpAddr) -> [String; 3] {
    [node_name(NodeId(node)), NODES_NAME.to_owned(), host.to_string()]
}

/// A certificate of the layout's authority for a further node, where the layout has one.
fn security_of(beside: &Path, node: u64, like: &Config) -> Result<SecurityConfig, String> {
    if like.security.plaintext {
        return Ok(like.security.clone());
    }
    let read = |name: &str| std::fs::read_to_string(beside.with_file_name(name));
    let parts = read("authority.pem").and_then(|certificate| Ok((certificate, read("authority.key")?)));
    let (certificate, key) = parts.map_err(|error| error.to_string())?;
    let authority = Authority::load(&certificate, &key).map_err(|fault| fault.to_string())?;
    let names = names_of(node, like.client_address.ip());
    let issued = authority.issue(&names).map_err(|fault| fault.to_string())?;
    let names = [format!("node-{node}.pem"), format!("node-{node}.key")];
    for (name, text) in names.iter().zip([issued.0, issued.1]) {
        write_private(&beside.with_file_name(name), &text).map_err(|error| error.to_string())?;
    }
    let [certificate, key] = names.map(|name| Some(name.into()));
    Ok(SecurityConfig { certificate, key, ..like.security.clone() })
}

/// Keys are their owner's alone.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

/// One node and its process.
struct LocalNode {
    file: PathBuf,
    config: Config,
    child: Option<Child>,
}

/// The processes of a cluster. Dropped, it stops them in order.
pub struct LocalCluster {
    program: PathBuf,
    /// Whether the nodes' words to operators go nowhere.
    is_quiet: bool,
    /// What starts the program at a place: the words before it.
    launchers: Vec<Vec<String>>,
    nodes: Vec<LocalNode>,
}

impl LocalCluster {
    /// Starts a process of `program`, which must be `fen`, for each configuration.
    ///
    /// # Errors
    /// A configuration is wrong, or a process cannot be started.
    pub fn start(program: &Path, files: &[PathBuf]) -> Result<Self, LocalFault> {
        Self::start_all(program, files, false, Vec::new())
    }

    /// As [`LocalCluster::start`]; what the nodes tell operators is not shown.
    ///
    /// # Errors
    /// As [`LocalCluster::start`].
    pub fn start_quietly(program: &Path, files: &[PathBuf]) -> Result<Self, LocalFault> {
        Self::start_all(program, files, true, Vec::new())
    }

    /// As [`LocalCluster::start_quietly`], each node by a launcher of its own, which ends in the program itself, so
    /// that the process is the node's: `nsenter` with its options, say.
    ///
    /// # Errors
    /// As [`LocalCluster::start`].
    pub fn start_by(
        launchers: Vec<Vec<String>>,
        program: &Path,
        files: &[PathBuf],
    ) -> Result<Self, LocalFault> {
        Self::start_all(program, files, true, launchers)
    }

    fn start_all(
        program: &Path,
        files: &[PathBuf],
        is_quiet: bool,
        launchers: Vec<Vec<String>>,
    ) -> Result<Self, LocalFault> {
        let read =
            |file: &PathBuf| Ok(LocalNode { file: file.clone(), config: Config::read(file)?, child: None });
        let nodes = files.iter().map(read).collect::<Result<_, LocalFault>>()?;
        let mut cluster = Self { program: program.to_owned(), is_quiet, launchers, nodes };
        (0..files.len()).try_for_each(|place| cluster.start_node(place))?;
        Ok(cluster)
    }

    /// How many nodes there are.
    pub fn size(&self) -> usize {
        self.nodes.len()
    }

    /// Starts the process at a place, counted from nought; one that runs is left alone.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start_node(&mut self, place: usize) -> Result<(), LocalFault> {
        let node = &mut self.nodes[place];
        if node.child.is_some() {
            return Ok(());
        }
        let mut command = match self.launchers.get(place).and_then(|words| words.split_first()) {
            None => Command::new(&self.program),
            Some((launcher, words)) => {
                let mut command = Command::new(launcher);
                command.args(words).arg(&self.program);
                command
            }
        };
        command.arg("start").arg("--config").arg(&node.file).arg("--until-stdin-closes");
        if self.is_quiet {
            command.stderr(Stdio::null());
        }
        let started = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn();
        let broken = |error: io::Error| LocalFault::Broken {
            what: self.program.display().to_string(),
            reason: format!("cannot be started: {error}"),
        };
        node.child = Some(started.map_err(broken)?);
        Ok(())
    }

    /// Kills a node's process with SIGKILL, as a power cut would end it.
    pub fn kill(&mut self, place: usize) {
        if let Some(mut child) = self.nodes[place].child.take() {
            // It may have ended by itself; either way it is waited for.
            let _ended = child.kill();
            let _status = child.wait();
        }
    }

    /// A node's process stands still (SIGSTOP), until it [goes on](Self::go_on).
    ///
    /// # Errors
    /// It does not run.
    pub fn stop_for_now(&mut self, place: usize) -> Result<(), LocalFault> {
        self.signal(place, rustix::process::Signal::STOP)
    }

    /// A process that stands still goes on (SIGCONT).
    ///
    /// # Errors
    /// It does not run.
    pub fn go_on(&mut self, place: usize) -> Result<(), LocalFault> {
        self.signal(place, rustix::process::Signal::CONT)
    }

    fn signal(&self, place: usize, signal: rustix::process::Signal) -> Result<(), LocalFault> {
        let node = &self.nodes[place];
        let process = node.child.as_ref().map(rustix::process::Pid::from_child);
        let sent = process.ok_or(rustix::io::Errno::SRCH);
        let sent = sent.and_then(|process| rustix::process::kill_process(process, signal));
        let broken = |error| LocalFault::Broken {
            what: node.file.display().to_string(),
            reason: format!("its process cannot be signalled: {error}"),
        };
        sent.map_err(broken)
    }

    /// A node is gone for good, with its disk: it is killed, and an empty one is started in its place, under an id and
    /// addresses of its own, which are returned; the cluster has to be told.
    ///
    /// # Errors
    /// The folder cannot be written, or the process not be started.
    pub fn replace(&mut self, place: usize) -> Result<(u64, SocketAddr, SocketAddr), LocalFault> {
        self.kill(place);
        let id = 1 + self.nodes.iter().map(|node| node.config.node).max().unwrap_or(0);
        let node = &mut self.nodes[place];
        let broken = |reason: String| LocalFault::Broken { what: node.file.display().to_string(), reason };
        let port = Layout::free_port(1).map_err(|error| broken(error.to_string()))?;
        let at = |above| SocketAddr::new(node.config.client_address.ip(), port + above);
        let config = Config {
            node: id,
            data: format!("node-{id}").into(),
            peer_address: at(PEERS_ABOVE),
            client_address: at(0),
            security: security_of(&node.file, id, &node.config).map_err(broken)?,
            ..node.config.clone()
        };
        let text = toml::to_string(&config).map_err(|error| broken(error.to_string()))?;
        let file = node.file.with_file_name(format!("node-{id}.toml"));
        write_private(&file, &text).map_err(|error| broken(error.to_string()))?;
        let config = Config::read(&file)?;
        let addresses = (id, config.peer_address, config.client_address);
        *node = LocalNode { file, config, child: None };
        self.start_node(place)?;
        Ok(addresses)
    }

    /// Whether a node's process has ended by itself, and how.
    pub fn has_ended(&mut self, place: usize) -> Option<ExitStatus> {
        let status = self.nodes[place].child.as_mut()?.try_wait().ok()??;
        self.nodes[place].child = None;
        Some(status)
    }

    /// A node's id, its process if it runs, its configuration's file, and its address for clients.
    pub fn node(&self, place: usize) -> (u64, Option<u32>, &Path, SocketAddr) {
        let LocalNode { file, config, child } = &self.nodes[place];
        (config.node, child.as_ref().map(Child::id), file, config.client_address)
    }

    /// The folder with a node's data.
    pub fn folder(&self, place: usize) -> &Path {
        &self.nodes[place].config.data
    }

    /// The processes that run.
    pub fn processes(&self) -> Vec<u32> {
        self.nodes.iter().filter_map(|node| node.child.as_ref().map(Child::id)).collect()
    }

    /// Where clients reach the nodes.
    pub fn endpoints(&self) -> Vec<String> {
        self.nodes.iter().map(|node| node.config.client_address.to_string()).collect()
    }

    /// A client with the nodes' own certificates.
    ///
    /// # Errors
    /// The certificates cannot be read.
    pub fn client(&self) -> Result<Client, LocalFault> {
        let Some(first) = self.nodes.first() else {
            return Err(LocalFault::AnotherLayout("a layout of no nodes".to_owned()));
        };
        let security = first.config.certificates()?.map(|pem| pem.client_security());
        let options = ClientOptions { security, ..ClientOptions::default() };
        Ok(Client::new(&self.endpoints(), options)?)
    }

    /// Founds the cluster; one that is founded stays as it is.
    ///
    /// # Errors
    /// No node answers.
    pub async fn found(&self, shards: u32) -> Result<(), LocalFault> {
        let node = |node: &LocalNode| wire::Node {
            id: node.config.node,
            peer_address: node.config.peer_address.to_string(),
            client_address: node.config.client_address.to_string(),
        };
        self.client()?.init(self.nodes.iter().map(node).collect(), shards).await?;
        Ok(())
    }
}

impl Drop for LocalCluster {
    /// Closes every node's standard input, which tells it to stop, and waits.
    fn drop(&mut self) {
        for place in 0..self.nodes.len() {
            // One that stands still would not hear of it; one that has ended needs not.
            let _heard = self.go_on(place);
        }
        let mut children: Vec<Child> = self.nodes.iter_mut().filter_map(|node| node.child.take()).collect();
        for child in &mut children {
            drop(child.stdin.take());
        }
        for mut child in children {
            // One that has already ended needs no waiting.
            let _ended = child.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_laid_out_once() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout { nodes: 3, port: 7001, is_plaintext: false, hosts: Hosts::Loopback };
        let files = layout.files(folder.path()).unwrap();
        let first = std::fs::read_to_string(&files[2]).unwrap();
        assert_eq!(layout.files(folder.path()).unwrap(), files);
        assert_eq!(std::fs::read_to_string(&files[2]).unwrap(), first, "what is there stays");
        let config = Config::read(&files[2]).unwrap();
        assert_eq!((config.node, config.client_address.port(), config.peer_address.port()), (3, 7003, 7103));
        let more = Layout { nodes: 5, ..layout };
        assert!(matches!(more.files(folder.path()), Err(LocalFault::AnotherLayout(_))));
    }
}
