//! An embeddable, durable double-entry ledger. No async runtime is needed; threads are its own.
//!
//! ```
//! use fen_ledger::{Account, AccountFlags, AccountId, Amount, Code, Ledger, LedgerCode, Transfer, TransferId};
//!
//! # let directory = tempfile::tempdir()?;
//! let ledger = Ledger::open(directory.path())?;
//!
//! let cny = LedgerCode::new(156);
//! let account = |id, flags| Account { id: AccountId::new(id), ledger: cny, code: Code::new(1), flags, ..Account::default() };
//! ledger.create_accounts(&[
//!     account(1, AccountFlags::NONE),
//!     account(2, AccountFlags::DEBITS_MUST_NOT_EXCEED_CREDITS),
//! ])?;
//!
//! // 100.00 yuan from the bank's cash to Anna. Sent twice, posted once: the id is the key.
//! let salary = Transfer {
//!     id: TransferId::new(7001),
//!     debit_account_id: AccountId::new(1),
//!     credit_account_id: AccountId::new(2),
//!     amount: Amount::new(100_00),
//!     ledger: cny,
//!     code: Code::new(10),
//!     ..Transfer::default()
//! };
//! assert_eq!(ledger.create_transfers(&[salary])?[0].status.name(), "created");
//! assert_eq!(ledger.create_transfers(&[salary])?[0].status.name(), "exists");
//!
//! let anna = ledger.lookup_accounts(&[AccountId::new(2)])?[0].expect("Anna has an account");
//! assert_eq!(anna.credits_posted, Amount::new(100_00));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **Promises.** A call returns outcomes when they are durable and applied, never before. A command is done as a
//! whole or, after a [`Fault`], may be sent again under the same ids: what was done answers `exists`. Calls come
//! from any number of threads; those that wait together share one sync of the disk.

mod apply;
pub mod as_of;
mod audit;
mod body;
pub mod checkpoint;
pub mod clock;
mod cursor;
mod digest;
mod durable;
pub mod export;
mod fault;
pub mod feed;
mod format;
pub mod history;
pub mod loan_postings;
mod log;
pub mod lookup;
mod memory;
pub mod past;
pub mod proof;
pub mod reports;
mod seal;
pub mod search;
pub mod shard;
pub mod statement;
mod tidy;
pub mod turnover;

use crate::durable::{Durable, stopped};
use crate::memory::Memory;
use crate::past::Past as _;
use crate::shard::Shard;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use fen_lookup::{Kind, Lookup};
use fen_store::disk::{Disk, RealDisk};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

pub use audit::{Audit, LIVES, LedgerTotals, Total};
pub use body::Body;
pub use clock::{Clock, SystemClock};
pub use cursor::{Cursor, Direction};
pub use durable::{Options, Recovery};
pub use fault::{Answer, Fault};
pub use feed::{Change, FeedAsked, FeedPage, FeedPosition};
pub use fen_book::batches::{BatchEntry, BatchOrder, BatchReply};
pub use fen_book::loan::command::{LoanCommand, LoanReply};
pub use fen_book::loan::order::LoanId;
pub use fen_book::loan::view::LoanView;
pub use fen_book::{
    Account, AccountFilter, AccountFlags, AccountId, AccountOpening, Amount, BalanceLine, Balances,
    BusinessDate, ChainEnd, ChainOutcome, Code, CreateAccountStatus, CreateTransferStatus, EVENTS_MAX,
    LedgerCode, LimitChange, OpenPending, OpeningStatus, Outcome, Position, QueryFilter, Receipt, Reply,
    STAMP_MAX, SetLimitStatus, Stamp, TimeoutSeconds, Transfer, TransferFlags, TransferId,
};
pub use loan_postings::{control_role, loan_posting};
pub use search::{AccountSearch, TransferSearch};
pub use statement::{Period, Statement, StatementAsked, StatementLine};
pub use turnover::{Split, Turnover, TurnoverAsked, Turnovers};

enum Keep {
    Memory(Box<Mutex<Memory>>),
    Durable(Box<Durable>),
}

/// A ledger: in a directory, or in memory.
pub struct Ledger {
    keep: Keep,
}

/// An answer that is on its way; see [`Ledger::submit`].
pub struct Ticket {
    answer: Receiver<Answer<Reply>>,
}

impl Ticket {
    /// Waits for the answer.
    ///
    /// # Errors
    /// Any [`Fault`].
    pub fn wait(self) -> Answer<Reply> {
        self.answer.recv().map_err(|_| stopped())?
    }

    /// The answer, if it comes until `deadline`. It comes once: do not ask again after it.
    ///
    /// # Errors
    /// Any [`Fault`].
    pub fn wait_until(&self, deadline: Instant) -> Answer<Option<Reply>> {
        match self.answer.recv_deadline(deadline) {
            Ok(answer) => answer.map(Some),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(stopped()),
        }
    }
}

/// Where the secondary indexes are.
const LOOKUP: &str = "lookup";

const WRONG_REPLY: &str = "a command is answered in its own kind";

fn lock(memory: &Mutex<Memory>) -> MutexGuard<'_, Memory> {
    memory.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The in-memory ledger, its lapsed reservations released.
fn settled(memory: &Mutex<Memory>) -> Answer<MutexGuard<'_, Memory>> {
    let mut memory = lock(memory);
    if memory.book.next_expiry().is_some_and(|next| next <= memory.clock()) {
        memory.apply(&Body::Pulse)?;
    }
    Ok(memory)
}

impl Ledger {
    /// Opens the ledger in a directory, and makes one where there is none. After a crash it recovers by itself.
    ///
    /// # Errors
    /// [`Fault::Open`] where the directory is held by another process, cannot be written, was written by a newer
    /// release, or is damaged; the words name the place and the mend.
    pub fn open(directory: impl AsRef<Path>) -> Answer<Self> {
        Self::open_with(directory, &Options::default())
    }

    /// As [`Ledger::open`], with options.
    ///
    /// # Errors
    /// As [`Ledger::open`].
    pub fn open_with(directory: impl AsRef<Path>, options: &Options) -> Answer<Self> {
        let disk = RealDisk::open(directory.as_ref()).map_err(|fault| Fault::Open(fault::words(&fault)))?;
        let disk: Arc<dyn Disk> = Arc::new(disk);
        let lookup = options.secondary_indexes.then(|| Lookup::new(&directory.as_ref().join(LOOKUP)));
        let durable = Durable::open(&disk, Arc::new(SystemClock), options, lookup)?;
        Ok(Self { keep: Keep::Durable(Box::new(durable)) })
    }

    /// As [`Ledger::open`], on any disk and clock; without secondary indexes, which need a directory of the system's.
    ///
    /// # Errors
    /// As [`Ledger::open`].
    pub fn open_on(disk: &Arc<dyn Disk>, clock: Arc<dyn Clock>, options: &Options) -> Answer<Self> {
        Ok(Self { keep: Keep::Durable(Box::new(Durable::open(disk, clock, options, None)?)) })
    }

    /// A ledger in memory, gone with the process. Its clock starts at `start`, moves by one with every event, and
    /// otherwise only by [`Ledger::tick`].
    pub fn in_memory(start: Stamp) -> Self {
        Self { keep: Keep::Memory(Box::new(Mutex::new(Memory::new(start)))) }
    }

    /// Hands over a command without waiting: keep several under way to keep the disk and the book busy at once.
    ///
    /// # Errors
    /// [`Fault::TooManyEvents`], [`Fault::Stopped`].
    pub fn submit(&self, body: Body) -> Answer<Ticket> {
        body.check()?;
        let answer = match &self.keep {
            Keep::Durable(durable) => durable.submit(body)?,
            Keep::Memory(memory) => {
                let (send, answer) = crossbeam_channel::bounded(1);
                let reply = lock(memory).apply(&body);
                send.send(reply).map_err(|_| stopped())?;
                answer
            }
        };
        Ok(Ticket { answer })
    }

    /// Opens accounts; one outcome for each event, in order.
    ///
    /// # Errors
    /// A refused event is an outcome. [`Fault`]s are for what could not be decided.
    pub fn create_accounts(&self, events: &[Account]) -> Answer<Vec<Outcome<CreateAccountStatus>>> {
        let Reply::Accounts(outcomes) = self.submit(Body::Accounts(events.to_vec()))?.wait()? else {
            unreachable!("{WRONG_REPLY}")
        };
        Ok(outcomes)
    }

    /// Posts transfers; one outcome for each event, in order.
    ///
    /// # Errors
    /// As [`Ledger::create_accounts`].
    pub fn create_transfers(&self, events: &[Transfer]) -> Answer<Vec<Outcome<CreateTransferStatus>>> {
        let Reply::Transfers(outcomes) = self.submit(Body::Transfers(events.to_vec()))?.wait()? else {
            unreachable!("{WRONG_REPLY}")
        };
        Ok(outcomes)
    }

    /// As [`Ledger::create_transfers`], with the balances of both accounts right after each.
    ///
    /// # Errors
    /// As [`Ledger::create_accounts`].
    pub fn create_transfers_with_balances(&self, events: &[Transfer]) -> Answer<Vec<Receipt>> {
        let Reply::Receipts(receipts) = self.submit(Body::TransfersWithBalances(events.to_vec()))?.wait()?
        else {
            unreachable!("{WRONG_REPLY}")
        };
        Ok(receipts)
    }

    /// Opens accounts with limits and opening balances.
    ///
    /// # Errors
    /// As [`Ledger::create_accounts`].
    pub fn open_accounts(&self, events: &[AccountOpening]) -> Answer<Vec<Outcome<OpeningStatus>>> {
        let Reply::Openings(outcomes) = self.submit(Body::Openings(events.to_vec()))?.wait()? else {
            unreachable!("{WRONG_REPLY}")
        };
        Ok(outcomes)
    }

    /// Changes accounts' limits.
    ///
    /// # Errors
    /// As [`Ledger::create_accounts`].
    pub fn set_limits(&self, events: &[LimitChange]) -> Answer<Vec<Outcome<SetLimitStatus>>> {
        let Reply::Limits(outcomes) = self.submit(Body::Limits(events.to_vec()))?.wait()? else {
            unreachable!("{WRONG_REPLY}")
        };
        Ok(outcomes)
    }

    /// Posts or voids whole chains of pending transfers.
    ///
    /// # Errors
    /// As [`Ledger::create_accounts`].
    pub fn end_chains(&self, events: &[ChainEnd]) -> Answer<Vec<ChainOutcome>> {
        let Reply::ChainEnds(outcomes) = self.submit(Body::ChainEnds(events.to_vec()))?.wait()? else {
            unreachable!("{WRONG_REPLY}")
        };
        Ok(outcomes)
    }

    /// Accounts by id, `None` for an unknown one.
    ///
    /// # Errors
    /// [`Fault::Stopped`].
    pub fn lookup_accounts(&self, ids: &[AccountId]) -> Answer<Vec<Option<Account>>> {
        let ids = ids.to_vec();
        self.look(move |book| ids.iter().map(|id| book.account(*id)).collect())
    }

    /// Puts a product in force, takes loan orders, or goes a chunk of the way to the end of a day.
    ///
    /// # Errors
    /// As [`Ledger::create_accounts`].
    pub fn loans(&self, command: &LoanCommand) -> Answer<LoanReply> {
        let Reply::Loans(reply) = self.submit(Body::Loans(command.encode()))?.wait()? else {
            unreachable!("{WRONG_REPLY}")
        };
        Ok(reply)
    }

    /// Asks the registry of payment files.
    ///
    /// # Errors
    /// As [`Ledger::create_accounts`].
    pub fn batch(&self, order: &BatchOrder) -> Answer<BatchReply> {
        let Reply::Batch(reply) = self.submit(Body::Batch(order.encode()))?.wait()? else {
            unreachable!("{WRONG_REPLY}")
        };
        Ok(reply)
    }

    /// All payment files, by key.
    ///
    /// # Errors
    /// [`Fault::Stopped`].
    pub fn batches(&self) -> Answer<Vec<BatchEntry>> {
        self.look(|book| book.batches().iter().cloned().collect())
    }

    /// The bank's day; none before the first loan or day-end.
    ///
    /// # Errors
    /// [`Fault::Stopped`].
    pub fn business_date(&self) -> Answer<Option<BusinessDate>> {
        self.look(|book| book.loans().business_date())
    }

    /// Loans as of the business date, with their instalments; `None` for an unknown one.
    ///
    /// # Errors
    /// [`Fault::Stopped`].
    pub fn lookup_loans(&self, ids: &[LoanId]) -> Answer<Vec<Option<LoanView>>> {
        let ids = ids.to_vec();
        self.look(move |book| ids.iter().map(|id| book.loans().view(*id, book.accounts())).collect())
    }

    /// Accounts with all that is reserved on them, each read at one moment; `None` for an unknown one.
    ///
    /// # Errors
    /// [`Fault::Stopped`].
    pub fn lookup_positions(&self, ids: &[AccountId]) -> Answer<Vec<Option<Position>>> {
        let ids = ids.to_vec();
        self.look(move |book| ids.iter().map(|id| book.position(*id)).collect())
    }

    /// Transfers by id, `None` for an unknown one.
    ///
    /// # Errors
    /// [`Fault::Stopped`], [`Fault::Damaged`].
    pub fn lookup_transfers(&self, ids: &[TransferId]) -> Answer<Vec<Option<Transfer>>> {
        let asked = ids.to_vec();
        let young = self.look(move |book| history::young_lookup(book, &asked))?;
        match &self.keep {
            Keep::Memory(_) => Ok(history::only_transfers(young)),
            Keep::Durable(durable) => history::lookup_transfers(durable.journal(), ids, young),
        }
    }

    /// One account's transfers.
    ///
    /// # Errors
    /// [`Fault::Stopped`], [`Fault::Damaged`].
    pub fn account_transfers(&self, filter: &AccountFilter) -> Answer<Vec<Transfer>> {
        let filter = *filter;
        match &self.keep {
            Keep::Memory(memory) => Ok(settled(memory)?.book.young_account_transfers(&filter)),
            Keep::Durable(durable) => {
                match durable.read(move |shard| history::young_transfers(shard.book(), &filter))? {
                    Some(part) => history::account_transfers(durable.journal(), part, &filter),
                    None => Ok(Vec::new()),
                }
            }
        }
    }

    /// One account's balances after each of its transfers; the account must have the history flag.
    ///
    /// # Errors
    /// [`Fault::Stopped`], [`Fault::Damaged`].
    pub fn account_balances(&self, filter: &AccountFilter) -> Answer<Vec<BalanceLine>> {
        let filter = *filter;
        match &self.keep {
            Keep::Memory(memory) => {
                let memory = settled(memory)?;
                let part = history::young_balances(&memory.book, &filter);
                Ok(part.map(history::YoungPart::into_young).unwrap_or_default())
            }
            Keep::Durable(durable) => {
                match durable.read(move |shard| history::young_balances(shard.book(), &filter))? {
                    Some(part) => history::account_balances(durable.journal(), part, &filter),
                    None => Ok(Vec::new()),
                }
            }
        }
    }

    /// A page of an account's statement; see [`statement::statement`].
    ///
    /// # Errors
    /// As there.
    pub fn statement(&self, asked: &StatementAsked) -> Answer<Option<Statement>> {
        statement::statement(self, asked)
    }

    /// What one loan's events posted; see [`loan_postings::loan_postings`].
    ///
    /// # Errors
    /// As there.
    pub fn loan_postings(&self, loan: LoanId, direction: Direction, limit: u32) -> Answer<Vec<Transfer>> {
        loan_postings::loan_postings(self, loan, direction, limit)
    }

    /// How much was booked and reserved; see [`turnover::turnover`].
    ///
    /// # Errors
    /// As there.
    pub fn turnover(&self, asked: &TurnoverAsked) -> Answer<Turnovers> {
        turnover::turnover(self, asked)
    }

    /// The accounts that a search finds; see [`search::accounts`].
    ///
    /// # Errors
    /// As there.
    pub fn search_accounts(&self, search: &AccountSearch) -> Answer<Vec<Account>> {
        search::accounts(self, search)
    }

    /// How many of the sealed records and of the accounts the secondary indexes cover; none without them.
    pub fn indexed(&self) -> Option<[u64; 2]> {
        self.lookup().map(|lookup| [Kind::Reference, Kind::Customer].map(|kind| lookup.covered(kind)))
    }

    /// The transfers that a search finds; see [`search::transfers`].
    ///
    /// # Errors
    /// As there.
    pub fn search_transfers(&self, search: &TransferSearch) -> Answer<Vec<Transfer>> {
        search::transfers(self, search)
    }

    /// What happened from a position on; see [`feed::page`].
    ///
    /// # Errors
    /// As there.
    pub fn feed(&self, asked: &FeedAsked) -> Answer<FeedPage> {
        feed::page(self, asked)
    }

    /// Every account as it stood at the end of a business date; see [`as_of::accounts_as_of`].
    ///
    /// # Errors
    /// As there.
    pub fn accounts_as_of(&self, date: BusinessDate) -> Answer<Vec<Account>> {
        as_of::accounts_as_of(self, date)
    }

    /// Accounts that pass a filter.
    ///
    /// # Errors
    /// [`Fault::Stopped`].
    pub fn query_accounts(&self, filter: &QueryFilter) -> Answer<Vec<Account>> {
        let filter = *filter;
        self.look(move |book| book.query_accounts(&filter))
    }

    /// Transfers that pass a filter.
    ///
    /// # Errors
    /// [`Fault::Stopped`], [`Fault::Damaged`].
    pub fn query_transfers(&self, filter: &QueryFilter) -> Answer<Vec<Transfer>> {
        history::query(self, filter)
    }

    /// Moves an in-memory ledger's clock on, and answers it.
    ///
    /// # Errors
    /// [`Fault::ClockIsNotOurs`] for a durable ledger, [`Fault::ClockAtItsEnd`].
    pub fn tick(&self, nanoseconds: u64) -> Answer<Stamp> {
        match &self.keep {
            Keep::Memory(memory) => lock(memory).tick(nanoseconds),
            Keep::Durable(_) => Err(Fault::ClockIsNotOurs),
        }
    }

    /// What the next event's stamp will be above.
    pub fn clock(&self) -> Stamp {
        match &self.keep {
            Keep::Memory(memory) => lock(memory).clock(),
            Keep::Durable(durable) => durable.clock(),
        }
    }

    /// What opening the directory found; nothing for an in-memory ledger.
    pub fn recovery(&self) -> Recovery {
        match &self.keep {
            Keep::Memory(_) => Recovery::default(),
            Keep::Durable(durable) => durable.recovery(),
        }
    }

    /// Adds the whole journal up again and looks at every invariant. Commands wait while the journal is added up, and
    /// then go on between pieces of the loans.
    ///
    /// # Errors
    /// [`Fault::Stopped`]. What is wrong with the books is in [`Audit::faults`].
    pub fn audit(&self) -> Answer<Audit> {
        match &self.keep {
            Keep::Memory(memory) => {
                let settled = settled(memory)?;
                audit::of_book(&settled.book).lives(|first| Ok(audit::of_lives(&settled.book, first)))
            }
            Keep::Durable(durable) => durable
                .read(Shard::audit_sums)?
                .lives(|first| durable.read(move |shard| shard.audit_lives(first))),
        }
    }

    /// One number for all the books; see the module `digest`.
    ///
    /// # Errors
    /// [`Fault::Stopped`].
    pub fn digest(&self) -> Answer<[u8; 32]> {
        match &self.keep {
            Keep::Memory(memory) => Ok(digest::digest(&settled(memory)?.book, &[])),
            Keep::Durable(durable) => durable.read(Shard::digest),
        }
    }

    /// All records of a range as of now; see [`export::export`].
    ///
    /// # Errors
    /// As there.
    pub fn export(&self, asked: export::ExportAsked) -> Answer<export::Export<'_>> {
        export::export(self, asked)
    }

    /// Moves sealed segments whose records are all older than `before` into the journal's archive, oldest first. It
    /// may run beside everything else, and be interrupted at any moment. Answers how many were moved.
    ///
    /// # Errors
    /// [`Fault::Damaged`], where one is damaged or missing: it is left where it is, and those behind it too.
    pub fn archive_before(&self, before: Stamp, mut moved: impl FnMut(u32)) -> Answer<u32> {
        let Keep::Durable(durable) = &self.keep else { return Ok(0) };
        let mut count = 0;
        for number in 0..durable.journal().chunks() {
            let outcome = durable.journal().archive_segment(number, before);
            match outcome.map_err(|fault| Fault::Damaged(fault::words(&fault)))? {
                fen_store::journal::Archived::Now => {
                    count += 1;
                    moved(number);
                }
                fen_store::journal::Archived::Already => {}
                fen_store::journal::Archived::TooYoung => break,
            }
        }
        Ok(count)
    }

    /// The first stamp of a business date, where it has begun.
    ///
    /// # Errors
    /// [`Fault::Stopped`].
    pub fn begin_of(&self, date: BusinessDate) -> Answer<Stamp> {
        let period = Period::Booked { first: date, last: date };
        self.look(move |book| statement::stamps(&period, book).0)
    }

    /// The tree over all records as of now; see [`proof::record_tree`].
    ///
    /// # Errors
    /// As there.
    pub fn record_tree(&self) -> Answer<proof::RecordTree<'_>> {
        proof::record_tree(self)
    }

    /// What a digest says of this moment; see [`proof::history_head`].
    ///
    /// # Errors
    /// As there.
    pub fn history_head(&self, content: proof::Content) -> Answer<proof::HistoryHead> {
        let identity = match &self.keep {
            Keep::Memory(_) => 0,
            Keep::Durable(durable) => durable.identity(),
        };
        proof::history_head(self, identity, content)
    }
}
