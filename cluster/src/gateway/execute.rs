//! Any command of `fen exec`, from its JSON to the line that answers it.

use super::{Call, Gateway, unreadable};
use crate::ask::{self, Read};
use crate::fault::ServeFault;
use crate::shard::kind;
use bytes::Bytes;
use fen_api::{answers, records, wire};
use fen_book::loan::command::ORDERS_MAX;
use fen_book::{Account, CreateAccountStatus, CreateTransferStatus, Outcome, Position, Stamp, Transfer};
use fen_json::loans::LoanEvent;
use fen_json::order::{Order, order};
use fen_json::reply::{Answer, reply};
use fen_json::{Path, Wrong, parse};
use fen_terms::Day;
use std::fmt::Write as _;
use zerocopy::{Immutable, IntoBytes};

/// Why there is no reply.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The text is no command; which field, and why.
    Wrong(Wrong),
    /// The cluster cannot answer, or refuses the command as a whole.
    Fault(ServeFault),
}

impl From<ServeFault> for Trouble {
    fn from(fault: ServeFault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Wrong> for Trouble {
    fn from(wrong: Wrong) -> Self {
        Self::Wrong(wrong)
    }
}

/// A result that bears its status's name, and a document that is JSON already.
struct Named(wire::Result);
struct Document(String);
struct DayEnd(wire::DayEnd);

impl Answer for Named {
    fn write(&self, out: &mut String) {
        let wire::Result { timestamp, name, .. } = &self.0;
        write!(out, "{{\"timestamp\":{timestamp},\"status\":\"{name}\"}}").expect("a string takes it");
    }
}

impl Answer for Document {
    fn write(&self, out: &mut String) {
        out.push_str(&self.0);
    }
}

impl Answer for DayEnd {
    fn write(&self, out: &mut String) {
        let wire::DayEnd { result, business_date, loans, .. } = &self.0;
        let wire::Result { timestamp, name, .. } = result.clone().unwrap_or_default();
        let date =
            Day::from_number(*business_date).map_or_else(|| "null".to_owned(), |day| format!("\"{day}\""));
        write!(
            out,
            "{{\"timestamp\":{timestamp},\"status\":\"{name}\",\"business_date\":{date},\"loans\":{loans}}}"
        )
        .expect("a string takes it");
    }
}

fn packed<R: IntoBytes + Immutable>(records: &[R]) -> Bytes {
    Bytes::copy_from_slice(records.as_bytes())
}

fn all<T>(read: Option<Vec<T>>) -> Result<Vec<T>, ServeFault> {
    read.ok_or_else(unreadable)
}

pub(super) fn ids(ids: impl Iterator<Item = u128>) -> wire::Ids {
    wire::Ids { ids: ids.map(|id| records::halves(id).unwrap_or_default()).collect() }
}

fn outcomes<S>(packed: &[u8], status: impl Fn(u16) -> Option<S>) -> Result<Vec<Outcome<S>>, ServeFault> {
    let results = records::unpack_results(packed).ok_or_else(unreadable)?;
    let outcome = |result: records::PackedResult| {
        Some(Outcome { timestamp: result.timestamp, status: status(result.status)? })
    };
    all(results.into_iter().map(outcome).collect())
}

fn accounts(message: &wire::Accounts) -> Result<Vec<Option<Account>>, ServeFault> {
    let read = |found: &wire::FoundAccount| found.account.as_ref().map(records::account).transpose();
    message.found.iter().map(read).collect::<Result<_, _>>().map_err(|_| unreadable())
}

fn transfers(message: &wire::Transfers) -> Result<Vec<Option<Transfer>>, ServeFault> {
    let read = |found: &wire::FoundTransfer| found.transfer.as_ref().map(records::transfer).transpose();
    message.found.iter().map(read).collect::<Result<_, _>>().map_err(|_| unreadable())
}

impl Gateway {
    /// The reply to a command.
    pub(crate) async fn execute(&self, command: &str, call: &Call) -> Result<String, Trouble> {
        let json = parse(command).map_err(|malformed| Path::Line.wrong(malformed.to_string()))?;
        self.carry_out(order(&json)?, call).await
    }

    /// The reply to an order.
    pub(crate) async fn carry_out(&self, order: Order, call: &Call) -> Result<String, Trouble> {
        let op = order.op();
        Ok(match order {
            Order::CreateAccounts(events) => {
                let (answer, _) = self.submit_records(kind::CREATE_ACCOUNTS, packed(&events), call).await?;
                reply(op, &outcomes(&answer, CreateAccountStatus::from_number)?)
            }
            Order::CreateTransfers(events) => {
                let (answer, _) = self.submit_records(kind::CREATE_TRANSFERS, packed(&events), call).await?;
                reply(op, &outcomes(&answer, CreateTransferStatus::from_number)?)
            }
            Order::CreateTransfersWithBalances(events) => {
                let receipts = self.receipts(packed(&events), call).await?.receipts;
                reply(op, &all(receipts.iter().map(answers::receipt).collect())?)
            }
            Order::OpenAccounts(events) => {
                let openings = self.openings(packed(&events), call).await?.openings;
                reply(op, &all(openings.iter().map(answers::opening).collect())?)
            }
            Order::SetLimits(events) => {
                let results = self.limits(packed(&events), call).await?.results;
                reply(op, &all(results.iter().map(answers::limit).collect())?)
            }
            Order::PostPendingChains(events) | Order::VoidPendingChains(events) => {
                let results = self.chain_ends(packed(&events), call).await?.results;
                reply(op, &all(results.iter().map(answers::chain).collect())?)
            }
            Order::PutProducts(products) => {
                let mut results = Vec::with_capacity(products.len());
                for product in &products {
                    results.push(Named(self.put_product(product, call).await?));
                }
                reply(op, &results)
            }
            Order::Loans(_, events) => self.loan_events(op, events, call).await?,
            Order::DayEnd(through) => reply(op, &[DayEnd(self.day_end(through, call).await?)]),
            Order::Tick(_) => {
                let reason = "tick moves the clock of an in-memory ledger only";
                return Err(Trouble::Wrong(Path::Line.field("op").wrong(reason)));
            }
            read @ (Order::LookupLoans(_)
            | Order::LookupAccounts(_)
            | Order::LookupTransfers(_)
            | Order::LookupPositions(_)
            | Order::AccountTransfers(_)
            | Order::AccountBalances(_)
            | Order::QueryAccounts(_)
            | Order::QueryTransfers(_)) => self.look_up(op, read, call).await?,
        })
    }

    /// Loan events, in as many commands as they need: each stands for itself.
    async fn loan_events(&self, op: &str, events: Vec<LoanEvent>, call: &Call) -> Result<String, ServeFault> {
        let mut results = Vec::with_capacity(events.len());
        let mut events = events.into_iter();
        while events.len() > 0 {
            let orders = events.by_ref().take(ORDERS_MAX).map(LoanEvent::order).collect();
            results.extend(self.loan_orders(orders, call).await?.into_iter().map(Named));
        }
        Ok(reply(op, &results))
    }

    async fn look_up(&self, op: &str, order: Order, call: &Call) -> Result<String, ServeFault> {
        Ok(match order {
            Order::LookupLoans(loans) => {
                let found = self.lookup_loans(ids(loans.into_iter()), call).await?.found;
                reply(op, &found.into_iter().map(|loan| loan.json.map(Document)).collect::<Vec<_>>())
            }
            Order::LookupAccounts(asked) => {
                let asked = ids(asked.iter().map(|id| id.get()));
                reply(op, &accounts(&self.lookup_accounts(&asked, call).await?)?)
            }
            Order::LookupTransfers(asked) => {
                let asked = ids(asked.iter().map(|id| id.get()));
                reply(op, &transfers(&self.lookup_transfers(asked, call).await?)?)
            }
            Order::LookupPositions(asked) => {
                let asked = ids(asked.iter().map(|id| id.get()));
                let found = self.lookup_positions(&asked, call).await?.found;
                let positions: Result<Vec<Option<Position>>, String> =
                    found.iter().map(records::position).collect();
                reply(op, &positions.map_err(|_| unreadable())?)
            }
            Order::AccountTransfers(filter) => {
                let filter = records::account_filter_message(&filter);
                reply(op, &transfers(&self.account_transfers(filter, call).await?)?)
            }
            Order::AccountBalances(filter) => {
                let question = Read::Balances(records::account_filter_message(&filter));
                let answer = self.ask_home(filter.account_id.get(), &question, call).await?;
                let found: wire::BalanceLines = ask::read(answer).map_err(ServeFault::Unavailable)?;
                reply(op, &found.lines.iter().map(records::balance_line).collect::<Vec<_>>())
            }
            Order::QueryAccounts(filter) => {
                let filter = records::query_filter_message(&filter);
                reply(op, &accounts(&self.query_accounts(filter, call).await?)?)
            }
            Order::QueryTransfers(filter) => {
                let filter = records::query_filter_message(&filter);
                reply(op, &transfers(&self.query_transfers(filter, call).await?)?)
            }
            Order::CreateAccounts(_)
            | Order::OpenAccounts(_)
            | Order::CreateTransfers(_)
            | Order::CreateTransfersWithBalances(_)
            | Order::SetLimits(_)
            | Order::PostPendingChains(_)
            | Order::VoidPendingChains(_)
            | Order::PutProducts(_)
            | Order::Loans(..)
            | Order::DayEnd(_)
            | Order::Tick(_) => reply::<Stamp>(op, &[]),
        })
    }
}
