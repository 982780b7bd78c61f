//! What `fen batch` says, for people and for machines.

use crate::print::{Column, count, plural, table as print_table};
use fen_batch::desk::{Looked, print_sum};
use fen_batch::figure::{currency_code, money};
use fen_batch::run::Ended;
use fen_book::batches::{BatchEntry, BatchFile, BatchProgress, BatchState};
use fen_terms::Day;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

/// Seconds since 1970 as an instant in Greenwich.
pub(super) fn instant(seconds: u64) -> String {
    let day = i32::try_from(seconds / 86_400).ok().and_then(Day::from_number).unwrap_or(Day::MIN);
    let of_day = seconds % 86_400;
    format!("{day}T{:02}:{:02}:{:02}Z", of_day / 3_600, of_day / 60 % 60, of_day % 60)
}

fn day(number: i32) -> Option<String> {
    Day::from_number(number).filter(|_| number != 0).map(|day| day.to_string())
}

/// One file, as an object.
fn entry(entry: &BatchEntry) -> Value {
    let file = &entry.file;
    json!({
        "message_id": file.message_id,
        "initiator": file.initiator,
        "format": file.format,
        "state": entry.state.name(),
        "items": file.items,
        "sum": print_sum(file),
        "currency": currency_code(file.ledger.get()),
        "position": entry.progress.position,
        "taken": entry.progress.taken,
        "taken_sum": money(entry.progress.taken_sum.get(), file.ledger.get()),
        "refused": entry.progress.refused,
        "next_on": if entry.state == BatchState::Waits { day(entry.next_on.get()) } else { None },
        "submitted_by": file.submitted_by,
        "released_by": entry.released_by,
        "cancelled_by": entry.cancelled_by,
        "submitted_at": entry.submitted_at.get(),
        "changed_at": entry.changed_at.get(),
        "key": format!("0x{:032x}", file.key),
        "sha256": fen_batch::desk::hex(&file.content),
        "per_second": pace(entry).map(|(rate, _)| rate.round()),
        "seconds_left": pace(entry).map(|(_, left)| left.round()),
    })
}

/// Items a second of a file that is under way, since it goes without a pause, and the seconds that the rest takes at that
/// rate.
fn pace(entry: &BatchEntry) -> Option<(f64, f64)> {
    let is_under_way = matches!(entry.state, BatchState::GoesOn | BatchState::Posts | BatchState::Voids);
    let nanoseconds = entry.changed_at.get().saturating_sub(entry.goes_since.get());
    let items = entry.progress.position.saturating_sub(entry.goes_from);
    if !is_under_way || nanoseconds == 0 || items == 0 {
        return None;
    }
    let figure = |count: u64| u32::try_from(count).map_or(f64::from(u32::MAX), f64::from);
    let rate = figure(items) / Duration::from_nanos(nanoseconds).as_secs_f64();
    Some((rate, figure(entry.file.items.saturating_sub(entry.progress.position)) / rate))
}

/// What was moved so far, with its currency.
pub(super) fn moved(file: &BatchFile, progress: &BatchProgress) -> String {
    let ledger = file.ledger.get();
    format!("{} {}", money(progress.taken_sum.get(), ledger), currency_code(ledger))
}

/// Files, one object a line.
pub(super) fn json(entries: &[BatchEntry]) -> String {
    entries.iter().fold(String::new(), |mut out, each| {
        writeln!(out, "{}", entry(each)).expect("writing to a string cannot fail");
        out
    })
}

/// Files as a table.
pub(super) fn table(entries: &[BatchEntry]) -> String {
    if entries.is_empty() {
        return "no file was submitted yet\n".to_owned();
    }
    let columns = [
        Column::Text("message id"),
        Column::Text("format"),
        Column::Text("state"),
        Column::Figure("items"),
        Column::Figure("done"),
        Column::Figure("refused"),
        Column::Figure("sum"),
        Column::Text("by"),
    ];
    let rows = entries.iter().map(|entry| {
        let file = &entry.file;
        vec![
            file.message_id.clone(),
            file.format.clone(),
            state(entry),
            count(file.items),
            count(entry.progress.taken),
            count(entry.progress.refused),
            format!("{} {}", print_sum(file), currency_code(file.ledger.get())),
            [&file.submitted_by, &entry.released_by]
                .into_iter()
                .filter(|name| !name.is_empty())
                .cloned()
                .collect::<Vec<String>>()
                .join(", "),
        ]
    });
    print_table(&columns, rows)
}

fn state(entry: &BatchEntry) -> String {
    match entry.state {
        BatchState::AwaitsRelease => "awaits release".to_owned(),
        BatchState::GoesOn => format!("stopped at {}", count(entry.progress.position)),
        BatchState::Posts => format!("reserved, posted up to {}", count(entry.progress.position)),
        BatchState::Voids => format!("let go up to {}", count(entry.progress.position)),
        BatchState::Waits => {
            day(entry.next_on.get()).map_or_else(|| "waits".to_owned(), |day| format!("waits for {day}"))
        }
        BatchState::Done => "done".to_owned(),
        BatchState::Cancelled => format!("cancelled at {}", count(entry.progress.position)),
    }
}

/// What a check found, as an object.
pub(super) fn check_json(looked: &Looked) -> String {
    let (checked, file) = (&looked.checked, &looked.file);
    let named = checked.named.iter().map(|(place, id, fault)| {
        json!({"position": place, "id": id, "reason": fault.reason.code(), "what": fault.what})
    });
    let [transfers, disbursements, repayments] = checked.acts;
    let line = json!({
        "message_id": file.message_id,
        "initiator": file.initiator,
        "format": file.format,
        "items": checked.items,
        "transfers": transfers,
        "disbursements": disbursements,
        "repayments": repayments,
        "sum": print_sum(file),
        "currency": currency_code(file.ledger.get()),
        "needs_release": file.needs_release,
        "first_on": day(file.first_on.get()),
        "faults": checked.faults,
        "ids_twice": checked.twice.len(),
        "named": named.collect::<Vec<Value>>(),
        "sha256": fen_batch::desk::hex(&file.content),
    });
    format!("{line}\n")
}

/// What a check found, in words.
pub(super) fn check_words(path: &Path, looked: &Looked, today: Day) -> String {
    let (checked, file) = (&looked.checked, &looked.file);
    let [transfers, disbursements, repayments] = checked.acts;
    let mut out = format!(
        "{}: {}, message id '{}'\n  {} {} ({} transfers, {} disbursements, {} repayments), {} {}\n",
        path.display(),
        file.format,
        file.message_id,
        count(checked.items),
        plural(checked.items, "item", "items"),
        count(transfers),
        count(disbursements),
        count(repayments),
        print_sum(file),
        currency_code(file.ledger.get()),
    );
    let mut put = |text: &str| {
        out.push_str("  ");
        out.push_str(text);
        out.push('\n');
    };
    if file.needs_release {
        put("a second person must release it");
    }
    if let Some(day) = day(file.first_on.get()).filter(|_| file.first_on.get() > today.number()) {
        put(&format!("the first of it is for {day}"));
    }
    if checked.faults > 0 {
        put(&format!("{} would be refused as written:", count(checked.faults)));
        for (place, id, fault) in &checked.named {
            put(&format!("  item {place} '{id}': {fault}"));
        }
    }
    if !checked.twice.is_empty() {
        put(&format!(
            "{} ids stand there more than once; only the first of each would be done",
            checked.twice.len()
        ));
    }
    if checked.faults == 0 && checked.twice.is_empty() {
        put("nothing is wrong with it");
    }
    out
}

/// Where a file stands after a run, as an object.
pub(super) fn run_json(now: &BatchEntry, ended: Option<&Ended>, seconds: f64) -> String {
    let mut object = entry(now);
    object["seconds"] = json!((seconds * 1_000.0).round() / 1_000.0);
    object["looked_at"] = json!(ended.map_or(0, |ended| ended.progress.position));
    format!("{object}\n")
}

/// Where a file stands after a run, in words.
pub(super) fn run_words(now: &BatchEntry, ended: Option<&Ended>, seconds: f64) -> String {
    let (file, progress) = (&now.file, &now.progress);
    let mut out = format!("{}: {}\n", file.message_id, state(now));
    if progress.position > 0 || ended.is_some() {
        let open = file.items.saturating_sub(progress.taken + progress.refused);
        writeln!(
            out,
            "  {} of {} items done, {} {}; {} refused, {} open",
            count(progress.taken),
            count(file.items),
            money(progress.taken_sum.get(), file.ledger.get()),
            currency_code(file.ledger.get()),
            count(progress.refused),
            count(open),
        )
        .expect("writing to a string cannot fail");
    }
    if ended.is_some() && seconds > 0.0 {
        writeln!(out, "  in {seconds:.1} s").expect("writing to a string cannot fail");
    }
    if now.state == BatchState::AwaitsRelease {
        writeln!(out, "  next: fen batch release {} --by NAME (not {})", file.message_id, file.submitted_by)
            .expect("writing to a string cannot fail");
    } else if progress.refused > 0 {
        writeln!(out, "  next: fen batch result {} tells why", file.message_id)
            .expect("writing to a string cannot fail");
    }
    out
}
