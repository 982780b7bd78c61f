//! What does it cost to turn a full chunk of 65,536 transfers into a segment, and to put it on disk with its ids?
//!
//! Chunks of plain transfers between evenly drawn accounts. `encode` is the columns alone, `seal` adds hash, file, sync
//! and the run of ids. One thread. The bytes at rest are printed first.

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fen_benches::{FullChunk, Ids, full_chunks};
use fen_book::CHUNK_RECORDS;
use fen_store::disk::RealDisk;
use fen_store::journal::Journal;
use fen_store::segment::encode;
use std::path::Path;
use std::sync::Arc;

fn seal(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("seal");
    group.throughput(Throughput::Elements(CHUNK_RECORDS as u64)).sample_size(20);
    for accounts in [10_000u64, 1_000_000] {
        for ids in [Ids::Time, Ids::Random] {
            let FullChunk { chunk, account_ids } = full_chunks(1, accounts, ids).remove(0);
            let bytes = encode(&chunk, &account_ids).len();
            println!("{accounts} accounts, {} ids: {} bytes a transfer", ids.name(), bytes / CHUNK_RECORDS);
            group.bench_function(
                BenchmarkId::new(format!("encode {}-ids", ids.name()), accounts),
                |bencher| {
                    bencher.iter(|| encode(&chunk, &account_ids));
                },
            );
            group.bench_function(BenchmarkId::new(format!("seal {}-ids", ids.name()), accounts), |bencher| {
                let empty = || {
                    let place = fen_benches::place(env!("CARGO_TARGET_TMPDIR"));
                    let disk = Arc::new(RealDisk::open(place.path()).expect("the directory is free"));
                    (Journal::open(disk, Path::new("journal")).expect("a new journal"), place)
                };
                bencher.iter_batched(
                    empty,
                    |(journal, place)| {
                        journal.seal(&chunk, &account_ids).expect("sealed");
                        (journal, place)
                    },
                    BatchSize::PerIteration,
                );
            });
        }
    }
    group.finish();
}

criterion_group!(benches, seal);
criterion_main!(benches);
