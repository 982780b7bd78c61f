//! Reading single entries back, by position, from any thread, beside the writer.

use super::frame::{HEADER_BYTES, Header, checksum_of};
use super::segment::name_of;
use super::{Entry, Found, Position, SegmentNumber, WalFault};
use crate::disk::{Blocks, File};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

/// The open segments of a log, shared between its writer and its readers.
#[derive(Clone, Default)]
pub(super) struct Segments(Arc<RwLock<BTreeMap<SegmentNumber, Arc<dyn File>>>>);

impl Segments {
    pub(super) fn insert(&self, segment: SegmentNumber, file: Arc<dyn File>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(segment, file);
    }

    fn get(&self, segment: SegmentNumber) -> Option<Arc<dyn File>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&segment).cloned()
    }

    /// Takes out the oldest segment, if it is below `before`.
    pub(super) fn pop_below(&self, before: SegmentNumber) -> Option<(SegmentNumber, Arc<dyn File>)> {
        let mut segments = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let oldest = segments.first_entry()?;
        (*oldest.key() < before).then(|| oldest.remove_entry())
    }
}

/// Reads entries of a log; clones share its files.
#[derive(Clone)]
pub struct WalReader {
    segments: Segments,
    identity: u64,
}

/// An entry with the memory that it lies in. Its body begins at an address that is a multiple of 64.
pub struct StoredEntry {
    header: Header,
    frame: Blocks,
}

impl StoredEntry {
    /// The body.
    pub fn body(&self) -> &[u8] {
        &self.frame.as_slice()[HEADER_BYTES..]
    }

    /// The entry; `None` if the position was a control's.
    pub fn entry(&self) -> Option<Entry<'_>> {
        match self.header.found(self.body())? {
            Found::Entry(entry) => Some(entry),
            Found::Control(_) => None,
        }
    }
}

impl AsRef<[u8]> for StoredEntry {
    fn as_ref(&self) -> &[u8] {
        self.body()
    }
}

impl WalReader {
    pub(super) fn new(segments: Segments, identity: u64) -> Self {
        Self { segments, identity }
    }

    /// Reads and verifies the frame at `position`, which must have been committed.
    ///
    /// # Errors
    /// [`WalFault::Released`] where the segment is gone, [`WalFault::Damaged`] where other bytes lie there.
    pub fn read(&self, position: Position) -> Result<StoredEntry, WalFault> {
        let name = name_of(position.segment);
        let released = || WalFault::Released { segment: position.segment.get() };
        let file = self.segments.get(position.segment).ok_or_else(released)?;
        let body_bytes = usize::try_from(position.length).unwrap_or(usize::MAX);
        let mut frame = Blocks::zeroed(HEADER_BYTES.saturating_add(body_bytes));
        let offset = u64::from(position.offset);
        file.read_at(frame.as_mut_slice(), offset).map_err(WalFault::disk(&name, "reading"))?;

        let header = Header::decode(frame.as_slice(), self.identity, position.segment);
        let what = match header {
            Some(header) if header.length != position.length => "another frame lies here",
            Some(header) if header.body_checksum == checksum_of(&frame.as_slice()[HEADER_BYTES..]) => {
                return Ok(StoredEntry { header, frame });
            }
            Some(_) => "the body fails its checksum",
            None => "the frame's header fails its checksum",
        };
        // The file may have been released and written again since it was looked up: that is no damage.
        match self.segments.get(position.segment) {
            Some(_) => Err(WalFault::Damaged { file: name, offset, what }),
            None => Err(released()),
        }
    }
}
