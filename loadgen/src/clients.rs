//! Client processes: one load, in parts, from several processes of this program.
//!
//! Each process is told its part on its standard input, in one line of JSON; it reaches the cluster by itself, sends
//! every so manieth batch of the same workload, tells now and then how much is done, and last what it was answered.
//! The process that watches merges the answers, so that the check is one over all of them.
//!
//! **Invariants.** No number is sent by two processes. A process ends when whoever watches lets go of it.

use crate::answers::Answers;
use crate::drive::{self, Driven, Load, Sent};
use crate::fault::{Fault, Run};
use crate::site::Site;
use crate::target::Cluster;
use crate::timing::{Counted, Timing};
use crate::workload::Workload;
use crate::{Unwatched, Watch};
use fen_api::Client;
use fen_ledger::CreateTransferStatus;
use serde::{Deserialize, Serialize};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How often a process says how much is done.
const TELL_EVERY: Duration = Duration::from_millis(200);

/// What a client process is to do.
#[derive(Serialize, Deserialize, Debug)]
pub struct Errand {
    /// Some nodes of the cluster.
    pub addresses: Vec<String>,
    /// The folder with the client's certificates.
    pub certificates: Option<PathBuf>,
    workload: Workload,
    clients: u32,
    under_way: u32,
    sent: Sent,
    rate: Option<u64>,
    seconds_max: Option<Duration>,
    reads: bool,
}

/// What it was answered.
#[derive(Serialize, Deserialize)]
struct Told {
    sent: Vec<Sent>,
    created: u64,
    taken: Duration,
    client_cpu: Duration,
    refused: Vec<(u64, Vec<(u32, String)>)>,
    timing: Counted,
    reads: Counted,
}

/// A line of a client process.
#[derive(Serialize, Deserialize)]
enum Word {
    /// So many more are done.
    Done(u64),
    /// That was all.
    All(Box<Told>),
}

impl Told {
    fn of(driven: &Driven) -> Self {
        Self {
            sent: driven.sent.clone(),
            created: driven.created,
            taken: driven.taken,
            client_cpu: crate::measure::process_cpu(),
            refused: driven
                .answers
                .all()
                .map(|(batch, refused)| {
                    (batch, refused.iter().map(|(place, status)| (*place, (*status).to_owned())).collect())
                })
                .collect(),
            timing: driven.timing.counted(),
            reads: driven.reads.counted(),
        }
    }

    fn driven(self) -> Run<Driven> {
        let mut answers = Answers::default();
        for (batch, refused) in self.refused {
            let known = |(place, name): (u32, String)| {
                let status = CreateTransferStatus::ALL.iter().find(|status| status.name() == name);
                status.map(|status| (place, status.name()))
            };
            let refused: Option<Vec<_>> = refused.into_iter().map(known).collect();
            answers.keep(batch, refused.ok_or_else(|| garbled("a status that nobody knows"))?);
        }
        Ok(Driven {
            answers,
            timing: Timing::of(&self.timing),
            reads: Timing::of(&self.reads),
            taken: self.taken,
            sent: self.sent,
            created: self.created,
            client_cpu: self.client_cpu,
        })
    }
}

fn garbled(what: &str) -> Fault {
    Fault::Process(format!("a client process said {what}"))
}

/// Drives a load by `count` processes of `program`, each with the load's threads.
///
/// # Errors
/// The books are in this process, or a client process could not be started, or did not end well.
pub fn drive(
    program: &Path,
    site: &Site,
    count: u32,
    load: &Load<'_>,
    workload: &Workload,
    watch: &dyn Watch,
) -> Run<Driven> {
    let Some((addresses, certificates)) = site.addresses() else {
        return Err(Fault::Parameter("client processes need a cluster: say --replicas 3".to_owned()));
    };
    let count = u64::from(count);
    let errand = |place: u64| Errand {
        addresses: addresses.clone(),
        certificates: certificates.map(Path::to_path_buf),
        workload: *workload,
        clients: load.clients,
        under_way: load.under_way,
        sent: Sent { first: load.first + place, end: load.end, stride: count },
        rate: load.rate.map(|rate| rate.div_ceil(count)),
        seconds_max: load.seconds_max,
        reads: load.reads,
    };
    let began = Instant::now();
    let mut all = Driven::default();
    std::thread::scope(|scope| {
        let processes: Vec<_> = (0..count)
            .map(|place| {
                let errand = errand(place);
                scope.spawn(move || Process::start(program, &errand)?.told(watch)?.driven())
            })
            .collect();
        for process in processes {
            all.merge(process.join().map_err(|_| garbled("nothing: its watcher panicked"))??);
        }
        Ok::<(), Fault>(())
    })?;
    all.taken = began.elapsed();
    Ok(all)
}

/// A client process that is killed when its watcher lets go of it.
struct Process {
    child: Child,
}

impl Process {
    fn start(program: &Path, errand: &Errand) -> Run<Self> {
        let fault = |error: std::io::Error| Fault::Process(format!("a client cannot be started: {error}"));
        let mut command = Command::new(program);
        command.args(["bench", "transfers", "--part", "client"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(fault)?;
        let line = serde_json::to_string(errand).map_err(|error| garbled(&error.to_string()))?;
        let input = child.stdin.take();
        let process = Self { child };
        let mut input = input.ok_or_else(|| garbled("nothing: it has no input"))?;
        writeln!(input, "{line}").map_err(fault)?;
        Ok(process)
    }

    fn told(mut self, watch: &dyn Watch) -> Run<Told> {
        let output = self.child.stdout.take().ok_or_else(|| garbled("nothing: it has no output"))?;
        for line in BufReader::new(output).lines() {
            let line = line.map_err(|error| garbled(&error.to_string()))?;
            match serde_json::from_str(&line).map_err(|_| garbled(&line))? {
                Word::Done(count) => watch.done(count),
                Word::All(told) => return Ok(*told),
            }
        }
        Err(garbled("nothing more before its end"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is waited for.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

/// Says now and then how much is done.
struct Teller(Mutex<(u64, Instant)>);

impl Watch for Teller {
    fn step(&self, _name: &'static str, _total: u64) {}

    fn done(&self, count: u64) {
        let mut told = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        told.0 += count;
        if told.1.elapsed() > TELL_EVERY {
            // Nobody reads any more: then the process is about to be ended.
            let _gone = say(&Word::Done(told.0));
            *told = (0, Instant::now());
        }
    }
}

fn say(word: &Word) -> Run<()> {
    let line = serde_json::to_string(word).map_err(|error| garbled(&error.to_string()))?;
    writeln!(std::io::stdout(), "{line}").map_err(|error| garbled(&error.to_string()))
}

/// Plays the part of a client process: reads its errand, carries it out, and says what it was answered.
///
/// # Errors
/// The errand cannot be read, or the cluster does not answer.
pub fn play(client: &dyn Fn(&Errand) -> Run<Client>) -> Run<()> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).map_err(|error| garbled(&error.to_string()))?;
    let errand: Errand =
        serde_json::from_str(&line).map_err(|error| garbled(&format!("that its errand is none: {error}")))?;
    let cluster = Cluster::reached(&|| client(&errand))?;
    let load = Load {
        stream: &errand.workload,
        clients: errand.clients,
        under_way: errand.under_way,
        first: errand.sent.first,
        end: errand.sent.end,
        stride: errand.sent.stride,
        rate: errand.rate,
        seconds_max: errand.seconds_max,
        stop: None,
        reads: errand.reads,
    };
    let driven = if errand.sent.first < errand.sent.end {
        drive::drive(&cluster, &load, &Teller(Mutex::new((0, Instant::now()))))?
    } else {
        drive::drive(&cluster, &Load { end: errand.sent.first, ..load }, &Unwatched)?
    };
    say(&Word::All(Box::new(Told::of(&driven))))
}
