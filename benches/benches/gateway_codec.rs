//! What does it cost a gateway to take a batch off the wire, and to put its answers on it?
//!
//! A full batch of 8,189 transfers as packed records and as the protocol's own messages, both ways; its answers packed
//! and as messages; and one transfer by itself, as most clients send it. Elements are transfers.

use bytes::Bytes;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fen_api::{answers, records, wire};
use fen_benches::{Ids, Random, transfers};
use fen_book::{CreateTransferStatus, EVENTS_MAX, Outcome, Reply, Stamp, Transfer};
use prost::Message;

/// The request that carries them as messages, encoded.
fn typed(batch: &[Transfer]) -> Vec<u8> {
    wire::CreateTransfersRequest { transfers: batch.iter().map(records::transfer_message).collect() }
        .encode_to_vec()
}

/// The request that carries them as records, encoded.
fn packed(batch: &[Transfer]) -> Vec<u8> {
    wire::PackedBatch { records: records::pack_transfers(batch), ..wire::PackedBatch::default() }
        .encode_to_vec()
}

fn read_typed(request: &[u8]) -> Vec<Transfer> {
    let request = wire::CreateTransfersRequest::decode(request).expect("it was encoded");
    request.transfers.iter().map(|message| records::transfer(message).expect("a transfer")).collect()
}

fn read_packed(request: Bytes) -> Vec<Transfer> {
    let request = wire::PackedBatch::decode(request).expect("it was encoded");
    records::unpack_transfers(&request.records).expect("whole records")
}

fn gateway_codec(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("gateway_codec");
    for count in [1, EVENTS_MAX] {
        let batch = transfers(&mut Random::new(7), 1, count, 10_000, Ids::Time);
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(BenchmarkId::new("packed, written", count), |bencher| {
            bencher.iter(|| packed(&batch));
        });
        let request = Bytes::from(packed(&batch));
        group.bench_function(BenchmarkId::new("packed, read", count), |bencher| {
            bencher.iter_batched(|| request.clone(), read_packed, BatchSize::SmallInput);
        });
        group.bench_function(BenchmarkId::new("messages, written", count), |bencher| {
            bencher.iter(|| typed(&batch));
        });
        let request = typed(&batch);
        group.bench_function(BenchmarkId::new("messages, read", count), |bencher| {
            bencher.iter(|| read_typed(&request));
        });
        let outcome = |at| Outcome { timestamp: Stamp::new(at), status: CreateTransferStatus::Created };
        let reply = Reply::Transfers((1..=count as u64).map(outcome).collect());
        group.bench_function(BenchmarkId::new("answers, packed", count), |bencher| {
            bencher.iter(|| answers::pack(&reply));
        });
        let results = answers::pack(&reply);
        group.bench_function(BenchmarkId::new("answers, as messages", count), |bencher| {
            bencher.iter(|| {
                let results = records::unpack_results(&results).expect("whole results");
                records::transfer_results(&results).encode_to_vec()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, gateway_codec);
criterion_main!(benches);
