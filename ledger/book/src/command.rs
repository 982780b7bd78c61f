//! What the log carries to the book, and what the book answers.

use crate::account::{Account, Balances};
use crate::batches::{BatchOrder, BatchReply};
use crate::loan::command::{LoanCommand, LoanReply, ORDERS_MAX};
use crate::opening::{AccountOpening, ChainEnd, LimitChange};
use crate::quantity::{AccountId, Amount, Stamp, TransferId};
use crate::status::{CreateAccountStatus, CreateTransferStatus, SetLimitStatus};
use crate::transfer::Transfer;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The most events in one command: 1 MiB of records less one header, as in the protocol that Fen's users know.
pub const EVENTS_MAX: usize = 8_189;

/// The most chains that one command ends: each may have as many members as a command has events.
pub const CHAIN_ENDS_MAX: usize = 64;

/// One entry of the log, decoded. `stamp` (given beside it) is that of its last event: event `i` of `n` bears
/// `stamp - n + 1 + i`, so stamps rise in event order and no two events share one. Commands whose events make
/// several records take several stamps an event; see [`Command::stamp_count`].
#[derive(Clone, Copy, Debug)]
pub enum Command<'a> {
    /// Opens accounts; answered by [`Reply::Accounts`].
    CreateAccounts(&'a [Account]),
    /// Posts transfers; answered by [`Reply::Transfers`].
    CreateTransfers(&'a [Transfer]),
    /// As [`Command::CreateTransfers`]; answered by [`Reply::Receipts`], with the balances after each.
    CreateTransfersWithBalances(&'a [Transfer]),
    /// Opens accounts with limits and opening balances; answered by [`Reply::Openings`].
    OpenAccounts(&'a [AccountOpening]),
    /// Changes accounts' limits; answered by [`Reply::Limits`].
    SetLimits(&'a [LimitChange]),
    /// Posts or voids whole chains of pending transfers; answered by [`Reply::ChainEnds`].
    EndChains(&'a [ChainEnd]),
    /// Products, loan events and day-end, as [`LoanCommand`] encodes them: their
    /// terms have no fixed size. Answered by [`Reply::Loans`].
    Loans(&'a [u8]),
    /// An order to the registry of payment files, as [`BatchOrder`] encodes it. Answered by [`Reply::Batch`].
    Batch(&'a [u8]),
    /// Changes nothing but what the passing of time changes (expiries); answered by [`Reply::Done`].
    Pulse,
}

/// What a command's kind is called in the log, numbered for ever. Numbers from 256 on are never the book's.
pub mod kind {
    /// Nothing but the passing of time.
    pub const PULSE: u16 = 0;
    /// Opens accounts.
    pub const CREATE_ACCOUNTS: u16 = 1;
    /// Posts transfers.
    pub const CREATE_TRANSFERS: u16 = 2;
    /// Posts transfers, answered with balances.
    pub const CREATE_TRANSFERS_WITH_BALANCES: u16 = 3;
    /// Opens accounts with limits and opening balances.
    pub const OPEN_ACCOUNTS: u16 = 4;
    /// Changes accounts' limits.
    pub const SET_LIMITS: u16 = 5;
    /// Posts or voids whole chains.
    pub const END_CHAINS: u16 = 6;
    /// Products, loans, day-end.
    pub const LOANS: u16 = 7;
    /// Orders of files of payments and loans.
    pub const BATCH: u16 = 8;
}

impl<'a> Command<'a> {
    /// The command as the log keeps it: its kind, and its events' bytes as they came.
    pub fn encode(&self) -> (u16, &'a [u8]) {
        match self {
            Command::Pulse => (kind::PULSE, &[]),
            Command::CreateAccounts(events) => (kind::CREATE_ACCOUNTS, events.as_bytes()),
            Command::CreateTransfers(events) => (kind::CREATE_TRANSFERS, events.as_bytes()),
            Command::CreateTransfersWithBalances(events) => {
                (kind::CREATE_TRANSFERS_WITH_BALANCES, events.as_bytes())
            }
            Command::OpenAccounts(events) => (kind::OPEN_ACCOUNTS, events.as_bytes()),
            Command::SetLimits(events) => (kind::SET_LIMITS, events.as_bytes()),
            Command::EndChains(events) => (kind::END_CHAINS, events.as_bytes()),
            Command::Loans(body) => (kind::LOANS, body),
            Command::Batch(body) => (kind::BATCH, body),
        }
    }

    /// The command that [`Command::encode`] made. `body` must be aligned to 16 bytes.
    ///
    /// # Errors
    /// In words, where kind and body are no command of this release.
    pub fn decode(number: u16, body: &'a [u8]) -> Result<Self, String> {
        let command = match number {
            kind::PULSE if body.is_empty() => Command::Pulse,
            kind::CREATE_ACCOUNTS => Command::CreateAccounts(events_in(body)?),
            kind::CREATE_TRANSFERS => Command::CreateTransfers(events_in(body)?),
            kind::CREATE_TRANSFERS_WITH_BALANCES => Command::CreateTransfersWithBalances(events_in(body)?),
            kind::OPEN_ACCOUNTS => Command::OpenAccounts(events_in(body)?),
            kind::SET_LIMITS => Command::SetLimits(events_in(body)?),
            kind::END_CHAINS => Command::EndChains(events_in(body)?),
            kind::LOANS => {
                LoanCommand::decode(body)?;
                Command::Loans(body)
            }
            kind::BATCH => {
                BatchOrder::decode(body)?;
                Command::Batch(body)
            }
            _ => {
                return Err(format!("kind {number} with {} bytes is no command of this release", body.len()));
            }
        };
        let (count, max) = (command.event_count(), command.event_count_max());
        if count > max {
            return Err(format!("{count} events in one command; at most {max} are allowed"));
        }
        Ok(command)
    }

    /// How many events it holds.
    pub fn event_count(&self) -> usize {
        match self {
            Command::CreateAccounts(events) => events.len(),
            Command::CreateTransfers(events) | Command::CreateTransfersWithBalances(events) => events.len(),
            Command::OpenAccounts(events) => events.len(),
            Command::SetLimits(events) => events.len(),
            Command::EndChains(events) => events.len(),
            Command::Loans(body) => LoanCommand::counts(body).0,
            Command::Batch(_) => 1,
            Command::Pulse => 0,
        }
    }

    /// How many events it may hold, so that its bytes fit an entry of the log and its stamps a moment.
    pub const fn event_count_max(&self) -> usize {
        match self {
            Command::OpenAccounts(_) => EVENTS_MAX / 2,
            Command::EndChains(_) => CHAIN_ENDS_MAX,
            Command::Loans(_) => ORDERS_MAX,
            Command::Batch(_) => 1,
            Command::CreateAccounts(_)
            | Command::CreateTransfers(_)
            | Command::CreateTransfersWithBalances(_)
            | Command::SetLimits(_)
            | Command::Pulse => EVENTS_MAX,
        }
    }

    /// How many stamps it takes: one for each record that it can make.
    pub fn stamp_count(&self) -> usize {
        match self {
            Command::OpenAccounts(events) => events.len().saturating_mul(2),
            Command::EndChains(events) => events.len().saturating_mul(EVENTS_MAX),
            Command::Loans(body) => LoanCommand::counts(body).1,
            Command::CreateAccounts(_)
            | Command::CreateTransfers(_)
            | Command::CreateTransfersWithBalances(_)
            | Command::SetLimits(_)
            | Command::Batch(_)
            | Command::Pulse => self.event_count(),
        }
    }
}

fn events_in<T: FromBytes + Immutable + KnownLayout>(body: &[u8]) -> Result<&[T], String> {
    <[T]>::ref_from_bytes(body).map_err(|_| {
        format!("{} bytes are no whole number of aligned {}-byte records", body.len(), size_of::<T>())
    })
}

/// The answer to one event: when it was posted (of the first time, for `exists`), or when it was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outcome<S> {
    /// See above.
    pub timestamp: Stamp,
    /// Why.
    pub status: S,
}

/// The answer to a transfer, with what its accounts held right after it; refused, what they hold is not told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Receipt {
    /// As without balances.
    pub outcome: Outcome<CreateTransferStatus>,
    /// Of the debit account.
    pub debit: Option<Balances>,
    /// Of the credit account.
    pub credit: Option<Balances>,
}

/// The answer to an opening: the account's, and why its opening balance was refused, where it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OpeningStatus {
    /// [`CreateAccountStatus::OpeningBalanceRefused`] where the transfer is why.
    pub account: CreateAccountStatus,
    /// Why.
    pub transfer: Option<CreateTransferStatus>,
}

/// The answer to the end of a chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ChainOutcome {
    /// Created, or the first refusal among the members; then none of them was ended.
    pub outcome: Outcome<CreateTransferStatus>,
    /// How many pending transfers were ended.
    pub members: u32,
}

/// The answers to a command, in the order of its events.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reply {
    /// To [`Command::CreateAccounts`].
    Accounts(Vec<Outcome<CreateAccountStatus>>),
    /// To [`Command::CreateTransfers`].
    Transfers(Vec<Outcome<CreateTransferStatus>>),
    /// To [`Command::CreateTransfersWithBalances`].
    Receipts(Vec<Receipt>),
    /// To [`Command::OpenAccounts`].
    Openings(Vec<Outcome<OpeningStatus>>),
    /// To [`Command::SetLimits`].
    Limits(Vec<Outcome<SetLimitStatus>>),
    /// To [`Command::EndChains`].
    ChainEnds(Vec<ChainOutcome>),
    /// To [`Command::Loans`].
    Loans(LoanReply),
    /// To [`Command::Batch`].
    Batch(BatchReply),
    /// To a command that asks for no answer.
    Done,
}

/// Which entries of one account are asked for. Zero in a field is no test; tests are joined by AND.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct AccountFilter {
    /// Zero or the largest id finds nothing.
    pub account_id: AccountId,
    /// The client's own.
    pub user_data_128: u128,
    /// The client's own.
    pub user_data_64: u64,
    /// The client's own.
    pub user_data_32: u32,
    /// The transfer's code.
    pub code: u16,
    /// Inclusive; zero is none.
    pub timestamp_min: Stamp,
    /// Inclusive; zero is none.
    pub timestamp_max: Stamp,
    /// At most so many; zero finds nothing.
    pub limit: u32,
    /// Entries that debit the account.
    pub debits: bool,
    /// Entries that credit the account.
    pub credits: bool,
    /// Newest first.
    pub reversed: bool,
}

/// Which accounts or transfers are asked for. Zero in a field is no test; tests are joined by AND.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct QueryFilter {
    /// The client's own.
    pub user_data_128: u128,
    /// The client's own.
    pub user_data_64: u64,
    /// The client's own.
    pub user_data_32: u32,
    /// Currency or asset.
    pub ledger: u32,
    /// The record's code.
    pub code: u16,
    /// Inclusive; zero is none.
    pub timestamp_min: Stamp,
    /// Inclusive; zero is none.
    pub timestamp_max: Stamp,
    /// At most so many; zero finds nothing.
    pub limit: u32,
    /// Newest first.
    pub reversed: bool,
}

/// The balances of an account right after one of its entries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BalanceLine {
    /// The entry's stamp.
    pub timestamp: Stamp,
    /// After it.
    pub balances: Balances,
}

/// An open pending transfer, as an account's holder would see it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OpenPending {
    /// The transfer that reserves.
    pub id: TransferId,
    /// How much.
    pub amount: Amount,
    /// When it expires; zero is never.
    pub expires_at: Stamp,
}
