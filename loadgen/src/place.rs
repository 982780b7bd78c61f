//! Where a run keeps its data: a directory that the caller names, or a temporary one that goes with the run.
//!
//! Never one in memory: a ledger that is measured there is measured without its disk.

use crate::fault::{Fault, Run};
use crate::machine::is_in_memory;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A directory for one run.
#[derive(Debug)]
pub struct Place {
    path: PathBuf,
    /// Removes the directory when the run ends.
    _temporary: Option<TempDir>,
}

impl Place {
    /// The directory `named`, which must be new or empty; without one, a temporary directory under `$TMPDIR`, or
    /// beside the current directory where that is in memory.
    ///
    /// # Errors
    /// There is something in the directory, it cannot be made, or it is in memory.
    pub fn open(named: Option<&Path>) -> Run<Self> {
        match named {
            Some(path) => Self::named(path),
            None => Self::temporary(),
        }
    }

    fn named(path: &Path) -> Run<Self> {
        let fault = |what: String| Fault::Place { place: path.to_owned(), what };
        std::fs::create_dir_all(path).map_err(|error| fault(format!("cannot be made: {error}")))?;
        let mut entries =
            std::fs::read_dir(path).map_err(|error| fault(format!("cannot be read: {error}")))?;
        if entries.next().is_some() {
            return Err(fault("is not empty; a run needs books of its own, name a new directory".to_owned()));
        }
        if is_in_memory(path) {
            return Err(fault("is in memory, not on a disk; name another directory".to_owned()));
        }
        Ok(Self { path: path.to_owned(), _temporary: None })
    }

    fn temporary() -> Run<Self> {
        let candidates = [std::env::var_os("TMPDIR").map(PathBuf::from), Some(PathBuf::from("."))];
        let chosen = candidates.into_iter().flatten().find(|path| path.is_dir() && !is_in_memory(path));
        let Some(parent) = chosen else {
            let what = "is in memory, and so is $TMPDIR; name a directory on a disk with --data".to_owned();
            return Err(Fault::Place { place: PathBuf::from("."), what });
        };
        let made = tempfile::Builder::new().prefix("fen-bench-").tempdir_in(&parent);
        let made = made.map_err(|error| Fault::Place {
            place: parent,
            what: format!("cannot be written: {error}; name a directory with --data"),
        })?;
        Ok(Self { path: made.path().to_owned(), _temporary: Some(made) })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }
}
