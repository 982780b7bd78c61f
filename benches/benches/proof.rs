//! What does it cost to prove history, and who pays?
//!
//! Sealing a chunk never hashes a record for a proof: `seal` (the bench beside this one) is the whole of what the path
//! of transfers pays, and it is the same with and without digests. What a digest pays, once for each segment and on its
//! caller's thread, is `records of a segment`; then the root of everything, a path, and a stranger's check cost what is
//! below. Chunks of plain transfers between 10,000 evenly drawn accounts; one thread.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fen_benches::{Ids, full_chunks};
use fen_book::{CHUNK_RECORDS, RecordNumber};
use fen_proof::digest::origin;
use fen_proof::tree::{Head, Subtrees, WholeTree, check_inclusion, inclusion, root};
use fen_proof::{Digest, SigningKey, TreeHash};
use fen_store::journal::Journal;
use zerocopy::IntoBytes as _;

/// The journal's segments as subtrees; nothing young.
struct Sealed<'a>(&'a Journal);

const CHUNK_LEVEL: u32 = CHUNK_RECORDS.ilog2();

impl Subtrees for Sealed<'_> {
    type Fault = fen_store::journal::JournalFault;

    fn whole(&mut self, level: u32, index: u64) -> Result<TreeHash, Self::Fault> {
        let number = |index: u64| u32::try_from(index).expect("a few segments");
        if level > CHUNK_LEVEL {
            let left = self.whole(level - 1, 2 * index)?;
            return Ok(TreeHash::node(&left, &self.whole(level - 1, 2 * index + 1)?));
        }
        if level == CHUNK_LEVEL {
            return self.0.record_root(number(index));
        }
        let within = CHUNK_LEVEL - level;
        let tree = self.0.record_tree(number(index >> within))?;
        Ok(tree.whole(level, index & ((1 << within) - 1)).expect("a whole tree"))
    }
}

fn proof(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("proof");
    group.throughput(Throughput::Elements(CHUNK_RECORDS as u64)).sample_size(10);
    let chunk = full_chunks(1, 10_000, Ids::Time).remove(0).chunk;
    group.bench_function("hashes alone of a segment's records", |bencher| {
        let leaves = || chunk.records.iter().map(|record| TreeHash::leaf(record.as_bytes())).collect();
        bencher.iter(|| WholeTree::new(leaves()).root());
    });
    let place = fen_benches::place(env!("CARGO_TARGET_TMPDIR"));
    let journal = fen_benches::journal(place.path(), 4, 10_000, Ids::Time);
    group.bench_function("records of a segment, read, checked and hashed", |bencher| {
        bencher.iter(|| journal.record_tree(1).expect("a sound segment").root());
    });
    group.finish();
    let mut group = criterion.benchmark_group("proof");
    let size = 4 * CHUNK_RECORDS as u64;
    let head = Head { size, root: root(&mut Sealed(&journal), size).expect("sound segments") };
    let (index, leaf) =
        (70_000, TreeHash::leaf(journal.record(RecordNumber::new(70_000)).expect("sealed").as_bytes()));
    group.bench_function("root of 4 segments whose roots are kept", |bencher| {
        bencher.iter(|| root(&mut Sealed(&journal), size).expect("sound segments"));
    });
    let path = inclusion(&mut Sealed(&journal), index, size).expect("sound segments");
    group.bench_function("a stranger's check of a path", |bencher| {
        bencher.iter(|| check_inclusion(&leaf, index, size, &path, &head.root).expect("it holds"));
    });
    let key = SigningKey::from_seed("bench.example", [7; 32]).expect("a name");
    let digest = Digest {
        origin: origin("bench.example", 0),
        head,
        identity: 1,
        date: None,
        clock: 1,
        books: None,
        totals: Vec::new(),
    };
    group.bench_function("signing a digest", |bencher| bencher.iter(|| digest.sign(&key)));
    let note = digest.sign(&key);
    group.bench_function("a stranger's check of a digest", |bencher| {
        bencher.iter(|| Digest::open(&note, key.public()).expect("it holds"));
    });
    group.finish();
}

criterion_group!(benches, proof);
criterion_main!(benches);
