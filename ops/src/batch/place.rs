//! Where a file goes: the books that its items are sent to, and the folder in which it lies meanwhile.

use crate::exit::Failure;
use crate::faults::{open, open_existing};
use crate::reach::Reach;
use clap::Args;
use fen_batch::books::{Books, BooksFault, ClusterBooks};
use fen_batch::desk::Desk;
use fen_ledger::Ledger;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Where files lie that go to a cluster, if nobody says otherwise.
const FILES: &str = "batches";

/// Which books.
#[derive(Args, Clone, Debug)]
pub(crate) struct Place {
    /// The data directory.
    #[arg(long, value_name = "DIR", required_unless_present = "endpoint")]
    data: Option<PathBuf>,
    /// A running cluster instead: a node's address for clients, host and port; several, so that one may be down.
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',', conflicts_with = "data")]
    endpoint: Vec<String>,
    /// With --endpoint: the folder with authority.pem, client.pem and client.key; else the connection is plaintext.
    #[arg(long, value_name = "DIR", requires = "endpoint")]
    certificates: Option<PathBuf>,
    /// Where files and what became of their items lie [default: batches in the data directory; with --endpoint ./batches].
    #[arg(long, value_name = "DIR")]
    files: Option<PathBuf>,
}

/// Books and desk, open.
pub(crate) struct Bank {
    pub(crate) books: Rc<dyn Books>,
    pub(crate) desk: Desk,
}

impl Bank {
    /// Of books that somebody else has open too, in a directory.
    pub(crate) fn beside(ledger: Rc<Ledger>, directory: &Path, files: Option<PathBuf>) -> Self {
        Self { books: ledger, desk: Desk::new(files.unwrap_or_else(|| directory.join(FILES))) }
    }
}

impl Place {
    /// For commands that have their own words for it.
    pub(crate) fn of(data: Option<PathBuf>, endpoint: Vec<String>, certificates: Option<PathBuf>) -> Self {
        Self { data, endpoint, certificates, files: None }
    }

    /// With the files in a folder of their own.
    pub(crate) fn with_files(self, files: Option<PathBuf>) -> Self {
        Self { files, ..self }
    }

    /// A data directory that may have to be made.
    pub(crate) fn open(&self) -> Result<Bank, Failure> {
        self.reach(open)
    }

    /// Books that are there.
    pub(crate) fn open_existing(&self) -> Result<Bank, Failure> {
        self.reach(open_existing)
    }

    fn reach(&self, open: impl FnOnce(&Path) -> Result<Ledger, Failure>) -> Result<Bank, Failure> {
        let (books, usual): (Rc<dyn Books>, PathBuf) = match &self.data {
            Some(data) => (Rc::new(open(data)?), data.join(FILES)),
            None => (Rc::new(self.cluster()?), PathBuf::from(FILES)),
        };
        Ok(Bank { books, desk: Desk::new(self.files.clone().unwrap_or(usual)) })
    }

    fn cluster(&self) -> Result<ClusterBooks, Failure> {
        let options = Reach::of(self.endpoint.clone(), self.certificates.clone()).options_for_long_work()?;
        ClusterBooks::reach(|| fen_api::Client::new(&self.endpoint, options)).map_err(|fault| {
            fault_of_books(&fault).mend(
                "is the cluster running, is the address its address for clients, are the certificates its own?",
            )
        })
    }
}

/// Books that could not be asked.
pub(crate) fn fault_of_books(fault: &BooksFault) -> Failure {
    Failure::unreachable(fault.to_string()).mend("what was done is kept; give the same command again")
}
