//! Every refusal, in checking order: terms with all faults from one status on answer with that status.

mod common;

use common::{MONTH, day, draws, fees, loan};
use fen_terms::{
    Accrual, Amortisation, DRAWS_MAX, Day, DayCount, FEES_MAX, Grace, Money, PERIODS_MAX, Percent, Period,
    PeriodUnit, Rate, Terms, TermsStatus, Timing, schedule,
};

/// One fault: the status it should answer with, and how to bring it about.
type Fault = (TermsStatus, fn(&mut Terms));

fn regular(terms: &mut Terms, periods: u16, period: Period, first_due_on: Option<Day>) {
    terms.timing = Timing::Regular { periods, period, first_due_on };
}

/// In the order of the statuses. Faults of one field hide each other, so each is tried with all that come after it.
const FAULTS: &[Fault] = &[
    (TermsStatus::PrincipalMustNotBeZero, |terms| terms.principal = Money::ZERO),
    (TermsStatus::PrincipalTooLarge, |terms| terms.principal = Money::new(Money::PRINCIPAL_MAX.get() + 1)),
    (TermsStatus::RateTooLarge, |terms| {
        terms.rate = Rate::daily(Percent::new(101, 1).unwrap_or(Percent::ZERO));
    }),
    (TermsStatus::PeriodsOutOfRange, |terms| regular(terms, 0, MONTH, None)),
    (TermsStatus::PeriodMustNotBeZero, |terms| regular(terms, 1, Period { every: 0, ..MONTH }, None)),
    (TermsStatus::FirstDueMustFollowDisbursement, |terms| {
        regular(terms, 1, MONTH, Some(terms.disbursed_on));
    }),
    (TermsStatus::DueDatesMustRise, |terms| {
        terms.timing = Timing::Dates { due_dates: vec![terms.disbursed_on], period: None };
    }),
    (TermsStatus::DueDateOutOfRange, |terms| {
        regular(terms, PERIODS_MAX, Period { unit: PeriodUnit::Month, every: u16::MAX }, None);
    }),
    (TermsStatus::RoundingUnitMustNotBeZero, |terms| terms.rounding.to = Money::ZERO),
    (TermsStatus::RoundingUnitTooLarge, |terms| terms.rounding.to = Money::new(u128::MAX)),
    (TermsStatus::InstalmentUnitMustNotBeZero, |terms| terms.rounding.instalment_to = Some(Money::ZERO)),
    (TermsStatus::InstalmentUnitTooLarge, |terms| terms.rounding.instalment_to = Some(Money::new(u128::MAX))),
    (TermsStatus::DownPaymentTooLarge, |terms| terms.down_payment = Percent::new(100, 1)),
    (TermsStatus::GraceTooLong, |terms| terms.grace = Grace { principal: 3, ..Grace::default() }),
    (TermsStatus::TooManyDraws, |terms| {
        terms.disbursements = draws(&[("2023-12-31", "0.00")]).repeat(DRAWS_MAX + 1);
    }),
    (TermsStatus::DrawMustNotBeZero, |terms| {
        terms.disbursements = draws(&[("2023-12-31", "1.00"), ("2024-04-01", "0.00")]);
    }),
    (TermsStatus::DrawMustNotPrecedeDisbursement, |terms| {
        terms.disbursements = draws(&[("2023-12-31", "1.00"), ("2024-04-01", "1.00")]);
    }),
    (TermsStatus::DrawMustPrecedeLastDue, |terms| terms.disbursements = draws(&[("2024-04-01", "1.00")])),
    (TermsStatus::DrawsMustAddUp, |terms| terms.disbursements = draws(&[("2024-01-01", "1.00")])),
    (TermsStatus::TooManyFees, |terms| terms.fees = fees(&[("2023-12-31", "1.00")]).repeat(FEES_MAX + 1)),
    (TermsStatus::FeeMustNotPrecedeDisbursement, |terms| {
        terms.fees = fees(&[("2023-12-31", "340282366920938463463374607431768211.00")]);
    }),
    (TermsStatus::FeesTooLarge, |terms| {
        terms.fees = fees(&[("2024-01-01", "340282366920938463463374607431768211.00")]).repeat(2_000);
    }),
];

#[test]
fn each_refusal_comes_before_all_that_follow_it() {
    for (index, (status, _)) in FAULTS.iter().enumerate() {
        let mut terms = loan("1000.00", "12", 3, "2024-01-01");
        // Later faults first, so that of several in one field the earliest stands.
        for (_, bring_about) in FAULTS[index..].iter().rev() {
            bring_about(&mut terms);
        }
        assert_eq!(schedule(&terms).map(|_| ()), Err(*status));
    }
}

#[test]
fn each_refusal_by_itself() {
    for (status, bring_about) in FAULTS {
        let mut terms = loan("1000.00", "12", 3, "2024-01-01");
        bring_about(&mut terms);
        assert_eq!(schedule(&terms).map(|_| ()), Err(*status));
    }
}

#[test]
fn statuses_are_numbered_in_order_and_say_the_field_and_the_mend() {
    assert!(TermsStatus::ALL.is_sorted_by_key(|status| status.number()));
    let listed: Vec<TermsStatus> = FAULTS.iter().map(|(status, _)| *status).collect();
    // Only the last has no test of its own: it guards sums that the limits keep in range.
    assert_eq!(TermsStatus::ALL.strip_suffix(&[TermsStatus::AmountTooLarge]), Some(&listed[..]));
    assert!(TermsStatus::ALL.iter().all(|status| !status.field().is_empty() && !status.mend().is_empty()));
}

#[test]
fn the_largest_terms_are_kept() {
    let mut terms = loan("1.00", "10000", PERIODS_MAX, "2100-01-01");
    terms.principal = Money::PRINCIPAL_MAX;
    terms.day_count = DayCount::ActualActual;
    for &amortisation in Amortisation::ALL {
        for &accrual in Accrual::ALL {
            let rows = schedule(&Terms { amortisation, accrual, ..terms.clone() });
            assert!(
                rows.is_ok_and(|rows| rows.instalments.last().is_some_and(|row| row.outstanding.is_zero()))
            );
        }
    }
    terms.rate = Rate::daily(Percent::new(100, 1).unwrap_or(Percent::ZERO));
    terms.timing = Timing::Dates { due_dates: vec![day("2200-12-31")], period: None };
    terms.disbursed_on = Day::MIN;
    assert!(schedule(&terms).is_ok());
}
