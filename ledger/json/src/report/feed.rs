//! The change feed as newline-delimited JSON.
//!
//! A command that moved no money is told by the names that `fen exec` takes it by, as far as its fields are of a fixed
//! size, and whole by its bytes in `encoded`: as the log keeps them, and as gRPC takes loan commands.

use crate::loans::LOAN_OPS;
use crate::reply::Answer as _;
use crate::write_text;
use fen_book::BusinessDate;
use fen_book::batches::{BatchOrder, Decision};
use fen_book::loan::command::LoanCommand;
use fen_book::loan::order::{LoanAct, LoanOrder, Reschedule};
use fen_book::memo::{Applied, Memo};
use fen_ledger::Change;
use fen_terms::Day;
use std::fmt::Write as _;

/// Appends formatted text; writing to a string has no way to fail.
macro_rules! put {
    ($out:expr, $($format:tt)*) => { write!($out, $($format)*).expect("writing to a string cannot fail") };
}

/// A change and the position behind it, as one line.
pub fn change(out: &mut String, position: &str, change: &Change) {
    let (kind, field) = match change {
        Change::Opened(_) => ("opened", "account"),
        Change::Transfer(_) => ("transfer", "transfer"),
        Change::Expired(_) => ("expired", "transfer"),
        Change::Burned(_) => ("burned", "transfer"),
        Change::Applied(_) => ("applied", "command"),
    };
    out.push_str("{\"position\":");
    write_text(out, position);
    put!(out, ",\"change\":\"{kind}\",\"{field}\":");
    match change {
        Change::Opened(account) => account.write(out),
        Change::Transfer(record) | Change::Expired(record) | Change::Burned(record) => record.write(out),
        Change::Applied(memo) => write_memo(out, memo),
    }
    out.push_str("}\n");
}

fn write_memo(out: &mut String, memo: &Memo) {
    put!(out, "{{\"timestamp\":{},\"ledger\":{},\"code\":{}", memo.stamp, memo.ledger, memo.code);
    match memo.applied() {
        Ok(Applied::Limit(change)) => {
            put!(out, ",\"op\":\"set_limits\",\"account_id\":\"{}\"", change.account_id);
            put!(out, ",\"limit\":\"{}\"", change.limit);
        }
        Ok(Applied::Loans(LoanCommand::PutProduct(product))) => {
            put!(out, ",\"op\":\"put_product\",\"id\":\"{}\",\"stopped\":{}", product.id, product.is_stopped);
        }
        Ok(Applied::Loans(LoanCommand::DayEnd { through, .. })) => {
            out.push_str(",\"op\":\"day_end\"");
            write_date(out, "through", through);
            write_date(out, "business_date", memo.day);
        }
        Ok(Applied::Loans(LoanCommand::Orders(orders))) => {
            for order in &orders {
                put!(out, ",\"product_id\":\"{}\"", memo.product_id);
                write_order(out, order);
            }
        }
        Ok(Applied::File(order)) => write_file(out, &order),
        // Of a newer release: its bytes tell.
        Err(_) => {}
    }
    out.push_str(",\"encoded\":\"");
    for byte in &memo.body {
        put!(out, "{byte:02x}");
    }
    out.push_str("\"}");
}

fn write_date(out: &mut String, name: &str, date: BusinessDate) {
    if let Some(day) = Day::from_number(date.get()) {
        put!(out, ",\"{name}\":\"{day}\"");
    }
}

fn write_order(out: &mut String, order: &LoanOrder) {
    let place = usize::from(order.act.number()).checked_sub(1);
    let op = place.and_then(|place| LOAN_OPS.get(place)).copied().unwrap_or_default();
    put!(out, ",\"op\":\"{op}\",\"id\":\"{}\",\"loan_id\":\"{}\"", order.id, order.loan_id);
    write_date(out, "effective_on", order.effective_on);
    if let Some(account_id) = order.act.account() {
        put!(out, ",\"account_id\":\"{account_id}\"");
    }
    if let Some(amount) = order.act.amount() {
        put!(out, ",\"amount\":\"{amount}\"");
    }
    if let Some(event_id) = order.act.event() {
        put!(out, ",\"event_id\":\"{event_id}\"");
    }
    match &order.act {
        LoanAct::Charge { kind, due_on, .. } => {
            put!(out, ",\"kind\":\"{}\"", kind.name());
            write_date(out, "due_on", *due_on);
        }
        LoanAct::Waive { forgive: Some((kind, _)), .. } => put!(out, ",\"kind\":\"{}\"", kind.name()),
        LoanAct::Reschedule(change) => write_change(out, change),
        LoanAct::Sell { owner } => put!(out, ",\"owner\":\"{owner}\""),
        LoanAct::OpenLine(_)
        | LoanAct::Disburse(_)
        | LoanAct::Repay { .. }
        | LoanAct::Prepay { .. }
        | LoanAct::Waive { forgive: None, .. }
        | LoanAct::Reverse { .. }
        | LoanAct::Chargeback { .. }
        | LoanAct::Refund { .. }
        | LoanAct::ChargeOff
        | LoanAct::WriteOff
        | LoanAct::Recover { .. } => {}
    }
}

fn write_change(out: &mut String, change: &Reschedule) {
    if let Some((from, to)) = change.shift {
        write_date(out, "from", from);
        write_date(out, "to", to);
    }
    if let Some(periods) = change.periods {
        put!(out, ",\"periods\":{periods}");
    }
    if let Some(first_due_on) = change.first_due_on {
        write_date(out, "first_due_on", first_due_on);
    }
    if change.is_reamortisation {
        out.push_str(",\"reamortise\":true");
    }
}

fn write_file(out: &mut String, order: &BatchOrder) {
    put!(out, ",\"op\":\"batch\",\"file\":\"{:032x}\",\"order\":", order.key());
    match order {
        BatchOrder::Enter(file) => {
            out.push_str("\"enter\",\"message_id\":");
            write_text(out, &file.message_id);
            out.push_str(",\"initiator\":");
            write_text(out, &file.initiator);
            put!(out, ",\"items\":{},\"sum\":\"{}\"", file.items, file.sum);
        }
        BatchOrder::Release { by, .. } | BatchOrder::Cancel { by, .. } => {
            let is_release = matches!(order, BatchOrder::Release { .. });
            out.push_str(if is_release { "\"release\",\"by\":" } else { "\"cancel\",\"by\":" });
            write_text(out, by);
        }
        BatchOrder::Report { progress, .. } => {
            put!(out, "\"report\",\"taken\":{},\"refused\":{}", progress.taken, progress.refused);
        }
        BatchOrder::Decide { decision, .. } => {
            let word = match decision {
                Decision::Post => "post",
                Decision::Void => "void",
            };
            put!(out, "\"decide\",\"decision\":\"{word}\"");
        }
    }
}

/// Records that cannot be read, both inclusive, and the position behind them, as one line.
pub fn gap(out: &mut String, position: &str, records: (u64, u64), reason: &str) {
    out.push_str("{\"position\":");
    write_text(out, position);
    write!(out, ",\"gap\":{{\"records\":\"{} to {}\",\"reason\":", records.0, records.1)
        .expect("writing to a string cannot fail");
    write_text(out, reason);
    out.push_str("}}\n");
}
