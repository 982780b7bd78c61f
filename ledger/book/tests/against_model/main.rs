//! The book beside the naive model, command by command: same answers, same balances, same reservations.
//!
//! `random` biases seeded commands so that they collide; `small_worlds` goes through every short sequence of a small
//! alphabet; `sealed` lets the journal's chunks fill, be forgotten and be recalled under the same random commands.

#![allow(clippy::unwrap_used, reason = "a panic in a test is its report")]

mod crash;
mod pair;
mod products;
mod random;
mod sealed;
mod small_worlds;
