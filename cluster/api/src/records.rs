//! The protocol's messages as the book's records, and back. Nothing is judged here: what a field may hold is for
//! the book to say, with a status. Only what does not fit a record's field at all is refused.

use crate::wire;
use bytes::{BufMut, Bytes, BytesMut};
use fen_book::{
    Account, AccountFilter, AccountFlags, AccountId, AccountOpening, Amount, BalanceLine, Balances, ChainEnd,
    Code, CreateAccountStatus, CreateTransferStatus, LedgerCode, LimitChange, OpenPending, Position,
    QueryFilter, Stamp, TimeoutSeconds, Transfer, TransferFlags, TransferId,
};
use zerocopy::{FromBytes, IntoBytes};

/// Bytes of a record.
pub const RECORD_BYTES: usize = 128;
/// Bytes of a result.
pub const RESULT_BYTES: usize = 16;

/// Both halves as one.
pub fn wide(value: Option<wire::Uint128>) -> u128 {
    let value = value.unwrap_or_default();
    u128::from(value.high) << 64 | u128::from(value.low)
}

/// One in two halves; absent where it is zero.
pub fn halves(value: u128) -> Option<wire::Uint128> {
    let bytes = value.to_le_bytes();
    let (low, high) = bytes.split_at(8);
    let half = |half: &[u8]| u64::from_le_bytes(half.try_into().expect("half of 16 bytes is 8"));
    (value != 0).then(|| wire::Uint128 { high: half(high), low: half(low) })
}

fn short(value: u32, field: &'static str) -> Result<u16, String> {
    u16::try_from(value).map_err(|_| format!("{field} is {value}; the largest is 65535"))
}

/// An account's message as its record.
pub fn account(message: &wire::Account) -> Result<Account, String> {
    Ok(Account {
        id: AccountId::new(wide(message.id)),
        debits_pending: Amount::new(wide(message.debits_pending)),
        debits_posted: Amount::new(wide(message.debits_posted)),
        credits_pending: Amount::new(wide(message.credits_pending)),
        credits_posted: Amount::new(wide(message.credits_posted)),
        user_data_128: wide(message.user_data_128),
        user_data_64: message.user_data_64,
        user_data_32: message.user_data_32,
        reserved: 0,
        ledger: LedgerCode::new(message.ledger),
        code: Code::new(short(message.code, "code")?),
        flags: AccountFlags::from_bits(short(message.flags, "flags")?),
        timestamp: Stamp::new(message.timestamp),
    })
}

/// An account's record as its message.
pub fn account_message(account: &Account) -> wire::Account {
    wire::Account {
        id: halves(account.id.get()),
        debits_pending: halves(account.debits_pending.get()),
        debits_posted: halves(account.debits_posted.get()),
        credits_pending: halves(account.credits_pending.get()),
        credits_posted: halves(account.credits_posted.get()),
        user_data_128: halves(account.user_data_128),
        user_data_64: account.user_data_64,
        user_data_32: account.user_data_32,
        ledger: account.ledger.get(),
        code: u32::from(account.code.get()),
        flags: u32::from(account.flags.bits()),
        timestamp: account.timestamp.get(),
    }
}

/// A transfer's message as its record.
pub fn transfer(message: &wire::Transfer) -> Result<Transfer, String> {
    Ok(Transfer {
        id: TransferId::new(wide(message.id)),
        debit_account_id: AccountId::new(wide(message.debit_account_id)),
        credit_account_id: AccountId::new(wide(message.credit_account_id)),
        amount: Amount::new(wide(message.amount)),
        pending_id: TransferId::new(wide(message.pending_id)),
        user_data_128: wide(message.user_data_128),
        user_data_64: message.user_data_64,
        user_data_32: message.user_data_32,
        timeout: TimeoutSeconds::new(message.timeout),
        ledger: LedgerCode::new(message.ledger),
        code: Code::new(short(message.code, "code")?),
        flags: TransferFlags::from_bits(short(message.flags, "flags")?),
        timestamp: Stamp::new(message.timestamp),
    })
}

/// A transfer's record as its message.
pub fn transfer_message(transfer: &Transfer) -> wire::Transfer {
    wire::Transfer {
        id: halves(transfer.id.get()),
        debit_account_id: halves(transfer.debit_account_id.get()),
        credit_account_id: halves(transfer.credit_account_id.get()),
        amount: halves(transfer.amount.get()),
        pending_id: halves(transfer.pending_id.get()),
        user_data_128: halves(transfer.user_data_128),
        user_data_64: transfer.user_data_64,
        user_data_32: transfer.user_data_32,
        timeout: transfer.timeout.get(),
        ledger: transfer.ledger.get(),
        code: u32::from(transfer.code.get()),
        flags: u32::from(transfer.flags.bits()),
        timestamp: transfer.timestamp.get(),
    }
}

/// A filter's message as the book reads it.
pub fn account_filter(message: &wire::AccountFilter) -> Result<AccountFilter, String> {
    Ok(AccountFilter {
        account_id: AccountId::new(wide(message.account_id)),
        user_data_128: wide(message.user_data_128),
        user_data_64: message.user_data_64,
        user_data_32: message.user_data_32,
        code: short(message.code, "code")?,
        timestamp_min: Stamp::new(message.timestamp_min),
        timestamp_max: Stamp::new(message.timestamp_max),
        limit: message.limit,
        debits: message.debits,
        credits: message.credits,
        reversed: message.reversed,
    })
}

/// A filter as its message.
pub fn account_filter_message(filter: &AccountFilter) -> wire::AccountFilter {
    wire::AccountFilter {
        account_id: halves(filter.account_id.get()),
        user_data_128: halves(filter.user_data_128),
        user_data_64: filter.user_data_64,
        user_data_32: filter.user_data_32,
        code: u32::from(filter.code),
        timestamp_min: filter.timestamp_min.get(),
        timestamp_max: filter.timestamp_max.get(),
        limit: filter.limit,
        debits: filter.debits,
        credits: filter.credits,
        reversed: filter.reversed,
    }
}

/// A balance line as its message.
pub fn balance_message(line: &BalanceLine) -> wire::BalanceLine {
    wire::BalanceLine {
        timestamp: line.timestamp.get(),
        debits_pending: halves(line.balances.debits_pending.get()),
        debits_posted: halves(line.balances.debits_posted.get()),
        credits_pending: halves(line.balances.credits_pending.get()),
        credits_posted: halves(line.balances.credits_posted.get()),
    }
}

/// A balance line's message, read.
pub fn balance_line(message: &wire::BalanceLine) -> BalanceLine {
    BalanceLine {
        timestamp: Stamp::new(message.timestamp),
        balances: Balances {
            debits_pending: Amount::new(wide(message.debits_pending)),
            debits_posted: Amount::new(wide(message.debits_posted)),
            credits_pending: Amount::new(wide(message.credits_pending)),
            credits_posted: Amount::new(wide(message.credits_posted)),
        },
    }
}

/// An open pending transfer as its message.
pub fn pending_message(pending: &OpenPending) -> wire::OpenPending {
    wire::OpenPending {
        id: halves(pending.id.get()),
        amount: halves(pending.amount.get()),
        expires_at: pending.expires_at.get(),
    }
}

/// An open pending transfer's message, read.
pub fn open_pending(message: &wire::OpenPending) -> OpenPending {
    OpenPending {
        id: TransferId::new(wide(message.id)),
        amount: Amount::new(wide(message.amount)),
        expires_at: Stamp::new(message.expires_at),
    }
}

/// A position as its message.
pub fn position_message(position: &Position) -> wire::Position {
    wire::Position {
        account: Some(account_message(&position.account)),
        pendings: position.pendings.iter().map(pending_message).collect(),
        limit: halves(position.limit.get()),
    }
}

/// A position's message, read; `None` where there is no such account.
pub fn position(message: &wire::Position) -> Result<Option<Position>, String> {
    let Some(found) = &message.account else { return Ok(None) };
    let pendings = message.pendings.iter().map(open_pending).collect();
    Ok(Some(Position { account: account(found)?, limit: Amount::new(wide(message.limit)), pendings }))
}

/// A filter's message as the book reads it.
pub fn query_filter(message: &wire::QueryFilter) -> Result<QueryFilter, String> {
    Ok(QueryFilter {
        user_data_128: wide(message.user_data_128),
        user_data_64: message.user_data_64,
        user_data_32: message.user_data_32,
        ledger: message.ledger,
        code: short(message.code, "code")?,
        timestamp_min: Stamp::new(message.timestamp_min),
        timestamp_max: Stamp::new(message.timestamp_max),
        limit: message.limit,
        reversed: message.reversed,
    })
}

/// A filter as its message.
pub fn query_filter_message(filter: &QueryFilter) -> wire::QueryFilter {
    wire::QueryFilter {
        user_data_128: halves(filter.user_data_128),
        user_data_64: filter.user_data_64,
        user_data_32: filter.user_data_32,
        ledger: filter.ledger,
        code: u32::from(filter.code),
        timestamp_min: filter.timestamp_min.get(),
        timestamp_max: filter.timestamp_max.get(),
        limit: filter.limit,
        reversed: filter.reversed,
    }
}

/// An opening's message as its record.
pub fn opening(message: &wire::AccountOpening) -> Result<AccountOpening, String> {
    let amount = |value| Amount::new(wide(value));
    Ok(AccountOpening {
        account: account(&message.account.unwrap_or_default())?,
        limit: amount(message.limit),
        opening_debit: amount(message.opening_debit),
        opening_credit: amount(message.opening_credit),
        contra_account_id: AccountId::new(wide(message.contra_account_id)),
        transfer_id: TransferId::new(wide(message.transfer_id)),
        reserved: [0; 3],
    })
}

/// An opening's record as its message.
pub fn opening_message(opening: &AccountOpening) -> wire::AccountOpening {
    wire::AccountOpening {
        account: Some(account_message(&opening.account)),
        limit: halves(opening.limit.get()),
        opening_debit: halves(opening.opening_debit.get()),
        opening_credit: halves(opening.opening_credit.get()),
        contra_account_id: halves(opening.contra_account_id.get()),
        transfer_id: halves(opening.transfer_id.get()),
    }
}

/// A change of a limit, its message as its record.
pub fn limit_change(message: &wire::LimitChange) -> LimitChange {
    LimitChange {
        account_id: AccountId::new(wide(message.account_id)),
        limit: Amount::new(wide(message.limit)),
    }
}

/// The end of a chain, its message as its record.
pub fn chain_end(message: &wire::ChainEnd) -> Result<ChainEnd, String> {
    Ok(ChainEnd {
        id: TransferId::new(wide(message.id)),
        pending_id: TransferId::new(wide(message.pending_id)),
        flags: TransferFlags::from_bits(short(message.flags, "flags")?),
        reserved: [0; 7],
    })
}

/// Accounts as packed bytes.
pub fn pack_accounts(accounts: &[Account]) -> Bytes {
    Bytes::copy_from_slice(accounts.as_bytes())
}

/// Transfers as packed bytes.
pub fn pack_transfers(transfers: &[Transfer]) -> Bytes {
    Bytes::copy_from_slice(transfers.as_bytes())
}

/// Packed accounts, read; `None` where the bytes are no whole number of records.
pub fn unpack_accounts(bytes: &[u8]) -> Option<Vec<Account>> {
    if !bytes.len().is_multiple_of(RECORD_BYTES) {
        return None;
    }
    bytes.chunks_exact(RECORD_BYTES).map(|record| Account::read_from_bytes(record).ok()).collect()
}

/// Packed transfers, read; `None` where the bytes are no whole number of records.
pub fn unpack_transfers(bytes: &[u8]) -> Option<Vec<Transfer>> {
    if !bytes.len().is_multiple_of(RECORD_BYTES) {
        return None;
    }
    bytes.chunks_exact(RECORD_BYTES).map(|record| Transfer::read_from_bytes(record).ok()).collect()
}

/// One result, as it is packed: when, and the status's number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PackedResult {
    /// The event's stamp, or the first one's for `exists`.
    pub timestamp: Stamp,
    /// The status's number.
    pub status: u16,
}

/// Adds a result to packed ones.
pub fn pack_result(into: &mut BytesMut, result: PackedResult) {
    into.put_u64_le(result.timestamp.get());
    into.put_u16_le(result.status);
    into.put_bytes(0, RESULT_BYTES - 10);
}

/// Packed results, read; `None` where the bytes are no whole number of results.
pub fn unpack_results(bytes: &[u8]) -> Option<Vec<PackedResult>> {
    if !bytes.len().is_multiple_of(RESULT_BYTES) {
        return None;
    }
    let result = |bytes: &[u8]| {
        let (timestamp, rest) = bytes.split_first_chunk::<8>()?;
        let (status, _zeros) = rest.split_first_chunk::<2>()?;
        let timestamp = Stamp::new(u64::from_le_bytes(*timestamp));
        Some(PackedResult { timestamp, status: u16::from_le_bytes(*status) })
    };
    bytes.chunks_exact(RESULT_BYTES).map(result).collect()
}

/// Packed results of accounts as messages.
pub fn account_results(results: &[PackedResult]) -> wire::Results {
    let name = |status| CreateAccountStatus::from_number(status).map(CreateAccountStatus::name);
    wire::Results { results: results.iter().map(|result| result_message(*result, name)).collect() }
}

/// Packed results of transfers as messages.
pub fn transfer_results(results: &[PackedResult]) -> wire::Results {
    let name = |status| CreateTransferStatus::from_number(status).map(CreateTransferStatus::name);
    wire::Results { results: results.iter().map(|result| result_message(*result, name)).collect() }
}

fn result_message(result: PackedResult, name: impl Fn(u16) -> Option<&'static str>) -> wire::Result {
    wire::Result {
        timestamp: result.timestamp.get(),
        status: u32::from(result.status),
        name: name(result.status).unwrap_or("unknown").to_owned(),
    }
}
