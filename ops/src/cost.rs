//! `fen cost`: what the core ledger's hardware costs for an account and a year. The arithmetic is `fen-loadgen`'s.

use crate::bench::failure;
use crate::exit::{Exit, Failure, say};
use crate::print::{self, Column};
use clap::Args;
use fen_loadgen::Report;
use fen_loadgen::capacity::{Capacity, Line, Mean};
use fen_loadgen::charts::short;
use fen_loadgen::cost::{Assumption, Cost, NOT_COUNTED, Prices, Scale, assumptions, cost, scales};
use fen_loadgen::cost::{read_prices, read_report};
use serde::Serialize;
use std::fmt::Write as _;
use std::path::PathBuf;

/// What a digital bank is known to pay for its core, in yuan per account and year.
const REFERENCE_YUAN: f64 = 2.0;

/// Turns measured runs and a file of prices into yuan per account and year.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  fen bench transfers --accounts 1000000 --json > run.json
  fen cost --run run.json --prices ops/examples/prices.toml
  for n in 1 2 4 8; do
    fen bench transfers --replicas 3 --shards $n --crossing 0 --accounts 1000000 --json > $n.json; done
  fen cost --run 1.json --run 2.json --run 4.json --run 8.json --prices ops/examples/prices.toml

With several runs a capacity model is fitted: what a transfer, an account and a shard take of a node. The prices are a TOML file with their source and date; ops/examples/prices.toml explains every key.")]
pub(crate) struct Arguments {
    /// What `fen bench transfers --json` printed; several of one kind, with different shards or accounts, are one model.
    #[arg(long, value_name = "FILE.json", required = true)]
    run: Vec<PathBuf>,
    /// What things cost, and how accounts are used.
    #[arg(long, value_name = "FILE.toml")]
    prices: PathBuf,
}

#[derive(Serialize)]
struct CostJson<'a> {
    cost: &'a Cost,
    capacity: &'a Capacity,
    scales: &'a [Scale],
    prices: &'a Prices,
    assumptions: &'a [Assumption],
    commit: &'a str,
    not_counted: [&'static str; 8],
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments, json: bool) -> Result<Exit, Failure> {
    let reports: Result<Vec<Report>, _> = arguments.run.iter().map(|path| read_report(path)).collect();
    let reports = reports.map_err(|fault| failure(&fault))?;
    let prices = read_prices(&arguments.prices).map_err(|fault| failure(&fault))?;
    let capacity = Capacity::fitted(&reports).map_err(|fault| failure(&fault))?;
    let (cost, scales) = (cost(&capacity, &prices), scales(&capacity, &prices));
    let assumptions = assumptions(&capacity, &prices);
    let commit = reports.first().map_or("", |report| report.commit.as_str());
    if json {
        let whole = CostJson {
            cost: &cost,
            capacity: &capacity,
            scales: &scales,
            prices: &prices,
            assumptions: &assumptions,
            commit,
            not_counted: NOT_COUNTED,
        };
        let line = serde_json::to_string(&whole)
            .map_err(|error| Failure::refused(format!("the cost is no JSON: {error}")))?;
        say(&(line + "\n"))?;
    } else {
        let mut page = words(&prices, &cost, commit);
        page.push_str(&model(&capacity));
        page.push_str(&at_scale(&scales));
        page.push_str(&weights(&assumptions));
        say(&page)?;
    }
    Ok(Exit::Done)
}

/// Two digits that count, so that a small share is not shown as nothing.
fn yuan(value: f64) -> String {
    if value >= 0.1 { format!("{value:.2}") } else { format!("{value:.4}") }
}

fn words(prices: &Prices, cost: &Cost, commit: &str) -> String {
    let mut out = format!(
        "The core ledger's hardware: {} yuan per account and year\n  nodes {}, disk beyond theirs {}, network {}\n\n",
        yuan(cost.yuan_per_account_year),
        yuan(cost.nodes_yuan),
        yuan(cost.disk_yuan),
        yuan(cost.network_yuan),
    );
    let share = cost.yuan_per_account_year / REFERENCE_YUAN * 100.0;
    let lines = [
        format!(
            "{:.0} nodes ({}): memory asks for {:.2}, the busiest hour for {:.2}, history for the disks of {:.2}",
            cost.nodes,
            prices.node.name,
            cost.nodes_for_memory,
            cost.nodes_for_processor,
            cost.nodes_for_disk
        ),
        format!(
            "{:.0} accounts a node; {:.0} transfers/s on average, {:.0} in the busiest hour",
            cost.accounts_per_node, cost.mean_per_second, cost.peak_per_second
        ),
        format!("{:.0} GB of transfers on all replicas once retention is full", cost.disk_gigabytes),
        format!(
            "beside the {REFERENCE_YUAN} yuan that a digital bank pays for its whole core: the core ledger's \
             hardware share of it would be {share:.1} %"
        ),
        format!("prices: {} ({})", prices.source, prices.date),
        format!("measured: commit {commit}"),
    ];
    for line in lines {
        let _infallible = writeln!(out, "  {line}");
    }
    out
}

/// The capacity model, a line for each figure.
fn model(capacity: &Capacity) -> String {
    let (fewest, most) = capacity.shards;
    let mut out = format!(
        "\nWhat one replica takes, from {} runs with {fewest} to {most} shards and {} to {} accounts\n",
        capacity.runs, capacity.accounts.0, capacity.accounts.1
    );
    let line = |name: &str, line: Line, unit: f64| {
        let farthest = format!("{:.0} %", line.farthest * 100.0);
        vec![name.to_owned(), short(line.base * unit), short(line.each_shard * unit), farthest]
    };
    let mean = |name: &str, mean: Mean| {
        let between = format!("{} to {}", short(mean.least), short(mean.most));
        vec![name.to_owned(), short(mean.mean), "-".to_owned(), between]
    };
    let rows = [
        line("processor us, a transfer", capacity.cpu_per_transfer, 1e6),
        line("memory MiB, a node under load", capacity.memory_of_node, 1.0 / 1_048_576.0),
        line("disk MiB, a node's log", capacity.disk_of_node, 1.0 / 1_048_576.0),
        mean("memory bytes, an account", capacity.memory_per_account),
        mean("disk bytes, a transfer", capacity.disk_per_transfer),
        mean("network bytes, a transfer, all replicas", capacity.network_per_transfer),
    ];
    let columns = [
        Column::Text("figure"),
        Column::Figure("in itself"),
        Column::Figure("each shard"),
        Column::Figure("off, at most"),
    ];
    out.push_str(&print::table(&columns, rows));
    out
}

/// What is used up first as the bank grows.
fn at_scale(scales: &[Scale]) -> String {
    let columns = [
        Column::Figure("accounts"),
        Column::Figure("nodes"),
        Column::Figure("a million"),
        Column::Figure("shards"),
        Column::Text("used up first"),
        Column::Figure("yuan"),
    ];
    let rows = scales.iter().map(|scale| {
        vec![
            short(scale.accounts),
            short(scale.nodes),
            short(scale.nodes_per_million),
            short(scale.shards),
            format!("{}, by {:.2} nodes", scale.first, scale.nodes_for_first),
            yuan(scale.yuan_per_account_year),
        ]
    });
    format!("\nAs the bank grows\n{}", print::table(&columns, rows))
}

fn weights(assumptions: &[Assumption]) -> String {
    let columns = [Column::Text("assumption"), Column::Figure("value"), Column::Figure("yuan, if doubled")];
    let rows = assumptions.iter().map(|one| vec![one.name.to_owned(), short(one.value), yuan(one.doubled)]);
    let mut out = "\nWhat is assumed, and the result if it were twice as large\n".to_owned();
    out.push_str(&print::table(&columns, rows));
    out.push_str("\nNot counted\n");
    for layer in NOT_COUNTED {
        let _infallible = writeln!(out, "  {layer}");
    }
    out
}
