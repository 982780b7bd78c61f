//! Day counts: how much of a year lies between two days.
//!
//! | name    | counts                                     | over                                  |
//! |---------|--------------------------------------------|---------------------------------------|
//! | act/365 | actual days                                | 365 (ISDA "Actual/365 (Fixed)")       |
//! | act/360 | actual days                                | 360 (ISDA "Actual/360", money market) |
//! | act/364 | actual days                                | 364 (52 whole weeks)                  |
//! | act/act | actual days of each calendar year          | 365 or 366 (ISDA "Actual/Actual")     |
//! | 30/360  | 30 a whole month, its share of an odd one  | 360                                   |
//! | 30/365  | 30 a whole month, its share of an odd one  | 365                                   |
//!
//! Act/act splits a period at 1 January: the days before it belong to the old year, 1 January and after to the new.
//!
//! 30/x is the lenders' convention, not the bond market's: a month from any day to the same day of the next month
//! (or the month's end, where it is shorter) counts 30, and what is left over counts 30 x its days / the days of the
//! month it lies in. So the parts of a period always add up to the period, 31 January to 28 February is a whole month,
//! and 1 January to 8 January is 30 x 7/31 days. The bond basis (ISDA 30/360) and 30E/360 agree with it on whole
//! months between like days and differ in stubs by less than a day or two. Periods of days and weeks count actual days.

use crate::day::{Day, is_leap_year};

named! {
    /// How days become a fraction of a year.
    DayCount {
        /// Actual days over 365.
        Actual365 = 1, "act/365";
        /// Actual days over 360.
        Actual360 = 2, "act/360";
        /// Actual days over the days of the calendar year they lie in.
        ActualActual = 3, "act/act";
        /// Actual days over 364.
        Actual364 = 4, "act/364";
        /// Months of 30 days over 360.
        Thirty360 = 5, "30/360";
        /// Months of 30 days over 365.
        Thirty365 = 6, "30/365";
    }
}

/// An exact, small fraction: of days, or of a year. The denominator is never zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Share {
    /// What is counted.
    pub numerator: u64,
    /// What it is counted over.
    pub denominator: u64,
}

impl DayCount {
    /// The days of a year of this count; 365 for act/act where no particular year is meant.
    pub const fn year_days(self) -> u64 {
        match self {
            DayCount::Actual365 | DayCount::ActualActual | DayCount::Thirty365 => 365,
            DayCount::Actual360 | DayCount::Thirty360 => 360,
            DayCount::Actual364 => 364,
        }
    }

    /// Whether months count 30 days.
    pub const fn counts_months(self) -> bool {
        match self {
            DayCount::Thirty360 | DayCount::Thirty365 => true,
            DayCount::Actual365 | DayCount::Actual360 | DayCount::ActualActual | DayCount::Actual364 => false,
        }
    }

    /// The fraction of a year from one day to a later one, where neither is part of a schedule; nothing where `to`
    /// is not later.
    pub fn year_fraction(self, from: Day, to: Day) -> Share {
        match self {
            DayCount::ActualActual => by_calendar_year(from, to),
            DayCount::Actual365 | DayCount::Actual360 | DayCount::Actual364 => {
                Share { numerator: actual_days(from, to), denominator: self.year_days() }
            }
            DayCount::Thirty360 | DayCount::Thirty365 => {
                let days = thirty_day_months(from, to);
                Share { numerator: days.numerator, denominator: days.denominator * self.year_days() }
            }
        }
    }
}

/// Actual days from one day to a later one; none where `to` is not later.
pub(crate) fn actual_days(from: Day, to: Day) -> u64 {
    u64::try_from(from.days_until(to)).unwrap_or(0)
}

/// Days of each calendar year over the days of that year, brought to one denominator.
pub(crate) fn by_calendar_year(from: Day, to: Day) -> Share {
    let (mut common_days, mut leap_days) = (0, 0);
    let mut start = from;
    while start < to {
        // Beyond the last year there is no next 1 January, and none is needed.
        let end = start.first_of_year(1).map_or(to, |new_year| new_year.min(to));
        if is_leap_year(start.ymd().0) {
            leap_days += actual_days(start, end);
        } else {
            common_days += actual_days(start, end);
        }
        start = end;
    }
    match (common_days, leap_days) {
        (days, 0) => Share { numerator: days, denominator: 365 },
        (0, days) => Share { numerator: days, denominator: 366 },
        (common, leap) => Share { numerator: common * 366 + leap * 365, denominator: 365 * 366 },
    }
}

/// How many whole months lie between two days, clamped to month ends, and the days left over with the days of the
/// month they lie in.
pub(crate) fn whole_months(from: Day, to: Day) -> (u64, u64, u64) {
    let (from_year, from_month, _) = from.ymd();
    let (to_year, to_month, _) = to.ymd();
    let calendar = (to_year - from_year) * 12 + i32::try_from(to_month).unwrap_or(0)
        - i32::try_from(from_month).unwrap_or(0);
    let reaches = |months: i32| from.plus_months(months).filter(|day| *day <= to);
    let (months, last) = [calendar, calendar - 1]
        .into_iter()
        .find_map(|months| Some((months, reaches(months)?)))
        .unwrap_or((0, from));
    let odd_days = actual_days(last, to);
    let month_days = from.plus_months(months.saturating_add(1)).map_or(31, |next| actual_days(last, next));
    (u64::try_from(months).unwrap_or(0), odd_days, month_days.max(1))
}

/// Days from one day to a later one, 30 a whole month, and 30 x the share of an odd one.
pub(crate) fn thirty_day_months(from: Day, to: Day) -> Share {
    let (months, odd_days, month_days) = whole_months(from, to);
    if odd_days == 0 {
        return Share { numerator: months * 30, denominator: 1 };
    }
    Share { numerator: months * 30 * month_days + odd_days * 30, denominator: month_days }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fraction(count: DayCount, from: &str, to: &str) -> (u64, u64) {
        let share = count.year_fraction(Day::parse(from).unwrap(), Day::parse(to).unwrap());
        (share.numerator, share.denominator)
    }

    #[test]
    fn actual_counts() {
        assert_eq!(fraction(DayCount::Actual365, "2024-01-01", "2024-02-01"), (31, 365));
        assert_eq!(fraction(DayCount::Actual360, "2023-12-15", "2024-03-15"), (91, 360));
        assert_eq!(fraction(DayCount::Actual364, "2024-02-28", "2024-03-06"), (7, 364));
        assert_eq!(fraction(DayCount::Actual365, "2024-02-01", "2024-01-01"), (0, 365));
    }

    #[test]
    fn act_act_splits_at_the_first_of_january() {
        assert_eq!(fraction(DayCount::ActualActual, "2023-06-01", "2023-07-01"), (30, 365));
        assert_eq!(fraction(DayCount::ActualActual, "2024-06-01", "2024-07-01"), (30, 366));
        // 12 December to 12 January: 20 days of 2023, 11 of 2024.
        assert_eq!(
            fraction(DayCount::ActualActual, "2023-12-12", "2024-01-12"),
            (20 * 366 + 11 * 365, 365 * 366)
        );
        // 31 December is still a day of the old year.
        assert_eq!(fraction(DayCount::ActualActual, "2023-12-31", "2024-01-01"), (1, 365));
        assert_eq!(fraction(DayCount::ActualActual, "2024-01-01", "2025-01-01"), (366, 366));
        assert_eq!(fraction(DayCount::ActualActual, "2200-12-01", "2200-12-31"), (30, 365));
    }

    #[test]
    fn a_whole_month_counts_thirty_and_an_odd_one_its_share() {
        assert_eq!(fraction(DayCount::Thirty360, "2024-01-01", "2024-02-01"), (30, 360));
        assert_eq!(fraction(DayCount::Thirty365, "2024-02-01", "2024-03-01"), (30, 365));
        assert_eq!(fraction(DayCount::Thirty360, "2023-01-31", "2023-02-28"), (30, 360));
        assert_eq!(fraction(DayCount::Thirty360, "2023-01-31", "2023-03-31"), (60, 360));
        assert_eq!(fraction(DayCount::Thirty360, "2024-01-08", "2024-02-01"), (24 * 30, 31 * 360));
        assert_eq!(fraction(DayCount::Thirty360, "2024-01-01", "2024-02-15"), (30 * 29 + 14 * 30, 29 * 360));
        assert_eq!(fraction(DayCount::Thirty360, "2024-01-01", "2024-01-01"), (0, 360));
    }
}
