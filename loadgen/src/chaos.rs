//! Chaos: real processes of a cluster on this machine, killed, stopped and replaced while clients pay, round after
//! round; after each round every answer is added up again, and all members must have the same books.
//!
//! A round: the load runs; when some hundred payments are answered, one trouble strikes; when some hundred more are,
//! the load ends. Then the check ([`crate::check`]): each account of the workload holds exactly what the answers add
//! up to, so nothing acknowledged is lost and nothing is there twice; and the cluster's own verification finds no
//! fault, and one digest for each shard. Payments go between shards as well as within them.
//!
//! **Invariants.** What the rounds do follows from the seed; when exactly it strikes does not, since processes are
//! real. Every process that is started ends with the run, stopped ones too.
//!
//! Limits: three nodes, and of a shard's members never more than one whose disk is gone. Deliberately absent: cuts in
//! the network, full disks and rotten bits, which the simulator has (`cluster/sim`).

use crate::Watch;
use crate::check::Expected;
use crate::drive::{Load, drive, open_accounts};
use crate::fault::{Fault, Run};
use crate::place::Place;
use crate::target::Cluster;
use crate::workload::{Hot, Ids, Kinds, Workload};
use fen_api::wire;
use fen_cluster::local::{Layout, LocalCluster};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Nodes, and copies of each shard.
const NODES: u16 = 3;
/// What a cluster may take to answer again, or to come to one place of its log.
const PATIENCE: Duration = Duration::from_mins(1);
/// Answers before a trouble strikes, and after it is over.
const ANSWERS: u64 = 300;
/// How often conditions are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// What to run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Rounds begin for so long.
    pub lasts: Duration,
    /// And no more of them than this.
    pub rounds_max: u64,
    /// Of the troubles and the payments.
    pub seed: u64,
    /// How many shards.
    pub shards: u32,
    /// Where the data goes and stays; a temporary directory if there is none.
    pub data: Option<PathBuf>,
}

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
}

impl Trouble {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::KillLeader,
        Self::KillFollower,
        Self::KillAll,
        Self::StopLeader,
        Self::StopFollower,
        Self::StopAll,
        Self::Replace,
    ];

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
        }
    }
}

/// One kind of trouble, over all rounds.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Struck {
    /// How often.
    pub count: u64,
    /// The longest time without any answer in its rounds.
    pub silence: Duration,
}

/// How it ended.
#[derive(Clone, Default, Debug)]
pub struct Outcome {
    /// Rounds that were checked.
    pub rounds: u64,
    /// Transfers acknowledged, all of them found again.
    pub acknowledged: u64,
    /// By kind.
    pub struck: BTreeMap<Trouble, Struck>,
    /// What was wrong after the last round; nothing where all is right.
    pub faults: Vec<String>,
}

/// Numbers from a seed (`SplitMix64`).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % limit.max(1)
    }

    fn index(&mut self, length: usize) -> usize {
        let drawn = self.below(length as u64);
        usize::try_from(drawn).expect("an index was drawn below a length")
    }

    fn pause(&mut self, from_ms: u64, to_ms: u64) {
        std::thread::sleep(Duration::from_millis(from_ms + self.below(to_ms - from_ms + 1)));
    }
}

/// Counts answers, and the longest time without one.
struct Silence {
    start: Instant,
    last_us: AtomicU64,
    longest_us: AtomicU64,
    answers: AtomicU64,
}

impl Silence {
    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn wait_for(&self, more: u64) -> Run<()> {
        let (goal, deadline) = (self.answers.load(Ordering::Relaxed) + more, Instant::now() + PATIENCE);
        while self.answers.load(Ordering::Relaxed) < goal {
            if Instant::now() > deadline {
                return Err(Fault::Process("the cluster does not answer any more".to_owned()));
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }
}

impl Watch for Silence {
    fn step(&self, _name: &'static str, _total: u64) {}
    fn done(&self, _count: u64) {}
    fn answered(&self, _batch: u64) {
        let now = self.now();
        let gap = now.saturating_sub(self.last_us.swap(now, Ordering::Relaxed));
        self.longest_us.fetch_max(gap, Ordering::Relaxed);
        self.answers.fetch_add(1, Ordering::Relaxed);
    }
}

/// Runs rounds until the time is over, or something is wrong; `tell` hears a line for each.
///
/// # Errors
/// The place or a process breaks, or the cluster stops answering for good.
pub fn run(plan: &Plan, program: &Path, tell: &mut dyn FnMut(&str)) -> Run<Outcome> {
    let place = Place::open(plan.data.as_deref())?;
    let port = Layout::free_port(NODES).map_err(|error| Fault::Process(format!("no port: {error}")))?;
    let layout = Layout { nodes: NODES, port, is_plaintext: true };
    let processes = LocalCluster::start_quietly(program, &layout.files(place.path())?)?;
    let workload = Workload {
        seed: plan.seed,
        accounts: 1_000,
        batch: 20,
        ids: Ids::Time,
        hot: Hot::Uniform,
        kinds: Kinds::Plain,
        base: 0,
        crossing: None,
        refused_percent: 0,
    };
    let cluster = Cluster::of(&processes)?;
    cluster.block_on(processes.found(plan.shards))?;
    open_accounts(&cluster, &workload, &crate::Unwatched)?;
    drop(cluster);
    let (mut outcome, expected) = (Outcome::default(), Expected::new(workload));
    let mut torment = Torment { shards: plan.shards, processes, expected, first: 0, dice: Dice(plan.seed) };
    let begun = Instant::now();
    // Every kind once, in an order of the seed, then the next lap.
    let mut lap: Vec<Trouble> = Vec::new();
    while begun.elapsed() < plan.lasts && outcome.rounds < plan.rounds_max && outcome.faults.is_empty() {
        if lap.is_empty() {
            lap.extend(Trouble::ALL);
        }
        let trouble = lap.swap_remove(torment.dice.index(lap.len()));
        let cluster = Cluster::of(&torment.processes)?;
        let silence = torment.round(trouble, &cluster)?;
        outcome.faults = torment.expected.compare(&cluster)?;
        outcome.rounds += 1;
        outcome.acknowledged = torment.expected.created();
        let struck = outcome.struck.entry(trouble).or_default();
        struck.count += 1;
        struck.silence = struck.silence.max(silence);
        let (rounds, words) = (outcome.rounds, trouble.words());
        tell(&format!(
            "round {rounds}: {words}; silent for {} ms; {} transfers acknowledged so far, {}",
            silence.as_millis(),
            outcome.acknowledged,
            if outcome.faults.is_empty() { "all there once" } else { "AND THE BOOKS ARE WRONG" }
        ));
    }
    Ok(outcome)
}

/// A run between two rounds.
struct Torment {
    shards: u32,
    processes: LocalCluster,
    /// What all answers so far add up to.
    expected: Expected,
    /// The number of the next command.
    first: u64,
    dice: Dice,
}

impl Torment {
    /// One round: the longest silence.
    fn round(&mut self, trouble: Trouble, cluster: &Cluster) -> Run<Duration> {
        let (workload, stop) = (self.expected.workload(), AtomicBool::new(false));
        let load = Load {
            stream: &workload,
            clients: 8,
            under_way: 1,
            first: self.first,
            end: u64::MAX / 2,
            stride: 1,
            rate: None,
            seconds_max: None,
            stop: Some(&stop),
            reads: false,
        };
        let silence = Silence {
            start: Instant::now(),
            last_us: AtomicU64::new(0),
            longest_us: AtomicU64::new(0),
            answers: AtomicU64::new(0),
        };
        let driven = std::thread::scope(|scope| {
            let driving = scope.spawn(|| drive(cluster, &load, &silence));
            let struck = silence
                .wait_for(ANSWERS)
                .and_then(|()| {
                    silence.longest_us.store(0, Ordering::Relaxed);
                    self.strike(trouble, cluster)
                })
                .and_then(|()| silence.wait_for(ANSWERS));
            stop.store(true, Ordering::Relaxed);
            let driven = driving.join().map_err(|_| Fault::Process("a client thread panicked".to_owned()))?;
            struck?;
            driven
        })?;
        for batch in driven.batches() {
            self.expected.add(batch, &driven.answers);
        }
        self.first = driven.sent.iter().map(|sent| sent.end).max().unwrap_or(self.first);
        Ok(Duration::from_micros(silence.longest_us.load(Ordering::Relaxed)))
    }

    /// Does what the round is about, and puts it right again.
    fn strike(&mut self, trouble: Trouble, cluster: &Cluster) -> Run<()> {
        let (processes, dice) = (&mut self.processes, &mut self.dice);
        let shard = 1 + u32::try_from(dice.below(u64::from(self.shards))).unwrap_or(0);
        let leader = cluster.leader(shard)?;
        let everybody: Vec<usize> = (0..processes.size()).collect();
        let place = everybody.iter().copied().find(|place| processes.node(*place).0 == leader);
        let leading = place.ok_or_else(|| Fault::Process(format!("node {leader} is not one of ours")))?;
        let following = (leading + 1 + dice.index(processes.size() - 1)) % processes.size();
        match trouble {
            Trouble::KillLeader => kill(processes, vec![leading], dice),
            Trouble::KillFollower => kill(processes, vec![following], dice),
            Trouble::KillAll => kill(processes, everybody, dice),
            Trouble::StopLeader => stop(processes, &[leading], dice),
            Trouble::StopFollower => stop(processes, &[following], dice),
            Trouble::StopAll => stop(processes, &everybody, dice),
            Trouble::Replace => replace(dice.index(processes.size()), processes, cluster),
        }
    }
}

/// Kills nodes, and starts them again in any order.
fn kill(processes: &mut LocalCluster, mut whom: Vec<usize>, dice: &mut Dice) -> Run<()> {
    for place in &whom {
        processes.kill(*place);
    }
    while !whom.is_empty() {
        let place = whom.swap_remove(dice.index(whom.len()));
        dice.pause(0, 1_500);
        processes.start_node(place)?;
    }
    Ok(())
}

/// Nodes stand still for a while.
fn stop(processes: &mut LocalCluster, whom: &[usize], dice: &mut Dice) -> Run<()> {
    for place in whom {
        processes.stop_for_now(*place)?;
    }
    dice.pause(200, 3_000);
    for place in whom {
        processes.go_on(*place)?;
    }
    Ok(())
}

/// A node is gone with its disk; another takes its place, under an id that was never given.
fn replace(place: usize, processes: &mut LocalCluster, cluster: &Cluster) -> Run<()> {
    let (lost, ..) = processes.node(place);
    let (id, peer_address, client_address) = processes.replace(place)?;
    let node =
        wire::Node { id, peer_address: peer_address.to_string(), client_address: client_address.to_string() };
    cluster.block_on(cluster.client().replace_node(lost, node))?;
    let deadline = Instant::now() + PATIENCE;
    while !cluster.block_on(cluster.client().plan())?.is_empty() {
        if Instant::now() > deadline {
            return Err(Fault::Process(format!("node {id} does not come to hold what node {lost} held")));
        }
        std::thread::sleep(LOOK_EVERY * 10);
    }
    Ok(())
}
