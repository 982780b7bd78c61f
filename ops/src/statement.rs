//! `fen statement`: an account's entries in a period with the balance after each, or one loan's events and postings.
//!
//! Tested by `ops/tests/statement.rs`.

use crate::exit::{Exit, Failure, say};
use crate::faults::{broken, open_existing};
use crate::print::{self, Column};
use clap::{Args, ValueEnum};
use fen_json::reply::Answer as _;
use fen_json::{Json, Path};
use fen_ledger::{
    AccountId, Balances, BusinessDate, Cursor, Direction, Fault, Ledger, LedgerCode, Period, Statement,
    StatementAsked, StatementLine, Transfer, TransferFlags, TransferId,
};
use fen_terms::Day;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::PathBuf;

/// Prints an account's entries with the balance after each, or a loan's postings.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  fen statement 1001 --data ./books --from 2026-03-01 --to 2026-03-31
  fen statement 1001 --data ./books --newest --limit 20
  fen statement 1001 --data ./books --limit 100 --after CURSOR    the page behind the one that gave CURSOR
  fen statement --loan 77 --data ./books

Dates are business dates, both inclusive. A balance is what the account was credited less what it was debited, marked
Cr or Dr; amounts in brackets are reserved or released, and move no balance. Exits 1 where a piece of history is
damaged: it is named, and the rest is printed.")]
pub(crate) struct Arguments {
    /// The account: decimal, 0x hexadecimal or a UUID.
    #[arg(required_unless_present = "loan", conflicts_with = "loan")]
    account: Option<String>,
    /// A loan instead.
    #[arg(long, value_name = "LOAN")]
    loan: Option<String>,
    /// The data directory.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The first business date.
    #[arg(long, value_name = "DATE")]
    from: Option<String>,
    /// The last business date.
    #[arg(long, value_name = "DATE")]
    to: Option<String>,
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
    if let Some(loan) = &arguments.loan {
        let loan = id(loan, "--loan")?;
        let ledger = open_existing(&arguments.data)?;
        return of_loan(&ledger, loan, direction, arguments.limit, json);
    }
    let account_id = AccountId::new(id(arguments.account.as_deref().unwrap_or_default(), "ACCOUNT")?);
    let cursor = arguments.after.as_deref().map(str::parse::<Cursor>);
    let after = cursor.transpose().map_err(|fault| Failure::usage(format!("--after: {fault}")))?;
    let asked = StatementAsked { account_id, period, direction, after, limit: arguments.limit };
    let ledger = open_existing(&arguments.data)?;
    let statement = ledger.statement(&asked).map_err(|fault| refused_or_broken(&fault))?;
    let Some(statement) = statement else {
        return Err(Failure::refused(format!("there is no account {account_id}")));
    };
    for fault in &statement.faults {
        eprintln!("fen: {fault}");
    }
    say(&if json { in_json(&statement).to_string() + "\n" } else { in_words(&statement, &asked) })?;
    Ok(if statement.faults.is_empty() { Exit::Done } else { Exit::Refused })
}

fn refused_or_broken(fault: &Fault) -> Failure {
    match fault {
        Fault::Cursor(_) => Failure::refused(format!("--after: {fault}"))
            .mend("begin again without --after, or name the ledger and account that the cursor is of"),
        Fault::Damaged(_) => Failure::refused(fault.to_string()),
        Fault::Open(_)
        | Fault::Stopped(_)
        | Fault::DiskFull(_)
        | Fault::TooManyEvents { .. }
        | Fault::ClockIsNotOurs
        | Fault::ClockAtItsEnd => broken(fault),
    }
}

fn id(text: &str, name: &str) -> Result<u128, Failure> {
    fen_json::id(&Json::Text(text.into()), &Path::Line.field(name))
        .map_err(|wrong| Failure::usage(format!("{name}: {}", wrong.reason)))
}

fn date(text: &str, name: &str) -> Result<BusinessDate, Failure> {
    let day = Day::parse(text)
        .ok_or_else(|| Failure::usage(format!("{name}: {text:?} is no date; write it as 2026-03-31")))?;
    Ok(BusinessDate::new(day.number()))
}

fn period(arguments: &Arguments) -> Result<Period, Failure> {
    let bound = |text: Option<&str>, name, none: Day| {
        text.map_or(Ok(BusinessDate::new(none.number())), |text| date(text, name))
    };
    if arguments.from.is_none() && arguments.to.is_none() {
        return Ok(Period::All);
    }
    let first = bound(arguments.from.as_deref(), "--from", Day::MIN)?;
    let last = bound(arguments.to.as_deref(), "--to", Day::MAX)?;
    if first > last {
        return Err(Failure::usage("--from is later than --to"));
    }
    Ok(match arguments.by {
        By::Booked => Period::Booked { first, last },
        By::Value => Period::Valued { first, last },
    })
}

fn shown(date: BusinessDate) -> String {
    Day::from_number(date.get()).map_or_else(|| date.get().to_string(), |day| day.to_string())
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

fn in_words(statement: &Statement, asked: &StatementAsked) -> String {
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
    if let Some(next) = &statement.next {
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
        shown(line.booked_on),
        shown(line.value_on),
        what(transfer),
        transfer.id.to_string(),
        other.to_string(),
        debit,
        credit,
        net(ledger, &line.balances),
    ]
}

fn balances_json(balances: &Balances) -> Value {
    json!({
        "debits_pending": balances.debits_pending.to_string(),
        "debits_posted": balances.debits_posted.to_string(),
        "credits_pending": balances.credits_pending.to_string(),
        "credits_posted": balances.credits_posted.to_string(),
    })
}

fn transfer_json(transfer: &Transfer) -> Value {
    let mut text = String::new();
    transfer.write(&mut text);
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

fn in_json(statement: &Statement) -> Value {
    let line = |line: &StatementLine| {
        json!({
            "record": line.number.get(),
            "booked_on": shown(line.booked_on),
            "value_on": shown(line.value_on),
            "transfer": transfer_json(&line.transfer),
            "balances": balances_json(&line.balances),
        })
    };
    json!({
        "account_id": statement.account.id.to_string(),
        "ledger": statement.account.ledger.get(),
        "code": statement.account.code.get(),
        "opening": statement.opening.as_ref().map(balances_json),
        "closing": statement.closing.as_ref().map(balances_json),
        "lines": statement.lines.iter().map(line).collect::<Vec<_>>(),
        "next": statement.next.map(|next| next.to_string()),
        "faults": statement.faults.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

/// One loan: every posting of its events, those of one event together.
fn of_loan(
    ledger: &Ledger,
    loan: u128,
    direction: Direction,
    limit: u32,
    json: bool,
) -> Result<Exit, Failure> {
    let view = ledger.lookup_loans(&[loan]).map_err(|fault| broken(&fault))?.pop().flatten();
    let Some(view) = view else { return Err(Failure::refused(format!("there is no loan {loan}"))) };
    let postings = ledger.loan_postings(loan, direction, limit).map_err(|fault| refused_or_broken(&fault))?;
    if json {
        let line = |posting: &Transfer| json!({ "event": fen_ledger::loan_posting(posting), "transfer": transfer_json(posting) });
        let lines: Vec<Value> = postings.iter().map(line).collect();
        say(&(json!({ "loan_id": loan.to_string(), "lines": lines }).to_string() + "\n"))?;
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
    let head =
        format!("loan {loan}, account {}, {} on {}\n\n", view.account_id, view.state.name(), view.as_of);
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
