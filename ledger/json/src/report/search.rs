//! What was searched for, and turnover.

use super::{date, in_json};
use crate::reply::Answer;
use crate::write_text;
use fen_ledger::{Turnover, Turnovers};
use serde::Serialize;

/// A page of records that were found, under their name, and the cursor of the next one.
pub fn found<T: Answer>(name: &str, records: &[T], next: Option<&str>) -> String {
    let mut out = format!("{{\"{name}\":[");
    for (place, record) in records.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        record.write(&mut out);
    }
    out.push_str("],\"next\":");
    match next {
        Some(next) => write_text(&mut out, next),
        None => out.push_str("null"),
    }
    out.push('}');
    out
}

#[derive(Serialize)]
struct TurnoverJson {
    date: Option<String>,
    ledger: u32,
    code: u16,
    posted_count: u64,
    posted: String,
    reserved_count: u64,
    reserved: String,
}

#[derive(Serialize)]
struct TurnoversJson {
    lines: Vec<TurnoverJson>,
    faults: Vec<String>,
}

/// Sums and counts by ledger and code, and what of history could not be read.
pub fn turnover(found: &Turnovers) -> String {
    let line = |line: &Turnover| TurnoverJson {
        date: line.date.map(date),
        ledger: line.ledger,
        code: line.code,
        posted_count: line.posted_count,
        posted: line.posted.to_string(),
        reserved_count: line.reserved_count,
        reserved: line.reserved.to_string(),
    };
    in_json(&TurnoversJson {
        lines: found.lines.iter().map(line).collect(),
        faults: found.faults.iter().map(ToString::to_string).collect(),
    })
}
