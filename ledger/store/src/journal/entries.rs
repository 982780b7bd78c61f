//! The entries of one account: from segment to segment along the chain of touches, and within one by its blocks.
//!
//! Newest first, the chain is followed as far as it is asked for. Oldest first, the numbers of the segments are
//! gathered along the chain, and then walked backwards; nothing else is held. Behind a damaged piece the walk goes on:
//! where the chain is broken, older segments are asked one by one until one knows the account.

use super::balance::{Side, post, side_of};
use super::{Found, Journal, JournalFault, Sealed};
use crate::segment::{BLOCK_RECORDS, Block, Reading, TouchedAccount, field, narrow, stamps_meet, wide};
use fen_book::{AccountFilter, AccountSlot, Balances, RecordNumber, Stamp, Transfer};
use std::collections::VecDeque;
use std::sync::Arc;

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
    /// The blocks still to come, the next one last. Newest first, each comes with the balances before it.
    blocks: Vec<(u8, Option<Balances>)>,
    /// Oldest first, the balances before the next block.
    running: Balances,
}

/// A segment with entries of the account, or why it could not be read.
type Stop = Result<(Reading, TouchedAccount), JournalFault>;

/// Where the walk goes next.
enum Route {
    /// Along the chain from this segment.
    Newest(Option<u32>),
    /// Through these, the next one last.
    Oldest(Vec<Result<u32, JournalFault>>),
    /// Oldest first, before the chain has been followed.
    Unknown(Option<u32>),
}

struct Walk<'a> {
    journal: &'a Journal,
    view: Arc<Sealed>,
    slot: AccountSlot,
    filter: AccountFilter,
    left: u32,
    keeping: Keeping,
    route: Route,
    visit: Option<Visit>,
    ready: VecDeque<Result<Entry, JournalFault>>,
}

impl<'a> Walk<'a> {
    fn new(
        journal: &'a Journal,
        slot: AccountSlot,
        newest_chunk: Option<u32>,
        filter: &AccountFilter,
        keeping: Keeping,
    ) -> Self {
        let view = journal.view();
        let newest = newest_chunk.min(narrow(view.segments.len()).checked_sub(1));
        let route = if filter.reversed { Route::Newest(newest) } else { Route::Unknown(newest) };
        let ready = VecDeque::new();
        Self { journal, view, slot, filter: *filter, left: filter.limit, keeping, route, visit: None, ready }
    }

    /// Whether all of a segment is older than what is asked for.
    fn is_too_old(&self, number: u32) -> bool {
        let known = self.view.segments.get(wide(number)).and_then(|known| known.as_ref().ok());
        known.is_some_and(|known| known.zone.stamps.max < self.filter.timestamp_min)
    }

    fn may_have_entries(&self, number: u32) -> bool {
        let known = self.view.segments.get(wide(number)).and_then(|known| known.as_ref().ok());
        known.is_none_or(|known| {
            stamps_meet(&known.zone.stamps, self.filter.timestamp_min, self.filter.timestamp_max)
        })
    }

    fn touch(&self, number: u32) -> Result<Option<(Reading, TouchedAccount)>, JournalFault> {
        let segment = self.journal.segment_in(&self.view, number)?;
        let touched = segment.touch_of(self.slot)?;
        Ok(touched.map(|touched| (Reading::new(segment), touched)))
    }

    /// Follows the chain from a segment to the next that has something to tell. The segment after it, then what was
    /// found; `None` at the end of the chain.
    fn follow(&self, from: Option<u32>) -> Option<(Option<u32>, Stop)> {
        let mut at = from;
        while let Some(number) = at {
            if self.is_too_old(number) {
                return None;
            }
            match self.touch(number) {
                Ok(Some((_, account))) if !self.may_have_entries(number) => at = account.previous,
                Ok(Some((reading, account))) => return Some((account.previous, Ok((reading, account)))),
                Ok(None) => at = number.checked_sub(1),
                Err(fault) => return Some((number.checked_sub(1), Err(fault))),
            }
        }
        None
    }

    /// Gathers the chain's segments.
    fn gather(&self, newest: Option<u32>) -> Vec<Result<u32, JournalFault>> {
        let mut numbers = Vec::new();
        let mut at = newest;
        while let Some((next, found)) = self.follow(at) {
            numbers.push(found.map(|(reading, _)| reading.segment().number()));
            at = next;
        }
        numbers
    }

    /// The next segment to visit, or a fault in its place.
    fn next_segment(&mut self) -> Option<Stop> {
        if let Route::Unknown(newest) = self.route {
            self.route = Route::Oldest(self.gather(newest));
        }
        match &mut self.route {
            Route::Newest(at) => {
                let from = at.take();
                let (next, found) = self.follow(from)?;
                self.route = Route::Newest(next);
                Some(found)
            }
            Route::Oldest(numbers) => {
                let number = match numbers.pop()? {
                    Ok(number) => number,
                    Err(fault) => return Some(Err(fault)),
                };
                match self.touch(number) {
                    Ok(Some(found)) => Some(Ok(found)),
                    Ok(None) => self.next_segment(),
                    Err(fault) => Some(Err(fault)),
                }
            }
            Route::Unknown(_) => None,
        }
    }

    fn begin(&mut self, mut reading: Reading, account: TouchedAccount) {
        let (min, max) = (self.filter.timestamp_min, self.filter.timestamp_max);
        let blocks = if self.keeping == Keeping::Balances && self.filter.reversed {
            self.balances_before_blocks(&mut reading, &account)
        } else {
            // Balances run through blocks that are too old to be told.
            let min = if self.keeping == Keeping::Balances { Stamp::ZERO } else { min };
            let segment = reading.segment();
            let meets = |block: &u8| {
                let stamps = segment.block_stamps(u32::from(*block));
                stamps.is_none_or(|stamps| stamps_meet(stamps, min, max))
            };
            let mut blocks: Vec<_> = account.blocks.iter().filter(meets).map(|block| (block, None)).collect();
            if !self.filter.reversed {
                blocks.reverse();
            }
            blocks
        };
        self.visit = Some(Visit { reading, running: account.opening, account, blocks });
    }

    /// The account's balances before each block with an entry of it, up to the first block that cannot be read or
    /// lies wholly beyond what is asked for. Costs one pass over these blocks, at most one segment.
    fn balances_before_blocks(
        &mut self,
        reading: &mut Reading,
        account: &TouchedAccount,
    ) -> Vec<(u8, Option<Balances>)> {
        reading.keep_blocks();
        let mut balances = account.opening;
        let mut blocks = Vec::new();
        for number in account.blocks.iter() {
            let stamps = reading.segment().block_stamps(u32::from(number));
            let max = self.filter.timestamp_max;
            if !max.is_zero() && stamps.is_some_and(|stamps| stamps.min > max) {
                break;
            }
            let before = balances;
            match reading.block(u32::from(number)) {
                Ok(block) => {
                    for row in block.rows_of(account.reference) {
                        if let Some(side) = side_of(block, row, account.reference) {
                            post(&mut balances, block, row, side);
                        }
                    }
                }
                Err(fault) => {
                    self.ready.push_back(Err(fault));
                    break;
                }
            }
            blocks.push((number, Some(before)));
        }
        blocks
    }

    /// Makes ready the entries of one block.
    fn visit_block(&mut self, number: u8, before: Option<Balances>) {
        let Some(visit) = &mut self.visit else { return };
        let mut balances = before.unwrap_or(visit.running);
        let number = u32::from(number);
        let first =
            visit.reading.segment().first().get() + u64::from(number) * u64::from(narrow(BLOCK_RECORDS));
        let reference = visit.account.reference;
        let rows = match visit.reading.block(number) {
            Ok(block) => block.rows_of(reference),
            Err(fault) => {
                if self.keeping == Keeping::Balances {
                    visit.blocks.clear();
                }
                return self.ready.push_back(Err(fault));
            }
        };
        let begin = self.ready.len();
        for row in rows {
            let Ok(block) = visit.reading.block(number) else { continue };
            let Some(side) = side_of(block, row, reference) else { continue };
            if self.keeping == Keeping::Balances {
                post(&mut balances, block, row, side);
            }
            if !passes(&self.filter, block, row, side) {
                continue;
            }
            let number_of_record = RecordNumber::new(first + u64::from(narrow(row)));
            let record: Result<Transfer, JournalFault> = visit.reading.record_in(number, row);
            let found = record.map(|record| Found { number: number_of_record, record });
            self.ready.push_back(found.map(|found| Entry { found, balances }));
        }
        visit.running = balances;
        if self.filter.reversed {
            self.ready.make_contiguous()[begin..].reverse();
        }
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
                Some(Some((number, before))) => self.visit_block(number, before),
                Some(None) => self.visit = None,
                None => match self.next_segment()? {
                    Ok((reading, account)) => self.begin(reading, account),
                    Err(fault) => return Some(Err(fault)),
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
    pub(super) fn new(
        journal: &'a Journal,
        slot: AccountSlot,
        newest_chunk: Option<u32>,
        filter: &AccountFilter,
    ) -> Self {
        Self { walk: Walk::new(journal, slot, newest_chunk, filter, Keeping::Nothing) }
    }
}

impl Iterator for AccountTransfers<'_> {
    type Item = Result<Found, JournalFault>;

    fn next(&mut self) -> Option<Self::Item> {
        self.walk.next().map(|entry| entry.map(|entry| entry.found))
    }
}

/// See [`Journal::account_balances`]. After a fault it goes on where the balances are known again: with the next
/// segment.
pub struct AccountBalances<'a> {
    walk: Walk<'a>,
}

impl<'a> AccountBalances<'a> {
    pub(super) fn new(
        journal: &'a Journal,
        slot: AccountSlot,
        newest_chunk: Option<u32>,
        filter: &AccountFilter,
    ) -> Self {
        Self { walk: Walk::new(journal, slot, newest_chunk, filter, Keeping::Balances) }
    }
}

impl Iterator for AccountBalances<'_> {
    type Item = Result<(Found, Balances), JournalFault>;

    fn next(&mut self) -> Option<Self::Item> {
        self.walk.next().map(|entry| entry.map(|entry| (entry.found, entry.balances)))
    }
}
