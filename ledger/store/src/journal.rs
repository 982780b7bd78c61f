//! The sealed journal: segments and their id index in one directory, written once and asked for years.
//!
//! A chunk is sealed in four steps: encode, write and sync the segment under another name, rename, the same for its
//! index run; only then do readers see it. A crash between any two leaves at most a file to remove or a run to make
//! again, and [`Journal::open`] does so. Questions are asked through `&self` from any thread: they work on an
//! immutable list of segments and runs that sealing and merging replace as a whole.
//!
//! **Invariants.** What was sealed is never rewritten. A fault is never an answer: where a look-up could not see a
//! piece that may hold what it looks for, it says so. A damaged piece is named and hides no other.
//!
//! Limits: up to [`OPEN_SEGMENTS_MAX`] segments are held open (a file handle and about 10 KB each). A segment that is
//! not in the directory is looked for in its folder `archive`, which may be a mount elsewhere.
//!
//! Deliberately absent: the young records (the book has them) and any thread (the caller seals and merges).

mod archive;
mod balance;
mod entries;
mod fault;
mod files;
mod query;
mod roots;
mod sums;
#[cfg(test)]
mod tests;

pub use archive::Archived;
pub use entries::{AccountBalances, AccountTransfers, EntriesAsked};
pub use fault::{JournalFault, Piece};
pub use query::{QueryTransfers, Records};
pub use sums::Standing;

use crate::disk::Disk;
use crate::index::{KeyKind, Run, SegmentEntries, candidates, due, merge};
use crate::segment::{
    BLOCK_RECORDS, Reading, Segment, SegmentHash, Zone, encode, first_record, narrow, wide,
};
use fen_book::{
    AccountFilter, AccountId, AccountSlot, CHUNK_RECORDS, Chunk, QueryFilter, RecordNumber, Stamp, Transfer,
    TransferId,
};
use files::{Files, OpenSegments};
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

pub use files::OPEN_SEGMENTS_MAX;

/// A record, and where it stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Found {
    /// Its place in the journal.
    pub number: RecordNumber,
    /// The record: a transfer, the mark of a burned id, or an expiry.
    pub record: Transfer,
}

/// A segment as the journal knows it without opening it.
#[derive(Clone, Debug)]
struct Known {
    hash: SegmentHash,
    zone: Zone,
}

/// What is sealed at one moment; never changed, only replaced.
#[derive(Clone, Default)]
struct Sealed {
    /// By number; where there is a fault, why the segment cannot be used.
    segments: Vec<Result<Arc<Known>, JournalFault>>,
    /// By rising segment, no two of one segment.
    runs: Vec<Arc<Run>>,
    /// Why some segment has no run; while there is one, "not found" cannot be said.
    unindexed: Option<JournalFault>,
}

/// See the module's words.
pub struct Journal {
    files: Files,
    open: OpenSegments,
    sealed: RwLock<Arc<Sealed>>,
    /// Held by whoever seals; chunks come one after another.
    sealing: Mutex<()>,
    /// Held by whoever merges.
    merging: Mutex<()>,
    roots: Mutex<roots::Roots>,
    /// What was damaged in the index and made again, until somebody tells of it.
    mended: Mutex<Vec<JournalFault>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The segment of a record, and its position there.
fn place_of(number: RecordNumber) -> (u64, u32) {
    let records = u64::from(narrow(CHUNK_RECORDS));
    (number.get() / records, u32::try_from(number.get() % records).unwrap_or(0))
}

impl Journal {
    /// Opens the journal in a directory, which is created where there is none. Left-overs of a crash are removed
    /// and missing index runs made again. A damaged or missing segment does not stop it: see [`Journal::damage`].
    pub fn open(disk: Arc<dyn Disk>, directory: &Path) -> Result<Self, JournalFault> {
        let files = Files::open(disk, directory)?;
        let listing = files.clean()?;
        let journal = Self {
            files,
            open: OpenSegments::default(),
            sealed: RwLock::default(),
            sealing: Mutex::default(),
            merging: Mutex::default(),
            roots: Mutex::default(),
            mended: Mutex::default(),
        };
        let mut sealed = Sealed { segments: listing.segments(&journal.files), ..Sealed::default() };
        if let Some(newer) =
            sealed.segments.iter().filter_map(|known| known.as_ref().err()).find(|fault| fault.is_newer())
        {
            return Err(newer.clone());
        }
        for segments in &listing.runs {
            match journal.files.open_run(segments) {
                Ok(run) => sealed.runs.push(run),
                // It would hide the runs that replace it.
                Err(JournalFault::Damaged { file, .. }) => journal.files.remove(&file)?,
                Err(fault) => return Err(fault),
            }
        }
        journal.publish(|current| *current = sealed);
        journal.index_the_rest()?;
        Ok(journal)
    }

    fn view(&self) -> Arc<Sealed> {
        Arc::clone(&self.sealed.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces what readers see.
    fn publish(&self, change: impl FnOnce(&mut Sealed)) {
        let mut current = self.sealed.write().unwrap_or_else(PoisonError::into_inner);
        let mut next = Sealed::clone(&current);
        change(&mut next);
        *current = Arc::new(next);
    }

    /// The hash in the name of a segment's file, whatever the file holds.
    pub fn named_hash(&self, number: u32) -> Option<SegmentHash> {
        self.files.named_hash(number)
    }

    /// How many chunks are sealed: the number of the next.
    pub fn chunks(&self) -> u32 {
        narrow(self.view().segments.len())
    }

    /// The number of the first record that is not sealed.
    pub fn end(&self) -> RecordNumber {
        first_record(self.chunks())
    }

    /// The hash of every usable segment, by number: the leaves of a proof.
    pub fn segment_hashes(&self) -> Vec<(u32, SegmentHash)> {
        let view = self.view();
        let known = (0u32..).zip(&view.segments);
        known.filter_map(|(number, known)| known.as_ref().ok().map(|known| (number, known.hash))).collect()
    }

    /// The hash of a segment; `None` where it is not sealed or cannot be used.
    pub fn segment_hash(&self, number: u32) -> Option<SegmentHash> {
        let view = self.view();
        view.segments.get(wide(number))?.as_ref().ok().map(|known| known.hash)
    }

    /// Why segments, or the index of segments, cannot be used.
    pub fn damage(&self) -> Vec<JournalFault> {
        let view = self.view();
        view.segments
            .iter()
            .filter_map(|known| known.as_ref().err().cloned())
            .chain(view.unindexed.clone())
            .collect()
    }

    /// Reads every byte of a segment and compares it with its name.
    pub fn verify_segment(&self, number: u32) -> Result<(), JournalFault> {
        let view = self.view();
        let known = self.known(&view, number)?;
        self.segment_in(&view, number)?.verify(&known.hash)
    }

    fn known<'a>(&self, view: &'a Sealed, number: u32) -> Result<&'a Arc<Known>, JournalFault> {
        match view.segments.get(wide(number)) {
            Some(known) => known.as_ref().map_err(JournalFault::clone),
            None => Err(JournalFault::NotSealed { number: first_record(number), end: self.end() }),
        }
    }

    fn segment_in(&self, view: &Sealed, number: u32) -> Result<Arc<Segment>, JournalFault> {
        let known = self.known(view, number)?;
        self.open.get(number, || self.files.open_segment(number, &known.hash))
    }

    /// A sealed segment, opened if it is not.
    pub fn segment(&self, number: u32) -> Result<Arc<Segment>, JournalFault> {
        self.segment_in(&self.view(), number)
    }

    /// Seals the next chunk: returns when it is durable, indexed and visible. `account_ids` names the accounts of
    /// `chunk.touches`. Handing over once more what is sealed already changes nothing, but puts back a segment that
    /// was lost.
    pub fn seal(&self, chunk: &Chunk, account_ids: &[AccountId]) -> Result<SegmentHash, JournalFault> {
        let bytes = encode(chunk, account_ids);
        let hash = SegmentHash::of(&bytes);
        let sealing = locked(&self.sealing);
        let view = self.view();
        match view.segments.get(wide(chunk.number)) {
            Some(Ok(known)) if known.hash == hash => return Ok(hash),
            Some(Ok(_)) => {
                let what = "another is sealed under its number";
                return Err(JournalFault::OutOfTurn { number: chunk.number, what });
            }
            Some(Err(fault)) if !fault.is_mendable() => return Err(fault.clone()),
            Some(Err(_)) => {
                drop(sealing);
                self.install_segment(chunk.number, &hash, &bytes)?;
                return Ok(hash);
            }
            None => {}
        }
        let known = self.write_segment(&view, chunk.number, &hash, &bytes)?;
        let mut entries = SegmentEntries::of(chunk.number);
        for (position, record) in (0u32..).zip(&chunk.records) {
            entries.add(position, record.id, record.pending_id);
        }
        let run = self.files.write_segment_run(chunk.number, entries)?;
        self.publish(|sealed| {
            sealed.segments.push(Ok(Arc::new(known)));
            sealed.runs.push(run);
        });
        Ok(hash)
    }

    fn write_segment(
        &self,
        view: &Sealed,
        number: u32,
        hash: &SegmentHash,
        bytes: &[u8],
    ) -> Result<Known, JournalFault> {
        if wide(number) > view.segments.len() {
            return Err(JournalFault::OutOfTurn { number, what: "the one before it is not sealed" });
        }
        self.files.write_segment(number, hash, bytes)?;
        self.open.forget(number);
        let segment = self.files.open_segment(number, hash)?;
        Ok(Known { hash: *hash, zone: segment.zone().clone() })
    }

    /// A segment's hash and all its bytes, compared with each other: what another replica needs to put it in place.
    pub fn read_segment(&self, number: u32) -> Result<(SegmentHash, Vec<u8>), JournalFault> {
        let view = self.view();
        let known = self.known(&view, number)?;
        Ok((known.hash, self.segment_in(&view, number)?.read_all(&known.hash)?))
    }

    /// Puts a segment from another replica in place, durable and indexed: the next one, or one that is damaged or
    /// lost here. `hash` is what the replicas agreed on, and the bytes must be its; a segment that is sound and
    /// differs is not replaced.
    pub fn install_segment(&self, number: u32, hash: &SegmentHash, bytes: &[u8]) -> Result<(), JournalFault> {
        let refused = |what| JournalFault::OutOfTurn { number, what };
        if SegmentHash::of(bytes) != *hash {
            return Err(refused("its bytes are not those of its hash"));
        }
        if crate::segment::number_of(bytes) != Some(number) {
            return Err(refused("its bytes are those of another number"));
        }
        {
            let _one_at_a_time = locked(&self.sealing);
            let view = self.view();
            match view.segments.get(wide(number)) {
                Some(Ok(known)) if known.hash != *hash => {
                    return Err(refused("another is sealed under its number"));
                }
                Some(Err(fault)) if !fault.is_mendable() => return Err(fault.clone()),
                Some(Ok(_) | Err(_)) | None => {}
            }
            let known = self.write_segment(&view, number, hash, bytes).map(Arc::new)?;
            self.publish(|sealed| match sealed.segments.get_mut(wide(number)) {
                Some(place) => *place = Ok(known),
                None => sealed.segments.push(Ok(known)),
            });
        }
        self.index_the_rest()
    }

    /// Merges eight index runs into one where that is due. Call it again while it answers true; it may run beside
    /// sealing and reading, and being interrupted at any moment does no harm.
    ///
    /// Segments from `settled` on are left alone: a replay that starts at a checkpoint skips the runs of what it
    /// has not come to, and a run that reached over the checkpoint could not be skipped.
    ///
    /// A damaged run is not merged but made again.
    pub fn merge_once(&self, settled: u32) -> Result<bool, JournalFault> {
        match self.merge_due(settled) {
            Err(fault) if fault.is_damage() && self.mend_index()? > 0 => Ok(true),
            outcome => outcome,
        }
    }

    fn merge_due(&self, settled: u32) -> Result<bool, JournalFault> {
        let _one_at_a_time = locked(&self.merging);
        let view = self.view();
        let Some(runs) = due(&view.runs, settled) else { return Ok(false) };
        let (Some(first), Some(last)) = (runs.first(), runs.last()) else { return Ok(false) };
        let segments = *first.segments().start()..=*last.segments().end();
        let merged = self.files.write_run(&segments, |write| merge(runs, write))?;
        self.publish(|sealed| {
            sealed.runs.retain(|run| !segments.contains(run.segments().start()));
            let place = sealed.runs.partition_point(|run| run.segments().start() < segments.start());
            sealed.runs.insert(place, merged);
        });
        for run in runs {
            self.files.remove(run.path())?;
        }
        Ok(true)
    }

    /// Reads all of the index; answers what is damaged. [`Journal::mend_index`] mends it.
    pub fn verify_index(&self) -> Vec<JournalFault> {
        self.view().runs.iter().filter_map(|run| run.verify().err()).collect()
    }

    /// Reads all of the index, and makes again from the segments what is damaged. Answers how many runs were. Each is
    /// replaced at once, so that no question finds less than there is.
    pub fn mend_index(&self) -> Result<u32, JournalFault> {
        let _one_at_a_time = locked(&self.merging);
        let view = self.view();
        let mut count = 0;
        for run in &view.runs {
            let Err(fault) = run.verify() else { continue };
            let mut made = Vec::new();
            for number in run.segments().clone() {
                made.push(self.files.write_segment_run(number, self.entries_of_segment(&view, number)?)?);
            }
            // The run of a single segment was written in the place of the damaged one.
            let is_replaced = made.iter().any(|new| new.path() == run.path());
            self.publish(|sealed| {
                sealed.runs.retain(|other| !Arc::ptr_eq(other, run));
                sealed.runs.extend(made);
                sealed.runs.sort_by_key(|run| *run.segments().start());
            });
            if !is_replaced {
                self.files.remove(run.path())?;
            }
            locked(&self.mended).push(fault);
            count += 1;
        }
        Ok(count)
    }

    /// What was damaged in the index and made again since this was asked last.
    pub fn take_mended(&self) -> Vec<JournalFault> {
        std::mem::take(&mut *locked(&self.mended))
    }

    /// Makes a run for every segment that has none.
    fn index_the_rest(&self) -> Result<(), JournalFault> {
        let _one_at_a_time = locked(&self.merging);
        let _none_sealed_meanwhile = locked(&self.sealing);
        let view = self.view();
        let mut unindexed = None;
        let mut made = Vec::new();
        for number in 0..narrow(view.segments.len()) {
            if view.runs.iter().any(|run| run.segments().contains(&number)) {
                continue;
            }
            match self.entries_of_segment(&view, number) {
                Ok(entries) => made.push(self.files.write_segment_run(number, entries)?),
                Err(fault) => unindexed = Some(fault),
            }
        }
        self.publish(|sealed| {
            sealed.runs.extend(made);
            sealed.runs.sort_by_key(|run| *run.segments().start());
            sealed.unindexed = unindexed;
        });
        Ok(())
    }

    fn entries_of_segment(&self, view: &Sealed, number: u32) -> Result<SegmentEntries, JournalFault> {
        let segment = self.segment_in(view, number)?;
        let mut entries = SegmentEntries::of(number);
        for first in (0..narrow(CHUNK_RECORDS)).step_by(BLOCK_RECORDS) {
            let block = segment.block(first / narrow(BLOCK_RECORDS))?;
            for (position, row) in (first..).zip(0..BLOCK_RECORDS) {
                entries.add(position, block.id(row), block.pending_id(row));
            }
        }
        Ok(entries)
    }

    /// The record with that number.
    pub fn record(&self, number: RecordNumber) -> Result<Transfer, JournalFault> {
        let (segment, position) = place_of(number);
        let segment =
            u32::try_from(segment).map_err(|_| JournalFault::NotSealed { number, end: self.end() })?;
        self.segment(segment)?.record(position)
    }

    /// The transfer with that id, or the mark that the id is burned (`record.is_transfer()` tells).
    pub fn find_transfer(&self, id: TransferId) -> Result<Option<Found>, JournalFault> {
        Ok(self.find_transfers(&[id])?.pop().map(|(_, found)| found))
    }

    /// Those of the ids that are sealed: place in `ids` (rising), and what was found. One call for a whole batch
    /// costs far less than one for each.
    pub fn find_transfers(&self, ids: &[TransferId]) -> Result<Vec<(usize, Found)>, JournalFault> {
        self.find_transfers_before(RecordNumber::MAX, ids)
    }

    /// As [`Journal::find_transfers`], among the records before `below`: while a log is replayed the journal is
    /// ahead of the book, and what the book has not come to yet need not be read.
    pub fn find_transfers_before(
        &self,
        below: RecordNumber,
        ids: &[TransferId],
    ) -> Result<Vec<(usize, Found)>, JournalFault> {
        self.find(KeyKind::Id, ids, below)
    }

    /// The post, void or expiry that ended a pending transfer.
    pub fn resolution(&self, pending_id: TransferId) -> Result<Option<Found>, JournalFault> {
        Ok(self.resolutions(&[pending_id])?.pop().map(|(_, found)| found))
    }

    /// As [`Journal::resolution`], for a batch; answered as by [`Journal::find_transfers`].
    pub fn resolutions(&self, pending_ids: &[TransferId]) -> Result<Vec<(usize, Found)>, JournalFault> {
        self.resolutions_before(RecordNumber::MAX, pending_ids)
    }

    /// As [`Journal::resolutions`], among the records before `below`.
    pub fn resolutions_before(
        &self,
        below: RecordNumber,
        pending_ids: &[TransferId],
    ) -> Result<Vec<(usize, Found)>, JournalFault> {
        self.find(KeyKind::PendingId, pending_ids, below)
    }

    fn find(
        &self,
        kind: KeyKind,
        ids: &[TransferId],
        below: RecordNumber,
    ) -> Result<Vec<(usize, Found)>, JournalFault> {
        let mut view = self.view();
        let mut places: Vec<(RecordNumber, usize)> = Vec::new();
        let looked = candidates(&view.runs, kind, ids, below, |place, number| places.push((number, place)));
        if let Err(fault) = looked {
            if !fault.is_damage() || self.mend_index()? == 0 {
                return Err(fault);
            }
            view = self.view();
            places.clear();
            candidates(&view.runs, kind, ids, below, |place, number| places.push((number, place)))?;
        }
        // By record number, so that neighbours share the reading of their block.
        places.sort_unstable();
        let mut found = Vec::with_capacity(places.len());
        let mut reading: Option<Reading> = None;
        for (number, place) in places {
            let (segment, position) = place_of(number);
            let segment = u32::try_from(segment).unwrap_or(u32::MAX);
            if reading.as_ref().is_none_or(|reading| reading.segment().number() != segment) {
                reading = None;
            }
            let reading = match &mut reading {
                Some(reading) => reading,
                None => reading.insert(Reading::new(self.segment_in(&view, segment)?)),
            };
            let record = match kind {
                KeyKind::Id => reading.record_with_id(position, ids[place])?,
                KeyKind::PendingId => reading.record_with_pending_id(position, ids[place])?,
            };
            found.extend(record.map(|record| (place, Found { number, record })));
        }
        found.sort_unstable_by_key(|(place, found)| (*place, found.number));
        match &view.unindexed {
            Some(fault) if found.len() < ids.len() => Err(fault.clone()),
            Some(_) | None => Ok(found),
        }
    }

    /// The transfers of an account among the sealed ones, in the order and up to the limit of the filter.
    /// `newest_chunk` is the last sealed chunk that touches the account (`None`: no sealed one does); a later one
    /// only costs time. The account is known by its slot; `filter.account_id` is not looked at.
    pub fn account_transfers(
        &self,
        slot: AccountSlot,
        newest_chunk: Option<u32>,
        filter: &AccountFilter,
    ) -> AccountTransfers<'_> {
        let numbers = RecordNumber::ZERO..RecordNumber::MAX;
        AccountTransfers::new(
            self,
            EntriesAsked { slot, newest_chunk, filter: *filter, numbers, closing: None },
        )
    }

    /// As [`Journal::account_transfers`], each with the balances of the account right after it.
    pub fn account_balances(
        &self,
        slot: AccountSlot,
        newest_chunk: Option<u32>,
        filter: &AccountFilter,
    ) -> AccountBalances<'_> {
        let numbers = RecordNumber::ZERO..RecordNumber::MAX;
        self.account_entries(EntriesAsked { slot, newest_chunk, filter: *filter, numbers, closing: None })
    }

    /// As [`Journal::account_balances`], among some of the records.
    pub fn account_entries(&self, asked: EntriesAsked) -> AccountBalances<'_> {
        AccountBalances::new(self, asked)
    }

    /// The number of the first sealed record with a stamp at or above the given one; that of the first record not
    /// sealed, where all are below. Costs one block.
    pub fn number_at_stamp(&self, stamp: Stamp) -> Result<RecordNumber, JournalFault> {
        let view = self.view();
        let is_below = |known: &Result<Arc<Known>, JournalFault>| match known {
            Ok(known) => Some(known.zone.stamps.max < stamp),
            Err(_) => None,
        };
        // Stamps never fall along the journal; what cannot be read lies where its neighbours leave it.
        let below = view.segments.iter().rposition(|known| is_below(known) == Some(true));
        let number = narrow(below.map_or(0, |below| below + 1));
        if wide(number) == view.segments.len() {
            return Ok(first_record(number));
        }
        let position = self.segment_in(&view, number)?.position_at_stamp(stamp)?;
        Ok(RecordNumber::new(first_record(number).get() + u64::from(position)))
    }

    /// The sealed transfers below a record number that pass the filter, in its order and up to its limit. Give the
    /// number of the first young record, so that none is told twice while a chunk is being sealed.
    pub fn query_transfers(&self, filter: &QueryFilter, below: RecordNumber) -> QueryTransfers<'_> {
        self.query_transfers_among(filter, RecordNumber::ZERO..below)
    }

    /// As [`Journal::query_transfers`], among some of the records.
    pub fn query_transfers_among(
        &self,
        filter: &QueryFilter,
        numbers: Range<RecordNumber>,
    ) -> QueryTransfers<'_> {
        QueryTransfers::new(self, filter, numbers)
    }

    /// Every sealed record from that number on, in order: for audits, exports and feeds.
    pub fn records(&self, from: RecordNumber) -> Records<'_> {
        Records::new(self, from)
    }
}
