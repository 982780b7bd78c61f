//! How many transfers a second can one core post to the book, all checks made, nothing written to disk?
//!
//! Batches of 8,189 between evenly drawn accounts; full chunks are forgotten at once, as if sealed.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fen_benches::{Ids, Random, account, transfers};
use fen_book::{Account, Book, Command, EVENTS_MAX, Recall, Reply, Stamp, Transfer};

fn book_of(accounts: u64) -> (Book, u64) {
    let mut book = Book::new();
    let mut clock = 1_000_000_000u64;
    let all: Vec<Account> = (0..accounts).map(account).collect();
    for batch in all.chunks(EVENTS_MAX) {
        clock += batch.len() as u64;
        book.apply(&Command::CreateAccounts(batch), Stamp::new(clock), &Recall::nothing());
    }
    (book, clock)
}

fn apply(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("apply");
    group.throughput(Throughput::Elements(EVENTS_MAX as u64)).sample_size(50);
    for accounts in [10_000u64, 1_000_000, 10_000_000] {
        for ids in [Ids::Time, Ids::Random] {
            let (mut book, mut clock) = book_of(accounts);
            let mut random = Random::new(7);
            let mut next_id = 1u128;
            let name = BenchmarkId::new(format!("{ids:?}-ids"), accounts);
            group.bench_function(name, |bencher| {
                bencher.iter_batched(
                    || {
                        next_id += EVENTS_MAX as u128;
                        transfers(&mut random, next_id, EVENTS_MAX, accounts, ids)
                    },
                    |batch| clock = post(&mut book, &batch, clock),
                    criterion::BatchSize::LargeInput,
                );
            });
        }
    }
    group.finish();
}

fn post(book: &mut Book, batch: &[Transfer], clock: u64) -> u64 {
    let clock = clock + batch.len() as u64;
    let reply = book.apply(&Command::CreateTransfers(batch), Stamp::new(clock), &Recall::nothing());
    assert!(matches!(reply, Reply::Transfers(_)));
    let full: Vec<u32> = book.young().full_chunks().map(|chunk| chunk.number).collect();
    for number in full {
        book.forget_chunk(number);
    }
    clock
}

criterion_group!(benches, apply);
criterion_main!(benches);
