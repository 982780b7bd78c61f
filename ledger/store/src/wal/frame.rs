//! Frames: 64 bytes of header, then the body, padded with zeros to a multiple of 64.

use super::{BODY_BYTES_MAX, Control, Entry, Found, GroupId, LogIndex, Position, SegmentNumber};
use fen_book::Stamp;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The size of a frame's header, and what frames are aligned to.
pub(super) const HEADER_BYTES: usize = 64;

/// The largest frame.
pub(super) const FRAME_BYTES_MAX: usize = frame_bytes(BODY_BYTES_MAX);

/// The bytes that a frame with such a body takes.
pub(super) const fn frame_bytes(body: usize) -> usize {
    HEADER_BYTES + body.next_multiple_of(HEADER_BYTES)
}

/// What the log checks bodies with (CRC-32C, Castagnoli).
pub fn checksum_of(body: &[u8]) -> u32 {
    crc32c::crc32c(body)
}

/// What a frame is. The numbers are on disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(super) enum Class {
    Entry = 1,
    Keep = 2,
    Truncate = 3,
    Purge = 4,
    Forget = 5,
    /// The first frame of a life, where it goes on in the segment of the life before.
    Start = 6,
    /// Nothing but the proof that the batch before was complete.
    Settled = 7,
}

impl Class {
    fn of(number: u8) -> Option<Self> {
        const ALL: [Class; 7] = [
            Class::Entry,
            Class::Keep,
            Class::Truncate,
            Class::Purge,
            Class::Forget,
            Class::Start,
            Class::Settled,
        ];
        let class = ALL.get(usize::from(number).checked_sub(1)?)?;
        Some(*class)
    }

    const fn number(self) -> u8 {
        self as u8
    }
}

/// A frame's header, as it lies on disk, little-endian.
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct Header {
    /// Over the log's identity and all that follows here.
    checksum: u32,
    pub(super) body_checksum: u32,
    pub(super) segment: u64,
    pub(super) batch: u64,
    index: u64,
    term: u64,
    stamp: u64,
    group: u32,
    pub(super) length: u32,
    pub(super) life: u32,
    kind: u16,
    class: u8,
    /// 1 on a batch's last frame, else 0.
    last: u8,
}

const _: () = assert!(size_of::<Header>() == HEADER_BYTES);

/// When a frame was written: the life of the log and the batch, in this order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct When {
    pub(super) life: u32,
    pub(super) batch: u64,
}

impl Header {
    fn blank(class: Class) -> Self {
        Self {
            checksum: 0,
            body_checksum: 0,
            segment: 0,
            batch: 0,
            index: 0,
            term: 0,
            stamp: 0,
            group: 0,
            length: 0,
            life: 0,
            kind: 0,
            class: class.number(),
            last: 0,
        }
    }

    /// A mark without a body: [`Class::Start`] or [`Class::Settled`].
    pub(super) fn mark(class: Class) -> Self {
        Self::blank(class)
    }

    pub(super) fn entry(entry: &Entry<'_>) -> Self {
        Self {
            index: entry.index.get(),
            term: entry.term,
            stamp: entry.stamp.get(),
            group: entry.group.get(),
            kind: entry.kind,
            ..Self::blank(Class::Entry)
        }
    }

    pub(super) fn control(control: &Control<'_>) -> Self {
        match *control {
            Control::Keep { group, name, body: _ } => {
                Self { group: group.get(), kind: name, ..Self::blank(Class::Keep) }
            }
            Control::Truncate { group, from } => {
                Self { group: group.get(), index: from.get(), ..Self::blank(Class::Truncate) }
            }
            Control::Purge { group, up_to, term } => {
                Self { group: group.get(), index: up_to.get(), term, ..Self::blank(Class::Purge) }
            }
            Control::Forget { group } => Self { group: group.get(), ..Self::blank(Class::Forget) },
        }
    }

    /// Fills in the place and the body's length and checksum. [`Self::seal`] comes after.
    pub(super) fn place(&mut self, segment: SegmentNumber, when: When, body: &[u8]) {
        assert!(body.len() <= BODY_BYTES_MAX, "a body has passed its limit's check");
        self.length = u32::try_from(body.len()).unwrap_or(u32::MAX);
        self.body_checksum = checksum_of(body);
        self.segment = segment.get();
        self.life = when.life;
        self.batch = when.batch;
    }

    pub(super) fn mark_last(&mut self) {
        self.last = 1;
    }

    pub(super) fn is_last(&self) -> bool {
        self.last == 1
    }

    pub(super) fn when(&self) -> When {
        When { life: self.life, batch: self.batch }
    }

    pub(super) fn is_start(&self) -> bool {
        self.class == Class::Start.number()
    }

    /// Computes the checksum, for a log of this identity.
    pub(super) fn seal(&mut self, identity: u64) {
        self.checksum = self.expected_checksum(identity);
    }

    fn expected_checksum(&self, identity: u64) -> u32 {
        crc32c::crc32c_append(crc32c::crc32c(&identity.to_le_bytes()), &self.as_bytes()[size_of::<u32>()..])
    }

    /// The header at the beginning of `bytes`, if it is one of this log and segment and keeps all limits. The body is not
    /// looked at.
    pub(super) fn decode(bytes: &[u8], identity: u64, segment: SegmentNumber) -> Option<Self> {
        let (header, _) = Self::read_from_prefix(bytes).ok()?;
        // The segment first: it tells nearly all that is not a frame, at no cost.
        let sound = header.segment == segment.get()
            && header.checksum == header.expected_checksum(identity)
            && header.last <= 1
            && usize::try_from(header.length).is_ok_and(|length| length <= BODY_BYTES_MAX);
        (sound && Class::of(header.class).is_some()).then_some(header)
    }

    /// The body's length.
    pub(super) fn body_bytes(&self) -> usize {
        usize::try_from(self.length).unwrap_or(usize::MAX)
    }

    /// The frame's length.
    pub(super) fn frame_bytes(&self) -> usize {
        frame_bytes(self.body_bytes())
    }

    /// Where this frame lies, if it begins at `offset`.
    pub(super) fn position(&self, offset: u64) -> Position {
        Position {
            segment: SegmentNumber::new(self.segment),
            offset: u32::try_from(offset).unwrap_or(u32::MAX),
            length: self.length,
        }
    }

    /// What the frame says to others than the log itself; `None` for its own marks.
    pub(super) fn found<'a>(&self, body: &'a [u8]) -> Option<Found<'a>> {
        let group = GroupId::new(self.group);
        let index = LogIndex::new(self.index);
        let control = match Class::of(self.class)? {
            Class::Entry => {
                let (term, kind, stamp) = (self.term, self.kind, Stamp::new(self.stamp));
                return Some(Found::Entry(Entry { group, index, term, kind, stamp, body }));
            }
            Class::Keep => Control::Keep { group, name: self.kind, body },
            Class::Truncate => Control::Truncate { group, from: index },
            Class::Purge => Control::Purge { group, up_to: index, term: self.term },
            Class::Forget => Control::Forget { group },
            Class::Start | Class::Settled => return None,
        };
        Some(Found::Control(control))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const IDENTITY: u64 = 7;
    const SEGMENT: SegmentNumber = SegmentNumber::new(3);

    fn sealed(entry: &Entry<'_>) -> Header {
        let mut header = Header::entry(entry);
        header.place(SEGMENT, When { life: 2, batch: 9 }, entry.body);
        header.seal(IDENTITY);
        header
    }

    #[test]
    fn class_numbers_are_for_ever() {
        for number in 0..=u8::MAX {
            assert_eq!(Class::of(number).map(Class::number), (1..=7).contains(&number).then_some(number));
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_are_no_header(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(Header::decode(&bytes, IDENTITY, SEGMENT), None);
        }

        #[test]
        fn a_header_comes_back_and_no_flipped_bit_passes(
            group: u32, index: u64, term: u64, kind: u16, stamp: u64,
            body in proptest::collection::vec(any::<u8>(), 0..300),
            bit in 0..HEADER_BYTES * 8,
        ) {
            let (group, index, stamp) = (GroupId::new(group), LogIndex::new(index), Stamp::new(stamp));
            let entry = Entry { group, index, term, kind, stamp, body: &body };
            let header = sealed(&entry);
            let mut bytes = header.as_bytes().to_vec();
            let decoded = Header::decode(&bytes, IDENTITY, SEGMENT).unwrap();
            prop_assert_eq!(decoded.found(&body), Some(Found::Entry(entry)));
            prop_assert_eq!(decoded.body_checksum, checksum_of(&body));

            prop_assert_eq!(Header::decode(&bytes, IDENTITY + 1, SEGMENT), None);
            prop_assert_eq!(Header::decode(&bytes, IDENTITY, SEGMENT.next()), None);
            prop_assert_eq!(Header::decode(&bytes[..HEADER_BYTES - 1], IDENTITY, SEGMENT), None);
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(Header::decode(&bytes, IDENTITY, SEGMENT), None);
        }

        /// Whatever a well-formed checksum covers, the limits hold.
        #[test]
        fn a_valid_checksum_does_not_excuse_wild_fields(fields in proptest::collection::vec(any::<u8>(), HEADER_BYTES)) {
            let mut header = Header::read_from_bytes(&fields).unwrap();
            header.segment = SEGMENT.get();
            header.seal(IDENTITY);
            if let Some(header) = Header::decode(header.as_bytes(), IDENTITY, SEGMENT) {
                prop_assert!(header.frame_bytes() <= FRAME_BYTES_MAX);
            }
        }
    }
}
