//! `fen batch` as a bank would use it: files in, outcomes back, each item exactly once.

#![allow(clippy::unwrap_used, reason = "a panic is a test's report")]

mod fen;
mod nodes;
#[path = "batch/over_nodes.rs"]
mod over_nodes;
#[path = "batch/whole.rs"]
mod whole;

use fen::{Session, code, err, out, run, text};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A bank in a directory: a treasury, customers 1 to 20 with 10.00 each, and a product.
struct Bank {
    folder: tempfile::TempDir,
}

impl Bank {
    fn open() -> Self {
        let bank = Self { folder: tempfile::tempdir().unwrap() };
        let mut session = bank.session();
        let mut accounts = vec![json!({"id": "1000", "ledger": 156, "code": 1})];
        accounts.extend((1..=20).map(
            |id| json!({"id": id, "ledger": 156, "code": 2, "flags": ["debits_must_not_exceed_credits"]}),
        ));
        all_created(&session.ask(&json!({"op": "create_accounts", "events": accounts}).to_string()));
        let gifts: Vec<Value> = (1..=20)
            .map(|id| {
                json!({"id": 5_000 + id, "debit_account_id": "1000", "credit_account_id": id, "amount": "1000",
                    "ledger": 156, "code": 1})
            })
            .collect();
        all_created(&session.ask(&json!({"op": "create_transfers", "events": gifts}).to_string()));
        all_created(&session.ask(&json!({"op": "put_product", "id": "7", "ledger": 156, "daily_rate": "0.05",
            "period": {"unit": "month", "every": 1}, "amortisation": "equal_principal", "interest": "declining",
            "interest_accrual": "daily", "day_count": "act/365", "rounding": {"mode": "half_up", "to": "1"},
            "amount_min": "50000", "amount_max": "30000000"}).to_string()));
        assert_eq!(session.end(), 0);
        bank
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("books")
    }

    fn session(&self) -> Session {
        Session::start(&["--data", text(&self.data())])
    }

    fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// Gives a command with `--data` and `--json`; its exit code and its lines.
    fn batch(&self, arguments: &[&str]) -> (i32, Vec<Value>) {
        let data = self.data();
        let whole: Vec<&str> =
            ["batch"].iter().chain(arguments).copied().chain(["--data", text(&data), "--json"]).collect();
        let output = run(&whole, b"");
        let lines = out(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(code(&output) < 2, "{}", err(&output));
        (code(&output), lines)
    }

    /// Closes days up to one; the lines that it printed.
    fn day_end(&self, through: &str) -> Vec<Value> {
        let data = self.data();
        let words = ["day-end", "run", "--through", through, "--data", text(&data), "--json"];
        let output = run(&words, b"");
        assert_eq!(code(&output), 0, "{}", err(&output));
        out(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn result(&self, id: &str, form: &str) -> String {
        let data = self.data();
        let output = run(&["batch", "result", id, "--data", text(&data), "--form", form], b"");
        assert_eq!(code(&output), 0, "{}", err(&output));
        out(&output)
    }

    fn refusal(&self, arguments: &[&str]) -> String {
        let data = self.data();
        let whole: Vec<&str> =
            ["batch"].iter().chain(arguments).copied().chain(["--data", text(&data)]).collect();
        let output = run(&whole, b"");
        assert_eq!(code(&output), 1, "{}", out(&output));
        err(&output)
    }
}

fn all_created(reply: &Value) {
    for result in reply["results"].as_array().unwrap_or_else(|| panic!("{reply}")) {
        assert_eq!(result["status"], "created", "{reply}");
    }
}

const RULES: &str = "[every]\nact = \"disburse\"\ncurrency = \"CNY\"\nproduct_id = \"7\"\n[open]\ncode = 2\n\
                     [release]\nabove = \"100000\"\n[transfer]\ncode = 4\n";

const LOANS: &str = "id,credit_account,loan_id,amount,periods\n\
                     L-1,1,101,1000.00,5\n\
                     L-2,2,102,400.00,5\n\
                     L-3,77,103,2000.00,3\n\
                     L-4,3,104,12.345,5\n\
                     L-1,4,105,600.00,5\n";

#[test]
fn a_file_of_loans_is_disbursed_once_and_answered() {
    let bank = Bank::open();
    let (rules, file) = (bank.file("rules.toml", RULES), bank.file("loans.csv", LOANS));
    let submit = ["submit", text(&file), "--rules", text(&rules), "--message-id", "LOANS-1", "--by", "anna"];
    let (exit, lines) = bank.batch(&submit);
    assert_eq!(exit, 1, "some are refused");
    assert_eq!(
        [&lines[0]["state"], &lines[0]["taken"], &lines[0]["refused"], &lines[0]["taken_sum"]],
        [&json!("done"), &json!(2), &json!(3), &json!("3000.00")]
    );
    let results = bank.result("LOANS-1", "csv");
    let told: Vec<String> = results
        .lines()
        .skip(1)
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            format!("{} {} {} {}", cells[2], cells[9], cells[10], cells[11])
        })
        .collect();
    assert_eq!(
        told,
        [
            "L-1 1000.00 ACSC ",
            "L-2 0.00 RJCT AM02",
            "L-3 2000.00 ACSC ",
            "L-4 0.00 RJCT AM12",
            "L-1 0.00 RJCT DU04"
        ]
    );
    let (exit, item) = bank.batch(&["item", "LOANS-1", "L-3"]);
    assert_eq!(
        (exit, &item[0]["event"], &item[0]["found"]),
        (0, &json!("disbursed"), &json!(true)),
        "{item:?}"
    );
    assert_eq!((&item[0]["loan_id"], &item[0]["transfer"]["amount"]), (&json!("103"), &json!("200000")));
    assert_eq!(item[0]["transfer"]["id"], item[0]["id"]);
    let (exit, item) = bank.batch(&["item", "LOANS-1", "L-2"]);
    assert_eq!((exit, &item[0]["found"], &item[0]["transfer"]), (1, &json!(false), &Value::Null), "{item:?}");
    assert!(bank.refusal(&["item", "LOANS-9", "L-2"]).contains("no file with the message id 'LOANS-9'"));
    let report = bank.result("LOANS-1", "pain.002");
    for line in [
        "<GrpSts>PART</GrpSts>",
        "<OrgnlMsgId>LOANS-1</OrgnlMsgId>",
        "<Cd>AM12</Cd>",
        "<DtldNbOfTxs>2</DtldNbOfTxs>",
    ] {
        assert!(report.contains(line), "{line} is missing in {report}");
    }
    let before = bank.result("LOANS-1", "ndjson");
    let (_, again) = bank.batch(&submit);
    assert_eq!([&again[0]["taken"], &again[0]["taken_sum"]], [&json!(2), &json!("3000.00")]);
    assert_eq!(bank.result("LOANS-1", "ndjson"), before, "a resubmission gets the first results");
    let mut session = bank.session();
    let accounts = session.ask(r#"{"op": "lookup_accounts", "ids": [1, 2, 77]}"#);
    let credits: Vec<&Value> =
        accounts["results"].as_array().unwrap().iter().map(|account| &account["credits_posted"]).collect();
    assert_eq!(credits, ["101000", "1000", "200000"], "the account that was missing is opened");
    session.end();
}

#[test]
fn another_file_under_the_same_message_id_is_refused() {
    let bank = Bank::open();
    let rules = bank.file("rules.toml", RULES);
    let (file, other) = (bank.file("a.csv", LOANS), bank.file("b.csv", &LOANS.replace("400.00", "700.00")));
    bank.batch(&["submit", text(&file), "--rules", text(&rules), "--message-id", "M"]);
    let answer = bank.folder.path().join("answer.xml");
    for command in ["submit", "check"] {
        let mut arguments = vec![command, text(&other), "--rules", text(&rules), "--message-id", "M"];
        if command == "submit" {
            arguments.extend(["--report", text(&answer)]);
        }
        let told = bank.refusal(&arguments);
        assert!(told.contains("DU01") && told.contains("new message id"), "{told}");
    }
    let answer = fs::read_to_string(answer).unwrap();
    assert!(answer.contains("<GrpSts>RJCT</GrpSts>") && answer.contains("<Cd>DU01</Cd>"), "{answer}");
}

fn transfers(count: u32) -> String {
    (0..count).fold("id,act,debit_account,credit_account,amount,currency\n".to_owned(), |mut file, item| {
        writeln!(file, "T-{item},transfer,1000,{},0.01,CNY", item % 20 + 1).unwrap();
        file
    })
}

#[test]
fn a_killed_run_goes_on_where_it_was() {
    killed_and_run_again(|_| {});
}

#[test]
fn lost_outcomes_are_made_again_by_the_file() {
    killed_and_run_again(|data| {
        let folder = fs::read_dir(data.join("batches")).unwrap().flatten().next().unwrap().path();
        fs::remove_file(folder.join("outcomes")).unwrap();
    });
}

/// Kills a run in its middle, lets something happen to what it left, and runs it to its end.
fn killed_and_run_again(happens: impl Fn(&Path)) {
    const COUNT: u32 = 12_000;
    let bank = Bank::open();
    let file = bank.file("many.csv", &transfers(COUNT));
    let data = bank.data();
    let submit = ["batch", "submit", text(&file), "--message-id", "MANY", "--data", text(&data)];
    let mut child = fen::fen(&submit).stdout(std::process::Stdio::null()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_mins(1);
    while outcomes_in(&data) < 2_048 && child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline, "nothing was done in a minute");
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let kept = outcomes_in(&data);
    if kept < u64::from(COUNT) {
        happens(&data);
    }
    let (exit, lines) = bank.batch(&["run"]);
    assert_eq!(exit, 0);
    // The very last moment may have been after its end; then there is nothing left to run.
    assert!(lines.is_empty() == (kept >= u64::from(COUNT)), "{kept} outcomes were kept");
    let (_, lines) = bank.batch(&["status", "MANY"]);
    assert_eq!([&lines[0]["state"], &lines[0]["taken"]], [&json!("done"), &json!(COUNT)]);
    let mut session = bank.session();
    let treasury = session.ask(r#"{"op": "lookup_accounts", "ids": [1000]}"#);
    assert_eq!(treasury["results"][0]["debits_posted"], json!((COUNT + 20_000).to_string()));
    session.end();
    assert_eq!(code(&run(&["verify", "--data", text(&data)], b"")), 0);
}

/// How many outcomes lie in the first file's folder.
fn outcomes_in(data: &Path) -> u64 {
    let Ok(folders) = fs::read_dir(data.join("batches")) else { return 0 };
    let sizes = folders.flatten().filter_map(|folder| fs::metadata(folder.path().join("outcomes")).ok());
    sizes.map(|outcomes| outcomes.len() / 32).max().unwrap_or(0)
}

#[test]
fn a_second_person_releases_a_large_file() {
    let bank = Bank::open();
    let rules = bank.file("rules.toml", RULES);
    let file = bank.file("large.csv", "id,credit_account,amount,periods\nL-1,1,200000.00,5\n");
    let submit = ["submit", text(&file), "--rules", text(&rules), "--message-id", "LARGE"];
    assert!(bank.refusal(&submit).contains("--by"));
    let by: Vec<&str> = submit.into_iter().chain(["--by", "anna"]).collect();
    let (exit, lines) = bank.batch(&by);
    assert_eq!((exit, &lines[0]["state"], &lines[0]["taken"]), (0, &json!("awaits_release"), &json!(0)));
    assert!(bank.batch(&["run"]).1.is_empty(), "what awaits its release is not run");
    assert!(bank.refusal(&["release", "LARGE", "--by", "anna"]).contains("four eyes"));
    let (_, lines) = bank.batch(&["release", "LARGE", "--by", "bo"]);
    assert_eq!([&lines[0]["state"], &lines[0]["taken"]], [&json!("done"), &json!(1)]);
    assert_eq!(lines[0]["released_by"], "bo");
}

#[test]
fn day_end_does_each_file_on_its_day() {
    let bank = Bank::open();
    bank.day_end("2026-03-01");
    let rules = bank.file("rules.toml", RULES);
    let file = bank.file(
        "later.csv",
        "id,credit_account,amount,periods,on\nL-1,1,600.00,5,2026-03-04\nL-2,2,700.00,5,2026-03-06\n",
    );
    let (_, lines) = bank.batch(&["submit", text(&file), "--rules", text(&rules), "--message-id", "LATER"]);
    assert_eq!([&lines[0]["state"], &lines[0]["next_on"]], [&json!("waits"), &json!("2026-03-04")]);
    let lines = bank.day_end("2026-03-08");
    let told: Vec<[&Value; 2]> = lines.iter().map(|line| [&line["state"], &line["taken_sum"]]).collect();
    assert_eq!(told[..2], [[&json!("waits"), &json!("600.00")], [&json!("done"), &json!("1300.00")]]);
    assert_eq!(lines[2]["business_date"], "2026-03-09");
    let data = bank.data();
    for (account, day) in [("1", "2026-03-04"), ("2", "2026-03-06")] {
        let output = run(&["batch", "statement", account, "--from", day, "--data", text(&data)], b"");
        assert!(out(&output).contains("<NbOfNtries>1</NbOfNtries>"), "{}", out(&output));
    }
}

#[test]
fn a_product_may_forbid_collections_in_part() {
    let bank = Bank::open();
    let mut session = bank.session();
    all_created(
        &session.ask(
            &json!({"op": "put_product", "id": "8", "ledger": 156, "daily_rate": "0.05",
        "period": {"unit": "month", "every": 1}, "amortisation": "equal_principal", "interest": "declining",
        "interest_accrual": "daily", "day_count": "act/365", "rounding": {"mode": "half_up", "to": "1"},
        "partial_collection": false})
            .to_string(),
        ),
    );
    all_created(
        &session.ask(
            &json!({"op": "disburse", "id": "1", "loan_id": "55", "product_id": "8",
        "account_id": "9", "amount": "50000", "effective_on": "2026-03-02", "periods": 5})
            .to_string(),
        ),
    );
    session.end();
    let rules = bank.file("rules.toml", "[collect]\npartly = true\n");
    let file =
        bank.file("collect.csv", "id,act,loan_id,debit_account,amount,currency\nC-1,repay,55,9,600.00,CNY\n");
    let (_, lines) = bank.batch(&["submit", text(&file), "--rules", text(&rules), "--message-id", "COLLECT"]);
    assert_eq!([&lines[0]["taken_sum"], &lines[0]["refused"]], [&json!("0.00"), &json!(1)]);
    assert!(bank.result("COLLECT", "csv").contains("RJCT,AM04"));
}

#[test]
fn what_is_cancelled_is_not_done() {
    let bank = Bank::open();
    let rules = bank.file("rules.toml", RULES);
    let file = bank.file("later.csv", "id,credit_account,amount,periods,on\nL-1,1,600.00,5,2090-01-02\n");
    let (_, lines) = bank.batch(&["submit", text(&file), "--rules", text(&rules), "--message-id", "LATER"]);
    assert_eq!([&lines[0]["state"], &lines[0]["next_on"]], [&json!("waits"), &json!("2090-01-02")]);
    let (_, lines) = bank.batch(&["cancel", "LATER", "--by", "anna"]);
    assert_eq!(lines[0]["state"], "cancelled");
    assert!(bank.result("LATER", "csv").contains("RJCT,DS02"));
    assert!(bank.refusal(&["cancel", "LATER"]).contains("already_ended"));
}

#[test]
fn all_or_none_is_done_as_one() {
    let bank = Bank::open();
    let item = |id: &str, debit: u32| json!({"id": id, "act": "transfer", "debit_account": debit, "credit_account": 2, "amount": "6.00", "currency": "CNY"});
    let file = |name: &str, items: &[Value]| {
        let head = json!({"message_id": name, "items": items.len(), "all_or_nothing": true});
        let lines: Vec<String> = std::iter::once(&head).chain(items).map(Value::to_string).collect();
        bank.file(name, &lines.join("\n"))
    };
    let short = file("SHORT", &[item("a", 1), item("b", 1)]);
    let (_, lines) = bank.batch(&["submit", text(&short)]);
    assert_eq!([&lines[0]["taken"], &lines[0]["refused"]], [&json!(0), &json!(2)]);
    let enough = file("ENOUGH", &[item("a", 1), item("b", 3)]);
    let (_, lines) = bank.batch(&["submit", text(&enough)]);
    assert_eq!([&lines[0]["taken"], &lines[0]["refused"]], [&json!(2), &json!(0)]);
}

#[test]
fn repayments_take_what_is_there_and_ask_again() {
    let bank = Bank::open();
    let mut session = bank.session();
    all_created(
        &session.ask(
            &json!({"op": "disburse", "id": "1", "loan_id": "55", "product_id": "7",
        "account_id": "9", "amount": "50000", "effective_on": "2026-03-02", "periods": 5})
            .to_string(),
        ),
    );
    all_created(
        &session.ask(
            &json!({"op": "create_transfers", "events": [{"id": "99", "debit_account_id": "9",
        "credit_account_id": "1000", "amount": "44000", "ledger": 156, "code": 1}]})
            .to_string(),
        ),
    );
    session.end();
    // 10.00 and 60.00 less are there: 70.00 of 110.00.
    let rules = bank.file("rules.toml", "[collect]\npartly = true\nretry_days = 2\n");
    let file =
        bank.file("collect.csv", "id,act,loan_id,debit_account,amount,currency\nC-1,repay,55,9,110.00,CNY\n");
    let (_, lines) = bank.batch(&["submit", text(&file), "--rules", text(&rules), "--message-id", "COLLECT"]);
    assert_eq!(
        [&lines[0]["state"], &lines[0]["next_on"], &lines[0]["taken_sum"]],
        [&json!("waits"), &json!("2026-03-03"), &json!("70.00")]
    );
    assert!(bank.result("COLLECT", "csv").contains("70.00,PDNG,AM04,short"));
    let mut session = bank.session();
    all_created(
        &session.ask(
            &json!({"op": "create_transfers", "events": [{"id": "98", "debit_account_id": "1000",
        "credit_account_id": "9", "amount": "100000", "ledger": 156, "code": 1}]})
            .to_string(),
        ),
    );
    session.end();
    let lines = bank.day_end("2026-03-02");
    assert_eq!(lines.len(), 2, "the day is closed, then what is due on the next one is done");
    let (file, day) = (&lines[0], &lines[1]);
    assert_eq!([&file["state"], &file["taken_sum"]], [&json!("done"), &json!("110.00")]);
    assert_eq!([&day["status"], &day["business_date"]], [&json!("created"), &json!("2026-03-03")]);
    let mut session = bank.session();
    let account = session.ask(r#"{"op": "lookup_accounts", "ids": [9]}"#);
    let debits = account["results"][0]["debits_posted"].as_str().unwrap().to_owned();
    assert_eq!(debits, "55000", "the second day takes what the first one left");
    session.end();
    assert!(bank.batch(&["run"]).1.is_empty());
}
