//! A loan in the books falls due as `fen schedule` says, whatever its terms: the same words mean the same on both
//! sides.

mod fen;

use fen::{code, err, out, run};
use serde_json::{Map, Value, json};

/// Every combination of these with every other; each a product of its own.
const SHAPES: &[(&str, &[&str])] = &[
    ("amortisation", &["equal_instalment", "equal_principal", "interest_only", "bullet"]),
    ("interest", &["declining", "flat"]),
    ("interest_accrual", &["daily", "per_period"]),
    ("day_count", &["act/365", "act/act", "30/360"]),
];

/// What is added to a combination, in turn.
fn extras() -> [Value; 4] {
    [
        json!({}),
        json!({"grace": {"principal": 2, "interest": 1, "interest_free": 0}}),
        json!({"down_payment_percent": "25", "rounding": {"mode": "half_up", "to": "0.01", "instalment_to": "1.00"}}),
        json!({"daily_rate": "0.05", "annual_rate": null, "period": {"unit": "week", "every": 2}}),
    ]
}

fn shapes() -> Vec<Map<String, Value>> {
    let mut shapes = vec![Map::new()];
    for (field, choices) in SHAPES {
        shapes = (shapes.into_iter())
            .flat_map(|shape| {
                choices.iter().map(move |choice| {
                    let mut shape = shape.clone();
                    shape.insert((*field).to_owned(), json!(choice));
                    shape
                })
            })
            .collect();
    }
    for (shape, extra) in shapes.iter_mut().zip(extras().iter().cycle()) {
        shape.insert("annual_rate".into(), json!("7.2"));
        shape.insert("periods".into(), json!(6));
        shape.insert("period".into(), json!({"unit": "month", "every": 1}));
        shape.insert("rounding".into(), json!({"mode": "half_even", "to": "0.01"}));
        for (field, value) in extra.as_object().expect("an object") {
            shape.insert(field.clone(), value.clone());
        }
    }
    shapes
}

/// Due day, principal and interest of every row, in minor units.
fn planned(shape: &Map<String, Value>) -> Vec<(String, String, String)> {
    let mut terms = shape.clone();
    terms.insert("principal".into(), json!("12345.67"));
    terms.insert("currency".into(), json!("CNY"));
    terms.insert("disbursed_on".into(), json!("2024-01-31"));
    let output = run(&["schedule"], Value::Object(terms).to_string().as_bytes());
    assert_eq!(code(&output), 0, "{}", err(&output));
    let schedule: Value = serde_json::from_str(&out(&output)).expect("JSON");
    let minor = |money: &Value| text(money).replace('.', "").trim_start_matches('0').to_owned();
    let row = |row: &Value| (text(&row["due"]), minor(&row["principal"]), minor(&row["interest"]));
    schedule["instalments"].as_array().expect("rows").iter().map(row).collect()
}

fn booked(line: &Value) -> Vec<(String, String, String)> {
    let loan = &line["results"][0];
    let minor = |money: &Value| text(money).trim_start_matches('0').to_owned();
    let row =
        |row: &Value| (text(&row["due_on"]), minor(&row["due"]["principal"]), minor(&row["due"]["interest"]));
    loan["instalments"].as_array().expect("rows").iter().map(row).collect()
}

fn text(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}

#[test]
fn a_booked_loan_falls_due_as_its_schedule_says() {
    let shapes = shapes();
    let mut commands =
        vec![json!({"op": "create_accounts", "events": [{"id": "1001", "ledger": 156, "code": 1}]})];
    for (index, shape) in shapes.iter().enumerate() {
        let mut product = shape.clone();
        product.insert("op".into(), json!("put_product"));
        product.insert("id".into(), json!(format!("{}", index + 1)));
        product.insert("ledger".into(), json!(156));
        commands.push(Value::Object(product));
        commands.push(json!({
            "op": "disburse", "id": format!("{}", 5_000 + index), "loan_id": format!("{}", 9_000 + index),
            "product_id": format!("{}", index + 1), "account_id": "1001", "amount": "1234567",
            "effective_on": "2024-01-31"
        }));
        commands.push(json!({"op": "lookup_loans", "ids": [format!("{}", 9_000 + index)]}));
    }
    let input = commands.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
    let output = run(&["exec"], input.as_bytes());
    assert_eq!(code(&output), 0, "{}", err(&output));
    let answers = out(&output);
    let lookups = answers.lines().filter(|line| line.contains("\"lookup_loans\""));
    let booked: Vec<_> = lookups.map(|line| booked(&serde_json::from_str(line).expect("JSON"))).collect();
    assert_eq!(booked.len(), shapes.len());
    for (shape, booked) in shapes.iter().zip(booked) {
        assert_eq!(booked, planned(shape), "{}", Value::Object(shape.clone()));
    }
}
