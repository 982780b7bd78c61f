//! Every command of `fen exec` over a cluster: the same lines get the same answers as from one ledger in memory.

#![allow(clippy::unwrap_used, reason = "a panic in a test is its report")]

mod nodes;

use nodes::Nodes;

/// Anna and the baker may lie on different shards, so everything goes between a customer and the bank. All ids of
/// customers are their upper halves.
fn lines() -> String {
    let bank = u128::from(u64::MAX) << 64 | 1;
    let anna = 5_u128 << 64 | 1;
    let baker = 6_u128 << 64 | 1;
    let borrower = 7_u128 << 64 | 1;
    let lines = [
        format!(r#"{{"op":"create_accounts","events":[{{"id":"{bank}","ledger":156,"code":1}},{{"id":"{anna}","ledger":156,"code":1,"flags":["history","debits_must_not_exceed_credits"]}}]}}"#),
        format!(r#"{{"op":"create_accounts","events":[{{"id":"{baker}","ledger":156,"code":2,"flags":["debits_must_not_exceed_credits"],"limit":"70","opening_balance":{{"side":"credit","amount":"500","contra_account_id":"{bank}","transfer_id":"900"}}}},{{"id":"{borrower}","ledger":156,"code":3}}]}}"#),
        format!(r#"{{"op":"create_transfers","balances":true,"events":[{{"id":1,"debit_account_id":"{bank}","credit_account_id":"{anna}","amount":"100","ledger":156,"code":7}},{{"id":2,"debit_account_id":"{anna}","credit_account_id":"{bank}","amount":"101","ledger":156,"code":7}}]}}"#),
        format!(r#"{{"op":"create_transfers","events":[{{"id":3,"debit_account_id":"{anna}","credit_account_id":"{bank}","amount":"30","ledger":156,"code":7,"flags":["pending","linked"]}},{{"id":4,"debit_account_id":"{anna}","credit_account_id":"{bank}","amount":"20","ledger":156,"code":8,"flags":["pending"]}}]}}"#),
        format!(r#"{{"op":"lookup_positions","ids":["{anna}","{baker}","77"]}}"#),
        r#"{"op":"post_pending_chains","events":[{"id":20,"pending_id":3}]}"#.to_owned(),
        r#"{"op":"void_pending_chains","events":[{"id":30,"pending_id":3}]}"#.to_owned(),
        format!(r#"{{"op":"set_limits","events":[{{"account_id":"{baker}","limit":"10"}},{{"account_id":"{anna}","limit":"5"}}]}}"#),
        format!(r#"{{"op":"create_transfers","events":[{{"id":5,"debit_account_id":"{anna}","credit_account_id":"{bank}","amount":"1","ledger":156,"code":7,"flags":["pending"]}}]}}"#),
        r#"{"op":"create_transfers","events":[{"id":6,"pending_id":5,"flags":["void_pending_transfer"]}]}"#.to_owned(),
        format!(r#"{{"op":"lookup_accounts","ids":["{bank}","{anna}","{baker}","9"]}}"#),
        r#"{"op":"lookup_transfers","ids":[1,2,3,4,5,6,20,900]}"#.to_owned(),
        format!(r#"{{"op":"get_account_transfers","filter":{{"account_id":"{anna}","limit":10,"debits":true,"credits":true}}}}"#),
        format!(r#"{{"op":"get_account_balances","filter":{{"account_id":"{anna}","limit":10,"debits":true,"credits":true,"reversed":true}}}}"#),
        r#"{"op":"query_accounts","filter":{"ledger":156,"code":2,"limit":10}}"#.to_owned(),
        r#"{"op":"query_transfers","filter":{"code":7,"limit":3}}"#.to_owned(),
        r#"{"op":"query_transfers","filter":{"code":7,"limit":3,"reversed":true}}"#.to_owned(),
        r#"{"op":"put_product","id":1,"ledger":156,"annual_rate":"12","periods":3,"period":{"unit":"month","every":1}}"#.to_owned(),
        r#"{"op":"put_product","id":1,"ledger":156,"annual_rate":"12","periods":3,"period":{"unit":"month","every":1}}"#.to_owned(),
        r#"{"op":"put_product","id":1,"ledger":840,"annual_rate":"12","periods":3,"period":{"unit":"month","every":1}}"#.to_owned(),
        format!(r#"{{"op":"disburse","id":100,"loan_id":50,"product_id":1,"account_id":"{borrower}","amount":"90000","effective_on":"2026-03-02"}}"#),
        format!(r#"{{"op":"disburse","id":101,"loan_id":51,"product_id":1,"account_id":"{anna}","amount":"30000","effective_on":"2026-03-02"}}"#),
        r#"{"op":"day_end","through":"2026-04-02"}"#.to_owned(),
        r#"{"op":"day_end","through":"2026-04-02"}"#.to_owned(),
        format!(r#"{{"op":"repay","events":[{{"id":102,"loan_id":50,"account_id":"{borrower}","amount":"30000","effective_on":"2026-04-02"}},{{"id":103,"loan_id":51,"amount":"100"}},{{"id":104,"loan_id":52,"amount":"100"}}]}}"#),
        r#"{"op":"charge","id":105,"loan_id":51,"kind":"fee","amount":"70"}"#.to_owned(),
        r#"{"op":"waive","id":106,"event_id":105}"#.to_owned(),
        r#"{"op":"reverse","id":107,"event_id":103}"#.to_owned(),
        r#"{"op":"lookup_loans","ids":[50,51,52]}"#.to_owned(),
        r#"{"op":"tick","nanoseconds":1}"#.to_owned(),
        r#"{"op":"create_transfers","events":[{"idd":1}]}"#.to_owned(),
    ];
    lines.join("\n") + "\n"
}

/// An answer without what depends on the clock: stamps, and the ids that are made of them.
fn without_stamps(answer: &str) -> serde_json::Value {
    fn strip(value: &mut serde_json::Value) {
        match value {
            serde_json::Value::Object(fields) => {
                for name in ["timestamp", "reason", "line"] {
                    fields.remove(name);
                }
                fields.values_mut().for_each(strip);
            }
            serde_json::Value::Array(values) => values.iter_mut().for_each(strip),
            serde_json::Value::Null
            | serde_json::Value::Bool(_)
            | serde_json::Value::Number(_)
            | serde_json::Value::String(_) => {}
        }
    }
    let mut value = serde_json::from_str(answer).unwrap();
    strip(&mut value);
    value
}

#[test]
fn a_cluster_answers_as_one_ledger_does() {
    for (members, shards) in [(1_u64, "1"), (3, "2")] {
        let mut nodes = Nodes::new();
        (1..=members).for_each(|node| nodes.add(node));
        let configs: Vec<String> = (1..=members).map(|node| format!("node-{node}.toml")).collect();
        let words: Vec<&str> = ["cluster", "init", "--shards", shards]
            .into_iter()
            .chain(configs.iter().map(String::as_str))
            .collect();
        nodes.done(&words);
        let endpoints = nodes.endpoints(&[members]).join(",");
        let alone = Nodes::exec(&[], &lines());
        let together = Nodes::exec(&["--endpoint", &endpoints], &lines());
        assert_eq!(alone.lines().count(), lines().lines().count());
        for ((line, alone), together) in lines().lines().zip(alone.lines()).zip(together.lines()) {
            if line.contains("\"tick\"") {
                assert!(together.contains("in-memory ledger only"), "{together}");
                continue;
            }
            assert_eq!(without_stamps(alone), without_stamps(together), "{shards} shards: {line}");
        }
        assert_eq!(alone.lines().count(), together.lines().count());
    }
}
