//! What a run found, for machines (one JSON object) and for people (a few lines).

use crate::machine::Machine;
use crate::timing::{Latency, Slice};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// The figures of one run. Absent is what the scenario does not have, and every rate of a run whose check failed or
/// of a debug build.
#[derive(Clone, PartialEq, Default, Debug, Serialize, Deserialize)]
pub struct Report {
    /// Its name.
    pub scenario: String,
    /// Where the client was, and what was durable.
    pub setting: String,
    /// The commit that the program was built from.
    pub commit: String,
    /// `release` or `debug`.
    pub build: String,
    /// When the run began: seconds since 1970-01-01T00:00Z.
    pub began: u64,
    /// The workload's seed.
    pub seed: u64,
    /// Copies of the books.
    pub replicas: u32,
    /// Shards.
    pub shards: u32,
    /// Accounts.
    pub accounts: u64,
    /// Loans, in scenarios of loans.
    pub loans: u64,
    /// Client threads, in each client process.
    pub clients: u32,
    /// Client processes.
    pub processes: u32,
    /// Transfers in a hundred that go from one shard to another, where that was set.
    pub crossing_percent: Option<u8>,
    /// Transfers in a hundred that are to be refused.
    pub refused_percent: u8,
    /// Transfers in a command.
    pub batch: u32,
    /// Commands that each client keeps under way.
    pub under_way: u32,
    /// Commands a second that were due; none in a closed loop.
    pub rate: Option<u64>,
    /// How transfer ids were made.
    pub ids: String,
    /// How accounts were drawn.
    pub hot: String,
    /// Transfers created before the clock started.
    pub warm_up: u64,
    /// Transfers created while it ran.
    pub done: u64,
    /// Of these, a second.
    pub per_second: Option<u64>,
    /// From the first command to the last answer.
    pub seconds: f64,
    /// From handing a command over to its answer.
    pub latency_ms: Option<Latency>,
    /// Reads made beside the commands.
    pub reads: u64,
    /// Their latency.
    pub read_latency_ms: Option<Latency>,
    /// The data directory after the run, in bytes of allocated blocks.
    pub disk_bytes: u64,
    /// The same over all transfers in the books.
    pub disk_bytes_per_record: f64,
    /// The same by folder.
    pub disk_parts: BTreeMap<String, u64>,
    /// Bytes written to storage over the whole run, warm-up and accounts included, for each transfer.
    pub written_bytes_per_record: Option<f64>,
    /// Bytes over the loopback interface for each transfer while the clock ran, from the client to the nodes and between
    /// these, and back; nothing where the ledger is in the client's process.
    pub network_bytes_per_record: Option<f64>,
    /// Resident memory after the measured part, before the checker has anything: the ledger, the clients' batches
    /// under way and the program.
    pub rss_bytes: u64,
    /// The most there was until then.
    pub rss_peak_bytes: u64,
    /// Before the first account.
    pub rss_empty_bytes: u64,
    /// What the accounts added, each: the ledger's memory for them before any transfer. In scenarios of loans, what a
    /// borrower's account and loan together added, all that lies beside them included.
    pub rss_bytes_per_account: f64,
    /// Processor time of the process while the clock ran.
    pub cpu_seconds: f64,
    /// Of this, the client threads'.
    pub cpu_client_seconds: f64,
    /// How long nothing was answered after a leader was lost.
    pub gap_ms: Option<f64>,
    /// From the start of the process to its first answer.
    pub ready_ms: Option<f64>,
    /// Log entries that the restart replayed.
    pub replayed_entries: Option<u64>,
    /// The days that were closed.
    pub day_end: Option<DayEnd>,
    /// The payment file that was done.
    pub file: Option<FileRun>,
    /// The parts of a scenario that has several.
    pub phases: Vec<Phase>,
    /// Whether the books hold exactly what was acknowledged, and their audit finds nothing.
    pub verified: bool,
    /// What the check found wrong.
    pub faults: Vec<String>,
    /// Transfers that were not created, by status.
    pub refused: BTreeMap<String, u64>,
    /// Transfers created in each second.
    pub per_second_series: Vec<u64>,
    /// The machine.
    pub machine: Machine,
    /// The same in tenths of a second, for pictures.
    #[serde(skip)]
    pub slices: Vec<Slice>,
}

/// One part of a scenario that has several.
#[derive(Clone, PartialEq, Default, Debug, Serialize, Deserialize)]
pub struct Phase {
    /// What was done.
    pub name: String,
    /// How often.
    pub done: u64,
    /// In how much time, all together.
    pub seconds: f64,
    /// A second.
    pub per_second: Option<u64>,
    /// Of its commands.
    pub latency_ms: Option<Latency>,
}

/// How the close of business days went.
#[derive(Clone, Copy, PartialEq, Default, Debug, Serialize, Deserialize)]
pub struct DayEnd {
    /// Days closed.
    pub days: u64,
    /// Loans on which something changed.
    pub loans: u64,
    /// Commands that it took.
    pub chunks: u64,
    /// Half of the days took at most this long.
    pub median_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

/// How a payment file went. The latency beside it is the report's own.
#[derive(Clone, PartialEq, Default, Debug, Serialize, Deserialize)]
pub struct FileRun {
    /// Its form, or what it asks for.
    pub kind: String,
    /// How long it is.
    pub bytes: u64,
    /// From the first byte read until it was copied, checked and durable in its folder.
    pub check_seconds: f64,
    /// The most memory of the process that carried it out, above what there was before. With several replicas that is
    /// the file's alone; in one process what the books keep of its items is in it.
    pub memory_bytes: u64,
    /// Items refused, in all files of the run.
    pub refused: u64,
    /// Single transfers while no file was under way.
    pub alone_ms: Latency,
    /// Items a second while single transfers ran beside.
    pub beside_per_second: Option<u64>,
}

/// The kind of build this is.
pub const BUILD: &str = if cfg!(debug_assertions) { "debug" } else { "release" };

/// So many things in so much time, a second; nothing in a debug build, which measures nothing.
pub fn rate(done: u64, taken: std::time::Duration) -> Option<u64> {
    let nanoseconds = taken.as_nanos();
    if cfg!(debug_assertions) || nanoseconds == 0 {
        return None;
    }
    u64::try_from(u128::from(done) * 1_000_000_000 / nanoseconds).ok()
}

/// One decimal is what a figure per record is good for.
pub(crate) fn rounded(figure: f64) -> f64 {
    (figure * 10.0).round() / 10.0
}

impl Report {
    /// One line of JSON.
    ///
    /// # Errors
    /// None that can happen: every field has a form in JSON.
    pub fn json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }
}

/// `1234567` as `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Bytes as a reader likes them.
pub fn size(bytes: u64) -> String {
    let mebibytes = crate::measure::figure(bytes) / 1_048_576.0;
    if mebibytes >= 1_024.0 {
        format!("{:.2} GiB", mebibytes / 1_024.0)
    } else {
        format!("{mebibytes:.1} MiB")
    }
}

/// What the check of a run has proved.
pub(crate) fn verified(report: &Report) -> &'static str {
    if report.replicas > 1 {
        "every account holds exactly what was acknowledged, and all members have the same clean books"
    } else {
        "the books hold exactly what was acknowledged, and their audit is clean"
    }
}

/// What a scenario's rate counts.
pub(crate) fn things(report: &Report) -> &'static str {
    match report.scenario.as_str() {
        "disburse" | "day-end" => "loans",
        "repay" => "repayments",
        "batch" => "items",
        "shenzhen" => "events",
        _ => "transfers",
    }
}

/// The figures of a report in words, name and value, as people read them.
pub(crate) fn lines(report: &Report) -> Vec<(&'static str, String)> {
    let mut lines = vec![
        (
            "parameters",
            format!(
                "{}, batch {}, {}{} clients with {} under way{}, ids by {}, seed {}",
                population(report),
                grouped(u64::from(report.batch)),
                if report.processes > 1 {
                    format!("{} processes of ", report.processes)
                } else {
                    String::new()
                },
                report.clients,
                report.under_way,
                report.rate.map_or(String::new(), |rate| format!(" at {} commands/s", grouped(rate))),
                report.ids,
                report.seed
            ),
        ),
        ("setting", report.setting.clone()),
    ];
    if let Some(rate) = report.per_second {
        let done = grouped(report.done);
        let what = things(report);
        lines.push(("rate", format!("{} {what}/s: {done} in {:.2} s", grouped(rate), report.seconds)));
    }
    if let Some(DayEnd { days, median_ms, max_ms, chunks, .. }) = report.day_end {
        let each = format!("half of {days} days within {median_ms:.0} ms, the longest {max_ms:.0} ms");
        lines.push(("day-end", format!("{each}; {} chunks", grouped(chunks))));
    }
    if let Some(file) = &report.file {
        lines.extend(file_lines(file, report));
    }
    for phase in &report.phases {
        lines.push(("of it", phase_words(phase)));
    }
    lines.extend(report.latency_ms.map(|latency| ("latency", latency_words(&latency))));
    if let Some(latency) = report.read_latency_ms {
        lines.push(("reads", format!("{}: {}", grouped(report.reads), latency_words(&latency))));
    }
    if let Some(ready) = report.ready_ms {
        let replayed =
            report.replayed_entries.map(|entries| format!("{} entries replayed", grouped(entries)));
        let replayed = replayed.unwrap_or_else(|| "counted from the last answer before the kill".to_owned());
        lines.push(("ready", format!("{ready:.0} ms from start to first answer; {replayed}")));
    }
    if let Some(gap) = report.gap_ms {
        lines.push(("gap", format!("{gap:.0} ms without an answer after the leader was killed")));
    }
    lines.push(("disk", disk_words(report)));
    lines.push(("memory", memory_words(report)));
    if report.cpu_seconds > 0.0 {
        let (all, client) = (report.cpu_seconds, report.cpu_client_seconds);
        lines.push(("processor", format!("{all:.2} s, of which the clients {client:.2} s")));
    }
    for (status, count) in &report.refused {
        lines.push(("refused", format!("{} {status}", grouped(*count))));
    }
    lines.push(("machine", machine_words(&report.machine)));
    lines.push(("commit", format!("{} ({} build)", report.commit, report.build)));
    lines
}

fn file_lines(file: &FileRun, report: &Report) -> Vec<(&'static str, String)> {
    let beside = report.latency_ms.unwrap_or_default();
    let alone = file.alone_ms;
    let times = crate::measure::ratio(beside.p99, alone.p99);
    let checked = file.check_seconds;
    let whose =
        if report.replicas > 1 { "for the file alone" } else { "for the file and its loans in the books" };
    let rate = file.beside_per_second.map_or(String::new(), |rate| format!(" at {} items/s", grouped(rate)));
    vec![
        (
            "file",
            format!("{}, {}; copied and checked in {checked:.2} s of these", file.kind, size(file.bytes)),
        ),
        ("file memory", format!("{} more at most, {whose}", size(file.memory_bytes))),
        ("alone", latency_words(&alone)),
        (
            "online",
            format!(
                "p99 {:.2} ms beside a file{rate}, {times:.1} times that of {:.2} ms alone",
                beside.p99, alone.p99
            ),
        ),
    ]
}

fn population(report: &Report) -> String {
    if report.loans > 0 {
        return format!("{} borrowers with an account and a loan each", grouped(report.loans));
    }
    let crossing =
        report.crossing_percent.map_or(String::new(), |percent| format!(", {percent} % between shards"));
    let refused = match report.refused_percent {
        0 => String::new(),
        percent => format!(", {percent} % to be refused"),
    };
    format!("{} accounts ({}){crossing}{refused}", grouped(report.accounts), report.hot)
}

fn phase_words(phase: &Phase) -> String {
    let rate = phase.per_second.map_or(String::new(), |rate| format!(", {}/s", grouped(rate)));
    let tail = phase
        .latency_ms
        .map_or(String::new(), |latency| format!("; p50 {:.2}, p99 {:.2} ms", latency.p50, latency.p99));
    format!("{}: {} in {:.2} s{rate}{tail}", phase.name, grouped(phase.done), phase.seconds)
}

fn latency_words(latency: &Latency) -> String {
    let Latency { p50, p90, p99, p999, max } = latency;
    format!("p50 {p50:.2}, p90 {p90:.2}, p99 {p99:.2}, p99.9 {p999:.2}, max {max:.2} ms")
}

fn disk_words(report: &Report) -> String {
    let parts: Vec<String> =
        report.disk_parts.iter().map(|(name, bytes)| format!("{name} {}", size(*bytes))).collect();
    let each = report.disk_bytes_per_record;
    let record = if report.loans > 0 { "a borrower" } else { "a transfer" };
    let words = format!("{} ({}); {each} bytes {record}", size(report.disk_bytes), parts.join(", "));
    let written = report.written_bytes_per_record.map_or(String::new(), |bytes| format!(", {bytes} written"));
    let sent = report.network_bytes_per_record.map_or(String::new(), |bytes| format!("; {bytes} sent"));
    words + &written + &sent
}

fn memory_words(report: &Report) -> String {
    let (now, peak) = (size(report.rss_bytes), size(report.rss_peak_bytes));
    let words = format!("{now} resident, {peak} at most");
    let each = report.rss_bytes_per_account;
    match (each > 0.0, report.loans > 0) {
        (true, true) => format!("{words}, {each} bytes a borrower"),
        (true, false) => format!("{words}, {each} bytes an account when it is opened"),
        (false, _) => words,
    }
}

fn machine_words(machine: &Machine) -> String {
    let Machine { processor, processors, memory_bytes, kernel, file_system } = machine;
    format!("{processors} x {processor}, {}, Linux {kernel}, {file_system}", size(*memory_bytes))
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.scenario)?;
        for (name, words) in lines(self) {
            writeln!(f, "  {name:<12}{words}")?;
        }
        if self.verified {
            writeln!(f, "  verified    {}", verified(self))?;
            if self.build == "debug" {
                writeln!(f, "  no rate     a debug build measures nothing; build with --release")?;
            }
            return Ok(());
        }
        writeln!(f, "  NOT VERIFIED, so there is no rate:")?;
        self.faults.iter().try_for_each(|fault| writeln!(f, "    {fault}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_comes_back_from_its_json() {
        let report = Report { scenario: "transfers".to_owned(), done: 7, ..Report::default() };
        let read: Report = serde_json::from_str(&report.json().unwrap()).unwrap();
        assert_eq!(read, report);
        assert!(report.to_string().contains("NOT VERIFIED"));
    }

    #[test]
    fn counts_are_grouped() {
        assert_eq!((grouped(0), grouped(1_234_567)), ("0".to_owned(), "1,234,567".to_owned()));
    }
}
