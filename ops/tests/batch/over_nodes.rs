//! Files to a running cluster: client, gateway and leaders are killed in the middle, and every item is done once.

use super::nodes::{self, Nodes};
use super::{fen, outcomes_in};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

const COUNT: usize = 14_000;

/// Customers on both shards: an id's upper half is the customer.
fn customer(number: usize) -> u128 {
    (number as u128) << 64 | 1
}

fn line(all: &str, command: &Value) -> Value {
    let reply = Nodes::exec(&["--endpoint", all], &command.to_string());
    serde_json::from_str(&reply).unwrap()
}

fn founded() -> (Nodes, String) {
    let mut nodes = Nodes::new();
    for node in 1..=3 {
        nodes.add(node);
    }
    nodes.done(&["cluster", "init", "--shards", "2", "node-1.toml", "node-2.toml", "node-3.toml"]);
    let all = nodes.endpoints(&[1, 2, 3]).join(",");
    let account =
        |id: u128, flags: &[&str]| json!({"id": id.to_string(), "ledger": 156, "code": 2, "flags": flags});
    let mut accounts = vec![account(1_000, &[])];
    accounts.extend((1..=20).map(|number| account(customer(number), &["debits_must_not_exceed_credits"])));
    let opened = line(&all, &json!({"op": "create_accounts", "events": accounts}));
    assert!(opened["results"].as_array().unwrap().iter().all(|result| result["status"] == "created"));
    (nodes, all)
}

/// `fen batch` in the nodes' folder, to its end; its lines.
fn batch(nodes: &Nodes, all: &str, files: &str, words: &[&str]) -> Vec<Value> {
    let whole: Vec<&str> = ["batch"]
        .iter()
        .chain(words)
        .chain(&["--endpoint", all, "--files", files, "--json"])
        .copied()
        .collect();
    let output = nodes.run(&whole);
    assert!(fen::code(&output) < 2, "{words:?}: {}", fen::err(&output));
    fen::out(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn start(nodes: &Nodes, all: &str, words: &[&str]) -> Child {
    let mut command = nodes::fen();
    command.current_dir(nodes.folder()).arg("batch").args(words);
    command.args(["--endpoint", all, "--files", "batches"]).stdout(Stdio::null()).spawn().unwrap()
}

/// Waits until so many items have their outcome, or the child has ended.
fn wait_for(child: &mut Child, folder: &Path, outcomes: u64) {
    let deadline = Instant::now() + Duration::from_mins(3);
    while outcomes_in(folder) < outcomes && child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline, "not {outcomes} outcomes in three minutes");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn posted(all: &str, account: u128, side: &str) -> String {
    let found = line(all, &json!({"op": "lookup_accounts", "ids": [account.to_string()]}));
    let account = &found["results"][0];
    assert_eq!([&account["debits_pending"], &account["credits_pending"]], [&json!("0"), &json!("0")]);
    account[side].as_str().unwrap().to_owned()
}

#[test]
fn everybody_is_killed_once_and_every_item_is_done_once() {
    let (mut nodes, all) = founded();
    let mut file = "id,act,debit_account,credit_account,amount,currency\n".to_owned();
    for item in 0..COUNT {
        let payee = customer(item % 20 + 1);
        writeln!(file, "T-{item},transfer,1000,{payee},0.01,CNY").unwrap();
    }
    std::fs::write(nodes.folder().join("many.csv"), file).unwrap();
    let submit = ["submit", "many.csv", "--message-id", "MANY"];

    // The client.
    let mut child = start(&nodes, &all, &submit);
    wait_for(&mut child, nodes.folder(), 1);
    child.kill().unwrap();
    child.wait().unwrap();
    // The gateway that the next one asks first, and after it is back another node: each leads something.
    let kept = outcomes_in(nodes.folder());
    let mut child = start(&nodes, &all, &["run"]);
    wait_for(&mut child, nodes.folder(), (kept + 1).min(COUNT as u64));
    nodes.kill(1);
    let kept = outcomes_in(nodes.folder());
    wait_for(&mut child, nodes.folder(), (kept + 1).min(COUNT as u64));
    nodes.start(1);
    nodes.kill(2);
    wait_for(&mut child, nodes.folder(), u64::MAX);
    let ended = child.wait().unwrap();
    assert!(ended.success(), "{ended}");
    nodes.start(2);

    let told = batch(&nodes, &all, "batches", &["status", "MANY"]);
    assert_eq!(
        [&told[0]["state"], &told[0]["taken"], &told[0]["refused"]],
        [&json!("done"), &json!(COUNT), &json!(0)]
    );
    assert_eq!(posted(&all, 1_000, "debits_posted"), COUNT.to_string());
    for number in 1..=20 {
        assert_eq!(posted(&all, customer(number), "credits_posted"), (COUNT / 20).to_string());
    }
    // Sent again, from another folder: the first results.
    let words: Vec<&str> = submit.to_vec();
    let again = batch(&nodes, &all, "elsewhere", &words);
    assert_eq!([&again[0]["taken"], &again[0]["refused"]], [&json!(COUNT), &json!(0)]);
    let stamps = |files: &str| -> Vec<String> {
        let result = ["batch", "result", "MANY", "--endpoint", &all, "--files", files];
        let lines = nodes.done(&result);
        lines.lines().map(|line| line.rsplit(',').next().unwrap().to_owned()).collect()
    };
    assert_eq!(stamps("elsewhere"), stamps("batches"));
    assert_eq!(posted(&all, 1_000, "debits_posted"), COUNT.to_string());
    let other = "id,act,debit_account,credit_account,amount,currency\nX,transfer,1000,1,0.01,CNY\n";
    std::fs::write(nodes.folder().join("other.csv"), other).unwrap();
    let output = nodes.run(&["batch", "submit", "other.csv", "--message-id", "MANY", "--endpoint", &all]);
    assert!(fen::err(&output).contains("DU01"), "{}", fen::err(&output));
    nodes.done(&["verify", "--endpoint", &all]);
}

#[test]
fn wholes_loans_and_collections_go_over_shards() {
    let (nodes, all) = founded();
    let bank = |name: &str, content: &str| std::fs::write(nodes.folder().join(name), content).unwrap();
    // All or none, over both shards: payments from customers who have nothing are refused, and so is all of it.
    let whole = |name: &str, debit: u128| {
        let item = |id: u32, debit: u128, credit: u128| {
            json!({"id": id.to_string(), "act": "transfer",
            "debit_account": debit.to_string(), "credit_account": credit.to_string(), "amount": "5.00", "currency": "CNY"})
        };
        let head = json!({"message_id": name, "items": 2, "all_or_nothing": true});
        let items = [head, item(1, 1_000, customer(1)), item(2, debit, customer(2))];
        bank(name, &items.map(|item| item.to_string()).join("\n"));
        let told = batch(&nodes, &all, "batches", &["submit", name, "--by", "anna"]);
        [told[0]["taken"].clone(), told[0]["refused"].clone()]
    };
    assert_eq!(whole("NONE", customer(3)), [json!(0), json!(2)]);
    assert_eq!(posted(&all, 1_000, "debits_posted"), "0");
    assert_eq!(whole("ALL", 1_000), [json!(2), json!(0)]);
    assert_eq!(posted(&all, 1_000, "debits_posted"), "1000");

    let product = json!({"op": "put_product", "id": "7", "ledger": 156, "daily_rate": "0.05",
        "period": {"unit": "month", "every": 1}, "amortisation": "equal_principal", "interest": "declining",
        "interest_accrual": "daily", "day_count": "act/365", "rounding": {"mode": "half_up", "to": "1"}});
    assert_eq!(line(&all, &product)["results"][0]["status"], "created");
    let mut loans = "id,act,credit_account,loan_id,product_id,amount,currency,periods\n".to_owned();
    let mut dues = "id,act,loan_id,debit_account,amount,currency\n".to_owned();
    for number in 1..=20 {
        let account = customer(number);
        writeln!(loans, "L-{number},disburse,{account},{},7,1000.00,CNY,5", 500 + number).unwrap();
        let amount = if number == 9 { "1100.00" } else { "10.00" };
        writeln!(dues, "D-{number},repay,{},{account},{amount},CNY", 500 + number).unwrap();
    }
    bank("loans.csv", &loans);
    bank("dues.csv", &dues);
    bank("rules.toml", "[collect]\npartly = true\nretry_days = 2\n[release]\nabove = \"15000\"\n");
    let rules = ["--rules", "rules.toml", "--by", "anna", "--message-id"];
    let submit = |file: &'static str, id: &'static str| [&["submit", file][..], &rules[..], &[id]].concat();
    let told = batch(&nodes, &all, "batches", &submit("loans.csv", "LOANS"));
    assert_eq!(told[0]["state"], "awaits_release");
    let told = batch(&nodes, &all, "batches", &["release", "LOANS", "--by", "bo"]);
    assert_eq!([&told[0]["state"], &told[0]["taken_sum"]], [&json!("done"), &json!("20000.00")]);
    // Who owes more than he has pays what he has; the rest is asked for when there is more.
    let told = batch(&nodes, &all, "batches", &submit("dues.csv", "DUES"));
    assert_eq!([&told[0]["state"], &told[0]["taken_sum"]], [&json!("waits"), &json!("1190.00")]);
    let gift = json!({"op": "create_transfers", "events": [{"id": "9999", "debit_account_id": "1000",
        "credit_account_id": customer(9).to_string(), "amount": "100000", "ledger": 156, "code": 1}]});
    assert_eq!(line(&all, &gift)["results"][0]["status"], "created");
    let today = told[0]["next_on"].as_str().unwrap().parse::<String>().unwrap();
    let eve = fen_terms::Day::parse(&today).unwrap().plus_days(-1).unwrap();
    let eve = eve.to_string();
    let closed = nodes.done(&["day-end", "run", "--through", &eve, "--endpoint", &all, "--json"]);
    let told: Vec<Value> = closed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!([&told[0]["state"], &told[0]["taken_sum"]], [&json!("done"), &json!("1290.00")]);
    assert_eq!([&told[1]["status"], &told[1]["business_date"]], [&json!("created"), &json!(today)]);
    // A customer's statement of that day, through the gateway: what the gift of the eve left, and the collection of the
    // rest, in as many entries as the loan's accounts ask for.
    let account = customer(9).to_string();
    let statement = nodes.done(&["batch", "statement", &account, "--from", &today, "--endpoint", &all]);
    for part in ["<Cd>CLBD</Cd>", "<Sum>100.00</Sum>", "<Amt Ccy=\"CNY\">900.00</Amt>"] {
        assert!(statement.contains(part), "{part} is missing in {statement}");
    }
    assert_eq!(posted(&all, customer(9), "debits_posted"), "110000");
    nodes.done(&["verify", "--endpoint", &all]);
}
