//! The rows of exports: what each holds, in order, as texts. None of them needs quotes in CSV.
//!
//! Amounts are whole numbers of minor units. Ids and `user_data_128` have 128 bits, more than most tools' integers: they
//! are decimal texts, as in all of Fen's JSON. On a cluster a record's number is its shard's; a ledger in a directory is
//! shard 0.

use super::date;
use fen_book::Account;
use fen_ledger::export::{ExportLine, RecordKind};

/// What a row of transfers holds.
pub const TRANSFER_COLUMNS: [&str; 18] = [
    "number",
    "id",
    "kind",
    "debit_account_id",
    "credit_account_id",
    "amount",
    "ledger",
    "code",
    "booked_on",
    "value_on",
    "timestamp",
    "pending_id",
    "timeout",
    "user_data_128",
    "user_data_64",
    "user_data_32",
    "flags",
    "shard",
];

/// What a row of accounts holds.
pub const ACCOUNT_COLUMNS: [&str; 12] = [
    "id",
    "ledger",
    "code",
    "debits_posted",
    "credits_posted",
    "debits_pending",
    "credits_pending",
    "timestamp",
    "user_data_128",
    "user_data_64",
    "user_data_32",
    "flags",
];

/// What a record does, as it is written.
pub fn kind(line: &ExportLine) -> &'static str {
    RecordKind::of(&line.record).name()
}

/// A record's row.
pub fn transfer(shard: u32, line: &ExportLine) -> [String; TRANSFER_COLUMNS.len()] {
    let record = &line.record;
    [
        line.number.to_string(),
        record.id.to_string(),
        kind(line).to_owned(),
        record.debit_account_id.to_string(),
        record.credit_account_id.to_string(),
        record.amount.get().to_string(),
        record.ledger.get().to_string(),
        record.code.get().to_string(),
        date(line.booked_on),
        date(line.value_on),
        record.timestamp.get().to_string(),
        record.pending_id.to_string(),
        record.timeout.get().to_string(),
        record.user_data_128.to_string(),
        record.user_data_64.to_string(),
        record.user_data_32.to_string(),
        record.flags.bits().to_string(),
        shard.to_string(),
    ]
}

/// An account's row.
pub fn account(account: &Account) -> [String; ACCOUNT_COLUMNS.len()] {
    [
        account.id.to_string(),
        account.ledger.get().to_string(),
        account.code.get().to_string(),
        account.debits_posted.get().to_string(),
        account.credits_posted.get().to_string(),
        account.debits_pending.get().to_string(),
        account.credits_pending.get().to_string(),
        account.timestamp.get().to_string(),
        account.user_data_128.to_string(),
        account.user_data_64.to_string(),
        account.user_data_32.to_string(),
        account.flags.bits().to_string(),
    ]
}
