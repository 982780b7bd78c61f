//! The registry of payment files over the wire: its messages as the book's own types and back, and the client's calls.

use crate::MESSAGE_BYTES_MAX;
use crate::client::{Client, id_message};
use crate::fault::ClientFault;
use crate::records::{halves, wide};
use crate::wire::batches_client::BatchesClient;
use crate::wire::{self, batch_order::Order, batch_report};
use fen_book::batches::{
    Acceptance, BatchEntry, BatchFile, BatchOrder, BatchProgress, BatchReply, BatchState, BatchStatus,
    Decision, Next,
};
use fen_book::loan::order::LoanId;
use fen_book::{AccountId, Amount, BusinessDate, LedgerCode, Outcome, Stamp};
use tonic::transport::Channel;

/// Entries in one answer, at most: at some hundred bytes each it fits a message.
pub const ENTRIES_MAX: u32 = 1_000;

const UNREADABLE: ClientFault =
    ClientFault::Garbled("an entry of the registry that this release does not know");

fn file_message(file: &BatchFile) -> wire::BatchFile {
    wire::BatchFile {
        key: halves(file.key),
        message_id: file.message_id.clone(),
        initiator: file.initiator.clone(),
        format: file.format.clone(),
        content: file.content.to_vec(),
        acceptance: match file.acceptance {
            Acceptance::Items => 0,
            Acceptance::Whole => 1,
            Acceptance::Held => 2,
        },
        items: file.items,
        sum: halves(file.sum.get()),
        ledger: file.ledger.get(),
        first_on: file.first_on.get(),
        submitted_by: file.submitted_by.clone(),
        needs_release: file.needs_release,
    }
}

fn file(message: wire::BatchFile) -> Option<BatchFile> {
    Some(BatchFile {
        key: wide(message.key),
        message_id: message.message_id,
        initiator: message.initiator,
        format: message.format,
        content: message.content.try_into().ok()?,
        acceptance: match message.acceptance {
            0 => Acceptance::Items,
            1 => Acceptance::Whole,
            2 => Acceptance::Held,
            _unknown => return None,
        },
        items: message.items,
        sum: Amount::new(wide(message.sum)),
        ledger: LedgerCode::new(message.ledger),
        first_on: BusinessDate::new(message.first_on),
        submitted_by: message.submitted_by,
        needs_release: message.needs_release,
    })
}

fn progress_message(progress: &BatchProgress) -> wire::BatchProgress {
    wire::BatchProgress {
        position: progress.position,
        taken: progress.taken,
        taken_sum: halves(progress.taken_sum.get()),
        refused: progress.refused,
    }
}

fn progress(message: Option<wire::BatchProgress>) -> BatchProgress {
    let message = message.unwrap_or_default();
    BatchProgress {
        position: message.position,
        taken: message.taken,
        taken_sum: Amount::new(wide(message.taken_sum)),
        refused: message.refused,
    }
}

/// An entry as it is sent.
pub fn entry_message(entry: &BatchEntry) -> wire::BatchEntry {
    wire::BatchEntry {
        file: Some(file_message(&entry.file)),
        state: u32::from(entry.state.number()),
        state_name: entry.state.name().to_owned(),
        next_on: entry.next_on.get(),
        released_by: entry.released_by.clone(),
        cancelled_by: entry.cancelled_by.clone(),
        progress: Some(progress_message(&entry.progress)),
        submitted_at: entry.submitted_at.get(),
        changed_at: entry.changed_at.get(),
        goes_since: entry.goes_since.get(),
        goes_from: entry.goes_from,
    }
}

/// An entry from its message; `None` where it is none that this release knows.
pub fn entry(message: wire::BatchEntry) -> Option<BatchEntry> {
    Some(BatchEntry {
        file: file(message.file?)?,
        state: BatchState::from_number(u16::try_from(message.state).ok()?)?,
        next_on: BusinessDate::new(message.next_on),
        released_by: message.released_by,
        cancelled_by: message.cancelled_by,
        progress: progress(message.progress),
        submitted_at: Stamp::new(message.submitted_at),
        changed_at: Stamp::new(message.changed_at),
        goes_since: Stamp::new(message.goes_since),
        goes_from: message.goes_from,
    })
}

/// An order as it is sent.
pub fn order_message(order: &BatchOrder) -> wire::BatchOrder {
    let word = |key: &u128, by: &String| wire::BatchWord { key: halves(*key), by: by.clone() };
    let order = match order {
        BatchOrder::Enter(file) => Order::Enter(file_message(file)),
        BatchOrder::Release { key, by } => Order::Release(word(key, by)),
        BatchOrder::Cancel { key, by } => Order::Cancel(word(key, by)),
        BatchOrder::Report { key, progress, next } => Order::Report(wire::BatchReport {
            key: halves(*key),
            progress: Some(progress_message(progress)),
            next: match next {
                Next::GoesOn => None,
                Next::WaitsFor(day) => Some(batch_report::Next::WaitsFor(day.get())),
                Next::Done => Some(batch_report::Next::IsDone(true)),
            },
        }),
        BatchOrder::Decide { key, decision } => {
            Order::Decide(wire::BatchDecision { key: halves(*key), posts: *decision == Decision::Post })
        }
    };
    wire::BatchOrder { order: Some(order) }
}

/// An order from its message; `None` where it is none.
pub fn order(message: wire::BatchOrder) -> Option<BatchOrder> {
    Some(match message.order? {
        Order::Enter(entered) => BatchOrder::Enter(Box::new(file(entered)?)),
        Order::Release(word) => BatchOrder::Release { key: wide(word.key), by: word.by },
        Order::Cancel(word) => BatchOrder::Cancel { key: wide(word.key), by: word.by },
        Order::Report(report) => BatchOrder::Report {
            key: wide(report.key),
            progress: progress(report.progress),
            next: match report.next {
                None | Some(batch_report::Next::IsDone(false)) => Next::GoesOn,
                Some(batch_report::Next::WaitsFor(day)) => Next::WaitsFor(BusinessDate::new(day)),
                Some(batch_report::Next::IsDone(true)) => Next::Done,
            },
        },
        Order::Decide(decision) => BatchOrder::Decide {
            key: wide(decision.key),
            decision: if decision.posts { Decision::Post } else { Decision::Void },
        },
    })
}

/// A reply as it is sent.
pub fn reply_message(reply: &BatchReply) -> wire::BatchReply {
    let status = reply.outcome.status;
    wire::BatchReply {
        result: Some(wire::Result {
            timestamp: reply.outcome.timestamp.get(),
            status: u32::from(status.number()),
            name: status.name().to_owned(),
        }),
        entry: reply.entry.as_deref().map(entry_message),
    }
}

fn reply(message: wire::BatchReply) -> Option<BatchReply> {
    let result = message.result?;
    let status = BatchStatus::from_number(u16::try_from(result.status).ok()?)?;
    Some(BatchReply {
        outcome: Outcome { timestamp: Stamp::new(result.timestamp), status },
        entry: match message.entry {
            Some(there) => Some(Box::new(entry(there)?)),
            None => None,
        },
    })
}

/// What some of a loan's events moved.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Moved {
    /// Whose account the loan is paid from; `None` where there is no such loan.
    pub account: Option<AccountId>,
    /// One for each event; `None` where it was not taken.
    pub amounts: Vec<Option<u128>>,
    /// Whether the loan's product lets a collection take all it asks for or nothing.
    pub collects_in_full: bool,
}

fn batches(channel: Channel) -> BatchesClient<Channel> {
    BatchesClient::new(channel).max_decoding_message_size(MESSAGE_BYTES_MAX)
}

impl Client {
    /// Asks the registry of payment files. Asked again after an answer that was lost, it says `exists`, or tells where
    /// the file stands.
    pub async fn batch(&self, order: &BatchOrder) -> Result<BatchReply, ClientFault> {
        let message = order_message(order);
        let ask = |channel| {
            let message = message.clone();
            async move { batches(channel).order(message).await }
        };
        reply(self.ask(ask).await?).ok_or(UNREADABLE)
    }

    /// Files of the registry, at most [`ENTRIES_MAX`] behind a key, and the bank's day.
    pub async fn batches(
        &self,
        after: u128,
        message_id: &str,
    ) -> Result<(Vec<BatchEntry>, Option<BusinessDate>), ClientFault> {
        let message =
            wire::BatchQuery { after: halves(after), message_id: message_id.to_owned(), limit: ENTRIES_MAX };
        let ask = |channel| {
            let message = message.clone();
            async move { batches(channel).list(message).await }
        };
        let list = self.ask(ask).await?;
        let entries: Option<_> = list.entries.into_iter().map(entry).collect();
        Ok((entries.ok_or(UNREADABLE)?, list.business_date.map(BusinessDate::new)))
    }

    /// What some of a loan's events moved.
    pub async fn moved(&self, loan: LoanId, events: &[u128]) -> Result<Moved, ClientFault> {
        let message = wire::MovedQuery {
            loan: halves(loan),
            events: events.iter().map(|event| id_message(*event)).collect(),
        };
        let ask = |channel| {
            let message = message.clone();
            async move { batches(channel).moved(message).await }
        };
        let told = self.ask(ask).await?;
        if told.amounts.len() != events.len() {
            return Err(ClientFault::Garbled("not one amount for each event"));
        }
        Ok(Moved {
            account: told.account_id.map(|id| AccountId::new(wide(Some(id)))),
            amounts: told
                .amounts
                .into_iter()
                .map(|told| told.amount.map(|amount| wide(Some(amount))))
                .collect(),
            collects_in_full: told.collects_in_full,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_what_is_read() {
        let file = BatchFile {
            key: u128::MAX - 7,
            message_id: "M-1".to_owned(),
            content: [3; 32],
            acceptance: Acceptance::Held,
            items: 9,
            sum: Amount::new(1 << 100),
            first_on: BusinessDate::new(-3),
            needs_release: true,
            ..BatchFile::default()
        };
        let by = || "anna".to_owned();
        let progress = BatchProgress { position: 5, taken: 2, taken_sum: Amount::new(7), refused: 1 };
        let report = |next| BatchOrder::Report { key: 1, progress, next };
        for asked in [
            BatchOrder::Enter(Box::new(file.clone())),
            BatchOrder::Release { key: 1, by: by() },
            BatchOrder::Cancel { key: 2, by: by() },
            report(Next::GoesOn),
            report(Next::WaitsFor(BusinessDate::ZERO)),
            report(Next::Done),
            BatchOrder::Decide { key: 3, decision: Decision::Post },
            BatchOrder::Decide { key: 3, decision: Decision::Void },
        ] {
            assert_eq!(order(order_message(&asked)), Some(asked));
        }
        assert_eq!(order(wire::BatchOrder { order: None }), None);
        let there = BatchEntry {
            file,
            state: BatchState::Voids,
            next_on: BusinessDate::new(20_000),
            released_by: by(),
            cancelled_by: by(),
            progress,
            submitted_at: Stamp::new(4),
            changed_at: Stamp::new(5),
            goes_since: Stamp::new(8),
            goes_from: 3,
        };
        let outcome = Outcome { timestamp: Stamp::new(9), status: BatchStatus::AlreadyDecided };
        for entry in [None, Some(Box::new(there))] {
            let told = BatchReply { outcome, entry };
            assert_eq!(reply(reply_message(&told)), Some(told));
        }
        let wrong = wire::BatchFile { content: vec![1; 31], ..wire::BatchFile::default() };
        assert_eq!(order(wire::BatchOrder { order: Some(Order::Enter(wrong)) }), None);
    }
}
