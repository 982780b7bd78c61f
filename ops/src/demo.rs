//! `fen demo`: a banker's tour of the books, with no set-up: everything happens in a directory of its own that is
//! gone afterwards.
//!
//! What it prints it has done: each figure is read from the ledger, and the tour fails (exit 1) where the ledger
//! does not do what the text says.

mod crash;
mod load;
mod story;
mod town;

use crate::exit::{Exit, Failure, say};
use crate::faults::{broken, open};
use crate::print;
use crate::verify::Finding;
use clap::Args;
use fen_ledger::Ledger;
use std::path::Path;
use std::time::Instant;

/// The tour: accounts, a salary, a card, a refusal, a chain, a crash, three nodes, loans, the trial balance.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  fen demo

It takes some seconds, needs nothing but a temporary directory, and leaves nothing behind.")]
pub(crate) struct Arguments {}

/// What the tour has to tell machines.
#[derive(serde::Serialize)]
struct Tour {
    acknowledged: u64,
    lost: u64,
    doubled: u64,
    reopened_ms: f64,
    transfers: u64,
    per_second: f64,
    cluster_acknowledged: u64,
    cluster_lost: u64,
    cluster_doubled: u64,
    cluster_faults: Vec<String>,
    verified: bool,
    digest: String,
    seconds: f64,
}

/// Runs the command.
pub(crate) fn run(json: bool) -> Result<Exit, Failure> {
    let begun = Instant::now();
    let directory = tempfile::Builder::new()
        .prefix("fen-demo-")
        .tempdir()
        .map_err(|error| Failure::unreachable(format!("no temporary directory can be made: {error}")))?;
    let books = directory.path().join("books");
    let talk = |text: &str| if json { Ok(()) } else { say(text) };

    talk(
        "Fen keeps double-entry books that cannot lose a posting. A tour; all of it happens now, on this machine.\n",
    )?;
    {
        let ledger = open(&books)?;
        talk(&story::tell(&ledger)?)?;
    }
    let crash = crash::survive(&books)?;
    talk(&crash.words())?;

    let ledger = open(&books)?;
    let load = load::run(&ledger)?;
    talk(&load.words())?;
    let town = town::live(&directory.path().join("town"))?;
    talk(&town.words())?;
    let tour = close(&ledger, &crash, &load, &town, begun, talk)?;
    if json {
        let text = serde_json::to_string(&tour);
        say(&(text.map_err(|error| Failure::refused(format!("the tour is no JSON: {error}")))? + "\n"))?;
    }
    let is_right = tour.verified
        && [tour.lost, tour.doubled, tour.cluster_lost, tour.cluster_doubled].iter().all(|count| *count == 0);
    Ok(if is_right { Exit::Done } else { Exit::Refused })
}

/// The trial balance, and where to look next.
fn close(
    ledger: &Ledger,
    crash: &crash::Crash,
    load: &load::Load,
    town: &town::Town,
    begun: Instant,
    talk: impl Fn(&str) -> Result<(), Failure>,
) -> Result<Tour, Failure> {
    let audit = ledger.audit().map_err(|fault| broken(&fault))?;
    let digest = print::hex(&ledger.digest().map_err(|fault| broken(&fault))?);
    let finding = Finding { audit: &audit, digest: &digest, seconds: begun.elapsed().as_secs_f64() };
    let right = if finding.is_right() {
        "every balance is the sum of its entries"
    } else {
        "THE BOOKS ARE NOT RIGHT"
    };
    talk(&format!(
        "{}{}  {} entries added up again: {right}.\n  digest {digest}\n{}",
        heading("11. The first book's trial balance"),
        finding.trial_balance(),
        print::count(audit.transfers),
        where_next(begun)
    ))?;
    Ok(Tour {
        acknowledged: crash.acknowledged,
        lost: crash.lost,
        doubled: crash.doubled,
        reopened_ms: crash.reopened_ms,
        transfers: load.transfers,
        per_second: load.per_second(),
        cluster_acknowledged: town.acknowledged,
        cluster_lost: town.lost,
        cluster_doubled: town.doubled,
        cluster_faults: town.faults.clone(),
        verified: finding.is_right() && town.is_right,
        digest: digest.clone(),
        seconds: begun.elapsed().as_secs_f64(),
    })
}

/// A line that tells the parts of the tour apart.
fn heading(text: &str) -> String {
    format!("\n{text}\n{}\n", "-".repeat(text.chars().count()))
}

fn where_next(begun: Instant) -> String {
    format!(
        "{}  fen exec --help              the ledger for programs: JSON in, JSON out\n  \
           fen import --help            a bank's own CSV, by a mapping\n  \
           fen verify --help            the audit, for any data directory\n  \
           fen schedule --help          loan terms in, instalments out\n  \
           fen dev --help               three nodes on this machine, to be called and killed\n  \
           fen bench --help, fen cost   speed in earnest, and yuan per account and year\n  \
           README.md, ARCHITECTURE.md   how to embed it, and how it is built\n\n\
         The tour took {:.1} s and leaves nothing behind.\n",
        heading("Where to look next"),
        begun.elapsed().as_secs_f64()
    )
}

/// The path as the child process wants it.
fn path_text(path: &Path) -> Result<&str, Failure> {
    path.to_str().ok_or_else(|| Failure::unreachable(format!("{}: the path is no UTF-8", path.display())))
}
