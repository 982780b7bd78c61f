//! Questions about the past, each against the plain list of all that was posted.
#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

mod as_of;
mod feed;
mod lookup;
mod search;
mod statement;
mod turnover;
mod world;
