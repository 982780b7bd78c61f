//! How many loans a second can one core pay out: account checked, loan and schedule made, money posted, nothing written
//! to disk?
//!
//! Commands of 1,024 orders to borrowers who have an account and no loan yet, beside a million loans.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fen_benches::loans::{Bank, ORDERS, date};
use std::time::{Duration, Instant};

const LOANS: u64 = 1_000_000;

fn disburse(criterion: &mut Criterion) {
    let mut bank = Bank::new(false);
    let mut next = 0;
    let mut one = |is_timed: bool| {
        let numbers = next..next + ORDERS;
        next = numbers.end;
        if is_timed {
            bank.open(numbers.clone());
        }
        let body = bank.disbursement(numbers, date(0));
        let began = Instant::now();
        bank.granted(&body);
        began.elapsed()
    };
    for _ in 0..LOANS / ORDERS {
        one(true);
    }
    let mut group = criterion.benchmark_group("disburse");
    group.throughput(Throughput::Elements(ORDERS)).sample_size(20);
    group.bench_function(format!("beside-{LOANS}"), |bencher| {
        bencher.iter_custom(|rounds| (0..rounds).map(|_| one(true)).sum::<Duration>());
    });
    group.finish();
}

criterion_group!(benches, disburse);
criterion_main!(benches);
