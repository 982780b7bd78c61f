//! The same day-end on PostgreSQL: the loans of [`fen_loadgen::loans`], a thirtieth of them due on each day.
//!
//! **Invariants.** What is collected over the days measured is, to the fen, what the borrowers owe by a reckoning of
//! its own; otherwise there is no figure.

use crate::fault::{Fault, Run};
use crate::server::Server;
use crate::transfers::{BANK, settle};
use fen_loadgen::loans::{Borrowers, DUE_DAYS, day};
use postgres::Client;
use std::io::Write;
use std::time::{Duration, Instant};
use uuid::Uuid;

const LOANS: &str = include_str!("../sql/loans.sql");

/// The days closed while the clock runs.
const MEASURED_DAYS: u64 = 15;

/// The median close of a day.
pub(crate) fn run(server: &Server, borrowers: &Borrowers) -> Run<Duration> {
    let mut client = server.connect()?;
    client.batch_execute(BANK)?;
    client.batch_execute(LOANS)?;
    load(&mut client, borrowers)?;
    settle(&mut client)?;
    let mut taken = Vec::new();
    for of_april in 0..MEASURED_DAYS {
        let on = day(31 + of_april);
        let began = Instant::now();
        client.execute(&format!("select day_end('{on}')"), &[])?;
        taken.push(began.elapsed());
    }
    check(&mut client, borrowers)?;
    taken.sort_unstable();
    taken.get(taken.len() / 2).copied().ok_or_else(|| Fault::Books("no day was closed".to_owned()))
}

fn load(client: &mut Client, borrowers: &Borrowers) -> Run<()> {
    let written = |error: std::io::Error| Fault::Books(error.to_string());
    let lent: u64 = (0..borrowers.count).map(|number| borrowers.terms(number).principal).sum();
    let spent: u64 = (0..borrowers.count)
        .filter(|number| Borrowers::is_poor(*number))
        .map(|number| borrowers.terms(number).principal)
        .sum();
    let mut rows = client.copy_in("copy account from stdin")?;
    for number in 0..borrowers.count {
        let (id, principal) =
            (Uuid::from_u128(borrowers.account_id(number).get()), borrowers.terms(number).principal);
        let debits = if Borrowers::is_poor(number) { principal } else { 0 };
        writeln!(rows, "{id}\t156\t2\t1\t{debits}\t{principal}").map_err(written)?;
    }
    // The bank's own accounts, and the shop where the poor spent their money.
    for (number, debits, credits) in [(1, lent, 0), (2, 0, 0), (3, 0, 0), (4, 0, spent)] {
        let id = Uuid::from_u128((u128::from(u64::MAX) << 64) | number);
        writeln!(rows, "{id}\t156\t3\t0\t{debits}\t{credits}").map_err(written)?;
    }
    rows.finish()?;
    let mut rows = client.copy_in(
        "copy loan (id, account, outstanding, part, daily_rate, billed_through, next_due) from stdin",
    )?;
    for number in 0..borrowers.count {
        let terms = borrowers.terms(number);
        let (id, account) = (
            Uuid::from_u128(borrowers.loan_id(number, 0)),
            Uuid::from_u128(borrowers.account_id(number).get()),
        );
        let (from, due) = (day(Borrowers::day(number)), day(Borrowers::day(number) + 31));
        let (principal, part, rate) = (terms.principal, terms.first_instalment().principal, terms.daily_rate);
        writeln!(rows, "{id}\t{account}\t{principal}\t{part}\t{rate}\t{from}\t{due}").map_err(written)?;
    }
    rows.finish()?;
    Ok(())
}

/// Whether what was collected is what was owed.
fn check(client: &mut Client, borrowers: &Borrowers) -> Run<()> {
    let due = (0..borrowers.count).filter(|number| Borrowers::day(*number) < MEASURED_DAYS.min(DUE_DAYS));
    let (mut owed, mut late) = (0, 0);
    for number in due {
        if Borrowers::is_poor(number) {
            late += 1;
        } else {
            owed += borrowers.terms(number).first_instalment().total();
        }
    }
    let row = client.query_one(
        "select (select sum(amount)::text from transfer where code in (11, 12)),
            (select count(*) from loan where past_due_since is not null),
            sum(debits)::text, sum(credits)::text from account",
        &[],
    )?;
    let (collected, held, debits, credits): (Option<String>, i64, String, String) =
        (row.get(0), row.get(1), row.get(2), row.get(3));
    let collected = collected.unwrap_or_else(|| "0".to_owned());
    if collected != owed.to_string() || held != late || debits != credits {
        return Err(Fault::Books(format!(
            "PostgreSQL collected {collected} of {owed} fen, {held} loans of {late} are late, debits {debits}, credits {credits}"
        )));
    }
    Ok(())
}
