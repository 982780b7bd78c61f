//! `fen schedule` through its pipes. The arithmetic is tested where it lives; here is the edge.

#![allow(clippy::unwrap_used, reason = "a panic is a test's report")]

mod fen;

use fen::{code, err, out, run};
use serde_json::{Value, json};

const TERMS: &str = r#"{"principal": "1200.00", "currency": "CNY", "annual_rate": "12", "periods": 3,
    "period": {"unit": "month", "every": 1}, "amortisation": "equal_principal", "interest": "declining",
    "interest_accrual": "per_period", "day_count": "30/360", "disbursed_on": "2026-01-31",
    "rounding": {"mode": "half_even", "to": "0.01"}}"#;

#[test]
fn a_schedule_is_one_object_with_money_as_text() {
    let output = run(&["schedule"], TERMS.as_bytes());
    assert_eq!(code(&output), 0, "{}", err(&output));
    let schedule: Value = serde_json::from_str(&out(&output)).unwrap();
    assert_eq!(
        schedule,
        json!({
            "instalments": [
                {"n": 1, "due": "2026-02-28", "principal": "400.00", "interest": "12.00", "fees": "0.00",
                 "total": "412.00", "outstanding": "800.00"},
                {"n": 2, "due": "2026-03-31", "principal": "400.00", "interest": "8.00", "fees": "0.00",
                 "total": "408.00", "outstanding": "400.00"},
                {"n": 3, "due": "2026-04-30", "principal": "400.00", "interest": "4.00", "fees": "0.00",
                 "total": "404.00", "outstanding": "0.00"},
            ],
            "total_interest": "24.00",
            "total": "1224.00"
        })
    );
}

#[test]
fn people_may_have_a_table() {
    let output = run(&["schedule", "--table"], TERMS.as_bytes());
    assert_eq!(
        out(&output).lines().nth(1),
        Some("  1  2026-02-28     400.00     12.00  0.00  412.00       800.00")
    );
    assert_eq!(code(&run(&["schedule", "--table", "--json"], TERMS.as_bytes())), 2);
}

#[test]
fn terms_that_cannot_be_kept_name_the_field_and_the_mend() {
    for (from, to, field) in [
        ("1200.00", "0", "principal"),
        ("\"periods\": 3", "\"periods\": 0", "periods"),
        ("half_even", "half", "rounding.mode"),
        ("2026-01-31", "31.01.2026", "disbursed_on"),
        ("\"principal\": \"1200.00\",", "", "principal"),
    ] {
        let output = run(&["schedule"], TERMS.replace(from, to).as_bytes());
        assert_eq!(code(&output), 1, "{to}");
        assert_eq!(out(&output), "", "{to}");
        assert!(err(&output).starts_with(&format!("fen: {field}: ")), "{}", err(&output));
        assert!(err(&output).contains("mend: "), "{}", err(&output));
    }
    assert_eq!(code(&run(&["schedule"], b"\xff")), 1);
    assert_eq!(code(&run(&["schedule"], b"")), 1);
}
