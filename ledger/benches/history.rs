//! Question: what does history cost a ledger in a directory, and how fast is it asked?
//!
//! Workload: transfers of 1 to 1,000 minor units from 10,000 evenly drawn accounts to one hot account that is in every
//! transfer; ids rise or are random over 128 bits, every transfer bears a random reference of 128 bits. Batches of
//! 8,189, eight under way, one process. Runs with and without secondary indexes alternate.
//!
//! `cargo bench -p fen-ledger --bench history -- [TRANSFERS] [RUNS] [random]`. Bytes written are `write_bytes` of
//! `/proc/self/io`, from before the directory is made until it is closed; all of them count: log, journal, id index,
//! checkpoints, secondary indexes. Before each cold look-up the kernel is told to drop every page of every file of the
//! directory (`posix_fadvise`, `DONTNEED`); what the ledger keeps in its own memory stays.

use fen_ledger::search::Bounds;
use fen_ledger::{
    Account, AccountId, Amount, Body, Code, Direction, Ledger, LedgerCode, Options, Period, StatementAsked,
    Ticket, Transfer, TransferId, TransferSearch,
};
use rustix::fs::{Advice, fadvise};
use std::collections::VecDeque;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const BATCH: usize = 8_189;
const UNDER_WAY: usize = 8;
const ACCOUNTS: u64 = 10_000;
const HOT: AccountId = AccountId::new(1);
/// Is in the first ten transfers only.
const QUIET: AccountId = AccountId::new(2);

struct Draws(u64);

impl Draws {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn wide(&mut self) -> u128 {
        u128::from(self.next()) << 64 | u128::from(self.next())
    }
}

fn transfer(number: u64, has_random_id: bool) -> Transfer {
    let mut draws = Draws(number.wrapping_mul(0x1234_5678_9abc_def1));
    let debit = if number < 10 { 2 } else { 3 + draws.next() % (ACCOUNTS - 3) };
    let id = if has_random_id { draws.wide() } else { u128::from(number) + 1 };
    Transfer {
        id: TransferId::new(id),
        debit_account_id: AccountId::new(u128::from(debit)),
        credit_account_id: HOT,
        amount: Amount::new(u128::from(1 + draws.next() % 1_000)),
        user_data_128: Draws(number).wide(),
        ledger: LedgerCode::new(156),
        code: Code::new(10),
        ..Transfer::default()
    }
}

fn files(directory: &Path) -> Vec<(PathBuf, u64)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(directory).expect("a directory").flatten() {
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_dir() {
            all.extend(files(&entry.path()));
        } else {
            all.push((entry.path(), metadata.len()));
        }
    }
    all
}

fn bytes_in(directory: &Path) -> u64 {
    if directory.exists() { files(directory).iter().map(|(_, bytes)| bytes).sum() } else { 0 }
}

fn written() -> u64 {
    let io = fs::read_to_string("/proc/self/io").expect("the kernel counts");
    let line =
        io.lines().find_map(|line| line.strip_prefix("write_bytes: ")).expect("the kernel counts writes");
    line.parse().expect("a number")
}

fn per(bytes: u64, transfers: u64) -> String {
    let tenths = bytes * 10 / transfers;
    format!("{}.{}", tenths / 10, tenths % 10)
}

struct Asked {
    transfers: u64,
    has_random_id: bool,
    secondary_indexes: bool,
}

fn open(place: &Path, secondary_indexes: bool) -> Ledger {
    let options = Options { secondary_indexes, ..Options::default() };
    Ledger::open_with(place, &options).expect("the directory is free")
}

/// Posts everything; answers how long it took.
fn ingest(ledger: &Ledger, asked: &Asked) -> Duration {
    let account = |id: u64| Account {
        id: AccountId::new(u128::from(id)),
        ledger: LedgerCode::new(156),
        code: Code::new(1),
        ..Account::default()
    };
    let accounts: Vec<Account> = (1..=ACCOUNTS).map(account).collect();
    for batch in accounts.chunks(BATCH) {
        ledger.create_accounts(batch).expect("opened");
    }
    let numbers: Vec<u64> = (0..asked.transfers).collect();
    let batches: Vec<Vec<Transfer>> = numbers
        .chunks(BATCH)
        .map(|batch| batch.iter().map(|number| transfer(*number, asked.has_random_id)).collect())
        .collect();
    let begin = Instant::now();
    let mut under_way: VecDeque<Ticket> = VecDeque::new();
    for batch in batches {
        if under_way.len() == UNDER_WAY
            && let Some(first) = under_way.pop_front()
        {
            first.wait().expect("answered");
        }
        under_way.push_back(ledger.submit(Body::Transfers(batch)).expect("taken"));
    }
    for ticket in under_way {
        ticket.wait().expect("answered");
    }
    begin.elapsed()
}

fn percentiles(mut taken: Vec<Duration>) -> String {
    taken.sort_unstable();
    let at = |hundredth: usize| taken[(taken.len() - 1) * hundredth / 100].as_micros();
    format!("p50 {} us, p99 {} us of {}", at(50), at(99), taken.len())
}

fn drop_caches(directory: &Path) {
    for (path, _) in files(directory) {
        if let Ok(file) = File::open(&path) {
            file.sync_all().expect("synced");
            fadvise(&file, 0, None, Advice::DontNeed).expect("advised");
        }
    }
}

fn timed<T>(times: usize, mut before: impl FnMut(), mut work: impl FnMut(usize) -> T) -> Vec<Duration> {
    (0..times)
        .map(|time| {
            before();
            let begin = Instant::now();
            std::hint::black_box(work(time));
            begin.elapsed()
        })
        .collect()
}

fn questions(place: &Path, asked: &Asked) {
    let ledger = open(place, true);
    let statement = |account_id, limit| StatementAsked {
        account_id,
        period: Period::All,
        direction: Direction::NewestFirst,
        after: None,
        limit,
    };
    for (name, account, limit) in [
        ("last 10 of the hot account", HOT, 10),
        ("last 10 of an account that has 10, all of them the oldest", QUIET, 10),
        ("last 8,189 of the hot account", HOT, 8_189),
    ] {
        let page = timed(101, || (), |_| ledger.statement(&statement(account, limit)).expect("a page"));
        println!("  {name}: {}", percentiles(page));
    }
    let mut draws = Draws(5);
    let drawn: Vec<Transfer> =
        (0..400).map(|_| transfer(draws.next() % asked.transfers, asked.has_random_id)).collect();
    let found = timed(drawn.len(), || (), |at| ledger.lookup_transfers(&[drawn[at].id]).expect("found"));
    println!("  one transfer by id, warm: {}", percentiles(found));
    let found = timed(
        drawn.len(),
        || drop_caches(place),
        |at| ledger.lookup_transfers(&[drawn[at].id]).expect("found"),
    );
    println!("  one transfer by id, cold: {}", percentiles(found));
    let by_reference = |at: usize| {
        let search = TransferSearch {
            user_data_128: Bounds::only(drawn[at].user_data_128),
            limit: 10,
            ..TransferSearch::default()
        };
        let found = ledger.search_transfers(&search).expect("found");
        assert_eq!(found.len(), 1, "each reference is one transfer's");
    };
    println!("  one transfer by reference, warm: {}", percentiles(timed(drawn.len(), || (), by_reference)));
    let begin = Instant::now();
    let audit = ledger.audit().expect("audited");
    assert!(audit.faults.is_empty(), "{:?}", audit.faults);
    println!(
        "  adding everything up again: {} ns a transfer",
        begin.elapsed().as_nanos() / u128::from(asked.transfers)
    );
}

fn run(asked: &Asked, asks: bool) {
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory for the bench");
    let before = written();
    let ledger = open(place.path(), asked.secondary_indexes);
    let taken = ingest(&ledger, asked);
    let begin = Instant::now();
    let sealed = asked.transfers / 65_536 * 65_536;
    while asked.secondary_indexes && ledger.indexed().is_some_and(|[records, _]| records < sealed) {
        std::thread::sleep(Duration::from_millis(5));
    }
    let behind = begin.elapsed();
    drop(ledger);
    let bytes = written() - before;
    let part = |name: &str| per(bytes_in(&place.path().join(name)), asked.transfers);
    println!(
        "indexes {}: {} k transfers/s, index {} ms behind; bytes a transfer written {}; at rest: journal {}, \
         secondary indexes {}, log {}, checkpoints {}",
        if asked.secondary_indexes { "on " } else { "off" },
        u128::from(asked.transfers) / taken.as_millis().max(1),
        behind.as_millis(),
        per(bytes, asked.transfers),
        part("journal"),
        part("lookup"),
        part("log"),
        part("checkpoint"),
    );
    if asks {
        questions(place.path(), asked);
    }
}

fn main() {
    if cfg!(debug_assertions) {
        return println!("benches run in release");
    }
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let number = |at: usize, none: u64| words.get(at).and_then(|word| word.parse().ok()).unwrap_or(none);
    let (transfers, runs) = (number(0, 2_000_000), number(1, 3));
    let has_random_id = words.iter().any(|word| word == "random");
    println!(
        "{transfers} transfers, {} ids, {runs} runs each",
        if has_random_id { "random" } else { "rising" }
    );
    for round in 0..runs {
        run(&Asked { transfers, has_random_id, secondary_indexes: false }, false);
        run(&Asked { transfers, has_random_id, secondary_indexes: true }, round + 1 == runs);
    }
}
