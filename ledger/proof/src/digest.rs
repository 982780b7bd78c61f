//! A digest: what a shard's history is at one moment, as the text of a checkpoint (c2sp.org/tlog-checkpoint).
//!
//! ```text
//! <name>/shard/<number>         whose history: the key's name and the shard
//! <size>                        how many records
//! <base64>                      root of their tree
//! identity <16 hexadecimal digits>    which ledger directory, as its FORMAT file says
//! date <yyyy-mm-dd>|none        business date
//! clock <nanoseconds>           stamp of the last command
//! books <64 hexadecimal digits> SHA-256 of all the books; may be left out
//! total <ledger> <accounts> <debits posted> <credits posted> <debits pending> <credits pending>
//! ```
//!
//! One `total` line a ledger, by rising number. Lines from `identity` on are the format's extension lines.

use crate::fault::ProofFault;
use crate::note::{self, PublicKey, SigningKey};
use crate::text::{Lines, hash, is_decimal, leaf_count, number};
use crate::tree::Head;
use std::fmt::Write as _;

/// Ledgers listed in one digest.
pub const TOTALS_MAX: usize = 4_096;
/// A sum has at most so many digits: 2^32 accounts of 2^128 each need 49.
const SUM_DIGITS_MAX: usize = 78;

/// A sum of balances in minor units; may pass 128 bits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sum(String);

impl Sum {
    /// From its decimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        (is_decimal(text) && text.len() <= SUM_DIGITS_MAX).then(|| Self(text.to_owned()))
    }
}

impl std::fmt::Display for Sum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// One ledger's line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LedgerTotals {
    /// Its number, a currency or an asset.
    pub ledger: u32,
    /// How many accounts it has.
    pub accounts: u64,
    /// Over all accounts.
    pub debits_posted: Sum,
    /// Over all accounts.
    pub credits_posted: Sum,
    /// Over all accounts.
    pub debits_pending: Sum,
    /// Over all accounts.
    pub credits_pending: Sum,
}

/// See the module's words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Digest {
    /// `<name>/shard/<number>`.
    pub origin: String,
    /// Size and root of the tree.
    pub head: Head,
    /// Which directory.
    pub identity: u64,
    /// `yyyy-mm-dd`, where the books have one.
    pub date: Option<String>,
    /// Nanoseconds.
    pub clock: u64,
    /// SHA-256 of all the books.
    pub books: Option<[u8; 32]>,
    /// By rising ledger.
    pub totals: Vec<LedgerTotals>,
}

/// The first line of a digest.
pub fn origin(name: &str, shard: u32) -> String {
    format!("{name}/shard/{shard}")
}

impl Digest {
    /// The text that is signed.
    pub fn to_text(&self) -> String {
        let mut out = format!("{}\n{}\n{}\n", self.origin, self.head.size, self.head.root);
        let date = self.date.as_deref().unwrap_or("none");
        // Writing to a string cannot fail.
        let _ = write!(out, "identity {:016x}\ndate {date}\nclock {}\n", self.identity, self.clock);
        if let Some(books) = &self.books {
            out.push_str("books ");
            for byte in books {
                let _ = write!(out, "{byte:02x}");
            }
            out.push('\n');
        }
        for line in &self.totals {
            let sums =
                [&line.debits_posted, &line.credits_posted, &line.debits_pending, &line.credits_pending];
            let _ = write!(out, "total {} {}", line.ledger, line.accounts);
            for sum in sums {
                let _ = write!(out, " {sum}");
            }
            out.push('\n');
        }
        out
    }

    /// The signed note.
    pub fn sign(&self, key: &SigningKey) -> String {
        key.sign(&self.to_text())
    }

    /// Opens a signed digest: the signature is checked before anything that it says is believed.
    ///
    /// # Errors
    /// Any [`ProofFault`] of notes and digests.
    pub fn open(note: &str, key: &PublicKey) -> Result<Self, ProofFault> {
        Self::open_at(note, 1, key)
    }

    pub(crate) fn open_at(note: &str, first_line: usize, key: &PublicKey) -> Result<Self, ProofFault> {
        let digest = Self::parse(note::open(note, first_line, key)?, first_line)?;
        let shard = digest.origin.strip_prefix(key.name()).and_then(|rest| rest.strip_prefix("/shard/"));
        if shard.and_then(number::<u32>).is_none() {
            return Err(ProofFault::Origin { origin: digest.origin, name: key.name().to_owned() });
        }
        let unbalanced = |line: &&LedgerTotals| {
            line.debits_posted != line.credits_posted || line.debits_pending != line.credits_pending
        };
        if let Some(line) = digest.totals.iter().find(unbalanced) {
            return Err(ProofFault::Unbalanced { ledger: line.ledger });
        }
        Ok(digest)
    }

    /// What a note says without a look at its signatures: for whoever holds the ledger that it speaks of.
    ///
    /// # Errors
    /// [`ProofFault::Malformed`], [`ProofFault::Spelling`].
    pub fn read_unchecked(note: &str) -> Result<Self, ProofFault> {
        let blank = note.find("\n\n").ok_or(ProofFault::UnknownKind)?;
        Self::parse(&note[..=blank], 1)
    }

    /// Whose history it is: origin and directory.
    pub(crate) fn whose(&self) -> String {
        format!("{} (identity {:016x})", self.origin, self.identity)
    }

    fn parse(text: &str, first_line: usize) -> Result<Self, ProofFault> {
        let mut lines = Lines::new(text, first_line);
        let origin = lines.take("whose digest it is", |line| (!line.is_empty()).then(|| line.to_owned()))?;
        let size = lines.take("the number of records", leaf_count)?;
        let root = lines.take("the root, base64 of 32 bytes", hash)?;
        let identity = lines.take("`identity` and 16 hexadecimal digits", |line| {
            u64::from_str_radix(line.strip_prefix("identity ")?, 16).ok()
        })?;
        let date =
            lines.take("`date` and yyyy-mm-dd or none", |line| parse_date(line.strip_prefix("date ")?))?;
        let clock = lines.take("`clock` and nanoseconds", |line| number(line.strip_prefix("clock ")?))?;
        let mut digest = Self {
            origin,
            head: Head { size, root },
            identity,
            date,
            clock,
            books: None,
            totals: Vec::new(),
        };
        let what = "`total <ledger> <accounts> <four sums>`, by rising ledger";
        while !lines.is_empty() {
            let may_be_books = digest.totals.is_empty() && digest.books.is_none();
            let last = digest.totals.last().map(|line| line.ledger);
            let line = lines.take(what, |line| match line.strip_prefix("books ") {
                Some(books) if may_be_books => parse_hex(books).map(Extension::Books),
                Some(_) | None => parse_total(line)
                    .filter(|total| last.is_none_or(|last| last < total.ledger))
                    .map(Extension::Total),
            })?;
            match line {
                Extension::Books(books) => digest.books = Some(books),
                Extension::Total(total) if digest.totals.len() < TOTALS_MAX => digest.totals.push(total),
                Extension::Total(_) => return Err(ProofFault::Spelling),
            }
        }
        // Whatever was read in a second spelling (capital digits, say) is refused here.
        if digest.to_text() == text { Ok(digest) } else { Err(ProofFault::Spelling) }
    }
}

enum Extension {
    Books([u8; 32]),
    Total(LedgerTotals),
}

fn parse_hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[expect(clippy::option_option, reason = "no date is one of the things that the line may say")]
fn parse_date(text: &str) -> Option<Option<String>> {
    if text == "none" {
        return Some(None);
    }
    let shape = |(index, byte): (usize, u8)| match index {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    };
    let fits = text.len() == 10 && text.bytes().enumerate().all(shape);
    fits.then(|| Some(text.to_owned()))
}

fn parse_total(line: &str) -> Option<LedgerTotals> {
    let mut words = line.strip_prefix("total ")?.split(' ');
    let ledger = number(words.next()?)?;
    let accounts = number(words.next()?)?;
    let mut sum = || Sum::parse(words.next()?);
    let (debits_posted, credits_posted) = (sum()?, sum()?);
    let (debits_pending, credits_pending) = (sum()?, sum()?);
    let line =
        LedgerTotals { ledger, accounts, debits_posted, credits_posted, debits_pending, credits_pending };
    words.next().is_none().then_some(line)
}
