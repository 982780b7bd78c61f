//! Texts that can be written in one way only: numbers without leading zeros, base64 with its padding and no spare
//! bits.

use crate::fault::ProofFault;
use crate::tree::{LEAVES_MAX, TreeHash};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Strict: the engine refuses spare bits that are not zero and missing padding.
pub(crate) fn from_base64<const N: usize>(text: &str) -> Option<[u8; N]> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

/// Whether the text is a decimal number as it is written here.
pub(crate) fn is_decimal(text: &str) -> bool {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits && (text == "0" || !text.starts_with('0'))
}

pub(crate) fn number<N: std::str::FromStr>(text: &str) -> Option<N> {
    is_decimal(text).then(|| text.parse().ok()).flatten()
}

pub(crate) fn leaf_count(text: &str) -> Option<u64> {
    number(text).filter(|count| *count < LEAVES_MAX)
}

pub(crate) fn hash(text: &str) -> Option<TreeHash> {
    from_base64(text).map(TreeHash::new)
}

/// Lines with their numbers, for faults that name the place.
pub(crate) struct Lines<'a> {
    /// Of the file.
    number: usize,
    rest: std::iter::Peekable<std::str::Lines<'a>>,
}

impl<'a> Lines<'a> {
    /// The first line of `text` is line `first` of the file.
    pub(crate) fn new(text: &'a str, first: usize) -> Self {
        Self { number: first, rest: text.lines().peekable() }
    }

    pub(crate) fn is_empty(&mut self) -> bool {
        self.rest.peek().is_none()
    }

    /// The next line as `read` understands it.
    pub(crate) fn take<T>(
        &mut self,
        what: &'static str,
        read: impl FnOnce(&'a str) -> Option<T>,
    ) -> Result<T, ProofFault> {
        let fault = ProofFault::Malformed { line: self.number, what };
        self.number += 1;
        self.rest.next().and_then(read).ok_or(fault)
    }
}
