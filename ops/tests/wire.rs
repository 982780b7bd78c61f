//! Every command of `fen exec` and every look-up over a cluster: the same lines get the same answers as from one
//! ledger in a directory.

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
                for name in ["timestamp", "reason", "line", "record", "last_closed_at"] {
                    fields.remove(name);
                }
                // What day-end posts bears an id made of its stamp.
                let is_ours = |id: &mut serde_json::Value| {
                    let id = id.as_str().and_then(|id| id.parse::<u128>().ok());
                    id.is_some_and(|id| id >> 64 == u128::from(u64::MAX))
                };
                if fields.contains_key("debit_account_id") && fields.get_mut("id").is_some_and(is_ours) {
                    fields.remove("id");
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
        let directory = nodes.folder().join("alone");
        let data = directory.to_str().unwrap();
        let alone = Nodes::exec(&["--data", data], &lines());
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
        look_ups_are_alike(&nodes, data, &endpoints, shards != "1");
    }
}

/// What is looked up, in an order that closes two more days half-way.
const LOOK_UPS: [&str; 32] = [
    "account 92233720368547758081",
    "account 92233720368547758081 --entries 2",
    "account 340282366920938463444927863358058659841",
    "loan 50",
    "loan 51",
    "statement 92233720368547758081",
    "statement 129127208515966861313 --newest",
    "statement 129127208515966861313 --from 2026-03-01 --to 2026-03-31 --by value",
    "statement 340282366920938463444927863358058659841",
    "statement 340282366920938463444927863358058659841 --newest",
    "statement --loan 50",
    "statement --loan 51 --newest --limit 2",
    "trial-balance",
    "day-end status",
    "day-end run --through 2026-04-04",
    "day-end status",
    "trial-balance --as-of 2026-04-02",
    "trial-balance",
    "portfolio",
    "portfolio --product 1",
    "turnover --code 7",
    "turnover --code 8 --by-day",
    "turnover --account 92233720368547758081",
    "turnover --account 340282366920938463444927863358058659841 --from 2020-01-01",
    "turnover --to 2020-01-01",
    "search transfers --account 92233720368547758081 --newest",
    "search transfers --code 7..8 --amount 20.. --without pending",
    "search transfers --reference 50",
    "search transfers --debit 340282366920938463444927863358058659841 --flag pending",
    "search accounts --customer 5",
    "search accounts --code 2.. --ledger 156 --debits-posted 1.. --newest --id ..340282366920938463444927863358058659841",
    "search accounts --id 340282366920938463444927863358058659841 --debits-posted 1..",
];

/// Each shard rounds by itself what its loans earned and did not bill: on several the sums may be others by a fen, which
/// are left out here.
fn without_roundings(mut json: serde_json::Value) -> serde_json::Value {
    if let Some(lines) = json.get_mut("lines").and_then(|lines| lines.as_array_mut()) {
        lines.retain(|line| !matches!(line["role"].as_str(), Some("interest_accrued" | "interest_income")));
    }
    json
}

fn look_ups_are_alike(nodes: &Nodes, data: &str, endpoints: &str, in_shards: bool) {
    for asked in LOOK_UPS {
        let words: Vec<&str> = asked.split(' ').collect();
        let told = |place: [&str; 2]| {
            let json = nodes.done(&[&words[..], &place, &["--json"]].concat());
            without_stamps(&json)
        };
        let (alone, together) = (told(["--data", data]), told(["--endpoint", endpoints]));
        if in_shards && words[0] == "trial-balance" {
            assert_eq!(without_roundings(alone), without_roundings(together), "{asked}");
        } else {
            assert_eq!(alone, together, "{asked}");
        }
        // What people read is made of the same.
        if words.get(1) != Some(&"run") {
            let text = nodes.done(&[&words[..], &["--endpoint", endpoints]].concat());
            assert!(!text.is_empty(), "{asked}");
        }
    }
    pages_are_alike(nodes, data, endpoints);
    exports_and_proofs(nodes, data, endpoints);
    for (asked, said) in [
        ("account 9", "there is no account 9"),
        ("loan 52", "there is no loan 52"),
        ("statement --loan 52", "there is no loan 52"),
        ("statement 92233720368547758081 --after 00", "cursor"),
        ("search transfers --after 00", "cursor"),
    ] {
        let words: Vec<&str> = asked.split(' ').chain(["--endpoint", endpoints]).collect();
        let output = nodes.run(&words);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && errors.contains(said), "{asked}: {errors}");
    }
}

/// The bank's own account, entry by entry: laid end to end the pages are the whole statement.
fn pages_are_alike(nodes: &Nodes, data: &str, endpoints: &str) {
    let bank = (u128::from(u64::MAX) << 64 | 1).to_string();
    for newest in [&[][..], &["--newest"]] {
        let whole = nodes.done(&[&["statement", &bank, "--json", "--data", data], newest].concat());
        let mut lines = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let mut words = vec!["statement", &bank, "--json", "--limit", "1", "--endpoint", endpoints];
            words.extend(newest);
            words.extend(after.iter().flat_map(|after| ["--after", after]));
            let page = nodes.done(&words);
            after =
                serde_json::from_str::<serde_json::Value>(&page).unwrap()["next"].as_str().map(str::to_owned);
            lines.extend(without_stamps(&page)["lines"].as_array().unwrap().iter().cloned());
            if after.is_none() {
                break;
            }
        }
        assert_eq!(without_stamps(&whole)["lines"], serde_json::Value::Array(lines));
    }
}

/// What leaves the house: rows, and proofs that are checked without the cluster.
fn exports_and_proofs(nodes: &Nodes, data: &str, endpoints: &str) {
    // Who was paid how much; records without their stamps, numbers and shards.
    let rows = |place: [&str; 2], words: &[&str]| {
        let table = nodes.done(&[&["export"], &place[..], words].concat());
        let head: Vec<&str> = table.lines().next().unwrap().split(',').collect();
        let kept = |name: &&str| !["number", "timestamp", "shard", "id", "flags"].contains(name);
        let mut rows: Vec<Vec<String>> = table
            .lines()
            .skip(1)
            .map(|row| {
                let fields = head.iter().zip(row.split(','));
                fields.filter(|(name, _)| kept(name)).map(|(_, field)| field.to_owned()).collect()
            })
            .collect();
        rows.sort_unstable();
        rows
    };
    let (anna, mine) = ("92233720368547758081", ["--account", "92233720368547758081"]);
    let alone = rows(["--data", data], &mine);
    assert!(alone.len() > 3 && alone == rows(["--endpoint", endpoints], &mine), "{alone:?}");
    let accounts = ["--what", "accounts", "--account", anna];
    assert_eq!(rows(["--data", data], &accounts), rows(["--endpoint", endpoints], &accounts));

    nodes.done(&["proof", "key", "--name", "bank.example/retail", "--out", "retail.key"]);
    let of_all = ["--endpoint", endpoints, "--digests", "digests"];
    let sign = |words: &[&str]| {
        nodes.done(&[&["proof", "digest", "--key", "retail.key"], &of_all[..], words].concat())
    };
    let first = sign(&[]);
    assert!(first.contains("bank.example/retail/shard/1: "), "{first}");
    nodes.done(&[&["proof", "make", "--transfer", "1", "--out", "1.proof"], &of_all[..]].concat());
    let checked = nodes.done(&["proof", "check", "1.proof", "--key", "retail.key.pub"]);
    assert!(checked.contains("amount 1.00 CNY") || checked.contains("transfer 1\n"), "{checked}");
    // Every digest that was given away is checked by the same command.
    for path in first.lines().skip(1).step_by(2) {
        nodes.done(&["proof", "check", path, "--key", "retail.key.pub"]);
    }
    let text = std::fs::read_to_string(nodes.folder().join("1.proof")).unwrap();
    std::fs::write(nodes.folder().join("2.proof"), text.replace("index ", "index 1")).unwrap();
    assert_eq!(nodes.run(&["proof", "check", "2.proof", "--key", "retail.key.pub"]).status.code(), Some(1));
    let missing = nodes.run(&[&["proof", "make", "--transfer", "4711"], &of_all[..]].concat());
    assert_eq!(missing.status.code(), Some(1), "{}", String::from_utf8_lossy(&missing.stderr));
    // Nothing happened since: the same digest, under the same name.
    assert_eq!(sign(&["--books"]), first);
    let one = first.lines().nth(1).unwrap();
    let grown =
        ["proof", "make", "--from", one, "--to", one, "--out", "growth.proof", "--endpoint", endpoints];
    nodes.done(&grown);
    nodes.done(&["proof", "check", "growth.proof", "--key", "retail.key.pub"]);
    let moved = nodes.done(&["archive", "--before", "2020-01-01", "--endpoint", endpoints]);
    assert!(moved.contains("shard 1, node 1: 0 segments moved"), "{moved}");
}
