//! Where a repayment goes: the order in which what is owed is paid.
//!
//! An order lists each of (past due, due, in advance) x (penalty, fee, interest, principal) exactly once.
//! - **Horizontal**: the three ages are taken in the order in which they first appear; within an age one instalment
//!   is cleared after the other, each by the age's components in the order listed.
//! - **Vertical**: the twelve entries are taken one after the other; each is cleared over all instalments of its age
//!   before the next entry is looked at.

use super::money::Component;

/// How old a row of the schedule is on the day of a repayment.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Age {
    /// Its due day has passed.
    PastDue,
    /// It is due that day.
    Due,
    /// It falls due later.
    InAdvance,
}

impl Age {
    /// All of them, oldest debt first.
    pub const ALL: [Self; 3] = [Self::PastDue, Self::Due, Self::InAdvance];
}

/// One entry of an allocation order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Target {
    /// Which rows.
    pub age: Age,
    /// Which part of them.
    pub component: Component,
}

/// How many entries an order has.
pub const TARGETS: usize = 12;

impl Target {
    /// The name in a product: `past_due.penalty`.
    pub const fn name(self) -> &'static str {
        match (self.age, self.component) {
            (Age::PastDue, Component::Penalty) => "past_due.penalty",
            (Age::PastDue, Component::Fee) => "past_due.fee",
            (Age::PastDue, Component::Interest) => "past_due.interest",
            (Age::PastDue, Component::Principal) => "past_due.principal",
            (Age::Due, Component::Penalty) => "due.penalty",
            (Age::Due, Component::Fee) => "due.fee",
            (Age::Due, Component::Interest) => "due.interest",
            (Age::Due, Component::Principal) => "due.principal",
            (Age::InAdvance, Component::Penalty) => "in_advance.penalty",
            (Age::InAdvance, Component::Fee) => "in_advance.fee",
            (Age::InAdvance, Component::Interest) => "in_advance.interest",
            (Age::InAdvance, Component::Principal) => "in_advance.principal",
        }
    }

    /// The entry of a name, or `None` where there is none.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::all().find(|target| target.name() == name)
    }

    /// Every entry, in the default order.
    pub fn all() -> impl Iterator<Item = Self> {
        Age::ALL
            .into_iter()
            .flat_map(|age| DEFAULT_COMPONENTS.into_iter().map(move |component| Self { age, component }))
    }
}

/// Within an age, unless the product says otherwise: what hurts the borrower most to owe is paid first.
const DEFAULT_COMPONENTS: [Component; 4] =
    [Component::Penalty, Component::Fee, Component::Interest, Component::Principal];

/// Which way an order is read. See the module.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Debug)]
pub enum Direction {
    /// Instalment by instalment.
    #[default]
    Horizontal,
    /// Component by component.
    Vertical,
}

impl Direction {
    /// Every choice.
    pub const ALL: [Self; 2] = [Self::Horizontal, Self::Vertical];

    /// The name in a product.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Horizontal => "horizontal",
            Self::Vertical => "vertical",
        }
    }

    /// The choice of a name, or `None` where there is none.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|choice| choice.name() == name)
    }
}

/// Which instalments a repayment in advance goes to.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Debug)]
pub enum InAdvance {
    /// The next unpaid one first.
    #[default]
    NextInstalments,
    /// The last unpaid one first.
    LastInstalments,
    /// All unpaid ones alike; the odd unit goes to the last.
    Spread,
}

impl InAdvance {
    /// Every choice.
    pub const ALL: [Self; 3] = [Self::NextInstalments, Self::LastInstalments, Self::Spread];

    /// The name in a product.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NextInstalments => "next_instalments",
            Self::LastInstalments => "last_instalments",
            Self::Spread => "spread",
        }
    }

    /// The choice of a name, or `None` where there is none.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|choice| choice.name() == name)
    }
}

/// An allocation order, complete.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Allocation {
    order: [Target; TARGETS],
    /// How the order is read.
    pub direction: Direction,
}

impl Default for Allocation {
    fn default() -> Self {
        let mut order = [Target { age: Age::PastDue, component: Component::Penalty }; TARGETS];
        for (place, target) in order.iter_mut().zip(Target::all()) {
            *place = target;
        }
        Self { order, direction: Direction::Horizontal }
    }
}

impl Allocation {
    /// An order as listed, or `None` unless each entry is there exactly once.
    pub fn new(listed: &[Target], direction: Direction) -> Option<Self> {
        let order: [Target; TARGETS] = listed.try_into().ok()?;
        let complete = Target::all().all(|target| order.contains(&target));
        complete.then_some(Self { order, direction })
    }

    /// The entries, as listed.
    pub const fn order(&self) -> &[Target; TARGETS] {
        &self.order
    }

    /// The ages in the order in which they first appear.
    pub fn ages(&self) -> impl Iterator<Item = Age> {
        let mut seen = Vec::with_capacity(Age::ALL.len());
        for target in self.order {
            if !seen.contains(&target.age) {
                seen.push(target.age);
            }
        }
        seen.into_iter()
    }

    /// The components of one age, as listed.
    pub fn components(&self, age: Age) -> impl Iterator<Item = Component> {
        self.order.into_iter().filter(move |target| target.age == age).map(|target| target.component)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_names_each_entry_once() {
        let all: Vec<Target> = Target::all().collect();
        assert_eq!(all.len(), TARGETS);
        assert!(Allocation::new(&all, Direction::Vertical).is_some());
        assert!(Allocation::new(&all[1..], Direction::Vertical).is_none());
        let mut twice = all.clone();
        twice[0] = twice[1];
        assert!(Allocation::new(&twice, Direction::Vertical).is_none());
        for target in all {
            assert_eq!(Target::from_name(target.name()), Some(target));
        }
    }

    #[test]
    fn ages_come_in_the_order_of_their_first_entry() {
        let mut listed: Vec<Target> = Target::all().collect();
        listed.rotate_left(4);
        let order = Allocation::new(&listed, Direction::Horizontal).unwrap();
        assert_eq!(order.ages().collect::<Vec<_>>(), [Age::Due, Age::InAdvance, Age::PastDue]);
    }
}
