//! The outcomes of a file's items, each in a place of its own: 32 bytes at its position.
//!
//! A record tells by its checksum that it is whole and stands where it belongs; what does not is an item without an
//! outcome, which is sent again under its id and answers as the first time. So the spool may be lost or cut off at any
//! place: the file makes it again. It is durable up to a position before the registry is told of that position.

use crate::outcome::{Outcome, Status};
use crate::reason::Reason;
use fen_book::{CreateTransferStatus, Stamp};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// The bytes of a record.
pub const RECORD_BYTES: usize = 32;

/// Records that are read at once.
const BLOCK_RECORDS: u64 = 4_096;

const OPEN: u8 = 0;
const TRANSFER: u8 = 1;
const LOAN: u8 = 2;
const REFUSED: u8 = 3;
const SHORT: u8 = 4;
const PARTLY: u8 = 5;
const HELD: u8 = 6;

/// See the module's words.
#[derive(Debug)]
pub struct Spool {
    file: File,
    /// The block that was read last, and the position of its first record.
    block: Vec<u8>,
    first: u64,
    /// Behind this position nothing was kept when reading began: whoever reads in order while outcomes are being written
    /// behind him need not ask the disk.
    end: u64,
}

impl Spool {
    /// Opens the outcomes of a file, or begins with none.
    ///
    /// # Errors
    /// Where the file can't be made or opened.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let end = file.metadata()?.len().div_ceil(RECORD_BYTES as u64);
        Ok(Self { file, block: Vec::new(), first: 0, end })
    }

    /// An item's outcome; reads in order are cheap.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn get(&mut self, position: u64) -> io::Result<Outcome> {
        let at = |first: u64| usize::try_from((position - first) * 32).unwrap_or(usize::MAX);
        let is_there = position >= self.first && at(self.first) + RECORD_BYTES <= self.block.len();
        if position >= self.end {
            return Ok(Outcome::default());
        }
        if !is_there {
            self.first = position;
            self.block.resize(usize::try_from(BLOCK_RECORDS).unwrap_or(0) * RECORD_BYTES, 0);
            let mut filled = 0;
            while filled < self.block.len() {
                let offset = position * 32 + u64::try_from(filled).unwrap_or(0);
                match self.file.read_at(&mut self.block[filled..], offset)? {
                    0 => break,
                    size => filled += size,
                }
            }
            // What is not written yet may be by the time it is asked for: only whole blocks are kept.
            self.block.truncate(filled - filled % RECORD_BYTES);
        }
        let place = at(self.first);
        let record = self.block.get(place..place + RECORD_BYTES);
        Ok(record.and_then(|record| decode(record, position)).unwrap_or_default())
    }

    /// Writes outcomes at rising positions.
    ///
    /// # Errors
    /// Where the file can't be written.
    pub fn put(&mut self, outcomes: &[(u64, Outcome)]) -> io::Result<()> {
        let mut rest = outcomes;
        let mut bytes = Vec::with_capacity(outcomes.len() * RECORD_BYTES);
        while let Some((first, _)) = rest.first() {
            let run = rest
                .iter()
                .zip(*first..)
                .take_while(|((position, _), expected)| position == expected)
                .count();
            let (now, later) = rest.split_at(run);
            bytes.clear();
            for (position, outcome) in now {
                bytes.extend_from_slice(&encode(outcome, *position));
            }
            self.file.write_all_at(&bytes, first * 32)?;
            rest = later;
        }
        Ok(())
    }

    /// Makes all that was written durable.
    ///
    /// # Errors
    /// Where the disk fails.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Begins to read again, with all that was written meanwhile.
    ///
    /// # Errors
    /// Where the file can't be looked at.
    pub fn rewind(&mut self) -> io::Result<()> {
        self.block.clear();
        self.end = self.file.metadata()?.len().div_ceil(RECORD_BYTES as u64);
        Ok(())
    }
}

fn encode(outcome: &Outcome, position: u64) -> [u8; RECORD_BYTES] {
    let (kind, number) = match outcome.status {
        Status::Open => (OPEN, 0),
        Status::Transfer(status) => (TRANSFER, status.number()),
        Status::Loan(number) => (LOAN, number),
        Status::Refused(reason) => (REFUSED, reason.number()),
        Status::Short => (SHORT, 0),
        Status::Partly => (PARTLY, 0),
        Status::Held => (HELD, 0),
    };
    let mut record = [0_u8; RECORD_BYTES];
    record[0] = kind;
    record[2..4].copy_from_slice(&number.to_le_bytes());
    record[8..16].copy_from_slice(&outcome.stamp.get().to_le_bytes());
    record[16..32].copy_from_slice(&outcome.moved.to_le_bytes());
    let sum = checksum(&record, position);
    record[4..8].copy_from_slice(&sum.to_le_bytes());
    record
}

fn decode(record: &[u8], position: u64) -> Option<Outcome> {
    let record: &[u8; RECORD_BYTES] = record.try_into().ok()?;
    let word = |from: usize| -> [u8; 8] { record[from..from + 8].try_into().unwrap_or_default() };
    if checksum(record, position).to_le_bytes() != record[4..8] {
        return None;
    }
    let number = u16::from_le_bytes([record[2], record[3]]);
    let status = match record[0] {
        TRANSFER => Status::Transfer(CreateTransferStatus::from_number(number)?),
        LOAN => Status::Loan(number),
        REFUSED => Status::Refused(Reason::from_number(number)?),
        SHORT => Status::Short,
        PARTLY => Status::Partly,
        HELD => Status::Held,
        _ => Status::Open,
    };
    let moved = u128::from(u64::from_le_bytes(word(16))) | u128::from(u64::from_le_bytes(word(24))) << 64;
    Some(Outcome { status, stamp: Stamp::new(u64::from_le_bytes(word(8))), moved })
}

/// Over the record but its own place, and where it stands.
fn checksum(record: &[u8; RECORD_BYTES], position: u64) -> u32 {
    let sum = crc32c::crc32c(&position.to_le_bytes());
    crc32c::crc32c_append(crc32c::crc32c_append(sum, &record[..4]), &record[8..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn outcomes_stand_at_their_positions() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outcomes");
        let mut spool = Spool::open(&path).unwrap();
        let outcome = |number: u64| Outcome {
            status: Status::Loan(0),
            stamp: Stamp::new(number),
            moved: u128::from(number) << 70,
        };
        let some: Vec<(u64, Outcome)> = [0, 1, 5, 6, 5_000].map(|place| (place, outcome(place))).to_vec();
        spool.put(&some).unwrap();
        spool.sync().unwrap();
        let mut again = Spool::open(&path).unwrap();
        for (position, outcome) in some {
            assert_eq!(again.get(position).unwrap(), outcome);
        }
        for position in [2, 4, 4_999, 5_001, 90_000] {
            assert_eq!(again.get(position).unwrap(), Outcome::default());
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_outcome_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..80), position in 0_u64..3) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("outcomes");
            std::fs::write(&path, &bytes).unwrap();
            let mut spool = Spool::open(&path).unwrap();
            prop_assert_eq!(spool.get(position).unwrap(), Outcome::default());
        }
    }
}
