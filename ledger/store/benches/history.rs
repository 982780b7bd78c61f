//! Question: what does a sealed transfer cost, in bytes at rest and in time to seal and to read it?
//!
//! Workload: chunks of plain transfers (random amounts below 100,000; one ledger, four codes) between uniformly
//! drawn accounts; ids rising by one or random over 128 bits. Single thread, medians, page cache warm.

use fen_book::{
    Account, AccountFilter, AccountId, AccountSlot, Amount, CHUNK_RECORDS, Chunk, Code, LedgerCode,
    QueryFilter, RecordNumber, Stamp, Touch, Transfer, TransferId,
};
use fen_store::disk::{Disk, RealDisk};
use fen_store::journal::Journal;
use fen_store::segment::{Segment, SegmentHash, encode};
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How transfer ids are chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ids {
    Rising,
    Random,
}

/// Makes chunks from a seed.
struct Bank {
    seed: u64,
    ids: Ids,
    accounts: Vec<Account>,
    chunks: u32,
    transfers: u128,
    stamp: u64,
}

impl Bank {
    fn new(accounts: u32, ids: Ids) -> Self {
        let account = |slot: u32| Account { id: AccountId::new(u128::from(slot) + 1), ..Account::default() };
        let accounts = (0..accounts).map(account).collect();
        Self { seed: 42, ids, accounts, chunks: 0, transfers: 0, stamp: 1_700_000_000_000_000_000 }
    }

    fn random(&mut self) -> u64 {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.seed ^ (self.seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.random() % u64::try_from(bound).expect("small")).expect("small")
    }

    fn touch(&mut self, index: usize, chunk: &mut Chunk, ids: &mut Vec<AccountId>) -> AccountSlot {
        let slot = AccountSlot::new(u32::try_from(index).expect("small"));
        let account = &mut self.accounts[index];
        if account.reserved != chunk.number + 1 {
            let touch = Touch { opening: account.balances(), slot, previous: account.reserved, reserved: 0 };
            account.reserved = chunk.number + 1;
            chunk.touches.push(touch);
            ids.push(account.id);
        }
        slot
    }

    fn chunk(&mut self) -> (Chunk, Vec<AccountId>) {
        let mut chunk = Chunk {
            number: self.chunks,
            records: Vec::new(),
            touches: Vec::new(),
            slots: Vec::new(),
            part_posts: Vec::new(),
        };
        self.chunks += 1;
        let mut ids = Vec::new();
        for position in 0..CHUNK_RECORDS {
            self.stamp += if position % 8_189 == 0 { 4_000_000 } else { 1 };
            self.transfers += 1;
            let debit = self.below(self.accounts.len());
            let credit = (debit + 1 + self.below(self.accounts.len() - 1)) % self.accounts.len();
            let slots = [debit, credit].map(|index| self.touch(index, &mut chunk, &mut ids));
            let amount = u128::from(self.random() % 100_000);
            self.accounts[debit].debits_posted =
                Amount::new(self.accounts[debit].debits_posted.get() + amount);
            self.accounts[credit].credits_posted =
                Amount::new(self.accounts[credit].credits_posted.get() + amount);
            let id = match self.ids {
                Ids::Rising => self.transfers,
                Ids::Random => u128::from(self.random()) << 64 | u128::from(self.random()),
            };
            chunk.records.push(Transfer {
                id: TransferId::new(id),
                debit_account_id: self.accounts[debit].id,
                credit_account_id: self.accounts[credit].id,
                amount: Amount::new(amount),
                ledger: LedgerCode::new(156),
                code: Code::new(u16::try_from(1 + self.random() % 4).expect("small")),
                timestamp: Stamp::new(self.stamp),
                ..Transfer::default()
            });
            chunk.slots.push(slots);
        }
        (chunk, ids)
    }
}

/// The median of several timings of the same work.
fn median(times: usize, mut work: impl FnMut()) -> Duration {
    let mut taken: Vec<Duration> = (0..times)
        .map(|_| {
            let begin = Instant::now();
            work();
            begin.elapsed()
        })
        .collect();
    taken.sort_unstable();
    taken[times / 2]
}

fn per(duration: Duration, count: usize) -> u128 {
    duration.as_nanos() / u128::try_from(count).expect("small")
}

fn segments(accounts: u32, ids: Ids) {
    let mut bank = Bank::new(accounts, ids);
    for _ in 0..4 {
        bank.chunk();
    }
    let (chunk, account_ids) = bank.chunk();
    let mut bytes = Vec::new();
    let encoding = median(7, || bytes = encode(black_box(&chunk), &account_ids));
    let hashing = median(7, || {
        black_box(SegmentHash::of(&bytes));
    });
    let directory = tempfile::tempdir().expect("a directory for the bench");
    let disk = RealDisk::open(directory.path()).expect("a disk");
    let path = Path::new("bench.seg");
    let file = disk.create(path).expect("a file");
    file.write_at(&bytes, 0).expect("written");
    let segment = Arc::new(Segment::open(file, path).expect("a segment"));
    let positions: Vec<u32> =
        (0..10_000).map(|_| u32::try_from(bank.below(CHUNK_RECORDS)).expect("small")).collect();
    let reading = median(5, || {
        for position in &positions {
            black_box(segment.record(*position).expect("a record"));
        }
    });
    let touching = median(5, || {
        for touch in chunk.touches.iter().take(10_000) {
            black_box(segment.touch_of(touch.slot).expect("a touch"));
        }
    });
    println!(
        "{accounts} accounts, {ids:?} ids: {:.1} bytes a transfer; encode {} ns, hash {} ns a transfer; \
         one record {} ns, one touch {} ns",
        f64::from(u32::try_from(bytes.len()).expect("small")) / 65_536.0,
        per(encoding, CHUNK_RECORDS),
        per(hashing, CHUNK_RECORDS),
        per(reading, positions.len()),
        per(touching, chunk.touches.len().min(10_000)),
    );
}

/// Seals so many chunks and asks the journal.
fn journal(accounts: u32, ids: Ids, chunks: u32) {
    let mut bank = Bank::new(accounts, ids);
    let directory = tempfile::tempdir().expect("a directory for the bench");
    let disk = Arc::new(RealDisk::open(directory.path()).expect("a disk"));
    let journal = Journal::open(disk.clone(), Path::new("journal")).expect("a journal");
    let mut known = Vec::new();
    let (mut sealing, mut merging) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..chunks {
        let (chunk, account_ids) = bank.chunk();
        known.push(chunk.records[77].id);
        let begin = Instant::now();
        journal.seal(&chunk, &account_ids).expect("sealed");
        sealing += begin.elapsed();
        let begin = Instant::now();
        while journal.merge_once(u32::MAX).expect("merged") {}
        merging += begin.elapsed();
    }
    let records = CHUNK_RECORDS * usize::try_from(chunks).expect("small");
    let files = std::fs::read_dir(directory.path().join("journal")).expect("a directory");
    let bytes: u64 = files.map(|file| file.expect("a file").metadata().expect("its size").len()).sum();
    println!(
        "{accounts} accounts, {ids:?} ids, {records} transfers: {:.1} bytes a transfer, index included; \
         seal {} ns, merge {} ns a transfer",
        f64::from(u32::try_from(bytes / 1_000).expect("small")) * 1_000.0
            / f64::from(u32::try_from(records).expect("small")),
        per(sealing, records),
        per(merging, records),
    );
    look_up(&mut bank, &journal, &known);
    walk(&journal, &bank);
    drop(journal);
    let opening = median(5, || {
        black_box(Journal::open(disk.clone(), Path::new("journal")).expect("a journal"));
    });
    println!("  opening: {} us", opening.as_micros());
}

/// A full page of the statement of an account that has a thousandth of ten million transfers, newest first.
fn page() {
    let mut bank = Bank::new(2_000, Ids::Random);
    let directory = tempfile::tempdir().expect("a directory for the bench");
    let disk = Arc::new(RealDisk::open(directory.path()).expect("a disk"));
    let journal = Journal::open(disk, Path::new("journal")).expect("a journal");
    for _ in 0..153 {
        let (chunk, account_ids) = bank.chunk();
        journal.seal(&chunk, &account_ids).expect("sealed");
    }
    walk(&journal, &bank);
}

fn look_up(bank: &mut Bank, journal: &Journal, known: &[TransferId]) {
    let random: Vec<TransferId> = (0..8_189)
        .map(|_| TransferId::new(u128::from(bank.random()) << 64 | u128::from(bank.random())))
        .collect();
    let rising: Vec<TransferId> = (1..8_190).map(|next| TransferId::new(bank.transfers + next)).collect();
    for (name, ids) in [("random absent", &random), ("rising absent", &rising)] {
        journal.find_transfers(ids).expect("an answer");
        let asking = median(9, || {
            black_box(journal.find_transfers(ids).expect("an answer"));
        });
        println!("  one of 8,189 {name} ids: {} ns", per(asking, ids.len()));
    }
    let asking = median(9, || {
        for id in known {
            black_box(journal.find_transfer(*id).expect("an answer").expect("it is there"));
        }
    });
    println!("  one present id: {} ns", per(asking, known.len()));
}

fn walk(journal: &Journal, bank: &Bank) {
    let newest = Some(journal.chunks() - 1);
    let filter = AccountFilter {
        debits: true,
        credits: true,
        limit: 8_189,
        reversed: true,
        ..AccountFilter::default()
    };
    let slot = AccountSlot::new(5);
    let entries = journal.account_transfers(slot, newest, &filter).count();
    let transfers = median(51, || {
        black_box(journal.account_transfers(slot, newest, &filter).count());
    });
    let balances = median(51, || {
        black_box(journal.account_balances(slot, newest, &filter).count());
    });
    println!(
        "  a statement of {entries} entries of one of {} accounts: {} us; with balances {} us",
        bank.accounts.len(),
        transfers.as_micros(),
        balances.as_micros(),
    );
    let begin = Instant::now();
    let records =
        journal.records(RecordNumber::ZERO).map(|found| found.expect("a record")).fold(0, |count, found| {
            black_box(found);
            count + 1
        });
    println!("  reading all: {} ns a record", per(begin.elapsed(), records));
    let rare = QueryFilter { user_data_64: 7, limit: 10, ..QueryFilter::default() };
    let begin = Instant::now();
    let end = journal.end();
    assert_eq!(journal.query_transfers(&rare, end).count(), 0, "no transfer has it");
    println!("  a query that zones answer: {} us", begin.elapsed().as_micros());
}

fn main() {
    if cfg!(debug_assertions) {
        return println!("benches run in release");
    }
    println!("seed 42; one thread; page cache warm; sealing syncs every file");
    // `segments`, `page` or `journal` asks for that part alone.
    let asked: Vec<String> = std::env::args().skip(1).filter(|part| !part.starts_with('-')).collect();
    let is_asked = |part: &str| asked.is_empty() || asked.iter().any(|name| name == part);
    for accounts in [10_000, 1_000_000] {
        for ids in [Ids::Rising, Ids::Random] {
            if is_asked("segments") {
                segments(accounts, ids);
            }
        }
    }
    if is_asked("page") {
        page();
    }
    if is_asked("journal") {
        journal(10_000, Ids::Rising, 153);
        journal(1_000_000, Ids::Random, 153);
    }
}
