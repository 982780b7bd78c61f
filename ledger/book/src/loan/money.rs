//! Money inside a loan: signed, in minor units, and split into the four components that borrowers owe.
//!
//! An [`Amount`] is never negative; a loan, however, needs differences (what a reversal takes back). [`Money`] is
//! bounded by [`MONEY_MAX`] where it enters the book, far enough below the type's end that no sum over a loan, a
//! product or a ledger can leave it. Its operators check nevertheless: an overflow is a bug, and stops.

use crate::quantity::Amount;
use core::fmt;
use core::iter::Sum;
use core::ops::{Add, AddAssign, Index, IndexMut, Neg, Sub, SubAssign};

/// The largest amount of one loan event, in minor units: a hundred times the world's yearly product in fen.
pub const MONEY_MAX: u128 = 1_000_000_000_000_000_000;

/// A signed amount in minor units.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(i128);

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// So many minor units.
    pub const fn new(minor_units: i128) -> Self {
        Self(minor_units)
    }

    /// The minor units.
    pub const fn get(self) -> i128 {
        self.0
    }

    /// Minor units that no type's end is near, such as [`MONEY_MAX`].
    ///
    /// # Panics
    /// Above 2^127 - 1.
    pub fn from_minor(minor_units: u128) -> Self {
        Self(i128::try_from(minor_units).expect("far below the type's end"))
    }

    /// An amount of the books as money of a loan, or `None` above [`MONEY_MAX`].
    pub fn from_amount(amount: Amount) -> Option<Self> {
        if amount.get() > MONEY_MAX { None } else { i128::try_from(amount.get()).ok().map(Self) }
    }

    /// This sum as an amount of the books.
    ///
    /// # Panics
    /// Where it is negative: the caller has turned debit and credit round.
    pub fn to_amount(self) -> Amount {
        Amount::new(u128::try_from(self.0).expect("an amount of the books is never negative"))
    }

    /// Whether it is nothing.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Whether it is more than nothing.
    pub const fn is_positive(self) -> bool {
        self.0 > 0
    }

    /// Itself, or nothing where it is negative.
    #[must_use]
    pub fn or_zero(self) -> Self {
        self.max(Self::ZERO)
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl Add for Money {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.checked_add(other.0).expect("loan money is bounded far below its type"))
    }
}

impl Sub for Money {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.checked_sub(other.0).expect("loan money is bounded far below its type"))
    }
}

impl Neg for Money {
    type Output = Self;
    fn neg(self) -> Self {
        Self::ZERO - self
    }
}

impl AddAssign for Money {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl SubAssign for Money {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(items: I) -> Self {
        items.fold(Self::ZERO, |sum, item| sum + item)
    }
}

/// What a borrower can owe.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Component {
    /// The money lent.
    Principal,
    /// Its price.
    Interest,
    /// For a service.
    Fee,
    /// For being late.
    Penalty,
}

impl Component {
    /// All of them, in the order of the schedule's columns.
    pub const ALL: [Self; 4] = [Self::Principal, Self::Interest, Self::Fee, Self::Penalty];
}

/// An amount of each component.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Parts {
    /// Of principal.
    pub principal: Money,
    /// Of interest.
    pub interest: Money,
    /// Of fees.
    pub fees: Money,
    /// Of penalties.
    pub penalties: Money,
}

impl Parts {
    /// Nothing of any.
    pub const ZERO: Self =
        Self { principal: Money::ZERO, interest: Money::ZERO, fees: Money::ZERO, penalties: Money::ZERO };

    /// All components together.
    pub fn total(&self) -> Money {
        self.principal + self.interest + self.fees + self.penalties
    }

    /// An amount of one component alone.
    #[must_use]
    pub fn of(component: Component, amount: Money) -> Self {
        let mut parts = Self::ZERO;
        parts[component] = amount;
        parts
    }
}

impl Index<Component> for Parts {
    type Output = Money;
    fn index(&self, component: Component) -> &Money {
        match component {
            Component::Principal => &self.principal,
            Component::Interest => &self.interest,
            Component::Fee => &self.fees,
            Component::Penalty => &self.penalties,
        }
    }
}

impl IndexMut<Component> for Parts {
    fn index_mut(&mut self, component: Component) -> &mut Money {
        match component {
            Component::Principal => &mut self.principal,
            Component::Interest => &mut self.interest,
            Component::Fee => &mut self.fees,
            Component::Penalty => &mut self.penalties,
        }
    }
}

impl Add for Parts {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            principal: self.principal + other.principal,
            interest: self.interest + other.interest,
            fees: self.fees + other.fees,
            penalties: self.penalties + other.penalties,
        }
    }
}

impl Sub for Parts {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self {
            principal: self.principal - other.principal,
            interest: self.interest - other.interest,
            fees: self.fees - other.fees,
            penalties: self.penalties - other.penalties,
        }
    }
}

impl AddAssign for Parts {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Parts {
    fn sum<I: Iterator<Item = Self>>(items: I) -> Self {
        items.fold(Self::ZERO, |sum, item| sum + item)
    }
}
