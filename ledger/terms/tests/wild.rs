//! Terms from anywhere: whatever is sent, the answer is a schedule that adds up or a status, never a panic.

#![allow(clippy::unwrap_used, reason = "a panic in a test is the report")]

use fen_terms::{
    Accrual, Amortisation, Currency, Day, DayCount, Draw, Fee, FlatBase, Grace, InterestMethod, LaterDraws,
    Money, Percent, Period, PeriodUnit, Rate, RateBasis, Rounding, RoundingMode, Terms, Timing,
    exact_schedule, schedule,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree;

fn any_money() -> impl Strategy<Value = Money> {
    prop_oneof![
        any::<u128>(),
        0_u128..10,
        Just(Money::PRINCIPAL_MAX.get()),
        any::<u64>().prop_map(u128::from)
    ]
    .prop_map(Money::new)
}

fn any_day() -> impl Strategy<Value = Day> {
    let near = (19_000_i32..20_000).prop_map(|number| Day::from_number(number).unwrap());
    let far = (Day::MIN.number()..=Day::MAX.number()).prop_map(|number| Day::from_number(number).unwrap());
    prop_oneof![12 => near, 2 => far, 1 => Just(Day::MIN), 1 => Just(Day::MAX)]
}

fn any_percent() -> impl Strategy<Value = Percent> {
    let below = prop_oneof![1..10_000_u64, 1..=Percent::DENOMINATOR_MAX];
    (any::<u64>(), below).prop_map(|(above, below)| {
        Percent::new(above % (below.saturating_mul(10_000)), below).unwrap_or(Percent::ZERO)
    })
}

fn any_timing() -> impl Strategy<Value = Timing> {
    let every = prop_oneof![8 => 0_u16..14, 1 => any::<u16>()];
    let period =
        (prop::sample::select(PeriodUnit::ALL), every).prop_map(|(unit, every)| Period { unit, every });
    let periods = prop_oneof![8 => 0_u16..20, 1 => 0_u16..150];
    let regular = (periods, period.clone(), prop::option::weighted(0.2, any_day()))
        .prop_map(|(periods, period, first_due_on)| Timing::Regular { periods, period, first_due_on });
    let dates = (prop::collection::btree_set(any_day(), 0..8), prop::option::of(period))
        .prop_map(|(days, period)| Timing::Dates { due_dates: days.into_iter().collect(), period });
    prop_oneof![3 => regular, 1 => dates]
}

fn wild_terms() -> impl Strategy<Value = Terms> {
    let kinds = (
        prop::sample::select(Amortisation::ALL),
        prop::sample::select(InterestMethod::ALL),
        prop::sample::select(Accrual::ALL),
        prop::sample::select(DayCount::ALL),
        prop::sample::select(FlatBase::ALL),
        prop::sample::select(LaterDraws::ALL),
        prop::sample::select(RoundingMode::ALL),
        prop::sample::select(RateBasis::ALL),
    );
    let money = (
        any_money(),
        prop_oneof![4 => Just(Money::new(1)), 1 => any_money()],
        prop::option::weighted(0.2, any_money()),
    );
    let rates = (any_percent(), prop::option::weighted(0.1, any_percent()));
    let grace = prop_oneof![3 => Just((0, 0, 0)), 1 => (0_u16..9, 0_u16..9, 0_u16..9)];
    let draws = prop_oneof![3 => Just(vec![]), 1 => prop::collection::vec((any_day(), any_money()), 0..6)];
    let fees = prop_oneof![3 => Just(vec![]), 1 => prop::collection::vec((any_day(), any_money()), 0..6)];
    (kinds, money, rates, any_timing(), any_day(), grace, draws, fees).prop_map(
        |(
            kinds,
            (principal, to, instalment_to),
            (percent, down_payment),
            timing,
            disbursed_on,
            grace,
            draws,
            fees,
        )| {
            let (amortisation, interest, accrual, day_count, flat_base, later_draws, mode, basis) = kinds;
            Terms {
                principal,
                rate: Rate { basis, percent },
                timing,
                amortisation,
                interest,
                accrual,
                day_count,
                disbursed_on,
                rounding: Rounding { mode, to, instalment_to },
                down_payment,
                flat_base,
                later_draws,
                grace: Grace { principal: grace.0, interest: grace.1, interest_free: grace.2 },
                disbursements: draws.into_iter().map(|(on, amount)| Draw { on, amount }).collect(),
                fees: fees.into_iter().map(|(on, amount)| Fee { on, amount }).collect(),
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_terms_get_an_answer(terms in wild_terms()) {
        prop_assert_eq!(schedule(&terms), exact_schedule(&terms));
        if let Ok(schedule) = exact_schedule(&terms) {
            let repaid: u128 = schedule.instalments.iter().map(|row| row.principal.get()).sum();
            prop_assert_eq!(repaid, terms.principal.get());
            prop_assert!(schedule.instalments.last().unwrap().outstanding.is_zero());
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,24}", decimals in any::<u8>()) {
        let _ = Money::parse(&text, decimals).map(|money| money.display(decimals).to_string());
        let _ = Percent::parse(&text).map(|percent| percent.to_string());
        let _ = Day::parse(&text);
        let _ = Currency::from_code(&text);
    }

    #[test]
    fn figures_go_there_and_back(minor in any::<u128>(), decimals in 0_u8..=9, above in any::<u64>(), places in 0_u32..=15) {
        let money = Money::new(minor);
        prop_assert_eq!(Money::parse(&money.display(decimals).to_string(), decimals), Some(money));
        if let Some(percent) = Percent::new(above, 10_u64.pow(places)) {
            prop_assert_eq!(Percent::parse(&percent.to_string()), Some(percent));
        }
    }
}

/// Enough of the wild terms can be kept, so that the test above says something.
#[test]
fn some_wild_terms_are_kept() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let terms = (0..2_000).map(|_| wild_terms().new_tree(&mut runner).unwrap().current());
    let kept = terms.filter(|terms| schedule(terms).is_ok()).count();
    assert!(kept > 100, "{kept} of 2000");
}
