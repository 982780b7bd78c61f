//! How long until a command is durable in the log, alone and when several wait together?
//!
//! Entries of one transfer (128 bytes) and of a full batch (1 MiB), committed after every 1, 8 and 64 of them for the
//! small ones and 1 and 4 for the large; real disk, real sync. Released segments are recycled, as behind checkpoints.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fen_book::Stamp;
use fen_store::disk::{Disk, RealDisk};
use fen_store::wal::{Entry, GroupId, LogIndex, SegmentNumber, Wal, WalOptions};
use std::path::Path;
use std::sync::Arc;

/// Segments that a checkpoint would still need.
const KEPT_SEGMENTS: u64 = 2;

fn commit(wal: &mut Wal, index: &mut u64, body: &[u8], entries: u64) {
    for _ in 0..entries {
        *index += 1;
        let stamp = Stamp::new(*index);
        let entry =
            Entry { group: GroupId::new(0), index: LogIndex::new(*index), term: 0, kind: 1, stamp, body };
        wal.append(&entry).expect("appended");
    }
    wal.commit().expect("durable");
    let before = wal.segment().get().saturating_sub(KEPT_SEGMENTS);
    if before > 1 {
        wal.release(SegmentNumber::new(before)).expect("released");
    }
}

fn wal(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("wal");
    group.sample_size(20);
    for (bytes, together) in [(128, 1), (128, 8), (128, 64), (8_189 * 128, 1), (8_189 * 128, 4)] {
        let place = fen_benches::place(env!("CARGO_TARGET_TMPDIR"));
        let disk: Arc<dyn Disk> = Arc::new(RealDisk::open(place.path()).expect("the directory is free"));
        let options = WalOptions::new(1);
        let (mut wal, _) =
            Wal::open(disk, Path::new("log"), &options, SegmentNumber::FIRST, &mut |_, _| Ok(()))
                .expect("a new log");
        let (body, mut index) = (vec![7u8; bytes], 0);
        group.throughput(Throughput::Bytes(bytes as u64 * together));
        group.bench_function(BenchmarkId::new(format!("{bytes} bytes"), together), |bencher| {
            bencher.iter(|| commit(&mut wal, &mut index, &body, together));
        });
    }
    group.finish();
}

criterion_group!(benches, wal);
criterion_main!(benches);
