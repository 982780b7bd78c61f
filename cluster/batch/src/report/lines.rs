//! Items' outcomes as CSV or NDJSON, a line each, in the order of the file.

use super::{ReportFault, Told, side_by_side};
use crate::desk::Filed;
use crate::figure::{currency_code, money, print_id};
use crate::item::Item;
use crate::outcome::Outcome;
use crate::reason::Reason;
use serde_json::json;
use std::io::Write;

/// The form of the lines.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lines {
    /// Columns under a header.
    Csv,
    /// A JSON object each.
    Ndjson,
}

const HEADER: &str = "position,block,id,act,debit_account,credit_account,loan_id,amount,currency,moved,status,reason,answer,timestamp\n";

/// Writes every item's outcome.
///
/// # Errors
/// See [`ReportFault`].
pub fn write(
    out: &mut impl Write,
    filed: &Filed,
    is_cancelled: bool,
    form: Lines,
) -> Result<(), ReportFault> {
    if form == Lines::Csv {
        out.write_all(HEADER.as_bytes())?;
    }
    let mut block = String::new();
    side_by_side(filed, is_cancelled, |told| {
        match told {
            Told::Block(next) => block = next.id,
            Told::Item(position, item, outcome) => match form {
                Lines::Csv => csv(out, position + 1, &block, &item, &outcome)?,
                Lines::Ndjson => ndjson(out, position + 1, &block, &item, &outcome)?,
            },
        }
        Ok(())
    })?;
    out.flush()?;
    Ok(())
}

/// What answers: the item's own fault in words, or the book's status.
fn answer<'a>(item: &'a Item, outcome: &Outcome) -> &'a str {
    match &item.fault {
        Some(fault) if outcome.is_final() => &fault.what,
        Some(_) | None => outcome.status.name(),
    }
}

fn csv(
    out: &mut impl Write,
    position: u64,
    block: &str,
    item: &Item,
    outcome: &Outcome,
) -> std::io::Result<()> {
    write!(out, "{position},")?;
    cell(out, block)?;
    out.write_all(b",")?;
    cell(out, &item.end_to_end_id)?;
    write!(
        out,
        ",{},{},{},{},{},{},{},{},{},",
        item.act.name(),
        print_id(item.debit),
        print_id(item.credit),
        print_id(item.loan_id),
        money(item.amount, item.ledger),
        currency_code(item.ledger),
        money(outcome.moved, item.ledger),
        outcome.status.word().code(),
        outcome.status.reason().map_or("", |reason| reason.code()),
    )?;
    cell(out, answer(item, outcome))?;
    writeln!(out, ",{}", outcome.stamp)
}

/// A cell, in quotes where it needs them; what a spreadsheet would take for a formula is one.
fn cell(out: &mut impl Write, text: &str) -> std::io::Result<()> {
    if text.contains([',', '"', '\n', '\r']) || text.starts_with(['=', '+', '-', '@']) {
        write!(out, "\"{}\"", text.replace('"', "\"\""))
    } else {
        out.write_all(text.as_bytes())
    }
}

fn ndjson(
    out: &mut impl Write,
    position: u64,
    block: &str,
    item: &Item,
    outcome: &Outcome,
) -> std::io::Result<()> {
    let line = json!({
        "position": position,
        "block": block,
        "id": item.end_to_end_id,
        "act": item.act.name(),
        "debit_account": print_id(item.debit),
        "credit_account": print_id(item.credit),
        "loan_id": print_id(item.loan_id),
        "amount": money(item.amount, item.ledger),
        "currency": currency_code(item.ledger),
        "moved": money(outcome.moved, item.ledger),
        "status": outcome.status.word().code(),
        "reason": outcome.status.reason().map(Reason::code),
        "answer": answer(item, outcome),
        "timestamp": outcome.stamp.get(),
    });
    writeln!(out, "{line}")
}
