//! Schedules that others have published: product sheets, open-source engines, textbooks. Only their figures are here.

#![allow(clippy::unwrap_used, reason = "a panic in a test is the report")]

mod common;

use common::{MONTH, day, draws, expect, fees, interests, lines, loan, money, period, rounding};
use fen_terms::{
    Accrual, Amortisation, DayCount, FlatBase, Grace, InterestMethod, LaterDraws, Percent, PeriodUnit, Rate,
    RoundingMode, Terms, Timing, schedule,
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

/// Expects `principal interest` of every row; a row of several like `n x principal interest` stands for n rows.
fn expect_rows(terms: &Terms, expected: &str) {
    let got: Vec<String> = common::parts(terms)
        .iter()
        .map(|(principal, interest, _)| format!("{principal} {interest}"))
        .collect();
    let expected: Vec<String> = (expected.lines().map(str::trim).filter(|line| !line.is_empty()))
        .flat_map(|line| match line.split_once(" x ") {
            Some((times, row)) => vec![row.to_owned(); times.parse().unwrap()],
            None => vec![line.to_owned()],
        })
        .collect();
    assert_eq!(got, expected);
}

/// 5,000 at 12 % over eighteen months, charged per period, instalments in whole units.
fn eighteen_months() -> Terms {
    Terms {
        accrual: Accrual::PerPeriod,
        rounding: rounding(RoundingMode::HalfEven, "0.01", Some("1.00")),
        ..loan("5000.00", "12", 18, "2022-11-01")
    }
}

#[test]
fn fineract_eighteen_level_instalments_per_period() {
    expect_rows(
        &eighteen_months(),
        "255.00 50.00
         257.55 47.45
         260.13 44.87
         262.73 42.27
         265.35 39.65
         268.01 36.99
         270.69 34.31
         273.39 31.61
         276.13 28.87
         278.89 26.11
         281.68 23.32
         284.50 20.50
         287.34 17.66
         290.21 14.79
         293.12 11.88
         296.05 8.95
         299.01 5.99
         300.22 3.00",
    );
}

#[test]
fn fineract_eighteen_level_instalments_by_the_day() {
    expect_rows(
        &Terms { accrual: Accrual::Daily, ..eighteen_months() },
        "255.68 49.32
         256.65 48.35
         259.26 45.74
         266.08 38.92
         264.62 40.38
         268.53 36.47
         270.05 34.95
         273.84 31.16
         275.59 29.41
         278.40 26.60
         282.01 22.99
         284.11 20.89
         287.59 17.41
         289.94 15.06
         292.90 12.10
         296.47 8.53
         298.90 6.10
         299.38 2.95",
    );
}

#[test]
fn fineract_eighteen_equal_parts_of_principal() {
    let terms = Terms { amortisation: Amortisation::EqualPrincipal, ..eighteen_months() };
    expect_rows(
        &terms,
        "277.78 50.00
         277.78 47.22
         277.78 44.44
         277.78 41.67
         277.78 38.89
         277.78 36.11
         277.78 33.33
         277.78 30.56
         277.78 27.78
         277.78 25.00
         277.78 22.22
         277.78 19.44
         277.78 16.67
         277.78 13.89
         277.78 11.11
         277.78 8.33
         277.78 5.56
         277.74 2.78",
    );
}

#[test]
fn fineract_flat_interest_in_whole_instalments() {
    expect_rows(
        &Terms { interest: InterestMethod::Flat, ..eighteen_months() },
        "17 x 278.00 50.00
         274.00 50.00",
    );
    // 1,250 at 15 % over four months: 15.625 a month, half to even, and the last takes the rest of 62.50.
    let four = Terms {
        interest: InterestMethod::Flat,
        accrual: Accrual::PerPeriod,
        rounding: rounding(RoundingMode::HalfEven, "0.01", Some("1.00")),
        ..loan("1250.00", "15", 4, "2023-09-01")
    };
    expect_rows(
        &four,
        "3 x 312.38 15.62
         312.86 15.64",
    );
}

#[test]
fn fineract_three_months_without_principal() {
    let terms = Terms { grace: Grace { principal: 3, ..Grace::default() }, ..eighteen_months() };
    expect_rows(
        &terms,
        "3 x 0.00 50.00
         311.00 50.00
         314.11 46.89
         317.25 43.75
         320.42 40.58
         323.63 37.37
         326.86 34.14
         330.13 30.87
         333.43 27.57
         336.77 24.23
         340.14 20.86
         343.54 17.46
         346.97 14.03
         350.44 10.56
         353.95 7.05
         351.36 3.51",
    );
}

#[test]
fn fineract_six_months_without_principal_and_three_without_a_bill_for_interest() {
    let terms = Terms { grace: Grace { principal: 6, interest: 3, interest_free: 0 }, ..eighteen_months() };
    expect_rows(
        &terms,
        "3 x 0.00 0.00
         0.00 200.00
         2 x 0.00 50.00
         394.00 50.00
         397.94 46.06
         401.92 42.08
         405.94 38.06
         410.00 34.00
         414.10 29.90
         418.24 25.76
         422.42 21.58
         426.65 17.35
         430.91 13.09
         435.22 8.78
         442.66 4.43",
    );
}

#[test]
fn fineract_three_draws_over_the_whole_term() {
    let terms = Terms {
        disbursements: draws(&[
            ("2022-11-01", "5000.00"),
            ("2023-01-01", "3000.00"),
            ("2023-03-01", "2000.00"),
        ]),
        later_draws: LaterDraws::WholeTerm,
        accrual: Accrual::PerPeriod,
        rounding: rounding(RoundingMode::HalfEven, "0.01", Some("1.00")),
        ..loan("10000.00", "12", 6, "2022-11-01")
    };
    expect(
        &terms,
        &[
            ("1675.00", "50.00", "3325.00"),
            ("1691.75", "33.25", "4633.25"),
            ("1678.67", "46.33", "2954.58"),
            ("1695.45", "29.55", "3259.13"),
            ("1692.41", "32.59", "1566.72"),
            ("1566.72", "15.67", "0.00"),
        ],
    );
}

#[test]
fn fineract_a_second_draw_on_a_due_day() {
    let terms = Terms {
        principal: money("200.00"),
        disbursements: draws(&[("2024-01-01", "100.00"), ("2024-03-01", "100.00")]),
        ..six_months(DayCount::Thirty360)
    };
    expect(
        &terms,
        &[
            ("16.34", "0.79", "83.66"),
            ("16.47", "0.66", "167.19"),
            ("41.31", "1.32", "125.88"),
            ("41.64", "0.99", "84.24"),
            ("41.96", "0.67", "42.28"),
            ("42.28", "0.33", "0.00"),
        ],
    );
}

#[test]
fn fineract_seven_per_cent_30_360() {
    expect_rows(
        &Terms { day_count: DayCount::Thirty360, ..loan("100.00", "7", 6, "2024-01-01") },
        "16.43 0.58
         16.52 0.49
         16.62 0.39
         16.72 0.29
         16.81 0.20
         16.90 0.10",
    );
}

#[test]
fn fineract_four_weeks_at_a_fifty_second_of_the_year() {
    // 24 % a year is 24/52 % a week.
    let terms = Terms {
        timing: period(PeriodUnit::Week, 1, 4),
        accrual: Accrual::PerPeriod,
        ..loan("10000.00", "24", 4, "2024-01-01")
    };
    expect_rows(
        &terms,
        "2482.76 46.15
         2494.22 34.69
         2505.73 23.18
         2517.29 11.62",
    );
}

/// numpy-financial's `pmt`, rolled forward in decimals: `check/annuity.py`.
#[test]
fn numpy_financial_agrees() {
    for (principal, annual, periods, every, first, last, total_interest) in [
        ("300000.00", "3.7", 96, 1, "2690.06 925.00", "3604.35 11.11", "47046.16"),
        ("300000.00", "6.5", 360, 1, "271.20 1625.00", "1890.67 10.24", "382636.71"),
        ("162000.00", "3.875", 360, 1, "238.66 523.12", "762.19 2.46", "112243.67"),
        ("10000.00", "24", 12, 1, "745.60 200.00", "927.01 18.54", "1347.15"),
        ("50000000.00", "4.35", 36, 1, "1302746.71 181250.00", "1478636.50 5360.06", "3423881.41"),
        ("12345.67", "7.123456789", 20, 3, "519.29 219.86", "726.17 12.93", "2437.28"),
        ("0.07", "36", 5, 1, "0.02 0.00", "0.00 0.00", "0.00"),
        ("99999999999.99", "0.01", 1200, 1, "82917708.33 833333.33", "83750346.19 697.92", "501249994.46"),
    ] {
        let terms = Terms {
            accrual: Accrual::PerPeriod,
            timing: period(PeriodUnit::Month, every, periods),
            ..loan(principal, annual, periods, "2026-01-31")
        };
        let rows = common::parts(&terms);
        let print = |(principal, interest, _): &(String, String, String)| format!("{principal} {interest}");
        assert_eq!(rows.first().map(print).as_deref(), Some(first));
        assert_eq!(rows.last().map(print).as_deref(), Some(last));
        assert_eq!(schedule(&terms).unwrap().total_interest, money(total_interest));
    }
}

/// The level of a thirty-year mortgage, rounded up as lenders do, by the Python package mortgagemath.
#[test]
fn a_mortgage_calculator_agrees() {
    let terms = Terms {
        accrual: Accrual::PerPeriod,
        day_count: DayCount::Thirty360,
        rounding: rounding(RoundingMode::HalfUp, "0.01", None),
        ..loan("162000.00", "3.875", 360, "2024-01-01")
    };
    let rows = schedule(&terms).unwrap().instalments;
    assert!(rows[..359].iter().all(|row| row.total == money("761.78")));
}

#[test]
fn fineract_level_instalments_after_a_down_payment() {
    // 100, a quarter of it paid down, five level instalments in months of 30 days. (At 12.3 % that engine moves the
    // level by a cent, from 15.46 to 15.47, to bring the last instalment nearer to it; here it is rounded once.)
    let terms = Terms {
        down_payment: Percent::new(25, 1),
        day_count: DayCount::Thirty360,
        ..loan("100.00", "5", 5, "2024-01-01")
    };
    expect_rows(
        &terms,
        "25.00 0.00
         14.88 0.31
         14.94 0.25
         15.00 0.19
         15.06 0.13
         15.12 0.06",
    );
    // 5 % a month is 60 % a year.
    let terms = Terms {
        down_payment: Percent::new(20, 1),
        accrual: Accrual::PerPeriod,
        ..loan("15000.00", "60", 6, "2023-01-01")
    };
    let principal: Vec<String> =
        common::parts(&terms).into_iter().map(|(principal, _, _)| principal).collect();
    assert_eq!(principal, ["3000.00", "1764.21", "1852.42", "1945.04", "2042.29", "2144.41", "2251.63"]);
}

#[test]
fn fineract_flat_interest_of_twelve_and_a_half() {
    let terms = Terms {
        interest: InterestMethod::Flat,
        accrual: Accrual::PerPeriod,
        rounding: rounding(RoundingMode::HalfEven, "0.01", Some("1.00")),
        ..loan("1250.00", "12", 3, "2023-01-01")
    };
    expect_rows(
        &terms,
        "2 x 416.50 12.50
         417.00 12.50",
    );
}

#[test]
fn fineract_a_down_payment_in_whole_units_over_two_periods_of_thirty_days() {
    let terms = Terms {
        timing: period(PeriodUnit::Day, 30, 2),
        down_payment: Percent::new(25, 1),
        rounding: rounding(RoundingMode::HalfEven, "0.01", Some("1.00")),
        ..loan("1500.00", "0", 2, "2023-01-01")
    };
    assert_eq!(
        lines(&terms),
        [
            "2023-01-01 375.00 0.00 0.00 375.00 1125.00 down",
            "2023-01-31 562.00 0.00 0.00 562.00 563.00",
            "2023-03-02 563.00 0.00 0.00 563.00 0.00",
        ]
    );
}

#[test]
fn fineract_a_late_draw_with_a_down_payment_over_the_whole_term() {
    let terms = Terms {
        timing: period(PeriodUnit::Day, 30, 3),
        down_payment: Percent::new(33, 1),
        disbursements: draws(&[("2023-10-02", "1000.00"), ("2023-12-02", "200.00")]),
        later_draws: LaterDraws::WholeTerm,
        ..loan("1200.00", "0", 3, "2023-10-02")
    };
    assert_eq!(
        lines(&terms),
        [
            "2023-10-02 330.00 0.00 0.00 330.00 670.00 down",
            "2023-11-01 268.00 0.00 0.00 268.00 402.00",
            "2023-12-01 268.00 0.00 0.00 268.00 134.00",
            "2023-12-02 66.00 0.00 0.00 66.00 268.00 down",
            "2023-12-31 268.00 0.00 0.00 268.00 0.00",
        ]
    );
}

#[test]
fn fineract_level_instalments_by_the_day_over_six_months() {
    let terms = Terms {
        rounding: rounding(RoundingMode::HalfEven, "0.01", Some("1.00")),
        ..loan("5000.00", "12", 6, "2022-11-01")
    };
    let rows = schedule(&terms).unwrap().instalments;
    assert_eq!(rows[0].interest, money("49.32"));
    assert!(rows[..5].iter().all(|row| row.total == money("863.00")), "{rows:?}");
}

#[test]
fn fineract_a_first_period_of_seventeen_days() {
    // The level answers to the short first period; 17 days of a month of 31 count 30 x 17/31.
    let terms = Terms {
        timing: Timing::Regular { periods: 6, period: MONTH, first_due_on: Some(day("2024-02-01")) },
        day_count: DayCount::Thirty360,
        ..loan("192.22", "9.99", 6, "2024-01-15")
    };
    expect(
        &terms,
        &[
            ("31.97", "0.88", "160.25"),
            ("31.52", "1.33", "128.73"),
            ("31.78", "1.07", "96.95"),
            ("32.04", "0.81", "64.91"),
            ("32.31", "0.54", "32.60"),
            ("32.60", "0.27", "0.00"),
        ],
    );
}

#[test]
fn fineract_draws_that_come_after_the_first_day() {
    let terms = Terms {
        disbursements: draws(&[("2024-01-05", "100.00"), ("2024-01-08", "50.00"), ("2024-01-08", "25.00")]),
        principal: money("175.00"),
        ..six_months(DayCount::Thirty360)
    };
    expect(
        &terms,
        &[
            ("28.79", "1.15", "146.21"),
            ("28.78", "1.16", "117.43"),
            ("29.01", "0.93", "88.42"),
            ("29.24", "0.70", "59.18"),
            ("29.47", "0.47", "29.71"),
            ("29.71", "0.23", "0.00"),
        ],
    );
}
