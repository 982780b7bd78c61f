//! Ids as people type them on a command line: decimal, `0x` hexadecimal, or a UUID, as everywhere in JSON.

use fen_json::{Json, Path};
use std::borrow::Cow;

/// Reads an id; for `value_parser`.
pub(crate) fn id(text: &str) -> Result<u128, String> {
    fen_json::id(&Json::Text(Cow::Borrowed(text)), &Path::Line).map_err(|wrong| wrong.reason)
}
