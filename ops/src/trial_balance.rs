//! `fen trial-balance`: the sums of all accounts, kind by kind, and that debits equal credits.

use crate::desk::Books;
use crate::exit::{Exit, Failure, say};
use crate::ids;
use crate::print::{self, Column, count};
use clap::Args;
use fen_json::report;
use fen_ledger::reports::TrialBalanceLine;
use fen_ledger::{BusinessDate, Total};
use fen_terms::Day;

/// The trial balance: what the accounts of each kind come to, and that debits equal credits.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  fen trial-balance --data ./books
  fen trial-balance --data ./books --as-of 2026-03-31
  fen trial-balance --endpoint 127.0.0.1:7001 --certificates fen-dev

Accounts are taken together by ledger and code; control accounts of loans by what they are for.
Exits 0 when debits equal credits in every ledger, 1 when they do not, 3 when the books cannot be opened.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    books: Books,
    /// As it stood at the end of this business date.
    #[arg(long, value_name = "DATE", value_parser = ids::day)]
    as_of: Option<Day>,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments, json: bool) -> Result<Exit, Failure> {
    let as_of = arguments.as_of.map(|day| BusinessDate::new(day.number()));
    let lines = arguments.books.desk()?.trial_balance(as_of)?;
    let sums = report::sums(&lines);
    let is_balanced = sums.iter().all(|(_, debits, credits)| debits == credits);
    say(&if json { report::trial_balance(&lines) + "\n" } else { words(&lines, &sums, is_balanced) })?;
    Ok(if is_balanced { Exit::Done } else { Exit::Refused })
}

fn words(lines: &[TrialBalanceLine], sums: &[(u32, Total, Total)], is_balanced: bool) -> String {
    let money = |ledger: u32, total: Total| match total.get() {
        Some(minor) => print::unsigned_money(ledger, minor),
        None => total.to_string(),
    };
    let columns = [
        Column::Text("ledger"),
        Column::Text("accounts"),
        Column::Figure("count"),
        Column::Figure("debits"),
        Column::Figure("credits"),
        Column::Figure("debit balances"),
        Column::Figure("credit balances"),
    ];
    let mut rows = Vec::new();
    for (ledger, debits, credits) in sums {
        let is_told = |line: &&TrialBalanceLine| {
            let is_bare = line.debits == Total::default() && line.credits == Total::default();
            line.ledger == *ledger && !(line.role.is_some() && is_bare)
        };
        for line in lines.iter().filter(is_told) {
            let name = line.role.map_or_else(
                || format!("code {}", line.code),
                |role| format!("loans: {}", role.replace('_', " ")),
            );
            rows.push(vec![
                print::currency(*ledger),
                name,
                count(line.accounts),
                money(*ledger, line.debits),
                money(*ledger, line.credits),
                money(*ledger, line.debit_balances),
                money(*ledger, line.credit_balances),
            ]);
        }
        rows.push(vec![
            print::currency(*ledger),
            "all".to_owned(),
            String::new(),
            money(*ledger, *debits),
            money(*ledger, *credits),
        ]);
    }
    if rows.is_empty() {
        return "There are no accounts.\n".to_owned();
    }
    let verdict = if is_balanced { "Debits equal credits.\n" } else { "DEBITS DO NOT EQUAL CREDITS.\n" };
    print::table(&columns, rows) + "\n" + verdict
}
