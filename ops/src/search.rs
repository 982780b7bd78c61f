//! `fen search`: transfers and accounts by every field and range of it, combined.
//!
//! Tested by `ops/tests/search.rs`.

use crate::desk::Books;
use crate::exit::{Exit, Failure, say};
use crate::ids;
use crate::print::{self, Column};
use clap::{Args, Subcommand};
use fen_json::{ranges, report};
use fen_ledger::search::{Bounds, FOUND_MAX};
use fen_ledger::{
    Account, AccountFlags, AccountId, AccountSearch, Amount, BusinessDate, Code, Direction, LedgerCode,
    Period, TimeoutSeconds, Transfer, TransferFlags, TransferId, TransferSearch,
};
use fen_terms::Day;
use std::fmt::Write as _;

/// Finds transfers or accounts by their fields; all that is asked for must hold.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  fen search transfers --data ./books --reference 0xab12
  fen search transfers --data ./books --account 1001 --amount 100000.. --from 2026-03-01 --newest
  fen search transfers --data ./books --code 9100..9199 --flag pending --limit 20
  fen search accounts --data ./books --customer 77
  fen search accounts --data ./books --credits-posted 1.. --flag closed
  fen search transfers --endpoint 127.0.0.1:7001 --certificates fen-dev --reference 0xab12

A range is LOW..HIGH with both ends, LOW.., ..HIGH, or one value. Amounts are in minor units, ids as everywhere. A full
page ends with the cursor of the next one: give it as --after. On a cluster a transfer between two shards is told as
they have booked it: a reservation against a clearing account and its end, and the leg out of clearing.")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// Transfers, in the order of booking.
    Transfers(Box<Transfers>),
    /// Accounts as they are now, in the order of their opening.
    Accounts(Box<Accounts>),
}

/// Which page of what is found, and where to look.
#[derive(Args, Debug)]
struct Page {
    #[command(flatten)]
    books: Books,
    /// Newest first.
    #[arg(long)]
    newest: bool,
    /// At most so many.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=i64::from(FOUND_MAX)))]
    limit: u32,
    /// The page behind the one that printed this cursor.
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
    /// The first business date (of booking; of opening).
    #[arg(long, value_name = "DATE", value_parser = ids::day)]
    from: Option<Day>,
    /// The last business date.
    #[arg(long, value_name = "DATE", value_parser = ids::day)]
    to: Option<Day>,
}

/// The fields that transfers and accounts share.
#[derive(Args, Debug)]
struct Shared {
    /// Its id.
    #[arg(long, value_name = "RANGE", value_parser = ranges::ids)]
    id: Option<Bounds<u128>>,
    /// `user_data_128`: the client's reference, or the loan whose event posted it.
    #[arg(long, value_name = "RANGE", value_parser = ranges::ids)]
    reference: Option<Bounds<u128>>,
    /// The client's own.
    #[arg(long, value_name = "RANGE", value_parser = ranges::whole::<u64>)]
    user_data_64: Option<Bounds<u64>>,
    /// The client's own.
    #[arg(long, value_name = "RANGE", value_parser = ranges::whole::<u32>)]
    user_data_32: Option<Bounds<u32>>,
    /// Currency or asset.
    #[arg(long, value_name = "RANGE", value_parser = ranges::whole::<u32>)]
    ledger: Option<Bounds<u32>>,
    /// Its code.
    #[arg(long, value_name = "RANGE", value_parser = ranges::whole::<u16>)]
    code: Option<Bounds<u16>>,
    /// A flag that it must have; may be given again.
    #[arg(long, value_name = "FLAG")]
    flag: Vec<String>,
    /// A flag that it must not have; may be given again.
    #[arg(long, value_name = "FLAG")]
    without: Vec<String>,
}

#[derive(Args, Debug)]
struct Transfers {
    #[command(flatten)]
    page: Page,
    #[command(flatten)]
    shared: Shared,
    /// The account on either side.
    #[arg(long, value_parser = ids::id)]
    account: Option<u128>,
    /// The debited account.
    #[arg(long, value_parser = ids::id)]
    debit: Option<u128>,
    /// The credited account.
    #[arg(long, value_parser = ids::id)]
    credit: Option<u128>,
    /// How much.
    #[arg(long, value_name = "RANGE", value_parser = ranges::whole::<u128>)]
    amount: Option<Bounds<u128>>,
    /// What it posts or voids.
    #[arg(long, value_name = "RANGE", value_parser = ranges::ids)]
    pending: Option<Bounds<u128>>,
    /// How many seconds it reserves.
    #[arg(long, value_name = "RANGE", value_parser = ranges::whole::<u32>)]
    timeout: Option<Bounds<u32>>,
}

#[derive(Args, Debug)]
struct Accounts {
    #[command(flatten)]
    page: Page,
    #[command(flatten)]
    shared: Shared,
    /// The customer: the upper half of an account's id, or all of it where that is zero.
    #[arg(long)]
    customer: Option<u64>,
    /// Reserved debits.
    #[arg(long, value_name = "RANGE", value_parser = ranges::whole::<u128>)]
    debits_pending: Option<Bounds<u128>>,
    /// Posted debits.
    #[arg(long, value_name = "RANGE", value_parser = ranges::whole::<u128>)]
    debits_posted: Option<Bounds<u128>>,
    /// Reserved credits.
    #[arg(long, value_name = "RANGE", value_parser = ranges::whole::<u128>)]
    credits_pending: Option<Bounds<u128>>,
    /// Posted credits.
    #[arg(long, value_name = "RANGE", value_parser = ranges::whole::<u128>)]
    credits_posted: Option<Bounds<u128>>,
}

fn flags<T: Copy>(
    names: &[String],
    known: &[(&'static str, T)],
    none: T,
    with: impl Fn(T, T) -> T,
) -> Result<T, Failure> {
    ranges::flags(names.iter().map(String::as_str), known, none, with).map_err(Failure::usage)
}

fn bounds<T: PartialOrd + Copy, U: PartialOrd + Copy>(
    asked: Option<&Bounds<T>>,
    of: impl Fn(T) -> U,
) -> Bounds<U> {
    asked.map(|asked| asked.map(of)).unwrap_or_default()
}

impl Page {
    fn direction(&self) -> Direction {
        if self.newest { Direction::NewestFirst } else { Direction::OldestFirst }
    }

    /// The days asked for.
    fn period(&self) -> Period {
        let date = |day: Day| BusinessDate::new(day.number());
        match (self.from, self.to) {
            (None, None) => Period::All,
            (from, to) => {
                Period::Booked { first: date(from.unwrap_or(Day::MIN)), last: date(to.unwrap_or(Day::MAX)) }
            }
        }
    }
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments, json: bool) -> Result<Exit, Failure> {
    match &arguments.what {
        What::Transfers(asked) => transfers(asked, json),
        What::Accounts(asked) => accounts(asked, json),
    }
}

fn transfers(asked: &Transfers, json: bool) -> Result<Exit, Failure> {
    let Transfers { page, shared, .. } = asked;
    let flags =
        |names: &[String]| flags(names, &TransferFlags::NAMES, TransferFlags::NONE, TransferFlags::with);
    let (with, without) = (flags(&shared.flag)?, flags(&shared.without)?);
    let search = TransferSearch {
        id: bounds(shared.id.as_ref(), TransferId::new),
        debit_account_id: asked.debit.map(AccountId::new),
        credit_account_id: asked.credit.map(AccountId::new),
        account_id: asked.account.map(AccountId::new),
        amount: bounds(asked.amount.as_ref(), Amount::new),
        pending_id: bounds(asked.pending.as_ref(), TransferId::new),
        user_data_128: shared.reference.clone().unwrap_or_default(),
        user_data_64: shared.user_data_64.clone().unwrap_or_default(),
        user_data_32: shared.user_data_32.clone().unwrap_or_default(),
        timeout: bounds(asked.timeout.as_ref(), TimeoutSeconds::new),
        ledger: bounds(shared.ledger.as_ref(), LedgerCode::new),
        code: bounds(shared.code.as_ref(), Code::new),
        flags: with,
        flags_without: without,
        direction: page.direction(),
        limit: page.limit,
        ..TransferSearch::default()
    };
    let desk = page.books.desk()?;
    let (found, next) = desk.find_transfers(&search, &page.period(), page.after.as_deref())?;
    if json {
        say(&(report::found("transfers", &found, next.as_deref()) + "\n"))?;
        return Ok(Exit::Done);
    }
    let columns = [
        Column::Figure("stamp"),
        Column::Text("transfer"),
        Column::Text("debit"),
        Column::Text("credit"),
        Column::Figure("amount"),
        Column::Text("currency"),
        Column::Figure("code"),
        Column::Text("flags"),
    ];
    let row = |transfer: &Transfer| {
        vec![
            transfer.timestamp.to_string(),
            transfer.id.to_string(),
            transfer.debit_account_id.to_string(),
            transfer.credit_account_id.to_string(),
            print::unsigned_money(transfer.ledger.get(), transfer.amount.get()),
            print::currency(transfer.ledger.get()),
            transfer.code.get().to_string(),
            named(&TransferFlags::NAMES, |flag| transfer.flags.contains(flag)),
        ]
    };
    say_table(&columns, found.iter().map(row).collect(), next)
}

fn accounts(asked: &Accounts, json: bool) -> Result<Exit, Failure> {
    let Accounts { page, shared, .. } = asked;
    let flags = |names: &[String]| flags(names, &AccountFlags::NAMES, AccountFlags::NONE, AccountFlags::with);
    let (with, without) = (flags(&shared.flag)?, flags(&shared.without)?);
    let search = AccountSearch {
        id: bounds(shared.id.as_ref(), AccountId::new),
        customer: asked.customer,
        debits_pending: bounds(asked.debits_pending.as_ref(), Amount::new),
        debits_posted: bounds(asked.debits_posted.as_ref(), Amount::new),
        credits_pending: bounds(asked.credits_pending.as_ref(), Amount::new),
        credits_posted: bounds(asked.credits_posted.as_ref(), Amount::new),
        user_data_128: shared.reference.clone().unwrap_or_default(),
        user_data_64: shared.user_data_64.clone().unwrap_or_default(),
        user_data_32: shared.user_data_32.clone().unwrap_or_default(),
        ledger: bounds(shared.ledger.as_ref(), LedgerCode::new),
        code: bounds(shared.code.as_ref(), Code::new),
        flags: with,
        flags_without: without,
        direction: page.direction(),
        limit: page.limit,
        ..AccountSearch::default()
    };
    let desk = page.books.desk()?;
    let (found, next) = desk.find_accounts(&search, &page.period(), page.after.as_deref())?;
    if json {
        say(&(report::found("accounts", &found, next.as_deref()) + "\n"))?;
        return Ok(Exit::Done);
    }
    let columns = [
        Column::Figure("stamp"),
        Column::Text("account"),
        Column::Figure("debits"),
        Column::Figure("credits"),
        Column::Figure("balance"),
        Column::Text("currency"),
        Column::Figure("code"),
        Column::Text("flags"),
    ];
    let row = |account: &Account| {
        let [debits, credits] = [account.debits_posted, account.credits_posted].map(Amount::get);
        let unit = account.ledger.get();
        let more = print::unsigned_money(unit, debits.abs_diff(credits));
        vec![
            account.timestamp.to_string(),
            account.id.to_string(),
            print::unsigned_money(unit, debits),
            print::unsigned_money(unit, credits),
            format!("{more} {}", if debits > credits { "Dr" } else { "Cr" }),
            print::currency(unit),
            account.code.get().to_string(),
            named(&AccountFlags::NAMES, |flag| account.flags.contains(flag)),
        ]
    };
    say_table(&columns, found.iter().map(row).collect(), next)
}

fn named<T: Copy>(names: &[(&'static str, T)], has: impl Fn(T) -> bool) -> String {
    let names: Vec<&str> = names.iter().filter(|(_, flag)| has(*flag)).map(|(name, _)| *name).collect();
    names.join(" ")
}

fn say_table(columns: &[Column], rows: Vec<Vec<String>>, next: Option<String>) -> Result<Exit, Failure> {
    let mut out = if rows.is_empty() { "nothing found\n".to_owned() } else { print::table(columns, rows) };
    if let Some(next) = next {
        writeln!(out, "the next page: --after {next}").expect("writing to a string cannot fail");
    }
    say(&out)?;
    Ok(Exit::Done)
}
