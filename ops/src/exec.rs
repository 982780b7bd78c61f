//! `fen exec`: JSON commands on standard input, one a line; outcomes on standard output, one a line.
//!
//! **Invariants.** Every line gets exactly one line of reply, flushed before the next line is read. A line that is
//! no command changes nothing, is answered with its place and reason, and does not end the session. A refusal by
//! the book is an outcome, not an error.
//!
//! **Limits.** A line has at most 16 MiB, a command at most 8,189 events.
//! Tested in the modules below, and through the binary in `ops/tests/exec.rs`.

mod lines;

use crate::exit::{Exit, Failure};
use crate::faults::{broken, open};
use crate::reach::{self, Reach};
use clap::Args;
use fen_api::ClientFault;
use fen_book::loan::command::ORDERS_MAX;
use fen_book::loan::product::Product;
use fen_book::{BusinessDate, STAMP_MAX, Stamp};
use fen_json::loans::LoanEvent;
use fen_json::order::{Order, order};
use fen_json::reply::{refusal, reply};
use fen_json::{Path, Wrong, parse};
use fen_ledger::{Body, Fault, Ledger, LoanCommand, LoanReply, Reply};
use lines::{LINE_SIZE_MAX, Line, next_line};
use std::io::{BufRead, Write};
use std::path::PathBuf;

/// Where the clock of an in-memory ledger starts: 2020-01-01T00:00Z, so that there is a past to import from.
pub(crate) const MEMORY_START: Stamp = Stamp::new(1_577_836_800_000_000_000);

/// JSON commands on standard input, one a line; outcomes on standard output, one a line.
#[derive(Args, Debug)]
#[command(after_help = r#"Example:
  fen exec <<'END'
  {"op": "create_accounts", "events": [{"id": 1, "ledger": 156, "code": 1}, {"id": 2, "ledger": 156, "code": 1}]}
  {"op": "create_transfers", "events": [{"id": 9, "debit_account_id": 1, "credit_account_id": 2, "amount": "100", "ledger": 156, "code": 1}]}
  {"op": "lookup_accounts", "ids": ["1", "2"]}
  END

Ops: create_accounts, create_transfers (events); lookup_accounts, lookup_transfers (ids); get_account_transfers,
get_account_balances, query_accounts, query_transfers (filter); tick (nanoseconds, in memory only).
Ids, amounts, balances and user_data_128 are strings, other integers numbers; either form is read everywhere.
Ids may also be 0x hexadecimal or UUIDs. Amounts are in minor units; "max" is 2^128 - 1. Absent is 0.

Beyond the common protocol:
  create_accounts: an event may have "limit" (how far it may go beyond its flag's rule) and "opening_balance"
    {"side": "debit"|"credit", "amount", "contra_account_id", "transfer_id"}; at most 4,094 events then. A refused
    opening balance opens no account; the result tells the transfer's status as "opening_balance".
  create_transfers with "balances": true: results have "debit_balances" and "credit_balances", null if refused.
  set_limits (events {"account_id", "limit"}).
  post_pending_chains, void_pending_chains (events {"id", "pending_id"}, at most 64): ends, all or none, every open
    pending transfer of the linked chain that pending_id belongs to, by transfers id, id + 1, ...
  lookup_positions (ids): {"account", "limit", "pendings": [{"id", "amount", "expires_at"}]}, read at one moment.

Loans (amounts in minor units, dates like 2026-03-02; one event in the line, or several in "events"):
  put_product: id, ledger, terms as in `fen schedule`, allocation {order, direction}, in_advance, prepayment,
    interest_on, settlement_day_bears_interest, penalty_multiple, amount_min, amount_max, periods_min, periods_max,
    rate_min, rate_max, auto_debit, partial_collection, classification {special_mention, substandard, doubtful,
    loss, non_accrual} (more days past due than), stages {stage_2, stage_3} (days), provisioning {normal, ...} (per cent),
    limits {borrowers, exposure, exposure_per_borrower, regions, ends_on}, funders [{id, share}], stopped,
    fees {disbursement {amount, percent}, instalment {amount, percent}, late {amount, percent, after_days}},
    holidays {roll following|modified_following|preceding, weekend [DAY], days [DATE], working_days [DATE]},
    line revolving|closed_end, draws_max, write_off_after_days, subsidy {party, points, share_max, per_borrower},
    compensation {party, share, per_loan}. Absent penalty_multiple is 1.5; "0" charges none.
  open_line, disburse, repay, prepay, charge, waive, reverse, chargeback, refund, reschedule, charge_off, write_off,
    recover, sell: id, loan_id, effective_on, and what each needs. waive takes an event_id, or kind and amount;
    reschedule from and to, rate, periods, or first_due_on with periods: what is owed is then spread anew.
  lookup_loans (ids); day_end {"through"}.

With --endpoint the same lines go to a cluster.
A line that is no command is answered {"error": {"line", "field", "reason"}} and changes nothing.
Without --data the ledger is in memory; its clock starts at 1577836800000000000 (2020-01-01T00:00Z) and moves by
one for each event and by tick.
Exits 0 whatever the outcomes, 1 if a line was no command, 3 if the ledger cannot be opened or stops."#)]
pub(crate) struct Arguments {
    /// The data directory; it is made if it does not exist. Without it the ledger is in memory.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// A cluster instead: a node's address for clients, host and port; several, so that one may be down.
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',', conflicts_with = "data")]
    endpoint: Vec<String>,
    /// With --endpoint: the folder with authority.pem, client.pem and client.key; else the connection is plaintext.
    #[arg(long, value_name = "DIR", requires = "endpoint")]
    certificates: Option<PathBuf>,
}

/// Runs the command on standard input and output.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let (mut input, mut output) = (std::io::stdin().lock(), std::io::stdout().lock());
    if !arguments.endpoint.is_empty() {
        let reach = Reach::of(arguments.endpoint.clone(), arguments.certificates.clone());
        let runtime = reach::runtime()?;
        let client = runtime.block_on(async { reach.client() })?;
        let mut ask = |line: &[u8], _order: Order| {
            let line = String::from_utf8_lossy(line);
            match runtime.block_on(client.execute(&line)) {
                Ok(reply) => Ok(Ok(reply)),
                // What one ledger would do and several shards cannot: an answer to this line, not the end.
                Err(ClientFault::Refused(reason)) => Ok(Err(Path::Line.wrong(reason))),
                Err(fault) => Err(reach::failure(fault)),
            }
        };
        return session(Clock::OfTheWorld, &mut input, &mut output, &mut ask);
    }
    let ledger = match &arguments.data {
        Some(directory) => open(directory)?,
        None => Ledger::in_memory(MEMORY_START),
    };
    let clock = if arguments.data.is_some() { Clock::OfTheWorld } else { Clock::Own };
    let mut ask = |_line: &[u8], order: Order| match answer(&ledger, order) {
        Ok(reply) => Ok(Ok(reply)),
        Err(end @ Fault::ClockAtItsEnd) => {
            Ok(Err(Path::Line.wrong(format!("{end}; nothing more can be posted"))))
        }
        Err(fault) => Err(broken(&fault)),
    };
    session(clock, &mut input, &mut output, &mut ask)
}

/// Whose clock the ledger goes by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Clock {
    /// Its own, moved by events and `tick`.
    Own,
    /// Real time: `tick` is refused.
    OfTheWorld,
}

/// A line's reply, or what is wrong with the line, or why there are no more replies.
type Replied = Result<Result<String, Wrong>, Failure>;

/// Answers line after line until the input ends.
fn session(
    clock: Clock,
    input: &mut impl BufRead,
    output: &mut impl Write,
    ask: &mut dyn FnMut(&[u8], Order) -> Replied,
) -> Result<Exit, Failure> {
    let unreadable = |error| Failure::unreachable(format!("standard input cannot be read: {error}"));
    let unwritable = |error| Failure::unreachable(format!("standard output cannot be written: {error}"));
    let mut exit = Exit::Done;
    let mut buffer = Vec::new();
    for number in 1_u64.. {
        let read = match next_line(input, &mut buffer, LINE_SIZE_MAX).map_err(unreadable)? {
            Line::End => break,
            Line::TooLong => Err(Path::Line.wrong(format!("the line is longer than {LINE_SIZE_MAX} bytes"))),
            Line::Read => read(&buffer, clock),
        };
        let replied = match read {
            Ok(order) => ask(&buffer, order)?,
            Err(wrong) => Err(wrong),
        };
        let mut reply = replied.unwrap_or_else(|wrong| {
            exit = Exit::Refused;
            refusal(number, &wrong)
        });
        reply.push('\n');
        output.write_all(reply.as_bytes()).and_then(|()| output.flush()).map_err(unwritable)?;
    }
    Ok(exit)
}

/// The order that a line holds, or what is wrong with it.
fn read(line: &[u8], clock: Clock) -> Result<Order, Wrong> {
    let text = std::str::from_utf8(line)
        .map_err(|error| Path::Line.wrong(format!("not UTF-8 after byte {}", error.valid_up_to())))?;
    if text.trim().is_empty() {
        return Err(Path::Line.wrong("the line is empty; a command is {\"op\": NAME, ...}"));
    }
    let json = parse(text).map_err(|malformed| Path::Line.wrong(malformed.to_string()))?;
    let order = order(&json)?;
    if clock == Clock::OfTheWorld && matches!(order, Order::Tick(_)) {
        return Err(Path::Line
            .field("op")
            .wrong("tick moves the clock of an in-memory ledger only; leave out --data and --endpoint"));
    }
    Ok(order)
}

/// The ledger's reply, as a line.
fn answer(ledger: &Ledger, order: Order) -> Result<String, Fault> {
    let op = order.op();
    match order {
        Order::CreateAccounts(events) => changed(ledger, op, Body::Accounts(events)),
        Order::OpenAccounts(events) => changed(ledger, op, Body::Openings(events)),
        Order::CreateTransfers(events) => changed(ledger, op, Body::Transfers(events)),
        Order::CreateTransfersWithBalances(events) => {
            changed(ledger, op, Body::TransfersWithBalances(events))
        }
        Order::SetLimits(events) => changed(ledger, op, Body::Limits(events)),
        Order::PostPendingChains(events) | Order::VoidPendingChains(events) => {
            changed(ledger, op, Body::ChainEnds(events))
        }
        Order::PutProducts(products) => put_products(ledger, op, products),
        Order::Loans(_, events) => loan_events(ledger, op, events),
        Order::DayEnd(through) => day_end(ledger, op, through),
        Order::LookupLoans(ids) => Ok(reply(op, &ledger.lookup_loans(&ids)?)),
        Order::LookupAccounts(ids) => Ok(reply(op, &ledger.lookup_accounts(&ids)?)),
        Order::LookupTransfers(ids) => Ok(reply(op, &ledger.lookup_transfers(&ids)?)),
        Order::LookupPositions(ids) => Ok(reply(op, &ledger.lookup_positions(&ids)?)),
        Order::AccountTransfers(filter) => Ok(reply(op, &ledger.account_transfers(&filter)?)),
        Order::AccountBalances(filter) => Ok(reply(op, &ledger.account_balances(&filter)?)),
        Order::QueryAccounts(filter) => Ok(reply(op, &ledger.query_accounts(&filter)?)),
        Order::QueryTransfers(filter) => Ok(reply(op, &ledger.query_transfers(&filter)?)),
        Order::Tick(nanoseconds) => {
            let room = STAMP_MAX.get().saturating_sub(ledger.clock().get());
            Ok(reply(op, &[ledger.tick(room.min(nanoseconds))?]))
        }
    }
}

/// The reply to a command that changes the books.
fn changed(ledger: &Ledger, op: &str, body: Body) -> Result<String, Fault> {
    Ok(match ledger.submit(body)?.wait()? {
        Reply::Accounts(outcomes) => reply(op, &outcomes),
        Reply::Openings(outcomes) => reply(op, &outcomes),
        Reply::Transfers(outcomes) => reply(op, &outcomes),
        Reply::Receipts(receipts) => reply(op, &receipts),
        Reply::Limits(outcomes) => reply(op, &outcomes),
        Reply::ChainEnds(outcomes) => reply(op, &outcomes),
        Reply::Loans(LoanReply::Product(outcome)) => reply(op, &[outcome]),
        Reply::Loans(LoanReply::Orders(outcomes)) => reply(op, &outcomes),
        Reply::Loans(LoanReply::DayEnd(step)) => reply(op, &[step]),
        Reply::Batch(_) | Reply::Done => reply::<Stamp>(op, &[]),
    })
}

/// Products, each a command of its own.
fn put_products(ledger: &Ledger, op: &str, products: Vec<Product>) -> Result<String, Fault> {
    let mut outcomes = Vec::with_capacity(products.len());
    for product in products {
        if let LoanReply::Product(told) = ledger.loans(&LoanCommand::PutProduct(Box::new(product)))? {
            outcomes.push(told);
        }
    }
    Ok(reply(op, &outcomes))
}

/// Loan events, in as many commands as they need: each stands for itself.
fn loan_events(ledger: &Ledger, op: &str, events: Vec<LoanEvent>) -> Result<String, Fault> {
    let mut outcomes = Vec::with_capacity(events.len());
    let mut events = events.into_iter();
    while events.len() > 0 {
        let orders = events.by_ref().take(ORDERS_MAX).map(LoanEvent::order).collect();
        if let LoanReply::Orders(told) = ledger.loans(&LoanCommand::Orders(orders))? {
            outcomes.extend(told);
        }
    }
    Ok(reply(op, &outcomes))
}

/// The end of a day, chunk after chunk until it is closed or refused.
fn day_end(ledger: &Ledger, op: &str, through: BusinessDate) -> Result<String, Fault> {
    let mut loans = 0_u32;
    loop {
        let LoanReply::DayEnd(mut step) = ledger.loans(&LoanCommand::DayEnd { through, loans_max: 0 })?
        else {
            return Ok(reply::<Stamp>(op, &[]));
        };
        loans = loans.saturating_add(step.loans);
        if step.is_done {
            step.loans = loans;
            return Ok(reply(op, &[step]));
        }
    }
}
