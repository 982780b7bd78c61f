//! Which loans change of themselves on which day: four bytes a loan, and no scan.
//!
//! A loan's record names the one day on which it wakes; the calendar lists, for each day, the loans that were ever to
//! wake on it. An entry whose loan wakes on another day by now is passed over. A day's loans are taken in the order
//! of their slots, so neither a restart nor the size of chunks changes what comes first.

use super::LoanSlot;
use fen_terms::Day;
use std::collections::BTreeMap;

/// The loans of one day.
#[derive(Default)]
struct Page {
    /// Those not taken yet.
    slots: Vec<LoanSlot>,
    /// Whether they stand from the last slot to the first.
    is_in_order: bool,
}

/// See the module's words.
#[derive(Default)]
pub(crate) struct Calendar {
    days: BTreeMap<Day, Page>,
}

impl Calendar {
    /// Notes that a loan wakes on a day.
    pub(crate) fn note(&mut self, day: Day, slot: LoanSlot) {
        let page = self.days.entry(day).or_default();
        page.slots.push(slot);
        page.is_in_order = false;
    }

    /// The first day on which a loan still wakes. `wakes_on` says when a loan really does.
    pub(crate) fn first_day(&mut self, wakes_on: impl Fn(LoanSlot) -> Option<Day>) -> Option<Day> {
        loop {
            let mut entry = self.days.first_entry()?;
            let day = *entry.key();
            let page = entry.get_mut();
            page.put_in_order();
            while page.slots.last().is_some_and(|slot| wakes_on(*slot) != Some(day)) {
                page.slots.pop();
            }
            if !page.slots.is_empty() {
                return Some(day);
            }
            entry.remove();
        }
    }

    /// Takes at most `room` loans that wake on a day off its page.
    pub(crate) fn take(
        &mut self,
        day: Day,
        room: usize,
        wakes_on: impl Fn(LoanSlot) -> Option<Day>,
    ) -> Vec<LoanSlot> {
        let mut taken = Vec::new();
        let Some(page) = self.days.get_mut(&day) else { return taken };
        page.put_in_order();
        while taken.len() < room
            && let Some(slot) = page.slots.pop()
        {
            if wakes_on(slot) == Some(day) && taken.last() != Some(&slot) {
                taken.push(slot);
            }
        }
        taken
    }
}

impl Page {
    fn put_in_order(&mut self) {
        if !self.is_in_order {
            self.slots.sort_unstable_by(|a, b| b.cmp(a));
            self.is_in_order = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_taken_in_order_of_slots_and_without_those_that_moved_on() {
        let day = Day::from_ymd(2026, 3, 2).unwrap();
        let later = day.plus_days(3).unwrap();
        let mut calendar = Calendar::default();
        for slot in [4, 1, 3, 1, 2] {
            calendar.note(day, slot);
        }
        calendar.note(later, 3);
        let wakes_on = |slot| Some(if slot == 3 { later } else { day });
        assert_eq!(calendar.first_day(wakes_on), Some(day));
        assert_eq!(calendar.take(day, 2, wakes_on), [1, 2]);
        assert_eq!(calendar.take(day, 9, wakes_on), [4]);
        assert_eq!(calendar.first_day(wakes_on), Some(later));
        assert_eq!(calendar.take(later, 9, wakes_on), [3]);
        assert_eq!(calendar.first_day(wakes_on), None);
    }
}
