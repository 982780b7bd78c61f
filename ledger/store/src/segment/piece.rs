//! Pieces: the parts of a file that are read and checked each by itself.
//!
//! On disk a piece is its body and a crc32c (little-endian) over what the piece is and the body: kind, number in
//! the file, number of the file. A piece in another's place is therefore as damaged as one with a flipped bit.

use super::bits::{Malformed, SLACK, wide};
use crate::disk::File;
use crate::journal::{JournalFault, Piece};
use std::ops::Range;
use std::path::Path;

const CRC_BYTES: usize = 4;

/// Which file a piece belongs to, for its checksum and for faults.
#[derive(Clone, Copy)]
pub(crate) struct Home<'a> {
    pub(crate) file: &'a dyn File,
    pub(crate) path: &'a Path,
    /// The segment's number; of a run, its first segment's.
    pub(crate) number: u32,
}

/// A piece in memory, checked; zeros follow it.
pub(crate) struct Body {
    bytes: Vec<u8>,
}

impl Body {
    /// The body with the zeros behind it.
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The memory, to be read into again.
    pub(crate) fn into_memory(self) -> Vec<u8> {
        self.bytes
    }

    /// Where the zeros begin.
    pub(crate) fn end(&self) -> usize {
        self.bytes.len() - SLACK
    }
}

fn checksum(piece: Piece, number: u32, body: &[u8]) -> u32 {
    let (kind, index) = match piece {
        Piece::Frame => (1u32, 0),
        Piece::Directory => (2, 0),
        Piece::Block(index) => (3, index),
        Piece::AccountPage(index) => (4, index),
        Piece::TouchPage(index) => (5, index),
        Piece::Filter => (6, 0),
        Piece::Whole => (7, 0),
    };
    let mut name = [0; 12];
    for (place, part) in name.chunks_exact_mut(4).zip([kind, index, number]) {
        place.copy_from_slice(&part.to_le_bytes());
    }
    crc32c::crc32c_append(crc32c::crc32c(&name), body)
}

/// Appends the checksum of the body that begins at `start`.
pub(crate) fn seal(piece: Piece, number: u32, start: usize, out: &mut Vec<u8>) {
    let sum = checksum(piece, number, &out[start..]);
    out.extend_from_slice(&sum.to_le_bytes());
}

impl Home<'_> {
    /// Reads and checks the piece in `range`, which the caller knows to lie in the file.
    pub(crate) fn read(&self, piece: Piece, range: &Range<u64>) -> Result<Body, JournalFault> {
        self.read_over(piece, range, Vec::new())
    }

    /// As [`Home::read`], into memory that was used before: it is neither asked for nor cleared again.
    pub(crate) fn read_over(
        &self,
        piece: Piece,
        range: &Range<u64>,
        mut bytes: Vec<u8>,
    ) -> Result<Body, JournalFault> {
        let length = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(0);
        let Some(body) = length.checked_sub(CRC_BYTES) else {
            return Err(self.damaged(piece, range.start, "shorter than its checksum"));
        };
        if bytes.len() < length + SLACK {
            bytes.resize(length + SLACK, 0);
        }
        self.file
            .read_at(&mut bytes[..length], range.start)
            .map_err(|source| JournalFault::disk(self.path, "reading", source))?;
        bytes.truncate(length + SLACK);
        let stated = bytes[body..].first_chunk::<CRC_BYTES>().map_or(0, |sum| u32::from_le_bytes(*sum));
        if stated != checksum(piece, self.number, &bytes[..body]) {
            return Err(self.damaged(piece, range.start, "its checksum differs"));
        }
        bytes[body..].fill(0);
        bytes.truncate(body + SLACK);
        Ok(Body { bytes })
    }

    /// Reads and checks the piece at `start` whose body is as long as `out`, without another copy.
    pub(crate) fn read_into(&self, piece: Piece, start: u64, out: &mut [u8]) -> Result<(), JournalFault> {
        let fault = |source| JournalFault::disk(self.path, "reading", source);
        let mut sum = [0; CRC_BYTES];
        self.file.read_at(out, start).map_err(fault)?;
        let end = start.saturating_add(u64::try_from(out.len()).unwrap_or(u64::MAX));
        self.file.read_at(&mut sum, end).map_err(fault)?;
        if u32::from_le_bytes(sum) == checksum(piece, self.number, out) {
            Ok(())
        } else {
            Err(self.damaged(piece, start, "its checksum differs"))
        }
    }

    /// The fault of a piece that is not what was written.
    pub(crate) fn damaged(&self, piece: Piece, offset: u64, what: &'static str) -> JournalFault {
        JournalFault::Damaged { file: self.path.to_path_buf(), piece, offset, what }
    }

    /// The fault of a piece whose checksum holds but which says what cannot be.
    pub(crate) fn malformed(&self, piece: Piece, start: u64, malformed: Malformed) -> JournalFault {
        let offset = start.saturating_add(u64::try_from(malformed.at).unwrap_or(0));
        self.damaged(piece, offset, "it says what cannot be")
    }
}

/// The range between two ends in a list of ends that begins at `start`.
pub(crate) fn range_of(start: u32, ends: &[u32], index: u32) -> Option<Range<u64>> {
    let end = *ends.get(wide(index))?;
    let begin = index.checked_sub(1).map_or(Some(start), |before| ends.get(wide(before)).copied())?;
    Some(u64::from(begin)..u64::from(end))
}
