//! The fast way and the exact way say the same, wherever the fast way says anything.

#![allow(clippy::unwrap_used, reason = "a panic in a test is the report")]

mod common;

use common::random::{any_terms, plain_terms};
use common::{loan, money};
use fen_terms::{Amortisation, Instalment, Plain, RoundingMode, Terms, exact_schedule, schedule};
use proptest::prelude::*;
use proptest::strategy::ValueTree;

fn fast(terms: &Terms) -> Option<Vec<Instalment>> {
    let plain = Plain::of(terms)?;
    let mut rows = vec![Instalment::EMPTY; plain.row_count()];
    let count = plain.rows(terms.principal, terms.disbursed_on, &mut rows)?;
    assert_eq!(count, rows.len());
    Some(rows)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn plain_terms_come_to_the_same_either_way(terms in plain_terms()) {
        if let Some(rows) = fast(&terms) {
            prop_assert_eq!(rows, exact_schedule(&terms).unwrap().instalments);
        }
        prop_assert_eq!(schedule(&terms), exact_schedule(&terms));
    }

    #[test]
    fn terms_that_are_not_plain_are_left_alone(terms in any_terms()) {
        if let Some(rows) = fast(&terms) {
            prop_assert_eq!(rows, exact_schedule(&terms).unwrap().instalments);
        }
    }
}

/// How many of `cases` random plain terms the fast way answers.
#[test]
fn the_fast_way_answers_almost_always() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut answered, cases) = (0, 2_000);
    for _ in 0..cases {
        let terms = plain_terms().new_tree(&mut runner).unwrap().current();
        answered += usize::from(fast(&terms).is_some());
    }
    assert!(answered * 100 > cases * 90, "{answered} of {cases}");
}

#[test]
fn a_tie_is_left_to_the_exact_way() {
    // 0.03 in two parts without interest: 0.015 is a tie, and no bound can tell.
    let tie = loan("0.03", "0", 2, "2024-01-01");
    assert_eq!(tie.rounding.mode, RoundingMode::HalfEven);
    assert_eq!(fast(&tie), None);
    assert_eq!(schedule(&tie).unwrap().instalments[0].principal, money("0.02"));
}

#[test]
fn no_room_no_answer() {
    let terms = Terms { amortisation: Amortisation::EqualPrincipal, ..loan("100.00", "12", 5, "2024-01-01") };
    let plain = Plain::of(&terms).unwrap();
    let mut rows = [Instalment::EMPTY; 4];
    assert_eq!(plain.rows(terms.principal, terms.disbursed_on, &mut rows), None);
}
