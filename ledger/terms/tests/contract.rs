//! The contract of `fen schedule`, sentence by sentence, as it is read here.

#![allow(clippy::unwrap_used, reason = "a panic in a test is the report")]

mod common;

use common::{MONTH, day, draws, expect, fees, interests, lines, loan, money, period, rounding};
use fen_terms::{
    Accrual, Amortisation, DayCount, FlatBase, Grace, InterestMethod, LaterDraws, Percent, Period,
    PeriodUnit, Rate, RoundingMode, Terms, Timing, schedule,
};

/// 1,200 at 12 % in `periods` months from 1 January 2024, charged one twelfth of the year's interest a month.
fn twelfths(periods: u16) -> Terms {
    Terms { accrual: Accrual::PerPeriod, ..loan("1200.00", "12", periods, "2024-01-01") }
}

fn totals(terms: &Terms) -> Vec<String> {
    schedule(terms).unwrap().instalments.iter().map(|row| row.total.display(2).to_string()).collect()
}

// "The level instalment is the amount that clears the loan over the actual accruals of every period, solved exactly and
// rounded once ... The last instalment takes the rest."

#[test]
fn the_level_answers_to_the_days_of_each_period() {
    // 1,000 at 36.5 % over 31 and 29 days: f = 0.031 and 0.029, so A = 1,000 x 1.031 x 1.029 / 2.029 = 522.8679...
    let terms = loan("1000.00", "36.5", 2, "2024-01-01");
    expect(&terms, &[("491.87", "31.00", "508.13"), ("508.13", "14.74", "0.00")]);
    assert_eq!(totals(&terms), ["522.87", "522.87"]);
}

#[test]
fn a_first_period_that_bears_more_than_the_level_pays_its_interest_and_no_principal() {
    // Two years to the first due day at 60 % a year: 1,200 of interest on 1,000.
    let timing = Timing::Regular { periods: 3, period: MONTH, first_due_on: Some(day("2025-01-01")) };
    let terms = Terms { timing, ..loan("1000.00", "60", 3, "2023-01-02") };
    let rows = schedule(&terms).unwrap().instalments;
    assert_eq!(rows[0].principal, money("0.00"));
    assert_eq!(rows[0].interest, money("1200.00"));
    assert!(rows[1].principal > money("480.00") && rows[2].outstanding.is_zero());
}

// "`instalment_to` rounds each level total (principal + interest, flat too) and each down payment, not equal-principal
// parts."

#[test]
fn instalment_to_rounds_level_totals_only() {
    let unit = rounding(RoundingMode::HalfEven, "0.01", Some("10.00"));
    assert_eq!(totals(&Terms { rounding: unit, ..twelfths(3) }), ["410.00", "410.00", "404.02"]);
    let flat = Terms { rounding: unit, interest: InterestMethod::Flat, ..twelfths(7) };
    // (1,200 + 84) / 7 = 183.43
    assert_eq!(totals(&flat), ["180.00", "180.00", "180.00", "180.00", "180.00", "180.00", "204.00"]);
    let equal = Terms { rounding: unit, amortisation: Amortisation::EqualPrincipal, ..twelfths(7) };
    assert_eq!(schedule(&equal).unwrap().instalments[0].principal, money("171.43"));
}

#[test]
fn to_rounds_interest_parts_and_levels() {
    let unit = rounding(RoundingMode::Up, "1.00", None);
    let terms = Terms { rounding: unit, ..loan("1000.00", "36.5", 2, "2024-01-01") };
    // The level 522.87 goes up to 523, the second interest 14.732 to 15.
    expect(&terms, &[("492.00", "31.00", "508.00"), ("508.00", "15.00", "0.00")]);
    let equal = Terms { amortisation: Amortisation::EqualPrincipal, rounding: unit, ..twelfths(7) };
    assert_eq!(schedule(&equal).unwrap().instalments[0].principal, money("172.00"));
}

#[test]
fn instalments_rounded_up_may_clear_the_loan_early_and_never_below_nothing() {
    let unit = rounding(RoundingMode::Up, "0.01", Some("1000.00"));
    let terms = Terms { rounding: unit, ..twelfths(3) };
    expect(&terms, &[("988.00", "12.00", "212.00"), ("212.00", "2.12", "0.00"), ("0.00", "0.00", "0.00")]);
}

// "`per_period` charges the annual rate / periods a year whatever the day count"

#[test]
fn per_period_is_a_share_of_the_year_whatever_the_day_count() {
    for &day_count in DayCount::ALL {
        let monthly = Terms { day_count, amortisation: Amortisation::InterestOnly, ..twelfths(3) };
        assert_eq!(interests(&schedule(&monthly).unwrap()), ["12.00", "12.00", "12.00"], "{day_count}");
        let quarterly = Terms { timing: period(PeriodUnit::Month, 3, 1), ..monthly.clone() };
        assert_eq!(interests(&schedule(&quarterly).unwrap()), ["36.00"]);
        let weekly = Terms { timing: period(PeriodUnit::Week, 13, 1), ..monthly.clone() };
        assert_eq!(interests(&schedule(&weekly).unwrap()), ["36.00"]);
        let by_days = Terms { timing: period(PeriodUnit::Day, 73, 1), ..monthly };
        assert_eq!(interests(&schedule(&by_days).unwrap()), ["28.80"]);
    }
}

#[test]
fn a_daily_rate_charged_per_period_is_first_brought_to_a_year() {
    let rate = Rate::daily(Percent::parse("0.05").unwrap());
    for (day_count, interest) in [(DayCount::Actual360, "18.00"), (DayCount::Actual365, "18.25")] {
        let terms = Terms { rate, day_count, amortisation: Amortisation::InterestOnly, ..twelfths(1) };
        assert_eq!(interests(&schedule(&terms).unwrap()), [interest]);
    }
}

// "a whole month counts 30 in 30/x; act/act splits at 1 January"

#[test]
fn day_counts_by_the_day() {
    for (day_count, disbursed_on, interest) in [
        (DayCount::Actual365, "2024-01-01", "31.00"),
        (DayCount::Actual360, "2024-01-01", "31.43"),
        (DayCount::Actual364, "2024-01-01", "31.09"),
        (DayCount::ActualActual, "2024-01-01", "30.92"),
        // 17 days of 2023 over 365 and 14 of 2024 over 366.
        (DayCount::ActualActual, "2023-12-15", "30.96"),
        (DayCount::Thirty360, "2024-01-01", "30.42"),
        (DayCount::Thirty365, "2024-01-01", "30.00"),
        (DayCount::Thirty360, "2024-01-31", "30.42"),
        (DayCount::Thirty360, "2023-02-28", "30.42"),
    ] {
        let terms = Terms { day_count, ..loan("1000.00", "36.5", 1, disbursed_on) };
        assert_eq!(interests(&schedule(&terms).unwrap()), [interest], "{day_count} from {disbursed_on}");
    }
}

#[test]
fn a_daily_rate_counts_days_and_nothing_else() {
    let rate = Rate::daily(Percent::parse("0.1").unwrap());
    for (day_count, interest) in [
        (DayCount::Actual360, "31.00"),
        (DayCount::Actual364, "31.00"),
        (DayCount::ActualActual, "31.00"),
        (DayCount::Thirty365, "30.00"),
    ] {
        let terms = Terms { rate, day_count, ..loan("1000.00", "0", 1, "2023-12-15") };
        assert_eq!(interests(&schedule(&terms).unwrap()), [interest], "{day_count}");
    }
}

// "`first_due_on` re-anchors them, and a longer or shorter first period bears the day count's share."

#[test]
fn an_odd_first_period_bears_the_day_counts_share() {
    let due = |first: &str| Timing::Regular { periods: 2, period: MONTH, first_due_on: Some(day(first)) };
    let odd = |first, day_count, accrual| Terms {
        timing: due(first),
        day_count,
        accrual,
        amortisation: Amortisation::InterestOnly,
        ..loan("1000.00", "36.5", 2, "2023-01-01")
    };
    let first_interest = |terms: &Terms| interests(&schedule(terms).unwrap());
    // 45 days, then 28; per period: 45 days' share, then a twelfth.
    let daily = odd("2023-02-15", DayCount::Actual365, Accrual::Daily);
    assert_eq!(first_interest(&daily), ["45.00", "28.00"]);
    let per_period = odd("2023-02-15", DayCount::Actual365, Accrual::PerPeriod);
    assert_eq!(first_interest(&per_period), ["45.00", "30.42"]);
    let shorter = odd("2023-01-11", DayCount::Actual365, Accrual::PerPeriod);
    assert_eq!(first_interest(&shorter), ["10.00", "30.42"]);
    // A month of 30 and 14 of the 28 days of the next: 45 days of 360.
    let thirty = odd("2023-02-15", DayCount::Thirty360, Accrual::Daily);
    assert_eq!(first_interest(&thirty), ["45.62", "30.42"]);
    // One month is no odd period, however it is stated.
    let stated = odd("2023-02-01", DayCount::Actual365, Accrual::PerPeriod);
    assert_eq!(first_interest(&stated), ["30.42", "30.42"]);
}

#[test]
fn due_dates_may_be_listed() {
    let due_dates = vec![day("2024-01-20"), day("2024-03-05"), day("2024-03-06")];
    let terms = Terms {
        timing: Timing::Dates { due_dates, period: None },
        ..loan("1000.00", "36.5", 1, "2024-01-01")
    };
    let rows = schedule(&Terms { amortisation: Amortisation::InterestOnly, ..terms }).unwrap();
    assert_eq!(interests(&rows), ["19.00", "45.00", "1.00"]);
}

#[test]
fn listed_days_that_stand_for_months_are_charged_as_months() {
    let due_dates = vec![day("2024-02-01"), day("2024-03-04"), day("2024-04-01")];
    let timing = Timing::Dates { due_dates, period: Some(MONTH) };
    let terms = Terms { timing, amortisation: Amortisation::InterestOnly, ..twelfths(3) };
    assert_eq!(interests(&schedule(&terms).unwrap()), ["12.00", "12.00", "12.00"]);
}

// "A down payment is a row of its own on its draw's day, not counted in `periods`, bearing no interest; `flat_base` says
// what flat interest is reckoned on."

#[test]
fn a_down_payment_bears_no_interest() {
    let terms = Terms { down_payment: Percent::new(25, 1), ..twelfths(2) };
    assert_eq!(
        lines(&terms),
        [
            "2024-01-01 300.00 0.00 0.00 300.00 900.00 down",
            "2024-02-01 447.76 9.00 0.00 456.76 452.24",
            "2024-03-01 452.24 4.52 0.00 456.76 0.00",
        ]
    );
}

#[test]
fn flat_interest_is_reckoned_on_what_is_financed_or_on_what_was_drawn() {
    let flat = |flat_base| Terms {
        flat_base,
        interest: InterestMethod::Flat,
        down_payment: Percent::new(25, 1),
        ..twelfths(3)
    };
    assert_eq!(interests(&schedule(&flat(FlatBase::Financed)).unwrap()), ["0.00", "9.00", "9.00", "9.00"]);
    assert_eq!(interests(&schedule(&flat(FlatBase::Drawn)).unwrap()), ["0.00", "12.00", "12.00", "12.00"]);
}

#[test]
fn flat_interest_is_spread_evenly_over_the_term() {
    // 91 days at 0.1 % on 1,000: 91.00 in three parts, whatever the days of each; the last takes the rest.
    let terms = Terms {
        interest: InterestMethod::Flat,
        amortisation: Amortisation::EqualPrincipal,
        ..loan("1000.00", "36.5", 3, "2024-01-01")
    };
    expect(
        &terms,
        &[("333.33", "30.33", "666.67"), ("333.33", "30.33", "333.34"), ("333.34", "30.34", "0.00")],
    );
}

// "Grace: `principal`: the first N instalments have none, and the level is solved over the rest; `interest`: accrued,
// billed with the first instalment after; `interest_free`: not charged."

#[test]
fn grace_on_interest_moves_the_bill_and_not_the_principal() {
    let grace = Grace { interest: 2, ..Grace::default() };
    let plain = schedule(&twelfths(4)).unwrap();
    let moved = schedule(&Terms { grace, ..twelfths(4) }).unwrap();
    let principal = |schedule: &fen_terms::Schedule| -> Vec<_> {
        schedule.instalments.iter().map(|row| row.principal).collect()
    };
    assert_eq!(principal(&plain), principal(&moved));
    assert_eq!(interests(&plain), ["12.00", "9.04", "6.06", "3.04"]);
    assert_eq!(interests(&moved), ["0.00", "0.00", "27.10", "3.04"]);
}

#[test]
fn an_interest_free_period_bears_nothing_and_the_level_knows_it() {
    let grace = Grace { interest_free: 1, ..Grace::default() };
    // 1,200 owed after the first period, then 1 %: A = 1,200 x 1.01 / 2.01 = 602.985...
    expect(&Terms { grace, ..twelfths(2) }, &[("602.99", "0.00", "597.01"), ("597.01", "5.97", "0.00")]);
    let equal = Terms { grace, amortisation: Amortisation::EqualPrincipal, ..twelfths(2) };
    expect(&equal, &[("600.00", "0.00", "600.00"), ("600.00", "6.00", "0.00")]);
    let flat = Terms { interest: InterestMethod::Flat, ..equal };
    expect(&flat, &[("600.00", "0.00", "600.00"), ("600.00", "12.00", "0.00")]);
    let all = Terms { grace: Grace { interest_free: 2, ..Grace::default() }, ..flat };
    expect(&all, &[("600.00", "0.00", "600.00"), ("600.00", "0.00", "0.00")]);
}

#[test]
fn graces_together() {
    // No principal in the first two, no bill for interest in the first, and that one bears none anyway.
    let grace = Grace { principal: 2, interest: 2, interest_free: 1 };
    expect(
        &Terms { grace, ..twelfths(4) },
        &[
            ("0.00", "0.00", "1200.00"),
            ("0.00", "0.00", "1200.00"),
            ("597.01", "24.00", "602.99"),
            ("602.99", "6.03", "0.00"),
        ],
    );
    let flat = Terms { grace, interest: InterestMethod::Flat, ..twelfths(4) };
    expect(
        &flat,
        &[
            ("0.00", "0.00", "1200.00"),
            ("0.00", "0.00", "1200.00"),
            ("600.00", "24.00", "600.00"),
            ("600.00", "12.00", "0.00"),
        ],
    );
}

// Amortisation: interest in every instalment and all principal in the last; or one instalment with everything.

#[test]
fn interest_only_and_bullet() {
    let terms = Terms { amortisation: Amortisation::InterestOnly, ..twelfths(3) };
    expect(
        &terms,
        &[("0.00", "12.00", "1200.00"), ("0.00", "12.00", "1200.00"), ("1200.00", "12.00", "0.00")],
    );
    let bullet = Terms { amortisation: Amortisation::Bullet, ..twelfths(3) };
    assert_eq!(lines(&bullet), ["2024-04-01 1200.00 36.00 0.00 1236.00 0.00"]);
    let flat = Terms { interest: InterestMethod::Flat, ..bullet };
    assert_eq!(lines(&flat), ["2024-04-01 1200.00 36.00 0.00 1236.00 0.00"]);
    let days = Terms {
        amortisation: Amortisation::Bullet,
        timing: period(PeriodUnit::Day, 90, 1),
        ..loan("1000.00", "36.5", 1, "2024-01-01")
    };
    assert_eq!(lines(&days), ["2024-03-31 1000.00 90.00 0.00 1090.00 0.00"]);
}

// "Several draws: `principal` is their sum; `outstanding` counts draws on or before the due date; a draw on a due date
// bears interest from the next period; a later draw is spread over the instalments due after it, or over the whole term
// with the last taking the rest."

#[test]
fn a_later_draw_is_spread_over_what_is_left_or_over_the_whole_term() {
    let terms = |later_draws| Terms {
        later_draws,
        amortisation: Amortisation::EqualPrincipal,
        disbursements: draws(&[("2024-01-01", "600.00"), ("2024-02-01", "600.00")]),
        ..twelfths(4)
    };
    expect(
        &terms(LaterDraws::RemainingTerm),
        &[
            ("150.00", "6.00", "1050.00"),
            ("350.00", "10.50", "700.00"),
            ("350.00", "7.00", "350.00"),
            ("350.00", "3.50", "0.00"),
        ],
    );
    expect(
        &terms(LaterDraws::WholeTerm),
        &[
            ("300.00", "6.00", "900.00"),
            ("300.00", "9.00", "600.00"),
            ("300.00", "6.00", "300.00"),
            ("300.00", "3.00", "0.00"),
        ],
    );
}

#[test]
fn over_the_whole_term_no_more_is_taken_than_is_owed() {
    let terms = Terms {
        later_draws: LaterDraws::WholeTerm,
        amortisation: Amortisation::EqualPrincipal,
        disbursements: draws(&[("2024-01-01", "100.00"), ("2024-03-01", "1100.00")]),
        ..twelfths(4)
    };
    expect(
        &terms,
        &[
            ("100.00", "1.00", "0.00"),
            ("0.00", "0.00", "1100.00"),
            ("300.00", "11.00", "800.00"),
            ("800.00", "8.00", "0.00"),
        ],
    );
}

#[test]
fn a_draw_within_a_period_bears_its_share_of_it() {
    let terms = |accrual, day_count| Terms {
        accrual,
        day_count,
        amortisation: Amortisation::InterestOnly,
        disbursements: draws(&[("2024-01-01", "1000.00"), ("2024-01-11", "1000.00")]),
        ..loan("2000.00", "36.5", 1, "2024-01-01")
    };
    let interest = |accrual, day_count| interests(&schedule(&terms(accrual, day_count)).unwrap());
    // 31 days of the first and 21 of the second.
    assert_eq!(interest(Accrual::Daily, DayCount::Actual365), ["52.00"]);
    // A twelfth of the year on the first, and 21/31 of it on the second.
    assert_eq!(interest(Accrual::PerPeriod, DayCount::Actual365), ["51.02"]);
    assert_eq!(interest(Accrual::Daily, DayCount::Thirty360), ["51.02"]);
}

#[test]
fn flat_interest_on_a_later_draw_runs_from_its_day() {
    let terms = Terms {
        interest: InterestMethod::Flat,
        disbursements: draws(&[("2024-01-01", "600.00"), ("2024-03-01", "600.00")]),
        ..twelfths(4)
    };
    expect(
        &terms,
        &[
            ("150.00", "6.00", "450.00"),
            ("150.00", "6.00", "900.00"),
            ("450.00", "12.00", "450.00"),
            ("450.00", "12.00", "0.00"),
        ],
    );
}

// Fees are billed with the first instalment due on or after their day, after the last in a row of their own.

#[test]
fn fees_find_their_instalment() {
    let terms = Terms {
        down_payment: Percent::new(50, 1),
        fees: fees(&[
            ("2024-01-01", "1.00"),
            ("2024-02-01", "2.00"),
            ("2024-02-02", "4.00"),
            ("2024-05-01", "8.00"),
            ("2024-04-01", "16.00"),
            ("2024-05-01", "32.00"),
        ]),
        ..loan("200.00", "0", 2, "2024-01-01")
    };
    assert_eq!(
        lines(&terms),
        [
            "2024-01-01 100.00 0.00 0.00 100.00 100.00 down",
            "2024-02-01 50.00 0.00 3.00 53.00 50.00",
            "2024-03-01 50.00 0.00 4.00 54.00 0.00",
            "2024-04-01 0.00 0.00 16.00 16.00 0.00 fees",
            "2024-05-01 0.00 0.00 40.00 40.00 0.00 fees",
        ]
    );
    assert_eq!(schedule(&terms).unwrap().total, money("263.00"));
}

#[test]
fn odd_periods_of_other_units() {
    let fortnights = Period { unit: PeriodUnit::Week, every: 2 };
    let timing = Timing::Regular { periods: 2, period: fortnights, first_due_on: Some(day("2024-01-11")) };
    let terms = Terms { timing, amortisation: Amortisation::InterestOnly, ..twelfths(2) };
    // Ten days of 365, then 2/52 of the year.
    assert_eq!(interests(&schedule(&terms).unwrap()), ["3.95", "5.54"]);
}
