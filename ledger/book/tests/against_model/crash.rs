//! Checkpoints and crashes: the book is frozen and its pages taken a few at a time while commands go on; then all
//! memory is lost, and what the last whole checkpoint and the log since give must be the book that was.

use crate::pair::Sealed;
use fen_book::image::{Header, Restore, Table, TablePage};
use fen_book::{Account, AccountOpening, Book, ChainEnd, Command, LimitChange, Reply, Stamp, Transfer};
use std::collections::BTreeMap;

/// A command as the log keeps it.
pub(crate) enum Logged {
    CreateAccounts(Vec<Account>),
    CreateTransfers(Vec<Transfer>),
    CreateTransfersWithBalances(Vec<Transfer>),
    OpenAccounts(Vec<AccountOpening>),
    SetLimits(Vec<LimitChange>),
    EndChains(Vec<ChainEnd>),
    Loans(Vec<u8>),
    Batch(Vec<u8>),
    Pulse,
}

impl Logged {
    fn of(command: &Command<'_>) -> Self {
        match command {
            Command::CreateAccounts(events) => Self::CreateAccounts(events.to_vec()),
            Command::CreateTransfers(events) => Self::CreateTransfers(events.to_vec()),
            Command::CreateTransfersWithBalances(events) => {
                Self::CreateTransfersWithBalances(events.to_vec())
            }
            Command::OpenAccounts(events) => Self::OpenAccounts(events.to_vec()),
            Command::SetLimits(events) => Self::SetLimits(events.to_vec()),
            Command::EndChains(events) => Self::EndChains(events.to_vec()),
            Command::Loans(body) => Self::Loans(body.to_vec()),
            Command::Batch(body) => Self::Batch(body.to_vec()),
            Command::Pulse => Self::Pulse,
        }
    }

    fn command(&self) -> Command<'_> {
        match self {
            Self::CreateAccounts(events) => Command::CreateAccounts(events),
            Self::CreateTransfers(events) => Command::CreateTransfers(events),
            Self::CreateTransfersWithBalances(events) => Command::CreateTransfersWithBalances(events),
            Self::OpenAccounts(events) => Command::OpenAccounts(events),
            Self::SetLimits(events) => Command::SetLimits(events),
            Self::EndChains(events) => Command::EndChains(events),
            Self::Loans(body) => Command::Loans(body),
            Self::Batch(body) => Command::Batch(body),
            Self::Pulse => Command::Pulse,
        }
    }
}

/// The pages of the last whole checkpoint, and what has been applied since its moment.
#[derive(Default)]
struct Checkpoint {
    header: Header,
    pages: BTreeMap<(u16, u32), Vec<u8>>,
}

/// What of a checkpoint has been taken so far.
struct Unfinished {
    header: Header,
    pages: Vec<TablePage>,
    /// How long the log was at its moment.
    log_from: usize,
}

/// What outlives the book's memory.
#[derive(Default)]
pub(crate) struct Disk {
    checkpoint: Checkpoint,
    unfinished: Option<Unfinished>,
    /// Commands since the checkpoint's moment, and their answers.
    log: Vec<(Logged, Stamp, Reply)>,
}

impl Disk {
    pub(crate) fn note(&mut self, command: &Command<'_>, stamp: Stamp, reply: &Reply) {
        self.log.push((Logged::of(command), stamp, reply.clone()));
    }

    pub(crate) fn is_writing(&self) -> bool {
        self.unfinished.is_some()
    }

    /// Begins a checkpoint, or takes a few pages of the one that is being written.
    pub(crate) fn go_on(&mut self, book: &mut Book, pages_max: usize) {
        let Some(unfinished) = &mut self.unfinished else {
            let frozen = book.freeze();
            let log_from = self.log.len();
            self.unfinished = Some(Unfinished { header: frozen.header, pages: frozen.pages, log_from });
            return;
        };
        unfinished.pages.extend(book.take_frozen(pages_max));
        if book.has_frozen() {
            return;
        }
        let done = self.unfinished.take().expect("a checkpoint was being written");
        self.checkpoint.header = done.header;
        // The open chunk is written anew by every checkpoint; of the tables, only what changed.
        let of_chunk = [Table::Records, Table::Touches, Table::PartPosts].map(Table::number);
        self.checkpoint.pages.retain(|(table, _), _| !of_chunk.contains(table));
        for page in done.pages {
            self.checkpoint.pages.insert((page.table.number(), page.page), page.bytes);
        }
        self.log.drain(..done.log_from);
    }

    /// The book after a crash: the last whole checkpoint, and every command since, which must be answered as before.
    /// Chunks that were sealed after the checkpoint's moment are not yet known to its book: they fill again.
    pub(crate) fn recover(&mut self, sealed: &mut Sealed) -> Book {
        self.unfinished = None;
        sealed.keep_before(self.checkpoint.header.chunk);
        let mut restore = Restore::of(&self.checkpoint.header).expect("the same release");
        for ((table, page), bytes) in &self.checkpoint.pages {
            restore.page(*table, *page, bytes).expect("a page that was taken can be restored");
        }
        let mut book = restore.finish().expect("a whole checkpoint can be restored");
        for (logged, stamp, reply) in &self.log {
            let command = logged.command();
            let again = book.apply(&command, *stamp, &sealed.recall(&command));
            assert_eq!(again, *reply, "a replay (left) answers differently to {command:?}");
        }
        book
    }
}
