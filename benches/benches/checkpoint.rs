//! How long does a checkpoint of a book's pages take, on a real disk, synced: of all pages, and of a tenth of them?
//!
//! 64 MiB of pages, half a million accounts' worth. Only changed pages are written; the manifest names all.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fen_store::checkpoint::{PAGE_BYTES, PageId, PageStore};
use fen_store::disk::RealDisk;
use std::path::Path;
use std::sync::Arc;

const PAGES: u32 = 1_024;

fn checkpoint(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("checkpoint");
    group.sample_size(10);
    for step in [1u32, 10] {
        let place = fen_benches::place(env!("CARGO_TARGET_TMPDIR"));
        let disk = Arc::new(RealDisk::open(place.path()).expect("the directory is free"));
        let mut store = PageStore::open(disk, Path::new("checkpoint")).expect("a new store");
        let bytes: Vec<u8> = (0..PAGE_BYTES).map(|index| u8::try_from(index % 251).expect("small")).collect();
        let all = |step: usize| (0..PAGES).step_by(step).map(|page| (PageId { table: 1, page }, &bytes[..]));
        store.write_checkpoint(all(1), b"first").expect("written");
        let step = usize::try_from(step).expect("small");
        let count = all(step).count();
        group.throughput(Throughput::Bytes((count * PAGE_BYTES) as u64));
        group.bench_function(format!("{count} of {PAGES} pages"), |bencher| {
            bencher.iter(|| store.write_checkpoint(all(step), b"next").expect("written"));
        });
    }
    group.finish();
}

criterion_group!(benches, checkpoint);
criterion_main!(benches);
