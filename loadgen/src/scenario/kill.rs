//! Nodes of a cluster of this machine are killed under load.
//!
//! `failover` kills the leader of the first shard with SIGKILL when half is done, and says how long nothing was
//! answered; `restart` kills all nodes, starts them again, and says when the first command was answered. Both go on
//! with the load, so what was under way at the kill is asked again under the same ids, and the check proves that it
//! was done once.

use super::{Plan, Scenario};
use crate::Watch;
use crate::drive::{Driven, Load, drive};
use crate::fault::{Fault, Run};
use crate::report::Report;
use crate::target::Cluster;
use fen_cluster::local::LocalCluster;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// The group of the first shard; group 0 is the directory.
const FIRST_SHARD: u32 = 1;

/// Notes when answers come, and tells when enough are there.
pub(super) struct Pace<'a> {
    watch: &'a dyn Watch,
    start: Instant,
    /// When the last answer came, in microseconds from the start.
    last: AtomicU64,
    /// The longest time without an answer since the kill.
    longest: AtomicU64,
    done: AtomicU64,
    half: u64,
    reached: Mutex<Option<Sender<()>>>,
}

impl<'a> Pace<'a> {
    /// Tells when `half` things are done.
    pub(super) fn new(half: u64, watch: &'a dyn Watch) -> (Self, Receiver<()>) {
        let (reached, told) = channel();
        let pace = Self {
            watch,
            start: Instant::now(),
            last: AtomicU64::new(0),
            longest: AtomicU64::new(0),
            done: AtomicU64::new(0),
            half,
            reached: Mutex::new(Some(reached)),
        };
        (pace, told)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// From here on gaps count.
    pub(super) fn mark(&self) {
        self.longest.store(0, Ordering::Relaxed);
    }

    /// The longest time without an answer since the mark, in milliseconds.
    pub(super) fn gap_ms(&self) -> f64 {
        Duration::from_micros(self.longest.load(Ordering::Relaxed)).as_secs_f64() * 1_000.0
    }

    /// Whoever waits for the half waits no longer.
    pub(super) fn tell(&self) {
        if let Some(sender) = self.reached.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take() {
            // Nobody listens any more when the run has failed.
            let _gone = sender.send(());
        }
    }
}

impl Watch for Pace<'_> {
    fn step(&self, name: &'static str, total: u64) {
        self.watch.step(name, total);
    }

    fn done(&self, count: u64) {
        self.watch.done(count);
        if self.done.fetch_add(count, Ordering::Relaxed) + count >= self.half {
            self.tell();
        }
    }

    fn answered(&self, _batch: u64) {
        let now = self.now();
        let gap = now.saturating_sub(self.last.swap(now, Ordering::Relaxed));
        self.longest.fetch_max(gap, Ordering::Relaxed);
    }
}

/// Drives the load, and kills the leader, or everybody, when half of it is done.
pub(super) fn in_mid_load(
    plan: &Plan,
    processes: &mut LocalCluster,
    cluster: &Cluster,
    load: &Load<'_>,
    report: &mut Report,
    watch: &dyn Watch,
) -> Run<Driven> {
    let (pace, half) = Pace::new(plan.transfers / 2, watch);
    let driven = std::thread::scope(|scope| {
        let driving = scope.spawn(|| {
            let driven = drive(cluster, load, &pace);
            pace.tell();
            driven
        });
        let waited = half.recv();
        let killed = waited
            .map_err(|_| Fault::Process("the load ended before it was killed".to_owned()))
            .and_then(|()| kill(plan, processes, cluster, &pace));
        let driven = driving.join().map_err(|_| Fault::Process("a client thread panicked".to_owned()));
        killed?;
        driven?
    })?;
    // The check asks every member.
    (0..processes.size()).try_for_each(|place| processes.start_node(place))?;
    if plan.scenario == Scenario::Restart {
        report.ready_ms = Some(pace.gap_ms());
    } else {
        report.gap_ms = Some(pace.gap_ms());
    }
    Ok(driven)
}

fn kill(plan: &Plan, processes: &mut LocalCluster, cluster: &Cluster, pace: &Pace<'_>) -> Run<()> {
    if plan.scenario == Scenario::Restart {
        pace.mark();
        (0..processes.size()).for_each(|place| processes.kill(place));
        return (0..processes.size()).try_for_each(|place| Ok(processes.start_node(place)?));
    }
    leader(processes, cluster, pace).map(|_| ())
}

/// Kills the leader of the first shard, and says where it was.
pub(super) fn leader(processes: &mut LocalCluster, cluster: &Cluster, pace: &Pace<'_>) -> Run<usize> {
    let leader = cluster.leader(FIRST_SHARD)?;
    let place = (0..processes.size()).find(|place| processes.node(*place).0 == leader);
    let place = place.ok_or_else(|| Fault::Process(format!("node {leader} is not one of ours")))?;
    pace.mark();
    processes.kill(place);
    Ok(place)
}
