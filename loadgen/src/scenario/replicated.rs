//! The scenarios that drive a cluster of processes on this machine: every node, and the client, share its cores.
//!
//! `failover` kills the leader of the first shard with SIGKILL when half is done, and says how long nothing was
//! answered; `restart` kills all nodes, starts them again, and says when the first command was answered. Both go on
//! with the load, so what was under way at the kill is asked again under the same ids, and the check proves that it
//! was done once.

use super::embedded::{expected, fill, measured};
use super::{Plan, Scenario, conclude, weigh};
use crate::Watch;
use crate::drive::{Driven, Load, drive, open_accounts};
use crate::fault::{Fault, Run};
use crate::measure::{Usage, figure, process_cpu, ratio};
use crate::place::Place;
use crate::report::{Report, rounded};
use crate::target::Cluster;
use fen_cluster::local::{Layout, LocalCluster};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// The group of the first shard; group 0 is the directory.
const FIRST_SHARD: u32 = 1;

/// A cluster without a leader for so long is broken.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs a scenario on a cluster of `plan.replicas` processes of `program`, which must be `fen`.
///
/// # Errors
/// A fault of the place, a process or the cluster. Books that do not hold what was acknowledged are in the report.
pub fn run(plan: &Plan, program: &Path, watch: &dyn Watch) -> Run<Report> {
    plan.check()?;
    let place = Place::open(plan.data.as_deref())?;
    let mut report = plan.report(place.path());
    report.setting = format!(
        "{} processes of a node each and the client on one machine; on a majority's disks before it is answered",
        plan.replicas
    );
    let port =
        Layout::free_port(plan.replicas).map_err(|error| Fault::Process(format!("no port: {error}")))?;
    let layout = Layout { nodes: plan.replicas, port, is_plaintext: true };
    let mut processes = LocalCluster::start(program, &layout.files(place.path())?)?;
    let cluster = Cluster::of(&processes)?;
    cluster.block_on(processes.found(plan.shards))?;

    let workload = plan.workload();
    report.rss_empty_bytes = Usage::of_all(&processes.processes()).resident;
    open_accounts(&cluster, &workload, watch)?;
    let warm_up = Load { end: plan.warm_up_batches(), ..measured(plan, &workload) };
    watch.step("warm-up", plan.transfers / 10);
    let warm_up = drive(&cluster, &warm_up, watch)?;
    let load = Load { end: warm_up.end + plan.batches(), first: warm_up.end, ..measured(plan, &workload) };

    watch.step(plan.scenario.name(), plan.transfers);
    let before = Usage::of_all(&processes.processes());
    let client_before = process_cpu();
    let driven = match plan.scenario {
        Scenario::Failover | Scenario::Restart => {
            kill_in_mid_load(plan, &mut processes, &cluster, &load, &mut report, watch)?
        }
        Scenario::Transfers
        | Scenario::Singles
        | Scenario::Mixed
        | Scenario::Disburse
        | Scenario::Repay
        | Scenario::DayEnd
        | Scenario::Batch => drive(&cluster, &load, watch)?,
    };
    let used = Usage::of_all(&processes.processes());
    fill(&mut report, &warm_up, &driven);
    report.cpu_client_seconds = process_cpu().saturating_sub(client_before).as_secs_f64();
    report.cpu_seconds = report.cpu_client_seconds + used.cpu.saturating_sub(before.cpu).as_secs_f64();
    (report.rss_bytes, report.rss_peak_bytes) = (used.resident, used.resident_peak);

    watch.step("check", 1);
    let expected = expected(plan, &warm_up, &driven);
    report.faults = expected.compare(&cluster)?;
    conclude(&mut report);
    let written = Usage::of_all(&processes.processes()).written;
    report.written_bytes_per_record = Some(rounded(ratio(figure(written), figure(expected.created()))));
    drop(processes);
    weigh(&mut report, place.path(), expected.created());
    Ok(report)
}

/// Notes when answers come, and tells when enough are there.
struct Pace<'a> {
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

impl Pace<'_> {
    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// From here on gaps count.
    fn mark(&self) {
        self.longest.store(0, Ordering::Relaxed);
    }

    fn tell(&self) {
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
fn kill_in_mid_load(
    plan: &Plan,
    processes: &mut LocalCluster,
    cluster: &Cluster,
    load: &Load<'_>,
    report: &mut Report,
    watch: &dyn Watch,
) -> Run<Driven> {
    let (reached, half) = channel();
    let pace = Pace {
        watch,
        start: Instant::now(),
        last: AtomicU64::new(0),
        longest: AtomicU64::new(0),
        done: AtomicU64::new(0),
        half: plan.transfers / 2,
        reached: Mutex::new(Some(reached)),
    };
    let driven = std::thread::scope(|scope| {
        let driving = scope.spawn(|| {
            let driven = drive(cluster, load, &pace);
            pace.tell();
            driven
        });
        let killed = kill(plan, processes, cluster, &half, &pace);
        let driven = driving.join().map_err(|_| Fault::Process("a client thread panicked".to_owned()));
        killed?;
        driven?
    })?;
    let gap = Duration::from_micros(pace.longest.load(Ordering::Relaxed)).as_secs_f64() * 1_000.0;
    if plan.scenario == Scenario::Restart {
        report.ready_ms = Some(gap);
    } else {
        report.gap_ms = Some(gap);
    }
    Ok(driven)
}

fn kill(
    plan: &Plan,
    processes: &mut LocalCluster,
    cluster: &Cluster,
    half: &Receiver<()>,
    pace: &Pace<'_>,
) -> Run<()> {
    let waited = half.recv();
    waited.map_err(|_| Fault::Process("the load ended before it was killed".to_owned()))?;
    if plan.scenario == Scenario::Restart {
        pace.mark();
        (0..processes.size()).for_each(|place| processes.kill(place));
        return (0..processes.size()).try_for_each(|place| Ok(processes.start_node(place)?));
    }
    let leader = leader(cluster)?;
    let place = (0..processes.size()).find(|place| processes.node(*place).0 == leader);
    let place = place.ok_or_else(|| Fault::Process(format!("node {leader} is not one of ours")))?;
    pace.mark();
    processes.kill(place);
    Ok(())
}

/// The node that leads the first shard.
fn leader(cluster: &Cluster) -> Run<u64> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let status = cluster.block_on(cluster.client().status())?;
        let group = status.groups.iter().find(|group| group.group == FIRST_SHARD);
        if let Some(leader) = group.map(|group| group.leader).filter(|leader| *leader != 0) {
            return Ok(leader);
        }
        if Instant::now() > deadline {
            return Err(Fault::Process("the first shard has no leader".to_owned()));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
