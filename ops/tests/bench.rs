//! `fen bench` and `fen cost` end to end, small: the check runs, the contract's fields are there, wrong use is told.

mod fen;

use fen::{code, err, out, run, text};
use serde_json::Value;

/// A directory on the disk that holds the sources: the temporary one of the machine may be in memory.
fn place() -> tempfile::TempDir {
    tempfile::Builder::new()
        .prefix("fen-bench-")
        .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
        .expect("a directory")
}

fn last_line(output: &std::process::Output) -> Value {
    let text = out(output);
    serde_json::from_str(text.lines().last().expect("a line")).expect("JSON")
}

#[test]
fn a_small_run_is_verified_and_reported() {
    let place = place();
    let (data, page) = (place.path().join("books"), place.path().join("report.html"));
    let arguments = ["bench", "transfers", "--accounts", "100", "--transfers", "30000", "--json"];
    let arguments = [&arguments[..], &["--data", text(&data), "--report", text(&page)]].concat();
    let output = run(&arguments, b"");
    assert_eq!(code(&output), 0, "{}", err(&output));
    let report = last_line(&output);
    assert_eq!(report["verified"], true);
    for field in [
        "scenario",
        "commit",
        "seed",
        "replicas",
        "shards",
        "accounts",
        "clients",
        "batch",
        "done",
        "per_second",
        "seconds",
        "latency_ms",
        "disk_bytes_per_record",
        "rss_bytes",
        "cpu_seconds",
        "gap_ms",
        "ready_ms",
        "refused",
    ] {
        assert!(report.get(field).is_some(), "{field}");
    }
    assert!(std::fs::read_to_string(&page).expect("a page").contains("Verified"));
    assert_eq!(code(&run(&["verify", "--data", text(&data)], b"")), 0, "--data stays");
    let again = run(&arguments, b"");
    assert_eq!(code(&again), 3, "books of its own");
    assert!(err(&again).contains("not empty"), "{}", err(&again));
}

#[test]
fn nothing_acknowledged_is_lost_when_the_process_is_killed() {
    let place = place();
    let data = place.path().join("books");
    let arguments = ["bench", "restart", "--accounts", "500", "--transfers", "40000", "--batch", "500"];
    let output = run(&[&arguments[..], &["--clients", "3", "--json", "--data", text(&data)]].concat(), b"");
    assert_eq!(code(&output), 0, "{}{}", out(&output), err(&output));
    let report = last_line(&output);
    assert_eq!(report["verified"], true);
    assert!(report["done"].as_u64().expect("a count") >= 40_000 && report["ready_ms"].is_f64());
}

#[test]
fn a_cluster_whose_leader_is_killed_is_verified_and_compared() {
    let place = place();
    let mut reports = Vec::new();
    for scenario in ["failover", "singles"] {
        let data = place.path().join(scenario);
        let arguments = ["bench", scenario, "--replicas", "3", "--accounts", "100", "--transfers", "1000"];
        let output = run(&[&arguments[..], &["--json", "--data", text(&data)]].concat(), b"");
        assert_eq!(code(&output), 0, "{}{}", out(&output), err(&output));
        let report = last_line(&output);
        assert_eq!(report["verified"], true);
        assert_eq!(
            (report["done"].as_u64(), report["gap_ms"].is_f64()),
            (Some(1_000), scenario == "failover")
        );
        let path = place.path().join(format!("{scenario}.json"));
        std::fs::write(&path, out(&output)).expect("written");
        reports.push(path);
    }
    let output = run(&["bench", "compare", text(&reports[0]), text(&reports[1])], b"");
    assert_eq!(code(&output), 0, "{}", err(&output));
    for word in ["scenario", "failover", "p99 ms", "ratio"] {
        assert!(out(&output).contains(word), "{word}: {}", out(&output));
    }
}

#[test]
fn several_client_processes_pay_between_shards_and_are_verified() {
    let place = place();
    let data = place.path().join("books");
    let arguments = ["bench", "singles", "--replicas", "3", "--shards", "2", "--clients", "4", "--processes"];
    let more =
        ["2", "--accounts", "100", "--transfers", "600", "--crossing", "20", "--refused", "5", "--json"];
    let output = run(&[&arguments[..], &more, &["--data", text(&data)]].concat(), b"");
    assert_eq!(code(&output), 0, "{}{}", out(&output), err(&output));
    let report = last_line(&output);
    let refused = report["refused"]["exceeds_credits"].as_u64().expect("some are refused");
    assert_eq!(report["done"].as_u64().expect("a count") + refused, 600);
    assert_eq!((&report["verified"], &report["processes"]), (&Value::from(true), &Value::from(2)));
}

#[test]
fn a_city_on_three_nodes_lives_through_a_month() {
    let place = place();
    let (data, page) = (place.path().join("books"), place.path().join("city.html"));
    let arguments = ["bench", "shenzhen", "--loans", "300", "--replicas", "3", "--shards", "2", "--json"];
    let output = run(&[&arguments[..], &["--data", text(&data), "--report", text(&page)]].concat(), b"");
    assert_eq!(code(&output), 0, "{}{}", out(&output), err(&output));
    let report = last_line(&output);
    assert_eq!((&report["verified"], &report["day_end"]["days"]), (&Value::from(true), &Value::from(30)));
    assert!(report["gap_ms"].is_f64(), "the leader is killed on salary day");
    assert_eq!(report["phases"].as_array().expect("phases").len(), 5);
    assert!(std::fs::read_to_string(&page).expect("a page").contains("salaries"));
}

#[test]
fn wrong_use_is_told() {
    for (arguments, word) in [
        (&["bench", "failover", "--replicas", "1"][..], "--replicas 3"),
        (&["bench", "day-end", "--endpoint", "127.0.0.1:1"], "--endpoint"),
        (&["bench", "failover", "--endpoint", "127.0.0.1:1"], "--endpoint"),
        (&["bench", "shenzhen", "--loans", "29"], "30 due days"),
        (&["bench", "transfers", "--replicas", "3", "--crossing", "5"], "--shards 2"),
        (&["bench", "repay", "--replicas", "3", "--processes", "2"], "--processes"),
        (&["bench", "transfers", "--refused", "101"], "0 to 100"),
        (&["bench", "transfers", "--replicas", "2"], "--replicas"),
        (&["bench", "transfers", "--shards", "2"], "--replicas 3"),
        (&["bench", "repay", "--batch", "1025"], "1024"),
        (&["bench", "compare", "one.json"], "two reports"),
        (&["bench", "transfers", "one.json"], "compare"),
        (&["bench", "transfers", "--batch", "9000"], "8189"),
        (&["bench", "transfers", "--accounts", "1"], "--accounts"),
        (&["bench", "transfers", "--seed", "0"], "--seed"),
    ] {
        let output = run(arguments, b"");
        assert_eq!(code(&output), 2, "{arguments:?}");
        assert!(err(&output).contains(word), "{arguments:?}: {}", err(&output));
    }
}

#[test]
fn the_cost_prints_every_assumption() {
    let place = place();
    let report = fen_loadgen::Report {
        scenario: "transfers".to_owned(),
        verified: true,
        per_second: Some(1_000_000),
        done: 1_000_000,
        cpu_seconds: 1.0,
        rss_bytes_per_account: 150.0,
        disk_bytes_per_record: 90.0,
        ..fen_loadgen::Report::default()
    };
    let path = place.path().join("run.json");
    std::fs::write(&path, report.json().expect("JSON")).expect("written");
    let prices = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/prices.toml");
    let output = run(&["cost", "--run", text(&path), "--prices", prices], b"");
    assert_eq!(code(&output), 0, "{}", err(&output));
    for word in ["hardware share", "retention", "Not counted", "replace by quotations"] {
        assert!(out(&output).contains(word), "{word}: {}", out(&output));
    }
    std::fs::write(&path, "{}").expect("written");
    assert_eq!(code(&run(&["cost", "--run", text(&path), "--prices", prices], b"")), 2);
}
