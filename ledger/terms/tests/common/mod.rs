//! Terms in few words, for tests.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "a panic in a test is the report")]

#[path = "random.rs"]
pub mod random;

use fen_terms::{
    Accrual, Amortisation, Day, DayCount, Draw, Fee, FlatBase, Grace, Instalment, InterestMethod, LaterDraws,
    Money, Percent, Period, PeriodUnit, Rate, Rounding, RoundingMode, RowKind, Schedule, Terms, Timing,
    schedule,
};

pub const MONTH: Period = Period { unit: PeriodUnit::Month, every: 1 };

pub fn day(text: &str) -> Day {
    Day::parse(text).unwrap()
}

pub fn money(text: &str) -> Money {
    Money::parse(text, 2).unwrap()
}

/// Equal instalments of declining interest by the day over 365, each month, rounded half to even to the cent.
pub fn loan(principal: &str, annual: &str, periods: u16, disbursed_on: &str) -> Terms {
    Terms {
        principal: money(principal),
        rate: Rate::annual(Percent::parse(annual).unwrap()),
        timing: Timing::Regular { periods, period: MONTH, first_due_on: None },
        amortisation: Amortisation::EqualInstalment,
        interest: InterestMethod::Declining,
        accrual: Accrual::Daily,
        day_count: DayCount::Actual365,
        disbursed_on: day(disbursed_on),
        rounding: Rounding::BANKERS,
        down_payment: None,
        flat_base: FlatBase::Financed,
        grace: Grace::default(),
        disbursements: Vec::new(),
        later_draws: LaterDraws::RemainingTerm,
        fees: Vec::new(),
    }
}

pub fn rounding(mode: RoundingMode, to: &str, instalment_to: Option<&str>) -> Rounding {
    Rounding { mode, to: money(to), instalment_to: instalment_to.map(money) }
}

pub fn period(unit: PeriodUnit, every: u16, periods: u16) -> Timing {
    Timing::Regular { periods, period: Period { unit, every }, first_due_on: None }
}

pub fn draws(list: &[(&str, &str)]) -> Vec<Draw> {
    list.iter().map(|(on, amount)| Draw { on: day(on), amount: money(amount) }).collect()
}

pub fn fees(list: &[(&str, &str)]) -> Vec<Fee> {
    list.iter().map(|(on, amount)| Fee { on: day(on), amount: money(amount) }).collect()
}

/// One row as `due principal interest fees total outstanding`.
pub fn line(row: &Instalment) -> String {
    let amounts = [row.principal, row.interest, row.fees, row.total, row.outstanding];
    let amounts: Vec<String> = amounts.iter().map(|money| money.display(2).to_string()).collect();
    let mark = match row.kind {
        RowKind::DownPayment => " down",
        RowKind::Fees => " fees",
        RowKind::Instalment => "",
    };
    format!("{} {}{mark}", row.due, amounts.join(" "))
}

pub fn lines(terms: &Terms) -> Vec<String> {
    schedule(terms).unwrap().instalments.iter().map(line).collect()
}

/// The interest of each row.
pub fn interests(schedule: &Schedule) -> Vec<String> {
    schedule.instalments.iter().map(|row| row.interest.display(2).to_string()).collect()
}

/// Each row as (principal, interest, outstanding), as other engines print them.
pub fn parts(terms: &Terms) -> Vec<(String, String, String)> {
    let print = |money: Money| money.display(2).to_string();
    let rows = schedule(terms).unwrap().instalments;
    rows.iter().map(|row| (print(row.principal), print(row.interest), print(row.outstanding))).collect()
}

/// Expects (principal, interest, outstanding) of every row.
pub fn expect(terms: &Terms, expected: &[(&str, &str, &str)]) {
    let got = parts(terms);
    let got: Vec<(&str, &str, &str)> = got.iter().map(|(a, b, c)| (&**a, &**b, &**c)).collect();
    assert_eq!(got, expected);
}
