//! Ids and days as people type them on a command line.

use fen_json::{Json, Path};
use fen_terms::Day;
use std::borrow::Cow;

/// Reads an id: decimal, `0x` hexadecimal or a UUID; for `value_parser`.
pub(crate) fn id(text: &str) -> Result<u128, String> {
    fen_json::id(&Json::Text(Cow::Borrowed(text)), &Path::Line).map_err(|wrong| wrong.reason)
}

/// Reads a day; for `value_parser`.
pub(crate) fn day(text: &str) -> Result<Day, String> {
    Day::parse(text).ok_or_else(|| format!("'{text}' is no date like 2026-03-02"))
}
