//! Nodes as processes of their own on loopback, each with its configuration in one folder.

#![allow(dead_code, reason = "each test file uses some of it")]

use fen_cluster::local::Layout;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// The binary under test.
pub(crate) fn fen() -> Command {
    Command::new(env!("CARGO_BIN_EXE_fen"))
}

/// Some nodes in a folder; killed when dropped.
pub(crate) struct Nodes {
    folder: tempfile::TempDir,
    running: Vec<(u64, Child)>,
    clients: Vec<(u64, String)>,
}

impl Nodes {
    /// An empty folder.
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), running: Vec::new(), clients: Vec::new() }
    }

    /// Where everything lies.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A node's configuration.
    pub(crate) fn config(&self, node: u64) -> PathBuf {
        self.folder.path().join(format!("node-{node}.toml"))
    }

    /// Writes a node's configuration and starts it.
    pub(crate) fn add(&mut self, node: u64) {
        let port = Layout::free_port(1).unwrap();
        let client = format!("127.0.0.1:{port}");
        let text = format!(
            "cluster = \"c0ffee\"\nnode = {node}\ndata = \"node-{node}\"\npeer_address = \"127.0.0.1:{}\"\n\
             client_address = \"{client}\"\n[security]\nplaintext = true\n",
            port + 100
        );
        std::fs::write(self.config(node), text).unwrap();
        self.clients.push((node, client));
        self.start(node);
    }

    /// Starts a node, and waits until it says that it is up.
    pub(crate) fn start(&mut self, node: u64) {
        let mut child = fen()
            .args(["start", "--until-stdin-closes", "--config"])
            .arg(self.config(node))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.contains("is up"), "node {node} says {line:?}");
        self.running.push((node, child));
    }

    /// Kills a node.
    pub(crate) fn kill(&mut self, node: u64) {
        let place = self.running.iter().position(|(id, _)| *id == node).unwrap();
        let (_, mut child) = self.running.remove(place);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// The addresses of these nodes.
    pub(crate) fn endpoints(&self, nodes: &[u64]) -> Vec<String> {
        nodes.iter().map(|node| self.clients.iter().find(|(id, _)| id == node).unwrap().1.clone()).collect()
    }

    /// `fen` with these words, to its end.
    pub(crate) fn run(&self, words: &[&str]) -> Output {
        fen().current_dir(self.folder()).args(words).output().unwrap()
    }

    /// As [`Nodes::run`]; must succeed.
    pub(crate) fn done(&self, words: &[&str]) -> String {
        let output = self.run(words);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{words:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// `fen exec` with these words and lines.
    pub(crate) fn exec(words: &[&str], lines: &str) -> String {
        let mut child = fen()
            .arg("exec")
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Nodes {
    fn drop(&mut self) {
        for (_, child) in &mut self.running {
            // One that has ended needs no killing.
            let _ended = child.kill();
            let _gone = child.wait();
        }
    }
}

/// Waits until something is so, for a while that a busy machine keeps.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), waiting).await.unwrap_or_else(|_| panic!("{what}"));
}
