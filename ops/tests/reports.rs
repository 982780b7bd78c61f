//! What people look up: accounts, loans, the portfolio, the trial balance, and closing days.

#![allow(clippy::unwrap_used, reason = "a panic is a test's report")]

mod fen;

use fen::{code, err, out, run, text};
use serde_json::{Value, json};
use std::path::Path;

/// Books with two loans of the microloan: one paid in time, one not at all; and one line not drawn.
fn books(directory: &Path) {
    let product: toml::Table = include_str!("../examples/products/microloan.toml").parse().unwrap();
    let mut product = serde_json::to_value(product).unwrap();
    product["auto_debit"] = json!(false);
    let lend = |op: &str, id: u32, loan: u32, account: u32, first: bool| {
        json!({"op": op, "id": id.to_string(), "loan_id": loan.to_string(), "product_id": "101",
            "account_id": account.to_string(), "amount": "1000000", "effective_on": "2018-09-11",
            "daily_rate": "0.05", "periods": 5, "first_time_borrower": first, "decision": "77", "score": 640})
    };
    let commands = [
        json!({"op": "create_accounts", "events": [{"id": "1", "ledger": 156, "code": 1},
            {"id": "2", "ledger": 156, "code": 1}]}),
        json!({"op": "put_product", "events": [product]}),
        lend("disburse", 100, 5, 1, true),
        lend("disburse", 101, 6, 2, false),
        lend("open_line", 102, 7, 2, false),
        json!({"op": "day_end", "through": "2018-10-10"}),
        json!({"op": "repay", "id": "103", "loan_id": "5", "account_id": "1", "amount": "215000",
            "effective_on": "2018-10-11"}),
    ];
    let input = commands.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
    let output = run(&["exec", "--data", text(directory)], input.as_bytes());
    assert_eq!(code(&output), 0, "{}", out(&output));
    assert!(!out(&output).contains("must") && !out(&output).contains("not_found"), "{}", out(&output));
}

fn in_json(directory: &Path, command: &[&str]) -> Value {
    let arguments: Vec<&str> = command.iter().copied().chain(["--data", text(directory), "--json"]).collect();
    let output = run(&arguments, b"");
    assert_eq!(code(&output), 0, "{command:?}: {}{}", out(&output), err(&output));
    serde_json::from_str(&out(&output)).unwrap()
}

fn in_words(directory: &Path, command: &[&str]) -> String {
    let arguments: Vec<&str> = command.iter().copied().chain(["--data", text(directory)]).collect();
    let output = run(&arguments, b"");
    assert_eq!(code(&output), 0, "{command:?}: {}{}", out(&output), err(&output));
    out(&output)
}

#[test]
fn the_portfolio_tells_classes_stages_vintages_and_provisions() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path();
    books(data);
    let closed = in_json(data, &["day-end", "run", "--through", "2019-01-09"]);
    assert_eq!((&closed["status"], &closed["business_date"]), (&json!("created"), &json!("2019-01-10")));
    let status = in_json(data, &["day-end", "status"]);
    assert_eq!(
        (&status["business_date"], &status["last_closed"]),
        (&json!("2019-01-10"), &json!("2019-01-09"))
    );
    let portfolio = in_json(data, &["portfolio", "--product", "101"]);
    let product = &portfolio["products"][0];
    assert_eq!(
        (&product["open"]["loans"], &product["borrowers"], &product["approved"]),
        (&json!(2), &json!(2), &json!(1))
    );
    // 91 days late is substandard; the other loan has been late for 60 days since its second instalment.
    assert_eq!(product["classes"]["substandard"]["principal"], "1000000");
    assert_eq!(product["classes"]["special_mention"]["principal"], "800000");
    assert_eq!(product["stages"]["3"]["loans"], 1);
    assert_eq!(product["ageing"][4]["loans"], 1);
    assert_eq!(product["open"]["provision"], "324000", "3 % of 8,000 and 30 % of 10,000");
    assert_eq!(product["first_time_drawn"], "1000000");
    assert_eq!(product["vintages"][0]["month"], "2018-09");
    assert_eq!(product["non_performing_parts_per_million"], 555_555);
    let words = in_words(data, &["portfolio"]);
    for line in ["non-performing ratio", "55.56 %", "first-time borrowers' share", "50.00 %", "2018-09"] {
        assert!(words.contains(line), "{line} in {words}");
    }
}

#[test]
fn loans_accounts_and_the_trial_balance_are_looked_up() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path();
    books(data);
    let loan = in_json(data, &["loan", "5"]);
    assert_eq!(
        (&loan["state"], &loan["decision"], &loan["score"]),
        (&json!("active"), &json!("77"), &json!(640))
    );
    assert_eq!(loan["instalments"][0]["paid"]["interest"], "15000");
    let words = in_words(data, &["loan", "0x5"]);
    assert!(words.contains("8,000.00") && words.contains("2018-11-11"), "{words}");
    let approved = in_json(data, &["loan", "7"]);
    assert_eq!(
        (&approved["state"], &approved["instalments"][4]["due"]["interest"]),
        (&json!("approved"), &json!("3100"))
    );
    let account = in_json(data, &["account", "1", "--entries", "2"]);
    assert_eq!(account["position"]["account"]["credits_posted"], "1000000");
    assert_eq!(account["entries"].as_array().unwrap().len(), 2);
    assert!(in_words(data, &["account", "1"]).contains("7,850.00"));
    let balance = in_json(data, &["trial-balance"]);
    assert_eq!(balance["balanced"], true);
    let words = in_words(data, &["trial-balance"]);
    assert!(words.contains("loans: principal") && words.contains("Debits equal credits."), "{words}");
}

#[test]
fn what_cannot_be_is_refused_in_words() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path();
    let nothing = run(&["loan", "5", "--data", text(data)], b"");
    assert_eq!(code(&nothing), 3, "looking makes no books");
    books(data);
    let refused = |command: &[&str]| {
        let arguments: Vec<&str> = command.iter().copied().chain(["--data", text(data)]).collect();
        let output = run(&arguments, b"");
        (code(&output), err(&output))
    };
    assert_eq!(refused(&["loan", "99"]).0, 1);
    assert_eq!(refused(&["account", "99"]).0, 1);
    assert_eq!(refused(&["account", "x"]).0, 2);
    assert_eq!(refused(&["portfolio", "--product", "99"]).0, 1);
    let again = refused(&["day-end", "run", "--through", "2018-10-10"]);
    assert!(again.0 == 1 && again.1.contains("day_already_closed"), "{again:?}");
    let far = refused(&["day-end", "run", "--through", "2108-10-10"]);
    assert!(far.0 == 1 && far.1.contains("day_must_follow_business_date"), "{far:?}");
}
