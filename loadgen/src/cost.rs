//! What the core ledger's hardware costs for an account and a year, from a measured report and a file of prices.
//!
//! Three resources carry an account: memory (its record and index on every replica), disk (its transfers, kept for
//! years), processor (its transfers at the busiest hour). Nodes are bought whole and alike, so the dearest of the
//! three decides how many; disk beyond what nodes bring is bought by the gigabyte; traffic between replicas by the
//! gigabyte where a price is named. Every figure that goes in is printed, with what the result would be if it were
//! twice as large.
//!
//! Deliberately absent: all other layers of a bank's IT. They are listed with the result, so that nobody takes the one
//! for the whole.

use crate::fault::{Fault, Run};
use crate::measure::{figure, ratio};
use crate::report::Report;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// What a bank's IT has beside the core ledger's hardware, none of it counted here.
pub const NOT_COUNTED: [&str; 8] = [
    "channels: apps, web, branches, call centre, card and payment network fees",
    "risk, fraud, anti-money-laundering, credit bureaus, regulatory reporting",
    "data warehouse, general ledger, archives, backups beyond the replicas",
    "identity, key management, security operations, audits, certification",
    "software of others: databases, middleware, monitoring, licences",
    "people: development, operation, support, testing",
    "test and staging environments, a second region, spare capacity for failures",
    "buildings, taxes, interest on what is bought, discounts for volume",
];

/// What things cost and how they are used; a TOML file.
#[derive(Clone, PartialEq, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    /// Who says so.
    pub source: String,
    /// When it was so.
    pub date: String,
    /// A node.
    pub node: Node,
    /// Disk beyond that of the nodes, in yuan per gigabyte (10^9 bytes) and month.
    pub disk_yuan_per_gigabyte_month: f64,
    /// Traffic between replicas, in yuan per gigabyte; zero inside one site.
    #[serde(default)]
    pub network_yuan_per_gigabyte: f64,
    /// How it is used.
    #[serde(default)]
    pub usage: Usage,
}

/// A node's price and size.
#[derive(Clone, PartialEq, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// What it is.
    pub name: String,
    /// For a year, all that is bought with it included.
    pub yuan_per_year: f64,
    /// Processors.
    pub processors: f64,
    /// In gibibytes.
    pub memory_gibibytes: f64,
    /// That comes with it, in gigabytes.
    pub disk_gigabytes: f64,
}

/// How accounts are used.
#[derive(Clone, PartialEq, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Usage {
    /// Accounts of the bank.
    pub accounts: f64,
    /// On average.
    pub transfers_per_account_day: f64,
    /// The busiest hour over the mean.
    pub peak_over_mean: f64,
    /// Copies of everything.
    pub replicas: f64,
    /// How long transfers are kept.
    pub retention_years: f64,
    /// The share of a node's memory and processors that is planned for.
    pub fill: f64,
    /// What the operating system and the program need of a node's memory, in gibibytes.
    pub reserved_gibibytes: f64,
    /// Processor time of a transfer beside that of the measured run: gateway, consensus, encryption, as a multiple.
    pub processor_overhead: f64,
}

impl Default for Usage {
    fn default() -> Self {
        Self {
            accounts: 10_000_000.0,
            transfers_per_account_day: 3.0,
            peak_over_mean: 10.0,
            replicas: 3.0,
            retention_years: 5.0,
            fill: 0.6,
            reserved_gibibytes: 2.0,
            processor_overhead: 3.0,
        }
    }
}

/// What the measured run says about one account and one transfer.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Measured {
    /// Memory of an account on one replica.
    pub memory_bytes_per_account: f64,
    /// Disk of a transfer on one replica.
    pub disk_bytes_per_transfer: f64,
    /// Processor seconds of a transfer on one replica.
    pub cpu_seconds_per_transfer: f64,
}

impl Measured {
    /// From a report.
    ///
    /// # Errors
    /// The report is not of a verified release run with transfers.
    pub fn of(report: &Report) -> Run<Self> {
        if !report.verified || report.per_second.is_none() || report.done == 0 || report.cpu_seconds <= 0.0 {
            let words = "the report is not of a verified run of a release build with a rate; \
                         make one with `fen bench transfers --accounts 1000000 --json`";
            return Err(Fault::Parameter(words.to_owned()));
        }
        Ok(Self {
            memory_bytes_per_account: report.rss_bytes_per_account,
            disk_bytes_per_transfer: report.disk_bytes_per_record,
            cpu_seconds_per_transfer: report.cpu_seconds / figure(report.done),
        })
    }
}

/// The result, with its parts.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Cost {
    /// What the core ledger's hardware costs.
    pub yuan_per_account_year: f64,
    /// Of this, nodes.
    pub nodes_yuan: f64,
    /// Of this, disk beyond that of the nodes.
    pub disk_yuan: f64,
    /// Of this, traffic.
    pub network_yuan: f64,
    /// Nodes, all replicas.
    pub nodes: f64,
    /// Nodes that memory asks for.
    pub nodes_for_memory: f64,
    /// Nodes that the busiest hour asks for.
    pub nodes_for_processor: f64,
    /// Accounts on a node, replicas counted.
    pub accounts_per_node: f64,
    /// Transfers a second, on average.
    pub mean_per_second: f64,
    /// Transfers a second, in the busiest hour.
    pub peak_per_second: f64,
    /// Disk of all replicas once retention is full, in gigabytes.
    pub disk_gigabytes: f64,
}

const GIBIBYTE: f64 = 1_073_741_824.0;
const SECONDS_PER_DAY: f64 = 86_400.0;
const DAYS_PER_YEAR: f64 = 365.0;

/// A transfer's bytes on the wire to each further replica: the record of 128 bytes and its share of the framing.
const WIRE_BYTES: f64 = 130.0;

/// Reckons the cost.
pub fn cost(measured: &Measured, prices: &Prices) -> Cost {
    let (usage, node) = (&prices.usage, &prices.node);
    let mean_per_second = usage.accounts * usage.transfers_per_account_day / SECONDS_PER_DAY;
    let peak_per_second = mean_per_second * usage.peak_over_mean;
    let memory = usage.accounts * usage.replicas * measured.memory_bytes_per_account;
    let memory_of_a_node = (node.memory_gibibytes - usage.reserved_gibibytes) * GIBIBYTE * usage.fill;
    let nodes_for_memory = ratio(memory, memory_of_a_node);
    let work =
        peak_per_second * usage.replicas * measured.cpu_seconds_per_transfer * usage.processor_overhead;
    let nodes_for_processor = ratio(work, node.processors * usage.fill);
    // A replica is a machine of its own, and nobody sells a part of one.
    let nodes = nodes_for_memory.max(nodes_for_processor).ceil().max(usage.replicas);
    let transfers_a_year = usage.accounts * usage.transfers_per_account_day * DAYS_PER_YEAR;
    let kept = transfers_a_year * usage.retention_years;
    let disk_gigabytes = kept * measured.disk_bytes_per_transfer * usage.replicas / 1e9;
    let bought = (disk_gigabytes - nodes * node.disk_gigabytes).max(0.0);
    let wire = transfers_a_year * WIRE_BYTES * (usage.replicas - 1.0).max(0.0) / 1e9;
    let per_account = |yuan: f64| ratio(yuan, usage.accounts);
    let nodes_yuan = per_account(nodes * node.yuan_per_year);
    let disk_yuan = per_account(bought * prices.disk_yuan_per_gigabyte_month * 12.0);
    let network_yuan = per_account(wire * prices.network_yuan_per_gigabyte);
    Cost {
        yuan_per_account_year: nodes_yuan + disk_yuan + network_yuan,
        nodes_yuan,
        disk_yuan,
        network_yuan,
        nodes,
        nodes_for_memory,
        nodes_for_processor,
        accounts_per_node: ratio(usage.accounts, nodes),
        mean_per_second,
        peak_per_second,
        disk_gigabytes,
    }
}

/// An assumption, and the result if it were twice as large.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Assumption {
    /// What is assumed.
    pub name: &'static str,
    /// How much.
    pub value: f64,
    /// Yuan per account and year if it were doubled.
    pub doubled: f64,
}

/// A figure that can be doubled.
type Doubler = fn(&mut Measured, &mut Prices);

/// Every figure that goes in, with its weight.
pub fn assumptions(measured: &Measured, prices: &Prices) -> Vec<Assumption> {
    let usage = &prices.usage;
    let all: [(&'static str, f64, Doubler); 14] = [
        ("measured: memory bytes per account", measured.memory_bytes_per_account, |m, _| {
            m.memory_bytes_per_account *= 2.0;
        }),
        ("measured: disk bytes per transfer", measured.disk_bytes_per_transfer, |m, _| {
            m.disk_bytes_per_transfer *= 2.0;
        }),
        ("measured: processor microseconds per transfer", measured.cpu_seconds_per_transfer * 1e6, |m, _| {
            m.cpu_seconds_per_transfer *= 2.0;
        }),
        ("price: node, yuan per year", prices.node.yuan_per_year, |_, p| p.node.yuan_per_year *= 2.0),
        ("price: disk, yuan per gigabyte and month", prices.disk_yuan_per_gigabyte_month, |_, p| {
            p.disk_yuan_per_gigabyte_month *= 2.0;
        }),
        ("price: network, yuan per gigabyte", prices.network_yuan_per_gigabyte, |_, p| {
            p.network_yuan_per_gigabyte *= 2.0;
        }),
        ("node: processors", prices.node.processors, |_, p| p.node.processors *= 2.0),
        ("node: memory, gibibytes", prices.node.memory_gibibytes, |_, p| p.node.memory_gibibytes *= 2.0),
        ("usage: accounts", usage.accounts, |_, p| p.usage.accounts *= 2.0),
        ("usage: transfers per account and day", usage.transfers_per_account_day, |_, p| {
            p.usage.transfers_per_account_day *= 2.0;
        }),
        ("usage: busiest hour over mean", usage.peak_over_mean, |_, p| p.usage.peak_over_mean *= 2.0),
        ("usage: replicas", usage.replicas, |_, p| p.usage.replicas *= 2.0),
        ("usage: retention, years", usage.retention_years, |_, p| p.usage.retention_years *= 2.0),
        ("usage: processor overhead beside the measured run", usage.processor_overhead, |_, p| {
            p.usage.processor_overhead *= 2.0;
        }),
    ];
    all.into_iter()
        .map(|(name, value, double)| {
            let (mut measured, mut prices) = (*measured, prices.clone());
            double(&mut measured, &mut prices);
            Assumption { name, value, doubled: cost(&measured, &prices).yuan_per_account_year }
        })
        .collect()
}

fn read(path: &Path) -> Run<String> {
    std::fs::read_to_string(path).map_err(|error| Fault::File { path: path.to_owned(), error })
}

/// Reads a file of prices.
///
/// # Errors
/// It cannot be read, or a field is missing, unknown or no positive figure.
pub fn read_prices(path: &Path) -> Run<Prices> {
    let text = read(path)?;
    let wrong = |what: String| Fault::Parameter(format!("{}: {what}", path.display()));
    let prices: Prices = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    let usage = &prices.usage;
    let positive = [
        ("node.yuan_per_year", prices.node.yuan_per_year),
        ("node.processors", prices.node.processors),
        ("node.memory_gibibytes", prices.node.memory_gibibytes - usage.reserved_gibibytes),
        ("usage.accounts", usage.accounts),
        ("usage.replicas", usage.replicas),
        ("usage.fill", usage.fill),
    ];
    for (name, value) in positive {
        if value.is_nan() || value <= 0.0 {
            return Err(wrong(format!("{name} must be above zero (memory above what is reserved)")));
        }
    }
    Ok(prices)
}

/// Reads a report from the last line of a file that holds what `fen bench --json` printed.
///
/// # Errors
/// It cannot be read, or its last line is no report.
pub fn read_report(path: &Path) -> Run<Report> {
    let text = read(path)?;
    let last = text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
    serde_json::from_str(last).map_err(|error| {
        Fault::Parameter(format!(
            "{}: the last line is no report of `fen bench --json`: {error}",
            path.display()
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prices() -> Prices {
        let node = Node {
            name: "a node".to_owned(),
            yuan_per_year: 10_000.0,
            processors: 16.0,
            memory_gibibytes: 66.0,
            disk_gigabytes: 0.0,
        };
        Prices {
            source: "a test".to_owned(),
            date: "2026-01-01".to_owned(),
            node,
            disk_yuan_per_gigabyte_month: 1.0,
            network_yuan_per_gigabyte: 0.0,
            usage: Usage { accounts: 64.0 * GIBIBYTE / 256.0, fill: 0.5, ..Usage::default() },
        }
    }

    const MEASURED: Measured = Measured {
        memory_bytes_per_account: 128.0,
        disk_bytes_per_transfer: 100.0,
        cpu_seconds_per_transfer: 1e-6,
    };

    #[test]
    fn three_replicas_of_a_node_full_of_accounts_are_three_nodes() {
        let cost = cost(&MEASURED, &prices());
        assert!((cost.nodes - 3.0).abs() < 1e-9, "{cost:?}");
        let kept = 3.0 * 365.0 * 5.0;
        assert!((cost.disk_yuan - kept * 100.0 * 3.0 / 1e9 * 12.0).abs() < 1e-9, "{cost:?}");
        let sum = cost.nodes_yuan + cost.disk_yuan + cost.network_yuan;
        assert!((cost.yuan_per_account_year - sum).abs() < 1e-12);
    }

    #[test]
    fn each_assumption_is_shown_with_its_weight() {
        let all = assumptions(&MEASURED, &prices());
        let now = cost(&MEASURED, &prices()).yuan_per_account_year;
        let of = |name: &str| all.iter().find(|one| one.name.contains(name)).unwrap().doubled;
        assert!(of("disk bytes") > now && of("node, yuan") > now && of("node: memory") <= now);
    }

    #[test]
    fn a_run_without_a_rate_has_no_cost() {
        assert!(Measured::of(&Report::default()).is_err());
    }
}
