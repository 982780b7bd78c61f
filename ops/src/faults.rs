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

/// A question that was refused, a piece of history that is damaged, or a ledger that stopped.
pub(crate) fn refused_or_broken(fault: &Fault) -> Failure {
    match fault {
        Fault::Cursor(_) => Failure::refused(fault.to_string())
            .mend("begin again without it, or name the ledger and account that it is of"),
        Fault::Damaged(_) => Failure::refused(fault.to_string()),
        Fault::Open(_)
        | Fault::Stopped(_)
        | Fault::DiskFull(_)
        | Fault::TooManyEvents { .. }
        | Fault::ClockIsNotOurs
        | Fault::ClockAtItsEnd => broken(fault),
    }
}

/// The ledger stopped while it was in use.
pub(crate) fn broken(fault: &Fault) -> Failure {
    Failure::unreachable(format!("the ledger has stopped: {fault}"))
        .mend("what was answered is safe; open it again, it recovers by itself, and `fen verify` tells what is wrong")
}
