//! How fast, and how long is the gap? Transfers between random accounts of a running cluster, closed loop.
//!
//! `load ENDPOINTS DIR|plaintext ACCOUNTS BATCH CLIENTS SECONDS`: prints the rate, the latencies' percentiles and the
//! longest time without any answer, which is the gap after a leader was killed in mid-load.

use fen_api::{Client, ClientOptions, ClientSecurity};
use fen_book::{Account, AccountId, Amount, Code, CreateTransferStatus, LedgerCode, Transfer, TransferId};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

type Fault = Box<dyn std::error::Error + Send + Sync>;

struct Load {
    accounts: u64,
    batch: usize,
    done: AtomicU64,
    refused: AtomicU64,
    begun: Instant,
    last_answer: AtomicU64,
    longest_gap: AtomicU64,
    seed: u64,
}

fn mix(mut word: u64) -> u64 {
    word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[tokio::main]
async fn main() -> Result<(), Fault> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [endpoints, security, accounts, batch, clients, seconds] = &arguments[..] else {
        return Err("load ENDPOINTS DIR|plaintext ACCOUNTS BATCH CLIENTS SECONDS".into());
    };
    let endpoints: Vec<String> = endpoints.split(',').map(str::to_owned).collect();
    let security = if security == "plaintext" {
        None
    } else {
        let read = |name: &str| std::fs::read_to_string(std::path::Path::new(security).join(name));
        Some(ClientSecurity {
            authority: read("authority.pem")?,
            certificate: read("client.pem")?,
            key: read("client.key")?,
            server_name: fen_net::NODES_NAME.to_owned(),
        })
    };
    let options = ClientOptions { security, ..ClientOptions::default() };
    let (clients, seconds): (u64, u64) = (clients.parse()?, seconds.parse()?);
    let begun = Instant::now();
    let load = Arc::new(Load {
        accounts: accounts.parse()?,
        batch: batch.parse()?,
        done: AtomicU64::new(0),
        refused: AtomicU64::new(0),
        begun,
        last_answer: AtomicU64::new(0),
        longest_gap: AtomicU64::new(0),
        seed: u64::from(std::process::id()) << 32,
    });
    let client = Client::new(&endpoints, options.clone())?;
    open(&client, load.accounts).await?;
    let start = load.now();
    load.last_answer.store(start, Ordering::Relaxed);
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut tasks = Vec::new();
    for number in 0..clients {
        // Connections of their own, so that no client waits for another's frames.
        let client = if number < 8 { Client::new(&endpoints, options.clone())? } else { client.clone() };
        tasks.push(tokio::spawn(drive(load.clone(), client, number, end)));
    }
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await??);
    }
    let spent = Duration::from_micros(load.now() - start).as_secs_f64();
    latencies.sort_unstable();
    let at = |share: usize| latencies.get(latencies.len() * share / 1_000).copied().unwrap_or(0);
    let done = load.done.load(Ordering::Relaxed);
    println!(
        "{done} transfers in {spent:.2} s, refused {}; batch {}, {clients} clients; latency us p50 {} p90 {} p99 {} max {}; \
         longest gap {} ms",
        load.refused.load(Ordering::Relaxed),
        load.batch,
        at(500),
        at(900),
        at(990),
        latencies.last().unwrap_or(&0),
        load.longest_gap.load(Ordering::Relaxed) / 1_000,
    );
    let whole = u128::from(done) * 1_000_000;
    println!("{} a second", whole / u128::from((load.now() - start).max(1)));
    Ok(())
}

impl Load {
    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

async fn open(client: &Client, accounts: u64) -> Result<(), Fault> {
    let account = |id: u64| Account {
        id: AccountId::new(u128::from(id)),
        ledger: LedgerCode::new(156),
        code: Code::new(1),
        ..Account::default()
    };
    let all: Vec<Account> = (1..=accounts).map(account).collect();
    for some in all.chunks(8_000) {
        client.create_accounts(some).await?;
    }
    Ok(())
}

async fn drive(load: Arc<Load>, client: Client, number: u64, end: Instant) -> Result<Vec<u64>, Fault> {
    let mut latencies = Vec::new();
    let mut next = load.seed + (number << 24);
    while Instant::now() < end {
        let transfers: Vec<Transfer> = (0..load.batch)
            .map(|_| {
                next += 1;
                let word = mix(next);
                let (debit, credit) = (word % load.accounts, (word >> 32) % (load.accounts - 1));
                let credit = if credit == debit { load.accounts - 1 } else { credit };
                Transfer {
                    id: TransferId::new(u128::from(next)),
                    debit_account_id: AccountId::new(u128::from(debit + 1)),
                    credit_account_id: AccountId::new(u128::from(credit + 1)),
                    amount: Amount::new(1),
                    ledger: LedgerCode::new(156),
                    code: Code::new(1),
                    ..Transfer::default()
                }
            })
            .collect();
        let before = load.now();
        let outcomes = client.create_transfers(&transfers).await?;
        let now = load.now();
        latencies.push(now - before);
        let last = load.last_answer.swap(now, Ordering::Relaxed);
        load.longest_gap.fetch_max(now.saturating_sub(last), Ordering::Relaxed);
        for outcome in outcomes {
            if matches!(outcome.status, CreateTransferStatus::Created | CreateTransferStatus::Exists) {
                load.done.fetch_add(1, Ordering::Relaxed);
            } else if load.refused.fetch_add(1, Ordering::Relaxed) == 0 {
                eprintln!("refused: {}", outcome.status);
            }
        }
    }
    Ok(latencies)
}
