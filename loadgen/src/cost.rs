//! What the core ledger's hardware costs for an account and a year, from a capacity model and a file of prices.
//!
//! Three resources carry an account: memory (its record and index on every replica), disk (its transfers, kept for
//! years), processor (its transfers at the busiest hour). Nodes are bought whole and alike, so the dearest of the
//! three decides how many; disk beyond what nodes bring is bought by the gigabyte; traffic between replicas by the
//! gigabyte where a price is named. Every figure that goes in is printed, with what the result would be if it were
//! twice as large.
//!
//! Deliberately absent: all other layers of a bank's IT. They are listed with the result, so that nobody takes the one
//! for the whole.

use crate::capacity::{Capacity, Line};
use crate::fault::{Fault, Run};
use crate::measure::ratio;
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
    /// What the operating system needs of a node's memory, in gibibytes; the program's own is measured.
    pub reserved_gibibytes: f64,
    /// Shards that a node holds a replica of.
    pub shards_per_node: f64,
    /// Processor time of a transfer beside that of a run of one node: gateway, consensus, encryption, as a multiple.
    /// Runs of several replicas have it in.
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
            shards_per_node: 8.0,
            processor_overhead: 3.0,
        }
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
    /// Nodes on whose own disks all history would have room; what is missing is bought by the gigabyte.
    pub nodes_for_disk: f64,
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

/// A transfer's bytes on the wire to each further replica, where no run has measured them: the record of 128 bytes and
/// its share of the framing.
const WIRE_BYTES: f64 = 130.0;

/// Reckons the cost.
pub fn cost(capacity: &Capacity, prices: &Prices) -> Cost {
    let (usage, node) = (&prices.usage, &prices.node);
    let mean_per_second = usage.accounts * usage.transfers_per_account_day / SECONDS_PER_DAY;
    let peak_per_second = mean_per_second * usage.peak_over_mean;
    let memory = usage.accounts * usage.replicas * capacity.memory_per_account.mean;
    let taken = usage.reserved_gibibytes * GIBIBYTE + capacity.memory_of_node.at(usage.shards_per_node);
    let memory_of_a_node = (node.memory_gibibytes * GIBIBYTE - taken).max(0.0) * usage.fill;
    let nodes_for_memory = ratio(memory, memory_of_a_node);
    let overhead = if capacity.is_replicated { 1.0 } else { usage.processor_overhead };
    let cpu = capacity.cpu_per_transfer.at(usage.shards_per_node) * overhead;
    let nodes_for_processor = ratio(peak_per_second * usage.replicas * cpu, node.processors * usage.fill);
    // A replica is a machine of its own, and nobody sells a part of one.
    let nodes = nodes_for_memory.max(nodes_for_processor).ceil().max(usage.replicas);
    let transfers_a_year = usage.accounts * usage.transfers_per_account_day * DAYS_PER_YEAR;
    let kept = transfers_a_year * usage.retention_years;
    let disk_gigabytes = kept * capacity.disk_per_transfer.mean * usage.replicas / 1e9;
    let disk_of_a_node =
        (node.disk_gigabytes - capacity.disk_of_node.at(usage.shards_per_node) / 1e9).max(0.0);
    let nodes_for_disk = ratio(disk_gigabytes, disk_of_a_node);
    let bought = (disk_gigabytes - nodes * disk_of_a_node).max(0.0);
    let sent = match capacity.network_per_transfer.mean {
        measured if measured > 0.0 => measured,
        _ => WIRE_BYTES * (usage.replicas - 1.0).max(0.0),
    };
    let wire = transfers_a_year * sent / 1e9;
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
        nodes_for_disk,
        accounts_per_node: ratio(usage.accounts, nodes),
        mean_per_second,
        peak_per_second,
        disk_gigabytes,
    }
}

/// A bank of some size on such nodes, and what asks for the most of them.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Scale {
    /// Its accounts.
    pub accounts: f64,
    /// Nodes, all replicas.
    pub nodes: f64,
    /// For each million accounts.
    pub nodes_per_million: f64,
    /// Shards, where each node holds as many as it may.
    pub shards: f64,
    /// What is used up first.
    pub first: &'static str,
    /// Nodes that this asks for.
    pub nodes_for_first: f64,
    /// Yuan per account and year.
    pub yuan_per_account_year: f64,
}

/// The same bank with 10 million, 100 million and a billion accounts.
pub fn scales(capacity: &Capacity, prices: &Prices) -> Vec<Scale> {
    let of = |accounts: f64| {
        let usage = Usage { accounts, ..prices.usage.clone() };
        let cost = cost(capacity, &Prices { usage, ..prices.clone() });
        let asked = [
            ("memory", cost.nodes_for_memory),
            ("processor", cost.nodes_for_processor),
            ("disk", cost.nodes_for_disk),
        ];
        let (first, nodes_for_first) =
            asked.into_iter().max_by(|one, other| one.1.total_cmp(&other.1)).unwrap_or(("nothing", 0.0));
        Scale {
            accounts,
            nodes: cost.nodes,
            nodes_per_million: ratio(cost.nodes, accounts / 1e6),
            shards: (cost.nodes * prices.usage.shards_per_node / prices.usage.replicas).floor(),
            first,
            nodes_for_first,
            yuan_per_account_year: cost.yuan_per_account_year,
        }
    };
    [1e7, 1e8, 1e9].map(of).to_vec()
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
type Doubler = fn(&mut Capacity, &mut Prices);

fn twice(line: Line) -> Line {
    Line { base: line.base * 2.0, each_shard: line.each_shard * 2.0, ..line }
}

/// Every figure that goes in, with its weight.
pub fn assumptions(capacity: &Capacity, prices: &Prices) -> Vec<Assumption> {
    let usage = &prices.usage;
    let cpu = capacity.cpu_per_transfer.at(usage.shards_per_node) * 1e6;
    let mut all: Vec<(&'static str, f64, Doubler)> = vec![
        ("measured: memory bytes per account", capacity.memory_per_account.mean, |m, _| {
            m.memory_per_account = m.memory_per_account.times(2.0);
        }),
        ("measured: disk bytes per transfer", capacity.disk_per_transfer.mean, |m, _| {
            m.disk_per_transfer = m.disk_per_transfer.times(2.0);
        }),
        ("measured: processor microseconds per transfer and replica", cpu, |m, _| {
            m.cpu_per_transfer = twice(m.cpu_per_transfer);
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
        ("usage: shards on a node", usage.shards_per_node, |_, p| p.usage.shards_per_node *= 2.0),
    ];
    if !capacity.is_replicated {
        all.push(("usage: processor overhead beside one node", usage.processor_overhead, |_, p| {
            p.usage.processor_overhead *= 2.0;
        }));
    }
    all.into_iter()
        .map(|(name, value, double)| {
            let (mut capacity, mut prices) = (capacity.clone(), prices.clone());
            double(&mut capacity, &mut prices);
            Assumption { name, value, doubled: cost(&capacity, &prices).yuan_per_account_year }
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
    use crate::capacity::Mean;

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

    /// 128 bytes an account, 100 a transfer, a microsecond.
    fn capacity() -> Capacity {
        Capacity {
            runs: 1,
            is_replicated: false,
            shards: (1, 1),
            accounts: (1, 1),
            cpu_per_transfer: Line { base: 1e-6, ..Line::default() },
            memory_of_node: Line::default(),
            disk_of_node: Line::default(),
            memory_per_account: Mean { mean: 128.0, ..Mean::default() },
            disk_per_transfer: Mean { mean: 100.0, ..Mean::default() },
            network_per_transfer: Mean::default(),
        }
    }

    #[test]
    fn three_replicas_of_a_node_full_of_accounts_are_three_nodes() {
        let cost = cost(&capacity(), &prices());
        assert!((cost.nodes - 3.0).abs() < 1e-9, "{cost:?}");
        let kept = 3.0 * 365.0 * 5.0;
        assert!((cost.disk_yuan - kept * 100.0 * 3.0 / 1e9 * 12.0).abs() < 1e-9, "{cost:?}");
        let sum = cost.nodes_yuan + cost.disk_yuan + cost.network_yuan;
        assert!((cost.yuan_per_account_year - sum).abs() < 1e-12);
    }

    #[test]
    fn each_assumption_is_shown_with_its_weight() {
        let all = assumptions(&capacity(), &prices());
        let now = cost(&capacity(), &prices()).yuan_per_account_year;
        let of = |name: &str| all.iter().find(|one| one.name.contains(name)).unwrap().doubled;
        assert!(of("disk bytes") > now && of("node, yuan") > now && of("node: memory") <= now);
    }

    #[test]
    fn what_is_used_up_first_is_named() {
        let scales = scales(&capacity(), &prices());
        assert!(scales.iter().all(|scale| scale.first == "memory" && scale.nodes >= scale.nodes_for_first));
        let disk = Node { disk_gigabytes: 100.0, ..prices().node };
        let scales = super::scales(&capacity(), &Prices { node: disk, ..prices() });
        assert!(scales.iter().all(|scale| scale.first == "disk"), "{scales:?}");
    }
}
