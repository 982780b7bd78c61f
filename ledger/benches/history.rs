//! Question: what does history cost a ledger in a directory, and how fast is it asked?
//!
//! Workload: transfers of 1 to 1,000 minor units from 10,000 evenly drawn accounts to one hot account that is in every
//! transfer; one of the accounts pays in every so many, so that 8,189 of its entries are spread over all of history; ids
//! rise or are random over 128 bits, every transfer bears a random reference of 128 bits. Batches of 8,189, eight under
//! way, one process. Runs with and without secondary indexes alternate. At the end each figure stands beside its aim.
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
/// Entries of a page.
const PAGE: u32 = 8_189;
const UNDER_WAY: usize = 8;
const ACCOUNTS: u64 = 10_000;
const HOT: AccountId = AccountId::new(1);
/// Is in the first ten transfers only.
const QUIET: AccountId = AccountId::new(2);
/// Is in a page's number of transfers, evenly spread.
const SPREAD: AccountId = AccountId::new(3);

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

fn transfer(number: u64, asked: &Asked) -> Transfer {
    let mut draws = Draws(number.wrapping_mul(0x1234_5678_9abc_def1));
    let is_spread = number.is_multiple_of((asked.transfers / u64::from(PAGE)).max(2));
    let debit = match number {
        0..10 => QUIET,
        _ if is_spread => SPREAD,
        _ => AccountId::new(u128::from(4 + draws.next() % (ACCOUNTS - 3))),
    };
    let id = if asked.has_random_id { draws.wide() } else { u128::from(number) + 1 };
    Transfer {
        id: TransferId::new(id),
        debit_account_id: debit,
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

/// A ratio with one decimal.
fn per(amount: u64, of: u64) -> String {
    let tenths = amount * 10 / of.max(1);
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// What a run came to, for the table at its end.
struct Run {
    taken: Duration,
    /// Bytes, all files but the log.
    at_rest: u64,
    written: u64,
    /// Each question's name, what it took, and its aim.
    asked: Vec<[String; 3]>,
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
        .map(|batch| batch.iter().map(|number| transfer(*number, asked)).collect())
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
    format!("p50 {}, p99 {} us of {}", at(50), at(99), taken.len())
}

fn median(mut taken: Vec<Duration>) -> Duration {
    taken.sort_unstable();
    taken[taken.len() / 2]
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

fn questions(place: &Path, asked: &Asked) -> Vec<[String; 3]> {
    let mut table: Vec<[String; 3]> = Vec::new();
    let mut tell = |name: &str, took: String, aim: &str| table.push([name.to_owned(), took, aim.to_owned()]);
    let ledger = open(place, true);
    for (name, account_id, limit, aim) in [
        ("last 10 of the hot account", HOT, 10, ""),
        ("last 10 of an account that has 10, all of them the oldest", QUIET, 10, ""),
        ("last 8,189 of the hot account", HOT, PAGE, "10,000 us"),
        ("last 8,189 of an account, spread over all of history", SPREAD, PAGE, "10,000 us"),
    ] {
        let (period, direction) = (Period::All, Direction::NewestFirst);
        let statement = StatementAsked { account_id, period, direction, after: None, limit };
        let page = timed(101, || (), |_| ledger.statement(&statement).expect("a page"));
        tell(name, percentiles(page), aim);
    }
    let mut draws = Draws(5);
    let drawn: Vec<Transfer> = (0..400).map(|_| transfer(draws.next() % asked.transfers, asked)).collect();
    let found = timed(drawn.len(), || (), |at| ledger.lookup_transfers(&[drawn[at].id]).expect("found"));
    tell("one transfer by id, warm", percentiles(found), "");
    let found = timed(
        drawn.len(),
        || drop_caches(place),
        |at| ledger.lookup_transfers(&[drawn[at].id]).expect("found"),
    );
    tell("one transfer by id, cold", percentiles(found), "p99 1,000 us");
    let by_reference = |at: usize| {
        let search = TransferSearch {
            user_data_128: Bounds::only(drawn[at].user_data_128),
            limit: 10,
            ..TransferSearch::default()
        };
        let found = ledger.search_transfers(&search).expect("found");
        assert_eq!(found.len(), 1, "each reference is one transfer's");
    };
    tell("one transfer by reference, warm", percentiles(timed(drawn.len(), || (), by_reference)), "");
    let begin = Instant::now();
    let audit = ledger.audit().expect("audited");
    assert!(audit.faults.is_empty(), "{:?}", audit.faults);
    let took = u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX);
    tell("adding everything up again", format!("{} M transfers/s", per(asked.transfers, took)), "5 M/s");
    table
}

fn run(asked: &Asked, asks: bool) -> Run {
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
    let written = written() - before;
    let bytes_of = |name: &str| bytes_in(&place.path().join(name));
    let part = |name: &str| per(bytes_of(name), asked.transfers);
    println!(
        "indexes {}: {} k transfers/s, index {} ms behind; bytes a transfer written {}; at rest: journal {}, \
         secondary indexes {}, log {}, checkpoints {}",
        if asked.secondary_indexes { "on " } else { "off" },
        u128::from(asked.transfers) / taken.as_millis().max(1),
        behind.as_millis(),
        per(written, asked.transfers),
        part("journal"),
        part("lookup"),
        part("log"),
        part("checkpoint"),
    );
    let at_rest = bytes_of("journal") + bytes_of("lookup");
    let asked = if asks { questions(place.path(), asked) } else { Vec::new() };
    Run { taken, at_rest, written, asked }
}

/// Each figure beside its aim.
fn table(transfers: u64, without: &[Run], with: &[Run]) {
    let taken = |runs: &[Run]| median(runs.iter().map(|run| run.taken).collect());
    let (without, slower) = (taken(without), taken(with));
    let Some(last) = with.last() else { return };
    let percent = 100.0 * (slower.as_secs_f64() / without.as_secs_f64() - 1.0);
    let mut rows = vec![
        ["what".to_owned(), "measured".to_owned(), "aim".to_owned()],
        [
            "journal and all indexes on disk, bytes a transfer".to_owned(),
            per(last.at_rest, transfers),
            "64".to_owned(),
        ],
        [
            "written, times the record of 128 bytes, log and checkpoints included".to_owned(),
            per(last.written, transfers * 128),
            "3".to_owned(),
        ],
        [
            "taking in with secondary indexes, longer than without (medians)".to_owned(),
            format!("{percent:.1} %"),
            "5 %".to_owned(),
        ],
    ];
    rows.extend(last.asked.iter().cloned());
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let [first, second, third] = [width(0), width(1), width(2)];
    for [what, measured, aim] in rows {
        println!("| {what:first$} | {measured:>second$} | {aim:>third$} |");
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
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for round in 0..runs {
        without.push(run(&Asked { transfers, has_random_id, secondary_indexes: false }, false));
        with.push(run(&Asked { transfers, has_random_id, secondary_indexes: true }, round + 1 == runs));
    }
    table(transfers, &without, &with);
}
