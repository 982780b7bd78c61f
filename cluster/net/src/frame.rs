//! A frame: 32 bytes of header, then the body. Little-endian throughout.
//!
//! ```text
//! 0  magic  "FEN1"     8  group   u32     16  id          u64     28  body crc32c  u32
//! 4  kind   u16       12  length  u32     24  header crc32c over bytes 0..24, u32
//! 6  lane   u8, zero u8
//! ```

use crate::NetFault;
use bytes::{Bytes, BytesMut};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Bytes of a frame before its body.
pub const HEADER_BYTES: usize = 32;
/// How long a frame may take from its first byte to its last.
const FRAME_SECONDS_MAX: u64 = 30;
const MAGIC: [u8; 4] = *b"FEN1";
/// Parts of at least this many bytes are written from where they lie; smaller ones are gathered first.
const GATHER_BELOW_BYTES: usize = 16 * 1024;
/// What a reader reserves before the first byte of a body has come: an announced length alone costs no memory.
const RESERVE_BYTES_MAX: usize = 256 * 1024;

/// One connection, one purpose.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Lane {
    /// Votes, heartbeats, read barriers: small and urgent.
    Control = 1,
    /// The log's entries.
    Append = 2,
    /// Snapshots in pieces.
    Snapshot = 3,
    /// Clients' requests, passed on to the leader.
    Forward = 4,
}

impl Lane {
    /// Every lane.
    pub const ALL: [Self; 4] = [Self::Control, Self::Append, Self::Snapshot, Self::Forward];

    /// The longest body on this lane.
    pub const fn body_bytes_max(self) -> usize {
        match self {
            Self::Control => 1 << 20,
            Self::Append => 12 << 20,
            Self::Snapshot | Self::Forward => 4 << 20,
        }
    }

    pub(crate) fn from_wire(byte: u8) -> Result<Self, NetFault> {
        Self::ALL.into_iter().find(|lane| *lane as u8 == byte).ok_or(NetFault::Garbled("unknown lane"))
    }
}

/// What a frame is about. Numbers below 16 are this crate's own; the rest belongs to whoever uses it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Kind(pub u16);

impl Kind {
    pub(crate) const HELLO: Self = Self(1);
    pub(crate) const REFUSED: Self = Self(2);
    /// The answer to a request that cannot be served: the body is the reason, in words.
    pub const FAILED: Self = Self(3);
    /// The asker wants no more answers under this id.
    pub const END: Self = Self(4);
    /// The first number that users of this crate may take.
    pub const FIRST_FREE: u16 = 16;
}

/// A body in one or more parts, so that entries are sent from where they lie.
#[derive(Clone, Default, Debug)]
pub struct Body(Vec<Bytes>);

impl Body {
    /// No bytes.
    pub const EMPTY: Self = Self(Vec::new());

    /// Adds a part at the end.
    pub fn push(&mut self, part: Bytes) {
        if !part.is_empty() {
            self.0.push(part);
        }
    }
    /// Bytes in all parts.
    pub fn size(&self) -> usize {
        self.0.iter().map(Bytes::len).sum()
    }
    /// All parts as one; copies only if there are several.
    pub fn into_bytes(mut self) -> Bytes {
        match self.0.len() {
            0 => Bytes::new(),
            1 => self.0.swap_remove(0),
            _several => {
                let mut whole = BytesMut::with_capacity(self.size());
                self.0.iter().for_each(|part| whole.extend_from_slice(part));
                whole.freeze()
            }
        }
    }
    fn checksum(&self) -> u32 {
        self.0.iter().fold(0, |sum, part| crc32c::crc32c_append(sum, part))
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        let mut body = Self::EMPTY;
        body.push(bytes);
        body
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Self::from(Bytes::from(bytes))
    }
}

/// What travels on a lane.
#[derive(Clone, Debug)]
pub struct Frame {
    /// What it is about.
    pub kind: Kind,
    /// Which replication group it concerns; zero where none.
    pub group: u32,
    /// Ties an answer to its request; chosen by whoever asks.
    pub id: u64,
    /// The content.
    pub body: Body,
}

impl Frame {
    fn header(&self, lane: Lane, length: u32) -> [u8; HEADER_BYTES] {
        let mut header = [0; HEADER_BYTES];
        header[0..4].copy_from_slice(&MAGIC);
        header[4..6].copy_from_slice(&self.kind.0.to_le_bytes());
        header[6] = lane as u8;
        header[8..12].copy_from_slice(&self.group.to_le_bytes());
        header[12..16].copy_from_slice(&length.to_le_bytes());
        header[16..24].copy_from_slice(&self.id.to_le_bytes());
        let header_sum = crc32c::crc32c(&header[..24]);
        header[24..28].copy_from_slice(&header_sum.to_le_bytes());
        header[28..32].copy_from_slice(&self.body.checksum().to_le_bytes());
        header
    }
}

/// Gathers small frames into one write and sends large parts from where they lie.
pub(crate) struct Writer<W> {
    stream: W,
    lane: Lane,
    gathered: BytesMut,
}

impl<W: AsyncWrite + Unpin> Writer<W> {
    pub(crate) fn new(stream: W, lane: Lane) -> Self {
        Self { stream, lane, gathered: BytesMut::with_capacity(2 * GATHER_BELOW_BYTES) }
    }

    /// Queues a frame; what it holds is on its way at the latest after [`Writer::flush`].
    pub(crate) async fn write(&mut self, frame: &Frame) -> Result<(), NetFault> {
        let (bytes, limit) = (frame.body.size(), self.lane.body_bytes_max());
        let length = u32::try_from(bytes).ok().filter(|_| bytes <= limit);
        let length = length.ok_or(NetFault::TooLarge { bytes, limit })?;
        self.gathered.extend_from_slice(&frame.header(self.lane, length));
        for part in &frame.body.0 {
            if part.len() >= GATHER_BELOW_BYTES {
                self.pass_on().await?;
                self.stream.write_all(part).await?;
            } else {
                self.gathered.extend_from_slice(part);
                if self.gathered.len() >= GATHER_BELOW_BYTES {
                    self.pass_on().await?;
                }
            }
        }
        Ok(())
    }

    pub(crate) async fn flush(&mut self) -> Result<(), NetFault> {
        self.pass_on().await?;
        self.stream.flush().await?;
        Ok(())
    }

    async fn pass_on(&mut self) -> Result<(), NetFault> {
        self.stream.write_all(&self.gathered).await?;
        self.gathered.clear();
        Ok(())
    }
}

/// Reads the next frame; `None` where the stream ends between two frames. A frame that has begun must be through
/// within [`FRAME_SECONDS_MAX`].
pub(crate) async fn read<R: AsyncRead + Unpin>(
    stream: &mut R,
    lane: Lane,
) -> Result<Option<Frame>, NetFault> {
    let mut header = [0; HEADER_BYTES];
    let got = stream.read(&mut header).await?;
    if got == 0 {
        return Ok(None);
    }
    let limit = Duration::from_secs(FRAME_SECONDS_MAX);
    let rest = tokio::time::timeout(limit, read_rest(stream, lane, header, got)).await;
    rest.unwrap_or(Err(NetFault::Late { milliseconds: FRAME_SECONDS_MAX * 1_000 })).map(Some)
}

async fn read_rest<R: AsyncRead + Unpin>(
    stream: &mut R,
    lane: Lane,
    mut header: [u8; HEADER_BYTES],
    got: usize,
) -> Result<Frame, NetFault> {
    stream.read_exact(&mut header[got..]).await?;
    let word = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    if header[0..4] != MAGIC {
        return Err(NetFault::Garbled("not Fen's protocol"));
    }
    if crc32c::crc32c(&header[..24]) != word(24) {
        return Err(NetFault::Garbled("the header's checksum is wrong"));
    }
    if Lane::from_wire(header[6])? != lane {
        return Err(NetFault::Garbled("the frame belongs on another lane"));
    }
    let limit = lane.body_bytes_max();
    let bytes = usize::try_from(word(12)).unwrap_or(usize::MAX);
    if bytes > limit {
        return Err(NetFault::TooLarge { bytes, limit });
    }
    let mut body = BytesMut::with_capacity(bytes.min(RESERVE_BYTES_MAX));
    let mut rest = stream.take(u64::from(word(12)));
    while body.len() < bytes {
        body.reserve((bytes - body.len()).min(body.len().max(RESERVE_BYTES_MAX)));
        if rest.read_buf(&mut body).await? == 0 {
            return Err(NetFault::Garbled("the stream ends within a frame"));
        }
    }
    if crc32c::crc32c(&body) != word(28) {
        return Err(NetFault::Garbled("the body's checksum is wrong"));
    }
    let mut id = [0; 8];
    id.copy_from_slice(&header[16..24]);
    Ok(Frame {
        kind: Kind(u16::from_le_bytes([header[4], header[5]])),
        group: word(8),
        id: u64::from_le_bytes(id),
        body: Body::from(body.freeze()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// All frames in these bytes, up to the first that cannot be read.
    fn frames(bytes: &[u8], lane: Lane) -> (Vec<Frame>, Result<(), NetFault>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (mut stream, mut frames) = (bytes, Vec::new());
        runtime.block_on(async {
            loop {
                match read(&mut stream, lane).await {
                    Ok(Some(frame)) => frames.push(frame),
                    Ok(None) => return (frames, Ok(())),
                    Err(fault) => return (frames, Err(fault)),
                }
            }
        })
    }

    fn written(frames: &[Frame], lane: Lane) -> Vec<u8> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut bytes = Vec::new();
        runtime.block_on(async {
            let mut writer = Writer::new(&mut bytes, lane);
            for frame in frames {
                writer.write(frame).await.unwrap();
            }
            writer.flush().await.unwrap();
        });
        bytes
    }

    fn plain(frame: &Frame) -> (u16, u32, u64, Bytes) {
        (frame.kind.0, frame.group, frame.id, frame.body.clone().into_bytes())
    }

    proptest! {
        #[test]
        fn any_bytes_are_frames_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(frames(&bytes, Lane::Append).0.is_empty(), "chance makes no checksum");
        }

        #[test]
        fn what_was_changed_on_the_way_is_never_handed_on(
            bodies in prop::collection::vec((any::<u16>(), prop::collection::vec(any::<u8>(), 0..100)), 1..5),
            at in any::<prop::sample::Index>(),
            bit in 0..8_u8,
        ) {
            let sent: Vec<Frame> = bodies
                .into_iter()
                .map(|(kind, body)| Frame { kind: Kind(kind), group: 5, id: 9, body: Body::from(body) })
                .collect();
            let bytes = written(&sent, Lane::Forward);
            let (whole, end) = frames(&bytes, Lane::Forward);
            prop_assert!(end.is_ok());
            prop_assert_eq!(whole.iter().map(plain).collect::<Vec<_>>(), sent.iter().map(plain).collect::<Vec<_>>());
            let mut changed = bytes.clone();
            changed[at.index(bytes.len())] ^= 1 << bit;
            // The byte behind the lane is of no meaning, but the checksum covers it.
            let (good, end) = frames(&changed, Lane::Forward);
            prop_assert!(end.is_err() && good.len() < sent.len());
            let pairs = good.iter().zip(&sent);
            prop_assert!(pairs.into_iter().all(|(good, sent)| plain(good) == plain(sent)));
        }
    }
}
