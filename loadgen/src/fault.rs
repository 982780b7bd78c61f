//! Why a run could not be made at all. Books that do not hold what they must are a report, not a fault.

use std::path::PathBuf;

/// A fault of a run; the words name the place and the mend.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The ledger broke, or could not be opened.
    #[error(transparent)]
    Ledger(#[from] fen_ledger::Fault),
    /// The cluster does not answer.
    #[error(transparent)]
    Client(#[from] fen_api::ClientFault),
    /// The cluster could not be started.
    #[error(transparent)]
    Cluster(#[from] fen_cluster::local::LocalFault),
    /// There is nowhere to put the data.
    #[error("{place}: {what}")]
    Place {
        /// The directory.
        place: PathBuf,
        /// What is wrong with it, and the mend.
        what: String,
    },
    /// A parameter is out of range.
    #[error("{0}")]
    Parameter(String),
    /// A process that the run started did not do its part.
    #[error("a process of the run: {0}")]
    Process(String),
    /// The accounts of the workload could not be opened.
    #[error("the accounts could not be opened: {0}")]
    Accounts(String),
    /// A file could not be read or written.
    #[error("{path}: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
}

/// How a run ends.
pub type Run<T> = Result<T, Fault>;
