//! How long does one core close a day for, a thirtieth of the loans falling due on it, and what does a borrower cost in
//! memory? Instalments are collected from the borrowers' accounts; one borrower in a hundred cannot pay. Nothing is
//! written to disk.
//!
//! `FEN_LOANS` is the number of borrowers, a million by default. Each sample is the next day of April, so the overdue
//! loans grow to one in a hundred; after the thirtieth the bank begins anew, off the clock.

use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use fen_benches::loans::{Bank, date};
use fen_loadgen::measure::resident;
use std::time::{Duration, Instant};

/// April's days, as days counted from the first of March.
const APRIL: std::ops::RangeInclusive<u64> = 31..=60;

fn lent(loans: u64) -> Bank {
    let mut bank = Bank::new(true);
    bank.lend_in_march(loans);
    bank
}

fn day_end(criterion: &mut Criterion) {
    let given = std::env::var("FEN_LOANS").ok().and_then(|text| text.parse().ok());
    let loans: u64 = given.unwrap_or(1_000_000);
    let before = resident().now;
    let (mut bank, mut next) = (lent(loans), *APRIL.start());
    println!("{loans} borrowers lent to, {} bytes each", (resident().now - before) / loans);
    let mut one = || {
        if !APRIL.contains(&next) {
            (bank, next) = (lent(loans), *APRIL.start());
        }
        let began = Instant::now();
        bank.close(date(next));
        next += 1;
        began.elapsed()
    };
    let mut group = criterion.benchmark_group("day_end");
    group.sampling_mode(SamplingMode::Flat).sample_size(20).throughput(Throughput::Elements(loans));
    group.warm_up_time(Duration::from_millis(1)).measurement_time(Duration::from_millis(1));
    group.bench_function(format!("a day of {loans} loans"), |bencher| {
        bencher.iter_custom(|rounds| (0..rounds).map(|_| one()).sum::<Duration>());
    });
    group.finish();
}

criterion_group!(benches, day_end);
criterion_main!(benches);
