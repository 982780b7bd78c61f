//! A process that posts is killed in mid-load, as by a power cut for it; the books are opened again and every
//! answer that it had given is held against them.

use super::story::{CASH, CNY, account};
use super::{heading, path_text};
use crate::exit::Failure;
use crate::faults::{broken, open};
use crate::print::count;
use fen_book::{AccountFlags, AccountId, TransferId};
use fen_ledger::Ledger;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

/// Who is paid while the lights go out.
const PAYEE: AccountId = AccountId::new(4 << 64 | 1);
/// Ids of the load; the story's are below.
const FIRST_ID: u128 = 1_000_000;
const BATCH: u128 = 1_000;
/// Answered batches before the kill; one more is under way when it comes.
const BATCHES_ANSWERED: u128 = 20;

/// What was left of the load.
pub(super) struct Crash {
    /// Transfers whose outcome the process had told.
    pub(super) acknowledged: u64,
    /// Acknowledged transfers that the books do not have.
    pub(super) lost: u64,
    /// Transfers that the payee's balance has more than once.
    pub(super) doubled: u64,
    /// Transfers sent without an answer, and how many of them were durable.
    unanswered: (u64, u64),
    /// Opening the books again.
    pub(super) reopened_ms: f64,
    replayed: u64,
}

/// Starts `fen exec` on the books, loads it, kills it, and looks.
pub(super) fn survive(books: &Path) -> Result<Crash, Failure> {
    {
        let ledger = open(books)?;
        let payee = account(PAYEE, AccountFlags::NONE);
        ledger.create_accounts(&[payee]).map_err(|fault| broken(&fault))?;
    }
    let mut child = start(books)?;
    let acknowledged = load(&mut child);
    let killed = child.kill().and_then(|()| child.wait());
    let acknowledged = acknowledged?;
    killed.map_err(|error| Failure::unreachable(format!("the process could not be killed: {error}")))?;

    let begun = Instant::now();
    let ledger = open(books)?;
    let reopened_ms = begun.elapsed().as_secs_f64() * 1_000.0;
    look(&ledger, acknowledged, reopened_ms)
}

fn start(books: &Path) -> Result<Child, Failure> {
    let cannot =
        |error: std::io::Error| Failure::unreachable(format!("a second process cannot be started: {error}"));
    let program = std::env::current_exe().map_err(cannot)?;
    Command::new(program)
        .args(["exec", "--data", path_text(books)?])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(cannot)
}

/// Sends batches and counts the answers; the last batch is sent and not waited for.
fn load(child: &mut Child) -> Result<u64, Failure> {
    let ended = || Failure::refused("the process ended before it was killed");
    let mut input = child.stdin.take().ok_or_else(ended)?;
    let mut answers = BufReader::new(child.stdout.take().ok_or_else(ended)?);
    let mut acknowledged = 0_u64;
    let mut answer = String::new();
    for batch in 0..=BATCHES_ANSWERED {
        let sent = input.write_all(command(batch).as_bytes()).and_then(|()| input.flush());
        sent.map_err(|_| ended())?;
        if batch < BATCHES_ANSWERED {
            answer.clear();
            answers.read_line(&mut answer).map_err(|_| ended())?;
            acknowledged += answer.matches("\"created\"").count() as u64;
        }
    }
    Ok(acknowledged)
}

fn ids(batch: u128) -> impl Iterator<Item = u128> {
    let first = FIRST_ID + batch * BATCH;
    first..first + BATCH
}

fn command(batch: u128) -> String {
    let mut text = String::from("{\"op\":\"create_transfers\",\"events\":[");
    for (index, id) in ids(batch).enumerate() {
        let comma = if index > 0 { "," } else { "" };
        write!(
            text,
            "{comma}{{\"id\":\"{id}\",\"debit_account_id\":\"{CASH}\",\"credit_account_id\":\"{PAYEE}\",\
             \"amount\":\"1\",\"ledger\":{CNY},\"code\":1}}"
        )
        .expect("writing to a string cannot fail");
    }
    text + "]}\n"
}

/// Every transfer moved one fen, so the payee's balance counts them.
fn look(ledger: &Ledger, acknowledged: u64, reopened_ms: f64) -> Result<Crash, Failure> {
    let mut there: BTreeMap<bool, u64> = BTreeMap::new();
    let mut unanswered_there = 0;
    for batch in 0..=BATCHES_ANSWERED {
        let ids: Vec<TransferId> = ids(batch).map(TransferId::new).collect();
        let found = ledger.lookup_transfers(&ids).map_err(|fault| broken(&fault))?;
        let found = found.iter().flatten().count() as u64;
        *there.entry(batch < BATCHES_ANSWERED).or_default() += found;
        if batch == BATCHES_ANSWERED {
            unanswered_there = found;
        }
    }
    let answered_there = there.get(&true).copied().unwrap_or_default();
    let payee = ledger.lookup_accounts(&[PAYEE]).map_err(|fault| broken(&fault))?;
    let paid = payee.into_iter().flatten().next().map_or(0, |account| account.credits_posted.get());
    let paid = u64::try_from(paid).unwrap_or(u64::MAX);
    let unanswered = u64::try_from(BATCH).unwrap_or_default();
    Ok(Crash {
        acknowledged,
        lost: acknowledged.saturating_sub(answered_there),
        doubled: paid.abs_diff(answered_there + unanswered_there),
        unanswered: (unanswered, unanswered_there),
        reopened_ms,
        replayed: ledger.recovery().replayed_entries,
    })
}

impl Crash {
    pub(super) fn words(&self) -> String {
        let (sent, durable) = self.unanswered;
        format!(
            "{}A second process posts batches of {} to these books, each answered only when it is durable.\n\
             After {} answers, with one batch under way, it is killed (signal 9). Opened again:\n\n  \
             acknowledged {:>10}\n  lost         {:>10}\n  doubled      {:>10}\n\n\
             Of the batch under way {} of {} were durable; a client sends it again and gets `exists` for what is\n\
             there. The books were open again after {:.0} ms, {} log entries replayed.\n",
            heading("6. The lights go out"),
            count(u64::try_from(BATCH).unwrap_or_default()),
            count(u64::try_from(BATCHES_ANSWERED).unwrap_or_default()),
            count(self.acknowledged),
            count(self.lost),
            count(self.doubled),
            count(durable),
            count(sent),
            self.reopened_ms,
            count(self.replayed),
        )
    }
}
