//! One file of a [`MemoryDisk`](super::MemoryDisk): what was written, and what a crash would leave of it.

use std::collections::BTreeMap;
use std::io;

/// What a device writes whole.
const SECTOR_BYTES: usize = 512;

/// Numbers from a seed, the same on every machine (`SplitMix64`).
pub(super) struct Seeded(u64);

impl Seeded {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn coin(&mut self) -> bool {
        self.next() & 1 == 1
    }
}

/// A sector that was written since it was last durable.
struct Volatile {
    before: [u8; SECTOR_BYTES],
    /// A sync of it has failed: the next sync does not write it.
    given_up: bool,
}

#[derive(Default)]
pub(super) struct Content {
    written: Vec<u8>,
    volatile: BTreeMap<usize, Volatile>,
    durable_size: usize,
}

impl Content {
    pub(super) fn size(&self) -> u64 {
        self.written.len() as u64
    }

    pub(super) fn read(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let start = usize::try_from(offset).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        let end = start.checked_add(buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        let bytes = self.written.get(start..end).ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(bytes);
        Ok(())
    }

    pub(super) fn extend(&mut self, size: u64) -> io::Result<()> {
        let size = usize::try_from(size).map_err(|_| io::ErrorKind::FileTooLarge)?;
        if size > self.written.len() {
            self.written.resize(size, 0);
        }
        Ok(())
    }

    pub(super) fn write(&mut self, buffer: &[u8], offset: u64) -> io::Result<()> {
        self.extend(offset + buffer.len() as u64)?;
        for (start, piece) in sectors(buffer, offset)? {
            self.write_sector(start, piece);
        }
        Ok(())
    }

    /// Writes some of the sectors, as the seed says.
    pub(super) fn write_torn(&mut self, buffer: &[u8], offset: u64, seeded: &mut Seeded) -> io::Result<()> {
        for (start, piece) in sectors(buffer, offset)? {
            if seeded.coin() {
                self.extend((start + piece.len()) as u64)?;
                self.write_sector(start, piece);
            }
        }
        Ok(())
    }

    fn write_sector(&mut self, start: usize, piece: &[u8]) {
        let sector = start / SECTOR_BYTES;
        let first = sector * SECTOR_BYTES;
        let last = self.written.len().min(first + SECTOR_BYTES);
        let mut before = [0; SECTOR_BYTES];
        before[..last - first].copy_from_slice(&self.written[first..last]);
        let volatile = self.volatile.entry(sector).or_insert(Volatile { before, given_up: false });
        volatile.given_up = false;
        self.written[start..start + piece.len()].copy_from_slice(piece);
    }

    pub(super) fn sync(&mut self) {
        self.volatile.retain(|_, volatile| volatile.given_up);
        self.durable_size = self.written.len();
    }

    pub(super) fn fail_sync(&mut self) {
        for volatile in self.volatile.values_mut() {
            volatile.given_up = true;
        }
    }

    pub(super) fn crash(&mut self, seeded: &mut Seeded) {
        for (sector, volatile) in core::mem::take(&mut self.volatile) {
            if seeded.coin() {
                continue;
            }
            let first = sector * SECTOR_BYTES;
            let last = self.written.len().min(first + SECTOR_BYTES);
            self.written[first..last].copy_from_slice(&volatile.before[..last - first]);
        }
        let grown = self.written.len() - self.durable_size;
        if grown > 0 {
            let kept = match seeded.below(3) {
                0 => 0,
                1 => grown,
                _ => usize::try_from(seeded.below(grown as u64)).unwrap_or(0),
            };
            self.written.truncate(self.durable_size + kept);
        }
        self.durable_size = self.written.len();
    }

    pub(super) fn flip(&mut self, offset: u64, bit: u8) -> bool {
        let byte = usize::try_from(offset).ok().and_then(|offset| self.written.get_mut(offset));
        match byte {
            Some(byte) => {
                *byte ^= 1 << (bit % 8);
                true
            }
            None => false,
        }
    }
}

/// The pieces of a write that fall into one sector each, with their offsets.
fn sectors(buffer: &[u8], offset: u64) -> io::Result<Vec<(usize, &[u8])>> {
    let mut start = usize::try_from(offset).map_err(|_| io::ErrorKind::FileTooLarge)?;
    let mut rest = buffer;
    let mut pieces = Vec::with_capacity(buffer.len() / SECTOR_BYTES + 2);
    while !rest.is_empty() {
        let room = SECTOR_BYTES - start % SECTOR_BYTES;
        let (piece, after) = rest.split_at(room.min(rest.len()));
        pieces.push((start, piece));
        start += piece.len();
        rest = after;
    }
    Ok(pieces)
}
