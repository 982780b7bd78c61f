//! `fen account`: one account, what is reserved on it, and its last entries.

use crate::desk::Books;
use crate::exit::{Exit, Failure, say};
use crate::ids::id;
use crate::print::{self, Column};
use clap::Args;
use fen_book::{AccountFlags, Position, Transfer};
use fen_json::reply::Answer as _;
use fen_ledger::{AccountFilter, AccountId};

/// One account: its balance, its limit, what is reserved on it, and its last entries.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  fen account 1 --data ./books
  fen account 1 --entries 20 --data ./books --json
  fen account 1 --endpoint 127.0.0.1:7001 --certificates fen-dev

Exits 0 when the account is found, 1 when there is none of that id, 3 when the books cannot be opened.")]
pub(crate) struct Arguments {
    /// The account's id: decimal, 0x hexadecimal or a UUID.
    #[arg(value_name = "ACCOUNT", value_parser = id)]
    account: u128,
    /// How many of the last entries to show.
    #[arg(long, value_name = "N", default_value_t = 5)]
    entries: u32,
    #[command(flatten)]
    books: Books,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments, json: bool) -> Result<Exit, Failure> {
    let desk = arguments.books.desk()?;
    let account_id = AccountId::new(arguments.account);
    let Some(position) = desk.position(account_id)? else {
        return Err(Failure::refused(format!("there is no account {account_id}")));
    };
    let filter = AccountFilter {
        account_id,
        limit: arguments.entries,
        debits: true,
        credits: true,
        reversed: true,
        ..AccountFilter::default()
    };
    let entries = desk.transfers(&filter)?;
    if json {
        let mut out = String::from("{\"position\":");
        position.write(&mut out);
        out.push_str(",\"entries\":[");
        for (index, entry) in entries.iter().enumerate() {
            out.push_str(if index > 0 { "," } else { "" });
            entry.write(&mut out);
        }
        say(&(out + "]}\n"))?;
    } else {
        say(&words(&position, &entries))?;
    }
    Ok(Exit::Done)
}

fn words(position: &Position, entries: &[Transfer]) -> String {
    let account = &position.account;
    let ledger = account.ledger.get();
    let money = |amount: u128| print::unsigned_money(ledger, amount);
    let is_asset = account.flags.contains(AccountFlags::CREDITS_MUST_NOT_EXCEED_DEBITS);
    let (own, other) = if is_asset {
        (account.debits_posted.get(), account.credits_posted.get())
    } else {
        (account.credits_posted.get(), account.debits_posted.get())
    };
    let balance = match own.checked_sub(other) {
        Some(balance) => money(balance),
        None => format!("-{}", money(other.saturating_sub(own))),
    };
    let closed = if account.flags.contains(AccountFlags::CLOSED) { ", closed" } else { "" };
    let mut out = format!(
        "account {} in {}, code {}{closed}\n\n",
        account.id,
        print::currency(ledger),
        account.code.get()
    );
    let facts = [
        ("balance", balance),
        ("debits posted", money(account.debits_posted.get())),
        ("credits posted", money(account.credits_posted.get())),
        ("debits reserved", money(account.debits_pending.get())),
        ("credits reserved", money(account.credits_pending.get())),
        ("beyond its rule", money(position.limit.get())),
        ("open reservations", position.pendings.len().to_string()),
    ];
    let columns = [Column::Text(""), Column::Figure("")];
    out += &print::table(&columns, facts.into_iter().map(|(name, figure)| vec![name.to_owned(), figure]));
    if entries.is_empty() {
        return out + "\nno entries\n";
    }
    let columns = [
        Column::Figure("transfer"),
        Column::Figure("debit"),
        Column::Figure("credit"),
        Column::Text("other account"),
        Column::Figure("code"),
    ];
    let rows = entries.iter().map(|entry| {
        let is_debit = entry.debit_account_id == account.id;
        let other = if is_debit { entry.credit_account_id } else { entry.debit_account_id };
        let amount = money(entry.amount.get());
        let (debit, credit) = if is_debit { (amount, String::new()) } else { (String::new(), amount) };
        vec![entry.id.to_string(), debit, credit, other.to_string(), entry.code.get().to_string()]
    });
    out + "\nlast entries, the newest first\n" + &print::table(&columns, rows)
}
