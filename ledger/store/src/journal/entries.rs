//! The entries of one account: from segment to segment along the chain of touches, and within one by its blocks.
//!
//! Newest first, the chain is followed as far as it is asked for, and balances are taken back from entry to entry:
//! a touch's opening balances are what the account had after its last entry before. Oldest first, the segments are
//! tried one after the other while they know the account; when [`TRIES_MAX`] in a row do not, the chain is followed
//! to this point and walked backwards. Either way a walk may begin anywhere: what lies between the newest segment
//! and the first that is asked for is not read where the account is in most segments, and only its own segments
//! are where it is in few.
//!
//! **Invariants.** A page costs what it tells, whatever stands before and behind it. A damaged piece is named and
//! hides no more than it must: the walk goes on where the balances are known again.

use super::balance::{Side, post, side_of, take_back};
use super::{Found, Journal, JournalFault, Sealed, place_of};
use crate::segment::{BLOCK_RECORDS, Block, Reading, TouchedAccount, field, narrow, stamps_meet, wide};
use fen_book::{AccountFilter, AccountSlot, Balances, RecordNumber, Stamp, Transfer};
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

/// So many segments are tried before the chain is asked where the account is.
const TRIES_MAX: u32 = 8;

/// Whether balances are kept along the walk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Keeping {
    Nothing,
    Balances,
}

/// An entry: the transfer, and the account's balances after it where they are kept.
struct Entry {
    found: Found,
    balances: Balances,
}

/// The walk through one segment.
struct Visit {
    reading: Reading,
    account: TouchedAccount,
    /// The blocks still to come, the next one last.
    blocks: Vec<u8>,
    /// Oldest first, the balances before the next entry; newest first, after it.
    running: Balances,
}

/// A segment with entries of the account, or why it could not be read.
type Stop = Result<(Reading, TouchedAccount), JournalFault>;

/// Where the walk goes next.
enum Route {
    /// Newest first, not begun: from the newest segment asked for.
    Land,
    /// Newest first: along the chain from this segment.
    Chain(Option<u32>),
    /// Oldest first: this segment, after so many in a row that do not know the account.
    Try(u32, u32),
    /// Oldest first: through these, the next one last.
    Gathered(Vec<Result<u32, JournalFault>>),
}

/// What an account's entries are asked by.
#[derive(Clone, Debug)]
pub struct EntriesAsked {
    /// The account is known by its slot; the filter's `account_id` is not looked at.
    pub slot: AccountSlot,
    /// The last sealed chunk that touches the account (`None`: no sealed one does); a later one only costs time.
    pub newest_chunk: Option<u32>,
    /// Which of its transfers, in which order, how many.
    pub filter: AccountFilter,
    /// The records to look among.
    pub numbers: Range<RecordNumber>,
    /// What the account had after its last sealed entry, where that is known: should a piece be damaged, the
    /// balances behind it are counted from there.
    pub closing: Option<Balances>,
}

struct Walk<'a> {
    journal: &'a Journal,
    view: Arc<Sealed>,
    asked: EntriesAsked,
    /// The segments that can have what is asked for: the first of them, and the one after the last.
    segments: Range<u32>,
    left: u32,
    keeping: Keeping,
    route: Route,
    visit: Option<Visit>,
    /// Newest first, what the account had before the segment that was visited last.
    standing: Option<Balances>,
    ready: VecDeque<Result<Entry, JournalFault>>,
}

/// The segments whose records can bear the stamps and numbers asked for.
fn segments_asked(view: &Sealed, asked: &EntriesAsked) -> Range<u32> {
    let segment_of = |number| u32::try_from(place_of(number).0).unwrap_or(u32::MAX);
    let newest = asked.newest_chunk.map_or(0, |newest| newest.saturating_add(1));
    let last = RecordNumber::new(asked.numbers.end.get().saturating_sub(1));
    let above = if asked.numbers.is_empty() { 0 } else { segment_of(last).saturating_add(1) };
    let mut end = newest.min(above).min(narrow(view.segments.len()));
    let mut first = segment_of(asked.numbers.start).min(end);
    let (min, max) = (asked.filter.timestamp_min, asked.filter.timestamp_max);
    for number in (first..end).rev() {
        let Some(Ok(known)) = view.segments.get(wide(number)) else { continue };
        if !max.is_zero() && known.zone.stamps.min > max {
            end = number;
        } else if known.zone.stamps.max < min {
            first = number + 1;
            break;
        }
    }
    first..end
}

impl<'a> Walk<'a> {
    fn new(journal: &'a Journal, asked: EntriesAsked, keeping: Keeping) -> Self {
        let view = journal.view();
        let segments = segments_asked(&view, &asked);
        let route = if asked.filter.reversed { Route::Land } else { Route::Try(segments.start, 0) };
        Self {
            journal,
            view,
            segments,
            left: asked.filter.limit,
            asked,
            keeping,
            route,
            visit: None,
            standing: None,
            ready: VecDeque::new(),
        }
    }

    fn touch(&self, number: u32) -> Result<Option<(Reading, TouchedAccount)>, JournalFault> {
        let segment = self.journal.segment_in(&self.view, number)?;
        let touched = segment.touch_of(self.asked.slot)?;
        Ok(touched.map(|touched| (Reading::new(segment), touched)))
    }

    /// Where the chain is to be taken up: the newest segment asked for that knows the account, or that cannot be
    /// read.
    fn land(&self) -> Option<u32> {
        let newest = self.asked.newest_chunk?.min(narrow(self.view.segments.len()).checked_sub(1)?);
        let last = self.segments.end.checked_sub(1)?;
        if last >= newest {
            return Some(newest);
        }
        let lowest = last.saturating_sub(TRIES_MAX);
        let knows = |number: &u32| !matches!(self.touch(*number), Ok(None));
        if let Some(found) = (lowest..=last).rev().find(knows) {
            return Some(found);
        }
        let mut at = Some(newest);
        while let Some(number) = at.filter(|number| *number > last) {
            at = match self.touch(number) {
                Ok(Some((_, account))) => account.previous,
                // What hides here is younger than what is asked for.
                Ok(None) | Err(_) => number.checked_sub(1),
            };
        }
        at
    }

    /// Follows the chain from a segment to the next that knows the account. The segment after it, then what was
    /// found; `None` at the end of the chain.
    fn follow(&self, from: Option<u32>, first: u32) -> Option<(Option<u32>, Stop)> {
        let mut at = from;
        while let Some(number) = at.filter(|number| *number >= first) {
            match self.touch(number) {
                Ok(Some((reading, account))) => return Some((account.previous, Ok((reading, account)))),
                Ok(None) => at = number.checked_sub(1),
                Err(fault) => return Some((number.checked_sub(1), Err(fault))),
            }
        }
        None
    }

    /// Gathers the chain's segments down to `first`.
    fn gather(&self, first: u32) -> Vec<Result<u32, JournalFault>> {
        let mut numbers = Vec::new();
        let mut at = self.land();
        while let Some((next, found)) = self.follow(at, first) {
            numbers.push(found.map(|(reading, _)| reading.segment().number()));
            at = next;
        }
        numbers
    }

    /// The next segment to visit, or a fault in its place.
    fn next_segment(&mut self) -> Option<Stop> {
        loop {
            match &mut self.route {
                Route::Land => self.route = Route::Chain(self.land()),
                Route::Chain(at) => {
                    let from = at.take();
                    let (next, found) = self.follow(from, self.segments.start)?;
                    self.route = Route::Chain(next);
                    return Some(found);
                }
                Route::Try(at, misses) => {
                    let (number, misses) = (*at, *misses);
                    if number >= self.segments.end {
                        return None;
                    }
                    if misses == TRIES_MAX {
                        self.route = Route::Gathered(self.gather(number));
                        continue;
                    }
                    let found = self.touch(number).transpose();
                    let missed = if found.is_none() { misses + 1 } else { 0 };
                    self.route = Route::Try(number + 1, missed);
                    if found.is_some() {
                        return found;
                    }
                }
                Route::Gathered(numbers) => {
                    let number = match numbers.pop()? {
                        Ok(number) => number,
                        Err(fault) => return Some(Err(fault)),
                    };
                    let found = self.touch(number).transpose();
                    if found.is_some() {
                        return found;
                    }
                }
            }
        }
    }

    /// Whether a block may hold what is asked for, or, where balances run through it, whether they must.
    fn is_asked(&self, segment: &crate::segment::Segment, block: u8) -> bool {
        let records = u64::from(narrow(BLOCK_RECORDS));
        let first = segment.first().get() + u64::from(block) * records;
        let runs_through = self.keeping == Keeping::Balances && !self.asked.filter.reversed;
        let (from, min) = if runs_through {
            (RecordNumber::ZERO, Stamp::ZERO)
        } else {
            (self.asked.numbers.start, self.asked.filter.timestamp_min)
        };
        let stamps = segment.block_stamps(u32::from(block));
        first < self.asked.numbers.end.get()
            && first + records > from.get()
            && stamps.is_none_or(|stamps| stamps_meet(stamps, min, self.asked.filter.timestamp_max))
    }

    fn begin(&mut self, mut reading: Reading, account: TouchedAccount) {
        let segment = reading.segment();
        let mut blocks: Vec<u8> =
            account.blocks.iter().filter(|block| self.is_asked(segment, *block)).collect();
        let mut running = account.opening;
        if !self.asked.filter.reversed {
            blocks.reverse();
        } else if self.keeping == Keeping::Balances {
            let next = blocks.last().map_or(0, |last| u16::from(*last) + 1);
            let (standing, broken) = match self.standing.replace(account.opening) {
                Some(standing) => (standing, None),
                None => balances_before(&mut reading, &account, next),
            };
            running = standing;
            if let Some((number, fault)) = broken {
                if let Some(behind) = self.balances_behind(&mut reading, &account, next) {
                    // The damage is named when the walk comes to it.
                    running = behind;
                } else {
                    self.ready.push_back(Err(fault));
                    blocks.retain(|block| *block < number);
                }
            }
        }
        self.visit = Some(Visit { reading, account, blocks, running });
    }

    /// Makes ready the entries of one block.
    fn visit_block(&mut self, number: u8) {
        let Some(visit) = &mut self.visit else { return };
        let first =
            visit.reading.segment().first().get() + u64::from(number) * u64::from(narrow(BLOCK_RECORDS));
        let mut rows = match visit.reading.block(u32::from(number)) {
            Ok(block) => block.rows_of(visit.account.reference),
            Err(fault) => return self.pass_by(number, fault),
        };
        let is_reversed = self.asked.filter.reversed;
        if is_reversed {
            rows.reverse();
        }
        for row in rows {
            let Ok(block) = visit.reading.block(u32::from(number)) else { continue };
            let Some(side) = side_of(block, row, visit.account.reference) else { continue };
            let record_number = RecordNumber::new(first + u64::from(narrow(row)));
            let is_told =
                self.asked.numbers.contains(&record_number) && passes(&self.asked.filter, block, row, side);
            let mut balances = visit.running;
            if self.keeping == Keeping::Balances {
                let running = &mut visit.running;
                if is_reversed {
                    take_back(running, block, row, side);
                } else {
                    post(running, block, row, side);
                    balances = *running;
                }
            }
            if is_told {
                let record = visit.reading.entry_in(u32::from(number), row, &visit.account);
                let found = record.map(|record| Found { number: record_number, record });
                self.ready.push_back(found.map(|found| Entry { found, balances }));
            }
        }
    }

    /// A block cannot be read: the balances beyond it are counted from the other end of the segment.
    fn pass_by(&mut self, number: u8, fault: JournalFault) {
        self.ready.push_back(Err(fault));
        if self.keeping == Keeping::Nothing {
            return;
        }
        let Some(mut visit) = self.visit.take() else { return };
        let Visit { reading, account, blocks, running } = &mut visit;
        if self.asked.filter.reversed {
            let (before, broken) = balances_before(reading, account, u16::from(number));
            *running = before;
            if let Some((number, fault)) = broken {
                self.ready.push_back(Err(fault));
                blocks.retain(|block| *block < number);
            }
        } else if let Some(behind) = self.balances_behind(reading, account, u16::from(number) + 1) {
            *running = behind;
        } else {
            blocks.clear();
        }
        self.visit = Some(visit);
    }

    /// What the account had before the first record of block `end`, taken back from what it had after the segment;
    /// `None` where that is not known or a block on the way cannot be read.
    fn balances_behind(&self, reading: &mut Reading, account: &TouchedAccount, end: u16) -> Option<Balances> {
        let mut balances = self.closing_of(reading.segment().number())?;
        for number in account.blocks.iter().rev().take_while(|number| u16::from(*number) >= end) {
            let block = reading.block(u32::from(number)).ok()?;
            for row in block.rows_of(account.reference).into_iter().rev() {
                take_back(&mut balances, block, row, side_of(block, row, account.reference)?);
            }
        }
        Some(balances)
    }

    /// What the account had after a segment that knows it: what it had before its first entry behind it.
    fn closing_of(&self, number: u32) -> Option<Balances> {
        let newest = self.asked.newest_chunk?.min(narrow(self.view.segments.len()).checked_sub(1)?);
        for next in (number + 1..=newest).take(wide(TRIES_MAX)) {
            if let Some((_, account)) = self.touch(next).ok()? {
                return Some(account.opening);
            }
        }
        let (mut at, mut closing) = (Some(newest), self.asked.closing);
        while let Some(next) = at.filter(|next| *next > number) {
            at = match self.touch(next).ok()? {
                Some((_, account)) => {
                    closing = Some(account.opening);
                    account.previous
                }
                None => next.checked_sub(1),
            };
        }
        closing
    }
}

/// The block that broke a count of balances.
type Broken = Option<(u8, JournalFault)>;

/// What an account had before the first record of block `end`: its opening, and its entries before; where a block
/// cannot be read, what it had before that one. Costs one pass over its blocks up to there, at most one segment.
fn balances_before(reading: &mut Reading, account: &TouchedAccount, end: u16) -> (Balances, Broken) {
    let mut balances = account.opening;
    for number in account.blocks.iter().take_while(|number| u16::from(*number) < end) {
        match reading.block(u32::from(number)) {
            Ok(block) => post_all(&mut balances, block, account.reference, BLOCK_RECORDS),
            Err(fault) => return (balances, Some((number, fault))),
        }
    }
    (balances, None)
}

/// Posts an account's entries in the first rows of a block.
fn post_all(balances: &mut Balances, block: &Block, reference: u32, rows: usize) {
    for row in block.rows_of(reference).into_iter().take_while(|row| *row < rows) {
        if let Some(side) = side_of(block, row, reference) {
            post(balances, block, row, side);
        }
    }
}

impl Journal {
    /// What an account had before a sealed record: after its last entry among those with a smaller number. Nothing
    /// where it has none. `newest_chunk` as in [`EntriesAsked`].
    pub fn balances_before(
        &self,
        slot: AccountSlot,
        newest_chunk: Option<u32>,
        number: RecordNumber,
    ) -> Result<Balances, JournalFault> {
        let filter = AccountFilter { reversed: true, ..AccountFilter::default() };
        let numbers = RecordNumber::ZERO..number;
        let walk = Walk::new(
            self,
            EntriesAsked { slot, newest_chunk, filter, numbers, closing: None },
            Keeping::Balances,
        );
        let Some((_, found)) = walk.follow(walk.land(), 0) else { return Ok(Balances::default()) };
        let (mut reading, account) = found?;
        let past = number.get().saturating_sub(reading.segment().first().get());
        let records = u64::from(narrow(BLOCK_RECORDS));
        let (whole, rest) = (past / records, usize::try_from(past % records).unwrap_or(0));
        let whole = u16::try_from(whole).unwrap_or(u16::MAX);
        let (mut balances, broken) = balances_before(&mut reading, &account, whole);
        if let Some((_, fault)) = broken {
            return Err(fault);
        }
        if let Some(last) = u8::try_from(whole).ok().filter(|last| account.blocks.contains(*last)) {
            post_all(&mut balances, reading.block(u32::from(last))?, account.reference, rest);
        }
        Ok(balances)
    }
}

/// Whether a row is a transfer that the filter asks for.
fn passes(filter: &AccountFilter, block: &Block, row: usize, side: Side) -> bool {
    let side_asked = match side {
        Side::Debit => filter.debits,
        Side::Credit => filter.credits,
    };
    let equal = |column: usize, wanted: u64| wanted == 0 || block.value(column, row) == wanted;
    let stamp = block.stamp(row);
    side_asked
        && is_transfer(block, row)
        && stamp >= filter.timestamp_min
        && (filter.timestamp_max.is_zero() || stamp <= filter.timestamp_max)
        && equal(field::CODE, u64::from(filter.code))
        && equal(field::USER_DATA_32, u64::from(filter.user_data_32))
        && equal(field::USER_DATA_64, filter.user_data_64)
        && (filter.user_data_128 == 0 || block.user_data_128(row) == filter.user_data_128)
}

/// Whether a row is a transfer, not a mark.
pub(super) fn is_transfer(block: &Block, row: usize) -> bool {
    Transfer { flags: block.flags(row), ..Transfer::default() }.is_transfer()
}

impl Iterator for Walk<'_> {
    type Item = Result<Entry, JournalFault>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        loop {
            if let Some(ready) = self.ready.pop_front() {
                if ready.is_ok() {
                    self.left -= 1;
                }
                return Some(ready);
            }
            match self.visit.as_mut().map(|visit| visit.blocks.pop()) {
                Some(Some(number)) => self.visit_block(number),
                Some(None) => self.visit = None,
                None => match self.next_segment()? {
                    Ok((reading, account)) => self.begin(reading, account),
                    Err(fault) => {
                        self.standing = None;
                        return Some(Err(fault));
                    }
                },
            }
        }
    }
}

/// See [`Journal::account_transfers`]. After a fault it goes on with what lies behind the damaged piece.
pub struct AccountTransfers<'a> {
    walk: Walk<'a>,
}

impl<'a> AccountTransfers<'a> {
    pub(super) fn new(journal: &'a Journal, asked: EntriesAsked) -> Self {
        Self { walk: Walk::new(journal, asked, Keeping::Nothing) }
    }
}

impl Iterator for AccountTransfers<'_> {
    type Item = Result<Found, JournalFault>;

    fn next(&mut self) -> Option<Self::Item> {
        self.walk.next().map(|entry| entry.map(|entry| entry.found))
    }
}

/// See [`Journal::account_balances`]. After a fault it goes on where the balances are known again.
pub struct AccountBalances<'a> {
    walk: Walk<'a>,
}

impl<'a> AccountBalances<'a> {
    pub(super) fn new(journal: &'a Journal, asked: EntriesAsked) -> Self {
        Self { walk: Walk::new(journal, asked, Keeping::Balances) }
    }
}

impl Iterator for AccountBalances<'_> {
    type Item = Result<(Found, Balances), JournalFault>;

    fn next(&mut self) -> Option<Self::Item> {
        self.walk.next().map(|entry| entry.map(|entry| (entry.found, entry.balances)))
    }
}
