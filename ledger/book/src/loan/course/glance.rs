//! A course at a glance: what a portfolio asks of it, from its figures and one due day, without its instalments. Ten
//! million loans are read so in the time that a hundred thousand take to be told row by row.
//!
//! **Invariant.** The same as the course carried on to the day ([`Run`](super::Run)); held against it in
//! `tests/course.rs`, where portfolios are added up from the folds of all loans.

use super::{Course, Ordinary};
use crate::loan::accrual;
use crate::loan::money::Money;
use crate::loan::position::Standing;
use fen_terms::Day;

/// How a course stands on a day.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Glance {
    /// Days past due, class and stage.
    pub(crate) standing: Standing,
    /// What is provided for it.
    pub(crate) provision: Money,
    /// Whether nothing is owed.
    pub(crate) is_closed: bool,
}

impl Course {
    /// How it stands on a day, not before the one that it is as of.
    pub(crate) fn glance(&self, ordinary: &Ordinary, today: Day) -> Glance {
        let is_closed = usize::from(self.settled) >= ordinary.plain.row_count();
        let due = if is_closed { None } else { ordinary.plain.due_on(self.disbursed_on, self.settled) };
        let days = due.map_or(0, |due| due.days_until(today.max(self.as_of)));
        let standing = ordinary.standing(days.max(0).unsigned_abs());
        let rate = ordinary.classes.provision_of(standing.class);
        Glance { standing, provision: accrual::provision(self.owed, rate), is_closed }
    }
}
