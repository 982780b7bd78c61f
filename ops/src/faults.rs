//! What a broken world means to the person at the terminal.

use crate::exit::Failure;
use fen_ledger::{Fault, Ledger};
use std::path::Path;

/// Opens the ledger of a data directory.
pub(crate) fn open(directory: &Path) -> Result<Ledger, Failure> {
    Ledger::open(directory).map_err(|fault| Failure::unreachable(format!("{}: {fault}", directory.display())))
}

/// Opens the ledger of a data directory that has one.
pub(crate) fn open_existing(directory: &Path) -> Result<Ledger, Failure> {
    must_hold_books(directory)?;
    open(directory)
}

/// Opening makes books where there are none; looking must not.
fn must_hold_books(directory: &Path) -> Result<(), Failure> {
    let nothing = |what: &str| {
        Err(Failure::unreachable(format!("{}: {what}", directory.display()))
            .mend("name the directory of a ledger"))
    };
    match std::fs::read_dir(directory).map(Iterator::count) {
        Err(error) => nothing(&format!("cannot be read: {error}")),
        Ok(0) => nothing("is empty, there are no books in it"),
        Ok(_) => Ok(()),
    }
}

/// The ledger stopped while it was in use.
pub(crate) fn broken(fault: &Fault) -> Failure {
    Failure::unreachable(format!("the ledger has stopped: {fault}"))
        .mend("what was answered is safe; open it again, it recovers by itself, and `fen verify` tells what is wrong")
}
