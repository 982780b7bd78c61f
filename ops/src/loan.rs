//! `fen loan`: one loan as of the business date, with its instalments.

mod paper;

pub(crate) use paper::LoanPaper;

use crate::desk::Books;
use crate::exit::{Exit, Failure, say};
use crate::ids::id;
use crate::print::{self, Column};
use clap::Args;
use fen_book::AccountId;
use paper::Minor;

/// One loan: its state, its class, what is owed, and every instalment.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  fen loan 5 --data ./books
  fen loan 0193b1f0-7a4e-7000-8000-000000000005 --data ./books --json
  fen loan 5 --endpoint 127.0.0.1:7001 --certificates fen-dev

Exits 0 when the loan is found, 1 when there is none of that id, 3 when the books cannot be opened.")]
pub(crate) struct Arguments {
    /// The loan's id: decimal, 0x hexadecimal or a UUID.
    #[arg(value_name = "LOAN", value_parser = id)]
    loan: u128,
    #[command(flatten)]
    books: Books,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments, json: bool) -> Result<Exit, Failure> {
    let desk = arguments.books.desk()?;
    let Some(document) = desk.loan(arguments.loan)? else {
        return Err(Failure::refused(format!("there is no loan {}", arguments.loan))
            .mend("look at its id in the reply to `disburse` or `open_line`"));
    };
    if json {
        say(&(document + "\n"))?;
    } else {
        let loan = LoanPaper::read(&document)?;
        let account = id(&loan.account_id).map_err(Failure::unreachable)?;
        let account = desk.account(AccountId::new(account))?;
        say(&words(&loan, account.map_or(0, |account| account.ledger.get())))?;
    }
    Ok(Exit::Done)
}

fn words(loan: &LoanPaper, ledger: u32) -> String {
    let money = |minor: Minor| print::money(ledger, minor.0);
    let head = format!(
        "loan {} of product {} (version {}), account {}, as of {}\n",
        loan.id, loan.product_id, loan.product_version, loan.account_id, loan.as_of
    );
    let accrual = if loan.non_accrual { ", non-accrual" } else { "" };
    let state = format!(
        "{}: {} days past due, {}, stage {}{accrual}; amounts in {}\n\n",
        loan.state,
        loan.days_past_due,
        loan.class.replace('_', " "),
        loan.stage,
        print::currency(ledger)
    );
    let columns = [Column::Text(""), Column::Figure("")];
    let mut facts = vec![
        ("drawn", loan.drawn),
        ("principal owed", loan.balances.principal),
        ("interest owed", loan.balances.interest),
        ("fees owed", loan.balances.fees),
        ("penalties owed", loan.balances.penalties),
        ("past due", loan.overdue.total()),
        ("paid", loan.paid.total()),
        ("overpaid", loan.overpaid),
        ("settles it today", loan.payoff),
    ];
    if let Some(line) = loan.line {
        facts.insert(0, ("line", line));
    }
    let sums =
        print::table(&columns, facts.into_iter().map(|(name, amount)| vec![name.to_owned(), money(amount)]));
    head + &state + &sums + "\n" + &instalments(loan, money)
}

fn instalments(loan: &LoanPaper, money: impl Fn(Minor) -> String) -> String {
    let columns = [
        Column::Figure("n"),
        Column::Text("kind"),
        Column::Text("due"),
        Column::Figure("principal"),
        Column::Figure("interest"),
        Column::Figure("fees"),
        Column::Figure("penalties"),
        Column::Figure("paid"),
        Column::Figure("paid early"),
        Column::Figure("paid late"),
        Column::Figure("outstanding"),
    ];
    let rows = loan.instalments.iter().map(|row| {
        let sums = [
            row.due.principal,
            row.due.interest,
            row.due.fees,
            row.due.penalties,
            row.paid.total(),
            row.paid_early.total(),
            row.paid_late.total(),
            row.outstanding.total(),
        ];
        [row.n.to_string(), row.kind.replace('_', " "), row.due_on.clone()]
            .into_iter()
            .chain(sums.map(&money))
            .collect()
    });
    print::table(&columns, rows)
}
