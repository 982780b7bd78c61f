//! A node's configuration: one TOML file. A key that is not known is refused by name.
//!
//! ```toml
//! cluster = "5f0c..."                  # 32 hex digits, the same on all nodes, drawn once
//! node = 1                             # never given to another node, nor to this one after its disk was lost
//! data = "/var/lib/fen"
//! peer_address = "10.0.0.1:7101"       # where this node listens for its peers
//! client_address = "10.0.0.1:7001"     # where it listens for clients, gRPC and REST
//! watch_address = "127.0.0.1:7201"     # optional: /metrics, /healthz and /readyz without certificates, on loopback
//!
//! [security]                           # certificates in PEM; paths relative to this file
//! authority = "authority.pem"
//! certificate = "node-1.pem"
//! key = "node-1.key"
//! # or, on loopback only:
//! # plaintext = true
//!
//! [limits]                             # all optional
//! cache_mb = 64                        # young log entries kept in memory, for each shard
//! replay_mb = 256                      # a new checkpoint after so much log
//! segment_mb = 64                      # a file of the log; at least 4
//! kept_entries = 128                   # log entries (of up to 1 MiB) kept behind a checkpoint for late members
//!
//! [tempo]                              # all optional; the same on all nodes
//! heartbeat_ms = 25
//! election_ms_min = 60
//! election_ms_max = 130
//! ```

use crate::fault::NodeFault;
use fen_api::ClientSecurity;
use fen_net::{ClusterId, NodeId, Security};
use fen_raft::Tempo;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// See the module.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The cluster's id in hex.
    pub cluster: String,
    /// The node's id.
    pub node: u64,
    /// The folder with all it keeps.
    pub data: PathBuf,
    /// Listens for peers here.
    pub peer_address: SocketAddr,
    /// Listens for clients here.
    pub client_address: SocketAddr,
    /// Shows figures and health here, in plaintext; on loopback only. They are shown to clients in any case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watch_address: Option<SocketAddr>,
    /// How connections are protected.
    pub security: SecurityConfig,
    /// How much it may hold.
    #[serde(default)]
    pub limits: Limits,
    /// How fast it reacts.
    #[serde(default)]
    pub tempo: TempoConfig,
}

/// Certificates, or none.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct SecurityConfig {
    /// No protection; on loopback only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub plaintext: bool,
    /// The cluster's authority, PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authority: Option<PathBuf>,
    /// This node's certificate, PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
    /// And its key, PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
}

/// How much a node may hold.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Young log entries in memory, for each shard.
    pub cache_mb: usize,
    /// Log after which a checkpoint is due.
    pub replay_mb: u64,
    /// The size of the log's files.
    pub segment_mb: u64,
    /// Entries kept behind a checkpoint, for members that are a little late; others get the checkpoint.
    pub kept_entries: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { cache_mb: 64, replay_mb: 256, segment_mb: 64, kept_entries: 128 }
    }
}

/// See [`Tempo`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(default, deny_unknown_fields)]
pub struct TempoConfig {
    /// Between two heartbeats.
    pub heartbeat_ms: u64,
    /// The shortest silence after which a follower stands for election.
    pub election_ms_min: u64,
    /// The longest.
    pub election_ms_max: u64,
}

impl Default for TempoConfig {
    fn default() -> Self {
        let Tempo { heartbeat_ms, election_ms_min, election_ms_max } = Tempo::default();
        Self { heartbeat_ms, election_ms_min, election_ms_max }
    }
}

/// The PEM texts of a node.
#[derive(Clone, Debug)]
pub struct Certificates {
    /// The cluster's authority.
    pub authority: String,
    /// The node's own.
    pub certificate: String,
    /// And its key.
    pub key: String,
}

impl Config {
    /// Reads a file; paths in it become relative to its folder.
    pub fn read(file: &Path) -> Result<Self, NodeFault> {
        let fault = |reason: String| NodeFault::Config { file: file.display().to_string(), reason };
        let text = std::fs::read_to_string(file).map_err(|error| fault(error.to_string()))?;
        let mut config: Self = toml::from_str(&text).map_err(|error| fault(wrong(&error.to_string())))?;
        let folder = file.parent().unwrap_or(Path::new(""));
        config.data = folder.join(&config.data);
        let security = &mut config.security;
        for path in
            [&mut security.authority, &mut security.certificate, &mut security.key].into_iter().flatten()
        {
            *path = folder.join(&*path);
        }
        config.check().map_err(fault)?;
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        self.cluster_id()?;
        if self.node == 0 {
            return Err("node: 0 is no node; count from 1".to_owned());
        }
        if self.watch_address.is_some_and(|address| !address.ip().is_loopback()) {
            return Err("watch_address: allowed on loopback addresses only".to_owned());
        }
        if !(4..=4_096).contains(&self.limits.segment_mb) {
            return Err(format!("limits.segment_mb: {}; 4 to 4096 are possible", self.limits.segment_mb));
        }
        let security = &self.security;
        let files = [&security.authority, &security.certificate, &security.key];
        let given = files.iter().filter(|file| file.is_some()).count();
        match (security.plaintext, given) {
            (true, 0) => {
                let loopback = self.peer_address.ip().is_loopback() && self.client_address.ip().is_loopback();
                if loopback {
                    Ok(())
                } else {
                    Err("security.plaintext: allowed on loopback addresses only".to_owned())
                }
            }
            (false, 3) => Ok(()),
            (true, _) => Err("security: either plaintext or certificates, not both".to_owned()),
            (false, _) => Err("security: authority, certificate and key are needed, all three".to_owned()),
        }
    }

    /// The cluster's id.
    pub fn cluster_id(&self) -> Result<ClusterId, String> {
        let id =
            u128::from_str_radix(&self.cluster, 16).ok().filter(|id| *id != 0 && self.cluster.len() <= 32);
        id.map(ClusterId).ok_or_else(|| "cluster: up to 32 hex digits, not all zero".to_owned())
    }

    /// The node's id.
    pub fn node_id(&self) -> NodeId {
        NodeId(self.node)
    }

    /// How fast it reacts.
    pub fn tempo(&self) -> Tempo {
        let TempoConfig { heartbeat_ms, election_ms_min, election_ms_max } = self.tempo;
        Tempo { heartbeat_ms, election_ms_min, election_ms_max }
    }

    /// The certificates' texts, where there are any.
    pub fn certificates(&self) -> Result<Option<Certificates>, NodeFault> {
        let security = &self.security;
        let (Some(authority), Some(certificate), Some(key)) =
            (&security.authority, &security.certificate, &security.key)
        else {
            return Ok(None);
        };
        let read = |path: &Path| {
            std::fs::read_to_string(path).map_err(|error| NodeFault::Config {
                file: path.display().to_string(),
                reason: error.to_string(),
            })
        };
        Ok(Some(Certificates {
            authority: read(authority)?,
            certificate: read(certificate)?,
            key: read(key)?,
        }))
    }
}

/// What is wrong with a file, with the nearest right key where one is misspelt.
fn wrong(words: &str) -> String {
    let words = words.trim_end();
    let quoted = |text: &str| text.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let Some(line) = words.lines().find(|line| line.contains("unknown field")) else {
        return words.to_owned();
    };
    let names = quoted(line);
    let Some((given, known)) = names.split_first() else { return words.to_owned() };
    let nearest = known.iter().min_by_key(|name| distance(given, name));
    match nearest.filter(|name| distance(given, name) <= name.len().div_ceil(2)) {
        Some(nearest) => format!("{words}; did you mean `{nearest}`?"),
        None => words.to_owned(),
    }
}

/// How many letters have to be changed, left out or put in to make one word of the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (above, letter) in one.chars().enumerate() {
        let mut corner = row[0];
        row[0] = above + 1;
        for (place, target) in other.iter().enumerate() {
            let change = corner + usize::from(letter != *target);
            corner = row[place + 1];
            row[place + 1] = change.min(row[place] + 1).min(corner + 1);
        }
    }
    row[other.len()]
}

impl Certificates {
    /// For connections between nodes.
    pub fn security(&self) -> Result<Security, NodeFault> {
        Ok(Security::mutual(&self.authority, &self.certificate, &self.key)?)
    }

    /// For a client on this machine that uses the node's own certificate.
    pub fn client_security(&self) -> ClientSecurity {
        ClientSecurity {
            authority: self.authority.clone(),
            certificate: self.certificate.clone(),
            key: self.key.clone(),
            server_name: fen_net::NODES_NAME.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RIGHT: &str = "cluster = \"c0ffee\"\nnode = 1\ndata = \"d\"\npeer_address = \"127.0.0.1:1\"\n\
                         client_address = \"127.0.0.1:2\"\n[security]\nplaintext = true\n";

    fn read(text: &str) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("node.toml");
        std::fs::write(&file, text).unwrap();
        Config::read(&file).map_err(|fault| fault.to_string())
    }

    #[test]
    fn a_wrong_key_is_named_with_the_nearest_right_one() {
        assert!(read(RIGHT).is_ok());
        let wrong = |from: &str, to: &str| read(&RIGHT.replace(from, to)).unwrap_err();
        assert!(wrong("client_address", "client_adress").contains("did you mean `client_address`?"));
        assert!(wrong("plaintext", "plain_text").contains("did you mean `plaintext`?"));
        let tempo = format!("{RIGHT}[tempo]\nheartbeat = 40\n");
        assert!(read(&tempo).unwrap_err().contains("did you mean `heartbeat_ms`?"));
        let strange = wrong("node = 1", "node = 1\nzzzzzzzzzzzz = 1");
        assert!(strange.contains("zzzzzzzzzzzz") && !strange.contains("did you mean"), "{strange}");
    }

    #[test]
    fn what_must_not_be_is_refused_with_its_key() {
        let wrong = |from: &str, to: &str| read(&RIGHT.replace(from, to)).unwrap_err();
        assert!(wrong("node = 1", "node = 0").contains("node: 0 is no node"));
        assert!(wrong("c0ffee", "coffee").contains("cluster: up to 32 hex digits"));
        assert!(wrong("127.0.0.1:2", "10.0.0.1:2").contains("security.plaintext"));
        assert!(wrong("plaintext = true", "plaintext = false").contains("all three"));
        assert!(wrong("node = 1", "node = 1\nwatch_address = \"10.0.0.1:3\"").contains("watch_address"));
    }
}
