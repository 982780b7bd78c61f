//! Sums over a stretch of the sealed journal, and what accounts had at a moment of it.
//!
//! A sum takes whole segments from their directories and reads the blocks at the two ends. What accounts had before a
//! record stands in the first touch of each behind it: only touch pages are read, and only until every account was met.

use super::balance::{Side, post};
use super::{Journal, JournalFault, place_of};
use crate::segment::{BLOCK_RECORDS, BLOCKS, Block, CodeFlow, Segment, field, first_record, narrow, wide};
use fen_book::{AccountSlot, Balances, RecordNumber};
use std::ops::Range;

/// What accounts had at a moment, as far as what came behind it tells.
#[derive(Clone, Default, Debug)]
pub struct Standing {
    by_slot: Vec<Option<Balances>>,
    met: usize,
}

impl Standing {
    /// What an account had; `None` where nothing that was looked at tells.
    pub fn of(&self, slot: AccountSlot) -> Option<&Balances> {
        self.by_slot.get(wide(slot.get())).and_then(Option::as_ref)
    }

    /// How many accounts were met.
    pub fn met(&self) -> usize {
        self.met
    }

    /// Notes what an account had, unless an earlier record told.
    pub fn note(&mut self, slot: AccountSlot, balances: Balances) {
        let index = wide(slot.get());
        if self.by_slot.len() <= index {
            self.by_slot.resize(index + 1, None);
        }
        if let Some(place @ None) = self.by_slot.get_mut(index) {
            *place = Some(balances);
            self.met += 1;
        }
    }
}

impl Journal {
    /// Calls `each` with the flows of the sealed transfers with these numbers, by ledger and code; one ledger and code
    /// may come often. Answers what could not be read: the rest is told all the same.
    pub fn flows(&self, numbers: &Range<RecordNumber>, mut each: impl FnMut(&CodeFlow)) -> Vec<JournalFault> {
        let view = self.view();
        let mut faults = Vec::new();
        let end = numbers.end.get().min(first_record(narrow(view.segments.len())).get());
        let mut next = numbers.start.get();
        while next < end {
            let (segment, _) = place_of(RecordNumber::new(next));
            let segment = u32::try_from(segment).unwrap_or(u32::MAX);
            let behind = first_record(segment.saturating_add(1)).get();
            let is_whole = next == first_record(segment).get() && behind <= end;
            match view.segments.get(wide(segment)) {
                Some(Ok(known)) => match known.zone.sums.as_ref().filter(|_| is_whole) {
                    Some(sums) => sums.iter().for_each(&mut each),
                    None => match self.segment_in(&view, segment) {
                        Ok(open) => read_flows(&open, &(next..behind.min(end)), &mut each, &mut faults),
                        Err(fault) => faults.push(fault),
                    },
                },
                Some(Err(fault)) => faults.push(fault.clone()),
                None => break,
            }
            next = behind;
        }
        faults
    }

    /// Notes what accounts had before a record, by their first entry from it on in the sealed segments up to
    /// `below`; ends early when `accounts` of them were met.
    pub fn standing_before(
        &self,
        number: RecordNumber,
        below: u32,
        accounts: usize,
        standing: &mut Standing,
    ) -> Result<(), JournalFault> {
        let view = self.view();
        let (first, position) = place_of(number);
        let first = u32::try_from(first).unwrap_or(u32::MAX);
        for segment in first..below {
            if standing.met() >= accounts {
                return Ok(());
            }
            let open = self.segment_in(&view, segment)?;
            let position = if segment == first { wide(position) } else { 0 };
            let mut touched: Vec<(AccountSlot, Balances)> = Vec::with_capacity(wide(open.account_count()));
            open.openings(&mut |slot, balances| touched.push((slot, balances)))?;
            for number in 0..position.div_ceil(BLOCK_RECORDS) {
                let block = open.block(narrow(number))?;
                let rows = (position - number * BLOCK_RECORDS).min(BLOCK_RECORDS);
                post_rows(&block, rows, &mut touched);
            }
            for (slot, balances) in touched {
                standing.note(slot, balances);
            }
        }
        Ok(())
    }
}

/// Posts the first rows of a block to all their accounts, which stand by reference.
fn post_rows(block: &Block, rows: usize, touched: &mut [(AccountSlot, Balances)]) {
    for row in 0..rows {
        for (reference, side) in block.references(row).into_iter().zip([Side::Debit, Side::Credit]) {
            if let Some((_, balances)) = touched.get_mut(wide(reference)) {
                post(balances, block, row, side);
            }
        }
    }
}

fn read_flows(
    segment: &Segment,
    numbers: &Range<u64>,
    each: &mut impl FnMut(&CodeFlow),
    faults: &mut Vec<JournalFault>,
) {
    let records = u64::from(narrow(BLOCK_RECORDS));
    for number in 0..narrow(BLOCKS) {
        let first = segment.first().get() + u64::from(number) * records;
        if first >= numbers.end || first + records <= numbers.start {
            continue;
        }
        let block = match segment.block(number) {
            Ok(block) => block,
            Err(fault) => {
                faults.push(fault);
                continue;
            }
        };
        let asked = |row: &usize| numbers.contains(&(first + u64::from(narrow(*row))));
        for row in (0..BLOCK_RECORDS).filter(asked) {
            let word = |column| u32::try_from(block.value(column, row)).unwrap_or(0);
            let code = u16::try_from(word(field::CODE)).unwrap_or(0);
            let flow = CodeFlow::of(word(field::LEDGER), code, block.flags(row), block.amount(row));
            flow.iter().for_each(&mut *each);
        }
    }
}
