//! The files that travel: a digest, an inclusion proof (c2sp.org/tlog-proof), a consistency proof.
//!
//! ```text
//! c2sp.org/tlog-proof@v1             fen/consistency-proof@v1
//! extra <base64 of the record>       <base64 hash>, none or more
//! index <its number>                 (blank)
//! <base64 hash>, none or more        the older digest, signed
//! (blank)                            (blank)
//! the digest, signed                 the newer digest, signed
//! ```

use crate::digest::Digest;
use crate::fault::ProofFault;
use crate::note::PublicKey;
use crate::text::{Lines, base64, from_base64, hash, leaf_count};
use crate::tree::{TreeHash, check_consistency, check_inclusion};
use std::fmt::Write as _;

/// A record of the journal, as it is hashed.
pub const RECORD_BYTES: usize = 128;

const INCLUSION: &str = "c2sp.org/tlog-proof@v1";
const CONSISTENCY: &str = "fen/consistency-proof@v1";

/// That a record is in a digest's history.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Inclusion {
    /// The record's bytes.
    pub record: [u8; RECORD_BYTES],
    /// Its number in the journal, counted from zero.
    pub index: u64,
    /// From its sibling up to a child of the root.
    pub path: Vec<TreeHash>,
    /// The signed digest.
    pub note: String,
}

/// That a digest's history begins with an older one's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Consistency {
    /// As RFC 6962 orders it.
    pub path: Vec<TreeHash>,
    /// Signed.
    pub older: String,
    /// Signed.
    pub newer: String,
}

/// What a file has proved.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Checked {
    /// The key signed this.
    Digest(Digest),
    /// The record is in the digest's history.
    Inclusion {
        /// The record's bytes.
        record: Box<[u8; RECORD_BYTES]>,
        /// Its number in the journal.
        index: u64,
        /// Signed.
        digest: Digest,
    },
    /// The newer digest's history begins with the older one's.
    Consistency {
        /// Signed.
        older: Digest,
        /// Signed.
        newer: Digest,
    },
}

fn put_path(path: &[TreeHash], out: &mut String) {
    for hash in path {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{hash}");
    }
    out.push('\n');
}

fn take_path(lines: &mut Lines<'_>) -> Result<Vec<TreeHash>, ProofFault> {
    let mut path = Vec::new();
    while !lines.is_empty() {
        path.push(lines.take("a hash, base64 of 32 bytes", hash)?);
    }
    Ok(path)
}

/// The part up to the first blank line, the rest, and the line where the rest begins.
fn split(text: &str, first_line: usize) -> Result<(&str, &str, usize), ProofFault> {
    let lines = |part: &str| first_line + part.matches('\n').count();
    let malformed =
        || ProofFault::Malformed { line: lines(text), what: "a blank line, then a signed digest" };
    let blank = text.find("\n\n").ok_or_else(malformed)?;
    Ok((&text[..=blank], &text[blank + 2..], lines(&text[..blank + 2])))
}

impl Inclusion {
    /// The file.
    pub fn to_text(&self) -> String {
        let mut out = format!("{INCLUSION}\nextra {}\nindex {}\n", base64(&self.record), self.index);
        put_path(&self.path, &mut out);
        out + &self.note
    }

    fn check(text: &str, key: &PublicKey) -> Result<Checked, ProofFault> {
        let (head, note, note_line) = split(text, 1)?;
        let mut lines = Lines::new(head, 1);
        lines.take("the kind of proof", Some)?;
        let record = lines.take("`extra` and the record, base64 of 128 bytes", |line| {
            from_base64(line.strip_prefix("extra ")?)
        })?;
        let index =
            lines.take("`index` and the record's number", |line| leaf_count(line.strip_prefix("index ")?))?;
        let path = take_path(&mut lines)?;
        let digest = Digest::open_at(note, note_line, key)?;
        let size = digest.head.size;
        check_inclusion(&TreeHash::leaf(&record), index, size, &path, &digest.head.root)?;
        let proof = Self { record, index, path, note: note.to_owned() };
        if proof.to_text() != text {
            return Err(ProofFault::Spelling);
        }
        Ok(Checked::Inclusion { record: Box::new(record), index, digest })
    }
}

impl Consistency {
    /// The file.
    pub fn to_text(&self) -> String {
        let mut out = format!("{CONSISTENCY}\n");
        put_path(&self.path, &mut out);
        format!("{out}{}\n{}", self.older, self.newer)
    }

    fn check(text: &str, key: &PublicKey) -> Result<Checked, ProofFault> {
        let (head, notes, older_line) = split(text, 1)?;
        let mut lines = Lines::new(head, 1);
        lines.take("the kind of proof", Some)?;
        let path = take_path(&mut lines)?;
        // A digest has one blank line; the next one ends it.
        let (older_text, rest, signature_line) = split(notes, older_line)?;
        let (signatures, newer, newer_line) = split(rest, signature_line)?;
        let older = format!("{older_text}\n{signatures}");
        let proof = Self { path, older, newer: newer.to_owned() };
        let older = Digest::open_at(&proof.older, older_line, key)?;
        let newer = Digest::open_at(newer, newer_line, key)?;
        follows(&older, &newer)?;
        check_consistency(&older.head, &newer.head, &proof.path)?;
        if proof.to_text() != text {
            return Err(ProofFault::Spelling);
        }
        Ok(Checked::Consistency { older, newer })
    }
}

/// Whether the newer digest can be a later one of the same ledger.
fn follows(older: &Digest, newer: &Digest) -> Result<(), ProofFault> {
    if (&older.origin, older.identity) != (&newer.origin, newer.identity) {
        return Err(ProofFault::TwoLedgers { older: older.whose(), newer: newer.whose() });
    }
    if older.head.size > newer.head.size {
        return Err(ProofFault::OlderIsLarger { older: older.head.size, newer: newer.head.size });
    }
    if newer.clock < older.clock {
        return Err(ProofFault::GoesBack { what: "clock" });
    }
    // Dates of one length compare as texts do; books that had one never lose it.
    if newer.date < older.date {
        return Err(ProofFault::GoesBack { what: "business date" });
    }
    Ok(())
}

/// Checks a file of any kind.
///
/// # Errors
/// Any [`ProofFault`]: then the file proves nothing.
pub fn check(text: &str, key: &PublicKey) -> Result<Checked, ProofFault> {
    match text.lines().next() {
        Some(INCLUSION) => Inclusion::check(text, key),
        Some(CONSISTENCY) => Consistency::check(text, key),
        Some(line) if line.contains("/shard/") => Digest::open(text, key).map(Checked::Digest),
        Some(_) | None => Err(ProofFault::UnknownKind),
    }
}
