//! The records of commands: accounts, transfers, changes of limits, ends of chains.

use crate::{Json, Path, Wrong, id, integer, list, money, object, required, text, unknown_field};
use fen_book::{
    Account, AccountFlags, AccountId, AccountOpening, Amount, ChainEnd, Code, LedgerCode, LimitChange, Stamp,
    TimeoutSeconds, Transfer, TransferFlags, TransferId,
};

/// An event of `create_accounts`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AccountEvent {
    /// A bare account.
    Plain(Account),
    /// One with a limit, an opening balance, or both.
    Opening(AccountOpening),
}

impl AccountEvent {
    /// As it is sent beside others that have more than a bare account.
    pub fn into_opening(self) -> AccountOpening {
        match self {
            Self::Plain(account) => AccountOpening { account, ..AccountOpening::default() },
            Self::Opening(opening) => opening,
        }
    }
}

const ACCOUNT_FIELDS: [&str; 14] = [
    "id",
    "debits_pending",
    "debits_posted",
    "credits_pending",
    "credits_posted",
    "user_data_128",
    "user_data_64",
    "user_data_32",
    "ledger",
    "code",
    "flags",
    "timestamp",
    "limit",
    "opening_balance",
];

/// An event of `create_accounts`.
pub fn account(json: &Json, path: &Path) -> Result<AccountEvent, Wrong> {
    let mut opening = AccountOpening::default();
    let mut is_plain = true;
    for (name, value) in object(json, path)? {
        let at = path.field(name);
        match name.as_ref() {
            "id" => opening.account.id = AccountId::new(id(value, &at)?),
            "debits_pending" => opening.account.debits_pending = Amount::new(integer(value, &at)?),
            "debits_posted" => opening.account.debits_posted = Amount::new(integer(value, &at)?),
            "credits_pending" => opening.account.credits_pending = Amount::new(integer(value, &at)?),
            "credits_posted" => opening.account.credits_posted = Amount::new(integer(value, &at)?),
            "user_data_128" => opening.account.user_data_128 = integer(value, &at)?,
            "user_data_64" => opening.account.user_data_64 = integer(value, &at)?,
            "user_data_32" => opening.account.user_data_32 = integer(value, &at)?,
            "ledger" => opening.account.ledger = LedgerCode::new(integer(value, &at)?),
            "code" => opening.account.code = Code::new(integer(value, &at)?),
            "flags" => {
                opening.account.flags =
                    flags(value, &at, AccountFlags::NONE, &AccountFlags::NAMES, AccountFlags::with)?;
            }
            "timestamp" => opening.account.timestamp = Stamp::new(integer(value, &at)?),
            "limit" => {
                is_plain = false;
                opening.limit = Amount::new(integer(value, &at)?);
            }
            "opening_balance" => {
                is_plain = false;
                opening_balance(value, &at, &mut opening)?;
            }
            _ => return Err(unknown_field(&at, &ACCOUNT_FIELDS)),
        }
    }
    Ok(if is_plain { AccountEvent::Plain(opening.account) } else { AccountEvent::Opening(opening) })
}

const OPENING_BALANCE_FIELDS: [&str; 4] = ["side", "amount", "contra_account_id", "transfer_id"];

fn opening_balance(json: &Json, path: &Path, opening: &mut AccountOpening) -> Result<(), Wrong> {
    let mut side = None;
    let mut amount = Amount::ZERO;
    for (name, value) in object(json, path)? {
        let at = path.field(name);
        match name.as_ref() {
            "side" => side = Some(text(value, &at)?),
            "amount" => amount = Amount::new(integer(value, &at)?),
            "contra_account_id" => opening.contra_account_id = AccountId::new(id(value, &at)?),
            "transfer_id" => opening.transfer_id = TransferId::new(id(value, &at)?),
            _ => return Err(unknown_field(&at, &OPENING_BALANCE_FIELDS)),
        }
    }
    match required(side, path, "side")? {
        "debit" => opening.opening_debit = amount,
        "credit" => opening.opening_credit = amount,
        _ => return Err(path.field("side").wrong("must be debit or credit")),
    }
    Ok(())
}

const TRANSFER_FIELDS: [&str; 13] = [
    "id",
    "debit_account_id",
    "credit_account_id",
    "amount",
    "pending_id",
    "user_data_128",
    "user_data_64",
    "user_data_32",
    "timeout",
    "ledger",
    "code",
    "flags",
    "timestamp",
];

/// An event of `create_transfers`.
pub fn transfer(json: &Json, path: &Path) -> Result<Transfer, Wrong> {
    let mut transfer = Transfer::default();
    for (name, value) in object(json, path)? {
        let at = path.field(name);
        match name.as_ref() {
            "id" => transfer.id = TransferId::new(id(value, &at)?),
            "debit_account_id" => transfer.debit_account_id = AccountId::new(id(value, &at)?),
            "credit_account_id" => transfer.credit_account_id = AccountId::new(id(value, &at)?),
            "amount" => transfer.amount = Amount::new(money(value, &at)?),
            "pending_id" => transfer.pending_id = TransferId::new(id(value, &at)?),
            "user_data_128" => transfer.user_data_128 = integer(value, &at)?,
            "user_data_64" => transfer.user_data_64 = integer(value, &at)?,
            "user_data_32" => transfer.user_data_32 = integer(value, &at)?,
            "timeout" => transfer.timeout = TimeoutSeconds::new(integer(value, &at)?),
            "ledger" => transfer.ledger = LedgerCode::new(integer(value, &at)?),
            "code" => transfer.code = Code::new(integer(value, &at)?),
            "flags" => {
                transfer.flags =
                    flags(value, &at, TransferFlags::NONE, &TransferFlags::NAMES, TransferFlags::with)?;
            }
            "timestamp" => transfer.timestamp = Stamp::new(integer(value, &at)?),
            _ => return Err(unknown_field(&at, &TRANSFER_FIELDS)),
        }
    }
    Ok(transfer)
}

/// An event of `set_limits`.
pub fn limit_change(json: &Json, path: &Path) -> Result<LimitChange, Wrong> {
    let mut change = LimitChange::default();
    for (name, value) in object(json, path)? {
        let at = path.field(name);
        match name.as_ref() {
            "account_id" => change.account_id = AccountId::new(id(value, &at)?),
            "limit" => change.limit = Amount::new(integer(value, &at)?),
            _ => return Err(unknown_field(&at, &["account_id", "limit"])),
        }
    }
    Ok(change)
}

/// An event of `post_pending_chains` or `void_pending_chains`.
pub fn chain_end(json: &Json, path: &Path, flags: TransferFlags) -> Result<ChainEnd, Wrong> {
    let mut end = ChainEnd { flags, ..ChainEnd::default() };
    for (name, value) in object(json, path)? {
        let at = path.field(name);
        match name.as_ref() {
            "id" => end.id = TransferId::new(id(value, &at)?),
            "pending_id" => end.pending_id = TransferId::new(id(value, &at)?),
            _ => return Err(unknown_field(&at, &["id", "pending_id"])),
        }
    }
    Ok(end)
}

/// A list of names as a flag word; naming a flag twice sets it once.
fn flags<F: Copy>(
    json: &Json,
    path: &Path,
    none: F,
    names: &[(&'static str, F)],
    with: impl Fn(F, F) -> F,
) -> Result<F, Wrong> {
    let mut word = none;
    for (index, value) in list(json, path)?.iter().enumerate() {
        let at = path.element(index);
        let name = text(value, &at)?;
        let Some((_, flag)) = names.iter().find(|(known, _)| *known == name) else {
            let known: Vec<&str> = names.iter().map(|(known, _)| *known).collect();
            return Err(at.wrong(format!("is no flag here; known are {}", known.join(", "))));
        };
        word = with(word, *flag);
    }
    Ok(word)
}
