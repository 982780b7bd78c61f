//! Runs: the entries of some neighbouring units by hash, cut into buckets, and the list of runs.
//!
//! A bucket's pages are values of sled, at most [`PAGE_ENTRIES`] entries each, far below the sizes that sled keeps in
//! files of their own. Each begins with a crc32c over its key and what follows, and says how many pages its bucket has.

use crate::{Entry, RUN_UNITS_MAX, UNIT_PLACES};
use std::ops::Range;

/// Entries of a page: sixteen pages to a leaf of sled stay below 64 KiB.
const PAGE_ENTRIES: usize = 512;
/// A bucket has about so many entries, if keys differ.
const BUCKET_ENTRIES: usize = 128;
/// Four of hash, three of place.
const ENTRY_BYTES: usize = 7;
/// Checksum and count of pages.
const HEAD_BYTES: usize = 8;

/// An entry as it is kept: the key's hash, and the place, counted from the first of its run.
pub(crate) type Hashed = (u32, u32);

const fn multiply_mix(value: u64) -> u64 {
    let mixed = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// The hash of a key. It is part of the format.
pub(crate) fn hash(key: u128) -> u32 {
    let [low, high] = [key & u128::from(u64::MAX), key >> 64].map(|half| u64::try_from(half).unwrap_or(0));
    let mixed = multiply_mix(multiply_mix(low.wrapping_add(0x9e37_79b9_7f4a_7c15)) ^ high);
    u32::try_from(mixed >> 32).unwrap_or(0)
}

/// A run: the units from `first` to `last`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Run {
    pub(crate) first: u32,
    pub(crate) last: u32,
    /// Two to this power are its buckets; `None` where it has no entry.
    pub(crate) bits: Option<u8>,
    /// SHA-256 over the names of its units.
    pub(crate) source: [u8; 32],
}

impl Run {
    pub(crate) fn units(&self) -> u32 {
        self.last - self.first + 1
    }

    /// The place of an entry, counted over all units.
    pub(crate) fn place(&self, offset: u32) -> u64 {
        u64::from(self.first) * u64::from(UNIT_PLACES) + u64::from(offset)
    }

    /// Its places.
    pub(crate) fn places(&self) -> Range<u64> {
        self.place(0)..u64::from(self.last + 1) * u64::from(UNIT_PLACES)
    }

    /// The bucket of a hash.
    pub(crate) fn bucket_of(&self, hash: u32) -> Option<u32> {
        self.bits.map(|bits| hash.checked_shr(32 - u32::from(bits)).unwrap_or(0))
    }

    /// How many buckets it has.
    pub(crate) fn buckets(&self) -> u32 {
        self.bits.map_or(0, |bits| 1 << bits)
    }
}

/// The bits for so many entries.
pub(crate) fn bits_for(entries: usize) -> Option<u8> {
    let buckets = entries.div_ceil(BUCKET_ENTRIES);
    (entries > 0).then(|| u8::try_from(buckets.next_power_of_two().trailing_zeros()).unwrap_or(16).min(16))
}

/// The hashed entries of a unit that is `unit_offset` units behind the first of its run.
pub(crate) fn hashed(entries: &[Entry], unit_offset: u32) -> impl Iterator<Item = Hashed> + '_ {
    entries.iter().map(move |(key, place)| (hash(*key), unit_offset * UNIT_PLACES + place))
}

/// The key of a page of a run's bucket. Pages sort by run, bucket and number.
pub(crate) fn page_key(run: &Run, bucket: u32, page: u32) -> [u8; 17] {
    let mut key = [1; 17];
    for (place, part) in key[1..].chunks_exact_mut(4).zip([run.first, run.last, bucket, page]) {
        place.copy_from_slice(&part.to_be_bytes());
    }
    key
}

fn sum(key: &[u8], body: &[u8]) -> [u8; 4] {
    crc32c::crc32c_append(crc32c::crc32c(key), body).to_le_bytes()
}

/// A page's value.
fn page_value(key: &[u8], pages: u32, entries: &[Hashed]) -> Vec<u8> {
    let mut value = vec![0; 4];
    value.extend_from_slice(&pages.to_le_bytes());
    for (hash, offset) in entries {
        value.extend_from_slice(&hash.to_le_bytes());
        value.extend_from_slice(&offset.to_le_bytes()[..3]);
    }
    let sum = sum(key, &value[4..]);
    value[..4].copy_from_slice(&sum);
    value
}

/// The pages of a bucket, with their keys; at least one. `entries` are sorted.
pub(crate) fn pages<'a>(
    run: &'a Run,
    bucket: u32,
    entries: &'a [Hashed],
) -> impl Iterator<Item = ([u8; 17], Vec<u8>)> + 'a {
    let count = u32::try_from(entries.len().div_ceil(PAGE_ENTRIES).max(1)).unwrap_or(u32::MAX);
    (0..count).zip((0usize..).step_by(PAGE_ENTRIES)).map(move |(page, begin)| {
        let key = page_key(run, bucket, page);
        let part = &entries[begin..entries.len().min(begin + PAGE_ENTRIES)];
        let value = page_value(&key, count, part);
        (key, value)
    })
}

/// How many pages a page's bucket has, and the page's entries; `None` where it does not hold.
pub(crate) fn read_page<'a>(
    key: &[u8],
    value: &'a [u8],
) -> Option<(u32, impl Iterator<Item = Hashed> + use<'a>)> {
    let (stated, body) = value.split_first_chunk::<4>()?;
    if *stated != sum(key, body) || value.len() < HEAD_BYTES {
        return None;
    }
    let (count, entries) = body.split_first_chunk::<4>()?;
    let entries = entries.chunks_exact(ENTRY_BYTES).map(|entry| {
        let byte = |at: usize| entry.get(at).copied().unwrap_or(0);
        let hash = u32::from_le_bytes([byte(0), byte(1), byte(2), byte(3)]);
        (hash, u32::from_le_bytes([byte(4), byte(5), byte(6), 0]))
    });
    Some((u32::from_le_bytes(*count), entries))
}

/// The key of the list of runs.
pub(crate) const LIST_KEY: [u8; 1] = [0];
const LIST_VERSION: u8 = 1;
const LINE_BYTES: usize = 41;
/// In place of the bits, where a run has no entry.
const EMPTY: u8 = u8::MAX;

/// The list of runs as a value.
pub(crate) fn list_value(runs: &[Run]) -> Vec<u8> {
    let mut value = vec![0; 4];
    value.push(LIST_VERSION);
    for run in runs {
        value.extend_from_slice(&run.first.to_le_bytes());
        value.extend_from_slice(&run.last.to_le_bytes());
        value.push(run.bits.unwrap_or(EMPTY));
        value.extend_from_slice(&run.source);
    }
    let sum = sum(&LIST_KEY, &value[4..]);
    value[..4].copy_from_slice(&sum);
    value
}

/// The list of runs, if the value holds and they lie in a row from the first unit on.
pub(crate) fn read_list(value: &[u8]) -> Option<Vec<Run>> {
    let (stated, body) = value.split_first_chunk::<4>()?;
    let (version, lines) = body.split_first()?;
    if *stated != sum(&LIST_KEY, body) || *version != LIST_VERSION || lines.len() % LINE_BYTES != 0 {
        return None;
    }
    let mut runs: Vec<Run> = Vec::new();
    for line in lines.chunks_exact(LINE_BYTES) {
        let word = |at: usize| line.get(at..)?.first_chunk::<4>().map(|word| u32::from_le_bytes(*word));
        let bits = Some(line[8]).filter(|bits| *bits != EMPTY);
        let source = *line.get(9..)?.first_chunk::<32>()?;
        let run = Run { first: word(0)?, last: word(4)?, bits, source };
        let expected = runs.last().map_or(0, |before| before.last + 1);
        let is_sound = run.first == expected
            && run.last >= run.first
            && run.units() <= RUN_UNITS_MAX
            && bits.is_none_or(|bits| bits <= 16);
        if !is_sound {
            return None;
        }
        runs.push(run);
    }
    Some(runs)
}

/// The neighbouring runs that are to become one: eight of one size, not yet of the largest.
pub(crate) fn due(runs: &[Run]) -> Option<Range<usize>> {
    const FAN_IN: usize = 8;
    let last = runs.last()?;
    let of_its_size = runs.iter().rev().take_while(|run| run.units() == last.units()).count();
    let merges = of_its_size >= FAN_IN && last.units() < RUN_UNITS_MAX;
    merges.then(|| runs.len() - FAN_IN..runs.len())
}
