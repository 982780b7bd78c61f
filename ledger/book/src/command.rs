//! What the log carries to the book, and what the book answers.

use crate::account::{Account, Balances};
use crate::quantity::{AccountId, Amount, Stamp, TransferId};
use crate::status::{CreateAccountStatus, CreateTransferStatus};
use crate::transfer::Transfer;

/// The most events in one command: 1 MiB of records less one header, as in the protocol that Fen's users know.
pub const EVENTS_MAX: usize = 8_189;

/// One entry of the log, decoded. `stamp` (given beside it) is that of its last event: event `i` of `n` bears
/// `stamp - n + 1 + i`, so stamps rise in event order and no two events share one.
#[derive(Clone, Copy, Debug)]
pub enum Command<'a> {
    /// Opens accounts; answered by [`Reply::Accounts`].
    CreateAccounts(&'a [Account]),
    /// Posts transfers; answered by [`Reply::Transfers`].
    CreateTransfers(&'a [Transfer]),
    /// Changes nothing but what the passing of time changes (expiries); answered by [`Reply::Done`].
    Pulse,
}

impl Command<'_> {
    /// How many events it holds, and so how many stamps it takes.
    pub fn event_count(&self) -> usize {
        match self {
            Command::CreateAccounts(events) => events.len(),
            Command::CreateTransfers(events) => events.len(),
            Command::Pulse => 0,
        }
    }
}

/// The answer to one event: when it was posted (of the first time, for `exists`), or when it was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outcome<S> {
    /// See above.
    pub timestamp: Stamp,
    /// Why.
    pub status: S,
}

/// The answers to a command, in the order of its events.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reply {
    /// To [`Command::CreateAccounts`].
    Accounts(Vec<Outcome<CreateAccountStatus>>),
    /// To [`Command::CreateTransfers`].
    Transfers(Vec<Outcome<CreateTransferStatus>>),
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
