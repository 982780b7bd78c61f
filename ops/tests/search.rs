//! `fen search` on one small ledger: fields, ranges, flags, pages, and what is called wrongly.

#![allow(clippy::unwrap_used, reason = "a panic is a test's report")]

mod fen;

use fen::{Session, code, err, out, run, text};
use serde_json::{Value, json};
use std::path::Path;

fn books(data: &Path) {
    let mut session = Session::start(&["--data", text(data)]);
    let mut ask = |line: &str| {
        let reply = session.ask(line);
        assert!(reply.get("error").is_none(), "{reply}");
    };
    ask(
        r#"{"op":"create_accounts","events":[{"id":1,"ledger":156,"code":1},{"id":"0x70000000000000000","ledger":156,"code":2},{"id":"0x70000000000000001","ledger":156,"code":2,"flags":["history"]}]}"#,
    );
    ask(
        r#"{"op":"create_transfers","events":[{"id":11,"debit_account_id":1,"credit_account_id":"0x70000000000000000","amount":10000,"ledger":156,"code":9,"user_data_128":"501"},{"id":12,"debit_account_id":1,"credit_account_id":"0x70000000000000001","amount":700,"ledger":156,"code":8,"user_data_128":"501","flags":["pending"]},{"id":13,"debit_account_id":1,"credit_account_id":"0x70000000000000001","amount":30,"ledger":156,"code":9,"user_data_64":4}]}"#,
    );
    assert_eq!(session.end(), 0);
}

fn ask(data: &Path, arguments: &[&str]) -> (i32, String, String) {
    let mut all = vec!["search"];
    all.extend(arguments);
    all.extend(["--data", text(data)]);
    let output = run(&all, b"");
    (code(&output), out(&output), err(&output))
}

/// The ids found, and where the next page begins.
fn found(data: &Path, what: &str, arguments: &[&str]) -> (Vec<String>, Value) {
    let mut all = vec![what, "--json"];
    all.extend(arguments);
    let (exit, said, complaint) = ask(data, &all);
    assert_eq!(exit, 0, "{complaint}");
    let said: Value = serde_json::from_str(&said).unwrap();
    let ids = said[what].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned());
    (ids.collect(), said["next"].clone())
}

#[test]
fn transfers_and_accounts_are_found_by_their_fields() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path();
    books(data);
    let transfers = |arguments: &[&str]| found(data, "transfers", arguments).0;
    let accounts = |arguments: &[&str]| found(data, "accounts", arguments).0;
    assert_eq!(transfers(&[]), ["11", "12", "13"]);
    assert_eq!(transfers(&["--newest", "--limit", "2"]), ["13", "12"]);
    assert_eq!(transfers(&["--reference", "501"]), ["11", "12"]);
    assert_eq!(transfers(&["--reference", "501", "--flag", "pending"]), ["12"]);
    assert_eq!(transfers(&["--without", "pending", "--amount", "..9999"]), ["13"]);
    assert_eq!(transfers(&["--amount", "700..10000", "--code", "9"]), ["11"]);
    assert_eq!(transfers(&["--account", "0x70000000000000001", "--user-data-64", "4.."]), ["13"]);
    assert!(transfers(&["--to", "2001-01-01"]).is_empty());
    assert_eq!(transfers(&["--from", "2001-01-01"]).len(), 3);
    assert_eq!(accounts(&["--customer", "7"]).len(), 2);
    assert_eq!(accounts(&["--customer", "7", "--flag", "history"]).len(), 1);
    assert_eq!(accounts(&["--customer", "1"]), ["1"]);
    assert_eq!(accounts(&["--credits-posted", "10000.."]).len(), 1);

    let (first, next) = found(data, "transfers", &["--limit", "2"]);
    assert_eq!(first, ["11", "12"]);
    let (rest, next) = found(data, "transfers", &["--limit", "2", "--after", next.as_str().unwrap()]);
    assert_eq!((rest, next), (vec!["13".to_owned()], json!(null)));

    let (exit, said, _) = ask(data, &["transfers", "--limit", "1"]);
    assert!(exit == 0 && said.contains("100.00") && said.contains("--after"), "{said}");
    assert_eq!(ask(data, &["accounts", "--code", "77"]).1, "nothing found\n");
    for (wrong, says) in [
        (["transfers", "--amount", "9..3"], "ends before it begins"),
        (["transfers", "--code", "70000"], "no whole number"),
        (["transfers", "--flag", "closed"], "no flag"),
        (["accounts", "--id", "zz"], "id"),
    ] {
        let (exit, _, complaint) = ask(data, &wrong);
        assert!(exit == 2 && complaint.contains(says), "{wrong:?}: {exit} {complaint}");
    }
}
