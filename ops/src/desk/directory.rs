//! The desk of a ledger in a directory.

use super::{Chunk, Desk, Page};
use crate::exit::Failure;
use crate::faults::{open_existing, refused_or_broken};
use fen_book::loan::status::LoanStatus;
use fen_book::{AccountId, BusinessDate, Position, Transfer, TransferId};
use fen_json::reply::Answer as _;
use fen_ledger::reports::{DayEndStatus, Portfolio, TrialBalanceLine};
use fen_ledger::search::{self, Bounds};
use fen_ledger::{
    Account, AccountFilter, AccountSearch, Answer, Cursor, Direction, Ledger, LoanCommand, LoanId, LoanReply,
    Period, Stamp, StatementAsked, TransferSearch, TurnoverAsked, Turnovers,
};
use std::path::Path;
use std::rc::Rc;

/// See the module.
pub(super) struct DirectoryDesk {
    ledger: Rc<Ledger>,
}

impl DirectoryDesk {
    pub(super) fn open(directory: &Path) -> Result<Self, Failure> {
        Ok(Self::of(Rc::new(open_existing(directory)?)))
    }

    pub(super) fn of(ledger: Rc<Ledger>) -> Self {
        Self { ledger }
    }
}

fn heard<T>(answer: Answer<T>) -> Result<T, Failure> {
    answer.map_err(|fault| refused_or_broken(&fault))
}

/// What is left of the stamps behind a cursor, which is a stamp here.
fn behind(
    booked: &Bounds<Stamp>,
    direction: Direction,
    after: Option<&str>,
) -> Result<Bounds<Stamp>, Failure> {
    let Some(after) = after else { return Ok(booked.clone()) };
    let after: u64 = after.parse().map_err(|_| {
        Failure::usage(format!(
            "--after: {after:?} is no cursor of a search in a directory, which is a stamp"
        ))
        .mend("give the text that the page before printed")
    })?;
    Ok(booked.behind(Stamp::new(after), direction))
}

/// Where the page behind a full one begins.
fn next_page<T>(limit: u32, found: &[T], stamp: impl Fn(&T) -> Stamp) -> Option<String> {
    let is_full = found.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
    found.last().filter(|_| is_full).map(|last| stamp(last).to_string())
}

impl Desk for DirectoryDesk {
    fn position(&self, id: AccountId) -> Result<Option<Position>, Failure> {
        heard(self.ledger.lookup_positions(&[id])).map(|mut found| found.pop().flatten())
    }

    fn account(&self, id: AccountId) -> Result<Option<Account>, Failure> {
        heard(self.ledger.lookup_accounts(&[id])).map(|mut found| found.pop().flatten())
    }

    fn transfer(&self, id: TransferId) -> Result<Option<Transfer>, Failure> {
        heard(self.ledger.lookup_transfers(&[id])).map(|mut found| found.pop().flatten())
    }

    fn transfers(&self, filter: &AccountFilter) -> Result<Vec<Transfer>, Failure> {
        heard(self.ledger.account_transfers(filter))
    }

    fn statement(&self, asked: &StatementAsked, after: Option<&str>) -> Result<Option<Page>, Failure> {
        let cursor = after.map(str::parse::<Cursor>);
        let after = cursor.transpose().map_err(|fault| Failure::usage(format!("--after: {fault}")))?;
        let statement = heard(self.ledger.statement(&StatementAsked { after, ..*asked }))?;
        let page = |statement: fen_ledger::Statement| {
            let next = statement.next.map(|next| next.to_string());
            Page { statement, next }
        };
        Ok(statement.map(page))
    }

    fn loan_postings(&self, id: LoanId, from: Direction, limit: u32) -> Result<Vec<Transfer>, Failure> {
        heard(self.ledger.loan_postings(id, from, limit))
    }

    fn loan(&self, id: LoanId) -> Result<Option<String>, Failure> {
        let found = heard(self.ledger.lookup_loans(&[id]))?.pop().flatten();
        let document = |view: fen_ledger::LoanView| {
            let mut out = String::new();
            view.write(&mut out);
            out
        };
        Ok(found.map(document))
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

    fn find_transfers(
        &self,
        search: &TransferSearch,
        period: &Period,
        after: Option<&str>,
    ) -> Result<(Vec<Transfer>, Option<String>), Failure> {
        let booked = heard(search::booked_in(&*self.ledger, *period))?;
        let timestamp = behind(&booked, search.direction, after)?;
        let found = heard(self.ledger.search_transfers(&TransferSearch { timestamp, ..search.clone() }))?;
        let next = next_page(search.limit, &found, |transfer| transfer.timestamp);
        Ok((found, next))
    }

    fn find_accounts(
        &self,
        search: &AccountSearch,
        period: &Period,
        after: Option<&str>,
    ) -> Result<(Vec<Account>, Option<String>), Failure> {
        let booked = heard(search::booked_in(&*self.ledger, *period))?;
        let timestamp = behind(&booked, search.direction, after)?;
        let found = heard(self.ledger.search_accounts(&AccountSearch { timestamp, ..search.clone() }))?;
        let next = next_page(search.limit, &found, |account| account.timestamp);
        Ok((found, next))
    }

    fn turnover(&self, asked: &TurnoverAsked) -> Result<Turnovers, Failure> {
        heard(self.ledger.turnover(asked))
    }

    fn day_end_status(&self) -> Result<DayEndStatus, Failure> {
        heard(self.ledger.day_end_status())
    }

    fn day_end_chunk(&self, through: BusinessDate) -> Result<Chunk, Failure> {
        match heard(self.ledger.loans(&LoanCommand::DayEnd { through, loans_max: 0 }))? {
            LoanReply::DayEnd(reply) => Ok(Chunk {
                status: reply.outcome.status.name().to_owned(),
                is_closed: reply.outcome.status == LoanStatus::Created,
                is_done: reply.is_done,
                business_date: reply.business_date,
                loans: u64::from(reply.loans),
            }),
            LoanReply::Product(_) | LoanReply::Orders(_) => {
                Err(Failure::unreachable("the ledger answered something else than a day-end"))
            }
        }
    }
}
