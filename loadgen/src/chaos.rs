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
//! Where namespaces are permitted, each node is in a network of its own and speaks TLS, ways between them are cut, and
//! one node has a small disk that fills up ([`sandbox`]); elsewhere these troubles are left out.
//!
//! Limits: three nodes, and of a shard's members never more than one whose disk is gone or rots. Deliberately absent:
//! lines that lose and reorder, slow disks and jumping clocks, which the simulator has (`cluster/sim`).

pub mod sandbox;
mod trouble;

pub use trouble::Trouble;

use crate::Watch;
use crate::check::Expected;
use crate::drive::{Load, drive, open_accounts};
use crate::fault::{Fault, Run};
use crate::place::Place;
use crate::target::Cluster;
use crate::workload::{Hot, Ids, Kinds, Workload};
use fen_cluster::local::{Hosts, Layout, LocalCluster};
use sandbox::Sandbox;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use trouble::{Dice, Ground};

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
    /// Whether this process is [inside](sandbox::enter).
    pub is_sandboxed: bool,
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
    // The node at the first place has the small disk.
    let small = place.path().join("node-1");
    let sandbox = plan.is_sandboxed.then(|| Sandbox::new(NODES, &small)).transpose()?;
    let port = Layout::free_port(NODES).map_err(|error| Fault::Process(format!("no port: {error}")))?;
    let hosts = sandbox.as_ref().map_or(Hosts::Loopback, |_| Hosts::From(sandbox::FIRST));
    let layout = Layout { nodes: NODES, port, is_plaintext: sandbox.is_none(), hosts };
    let launchers = sandbox.as_ref().map(Sandbox::launchers).unwrap_or_default();
    let processes = LocalCluster::start_by(launchers, program, &layout.files(place.path())?)?;
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
    let dice = Dice(plan.seed);
    let mut torment = Torment { shards: plan.shards, processes, sandbox, expected, first: 0, dice };
    let begun = Instant::now();
    // Every kind once, in an order of the seed, then the next lap.
    let mut lap: Vec<Trouble> = Vec::new();
    while begun.elapsed() < plan.lasts && outcome.rounds < plan.rounds_max && outcome.faults.is_empty() {
        if lap.is_empty() {
            lap.extend(Trouble::all(plan.is_sandboxed));
        }
        let trouble = lap.swap_remove(torment.dice.index(lap.len()));
        let silence = torment.round(trouble)?;
        outcome.faults = torment.settle(trouble)?;
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
    // Before the networks, in which its processes are.
    processes: LocalCluster,
    sandbox: Option<Sandbox>,
    /// What all answers so far add up to.
    expected: Expected,
    /// The number of the next command.
    first: u64,
    dice: Dice,
}

impl Torment {
    /// One round: the longest silence.
    fn round(&mut self, trouble: Trouble) -> Run<Duration> {
        let cluster = Cluster::of(&self.processes)?;
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
            let driving = scope.spawn(|| drive(&cluster, &load, &silence));
            let struck = silence
                .wait_for(ANSWERS)
                .and_then(|()| {
                    silence.longest_us.store(0, Ordering::Relaxed);
                    let shard = 1 + u32::try_from(self.dice.below(u64::from(self.shards))).unwrap_or(0);
                    let (processes, dice) = (&mut self.processes, &mut self.dice);
                    Ground { processes, sandbox: self.sandbox.as_ref(), cluster: &cluster, dice }
                        .strike(trouble, shard)
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
    /// What is wrong with the books after a round. Rot is found and mended in its own time.
    fn settle(&self, trouble: Trouble) -> Run<Vec<String>> {
        let cluster = Cluster::of(&self.processes)?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let faults = self.expected.compare(&cluster)?;
            if faults.is_empty() || trouble != Trouble::Rot || Instant::now() > deadline {
                return Ok(faults);
            }
            std::thread::sleep(LOOK_EVERY * 100);
        }
    }
}
