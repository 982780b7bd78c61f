//! Statements of accounts and loans in JSON.

use super::date;
use crate::reply::Answer as _;
use crate::write_text;
use fen_book::{Balances, Transfer};
use fen_ledger::{LoanId, Statement, StatementLine, loan_posting};
use std::fmt::Write as _;

macro_rules! put {
    ($out:expr, $($format:tt)*) => {
        write!($out, $($format)*).expect("writing to a string cannot fail")
    };
}

fn put_balances(out: &mut String, name: &str, balances: Option<&Balances>) {
    let Some(balances) = balances else { return put!(out, ",\"{name}\":null") };
    put!(
        out,
        ",\"{name}\":{{\"debits_pending\":\"{}\",\"debits_posted\":\"{}\",\"credits_pending\":\"{}\",\
         \"credits_posted\":\"{}\"}}",
        balances.debits_pending,
        balances.debits_posted,
        balances.credits_pending,
        balances.credits_posted
    );
}

fn put_line(out: &mut String, line: &StatementLine) {
    let (booked_on, value_on) = (date(line.booked_on), date(line.value_on));
    put!(
        out,
        "{{\"record\":{},\"booked_on\":\"{booked_on}\",\"value_on\":\"{value_on}\",\"transfer\":",
        line.number
    );
    line.transfer.write(out);
    put_balances(out, "balances", Some(&line.balances));
    out.push('}');
}

/// A page of a statement; `next` is the cursor of the one behind it.
pub fn statement(statement: &Statement, next: Option<&str>) -> String {
    let account = &statement.account;
    let mut out = String::new();
    put!(out, "{{\"account_id\":\"{}\",\"ledger\":{},\"code\":{}", account.id, account.ledger, account.code);
    put_balances(&mut out, "opening", statement.opening.as_ref());
    put_balances(&mut out, "closing", statement.closing.as_ref());
    out.push_str(",\"lines\":[");
    for (place, line) in statement.lines.iter().enumerate() {
        out.push_str(if place > 0 { "," } else { "" });
        put_line(&mut out, line);
    }
    out.push_str("],\"next\":");
    match next {
        Some(next) => write_text(&mut out, next),
        None => out.push_str("null"),
    }
    out.push_str(",\"faults\":[");
    for (place, fault) in statement.faults.iter().enumerate() {
        out.push_str(if place > 0 { "," } else { "" });
        write_text(&mut out, fault);
    }
    out + "]}"
}

/// What one loan's events posted.
pub fn loan_postings(loan: LoanId, postings: &[Transfer]) -> String {
    let mut out = String::new();
    put!(out, "{{\"loan_id\":\"{loan}\",\"lines\":[");
    for (place, posting) in postings.iter().enumerate() {
        out.push_str(if place > 0 { "," } else { "" });
        out.push_str("{\"event\":");
        match loan_posting(posting) {
            Some(event) => write_text(&mut out, event),
            None => out.push_str("null"),
        }
        out.push_str(",\"transfer\":");
        posting.write(&mut out);
        out.push('}');
    }
    out + "]}"
}
