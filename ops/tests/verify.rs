//! `fen verify` on right, wrong, held and missing books; and the tour, which ends by verifying its own.

#![allow(clippy::unwrap_used, reason = "a panic is a test's report")]

mod fen;

use fen::{Session, code, err, out, run, text};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

/// Books with two accounts and `count` transfers of one.
fn books(data: &Path, count: u32) {
    let mut session = Session::start(&["--data", text(data)]);
    session.ask(
        r#"{"op":"create_accounts","events":[{"id":1,"ledger":156,"code":1},{"id":2,"ledger":156,"code":1}]}"#,
    );
    let event = |id| {
        format!(
            "{{\"id\":{id},\"debit_account_id\":1,\"credit_account_id\":2,\"amount\":1,\"ledger\":156,\"code\":1}}"
        )
    };
    let events: Vec<String> = (1..=count).map(event).collect();
    for events in events.chunks(100) {
        session.ask(&format!("{{\"op\":\"create_transfers\",\"events\":[{}]}}", events.join(",")));
    }
    assert_eq!(session.end(), 0);
}

fn verify(data: &Path) -> (i32, Value, String) {
    let output = run(&["verify", "--json", "--data", text(data)], b"");
    let finding = serde_json::from_str(&out(&output)).unwrap_or(Value::Null);
    (code(&output), finding, err(&output))
}

#[test]
fn right_books_are_found_right_and_a_second_look_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    books(directory.path(), 250);
    let (exit, finding, _) = verify(directory.path());
    assert_eq!((exit, &finding["verified"], &finding["transfers"]), (0, &json!(true), &json!(250)));
    assert_eq!(finding["ledgers"][0]["debits_posted"], json!("250"));
    assert_eq!(finding["ledgers"][0]["credits_posted"], json!("250"));
    assert_eq!(verify(directory.path()).1["digest"], finding["digest"]);
    let output = run(&["verify", "--data", text(directory.path())], b"");
    assert!(out(&output).contains("The books are right"), "{}", out(&output));
}

#[test]
fn what_is_no_ledger_is_not_made_one() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing");
    assert_eq!(verify(&missing).0, 3);
    assert!(!missing.exists());
    assert_eq!(verify(directory.path()).0, 3);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    assert_eq!(code(&run(&["verify"], b"")), 2);
}

#[test]
fn books_that_another_process_holds_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let mut session = Session::start(&["--data", text(directory.path())]);
    session.ask(r#"{"op":"lookup_accounts","ids":[1]}"#);
    let (exit, _, said) = verify(directory.path());
    assert_eq!(exit, 3, "{said}");
    assert!(said.contains(&session.child.id().to_string()), "{said}");
    assert_eq!(session.end(), 0);
    assert_eq!(verify(directory.path()).0, 0);
}

#[test]
fn a_flipped_bit_is_never_taken_for_books() {
    let directory = tempfile::tempdir().unwrap();
    books(directory.path(), 1_000);
    let log = largest_file(directory.path());
    let mut bytes = fs::read(&log).unwrap();
    let place = bytes.iter().position(|byte| *byte != 0).unwrap() + 9_000;
    bytes[place] ^= 4;
    fs::write(&log, bytes).unwrap();
    let (exit, finding, said) = verify(directory.path());
    assert!(exit == 1 || exit == 3, "{exit} {finding} {said}");
    let name = log.file_name().unwrap().to_str().unwrap();
    assert!(said.contains(name) || finding["faults"].to_string().contains(name), "{said} {finding}");
}

fn largest_file(directory: &Path) -> PathBuf {
    let mut open = vec![directory.to_owned()];
    let mut files = Vec::new();
    while let Some(next) = open.pop() {
        if next.is_dir() {
            open.extend(fs::read_dir(&next).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            files.push(next);
        }
    }
    files.into_iter().max_by_key(|file| fs::metadata(file).unwrap().len()).unwrap()
}

#[test]
fn the_tour_loses_nothing_and_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let output = fen::fen(&["demo", "--json"]).env("TMPDIR", directory.path()).output().unwrap();
    assert_eq!(code(&output), 0, "{}", err(&output));
    let tour: Value = serde_json::from_str(&out(&output)).unwrap();
    assert_eq!((&tour["lost"], &tour["doubled"], &tour["verified"]), (&json!(0), &json!(0), &json!(true)));
    assert_eq!(tour["acknowledged"], json!(20_000));
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}
