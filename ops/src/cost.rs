//! `fen cost`: what the core ledger's hardware costs for an account and a year. The arithmetic is `fen-loadgen`'s.

use crate::bench::failure;
use crate::exit::{Exit, Failure, say};
use crate::print::{self, Column};
use clap::Args;
use fen_loadgen::Report;
use fen_loadgen::cost::{Assumption, Cost, Measured, NOT_COUNTED, Prices, assumptions, cost};
use fen_loadgen::cost::{read_prices, read_report};
use serde::Serialize;
use std::fmt::Write as _;
use std::path::PathBuf;

/// What a digital bank is known to pay for its core, in yuan per account and year.
const REFERENCE_YUAN: f64 = 2.0;

/// Turns a measured run and a file of prices into yuan per account and year.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  fen bench transfers --accounts 1000000 --json > run.json
  fen cost --run run.json --prices ops/examples/prices.toml

The prices are a TOML file with their source and date; ops/examples/prices.toml explains every key.")]
pub(crate) struct Arguments {
    /// What `fen bench transfers --json` printed.
    #[arg(long, value_name = "FILE.json")]
    run: PathBuf,
    /// What things cost, and how accounts are used.
    #[arg(long, value_name = "FILE.toml")]
    prices: PathBuf,
}

#[derive(Serialize)]
struct CostJson<'a> {
    cost: &'a Cost,
    measured: &'a Measured,
    prices: &'a Prices,
    assumptions: &'a [Assumption],
    commit: &'a str,
    not_counted: [&'static str; 8],
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments, json: bool) -> Result<Exit, Failure> {
    let report = read_report(&arguments.run).map_err(|fault| failure(&fault))?;
    let prices = read_prices(&arguments.prices).map_err(|fault| failure(&fault))?;
    let measured = Measured::of(&report).map_err(|fault| failure(&fault))?;
    let (cost, assumptions) = (cost(&measured, &prices), assumptions(&measured, &prices));
    if json {
        let commit = &report.commit;
        let whole = CostJson {
            cost: &cost,
            measured: &measured,
            prices: &prices,
            assumptions: &assumptions,
            commit,
            not_counted: NOT_COUNTED,
        };
        let line = serde_json::to_string(&whole)
            .map_err(|error| Failure::refused(format!("the cost is no JSON: {error}")))?;
        say(&(line + "\n"))?;
    } else {
        say(&words(&report, &prices, &cost, &assumptions))?;
    }
    Ok(Exit::Done)
}

/// Two digits that count, so that a small share is not shown as nothing.
fn yuan(value: f64) -> String {
    if value >= 0.1 { format!("{value:.2}") } else { format!("{value:.4}") }
}

fn words(report: &Report, prices: &Prices, cost: &Cost, assumptions: &[Assumption]) -> String {
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
            "{:.0} nodes ({}): memory asks for {:.2}, the busiest hour for {:.2}",
            cost.nodes, prices.node.name, cost.nodes_for_memory, cost.nodes_for_processor
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
        format!(
            "measured: commit {}, {} transfers over {} accounts",
            report.commit, report.done, report.accounts
        ),
    ];
    for line in lines {
        let _infallible = writeln!(out, "  {line}");
    }
    out.push_str("\nWhat is assumed, and the result if it were twice as large\n");
    let columns = [Column::Text("assumption"), Column::Figure("value"), Column::Figure("yuan, if doubled")];
    let rows = assumptions
        .iter()
        .map(|one| vec![one.name.to_owned(), fen_loadgen::charts::short(one.value), yuan(one.doubled)]);
    out.push_str(&print::table(&columns, rows));
    out.push_str("\nNot counted\n");
    for layer in NOT_COUNTED {
        let _infallible = writeln!(out, "  {layer}");
    }
    out
}
