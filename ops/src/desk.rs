//! Where look-ups and day-end go: a desk that answers for the books, wherever they are kept.
//!
//! A command asks a [`Desk`] and prints what it hears; so it works alike on a ledger in a directory and on a running
//! cluster.

mod cluster;
mod directory;

use crate::batch;
use crate::exit::Failure;
use crate::faults::open_existing;
use crate::reach::Reach;
use clap::Args;
use fen_book::{AccountId, BusinessDate, Position, Transfer, TransferId};
use fen_ledger::reports::{DayEndStatus, Portfolio, TrialBalanceLine};
use fen_ledger::{
    Account, AccountFilter, AccountSearch, Direction, LoanId, Period, Statement, StatementAsked,
    TransferSearch, TurnoverAsked, Turnovers,
};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// What look-ups ask of the books.
pub(crate) trait Desk {
    /// An account with what is reserved on it.
    fn position(&self, id: AccountId) -> Result<Option<Position>, Failure>;
    /// An account.
    fn account(&self, id: AccountId) -> Result<Option<Account>, Failure>;
    /// A transfer, however old.
    fn transfer(&self, id: TransferId) -> Result<Option<Transfer>, Failure>;
    /// An account's transfers that pass a filter.
    fn transfers(&self, filter: &AccountFilter) -> Result<Vec<Transfer>, Failure>;
    /// A page of an account's statement, and the cursor of the next one; `after` is the cursor of this one.
    fn statement(&self, asked: &StatementAsked, after: Option<&str>) -> Result<Option<Page>, Failure>;
    /// What one loan's events posted.
    fn loan_postings(&self, id: LoanId, from: Direction, limit: u32) -> Result<Vec<Transfer>, Failure>;
    /// A loan as of the business date, in the JSON of `lookup_loans`.
    fn loan(&self, id: LoanId) -> Result<Option<String>, Failure>;
    /// The loan book.
    fn portfolio(&self) -> Result<Portfolio, Failure>;
    /// The sums of accounts, by ledger and code: now, or at the end of a business date.
    fn trial_balance(&self, as_of: Option<BusinessDate>) -> Result<Vec<TrialBalanceLine>, Failure>;
    /// A page of the transfers that a search finds, and the cursor of the next one.
    fn find_transfers(
        &self,
        search: &TransferSearch,
        period: &Period,
        after: Option<&str>,
    ) -> Result<(Vec<Transfer>, Option<String>), Failure>;
    /// The same of accounts.
    fn find_accounts(
        &self,
        search: &AccountSearch,
        period: &Period,
        after: Option<&str>,
    ) -> Result<(Vec<Account>, Option<String>), Failure>;
    /// Sums and counts by ledger and code.
    fn turnover(&self, asked: &TurnoverAsked) -> Result<Turnovers, Failure>;
    /// How far day-end is.
    fn day_end_status(&self) -> Result<DayEndStatus, Failure>;
    /// Takes one chunk of the way to the end of a day.
    fn day_end_chunk(&self, through: BusinessDate) -> Result<Chunk, Failure>;
}

/// What a chunk of day-end did.
pub(crate) struct Chunk {
    /// Whether the day is closed, or why it cannot be, by name.
    pub(crate) status: String,
    /// Whether that is `created`.
    pub(crate) is_closed: bool,
    /// Whether all that was asked is done; else the same command goes on with it.
    pub(crate) is_done: bool,
    /// The bank's day after the chunk.
    pub(crate) business_date: BusinessDate,
    /// How many loans the chunk touched.
    pub(crate) loans: u64,
}

/// A page of a statement.
pub(crate) struct Page {
    /// What it tells; its own cursor is not used.
    pub(crate) statement: Statement,
    /// Where the next one begins.
    pub(crate) next: Option<String>,
}

/// Which books: a ledger in a directory, or a cluster.
#[derive(Args, Clone, Debug)]
pub(crate) struct Books {
    /// The data directory.
    #[arg(long, value_name = "DIR", required_unless_present = "endpoint")]
    data: Option<PathBuf>,
    /// A cluster instead: a node's address for clients, host and port; several, so that one may be down.
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',', conflicts_with = "data")]
    endpoint: Vec<String>,
    /// With --endpoint: the folder with authority.pem, client.pem and client.key; else the connection is plaintext.
    #[arg(long, value_name = "DIR", requires = "endpoint")]
    certificates: Option<PathBuf>,
}

/// Where books are kept.
pub(crate) enum Place<'a> {
    /// In a directory.
    Directory(&'a Path),
    /// In a cluster.
    Cluster(Reach),
}

impl Books {
    /// Where they are.
    pub(crate) fn place(&self) -> Place<'_> {
        match &self.data {
            Some(directory) => Place::Directory(directory),
            None => Place::Cluster(Reach::of(self.endpoint.clone(), self.certificates.clone())),
        }
    }

    /// The desk that answers for them. Books are looked into, not made.
    pub(crate) fn desk(&self) -> Result<Box<dyn Desk>, Failure> {
        Ok(match self.place() {
            Place::Directory(directory) => Box::new(directory::DirectoryDesk::open(directory)?),
            Place::Cluster(reach) => Box::new(cluster::ClusterDesk::new(&reach)?),
        })
    }

    /// The desk, and the bank's payment files beside it.
    pub(crate) fn desk_with_files(
        &self,
        files: Option<PathBuf>,
    ) -> Result<(Box<dyn Desk>, batch::Bank), Failure> {
        match self.place() {
            Place::Directory(directory) => {
                let ledger = Rc::new(open_existing(directory)?);
                let desk = directory::DirectoryDesk::of(Rc::clone(&ledger));
                Ok((Box::new(desk), batch::Bank::beside(ledger, directory, files)))
            }
            Place::Cluster(reach) => {
                let desk = cluster::ClusterDesk::new(&reach)?;
                let place = batch::Place::of(None, self.endpoint.clone(), self.certificates.clone());
                Ok((Box::new(desk), place.with_files(files).open_existing()?))
            }
        }
    }
}
