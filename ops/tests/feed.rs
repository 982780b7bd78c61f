//! `fen feed`, `fen turnover` and `fen trial-balance --as-of` on one small ledger.

#![allow(clippy::unwrap_used, reason = "a panic is a test's report")]

mod fen;

use fen::{Session, code, err, out, run, text};
use serde_json::{Value, json};
use std::collections::BTreeMap;
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
    assert_eq!(
        (exit, kinds),
        (0, vec!["opened", "opened", "applied", "transfer", "burned", "applied", "transfer"])
    );
    assert_eq!(all[2]["command"]["op"], json!("day_end"));
    assert_eq!(all[2]["command"]["through"], json!("2026-03-01"));
    assert_eq!(all[3]["transfer"]["id"], json!("11"));
    assert_eq!(all[0]["account"]["id"], json!("1"));
    assert_eq!(all[0]["account"]["debits_posted"], json!("0"), "as it was opened");
    let from = all[2]["position"].as_str().unwrap();
    assert_eq!(lines(&ask(data, &["feed", "--from", from]).1), all[3..]);
    assert_eq!(lines(&ask(data, &["feed", "--limit", "1"]).1), all[..1]);
    assert_eq!(lines(&ask(data, &["feed", "--code", "8"]).1), all[6..]);
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
    let mut follower = fen::fen(&["feed", "--follow", "--limit", "8", "--data", text(data)])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(follower.stdout.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<Value>(&told.next().unwrap().unwrap()).unwrap();
    let before: Vec<Value> = (0..7).map(|_| next()).collect();
    assert_eq!(before[6]["change"], json!("transfer"));
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

/// What a reader of the feed knows of an account, a loan's or a bank's.
#[derive(Default, PartialEq, Debug)]
struct Known {
    debits: u128,
    credits: u128,
    limit: u128,
}

#[test]
fn a_book_made_again_from_the_feed_alone_has_the_same_balances() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path();
    let mut session = Session::start(&["--data", text(data)]);
    let commands = [
        json!({"op": "create_accounts", "events": [{"id": "1", "ledger": 156, "code": 1},
            {"id": "2", "ledger": 156, "code": 2, "flags": ["debits_must_not_exceed_credits"]}]}),
        json!({"op": "set_limits", "events": [{"account_id": "2", "limit": "700"}, {"account_id": "1", "limit": "5"}]}),
        json!({"op": "put_product", "id": "7", "ledger": 156, "daily_rate": "0.05", "periods": 5,
            "period": {"unit": "month", "every": 1}, "amortisation": "equal_principal",
            "rounding": {"mode": "half_up", "to": "1"}}),
        json!({"op": "disburse", "id": "100", "loan_id": "5", "product_id": "7", "account_id": "2",
            "amount": "90000", "effective_on": "2026-03-02"}),
        json!({"op": "create_transfers", "events": [{"id": "11", "debit_account_id": "2",
            "credit_account_id": "1", "amount": "90700", "ledger": 156, "code": 9}]}),
        json!({"op": "charge", "id": "101", "loan_id": "5", "kind": "fee", "amount": "300",
            "effective_on": "2026-03-02", "due_on": "2026-04-02"}),
        json!({"op": "waive", "id": "102", "event_id": "101", "effective_on": "2026-03-02"}),
        json!({"op": "reschedule", "id": "103", "loan_id": "5", "from": "2026-04-02", "to": "2026-04-10",
            "effective_on": "2026-03-02"}),
        json!({"op": "set_limits", "events": [{"account_id": "2", "limit": "800"}]}),
        json!({"op": "day_end", "through": "2026-04-12"}),
    ];
    for command in &commands {
        let reply = session.ask(&command.to_string());
        assert!(reply.get("error").is_none(), "{command}: {reply}");
    }
    assert_eq!(session.end(), 0);

    let (exit, said, _) = ask(data, &["feed"]);
    let all = lines(&said);
    assert_eq!(exit, 0);
    let told: Vec<String> = all
        .iter()
        .filter_map(|line| Some(line.get("command")?["op"].as_str()?.to_owned()))
        .filter(|op| op != "day_end")
        .collect();
    assert_eq!(told, ["set_limits", "put_product", "charge", "waive", "reschedule", "set_limits"]);
    let amount = |json: &Value| json.as_str().unwrap().parse::<u128>().unwrap();
    let mut books: BTreeMap<String, Known> = BTreeMap::new();
    let mut business_date = String::new();
    for line in &all {
        match line["change"].as_str().unwrap() {
            "opened" => {
                let id = line["account"]["id"].as_str().unwrap().to_owned();
                assert_eq!(books.insert(id, Known::default()), None, "an account is opened once");
            }
            "transfer" => {
                let transfer = &line["transfer"];
                let id = |side: &str| transfer[side].as_str().unwrap().to_owned();
                books.get_mut(&id("debit_account_id")).unwrap().debits += amount(&transfer["amount"]);
                books.get_mut(&id("credit_account_id")).unwrap().credits += amount(&transfer["amount"]);
            }
            "applied" if line["command"]["op"] == "set_limits" => {
                let command = &line["command"];
                books.get_mut(command["account_id"].as_str().unwrap()).unwrap().limit =
                    amount(&command["limit"]);
            }
            "applied" if line["command"]["op"] == "day_end" => {
                line["command"]["business_date"].as_str().unwrap().clone_into(&mut business_date);
            }
            _ => {}
        }
    }
    assert_eq!((business_date.as_str(), books["2"].limit, books["1"].limit), ("2026-04-13", 800, 0));
    let ids: Vec<&String> = books.keys().collect();
    let mut session = Session::start(&["--data", text(data)]);
    let held = session.ask(&json!({"op": "lookup_accounts", "ids": ids}).to_string());
    assert_eq!(session.end(), 0);
    for account in held["results"].as_array().unwrap() {
        let known = &books[account["id"].as_str().unwrap()];
        let held = (amount(&account["debits_posted"]), amount(&account["credits_posted"]));
        assert_eq!((known.debits, known.credits), held, "{account}");
    }
    let (_, said, _) = ask(data, &["trial-balance", "--json"]);
    let found: Value = serde_json::from_str(&said).unwrap();
    let debits: u128 = found["lines"].as_array().unwrap().iter().map(|line| amount(&line["debits"])).sum();
    assert_eq!(debits, books.values().map(|known| known.debits).sum::<u128>());

    // From behind any line the rest, and a product's own part of it.
    for (place, line) in all.iter().enumerate() {
        let from = line["position"].as_str().unwrap();
        assert_eq!(lines(&ask(data, &["feed", "--from", from]).1), all[place + 1..], "from {from}");
    }
    let of_product = lines(&ask(data, &["feed", "--product", "7"]).1);
    let count = |lines: &[Value], op: &str| lines.iter().filter(|line| line["command"]["op"] == op).count();
    for (op, times) in [("put_product", 1), ("charge", 1), ("waive", 1), ("reschedule", 1), ("set_limits", 0)]
    {
        assert_eq!(count(&of_product, op), times, "{op}");
    }
    assert_eq!(lines(&ask(data, &["feed", "--code", "9302"]).1).len(), 2);
}
