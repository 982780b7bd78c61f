//! A shard's part of statements and reports: a look at the book, then a reading of the journal, as a ledger in a
//! directory answers them.

use super::{Desk, encoded};
use crate::fault::ServeFault;
use crate::route::{Home, home};
use bytes::Bytes;
use fen_api::{feed, records, reports, statements, wire};
use fen_book::{Account, Book, BusinessDate};
use fen_ledger::reports::TrialBalance;
use fen_ledger::{Cursor, as_of, loan_posting, loan_postings, statement};
use std::time::Duration;

/// How long a shard that has nothing new waits for it before it says so.
const FEED_WAIT: Duration = Duration::from_millis(500);

impl Desk<'_> {
    pub(super) async fn statement(&self, message: wire::StatementRequest) -> Result<Bytes, ServeFault> {
        let cursor = Some(&message.after).filter(|after| !after.is_empty());
        let cursor = cursor.map(|after| after.parse::<Cursor>()).transpose();
        let mut asked = statements::statement_asked(&message);
        asked.after = cursor.map_err(|fault| ServeFault::Refused(fault.to_string()))?;
        let told = self.history(move |past| statement::statement(past, &asked)).await?;
        let shard = self.teller.group().id().0;
        let message = told.map(|told| statements::statement_message(shard, &told));
        Ok(encoded(&message.unwrap_or_default()))
    }

    pub(super) async fn loan_statement(
        &self,
        message: wire::LoanStatementRequest,
    ) -> Result<Bytes, ServeFault> {
        let (loan, direction, limit) = statements::loan_statement_asked(&message);
        let search = move |past: &_| loan_postings::loan_postings(past, loan, direction, limit);
        let postings = self.history(search).await?;
        let posting = |transfer: &fen_book::Transfer| wire::LoanPosting {
            event: loan_posting(transfer).unwrap_or_default().to_owned(),
            transfer: Some(records::transfer_message(transfer)),
        };
        Ok(encoded(&wire::LoanStatement { postings: postings.iter().map(posting).collect() }))
    }

    pub(super) async fn general_ledger(
        &self,
        message: wire::GeneralLedgerRequest,
    ) -> Result<Bytes, ServeFault> {
        let part = match message.as_of.map(BusinessDate::new) {
            Some(date) => {
                let then = move |past: &_| as_of::look_as_of(past, date, |then| part(then.accounts()));
                self.history(then).await?
            }
            None => self.look(|machine| part(fen_ledger::reports::accounts(machine.shard().book()))).await?,
        };
        Ok(encoded(&part))
    }

    pub(super) async fn feed(&self, message: wire::FeedRequest) -> Result<Bytes, ServeFault> {
        let asked = feed::feed_asked(&message).map_err(ServeFault::Refused)?;
        let page = move |past: &_| fen_ledger::feed::page(past, &asked);
        let group = self.teller.group();
        let applied = group.status().applied;
        let mut told = self.history(page).await?;
        let has_news = told.next != asked.from || !told.gaps.is_empty();
        if message.follow && !has_news && told.is_end {
            let moved = group.wait_for(FEED_WAIT, |status| status.applied > applied).await;
            if moved.is_ok() {
                told = self.history(page).await?;
            }
        }
        Ok(encoded(&feed::feed_page_message(group.id().0, &told)))
    }

    pub(super) async fn portfolio(&self) -> Result<Bytes, ServeFault> {
        let portfolio = self.look(|machine| Book::portfolio(machine.shard().book())).await?;
        Ok(encoded(&reports::portfolio_message(&portfolio)))
    }

    pub(super) async fn day_end_status(&self) -> Result<Bytes, ServeFault> {
        let status = self.look(|machine| fen_ledger::reports::day_end_status(machine.shard().book())).await?;
        Ok(encoded(&reports::day_end_message(&status)))
    }
}

/// Customers' accounts summed; the bank's own as they are, for the sum of their parts has to be netted.
fn part(accounts: impl Iterator<Item = Account>) -> wire::GeneralLedgerPart {
    let (mut balance, mut own) = (TrialBalance::default(), Vec::new());
    for account in accounts {
        if home(account.id) == Home::Everywhere {
            own.push(records::account_message(&account));
        } else {
            balance.add(&account);
        }
    }
    let lines = balance.into_lines().iter().map(reports::line_message).collect();
    wire::GeneralLedgerPart { lines, own }
}
