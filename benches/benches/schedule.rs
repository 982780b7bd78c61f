//! How many schedules a second does one core reckon?
//!
//! Workload: loans whose principal and day of disbursement differ from one to the next, of three products: a microloan
//! (0.05 % a day, five months, equal principal), an instalment loan (7.2 % a year by the day, twelve months, level) and
//! a renovation loan (3.7 % a year per period, 96 months, level). Each the plain way into a buffer, by `schedule`, and the exact way.
//! Prints the median of seven runs. `cargo bench -p fen-terms`.

#![allow(clippy::unwrap_used, reason = "a bench that cannot run has nothing to say")]

use fen_terms::{
    Accrual, Amortisation, Day, DayCount, FlatBase, Grace, Instalment, InterestMethod, LaterDraws, Money,
    Percent, Period, PeriodUnit, Plain, Rate, Rounding, Terms, Timing, exact_schedule, schedule,
};
use std::hint::black_box;
use std::time::Instant;

const RUNS: usize = 7;

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
        disbursed_on: Day::from_ymd(2026, 1, 1).unwrap(),
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
    (Money::new(principal), Day::from_number(20_454 + i32::try_from(k * 31 % 1_461).unwrap()).unwrap())
}

/// Nanoseconds for each of `count` calls: the median of several runs.
fn median(count: u32, mut each: impl FnMut(u32)) -> u128 {
    let mut runs: Vec<u128> = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            (0..count).for_each(&mut each);
            start.elapsed().as_nanos() / u128::from(count)
        })
        .collect();
    runs.sort_unstable();
    runs[RUNS / 2]
}

fn main() {
    if cfg!(debug_assertions) {
        eprintln!("a debug build measures nothing; run `cargo bench -p fen-terms`");
        return;
    }
    let daily = Rate::daily(Percent::parse("0.05").unwrap());
    let yearly = |percent| Rate::annual(Percent::parse(percent).unwrap());
    let products = [
        ("microloan, 5 equal parts", product(Amortisation::EqualPrincipal, daily, Accrual::Daily, 5)),
        (
            "instalment loan, 12 level",
            product(Amortisation::EqualInstalment, yearly("7.2"), Accrual::Daily, 12),
        ),
        (
            "renovation loan, 96 level",
            product(Amortisation::EqualInstalment, yearly("3.7"), Accrual::PerPeriod, 96),
        ),
    ];
    println!("{:<28}{:>12}{:>12}{:>12}{:>12}", "product", "plain ns", "plain /s", "schedule ns", "exact ns");
    for (name, terms) in products {
        let plain = Plain::of(&terms).unwrap();
        let mut rows = [Instalment::EMPTY; 96];
        let fast = median(100_000, |k| {
            let (principal, day) = loan(k);
            black_box(plain.rows(black_box(principal), black_box(day), &mut rows)).unwrap();
        });
        let at = |k| {
            let (principal, disbursed_on) = loan(k);
            Terms { principal, disbursed_on, ..terms.clone() }
        };
        let either = median(20_000, |k| drop(black_box(schedule(&at(k)).unwrap())));
        let exact = median(1_000, |k| drop(black_box(exact_schedule(&at(k)).unwrap())));
        println!("{name:<28}{fast:>12}{:>12}{either:>12}{exact:>12}", 1_000_000_000 / fast.max(1));
    }
}
