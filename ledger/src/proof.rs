//! The tree over all records of a ledger, sealed and young: what digests and proofs are made from.
//!
//! Record number n of the journal is leaf n. A segment is a whole subtree of 65,536 leaves, whose root the journal
//! keeps; what is young is copied between two commands (at most a few MiB) and hashed by the caller's thread. So a
//! digest covers every record that was answered before it was asked for, sealed or not, and no transfer waits for a
//! hash. The crate `fen-proof` has the tree, the texts and their checks.
//!
//! **Invariants.** Leaves are records as the journal holds them, 128 bytes each; none is ever changed or removed, so
//! a tree begins with every earlier one. Tested in `ledger/tests/proof.rs`.
//!
//! Limits: [`Ledger::history_head`](crate::Ledger::history_head) adds up every account between two commands: about
//! 30 ms a million.

use crate::audit::LedgerTotals;
use crate::digest::digest;
use crate::fault::{Answer, Fault, words};
use crate::past::Past;
use fen_book::{
    AccountSlot, Book, BusinessDate, CHUNK_RECORDS, Chunk, RecordNumber, Stamp, Transfer, TransferId,
};
use fen_proof::TreeHash;
use fen_proof::tree::{self, Head, Subtrees, WholeTree};
use fen_store::journal::Journal;
use std::collections::BTreeMap;
use std::sync::Arc;
use zerocopy::IntoBytes as _;

/// The level of the tree at which a segment is one hash.
const CHUNK_LEVEL: u32 = CHUNK_RECORDS.ilog2();
/// Trees of segments kept while proofs are made; one is 4 MiB.
const TREES_MAX: usize = 2;

/// What a head contains beside the tree.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Content {
    /// Totals by ledger.
    Totals,
    /// Totals, and the hash of all the books, which reads every account and loan.
    TotalsAndBooks,
}

/// A ledger's history at one moment.
#[derive(Clone, Debug)]
pub struct HistoryHead {
    /// Size and root of the tree over all records.
    pub head: Head,
    /// Which directory it is; zero in memory.
    pub identity: u64,
    /// The business date, where the books have one.
    pub business_date: Option<BusinessDate>,
    /// The stamp of the last command.
    pub clock: Stamp,
    /// The digest of all the books, where it was asked for.
    pub books: Option<[u8; 32]>,
    /// The trial balance, by ledger.
    pub ledgers: BTreeMap<u32, LedgerTotals>,
}

/// What the book says of the moment; the tree comes after it.
struct State {
    business_date: Option<BusinessDate>,
    clock: Stamp,
    books: Option<[u8; 32]>,
    ledgers: BTreeMap<u32, LedgerTotals>,
}

impl State {
    fn of(book: &Book, sealed: &[[u8; 32]], content: Content) -> Self {
        Self {
            business_date: book.loans().business_date(),
            clock: book.clock(),
            books: (content == Content::TotalsAndBooks).then(|| digest(book, sealed)),
            ledgers: totals(book),
        }
    }

    fn head(self, identity: u64, tree: &mut RecordTree<'_>) -> Answer<HistoryHead> {
        let size = tree.size();
        let root = tree.root(size)?.expect("a tree has a root at its own size");
        Ok(HistoryHead {
            head: Head { size, root },
            identity,
            business_date: self.business_date,
            clock: self.clock,
            books: self.books,
            ledgers: self.ledgers,
        })
    }
}

/// The tree over all records as of now, which digests and proofs are made from.
///
/// # Errors
/// [`Fault::Stopped`].
pub fn record_tree<P: Past>(past: &P) -> Answer<RecordTree<'_>> {
    let young = past.look(YoungRecords::of)?;
    Ok(RecordTree::new(past.journal(), young))
}

/// What a digest says of this moment; `identity` is the directory's. With [`Content::TotalsAndBooks`] the digest of
/// all the books is part of it.
///
/// # Errors
/// [`Fault::Stopped`]; [`Fault::Damaged`], where a segment cannot be read.
pub fn history_head(past: &impl Past, identity: u64, content: Content) -> Answer<HistoryHead> {
    loop {
        let known = past.journal().map_or(0, Journal::chunks);
        let sealed = past.journal().map(Journal::segment_hashes).unwrap_or_default();
        let told = past.look(move |book| {
            let first_young = book.young().chunks().next().map_or(0, |chunk| chunk.number);
            // A chunk that was let go of since the hashes were read: they are read again.
            (first_young <= known).then(|| {
                let below = sealed.iter().filter(|(number, _)| *number < first_young);
                let below: Vec<[u8; 32]> = below.map(|(_, hash)| *hash.bytes()).collect();
                (State::of(book, &below, content), YoungRecords::of(book))
            })
        })?;
        if let Some((state, young)) = told {
            return state.head(identity, &mut RecordTree::new(past.journal(), young));
        }
    }
}

fn totals(book: &Book) -> BTreeMap<u32, LedgerTotals> {
    let mut ledgers: BTreeMap<u32, LedgerTotals> = BTreeMap::new();
    for number in 0..book.accounts().len() {
        let account = book.accounts().get(AccountSlot::new(u32::try_from(number).unwrap_or(u32::MAX)));
        ledgers.entry(account.ledger.get()).or_default().add(account);
    }
    ledgers
}

/// The records that are not sealed, as of one moment.
pub(crate) struct YoungRecords {
    full: Vec<Arc<Chunk>>,
    open_number: u32,
    open: Vec<Transfer>,
}

impl YoungRecords {
    pub(crate) fn of(book: &Book) -> Self {
        let open = book.young().open_chunk();
        Self {
            full: book.young().full_chunks().cloned().collect(),
            open_number: open.number,
            open: open.records.clone(),
        }
    }

    /// A chunk's records; `None` where it is sealed and let go.
    fn chunk(&self, number: u32) -> Option<&[Transfer]> {
        if number == self.open_number {
            return Some(&self.open);
        }
        self.full.iter().find(|chunk| chunk.number == number).map(|chunk| &chunk.records[..])
    }

    /// All, oldest first.
    pub(crate) fn into_records(self) -> impl Iterator<Item = (RecordNumber, Transfer)> {
        let numbered = |(chunk, records): (u32, Vec<Transfer>)| {
            let numbers = (first_of(chunk)..).map(RecordNumber::new);
            numbers.zip(records)
        };
        let full = self.full.into_iter().map(|chunk| (chunk.number, chunk.records.clone()));
        full.chain([(self.open_number, self.open)]).flat_map(numbered)
    }

    fn find(&self, id: TransferId) -> Option<(RecordNumber, Transfer)> {
        let full = self.full.iter().map(|chunk| (chunk.number, &chunk.records));
        full.chain([(self.open_number, &self.open)]).find_map(|(number, records)| {
            let position = records.iter().position(|record| record.id == id)?;
            Some((RecordNumber::new(first_of(number) + wide(position)), records[position]))
        })
    }
}

fn wide(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn first_of(chunk: u32) -> u64 {
    u64::from(chunk) << CHUNK_LEVEL
}

/// The leaves of these records.
fn leaves(records: &[Transfer]) -> Vec<TreeHash> {
    records.iter().map(|record| TreeHash::leaf(record.as_bytes())).collect()
}

/// The tree over all records as of one moment; see the module's words.
pub struct RecordTree<'a> {
    journal: Option<&'a Journal>,
    young: YoungRecords,
    open_leaves: Vec<TreeHash>,
    /// Of whole chunks that were looked into.
    trees: BTreeMap<u32, WholeTree>,
}

impl<'a> RecordTree<'a> {
    pub(crate) fn new(journal: Option<&'a Journal>, young: YoungRecords) -> Self {
        let open_leaves = leaves(&young.open);
        Self { journal, young, open_leaves, trees: BTreeMap::new() }
    }

    /// How many records there are.
    pub fn size(&self) -> u64 {
        first_of(self.young.open_number) + wide(self.young.open.len())
    }

    /// The root of the first `size` records; `None` where there are fewer.
    ///
    /// # Errors
    /// [`Fault::Damaged`], where a segment cannot be read.
    pub fn root(&mut self, size: u64) -> Answer<Option<TreeHash>> {
        if size > self.size() {
            return Ok(None);
        }
        let root = tree::root(self, size)?;
        self.keep()?;
        Ok(Some(root))
    }

    /// The record with that id, and its number. A burned id is no transfer.
    ///
    /// # Errors
    /// [`Fault::Damaged`], where a segment cannot be read.
    pub fn find(&self, id: TransferId) -> Answer<Option<(RecordNumber, Transfer)>> {
        let found = match (self.young.find(id), self.journal) {
            (Some(young), _) => Some(young),
            (None, None) => None,
            (None, Some(journal)) => {
                journal.find_transfer(id).map_err(damaged)?.map(|found| (found.number, found.record))
            }
        };
        Ok(found.filter(|(_, record)| record.is_transfer()))
    }

    /// The path from a record to the root of the first `size` records; `None` where it is not one of them.
    ///
    /// # Errors
    /// [`Fault::Damaged`], where a segment cannot be read.
    pub fn inclusion(&mut self, number: RecordNumber, size: u64) -> Answer<Option<Vec<TreeHash>>> {
        if number.get() >= size || size > self.size() {
            return Ok(None);
        }
        let path = tree::inclusion(self, number.get(), size)?;
        self.keep()?;
        Ok(Some(path))
    }

    /// That the first `newer` records begin with the first `older`; `None` where there are fewer.
    ///
    /// # Errors
    /// [`Fault::Damaged`], where a segment cannot be read.
    pub fn consistency(&mut self, older: u64, newer: u64) -> Answer<Option<Vec<TreeHash>>> {
        if older > newer || newer > self.size() {
            return Ok(None);
        }
        let path = tree::consistency(self, older, newer)?;
        self.keep()?;
        Ok(Some(path))
    }

    fn keep(&self) -> Answer<()> {
        match self.journal.map(Journal::keep_record_roots) {
            // They can be worked out again; an answer need not wait for room.
            Some(Err(fault)) if !fault.is_full() => Err(damaged(fault)),
            Some(Ok(()) | Err(_)) | None => Ok(()),
        }
    }

    fn chunk_root(&mut self, number: u32) -> Answer<TreeHash> {
        match self.journal {
            Some(journal) if self.young.chunk(number).is_none() => {
                journal.record_root(number).map_err(damaged)
            }
            Some(_) | None => Ok(self.tree_of(number)?.root()),
        }
    }

    fn tree_of(&mut self, number: u32) -> Answer<&WholeTree> {
        if !self.trees.contains_key(&number) {
            let tree = match (self.young.chunk(number), self.journal) {
                (Some(records), _) => WholeTree::new(leaves(records)),
                (None, Some(journal)) => journal.record_tree(number).map_err(damaged)?,
                (None, None) => unreachable!("a ledger in memory keeps all of its chunks"),
            };
            if self.trees.len() == TREES_MAX {
                self.trees.pop_first();
            }
            self.trees.insert(number, tree);
        }
        Ok(&self.trees[&number])
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is handed over by map_err")]
fn damaged(fault: fen_store::journal::JournalFault) -> Fault {
    Fault::Damaged(words(&fault))
}

impl Subtrees for RecordTree<'_> {
    type Fault = Fault;

    fn whole(&mut self, level: u32, index: u64) -> Answer<TreeHash> {
        if level > CHUNK_LEVEL {
            let left = self.whole(level - 1, 2 * index)?;
            return Ok(TreeHash::node(&left, &self.whole(level - 1, 2 * index + 1)?));
        }
        let chunk_of = |index: u64| u32::try_from(index).expect("a journal has fewer than 2^32 chunks");
        let within = CHUNK_LEVEL - level;
        let (chunk, place) = (chunk_of(index >> within), index & ((1 << within) - 1));
        if chunk == self.young.open_number {
            let first = usize::try_from(place << level).unwrap_or(usize::MAX);
            return Ok(WholeTree::new(self.open_leaves[first..first + (1 << level)].to_vec()).root());
        }
        if level == CHUNK_LEVEL {
            return self.chunk_root(chunk);
        }
        Ok(self.tree_of(chunk)?.whole(level, place).expect("a whole tree has all of its subtrees"))
    }
}
