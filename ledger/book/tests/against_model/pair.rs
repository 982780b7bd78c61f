//! A book and a model that are given the same commands and must agree after each.

use crate::crash::Disk;
use fen_book::{
    Account, AccountFilter, AccountFlags, AccountId, BalanceLine, Book, Chunk, Command, Named, QueryFilter,
    Recall, Reply, Stamp, Transfer, TransferFlags, TransferId,
};
use fen_model::Model;
use std::collections::BTreeMap;
use std::sync::Arc;

/// See the module's words.
pub(crate) struct Pair {
    pub(crate) book: Book,
    pub(crate) model: Model,
    pub(crate) clock: Stamp,
    pub(crate) sealed: Sealed,
    pub(crate) disk: Disk,
}

/// The chunks that the book was told to forget, and the indexes that storage keeps over them.
#[derive(Default)]
pub(crate) struct Sealed {
    pub(crate) chunks: Vec<Arc<Chunk>>,
    records: BTreeMap<TransferId, Transfer>,
    resolutions: BTreeMap<TransferId, Transfer>,
}

impl Sealed {
    fn add(&mut self, chunk: Arc<Chunk>) {
        for record in &chunk.records {
            if !record.id.is_zero() {
                self.records.insert(record.id, *record);
            }
            if !record.pending_id.is_zero() {
                self.resolutions.insert(record.pending_id, *record);
            }
        }
        self.chunks.push(chunk);
    }

    /// Forgets what was sealed from this chunk on.
    pub(crate) fn keep_before(&mut self, number: u32) {
        let chunks = std::mem::take(&mut self.chunks);
        *self = Self::default();
        chunks.into_iter().filter(|chunk| chunk.number < number).for_each(|chunk| self.add(chunk));
    }

    /// What storage finds for a command before the book sees it.
    pub(crate) fn recall(&self, command: &Command<'_>) -> Recall {
        let mut recall = Recall::nothing();
        let named = Named::by(command);
        for id in named.ids.iter().chain(&named.pending_ids) {
            if let Some(record) = self.records.get(id) {
                recall.add_record(*record);
            }
        }
        for record in named.pending_ids.iter().filter_map(|id| self.resolutions.get(id)) {
            recall.add_resolution(*record);
        }
        for stamp in named.stamps {
            if self.transfers().any(|transfer| transfer.timestamp == stamp) {
                recall.add_stamp(stamp);
            }
        }
        recall
    }

    pub(crate) fn transfers(&self) -> impl Iterator<Item = Transfer> + '_ {
        let records = self.chunks.iter().flat_map(|chunk| chunk.records.iter());
        records.filter(|record| record.is_transfer()).copied()
    }
}

impl Pair {
    pub(crate) fn new(start: u64) -> Self {
        Self {
            book: Book::new(),
            model: Model::new(),
            clock: Stamp::new(start),
            sealed: Sealed::default(),
            disk: Disk::default(),
        }
    }

    /// Gives both the command at the next stamps; the answers must be the same.
    pub(crate) fn apply(&mut self, command: &Command<'_>) -> Reply {
        self.clock = Stamp::new(self.clock.get() + u64::try_from(command.stamp_count()).unwrap());
        let recall = self.sealed.recall(command);
        let of_book = self.book.apply(command, self.clock, &recall);
        let of_model = self.model.apply(command, self.clock);
        assert_eq!(of_book, of_model, "book (left) and model answer differently to {command:?}");
        self.disk.note(command, self.clock, &of_book);
        of_book
    }

    /// Begins a checkpoint or goes on with it. What is no longer in the open chunk must be sealed by its end.
    pub(crate) fn checkpoint(&mut self, pages_max: usize) {
        if !self.disk.is_writing() {
            while self.book.young().full_chunks().next().is_some() {
                self.seal_oldest();
            }
        }
        self.disk.go_on(&mut self.book, pages_max);
    }

    /// All memory is lost.
    pub(crate) fn crash(&mut self) {
        self.book = self.disk.recover(&mut self.sealed);
    }

    pub(crate) fn create_accounts(&mut self, events: &[Account]) -> Reply {
        self.apply(&Command::CreateAccounts(events))
    }

    pub(crate) fn tick(&mut self, nanoseconds: u64) {
        self.clock = Stamp::new(self.clock.get() + nanoseconds);
        self.apply(&Command::Pulse);
    }

    /// These accounts must have the same balances, flags and reservations in both.
    pub(crate) fn compare_accounts(&self, ids: &[AccountId]) {
        for (id, of_model) in ids.iter().zip(self.model.lookup_accounts(ids)) {
            assert_eq!(self.book.account(*id), of_model, "book (left) and model differ in account {id}");
            let of_book = self.book.position(*id).map(|position| (position.limit, position.pendings));
            let of_model = of_model.map(|_| (self.model.limit_of(*id), self.model.pendings_of(*id)));
            assert_eq!(of_book, of_model, "book (left) and model differ in what account {id} has reserved");
        }
    }

    /// These transfers must be the same in both.
    pub(crate) fn compare_transfers(&self, ids: &[TransferId]) {
        for (id, of_model) in ids.iter().zip(self.model.lookup_transfers(ids)) {
            let record = self.book.young().find(*id).or_else(|| self.sealed.records.get(id));
            let of_book = record.filter(|record| record.is_transfer()).copied();
            assert_eq!(of_book, of_model, "book (left) and model differ in transfer {id}");
        }
    }

    pub(crate) fn compare_account_queries(&self, filter: &QueryFilter) {
        let of_book = self.book.query_accounts(filter);
        assert_eq!(of_book, self.model.query_accounts(filter), "book (left) and model differ in {filter:?}");
    }

    /// The young end of what the model finds, oldest first; all of it where nothing is sealed.
    pub(crate) fn compare_transfer_queries(&self, filter: &QueryFilter) {
        let of_book = self.book.query_young_transfers(filter);
        let of_model = self.model.query_transfers(filter);
        self.agree(&of_book, &of_model, filter.reversed, filter.limit, &format!("{filter:?}"));
    }

    pub(crate) fn compare_statements(&self, filter: &AccountFilter) {
        let of_book = self.book.young_account_transfers(filter);
        let of_model = self.model.account_transfers(filter);
        self.agree(&of_book, &of_model, filter.reversed, filter.limit, &format!("{filter:?}"));
        let of_book: Vec<BalanceLine> = self.book.young_account_balances(filter);
        let history = self.model.lookup_accounts(&[filter.account_id])[0]
            .is_some_and(|account| account.flags.contains(AccountFlags::HISTORY));
        if history {
            let of_model = self.model.account_balances(filter);
            self.agree(&of_book, &of_model, filter.reversed, filter.limit, &format!("balances, {filter:?}"));
        }
    }

    fn agree<T: PartialEq + std::fmt::Debug>(
        &self,
        of_book: &[T],
        of_model: &[T],
        reversed: bool,
        limit: u32,
        what: &str,
    ) {
        if self.sealed.chunks.is_empty() {
            assert_eq!(of_book, of_model, "book (left) and model differ in {what}");
        } else if reversed {
            assert!(of_model.starts_with(of_book), "{what}: book {of_book:?}, model {of_model:?}");
        } else if limit == u32::MAX {
            assert!(of_model.ends_with(of_book), "{what}: book {of_book:?}, model {of_model:?}");
        }
    }

    /// Takes over the oldest full chunk and lets the book forget it, if there is one.
    pub(crate) fn seal_oldest(&mut self) {
        let oldest = self.book.young().full_chunks().next().cloned();
        if let Some(chunk) = oldest {
            self.book.forget_chunk(chunk.number);
            self.sealed.add(chunk);
        }
    }

    /// Where the journal's chunks say that an account has entries must be where it has them.
    pub(crate) fn compare_chunk_chain(&self, id: AccountId) {
        let Some(slot) = self.book.accounts().slot_of(id) else { return };
        let moves = |chunk: &Chunk| {
            let is_side = |record: &Transfer| {
                !record.flags.intersects(TransferFlags::BURNED.with(TransferFlags::MEMO))
                    && (record.debit_account_id == id || record.credit_account_id == id)
            };
            chunk.records.iter().any(is_side)
        };
        let mut chunks: Vec<&Chunk> = self.sealed.chunks.iter().map(|chunk| &**chunk).collect();
        chunks.extend(self.book.young().chunks());
        let expected: Vec<u32> =
            chunks.iter().rev().filter(|chunk| moves(chunk)).map(|chunk| chunk.number).collect();
        let mut found = Vec::new();
        let mut next = self.book.accounts().get(slot).reserved;
        while next != 0 {
            let chunk = chunks[usize::try_from(next - 1).unwrap()];
            let touch = chunk.touches.iter().find(|touch| touch.slot == slot);
            found.push(chunk.number);
            next = touch.expect("a chunk that an account points to has a touch of it").previous;
        }
        assert_eq!(found, expected, "the chain of chunks of account {id}");
    }
}
