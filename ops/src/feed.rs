//! `fen feed`: what happened, as one JSON object a line, from any point of history on.
//!
//! Each line bears the position behind it: a reader that was interrupted goes on from the last one that it has dealt
//! with, and so gets every change at least once. Tested by `ops/tests/feed.rs`.

use crate::exit::{Exit, Failure, say};
use crate::faults::{open_existing, refused_or_broken};
use crate::ids;
use clap::Args;
use fen_json::reply::Answer;
use fen_ledger::{Change, FeedAsked, FeedPosition};
use std::fmt::Write as _;
use std::path::PathBuf;

/// Prints what happened since a position as NDJSON: accounts opened, transfers, expiries, spent ids.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  fen feed --data ./books                          all of history
  fen feed --data ./books --from POSITION          what came behind a line that bore this position
  fen feed --data ./books --ledger 156 --code 9101

Every line is {\"position\", \"change\", \"account\" or \"transfer\"}; changes are opened, transfer, expired and burned.
A piece of history that cannot be read is a line {\"position\", \"gap\"} with the records that are missing, and the
feed goes on behind it; the command then exits 1.")]
pub(crate) struct Arguments {
    /// The data directory.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The position of the last line that was dealt with.
    #[arg(long, value_name = "POSITION")]
    from: Option<String>,
    /// Currency or asset.
    #[arg(long)]
    ledger: Option<u32>,
    /// The code of transfers and accounts.
    #[arg(long)]
    code: Option<u16>,
    /// Postings and control accounts of one loan product.
    #[arg(long, value_parser = ids::id)]
    product: Option<u128>,
    /// At most so many changes; without it all.
    #[arg(long)]
    limit: Option<u64>,
}

/// Changes that are written at once.
const PAGE: u32 = 8_189;

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let from = arguments.from.as_deref().map_or(Ok(FeedPosition::BEGIN), str::parse);
    let from = from.map_err(|fault| Failure::usage(format!("--from: {fault}")))?;
    let mut asked = FeedAsked {
        from,
        limit: PAGE,
        ledger: arguments.ledger,
        code: arguments.code,
        product: arguments.product,
    };
    let ledger = open_existing(&arguments.data)?;
    let mut left = arguments.limit.unwrap_or(u64::MAX);
    let mut exit = Exit::Done;
    while left > 0 {
        asked.limit = u32::try_from(left).unwrap_or(PAGE).min(PAGE);
        let page = ledger.feed(&asked).map_err(|fault| refused_or_broken(&fault))?;
        let mut out = String::new();
        for (position, change) in &page.changes {
            line(&mut out, position, change);
        }
        for gap in &page.gaps {
            let records = format!("{} to {}", gap.records.start, gap.records.end.get().saturating_sub(1));
            let gap = serde_json::json!({
                "position": page.next.to_string(),
                "gap": { "records": records, "reason": gap.reason.to_string() },
            });
            writeln!(out, "{gap}").expect("writing to a string cannot fail");
            exit = Exit::Refused;
        }
        say(&out)?;
        left -= u64::try_from(page.changes.len()).unwrap_or(left).min(left);
        asked.from = page.next;
        if page.is_end {
            break;
        }
    }
    Ok(exit)
}

fn line(out: &mut String, position: &FeedPosition, change: &Change) {
    let (kind, field) = match change {
        Change::Opened(_) => ("opened", "account"),
        Change::Transfer(_) => ("transfer", "transfer"),
        Change::Expired(_) => ("expired", "transfer"),
        Change::Burned(_) => ("burned", "transfer"),
    };
    write!(out, "{{\"position\":\"{position}\",\"change\":\"{kind}\",\"{field}\":")
        .expect("writing to a string cannot fail");
    match change {
        Change::Opened(account) => account.write(out),
        Change::Transfer(record) | Change::Expired(record) | Change::Burned(record) => record.write(out),
    }
    out.push_str("}\n");
}
