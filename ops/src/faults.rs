//! What a broken world means to the person at the terminal.

use crate::exit::Failure;
use fen_ledger::{Fault, Ledger};
use std::path::Path;

/// Opens the ledger of a data directory.
pub(crate) fn open(directory: &Path) -> Result<Ledger, Failure> {
    Ledger::open(directory).map_err(|fault| Failure::unreachable(format!("{}: {fault}", directory.display())))
}

/// The ledger stopped while it was in use.
pub(crate) fn broken(fault: &Fault) -> Failure {
    Failure::unreachable(format!("the ledger has stopped: {fault}"))
        .mend("what was answered is safe; open it again, it recovers by itself, and `fen verify` tells what is wrong")
}
