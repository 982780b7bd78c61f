//! `fen-parquet`: transfers of any range, or accounts, as Parquet: the same rows as `fen export`.
//!
//! A binary of its own, because the format's library is as large as the ledger. Columns: ids and `user_data_128` are
//! decimal texts; amounts are DECIMAL(38, 0) in minor units, which others add up exactly; dates are DATE;
//! `timestamp` is an unsigned 64-bit count of nanoseconds, unique to its record.

mod rows;
mod table;

use clap::Parser;
use fen_export::{ExportFault, Selection, What, Written};
use fen_ledger::Account;
use rows::Posted;
use std::path::PathBuf;
use std::process::ExitCode;
use table::Table;

/// Writes transfers of any range, or accounts, as Parquet.
#[derive(Parser, Debug)]
#[command(
    name = "fen-parquet",
    version,
    term_width = 0,
    after_help = "Examples:
  fen-parquet --data ./books --out all.parquet
  fen-parquet --what accounts --data ./books --out accounts.parquet
  fen-parquet --endpoint 127.0.0.1:7001 --certificates fen-dev --out all.parquet
  fen-parquet --data ./books --from 2026-03-01 --to 2026-03-31 --ledger 156 --out march.parquet
  duckdb -c \"select ledger, sum(amount) from 'all.parquet' where kind in ('posted', 'post_pending') group by ledger\"

Accounts are as they are when they are read; --from and --to are days of opening then. The file gets its name when it is
whole. Exits 0 done, 1 where a piece of history is damaged (it is named, the rest is written) or an amount has more than
38 digits, 2 called wrongly, 3 cannot open or write."
)]
struct Arguments {
    #[command(flatten)]
    selection: Selection,
    /// Transfers (with posts, voids and expiries of reservations), or accounts.
    #[arg(long, value_enum, default_value_t = What::Transfers)]
    what: What,
    /// The file to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match write(&arguments) {
        Ok(written) => {
            println!("{}: {} rows", arguments.out.display(), written.records);
            ExitCode::from(u8::from(written.damaged > 0))
        }
        Err(fault) => {
            eprintln!("fen-parquet: {fault}");
            ExitCode::from(fault.exit_code())
        }
    }
}

fn write(arguments: &Arguments) -> Result<Written, ExportFault> {
    match arguments.what {
        What::Transfers => {
            let mut table = Table::create(&arguments.out)?;
            let mut take = |shard, line: &_| table.push(Posted { shard, line: *line });
            let written = arguments.selection.each(&mut take)?;
            table.end(written)
        }
        What::Accounts => {
            let mut table = Table::<Account>::create(&arguments.out)?;
            let written = arguments.selection.each_account(&mut |_shard, account| table.push(*account))?;
            table.end(written)
        }
    }
}
