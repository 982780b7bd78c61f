//! Where look-ups and day-end go: a desk that answers for the books, wherever they are kept.
//!
//! A command asks a [`Desk`] and prints what it hears; so it works alike on a ledger in a directory and on any other
//! desk that answers the same questions.

use crate::exit::Failure;
use crate::faults::{broken, open_existing};
use clap::Args;
use fen_book::loan::day_end::DayEndReply;
use fen_book::{AccountId, BusinessDate, Position, Transfer};
use fen_json::{Json, Path as JsonPath};
use fen_ledger::reports::{DayEndStatus, Portfolio, TrialBalanceLine};
use fen_ledger::{Account, AccountFilter, Answer, Ledger, LoanCommand, LoanId, LoanReply, LoanView};
use std::borrow::Cow;
use std::path::PathBuf;

/// What look-ups ask of the books.
pub(crate) trait Desk {
    /// An account with what is reserved on it.
    fn position(&self, id: AccountId) -> Result<Option<Position>, Failure>;
    /// An account.
    fn account(&self, id: AccountId) -> Result<Option<Account>, Failure>;
    /// An account's transfers that pass a filter.
    fn transfers(&self, filter: &AccountFilter) -> Result<Vec<Transfer>, Failure>;
    /// A loan as of the business date.
    fn loan(&self, id: LoanId) -> Result<Option<LoanView>, Failure>;
    /// The loan book.
    fn portfolio(&self) -> Result<Portfolio, Failure>;
    /// The sums of accounts, by ledger and code: now, or at the end of a business date.
    fn trial_balance(&self, as_of: Option<BusinessDate>) -> Result<Vec<TrialBalanceLine>, Failure>;
    /// How far day-end is.
    fn day_end_status(&self) -> Result<DayEndStatus, Failure>;
    /// Takes one chunk of the way to the end of a day.
    fn day_end_chunk(&self, through: BusinessDate) -> Result<DayEndReply, Failure>;
}

/// Which books.
#[derive(Args, Clone, Debug)]
pub(crate) struct Books {
    /// The data directory.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
}

impl Books {
    /// The desk that answers for them. Books are looked into, not made.
    pub(crate) fn desk(&self) -> Result<Box<dyn Desk>, Failure> {
        Ok(Box::new(LedgerDesk { ledger: open_existing(&self.data)? }))
    }
}

/// A ledger in a directory.
struct LedgerDesk {
    ledger: Ledger,
}

fn heard<T>(answer: Answer<T>) -> Result<T, Failure> {
    answer.map_err(|fault| broken(&fault))
}

impl Desk for LedgerDesk {
    fn position(&self, id: AccountId) -> Result<Option<Position>, Failure> {
        heard(self.ledger.lookup_positions(&[id])).map(|mut found| found.pop().flatten())
    }

    fn account(&self, id: AccountId) -> Result<Option<Account>, Failure> {
        heard(self.ledger.lookup_accounts(&[id])).map(|mut found| found.pop().flatten())
    }

    fn transfers(&self, filter: &AccountFilter) -> Result<Vec<Transfer>, Failure> {
        heard(self.ledger.account_transfers(filter))
    }

    fn loan(&self, id: LoanId) -> Result<Option<LoanView>, Failure> {
        heard(self.ledger.lookup_loans(&[id])).map(|mut found| found.pop().flatten())
    }

    fn portfolio(&self) -> Result<Portfolio, Failure> {
        heard(self.ledger.portfolio())
    }

    fn trial_balance(&self, as_of: Option<BusinessDate>) -> Result<Vec<TrialBalanceLine>, Failure> {
        heard(match as_of {
            Some(date) => self.ledger.trial_balance_as_of(date),
            None => self.ledger.trial_balance(),
        })
    }

    fn day_end_status(&self) -> Result<DayEndStatus, Failure> {
        heard(self.ledger.day_end_status())
    }

    fn day_end_chunk(&self, through: BusinessDate) -> Result<DayEndReply, Failure> {
        match heard(self.ledger.loans(&LoanCommand::DayEnd { through, loans_max: 0 }))? {
            LoanReply::DayEnd(reply) => Ok(reply),
            LoanReply::Product(_) | LoanReply::Orders(_) => {
                Err(Failure::unreachable("the ledger answered something else than a day-end"))
            }
        }
    }
}

/// An id as people write it on the command line: decimal, `0x` hexadecimal or a UUID.
pub(crate) fn id(text: &str) -> Result<u128, String> {
    fen_json::id(&Json::Text(Cow::Borrowed(text)), &JsonPath::Line).map_err(|wrong| wrong.reason)
}

/// A day as people write it on the command line.
pub(crate) fn day(text: &str) -> Result<fen_terms::Day, String> {
    fen_terms::Day::parse(text).ok_or_else(|| format!("'{text}' is no date like 2026-03-02"))
}

/// A day of the books in writing.
pub(crate) fn date(date: BusinessDate) -> String {
    fen_terms::Day::from_number(date.get()).map_or_else(|| "none".to_owned(), |day| day.to_string())
}
