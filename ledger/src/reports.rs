//! What people ask of the books as a whole: the trial balance, the loan portfolio, how far day-end is.
//!
//! Each is read at one moment, between two commands; commands wait meanwhile.

use crate::Ledger;
use crate::as_of::look_as_of;
use crate::audit::Total;
use crate::fault::Answer;
use crate::past::Past;
use fen_book::loan::apply::CONTROL_CODE;
use fen_book::loan::control::Role;
use fen_book::{Account, AccountSlot, Book, BusinessDate, Stamp};
use std::collections::BTreeMap;

pub use fen_book::loan::portfolio::{AGEING, Portfolio, ProductPortfolio, Slice, Vintage};

/// One line of a trial balance: the accounts of one kind in one ledger.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct TrialBalanceLine {
    /// The ledger.
    pub ledger: u32,
    /// The accounts' code.
    pub code: u16,
    /// What loan control accounts of that code are for.
    pub role: Option<&'static str>,
    /// How many accounts.
    pub accounts: u64,
    /// All posted debits.
    pub debits: Total,
    /// All posted credits.
    pub credits: Total,
    /// What the accounts with more debits have more.
    pub debit_balances: Total,
    /// What the accounts with more credits have more.
    pub credit_balances: Total,
}

/// How far day-end is.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct DayEndStatus {
    /// The bank's day; none before the first loan event or day-end.
    pub business_date: Option<BusinessDate>,
    /// The last day closed, and the stamp of its last chunk.
    pub last_closed: Option<(BusinessDate, Stamp)>,
}

impl Ledger {
    /// Every kind of account with its sums, by ledger and code.
    ///
    /// # Errors
    /// [`Fault::Stopped`](crate::Fault::Stopped).
    pub fn trial_balance(&self) -> Answer<Vec<TrialBalanceLine>> {
        self.look(|book| accounts(book).collect::<TrialBalance>().into_lines())
    }

    /// The same as it stood at the end of a business date; see the module `as_of`.
    ///
    /// # Errors
    /// [`Fault::Stopped`](crate::Fault::Stopped); [`Fault::Damaged`](crate::Fault::Damaged), where a segment from then
    /// on cannot be read.
    pub fn trial_balance_as_of(&self, date: BusinessDate) -> Answer<Vec<TrialBalanceLine>> {
        trial_balance_as_of(self, date)
    }

    /// The loan book as it stands.
    ///
    /// # Errors
    /// [`Fault::Stopped`](crate::Fault::Stopped).
    pub fn portfolio(&self) -> Answer<Portfolio> {
        self.look(Book::portfolio)
    }

    /// The business date, and the last day closed.
    ///
    /// # Errors
    /// [`Fault::Stopped`](crate::Fault::Stopped).
    pub fn day_end_status(&self) -> Answer<DayEndStatus> {
        self.look(day_end_status)
    }
}

/// The business date, and the last day closed.
pub fn day_end_status(book: &Book) -> DayEndStatus {
    let begun = book.loans().days().lines();
    let last = begun.last().filter(|_| begun.len() > 1);
    DayEndStatus {
        business_date: book.loans().business_date(),
        last_closed: last.map(|(day, stamp)| (BusinessDate::new(day.number() - 1), *stamp)),
    }
}

/// As [`Ledger::trial_balance_as_of`], whoever keeps the books.
///
/// # Errors
/// As there.
pub fn trial_balance_as_of(past: &impl Past, date: BusinessDate) -> Answer<Vec<TrialBalanceLine>> {
    look_as_of(past, date, |then| then.accounts().collect::<TrialBalance>().into_lines())
}

/// Every account as it is now, in the order of their opening.
pub fn accounts(book: &Book) -> impl Iterator<Item = Account> + '_ {
    let slots = (0_u32..).take(book.accounts().len()).map(AccountSlot::new);
    slots.map(|slot| fen_book::accounts::shown(book.accounts().get(slot)))
}

/// A trial balance being made: of accounts, or of the parts that several shards have made.
#[derive(Clone, Default, Debug)]
pub struct TrialBalance {
    lines: BTreeMap<(u32, u16), TrialBalanceLine>,
}

impl TrialBalance {
    /// Takes an account in.
    pub fn add(&mut self, account: &Account) {
        let (ledger, code) = (account.ledger.get(), account.code.get());
        let is_control = account.id.get() >> 64 == u128::from(u64::MAX);
        let role = code.checked_sub(CONTROL_CODE).filter(|_| is_control);
        let role = role.and_then(|number| Role::ALL.get(usize::from(number))).map(|role| role.name());
        let line = self.lines.entry((ledger, code)).or_default();
        (line.ledger, line.code, line.role) = (ledger, code, role);
        line.accounts += 1;
        line.debits.add(account.debits_posted);
        line.credits.add(account.credits_posted);
        let more_debits = account.debits_posted.saturating_sub(account.credits_posted);
        line.debit_balances.add(more_debits);
        line.credit_balances.add(account.credits_posted.saturating_sub(account.debits_posted));
    }

    /// Takes a line in: the accounts of that kind elsewhere, none of which is met here too.
    pub fn include(&mut self, part: &TrialBalanceLine) {
        let line = self.lines.entry((part.ledger, part.code)).or_default();
        (line.ledger, line.code, line.role) = (part.ledger, part.code, line.role.or(part.role));
        line.accounts += part.accounts;
        line.debits.include(part.debits);
        line.credits.include(part.credits);
        line.debit_balances.include(part.debit_balances);
        line.credit_balances.include(part.credit_balances);
    }

    /// The lines, by ledger and code.
    pub fn into_lines(self) -> Vec<TrialBalanceLine> {
        self.lines.into_values().collect()
    }
}

impl FromIterator<Account> for TrialBalance {
    fn from_iter<I: IntoIterator<Item = Account>>(accounts: I) -> Self {
        let mut balance = Self::default();
        accounts.into_iter().for_each(|account| balance.add(&account));
        balance
    }
}
