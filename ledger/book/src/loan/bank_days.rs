//! The bank's days, and the stamps at which they began: what a balance of any past business date is read by.
//!
//! A business date ends when day-end rolls over it, not at midnight of the machine's clock. The table is replicated
//! state: every replica has the same, and it is in every checkpoint. A day that was rolled over with others, and on
//! which nothing was posted, has no line of its own: it ends where the one before it did.
//!
//! **Invariants.** Days rise strictly, stamps never fall. A line is never changed, so a question about a closed day
//! has one answer for ever.
//!
//! Limits: 12 bytes a day in the checkpoint. Tested here, and by statements in the ledger's tests.

use crate::quantity::{BusinessDate, NANOSECONDS_PER_SECOND, Stamp};
use crate::transfer::Transfer;
use fen_terms::Day;

const NANOSECONDS_PER_DAY: u64 = NANOSECONDS_PER_SECOND.saturating_mul(86_400);

/// See the module's words.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct BankDays {
    /// Each day with the last stamp before it.
    begun: Vec<(Day, Stamp)>,
}

/// The calendar's day of a stamp, by UTC.
fn calendar_day(stamp: Stamp) -> Day {
    let number = stamp.get().checked_div(NANOSECONDS_PER_DAY).unwrap_or(0);
    i32::try_from(number).ok().and_then(Day::from_number).unwrap_or(Day::MAX)
}

/// The last stamp of a calendar's day, by UTC.
fn end_of_calendar_day(day: Day) -> Stamp {
    let days = u64::try_from(i64::from(day.number()).saturating_add(1)).unwrap_or(0);
    Stamp::new(days.saturating_mul(NANOSECONDS_PER_DAY).saturating_sub(1))
}

/// The value date that a transfer bears itself: those of loans do, a plain one counts from the day it was booked on.
pub fn stated_value_day(record: &Transfer) -> Option<Day> {
    use super::apply::{DAY_END_CODE, EVENT_CODE};
    let is_of_loans = (EVENT_CODE..=DAY_END_CODE).contains(&record.code.get());
    let stated = is_of_loans && record.user_data_32 != 0;
    if stated { Day::from_number(record.user_data_32.cast_signed()) } else { None }
}

impl BankDays {
    /// A day begins: what bears a later stamp than this belongs to it. A day that has begun begins no more.
    pub(crate) fn begin(&mut self, day: Day, last_before: Stamp) {
        if let Some((newest, stamp)) = self.begun.last() {
            if day <= *newest {
                return;
            }
            assert!(last_before >= *stamp, "a later day begins at a later stamp");
        }
        self.begun.push((day, last_before));
    }

    /// The table of a checkpoint; `None` where its lines are not in order.
    pub(crate) fn restore(begun: Vec<(Day, Stamp)>) -> Option<Self> {
        let in_order = |pair: &[(Day, Stamp)]| match pair {
            [(day, stamp), (next_day, next_stamp)] => day < next_day && stamp <= next_stamp,
            _ => true,
        };
        begun.windows(2).all(in_order).then_some(Self { begun })
    }

    /// The lines, oldest first: each day with the last stamp before it.
    pub fn lines(&self) -> &[(Day, Stamp)] {
        &self.begun
    }

    /// The bank's day; none before the first.
    pub fn today(&self) -> Option<Day> {
        self.begun.last().map(|(day, _)| *day)
    }

    /// The last stamp of a day: what is booked up to it is in the day's closing balance. `None` for today and days
    /// to come. Days before the bank's first are those of the calendar, but that the last of them ends where the first
    /// begins; so are all days of a bank that never rolled one: of these the last is the one that holds `now`.
    pub fn close_of(&self, day: Day, now: Stamp) -> Option<Stamp> {
        let next = self.begun.partition_point(|(begun, _)| *begun <= day);
        match self.begun.get(next) {
            Some((first, stamp)) if next == 0 => {
                let is_last = day.plus_days(1) == Some(*first);
                Some(if is_last { *stamp } else { end_of_calendar_day(day).min(*stamp) })
            }
            Some((_, stamp)) => Some(*stamp),
            None if self.begun.is_empty() && calendar_day(now) > day => Some(end_of_calendar_day(day)),
            None => None,
        }
    }

    /// The business date on which a stamp was booked.
    pub fn day_of(&self, stamp: Stamp) -> BusinessDate {
        let begun = self.begun.partition_point(|(_, before)| *before < stamp);
        let found = begun.checked_sub(1).and_then(|last| self.begun.get(last)).map(|(day, _)| *day);
        let day = found.unwrap_or_else(|| {
            let last = self.begun.first().and_then(|(first, _)| first.plus_days(-1));
            last.map_or(calendar_day(stamp), |last| calendar_day(stamp).min(last))
        });
        BusinessDate::new(day.number())
    }

    /// The day from which a transfer counts: the one it bears, or that on which it was booked.
    pub fn value_day_of(&self, record: &Transfer) -> BusinessDate {
        match stated_value_day(record) {
            Some(day) => BusinessDate::new(day.number()),
            None => self.day_of(record.timestamp),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        Day::parse(text).unwrap()
    }

    #[test]
    fn a_day_ends_where_the_next_begins() {
        let mut days = BankDays::default();
        days.begin(day("2026-03-02"), Stamp::new(100));
        days.begin(day("2026-03-03"), Stamp::new(250));
        days.begin(day("2026-03-03"), Stamp::new(900));
        days.begin(day("2026-03-06"), Stamp::new(400));
        let now = Stamp::new(1_000);
        assert_eq!(days.close_of(day("2026-03-02"), now), Some(Stamp::new(250)));
        assert_eq!(days.close_of(day("2026-03-03"), now), Some(Stamp::new(400)));
        assert_eq!(days.close_of(day("2026-03-05"), now), Some(Stamp::new(400)), "rolled over in one go");
        assert_eq!(days.close_of(day("2026-03-06"), now), None, "today is open");
        assert_eq!(days.close_of(day("2026-03-01"), now), Some(Stamp::new(100)), "before the first day");
        for (stamp, on) in
            [(101, "2026-03-02"), (250, "2026-03-02"), (251, "2026-03-03"), (401, "2026-03-06")]
        {
            assert_eq!(days.day_of(Stamp::new(stamp)).get(), day(on).number(), "{stamp}");
        }
        assert_eq!(days.day_of(Stamp::new(100)).get(), 0, "by the calendar");
        let mut late = BankDays::default();
        late.begin(day("1970-01-03"), Stamp::new(9 * NANOSECONDS_PER_DAY));
        let before = Stamp::new(8 * NANOSECONDS_PER_DAY);
        assert_eq!(late.day_of(before).get(), 1, "the day before the first, whatever the calendar says");
        assert_eq!(late.close_of(day("1970-01-02"), now), Some(Stamp::new(9 * NANOSECONDS_PER_DAY)));
    }

    #[test]
    fn a_bank_that_never_rolled_a_day_counts_them_by_the_calendar() {
        let days = BankDays::default();
        let now = Stamp::new(NANOSECONDS_PER_DAY * 3 + 5);
        assert_eq!(days.close_of(day("1970-01-02"), now), Some(Stamp::new(2 * NANOSECONDS_PER_DAY - 1)));
        assert_eq!(days.close_of(day("1970-01-04"), now), None);
        assert_eq!(days.day_of(Stamp::new(2 * NANOSECONDS_PER_DAY - 1)).get(), 1);
    }
}
