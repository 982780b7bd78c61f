//! Schedules that others have published: product sheets, open-source engines, textbooks. Only their figures are here.

#![allow(clippy::unwrap_used, reason = "a panic in a test is the report")]

mod common;

use common::{draws, expect, fees, interests, lines, loan, money, period, rounding};
use fen_terms::{
    Accrual, Amortisation, DayCount, FlatBase, InterestMethod, Percent, PeriodUnit, Rate, RoundingMode,
    Terms, schedule,
};

/// A microloan: 0.05 % a day, equal principal, five months.
fn microloan(principal: &str, disbursed_on: &str) -> Terms {
    Terms {
        rate: Rate::daily(Percent::parse("0.05").unwrap()),
        amortisation: Amortisation::EqualPrincipal,
        ..loan(principal, "0", 5, disbursed_on)
    }
}

#[test]
fn a_microloan_drawn_on_11_september_2018_pays_457() {
    let schedule = schedule(&microloan("10000.00", "2018-09-11")).unwrap();
    assert_eq!(interests(&schedule), ["150.00", "124.00", "90.00", "62.00", "31.00"]);
    assert_eq!(schedule.total_interest, money("457.00"));
    assert_eq!(schedule.total, money("10457.00"));
}

#[test]
fn a_microloan_drawn_on_1_february_pays_2230() {
    let schedule = schedule(&microloan("50000.00", "2019-02-01")).unwrap();
    assert_eq!(interests(&schedule), ["700.00", "620.00", "450.00", "310.00", "150.00"]);
    assert_eq!(schedule.total_interest, money("2230.00"));
}

#[test]
fn a_microloan_of_2500_pays_by_the_days_of_its_periods() {
    // Periods of 31, 30, 31, 31 and 30 days.
    let terms = microloan("2500.00", "2019-05-20");
    let rows = schedule(&terms).unwrap();
    let days: Vec<i32> = rows.instalments.iter().map(|row| row.from.days_until(row.due)).collect();
    assert_eq!(days, [31, 30, 31, 31, 30]);
    assert_eq!(interests(&rows), ["38.75", "30.00", "23.25", "15.50", "7.50"]);
}

/// A loan of Apache Fineract's progressive schedule tests: 9.4822 % a year, six months from 1 January 2024.
fn six_months(day_count: DayCount) -> Terms {
    Terms { day_count, ..loan("100.00", "9.4822", 6, "2024-01-01") }
}

#[test]
fn fineract_30_360() {
    expect(
        &six_months(DayCount::Thirty360),
        &[
            ("16.34", "0.79", "83.66"),
            ("16.47", "0.66", "67.19"),
            ("16.60", "0.53", "50.59"),
            ("16.73", "0.40", "33.86"),
            ("16.86", "0.27", "17.00"),
            ("17.00", "0.13", "0.00"),
        ],
    );
}

#[test]
fn fineract_act_365() {
    expect(
        &Terms { ..loan("100.00", "15.678", 6, "2024-01-01") },
        &[
            ("16.10", "1.33", "83.90"),
            ("16.38", "1.05", "67.52"),
            ("16.53", "0.90", "50.99"),
            ("16.77", "0.66", "34.22"),
            ("16.97", "0.46", "17.25"),
            ("17.25", "0.22", "0.00"),
        ],
    );
}

#[test]
fn fineract_act_act() {
    expect(
        &Terms { day_count: DayCount::ActualActual, ..loan("100.00", "9.4822", 6, "2023-12-12") },
        &[
            ("16.33", "0.80", "83.67"),
            ("16.46", "0.67", "67.21"),
            ("16.63", "0.50", "50.58"),
            ("16.72", "0.41", "33.86"),
            ("16.87", "0.26", "16.99"),
            ("16.99", "0.14", "0.00"),
        ],
    );
}

#[test]
fn fineract_weeks_over_364_days() {
    expect(
        &Terms { timing: period(PeriodUnit::Week, 1, 6), ..six_months(DayCount::Actual364) },
        &[
            ("16.59", "0.18", "83.41"),
            ("16.62", "0.15", "66.79"),
            ("16.65", "0.12", "50.14"),
            ("16.68", "0.09", "33.46"),
            ("16.71", "0.06", "16.75"),
            ("16.75", "0.03", "0.00"),
        ],
    );
}

#[test]
fn fineract_fifteen_days_over_360() {
    expect(
        &Terms { timing: period(PeriodUnit::Day, 15, 6), ..six_months(DayCount::Actual360) },
        &[
            ("16.50", "0.40", "83.50"),
            ("16.57", "0.33", "66.93"),
            ("16.64", "0.26", "50.29"),
            ("16.70", "0.20", "33.59"),
            ("16.77", "0.13", "16.82"),
            ("16.82", "0.07", "0.00"),
        ],
    );
}

#[test]
fn fineract_a_second_draw_within_a_period() {
    let terms = Terms {
        principal: money("200.00"),
        disbursements: draws(&[("2024-01-01", "100.00"), ("2024-02-15", "100.00")]),
        ..six_months(DayCount::Thirty360)
    };
    expect(
        &terms,
        &[
            ("16.34", "0.79", "83.66"),
            ("36.46", "1.07", "147.20"),
            ("36.37", "1.16", "110.83"),
            ("36.65", "0.88", "74.18"),
            ("36.94", "0.59", "37.24"),
            ("37.24", "0.29", "0.00"),
        ],
    );
}

#[test]
fn fineract_no_interest() {
    expect(
        &loan("1000.00", "0", 4, "2024-01-01"),
        &[
            ("250.00", "0.00", "750.00"),
            ("250.00", "0.00", "500.00"),
            ("250.00", "0.00", "250.00"),
            ("250.00", "0.00", "0.00"),
        ],
    );
}

#[test]
fn fineract_instalments_in_whole_units() {
    let terms = Terms {
        interest: InterestMethod::Flat,
        rounding: rounding(RoundingMode::HalfEven, "0.01", Some("1.00")),
        ..loan("1000.00", "0", 6, "2023-09-01")
    };
    let principal: Vec<String> =
        common::parts(&terms).into_iter().map(|(principal, _, _)| principal).collect();
    assert_eq!(principal, ["167.00", "167.00", "167.00", "167.00", "167.00", "165.00"]);
}

#[test]
fn fineract_down_payment_in_whole_units() {
    let terms = Terms {
        accrual: Accrual::PerPeriod,
        down_payment: Percent::new(25, 1),
        rounding: rounding(RoundingMode::HalfEven, "0.01", Some("1.00")),
        ..loan("1250.00", "0", 3, "2022-01-01")
    };
    assert_eq!(
        lines(&terms),
        [
            "2022-01-01 312.00 0.00 0.00 312.00 938.00 down",
            "2022-02-01 313.00 0.00 0.00 313.00 625.00",
            "2022-03-01 313.00 0.00 0.00 313.00 312.00",
            "2022-04-01 312.00 0.00 0.00 312.00 0.00",
        ]
    );
}

#[test]
fn fineract_down_payment_with_flat_interest_on_what_was_drawn() {
    let terms = Terms {
        accrual: Accrual::PerPeriod,
        interest: InterestMethod::Flat,
        down_payment: Percent::new(25, 1),
        flat_base: FlatBase::Drawn,
        ..loan("1000.00", "12", 3, "2022-01-01")
    };
    assert_eq!(
        lines(&terms),
        [
            "2022-01-01 250.00 0.00 0.00 250.00 750.00 down",
            "2022-02-01 250.00 10.00 0.00 260.00 500.00",
            "2022-03-01 250.00 10.00 0.00 260.00 250.00",
            "2022-04-01 250.00 10.00 0.00 260.00 0.00",
        ]
    );
}

#[test]
fn fineract_draws_and_down_payments_on_a_due_day_with_a_fee_on_the_first() {
    let terms = Terms {
        down_payment: Percent::new(25, 1),
        disbursements: draws(&[("2023-09-01", "1000.00"), ("2023-10-01", "400.00"), ("2023-10-01", "80.00")]),
        fees: fees(&[("2023-09-01", "50.00")]),
        ..loan("1480.00", "0", 3, "2023-09-01")
    };
    // The draws of 1 October are counted in what is outstanding after that day's instalment.
    assert_eq!(
        lines(&terms),
        [
            "2023-09-01 250.00 0.00 0.00 250.00 750.00 down",
            "2023-10-01 250.00 0.00 50.00 300.00 980.00",
            "2023-10-01 100.00 0.00 0.00 100.00 880.00 down",
            "2023-10-01 20.00 0.00 0.00 20.00 860.00 down",
            "2023-11-01 430.00 0.00 0.00 430.00 430.00",
            "2023-12-01 430.00 0.00 0.00 430.00 0.00",
        ]
    );
}

#[test]
fn fineract_two_draws_on_the_first_day() {
    let terms = Terms {
        timing: period(PeriodUnit::Day, 15, 3),
        down_payment: Percent::new(25, 1),
        disbursements: draws(&[("2023-10-01", "100.00"), ("2023-10-01", "900.00")]),
        ..loan("1000.00", "0", 3, "2023-10-01")
    };
    assert_eq!(
        lines(&terms),
        [
            "2023-10-01 25.00 0.00 0.00 25.00 975.00 down",
            "2023-10-01 225.00 0.00 0.00 225.00 750.00 down",
            "2023-10-16 250.00 0.00 0.00 250.00 500.00",
            "2023-10-31 250.00 0.00 0.00 250.00 250.00",
            "2023-11-15 250.00 0.00 0.00 250.00 0.00",
        ]
    );
}
