//! How long does the journal take to say that none of a batch's 8,189 ids was seen before, and to find one that was?
//!
//! A journal of 40 chunks (2.6 M transfers), page cache warm, runs merged as the seal thread does. Ids that rise with
//! time lie behind all that is there; random ones have to be looked for.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fen_benches::{Ids, Random, transfers};
use fen_book::{EVENTS_MAX, RecordNumber, TransferId};

const CHUNKS: usize = 40;
const ACCOUNTS: u64 = 10_000;

fn id_index(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("id_index");
    group.sample_size(30);
    for ids in [Ids::Time, Ids::Random] {
        let place = fen_benches::place(env!("CARGO_TARGET_TMPDIR"));
        let journal = fen_benches::journal(place.path(), CHUNKS, ACCOUNTS, ids);
        let first = 1u128 << 40;
        let batch = transfers(&mut Random::new(99), first, EVENTS_MAX, ACCOUNTS, ids);
        let absent: Vec<TransferId> = batch.iter().map(|transfer| transfer.id).collect();
        group.throughput(Throughput::Elements(EVENTS_MAX as u64));
        group.bench_function(format!("a batch of absent {}-ids", ids.name()), |bencher| {
            bencher.iter(|| journal.find_transfers(&absent).expect("an answer"));
        });
        let present: Vec<TransferId> = (0..64u64)
            .map(|number| journal.record(RecordNumber::new(number * 40_000)).expect("a record").id)
            .collect();
        group.throughput(Throughput::Elements(present.len() as u64));
        group.bench_function(format!("64 present {}-ids", ids.name()), |bencher| {
            bencher.iter(|| journal.find_transfers(&present).expect("an answer"));
        });
    }
    group.finish();
}

criterion_group!(benches, id_index);
criterion_main!(benches);
