//! The secondary indexes of a ledger: external reference to transfers, customer to accounts.
//!
//! A thread of its own feeds them from what is sealed, and from the list of accounts; nobody on a transfer's way waits
//! for it. The reference of a transfer is its `user_data_128`; a loan's events post under the loan's id, so a loan's
//! transfers are found by it too. A customer is the upper half of an account's id, or all of it where that is zero.
//!
//! **Invariants.** An answer is what a look at everything would tell: what the index does not cover is looked at, what
//! it points to is held against the question, and where it breaks the rest is looked at, too. So a broken, missing or
//! young index costs time and changes no answer.
//!
//! Only a ledger in a directory has them, in its folder `lookup`. Tested in `ledger/tests/history/lookup.rs`.

use crate::apply::Read;
use crate::durable::stopped;
use crate::fault::{Answer, Fault};
use crate::past::Past;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use fen_book::{Account, AccountId, AccountSlot, Book, QueryFilter, RecordNumber};
use fen_lookup::{Broken, Entry, FeedFault, Kind, Lookup, Places, Source, UNIT_PLACES, UnitName};
use fen_store::journal::{Found, Journal, JournalFault, QueryTransfers};
use fen_store::room::Room;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// Accounts that are read between two commands.
const ACCOUNTS_AT_ONCE: u32 = 4_096;
/// How often it is asked whether there are new accounts, or an index to make again.
const PATIENCE: Duration = Duration::from_secs(2);
/// How far the thread steps back: a tenth of a processor that others want all of.
const NICE: i32 = 10;

/// Lets everybody else's threads go first where processors are short: an index may be late. What it is late with is
/// looked at by whoever asks.
fn step_back() {
    // Of this thread alone, on Linux; elsewhere it would be the whole process's.
    if cfg!(target_os = "linux") {
        let _may_be_forbidden = rustix::process::setpriority_process(None, NICE);
    }
}

/// The customer of an account; `None` for the bank's own control accounts.
pub fn customer_of(id: AccountId) -> Option<u64> {
    let upper = u64::try_from(id.get() >> 64).unwrap_or(u64::MAX);
    let lower = u64::try_from(id.get() & u128::from(u64::MAX)).unwrap_or(u64::MAX);
    match upper {
        u64::MAX => None,
        0 => Some(lower),
        customer => Some(customer),
    }
}

/// Sealed records by reference.
struct References<'a>(&'a Journal);

impl Source for References<'_> {
    type Fault = JournalFault;

    fn units(&self) -> Result<u32, JournalFault> {
        Ok(self.0.chunks())
    }

    fn name(&self, unit: u32) -> Result<Option<UnitName>, JournalFault> {
        Ok(self.0.segment_hash(unit).map(|hash| *hash.bytes()))
    }

    fn entries(&self, unit: u32) -> Result<Vec<Entry>, JournalFault> {
        self.0.references(unit)
    }
}

/// Accounts by customer.
struct Customers<'a, P>(&'a P);

fn slots(book: &Book) -> u32 {
    u32::try_from(book.accounts().len()).unwrap_or(u32::MAX)
}

impl<P: Past> Source for Customers<'_, P> {
    type Fault = Fault;

    fn units(&self) -> Answer<u32> {
        self.0.look(|book| slots(book) / UNIT_PLACES)
    }

    /// Accounts are never removed, nor do they change places: the last one's id and stamp tell the books apart.
    fn name(&self, unit: u32) -> Answer<Option<UnitName>> {
        self.0.look(move |book| {
            let last = AccountSlot::new(unit * UNIT_PLACES + (UNIT_PLACES - 1));
            let account = (last.get() < slots(book)).then(|| book.accounts().get(last))?;
            let mut name = [0; 32];
            name[..16].copy_from_slice(&account.id.get().to_le_bytes());
            name[16..24].copy_from_slice(&account.timestamp.get().to_le_bytes());
            Some(name)
        })
    }

    fn entries(&self, unit: u32) -> Answer<Vec<Entry>> {
        let mut entries = Vec::new();
        for first in (0..UNIT_PLACES).step_by(ACCOUNTS_AT_ONCE as usize) {
            let more: Vec<Entry> = self.0.look(move |book| {
                let customer = |place: u32| {
                    let account = book.accounts().get(AccountSlot::new(unit * UNIT_PLACES + place));
                    Some((u128::from(customer_of(account.id)?), place))
                };
                (first..first + ACCOUNTS_AT_ONCE).filter_map(customer).collect()
            })?;
            entries.extend(more);
        }
        Ok(entries)
    }
}

/// Brings the indexes up to what there is. `is_wanted` is asked between two units whether to go on.
///
/// # Errors
/// [`FeedFault`]; it may be called again after any.
pub fn feed(past: &impl Past, lookup: &Lookup, is_wanted: &dyn Fn() -> bool) -> Result<(), FeedFault> {
    if let Some(journal) = past.journal() {
        lookup.feed(Kind::Reference, &References(journal), is_wanted)?;
    }
    lookup.feed(Kind::Customer, &Customers(past), is_wanted)
}

/// The thread that feeds.
pub(crate) struct Feeder {
    pub(crate) journal: Arc<Journal>,
    pub(crate) lookup: Arc<Lookup>,
    pub(crate) reads: Sender<Read>,
    pub(crate) room: Room,
}

impl Past for Feeder {
    fn look<T: Send + 'static>(&self, look: impl FnOnce(&Book) -> T + Send + 'static) -> Answer<T> {
        let (reply, answer) = bounded(1);
        let read: Read = Box::new(move |shard| {
            let _gone = reply.send(look(shard.book()));
        });
        self.reads.send(read).map_err(|_| stopped())?;
        answer.recv().map_err(|_| stopped())
    }

    fn journal(&self) -> Option<&Journal> {
        Some(&self.journal)
    }
}

impl Feeder {
    /// Runs until the ledger closes. `opened` hears when what was there before is ready to answer.
    pub(crate) fn run(self, sealed: &Receiver<()>, opened: &Sender<()>) {
        let mut told = None;
        self.feed(&|| false, &mut told);
        step_back();
        let _nobody_waits = opened.send(());
        loop {
            self.feed(&|| !self.room.is_closing(), &mut told);
            match sealed.recv_timeout(PATIENCE) {
                Ok(()) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// A fault that lasts is told once.
    fn feed(&self, is_wanted: &dyn Fn() -> bool, told: &mut Option<Broken>) {
        match feed(self, &self.lookup, is_wanted) {
            Err(FeedFault::Broken(fault)) => {
                if told.as_ref() != Some(&fault) {
                    eprintln!("fen: {fault}");
                }
                *told = Some(fault);
            }
            // What cannot be read now is tried again; until then it is looked at by whoever asks.
            Ok(()) | Err(FeedFault::Source(_)) => {}
        }
    }
}

/// One after another, what answers a question for a reference.
enum Stage<'a> {
    /// All records of a stretch are looked at.
    Scan(QueryTransfers<'a>),
    /// The index points at them.
    Index(Places<'a>, VecDeque<u64>),
}

/// See [`sealed_transfers`].
pub(crate) struct SealedTransfers<'a> {
    journal: &'a Journal,
    filter: QueryFilter,
    numbers: Range<RecordNumber>,
    stages: VecDeque<Stage<'a>>,
    left: u32,
}

/// The sealed transfers below a record number that pass a filter, in its order and up to its limit. Those of a
/// reference are found by the index.
pub(crate) fn sealed_transfers<'a>(
    journal: &'a Journal,
    lookup: Option<&'a Lookup>,
    filter: &QueryFilter,
    below: RecordNumber,
) -> SealedTransfers<'a> {
    let lookup = lookup.filter(|_| filter.user_data_128 != 0);
    let places =
        lookup.and_then(|lookup| lookup.find(Kind::Reference, filter.user_data_128, filter.reversed).ok());
    let from = journal.number_at_stamp(filter.timestamp_min).unwrap_or(RecordNumber::ZERO);
    let mut answer = SealedTransfers {
        journal,
        filter: *filter,
        numbers: from..below,
        stages: VecDeque::new(),
        left: filter.limit,
    };
    let covered = places.as_ref().map_or(0, Places::covered);
    answer.stages.extend(places.map(|places| Stage::Index(places, VecDeque::new())));
    let rest = answer.all_of(covered..below.get());
    if filter.reversed {
        answer.stages.push_front(rest);
    } else {
        answer.stages.push_back(rest);
    }
    answer
}

impl<'a> SealedTransfers<'a> {
    fn all_of(&self, places: Range<u64>) -> Stage<'a> {
        let start = RecordNumber::new(places.start).max(self.numbers.start);
        let end = RecordNumber::new(places.end).min(self.numbers.end);
        let filter = QueryFilter { limit: u32::MAX, ..self.filter };
        Stage::Scan(self.journal.query_transfers_among(&filter, start..end.max(start)))
    }

    fn passes(&self, found: &Found) -> bool {
        let (min, max) = (self.filter.timestamp_min, self.filter.timestamp_max);
        let stamp = found.record.timestamp;
        stamp >= min && (max.is_zero() || stamp <= max) && self.filter.matches_transfer(&found.record)
    }
}

/// A step along the stages.
enum Step {
    Found(Result<Found, JournalFault>),
    /// Nothing here that is asked for; on to what follows.
    Further,
    /// The stage has told all.
    End,
}

impl SealedTransfers<'_> {
    fn step(&mut self) -> Step {
        match self.stages.front_mut() {
            Some(Stage::Scan(scan)) => scan.next().map_or(Step::End, Step::Found),
            Some(Stage::Index(_, at_hand)) => match at_hand.pop_front().map(RecordNumber::new) {
                Some(number) if self.numbers.contains(&number) => self.read(number),
                Some(_) => Step::Further,
                None => self.point(),
            },
            None => Step::End,
        }
    }

    /// Reads a record that the index points at.
    fn read(&self, number: RecordNumber) -> Step {
        match self.journal.records_at([number]).next() {
            Some(Ok(found)) if self.passes(&found) => Step::Found(Ok(found)),
            Some(Err(fault)) => Step::Found(Err(fault)),
            Some(Ok(_)) | None => Step::Further,
        }
    }

    /// Asks the index for more; where it breaks, everything that it has not told is looked at.
    fn point(&mut self) -> Step {
        let Some(Stage::Index(places, at_hand)) = self.stages.front_mut() else { return Step::Further };
        let untold = places.untold();
        match places.next() {
            Some(Ok(more)) => at_hand.extend(more),
            Some(Err(_made_again)) => {
                let rest = self.all_of(untold);
                self.stages.pop_front();
                self.stages.push_front(rest);
            }
            None => return Step::End,
        }
        Step::Further
    }
}

impl Iterator for SealedTransfers<'_> {
    type Item = Result<Found, JournalFault>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.left > 0 && !self.stages.is_empty() {
            match self.step() {
                Step::Found(found) => {
                    self.left -= u32::from(found.is_ok());
                    return Some(found);
                }
                Step::Further => {}
                Step::End => drop(self.stages.pop_front()),
            }
        }
        None
    }
}

/// All accounts of a customer, in the order of their opening.
///
/// # Errors
/// [`Fault::Stopped`].
pub fn accounts_of(past: &impl Past, customer: u64) -> Answer<Vec<Account>> {
    let mut places: Vec<u64> = Vec::new();
    let mut covered = 0;
    let found = past.lookup().map(|lookup| lookup.find(Kind::Customer, u128::from(customer), false));
    if let Some(Ok(found)) = found {
        let told = found.covered();
        if let Ok(runs) = found.collect::<Result<Vec<_>, _>>() {
            (places, covered) = (runs.into_iter().flatten().collect(), told);
        }
    }
    past.look(move |book| {
        let covered = u32::try_from(covered).unwrap_or(u32::MAX);
        let indexed = places.into_iter().map(|place| u32::try_from(place).unwrap_or(u32::MAX));
        let all = slots(book);
        let account = |slot: u32| fen_book::accounts::shown(book.accounts().get(AccountSlot::new(slot)));
        let is_theirs = |account: &Account| customer_of(account.id) == Some(customer);
        indexed.filter(|slot| *slot < all).chain(covered..all).map(account).filter(is_theirs).collect()
    })
}
