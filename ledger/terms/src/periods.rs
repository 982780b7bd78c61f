//! The periods of a loan: from which day to which, and how each is counted.
//!
//! Due days are the anchor + k periods, clamped to the month's end and never chained. The anchor is `disbursed_on`,
//! or `first_due_on` where that is given; a first period that is then longer or shorter than a period is not charged as
//! one: it bears the day count's share of a year.

use crate::day::{Day, Period, PeriodUnit};
use crate::day_count::{Share, actual_days, thirty_day_months, whole_months};
use crate::terms::{PERIODS_MAX, Terms, TermsStatus, Timing};

/// One period: the days whose interest an instalment bears.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Span {
    /// The first day that bears interest.
    pub from: Day,
    /// The due day; it bears interest in the next period.
    pub due: Day,
    /// The period it is charged as, where interest accrues per period; `None` where it is longer or shorter.
    pub charged: Option<Period>,
    /// Its days where months count 30.
    pub thirty_days: Share,
}

impl Span {
    /// Actual days.
    pub fn days(&self) -> u64 {
        actual_days(self.from, self.due)
    }

    /// A period that is exactly one of its kind.
    fn whole(from: Day, due: Day, period: Period) -> Span {
        let thirty_days = match period.unit {
            PeriodUnit::Month => Share { numerator: u64::from(period.every) * 30, denominator: 1 },
            PeriodUnit::Day | PeriodUnit::Week => Share { numerator: actual_days(from, due), denominator: 1 },
        };
        Span { from, due, charged: Some(period), thirty_days }
    }

    /// A period that is longer or shorter.
    fn odd(from: Day, due: Day, unit: Option<PeriodUnit>) -> Span {
        let thirty_days = match unit {
            Some(PeriodUnit::Month) | None => thirty_day_months(from, due),
            Some(PeriodUnit::Day | PeriodUnit::Week) => {
                Share { numerator: actual_days(from, due), denominator: 1 }
            }
        };
        Span { from, due, charged: None, thirty_days }
    }

    /// The first period of a loan: whole where it is one period long, seen from either end.
    fn first(from: Day, due: Day, period: Period) -> Span {
        let backwards = match period.unit {
            PeriodUnit::Month => due.plus_months(i32::from(period.every).saturating_neg()),
            PeriodUnit::Day => due.plus_days(-i64::from(period.every)),
            PeriodUnit::Week => due.plus_days(-7 * i64::from(period.every)),
        };
        if from.plus_periods(period, 1) == Some(due) || backwards == Some(from) {
            Span::whole(from, due, period)
        } else {
            Span::odd(from, due, Some(period.unit))
        }
    }

    /// A period between listed due days. Without a stated period, one of whole months is charged as such.
    fn listed(from: Day, due: Day, period: Option<Period>) -> Span {
        let odd = Span::odd(from, due, period.map(|period| period.unit));
        let charged = period.or_else(|| match whole_months(from, due) {
            (months, 0, _) if months > 0 => {
                Some(Period { unit: PeriodUnit::Month, every: u16::try_from(months).ok()? })
            }
            _ => None,
        });
        Span { charged, ..odd }
    }
}

/// Every period of a loan, in order; at least one.
///
/// # Errors
/// The first status that applies, where the due days are none or out of order.
pub fn spans(terms: &Terms) -> Result<Vec<Span>, TermsStatus> {
    match &terms.timing {
        Timing::Regular { periods, period, first_due_on } => {
            regular(terms.disbursed_on, *periods, *period, *first_due_on)
        }
        Timing::Dates { due_dates, period } => listed(terms.disbursed_on, due_dates, *period),
    }
}

fn regular(
    disbursed_on: Day,
    periods: u16,
    period: Period,
    first_due_on: Option<Day>,
) -> Result<Vec<Span>, TermsStatus> {
    if periods == 0 || periods > PERIODS_MAX {
        return Err(TermsStatus::PeriodsOutOfRange);
    }
    if period.every == 0 {
        return Err(TermsStatus::PeriodMustNotBeZero);
    }
    if first_due_on.is_some_and(|first| first <= disbursed_on) {
        return Err(TermsStatus::FirstDueMustFollowDisbursement);
    }
    let mut from = disbursed_on;
    (0..u32::from(periods))
        .map(|index| {
            let due = match first_due_on {
                Some(anchor) => anchor.plus_periods(period, index),
                None => disbursed_on.plus_periods(period, index + 1),
            }
            .ok_or(TermsStatus::DueDateOutOfRange)?;
            let span =
                if index == 0 { Span::first(from, due, period) } else { Span::whole(from, due, period) };
            from = due;
            Ok(span)
        })
        .collect()
}

fn listed(disbursed_on: Day, due_dates: &[Day], period: Option<Period>) -> Result<Vec<Span>, TermsStatus> {
    if due_dates.is_empty() || due_dates.len() > usize::from(PERIODS_MAX) {
        return Err(TermsStatus::PeriodsOutOfRange);
    }
    if period.is_some_and(|period| period.every == 0) {
        return Err(TermsStatus::PeriodMustNotBeZero);
    }
    let mut from = disbursed_on;
    (due_dates.iter().enumerate())
        .map(|(index, due)| {
            if *due <= from {
                return Err(TermsStatus::DueDatesMustRise);
            }
            let mut span = Span::listed(from, *due, period);
            if let (0, Some(period)) = (index, period) {
                span.charged = Span::first(from, *due, period).charged;
            }
            from = *due;
            Ok(span)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MONTHLY: Period = Period { unit: PeriodUnit::Month, every: 1 };

    fn day(text: &str) -> Day {
        Day::parse(text).unwrap()
    }

    fn due_days(spans: &[Span]) -> Vec<String> {
        spans.iter().map(|span| span.due.to_string()).collect()
    }

    #[test]
    fn due_days_are_the_anchor_plus_k_periods_and_not_chained() {
        let spans = regular(day("2024-01-31"), 3, MONTHLY, None).unwrap();
        assert_eq!(due_days(&spans), ["2024-02-29", "2024-03-31", "2024-04-30"]);
        assert!(spans.iter().all(|span| span.charged == Some(MONTHLY)));
        assert!(
            spans.iter().all(|span| (span.thirty_days.numerator, span.thirty_days.denominator) == (30, 1))
        );
    }

    #[test]
    fn first_due_on_is_the_new_anchor() {
        let spans = regular(day("2024-01-31"), 3, MONTHLY, Some(day("2024-02-29"))).unwrap();
        assert_eq!(due_days(&spans), ["2024-02-29", "2024-03-29", "2024-04-29"]);
        assert_eq!(spans[0].charged, Some(MONTHLY), "one month, clamped");
        let spans = regular(day("2023-02-28"), 2, MONTHLY, Some(day("2023-03-31"))).unwrap();
        assert_eq!(spans[0].charged, Some(MONTHLY), "one month back from the anchor, clamped");
        let spans = regular(day("2024-01-01"), 2, MONTHLY, Some(day("2024-02-15"))).unwrap();
        assert_eq!(due_days(&spans), ["2024-02-15", "2024-03-15"]);
        assert_eq!((spans[0].charged, spans[1].charged), (None, Some(MONTHLY)));
        assert_eq!(
            (spans[0].thirty_days.numerator, spans[0].thirty_days.denominator),
            (30 * 29 + 14 * 30, 29)
        );
    }

    #[test]
    fn periods_of_days_and_weeks_count_actual_days() {
        let thirty = Period { unit: PeriodUnit::Day, every: 30 };
        let spans = regular(day("2024-02-01"), 1, thirty, None).unwrap();
        assert_eq!((spans[0].days(), spans[0].thirty_days.numerator), (30, 30));
    }

    #[test]
    fn listed_days_are_charged_as_the_months_they_are() {
        let spans = listed(day("2024-01-31"), &[day("2024-02-29"), day("2024-04-30")], None).unwrap();
        assert_eq!(spans[0].charged, Some(MONTHLY));
        // 29 February to 30 April is not a whole number of months.
        assert_eq!(spans[1].charged, None);
        let spans =
            listed(day("2024-01-01"), &[day("2024-02-03"), day("2024-03-01")], Some(MONTHLY)).unwrap();
        assert_eq!((spans[0].charged, spans[1].charged), (None, Some(MONTHLY)));
    }

    #[test]
    fn impossible_periods_are_refused() {
        let start = day("2024-01-01");
        let zero = Period { unit: PeriodUnit::Day, every: 0 };
        assert_eq!(regular(start, 0, MONTHLY, None), Err(TermsStatus::PeriodsOutOfRange));
        assert_eq!(regular(start, 1_201, MONTHLY, None), Err(TermsStatus::PeriodsOutOfRange));
        assert_eq!(regular(start, 1, zero, None), Err(TermsStatus::PeriodMustNotBeZero));
        assert_eq!(regular(start, 1, MONTHLY, Some(start)), Err(TermsStatus::FirstDueMustFollowDisbursement));
        assert_eq!(regular(day("2200-12-01"), 1, MONTHLY, None), Err(TermsStatus::DueDateOutOfRange));
        let huge = Period { unit: PeriodUnit::Month, every: u16::MAX };
        assert_eq!(regular(start, 1_200, huge, None), Err(TermsStatus::DueDateOutOfRange));
        assert_eq!(listed(start, &[], None), Err(TermsStatus::PeriodsOutOfRange));
        assert_eq!(listed(start, &[start], None), Err(TermsStatus::DueDatesMustRise));
    }
}
