//! The naive model of a loan: every day from the first to the last is walked, with fractions for everything.
//!
//! It shares with the book what crosses the border (days, amounts, statuses, the names of components) and none of its
//! reckoning: due days, day counts, the level instalment, lateness and allocation are written down here once more, as
//! plainly as they can be.
//!
//! **Absent on purpose**, so that it stays plain: interest on the balance, prepayment outside the schedule, draws after
//! the first, rescheduling. Where a charge meets an overpaid balance, or a waiver a part-paid row, it gives up.

use fen_book::loan::money::{Component, Money, Parts};
use fen_terms::Day;
use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{ToPrimitive as _, Zero as _};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Shape {
    EqualPrincipal,
    EqualInstalment,
    InterestOnly,
    Bullet,
}

/// What was agreed.
#[derive(Clone, Debug)]
pub(crate) struct Agreed {
    pub(crate) principal: i128,
    pub(crate) drawn_on: Day,
    pub(crate) periods: u16,
    pub(crate) shape: Shape,
    /// The rate a day, in millionths of what is owed: 500 is 0.05 %.
    pub(crate) daily_millionths: u32,
    pub(crate) half_even: bool,
    /// Interest for lateness in tenths of the rate.
    pub(crate) late_tenths: u32,
    pub(crate) vertical: bool,
    pub(crate) last_first: bool,
    /// The twelve entries of the allocation, as (age, component): age 0 past due, 1 due, 2 in advance.
    pub(crate) order: Vec<(u8, Component)>,
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    Repay { amount: i128 },
    Charge { component: Component, amount: i128, due_on: Day },
    Waive { charge: u128 },
}

#[derive(Clone, Debug)]
pub(crate) struct Happened {
    pub(crate) id: u128,
    pub(crate) on: Day,
    pub(crate) what: What,
}

#[derive(Clone, Debug)]
pub(crate) struct ModelRow {
    pub(crate) due_on: Day,
    pub(crate) due: Parts,
    pub(crate) paid: Parts,
    pub(crate) early: Parts,
    pub(crate) late: Parts,
    pub(crate) waived: Parts,
    is_extra: bool,
    lateness: BigRational,
    lateness_billed: i128,
    charges: Vec<(u128, Component, i128)>,
}

impl ModelRow {
    fn new(due_on: Day, principal: i128, interest: i128) -> Self {
        let due = Parts { principal: Money::new(principal), interest: Money::new(interest), ..Parts::ZERO };
        Self {
            due_on,
            due,
            paid: Parts::ZERO,
            early: Parts::ZERO,
            late: Parts::ZERO,
            waived: Parts::ZERO,
            is_extra: false,
            lateness: BigRational::zero(),
            lateness_billed: 0,
            charges: Vec::new(),
        }
    }

    fn open(&self, component: Component) -> i128 {
        (self.due[component] - self.paid[component] - self.waived[component]).get()
    }
}

fn whole(number: i128) -> BigRational {
    BigRational::from_integer(BigInt::from(number))
}

impl Agreed {
    fn rate(&self) -> BigRational {
        whole(i128::from(self.daily_millionths)) / whole(1_000_000)
    }

    fn round(&self, exact: &BigRational) -> i128 {
        let below = exact.floor();
        let rest = exact - &below;
        let half = whole(1) / whole(2);
        let below = below.to_integer().to_i128().unwrap();
        let goes_up = rest > half || (rest == half && (!self.half_even || below % 2 != 0));
        if goes_up { below + 1 } else { below }
    }

    /// The day so many months after the draw, no later than its month's end.
    fn due_on(&self, months: u16) -> Day {
        let (year, month, day) = self.drawn_on.ymd();
        let count = u32::from(months) + month - 1;
        let (year, month) = (year + i32::try_from(count / 12).unwrap(), count % 12 + 1);
        (1..=day).rev().find_map(|day| Day::from_ymd(year, month, day)).unwrap()
    }

    /// The schedule.
    fn rows(&self) -> Vec<ModelRow> {
        let dues: Vec<Day> = (1..=self.periods).map(|month| self.due_on(month)).collect();
        let begins = std::iter::once(self.drawn_on).chain(dues.iter().copied());
        let days: Vec<i128> = begins.zip(&dues).map(|(from, to)| i128::from(from.days_until(*to))).collect();
        let bears = |owed: i128, days: i128| whole(owed) * self.rate() * whole(days);
        if self.shape == Shape::Bullet {
            let interest = self.round(&bears(self.principal, days.iter().sum()));
            return vec![ModelRow::new(*dues.last().unwrap(), self.principal, interest)];
        }
        let level = self.level(&days);
        let part = self.round(&(whole(self.principal) / whole(i128::from(self.periods))));
        let mut owed = self.principal;
        let mut rows = Vec::new();
        for (place, (due_on, days)) in dues.iter().zip(&days).enumerate() {
            let interest = self.round(&bears(owed, *days));
            let is_last = place + 1 == dues.len();
            let principal = match self.shape {
                _ if is_last => owed,
                Shape::EqualPrincipal => part.min(owed),
                Shape::EqualInstalment => (level - interest).clamp(0, owed),
                Shape::InterestOnly | Shape::Bullet => 0,
            };
            owed -= principal;
            rows.push(ModelRow::new(*due_on, principal, interest));
        }
        rows
    }

    /// What each instalment must be for the present value of all to be the loan.
    fn level(&self, days: &[i128]) -> i128 {
        let mut discount = whole(1);
        let mut sum = BigRational::zero();
        for days in days {
            discount /= whole(1) + self.rate() * whole(*days);
            sum += &discount;
        }
        self.round(&(whole(self.principal) / sum))
    }

    /// The rows as of a day, and what is overpaid; `None` where the model gives up.
    pub(crate) fn live(&self, events: &[Happened], as_of: Day) -> Option<(Vec<ModelRow>, i128)> {
        let mut rows = self.rows();
        let mut overpaid = 0;
        let mut day = self.drawn_on;
        loop {
            self.grow_late(&mut rows, day);
            for event in events.iter().filter(|event| counts_from(event) == day) {
                match &event.what {
                    What::Repay { amount } => overpaid += self.pay(&mut rows, *amount, day),
                    What::Charge { component, amount, due_on } => {
                        if overpaid > 0 {
                            return None;
                        }
                        charge(&mut rows, (event.id, *component, *amount), *due_on);
                    }
                    What::Waive { charge } => waive(&mut rows, *charge)?,
                }
            }
            if day == as_of {
                return Some((rows, overpaid));
            }
            day = day.plus_days(1)?;
        }
    }

    /// What was earned before a day began and is not billed, less interest that was paid ahead, to the fen: of each
    /// day since the period began what the principal then owed bears, or a bullet's share of its interest.
    pub(crate) fn unbilled(&self, rows: &[ModelRow], today: Day) -> i128 {
        const ALL: [Component; 4] =
            [Component::Principal, Component::Interest, Component::Fee, Component::Penalty];
        let is_open = |row: &ModelRow| ALL.iter().any(|component| row.open(*component) > 0);
        let oldest = rows.iter().find(|row| row.due_on < today && is_open(row));
        let is_suspended = oldest.is_some_and(|row| row.due_on.days_until(today) >= 90);
        let planned: Vec<&ModelRow> = rows.iter().filter(|row| !row.is_extra).collect();
        let Some(place) = planned.iter().position(|row| row.due_on > today) else { return 0 };
        if is_suspended || !rows.iter().any(is_open) {
            return 0;
        }
        let from = place.checked_sub(1).map_or(self.drawn_on, |before| planned[before].due_on);
        let days = whole(i128::from(from.days_until(today)));
        let later = &planned[place..];
        let owed: i128 = later.iter().map(|row| row.due.principal.get()).sum();
        let earned = if self.shape == Shape::Bullet {
            let all = whole(i128::from(from.days_until(planned[place].due_on)));
            whole(planned[place].due.interest.get()) * days / all
        } else {
            whole(owed) * self.rate() * days
        };
        let ahead: i128 = later.iter().map(|row| (row.paid.interest + row.waived.interest).get()).sum();
        let exact = earned - whole(ahead);
        // Half to even, below nothing as above.
        let (size, sign) = if exact < BigRational::zero() { (-exact, -1) } else { (exact, 1) };
        sign * Self { half_even: true, ..self.clone() }.round(&size)
    }

    /// One day's interest for lateness, on the principal that was unpaid when the day began.
    fn grow_late(&self, rows: &mut [ModelRow], day: Day) {
        for row in rows.iter_mut().filter(|row| row.due_on < day) {
            let overdue = row.open(Component::Principal);
            if overdue > 0 {
                let multiple = whole(i128::from(self.late_tenths)) / whole(10);
                row.lateness += whole(overdue) * self.rate() * multiple;
                let billed = self.round(&row.lateness);
                row.due.penalties += Money::new(billed - row.lateness_billed);
                row.lateness_billed = billed;
            }
        }
    }

    /// Spreads money, and gives back what is left.
    fn pay(&self, rows: &mut [ModelRow], amount: i128, on: Day) -> i128 {
        let mut rest = amount;
        let age = |row: &ModelRow| match row.due_on.cmp(&on) {
            std::cmp::Ordering::Less => 0,
            std::cmp::Ordering::Equal => 1,
            std::cmp::Ordering::Greater => 2,
        };
        let places = |rows: &[ModelRow], wanted: u8| -> Vec<usize> {
            let mut places: Vec<usize> =
                (0..rows.len()).filter(|place| age(&rows[*place]) == wanted).collect();
            if wanted == 2 && self.last_first {
                places.reverse();
            }
            places
        };
        let mut give = |row: &mut ModelRow, component: Component| {
            let part = row.open(component).min(rest);
            rest -= part;
            row.paid[component] += Money::new(part);
            match age(row) {
                0 => row.late[component] += Money::new(part),
                1 => {}
                _ => row.early[component] += Money::new(part),
            }
        };
        if self.vertical {
            for (wanted, component) in &self.order {
                for place in places(rows, *wanted) {
                    give(&mut rows[place], *component);
                }
            }
        } else {
            let mut ages: Vec<u8> = Vec::new();
            for (wanted, _) in &self.order {
                if !ages.contains(wanted) {
                    ages.push(*wanted);
                }
            }
            for wanted in ages {
                for place in places(rows, wanted) {
                    for (_, component) in self.order.iter().filter(|(age, _)| *age == wanted) {
                        give(&mut rows[place], *component);
                    }
                }
            }
        }
        rest
    }
}

/// A charge whose due day was past when it was made counts from its due day.
fn counts_from(event: &Happened) -> Day {
    match event.what {
        What::Charge { due_on, .. } => event.on.min(due_on),
        What::Repay { .. } | What::Waive { .. } => event.on,
    }
}

/// Bills a charge with the first instalment due on or after its day; after the last in a row of its own.
fn charge(rows: &mut Vec<ModelRow>, charge: (u128, Component, i128), due_on: Day) {
    let place = rows.iter().position(|row| row.due_on >= due_on).or_else(|| {
        let last = rows.iter().rposition(|row| row.is_extra)?;
        rows[last].due_on = due_on;
        Some(last)
    });
    let place = place.unwrap_or_else(|| {
        let mut row = ModelRow::new(due_on, 0, 0);
        row.is_extra = true;
        rows.push(row);
        rows.len() - 1
    });
    rows[place].due[charge.1] += Money::new(charge.2);
    rows[place].charges.push(charge);
}

fn waive(rows: &mut [ModelRow], id: u128) -> Option<()> {
    for row in rows {
        if let Some((_, component, amount)) = row.charges.iter().find(|(charge, _, _)| *charge == id).copied()
        {
            if !row.paid[component].is_zero() {
                return None;
            }
            row.waived[component] += Money::new(amount);
            return Some(());
        }
    }
    None
}
