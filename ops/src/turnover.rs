//! `fen turnover`: how much was booked and reserved, by ledger and code, over a period or day by day.
//!
//! Tested by `ops/tests/feed.rs`.

use crate::exit::{Exit, Failure, say};
use crate::faults::{broken, open_existing};
use crate::ids;
use crate::print::{self, Column, count};
use clap::Args;
use fen_ledger::{AccountId, BusinessDate, Period, Split, Total, Turnover, TurnoverAsked, Turnovers};
use fen_terms::Day;
use serde_json::json;
use std::path::PathBuf;

/// Sums and counts of transfers by ledger and code, over a period or day by day.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  fen turnover --data ./books --from 2026-03-01 --to 2026-03-31
  fen turnover --data ./books --by-day --code 9101
  fen turnover --data ./books --account 1001

Dates are business dates of booking, both inclusive. Exits 1 where a piece of history is damaged: it is named, and the
rest is counted.")]
pub(crate) struct Arguments {
    /// The data directory.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The first business date.
    #[arg(long, value_name = "DATE", value_parser = ids::day)]
    from: Option<Day>,
    /// The last business date.
    #[arg(long, value_name = "DATE", value_parser = ids::day)]
    to: Option<Day>,
    /// Every day by itself.
    #[arg(long)]
    by_day: bool,
    /// The entries of one account.
    #[arg(long, value_parser = ids::id)]
    account: Option<u128>,
    /// Currency or asset.
    #[arg(long)]
    ledger: Option<u32>,
    /// The transfers' code.
    #[arg(long)]
    code: Option<u16>,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments, json: bool) -> Result<Exit, Failure> {
    let bound = |day: Option<Day>, none: Day| BusinessDate::new(day.unwrap_or(none).number());
    let period = if arguments.from.is_none() && arguments.to.is_none() {
        Period::All
    } else {
        Period::Booked { first: bound(arguments.from, Day::MIN), last: bound(arguments.to, Day::MAX) }
    };
    let asked = TurnoverAsked {
        account_id: arguments.account.map(AccountId::new),
        ledger: arguments.ledger,
        code: arguments.code,
        period,
        split: if arguments.by_day { Split::Days } else { Split::Whole },
    };
    let found = open_existing(&arguments.data)?.turnover(&asked).map_err(|fault| broken(&fault))?;
    for fault in &found.faults {
        eprintln!("fen: {fault}");
    }
    say(&if json { in_json(&found) } else { in_words(&found) })?;
    Ok(if found.faults.is_empty() { Exit::Done } else { Exit::Refused })
}

fn date(line: &Turnover) -> Option<String> {
    line.date.map(fen_json::report::date)
}

fn in_json(found: &Turnovers) -> String {
    let line = |line: &Turnover| {
        json!({
            "date": date(line),
            "ledger": line.ledger,
            "code": line.code,
            "posted_count": line.posted_count,
            "posted": line.posted.to_string(),
            "reserved_count": line.reserved_count,
            "reserved": line.reserved.to_string(),
        })
    };
    let faults: Vec<String> = found.faults.iter().map(ToString::to_string).collect();
    json!({ "lines": found.lines.iter().map(line).collect::<Vec<_>>(), "faults": faults }).to_string() + "\n"
}

fn in_words(found: &Turnovers) -> String {
    let columns = [
        Column::Text("date"),
        Column::Text("ledger"),
        Column::Text("code"),
        Column::Figure("transfers"),
        Column::Figure("booked"),
        Column::Figure("reservations"),
        Column::Figure("reserved"),
    ];
    let money = |ledger: u32, total: Total| {
        total.get().map_or_else(|| total.to_string(), |minor| print::unsigned_money(ledger, minor))
    };
    let rows = found.lines.iter().map(|line| {
        vec![
            date(line).unwrap_or_default(),
            print::currency(line.ledger),
            line.code.to_string(),
            count(line.posted_count),
            money(line.ledger, line.posted),
            count(line.reserved_count),
            money(line.ledger, line.reserved),
        ]
    });
    if found.lines.is_empty() { "Nothing was booked.\n".to_owned() } else { print::table(&columns, rows) }
}
