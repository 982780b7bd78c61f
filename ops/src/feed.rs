//! `fen feed`: what happened, as one JSON object a line, from any point of history on.
//!
//! Each line bears the position behind it: a reader that was interrupted goes on from the last one that it has dealt
//! with, and so gets every change at least once. Tested by `ops/tests/feed.rs`.

use crate::desk::{Books, Place};
use crate::exit::{Exit, Failure, say};
use crate::faults::{open_existing, refused_or_broken};
use crate::ids;
use crate::reach::{Reach, failure, wait};
use clap::Args;
use fen_api::{records, wire};
use fen_json::report;
use fen_ledger::{FeedAsked, FeedPosition, Ledger};
use fen_store::disk::{OpenFault, RealDisk};
use std::path::Path;
use std::time::Duration;

/// Prints what happened since a position as NDJSON: accounts opened, transfers, expiries, spent ids, and every applied
/// command that moves no money: limits, products, loan events, business dates, orders of payment files.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  fen feed --data ./books                          all of history
  fen feed --data ./books --from POSITION          what came behind a line that bore this position
  fen feed --data ./books --ledger 156 --code 9101
  fen feed --endpoint 127.0.0.1:7001 --certificates fen-dev --follow

Of a data directory --follow tells what is new whenever nobody else holds the directory open, and waits meanwhile. Of a
cluster each shard's changes come in its own order; a position names every shard's. Where a node goes away in
mid-stream, the next one goes on behind the last page.

Every line is {\"position\", \"change\", \"account\", \"transfer\" or \"command\"}; changes are opened, transfer, expired,
burned and applied. A command bears the op and the fields that fen exec takes it by, and in \"encoded\" all of it as the
log keeps it, in hex. What pays out or repays is told by its transfers.
A piece of history that cannot be read is a line {\"position\", \"gap\"} with the records that are missing, and the
feed goes on behind it; the command then exits 1.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    books: Books,
    /// Wait for what comes, instead of ending when all is told.
    #[arg(long)]
    follow: bool,
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
    match arguments.books.place() {
        Place::Directory(data) => of_directory(arguments, data),
        Place::Cluster(reach) => wait(of_cluster(arguments, &reach)),
    }
}

fn of_directory(arguments: &Arguments, data: &Path) -> Result<Exit, Failure> {
    let from = arguments.from.as_deref().map_or(Ok(FeedPosition::BEGIN), str::parse);
    let from = from.map_err(|fault| Failure::usage(format!("--from: {fault}")))?;
    let mut asked = FeedAsked {
        from,
        limit: PAGE,
        ledger: arguments.ledger,
        code: arguments.code,
        product: arguments.product,
    };
    let mut left = arguments.limit.unwrap_or(u64::MAX);
    let (mut exit, mut has_missed) = (Exit::Done, false);
    loop {
        // Opened anew each time, so that others can write between.
        match open_existing(data) {
            Ok(ledger) => {
                has_missed = false;
                if tell(&ledger, &mut asked, &mut left)? == Exit::Refused {
                    exit = Exit::Refused;
                }
            }
            // Held by somebody else, or let go of just now.
            Err(_) if arguments.follow && data.is_dir() && (is_held(data) || !has_missed) => {
                has_missed = true;
                std::thread::sleep(LOOK_EVERY);
                continue;
            }
            Err(failure) => return Err(failure),
        }
        if left == 0 || !arguments.follow {
            return Ok(exit);
        }
        while RealDisk::last_holder(data).is_none_or(|holder| holder == std::process::id()) {
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

/// Tells all that there is from a position on.
fn tell(ledger: &Ledger, asked: &mut FeedAsked, left: &mut u64) -> Result<Exit, Failure> {
    let mut exit = Exit::Done;
    while *left > 0 {
        asked.limit = u32::try_from(*left).unwrap_or(PAGE).min(PAGE);
        let page = ledger.feed(asked).map_err(|fault| refused_or_broken(&fault))?;
        let mut out = String::new();
        for (position, change) in &page.changes {
            report::feed::change(&mut out, &position.to_string(), change);
        }
        for gap in &page.gaps {
            let records = (gap.records.start.get(), gap.records.end.get().saturating_sub(1));
            report::feed::gap(&mut out, &page.next.to_string(), records, &gap.reason);
            exit = Exit::Refused;
        }
        say(&out)?;
        *left -= u64::try_from(page.changes.len()).unwrap_or(*left).min(*left);
        asked.from = page.next;
        if page.is_end {
            break;
        }
    }
    Ok(exit)
}

/// How often a directory is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Whether somebody else holds the directory open.
fn is_held(data: &Path) -> bool {
    matches!(RealDisk::open(data), Err(OpenFault::Locked { .. }))
}

async fn of_cluster(arguments: &Arguments, reach: &Reach) -> Result<Exit, Failure> {
    let asked = wire::FeedRequest {
        from: arguments.from.clone().unwrap_or_default(),
        ledger: arguments.ledger,
        code: arguments.code.map(u32::from),
        product_id: arguments.product.map(|id| records::halves(id).unwrap_or_default()),
        follow: arguments.follow,
        limit: 0,
    };
    let mut feed = reach.client()?.feed(asked);
    let mut left = arguments.limit.unwrap_or(u64::MAX);
    let mut exit = Exit::Done;
    while left > 0 {
        let Some(page) = feed.page().await.map_err(failure)? else { break };
        let mut out = String::new();
        let changes = page.changes.iter().take(usize::try_from(left).unwrap_or(usize::MAX));
        for message in changes {
            left -= 1;
            let change = fen_api::feed::change(message)
                .map_err(|reason| Failure::unreachable(format!("a change cannot be read: {reason}")))?;
            if let Some(change) = change {
                report::feed::change(&mut out, &message.position, &change);
            }
        }
        for gap in &page.gaps {
            let records = (gap.first_record, gap.last_record);
            report::feed::gap(&mut out, &page.position, records, &gap.reason);
            exit = Exit::Refused;
        }
        say(&out)?;
    }
    Ok(exit)
}
