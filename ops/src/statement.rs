//! `fen statement`: an account's entries in a period with the balance after each, or one loan's events and postings.
//!
//! Tested by `ops/tests/statement.rs`.

use crate::desk::{Books, Desk, Page};
use crate::exit::{Exit, Failure, say};
use crate::ids::{day, id};
use crate::loan::LoanPaper;
use crate::print::{self, Column};
use clap::{Args, ValueEnum};
use fen_json::report;
use fen_json::report::date;
use fen_ledger::{
    AccountId, Balances, BusinessDate, Direction, LedgerCode, Period, StatementAsked, StatementLine,
    Transfer, TransferFlags, TransferId,
};
use fen_terms::Day;
use std::fmt::Write as _;

/// Prints an account's entries with the balance after each, or a loan's postings.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  fen statement 1001 --data ./books --from 2026-03-01 --to 2026-03-31
  fen statement 1001 --data ./books --newest --limit 20
  fen statement 1001 --data ./books --limit 100 --after CURSOR    the page behind the one that gave CURSOR
  fen statement --loan 77 --data ./books
  fen statement 1001 --endpoint 127.0.0.1:7001 --certificates fen-dev

Of one of the bank's own accounts a cluster tells the parts of all shards together, in the order of their stamps.
Dates are business dates, both inclusive. A balance is what the account was credited less what it was debited, marked
Cr or Dr; amounts in brackets are reserved or released, and move no balance. Exits 1 where a piece of history is
damaged: it is named, and the rest is printed.")]
pub(crate) struct Arguments {
    /// The account: decimal, 0x hexadecimal or a UUID.
    #[arg(required_unless_present = "loan", conflicts_with = "loan", value_parser = id)]
    account: Option<u128>,
    /// A loan instead.
    #[arg(long, value_name = "LOAN", value_parser = id)]
    loan: Option<u128>,
    #[command(flatten)]
    books: Books,
    /// The first business date.
    #[arg(long, value_name = "DATE", value_parser = day)]
    from: Option<Day>,
    /// The last business date.
    #[arg(long, value_name = "DATE", value_parser = day)]
    to: Option<Day>,
    /// Which date of an entry must lie between these.
    #[arg(long, value_enum, default_value_t = By::Booked)]
    by: By,
    /// Newest first.
    #[arg(long)]
    newest: bool,
    /// Lines on a page, 8,189 at most.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=8_189))]
    limit: u32,
    /// The page behind the one that printed this cursor.
    #[arg(long, value_name = "CURSOR", conflicts_with = "loan")]
    after: Option<String>,
}

/// An entry's dates.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum By {
    /// The business date on which it was booked.
    Booked,
    /// The day from which it counts.
    Value,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments, json: bool) -> Result<Exit, Failure> {
    let period = period(arguments)?;
    let direction = if arguments.newest { Direction::NewestFirst } else { Direction::OldestFirst };
    if let Some(loan) = arguments.loan {
        return of_loan(arguments.books.desk()?.as_ref(), loan, direction, arguments.limit, json);
    }
    let account_id = AccountId::new(arguments.account.unwrap_or_default());
    let asked = StatementAsked { account_id, period, direction, after: None, limit: arguments.limit };
    let Some(page) = arguments.books.desk()?.statement(&asked, arguments.after.as_deref())? else {
        return Err(Failure::refused(format!("there is no account {account_id}")));
    };
    for fault in &page.statement.faults {
        eprintln!("fen: {fault}");
    }
    say(&if json {
        report::statement(&page.statement, page.next.as_deref()) + "\n"
    } else {
        in_words(&page, &asked)
    })?;
    Ok(if page.statement.faults.is_empty() { Exit::Done } else { Exit::Refused })
}

fn period(arguments: &Arguments) -> Result<Period, Failure> {
    if arguments.from.is_none() && arguments.to.is_none() {
        return Ok(Period::All);
    }
    let bound = |day: Option<Day>, none: Day| BusinessDate::new(day.unwrap_or(none).number());
    let (first, last) = (bound(arguments.from, Day::MIN), bound(arguments.to, Day::MAX));
    if first > last {
        return Err(Failure::usage("--from is later than --to"));
    }
    Ok(match arguments.by {
        By::Booked => Period::Booked { first, last },
        By::Value => Period::Valued { first, last },
    })
}

/// Credits less debits, with the side on which it stands.
fn net(ledger: LedgerCode, balances: &Balances) -> String {
    let (debits, credits) = (balances.debits_posted.get(), balances.credits_posted.get());
    let minor = debits.abs_diff(credits);
    let side = if credits >= debits { "Cr" } else { "Dr" };
    format!("{} {side}", print::unsigned_money(ledger.get(), minor))
}

/// What a transfer is, in a word or two.
fn what(transfer: &Transfer) -> String {
    let flags = transfer.flags;
    if flags.contains(TransferFlags::PENDING) {
        "reserved".to_owned()
    } else if flags.contains(TransferFlags::POST_PENDING_TRANSFER) {
        format!("of reserved {}", transfer.pending_id)
    } else if flags.contains(TransferFlags::VOID_PENDING_TRANSFER) {
        format!("released {}", transfer.pending_id)
    } else {
        fen_ledger::loan_posting(transfer).map_or_else(|| format!("code {}", transfer.code), str::to_owned)
    }
}

fn in_words(page: &Page, asked: &StatementAsked) -> String {
    let statement = &page.statement;
    let account = &statement.account;
    let ledger = account.ledger;
    let columns = [
        Column::Text("booked"),
        Column::Text("value"),
        Column::Text("what"),
        Column::Text("transfer"),
        Column::Text("with account"),
        Column::Figure("debit"),
        Column::Figure("credit"),
        Column::Figure("balance"),
    ];
    let balance_row = |name: &str, balances: Option<Balances>| {
        let mut row = vec![String::new(); columns.len()];
        name.clone_into(&mut row[2]);
        row[7] = balances.map_or_else(|| "cannot be read".to_owned(), |balances| net(ledger, &balances));
        row
    };
    let (opening, closing) = (
        balance_row("opening balance", statement.opening),
        balance_row("closing balance", statement.closing),
    );
    let (above, below) = match asked.direction {
        Direction::OldestFirst => (opening, closing),
        Direction::NewestFirst => (closing, opening),
    };
    let lines = statement.lines.iter().map(|line| row(line, account.id, ledger));
    let rows = std::iter::once(above).chain(lines).chain(std::iter::once(below));
    let mut out = format!("account {}, {}\n\n", account.id, print::currency(ledger.get()));
    out.push_str(&print::table(&columns, rows));
    if let Some(next) = &page.next {
        write!(out, "\nmore: --after {next}\n").expect("writing to a string cannot fail");
    }
    out
}

fn row(line: &StatementLine, account: AccountId, ledger: LedgerCode) -> Vec<String> {
    let transfer = &line.transfer;
    let reserves = TransferFlags::PENDING.with(TransferFlags::VOID_PENDING_TRANSFER);
    let money = print::unsigned_money(ledger.get(), transfer.amount.get());
    let amount = if transfer.flags.intersects(reserves) { format!("({money})") } else { money };
    let is_debit = transfer.debit_account_id == account;
    let (debit, credit) = if is_debit { (amount, String::new()) } else { (String::new(), amount) };
    let other = if is_debit { transfer.credit_account_id } else { transfer.debit_account_id };
    vec![
        date(line.booked_on),
        date(line.value_on),
        what(transfer),
        transfer.id.to_string(),
        other.to_string(),
        debit,
        credit,
        net(ledger, &line.balances),
    ]
}

/// One loan: every posting of its events, those of one event together.
fn of_loan(
    desk: &dyn Desk,
    loan: u128,
    direction: Direction,
    limit: u32,
    json: bool,
) -> Result<Exit, Failure> {
    let document = desk.loan(loan)?.ok_or_else(|| Failure::refused(format!("there is no loan {loan}")))?;
    let paper = LoanPaper::read(&document)?;
    let postings = desk.loan_postings(loan, direction, limit)?;
    if json {
        say(&(report::loan_postings(loan, &postings) + "\n"))?;
        return Ok(Exit::Done);
    }
    let columns = [
        Column::Text("value"),
        Column::Text("event"),
        Column::Text("transfer"),
        Column::Text("debit"),
        Column::Text("credit"),
        Column::Figure("amount"),
    ];
    let rows = postings.iter().map(|posting| {
        let day = fen_book::loan::bank_days::stated_value_day(posting);
        let amount = print::unsigned_money(posting.ledger.get(), posting.amount.get());
        vec![
            day.map_or_else(String::new, |day| day.to_string()),
            what(posting),
            transfer_name(posting.id),
            account_name(posting.debit_account_id),
            account_name(posting.credit_account_id),
            amount,
        ]
    });
    let head = format!("loan {loan}, account {}, {} on {}\n\n", paper.account_id, paper.state, paper.as_of);
    say(&(head + &print::table(&columns, rows)))?;
    Ok(Exit::Done)
}

/// A control account by what it is for, any other by its id.
fn account_name(id: AccountId) -> String {
    fen_ledger::control_role(id).map_or_else(|| id.to_string(), str::to_owned)
}

/// The bank's own transfers have ids without meaning to people.
fn transfer_name(id: TransferId) -> String {
    if id.get() >> 64 == u128::from(u64::MAX) { String::new() } else { id.to_string() }
}
