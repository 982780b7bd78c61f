//! How long does it take to print an account's newest entries from sealed history?
//!
//! A journal of 20 chunks (1.3 M transfers) between evenly drawn accounts, on disk, page cache warm. Entries asked for:
//! 10 and 100, newest first, with and without the balances after each.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fen_benches::Ids;
use fen_book::{AccountFilter, AccountSlot};

const CHUNKS: usize = 20;

fn statement(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("statement");
    group.sample_size(20);
    for accounts in [10_000u64, 100_000] {
        let place = fen_benches::place(env!("CARGO_TARGET_TMPDIR"));
        let journal = fen_benches::journal(place.path(), CHUNKS, accounts, Ids::Time);
        // Both have entries in the newest chunk with all but certainty; the walk begins in the one that has.
        let slot = AccountSlot::new(5);
        let newest = (0..journal.chunks()).rev().find(|number| {
            let segment = journal.segment(*number).expect("a segment");
            segment.touch_of(slot).expect("readable").is_some()
        });
        for limit in [10u32, 100] {
            let filter = AccountFilter {
                debits: true,
                credits: true,
                limit,
                reversed: true,
                ..AccountFilter::default()
            };
            group.throughput(Throughput::Elements(u64::from(limit)));
            group.bench_function(
                BenchmarkId::new(format!("entries of {accounts} accounts"), limit),
                |bencher| {
                    bencher.iter(|| journal.account_transfers(slot, newest, &filter).count());
                },
            );
            group.bench_function(
                BenchmarkId::new(format!("balances of {accounts} accounts"), limit),
                |bencher| {
                    bencher.iter(|| journal.account_balances(slot, newest, &filter).count());
                },
            );
        }
    }
    group.finish();
}

criterion_group!(benches, statement);
criterion_main!(benches);
