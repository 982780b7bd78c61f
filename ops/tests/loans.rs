//! Loans through `fen exec`, as a program would drive them.

#![allow(clippy::unwrap_used, reason = "a panic is a test's report")]

mod fen;

use fen::Session;
use serde_json::{Value, json};

fn ask(session: &mut Session, command: &Value) -> Value {
    session.ask(&command.to_string())
}

fn status(session: &mut Session, command: &Value) -> String {
    let reply = ask(session, command);
    reply["results"][0]["status"].as_str().unwrap_or_else(|| panic!("{reply}")).to_owned()
}

fn microloan() -> Value {
    json!({"op": "put_product", "events": [{
        "id": "7", "ledger": 156, "daily_rate": "0.05", "period": {"unit": "month", "every": 1},
        "amortisation": "equal_principal", "interest": "declining", "interest_accrual": "daily",
        "day_count": "act/365", "rounding": {"mode": "half_up", "to": "1"}, "penalty_multiple": "1.5",
        "amount_min": "50000", "amount_max": "30000000",
    }]})
}

fn lent() -> Session {
    let mut session = Session::start(&[]);
    let account = json!({"op": "create_accounts", "events": [{"id": "1", "ledger": 156, "code": 1}]});
    assert_eq!(status(&mut session, &account), "created");
    assert_eq!(status(&mut session, &microloan()), "created");
    let disburse = json!({"op": "disburse", "events": [{
        "id": "100", "loan_id": "5", "product_id": "7", "account_id": "1", "amount": "1000000",
        "effective_on": "2018-09-11", "periods": 5, "score": 720,
    }]});
    assert_eq!(status(&mut session, &disburse), "created");
    assert_eq!(status(&mut session, &disburse), "exists");
    session
}

fn look_up(session: &mut Session) -> Value {
    ask(session, &json!({"op": "lookup_loans", "ids": ["5"]}))["results"][0].clone()
}

#[test]
fn a_loan_is_lent_repaid_late_and_looked_up() {
    let mut session = lent();
    let interest = |loan: &Value| -> Vec<String> {
        let rows = loan["instalments"].as_array().unwrap().iter();
        rows.map(|row| row["due"]["interest"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(interest(&look_up(&mut session)), ["15000", "12400", "9000", "6200", "3100"]);
    let closed = ask(&mut session, &json!({"op": "day_end", "through": "2018-10-20"}));
    assert_eq!(closed["results"][0]["business_date"], "2018-10-21");
    let loan = look_up(&mut session);
    assert_eq!(
        (&loan["days_past_due"], &loan["class"], &loan["stage"]),
        (&json!(10), &json!("special_mention"), &json!(1))
    );
    assert_eq!(loan["instalments"][0]["due"]["penalties"], "1500");
    let repay = json!({"op": "repay", "id": "101", "loan_id": "5", "account_id": "1", "amount": "216500",
        "effective_on": "2018-10-21"});
    assert_eq!(status(&mut session, &repay), "created");
    let loan = look_up(&mut session);
    assert_eq!(
        loan["instalments"][0]["paid_late"],
        json!({
        "principal": "200000", "interest": "15000", "fees": "0", "penalties": "1500"})
    );
    assert_eq!((&loan["state"], &loan["balances"]["principal"]), (&json!("active"), &json!("800000")));
    assert_eq!(status(&mut session, &json!({"op": "reverse", "event_id": "101"})), "created");
    assert_eq!(status(&mut session, &json!({"op": "reverse", "event_id": "101"})), "exists");
    assert_eq!(look_up(&mut session)["balances"]["principal"], "1000000");
    let account = ask(&mut session, &json!({"op": "lookup_accounts", "ids": ["1"]}));
    assert_eq!(account["results"][0]["credits_posted"], "1216500");
    assert_eq!(session.end(), 0);
}

#[test]
fn a_wrong_field_is_named_and_a_refusal_has_a_name() {
    let mut session = lent();
    let wrong = ask(&mut session, &json!({"op": "repay", "events": [{"id": "1", "loan": "5"}]}));
    assert_eq!(wrong["error"]["field"], "events[0].loan");
    let wrong =
        ask(&mut session, &json!({"op": "put_product", "id": "8", "allocation": {"order": ["due.fee"]}}));
    assert_eq!(wrong["error"]["field"], "allocation.order");
    let refused = |session: &mut Session, command: Value| status(session, &command);
    let future = json!({"op": "charge_off", "id": "9", "loan_id": "5", "effective_on": "2018-09-12"});
    assert_eq!(refused(&mut session, future), "effective_on_must_not_follow_business_date");
    let nobody = json!({"op": "write_off", "id": "9", "loan_id": "6", "effective_on": "2018-09-11"});
    assert_eq!(refused(&mut session, nobody), "loan_not_found");
    let yesterday = json!({"op": "day_end", "through": "2018-09-10"});
    assert_eq!(refused(&mut session, yesterday), "day_already_closed");
    assert_eq!(ask(&mut session, &json!({"op": "lookup_loans", "ids": ["6"]}))["results"], json!([null]));
    assert_eq!(session.end(), 1);
}

#[test]
fn loans_outlive_the_process() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().to_str().unwrap();
    let mut session = Session::start(&["--data", data]);
    let account = json!({"op": "create_accounts", "events": [{"id": "1", "ledger": 156, "code": 1}]});
    status(&mut session, &account);
    status(&mut session, &microloan());
    let disburse = json!({"op": "disburse", "id": "100", "loan_id": "5", "product_id": "7", "account_id": "1",
        "amount": "1000000", "effective_on": "2018-09-11", "periods": 5});
    assert_eq!(status(&mut session, &disburse), "created");
    let before = look_up(&mut session);
    assert_eq!(session.end(), 0);
    let mut session = Session::start(&["--data", data]);
    assert_eq!(look_up(&mut session), before);
    assert_eq!(status(&mut session, &disburse), "exists");
    assert_eq!(session.end(), 0);
}

/// A product of `ops/examples/products`, as a command.
fn example(name: &str) -> Value {
    let path = format!("{}/examples/products/{name}.toml", env!("CARGO_MANIFEST_DIR"));
    let product: toml::Table = std::fs::read_to_string(path).unwrap().parse().unwrap();
    json!({"op": "put_product", "events": [serde_json::to_value(product).unwrap()]})
}

/// The totals of a loan's rows: due day, principal, interest.
fn rows(loan: &Value) -> Vec<(String, i64, i64)> {
    let amount = |row: &Value, part: &str| row["due"][part].as_str().unwrap().parse().unwrap();
    let text = |row: &Value| row["due_on"].as_str().unwrap().to_owned();
    let rows = loan["instalments"].as_array().unwrap().iter();
    rows.map(|row| (text(row), amount(row, "principal"), amount(row, "interest"))).collect()
}

/// Lends by an example product, and looks the loan up.
fn lend_by(name: &str, amount: &str, on: &str, own: &Value) -> (Session, Value) {
    let mut session = Session::start(&[]);
    let account = json!({"op": "create_accounts", "events": [{"id": "1", "ledger": 156, "code": 1}]});
    assert_eq!(status(&mut session, &account), "created");
    let product = example(name);
    assert_eq!(status(&mut session, &product), "created", "{name}");
    assert_eq!(status(&mut session, &product), "exists", "{name}");
    let mut event = json!({"id": "100", "loan_id": "5", "account_id": "1", "amount": amount, "effective_on": on,
        "product_id": product["events"][0]["id"]});
    event.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
    assert_eq!(status(&mut session, &json!({"op": "disburse", "events": [event]})), "created", "{name}");
    let loan = look_up(&mut session);
    (session, loan)
}

#[test]
fn every_example_product_lends_as_its_first_lines_say() {
    let (_, loan) =
        lend_by("microloan", "250000", "2018-07-12", &json!({"daily_rate": "0.05", "periods": 5}));
    let interest: Vec<i64> = rows(&loan).iter().map(|row| row.2).collect();
    assert_eq!(interest, [3_875, 3_100, 2_250, 1_550, 750], "periods of 31, 31, 30, 31 and 30 days");

    let (_, loan) =
        lend_by("consumer-loan", "1200000", "2026-01-31", &json!({"annual_rate": "12", "periods": 12}));
    let levels: Vec<i64> = rows(&loan).iter().map(|row| row.1 + row.2).collect();
    assert_eq!((levels[0], levels[10]), (106_619, 106_619), "12,000 at 1 % a month over twelve");
    assert_eq!(rows(&loan)[0].0, "2026-02-28", "clamped to the month's end");

    let (_, loan) = lend_by("tuition", "2500000", "2026-09-01", &json!({}));
    let first = rows(&loan)[0].clone();
    assert_eq!(first, ("2026-09-01".into(), 500_000, 0), "a fifth, on the day");
    assert_eq!(rows(&loan).iter().map(|row| row.1).sum::<i64>(), 2_500_000);

    let (_, loan) = lend_by("home-renovation", "30000000", "2026-01-15", &json!({}));
    assert_eq!(rows(&loan).len(), 96);
    assert_eq!(rows(&loan)[0], ("2026-02-15".into(), 269_006, 92_500));

    let (_, loan) = lend_by("start-up", "9000000", "2026-01-01", &json!({"annual_rate": "6", "periods": 12}));
    let principal: Vec<i64> = rows(&loan).iter().map(|row| row.1).take(4).collect();
    assert_eq!(principal, [0, 0, 0, 1_000_000]);

    let own = json!({"annual_rate": "4.5", "collateral": "77"});
    let (_, loan) = lend_by("technology", "5000000000", "2026-01-01", &own);
    assert_eq!(
        rows(&loan)[0],
        ("2026-02-01".into(), 0, 19_375_000),
        "31 days of 50 million at 4.5 % over 360"
    );
    assert_eq!((rows(&loan)[35].1, &loan["collateral"]), (5_000_000_000, &json!("77")));

    let (_, loan) = lend_by("receivable", "10000000", "2026-01-01", &json!({"annual_rate": "6"}));
    assert_eq!(rows(&loan), [("2026-04-01".into(), 10_000_000, 150_000)]);
}

#[test]
fn an_example_product_refuses_what_it_does_not_lend() {
    let (mut session, _) =
        lend_by("microloan", "1000000", "2026-03-01", &json!({"daily_rate": "0.05", "periods": 10}));
    let mut refusal = |own: Value| {
        let mut event = json!({"id": "101", "loan_id": "6", "product_id": "101", "account_id": "1",
            "amount": "1000000", "effective_on": "2026-03-01", "daily_rate": "0.04", "periods": 5});
        event.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
        status(&mut session, &json!({"op": "disburse", "events": [event]}))
    };
    assert_eq!(refusal(json!({"daily_rate": "0.06"})), "rate_outside_product");
    assert_eq!(refusal(json!({"periods": 21})), "periods_outside_product");
    assert_eq!(refusal(json!({"day_count": "act/360"})), "term_fixed_by_product");
    assert_eq!(refusal(json!({"amount": "49999"})), "amount_below_product_minimum");
    assert_eq!(refusal(json!({"product_id": "9"})), "product_not_found");
    assert_eq!(refusal(json!({"account_id": "9"})), "account_not_found");
    assert_eq!(refusal(json!({"amount": "0"})), "amount_must_not_be_zero");
}
