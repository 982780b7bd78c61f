//! `fen schedule`: loan terms as JSON on standard input, the instalment schedule on standard output.
//!
//! The arithmetic is `fen-terms`'; here is only its edge. The answer is one line of JSON, or with `--table` a table.

use crate::exit::{Exit, Failure, say};
use crate::print::{self, Column};
use clap::Args;
use fen_json::terms::terms;
use fen_json::{Wrong, parse};
use fen_terms::{Currency, Money, Schedule, schedule};
use std::fmt::Write as _;
use std::io::Read as _;

/// The largest input; a loan of 1,200 dates and 10,000 fees is a tenth of it.
const INPUT_SIZE_MAX: u64 = 4 << 20;

/// Loan terms as JSON on standard input, the instalment schedule on standard output.
#[derive(Args, Debug)]
#[command(after_help = r#"Example:
  fen schedule <<'END'
  {"principal": "10000.00", "currency": "CNY", "annual_rate": "7.2", "periods": 12,
   "period": {"unit": "month", "every": 1}, "amortisation": "equal_instalment", "interest": "declining",
   "interest_accrual": "daily", "day_count": "act/365", "disbursed_on": "2026-03-02",
   "rounding": {"mode": "half_even", "to": "0.01"}}
  END

Money is in major units, rates are per cent, both strings. Instead of annual_rate: daily_rate. Instead of periods
and period: due_dates. May be given too: first_due_on, rounding.instalment_to, down_payment_percent,
flat_base (financed|drawn), grace {principal, interest, interest_free}, disbursements [{on, amount}],
later_draws (remaining_term|whole_term), fees [{on, amount}].
The answer is one line of JSON; --table prints it for people."#)]
pub(crate) struct Arguments {
    /// Print a table for people.
    #[arg(long, conflicts_with = "json")]
    table: bool,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let mut input = Vec::new();
    std::io::stdin()
        .lock()
        .take(INPUT_SIZE_MAX + 1)
        .read_to_end(&mut input)
        .map_err(|error| Failure::unreachable(format!("standard input cannot be read: {error}")))?;
    if u64::try_from(input.len()).is_ok_and(|size| size > INPUT_SIZE_MAX) {
        return Err(Failure::refused(format!("the terms are longer than {INPUT_SIZE_MAX} bytes")));
    }
    let text = std::str::from_utf8(&input).map_err(|error| {
        Failure::refused(format!("the terms are no UTF-8 after byte {}", error.valid_up_to()))
    })?;
    let json = parse(text).map_err(|malformed| {
        Failure::refused(format!("the terms are {malformed}")).mend("`fen schedule --help` shows terms")
    })?;
    let (terms, currency) = terms(&json).map_err(|wrong| refused(&wrong))?;
    let schedule = schedule(&terms)
        .map_err(|status| Failure::refused(format!("{}: {status}", status.field())).mend(status.mend()))?;
    say(&if arguments.table { table(&schedule, currency) } else { json_line(&schedule, currency) })?;
    Ok(Exit::Done)
}

fn refused(wrong: &Wrong) -> Failure {
    let place = if wrong.field.is_empty() { "the terms" } else { wrong.field.as_str() };
    Failure::refused(format!("{place}: {}", wrong.reason)).mend("`fen schedule --help` names every field")
}

fn json_line(schedule: &Schedule, currency: Currency) -> String {
    let mut out = String::from("{\"instalments\":[");
    write_rows(&mut out, schedule, currency).expect("writing to a string cannot fail");
    out
}

fn write_rows(out: &mut String, schedule: &Schedule, currency: Currency) -> std::fmt::Result {
    let money = |money: Money| money.display(currency.decimals());
    for (index, row) in schedule.instalments.iter().enumerate() {
        let comma = if index > 0 { "," } else { "" };
        write!(
            out,
            "{comma}{{\"n\":{},\"due\":\"{}\",\"principal\":\"{}\",\"interest\":\"{}\",\"fees\":\"{}\",\
             \"total\":\"{}\",\"outstanding\":\"{}\"}}",
            row.n,
            row.due,
            money(row.principal),
            money(row.interest),
            money(row.fees),
            money(row.total),
            money(row.outstanding)
        )?;
    }
    writeln!(
        out,
        "],\"total_interest\":\"{}\",\"total\":\"{}\"}}",
        money(schedule.total_interest),
        money(schedule.total)
    )
}

fn table(schedule: &Schedule, currency: Currency) -> String {
    let columns = [
        Column::Figure("n"),
        Column::Text("due"),
        Column::Figure("principal"),
        Column::Figure("interest"),
        Column::Figure("fees"),
        Column::Figure("total"),
        Column::Figure("outstanding"),
    ];
    let money = |money: Money| print::unsigned_money(currency.number(), money.get());
    let rows = schedule.instalments.iter().map(|row| {
        let figures = [row.principal, row.interest, row.fees, row.total, row.outstanding];
        [row.n.to_string(), row.due.to_string()].into_iter().chain(figures.map(money)).collect()
    });
    let sums = format!(
        "\n  {currency}: interest {}, to be paid {}\n",
        money(schedule.total_interest),
        money(schedule.total)
    );
    print::table(&columns, rows) + &sums
}
