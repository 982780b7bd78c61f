//! A cluster grows from one node to three and to five, loses a node, and moves a shard, under load, by commands that
//! are killed on the way. Every payment that was answered is there once, and none is there twice.

#![allow(clippy::unwrap_used, reason = "a panic in a test is its report")]

mod nodes;

use fen_api::{Client, ClientOptions};
use fen_book::{Account, AccountId, Amount, Code, CreateTransferStatus, LedgerCode, Transfer, TransferId};
use nodes::{Nodes, until};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

const BANK: AccountId = AccountId::new(1);
const ANNA: AccountId = AccountId::new(2);
const CNY: LedgerCode = LedgerCode::new(156);

fn pay(id: u64) -> Transfer {
    Transfer {
        id: TransferId::new(u128::from(id)),
        debit_account_id: BANK,
        credit_account_id: ANNA,
        amount: Amount::new(1),
        ledger: CNY,
        code: Code::new(1),
        ..Transfer::default()
    }
}

fn client(endpoints: &[String]) -> Client {
    let patience = Duration::from_mins(1);
    Client::new(endpoints, ClientOptions { patience, ..ClientOptions::default() }).unwrap()
}

/// Pays until it is told to stop; the ids that were answered.
async fn pay_on(client: Client, stop: Arc<AtomicBool>, answered: Arc<AtomicU64>) -> Vec<u64> {
    let mut done = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let id = 1_000 + done.len() as u64;
        let status = client.create_transfers(&[pay(id)]).await.unwrap()[0].status;
        assert!(matches!(status, CreateTransferStatus::Created | CreateTransferStatus::Exists), "{status}");
        done.push(id);
        answered.fetch_add(1, Ordering::Relaxed);
    }
    done
}

/// The voters of a group, sorted, as its leader has them.
async fn voters(client: &Client, group: u32) -> Vec<u64> {
    let status = client.status().await.unwrap();
    let found = status.groups.into_iter().find(|status| status.group == group);
    let mut voters = found.map(|status| status.voters).unwrap_or_default();
    voters.sort_unstable();
    voters
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_grows_and_loses_a_node_under_load() {
    let mut nodes = Nodes::new();
    nodes.add(1);
    nodes.done(&["cluster", "init", "--shards", "1", "node-1.toml"]);
    let first = nodes.endpoints(&[1]);
    let account = |id| Account { id, ledger: CNY, code: Code::new(1), ..Account::default() };
    client(&first).create_accounts(&[account(BANK), account(ANNA)]).await.unwrap();
    for node in 2..=5 {
        nodes.add(node);
    }
    let endpoints = nodes.endpoints(&[1, 2, 3, 4, 5]);
    let all = endpoints.join(",");
    let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let paying = tokio::spawn(pay_on(client(&first), stop.clone(), answered.clone()));

    // From one to five. One of the commands is killed as soon as it has begun; given again, it ends.
    for node in 2..=5 {
        let config = format!("node-{node}.toml");
        let words = ["cluster", "add-node", &config, "--endpoint", &first[0]];
        if node == 3 {
            let mut child = nodes::fen().current_dir(nodes.folder()).args(words).spawn().unwrap();
            child.kill().unwrap();
            child.wait().unwrap();
        }
        nodes.done(&words);
    }
    let watching = client(&nodes.endpoints(&[2]));
    assert_eq!(voters(&watching, 1).await, [1, 2, 3]);
    assert_eq!(voters(&watching, 0).await, [1, 2, 3, 4, 5]);
    let refused = nodes.run(&[
        "cluster",
        "move-replica",
        "--group",
        "1",
        "--from",
        "4",
        "--to",
        "5",
        "--endpoint",
        &all,
    ]);
    assert_eq!(refused.status.code(), Some(1), "{}", String::from_utf8_lossy(&refused.stderr));

    // The shard leaves the node that led it.
    nodes.done(&["cluster", "move-replica", "--group", "1", "--from", "1", "--to", "4", "--endpoint", &all]);
    assert_eq!(voters(&watching, 1).await, [2, 3, 4]);

    // A node is lost for good; its successor comes under a new id.
    nodes.kill(3);
    nodes.add(6);
    nodes.done(&["cluster", "replace-node", "--lost", "3", "node-6.toml", "--endpoint", &endpoints[0]]);
    assert_eq!(voters(&watching, 1).await, [2, 4, 6]);
    assert_eq!(voters(&watching, 0).await, [1, 2, 4, 5, 6]);
    let status = nodes.done(&["--json", "cluster", "status", "--endpoint", &endpoints[1]]);
    assert!(!status.contains("\"node\":3,"), "{status}");
    let again = nodes.run(&["cluster", "add-node", "node-3.toml", "--endpoint", &endpoints[1]]);
    assert_eq!(again.status.code(), Some(1), "the lost one's id never comes back");

    // It goes on answering, and what was answered is there, once.
    let goal = answered.load(Ordering::Relaxed) + 50;
    until("the cluster goes on answering", async || answered.load(Ordering::Relaxed) >= goal).await;
    stop.store(true, Ordering::Relaxed);
    let ids = paying.await.unwrap();
    let last = client(&nodes.endpoints(&[6]));
    let wanted: Vec<TransferId> = ids.iter().map(|id| TransferId::new(u128::from(*id))).collect();
    for some in wanted.chunks(4_000) {
        assert!(last.lookup_transfers(some).await.unwrap().iter().all(Option::is_some), "answered, so there");
    }
    let accounts = last.lookup_accounts(&[BANK, ANNA]).await.unwrap();
    assert_eq!(accounts[1].unwrap().credits_posted.get(), ids.len() as u128, "each once");
    assert_eq!(accounts[0].unwrap().debits_posted, accounts[1].unwrap().credits_posted);

    let verified = nodes.done(&["--json", "verify", "--endpoint", &endpoints[1]]);
    assert!(verified.contains("\"verified\":true"), "{verified}");
}
