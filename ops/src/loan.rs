//! `fen loan`: one loan as of the business date, with its instalments.

use crate::desk::{Books, id};
use crate::exit::{Exit, Failure, say};
use crate::print::{self, Column};
use clap::Args;
use fen_book::loan::money::{Money, Parts};
use fen_book::loan::view::LoanView;
use fen_json::reply::Answer as _;

/// One loan: its state, its class, what is owed, and every instalment.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  fen loan 5 --data ./books
  fen loan 0193b1f0-7a4e-7000-8000-000000000005 --data ./books --json

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
    let Some(loan) = desk.loan(arguments.loan)? else {
        return Err(Failure::refused(format!("there is no loan {}", arguments.loan))
            .mend("look at its id in the reply to `disburse` or `open_line`"));
    };
    if json {
        let mut out = String::new();
        loan.write(&mut out);
        say(&(out + "\n"))?;
    } else {
        let account = desk.account(loan.account_id)?;
        say(&words(&loan, account.map_or(0, |account| account.ledger.get())))?;
    }
    Ok(Exit::Done)
}

fn words(loan: &LoanView, ledger: u32) -> String {
    let money = |money: Money| print::money(ledger, money.get());
    let standing = &loan.standing;
    let head = format!(
        "loan {} of product {} (version {}), account {}, as of {}\n",
        loan.id, loan.product_id, loan.product_version, loan.account_id, loan.as_of
    );
    let accrual = if standing.is_non_accrual { ", non-accrual" } else { "" };
    let state = format!(
        "{}: {} days past due, {}, stage {}{accrual}; amounts in {}\n\n",
        loan.state.name(),
        standing.days_past_due,
        standing.class.name().replace('_', " "),
        standing.stage,
        print::currency(ledger)
    );
    let columns = [Column::Text(""), Column::Figure("")];
    let mut facts = vec![
        ("drawn", loan.drawn),
        ("principal owed", loan.outstanding.principal),
        ("interest owed", loan.outstanding.interest),
        ("fees owed", loan.outstanding.fees),
        ("penalties owed", loan.outstanding.penalties),
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

fn instalments(loan: &LoanView, money: impl Fn(Money) -> String) -> String {
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
    let rows = loan.rows.iter().zip(1_u32..).map(|(row, n)| {
        let Parts { principal, interest, fees, penalties } = row.due;
        let sums = [
            principal,
            interest,
            fees,
            penalties,
            row.paid.total(),
            row.paid_early.total(),
            row.paid_late.total(),
            row.outstanding().total(),
        ];
        [n.to_string(), row.kind.name().replace('_', " "), row.due_on.to_string()]
            .into_iter()
            .chain(sums.map(&money))
            .collect()
    });
    print::table(&columns, rows)
}
