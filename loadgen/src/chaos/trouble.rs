//! What goes wrong in a round of chaos: each trouble strikes, lasts, and is put right again.
//!
//! **Invariants.** A call that returns has put everything right: each process runs or is about to, every way is open,
//! and disks have room. The node at the first place has the small disk of a sandbox, so it is never replaced by itself.

use super::sandbox::Sandbox;
use super::{LOOK_EVERY, PATIENCE};
use crate::fault::{Fault, Run};
use crate::target::Cluster;
use fen_api::wire;
use fen_cluster::local::LocalCluster;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A node that refuses its own files does so within this time.
const REFUSAL: Duration = Duration::from_secs(3);

/// What goes wrong in a round.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Trouble {
    /// The leader of a shard is killed with SIGKILL, and started again.
    KillLeader,
    /// Another member is.
    KillFollower,
    /// All are, and start in any order.
    KillAll,
    /// The leader of a shard stands still (SIGSTOP), and goes on.
    StopLeader,
    /// Another member does.
    StopFollower,
    /// All do.
    StopAll,
    /// A node is lost with its disk; an empty one takes its place under a new id.
    Replace,
    /// A bit flips in one of a node's files while it is down. Where it refuses to start over that, it is replaced.
    Rot,
    /// The leader of a shard and the others do not hear each other.
    CutLeader,
    /// The others hear the leader of a shard, and it hears nobody.
    DeafLeader,
    /// A member hears the others, and is not heard.
    MuteFollower,
    /// The disk of a node is full.
    FullDisk,
}

impl Trouble {
    /// Those that need nothing but processes and files.
    const PLAIN: [Self; 8] = [
        Self::KillLeader,
        Self::KillFollower,
        Self::KillAll,
        Self::StopLeader,
        Self::StopFollower,
        Self::StopAll,
        Self::Replace,
        Self::Rot,
    ];
    /// Those that need networks and disks of the run's own.
    const SANDBOXED: [Self; 4] = [Self::CutLeader, Self::DeafLeader, Self::MuteFollower, Self::FullDisk];

    /// All that can be here.
    pub(super) fn all(is_sandboxed: bool) -> impl Iterator<Item = Self> {
        Self::PLAIN.into_iter().chain(Self::SANDBOXED.into_iter().filter(move |_| is_sandboxed))
    }

    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::KillLeader => "leader killed",
            Self::KillFollower => "follower killed",
            Self::KillAll => "all killed",
            Self::StopLeader => "leader stopped for a while",
            Self::StopFollower => "follower stopped for a while",
            Self::StopAll => "all stopped for a while",
            Self::Replace => "node lost, an empty one in its place",
            Self::Rot => "bit flipped in a node's file",
            Self::CutLeader => "leader cut off from the others",
            Self::DeafLeader => "leader heard, and hears nobody",
            Self::MuteFollower => "follower hears, and is not heard",
            Self::FullDisk => "disk of a node full",
        }
    }
}

/// Numbers from a seed (`SplitMix64`).
pub(super) struct Dice(pub u64);

impl Dice {
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % limit.max(1)
    }

    pub(super) fn index(&mut self, length: usize) -> usize {
        let drawn = self.below(length as u64);
        usize::try_from(drawn).expect("an index was drawn below a length")
    }

    pub(super) fn pause(&mut self, from_ms: u64, to_ms: u64) {
        std::thread::sleep(Duration::from_millis(from_ms + self.below(to_ms - from_ms + 1)));
    }
}

/// Where trouble strikes.
pub(super) struct Ground<'a> {
    pub processes: &'a mut LocalCluster,
    pub sandbox: Option<&'a Sandbox>,
    pub cluster: &'a Cluster,
    pub dice: &'a mut Dice,
}

impl Ground<'_> {
    /// Does what a round is about, to a shard, and puts it right again.
    ///
    /// # Errors
    /// It cannot be done, or what is done to mend it does not end.
    pub(super) fn strike(&mut self, trouble: Trouble, shard: u32) -> Run<()> {
        let size = self.processes.size();
        let leader = self.cluster.leader(shard)?;
        let place = (0..size).find(|place| self.processes.node(*place).0 == leader);
        let leading = place.ok_or_else(|| Fault::Process(format!("node {leader} is not one of ours")))?;
        let following = (leading + 1 + self.dice.index(size - 1)) % size;
        let others = |place: usize| (0..size).filter(move |other| *other != place);
        let out = |place: usize| others(place).map(move |other| (place, other));
        let into = |place: usize| others(place).map(move |other| (other, place));
        match trouble {
            Trouble::KillLeader => self.kill(vec![leading]),
            Trouble::KillFollower => self.kill(vec![following]),
            Trouble::KillAll => self.kill((0..size).collect()),
            Trouble::StopLeader => self.stop(&[leading]),
            Trouble::StopFollower => self.stop(&[following]),
            Trouble::StopAll => self.stop(&(0..size).collect::<Vec<_>>()),
            Trouble::Replace => {
                let place = 1 + self.dice.index(size - 1);
                self.replace(place)
            }
            Trouble::Rot => {
                let place = 1 + self.dice.index(size - 1);
                self.rot(place)
            }
            Trouble::CutLeader => self.cut(&out(leading).chain(into(leading)).collect::<Vec<_>>()),
            Trouble::DeafLeader => self.cut(&into(leading).collect::<Vec<_>>()),
            Trouble::MuteFollower => self.cut(&out(following).collect::<Vec<_>>()),
            Trouble::FullDisk => self.fill(),
        }
    }

    /// Kills nodes, and starts them again in any order.
    fn kill(&mut self, mut whom: Vec<usize>) -> Run<()> {
        for place in &whom {
            self.processes.kill(*place);
        }
        while !whom.is_empty() {
            let place = whom.swap_remove(self.dice.index(whom.len()));
            self.dice.pause(0, 1_500);
            self.processes.start_node(place)?;
        }
        Ok(())
    }

    /// Nodes stand still for a while.
    fn stop(&mut self, whom: &[usize]) -> Run<()> {
        for place in whom {
            self.processes.stop_for_now(*place)?;
        }
        self.dice.pause(200, 3_000);
        for place in whom {
            self.processes.go_on(*place)?;
        }
        Ok(())
    }

    /// A node is gone with its disk; another takes its place, under an id that was never given.
    fn replace(&mut self, place: usize) -> Run<()> {
        let (lost, ..) = self.processes.node(place);
        let (id, peer_address, client_address) = self.processes.replace(place)?;
        let node = wire::Node {
            id,
            peer_address: peer_address.to_string(),
            client_address: client_address.to_string(),
        };
        self.cluster.block_on(self.cluster.client().replace_node(lost, node))?;
        let deadline = Instant::now() + PATIENCE;
        while !self.cluster.block_on(self.cluster.client().plan())?.is_empty() {
            if Instant::now() > deadline {
                return Err(Fault::Process(format!("node {id} does not come to hold what node {lost} held")));
            }
            std::thread::sleep(LOOK_EVERY * 10);
        }
        Ok(())
    }

    /// A bit of a node's files flips while it is down. What it refuses to start over, only a new node can bring.
    fn rot(&mut self, place: usize) -> Run<()> {
        self.processes.kill(place);
        let files = files_of(self.processes.folder(place))?;
        if !files.is_empty() {
            flip(&files[self.dice.index(files.len())], self.dice)?;
        }
        self.processes.start_node(place)?;
        let deadline = Instant::now() + REFUSAL;
        while Instant::now() < deadline {
            if self.processes.has_ended(place).is_some() {
                return self.replace(place);
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    /// Ways are cut for a while.
    fn cut(&mut self, ways: &[(usize, usize)]) -> Run<()> {
        let sandbox = self.sandbox.ok_or_else(no_sandbox)?;
        ways.iter().try_for_each(|(from, to)| sandbox.cut(*from, *to))?;
        self.dice.pause(1_000, 5_000);
        ways.iter().try_for_each(|(from, to)| sandbox.join(*from, *to))
    }

    /// There is no room left on a disk for a while.
    fn fill(&mut self) -> Run<()> {
        let sandbox = self.sandbox.ok_or_else(no_sandbox)?;
        sandbox.fill()?;
        self.dice.pause(1_000, 5_000);
        sandbox.clear()
    }
}

fn no_sandbox() -> Fault {
    Fault::Process("there is no sandbox to strike in".to_owned())
}

/// The files in a folder and below it that are long enough to be worth a bit.
fn files_of(folder: &Path) -> Run<Vec<PathBuf>> {
    let fault = |path: &Path, error: std::io::Error| Fault::File { path: path.to_owned(), error };
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).map_err(|error| fault(&folder, error))? {
            let entry = entry.map_err(|error| fault(&folder, error))?;
            let kind = entry.metadata().map_err(|error| fault(&entry.path(), error))?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.len() > 0 {
                files.push(entry.path());
            }
        }
    }
    // The order of a folder is the file system's own; the seed is to choose.
    files.sort();
    Ok(files)
}

/// Flips one bit of a file.
fn flip(path: &Path, dice: &mut Dice) -> Run<()> {
    let mut flipped = || -> std::io::Result<()> {
        let file = File::options().read(true).write(true).open(path)?;
        let (at, mut byte) = (dice.below(file.metadata()?.len()), [0_u8]);
        file.read_exact_at(&mut byte, at)?;
        byte[0] ^= 1 << dice.below(8);
        file.write_all_at(&byte, at)
    };
    flipped().map_err(|error| Fault::File { path: path.to_owned(), error })
}
