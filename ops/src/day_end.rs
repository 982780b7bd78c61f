//! `fen day-end`: closes business days, chunk by chunk, and tells how far they are closed.

use crate::batch::{Bank, run_files};
use crate::desk::{Books, Desk};
use crate::exit::{Exit, Failure, say};
use crate::ids::day;
use crate::progress;
use clap::{Args, Subcommand};
use fen_book::BusinessDate;
use fen_json::report;
use fen_json::report::date;
use fen_ledger::reports::DayEndStatus;
use fen_terms::Day;
use serde::Serialize;
use std::path::PathBuf;

/// Closes the business date, or tells how far it is.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  fen day-end status --data ./books
  fen day-end run --data ./books
  fen day-end run --through 2026-03-31 --data ./books
  fen day-end run --endpoint 127.0.0.1:7001 --certificates fen-dev

Day-end bills and collects what is due, ages what is late, classes and provides for it, and moves the business date on.
What is due of payment files on a day is done before that day is closed: files for later days, those that were stopped,
collections to be tried again. It goes in chunks; stopped anywhere, the same command goes on and the books come out the same.
Exits 0 when the day is closed, 1 when it cannot be (already closed, too far ahead), 3 when the books cannot be opened.")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    act: Act,
}

#[derive(Subcommand, Debug)]
enum Act {
    /// Closes days.
    Run {
        /// The last day to close; without it, the business date.
        #[arg(long, value_name = "DATE", value_parser = day)]
        through: Option<Day>,
        #[command(flatten)]
        books: Books,
        /// Where payment files lie [default: batches in the data directory; with --endpoint ./batches].
        #[arg(long, value_name = "DIR")]
        files: Option<PathBuf>,
    },
    /// Tells the business date and the last day closed.
    Status {
        #[command(flatten)]
        books: Books,
    },
}

#[derive(Serialize)]
struct RunJson<'a> {
    status: &'a str,
    business_date: String,
    loans: u64,
    chunks: u64,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments, json: bool) -> Result<Exit, Failure> {
    match &arguments.act {
        Act::Run { through, books, files } => {
            let (desk, bank) = books.desk_with_files(files.clone())?;
            close(desk.as_ref(), &bank, *through, json)
        }
        Act::Status { books } => {
            let status = books.desk()?.day_end_status()?;
            say(&if json { report::day_end_status(&status) + "\n" } else { words(&status) })?;
            Ok(Exit::Done)
        }
    }
}

fn close(desk: &dyn Desk, bank: &Bank, through: Option<Day>, json: bool) -> Result<Exit, Failure> {
    let status = desk.day_end_status()?;
    let through = match (through, status.business_date) {
        (Some(day), _) => BusinessDate::new(day.number()),
        (None, Some(today)) => today,
        (None, None) => {
            return Err(Failure::refused("the books have no business date yet")
                .mend("name the day to close: --through DATE"));
        }
    };
    let first = status.business_date.map_or(through.get(), BusinessDate::get);
    let days = |until: BusinessDate| u64::try_from(until.get() - first).unwrap_or(0);
    let progress = progress::items("day-end", days(through) + 1);
    let (mut loans, mut chunks) = (0_u64, 0_u64);
    let mut further = progress.suspend(|| run_files(bank, json))?;
    let last = loop {
        // A day on which a file is to be done begins with it.
        let until = further.map_or(through, |day| BusinessDate::new(day.get() - 1).min(through));
        let chunk = desk.day_end_chunk(until)?;
        loans += chunk.loans;
        chunks += 1;
        progress.set_position(days(chunk.business_date));
        if !chunk.is_done {
            continue;
        }
        if chunk.is_closed {
            further = progress.suspend(|| run_files(bank, json))?;
        }
        if until == through || !chunk.is_closed {
            break chunk;
        }
    };
    progress.finish_and_clear();
    if json {
        let business_date = date(last.business_date);
        say(&written(&RunJson { status: &last.status, business_date, loans, chunks })?)?;
    } else if last.is_closed {
        say(&format!(
            "Closed through {}: {loans} loans changed, in {chunks} chunks. The business date is {}.\n",
            date(through),
            date(last.business_date)
        ))?;
    } else {
        return Err(Failure::refused(format!("{}: {}", date(through), last.status))
            .mend(format!("the business date is {}", date(last.business_date))));
    }
    Ok(if last.is_closed { Exit::Done } else { Exit::Refused })
}

fn words(status: &DayEndStatus) -> String {
    match (status.business_date, status.last_closed) {
        (None, _) => "There is no business date yet: the first loan event or day-end sets it.\n".to_owned(),
        (Some(today), None) => format!("The business date is {}. No day has been closed.\n", date(today)),
        (Some(today), Some((closed, _))) => {
            format!("The business date is {}. Closed through {}.\n", date(today), date(closed))
        }
    }
}

fn written(answer: &impl Serialize) -> Result<String, Failure> {
    let text = serde_json::to_string(answer);
    text.map(|text| text + "\n").map_err(|error| Failure::refused(format!("the answer is no JSON: {error}")))
}
