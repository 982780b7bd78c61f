//! Calendar days as numbers, and the periods between due days.
//!
//! A [`Day`] is the count of days since 1970-01-01 in the proleptic Gregorian calendar, kept within
//! [`Day::MIN`] and [`Day::MAX`], so that no sum of days can overflow. There is no clock here and no time zone: the
//! bank's day is given, never asked for.

use core::fmt;

/// A calendar day from 1900-01-01 to 2200-12-31, held as days since 1970-01-01.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(i32);

/// A day of the week, Monday first as in ISO 8601.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(missing_docs, reason = "the days of the week")]
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

named! {
    /// What a period counts in.
    PeriodUnit {
        /// Days.
        Day = 1, "day";
        /// Seven days.
        Week = 2, "week";
        /// Calendar months.
        Month = 3, "month";
    }
}

/// The distance between due days: `every` units. `{Month, 3}` is a quarter, `{Week, 2}` a fortnight.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Period {
    /// What is counted.
    pub unit: PeriodUnit,
    /// How many of it, at least one.
    pub every: u16,
}

const DAYS_PER_ERA: i64 = 146_097;
const DAYS_FROM_ERA_TO_1970: i64 = 719_468;

impl Day {
    /// 1900-01-01.
    pub const MIN: Day = Day(-25_567);
    /// 2200-12-31.
    pub const MAX: Day = Day(84_370);

    /// The day of a day number, or `None` outside [`Self::MIN`]..=[`Self::MAX`].
    pub const fn from_number(days_since_1970: i32) -> Option<Day> {
        if days_since_1970 < Self::MIN.0 || days_since_1970 > Self::MAX.0 {
            return None;
        }
        Some(Day(days_since_1970))
    }

    /// Days since 1970-01-01.
    pub const fn number(self) -> i32 {
        self.0
    }

    /// The day of a calendar date, or `None` where there is no such date or it is out of range.
    pub fn from_ymd(year: i32, month: u32, day: u32) -> Option<Day> {
        if !(1900..=2200).contains(&year) || !(1..=12).contains(&month) {
            return None;
        }
        if day < 1 || day > days_in_month(year, month) {
            return None;
        }
        Self::civil(year, month, day)
    }

    /// Counts the days of whole 400-year eras, then those within the era, with the year beginning on 1 March so
    /// that the leap day comes last.
    fn civil(year: i32, month: u32, day: u32) -> Option<Day> {
        let shifted_year = i64::from(year) - i64::from(month <= 2);
        let era = shifted_year.div_euclid(400);
        let year_of_era = shifted_year.rem_euclid(400);
        let month_from_march = (i64::from(month) + 9) % 12;
        let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        let number = era * DAYS_PER_ERA + day_of_era - DAYS_FROM_ERA_TO_1970;
        Self::from_number(i32::try_from(number).ok()?)
    }

    /// Year, month (1-12) and day of the month (1-31).
    pub fn ymd(self) -> (i32, u32, u32) {
        let number = i64::from(self.0) + DAYS_FROM_ERA_TO_1970;
        let era = number.div_euclid(DAYS_PER_ERA);
        let day_of_era = number.rem_euclid(DAYS_PER_ERA);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        (small(year), small(month).unsigned_abs(), small(day).unsigned_abs())
    }

    /// The day of the week.
    pub const fn weekday(self) -> Weekday {
        // 1970-01-01 was a Thursday.
        match (self.0 + 3).rem_euclid(7) {
            0 => Weekday::Monday,
            1 => Weekday::Tuesday,
            2 => Weekday::Wednesday,
            3 => Weekday::Thursday,
            4 => Weekday::Friday,
            5 => Weekday::Saturday,
            _ => Weekday::Sunday,
        }
    }

    /// Days from `self` to `later`; negative where `later` is earlier.
    pub const fn days_until(self, later: Day) -> i32 {
        later.0 - self.0
    }

    /// The day `days` later (earlier where negative), or `None` out of range.
    pub fn plus_days(self, days: i64) -> Option<Day> {
        let number = i64::from(self.0).checked_add(days)?;
        Self::from_number(i32::try_from(number).ok()?)
    }

    /// The same day of the month `months` later, or the last day of that month where it is shorter.
    ///
    /// Always reckon from the anchor: 31 January + 2 months is 31 March, but 31 January + 1 + 1 months is the 28th.
    pub fn plus_months(self, months: i32) -> Option<Day> {
        let (year, month, day) = self.ymd();
        let index = i64::from(year) * 12 + i64::from(month) - 1 + i64::from(months);
        let later_year = i32::try_from(index.div_euclid(12)).ok()?;
        let later_month = small(index.rem_euclid(12)).unsigned_abs() + 1;
        if !(1900..=2200).contains(&later_year) {
            return None;
        }
        Self::civil(later_year, later_month, day.min(days_in_month(later_year, later_month)))
    }

    /// The day `count` periods later, reckoned from `self` as the anchor and clamped to the month's end.
    pub fn plus_periods(self, period: Period, count: u32) -> Option<Day> {
        let units = i64::from(period.every) * i64::from(count);
        match period.unit {
            PeriodUnit::Day => self.plus_days(units),
            PeriodUnit::Week => self.plus_days(units * 7),
            PeriodUnit::Month => self.plus_months(i32::try_from(units).ok()?),
        }
    }

    /// The first day of this day's year, or of the next where `years` is 1; `None` out of range.
    pub fn first_of_year(self, years: i32) -> Option<Day> {
        let (year, _, _) = self.ymd();
        Self::from_ymd(year.checked_add(years)?, 1, 1)
    }

    /// Whether this is the last day of its month.
    pub fn is_month_end(self) -> bool {
        let (year, month, day) = self.ymd();
        day == days_in_month(year, month)
    }

    /// Reads `YYYY-MM-DD`.
    pub fn parse(text: &str) -> Option<Day> {
        let bytes = text.as_bytes();
        if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
            return None;
        }
        let digits = |range: core::ops::Range<usize>| -> Option<u32> {
            let part = bytes.get(range)?;
            part.iter()
                .try_fold(0_u32, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + u32::from(byte - b'0')))
        };
        Self::from_ymd(i32::try_from(digits(0..4)?).ok()?, digits(5..7)?, digits(8..10)?)
    }
}

/// The due days of an anchor and a period, one after the other: the same as [`Day::plus_periods`] with 1, 2, 3 and so
/// on, with the anchor's date looked up once. It ends where days end.
#[derive(Clone, Debug)]
pub struct DueDays {
    anchor: Day,
    period: Period,
    /// Periods so far.
    count: u32,
    /// The month of the next due day, in months since the year 0, and the anchor's day of the month.
    month: i32,
    day: u32,
}

impl DueDays {
    /// The due days after `anchor`.
    pub fn after(anchor: Day, period: Period) -> DueDays {
        let (year, month, day) = anchor.ymd();
        let month = year * 12 + small(i64::from(month)) - 1;
        DueDays { anchor, period, count: 0, month, day }
    }
}

impl Iterator for DueDays {
    type Item = Day;

    fn next(&mut self) -> Option<Day> {
        self.count = self.count.checked_add(1)?;
        match self.period.unit {
            PeriodUnit::Day | PeriodUnit::Week => self.anchor.plus_periods(self.period, self.count),
            PeriodUnit::Month => {
                self.month = self.month.checked_add(i32::from(self.period.every))?;
                let year = self.month.div_euclid(12);
                let month = self.month.rem_euclid(12).unsigned_abs() + 1;
                if year > 2200 {
                    return None;
                }
                Day::civil(year, month, self.day.min(days_in_month(year, month)))
            }
        }
    }
}

/// Narrows a figure of the calendar, which is far within an `i32` by the range of [`Day`].
fn small(value: i64) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

/// Whether a year has 366 days.
pub const fn is_leap_year(year: i32) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// The days of a month (1-12) of a year.
pub const fn days_in_month(year: i32, month: u32) -> u32 {
    match month {
        2 => {
            if is_leap_year(year) {
                29
            } else {
                28
            }
        }
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.ymd();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

impl fmt::Debug for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        Day::parse(text).unwrap()
    }

    #[test]
    fn every_day_of_the_range_goes_there_and_back_and_follows_the_one_before() {
        let (mut year, mut month, mut of_month) = (1900, 1, 1);
        for number in Day::MIN.number()..=Day::MAX.number() {
            let day = Day::from_number(number).unwrap();
            assert_eq!(day.ymd(), (year, month, of_month));
            assert_eq!(Day::from_ymd(year, month, of_month), Some(day));
            assert_eq!(Day::parse(&day.to_string()), Some(day));
            of_month += 1;
            if of_month > days_in_month(year, month) {
                (month, of_month) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
        assert_eq!(Day::MIN.to_string(), "1900-01-01");
        assert_eq!(Day::MAX.to_string(), "2200-12-31");
        assert_eq!(Day::from_ymd(1970, 1, 1).unwrap().number(), 0);
    }

    #[test]
    fn dates_that_do_not_exist_are_none() {
        for text in [
            "2023-02-29",
            "2024-02-30",
            "2024-13-01",
            "2024-00-10",
            "2024-01-00",
            "1899-12-31",
            "2201-01-01",
            "2024-1-01",
            "2024/01/01",
            "20240101",
            "2024-01-0x",
            "",
            "2024-01-01T",
            "+024-01-01",
        ] {
            assert_eq!(Day::parse(text), None, "{text}");
        }
        assert_eq!(Day::MAX.plus_days(1), None);
        assert_eq!(Day::MIN.plus_days(-1), None);
        assert_eq!(Day::MAX.plus_months(1), None);
        assert_eq!(Day::MAX.plus_days(i64::MAX), None);
    }

    #[test]
    fn months_clamp_to_the_month_end_from_the_anchor() {
        let anchor = day("2024-01-31");
        let monthly = Period { unit: PeriodUnit::Month, every: 1 };
        let due: Vec<String> =
            (1..=5).map(|count| anchor.plus_periods(monthly, count).unwrap().to_string()).collect();
        assert_eq!(due, ["2024-02-29", "2024-03-31", "2024-04-30", "2024-05-31", "2024-06-30"]);
        assert_eq!(day("2023-12-31").plus_months(-10).unwrap(), day("2023-02-28"));
        let fortnight = Period { unit: PeriodUnit::Week, every: 2 };
        assert_eq!(anchor.plus_periods(fortnight, 2).unwrap(), day("2024-02-28"));
    }

    #[test]
    fn due_days_one_after_the_other_are_those_of_the_anchor() {
        for unit in PeriodUnit::ALL {
            for (anchor, every) in
                [("2023-12-31", 1), ("2024-02-29", 5), ("2199-01-30", 13), ("1900-01-01", 700)]
            {
                let period = Period { unit: *unit, every };
                let mut due_days = DueDays::after(day(anchor), period);
                for count in 1..200 {
                    let due = day(anchor).plus_periods(period, count);
                    assert_eq!(due_days.next(), due);
                    if due.is_none() {
                        break;
                    }
                }
            }
        }
    }

    #[test]
    fn weekdays() {
        assert_eq!(day("1970-01-01").weekday(), Weekday::Thursday);
        assert_eq!(day("2026-11-23").weekday(), Weekday::Monday);
        assert_eq!(day("1900-01-01").weekday(), Weekday::Monday);
        assert_eq!(day("2000-02-29").weekday(), Weekday::Tuesday);
    }
}
