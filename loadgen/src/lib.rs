//! Load for the ledger, and the proof that it was carried: workloads, a driver, the checker, reports, the cost.
//!
//! A run has five steps: a fresh directory on a real file system ([`place`]), accounts, a warm-up, the measured part
//! ([`drive`]), and the check ([`check`]), which re-adds every answer and compares it with the books.
//!
//! **Invariants.** A batch is a pure function of the workload and its number ([`workload`]), so an answer is
//! remembered in a few bytes and what it must have done is reckoned after the clock has stopped. A run whose check
//! fails has no rate. Everything is durable before it is answered, and nothing is switched off for a measurement.
//!
//! Deliberately absent: client processes ([`clients`]) for the embedded ledger, which has none.

pub mod answers;
pub mod capacity;
pub mod chaos;
pub mod charts;
pub mod check;
pub mod clients;
pub mod compare;
pub mod cost;
pub mod drive;
mod fault;
pub mod html;
pub mod loans;
pub mod machine;
pub mod measure;
pub mod place;
pub mod report;
pub mod scenario;
pub mod site;
pub mod stream;
pub mod target;
pub mod timing;
pub mod workload;

pub use fault::{Fault, Run};
pub use report::Report;

/// The commit that this program was built from, or `unknown`.
pub const COMMIT: &str = env!("FEN_COMMIT");

/// Told how a run gets on: a progress bar, or the pipe to the process that watches.
pub trait Watch: Sync {
    /// A step begins, with so many things to do.
    fn step(&self, name: &'static str, total: u64);

    /// So many things more are done.
    fn done(&self, count: u64);

    /// A batch of transfers was answered.
    fn answered(&self, batch: u64) {
        let _ = batch;
    }
}

/// Watches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unwatched;

impl Watch for Unwatched {
    fn step(&self, _name: &'static str, _total: u64) {}
    fn done(&self, _count: u64) {}
}
