//! `fen export`: records of any range as CSV. Parquet is made by `fen-parquet`, a binary of its own (`ops/parquet`).

use crate::exit::{Exit, Failure, say};
use crate::print::{count, plural};
use clap::Args;
use fen_export::{ExportFault, Selection, What, write_accounts, write_transfers};
use std::path::PathBuf;

/// Writes transfers of any range, or accounts, as CSV.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  fen export --data ./books --out all.csv
  fen export --data ./books --from 2026-03-01 --to 2026-03-31 --ledger 156 --out march.csv
  fen export --data ./books --account 1001 | head
  fen export --what accounts --data ./books --out accounts.csv
  fen export --endpoint 127.0.0.1:7001 --certificates fen-dev --out all.csv
  duckdb -c \"select kind, sum(amount) from read_csv('all.csv') group by kind\"

Amounts are minor units. Accounts are as they are when they are read, each page of 8,189 at one moment; --from and --to
are days of opening then. A cluster tells shard after shard, each as of the moment when the export began; a transfer
between two shards is told as they have booked it. Posted amounts (kind posted and post_pending) add up to the trial balance. The file gets its
name when it is whole. Exits 1 where a piece of history is damaged: it is named, and the rest is written.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    selection: Selection,
    /// Transfers (with posts, voids and expiries of reservations), or accounts.
    #[arg(long, value_enum, default_value_t = What::Transfers)]
    what: What,
    /// Where to write it; otherwise standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments, json: bool) -> Result<Exit, Failure> {
    let write = match arguments.what {
        What::Transfers => write_transfers,
        What::Accounts => write_accounts,
    };
    let written = write(&arguments.selection, arguments.out.as_deref()).map_err(|fault| failure(&fault))?;
    if let Some(path) = &arguments.out {
        let records = plural(written.records, "row", "rows");
        let words = format!("{}: {} {records}\n", path.display(), count(written.records));
        let object = serde_json::json!({ "records": written.records, "damaged": written.damaged });
        say(&if json { format!("{object}\n") } else { words })?;
    }
    Ok(if written.damaged == 0 { Exit::Done } else { Exit::Refused })
}

fn failure(fault: &ExportFault) -> Failure {
    match fault {
        ExportFault::Usage(words) => Failure::usage(words),
        ExportFault::Unreachable(words) => Failure::unreachable(words),
        ExportFault::Value(words) => Failure::refused(words),
    }
}
