//! Why a file proves nothing, each reason by its name.

use crate::tree::TreeHash;

/// See the module's words.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ProofFault {
    /// The file is of no kind that is known.
    #[error("this is no digest and no proof: its first line names none")]
    UnknownKind,
    /// A line is not what stands in its place.
    #[error("line {line}: {what} is expected here")]
    Malformed {
        /// Counted from one.
        line: usize,
        /// What should stand there.
        what: &'static str,
    },
    /// The text says what a digest says, but not as it is written.
    #[error("the file is not written as its format asks: an accepted file has one spelling only")]
    Spelling,
    /// A key is not one.
    #[error("the key is none of ours: {what}")]
    Key {
        /// What is wrong with it.
        what: &'static str,
    },
    /// The key did not sign.
    #[error("the digest is not signed by the key {wanted}; it is signed by {found}")]
    OtherKey {
        /// Name and number of the key asked for.
        wanted: String,
        /// Those of the keys that did.
        found: String,
    },
    /// The signature is not of this text.
    #[error("the signature of {name} does not hold: the digest or the signature was changed after signing")]
    Signature {
        /// The key's name.
        name: String,
    },
    /// The digest is of a ledger that the key does not speak for.
    #[error("the digest is of {origin}, which is no shard of {name}, the key's ledger")]
    Origin {
        /// Whose digest it is.
        origin: String,
        /// The key's name.
        name: String,
    },
    /// Debits and credits of a ledger differ.
    #[error("ledger {ledger}: the digest's debits and credits differ")]
    Unbalanced {
        /// Which one.
        ledger: u32,
    },
    /// The tree has no such leaf.
    #[error("record {index} is not covered: the digest covers {size} records, counted from 0")]
    IndexBeyondTree {
        /// The record's number.
        index: u64,
        /// The tree's size.
        size: u64,
    },
    /// The path is longer or shorter than the tree is high.
    #[error("the path has not as many hashes as a tree of this size asks for")]
    PathLength,
    /// The path leads elsewhere.
    #[error(
        "the record is not in the digest's history: record and path lead to root {found}, the digest has {stated}; \
         the record, its number or the path was changed"
    )]
    RecordNotInTree {
        /// Where the path led.
        found: TreeHash,
        /// The digest's root.
        stated: TreeHash,
    },
    /// They are in the wrong order.
    #[error("the older digest covers {older} records, more than the newer one's {newer}")]
    OlderIsLarger {
        /// Records.
        older: u64,
        /// Records.
        newer: u64,
    },
    /// Same size, different roots: two histories were signed.
    #[error(
        "both digests cover {size} records and have different roots: two histories were signed; keep both as evidence"
    )]
    TwoHistories {
        /// Records.
        size: u64,
    },
    /// The newer history does not begin with the older one.
    #[error(
        "the path does not show that the history of {newer} records begins with that of {older}: \
         a digest or the path was changed, or history was rewritten"
    )]
    NotAnExtension {
        /// Records.
        older: u64,
        /// Records.
        newer: u64,
    },
    /// They are of two ledgers.
    #[error("the digests are of two ledgers: {older} and {newer}")]
    TwoLedgers {
        /// Origin and identity.
        older: String,
        /// Origin and identity.
        newer: String,
    },
    /// The newer digest has the earlier date or clock.
    #[error("the newer digest's {what} is before the older one's")]
    GoesBack {
        /// Business date or clock.
        what: &'static str,
    },
}
