//! Events written field by field, for the scripts that walk the rules in checking order. Fields have the names that
//! they have in `fen exec`; amounts are in minor units.

use crate::names::Names;
use crate::time;
use fen_book::{
    Account, AccountFlags, AccountOpening, Amount, Code, LedgerCode, Stamp, TimeoutSeconds, Transfer,
    TransferFlags,
};

/// What a word such as `now` refers to.
pub(crate) struct Moments<'a> {
    /// The ledger's clock before the event.
    pub(crate) now: Stamp,
    /// The stamp of a record by its name.
    pub(crate) of: &'a dyn Fn(&str) -> Option<Stamp>,
}

/// Sets one field of an opening: of its account, or of what it says more.
pub(crate) fn set_opening(
    opening: &mut AccountOpening,
    field: &str,
    value: &str,
    names: &mut Names,
    moments: &Moments<'_>,
) -> Result<(), String> {
    match field {
        "limit" => opening.limit = Amount::new(number_or_max(value)?),
        "opening_debit" => opening.opening_debit = Amount::new(number_or_max(value)?),
        "opening_credit" => opening.opening_credit = Amount::new(number_or_max(value)?),
        "contra_account_id" => opening.contra_account_id = names.account(value),
        "transfer_id" => opening.transfer_id = names.transfer(value),
        "opening_reserved" => opening.reserved[0] = number(value)?,
        _ => set_account(&mut opening.account, field, value, names, moments)?,
    }
    Ok(())
}

/// Sets one field of an account.
fn set_account(
    account: &mut Account,
    field: &str,
    value: &str,
    names: &mut Names,
    moments: &Moments<'_>,
) -> Result<(), String> {
    match field {
        "id" => account.id = names.account(value),
        "debits_pending" => account.debits_pending = Amount::new(number_or_max(value)?),
        "debits_posted" => account.debits_posted = Amount::new(number_or_max(value)?),
        "credits_pending" => account.credits_pending = Amount::new(number_or_max(value)?),
        "credits_posted" => account.credits_posted = Amount::new(number_or_max(value)?),
        "user_data_128" => account.user_data_128 = number(value)?,
        "user_data_64" => account.user_data_64 = number(value)?,
        "user_data_32" => account.user_data_32 = number(value)?,
        "reserved" => account.reserved = number(value)?,
        "ledger" => account.ledger = LedgerCode::new(number(value)?),
        "code" => account.code = Code::new(number(value)?),
        "flags" => {
            let named = |name: &str| AccountFlags::NAMES.iter().find(|(flag, _)| *flag == name);
            let bits = flags(value, |name| named(name).map(|(_, flag)| flag.bits()))?;
            account.flags = AccountFlags::from_bits(bits);
        }
        "timestamp" => account.timestamp = stamp(value, moments)?,
        _ => return Err(format!("an account has no field `{field}`")),
    }
    Ok(())
}

/// Sets one field of a transfer.
pub(crate) fn set_transfer(
    transfer: &mut Transfer,
    field: &str,
    value: &str,
    names: &mut Names,
    moments: &Moments<'_>,
) -> Result<(), String> {
    match field {
        "id" => transfer.id = names.transfer(value),
        "debit_account_id" => transfer.debit_account_id = names.account(value),
        "credit_account_id" => transfer.credit_account_id = names.account(value),
        "amount" => transfer.amount = Amount::new(number_or_max(value)?),
        "pending_id" => transfer.pending_id = names.transfer(value),
        "user_data_128" => transfer.user_data_128 = number(value)?,
        "user_data_64" => transfer.user_data_64 = number(value)?,
        "user_data_32" => transfer.user_data_32 = number(value)?,
        "timeout" => transfer.timeout = TimeoutSeconds::new(number(value)?),
        "ledger" => transfer.ledger = LedgerCode::new(number(value)?),
        "code" => transfer.code = Code::new(number(value)?),
        "flags" => {
            let named = |name: &str| TransferFlags::NAMES.iter().find(|(flag, _)| *flag == name);
            let bits = flags(value, |name| named(name).map(|(_, flag)| flag.bits()))?;
            transfer.flags = TransferFlags::from_bits(bits);
        }
        "timestamp" => transfer.timestamp = stamp(value, moments)?,
        _ => return Err(format!("a transfer has no field `{field}`")),
    }
    Ok(())
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("`{text}` is no number in range"))
}

fn number_or_max(text: &str) -> Result<u128, String> {
    if text == "max" { Ok(u128::MAX) } else { number(text) }
}

/// "pending|linked", "none", or with bits that have no name: "pending|bit15".
fn flags(text: &str, bits_of: impl Fn(&str) -> Option<u16>) -> Result<u16, String> {
    let mut bits = 0;
    for name in text.split('|').filter(|name| *name != "none") {
        let unnamed = || name.strip_prefix("bit")?.parse().ok().and_then(|bit| 1_u16.checked_shl(bit));
        bits |= bits_of(name).or_else(unnamed).ok_or_else(|| format!("there is no flag `{name}`"))?;
    }
    Ok(bits)
}

/// "0", "now", "now-5", "now+1", the name of a record (its stamp) with the same, a day, or a bare number.
fn stamp(text: &str, moments: &Moments<'_>) -> Result<Stamp, String> {
    if let Ok(number) = text.parse() {
        return Ok(Stamp::new(number));
    }
    if let Ok(moment) = time::moment(text) {
        return Ok(moment);
    }
    let of = |name: &str| if name == "now" { Some(moments.now) } else { (moments.of)(name) };
    let unknown = || format!("`{text}` is no moment: neither a day nor the name of a record");
    if let Some(base) = of(text) {
        return Ok(base);
    }
    let at = text.rfind(['+', '-']).ok_or_else(unknown)?;
    let (name, shift) = text.split_at(at);
    let shift: i64 = number(shift)?;
    let base = of(name).ok_or_else(unknown)?;
    Ok(Stamp::new(base.get().checked_add_signed(shift).ok_or_else(unknown)?))
}
