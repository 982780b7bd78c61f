//! A scroll: bytes of any length, appended and never changed, in pages that a checkpoint takes one by one.
//!
//! What has no fixed size (orders of the rarer kinds, terms that a loan states for itself) is written here once and
//! named by the number of its first line. An entry is its length and its bytes, filled up with zeros to whole lines.

use crate::pages::{PagedTable, per_page};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Bytes in a line.
const LINE_BYTES: usize = 32;

/// One line.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct Line([u8; LINE_BYTES]);

/// The lines of a scroll.
pub(crate) type Lines = PagedTable<Line, { per_page::<Line>() }>;

/// See the module's words.
#[derive(Default)]
pub(crate) struct Scroll {
    pub(crate) lines: Lines,
}

impl Scroll {
    /// Writes an entry, and says where it begins.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> u32 {
        let place = u32::try_from(self.lines.len()).expect("a scroll has fewer than 2^32 lines");
        let len = u32::try_from(bytes.len()).expect("an entry is as short as a command");
        let mut entry = Vec::with_capacity(bytes.len().saturating_add(4));
        entry.extend_from_slice(&len.to_le_bytes());
        entry.extend_from_slice(bytes);
        for part in entry.chunks(LINE_BYTES) {
            let mut line = [0; LINE_BYTES];
            line[..part.len()].copy_from_slice(part);
            self.lines.push(Line(line));
        }
        place
    }

    /// The entry that begins at a place, and where the next one begins; `None` where none can.
    pub(crate) fn read(&self, place: u32) -> Option<(Vec<u8>, u32)> {
        let first = usize::try_from(place).ok()?;
        if first >= self.lines.len() {
            return None;
        }
        let (head, _) = self.lines.get(first).0.split_first_chunk::<4>()?;
        let len = usize::try_from(u32::from_le_bytes(*head)).ok()?;
        let whole = len.checked_add(4)?;
        let after = first.checked_add(whole.div_ceil(LINE_BYTES))?;
        if after > self.lines.len() {
            return None;
        }
        let mut bytes = Vec::with_capacity(whole.next_multiple_of(LINE_BYTES));
        for line in first..after {
            bytes.extend_from_slice(&self.lines.get(line).0);
        }
        bytes.truncate(whole);
        bytes.drain(..4);
        Some((bytes, u32::try_from(after).ok()?))
    }

    /// All entries, in the order written.
    pub(crate) fn entries(&self) -> impl Iterator<Item = Option<Vec<u8>>> + '_ {
        let mut place = 0_u32;
        let end = u32::try_from(self.lines.len()).unwrap_or(u32::MAX);
        core::iter::from_fn(move || {
            if place >= end {
                return None;
            }
            let read = self.read(place);
            place = read.as_ref().map_or(end, |(_, after)| *after);
            Some(read.map(|(bytes, _)| bytes))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let mut scroll = Scroll::default();
        let entries: Vec<Vec<u8>> = (0..200_u8).map(|len| vec![len; usize::from(len)]).collect();
        let places: Vec<u32> = entries.iter().map(|entry| scroll.write(entry)).collect();
        for (entry, place) in entries.iter().zip(places) {
            assert_eq!(&scroll.read(place).unwrap().0, entry);
        }
        let all: Vec<Vec<u8>> = scroll.entries().map(Option::unwrap).collect();
        assert_eq!(all, entries);
        assert!(scroll.read(u32::try_from(scroll.lines.len()).unwrap()).is_none());
    }
}
