//! The book's replies as bytes, and back: what a shard answers to a command of its log.
//!
//! Accounts and transfers answer in packed results of 16 bytes; everything else in the protocol's own messages,
//! which the gateway hands on as they are.

use crate::records::{self, PackedResult, RESULT_BYTES};
use crate::wire;
use bytes::{Bytes, BytesMut};
use fen_book::loan::command::{LoanCommand, LoanReply};
use fen_book::loan::day_end::DayEndReply;
use fen_book::loan::product_status::ProductStatus;
use fen_book::loan::status::LoanStatus;
use fen_book::{
    Amount, Balances, BusinessDate, ChainOutcome, CreateAccountStatus, CreateTransferStatus, OpeningStatus,
    Outcome, Receipt, Reply, SetLimitStatus, Stamp,
};
use fen_terms::TermsStatus;
use prost::Message;

/// A reply's bytes.
pub fn pack(reply: &Reply) -> Bytes {
    match reply {
        Reply::Accounts(outcomes) => packed(outcomes, CreateAccountStatus::number),
        Reply::Transfers(outcomes) => packed(outcomes, CreateTransferStatus::number),
        Reply::Receipts(receipts) => {
            encoded(&wire::Receipts { receipts: receipts.iter().map(receipt_message).collect() })
        }
        Reply::Openings(outcomes) => {
            encoded(&wire::Openings { openings: outcomes.iter().map(opening_message).collect() })
        }
        Reply::Limits(outcomes) => {
            let result = |outcome: &Outcome<SetLimitStatus>| {
                result(outcome.timestamp, outcome.status.number(), outcome.status.name())
            };
            encoded(&wire::Results { results: outcomes.iter().map(result).collect() })
        }
        Reply::ChainEnds(outcomes) => {
            encoded(&wire::ChainResults { results: outcomes.iter().map(chain_message).collect() })
        }
        Reply::Loans(reply) => encoded(&loan_message(reply)),
        // The registry of files is asked of an embedded ledger only: no request over the wire has this answer.
        Reply::Batch(_) | Reply::Done => Bytes::new(),
    }
}

fn encoded(message: &impl Message) -> Bytes {
    Bytes::from(message.encode_to_vec())
}

fn packed<S: Copy>(outcomes: &[Outcome<S>], number: impl Fn(S) -> u16) -> Bytes {
    let mut packed = BytesMut::with_capacity(outcomes.len() * RESULT_BYTES);
    for outcome in outcomes {
        let result = PackedResult { timestamp: outcome.timestamp, status: number(outcome.status) };
        records::pack_result(&mut packed, result);
    }
    packed.freeze()
}

fn result(timestamp: Stamp, status: u16, name: &str) -> wire::Result {
    wire::Result { timestamp: timestamp.get(), status: u32::from(status), name: name.to_owned() }
}

fn receipt_message(receipt: &Receipt) -> wire::Receipt {
    let Outcome { timestamp, status } = receipt.outcome;
    wire::Receipt {
        timestamp: timestamp.get(),
        status: u32::from(status.number()),
        name: status.name().to_owned(),
        debit: receipt.debit.as_ref().map(balances_message),
        credit: receipt.credit.as_ref().map(balances_message),
    }
}

/// Balances as their message.
pub fn balances_message(balances: &Balances) -> wire::Balances {
    wire::Balances {
        debits_pending: records::halves(balances.debits_pending.get()),
        debits_posted: records::halves(balances.debits_posted.get()),
        credits_pending: records::halves(balances.credits_pending.get()),
        credits_posted: records::halves(balances.credits_posted.get()),
    }
}

/// Balances from their message.
pub fn balances(message: wire::Balances) -> Balances {
    let amount = |value| Amount::new(records::wide(value));
    Balances {
        debits_pending: amount(message.debits_pending),
        debits_posted: amount(message.debits_posted),
        credits_pending: amount(message.credits_pending),
        credits_posted: amount(message.credits_posted),
    }
}

fn opening_message(outcome: &Outcome<OpeningStatus>) -> wire::Opening {
    let OpeningStatus { account, transfer } = outcome.status;
    wire::Opening {
        timestamp: outcome.timestamp.get(),
        status: u32::from(account.number()),
        name: account.name().to_owned(),
        transfer_status: transfer.map(|status| u32::from(status.number())),
        transfer_name: transfer.map_or_else(String::new, |status| status.name().to_owned()),
    }
}

fn chain_message(ended: &ChainOutcome) -> wire::ChainResult {
    let Outcome { timestamp, status } = ended.outcome;
    wire::ChainResult {
        timestamp: timestamp.get(),
        status: u32::from(status.number()),
        name: status.name().to_owned(),
        members: ended.members,
    }
}

fn loan_message(reply: &LoanReply) -> wire::LoanReply {
    match reply {
        // A product's refusals have names, no numbers.
        LoanReply::Product(outcome) => {
            let name = outcome.status.name();
            let number = u16::from(name != "created");
            wire::LoanReply { results: vec![result(outcome.timestamp, number, name)], day_end: None }
        }
        LoanReply::Orders(outcomes) => {
            let result = |outcome: &Outcome<LoanStatus>| {
                result(outcome.timestamp, outcome.status.number(), outcome.status.name())
            };
            wire::LoanReply { results: outcomes.iter().map(result).collect(), day_end: None }
        }
        LoanReply::DayEnd(step) => {
            let Outcome { timestamp, status } = step.outcome;
            let day_end = wire::DayEnd {
                result: Some(result(timestamp, status.number(), status.name())),
                business_date: step.business_date.get(),
                loans: u64::from(step.loans),
                is_done: step.is_done,
            };
            wire::LoanReply { results: Vec::new(), day_end: Some(day_end) }
        }
    }
}

fn status<S>(number: u32, known: impl Fn(u16) -> Option<S>) -> Option<S> {
    u16::try_from(number).ok().and_then(known)
}

/// A receipt's message, read; `None` where this release does not know its status.
pub fn receipt(message: &wire::Receipt) -> Option<Receipt> {
    let status = status(message.status, CreateTransferStatus::from_number)?;
    let outcome = Outcome { timestamp: Stamp::new(message.timestamp), status };
    Some(Receipt { outcome, debit: message.debit.map(balances), credit: message.credit.map(balances) })
}

/// An opening's message, read; `None` where this release does not know its statuses.
pub fn opening(message: &wire::Opening) -> Option<Outcome<OpeningStatus>> {
    let account = status(message.status, CreateAccountStatus::from_number)?;
    let transfer = match message.transfer_status {
        Some(number) => Some(status(number, CreateTransferStatus::from_number)?),
        None => None,
    };
    let status = OpeningStatus { account, transfer };
    Some(Outcome { timestamp: Stamp::new(message.timestamp), status })
}

/// A change of a limit's result, read; `None` where this release does not know its status.
pub fn limit(message: &wire::Result) -> Option<Outcome<SetLimitStatus>> {
    let status = status(message.status, SetLimitStatus::from_number)?;
    Some(Outcome { timestamp: Stamp::new(message.timestamp), status })
}

/// The reply to a loan command, read; `None` where it is one to something else, or has a status that this release
/// does not know.
pub fn loan_reply(command: &LoanCommand, reply: &wire::LoanReply) -> Option<LoanReply> {
    match command {
        LoanCommand::PutProduct(_) => reply.results.first().and_then(product).map(LoanReply::Product),
        LoanCommand::Orders(orders) if orders.len() == reply.results.len() => {
            reply.results.iter().map(loan).collect::<Option<_>>().map(LoanReply::Orders)
        }
        LoanCommand::Orders(_) => None,
        LoanCommand::DayEnd { .. } => reply.day_end.as_ref().and_then(day_end).map(LoanReply::DayEnd),
    }
}

/// A loan event's result, read; `None` where this release does not know its status.
fn loan(message: &wire::Result) -> Option<Outcome<LoanStatus>> {
    let known = |number| {
        let own = LoanStatus::ALL.iter().copied().find(|status| status.number() == number);
        let of_terms = || TermsStatus::ALL.iter().copied().map(LoanStatus::Terms);
        own.or_else(|| of_terms().find(|status| status.number() == number))
    };
    let status = status(message.status, known)?;
    Some(Outcome { timestamp: Stamp::new(message.timestamp), status })
}

/// A product's result, read: these statuses are sent by name.
fn product(message: &wire::Result) -> Option<Outcome<ProductStatus>> {
    let status = ProductStatus::ALL.iter().copied().find(|status| status.name() == message.name)?;
    Some(Outcome { timestamp: Stamp::new(message.timestamp), status })
}

/// A step of day-end, read.
fn day_end(message: &wire::DayEnd) -> Option<DayEndReply> {
    Some(DayEndReply {
        outcome: loan(message.result.as_ref()?)?,
        is_done: message.is_done,
        business_date: BusinessDate::new(message.business_date),
        loans: u32::try_from(message.loans).unwrap_or(u32::MAX),
    })
}

/// A chain's result, read; `None` where this release does not know its status.
pub fn chain(message: &wire::ChainResult) -> Option<ChainOutcome> {
    let status = status(message.status, CreateTransferStatus::from_number)?;
    let outcome = Outcome { timestamp: Stamp::new(message.timestamp), status };
    Some(ChainOutcome { outcome, members: message.members })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_shard_answers_is_what_a_client_reads() {
        let outcome = |status| Outcome { timestamp: Stamp::new(7), status };
        let of = |posted| Balances { debits_posted: Amount::new(posted), ..Balances::default() };
        let receipts = vec![
            Receipt {
                outcome: outcome(CreateTransferStatus::Created),
                debit: Some(of(u128::MAX)),
                credit: Some(of(0)),
            },
            Receipt { outcome: outcome(CreateTransferStatus::ExceedsCredits), debit: None, credit: None },
        ];
        let bytes = pack(&Reply::Receipts(receipts.clone()));
        let read = wire::Receipts::decode(bytes).unwrap();
        assert_eq!(read.receipts.iter().map(receipt).collect::<Option<Vec<_>>>(), Some(receipts));

        let refused = OpeningStatus {
            account: CreateAccountStatus::OpeningBalanceRefused,
            transfer: Some(CreateTransferStatus::ExceedsCredits),
        };
        let openings = vec![Outcome { timestamp: Stamp::new(9), status: refused }];
        let read = wire::Openings::decode(pack(&Reply::Openings(openings.clone()))).unwrap();
        assert_eq!(read.openings.iter().map(opening).collect::<Option<Vec<_>>>(), Some(openings));

        let ends = vec![ChainOutcome { outcome: outcome(CreateTransferStatus::Created), members: 3 }];
        let read = wire::ChainResults::decode(pack(&Reply::ChainEnds(ends.clone()))).unwrap();
        assert_eq!(read.results.iter().map(chain).collect::<Option<Vec<_>>>(), Some(ends));
        assert_eq!(receipt(&wire::Receipt { status: 60_000, ..wire::Receipt::default() }), None);
    }
}
