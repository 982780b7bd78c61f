//! Loan commands in JSON with fields from anywhere: each line is refused in words or carried out, never a panic, and
//! loans agree with control accounts after each.

#![allow(clippy::unwrap_used, reason = "a panic in a test is its report")]

use fen_book::loan::command::{LoanCommand, LoanReply};
use fen_book::{Account, AccountFlags, AccountId, Book, Code, Command, LedgerCode, Recall, Reply, Stamp};
use fen_json::loans::{LOAN_OPS, LoanEvent};
use fen_json::order::{Order, order};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// A value for a field: mostly of the right kind, from the edges of what there is; now and then of any kind.
fn value(field: &'static str) -> BoxedStrategy<Value> {
    let text = |choices: &'static [&'static str]| prop::sample::select(choices).prop_map(Value::from).boxed();
    let date = || {
        let near = (0..900_i32)
            .prop_map(|day| Value::from(fen_terms::Day::from_number(17_800 + day).unwrap().to_string()));
        prop_oneof![8 => near, 1 => text(&["1900-01-01", "1970-01-01", "2200-12-31", "2026-02-30", "now"])]
            .boxed()
    };
    let right = match field {
        "id" | "event_id" | "owner" => (0..24_u32).prop_map(Value::from).boxed(),
        "loan_id" | "product_id" => (0..4_u32).prop_map(Value::from).boxed(),
        "account_id" => (0..5_u32).prop_map(Value::from).boxed(),
        "amount" | "amount_min" | "amount_max" => prop_oneof![
            6 => (1..50_000_000_u64).prop_map(|amount| Value::from(amount.to_string())),
            1 => text(&["0", "1", "1000000000000000000", "1000000000000000001", "max", "-1", "x"]),
        ]
        .boxed(),
        "effective_on" | "due_on" | "from" | "to" | "first_due_on" | "through" => date(),
        "due_dates" => prop::collection::vec(date(), 0..5).prop_map(Value::from).boxed(),
        "annual_rate" | "daily_rate" | "rate" | "rate_max" | "down_payment_percent" => {
            text(&["0", "0.05", "3.7", "12", "100", "10000", "10001", "0.000000000000001", "x"])
        }
        "penalty_multiple" => text(&["0", "1.5", "100", "101"]),
        "periods" | "draws_max" | "write_off_after_days" => {
            prop_oneof![6 => (1..40_u32).prop_map(Value::from), 1 => Just(json!(1_200)), 1 => Just(json!(65_536)), 1 => Just(json!(0))].boxed()
        }
        "settlement_bears_interest_to" => text(&["settlement_day", "next_due_day"]),
        "down_payment_from" => text(&["repayment", "draw"]),
        "kind" => text(&["fee", "penalty", "tax"]),
        "amortisation" => text(&["equal_instalment", "equal_principal", "interest_only", "bullet"]),
        "interest" => text(&["declining", "flat"]),
        "interest_accrual" => text(&["daily", "per_period"]),
        "day_count" => text(&["act/365", "act/360", "act/act", "act/364", "30/360", "30/365"]),
        "prepayment" => text(&["keep_instalments", "shorten_term", "smaller_instalments", "full_settlement_only"]),
        "interest_on" => text(&["schedule", "balance"]),
        "in_advance" => text(&["next_instalments", "last_instalments", "spread"]),
        "later_draws" => text(&["remaining_term", "whole_term"]),
        "flat_base" => text(&["financed", "drawn"]),
        "period" => (prop::sample::select(vec!["day", "week", "month"]), 0..4_u32)
            .prop_map(|(unit, every)| json!({"unit": unit, "every": every}))
            .boxed(),
        "grace" => (0..4_u32, 0..4_u32, 0..4_u32)
            .prop_map(|(a, b, c)| json!({"principal": a, "interest": b, "interest_free": c}))
            .boxed(),
        "rounding" => prop::sample::select(vec!["half_even", "up", "down"])
            .prop_map(|mode| json!({"mode": mode, "to": "1", "instalment_to": "100"}))
            .boxed(),
        "fees" => Just(json!({"disbursement": {"percent": "1"}, "instalment": {"amount": "7"}, "late": {"amount": "5", "percent": "1"}})).boxed(),
        "holidays" => Just(json!({"roll": "modified_following", "weekend": ["saturday", "sunday"]})).boxed(),
        "subsidy" => Just(json!({"party": 1, "points": "1", "share_max": "50", "per_borrower": "5000"})).boxed(),
        "compensation" => Just(json!({"party": 1, "share": "80"})).boxed(),
        "funders" => Just(json!([{"id": 1, "share": "33.33"}])).boxed(),
        _ => any::<bool>().prop_map(Value::from).boxed(),
    };
    prop_oneof![40 => right, 1 => text(&["", "0x", "null"]), 1 => Just(Value::Null), 1 => Just(json!([1]))]
        .boxed()
}

/// Some of these fields, each with a value.
fn object(
    sure: &'static [&'static str],
    maybe: &'static [&'static str],
) -> BoxedStrategy<Map<String, Value>> {
    let always: Vec<_> =
        sure.iter().map(|field| value(field).prop_map(move |value| Some((*field, value))).boxed()).collect();
    let sometimes: Vec<_> = maybe
        .iter()
        .map(|field| prop::option::weighted(0.2, value(field).prop_map(move |value| (*field, value))).boxed())
        .collect();
    (always, sometimes)
        .prop_map(|(always, sometimes)| {
            let fields = always.into_iter().chain(sometimes).flatten();
            fields.map(|(name, value)| (name.to_owned(), value)).collect()
        })
        .boxed()
}

const TERMS: &[&str] = &[
    "due_dates",
    "first_due_on",
    "amortisation",
    "interest",
    "interest_accrual",
    "day_count",
    "rounding",
    "period",
    "down_payment_percent",
    "flat_base",
    "grace",
    "later_draws",
];

const RULES: &[&str] = &[
    "amortisation",
    "interest",
    "interest_accrual",
    "day_count",
    "rounding",
    "grace",
    "later_draws",
    "in_advance",
    "prepayment",
    "interest_on",
    "settlement_day_bears_interest",
    "settlement_bears_interest_to",
    "down_payment_from",
    "penalty_multiple",
    "auto_debit",
    "partial_collection",
    "fees",
    "holidays",
    "draws_max",
    "write_off_after_days",
    "subsidy",
    "compensation",
    "funders",
    "amount_min",
    "rate_max",
    "down_payment_percent",
];

fn line() -> BoxedStrategy<Value> {
    let of = |op: &'static str, fields: BoxedStrategy<Map<String, Value>>| {
        fields
            .prop_map(move |mut fields| {
                fields.insert("op".to_owned(), Value::from(op));
                Value::Object(fields)
            })
            .boxed()
    };
    let lines = LOAN_OPS.iter().map(|op| {
        let sure: &'static [&'static str] = match *op {
            "open_line" | "disburse" => &[
                "id",
                "loan_id",
                "product_id",
                "account_id",
                "amount",
                "effective_on",
                "annual_rate",
                "periods",
            ],
            "charge" => &["id", "loan_id", "kind", "amount", "effective_on"],
            "waive" | "reverse" => &["id", "loan_id", "event_id"],
            "sell" => &["id", "loan_id", "owner"],
            "reschedule" | "charge_off" | "write_off" => &["id", "loan_id"],
            _ => &["id", "loan_id", "amount"],
        };
        let maybe: &'static [&'static str] = match *op {
            "open_line" | "disburse" => TERMS,
            "charge" => &["due_on"],
            "waive" => &["kind", "amount", "effective_on"],
            "reschedule" => {
                &["from", "to", "rate", "periods", "first_due_on", "period", "reamortise", "effective_on"]
            }
            "repay" => &["account_id", "in_advance", "effective_on"],
            "prepay" | "refund" | "chargeback" | "recover" => &["account_id", "effective_on"],
            _ => &["effective_on"],
        };
        let weight = if matches!(*op, "disburse" | "repay" | "reschedule") { 4 } else { 1 };
        (weight, of(op, object(sure, maybe)))
    });
    let day_end = of("day_end", object(&["through"], &[]));
    let further_draw =
        of("disburse", object(&["id", "loan_id", "product_id", "amount"], &["account_id", "effective_on"]));
    let others = [(4, day_end), (4, further_draw)];
    prop::strategy::Union::new_weighted(lines.chain(others).collect()).boxed()
}

fn product() -> BoxedStrategy<Value> {
    object(&["period"], RULES)
        .prop_map(|mut fields| {
            fields.insert("op".to_owned(), Value::from("put_product"));
            fields.insert("ledger".to_owned(), json!(156));
            Value::Object(fields)
        })
        .boxed()
}

/// How many cases a run has: a few, or as many as `PROPTEST_CASES` says.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(96)
}

/// A book and its clock.
struct World {
    book: Book,
    clock: u64,
}

impl World {
    fn new() -> Self {
        let mut world = Self { book: Book::new(), clock: 1_000 };
        let accounts: Vec<Account> = (1..4_u128)
            .map(|id| Account {
                id: AccountId::new(id),
                ledger: LedgerCode::new(if id == 3 { 978 } else { 156 }),
                code: Code::new(1),
                flags: if id == 2 {
                    AccountFlags::DEBITS_MUST_NOT_EXCEED_CREDITS
                } else {
                    AccountFlags::NONE
                },
                ..Account::default()
            })
            .collect();
        world.run(&Command::CreateAccounts(&accounts));
        world
    }

    fn run(&mut self, command: &Command<'_>) -> Reply {
        self.clock += command.stamp_count() as u64;
        self.book.apply(command, Stamp::new(self.clock), &Recall::nothing())
    }

    fn loans(&mut self, command: &LoanCommand) -> LoanReply {
        let body = command.encode();
        assert_eq!(LoanCommand::decode(&body).as_ref(), Ok(command), "commands go there and back");
        let Reply::Loans(reply) = self.run(&Command::Loans(&body)) else { panic!("loans are answered") };
        assert_eq!(self.book.loans().audit(self.book.accounts()), Vec::<String>::new());
        reply
    }

    fn line(&mut self, line: &Value) {
        let text = line.to_string();
        let json = fen_json::parse(&text).unwrap();
        match order(&json) {
            Err(_) => {}
            Ok(Order::PutProducts(products)) => {
                for product in products {
                    self.loans(&LoanCommand::PutProduct(Box::new(product)));
                }
            }
            Ok(Order::Loans(_, events)) => {
                let orders = events.into_iter().map(LoanEvent::order).collect();
                self.loans(&LoanCommand::Orders(orders));
            }
            Ok(Order::DayEnd(through)) => loop {
                let LoanReply::DayEnd(chunk) = self.loans(&LoanCommand::DayEnd { through, loans_max: 0 })
                else {
                    panic!("a day-end is answered")
                };
                if chunk.is_done {
                    break;
                }
            },
            Ok(other) => panic!("no loan line: {other:?}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_line_breaks_the_books(
        products in prop::collection::vec(product(), 1..3),
        lines in prop::collection::vec(line(), 1..40),
    ) {
        let mut world = World::new();
        for (id, mut product) in (1_u32..).zip(products) {
            product["id"] = json!(id);
            world.line(&product);
        }
        for line in &lines {
            world.line(line);
        }
    }
}

#[test]
fn control_accounts_may_turn_over_more_than_a_loan_may_owe() {
    let mut world = World::new();
    world.line(&json!({"op": "put_product", "id": 1, "ledger": 156, "period": {"every": 1, "unit": "day"}}));
    world.line(&json!({
        "op": "disburse", "id": 1, "loan_id": 1, "product_id": 1, "account_id": 1, "periods": 1,
        "amount": "1000000000000000000", "annual_rate": "100", "effective_on": "2018-09-26",
    }));
    world.line(&json!({"op": "day_end", "through": "2019-05-27"}));
}
