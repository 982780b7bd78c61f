//! `fen proof`: signed digests of a ledger's history, and proofs that others check alone.
//!
//! `make` and `digest` need the data directory, or a running cluster; `check` needs a file and a public key, nothing else. What the files
//! look like, byte by byte, is in `ledger/proof/FORMAT.md`.
//!
//! **Invariants.** The signing key is a file of the operator's own and is never copied into the data directory. A
//! digest that was signed is also kept there, under `digests`: `fen verify` holds the books against every one.

mod check;
mod digest;
mod kept;
mod key;
mod make;
mod shards;

pub(crate) use kept::faults_of_kept;

use crate::exit::{Exit, Failure};
use clap::{Args, Subcommand};
use std::path::{Path, PathBuf};

/// Signs digests of the history, makes proofs from them, and checks both without a ledger.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  fen proof key --name ledger.bank.example/retail --out retail.key
  fen proof digest --data ./books --key retail.key --out 2026-03-02.digest
  fen proof make --data ./books --transfer 4711 --out 4711.tlog-proof
  fen proof make --data ./books --from 2026-03-01.digest --to 2026-03-02.digest --out growth.proof
  fen proof check 4711.tlog-proof --key retail.key.pub")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    Key(key::Arguments),
    Digest(digest::Arguments),
    Make(make::Arguments),
    Check(check::Arguments),
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments, json: bool) -> Result<Exit, Failure> {
    match &arguments.what {
        What::Key(arguments) => key::run(arguments, json),
        What::Digest(arguments) => digest::run(arguments, json),
        What::Make(arguments) => make::run(arguments, json),
        What::Check(arguments) => check::run(arguments, json),
    }
}

/// Files of proofs are small; what is larger is none.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// A file of a proof, a digest or a key.
fn read(path: &Path) -> Result<String, Failure> {
    let failure = |what: &dyn std::fmt::Display| Failure::unreachable(format!("{}: {what}", path.display()));
    let size = std::fs::metadata(path).map_err(|error| failure(&error))?.len();
    if size > FILE_BYTES_MAX {
        return Err(Failure::refused(format!("{}: {size} bytes are too many for a proof", path.display())));
    }
    let bytes = std::fs::read(path).map_err(|error| failure(&error))?;
    String::from_utf8(bytes).map_err(|_| Failure::refused(format!("{}: it is no text", path.display())))
}

/// Writes an answer to the file that was named, or to standard output.
fn write(out: Option<&PathBuf>, text: &str) -> Result<(), Failure> {
    match out {
        None => crate::exit::say(text),
        Some(path) => std::fs::write(path, text)
            .map_err(|error| Failure::unreachable(format!("{}: {error}", path.display()))),
    }
}

/// What a machine is told: one object, one line.
fn say_json(object: &serde_json::Value) -> Result<(), Failure> {
    crate::exit::say(&format!("{object}\n"))
}
