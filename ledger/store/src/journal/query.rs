//! Questions that are not about one account: transfers that pass a filter, and all records in order.
//!
//! A query passes by the segments and blocks that cannot answer it (their zones and columns say so) and decodes of
//! the others only what the filter names, until a record passes.

use super::entries::is_transfer;
use super::{Found, Journal, JournalFault, Sealed, place_of};
use crate::segment::{
    BLOCK_RECORDS, BLOCKS, Block, Reading, field, first_record, high_half, low_half, narrow, stamps_meet,
    wide,
};
use fen_book::{QueryFilter, RecordNumber};
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

/// See [`Journal::query_transfers`]. After a fault it goes on with what lies behind the damaged piece.
pub struct QueryTransfers<'a> {
    journal: &'a Journal,
    view: Arc<Sealed>,
    filter: QueryFilter,
    numbers: Range<RecordNumber>,
    left: u32,
    /// The blocks still to come, counted over all segments.
    blocks: Range<u64>,
    reading: Option<Reading>,
    ready: VecDeque<Found>,
}

impl<'a> QueryTransfers<'a> {
    pub(super) fn new(journal: &'a Journal, filter: &QueryFilter, numbers: Range<RecordNumber>) -> Self {
        let view = journal.view();
        let all = u64::from(narrow(view.segments.len())) * u64::from(narrow(BLOCKS));
        let records = u64::from(narrow(BLOCK_RECORDS));
        let end = all.min(numbers.end.get().div_ceil(records));
        let blocks = (numbers.start.get() / records).min(end)..end;
        let filter = *filter;
        Self {
            journal,
            view,
            filter,
            numbers,
            left: filter.limit,
            blocks,
            reading: None,
            ready: VecDeque::new(),
        }
    }

    /// The next block that may answer: its segment and its number there.
    fn next_block(&mut self) -> Option<(u32, u32)> {
        let segment_blocks = u64::from(narrow(BLOCKS));
        loop {
            let block = if self.filter.reversed { self.blocks.next_back()? } else { self.blocks.next()? };
            let segment = u32::try_from(block / segment_blocks).ok()?;
            let known = self.view.segments.get(wide(segment)).and_then(|known| known.as_ref().ok());
            if known.is_some_and(|known| !known.zone.may_answer(&self.filter)) {
                // On to the next segment.
                let (first, end) =
                    (u64::from(segment) * segment_blocks, (u64::from(segment) + 1) * segment_blocks);
                self.blocks = if self.filter.reversed {
                    self.blocks.start..self.blocks.end.min(first)
                } else {
                    self.blocks.start.max(end.min(self.blocks.end))..self.blocks.end
                };
                continue;
            }
            return Some((segment, u32::try_from(block % segment_blocks).unwrap_or(0)));
        }
    }

    fn visit(&mut self, segment: u32, number: u32) -> Result<(), JournalFault> {
        if self.reading.as_ref().is_none_or(|reading| reading.segment().number() != segment) {
            self.reading = None;
        }
        let reading = match &mut self.reading {
            Some(reading) => reading,
            None => self.reading.insert(Reading::new(self.journal.segment_in(&self.view, segment)?)),
        };
        let stamps = reading.segment().block_stamps(number);
        let (min, max) = (self.filter.timestamp_min, self.filter.timestamp_max);
        if stamps.is_some_and(|stamps| !stamps_meet(stamps, min, max)) {
            return Ok(());
        }
        let block = reading.block(number)?;
        if !may_answer(&self.filter, block) {
            return Ok(());
        }
        let mut rows: Vec<usize> =
            (0..BLOCK_RECORDS).filter(|row| passes(&self.filter, block, *row)).collect();
        if self.filter.reversed {
            rows.reverse();
        }
        let first = first_record(segment).get() + u64::from(number) * u64::from(narrow(BLOCK_RECORDS));
        for row in rows {
            let number_of_record = RecordNumber::new(first + u64::from(narrow(row)));
            if self.numbers.contains(&number_of_record) {
                let record = reading.record_in(number, row)?;
                self.ready.push_back(Found { number: number_of_record, record });
            }
        }
        Ok(())
    }
}

/// The columns that a filter names, with the values it asks for.
fn asked(filter: &QueryFilter) -> impl Iterator<Item = (usize, u64)> {
    let wide_field = [
        (field::USER_DATA_128, low_half(filter.user_data_128)),
        (field::USER_DATA_128 + 1, high_half(filter.user_data_128)),
    ];
    let fields = [
        (field::USER_DATA_64, filter.user_data_64),
        (field::USER_DATA_32, u64::from(filter.user_data_32)),
        (field::LEDGER, u64::from(filter.ledger)),
        (field::CODE, u64::from(filter.code)),
    ];
    let wide_asked = filter.user_data_128 != 0;
    wide_field
        .into_iter()
        .filter(move |_| wide_asked)
        .chain(fields.into_iter().filter(|(_, value)| *value != 0))
}

fn may_answer(filter: &QueryFilter, block: &Block) -> bool {
    asked(filter).all(|(column, value)| block.may_hold(column, value))
}

fn passes(filter: &QueryFilter, block: &Block, row: usize) -> bool {
    let stamp = block.stamp(row);
    asked(filter).all(|(column, value)| block.value(column, row) == value)
        && stamp >= filter.timestamp_min
        && (filter.timestamp_max.is_zero() || stamp <= filter.timestamp_max)
        && is_transfer(block, row)
}

impl Iterator for QueryTransfers<'_> {
    type Item = Result<Found, JournalFault>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        loop {
            if let Some(found) = self.ready.pop_front() {
                self.left -= 1;
                return Some(Ok(found));
            }
            let (segment, number) = self.next_block()?;
            if let Err(fault) = self.visit(segment, number) {
                return Some(Err(fault));
            }
        }
    }
}

/// See [`Journal::records`]; from the other end, newest first. After a fault it goes on with the next block, or the
/// next segment where the whole one is out of reach.
pub struct Records<'a> {
    journal: &'a Journal,
    view: Arc<Sealed>,
    next: u64,
    end: u64,
    reading: Option<Reading>,
}

impl<'a> Records<'a> {
    pub(super) fn new(journal: &'a Journal, from: RecordNumber) -> Self {
        let view = journal.view();
        let end = first_record(narrow(view.segments.len())).get();
        Self { journal, view, next: from.get().min(end), end, reading: None }
    }

    /// Those below a number only.
    #[must_use]
    pub fn below(mut self, end: RecordNumber) -> Self {
        self.end = self.end.min(end.get());
        self
    }

    /// The record, or the fault with the range of numbers that it hides.
    fn read(&mut self, number: u64) -> Result<Found, (JournalFault, Range<u64>)> {
        let (segment, position) = place_of(RecordNumber::new(number));
        let segment = u32::try_from(segment).unwrap_or(u32::MAX);
        let around = |records: usize| {
            let length = u64::from(narrow(records));
            let first = number / length * length;
            first..first + length
        };
        if self.reading.as_ref().is_none_or(|reading| reading.segment().number() != segment) {
            self.reading = None;
        }
        let reading = match &mut self.reading {
            Some(reading) => reading,
            None => match self.journal.segment_in(&self.view, segment) {
                Ok(opened) => self.reading.insert(Reading::new(opened)),
                Err(fault) => return Err((fault, around(BLOCKS * BLOCK_RECORDS))),
            },
        };
        let (block, row) = crate::segment::block_of(position);
        match reading.record_in(block, row) {
            Ok(record) => Ok(Found { number: RecordNumber::new(number), record }),
            Err(fault) => Err((fault, around(BLOCK_RECORDS))),
        }
    }
}

impl Journal {
    /// The records with these numbers, in their order; neighbours share the reading of their block.
    pub fn records_at(
        &self,
        numbers: impl IntoIterator<Item = RecordNumber>,
    ) -> impl Iterator<Item = Result<Found, JournalFault>> {
        let mut records = Records::new(self, RecordNumber::ZERO);
        numbers.into_iter().map(move |number| records.read(number.get()).map_err(|(fault, _)| fault))
    }

    /// The external references of a segment's transfers (`user_data_128`, where it is not zero), each with its
    /// position. Of a segment without any, nothing is read.
    pub fn references(&self, number: u32) -> Result<Vec<(u128, u32)>, JournalFault> {
        let view = self.view();
        let fields = self.known(&view, number)?.zone.fields.as_ref();
        let mut found = Vec::new();
        if fields.is_none_or(|fields| fields.user_data_128.max == 0) {
            return Ok(found);
        }
        let mut reading = Reading::new(self.segment_in(&view, number)?);
        for block_number in 0..narrow(BLOCKS) {
            let block = reading.block(block_number)?;
            for row in 0..BLOCK_RECORDS {
                let reference = block.user_data_128(row);
                if reference != 0 && is_transfer(block, row) {
                    found.push((reference, block_number * narrow(BLOCK_RECORDS) + narrow(row)));
                }
            }
        }
        Ok(found)
    }
}

impl Iterator for Records<'_> {
    type Item = Result<Found, JournalFault>;

    fn next(&mut self) -> Option<Self::Item> {
        let number = self.next;
        if number == self.end {
            return None;
        }
        Some(match self.read(number) {
            Ok(found) => {
                self.next += 1;
                Ok(found)
            }
            Err((fault, hidden)) => {
                self.next = hidden.end.min(self.end);
                Err(fault)
            }
        })
    }
}

impl DoubleEndedIterator for Records<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.next == self.end {
            return None;
        }
        Some(match self.read(self.end - 1) {
            Ok(found) => {
                self.end -= 1;
                Ok(found)
            }
            Err((fault, hidden)) => {
                self.end = hidden.start.max(self.next);
                Err(fault)
            }
        })
    }
}
