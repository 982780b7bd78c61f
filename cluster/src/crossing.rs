//! Transfers from a customer of one shard to a customer of another.
//!
//! ```text
//! source shard   out      reserve: payer -> clearing, under the transfer's own id; it is *out* from here on
//! target shard   in       the leg: clearing -> payee; done, or refused for good. This is the decision
//! source shard   decide   post the reservation, or void it with the target's reason
//! ```
//! A transfer that only reserves (`pending`) stays *reserved* after `decide`: both sides hold a reservation. Its end is
//! decided on the source, by the client's post or void or by the timeout; then
//! ```text
//! target shard   end      post or void the leg
//! source shard   ended    forget it
//! ```
//! **Invariants.** Every step is a command in the log of its shard, with an id that follows from the transfer's
//! ([`fen_book::clearing`]), so a step taken twice is taken once. What is open is state of the source shard
//! ([`table`]), in its log, its checkpoint and its image: whoever leads takes the next step from there ([`driver`]);
//! nobody else remembers anything. The target's word is final: a refused leg's id is burned there, so a late second
//! question hears the same. Money is in clearing or in an account, never in neither and never in both.
//!
//! **What a client hears.** The statuses of a transfer within one shard. The source's refusals come first, then the
//! target's; so where both would refuse, the answer can differ from that of one book (a payer without cover hears
//! `exceeds_credits` although the payee does not exist). Where payer's, payee's and transfer's ledger are not one,
//! it is always `accounts_must_have_the_same_ledger`. A retry hears `exists`; after a refusal that a book burns,
//! `id_already_failed`; after any other refusal, the same one again. `balancing_debit` takes what the payer has;
//! `balancing_credit` reserves all that is asked (it must be there) and moves what the payee's side allows.
//! Linked events over several shards and imported ones that cross are refused with statuses of their own, and nothing
//! of them is done. A post or void of a transfer that is still on its way waits for it; one that comes in the same batch
//! as what it ends is asked once more by itself when that is decided, at this or an earlier asking.
//!
//! Limits: [`table::OPEN_MAX`] open crossings a shard; past that, `Busy`. Deliberately absent: chains over several
//! shards, and the end of a reservation between shards by `end_chains` or with receipts.
//!
//! Tested by `crossing/tests.rs` (two books, steps repeated, lost and reordered) and `tests/crossing.rs` (three nodes
//! whose leaders are killed).

pub mod board;
pub(crate) mod counter;
pub mod driver;
pub mod orders;
pub mod show;
pub mod table;

#[cfg(test)]
mod tests;
