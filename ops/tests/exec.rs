//! `fen exec` through its pipes.

#![allow(clippy::unwrap_used, reason = "a panic is a test's report")]

mod fen;

use fen::{Session, code, err, out, run, text};
use serde_json::{Value, json};

/// The statuses of a reply.
fn statuses(reply: &Value) -> Vec<&str> {
    let results = reply["results"].as_array().expect("results");
    results.iter().map(|result| result["status"].as_str().expect("a status")).collect()
}

fn open_two(session: &mut Session) {
    let reply = session.ask(
        r#"{"op":"create_accounts","events":[{"id":"1","ledger":156,"code":1},
            {"id":"0x2","ledger":"156","code":"1","flags":["debits_must_not_exceed_credits","history"]}]}"#
            .replace('\n', " ")
            .as_str(),
    );
    assert_eq!(statuses(&reply), ["created", "created"]);
}

fn transfer(id: u32, debit: u32, credit: u32, amount: &str, rest: &str) -> String {
    format!(
        "{{\"op\":\"create_transfers\",\"events\":[{{\"id\":\"{id}\",\"debit_account_id\":\"{debit}\",\
         \"credit_account_id\":\"{credit}\",\"amount\":{amount},\"ledger\":156,\"code\":1{rest}}}]}}"
    )
}

#[test]
fn each_reply_comes_before_the_next_command() {
    let mut session = Session::start(&[]);
    open_two(&mut session);
    assert_eq!(statuses(&session.ask(&transfer(10, 1, 2, "\"100\"", ""))), ["created"]);
    assert_eq!(statuses(&session.ask(&transfer(10, 1, 2, "100", ""))), ["exists"]);
    assert_eq!(statuses(&session.ask(&transfer(11, 2, 1, "101", ""))), ["exceeds_credits"]);
    let found =
        session.ask(r#"{"op":"lookup_accounts","ids":["1",2,"00000000-0000-0000-0000-000000000003"]}"#);
    assert_eq!(found["results"][0]["debits_posted"], json!("100"));
    assert_eq!(found["results"][1]["flags"], json!(["debits_must_not_exceed_credits", "history"]));
    assert_eq!(found["results"][2], Value::Null);
    assert_eq!(session.end(), 0);
}

#[test]
fn a_line_that_is_no_command_changes_nothing_and_ends_nothing() {
    let mut session = Session::start(&[]);
    open_two(&mut session);
    for (number, (line, field)) in [
        ("", ""),
        ("nonsense", ""),
        ("[]", ""),
        ("{}", "op"),
        (r#"{"op":"create_acounts","events":[]}"#, "op"),
        (
            r#"{"op":"create_accounts","events":[{"id":"7","ledger":1,"code":1},{"id":"8","ledgr":1}]}"#,
            "events[1].ledgr",
        ),
        (r#"{"op":"create_transfers","events":[{},{},{},{"flags":["pendig"]}]}"#, "events[3].flags[0]"),
        (r#"{"op":"create_transfers","events":[{"amount":1.5}]}"#, "events[0].amount"),
        (r#"{"op":"create_transfers","events":[{"amount":-1}]}"#, "events[0].amount"),
        (r#"{"op":"create_transfers","events":[{"timeout":4294967296}]}"#, "events[0].timeout"),
        (r#"{"op":"create_accounts","events":[{"id":1,"id":2}]}"#, "events[0].id"),
        (r#"{"op":"query_accounts","filter":{"limit":null}}"#, "filter.limit"),
    ]
    .into_iter()
    .enumerate()
    {
        let error = &session.ask(line)["error"];
        assert_eq!(error["line"], json!(number + 2), "{line}");
        assert_eq!(error["field"], json!(field), "{line}");
        assert!(error["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{line}");
    }
    let found = session.ask(r#"{"op":"lookup_accounts","ids":["7"]}"#);
    assert_eq!(found["results"], json!([null]));
    assert_eq!(session.end(), 1);
}

#[test]
fn bytes_that_are_no_text_and_lines_without_end_are_answered() {
    let mut input = b"{\"op\":\"lookup_accounts\",\"ids\":[\"\xff\"]}\n".to_vec();
    input.extend(std::iter::repeat_n(b' ', (16 << 20) + 1));
    input.extend(b"\n{\"op\":\"lookup_accounts\",\"ids\":[1]}");
    let output = run(&["exec"], &input);
    let text = out(&output);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert!(lines[0].contains("not UTF-8"), "{text}");
    assert!(lines[1].contains("longer than 16777216 bytes"), "{text}");
    assert_eq!(lines[2], r#"{"op":"lookup_accounts","results":[null]}"#);
    assert_eq!(code(&output), 1);
}

#[test]
fn a_full_batch_passes_and_one_more_does_not() {
    let batch = |count: usize| {
        let event = |id: usize| format!("{{\"id\":{},\"ledger\":1,\"code\":1}}", id + 1);
        let events: Vec<String> = (0..count).map(event).collect();
        format!("{{\"op\":\"create_accounts\",\"events\":[{}]}}", events.join(","))
    };
    let mut session = Session::start(&[]);
    let error = session.ask(&batch(8_190));
    assert_eq!(error["error"]["field"], json!("events"));
    let reply = session.ask(&batch(8_189));
    assert!(statuses(&reply).iter().all(|status| *status == "created"));
    assert_eq!(session.end(), 1);
}

#[test]
fn time_passes_by_ticks_only_and_pendings_expire() {
    let mut session = Session::start(&[]);
    open_two(&mut session);
    let pending = transfer(20, 1, 2, "5", r#","flags":["pending"],"timeout":1"#);
    let stamp = session.ask(&pending)["results"][0]["timestamp"].as_u64().expect("a number");
    let clock =
        session.ask(r#"{"op":"tick","nanoseconds":999999999}"#)["results"][0].as_u64().expect("a number");
    assert_eq!(clock, stamp + 999_999_999);
    session.ask(r#"{"op":"tick","nanoseconds":"1"}"#);
    let post = transfer(21, 0, 0, "\"max\"", r#","flags":["post_pending_transfer"],"pending_id":"20""#);
    let post = post.replace("\"ledger\":156,\"code\":1", "\"ledger\":0,\"code\":0");
    assert_eq!(statuses(&session.ask(&post)), ["pending_transfer_expired"]);
    assert_eq!(session.end(), 0);
}

#[test]
fn balances_follow_an_account_with_history() {
    let mut session = Session::start(&[]);
    open_two(&mut session);
    session.ask(&transfer(30, 1, 2, "7", ""));
    session.ask(&transfer(31, 2, 1, "3", ""));
    let filter = r#""filter":{"account_id":"2","limit":10,"debits":true,"credits":true,"reversed":true}}"#;
    let lines = session.ask(&format!("{{\"op\":\"get_account_balances\",{filter}"));
    assert_eq!(lines["results"][0]["debits_posted"], json!("3"));
    assert_eq!(lines["results"][1]["debits_posted"], json!("0"));
    let entries = session.ask(&format!("{{\"op\":\"get_account_transfers\",{filter}"));
    assert_eq!(entries["results"][0]["id"], json!("31"));
    assert_eq!(session.end(), 0);
}

#[test]
fn books_with_a_directory_outlive_the_process() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("books");
    let mut session = Session::start(&["--data", text(&data)]);
    open_two(&mut session);
    session.ask(&transfer(40, 1, 2, "9", ""));
    let error = session.ask(r#"{"op":"tick","nanoseconds":1}"#);
    assert_eq!(error["error"]["field"], json!("op"));
    assert_eq!(session.end(), 1);

    let mut session = Session::start(&["--data", text(&data)]);
    assert_eq!(statuses(&session.ask(&transfer(40, 1, 2, "9", ""))), ["exists"]);
    let found = session.ask(r#"{"op":"lookup_accounts","ids":["2"]}"#);
    assert_eq!(found["results"][0]["credits_posted"], json!("9"));
    assert_eq!(session.end(), 0);
}

#[test]
fn nothing_acknowledged_is_lost_by_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("books");
    let mut session = Session::start(&["--data", text(&data)]);
    open_two(&mut session);
    let mut last = 100;
    while last < 140 {
        last += 1;
        assert_eq!(statuses(&session.ask(&transfer(last, 1, 2, "1", ""))), ["created"]);
    }
    session.child.kill().unwrap();
    session.child.wait().unwrap();

    let mut session = Session::start(&["--data", text(&data)]);
    let found = session.ask(r#"{"op":"lookup_accounts","ids":["2"]}"#);
    assert_eq!(found["results"][0]["credits_posted"], json!("40"));
    for id in 101..=last {
        assert_eq!(statuses(&session.ask(&transfer(id, 1, 2, "1", ""))), ["exists"]);
    }
    assert_eq!(session.end(), 0);
}

#[test]
fn a_directory_that_cannot_be_opened_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a-file");
    std::fs::write(&file, "no directory").unwrap();
    let output = run(&["exec", "--data", text(&file)], b"");
    assert_eq!(code(&output), 3);
    assert!(err(&output).contains("a-file"), "{}", err(&output));
    assert_eq!(out(&output), "");
}

#[test]
fn wrong_usage_is_told_apart() {
    assert_eq!(code(&run(&["exec", "--colour"], b"")), 2);
    assert_eq!(code(&run(&[], b"")), 2);
    assert_eq!(code(&run(&["exec", "--help"], b"")), 0);
}

#[test]
fn limits_and_opening_balances_are_told_and_held() {
    let mut session = Session::start(&[]);
    open_two(&mut session);
    let open = r#"{"op":"create_accounts","events":[{"id":3,"ledger":156,"code":1,"limit":"50",
        "flags":["debits_must_not_exceed_credits"],
        "opening_balance":{"side":"credit","amount":"100","contra_account_id":1,"transfer_id":900}}]}"#;
    let reply = session.ask(&open.replace('\n', " "));
    assert_eq!(statuses(&reply), ["created"]);
    assert_eq!(statuses(&session.ask(&transfer(50, 3, 1, "151", ""))), ["exceeds_credits"]);
    assert_eq!(statuses(&session.ask(&transfer(51, 3, 1, "150", ""))), ["created"]);
    let limits =
        session.ask(r#"{"op":"set_limits","events":[{"account_id":3,"limit":49},{"account_id":4}]}"#);
    assert_eq!(statuses(&limits), ["balance_exceeds_limit", "account_not_found"]);
    let refused = open.replace('\n', " ").replace("\"id\":3", "\"id\":4").replace("_id\":1,", "_id\":77,");
    let refused = session.ask(&refused);
    assert_eq!(refused["results"][0]["status"], json!("opening_balance_refused"));
    assert_eq!(session.end(), 0);
}

#[test]
fn a_chain_of_reservations_ends_as_one_and_balances_come_back() {
    let mut session = Session::start(&[]);
    open_two(&mut session);
    let pend = transfer(60, 1, 2, "5", r#","flags":["pending","linked"]"#);
    let second = transfer(61, 1, 2, "7", r#","flags":["pending"]"#);
    let (_, second) = second.split_once('[').expect("events");
    let chain = format!("{},{second}", pend.strip_suffix("]}").expect("an end"));
    assert_eq!(statuses(&session.ask(&chain)), ["created", "created"]);
    let position = session.ask(r#"{"op":"lookup_positions","ids":[1,99]}"#);
    assert_eq!(position["results"][0]["account"]["debits_pending"], json!("12"));
    assert_eq!(position["results"][0]["pendings"][1]["id"], json!("61"));
    assert_eq!(position["results"][1], Value::Null);
    let ended = session.ask(r#"{"op":"post_pending_chains","events":[{"id":70,"pending_id":61}]}"#);
    assert_eq!(
        (&ended["results"][0]["status"], &ended["results"][0]["members"]),
        (&json!("created"), &json!(2))
    );

    let told = transfer(62, 1, 2, "1", "").replace("]}", r#"],"balances":true}"#);
    let told = session.ask(&told);
    assert_eq!(told["results"][0]["debit_balances"]["debits_posted"], json!("13"));
    assert_eq!(told["results"][0]["credit_balances"]["credits_posted"], json!("13"));
    let refused = transfer(63, 2, 1, "14", "").replace("]}", r#"],"balances":true}"#);
    assert_eq!(session.ask(&refused)["results"][0]["debit_balances"], Value::Null);
    assert_eq!(session.end(), 0);
}

#[test]
fn a_loan_lives_from_its_product_to_its_last_instalment() {
    let mut session = Session::start(&[]);
    open_two(&mut session);
    session.ask(&transfer(80, 1, 2, "1000000", ""));
    let product = session.ask(
        r#"{"op":"put_product","id":"900","ledger":156,"daily_rate":"0.05","periods":5,"period":{"unit":"month","every":1},"amortisation":"equal_principal","day_count":"act/365","rounding":{"mode":"half_even","to":"1"}}"#,
    );
    assert_eq!(statuses(&product), ["created"]);
    let disburse = r#"{"op":"disburse","id":"901","loan_id":"77","product_id":"900","account_id":"2","amount":"1000000","effective_on":"2018-09-11"}"#;
    assert_eq!(statuses(&session.ask(disburse)), ["created"]);
    assert_eq!(statuses(&session.ask(disburse)), ["exists"]);
    let found = session.ask(r#"{"op":"lookup_loans","ids":["77","78"]}"#);
    let loan = &found["results"][0];
    let interest: Vec<_> = loan["instalments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["due"]["interest"].as_str().unwrap())
        .collect();
    assert_eq!(interest, ["15000", "12400", "9000", "6200", "3100"]);
    assert_eq!(found["results"][1], Value::Null);

    let day_end = session.ask(r#"{"op":"day_end","through":"2018-10-11"}"#);
    assert_eq!(day_end["results"][0]["business_date"], json!("2018-10-12"));
    let overdue = session.ask(r#"{"op":"lookup_loans","ids":["77"]}"#);
    assert_eq!(
        (&overdue["results"][0]["days_past_due"], &overdue["results"][0]["class"]),
        (&json!(1), &json!("special_mention"))
    );
    let repay = r#"{"op":"repay","id":"902","loan_id":"77","account_id":"2","amount":"215000","effective_on":"2018-10-11"}"#;
    assert_eq!(statuses(&session.ask(repay)), ["created"]);
    assert_eq!(statuses(&session.ask(r#"{"op":"reverse","id":"903","event_id":"902"}"#)), ["created"]);
    assert_eq!(
        statuses(&session.ask(r#"{"op":"reverse","id":"904","event_id":"902"}"#)),
        ["event_already_reversed"]
    );
    assert_eq!(session.end(), 0);
}
