//! Files that are taken as a whole and are larger than a command: all of it is done, or nothing, whenever it is cut
//! off.

use super::{Bank, fen, outcomes_in};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::{Duration, Instant};

const COUNT: usize = 9_000;

impl Bank {
    /// Payments of a fen out of an account, and at last one more; taken as a whole.
    fn whole(&self, name: &str, last_debit: u32, last_amount: &str) -> PathBuf {
        let item = |id: usize, debit: u32, amount: &str| {
            json!({"id": format!("W-{id}"), "act": "transfer", "debit_account": debit, "credit_account": 1 + id % 20,
                "amount": amount, "currency": "CNY"})
        };
        let mut lines = vec![json!({"message_id": name, "items": COUNT, "all_or_nothing": true})];
        lines.extend((1..COUNT).map(|id| item(id, 1_000, "0.01")));
        lines.push(item(COUNT, last_debit, last_amount));
        let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
        self.file(&format!("{name}.ndjson"), &lines.join("\n"))
    }

    /// An account's posted and reserved debits.
    fn debits(&self, account: u32) -> (String, String) {
        let mut session = self.session();
        let found = session.ask(&json!({"op": "lookup_accounts", "ids": [account]}).to_string());
        session.end();
        let figure = |name: &str| found["results"][0][name].as_str().unwrap().to_owned();
        (figure("debits_posted"), figure("debits_pending"))
    }
}

#[test]
fn more_than_a_command_is_done_as_one() {
    let bank = Bank::open();
    // The gifts of the founding were 200.00 in all.
    let before = 20_000;
    let short = bank.whole("SHORT", 3, "10.01");
    let (exit, lines) = bank.batch(&["submit", fen::text(&short)]);
    assert_eq!(exit, 1);
    assert_eq!(
        [&lines[0]["state"], &lines[0]["taken"], &lines[0]["refused"]],
        [&json!("done"), &json!(0), &json!(COUNT)]
    );
    assert_eq!(bank.debits(1_000), (before.to_string(), "0".to_owned()), "what was reserved is let go");
    let results = bank.result("SHORT", "csv");
    assert_eq!(results.matches("RJCT,ED05").count(), COUNT - 1);
    assert!(
        results.contains(&format!("W-{COUNT},transfer,3,1,0,10.01,CNY,0.00,RJCT,AM04")),
        "{results:.400}"
    );

    let enough = bank.whole("ENOUGH", 3, "10.00");
    let (exit, lines) = bank.batch(&["submit", fen::text(&enough)]);
    assert_eq!(exit, 0);
    assert_eq!(
        [&lines[0]["state"], &lines[0]["taken"], &lines[0]["taken_sum"]],
        [&json!("done"), &json!(COUNT), &json!("99.99")]
    );
    assert_eq!(bank.debits(1_000), ((before + COUNT - 1).to_string(), "0".to_owned()));
    let first = bank.result("ENOUGH", "csv");
    let folder = std::fs::read_dir(bank.data().join("batches")).unwrap().flatten();
    for folder in folder {
        std::fs::remove_file(folder.path().join("outcomes")).unwrap();
    }
    bank.batch(&["submit", fen::text(&enough)]);
    let words = |text: &str| text.matches(",ACSC,").count();
    assert_eq!((words(&first), words(&bank.result("ENOUGH", "csv"))), (COUNT, COUNT));
    bank.batch(&["submit", fen::text(&short)]);
    assert_eq!(bank.debits(1_000), ((before + COUNT - 1).to_string(), "0".to_owned()));
}

#[test]
fn a_whole_is_all_or_nothing_wherever_it_is_cut_off() {
    for (last_amount, fewest) in [("10.00", 1), ("10.00", COUNT as u64), ("10.01", 1)] {
        let bank = Bank::open();
        let file = bank.whole("CUT", 3, last_amount);
        let data = bank.data();
        let submit = ["batch", "submit", fen::text(&file), "--data", fen::text(&data)];
        let mut child = fen::fen(&submit).stdout(std::process::Stdio::null()).spawn().unwrap();
        let deadline = Instant::now() + Duration::from_mins(1);
        while outcomes_in(&data) < fewest && child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "nothing was done in a minute");
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        bank.batch(&["run"]);
        let (_, lines) = bank.batch(&["status", "CUT"]);
        let is_all = last_amount == "10.00";
        let taken = if is_all { COUNT } else { 0 };
        assert_eq!([&lines[0]["state"], &lines[0]["taken"]], [&json!("done"), &json!(taken)]);
        let debits = if is_all { 20_000 + COUNT - 1 } else { 20_000 };
        assert_eq!(bank.debits(1_000), (debits.to_string(), "0".to_owned()));
    }
}

#[test]
fn a_whole_that_is_cancelled_in_its_middle_is_let_go() {
    let bank = Bank::open();
    let file = bank.whole("STOP", 3, "10.00");
    let data = bank.data();
    let submit = ["batch", "submit", fen::text(&file), "--data", fen::text(&data)];
    let mut child = fen::fen(&submit).stdout(std::process::Stdio::null()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_mins(1);
    while outcomes_in(&data) < 1 && child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline, "nothing was done in a minute");
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let cancel = ["batch", "cancel", "STOP", "--by", "anna", "--json", "--data", fen::text(&data)];
    let output = fen::run(&cancel, b"");
    let told = fen::out(&output);
    let (_, lines) = bank.batch(&["status", "STOP"]);
    // The file may have been decided before it was killed: then it is carried out, and can't be cancelled.
    if told.is_empty() {
        assert!(fen::err(&output).contains("already_"), "{}", fen::err(&output));
        bank.batch(&["run"]);
        assert_eq!(bank.debits(1_000).1, "0");
        return;
    }
    assert_eq!([&lines[0]["state"], &lines[0]["taken"]], [&json!("cancelled"), &json!(0)]);
    assert_eq!(bank.debits(1_000), ("20000".to_owned(), "0".to_owned()));
    assert_eq!(bank.result("STOP", "csv").matches("RJCT,DS02").count(), COUNT);
}
