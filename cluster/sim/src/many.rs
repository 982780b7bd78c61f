//! Many seeds, each in a process of its own, and what they came to.

use crate::run::Outcome;
use std::collections::BTreeMap;
use std::io::Read;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What a seed may take of the clock on the wall.
const SEED_PATIENCE: Duration = Duration::from_mins(2);

/// Everything, added up.
#[derive(Default)]
struct Sum {
    seeds: u64,
    virtual_ms: u64,
    acknowledged: u64,
    faults: BTreeMap<String, u64>,
    marks: BTreeMap<String, u64>,
    failed: Vec<(u64, String)>,
}

impl Sum {
    fn add(&mut self, outcome: Outcome) {
        self.seeds += 1;
        self.virtual_ms += outcome.virtual_ms;
        self.acknowledged += outcome.acknowledged;
        for (into, from) in [(&mut self.faults, outcome.faults), (&mut self.marks, outcome.marks)] {
            for (name, count) in from {
                *into.entry(name).or_default() += count;
            }
        }
        self.failed.extend(outcome.failure.map(|failure| (outcome.seed, failure)));
    }
}

/// Seeds that failed once, each with a line of its story; they are run first.
const KEPT: &str = include_str!("../seeds.txt");

fn kept() -> Vec<u64> {
    KEPT.lines().filter_map(|line| line.split_whitespace().next()?.parse().ok()).collect()
}

/// Runs them and prints the summary.
pub fn run(seeds: u64, from: Option<u64>, jobs: usize) -> ExitCode {
    let drawn = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_secs() * 1_000);
    let first = from.unwrap_or_else(drawn);
    println!("the seeds that failed once, then {first} to {}", first + seeds - 1);
    let begun = Instant::now();
    let mut sum = Sum::default();
    let all = kept().into_iter().chain(first..first + seeds);
    each(all, jobs, &[], |seed, outcome| {
        match outcome {
            Ok(outcome) => sum.add(outcome),
            Err(words) => sum.failed.push((seed, words)),
        }
        if let Some((failed, words)) = sum.failed.last()
            && *failed == seed
        {
            println!("seed {seed} FAILED: {words}");
        }
        true
    });
    print(&sum, begun.elapsed(), first + seeds - 1);
    ExitCode::from(u8::from(!sum.failed.is_empty()))
}

/// After how many seeds, from 0 on, an oracle speaks.
pub fn first_failure(seeds: u64, jobs: usize, arguments: &[&str]) -> Option<(u64, String)> {
    let (mut done, mut found) = (0, None);
    each(0..seeds, jobs, arguments, |_seed, outcome| {
        done += 1;
        let failure = outcome.map_or_else(Some, |outcome| outcome.failure);
        found = failure.map(|failure| (done, failure));
        found.is_none()
    });
    found
}

/// Each seed in a process of its own, some at once, until there are no more or `done` wants none.
fn each(
    seeds: impl Iterator<Item = u64>,
    jobs: usize,
    arguments: &[&str],
    mut done: impl FnMut(u64, Result<Outcome, String>) -> bool,
) {
    let mut waiting = seeds.peekable();
    let mut running: Vec<(u64, Child, Instant)> = Vec::new();
    while waiting.peek().is_some() || !running.is_empty() {
        while running.len() < jobs.max(1)
            && let Some(seed) = waiting.next()
        {
            match start(seed, arguments) {
                Ok(child) => running.push((seed, child, Instant::now())),
                Err(error) => drop(done(seed, Err(error.to_string()))),
            }
        }
        let mut goes_on = true;
        let mut still = Vec::new();
        for (seed, mut child, since) in running {
            match child.try_wait() {
                Ok(None) if since.elapsed() < SEED_PATIENCE => still.push((seed, child, since)),
                Ok(None) => {
                    drop(child.kill());
                    goes_on &= done(seed, Err("it does not end".to_owned()));
                }
                Ok(Some(_)) | Err(_) => {
                    let outcome = outcome(child).ok_or_else(|| "it ended without a word".to_owned());
                    goes_on &= done(seed, outcome);
                }
            }
        }
        running = still;
        if !goes_on {
            for (_, child, _) in &mut running {
                drop(child.kill());
            }
            return;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn start(seed: u64, arguments: &[&str]) -> std::io::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(seed.to_string()).arg("--quiet").args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()
}

fn outcome(mut child: Child) -> Option<Outcome> {
    let mut text = String::new();
    child.stdout.take()?.read_to_string(&mut text).ok()?;
    serde_json::from_str(text.lines().last()?).ok()
}

fn print(sum: &Sum, wall: Duration, last: u64) {
    let hours = sum.virtual_ms / 3_600_000;
    let minutes = sum.virtual_ms / 60_000 % 60;
    println!(
        "{} seeds in {:.0} s: {hours} h {minutes} min of virtual time, {} transfers acknowledged",
        sum.seeds,
        wall.as_secs_f64(),
        sum.acknowledged
    );
    println!("faults:");
    sum.faults.iter().for_each(|(kind, count)| println!("{count:>9}  {kind}"));
    println!("reached:");
    sum.marks.iter().for_each(|(name, count)| println!("{count:>9}  {name}"));
    for name in MARKS.iter().filter(|name| !sum.marks.contains_key(**name)) {
        println!("    never  {name}");
    }
    println!("failed: {} (last seed {last})", sum.failed.len());
    for (seed, failure) in &sum.failed {
        println!("  seed {seed}: {failure}");
    }
}

/// What a large number of seeds should reach.
const MARKS: &[&str] = &[
    "a chain over several shards was refused",
    "a chain was posted",
    "a chain was refused",
    "a new leader found transfers on their way",
    "a reservation between shards lapsed",
    "a reservation between shards was ended",
    "a transfer between shards was refused by the payee's",
    "a transfer between shards was refused by the payer's",
    "a transfer between shards was settled",
    "a bit of the books rotted",
    "a client had to ask again",
    "a connection broke",
    "a garbled byte was sent",
    "a lost answer was found again as `exists`",
    "a lost refusal was found again as `id_already_failed`",
    "a node stopped by itself after a fault of its disk",
    "a shard had a new term",
    "a shard refused to go on from a disk that lied",
    "a transfer was refused",
    "a write of the books was lost",
    "a write of the books was misdirected",
    "an answer was lost on its way to the client",
    "an image from a peer was put in force",
    "an image was asked for",
    "leadership was handed over",
    "money moved",
    "money was reserved",
    "the power went in the middle of a call",
    "two replicas were compared at one place of the log",
];
