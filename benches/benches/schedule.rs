//! How many instalment schedules a second does one core reckon?
//!
//! A microloan (0.05 % a day, five months, equal principal) and an instalment loan (7.2 % a year by the day, twelve
//! months, level), principal and day differing from call to call; the plain way into a buffer, and the exact way.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fen_terms::{
    Accrual, Amortisation, Day, DayCount, FlatBase, Grace, Instalment, InterestMethod, LaterDraws, Money,
    Percent, Period, PeriodUnit, Plain, Rate, Rounding, Terms, Timing, schedule as exact,
};
use std::hint::black_box;

fn terms(amortisation: Amortisation, rate: Rate, periods: u16) -> Terms {
    Terms {
        principal: Money::new(1_000_000),
        rate,
        timing: Timing::Regular {
            periods,
            period: Period { unit: PeriodUnit::Month, every: 1 },
            first_due_on: None,
        },
        amortisation,
        interest: InterestMethod::Declining,
        accrual: Accrual::Daily,
        day_count: DayCount::Actual365,
        disbursed_on: Day::from_ymd(2026, 1, 1).expect("a day"),
        rounding: Rounding::BANKERS,
        down_payment: None,
        flat_base: FlatBase::Financed,
        grace: Grace::default(),
        disbursements: Vec::new(),
        later_draws: LaterDraws::RemainingTerm,
        fees: Vec::new(),
    }
}

/// The k-th loan's principal (500 to 300,000 yuan) and day (of four years).
fn loan(k: u32) -> (Money, Day) {
    let principal = 50_000 + u128::from(k) * 7_919 % 29_950_000;
    let day = 20_454 + i32::try_from(k % 47 * 31 % 1_461).expect("small");
    (Money::new(principal), Day::from_number(day).expect("a day"))
}

fn schedule(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("schedule");
    group.throughput(Throughput::Elements(1)).sample_size(30);
    let percent = |text| Percent::parse(text).expect("a percentage");
    let products = [
        ("microloan, 5 equal parts", terms(Amortisation::EqualPrincipal, Rate::daily(percent("0.05")), 5)),
        ("instalment loan, 12 level", terms(Amortisation::EqualInstalment, Rate::annual(percent("7.2")), 12)),
    ];
    for (name, terms) in products {
        let plain = Plain::of(&terms).expect("plain terms");
        let mut rows = [Instalment::EMPTY; 12];
        let mut k = 0u32;
        group.bench_function(BenchmarkId::new("plain", name), |bencher| {
            bencher.iter(|| {
                k = k.wrapping_add(1);
                let (principal, day) = loan(k);
                plain.rows(principal, day, black_box(&mut rows)).expect("a schedule");
            });
        });
        group.bench_function(BenchmarkId::new("exact", name), |bencher| {
            bencher.iter(|| {
                k = k.wrapping_add(1);
                let (principal, disbursed_on) = loan(k);
                exact(&Terms { principal, disbursed_on, ..terms.clone() }).expect("a schedule")
            });
        });
    }
    group.finish();
}

criterion_group!(benches, schedule);
criterion_main!(benches);
