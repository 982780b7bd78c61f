//! `fen-compare`: the same transfers and the same day-end on PostgreSQL and on Fen, in one run on one machine.
//!
//! Rounds alternate, so that what else goes on hits both; medians are compared, and the lowest and highest are shown.
//! Both sides are durable before they answer, both are checked afterwards, and a side whose books are wrong ends the
//! run without a figure. Deliberately absent: a replicated PostgreSQL, and the network between client and server (it
//! is reached through a socket of the machine, Fen through a call).

mod day_end;
mod fault;
mod server;
mod transfers;

use clap::{Parser, ValueEnum};
use comfy_table::{CellAlignment, Table, presets};
use fault::{Fault, Run};
use fen_loadgen::Unwatched;
use fen_loadgen::loans::Borrowers;
use fen_loadgen::place::Place;
use fen_loadgen::scenario::{self, Plan, Scenario};
use fen_loadgen::site::Host;
use serde::Serialize;
use server::{SETTINGS, Server};
use std::path::Path;
use std::process::ExitCode;

/// Compares Fen with double entry by hand on PostgreSQL.
#[derive(Parser, Debug)]
#[command(
    name = "fen-compare",
    version,
    term_width = 0,
    after_help = "Examples:
  cargo run --release -p fen-compare
  cargo run --release -p fen-compare -- --only day-end --loans 2000000 --rounds 5
  cargo run --release -p fen-compare -- --json > compare.json

PostgreSQL is that of Debian's package `postgresql`, started with the settings that are printed, fsync on, and stopped
again. Exits 0 done or PostgreSQL is not installed (it says so), 1 where a side's books are wrong, 3 where a side cannot
be started."
)]
struct Arguments {
    /// Only this.
    #[arg(long, value_enum)]
    only: Option<Question>,
    /// Rounds of each, Fen and PostgreSQL by turns.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=99))]
    rounds: u16,
    /// Transfers in batches, a round.
    #[arg(long, default_value_t = 1_000_000)]
    transfers: u64,
    /// Transfers one by one, a round.
    #[arg(long, default_value_t = 50_000)]
    singles: u64,
    /// Accounts between which money moves.
    #[arg(long, default_value_t = 10_000)]
    accounts: u64,
    /// Borrowers in the day-end.
    #[arg(long, default_value_t = 1_000_000)]
    loans: u64,
    /// One JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Question {
    /// Transfers in batches of 8,189 from 4 clients.
    Transfers,
    /// Transfers one by one from 32 clients.
    Singles,
    /// The close of a day on which a thirtieth of the loans fall due.
    DayEnd,
}

/// One question's answers.
#[derive(Serialize, Debug)]
struct Answer {
    question: &'static str,
    unit: &'static str,
    fen: Spread,
    postgresql: Spread,
    /// How many times better Fen is, by the medians.
    ratio: f64,
}

#[derive(Serialize, Debug)]
struct Spread {
    min: f64,
    median: f64,
    max: f64,
}

impl Spread {
    fn of(mut figures: Vec<f64>) -> Self {
        figures.sort_by(f64::total_cmp);
        let at = |place: usize| figures.get(place).copied().unwrap_or(f64::NAN);
        Self { min: at(0), median: at(figures.len() / 2), max: at(figures.len().saturating_sub(1)) }
    }

    fn words(&self, decimals: usize) -> String {
        let Self { min, median, max } = self;
        format!("{median:.decimals$} ({min:.decimals$} to {max:.decimals$})")
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let Some(programs) = server::programs() else {
        eprintln!(
            "fen-compare: PostgreSQL is not installed (Debian: apt install postgresql); nothing to compare with"
        );
        return ExitCode::SUCCESS;
    };
    match compare(&arguments, &programs) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("fen-compare: {fault}");
            ExitCode::from(match fault {
                Fault::Books(_) => 1,
                Fault::Load(_) | Fault::Postgres(_) | Fault::Server(_) => 3,
            })
        }
    }
}

fn compare(arguments: &Arguments, programs: &Path) -> Run<()> {
    if cfg!(debug_assertions) {
        eprintln!("fen-compare: this is a debug build, its figures say nothing; use --release");
    }
    let asked = |question| arguments.only.is_none_or(|only| only == question);
    let mut answers = Vec::new();
    let mut version = String::new();
    for question in [Question::Transfers, Question::Singles, Question::DayEnd] {
        if !asked(question) {
            continue;
        }
        let (mut fen, mut postgresql) = (Vec::new(), Vec::new());
        for round in 1..=arguments.rounds {
            eprintln!("{}: round {round} of {}", question.name(), arguments.rounds);
            fen.push(question.ask_fen(arguments)?);
            let place = Place::open(None)?;
            let server = Server::start(programs, place.path())?;
            version.clone_from(&server.version);
            postgresql.push(question.ask_postgresql(arguments, &server)?);
        }
        answers.push(question.answer(Spread::of(fen), Spread::of(postgresql)));
    }
    show(arguments, &version, &answers);
    Ok(())
}

impl Question {
    const fn name(self) -> &'static str {
        match self {
            Self::Transfers => "transfers",
            Self::Singles => "singles",
            Self::DayEnd => "day-end",
        }
    }

    fn plan(self, arguments: &Arguments) -> Plan {
        let (scenario, transfers) = match self {
            Self::Transfers => (Scenario::Transfers, arguments.transfers),
            Self::Singles => (Scenario::Singles, arguments.singles),
            Self::DayEnd => (Scenario::DayEnd, 0),
        };
        let usual = Plan::of(scenario);
        let loans = if self == Self::DayEnd { arguments.loans } else { usual.loans };
        Plan { transfers, loans, accounts: arguments.accounts, ..usual }
    }

    fn ask_fen(self, arguments: &Arguments) -> Run<f64> {
        // One replica runs in this process: no other program is started.
        let host = Host { program: Path::new("fen"), elsewhere: None };
        let report = scenario::run(&self.plan(arguments), host, &Unwatched)?;
        if !report.verified {
            return Err(Fault::Books(format!("Fen's books: {}", report.faults.join("; "))));
        }
        #[allow(clippy::cast_precision_loss, reason = "counts of a run are far below 2^52")]
        let per_second = report.done as f64 / report.seconds;
        Ok(report.day_end.map_or(per_second, |day| day.median_ms))
    }

    fn ask_postgresql(self, arguments: &Arguments, server: &Server) -> Run<f64> {
        let plan = self.plan(arguments);
        match self {
            Self::Transfers | Self::Singles => {
                let workload = plan.workload();
                let batches = plan.transfers.div_ceil(u64::from(plan.batch));
                transfers::run(server, &workload, batches, plan.clients)
            }
            Self::DayEnd => {
                let borrowers =
                    Borrowers { seed: plan.seed, base: plan.base(), count: plan.loans, auto_debit: true };
                Ok(day_end::run(server, &borrowers)?.as_secs_f64() * 1_000.0)
            }
        }
    }

    fn answer(self, fen: Spread, postgresql: Spread) -> Answer {
        let (unit, ratio) = match self {
            Self::Transfers | Self::Singles => ("transfers/s", fen.median / postgresql.median),
            Self::DayEnd => ("ms a day", postgresql.median / fen.median),
        };
        Answer { question: self.name(), unit, fen, postgresql, ratio }
    }
}

fn show(arguments: &Arguments, version: &str, answers: &[Answer]) {
    let settings: Vec<String> = SETTINGS.iter().map(|(name, value)| format!("{name}={value}")).collect();
    if arguments.json {
        let whole = serde_json::json!({
            "commit": fen_loadgen::COMMIT,
            "rounds": arguments.rounds,
            "transfers": arguments.transfers,
            "singles": arguments.singles,
            "accounts": arguments.accounts,
            "loans": arguments.loans,
            "postgresql_version": version,
            "postgresql_settings": settings,
            "answers": answers,
        });
        println!("{whole}");
        return;
    }
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN);
    table.set_header(["", "unit", "Fen", "PostgreSQL", "times"]);
    for answer in answers {
        let decimals = usize::from(answer.question == Question::DayEnd.name());
        table.add_row([
            answer.question.to_owned(),
            answer.unit.to_owned(),
            answer.fen.words(decimals),
            answer.postgresql.words(decimals),
            format!("{:.1}", answer.ratio),
        ]);
    }
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    println!("{table}");
    println!(
        "median (lowest to highest) of {} rounds; PostgreSQL {version}: {}",
        arguments.rounds,
        settings.join(", ")
    );
}
