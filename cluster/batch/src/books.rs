//! What a file's items are sent to: books that take full commands and answer them in order.

use fen_book::batches::{BatchEntry, BatchOrder, BatchReply};
use fen_book::loan::order::LoanOrder;
use fen_book::loan::status::LoanStatus;
use fen_book::{
    Account, AccountFlags, AccountId, BusinessDate, CreateTransferStatus, Outcome, Reply, Transfer,
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
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answers {
    /// To transfers.
    Transfers(Vec<Outcome<CreateTransferStatus>>),
    /// To loan events.
    Orders(Vec<Outcome<LoanStatus>>),
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

    /// All files of the registry.
    ///
    /// # Errors
    /// See above.
    fn batches(&self) -> Result<Vec<BatchEntry>, BooksFault>;

    /// Opens accounts (those that are there stay as they are), then sends work, and does not wait for its answers.
    ///
    /// # Errors
    /// See above.
    fn send(&self, openings: Vec<Account>, work: Work) -> Result<Sent<'_>, BooksFault>;

    /// How much each of some loan events moved, if it was taken.
    ///
    /// # Errors
    /// See above.
    fn moved_by(&self, loan: u128, events: &[u128]) -> Result<Vec<Option<u128>>, BooksFault>;

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

    fn batches(&self) -> Result<Vec<BatchEntry>, BooksFault> {
        Ok(Ledger::batches(self)?)
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
                return Ok(Answers::Transfers(outcomes));
            }
            let Reply::Loans(LoanReply::Orders(outcomes)) = reply else { unreachable!("{WRONG_REPLY}") };
            Ok(Answers::Orders(outcomes))
        }))
    }

    fn moved_by(&self, loan: u128, events: &[u128]) -> Result<Vec<Option<u128>>, BooksFault> {
        let found = self.lookup_loans(&[loan])?.into_iter().flatten().next();
        let effects = found.map(|view| view.effects).unwrap_or_default();
        let moved = |event: &u128| {
            let effect = effects.iter().find(|(id, _)| id == event);
            effect.map(|(_, effect)| (effect.parts.total() + effect.overpaid).or_zero().to_amount().get())
        };
        Ok(events.iter().map(moved).collect())
    }

    fn available(&self, account: u128, loan: u128) -> Result<Option<u128>, BooksFault> {
        let mut account = account;
        if account == 0 {
            let found = self.lookup_loans(&[loan])?.into_iter().flatten().next();
            let Some(view) = found else { return Ok(None) };
            account = view.account_id.get();
        }
        let position = self.lookup_positions(&[AccountId::new(account)])?.into_iter().flatten().next();
        Ok(position.and_then(|position| {
            let account = &position.account;
            if !account.flags.contains(AccountFlags::DEBITS_MUST_NOT_EXCEED_CREDITS) {
                return None;
            }
            let debits = account.debits_posted.get().saturating_add(account.debits_pending.get());
            let credits = account.credits_posted.get().saturating_add(position.limit.get());
            Some(credits.saturating_sub(debits))
        }))
    }
}
