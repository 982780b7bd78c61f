//! Where a ledger's stamps come from.

use fen_book::Stamp;
use std::time::{SystemTime, UNIX_EPOCH};

/// A clock that the ledger reads when a command enters the log, and nowhere else.
pub trait Clock: Send + Sync {
    /// Nanoseconds since 1970-01-01T00:00Z. It may stand still or go back: stamps rise all the same.
    fn now(&self) -> Stamp;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Stamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Stamp::new(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX).min(fen_book::STAMP_MAX.get()))
    }
}
