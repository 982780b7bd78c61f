//! Statements on the wire: what is asked for and what is told, as messages and back, and the client's calls.

use crate::client::{Client, id_message, ledger};
use crate::fault::ClientFault;
use crate::{answers, records, wire};
use fen_book::{AccountId, BusinessDate, RecordNumber, Stamp, Transfer};
use fen_ledger::statement::LINES_MAX;
use fen_ledger::{Direction, LoanId, Period, Statement, StatementAsked, StatementLine};
use std::sync::Arc;

/// A period as its message.
pub fn period_message(period: &Period) -> Option<wire::Period> {
    use wire::period::Of;
    let days = |first: BusinessDate, last: BusinessDate| wire::Days { first: first.get(), last: last.get() };
    let of = match *period {
        Period::All => return None,
        Period::Stamps { min, max } => Of::Stamps(wire::Stamps { min: min.get(), max: max.get() }),
        Period::Booked { first, last } => Of::Booked(days(first, last)),
        Period::Valued { first, last } => Of::Valued(days(first, last)),
    };
    Some(wire::Period { of: Some(of) })
}

/// A period from its message.
pub fn period(message: Option<&wire::Period>) -> Period {
    use wire::period::Of;
    let days = |days: &wire::Days| (BusinessDate::new(days.first), BusinessDate::new(days.last));
    match message.and_then(|period| period.of.as_ref()) {
        None => Period::All,
        Some(Of::Stamps(stamps)) => {
            Period::Stamps { min: Stamp::new(stamps.min), max: Stamp::new(stamps.max) }
        }
        Some(Of::Booked(asked)) => {
            let (first, last) = days(asked);
            Period::Booked { first, last }
        }
        Some(Of::Valued(asked)) => {
            let (first, last) = days(asked);
            Period::Valued { first, last }
        }
    }
}

fn direction(newest_first: bool) -> Direction {
    if newest_first { Direction::NewestFirst } else { Direction::OldestFirst }
}

/// The lines that a message asks for.
fn lines(limit: u32) -> u32 {
    if limit == 0 { LINES_MAX } else { limit.min(LINES_MAX) }
}

/// What is asked of one shard; the cursor is read by whoever knows of how many shards it tells.
pub fn statement_asked(message: &wire::StatementRequest) -> StatementAsked {
    StatementAsked {
        account_id: AccountId::new(records::wide(message.account_id)),
        period: period(message.period.as_ref()),
        direction: direction(message.newest_first),
        after: None,
        limit: lines(message.limit),
    }
}

/// What is asked, as its message.
pub fn statement_request(asked: &StatementAsked, after: &str) -> wire::StatementRequest {
    wire::StatementRequest {
        account_id: records::halves(asked.account_id.get()),
        period: period_message(&asked.period),
        newest_first: asked.direction.is_reversed(),
        after: after.to_owned(),
        limit: asked.limit,
    }
}

/// A shard's page as its message.
pub fn statement_message(shard: u32, statement: &Statement) -> wire::Statement {
    let line = |line: &StatementLine| wire::StatementLine {
        shard,
        record: line.number.get(),
        transfer: Some(records::transfer_message(&line.transfer)),
        booked_on: line.booked_on.get(),
        value_on: line.value_on.get(),
        balances: Some(answers::balances_message(&line.balances)),
    };
    wire::Statement {
        account: Some(records::account_message(&statement.account)),
        opening: statement.opening.as_ref().map(answers::balances_message),
        closing: statement.closing.as_ref().map(answers::balances_message),
        lines: statement.lines.iter().map(line).collect(),
        next: statement.next.map_or_else(String::new, |next| next.to_string()),
        faults: statement.faults.iter().map(ToString::to_string).collect(),
    }
}

/// A line from its message.
pub fn statement_line(message: &wire::StatementLine) -> Result<StatementLine, String> {
    Ok(StatementLine {
        number: RecordNumber::new(message.record),
        transfer: records::transfer(&message.transfer.unwrap_or_default())?,
        booked_on: BusinessDate::new(message.booked_on),
        value_on: BusinessDate::new(message.value_on),
        balances: answers::balances(message.balances.unwrap_or_default()),
    })
}

/// A page from its message, and where the next one begins; `None` where there is no such account.
pub fn statement(message: &wire::Statement) -> Result<Option<(Statement, Option<String>)>, String> {
    let Some(account) = &message.account else { return Ok(None) };
    let statement = Statement {
        account: records::account(account)?,
        opening: message.opening.map(answers::balances),
        closing: message.closing.map(answers::balances),
        lines: message.lines.iter().map(statement_line).collect::<Result<_, _>>()?,
        // The cursor of a cluster may name several shards: it is a text to everybody but the gateway.
        next: None,
        faults: message.faults.iter().map(|fault| Arc::from(fault.as_str())).collect(),
    };
    Ok(Some((statement, Some(message.next.clone()).filter(|next| !next.is_empty()))))
}

/// What is asked of a loan's postings.
pub fn loan_statement_asked(message: &wire::LoanStatementRequest) -> (LoanId, Direction, u32) {
    (records::wide(message.loan_id), direction(message.newest_first), lines(message.limit))
}

/// A loan's postings from their message.
pub fn loan_postings(message: &wire::LoanStatement) -> Result<Vec<Transfer>, String> {
    let record = |posting: &wire::LoanPosting| records::transfer(&posting.transfer.unwrap_or_default());
    message.postings.iter().map(record).collect()
}

impl Client {
    /// A page of an account's statement, and where the next one begins; `None` for an unknown account. `after` is
    /// what the page before told, and empty for the first one.
    pub async fn statement(
        &self,
        asked: &StatementAsked,
        after: &str,
    ) -> Result<Option<(Statement, Option<String>)>, ClientFault> {
        let message = statement_request(asked, after);
        let ask = |channel| {
            let message = message.clone();
            async move { ledger(channel).get_statement(message).await }
        };
        statement(&self.ask(ask).await?).map_err(|_| ClientFault::Garbled("an entry that no book could hold"))
    }

    /// What one loan's events posted.
    pub async fn loan_postings(
        &self,
        loan: LoanId,
        direction: Direction,
        limit: u32,
    ) -> Result<Vec<Transfer>, ClientFault> {
        let message = wire::LoanStatementRequest {
            loan_id: Some(id_message(loan)),
            newest_first: direction.is_reversed(),
            limit,
        };
        let ask = |channel| async move { ledger(channel).get_loan_statement(message).await };
        loan_postings(&self.ask(ask).await?)
            .map_err(|_| ClientFault::Garbled("a transfer that no book could hold"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_arrives() {
        let day = BusinessDate::new;
        let periods = [
            Period::All,
            Period::Stamps { min: Stamp::new(1), max: Stamp::new(u64::MAX) },
            Period::Booked { first: day(-3), last: day(20_000) },
            Period::Valued { first: day(i32::MIN), last: day(i32::MAX) },
        ];
        for period in periods {
            let asked = StatementAsked {
                account_id: AccountId::new(7 << 64),
                period,
                direction: Direction::NewestFirst,
                after: None,
                limit: 20,
            };
            assert_eq!(statement_asked(&statement_request(&asked, "")), asked);
        }
        let all = wire::StatementRequest::default();
        assert_eq!(statement_asked(&all).limit, LINES_MAX);
        assert_eq!(statement(&wire::Statement::default()), Ok(None));
    }
}
