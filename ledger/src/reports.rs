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
use fen_book::{Account, Book, BusinessDate, QueryFilter, Stamp};
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
        self.look(trial_balance)
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
        self.look(|book| {
            let begun = book.loans().days().lines();
            let last = begun.last().filter(|_| begun.len() > 1);
            DayEndStatus {
                business_date: book.loans().business_date(),
                last_closed: last.map(|(day, stamp)| (BusinessDate::new(day.number() - 1), *stamp)),
            }
        })
    }
}

/// As [`Ledger::trial_balance_as_of`], whoever keeps the books.
///
/// # Errors
/// As there.
pub fn trial_balance_as_of(past: &impl Past, date: BusinessDate) -> Answer<Vec<TrialBalanceLine>> {
    look_as_of(past, date, |then| {
        let mut lines = BTreeMap::new();
        then.accounts().for_each(|account| add(&mut lines, &account));
        lines.into_values().collect()
    })
}

/// How many accounts are read in one go.
const PAGE: u32 = 65_536;

fn trial_balance(book: &Book) -> Vec<TrialBalanceLine> {
    let mut lines: BTreeMap<(u32, u16), TrialBalanceLine> = BTreeMap::new();
    let mut filter = QueryFilter { limit: PAGE, ..QueryFilter::default() };
    loop {
        let page = book.query_accounts(&filter);
        for account in &page {
            add(&mut lines, account);
        }
        let Some(last) = page.last().filter(|_| page.len() == PAGE as usize) else { break };
        filter.timestamp_min = Stamp::new(last.timestamp.get() + 1);
    }
    lines.into_values().collect()
}

fn add(lines: &mut BTreeMap<(u32, u16), TrialBalanceLine>, account: &Account) {
    let (ledger, code) = (account.ledger.get(), account.code.get());
    let is_control = account.id.get() >> 64 == u128::from(u64::MAX);
    let role = code.checked_sub(CONTROL_CODE).filter(|_| is_control);
    let role = role.and_then(|number| Role::ALL.get(usize::from(number))).map(|role| role.name());
    let line = lines.entry((ledger, code)).or_default();
    (line.ledger, line.code, line.role) = (ledger, code, role);
    line.accounts += 1;
    line.debits.add(account.debits_posted);
    line.credits.add(account.credits_posted);
    let more_debits = account.debits_posted.saturating_sub(account.credits_posted);
    line.debit_balances.add(more_debits);
    line.credit_balances.add(account.credits_posted.saturating_sub(account.debits_posted));
}
