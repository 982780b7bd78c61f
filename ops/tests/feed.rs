//! `fen feed`, `fen turnover` and `fen trial-balance --as-of` on one small ledger.

#![allow(clippy::unwrap_used, reason = "a panic is a test's report")]

mod fen;

use fen::{Session, code, err, out, run, text};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::time::{Duration, Instant};

fn books(data: &Path) {
    let mut session = Session::start(&["--data", text(data)]);
    let mut ask = |line: &str| {
        let reply = session.ask(line);
        assert!(reply.get("error").is_none(), "{reply}");
    };
    ask(
        r#"{"op":"create_accounts","events":[{"id":1,"ledger":156,"code":1},{"id":2,"ledger":156,"code":1,"flags":["debits_must_not_exceed_credits"]}]}"#,
    );
    ask(r#"{"op":"day_end","through":"2026-03-01"}"#);
    ask(
        r#"{"op":"create_transfers","events":[{"id":11,"debit_account_id":1,"credit_account_id":2,"amount":10000,"ledger":156,"code":9},{"id":12,"debit_account_id":2,"credit_account_id":1,"amount":99999,"ledger":156,"code":9}]}"#,
    );
    ask(r#"{"op":"day_end","through":"2026-03-02"}"#);
    ask(
        r#"{"op":"create_transfers","events":[{"id":13,"debit_account_id":2,"credit_account_id":1,"amount":2500,"ledger":156,"code":8}]}"#,
    );
    assert_eq!(session.end(), 0);
}

fn ask(data: &Path, arguments: &[&str]) -> (i32, String, String) {
    let mut all = arguments.to_vec();
    all.extend(["--data", text(data)]);
    let output = run(&all, b"");
    (code(&output), out(&output), err(&output))
}

fn lines(said: &str) -> Vec<Value> {
    said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_feed_a_turnover_and_a_past_trial_balance() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path();
    books(data);

    let (exit, said, _) = ask(data, &["feed"]);
    let all = lines(&said);
    let kinds: Vec<&str> = all.iter().map(|line| line["change"].as_str().unwrap()).collect();
    assert_eq!((exit, kinds), (0, vec!["opened", "opened", "transfer", "burned", "transfer"]));
    assert_eq!(all[2]["transfer"]["id"], json!("11"));
    assert_eq!(all[0]["account"]["id"], json!("1"));
    assert_eq!(all[0]["account"]["debits_posted"], json!("0"), "as it was opened");
    let from = all[2]["position"].as_str().unwrap();
    assert_eq!(lines(&ask(data, &["feed", "--from", from]).1), all[3..]);
    assert_eq!(lines(&ask(data, &["feed", "--limit", "1"]).1), all[..1]);
    assert_eq!(lines(&ask(data, &["feed", "--code", "8"]).1), all[4..]);
    let (exit, _, said) = ask(data, &["feed", "--from", "1.1.5"]);
    assert!(exit == 1 && said.contains("another ledger or shard"), "{exit} {said}");
    assert_eq!(ask(data, &["feed", "--from", "x"]).0, 2);

    let (exit, said, _) = ask(data, &["turnover", "--by-day", "--json"]);
    let found: Value = serde_json::from_str(&said).unwrap();
    let line = |date: &str, code, posted: &str| json!({"date": date, "ledger": 156, "code": code, "posted_count": 1, "posted": posted, "reserved_count": 0, "reserved": "0"});
    assert_eq!(exit, 0);
    assert_eq!(found["lines"], json!([line("2026-03-02", 9, "10000"), line("2026-03-03", 8, "2500")]));
    let (_, said, _) = ask(data, &["turnover", "--from", "2026-03-03"]);
    assert!(said.contains("25.00") && !said.contains("100.00"), "{said}");

    for (as_of, debits) in [("2026-03-01", "0"), ("2026-03-02", "10000"), ("2026-03-03", "12500")] {
        let (exit, said, _) = ask(data, &["trial-balance", "--as-of", as_of, "--json"]);
        let found: Value = serde_json::from_str(&said).unwrap();
        assert_eq!((exit, &found["balanced"]), (0, &json!(true)));
        assert_eq!(found["lines"][0]["debits"], json!(debits), "{as_of}");
    }
}

#[test]
fn who_follows_a_directory_hears_what_others_write_to_it() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path();
    books(data);
    let mut follower = fen::fen(&["feed", "--follow", "--limit", "6", "--data", text(data)])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(follower.stdout.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<Value>(&told.next().unwrap().unwrap()).unwrap();
    let before: Vec<Value> = (0..5).map(|_| next()).collect();
    assert_eq!(before[4]["change"], json!("transfer"));
    // The follower may just be looking: whoever writes asks again.
    let account = br#"{"op":"create_accounts","events":[{"id":77,"ledger":156,"code":1}]}"#;
    let deadline = Instant::now() + Duration::from_mins(1);
    while code(&run(&["exec", "--data", text(data)], account)) != 0 {
        assert!(Instant::now() < deadline, "the directory comes free");
        std::thread::yield_now();
    }
    assert_eq!(next()["account"]["id"], json!("77"));
    assert_eq!(follower.wait().unwrap().code(), Some(0), "the limit is reached");
}
