//! `fen search`: transfers and accounts by every field and range of it, combined.
//!
//! Tested by `ops/tests/search.rs`.

use crate::exit::{Exit, Failure, say};
use crate::faults::{open_existing, refused_or_broken};
use crate::ids;
use crate::print::{self, Column};
use clap::{Args, Subcommand};
use fen_json::reply::Answer;
use fen_ledger::search::{Bounds, FOUND_MAX};
use fen_ledger::{
    Account, AccountFlags, AccountId, AccountSearch, Amount, BusinessDate, Code, Direction, Ledger,
    LedgerCode, Stamp, TimeoutSeconds, Transfer, TransferFlags, TransferId, TransferSearch,
};
use fen_terms::Day;
use std::fmt::Write as _;
use std::path::PathBuf;

/// Finds transfers or accounts by their fields; all that is asked for must hold.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  fen search transfers --data ./books --reference 0xab12
  fen search transfers --data ./books --account 1001 --amount 100000.. --from 2026-03-01 --newest
  fen search transfers --data ./books --code 9100..9199 --flag pending --limit 20
  fen search accounts --data ./books --customer 77
  fen search accounts --data ./books --credits-posted 1.. --flag closed

A range is LOW..HIGH with both ends, LOW.., ..HIGH, or one value. Amounts are in minor units, ids as everywhere. A full
page ends with the stamp after which the next one begins: give it as --after.")]
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
    /// The data directory.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Newest first.
    #[arg(long)]
    newest: bool,
    /// At most so many.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=i64::from(FOUND_MAX)))]
    limit: u32,
    /// The page behind the one that ended with this stamp.
    #[arg(long, value_name = "STAMP")]
    after: Option<u64>,
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
    #[arg(long, value_name = "RANGE", value_parser = wide)]
    id: Option<Bounds<u128>>,
    /// `user_data_128`: the client's reference, or the loan whose event posted it.
    #[arg(long, value_name = "RANGE", value_parser = wide)]
    reference: Option<Bounds<u128>>,
    /// The client's own.
    #[arg(long, value_name = "RANGE", value_parser = whole::<u64>)]
    user_data_64: Option<Bounds<u64>>,
    /// The client's own.
    #[arg(long, value_name = "RANGE", value_parser = whole::<u32>)]
    user_data_32: Option<Bounds<u32>>,
    /// Currency or asset.
    #[arg(long, value_name = "RANGE", value_parser = whole::<u32>)]
    ledger: Option<Bounds<u32>>,
    /// Its code.
    #[arg(long, value_name = "RANGE", value_parser = whole::<u16>)]
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
    #[arg(long, value_name = "RANGE", value_parser = whole::<u128>)]
    amount: Option<Bounds<u128>>,
    /// What it posts or voids.
    #[arg(long, value_name = "RANGE", value_parser = wide)]
    pending: Option<Bounds<u128>>,
    /// How many seconds it reserves.
    #[arg(long, value_name = "RANGE", value_parser = whole::<u32>)]
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
    #[arg(long, value_name = "RANGE", value_parser = whole::<u128>)]
    debits_pending: Option<Bounds<u128>>,
    /// Posted debits.
    #[arg(long, value_name = "RANGE", value_parser = whole::<u128>)]
    debits_posted: Option<Bounds<u128>>,
    /// Reserved credits.
    #[arg(long, value_name = "RANGE", value_parser = whole::<u128>)]
    credits_pending: Option<Bounds<u128>>,
    /// Posted credits.
    #[arg(long, value_name = "RANGE", value_parser = whole::<u128>)]
    credits_posted: Option<Bounds<u128>>,
}

/// A range in writing: `LOW..HIGH`, both ends and each optional, or one value.
fn range<T: PartialOrd + Copy>(
    text: &str,
    lowest: T,
    highest: T,
    one: impl Fn(&str) -> Result<T, String>,
) -> Result<Bounds<T>, String> {
    let Some((low, high)) = text.split_once("..") else { return one(text).map(Bounds::only) };
    let low = if low.is_empty() { lowest } else { one(low)? };
    let high = if high.is_empty() { highest } else { one(high)? };
    if high < low {
        return Err(format!("{text}: it ends before it begins; write the lower end first"));
    }
    Ok((low..=high).into())
}

fn wide(text: &str) -> Result<Bounds<u128>, String> {
    range(text, 0, u128::MAX, ids::id)
}

/// What a whole number may be at most.
trait Highest {
    const HIGHEST: Self;
}

macro_rules! highest {
    ($($kind:ty),*) => {
        $(impl Highest for $kind {
            const HIGHEST: Self = Self::MAX;
        })*
    };
}
highest!(u16, u32, u64, u128);

fn whole<T>(text: &str) -> Result<Bounds<T>, String>
where
    T: std::str::FromStr + Highest + Default + PartialOrd + Copy,
{
    range(text, T::default(), T::HIGHEST, |number| {
        number.parse().map_err(|_| format!("{number:?} is no whole number that this field can have"))
    })
}

fn flags<T: Copy>(
    names: &[String],
    known: &[(&'static str, T)],
    none: T,
    with: impl Fn(T, T) -> T,
) -> Result<T, Failure> {
    names.iter().try_fold(none, |all, name| {
        let flag = known.iter().find(|(known, _)| known == name).map(|(_, flag)| *flag);
        flag.map(|flag| with(all, flag)).ok_or_else(|| {
            let known: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
            Failure::usage(format!("there is no flag {name:?}")).mend(format!("one of {}", known.join(", ")))
        })
    })
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

    /// The stamps of the days asked for that are not told yet.
    fn stamps(&self, ledger: &Ledger) -> Result<Bounds<Stamp>, Failure> {
        let begin = |day: Day| {
            let begin = ledger.begin_of(BusinessDate::new(day.number()));
            begin.map_err(|fault| refused_or_broken(&fault))
        };
        let mut low = self.from.map_or(Ok(Stamp::ZERO), begin)?;
        let behind = self.to.and_then(|day| day.plus_days(1)).map(begin).transpose()?;
        let mut high = behind.map_or(Stamp::MAX, |behind| Stamp::new(behind.get().saturating_sub(1)));
        match self.after {
            Some(after) if self.newest => high = high.min(Stamp::new(after.saturating_sub(1))),
            Some(after) => low = low.max(Stamp::new(after.saturating_add(1))),
            None => {}
        }
        Ok((low..=high).into())
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
    let ledger = open_existing(&page.data)?;
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
        timestamp: page.stamps(&ledger)?,
        direction: page.direction(),
        limit: page.limit,
    };
    let found = ledger.search_transfers(&search).map_err(|fault| refused_or_broken(&fault))?;
    let next = next_page(page, &found, |transfer| transfer.timestamp);
    if json {
        return say_json("transfers", &found, next);
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
    let ledger = open_existing(&page.data)?;
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
        timestamp: page.stamps(&ledger)?,
        direction: page.direction(),
        limit: page.limit,
    };
    let found = ledger.search_accounts(&search).map_err(|fault| refused_or_broken(&fault))?;
    let next = next_page(page, &found, |account| account.timestamp);
    if json {
        return say_json("accounts", &found, next);
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

/// Where the page behind a full one begins.
fn next_page<T>(page: &Page, found: &[T], stamp: impl Fn(&T) -> Stamp) -> Option<Stamp> {
    let is_full = found.len() == usize::try_from(page.limit).unwrap_or(usize::MAX);
    found.last().filter(|_| is_full).map(stamp)
}

fn named<T: Copy>(names: &[(&'static str, T)], has: impl Fn(T) -> bool) -> String {
    let names: Vec<&str> = names.iter().filter(|(_, flag)| has(*flag)).map(|(name, _)| *name).collect();
    names.join(" ")
}

fn say_json<T: Answer>(what: &str, found: &[T], next: Option<Stamp>) -> Result<Exit, Failure> {
    let mut out = format!("{{\"{what}\":[");
    for (place, one) in found.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        one.write(&mut out);
    }
    let next = next.map_or_else(|| "null".to_owned(), |next| format!("\"{next}\""));
    writeln!(out, "],\"next\":{next}}}").expect("writing to a string cannot fail");
    say(&out)?;
    Ok(Exit::Done)
}

fn say_table(columns: &[Column], rows: Vec<Vec<String>>, next: Option<Stamp>) -> Result<Exit, Failure> {
    let mut out = if rows.is_empty() { "nothing found\n".to_owned() } else { print::table(columns, rows) };
    if let Some(next) = next {
        writeln!(out, "the next page: --after {next}").expect("writing to a string cannot fail");
    }
    say(&out)?;
    Ok(Exit::Done)
}
