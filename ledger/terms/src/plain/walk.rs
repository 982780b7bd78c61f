//! A plain schedule told row by row: whoever needs the next due day only does not pay for the other nineteen.
//!
//! **Invariant.** The rows are those of [`Plain::rows`], which is this walk to its end.

use super::{Counted, DAYS_OF_YEARS, FIGURE_MAX, Plain, row_of};
use crate::day::{Day, DueDays, PeriodUnit};
use crate::money::Money;
use crate::schedule::Instalment;
use crate::terms::Amortisation;

/// Rounding units up to this leave room for every sum below.
const UNIT_MAX: Money = Money::new(1 << 60);

/// The instalments of one loan, one after the other.
#[derive(Clone, Debug)]
pub struct Walk<'a> {
    plain: &'a Plain,
    /// The level, or the part of principal that is the same in each row.
    regular: Money,
    disbursed_on: Day,
    from: Day,
    owed: Money,
    due_days: DueDays,
    /// How many rows were told.
    told: u16,
}

impl Plain {
    /// Begins the schedule of one loan; `None` where there is none or a figure does not fit, as in [`Plain::rows`].
    pub fn walk(&self, principal: Money, disbursed_on: Day) -> Option<Walk<'_>> {
        if principal.is_zero() || principal > Money::PRINCIPAL_MAX {
            return None;
        }
        let regular = match self.amortisation {
            Amortisation::EqualInstalment => self.level(principal, disbursed_on)?,
            Amortisation::EqualPrincipal => {
                self.rounding.mode.divide(principal.get(), u128::from(self.periods), self.rounding.to)?
            }
            Amortisation::InterestOnly | Amortisation::Bullet => Money::ZERO,
        };
        let due_days = DueDays::after(disbursed_on, self.period);
        Some(Walk {
            plain: self,
            regular,
            disbursed_on,
            from: disbursed_on,
            owed: principal,
            due_days,
            told: 0,
        })
    }

    /// Whether a loan disbursed on a day surely has a schedule, whatever its principal. Where it is false, a walk to the
    /// end tells.
    pub fn is_sure(&self, disbursed_on: Day) -> bool {
        let is_level = self.amortisation == Amortisation::EqualInstalment;
        let days = match self.period.unit {
            PeriodUnit::Day => 1,
            PeriodUnit::Week => 7,
            PeriodUnit::Month => 31,
        };
        let counted = match self.counted {
            Counted::Alike | Counted::Days => 1_u128,
            Counted::DaysOfYears => DAYS_OF_YEARS,
        };
        let most = u128::from(self.period.every) * days * counted;
        let fits = self.numerator.checked_mul(most).is_some_and(|bears| bears < FIGURE_MAX);
        let last = disbursed_on.plus_periods(self.period, u32::from(self.periods));
        !is_level
            && self.amortisation != Amortisation::Bullet
            && fits
            && self.rounding.to <= UNIT_MAX
            && last.is_some()
    }
}

impl Walk<'_> {
    /// The next row; `None` behind the last, and where a figure does not fit.
    pub fn step(&mut self) -> Option<Instalment> {
        let plain = self.plain;
        if usize::from(self.told) >= plain.row_count() {
            return None;
        }
        self.told = self.told.checked_add(1)?;
        if plain.amortisation == Amortisation::Bullet {
            return plain.bullet(self.owed, self.disbursed_on);
        }
        let due = self.due_days.next()?;
        let interest = plain.interest(self.owed, plain.bears(self.from, due)?)?;
        let part = if self.told == plain.periods {
            self.owed
        } else if plain.amortisation == Amortisation::EqualInstalment {
            // Where a period bears more than the level there is more to it than is done here.
            self.regular.checked_sub(interest)?.min(self.owed)
        } else {
            self.regular.min(self.owed)
        };
        self.owed = self.owed.checked_sub(part)?;
        let row = row_of(u32::from(self.told), (self.from, due), part, interest, self.owed)?;
        self.from = due;
        Some(row)
    }
}
