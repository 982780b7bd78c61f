//! A sandbox: each node in a network namespace of its own, all joined by a bridge, where the way from any node to any
//! other can be cut; and one node on a small disk, which can be filled.
//!
//! The whole run is in namespaces of its own (see [`enter`]): nothing of it is seen outside, and all of it is gone with
//! the run, however it ends. The tools are those of `util-linux` and `iproute2`.
//!
//! **Invariants.** A way is cut in one direction: packets from one node to another vanish, without a word to either. The
//! client reaches every node all the time. What is cut or filled is put right by the call that says so.
//!
//! Limits: the small disk is in memory, since a file system on a device of its own asks for more rights than a user has.

use crate::fault::{Fault, Run};
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Set for the run that is inside.
const INSIDE: &str = "FEN_CHAOS_INSIDE";
/// The client's end of the bridge; the nodes count from [`FIRST`].
const CLIENT: &str = "10.77.0.254/24";
/// The first node's address.
pub const FIRST: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
/// Holds a log, some checkpoints and a journal of the run, and is soon full.
const SMALL_DISK: &str = "size=2g";
/// A namespace is there at once, or not at all.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often it is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// New namespaces for users, networks, mounts and processes; all processes end with the first.
const UNSHARE: [&str; 8] =
    ["--user", "--map-root-user", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];

/// Runs this program again, in namespaces of its own, where the machine permits it; returns in that second run, and
/// where there is no such run, then with the reason.
///
/// # Errors
/// The namespaces are not permitted, or a tool is missing.
pub fn enter() -> Result<(), String> {
    use std::os::unix::process::CommandExt as _;
    if std::env::var_os(INSIDE).is_some() {
        return Ok(());
    }
    let mut trial = Command::new("unshare");
    call(trial.args(UNSHARE).args(["ip", "link", "add", "fen0", "type", "bridge"]))
        .map_err(|fault| fault.to_string())?;
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let again = Command::new("unshare")
        .args(UNSHARE)
        .arg(this)
        .args(std::env::args_os().skip(1))
        .env(INSIDE, "1")
        .exec();
    Err(again.to_string())
}

/// Calls a tool; what it says is the fault where it fails.
fn call(command: &mut Command) -> Run<()> {
    let name = command.get_program().display().to_string();
    let done = command.stdin(Stdio::null()).output();
    let done = done.map_err(|error| Fault::Process(format!("{name}: {error}")))?;
    if done.status.success() {
        return Ok(());
    }
    Err(Fault::Process(format!("{name}: {}", String::from_utf8_lossy(&done.stderr).trim())))
}

fn ip(words: &[&str]) -> Run<()> {
    call(Command::new("ip").args(words))
}

/// Keeps a node's network namespace while the node does not run.
struct Network(Child);

impl Network {
    fn new() -> Run<Self> {
        let held = Command::new("unshare").args(["--net", "sleep", "infinity"]).stdin(Stdio::null()).spawn();
        let held = Self(held.map_err(|error| Fault::Process(format!("unshare: {error}")))?);
        let (ours, deadline) = (std::fs::read_link("/proc/self/ns/net").ok(), Instant::now() + PATIENCE);
        while std::fs::read_link(held.path()).ok() == ours {
            if Instant::now() > deadline {
                return Err(Fault::Process("unshare: no network of its own".to_owned()));
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(held)
    }

    fn path(&self) -> String {
        format!("/proc/{}/ns/net", self.0.id())
    }

    /// The words that run a program in it.
    fn words(&self) -> Vec<String> {
        vec!["nsenter".to_owned(), format!("--net={}", self.path()), "--".to_owned()]
    }

    fn run(&self, words: &[&str]) -> Run<()> {
        let within = self.words();
        call(Command::new(&within[0]).args(&within[1..]).args(words))
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // It sleeps for ever; either way it is waited for.
        let _ended = self.0.kill();
        let _status = self.0.wait();
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // The folder under it can be removed then; the namespace ends with the run either way.
        let _unmounted = call(Command::new("umount").arg(&self.small));
    }
}

/// Networks for some nodes, and a small disk for the first.
pub struct Sandbox {
    networks: Vec<Network>,
    small: PathBuf,
}

/// The address of the node at a place, counted from nought.
fn host(place: usize) -> Ipv4Addr {
    Ipv4Addr::from_bits(FIRST.to_bits() + u32::try_from(place).unwrap_or(0))
}

impl Sandbox {
    /// Joins `nodes` networks by a bridge, and puts the folder `small`, which is made, on a disk of its own.
    ///
    /// # Errors
    /// A tool fails: this is not run inside (see [`enter`]), or the machine permits less than it did a moment ago.
    pub fn new(nodes: u16, small: &Path) -> Run<Self> {
        ip(&["link", "set", "lo", "up"])?;
        ip(&["link", "add", "fen0", "type", "bridge"])?;
        ip(&["addr", "add", CLIENT, "dev", "fen0"])?;
        ip(&["link", "set", "fen0", "up"])?;
        let mut networks = Vec::new();
        for place in 0..usize::from(nodes) {
            let network = Network::new()?;
            let (port, holder) = (format!("fen0-{place}"), network.0.id().to_string());
            ip(&["link", "add", &port, "type", "veth", "peer", "name", "eth0", "netns", &holder])?;
            ip(&["link", "set", &port, "master", "fen0", "up"])?;
            network.run(&["ip", "addr", "add", &format!("{}/24", host(place)), "dev", "eth0"])?;
            network.run(&["ip", "link", "set", "eth0", "up"])?;
            network.run(&["ip", "link", "set", "lo", "up"])?;
            networks.push(network);
        }
        let place = |error: std::io::Error| Fault::Place {
            place: small.to_owned(),
            what: format!("cannot be made: {error}"),
        };
        std::fs::create_dir_all(small).map_err(place)?;
        call(Command::new("mount").args(["-t", "tmpfs", "-o", SMALL_DISK, "fen"]).arg(small))?;
        Ok(Self { networks, small: small.to_owned() })
    }

    /// What starts a program in each node's network.
    pub fn launchers(&self) -> Vec<Vec<String>> {
        self.networks.iter().map(Network::words).collect()
    }

    /// From now on no packet of one node reaches the other.
    ///
    /// # Errors
    /// A tool fails.
    pub fn cut(&self, from: usize, to: usize) -> Run<()> {
        self.networks[from].run(&["ip", "route", "add", "blackhole", &host(to).to_string()])
    }

    /// They do again.
    ///
    /// # Errors
    /// A tool fails.
    pub fn join(&self, from: usize, to: usize) -> Run<()> {
        self.networks[from].run(&["ip", "route", "del", "blackhole", &host(to).to_string()])
    }

    /// Fills the small disk to its last byte.
    ///
    /// # Errors
    /// Something else than its being full keeps it from being written.
    pub fn fill(&self) -> Run<()> {
        let fault = |error: std::io::Error| Fault::Place { place: self.filler(), what: error.to_string() };
        let mut file = std::fs::File::create(self.filler()).map_err(fault)?;
        let mut piece = vec![0x5a_u8; 1 << 20];
        while !piece.is_empty() {
            match file.write_all(&piece) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::StorageFull => {
                    piece.truncate(piece.len() / 2);
                }
                Err(error) => return Err(fault(error)),
            }
        }
        Ok(())
    }

    /// There is room again.
    ///
    /// # Errors
    /// The file that filled it cannot be removed.
    pub fn clear(&self) -> Run<()> {
        let removed = std::fs::remove_file(self.filler());
        removed.map_err(|error| Fault::Place { place: self.filler(), what: error.to_string() })
    }

    fn filler(&self) -> PathBuf {
        self.small.join("filler")
    }
}
