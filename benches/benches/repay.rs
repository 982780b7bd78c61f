//! How many repayments a second can one core take: account checked, money spread over what is owed, posted, nothing
//! written to disk?
//!
//! Commands of 1,024 orders over a million loans in turn, each of about an instalment, on the first due day.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fen_benches::loans::{Bank, ORDERS, date};
use std::time::{Duration, Instant};

const LOANS: u64 = 976 * ORDERS;

/// Rounds over all loans until the shortest of them are nearly paid back.
const ROUNDS: u64 = 4;

fn bank() -> Bank {
    let mut bank = Bank::new(false);
    bank.open(0..LOANS);
    for first in (0..LOANS / ORDERS).map(|command| command * ORDERS) {
        let body = bank.disbursement(first..first + ORDERS, date(0));
        bank.granted(&body);
    }
    bank.close(date(30));
    bank
}

fn repay(criterion: &mut Criterion) {
    let (mut lender, mut taken) = (bank(), 0);
    let mut one = || {
        if taken == LOANS * ROUNDS {
            (lender, taken) = (bank(), 0);
        }
        let first = taken % LOANS;
        taken += ORDERS;
        let body = lender.repayment(first..first + ORDERS, date(31));
        let began = Instant::now();
        lender.granted(&body);
        began.elapsed()
    };
    let mut group = criterion.benchmark_group("repay");
    group.throughput(Throughput::Elements(ORDERS)).sample_size(20);
    group.bench_function(format!("over-{LOANS}"), |bencher| {
        bencher.iter_custom(|rounds| (0..rounds).map(|_| one()).sum::<Duration>());
    });
    group.finish();
}

criterion_group!(benches, repay);
criterion_main!(benches);
