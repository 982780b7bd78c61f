//! What an operator deploys names only what there is: figures that nodes show, runbooks for alerts, keys of a
//! configuration.

#![allow(clippy::unwrap_used, reason = "a panic in a test is its report")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn ops() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Words that begin with `fen_`, as figures are called.
fn figures(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
    let name = |word: &str| word.strip_suffix("_bucket").unwrap_or(word).to_owned();
    words.filter(|word| word.starts_with("fen_") && word.len() > 4).map(name).collect()
}

#[test]
fn every_alert_has_a_runbook_and_every_runbook_an_alert() {
    let alerts = text(&ops().join("alerts/fen.yml"));
    let named: BTreeSet<String> =
        alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).map(str::to_owned).collect();
    let written: BTreeSet<String> = std::fs::read_dir(ops().join("runbooks"))
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert!(!named.is_empty());
    assert_eq!(named, written);
    for alert in &named {
        assert!(alerts.contains(&format!("runbook: ops/runbooks/{alert}.md")), "{alert} names its runbook");
    }
}

#[test]
fn dashboards_and_alerts_ask_for_figures_that_nodes_show() {
    let cluster = ops().join("../cluster");
    let shown: BTreeSet<String> =
        ["src/figures.rs", "raft/src/machine.rs", "raft/src/scribe.rs", "net/src/listener.rs"]
            .iter()
            .flat_map(|file| figures(&text(&cluster.join(file))))
            .collect();
    let dashboard = text(&ops().join("dashboards/fen.json"));
    serde_json::from_str::<serde_json::Value>(&dashboard).unwrap();
    for asked in figures(&dashboard).into_iter().chain(figures(&text(&ops().join("alerts/fen.yml")))) {
        assert!(shown.contains(&asked), "{asked} is asked for and not shown");
    }
}
