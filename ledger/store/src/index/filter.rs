//! A blocked Bloom filter: every fingerprint has one line of 64 bytes and sets one bit in each of its eight words.
//!
//! At 12 bits a key about one absent key in 200 passes. A probe is one cache miss, and probes of a batch do not
//! wait for each other, so the processor overlaps them.

use super::key::{FINGERPRINT_BITS, Key};
use crate::segment::{high_half, narrow};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Bits a key.
const KEY_BITS: u64 = 12;
/// Bytes of a line.
pub(crate) const LINE_BYTES: usize = 64;

/// One cache line.
#[derive(Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(64))]
struct Line {
    words: [u64; 8],
}

const _: () = assert!(size_of::<Line>() == LINE_BYTES);

/// See the module's words.
pub(crate) struct Filter {
    lines: Vec<Line>,
}

/// The bits in the line: 6 for each word.
#[inline]
fn spread(fingerprint: u64) -> u64 {
    let mixed = (fingerprint + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    (mixed ^ (mixed >> 32)).wrapping_mul(0xff51_afd7_ed55_8ccd)
}

#[inline]
fn line_bits(fingerprint: u64) -> Line {
    let bits = spread(fingerprint);
    let mut line = Line::default();
    for (index, word) in (0u32..).zip(&mut line.words) {
        *word = 1 << (bits >> (16 + 6 * index) & 63);
    }
    line
}

impl Filter {
    /// Empty, for so many keys.
    pub(crate) fn for_keys(count: u64) -> Self {
        Self::zeroed(lines_for(count))
    }

    fn zeroed(lines: usize) -> Self {
        Self { lines: vec![Line::default(); lines.max(1)] }
    }

    /// A filter of so many bytes, filled by `read`.
    pub(crate) fn filled<E>(bytes: usize, read: impl FnOnce(&mut [u8]) -> Result<(), E>) -> Result<Self, E> {
        let mut filter = Self::zeroed(bytes / LINE_BYTES);
        read(filter.lines.as_mut_slice().as_mut_bytes())?;
        Ok(filter)
    }

    /// All lines as bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.lines.as_slice().as_bytes()
    }

    /// The line of a fingerprint. Lines rise with fingerprints: a run, which is written in their order, fills its
    /// filter from the first line to the last.
    #[inline]
    fn place(&self, fingerprint: u64) -> usize {
        let choice = fingerprint << (64 - FINGERPRINT_BITS);
        let count = u64::from(narrow(self.lines.len()));
        usize::try_from(high_half(u128::from(choice) * u128::from(count))).unwrap_or(0)
    }

    /// Adds a fingerprint.
    pub(crate) fn insert(&mut self, fingerprint: u64) {
        let place = self.place(fingerprint);
        for (word, bit) in self.lines[place].words.iter_mut().zip(line_bits(fingerprint).words) {
            *word |= bit;
        }
    }

    /// Whether a fingerprint may have been added; `false` is certain.
    #[inline]
    pub(crate) fn may_hold(&self, fingerprint: u64) -> bool {
        let line = &self.lines[self.place(fingerprint)];
        // All eight words, without a branch between: most probes fail, at an unforeseeable word.
        let missing = line
            .words
            .iter()
            .zip(line_bits(fingerprint).words)
            .fold(0, |missing, (word, bit)| missing | (!word & bit));
        missing == 0
    }

    /// Keeps of the places those whose keys may have been added.
    pub(crate) fn keep(&self, keys: &[Key], places: &mut Vec<usize>) {
        places.retain(|place| self.may_hold(keys[*place].fingerprint()));
    }
}

/// Lines for so many keys.
pub(crate) fn lines_for(count: u64) -> usize {
    usize::try_from((count * KEY_BITS).div_ceil(512)).unwrap_or(usize::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_is_found_and_little_else() {
        let mut filter = Filter::for_keys(100_000);
        let fingerprint = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 24;
        (0..100_000).for_each(|n| filter.insert(fingerprint(n)));
        assert!((0..100_000).all(|n| filter.may_hold(fingerprint(n))));
        let wrong = (100_000..200_000).filter(|n| filter.may_hold(fingerprint(*n))).count();
        assert!(wrong < 1_000, "{wrong} of 100,000 absent keys pass");
    }
}
