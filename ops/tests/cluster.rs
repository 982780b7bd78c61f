//! A cluster of real processes on loopback: its leader is killed, then stopped without a word, then all are killed.
//! Every transfer that was answered is there once, and none is there twice.

#![allow(clippy::unwrap_used, reason = "a panic in a test is its report")]

use fen_api::{Client, ClientOptions};
use fen_book::{Account, AccountId, Amount, Code, CreateTransferStatus, LedgerCode, Transfer, TransferId};
use fen_cluster::local::Layout;
use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

const BANK: AccountId = AccountId::new(1);
const ANNA: AccountId = AccountId::new(2);
const CNY: LedgerCode = LedgerCode::new(156);

/// `fen dev`, stopped in order when the test ends.
struct Dev {
    process: Child,
    endpoints: Vec<String>,
    processes: Arc<Mutex<HashMap<u64, u32>>>,
}

impl Dev {
    fn start(folder: &std::path::Path) -> Self {
        let port = Layout::free_port(3).unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_fen"))
            .args(["dev", "--plaintext", "--port", &port.to_string(), "--data"])
            .arg(folder)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let processes: Arc<Mutex<HashMap<u64, u32>>> = Arc::default();
        let (up, is_up) = mpsc::channel();
        let known = processes.clone();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let words: Vec<&str> = line.split([' ', ':', ',']).filter(|word| !word.is_empty()).collect();
                if let ["node", node, "process", process, ..] = words[..] {
                    known.lock().unwrap().insert(node.parse().unwrap(), process.parse().unwrap());
                } else if let [file, "is", "process", process] = words[..] {
                    let node = file.rsplit_once("node-").unwrap().1.trim_end_matches(".toml");
                    known.lock().unwrap().insert(node.parse().unwrap(), process.parse().unwrap());
                } else if line.contains("nodes are up") {
                    up.send(()).unwrap();
                }
            }
        });
        is_up.recv_timeout(Duration::from_secs(30)).expect("the cluster comes up");
        let endpoints = (0..3).map(|node| format!("127.0.0.1:{}", port + node)).collect();
        Self { process, endpoints, processes }
    }

    fn signal(&self, node: u64, name: &str) {
        let process = self.processes.lock().unwrap()[&node];
        assert!(Command::new("kill").args([name, &process.to_string()]).status().unwrap().success());
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let process = self.process.id().to_string();
        let told = Command::new("kill").args(["-TERM", &process]).status();
        if told.is_ok_and(|status| status.success()) {
            let _ended = self.process.wait();
        }
    }
}

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

async fn open(client: &Client) {
    let account = |id| Account { id, ledger: CNY, code: Code::new(1), ..Account::default() };
    client.create_accounts(&[account(BANK), account(ANNA)]).await.unwrap();
}

async fn leader(client: &Client) -> u64 {
    loop {
        let status = client.status().await.unwrap();
        let leader = status.groups.iter().find(|group| group.group == 1).map_or(0, |group| group.leader);
        if leader != 0 {
            return leader;
        }
        tokio::task::yield_now().await;
    }
}

/// What the payers did.
#[derive(Default)]
struct Tally {
    answered: AtomicU64,
    longest_gap_ms: AtomicU64,
    last_answer: Mutex<Option<Instant>>,
    stop: AtomicBool,
}

async fn pay_on(client: Client, tally: Arc<Tally>, payer: u64) -> Vec<u64> {
    let mut done = Vec::new();
    let mut id = payer << 32;
    while !tally.stop.load(Ordering::Relaxed) {
        id += 1;
        let status = client.create_transfers(&[pay(id)]).await.unwrap()[0].status;
        assert!(matches!(status, CreateTransferStatus::Created | CreateTransferStatus::Exists), "{status}");
        done.push(id);
        tally.answered.fetch_add(1, Ordering::Relaxed);
        let gap = tally.last_answer.lock().unwrap().replace(Instant::now()).map(|last| last.elapsed());
        let gap = gap.map_or(0, |gap| u64::try_from(gap.as_millis()).unwrap());
        tally.longest_gap_ms.fetch_max(gap, Ordering::Relaxed);
    }
    done
}

async fn answers(tally: &Tally, more: u64) {
    let goal = tally.answered.load(Ordering::Relaxed) + more;
    let waiting = async {
        while tally.answered.load(Ordering::Relaxed) < goal {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waiting).await.expect("the cluster goes on answering");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_is_there_once_whatever_was_killed() {
    let folder = tempfile::tempdir().unwrap();
    let dev = Dev::start(folder.path());
    let client = Client::new(&dev.endpoints, ClientOptions::default()).unwrap();
    open(&client).await;
    let tally = Arc::new(Tally::default());
    let payers: Vec<_> = (1..=8)
        .map(|payer| {
            let client = Client::new(&dev.endpoints, ClientOptions::default()).unwrap();
            tokio::spawn(pay_on(client, tally.clone(), payer))
        })
        .collect();
    answers(&tally, 200).await;

    dev.signal(leader(&client).await, "-KILL");
    answers(&tally, 200).await;
    eprintln!("gap after kill -9 of the leader: {} ms", tally.longest_gap_ms.swap(0, Ordering::Relaxed));

    // The killed one has to be back, or a second one down is no majority.
    let stopped = leader(&client).await;
    let all_back = async {
        while client
            .status()
            .await
            .unwrap()
            .groups
            .iter()
            .any(|group| group.lags.iter().any(|lag| lag.entries > 100))
        {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), all_back).await.unwrap();
    dev.signal(stopped, "-STOP");
    answers(&tally, 200).await;
    dev.signal(stopped, "-CONT");
    eprintln!("gap after the leader was stopped: {} ms", tally.longest_gap_ms.swap(0, Ordering::Relaxed));

    for node in 1..=3 {
        dev.signal(node, "-KILL");
    }
    answers(&tally, 200).await;
    eprintln!(
        "gap after all were killed, two seconds of pause included: {} ms",
        tally.longest_gap_ms.load(Ordering::Relaxed)
    );

    tally.stop.store(true, Ordering::Relaxed);
    let mut ids = Vec::new();
    for payer in payers {
        ids.extend(payer.await.unwrap());
    }
    let wanted: Vec<TransferId> = ids.iter().map(|id| TransferId::new(u128::from(*id))).collect();
    for some in wanted.chunks(4_000) {
        assert!(
            client.lookup_transfers(some).await.unwrap().iter().all(Option::is_some),
            "answered, so there"
        );
    }
    let accounts = client.lookup_accounts(&[BANK, ANNA]).await.unwrap();
    let (bank, anna) = (accounts[0].unwrap(), accounts[1].unwrap());
    assert_eq!(anna.credits_posted.get(), ids.len() as u128, "each once");
    assert_eq!(bank.debits_posted, anna.credits_posted);
}
