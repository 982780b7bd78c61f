//! The same transfers on PostgreSQL: in batches, or one by one from many clients.
//!
//! **Invariants.** Batch `n` is the one that Fen gets, from the same workload. A run counts only if the books hold as
//! many transfers as were answered, and debits and credits agree.

use crate::fault::{Fault, Run};
use crate::server::Server;
use fen_loadgen::workload::Workload;
use postgres::Client;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use uuid::Uuid;

/// The tables and functions of accounts and transfers.
pub(crate) const BANK: &str = include_str!("../sql/bank.sql");

/// Transfers a second, measured on books that hold them all.
pub(crate) fn run(server: &Server, workload: &Workload, batches: u64, clients: u32) -> Run<f64> {
    let mut client = server.connect()?;
    client.batch_execute(BANK)?;
    open(&mut client, workload)?;
    settle(&mut client)?;
    let next = AtomicU64::new(0);
    let connections = (0..clients).map(|_| server.connect()).collect::<Run<Vec<_>>>()?;
    let began = Instant::now();
    let done: u64 = std::thread::scope(|scope| {
        let sending: Vec<_> = connections
            .into_iter()
            .map(|connection| scope.spawn(|| send(connection, workload, &next, batches)))
            .collect();
        sending
            .into_iter()
            .map(|thread| thread.join().map_err(|_| Fault::Books("a client thread panicked".to_owned()))?)
            .sum::<Run<u64>>()
    })?;
    let taken = began.elapsed();
    check(&mut client, done)?;
    #[allow(clippy::cast_precision_loss, reason = "counts of a run are far below 2^52")]
    let done = done as f64;
    Ok(done / taken.as_secs_f64())
}

/// Leaves nothing of the loading to be done while the clock runs.
pub(crate) fn settle(client: &mut Client) -> Run<()> {
    // Each by itself: a vacuum runs in no transaction with others.
    client.batch_execute("vacuum analyze")?;
    client.batch_execute("checkpoint")?;
    Ok(())
}

fn open(client: &mut Client, workload: &Workload) -> Run<()> {
    let mut rows = client.copy_in("copy account from stdin")?;
    for number in 0..workload.accounts {
        let id = Uuid::from_u128(workload.account_id(number).get());
        writeln!(rows, "{id}\t156\t1\t0\t0\t0").map_err(|error| Fault::Books(error.to_string()))?;
    }
    rows.finish()?;
    Ok(())
}

fn send(mut client: Client, workload: &Workload, next: &AtomicU64, batches: u64) -> Run<u64> {
    let one_by_one = workload.batch == 1;
    let statement = client.prepare(if one_by_one {
        "select post_one($1, $2, $3, $4)"
    } else {
        "select post_batch($1, $2, $3, $4)"
    })?;
    let mut done = 0;
    loop {
        let batch = next.fetch_add(1, Ordering::Relaxed);
        if batch >= batches {
            return Ok(done);
        }
        let (mut ids, mut debits, mut credits, mut amounts) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for transfer in workload.transfers(batch) {
            ids.push(Uuid::from_u128(transfer.id.get()));
            debits.push(Uuid::from_u128(transfer.debit_account_id.get()));
            credits.push(Uuid::from_u128(transfer.credit_account_id.get()));
            amounts
                .push(i64::try_from(transfer.amount.get()).map_err(|error| Fault::Books(error.to_string()))?);
        }
        if one_by_one {
            let row = client.query_one(&statement, &[&ids[0], &debits[0], &credits[0], &amounts[0]])?;
            done += u64::from(row.get::<_, bool>(0));
        } else {
            let row = client.query_one(&statement, &[&ids, &debits, &credits, &amounts])?;
            done += u64::try_from(row.get::<_, i64>(0)).unwrap_or(0);
        }
    }
}

/// Whether the books hold what was answered.
pub(crate) fn check(client: &mut Client, transfers: u64) -> Run<()> {
    let row = client.query_one(
        "select (select count(*) from transfer), sum(debits)::text, sum(credits)::text from account",
        &[],
    )?;
    let (held, debits, credits): (i64, String, String) = (row.get(0), row.get(1), row.get(2));
    if u64::try_from(held) != Ok(transfers) || debits != credits {
        return Err(Fault::Books(format!(
            "PostgreSQL holds {held} transfers of {transfers}, debits {debits}, credits {credits}"
        )));
    }
    Ok(())
}
