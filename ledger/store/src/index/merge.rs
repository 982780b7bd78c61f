//! Merging: eight neighbouring runs of one length become one. Which eight depends on the numbers only.

use super::run::{Entry, Outline, Run, RunBlock, RunWriter};
use crate::journal::JournalFault;
use fen_book::CHUNK_RECORDS;
use std::sync::Arc;

/// How many runs become one.
pub(crate) const FAN_IN: u32 = 8;

/// The first eight neighbours, in order of their segments, that are due: of one length, beginning at a multiple of
/// the length they will have, and all before segment `settled`.
pub(crate) fn due(runs: &[Arc<Run>], settled: u32) -> Option<&[Arc<Run>]> {
    let count = crate::segment::wide(FAN_IN);
    let runs = &runs[..runs.partition_point(|run| *run.segments().end() < settled)];
    runs.windows(count).find(|window| {
        let length = window[0].length();
        let first = *window[0].segments().start();
        let neighbours = window
            .windows(2)
            .all(|pair| u64::from(*pair[0].segments().end()) + 1 == u64::from(*pair[1].segments().start()));
        let long = u64::from(length) * u64::from(FAN_IN);
        neighbours && window.iter().all(|run| run.length() == length) && u64::from(first) % long == 0
    })
}

/// One run as it is read through.
struct Reader<'a> {
    run: &'a Run,
    block: Option<RunBlock>,
    next_block: u32,
    row: usize,
    /// What its record numbers are counted from, as seen from the merged run's first.
    base: u64,
    head: Option<Entry>,
}

impl<'a> Reader<'a> {
    fn open(run: &'a Run, first: u32) -> Result<Self, JournalFault> {
        let segments = u64::from(run.segments().start() - first);
        let base = segments * u64::from(crate::segment::narrow(CHUNK_RECORDS));
        let mut reader = Self { run, block: None, next_block: 0, row: 0, base, head: None };
        reader.advance()?;
        Ok(reader)
    }

    fn advance(&mut self) -> Result<(), JournalFault> {
        while self.block.as_ref().is_none_or(|block| self.row == block.count()) {
            if self.next_block == self.run.block_count() {
                self.head = None;
                return Ok(());
            }
            self.block = Some(self.run.block(self.next_block)?);
            self.next_block += 1;
            self.row = 0;
        }
        let entry = self.block.as_ref().map(|block| block.entry(self.row));
        let head = entry.map(|(fingerprint, number)| (fingerprint, number.saturating_add(self.base)));
        if head < self.head {
            return Err(self.run.out_of_order(self.next_block - 1));
        }
        self.head = head;
        self.row += 1;
        Ok(())
    }
}

/// Reads the runs, which are neighbours in order, and hands the bytes of the merged one to `write`.
pub(crate) fn merge(
    runs: &[Arc<Run>],
    write: impl FnMut(&[u8]) -> Result<(), JournalFault>,
) -> Result<(), JournalFault> {
    let Some(outline) = Outline::of(runs) else { return Ok(()) };
    let first = *outline.segments.start();
    let mut writer = RunWriter::new(outline, write);
    let mut readers =
        runs.iter().map(|run| Reader::open(run, first)).collect::<Result<Vec<_>, JournalFault>>()?;
    loop {
        let heads = readers.iter_mut().filter_map(|reader| reader.head.map(|head| (head, reader)));
        let Some((head, reader)) = heads.min_by_key(|(head, _)| *head) else { break };
        writer.add(head)?;
        reader.advance()?;
    }
    writer.finish()
}
