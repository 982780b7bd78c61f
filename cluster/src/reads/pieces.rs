//! Pieces of a shard's image and of its segments, for a member that mends its own.

use super::Desk;
use crate::fault::ServeFault;
use bytes::{BufMut, Bytes, BytesMut};
use fen_api::wire;
use fen_raft::Image;

/// The longest piece.
pub(crate) const PIECE_BYTES_MAX: usize = 2 << 20;

/// What begins the answer to an image's piece: the place of the log up to which it goes, as term and index, and its size.
pub(crate) const IMAGE_HEAD_BYTES: usize = 24;
/// What begins the answer to a segment's piece: its hash and its size.
pub(crate) const SEGMENT_HEAD_BYTES: usize = 40;

fn gone(what: &str) -> ServeFault {
    ServeFault::Unavailable(what.to_owned())
}

/// What there is at an offset, and how much of it goes into one piece.
fn piece_at(offset: u64, size: u64) -> Result<usize, ServeFault> {
    let rest = size.checked_sub(offset).ok_or_else(|| gone("a piece behind the end"))?;
    Ok(usize::try_from(rest).map_or(PIECE_BYTES_MAX, |rest| rest.min(PIECE_BYTES_MAX)))
}

impl Desk<'_> {
    /// A piece of the image that was lent last; the first piece lends it anew. One that is too old is made anew first.
    pub(super) async fn image_piece(&self, asked: wire::ImagePieceRequest) -> Result<Bytes, ServeFault> {
        let image = if asked.offset == 0 {
            let image = self.teller.group().peek(fen_raft::Machine::image).await?;
            let image = image.map_err(|error| ServeFault::Unavailable(error.to_string()))?;
            let reaches = |image: &Image| image.mark.place.is_some_and(|place| place.index >= asked.at_least);
            let Some(image) = image.filter(reaches) else {
                self.teller.group().make_image().await?;
                return Err(gone("the image is being made"));
            };
            self.teller.lend(image.clone());
            image
        } else {
            self.teller.lent().ok_or_else(|| gone("no image is lent"))?
        };
        let place = image.mark.place.unwrap_or_default();
        if asked.offset > 0 && (place.term, place.index) != (asked.term, asked.index) {
            return Err(gone("another image is lent by now"));
        }
        let (content, offset) = (image.content, asked.offset);
        let size = content.size();
        let bytes = piece_at(offset, size)?;
        let read = move || {
            let mut answer = BytesMut::with_capacity(IMAGE_HEAD_BYTES + bytes);
            answer.put_u64_le(place.term);
            answer.put_u64_le(place.index);
            answer.put_u64_le(size);
            answer.resize(IMAGE_HEAD_BYTES + bytes, 0);
            content.read(offset, &mut answer[IMAGE_HEAD_BYTES..]).map(|()| answer.freeze())
        };
        let read = self.teller.crew().aside(read).await.flatten();
        read.map_err(|error| ServeFault::Unavailable(error.to_string()))
    }

    /// A piece of a segment, whose bytes are its hash's.
    pub(super) async fn segment_piece(&self, asked: wire::SegmentPieceRequest) -> Result<Bytes, ServeFault> {
        let journal = self.look(|machine| machine.shard().journal().clone()).await?;
        let read = move || journal.read_segment(asked.number);
        let read = self.teller.crew().aside(read).await;
        let (hash, segment) = read
            .map_err(|error| ServeFault::Unavailable(error.to_string()))?
            .map_err(|fault| ServeFault::Unavailable(fault.to_string()))?;
        let size = segment.len() as u64;
        let bytes = piece_at(asked.offset, size)?;
        let start = usize::try_from(asked.offset).map_err(|_| gone("a piece behind the end"))?;
        let mut answer = BytesMut::with_capacity(SEGMENT_HEAD_BYTES + bytes);
        answer.put_slice(hash.bytes());
        answer.put_u64_le(size);
        answer.put_slice(&segment[start..start + bytes]);
        Ok(answer.freeze())
    }
}
