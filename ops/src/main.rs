//! `fen`, the one binary.
//!
//! Each command is a module with its arguments and a `run`; what they share is how they end ([`exit`]), how they print ([`mod@print`]) and how they show progress ([`progress`]).
//!
//! **Invariants.** The exit code says how it went: 0 done, 1 refused or found wrong, 2 called wrongly, 3 cannot
//! reach or open. Answers go to standard output, everything else to standard error.

mod account;
mod archive;
mod batch;
mod bench;
mod cluster;
mod cost;
mod day_end;
mod demo;
mod desk;
mod dev;
mod exec;
mod exit;
mod export;
mod faults;
mod feed;
mod ids;
mod import;
mod loan;
mod portfolio;
mod print;
mod progress;
mod proof;
mod reach;
mod schedule;
mod search;
mod start;
mod statement;
mod trial_balance;
mod turnover;
mod verify;

use clap::{Parser, Subcommand};
use exit::{Exit, Failure};
use std::process::ExitCode;

/// A core-banking ledger: double entry that cannot lose a posting.
#[derive(Parser, Debug)]
#[command(name = "fen", version, term_width = 0)]
struct Fen {
    /// Answer in JSON, for machines.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Account(account::Arguments),
    Archive(archive::Arguments),
    Batch(batch::Arguments),
    Bench(Box<bench::Arguments>),
    Cost(cost::Arguments),
    Cluster(cluster::Arguments),
    DayEnd(day_end::Arguments),
    Demo(demo::Arguments),
    Dev(dev::Arguments),
    Exec(exec::Arguments),
    Export(export::Arguments),
    Feed(feed::Arguments),
    Import(import::Arguments),
    Loan(loan::Arguments),
    Portfolio(portfolio::Arguments),
    Proof(proof::Arguments),
    Schedule(schedule::Arguments),
    Search(search::Arguments),
    Start(start::Arguments),
    Statement(statement::Arguments),
    TrialBalance(trial_balance::Arguments),
    Turnover(turnover::Arguments),
    Verify(verify::Arguments),
}

fn main() -> ExitCode {
    let fen = Fen::parse();
    match run(&fen) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            eprintln!("fen: {failure}");
            failure.exit().into()
        }
    }
}

fn run(fen: &Fen) -> Result<Exit, Failure> {
    match &fen.command {
        Command::Account(arguments) => account::run(arguments, fen.json),
        Command::Archive(arguments) => archive::run(arguments, fen.json),
        Command::Batch(arguments) => batch::run(arguments, fen.json),
        Command::Bench(arguments) => bench::run(arguments, fen.json),
        Command::Cost(arguments) => cost::run(arguments, fen.json),
        Command::Cluster(arguments) => cluster::run(arguments, fen.json),
        Command::DayEnd(arguments) => day_end::run(arguments, fen.json),
        Command::Demo(demo::Arguments {}) => demo::run(fen.json),
        Command::Dev(arguments) => dev::run(arguments),
        Command::Exec(arguments) => exec::run(arguments),
        Command::Export(arguments) => export::run(arguments, fen.json),
        Command::Feed(arguments) => feed::run(arguments),
        Command::Import(arguments) => import::run(arguments, fen.json),
        Command::Proof(arguments) => proof::run(arguments, fen.json),
        Command::Loan(arguments) => loan::run(arguments, fen.json),
        Command::Portfolio(arguments) => portfolio::run(arguments, fen.json),
        Command::Schedule(arguments) => schedule::run(arguments),
        Command::Search(arguments) => search::run(arguments, fen.json),
        Command::Start(arguments) => start::run(arguments),
        Command::Statement(arguments) => statement::run(arguments, fen.json),
        Command::TrialBalance(arguments) => trial_balance::run(arguments, fen.json),
        Command::Turnover(arguments) => turnover::run(arguments, fen.json),
        Command::Verify(arguments) => verify::run(arguments, fen.json),
    }
}
