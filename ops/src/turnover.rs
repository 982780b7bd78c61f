//! `fen turnover`: how much was booked and reserved, by ledger and code, over a period or day by day.
//!
//! Tested by `ops/tests/feed.rs`.

use crate::desk::Books;
use crate::exit::{Exit, Failure, say};
use crate::ids;
use crate::print::{self, Column, count};
use clap::Args;
use fen_json::report;
use fen_ledger::{AccountId, BusinessDate, Period, Split, Total, TurnoverAsked, Turnovers};
use fen_terms::Day;

/// Sums and counts of transfers by ledger and code, over a period or day by day.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  fen turnover --data ./books --from 2026-03-01 --to 2026-03-31
  fen turnover --data ./books --by-day --code 9101
  fen turnover --data ./books --account 1001
  fen turnover --endpoint 127.0.0.1:7001 --certificates fen-dev --from 2026-03-01 --to 2026-03-31

On a cluster a transfer between two shards counts once, on the day of its post. Dates are business dates of booking, both inclusive. Exits 1 where a piece of history is damaged: it is named, and the
rest is counted.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    books: Books,
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
    let found = arguments.books.desk()?.turnover(&asked)?;
    for fault in &found.faults {
        eprintln!("fen: {fault}");
    }
    say(&if json { report::turnover(&found) + "\n" } else { in_words(&found) })?;
    Ok(if found.faults.is_empty() { Exit::Done } else { Exit::Refused })
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
            line.date.map(report::date).unwrap_or_default(),
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
