//! What the benches share: the workloads of the load generator, made before the clock starts.

pub mod loans;

use fen_book::{Account, AccountId, Book, Chunk, Command, EVENTS_MAX, Recall, Stamp, Transfer, TransferId};
use fen_loadgen::workload::{Hot, Order};
use fen_store::disk::RealDisk;
use fen_store::journal::Journal;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

pub use fen_loadgen::workload::{Ids, Random, account, account_id};

/// `count` transfers of 1 to 10,000 minor units between evenly drawn accounts.
pub fn transfers(
    random: &mut Random,
    first_id: u128,
    count: usize,
    accounts: u64,
    ids: Ids,
) -> Vec<Transfer> {
    (0..count as u128)
        .map(|n| {
            let order = Order::draw(random, Hot::Uniform, accounts);
            let id = match ids {
                Ids::Time => first_id + n,
                Ids::Random => (u128::from(random.draw()) << 64) | u128::from(random.draw()),
            };
            order.transfer(TransferId::new(id), TransferId::ZERO)
        })
        .collect()
}

/// A chunk of the journal, with the ids of the accounts that it touches.
pub struct FullChunk {
    /// 65,536 records.
    pub chunk: Arc<Chunk>,
    /// In the order of its touches.
    pub account_ids: Vec<AccountId>,
}

/// The first `count` chunks of a book that posts transfers between evenly drawn accounts.
pub fn full_chunks(count: usize, accounts: u64, ids: Ids) -> Vec<FullChunk> {
    let mut book = Book::new();
    let mut clock = 1_000_000_000u64;
    let mut post = |book: &mut Book, command: &Command<'_>| {
        clock += command.event_count() as u64;
        book.apply(command, Stamp::new(clock), &Recall::nothing());
    };
    let numbers: Vec<u64> = (0..accounts).collect();
    for batch in numbers.chunks(EVENTS_MAX) {
        let batch: Vec<Account> = batch.iter().map(|number| account(*number)).collect();
        post(&mut book, &Command::CreateAccounts(&batch));
    }
    let mut random = Random::new(7);
    let (mut all, mut next_id) = (Vec::new(), 1u128);
    while all.len() < count {
        let batch = transfers(&mut random, next_id, EVENTS_MAX, accounts, ids);
        next_id += EVENTS_MAX as u128;
        post(&mut book, &Command::CreateTransfers(&batch));
        let full: Vec<Arc<Chunk>> = book.young().full_chunks().map(Arc::clone).collect();
        for chunk in full {
            let account_ids = chunk.touches.iter().map(|touch| book.accounts().get(touch.slot).id).collect();
            book.forget_chunk(chunk.number);
            all.push(FullChunk { chunk, account_ids });
        }
    }
    all
}

/// A journal of the first `count` chunks, on the disk under `directory`.
pub fn journal(directory: &Path, count: usize, accounts: u64, ids: Ids) -> Journal {
    let disk = Arc::new(RealDisk::open(directory).expect("the directory is free"));
    let journal = Journal::open(disk, Path::new("journal")).expect("a new journal");
    for full in full_chunks(count, accounts, ids) {
        journal.seal(&full.chunk, &full.account_ids).expect("sealed");
        while journal.merge_once(u32::MAX).expect("merged") {}
    }
    journal
}

/// A directory on the disk that holds the build; it goes when the bench ends.
pub fn place(parent: &str) -> TempDir {
    tempfile::Builder::new()
        .prefix("fen-bench-")
        .tempdir_in(parent)
        .expect("the build directory can be written")
}
