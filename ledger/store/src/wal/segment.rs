//! Segment files: their names and the block that each begins with.

use super::frame::When;
use super::{SegmentNumber, WalFault, WalOptions};
use crate::disk::{BLOCK_BYTES, Blocks, File};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The format that this release writes, and the newest that it reads.
pub(super) const VERSION: u32 = 1;

const MAGIC: [u8; 8] = *b"FEN-WAL\n";

/// Where the first batch of a segment begins.
pub(super) const FIRST_BATCH: u64 = BLOCK_BYTES as u64;

/// The largest segment: offsets in it fit [`Position::offset`](super::Position::offset) with room to spare.
const SEGMENT_BYTES_MAX: u64 = 1 << 30;

/// The file name of a segment; their order is that of the numbers.
pub(super) fn name_of(segment: SegmentNumber) -> String {
    format!("{:020}.wal", segment.get())
}

/// The segment that bears a name, if one does.
pub(super) fn number_of(name: &str) -> Option<SegmentNumber> {
    let number = SegmentNumber::new(name.strip_suffix(".wal")?.parse().ok()?);
    (name_of(number) == name).then_some(number)
}

/// What a segment's first block says, little-endian; the rest of the block is zeros.
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Header {
    magic: [u8; 8],
    version: u32,
    /// Over all that follows.
    checksum: u32,
    identity: u64,
    segment: u64,
    bytes: u64,
    previous_end: u64,
    batch: u64,
    life: u32,
    zero: u32,
}

const CHECKSUM_FROM: usize = 16;
const _: () = assert!(size_of::<Header>() == 64);

/// What opens a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Opening {
    pub(super) segment: SegmentNumber,
    /// How far batches may reach.
    pub(super) bytes: u64,
    /// Where the valid part of the segment before ends; zero for the very first.
    pub(super) previous_end: u64,
    /// Of the first batch in this segment.
    pub(super) when: When,
}

impl Opening {
    /// The first block.
    pub(super) fn encode(&self, identity: u64) -> Blocks {
        let mut header = Header {
            magic: MAGIC,
            version: VERSION,
            checksum: 0,
            identity,
            segment: self.segment.get(),
            bytes: self.bytes,
            previous_end: self.previous_end,
            batch: self.when.batch,
            life: self.when.life,
            zero: 0,
        };
        header.checksum = crc32c::crc32c(&header.as_bytes()[CHECKSUM_FROM..]);
        let mut block = Blocks::zeroed(BLOCK_BYTES);
        block.as_mut_slice()[..size_of::<Header>()].copy_from_slice(header.as_bytes());
        block
    }

    /// Reads the opening of the file that bears `segment`'s name.
    pub(super) fn read(file: &dyn File, segment: SegmentNumber, identity: u64) -> Result<Self, WalFault> {
        let reading = |source| WalFault::disk(&name_of(segment), "reading")(source);
        let size = usize::try_from(file.size().map_err(reading)?).unwrap_or(usize::MAX);
        let mut bytes = [0; size_of::<Header>()];
        let bytes = &mut bytes[..size.min(size_of::<Header>())];
        file.read_at(bytes, 0).map_err(reading)?;
        Self::decode(bytes, segment, identity)
    }

    /// Reads the beginning of the file that bears `segment`'s name.
    pub(super) fn decode(block: &[u8], segment: SegmentNumber, identity: u64) -> Result<Self, WalFault> {
        let file = name_of(segment);
        let damaged = |what| WalFault::Damaged { file: file.clone(), offset: 0, what };
        let Ok((header, _)) = Header::read_from_prefix(block) else {
            return Err(damaged("the file is shorter than a segment's header"));
        };
        if header.magic != MAGIC {
            return Err(damaged("this is not a segment of a log"));
        }
        if header.version > VERSION {
            return Err(WalFault::Newer { file, found: header.version, known: VERSION });
        }
        if header.checksum != crc32c::crc32c(&header.as_bytes()[CHECKSUM_FROM..]) {
            return Err(damaged("the segment's header fails its checksum"));
        }
        if header.identity != identity {
            return Err(WalFault::Foreign { file, found: header.identity, expected: identity });
        }
        if header.segment != segment.get() {
            return Err(damaged("the segment's header bears another number than its name"));
        }
        if header.version == 0 || header.bytes > SEGMENT_BYTES_MAX || header.batch == 0 {
            return Err(damaged("the segment's header is out of range"));
        }
        let when = When { life: header.life, batch: header.batch };
        Ok(Self { segment, bytes: header.bytes, previous_end: header.previous_end, when })
    }
}

/// Refuses options that no log can be laid out with.
pub(super) fn check(options: &WalOptions) -> Result<(), WalFault> {
    let block = BLOCK_BYTES as u64;
    let rule = |rule| Err(WalFault::Options { rule });
    if !options.segment_bytes.is_multiple_of(block) {
        return rule("a segment is a whole number of 4,096-byte blocks");
    }
    if options.segment_bytes < 4 * block || options.segment_bytes > SEGMENT_BYTES_MAX {
        return rule("a segment has between 16 KiB and 1 GiB");
    }
    if options.staging_bytes < BLOCK_BYTES || options.staging_bytes as u64 > SEGMENT_BYTES_MAX {
        return rule("between 4 KiB and 1 GiB are staged");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPENING: Opening = Opening {
        segment: SegmentNumber::new(12),
        bytes: 1 << 20,
        previous_end: 4096,
        when: When { life: 3, batch: 77 },
    };

    #[test]
    fn names_are_in_the_order_of_numbers() {
        assert_eq!(name_of(SegmentNumber::new(12)), "00000000000000000012.wal");
        assert!(name_of(SegmentNumber::new(9)) < name_of(SegmentNumber::new(10)));
        assert_eq!(number_of("00000000000000000012.wal"), Some(SegmentNumber::new(12)));
        for other in ["12.wal", "00000000000000000012", "spare-000001", "+0000000000000000012.wal"] {
            assert_eq!(number_of(other), None, "{other}");
        }
    }

    #[test]
    fn an_opening_comes_back() {
        let block = OPENING.encode(5);
        assert_eq!(Opening::decode(block.as_slice(), OPENING.segment, 5).unwrap(), OPENING);
    }

    #[test]
    fn each_wrong_opening_is_named() {
        let block = OPENING.encode(5);
        let wrong = |change: &dyn Fn(&mut [u8]), segment, identity| {
            let mut block = block.clone();
            change(block.as_mut_slice());
            Opening::decode(block.as_slice(), SegmentNumber::new(segment), identity).unwrap_err().to_string()
        };
        assert!(wrong(&|_| (), 12, 6).contains("belongs to log 0000000000000005, not to 0000000000000006"));
        assert!(wrong(&|_| (), 13, 5).contains("another number than its name"));
        assert!(wrong(&|block| block[0] = 0, 12, 5).contains("not a segment"));
        assert!(wrong(&|block| block[8] = 9, 12, 5).contains("format version 9, this release knows up to 1"));
        for byte in 12..64 {
            let text = wrong(&|block| block[byte] ^= 4, 12, 5);
            assert!(text.contains("00000000000000000012.wal is damaged at byte 0"), "{text}");
        }
    }
}
