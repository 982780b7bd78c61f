//! `fen statement` as a banker reads it: days, balances, pages, and what is refused.

#![allow(clippy::unwrap_used, reason = "a panic is a test's report")]

mod fen;

use fen::{Session, code, err, out, run, text};
use serde_json::{Value, json};
use std::path::Path;

fn pay(session: &mut Session, id: u32, debit: u32, credit: u32, amount: u32, more: &str) {
    let line = format!(
        r#"{{"op":"create_transfers","events":[{{"id":{id},"debit_account_id":{debit},"credit_account_id":{credit},"amount":{amount},"ledger":156,"code":9{more}}}]}}"#
    );
    let reply = session.ask(&line);
    assert_eq!(reply["results"][0]["status"], json!("created"), "{reply}");
}

fn roll(session: &mut Session, through: &str) {
    let reply = session.ask(&format!(r#"{{"op":"day_end","through":"{through}"}}"#));
    assert!(reply.get("error").is_none(), "{reply}");
}

/// Two accounts over three business days.
fn books(data: &Path) {
    let mut session = Session::start(&["--data", text(data)]);
    session.ask(
        r#"{"op":"create_accounts","events":[{"id":1,"ledger":156,"code":1},{"id":2,"ledger":156,"code":1}]}"#,
    );
    roll(&mut session, "2026-03-01");
    pay(&mut session, 11, 1, 2, 10_000, "");
    pay(&mut session, 12, 2, 1, 4_000, r#","flags":["pending"]"#);
    roll(&mut session, "2026-03-02");
    let post = r#"{"op":"create_transfers","events":[{"id":13,"pending_id":12,"amount":2500,"flags":["post_pending_transfer"]}]}"#;
    assert_eq!(session.ask(post)["results"][0]["status"], json!("created"));
    roll(&mut session, "2026-03-04");
    pay(&mut session, 14, 2, 1, 10_000, "");
    assert_eq!(session.end(), 0);
}

fn statement(data: &Path, more: &[&str]) -> (i32, String, String) {
    let mut arguments = vec!["statement", "--data", text(data)];
    arguments.extend(more);
    let output = run(&arguments, b"");
    (code(&output), out(&output), err(&output))
}

const ALL: &str = "account 2, CNY

  booked      value       what             transfer  with account     debit  credit   balance
                          opening balance                                             0.00 Cr
  2026-03-02  2026-03-02  code 9           11        1                       100.00  100.00 Cr
  2026-03-02  2026-03-02  reserved         12        1              (40.00)          100.00 Cr
  2026-03-03  2026-03-03  of reserved 12   13        1                25.00           75.00 Cr
  2026-03-05  2026-03-05  code 9           14        1               100.00           25.00 Dr
                          closing balance                                            25.00 Dr
";

#[test]
fn a_banker_reads_days_balances_and_pages() {
    let directory = tempfile::tempdir().unwrap();
    books(directory.path());
    let squeezed = |text: &str| {
        let line = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        text.lines().map(line).collect::<Vec<_>>().join("\n")
    };
    let (exit, said, _) = statement(directory.path(), &["2"]);
    assert_eq!((exit, squeezed(&said)), (0, squeezed(ALL)));

    // A closed day, asked for later.
    let day = ["2", "--from", "2026-03-03", "--to", "2026-03-04", "--json"];
    let (exit, said, _) = statement(directory.path(), &day);
    let page: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(exit, 0);
    assert_eq!(page["opening"]["credits_posted"], json!("10000"));
    assert_eq!(page["opening"]["debits_pending"], json!("4000"));
    assert_eq!(page["closing"]["debits_posted"], json!("2500"));
    assert_eq!(page["closing"]["debits_pending"], json!("0"));
    assert_eq!(page["lines"].as_array().unwrap().len(), 1);
    assert_eq!(page["lines"][0]["transfer"]["id"], json!("13"));
    assert_eq!(page["lines"][0]["booked_on"], json!("2026-03-03"));

    // Page by page, newest first.
    let mut ids = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let mut arguments = vec!["2", "--newest", "--limit", "3", "--json"];
        if let Some(after) = &after {
            arguments.extend(["--after", after]);
        }
        let page: Value = serde_json::from_str(&statement(directory.path(), &arguments).1).unwrap();
        let lines = page["lines"].as_array().unwrap();
        ids.extend(lines.iter().map(|line| line["transfer"]["id"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => after = Some(next.to_owned()),
            None => break,
        }
    }
    assert_eq!(ids, ["14", "13", "12", "11"]);

    // What is wrong is named.
    let cursor = after.unwrap();
    let (exit, _, said) = statement(directory.path(), &["1", "--newest", "--after", &cursor]);
    assert!(exit == 1 && said.contains("it is of account 2, and account 1 is asked for"), "{exit} {said}");
    let (exit, _, said) = statement(directory.path(), &["1", "--after", "abc"]);
    assert!(exit == 2 && said.contains("--after"), "{exit} {said}");
    let (exit, _, said) = statement(directory.path(), &["99"]);
    assert!(exit == 1 && said.contains("there is no account 99"), "{exit} {said}");
    let (exit, _, said) = statement(directory.path(), &["2", "--from", "2026-02-30"]);
    assert!(exit == 2 && said.contains("--from"), "{exit} {said}");
    let (exit, _, said) = statement(directory.path(), &["--loan", "5"]);
    assert!(exit == 1 && said.contains("there is no loan 5"), "{exit} {said}");
}
