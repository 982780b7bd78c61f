//! The capacity model: what a transfer, an account and a shard take of a node, fitted from measured runs.
//!
//! Each run is a report of `fen bench`. Processor time, memory and disk of a replica are fitted by least squares, as so
//! much in itself and so much for each shard of a node ([`Line`]); from runs with one number of shards, or from one run,
//! the share of shards is nought. What accounts and transfers take is the mean of the runs, and shown with the least and
//! the most, so that a reader sees what the mean hides.
//!
//! **Invariants.** Of a cluster on one machine the client's processor time is left out: it is another machine's. A run
//! in one process has it in. Deliberately absent: what grows faster than its cause. Runs of several sizes show it,
//! as a spread.
//!
//! Tested below by runs whose truth is known.

use crate::fault::{Fault, Run};
use crate::measure::{figure, ratio};
use crate::report::Report;
use serde::Serialize;

/// So much in itself, and so much more for each shard.
#[derive(Clone, Copy, PartialEq, Default, Debug, Serialize)]
pub struct Line {
    /// With no shard.
    pub base: f64,
    /// For each.
    pub each_shard: f64,
    /// How far the runs lie from the line, at most, as a share of the mean.
    pub farthest: f64,
}

impl Line {
    /// With so many shards; never below nought, whatever the noise of the runs.
    pub fn at(&self, shards: f64) -> f64 {
        self.each_shard.mul_add(shards, self.base).max(0.0)
    }

    /// The line nearest to points of shards and measured values.
    fn through(points: &[(f64, f64)]) -> Self {
        let count = figure(points.len() as u64);
        let mean = |of: fn(&(f64, f64)) -> f64| ratio(points.iter().map(of).sum(), count);
        let (shards, value) = (mean(|point| point.0), mean(|point| point.1));
        let spread: f64 = points.iter().map(|point| (point.0 - shards).powi(2)).sum();
        let along: f64 = points.iter().map(|point| (point.0 - shards) * (point.1 - value)).sum();
        let each_shard = ratio(along, spread);
        let mut line = Self { base: value - each_shard * shards, each_shard, farthest: 0.0 };
        let off = points.iter().map(|point| (point.1 - line.at(point.0)).abs());
        line.farthest = ratio(off.fold(0.0, f64::max), value.abs());
        line
    }
}

/// A figure that does not depend on shards.
#[derive(Clone, Copy, PartialEq, Default, Debug, Serialize)]
pub struct Mean {
    /// Over the runs.
    pub mean: f64,
    /// The smallest.
    pub least: f64,
    /// The largest.
    pub most: f64,
}

impl Mean {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let values: Vec<f64> = values.filter(|value| *value > 0.0).collect();
        let mean = ratio(values.iter().sum(), figure(values.len() as u64));
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(0.0, f64::max);
        Self { mean, least: if least.is_finite() { least } else { 0.0 }, most }
    }

    /// The same figure with another mean.
    #[must_use]
    pub fn times(self, factor: f64) -> Self {
        Self { mean: self.mean * factor, least: self.least * factor, most: self.most * factor }
    }
}

/// What one replica needs. Sizes are bytes, times seconds.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Capacity {
    /// Runs that it was fitted from.
    pub runs: usize,
    /// Whether they were of several replicas: then consensus, encryption between nodes and the gateway are in.
    pub is_replicated: bool,
    /// The shards of the runs, from the fewest to the most.
    pub shards: (u32, u32),
    /// The accounts of the runs, from the fewest to the most.
    pub accounts: (u64, u64),
    /// Processor time of a transfer.
    pub cpu_per_transfer: Line,
    /// Memory of a node under load, without its accounts: program, queues, filters, batches under way.
    pub memory_of_node: Line,
    /// Disk of a node that does not grow with history: log, directory, checkpoint.
    pub disk_of_node: Line,
    /// Memory of an account.
    pub memory_per_account: Mean,
    /// Disk of a transfer that is kept: journal, id index and lookups.
    pub disk_per_transfer: Mean,
    /// What goes over the wire for a transfer, from the client to and between all replicas; nought where it was not
    /// measured.
    pub network_per_transfer: Mean,
}

/// Folders of a data directory that are recycled, so do not grow with history.
const RECYCLED: [&str; 4] = ["log", "directory", "incoming", "checkpoint"];

/// What a run says of one replica.
struct Sample {
    shards: f64,
    cpu_per_transfer: f64,
    memory: f64,
    recycled_disk: f64,
    disk_per_transfer: f64,
}

impl Sample {
    fn of(report: &Report) -> Run<Self> {
        if !report.verified || report.per_second.is_none() || report.done == 0 || report.cpu_seconds <= 0.0 {
            let words = "the report is not of a verified run of a release build with a rate; \
                         make one with `fen bench transfers --accounts 1000000 --json`";
            return Err(Fault::Parameter(words.to_owned()));
        }
        let replicas = f64::from(report.replicas.max(1));
        let others = if report.replicas > 1 { report.cpu_client_seconds } else { 0.0 };
        let accounts = report.rss_bytes_per_account * figure(report.accounts);
        let disk = |is_recycled: bool| {
            let parts = report.disk_parts.iter();
            let parts = parts.filter(|(name, _)| RECYCLED.contains(&name.as_str()) == is_recycled);
            figure(parts.map(|(_, bytes)| bytes).sum()) / replicas
        };
        Ok(Self {
            shards: f64::from(report.shards.max(1)),
            cpu_per_transfer: (report.cpu_seconds - others) / figure(report.done) / replicas,
            memory: figure(report.rss_bytes) / replicas - accounts,
            recycled_disk: disk(true),
            disk_per_transfer: ratio(disk(false), figure(report.done + report.warm_up)),
        })
    }
}

impl Capacity {
    /// From reports of one scenario and one number of replicas.
    ///
    /// # Errors
    /// A report is not of a verified release run with transfers, or the runs are of different kinds.
    pub fn fitted(reports: &[Report]) -> Run<Self> {
        let [first, ..] = reports else {
            return Err(Fault::Parameter("no run is given".to_owned()));
        };
        let kind = |report: &Report| (report.scenario.clone(), report.replicas);
        if let Some(other) = reports.iter().find(|report| kind(report) != kind(first)) {
            return Err(Fault::Parameter(format!(
                "runs of {} with {} replicas and of {} with {} are given: one model is of one kind",
                first.scenario, first.replicas, other.scenario, other.replicas
            )));
        }
        let samples: Vec<Sample> = reports.iter().map(Sample::of).collect::<Run<_>>()?;
        let line = |of: fn(&Sample) -> f64| {
            let points: Vec<(f64, f64)> = samples.iter().map(|sample| (sample.shards, of(sample))).collect();
            Line::through(&points)
        };
        let shards = reports.iter().map(|report| report.shards);
        let accounts = reports.iter().map(|report| report.accounts);
        Ok(Self {
            runs: reports.len(),
            is_replicated: first.replicas > 1,
            shards: (shards.clone().min().unwrap_or(1), shards.max().unwrap_or(1)),
            accounts: (accounts.clone().min().unwrap_or(0), accounts.max().unwrap_or(0)),
            cpu_per_transfer: line(|sample| sample.cpu_per_transfer),
            memory_of_node: line(|sample| sample.memory),
            disk_of_node: line(|sample| sample.recycled_disk),
            memory_per_account: Mean::of(reports.iter().map(|report| report.rss_bytes_per_account)),
            disk_per_transfer: Mean::of(samples.iter().map(|sample| sample.disk_per_transfer)),
            network_per_transfer: Mean::of(
                reports.iter().filter_map(|report| report.network_bytes_per_record),
            ),
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// A run of three replicas that takes 1 us and a tenth of one for each shard, 100 MB and 10 for each shard, 150
    /// bytes an account, 50 a transfer.
    pub(crate) fn run(shards: u32, accounts: u64) -> Report {
        let done = 1_000_000u64;
        let cpu = f64::from(shards).mul_add(0.1, 1.0);
        let memory = 100_000_000 + 10_000_000 * u64::from(shards) + 150 * accounts;
        Report {
            scenario: "transfers".to_owned(),
            replicas: 3,
            shards,
            accounts,
            done,
            per_second: Some(1),
            verified: true,
            cpu_seconds: cpu.mul_add(3.0, 0.5),
            cpu_client_seconds: 0.5,
            rss_bytes: 3 * memory,
            rss_bytes_per_account: 150.0,
            network_bytes_per_record: Some(400.0),
            disk_parts: BTreeMap::from([
                ("log".to_owned(), 3 * 64_000_000),
                ("journal".to_owned(), 3 * 50 * done),
            ]),
            ..Report::default()
        }
    }

    #[test]
    fn what_runs_are_made_of_is_found_again() {
        let runs = [run(1, 10_000), run(2, 20_000), run(4, 1_000_000), run(8, 10_000)];
        let model = Capacity::fitted(&runs).unwrap();
        let near = |found: f64, true_value: f64| (found / true_value - 1.0).abs() < 1e-6;
        assert!(near(model.cpu_per_transfer.base, 1e-6) && near(model.cpu_per_transfer.each_shard, 1e-7));
        assert!(near(model.memory_of_node.base, 1e8) && near(model.memory_of_node.each_shard, 1e7));
        assert!(near(model.memory_per_account.mean, 150.0) && near(model.disk_per_transfer.mean, 50.0));
        assert!(near(model.disk_of_node.at(4.0), 6.4e7) && near(model.network_per_transfer.most, 400.0));
        assert!(model.cpu_per_transfer.farthest < 1e-6 && model.shards == (1, 8), "{model:?}");
    }

    #[test]
    fn one_run_is_a_model_without_a_slope() {
        let model = Capacity::fitted(&[run(4, 10_000)]).unwrap();
        assert!(model.cpu_per_transfer.each_shard.abs() < 1e-12 && model.cpu_per_transfer.base > 1.3e-6);
    }

    #[test]
    fn runs_of_two_kinds_are_no_model() {
        let other = Report { replicas: 1, ..run(1, 10) };
        assert!(Capacity::fitted(&[run(1, 10), other]).unwrap_err().to_string().contains("replicas"));
        assert!(Capacity::fitted(&[Report::default()]).is_err() && Capacity::fitted(&[]).is_err());
    }
}
