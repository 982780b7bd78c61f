//! A process is killed under load, and another one opens its books.
//!
//! Three processes: the one that watches; one that opens the accounts, sends batches and writes the number of each
//! batch that was answered, until it is killed with SIGKILL; and one that opens the directory and says when it has
//! answered a first question. Then the watcher opens the books itself. Every batch whose number came through the pipe
//! must be there; a batch that was under way may be there as a whole, or not at all.

use super::{Plan, weigh_place};
use crate::answers::Answers;
use crate::check::Expected;
use crate::drive::{Load, drive, open_accounts};
use crate::fault::{Fault, Run};
use crate::measure::resident;
use crate::place::Place;
use crate::report::{Report, rate};
use crate::{Unwatched, Watch};
use fen_ledger::Ledger;
use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

const SETTING: &str =
    "client and ledger in one process, which is killed with SIGKILL; another opens its directory";

/// What a process of the scenario is started for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// To send batches until it is killed.
    Load,
    /// To open the directory and answer once.
    Reopen,
}

/// `program` again, for a part of the plan on a directory.
fn command(program: &Path, plan: &Plan, part: Part, place: &Path) -> Command {
    let part = match part {
        Part::Load => "load",
        Part::Reopen => "reopen",
    };
    let mut command = Command::new(program);
    command.args(["bench", plan.scenario.name(), "--part", part]).arg("--data").arg(place);
    let numbers = [
        ("--accounts", plan.accounts),
        ("--transfers", plan.transfers),
        ("--batch", u64::from(plan.batch)),
        ("--clients", u64::from(plan.clients)),
        ("--under-way", u64::from(plan.under_way)),
        ("--refused", u64::from(plan.refused_percent)),
        ("--seed", plan.seed),
    ];
    for (name, number) in numbers {
        command.args([name, &number.to_string()]);
    }
    command.args(["--ids", plan.ids.name(), "--hot", plan.hot.name()]);
    command
}

/// Plays a part, in a process that `run` started.
///
/// # Errors
/// A fault of the ledger.
pub fn play(part: Part, plan: &Plan, place: &Path) -> Run<()> {
    match part {
        Part::Load => send(plan, place),
        Part::Reopen => reopen(plan, place),
    }
}

/// Writes the numbers of answered batches to standard output.
struct Pipe;

impl Watch for Pipe {
    fn step(&self, _name: &'static str, _total: u64) {}
    fn done(&self, _count: u64) {}

    /// Nobody reads any more: then nobody counts this batch as acknowledged.
    fn answered(&self, batch: u64) {
        let _nobody_reads = writeln!(std::io::stdout(), "{batch}");
    }
}

/// Twice what is asked for is the end, in case nobody comes to kill it.
fn send(plan: &Plan, place: &Path) -> Run<()> {
    let ledger = Ledger::open(place)?;
    open_accounts(&ledger, &plan.workload(), &Unwatched)?;
    let load = Load {
        stream: &plan.workload(),
        clients: plan.clients,
        under_way: plan.under_way,
        first: 0,
        end: plan.batches() * 2 + 64,
        stride: 1,
        rate: None,
        seconds_max: None,
        stop: None,
        reads: false,
    };
    drive(&ledger, &load, &Pipe).map(|_| ())
}

fn reopen(plan: &Plan, place: &Path) -> Run<()> {
    let ledger = Ledger::open(place)?;
    let found = ledger.lookup_accounts(&[plan.workload().account_id(0)])?;
    let recovery = ledger.recovery();
    let account = if found[0].is_some() { "found" } else { "missing" };
    let line = format!("ready {account} {} {}", recovery.replayed_entries, resident().now);
    writeln!(std::io::stdout(), "{line}")
        .map_err(|error| Fault::Process(format!("the watcher is gone: {error}")))
}

/// A process that is killed when the watcher lets go of it.
struct Process {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Process {
    fn start(mut command: Command) -> Run<Self> {
        let fault = |error: std::io::Error| Fault::Process(format!("cannot be started: {error}"));
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(fault)?;
        let Some(output) = child.stdout.take() else {
            return Err(Fault::Process("has no standard output".to_owned()));
        };
        Ok(Self { child, lines: BufReader::new(output).lines() })
    }

    fn line(&mut self) -> Run<Option<String>> {
        self.lines.next().transpose().map_err(|error| Fault::Process(format!("cannot be read: {error}")))
    }

    fn kill(&mut self) {
        // It may have ended by itself; either way it is waited for.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What came through the pipe.
struct Acknowledged {
    batches: BTreeSet<u64>,
    /// From the first answer to the kill.
    taken: Duration,
    /// What was answered in that time.
    done: u64,
}

/// Lets the load run until enough is acknowledged, kills it, and reads what it still had said.
fn load_and_kill(plan: &Plan, mut process: Process, watch: &dyn Watch) -> Run<Acknowledged> {
    let mut batches = BTreeSet::new();
    let mut first = None;
    watch.step("load", plan.transfers);
    let wanted = usize::try_from(plan.batches()).unwrap_or(usize::MAX);
    while batches.len() < wanted {
        let Some(line) = process.line()? else {
            return Err(Fault::Process("the load ended before it was killed".to_owned()));
        };
        first.get_or_insert_with(Instant::now);
        batches.extend(line.parse::<u64>());
        watch.done(u64::from(plan.batch));
    }
    let taken = first.map_or(Duration::ZERO, |first| first.elapsed());
    let done = (plan.batches() - 1) * u64::from(plan.batch);
    process.kill();
    while let Some(line) = process.line()? {
        batches.extend(line.parse::<u64>());
    }
    Ok(Acknowledged { batches, taken, done })
}

/// Runs the scenario.
///
/// # Errors
/// A fault of the place, a process or the ledger. What was acknowledged and is not there is in the report.
pub(super) fn run(plan: &Plan, program: &Path, watch: &dyn Watch) -> Run<Report> {
    plan.check()?;
    let place = Place::open(plan.data.as_deref())?;
    let mut report = plan.report(place.path());
    SETTING.clone_into(&mut report.setting);
    let load = Process::start(command(program, plan, Part::Load, place.path()))?;
    let acknowledged = load_and_kill(plan, load, watch)?;
    report.done = u64::try_from(acknowledged.batches.len()).unwrap_or(0) * u64::from(plan.batch);
    report.seconds = acknowledged.taken.as_secs_f64();

    watch.step("restart", 1);
    let began = Instant::now();
    let mut reopened = Process::start(command(program, plan, Part::Reopen, place.path()))?;
    let line = reopened.line()?.unwrap_or_default();
    report.ready_ms = Some(began.elapsed().as_secs_f64() * 1_000.0);
    let _status = reopened.child.wait();
    let words: Vec<&str> = line.split(' ').collect();
    let ["ready", "found", replayed, resident] = words[..] else {
        return Err(Fault::Process(format!("the books did not open again: {line}")));
    };
    report.replayed_entries = replayed.parse().ok();
    report.rss_bytes = resident.parse().unwrap_or(0);
    report.rss_peak_bytes = report.rss_bytes;

    watch.step("check", 1);
    let ledger = Ledger::open(place.path())?;
    let expected = expected(plan, &acknowledged.batches, &ledger)?;
    report.faults = expected.compare(&ledger)?;
    report.verified = report.faults.is_empty();
    let rate = rate(acknowledged.done, acknowledged.taken);
    report.per_second = rate.filter(|_| report.verified);
    drop(ledger);
    weigh_place(&mut report, place.path(), expected.created());
    Ok(report)
}

/// Every acknowledged batch, and those under way that made it.
fn expected(plan: &Plan, acknowledged: &BTreeSet<u64>, ledger: &Ledger) -> Run<Expected> {
    let workload = plan.workload();
    let (mut expected, answers) = (Expected::new(workload), Answers::default());
    let under_way_max = u64::from(plan.clients) * u64::from(plan.under_way + 1);
    let end = acknowledged.last().map_or(0, |last| last + 1) + under_way_max;
    for batch in 0..end {
        let is_there = acknowledged.contains(&batch)
            || ledger.lookup_transfers(&[workload.first_id(batch)])?[0].is_some();
        if is_there {
            expected.add(batch, &answers);
        }
    }
    Ok(expected)
}
