//! Proofs about a ledger's history that a third party checks alone: with the bank's public key and this crate (or
//! fifty lines of any other language), without the ledger and without trust in the bank's machine.
//!
//! The journal's records are the leaves of one Merkle tree as RFC 6962 and RFC 9162 describe it ([`tree`]). Its head
//! is written into a *digest*, a signed text ([`note`], [`digest`]); whoever keeps the digest of a day can later be
//! shown that a record was part of it ([`Inclusion`]) and that a later digest only adds to it ([`Consistency`]).
//! `ledger/proof/FORMAT.md` describes every byte; `ledger/proof/check` holds a second implementation in Python.
//!
//! **Invariants.** One tree, one text: every accepted file is the only text that says what it says, so a file with
//! any one bit changed is refused. Nothing here reads a clock, a disk or a book.
//!
//! Limits: a digest lists up to [`digest::TOTALS_MAX`] ledgers, a note bears up to [`note::SIGNATURES_MAX`]
//! signatures, a tree has fewer than 2^63 leaves.
//!
//! Deliberately absent: where digests are kept and who compares them; witnesses' co-signatures are passed over, not
//! checked. Tested in `tests/`, which flips every bit of every kind of file.

pub mod digest;
mod fault;
mod file;
pub mod note;
mod text;
pub mod tree;

pub use digest::{Digest, LedgerTotals, Sum};
pub use fault::ProofFault;
pub use file::{Checked, Consistency, Inclusion, RECORD_BYTES, check};
pub use note::{PublicKey, SigningKey};
pub use tree::TreeHash;
