//! The change feed as newline-delimited JSON.

use crate::reply::Answer as _;
use crate::write_text;
use fen_ledger::Change;
use std::fmt::Write as _;

/// A change and the position behind it, as one line.
pub fn change(out: &mut String, position: &str, change: &Change) {
    let (kind, field) = match change {
        Change::Opened(_) => ("opened", "account"),
        Change::Transfer(_) => ("transfer", "transfer"),
        Change::Expired(_) => ("expired", "transfer"),
        Change::Burned(_) => ("burned", "transfer"),
    };
    out.push_str("{\"position\":");
    write_text(out, position);
    write!(out, ",\"change\":\"{kind}\",\"{field}\":").expect("writing to a string cannot fail");
    match change {
        Change::Opened(account) => account.write(out),
        Change::Transfer(record) | Change::Expired(record) | Change::Burned(record) => record.write(out),
    }
    out.push_str("}\n");
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
