//! Days on which the bank does not do business, and where a due day moves that falls on one.
//!
//! The table is part of the product and so of the book: every replica rolls alike, and a loan keeps the table under
//! which it was made.

use fen_terms::{Day, Weekday};

/// The most days off in a product's table.
pub const HOLIDAYS_MAX: usize = 4_096;

/// Where a due day on a day off moves to.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Debug)]
pub enum Roll {
    /// To the next business day.
    #[default]
    Following,
    /// To the next business day of the same month, else to the one before.
    ModifiedFollowing,
    /// To the business day before.
    Preceding,
}

impl Roll {
    /// Every choice.
    pub const ALL: [Self; 3] = [Self::Following, Self::ModifiedFollowing, Self::Preceding];

    /// The name in a product.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Following => "following",
            Self::ModifiedFollowing => "modified_following",
            Self::Preceding => "preceding",
        }
    }

    /// The choice of a name, or `None` where there is none.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|choice| choice.name() == name)
    }
}

/// All days of the week, Monday first, by their names in a product.
pub const WEEKDAYS: [(Weekday, &str); 7] = [
    (Weekday::Monday, "monday"),
    (Weekday::Tuesday, "tuesday"),
    (Weekday::Wednesday, "wednesday"),
    (Weekday::Thursday, "thursday"),
    (Weekday::Friday, "friday"),
    (Weekday::Saturday, "saturday"),
    (Weekday::Sunday, "sunday"),
];

/// A table of days off with its rule.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Holidays {
    /// Where due days move.
    pub roll: Roll,
    /// Days of the week on which there is no business.
    pub weekend: Vec<Weekday>,
    /// Days off beside them, rising.
    pub days_off: Vec<Day>,
    /// Days that are worked although they fall on a weekend, rising.
    pub working_days: Vec<Day>,
}

impl Holidays {
    /// Whether the bank does business on a day.
    pub fn is_business_day(&self, day: Day) -> bool {
        if self.days_off.binary_search(&day).is_ok() {
            return false;
        }
        !self.weekend.contains(&day.weekday()) || self.working_days.binary_search(&day).is_ok()
    }

    /// Where a due day moves to; itself, if it is a business day or the calendar ends.
    pub fn rolled(&self, day: Day) -> Day {
        match self.roll {
            Roll::Following => self.next(day, 1),
            Roll::Preceding => self.next(day, -1),
            Roll::ModifiedFollowing => {
                let next = self.next(day, 1);
                let (year, month, _) = day.ymd();
                let (rolled_year, rolled_month, _) = next.ymd();
                if (year, month) == (rolled_year, rolled_month) { next } else { self.next(day, -1) }
            }
        }
    }

    fn next(&self, day: Day, step: i64) -> Day {
        let mut found = day;
        while !self.is_business_day(found) {
            let Some(next) = found.plus_days(step) else { return day };
            found = next;
        }
        found
    }

    /// Whether the lists rise, so that they can be searched.
    pub fn rises(&self) -> bool {
        let rises = |days: &[Day]| days.windows(2).all(|pair| pair[0] < pair[1]);
        rises(&self.days_off) && rises(&self.working_days)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        Day::parse(text).unwrap()
    }

    #[test]
    fn a_due_day_moves_to_a_business_day() {
        let mut table = Holidays {
            roll: Roll::Following,
            weekend: vec![Weekday::Saturday, Weekday::Sunday],
            days_off: vec![day("2026-10-01"), day("2026-10-02")],
            working_days: vec![day("2026-10-10")],
        };
        assert_eq!(table.rolled(day("2026-10-01")), day("2026-10-05"), "two days off and a weekend");
        assert_eq!(table.rolled(day("2026-10-10")), day("2026-10-10"), "a worked Saturday");
        table.roll = Roll::Preceding;
        assert_eq!(table.rolled(day("2026-10-04")), day("2026-09-30"));
        table.roll = Roll::ModifiedFollowing;
        assert_eq!(table.rolled(day("2026-05-31")), day("2026-05-29"), "not into June");
        assert_eq!(table.rolled(day("2026-10-03")), day("2026-10-05"));
    }
}
