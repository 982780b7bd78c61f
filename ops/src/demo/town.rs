//! Three nodes on this machine: the leader is killed in mid-load, loans are paid out and repaid, days are closed, and
//! every member adds the books up again.

use super::heading;
use super::story::{account, payment};
use crate::exit::Failure;
use crate::print::{self, count};
use crate::reach::{failure, runtime};
use crate::verify::found_in_cluster;
use fen_api::Client;
use fen_book::{AccountFlags, AccountId, CreateTransferStatus, TransferId};
use fen_cluster::local::{Hosts, Layout, LocalCluster};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const BANK: AccountId = AccountId::new(u128::MAX << 64 | 1);
const PAYEE: AccountId = AccountId::new(9 << 64 | 1);
const PAYERS: u128 = 4;
const BATCH: u128 = 100;
/// Answered before the leader is killed, and again after it.
const ANSWERS: u64 = if cfg!(debug_assertions) { 20 } else { 100 };
const LOANS: u128 = 200;
/// A year's microloan in twelve months, collected from the borrower's account.
const PRODUCT: &str = r#"{"op":"put_product","id":"1","ledger":156,"annual_rate":"12","periods":12,
    "period":{"unit":"month","every":1},"amortisation":"equal_instalment","auto_debit":true}"#;
const DAYS: [&str; 3] = ["2026-04-02", "2026-05-02", "2026-06-02"];

/// What happened.
pub(super) struct Town {
    pub(super) acknowledged: u64,
    pub(super) lost: u64,
    pub(super) doubled: u64,
    gap_ms: u128,
    portfolio: Portfolio,
    trial_balance: String,
    pub(super) is_right: bool,
    pub(super) faults: Vec<String>,
}

#[derive(Default)]
struct Portfolio {
    loans: usize,
    past_due: usize,
    principal: u128,
    paid: u128,
}

/// Founds the town in a folder and lives through its days.
pub(super) fn live(folder: &Path) -> Result<Town, Failure> {
    let fault = |error: &dyn std::fmt::Display| Failure::unreachable(format!("three nodes: {error}"));
    let port = Layout::free_port(3).map_err(|error| fault(&error))?;
    let files = Layout { nodes: 3, port, is_plaintext: false, hosts: Hosts::Loopback }
        .files(folder)
        .map_err(|error| fault(&error))?;
    let program = std::env::current_exe().map_err(|error| fault(&error))?;
    // A node's log is for operators; here it would stand between the lines of the tour.
    let mut cluster = LocalCluster::start_quietly(&program, &files).map_err(|error| fault(&error))?;
    runtime()?.block_on(async {
        cluster.found(1).await.map_err(|error| fault(&error))?;
        let client = cluster.client().map_err(|error| fault(&error))?;
        let opened = [account(BANK, AccountFlags::NONE), account(PAYEE, AccountFlags::NONE)];
        client.create_accounts(&opened).await.map_err(failure)?;
        let (acknowledged, gap_ms) = kill_the_leader(&mut cluster, &client).await?;
        let (lost, doubled) = count_again(&client, &acknowledged).await?;
        let portfolio = lend(&client).await?;
        let begun = Instant::now();
        let (audit, digest) = found_in_cluster(&client).await?;
        let finding =
            crate::verify::Finding { audit: &audit, digest: &digest, seconds: begun.elapsed().as_secs_f64() };
        Ok(Town {
            acknowledged: acknowledged.len() as u64,
            lost,
            doubled,
            gap_ms,
            portfolio,
            trial_balance: finding.trial_balance(),
            is_right: finding.is_right(),
            faults: audit.faults.clone(),
        })
    })
}

/// Payers pay; the leader is killed among them; they go on. The ids that were answered, and the longest silence.
async fn kill_the_leader(
    cluster: &mut LocalCluster,
    client: &Client,
) -> Result<(Vec<TransferId>, u128), Failure> {
    let (stop, answers) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let paying: Vec<_> = (1..=PAYERS)
        .map(|payer| tokio::spawn(pay_on(client.clone(), payer << 64, stop.clone(), answers.clone())))
        .collect();
    let reach = async |goal: u64| {
        while answers.load(Ordering::Relaxed) < goal
            && !paying.iter().any(tokio::task::JoinHandle::is_finished)
        {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    reach(ANSWERS).await;
    let status = client.status().await.map_err(failure)?;
    let leader = status.groups.iter().find(|group| group.group == 1).map_or(1, |group| group.leader);
    let place = (0..cluster.size()).find(|place| cluster.node(*place).0 == leader).unwrap_or(0);
    cluster.kill(place);
    let killed = Instant::now();
    let before = answers.load(Ordering::Relaxed);
    reach(before + 1).await;
    let gap_ms = killed.elapsed().as_millis();
    reach(before + ANSWERS).await;
    cluster.start_node(place).map_err(|error| Failure::unreachable(error.to_string()))?;
    stop.store(true, Ordering::Relaxed);
    let mut acknowledged = Vec::new();
    for payer in paying {
        let ended = payer.await.map_err(|error| Failure::refused(format!("a payer ended: {error}")))?;
        acknowledged.extend(ended?);
    }
    Ok((acknowledged, gap_ms))
}

/// Pays one fen a transfer, batch after batch, until it is told to stop.
async fn pay_on(
    client: Client,
    first: u128,
    stop: Arc<AtomicBool>,
    answers: Arc<AtomicU64>,
) -> Result<Vec<TransferId>, Failure> {
    let mut acknowledged = Vec::new();
    let mut next = first;
    while !stop.load(Ordering::Relaxed) {
        let batch: Vec<_> = (next..next + BATCH).map(|id| payment(id, BANK, PAYEE, 1)).collect();
        for outcome in client.create_transfers(&batch).await.map_err(failure)? {
            if !matches!(outcome.status, CreateTransferStatus::Created | CreateTransferStatus::Exists) {
                return Err(Failure::refused(format!("a payment was refused: {}", outcome.status)));
            }
        }
        acknowledged.extend(batch.iter().map(|payment| payment.id));
        answers.fetch_add(1, Ordering::Relaxed);
        next += BATCH;
    }
    Ok(acknowledged)
}

/// How many acknowledged payments are not there, and how many the payee has more than once.
async fn count_again(client: &Client, acknowledged: &[TransferId]) -> Result<(u64, u64), Failure> {
    let mut lost = 0;
    for some in acknowledged.chunks(4_000) {
        let found = client.lookup_transfers(some).await.map_err(failure)?;
        lost += found.iter().filter(|found| found.is_none()).count() as u64;
    }
    let payee = client.lookup_accounts(&[PAYEE]).await.map_err(failure)?;
    let paid = payee.into_iter().flatten().next().map_or(0, |account| account.credits_posted.get());
    let paid = u64::try_from(paid).unwrap_or(u64::MAX);
    Ok((lost, paid.abs_diff(acknowledged.len() as u64 - lost)))
}

fn borrower(number: u128) -> String {
    ((1_000 + number) << 64 | 1).to_string()
}

async fn execute(client: &Client, command: &Value) -> Result<Vec<Value>, Failure> {
    let reply = client.execute(&command.to_string()).await.map_err(failure)?;
    let reply: Value = serde_json::from_str(&reply)
        .map_err(|error| Failure::unreachable(format!("the cluster's answer is no JSON: {error}")))?;
    let results = reply["results"].as_array().cloned().unwrap_or_default();
    // The client asks again where an answer is late; what was done by then answers so.
    let is_done = |status: &&str| ["created", "exists", "day_already_closed"].contains(status);
    let refused =
        results.iter().filter_map(|result| result["status"].as_str()).find(|status| !is_done(status));
    match refused {
        Some(status) => {
            Err(Failure::refused(format!("the tour expected created, the cluster said {status}")))
        }
        None => Ok(results),
    }
}

/// Two hundred microloans, paid out in one batch, collected at three day-ends; every tenth borrower has spent it all.
async fn lend(client: &Client) -> Result<Portfolio, Failure> {
    let product: Value = serde_json::from_str(PRODUCT)
        .map_err(|error| Failure::refused(format!("the tour's product is no JSON: {error}")))?;
    execute(client, &product).await?;
    let of_all = |event: &dyn Fn(u128) -> Value| (0..LOANS).map(event).collect::<Vec<_>>();
    let open = |number| json!({"id": borrower(number), "ledger": 156, "code": 1, "flags": ["debits_must_not_exceed_credits"]});
    execute(client, &json!({"op": "create_accounts", "events": of_all(&open)})).await?;
    let disburse = |number: u128| {
        json!({"id": (1_u128 << 100 | number).to_string(), "loan_id": (7_000_000 + number).to_string(),
            "product_id": "1", "account_id": borrower(number), "amount": "120000", "effective_on": "2026-03-02"})
    };
    execute(client, &json!({"op": "disburse", "events": of_all(&disburse)})).await?;
    let spend: Vec<Value> = (0..LOANS)
        .step_by(10)
        .map(|number| {
            json!({"id": (2_u128 << 100 | number).to_string(), "debit_account_id": borrower(number),
                "credit_account_id": PAYEE.to_string(), "amount": "120000", "ledger": 156, "code": 1})
        })
        .collect();
    execute(client, &json!({"op": "create_transfers", "events": spend})).await?;
    for day in DAYS {
        execute(client, &json!({"op": "day_end", "through": day})).await?;
    }
    let ids: Vec<String> = (0..LOANS).map(|number| (7_000_000 + number).to_string()).collect();
    let loans = execute(client, &json!({"op": "lookup_loans", "ids": ids})).await?;
    let minor = |value: &Value| value.as_str().and_then(|text| text.parse::<u128>().ok()).unwrap_or(0);
    Ok(loans.iter().fold(Portfolio::default(), |sum, loan| Portfolio {
        loans: sum.loans + 1,
        past_due: sum.past_due + usize::from(loan["days_past_due"].as_u64().unwrap_or(0) > 0),
        principal: sum.principal + minor(&loan["balances"]["principal"]),
        paid: sum.paid + minor(&loan["paid"]["principal"]) + minor(&loan["paid"]["interest"]),
    }))
}

impl Town {
    pub(super) fn words(&self) -> String {
        let Portfolio { loans, past_due, principal, paid } = &self.portfolio;
        let money = |minor: u128| print::unsigned_money(156, minor);
        let right = if self.is_right {
            "All three nodes added everything up again and have the same books.".to_owned()
        } else {
            format!("THE BOOKS ARE NOT RIGHT: {}", self.faults.join("; "))
        };
        format!(
            "{}Three processes on this machine keep one book among them, each answer durable on two of them before it\n\
             is given. Four clients pay in batches of {BATCH}; the leader is killed among them (signal 9), and the\n\
             clients go on with the next one after {} ms:\n\n  \
             acknowledged {:>10}\n  lost         {:>10}\n  doubled      {:>10}\n{}\
             {} loans of 1,200.00 are paid out in one batch, and three month-ends collect their instalments; every\n\
             tenth borrower has spent the money elsewhere.\n\n  \
             loans        {:>10}\n  past due     {:>10}\n  owed         {:>10}\n  repaid       {:>10}\n{}\
             {}{right}\n",
            heading("8. Three nodes, and the leader is killed"),
            self.gap_ms,
            count(self.acknowledged),
            count(self.lost),
            count(self.doubled),
            heading("9. Loans on the cluster"),
            count(LOANS),
            count(*loans as u64),
            count(*past_due as u64),
            money(*principal),
            money(*paid),
            heading("10. The cluster's trial balance"),
            self.trial_balance,
        )
    }
}
