//! A load of microloans: borrowers with a deposit account and one loan each, and what each of them owes.
//!
//! The loans are those of a product for small sums without collateral: 1,000 to 30,000 yuan in 5, 10 or 20 monthly
//! parts of equal principal, 0.02 to 0.05 % a day on what is outstanding. Loan `n` is a pure function of its number.
//! All are paid out in March 2026, so that the first instalment of each falls due in April after exactly 31 days.
//!
//! **Invariants.** What is owed is reckoned here by one division a component, without the ledger's own schedules, so
//! that the check does not believe the code that it checks.

mod check;
mod stream;

pub use check::Expected;
pub use stream::{Act, Orders, Who};

use crate::workload::{Random, YUAN};
use fen_book::loan::order::LoanId;
use fen_book::loan::product::{Product, ProductId, StatedTerms};
use fen_ledger::{Account, AccountFlags, AccountId, Code};
use fen_terms::{Amortisation, Day, Money, Percent, Period, PeriodUnit, Rate, Rounding, RoundingMode};

/// Days from the first pay-out to the first due day: March has 31, and no day of April's first thirty is moved.
const FIRST_PERIOD_DAYS: u64 = 31;

/// Pay-outs are spread over so many days, so that as many of the loans fall due on each of as many days.
pub const DUE_DAYS: u64 = 30;

/// The deposit account's code in the chart of accounts.
const DEPOSIT: Code = Code::new(2);

/// Whose money is elsewhere when the instalment falls due: one borrower in a hundred.
const POOR_ONE_IN: u64 = 100;

/// The borrowers of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Borrowers {
    /// Not zero.
    pub seed: u64,
    /// What the borrowers' numbers are counted from, so that two runs have borrowers of their own.
    pub base: u64,
    /// How many.
    pub count: u64,
    /// Whether day-end collects from their accounts, or they pay by themselves.
    pub auto_debit: bool,
}

/// What a loan is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Terms {
    /// In fen.
    pub principal: u64,
    /// Parts of equal principal.
    pub periods: u16,
    /// Ten-thousandths a day: 2 to 5, which is 0.02 to 0.05 %.
    pub daily_rate: u64,
}

/// The first instalment, in fen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Instalment {
    /// Of the principal.
    pub principal: u64,
    /// For the first period.
    pub interest: u64,
}

impl Instalment {
    /// Both.
    pub const fn total(self) -> u64 {
        self.principal + self.interest
    }
}

/// The nearest whole number; half goes up.
const fn nearest(numerator: u64, denominator: u64) -> u64 {
    (numerator * 2 + denominator) / (denominator * 2)
}

impl Terms {
    /// What is owed on the first due day.
    pub fn first_instalment(self) -> Instalment {
        let principal = nearest(self.principal, u64::from(self.periods));
        let interest = nearest(self.principal * self.daily_rate * FIRST_PERIOD_DAYS, 10_000);
        Instalment { principal, interest }
    }
}

impl Borrowers {
    /// The terms of a borrower's first loan.
    pub fn terms(&self, number: u64) -> Terms {
        self.terms_of(number, 0)
    }

    /// The terms of the loan that a borrower takes after so many others.
    pub fn terms_of(&self, number: u64, round: u64) -> Terms {
        let mut random = Random::of_batch(self.seed ^ (round << 32), number);
        let principal = 100_000 + random.below(2_900_001);
        let periods = [5, 10, 20][usize::try_from(random.below(3)).unwrap_or(0)];
        Terms { principal, periods, daily_rate: 2 + random.below(4) }
    }

    /// Whether the borrower has spent it all when the first instalment falls due.
    pub const fn is_poor(number: u64) -> bool {
        number % POOR_ONE_IN == 7
    }

    /// The day of March on which a loan is paid out, counted from nought.
    pub const fn day(number: u64) -> u64 {
        number % DUE_DAYS
    }

    /// How many loans are paid out on a day.
    pub const fn on_day(&self, day: u64) -> u64 {
        (self.count + DUE_DAYS - 1 - day) / DUE_DAYS
    }

    /// The product of these loans.
    pub fn product(&self) -> Product {
        let percent = |numerator| Percent::new(numerator, 100);
        let terms = StatedTerms {
            period: Some(Period { unit: PeriodUnit::Month, every: 1 }),
            amortisation: Some(Amortisation::EqualPrincipal),
            rounding: Some(Rounding { mode: RoundingMode::HalfUp, to: Money::new(1), instalment_to: None }),
            ..StatedTerms::default()
        };
        Product {
            id: PRODUCT,
            ledger: YUAN,
            terms,
            penalty_multiple: Percent::new(3, 2),
            collects: self.auto_debit,
            rate: fen_book::loan::product::Band { min: percent(2), max: percent(5) },
            ..Product::default()
        }
    }

    /// A borrower's deposit account.
    pub fn account_id(&self, number: u64) -> AccountId {
        AccountId::new(customer(self.base + number) | 1)
    }

    /// The loan that a borrower takes after so many others.
    pub fn loan_id(&self, number: u64, round: u64) -> LoanId {
        customer(self.base + number) | u128::from(2 + round)
    }

    /// The deposit accounts, in pieces that one command may hold.
    pub fn accounts(&self) -> impl Iterator<Item = Vec<Account>> + use<> {
        let (base, count, step) = (self.base, self.count, fen_ledger::EVENTS_MAX);
        (0..count).step_by(step).map(move |from| {
            let numbers = from..(from + step as u64).min(count);
            numbers.map(|number| account(base + number)).collect()
        })
    }
}

/// The product's id.
pub const PRODUCT: ProductId = 101;

/// A borrower's deposit account, which cannot be overdrawn.
fn account(number: u64) -> Account {
    Account {
        id: AccountId::new(customer(number) | 1),
        ledger: YUAN,
        code: DEPOSIT,
        flags: AccountFlags::DEBITS_MUST_NOT_EXCEED_CREDITS,
        ..Account::default()
    }
}

/// Customers' numbers are spread as hashed ones are; the lower half counts what a customer has.
fn customer(number: u64) -> u128 {
    u128::from((number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)) << 64
}

/// A day of March 2026, counted from nought; the thirty-second is the first of April.
pub fn day(of_march: u64) -> Day {
    let first = Day::from_ymd(2026, 3, 1).expect("the first of March is a day");
    first.plus_days(i64::try_from(of_march).unwrap_or(0)).expect("a day of that spring")
}

/// The rate of a loan.
fn rate(terms: Terms) -> Rate {
    Rate::daily(Percent::new(terms.daily_rate, 100).expect("hundredths of a per cent"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_first_interest() {
        // 2,500 yuan over 31 days at 0.05 % a day: 38.75.
        let terms = Terms { principal: 250_000, periods: 5, daily_rate: 5 };
        assert_eq!(terms.first_instalment(), Instalment { principal: 50_000, interest: 3_875 });
    }

    #[test]
    fn loans_are_spread_over_the_due_days() {
        let borrowers = Borrowers { seed: 7, base: 0, count: 1_000, auto_debit: true };
        assert_eq!((0..DUE_DAYS).map(|day| borrowers.on_day(day)).sum::<u64>(), 1_000);
        assert_eq!(borrowers.terms(3), borrowers.terms(3));
        for number in 0..1_000 {
            let terms = borrowers.terms(number);
            assert!(terms.first_instalment().total() < terms.principal, "the money lent pays the first part");
        }
        assert_eq!(day(31), Day::from_ymd(2026, 4, 1).unwrap());
    }
}
