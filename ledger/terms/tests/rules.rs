//! What holds for every schedule, over random terms.

#![allow(clippy::unwrap_used, reason = "a panic in a test is the report")]

mod common;

use common::random::{any_terms, list_due_days, plain_terms};
use fen_terms::{
    Accrual, Amortisation, Day, DayCount, Draw, Factor, Instalment, InterestMethod, LaterDraws, Money,
    Percent, PeriodUnit, Rate, RateBasis, RowKind, Schedule, Terms, Timing, schedule,
};
use num_bigint::BigInt;
use num_rational::BigRational;
use proptest::prelude::*;

fn sum(rows: &[Instalment], part: impl Fn(&Instalment) -> Money) -> u128 {
    rows.iter().map(|row| part(row).get()).sum()
}

fn instalments(schedule: &Schedule) -> Vec<Instalment> {
    schedule.instalments.iter().copied().filter(|row| row.kind == RowKind::Instalment).collect()
}

/// The figures of each row, without its day.
fn figures(schedule: &Schedule) -> Vec<(Money, Money, Money, Money)> {
    schedule.instalments.iter().map(|row| (row.principal, row.interest, row.fees, row.outstanding)).collect()
}

/// The exact level, found another way: what is owed is kept as `constant - factor x A` and set to zero at the end.
fn level_by_substitution(principal: Money, factors: &[Factor]) -> BigRational {
    let one = BigRational::from_integer(1.into());
    let mut constant = BigRational::from_integer(BigInt::from(principal.get()));
    let mut times = BigRational::from_integer(0.into());
    for factor in factors {
        let growth = &one + factor.to_rational();
        constant *= &growth;
        times = times * growth + &one;
    }
    constant / times
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, max_global_rejects: 50_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_schedule_adds_up(terms in any_terms()) {
        let schedule = schedule(&terms).unwrap();
        let rows = &schedule.instalments;
        prop_assert_eq!(sum(rows, |row| row.principal), terms.principal.get());
        prop_assert_eq!(sum(rows, |row| row.interest), schedule.total_interest.get());
        prop_assert_eq!(sum(rows, |row| row.total), schedule.total.get());
        prop_assert_eq!(sum(rows, |row| row.fees), terms.fees.iter().map(|fee| fee.amount.get()).sum::<u128>());
        prop_assert!(rows.last().unwrap().outstanding.is_zero());
        let mut repaid = 0;
        for (n, row) in (1..).zip(rows) {
            repaid += row.principal.get();
            let drawn = terms.draws().iter().filter(|draw| draw.on <= row.due).map(|draw| draw.amount.get()).sum::<u128>();
            prop_assert_eq!(row.n, n);
            prop_assert_eq!(row.total.get(), row.principal.get() + row.interest.get() + row.fees.get());
            prop_assert_eq!(row.outstanding.get(), drawn - repaid);
            prop_assert!(row.from <= row.due);
        }
        prop_assert!(rows.is_sorted_by_key(|row| row.due));
    }

    #[test]
    fn due_days_are_those_of_the_periods(terms in any_terms()) {
        let spans = terms.check().unwrap();
        let rows = instalments(&schedule(&terms).unwrap());
        if terms.amortisation == Amortisation::Bullet {
            prop_assert_eq!(rows.len(), 1);
            prop_assert_eq!(rows[0].due, spans.last().unwrap().due);
        } else {
            let due: Vec<Day> = spans.iter().map(|span| span.due).collect();
            prop_assert_eq!(rows.iter().map(|row| row.due).collect::<Vec<_>>(), due);
        }
    }

    #[test]
    fn level_instalments_are_level_and_exact(terms in plain_terms()) {
        let terms = Terms { amortisation: Amortisation::EqualInstalment, ..terms };
        let rows = schedule(&terms).unwrap().instalments;
        let spans = terms.check().unwrap();
        let factors: Vec<Factor> =
            spans.iter().map(|span| terms.accruing().factor(span, span.from, span.due)).collect();
        let exact = level_by_substitution(terms.principal, &factors);
        let level = terms.rounding.mode.round(&exact, terms.rounding.instalment_unit()).unwrap();
        // Where a period bears more than the level, it pays interest only and a new level follows.
        let kept = rows[..rows.len() - 1].iter().take_while(|row| row.interest <= level);
        for row in kept {
            prop_assert!(row.total == level || row.outstanding.is_zero());
        }
    }

    #[test]
    fn money_has_no_scale(terms in any_terms(), scale in 2_u128..1_000) {
        let times = |money: Money| Money::new(money.get() * scale);
        let mut scaled = terms.clone();
        scaled.principal = times(terms.principal);
        scaled.rounding.to = times(terms.rounding.to);
        scaled.rounding.instalment_to = terms.rounding.instalment_to.map(times);
        scaled.disbursements.iter_mut().for_each(|draw| draw.amount = times(draw.amount));
        scaled.fees.iter_mut().for_each(|fee| fee.amount = times(fee.amount));
        let (plain, scaled) = (schedule(&terms).unwrap(), schedule(&scaled).unwrap());
        let expected: Vec<_> =
            figures(&plain).into_iter().map(|(a, b, c, d)| (times(a), times(b), times(c), times(d))).collect();
        prop_assert_eq!(figures(&scaled), expected);
    }

    #[test]
    fn only_the_length_of_periods_counts_in_days_and_weeks(terms in plain_terms(), days in 1_i64..4_000) {
        let regular = matches!(&terms.timing, Timing::Regular { period, .. } if period.unit != PeriodUnit::Month);
        prop_assume!(regular && terms.day_count != DayCount::ActualActual);
        let moved = Terms { disbursed_on: terms.disbursed_on.plus_days(days).unwrap(), ..terms.clone() };
        prop_assert_eq!(figures(&schedule(&moved).unwrap()), figures(&schedule(&terms).unwrap()));
    }

    #[test]
    fn a_daily_rate_is_a_yearly_one_over_the_days_of_the_year(terms in any_terms()) {
        prop_assume!(terms.day_count != DayCount::ActualActual && terms.rate.basis == RateBasis::Daily);
        let percent = terms.rate.percent;
        let yearly = Percent::new(percent.numerator() * terms.day_count.year_days(), percent.denominator()).unwrap();
        let by_year = Terms { rate: Rate::annual(yearly), ..terms.clone() };
        prop_assert_eq!(schedule(&by_year).unwrap(), schedule(&terms).unwrap());
    }

    #[test]
    fn listed_due_days_come_to_the_same(terms in plain_terms()) {
        // Periods of days and weeks count 30 days a month only once nobody says what they are.
        prop_assume!(terms.accrual == Accrual::Daily && !terms.day_count.counts_months());
        let mut listed = terms.clone();
        list_due_days(&mut listed);
        prop_assert_eq!(schedule(&listed).unwrap(), schedule(&terms).unwrap());
    }

    #[test]
    fn two_draws_on_a_day_are_one(terms in any_terms(), split in 1_u128..99) {
        prop_assume!(terms.down_payment.is_none());
        let mut parts = terms.clone();
        parts.disbursements = (terms.draws().iter())
            .flat_map(|draw| {
                let part = (draw.amount.get() * split / 100).max(1);
                [part, draw.amount.get() - part].map(|amount| Draw { on: draw.on, amount: Money::new(amount) })
            })
            .filter(|draw| !draw.amount.is_zero())
            .collect();
        prop_assert_eq!(schedule(&parts).unwrap(), schedule(&terms).unwrap());
    }

    #[test]
    fn fees_change_nothing_but_totals(terms in any_terms()) {
        let without = schedule(&Terms { fees: Vec::new(), ..terms.clone() }).unwrap();
        let with = schedule(&terms).unwrap();
        let parts = |row: &Instalment| (row.due, row.principal, row.interest, row.outstanding);
        let kept = with.instalments.iter().filter(|row| row.kind != RowKind::Fees);
        prop_assert_eq!(
            kept.map(parts).collect::<Vec<_>>(),
            without.instalments.iter().map(parts).collect::<Vec<_>>()
        );
        prop_assert_eq!(with.total_interest, without.total_interest);
    }

    #[test]
    fn grace_on_interest_moves_no_principal(terms in any_terms()) {
        let billed = Terms { grace: fen_terms::Grace { interest: 0, ..terms.grace }, ..terms.clone() };
        let principal = |terms: &Terms| schedule(terms).unwrap().instalments.iter().map(|row| row.principal).collect::<Vec<_>>();
        prop_assert_eq!(principal(&billed), principal(&terms));
    }

    #[test]
    fn ticks_times_the_rate_are_the_factor(terms in any_terms(), cuts in any::<[u16; 2]>()) {
        let exact = |number: i128| BigRational::from_integer(BigInt::from(number));
        for span in terms.check().unwrap() {
            let days = u16::try_from(span.days()).unwrap();
            let (a, b) = (cuts[0] % (days + 1), cuts[1] % (days + 1));
            let at = |after: u16| span.from.plus_days(i64::from(after)).unwrap();
            let (from, to) = (at(a.min(b)), at(a.max(b)));
            let rate = terms.accruing().tick_rate(&span);
            let ticks = rate.clock.at(to) - rate.clock.at(from);
            let per_tick = BigRational::new(rate.numerator.into(), rate.denominator.into());
            let factor = terms.accruing().factor(&span, from, to).to_rational();
            prop_assert_eq!(exact(i128::from(ticks)) * per_tick, factor);
        }
    }

    #[test]
    fn no_rate_no_interest(terms in any_terms()) {
        let free = Terms { rate: Rate::annual(Percent::ZERO), ..terms };
        prop_assert!(schedule(&free).unwrap().total_interest.is_zero());
    }

    #[test]
    fn a_single_draw_is_spread_alike_over_the_whole_or_the_remaining_term(terms in any_terms()) {
        prop_assume!(terms.disbursements.is_empty() && terms.interest == InterestMethod::Flat);
        let spread = |later_draws| schedule(&Terms { later_draws, ..terms.clone() }).unwrap();
        let (remaining, whole) = (spread(LaterDraws::RemainingTerm), spread(LaterDraws::WholeTerm));
        // Where a level that is rounded down does not pay a period's interest, the remaining term solves it again.
        let solved_again = remaining.instalments.iter().any(|row| row.principal.is_zero() && !row.outstanding.is_zero());
        prop_assert!(remaining == whole || solved_again);
    }
}
