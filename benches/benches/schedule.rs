//! How many schedules a second does one core reckon?
//!
//! Workload: loans whose principal and day of disbursement differ from one to the next, of three products: a microloan
//! (0.05 % a day, five months, equal principal), an instalment loan (7.2 % a year by the day, twelve months, level) and
//! a renovation loan (3.7 % a year per period, 96 months, level). Each the plain way into a buffer, by `schedule`,
//! and the exact way.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fen_terms::{
    Accrual, Amortisation, Day, DayCount, FlatBase, Grace, Instalment, InterestMethod, LaterDraws, Money,
    Percent, Period, PeriodUnit, Plain, Rate, Rounding, Terms, Timing, exact_schedule, schedule,
};
use std::hint::black_box;

fn product(amortisation: Amortisation, rate: Rate, accrual: Accrual, periods: u16) -> Terms {
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
        accrual,
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
    let day = 20_454 + i32::try_from(k * 31 % 1_461).expect("a few years");
    (Money::new(principal), Day::from_number(day).expect("a day"))
}

/// Bench after bench reckons the next loan.
fn each(mut of: impl FnMut(u32)) -> impl FnMut() {
    let mut k = 0;
    move || {
        k = (k + 1) % 100_000;
        of(k);
    }
}

fn schedules(criterion: &mut Criterion) {
    let percent = |text| Percent::parse(text).expect("a percentage");
    let yearly = |text| Rate::annual(percent(text));
    let daily = Rate::daily(percent("0.05"));
    let products = [
        ("5 equal parts", product(Amortisation::EqualPrincipal, daily, Accrual::Daily, 5)),
        ("12 level", product(Amortisation::EqualInstalment, yearly("7.2"), Accrual::Daily, 12)),
        ("96 level", product(Amortisation::EqualInstalment, yearly("3.7"), Accrual::PerPeriod, 96)),
    ];
    let mut group = criterion.benchmark_group("schedule");
    group.throughput(Throughput::Elements(1)).sample_size(20);
    for (name, terms) in products {
        let at = |k| {
            let (principal, disbursed_on) = loan(k);
            Terms { principal, disbursed_on, ..terms.clone() }
        };
        let plain = Plain::of(&terms).expect("these terms have a plain way");
        let mut rows = [Instalment::EMPTY; 96];
        group.bench_function(BenchmarkId::new("plain", name), |bencher| {
            bencher.iter(each(|k| {
                let (principal, day) = loan(k);
                black_box(plain.rows(principal, day, &mut rows)).expect("a schedule");
            }));
        });
        group.bench_function(BenchmarkId::new("either", name), |bencher| {
            bencher.iter(each(|k| drop(black_box(schedule(&at(k)).expect("a schedule")))));
        });
        group.bench_function(BenchmarkId::new("exact", name), |bencher| {
            bencher.iter(each(|k| drop(black_box(exact_schedule(&at(k)).expect("a schedule")))));
        });
    }
    group.finish();
}

criterion_group!(benches, schedules);
criterion_main!(benches);
