//! Keeps what the benches measured, and holds a later run against it.
//!
//! `cargo bench -p fen-benches` leaves an estimate for each bench in criterion's folder. `keep` writes their medians
//! with the machine and the commit to `benches/baselines.json`, which is committed; `compare` prints each against
//! what was kept. Rates of two machines do not compare: the machine is printed for that reason.
//!
//! Deliberately absent: a verdict. A shared machine moves by tenths from one hour to the next.

use fen_loadgen::charts::short;
use fen_loadgen::machine::Machine;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "usage: cargo bench -p fen-benches
       cargo run --release -p fen-benches --bin fen-baselines -- compare   against benches/baselines.json
       cargo run --release -p fen-benches --bin fen-baselines -- keep      writes it";

/// What is kept.
#[derive(Serialize, Deserialize, Debug)]
struct Kept {
    commit: String,
    machine: Machine,
    /// Nanoseconds of one iteration, by the bench's name.
    median_ns: BTreeMap<String, f64>,
}

/// The file with an estimate, as far as it matters here.
#[derive(Deserialize)]
struct Estimates {
    median: Median,
}

#[derive(Deserialize)]
struct Median {
    point_estimate: f64,
}

#[derive(Deserialize)]
struct Name {
    full_id: String,
}

fn json<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<T, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}

/// Adds the newest estimate of every bench in a folder of criterion's and those below it.
fn collect(folder: &Path, into: &mut BTreeMap<String, f64>) -> Result<(), String> {
    let newest = folder.join("new");
    if newest.join("estimates.json").is_file() {
        let Name { full_id } = json(&newest.join("benchmark.json"))?;
        let Estimates { median } = json(&newest.join("estimates.json"))?;
        into.insert(full_id, (median.point_estimate * 10.0).round() / 10.0);
        return Ok(());
    }
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for entry in entries.flatten().filter(|entry| entry.path().is_dir()) {
        collect(&entry.path(), into)?;
    }
    Ok(())
}

fn measured() -> Result<Kept, String> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    let folder = target.join("criterion");
    let mut median_ns = BTreeMap::new();
    collect(&folder, &mut median_ns).map_err(|what| format!("no bench has run yet: {what}\n{USAGE}"))?;
    let machine = Machine::this(Path::new("."));
    Ok(Kept { commit: fen_loadgen::COMMIT.to_owned(), machine, median_ns })
}

fn keep(file: &Path) -> Result<(), String> {
    let measured = measured()?;
    let text = serde_json::to_string_pretty(&measured).map_err(|error| error.to_string())?;
    fs::write(file, text + "\n").map_err(|error| format!("{}: {error}", file.display()))?;
    println!("{} benches kept in {}", measured.median_ns.len(), file.display());
    Ok(())
}

fn compare(file: &Path) -> Result<(), String> {
    let (kept, now): (Kept, Kept) = (json(file)?, measured()?);
    let of = |run: &Kept| {
        format!("commit {} on {}, {} processors", run.commit, run.machine.processor, run.machine.processors)
    };
    println!("kept: {}\nnow:  {}\n", of(&kept), of(&now));
    println!("{:<52}{:>12}{:>12}{:>8}", "bench, nanoseconds by the median", "kept", "now", "ratio");
    for (name, ns) in &now.median_ns {
        match kept.median_ns.get(name) {
            Some(before) => {
                println!("{name:<52}{:>12}{:>12}{:>8.2}", short(*before), short(*ns), ns / before);
            }
            None => println!("{name:<52}{:>12}{:>12}{:>8}", "-", short(*ns), "new"),
        }
    }
    for name in kept.median_ns.keys().filter(|name| !now.median_ns.contains_key(*name)) {
        println!("{name:<52} was not run");
    }
    Ok(())
}

fn main() -> ExitCode {
    let file = Path::new("benches/baselines.json");
    let asked: Vec<String> = std::env::args().skip(1).collect();
    let done = match asked.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["keep"] => keep(file),
        ["compare"] => compare(file),
        ["--help" | "-h"] => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            eprintln!("fen-baselines: {what}");
            ExitCode::from(3)
        }
    }
}
