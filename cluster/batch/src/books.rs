//! What a file's items are sent to: books that take full commands and answer them in order.

mod cluster;

pub use cluster::ClusterBooks;

use crate::outcome::Status;
use crate::run::{ORDERS_HERE_MAX, TRANSFERS_MAX};
use fen_book::batches::{BatchEntry, BatchOrder, BatchReply};
use fen_book::loan::order::LoanOrder;
use fen_book::{
    Account, AccountFlags, AccountId, Amount, BusinessDate, EVENTS_MAX, Outcome, Position, Reply, Transfer,
};
use fen_ledger::{Body, Fault, Ledger, LoanCommand, LoanReply};
use std::fmt;

/// Why books could not be asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BooksFault(pub String);

impl fmt::Display for BooksFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BooksFault {}

impl From<Fault> for BooksFault {
    fn from(fault: Fault) -> Self {
        Self(fault.to_string())
    }
}

/// Events of one kind, at most as many as one command takes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Work {
    /// Plain transfers.
    Transfers(Vec<Transfer>),
    /// Loan events.
    Orders(Vec<LoanOrder>),
}

/// The answers to [`Work`], in its order.
pub type Answers = Vec<Outcome<Status>>;

/// How much of a file goes in one command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Room {
    /// Transfers.
    pub transfers: usize,
    /// Loan events.
    pub orders: usize,
    /// Transfers that can be linked, all or none; nought where that can't be promised.
    pub chain: usize,
}

/// What was collected from a loan, and how it may be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Collected {
    /// How much each event moved, if it was taken.
    pub amounts: Vec<Option<u128>>,
    /// Whether the loan's product lets a collection take all it asks for or nothing.
    pub is_in_full_only: bool,
}

/// Answers that are on their way.
pub type Sent<'a> = Box<dyn FnOnce() -> Result<Answers, BooksFault> + 'a>;

/// Where items are carried out.
pub trait Books {
    /// The bank's day; none before the first loan or day-end.
    ///
    /// # Errors
    /// Where the books can't be asked; so with all that follow.
    fn business_date(&self) -> Result<Option<BusinessDate>, BooksFault>;

    /// Asks the registry.
    ///
    /// # Errors
    /// See above.
    fn registry(&self, order: &BatchOrder) -> Result<BatchReply, BooksFault>;

    /// The files of the registry, or those of them with this message id.
    ///
    /// # Errors
    /// See above.
    fn batches(&self, message_id: Option<&str>) -> Result<Vec<BatchEntry>, BooksFault>;

    /// How much of a file goes in one command.
    fn room(&self) -> Room;

    /// Opens accounts (those that are there stay as they are), then sends work, and does not wait for its answers.
    ///
    /// # Errors
    /// See above.
    fn send(&self, openings: Vec<Account>, work: Work) -> Result<Sent<'_>, BooksFault>;

    /// What was collected from a loan under some event ids, and how it may be.
    ///
    /// # Errors
    /// See above.
    fn collected(&self, loan: u128, events: &[u128]) -> Result<Collected, BooksFault>;

    /// What an account, or if it is zero the loan's own, can pay at this moment; `None` where there is no limit or no
    /// account.
    ///
    /// # Errors
    /// See above.
    fn available(&self, account: u128, loan: u128) -> Result<Option<u128>, BooksFault>;
}

const WRONG_REPLY: &str = "a command is answered in its own kind";

impl Books for Ledger {
    fn business_date(&self) -> Result<Option<BusinessDate>, BooksFault> {
        Ok(Ledger::business_date(self)?)
    }

    fn registry(&self, order: &BatchOrder) -> Result<BatchReply, BooksFault> {
        Ok(self.batch(order)?)
    }

    fn batches(&self, message_id: Option<&str>) -> Result<Vec<BatchEntry>, BooksFault> {
        let mut entries = Ledger::batches(self)?;
        entries.retain(|entry| message_id.is_none_or(|id| id == entry.file.message_id));
        Ok(entries)
    }

    fn room(&self) -> Room {
        Room { transfers: TRANSFERS_MAX, orders: ORDERS_HERE_MAX, chain: EVENTS_MAX }
    }

    fn send(&self, openings: Vec<Account>, work: Work) -> Result<Sent<'_>, BooksFault> {
        let opened = if openings.is_empty() { None } else { Some(self.submit(Body::Accounts(openings))?) };
        let ticket = match work {
            Work::Transfers(events) => self.submit(Body::Transfers(events))?,
            Work::Orders(orders) => self.submit(Body::Loans(LoanCommand::Orders(orders).encode()))?,
        };
        Ok(Box::new(move || {
            if let Some(opened) = opened {
                opened.wait()?;
            }
            let reply = ticket.wait()?;
            if let Reply::Transfers(outcomes) = reply {
                return Ok(told(outcomes, Status::Transfer));
            }
            let Reply::Loans(LoanReply::Orders(outcomes)) = reply else { unreachable!("{WRONG_REPLY}") };
            Ok(told(outcomes, |status| Status::Loan(status.number())))
        }))
    }

    fn collected(&self, loan: u128, events: &[u128]) -> Result<Collected, BooksFault> {
        let found = self.lookup_loans(&[loan])?.into_iter().flatten().next();
        let moved = |event: &u128| found.as_ref().and_then(|view| view.moved_by(*event)).map(Amount::get);
        Ok(Collected {
            amounts: events.iter().map(moved).collect(),
            is_in_full_only: found.as_ref().is_some_and(|view| view.collects_in_full),
        })
    }

    fn available(&self, account: u128, loan: u128) -> Result<Option<u128>, BooksFault> {
        let mut account = account;
        if account == 0 {
            let found = self.lookup_loans(&[loan])?.into_iter().flatten().next();
            let Some(view) = found else { return Ok(None) };
            account = view.account_id.get();
        }
        let position = self.lookup_positions(&[AccountId::new(account)])?.into_iter().flatten().next();
        Ok(position.as_ref().and_then(spendable))
    }
}

/// Outcomes as a file's items keep them.
fn told<S>(outcomes: Vec<Outcome<S>>, status: impl Fn(S) -> Status) -> Answers {
    let told = |outcome: Outcome<S>| Outcome { timestamp: outcome.timestamp, status: status(outcome.status) };
    outcomes.into_iter().map(told).collect()
}

/// What an account can pay; `None` where nothing holds it back.
fn spendable(position: &Position) -> Option<u128> {
    let account = &position.account;
    if !account.flags.contains(AccountFlags::DEBITS_MUST_NOT_EXCEED_CREDITS) {
        return None;
    }
    let debits = account.debits_posted.get().saturating_add(account.debits_pending.get());
    let credits = account.credits_posted.get().saturating_add(position.limit.get());
    Some(credits.saturating_sub(debits))
}
