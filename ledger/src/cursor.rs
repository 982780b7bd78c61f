//! A cursor: where a page of a statement ended, for the next one to begin.
//!
//! It names the account, the direction, and the last entry by its place in the journal and its stamp. Every replica
//! has the same journal, so a cursor outlives the node that gave it; another ledger or shard has another record in
//! that place, and refuses it. To whoever holds it it is a text without meaning.
//!
//! **Invariants.** A page that begins at a cursor tells exactly the entries behind it, whatever was booked since.
//! Tested in `ledger/tests/history`.

use crate::fault::{Answer, Fault};
use crate::statement::StatementLine;
use fen_book::{AccountId, RecordNumber, Stamp, Transfer};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Which entries come first.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Direction {
    /// As a statement on paper.
    #[default]
    OldestFirst,
    /// As a screen.
    NewestFirst,
}

impl Direction {
    /// Whether newer entries come before older ones.
    pub fn is_reversed(self) -> bool {
        self == Self::NewestFirst
    }

    const fn words(self) -> &'static str {
        match self {
            Self::OldestFirst => "oldest first",
            Self::NewestFirst => "newest first",
        }
    }
}

/// See the module's words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cursor {
    pub(crate) account_id: AccountId,
    pub(crate) direction: Direction,
    pub(crate) number: RecordNumber,
    pub(crate) stamp: Stamp,
}

const VERSION: u8 = 1;
const BODY_BYTES: usize = 34;
const BYTES: usize = BODY_BYTES + 4;

fn refused(words: &dyn fmt::Display) -> Fault {
    Fault::Cursor(Arc::from(words.to_string()))
}

impl Cursor {
    /// Behind a line of a statement.
    pub fn behind(account_id: AccountId, direction: Direction, line: &StatementLine) -> Self {
        Self { account_id, direction, number: line.number, stamp: line.transfer.timestamp }
    }

    /// Of the last entry told.
    pub fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// Whether it belongs to what is asked.
    pub(crate) fn check(&self, account_id: AccountId, direction: Direction) -> Answer<()> {
        if self.account_id != account_id {
            let words =
                format!("it is of account {}, and account {account_id} is asked for", self.account_id);
            return Err(refused(&words));
        }
        if self.direction != direction {
            let (was, is) = (self.direction.words(), direction.words());
            return Err(refused(&format!("it is of a statement {was}, and this one is {is}")));
        }
        Ok(())
    }

    /// Whether the record that stands in its place is the one it names.
    pub(crate) fn check_record(&self, record: Option<&Transfer>) -> Answer<()> {
        let is_it = |record: &&Transfer| {
            let accounts = [record.debit_account_id, record.credit_account_id];
            record.timestamp == self.stamp && accounts.contains(&self.account_id)
        };
        let number = self.number;
        match record.filter(is_it) {
            Some(_) => Ok(()),
            None if record.is_some() => Err(refused(&format!(
                "it is from another ledger or shard: record {number} here is another one"
            ))),
            None => Err(refused(&format!(
                "it is from another ledger or shard: record {number}, where it stands, is not in this one"
            ))),
        }
    }

    fn body(&self) -> [u8; BODY_BYTES] {
        let mut bytes = [0; BODY_BYTES];
        bytes[0] = VERSION;
        bytes[1] = u8::from(self.direction.is_reversed());
        bytes[2..18].copy_from_slice(&self.account_id.get().to_be_bytes());
        bytes[18..26].copy_from_slice(&self.number.get().to_be_bytes());
        bytes[26..34].copy_from_slice(&self.stamp.get().to_be_bytes());
        bytes
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body = self.body();
        body.iter().chain(&crc32c::crc32c(&body).to_be_bytes()).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Cursor {
    type Err = Fault;

    fn from_str(text: &str) -> Answer<Self> {
        let not_one = || refused(&"it is no cursor of a statement: give the text of `next` as it was given");
        let mut bytes = [0u8; BYTES];
        if text.len() != 2 * BYTES || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(not_one());
        }
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let digits = std::str::from_utf8(digits).unwrap_or_default();
            *byte = u8::from_str_radix(digits, 16).map_err(|_| not_one())?;
        }
        let (body, sum) = bytes.split_at(BODY_BYTES);
        if crc32c::crc32c(body).to_be_bytes() != *sum {
            return Err(refused(&"a digit of it was changed: give the text of `next` as it was given"));
        }
        if body[0] != VERSION || body[1] > 1 {
            return Err(refused(&"it was given by a newer release: use that one"));
        }
        let eight = |at: usize| body[at..].first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        let account = body[2..].first_chunk::<16>().map_or(0, |bytes| u128::from_be_bytes(*bytes));
        Ok(Self {
            account_id: AccountId::new(account),
            direction: if body[1] == 1 { Direction::NewestFirst } else { Direction::OldestFirst },
            number: RecordNumber::new(eight(18)),
            stamp: Stamp::new(eight(26)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_and_a_changed_one_does_not() {
        let cursor = Cursor {
            account_id: AccountId::new(u128::MAX - 7),
            direction: Direction::NewestFirst,
            number: RecordNumber::new(1 << 40),
            stamp: Stamp::new(1_700_000_000_000_000_001),
        };
        let text = cursor.to_string();
        assert_eq!(text.parse::<Cursor>().unwrap(), cursor);
        for at in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(matches!(changed.parse::<Cursor>(), Err(Fault::Cursor(_))), "digit {at}");
        }
        for text in ["", "zz", "00", "分分分分分分分分分分分分分分分分分分分分分分分分分1"]
        {
            assert!(matches!(text.parse::<Cursor>(), Err(Fault::Cursor(_))), "{text}");
        }
    }
}
