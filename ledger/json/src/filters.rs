//! What queries ask for.

use crate::{Json, Path, Wrong, boolean, id, integer, object, unknown_field};
use fen_book::{AccountFilter, AccountId, QueryFilter, Stamp};

const ACCOUNT_FILTER_FIELDS: [&str; 11] = [
    "account_id",
    "user_data_128",
    "user_data_64",
    "user_data_32",
    "code",
    "timestamp_min",
    "timestamp_max",
    "limit",
    "debits",
    "credits",
    "reversed",
];

/// `get_account_transfers`, `get_account_balances`
pub fn account_filter(json: &Json) -> Result<AccountFilter, Wrong> {
    let path = Path::Line.field("filter");
    let mut filter = AccountFilter::default();
    for (name, value) in object(json, &path)? {
        let at = path.field(name);
        match name.as_ref() {
            "account_id" => filter.account_id = AccountId::new(id(value, &at)?),
            "user_data_128" => filter.user_data_128 = integer(value, &at)?,
            "user_data_64" => filter.user_data_64 = integer(value, &at)?,
            "user_data_32" => filter.user_data_32 = integer(value, &at)?,
            "code" => filter.code = integer(value, &at)?,
            "timestamp_min" => filter.timestamp_min = Stamp::new(integer(value, &at)?),
            "timestamp_max" => filter.timestamp_max = Stamp::new(integer(value, &at)?),
            "limit" => filter.limit = integer(value, &at)?,
            "debits" => filter.debits = boolean(value, &at)?,
            "credits" => filter.credits = boolean(value, &at)?,
            "reversed" => filter.reversed = boolean(value, &at)?,
            _ => return Err(unknown_field(&at, &ACCOUNT_FILTER_FIELDS)),
        }
    }
    Ok(filter)
}

const QUERY_FILTER_FIELDS: [&str; 9] = [
    "user_data_128",
    "user_data_64",
    "user_data_32",
    "ledger",
    "code",
    "timestamp_min",
    "timestamp_max",
    "limit",
    "reversed",
];

/// `query_accounts`, `query_transfers`
pub fn query_filter(json: &Json) -> Result<QueryFilter, Wrong> {
    let path = Path::Line.field("filter");
    let mut filter = QueryFilter::default();
    for (name, value) in object(json, &path)? {
        let at = path.field(name);
        match name.as_ref() {
            "user_data_128" => filter.user_data_128 = integer(value, &at)?,
            "user_data_64" => filter.user_data_64 = integer(value, &at)?,
            "user_data_32" => filter.user_data_32 = integer(value, &at)?,
            "ledger" => filter.ledger = integer(value, &at)?,
            "code" => filter.code = integer(value, &at)?,
            "timestamp_min" => filter.timestamp_min = Stamp::new(integer(value, &at)?),
            "timestamp_max" => filter.timestamp_max = Stamp::new(integer(value, &at)?),
            "limit" => filter.limit = integer(value, &at)?,
            "reversed" => filter.reversed = boolean(value, &at)?,
            _ => return Err(unknown_field(&at, &QUERY_FILTER_FIELDS)),
        }
    }
    Ok(filter)
}
