//! Two reports side by side: what differed between the runs, and each figure with its ratio.
//!
//! Deliberately absent: a verdict. Two runs on a shared machine differ by some hundredths; whoever compares makes
//! three of each.

use crate::fault::{Fault, Run};
use crate::report::{Report, grouped, things};
use std::fmt::Write as _;
use std::path::Path;

/// Reads a report that `fen bench --json` printed: the last line that is one.
///
/// # Errors
/// [`Fault::File`] where there is none.
pub fn read(path: &Path) -> Run<Report> {
    let fault = |error| Fault::File { path: path.to_owned(), error };
    let text = std::fs::read_to_string(path).map_err(fault)?;
    let last = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    serde_json::from_str(last).map_err(|error| fault(std::io::Error::other(format!("no report: {error}"))))
}

/// One figure of both runs.
#[derive(Clone, PartialEq, Debug)]
pub struct Row {
    /// What it is, with its unit.
    pub name: String,
    /// Of the first run.
    pub first: f64,
    /// Of the second.
    pub second: f64,
}

impl Row {
    /// The second over the first; nothing where the first is nothing.
    pub fn ratio(&self) -> Option<f64> {
        (self.first > 0.0).then(|| self.second / self.first)
    }
}

/// A figure of a report, where it has it.
type Figure = fn(&Report) -> Option<f64>;

/// The figures that are compared.
fn figures() -> [(&'static str, Figure); 15] {
    [
        ("per second", |report| report.per_second.map(crate::measure::figure)),
        ("p50 ms", |report| report.latency_ms.map(|latency| latency.p50)),
        ("p90 ms", |report| report.latency_ms.map(|latency| latency.p90)),
        ("p99 ms", |report| report.latency_ms.map(|latency| latency.p99)),
        ("max ms", |report| report.latency_ms.map(|latency| latency.max)),
        ("processor us each", cpu_each),
        ("of it the clients us", client_each),
        ("disk bytes each", |report| above_zero(report.disk_bytes_per_record)),
        ("written bytes each", |report| report.written_bytes_per_record),
        ("network bytes each", |report| report.network_bytes_per_record),
        ("memory MiB", |report| above_zero(crate::measure::figure(report.rss_bytes) / 1_048_576.0)),
        ("memory bytes an account", |report| above_zero(report.rss_bytes_per_account)),
        ("gap ms", |report| report.gap_ms),
        ("ready ms", |report| report.ready_ms),
        ("day-end ms", |report| report.day_end.map(|days| days.median_ms)),
    ]
}

fn above_zero(value: f64) -> Option<f64> {
    (value > 0.0).then_some(value)
}

fn cpu_each(report: &Report) -> Option<f64> {
    above_zero(crate::measure::ratio(report.cpu_seconds * 1e6, crate::measure::figure(report.done)))
}

fn client_each(report: &Report) -> Option<f64> {
    above_zero(crate::measure::ratio(report.cpu_client_seconds * 1e6, crate::measure::figure(report.done)))
}

/// Every figure that both reports have.
pub fn rows(first: &Report, second: &Report) -> Vec<Row> {
    let both = figures().into_iter().filter_map(|(name, figure)| {
        Some(Row { name: name.to_owned(), first: figure(first)?, second: figure(second)? })
    });
    both.collect()
}

/// What was not the same in both runs, so that a ratio may speak of that and not of the program.
pub fn differences(first: &Report, second: &Report) -> Vec<(&'static str, String, String)> {
    let machine = |report: &Report| format!("{} x {}", report.machine.processors, report.machine.processor);
    let words: [(&'static str, String, String); 14] = [
        ("scenario", first.scenario.clone(), second.scenario.clone()),
        ("commit", first.commit.clone(), second.commit.clone()),
        ("build", first.build.clone(), second.build.clone()),
        ("setting", first.setting.clone(), second.setting.clone()),
        ("seed", first.seed.to_string(), second.seed.to_string()),
        ("replicas", first.replicas.to_string(), second.replicas.to_string()),
        ("shards", first.shards.to_string(), second.shards.to_string()),
        ("accounts", grouped(first.accounts), grouped(second.accounts)),
        ("loans", grouped(first.loans), grouped(second.loans)),
        ("batch", first.batch.to_string(), second.batch.to_string()),
        ("clients", first.clients.to_string(), second.clients.to_string()),
        ("under way", first.under_way.to_string(), second.under_way.to_string()),
        (
            "ids, accounts by",
            format!("{}, {}", first.ids, first.hot),
            format!("{}, {}", second.ids, second.hot),
        ),
        ("machine", machine(first), machine(second)),
    ];
    words.into_iter().filter(|(_, first, second)| first != second).collect()
}

/// Why two reports cannot be compared, if they cannot.
///
/// # Errors
/// [`Fault::Parameter`], in words.
pub fn check(first: &Report, second: &Report) -> Run<()> {
    for (place, report) in [("first", first), ("second", second)] {
        if !report.verified {
            let words = format!("the {place} report is of a run whose check failed, which has no figures");
            return Err(Fault::Parameter(words));
        }
    }
    if things(first) != things(second) {
        let words = format!("one report counts {}, the other {}", things(first), things(second));
        return Err(Fault::Parameter(words));
    }
    Ok(())
}

/// Both as people read them on a terminal.
pub fn text(first: &Report, second: &Report) -> String {
    let mut out = format!("{} against {}\n", first.scenario, second.scenario);
    for (name, first, second) in differences(first, second) {
        let _infallible = writeln!(out, "  {name:<24}{first}  |  {second}");
    }
    let _infallible = writeln!(out, "\n  {:<24}{:>14}{:>14}{:>9}", "", "first", "second", "ratio");
    for row in rows(first, second) {
        let ratio = row.ratio().map_or(String::new(), |ratio| format!("{ratio:.2}"));
        let Row { name, first, second } = row;
        let _infallible = writeln!(out, "  {name:<24}{:>14}{:>14}{ratio:>9}", short(first), short(second));
    }
    out
}

/// A figure with as many decimals as say something.
pub(crate) fn short(value: f64) -> String {
    if value >= 1_000.0 {
        return format!("{value:.0}");
    }
    format!("{value:.2}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timing::Latency;

    fn report(per_second: u64, p99: f64) -> Report {
        Report {
            scenario: "transfers".to_owned(),
            verified: true,
            per_second: Some(per_second),
            latency_ms: Some(Latency { p99, ..Latency::default() }),
            ..Report::default()
        }
    }

    #[test]
    fn ratios_are_the_second_over_the_first() {
        let (first, second) = (report(1_000_000, 50.0), Report { clients: 8, ..report(1_500_000, 25.0) });
        let rows = rows(&first, &second);
        let ratio = |name: &str| rows.iter().find(|row| row.name == name).and_then(Row::ratio);
        assert_eq!((ratio("per second"), ratio("p99 ms")), (Some(1.5), Some(0.5)));
        assert_eq!(differences(&first, &second), [("clients", "0".to_owned(), "8".to_owned())]);
        let text = text(&first, &second);
        assert!(text.contains("1000000") && text.contains("1.50"), "{text}");
    }

    #[test]
    fn a_failed_run_is_compared_with_nothing() {
        let failed = Report { verified: false, ..report(1, 1.0) };
        assert!(check(&failed, &report(1, 1.0)).is_err());
        assert!(check(&report(1, 1.0), &Report { scenario: "repay".to_owned(), ..report(1, 1.0) }).is_err());
    }

    #[test]
    fn a_report_is_the_last_line_of_its_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run.json");
        std::fs::write(&path, format!("a word before\n{}\n\n", report(7, 1.0).json().unwrap())).unwrap();
        assert_eq!(read(&path).unwrap().per_second, Some(7));
        std::fs::write(&path, "nothing").unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("no report"));
    }
}
