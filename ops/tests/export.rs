//! `fen export` and `fen archive` as an operator uses them.

#![allow(clippy::unwrap_used, reason = "a panic is a test's report")]

mod fen;

use fen::{code, err, out, run, text};
use std::fs;
use std::path::Path;

/// Books with 70,000 transfers of their own number, so that one segment is sealed.
fn books(data: &Path) {
    let mut lines = vec![
        r#"{"op":"create_accounts","events":[{"id":1,"ledger":156,"code":1},{"id":2,"ledger":156,"code":1}]}"#
            .to_owned(),
    ];
    for begin in (1..=70_000u32).step_by(7_000) {
        let event = |id| {
            format!(
                r#"{{"id":{id},"debit_account_id":1,"credit_account_id":2,"amount":{id},"ledger":156,"code":1}}"#
            )
        };
        let events: Vec<String> = (begin..begin + 7_000).map(event).collect();
        lines.push(format!("{{\"op\":\"create_transfers\",\"events\":[{}]}}", events.join(",")));
    }
    let output = run(&["exec", "--data", text(data)], lines.join("\n").as_bytes());
    assert_eq!(code(&output), 0, "{}", err(&output));
}

/// The amounts of an export, in its order.
fn amounts(arguments: &[&str]) -> Vec<u64> {
    let arguments: Vec<&str> = ["export"].iter().chain(arguments).copied().collect();
    let output = run(&arguments, b"");
    assert_eq!(code(&output), 0, "{}", err(&output));
    let table = out(&output);
    let mut lines = table.lines();
    let head: Vec<&str> = lines.next().unwrap().split(',').collect();
    let place = head.iter().position(|name| *name == "amount").unwrap();
    lines.map(|line| line.split(',').nth(place).unwrap().parse().unwrap()).collect()
}

#[test]
fn what_is_asked_for_is_exported_also_from_the_archive() {
    let place = tempfile::tempdir().unwrap();
    let (data, cold) = (place.path().join("books"), place.path().join("cold"));
    books(&data);
    let all: Vec<u64> = (1..=70_000).collect();
    assert_eq!(amounts(&["--data", text(&data)]), all);
    assert_eq!(amounts(&["--data", text(&data), "--ledger", "840"]), [] as [u64; 0]);
    assert_eq!(amounts(&["--data", text(&data), "--account", "2", "--from", "2020-01-01"]), all);
    assert_eq!(amounts(&["--data", text(&data), "--to", "2020-01-01"]), [] as [u64; 0]);
    let file = place.path().join("all.csv");
    let output = run(&["export", "--data", text(&data), "--out", text(&file), "--json"], b"");
    assert_eq!(out(&output).trim(), r#"{"damaged":0,"records":70000}"#);
    assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), 70_001);

    let archive = |to: Option<&Path>, before: &str| {
        let mut arguments = vec!["archive", "--data", text(&data), "--before", before, "--json"];
        arguments.extend(to.map(|to| ["--to", text(to)]).into_iter().flatten());
        let output = run(&arguments, b"");
        (code(&output), out(&output).trim().to_owned() + &err(&output))
    };
    assert_eq!(archive(Some(&cold), "2020-01-01").0, 3, "there is no such directory");
    fs::create_dir(&cold).unwrap();
    assert_eq!(archive(Some(&cold), "2020-01-01"), (0, r#"{"moved":0}"#.to_owned()));
    assert_eq!(archive(None, "2199-01-01"), (0, r#"{"moved":1}"#.to_owned()));
    assert_eq!(archive(Some(&cold), "2199-01-01"), (0, r#"{"moved":0}"#.to_owned()));
    assert_eq!(archive(Some(place.path()), "2199-01-01").0, 1, "the archive is another directory");
    assert_eq!(archive(None, "yesterday").0, 2);
    assert_eq!(fs::read_dir(&cold).unwrap().count(), 1);
    assert_eq!(amounts(&["--data", text(&data)]), all);
    assert_eq!(code(&run(&["verify", "--data", text(&data)], b"")), 0);

    // The archive is away: what was in it is named, the rest is written.
    fs::rename(&cold, place.path().join("elsewhere")).unwrap();
    let output = run(&["export", "--data", text(&data)], b"");
    assert_eq!(code(&output), 1);
    assert!(err(&output).contains("segment 0 is missing"), "{}", err(&output));
    assert_eq!(out(&output).lines().count(), 1 + 70_000 - 65_536);
}

#[test]
fn what_cannot_be_is_said() {
    let place = tempfile::tempdir().unwrap();
    let missing = place.path().join("missing");
    assert_eq!(code(&run(&["export", "--data", text(&missing)], b"")), 3);
    assert!(!missing.exists());
    let mixed = ["export", "--data", text(&missing), "--from", "2026-03-01", "--to", "7"];
    let output = run(&mixed, b"");
    assert!(code(&output) == 2 && err(&output).contains("both be dates"), "{}", err(&output));
    assert_eq!(code(&run(&["export", "--data", text(&missing), "--from", "soon"], b"")), 2);
}
