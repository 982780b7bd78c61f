//! Random terms, the odd ones more often than life has them.

use super::{day, loan};
use fen_terms::{
    Accrual, Amortisation, Day, DayCount, Draw, Fee, FlatBase, Grace, InterestMethod, LaterDraws, Money,
    Percent, Period, PeriodUnit, Rate, Rounding, RoundingMode, Terms, Timing,
};
use proptest::prelude::*;

fn amount() -> impl Strategy<Value = Money> {
    prop_oneof![1_u128..100, 1_u128..100_000_000, 1_u128..10_000_000_000_000].prop_map(Money::new)
}

pub fn rate() -> impl Strategy<Value = Rate> {
    let annual = prop_oneof![Just((0, 1)), (0_u64..360_000, Just(10_000)), (0_u64..100_000, 1_u64..10_000)];
    let annual =
        annual.prop_map(|(above, below)| Rate::annual(Percent::new(above, below).unwrap_or(Percent::ZERO)));
    let daily = (0_u64..2_000).prop_map(|above| Rate::daily(Percent::new(above, 10_000).unwrap()));
    prop_oneof![annual, daily]
}

fn unit() -> impl Strategy<Value = Period> {
    prop_oneof![
        4 => (1_u16..4).prop_map(|every| Period { unit: PeriodUnit::Month, every }),
        1 => (1_u16..5).prop_map(|every| Period { unit: PeriodUnit::Week, every }),
        1 => (1_u16..100).prop_map(|every| Period { unit: PeriodUnit::Day, every }),
    ]
}

pub fn disbursed_on() -> impl Strategy<Value = Day> {
    let (first, last) = (day("2019-01-01").number(), day("2030-12-31").number());
    prop_oneof![
        3 => (first..=last).prop_map(|number| Day::from_number(number).unwrap()),
        1 => prop::sample::select(vec!["2020-01-31", "2020-02-29", "2023-01-30", "2023-12-31"]).prop_map(day),
    ]
}

fn rounding() -> impl Strategy<Value = Rounding> {
    let unit = || {
        prop_oneof![5 => Just(1_u128), 1 => Just(5), 1 => Just(100), 1 => 1_u128..5_000].prop_map(Money::new)
    };
    (prop::sample::select(RoundingMode::ALL), unit(), prop::option::weighted(0.3, unit()))
        .prop_map(|(mode, to, instalment_to)| Rounding { mode, to, instalment_to })
}

/// Terms of one draw: no down payment, no grace, no fees, due days reckoned from the day of the draw.
pub fn plain_terms() -> impl Strategy<Value = Terms> {
    let choices = (
        prop::sample::select(Amortisation::ALL),
        prop::sample::select(Accrual::ALL),
        prop::sample::select(DayCount::ALL),
    );
    let timing = (prop_oneof![4 => 1_u16..13, 1 => 1_u16..61], unit());
    (amount(), rate(), timing, disbursed_on(), rounding(), choices).prop_map(
        |(principal, rate, (periods, period), disbursed_on, rounding, (amortisation, accrual, day_count))| {
            Terms {
                principal,
                rate,
                timing: Timing::Regular { periods, period, first_due_on: None },
                amortisation,
                accrual,
                day_count,
                disbursed_on,
                rounding,
                ..loan("1.00", "0", 1, "2024-01-01")
            }
        },
    )
}

/// Any terms that can be kept.
pub fn any_terms() -> impl Strategy<Value = Terms> {
    let choices = (
        prop::sample::select(InterestMethod::ALL),
        prop::sample::select(FlatBase::ALL),
        prop::sample::select(LaterDraws::ALL),
        prop::option::weighted(0.3, 1_i64..120),
        any::<bool>(),
    );
    let grace = (0_u16..5, 0_u16..5, 0_u16..5, any::<bool>());
    let draws = prop::collection::vec((0_i64..400, amount()), 0..4);
    let fees = prop::collection::vec((0_i64..800, amount()), 0..3);
    let down = prop::option::weighted(0.2, 1_u64..9_999);
    (plain_terms(), choices, grace, draws, fees, down).prop_map(
        |(terms, choices, grace, draws, fees, down)| {
            let (interest, flat_base, later_draws, first_due, listed) = choices;
            let mut terms = Terms { interest, flat_base, later_draws, ..terms };
            terms.down_payment = down.map(|above| Percent::new(above, 100).unwrap());
            delay(&mut terms, first_due);
            if listed {
                list_due_days(&mut terms);
            }
            let due_days: Vec<Day> = terms.check().unwrap().iter().map(|span| span.due).collect();
            if let (principal, interest, interest_free, true) = grace {
                let most = u16::try_from(due_days.len()).unwrap() - 1;
                let grace = [principal, interest, interest_free].map(|periods| periods.min(most));
                terms.grace = Grace { principal: grace[0], interest: grace[1], interest_free: grace[2] };
            }
            let last_due = *due_days.last().unwrap();
            add_draws(&mut terms, &draws, last_due);
            let start = terms.disbursed_on;
            terms.fees = fees
                .into_iter()
                .map(|(after, amount)| Fee { on: start.plus_days(after).unwrap(), amount })
                .collect();
            terms
        },
    )
}

fn delay(terms: &mut Terms, days: Option<i64>) {
    if let Timing::Regular { first_due_on, .. } = &mut terms.timing {
        *first_due_on = days.and_then(|days| terms.disbursed_on.plus_days(days));
    }
}

/// States the due days one by one instead of by a period.
pub fn list_due_days(terms: &mut Terms) {
    let due_dates = terms.check().unwrap().iter().map(|span| span.due).collect();
    terms.timing = Timing::Dates { due_dates, period: None };
}

fn add_draws(terms: &mut Terms, draws: &[(i64, Money)], last_due: Day) {
    let days = i64::from(terms.disbursed_on.days_until(last_due));
    let draw = |(after, amount): &(i64, Money)| Draw {
        on: terms.disbursed_on.plus_days((*after).min(days - 1)).unwrap(),
        amount: *amount,
    };
    terms.disbursements = draws.iter().map(draw).collect();
    if !draws.is_empty() {
        terms.principal = Money::new(terms.disbursements.iter().map(|draw| draw.amount.get()).sum());
    }
}
