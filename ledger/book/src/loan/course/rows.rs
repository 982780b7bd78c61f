//! The instalments of a loan as far as its course has come, and the next ones when they are asked for.
//!
//! A loan of twenty instalments that is in its third needs four of them. They follow from the contract, the principal and
//! the day, one after the other, so the rest is not reckoned.

use super::super::life::{from_terms, to_terms};
use super::super::money::Money;
use super::ordinary::Ordinary;
use fen_terms::{Day, Instalment, plain::Walk};

/// So many are kept in place; of longer loans near their end, the rest on the heap.
const IN_PLACE: usize = 12;

/// What of an instalment a course looks at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    /// The first day of its period.
    pub(super) from: Day,
    pub(super) due: Day,
    pub(super) principal: Money,
    pub(super) interest: Money,
    /// The principal owed after it, if all is paid as planned.
    pub(super) outstanding: Money,
}

impl Line {
    const NOTHING: Self = Self {
        from: Day::MIN,
        due: Day::MIN,
        principal: Money::ZERO,
        interest: Money::ZERO,
        outstanding: Money::ZERO,
    };

    /// The same as an instalment of the terms.
    pub(super) fn instalment(&self) -> Instalment {
        Instalment {
            from: self.from,
            due: self.due,
            principal: to_terms(self.principal),
            interest: to_terms(self.interest),
            outstanding: to_terms(self.outstanding),
            ..Instalment::EMPTY
        }
    }
}

impl From<Instalment> for Line {
    fn from(row: Instalment) -> Self {
        Self {
            from: row.from,
            due: row.due,
            principal: from_terms(row.principal),
            interest: from_terms(row.interest),
            outstanding: from_terms(row.outstanding),
        }
    }
}

/// See the module's words.
#[derive(Clone)]
pub(super) struct Rows<'a> {
    walk: Walk<'a>,
    first: [Line; IN_PLACE],
    rest: Vec<Line>,
    /// How many are known.
    known: usize,
    /// How many there are.
    count: usize,
}

impl<'a> Rows<'a> {
    /// Those of a loan whose contract was found to have them, none of them reckoned yet.
    pub(super) fn of(ordinary: &'a Ordinary, principal: Money, disbursed_on: Day) -> Self {
        let walk = ordinary.plain.walk(to_terms(principal), disbursed_on);
        Self {
            walk: walk.expect("the instalments of a course were told when it began"),
            first: [Line::NOTHING; IN_PLACE],
            rest: Vec::new(),
            known: 0,
            count: ordinary.plain.row_count(),
        }
    }

    /// Makes known the row of an index, and all rows up to the first that is due after a day.
    pub(super) fn reach(&mut self, index: usize, day: Day) {
        while self.known < self.count
            && (self.known <= index || self.last().is_none_or(|last| last.due <= day))
        {
            let row = self.walk.step().expect("the instalments of a course were told when it began");
            match self.first.get_mut(self.known) {
                Some(place) => *place = row.into(),
                None => self.rest.push(row.into()),
            }
            self.known = self.known.saturating_add(1);
        }
    }

    fn last(&self) -> Option<&Line> {
        self.get(self.known.checked_sub(1)?)
    }

    /// A row that is known; none behind the last of all.
    pub(super) fn get(&self, index: usize) -> Option<&Line> {
        if index >= self.known {
            assert!(self.known == self.count, "a row is made known before it is looked at");
            return None;
        }
        match self.first.get(index) {
            Some(row) => Some(row),
            None => self.rest.get(index.checked_sub(IN_PLACE)?),
        }
    }

    /// Those known, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Line> {
        self.first.iter().take(self.known).chain(&self.rest)
    }
}
