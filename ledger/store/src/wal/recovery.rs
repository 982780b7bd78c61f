//! Reading a segment from its first batch to its end, showing each frame, in bounded memory.
//!
//! All segments but the last must be whole up to where their successor says they ended. The last one ends at the
//! first place where no frame of the right life and batch lies; whether that is the end, a torn tail or damage is
//! told by what comes after (see [`Walk::check_tail`]).

use super::frame::{FRAME_BYTES_MAX, HEADER_BYTES, Header, When, checksum_of};
use super::segment::{FIRST_BATCH, Opening, name_of};
use super::{Found, Position, SegmentNumber, WalFault};
use crate::disk::{BLOCK_BYTES, Blocks, File};

/// How much is read at once.
const CHUNK_BYTES: usize = 4 << 20;

const _: () =
    assert!(CHUNK_BYTES >= FRAME_BYTES_MAX + BLOCK_BYTES, "any frame fits a chunk, wherever it begins");

/// What opening a log has found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Recovery {
    /// The oldest segment read.
    pub first: SegmentNumber,
    /// The segment that is written now.
    pub last: SegmentNumber,
    /// How many frames were shown.
    pub frames: u64,
    /// How many bytes of body they had.
    pub bytes: u64,
    /// Where a commit that was never answered had been torn and was cut off, if one was.
    pub torn: Option<Position>,
    /// Whether there was no log before.
    pub created: bool,
}

/// Whoever wants to see the frames; a refusal stops the opening.
pub(super) type Visit<'a> = dyn FnMut(Position, Found<'_>) -> Result<(), String> + 'a;

/// A window on a file, moved along it in large reads.
struct Window<'a> {
    file: &'a dyn File,
    name: &'a str,
    size: u64,
    chunk: Blocks,
    start: u64,
    filled: usize,
}

impl<'a> Window<'a> {
    fn open(file: &'a dyn File, name: &'a str) -> Result<Self, WalFault> {
        let size = file.size().map_err(WalFault::disk(name, "reading"))?;
        let chunk_bytes = usize::try_from(size).unwrap_or(usize::MAX).min(CHUNK_BYTES);
        Ok(Self { file, name, size, chunk: Blocks::zeroed(chunk_bytes), start: 0, filled: 0 })
    }

    /// The bytes there, or `None` beyond the file's end. Their address is as aligned as `offset`, up to a block.
    fn view(&mut self, offset: u64, length: usize) -> Result<Option<&[u8]>, WalFault> {
        let Some(end) = offset.checked_add(length as u64).filter(|end| *end <= self.size) else {
            return Ok(None);
        };
        if offset < self.start || end > self.start + self.filled as u64 {
            self.move_to(offset - offset % BLOCK_BYTES as u64)?;
        }
        let at = usize::try_from(offset - self.start).unwrap_or(usize::MAX);
        Ok(Some(&self.chunk.as_slice()[at..at + length]))
    }
}

impl Window<'_> {
    /// Reads what follows from `start` on; what is there already is kept.
    fn move_to(&mut self, start: u64) -> Result<(), WalFault> {
        let chunk = self.chunk.as_mut_slice();
        let over = start.checked_sub(self.start).and_then(|over| usize::try_from(over).ok());
        let kept = match over {
            Some(over) if over < self.filled => {
                chunk.copy_within(over..self.filled, 0);
                self.filled - over
            }
            Some(_) | None => 0,
        };
        let rest = usize::try_from(self.size - start).unwrap_or(usize::MAX);
        (self.start, self.filled) = (start, rest.min(chunk.len()));
        let read = self.file.read_once_at(&mut chunk[kept..self.filled], start + kept as u64);
        read.map_err(WalFault::disk(self.name, "reading"))
    }
}

/// A way through one segment.
pub(super) struct Walk<'a> {
    window: Window<'a>,
    identity: u64,
    opening: Opening,
    /// Where the next frame should be.
    pub(super) offset: u64,
    /// The life and batch of the last frame; at first the batch before the segment's first.
    pub(super) when: When,
    /// Whether the last frame's batch goes on.
    pub(super) inside: bool,
    /// Where the last frame's batch begins.
    pub(super) batch_began: u64,
    frames: u64,
    bytes: u64,
}

/// What lies at a place.
enum Lies {
    Frame(Header),
    Nothing(&'static str),
}

impl<'a> Walk<'a> {
    pub(super) fn open(
        file: &'a dyn File,
        name: &'a str,
        opening: Opening,
        identity: u64,
    ) -> Result<Self, WalFault> {
        let window = Window::open(file, name)?;
        let when = When { life: opening.when.life, batch: opening.when.batch - 1 };
        Ok(Self {
            window,
            identity,
            opening,
            offset: FIRST_BATCH,
            when,
            inside: false,
            batch_began: FIRST_BATCH,
            frames: 0,
            bytes: 0,
        })
    }

    /// Adds what was shown to a report.
    pub(super) fn count(&self, recovery: &mut Recovery) {
        recovery.frames += self.frames;
        recovery.bytes += self.bytes;
    }

    fn damaged(&self, offset: u64, what: &'static str) -> WalFault {
        WalFault::Damaged { file: name_of(self.opening.segment), offset, what }
    }

    /// Shows all frames up to `end`, where the next segment says that this one ended.
    pub(super) fn run_to(&mut self, end: u64, visit: &mut Visit<'_>) -> Result<(), WalFault> {
        while self.offset < end {
            match self.next()? {
                Lies::Frame(header) => self.show(&header, visit)?,
                Lies::Nothing(what) => return Err(self.damaged(self.offset, what)),
            }
        }
        if self.offset > end {
            return Err(self.damaged(end, "a frame crosses the segment's end"));
        }
        Ok(())
    }

    /// Shows all frames there are, and says where a torn tail was, if there is one.
    pub(super) fn run_to_tail(&mut self, visit: &mut Visit<'_>) -> Result<Option<Position>, WalFault> {
        loop {
            match self.next()? {
                Lies::Frame(header) => self.show(&header, visit)?,
                Lies::Nothing(_) => return self.check_tail(),
            }
        }
    }

    /// The batch of the next frame, if there is one.
    fn expected(&self) -> When {
        When { life: self.when.life, batch: self.when.batch + u64::from(!self.inside) }
    }

    /// Reads and checks the frame at the present offset.
    fn next(&mut self) -> Result<Lies, WalFault> {
        let (offset, expected, identity) = (self.offset, self.expected(), self.identity);
        let segment = self.opening.segment;
        if offset > self.opening.bytes {
            return Ok(Lies::Nothing("a frame lies beyond the segment's size"));
        }
        let head = self.window.view(offset, HEADER_BYTES)?.unwrap_or(&[]);
        let Some(header) = Header::decode(head, identity, segment) else {
            return Ok(Lies::Nothing("no valid frame header where a frame must be"));
        };
        let when = header.when();
        let new_life = header.is_start() && !self.inside && when.life > expected.life;
        if when.batch != expected.batch || (when.life != expected.life && !new_life) {
            return Ok(Lies::Nothing("a frame of another time lies where the next one must be"));
        }
        let Some(frame) = self.window.view(offset, header.frame_bytes())? else {
            return Ok(Lies::Nothing("a frame goes beyond the file's end"));
        };
        let body = &frame[HEADER_BYTES..HEADER_BYTES + header.body_bytes()];
        if checksum_of(body) != header.body_checksum {
            return Ok(Lies::Nothing("a frame's body fails its checksum"));
        }
        Ok(Lies::Frame(header))
    }

    /// Shows the frame at the present offset, which [`Self::next`] has found good, and steps over it.
    fn show(&mut self, header: &Header, visit: &mut Visit<'_>) -> Result<(), WalFault> {
        let offset = self.offset;
        if !self.inside {
            self.batch_began = offset;
        }
        self.offset += header.frame_bytes() as u64;
        self.when = header.when();
        self.inside = !header.is_last();
        if !self.inside {
            self.offset = self.offset.next_multiple_of(BLOCK_BYTES as u64);
        }
        let frame = self.window.view(offset, header.frame_bytes())?.unwrap_or(&[]);
        let body = frame.get(HEADER_BYTES..HEADER_BYTES + header.body_bytes()).unwrap_or(&[]);
        let Some(found) = header.found(body) else { return Ok(()) };
        self.frames += 1;
        self.bytes += u64::from(header.length);
        visit(header.position(offset), found).map_err(|reason| WalFault::Refused {
            file: name_of(self.opening.segment),
            offset,
            reason,
        })
    }

    /// Looks at what lies behind the last good frame. A frame of a *later* batch proves that the missing one was
    /// durable, so something was lost; frames of the missing batch itself, or none at all, are what a power cut in
    /// the middle of a commit may leave.
    fn check_tail(&mut self) -> Result<Option<Position>, WalFault> {
        let expected = self.expected();
        let mut torn = self.inside;
        let mut offset = self.offset;
        loop {
            let (identity, segment) = (self.identity, self.opening.segment);
            let Some(head) = self.window.view(offset, HEADER_BYTES)? else { break };
            if let Some(header) = Header::decode(head, identity, segment) {
                if header.when() > expected {
                    return Err(self.damaged(
                        self.offset,
                        "no valid frame here, though one that was written later follows",
                    ));
                }
                torn |= header.when() == expected;
            }
            offset += HEADER_BYTES as u64;
        }
        let at = u32::try_from(self.offset).unwrap_or(u32::MAX);
        Ok(torn.then_some(Position { segment: self.opening.segment, offset: at, length: 0 }))
    }
}
