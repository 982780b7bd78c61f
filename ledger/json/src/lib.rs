//! The ledger's commands and replies in JSON, as `fen exec` and REST speak them; strict, exact and bounded.
//!
//! [`order`] reads a command, [`reply`] writes its answer. [`terms`] reads loan terms.
//!
//! A number keeps the text that it was written with, so an amount of 39 digits arrives as it was sent and `1.0`
//! is never taken for `1`. Objects keep their fields in order, repeats included, so that a reader can name a
//! field that is given twice instead of silently taking one of the two.
//!
//! **Limits.** [`DEPTH_MAX`] levels of nesting; the caller bounds the length of the text.
//! **Deliberately absent.** Floats, comments, trailing commas, lone surrogates: all are refused. Whoever carries the
//! order out: a ledger, or a cluster.
//! Tested here, against `serde_json` in `tests` below, and through the binary in `ops/tests`.

mod fields;
pub mod filters;
mod loan_reply;
pub mod loans;
pub mod order;
mod parse;
pub mod products;
pub mod ranges;
pub mod records;
pub mod reply;
pub mod report;
pub mod terms;

pub use fields::{Path, Wrong, boolean, id, integer, list, money, object, required, text, unknown_field};
pub use parse::{Malformed, parse};

use std::borrow::Cow;
use std::fmt::Write as _;

/// The deepest nesting that is read; a command needs four levels, a product with its tables six.
pub const DEPTH_MAX: usize = 32;

/// A value, borrowing from the text where it can.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Json<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A number in the digits that it was written with.
    Number(&'a str),
    /// A string, unescaped.
    Text(Cow<'a, str>),
    /// `[...]`.
    List(Vec<Json<'a>>),
    /// `{...}`, in the order written.
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

impl Json<'_> {
    /// What it is, for a sentence such as "must be a list, not a string".
    pub fn kind(&self) -> &'static str {
        match self {
            Json::Null => "null",
            Json::Boolean(_) => "a boolean",
            Json::Number(_) => "a number",
            Json::Text(_) => "a string",
            Json::List(_) => "a list",
            Json::Object(_) => "an object",
        }
    }
}

/// Writes `text` as a JSON string, quotes included.
pub fn write_text(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if control < ' ' => {
                write!(out, "\\u{:04x}", u32::from(control)).expect("writing to a string cannot fail");
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_text_reads_back() {
        for text in ["", "plain", "quote \" and \\", "tab\tline\nreturn\r", "\u{1}\u{1f}", "žluťoučký 分 🪙"]
        {
            let mut written = String::new();
            write_text(&mut written, text);
            assert_eq!(serde_json::from_str::<String>(&written).unwrap(), text);
            assert_eq!(parse(&written).unwrap(), Json::Text(text.into()));
        }
    }
}
