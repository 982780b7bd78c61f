//! `fen batch statement`: an account's entries of some days, as `camt.053` or `camt.054`, wherever the books are kept.

use super::{create, instant};
use crate::desk::Books;
use crate::exit::{Exit, Failure};
use crate::ids::day;
use clap::{Args, ValueEnum};
use fen_batch::report::statement::{self, Asked, Kind, StatementFault};
use fen_ledger::{AccountId, Direction, StatementAsked};
use fen_terms::Day;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

/// Entries that are read at once.
const PAGE: u32 = 4_096;

/// Write an account's statement (camt.053), or what was debited and credited (camt.054), of some days.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  fen batch statement 1001 --from 2026-03-01 --to 2026-03-31 --data ./books --out statement.xml
  fen batch statement 1001 --from 2026-03-02 --form camt.054 --endpoint 127.0.0.1:7001 --certificates fen-dev")]
pub(super) struct Arguments {
    /// The account: decimal, 0x hexadecimal or a UUID.
    account: String,
    /// The first business date.
    #[arg(long, value_name = "DATE", value_parser = day)]
    from: Day,
    /// The last business date [default: the first].
    #[arg(long, value_name = "DATE", value_parser = day)]
    to: Option<Day>,
    /// The message.
    #[arg(long, value_enum, default_value_t = Message::Statement)]
    form: Message,
    #[command(flatten)]
    books: Books,
    /// Where it goes [default: standard output].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Debug)]
enum Message {
    /// A statement, with balances.
    #[value(name = "camt.053")]
    Statement,
    /// A notification, without.
    #[value(name = "camt.054")]
    Notification,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let account = fen_batch::figure::id(&arguments.account)
        .ok_or_else(|| Failure::usage(format!("ACCOUNT: '{}' is no id", arguments.account)))?;
    let (from, to) = (arguments.from, arguments.to.unwrap_or(arguments.from));
    if to < from {
        return Err(Failure::usage("--from is later than --to"));
    }
    let kind = match arguments.form {
        Message::Statement => Kind::Statement,
        Message::Notification => Kind::Notification,
    };
    let asked = StatementAsked {
        account_id: AccountId::new(account),
        period: statement::booked(from, to),
        direction: Direction::OldestFirst,
        after: None,
        limit: PAGE,
    };
    let desk = arguments.books.desk()?;
    let mut pages = |after: Option<&str>| {
        let page = desk.statement(&asked, after)?;
        Ok(page.map(|page| (page.statement, page.next)))
    };
    let out: Box<dyn Write> = match &arguments.out {
        Some(path) => Box::new(create(path)?),
        None => Box::new(std::io::stdout().lock()),
    };
    let asked = Asked { kind, days: (from, to), created: &instant() };
    statement::write(BufWriter::new(out), &asked, &mut pages).map_err(|fault| match fault {
        StatementFault::NotFound => Failure::refused(format!("there is no account {}", arguments.account)),
        StatementFault::Damaged(what) => Failure::refused(what),
        StatementFault::Books(failure) => failure,
        StatementFault::Written(error) => {
            Failure::unreachable(format!("the statement cannot be written: {error}"))
        }
    })?;
    Ok(Exit::Done)
}
