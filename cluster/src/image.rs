//! A shard's books as one run of bytes, for a follower that needs them whole.
//!
//! ```text
//! "FENSHRD1", header length u32, segments u32, pages u32, 4 zeros, header
//! for each segment: hash 32 bytes, number u32, 4 zeros, size u64
//! for each page: table u16, 2 zeros, page u32
//! the pages, 64 KiB each; the segments, as their files are
//! ```
//!
//! It is never put together in memory: pages are read from the checkpoint's generation, which stays readable as long
//! as somebody holds it, and segments from their files, which never change.

use crate::vault::Vault;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use fen_raft::ImageContent;
use fen_store::checkpoint::{CheckpointFault, Generation, PAGE_BYTES, PageId};
use fen_store::disk::File;
use fen_store::journal::Journal;
use fen_store::segment::{SegmentHash, file_name};
use std::io;
use std::sync::Arc;

const MAGIC: &[u8; 8] = b"FENSHRD1";
const HEAD_BYTES: usize = 24;
const SEGMENT_BYTES: usize = 48;
const PAGE_ID_BYTES: usize = 8;
/// What a head may announce: 2^20 segments are 68 thousand million records, 2^26 pages four TiB.
const SEGMENTS_MAX: usize = 1 << 20;
const PAGES_MAX: usize = 1 << 26;
const COPY_BYTES: usize = 1 << 20;

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("image of a shard: {what}"))
}

/// See the module.
pub struct ShardImage {
    prefix: Bytes,
    generation: Arc<Generation>,
    pages: Vec<PageId>,
    segments: Vec<(Arc<dyn File>, u64)>,
}

impl ShardImage {
    /// The image of a checkpoint, with the segments that it stands on.
    pub fn new(
        vault: &Vault,
        generation: Arc<Generation>,
        journal: &Journal,
        chunks: u32,
    ) -> io::Result<Self> {
        let pages: Vec<PageId> = generation.pages().map(|(id, _)| id).collect();
        let mut hashes = journal.segment_hashes();
        hashes.retain(|(number, _)| *number < chunks);
        let length = |count: usize| u32::try_from(count).map_err(|_| broken("too large"));
        let mut prefix = BytesMut::new();
        prefix.put_slice(MAGIC);
        prefix.put_u32_le(length(generation.header().len())?);
        prefix.put_u32_le(length(hashes.len())?);
        prefix.put_u32_le(length(pages.len())?);
        prefix.put_u32_le(0);
        prefix.put_slice(generation.header());
        let mut segments = Vec::new();
        for (number, hash) in &hashes {
            let segment = journal.segment(*number).map_err(io::Error::other)?;
            prefix.put_slice(hash.bytes());
            prefix.put_u32_le(*number);
            prefix.put_u32_le(0);
            prefix.put_u64_le(segment.size());
            segments.push((vault.disk().open(segment.path())?, segment.size()));
        }
        for id in &pages {
            prefix.put_u16_le(id.table);
            prefix.put_u16_le(0);
            prefix.put_u32_le(id.page);
        }
        Ok(Self { prefix: prefix.freeze(), generation, pages, segments })
    }

    /// Copies into `buffer` what lies at `offset`, up to the end of a piece; says how much.
    fn read_some(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let place = |offset: u64| usize::try_from(offset).map_err(io::Error::other);
        let prefix = self.prefix.len() as u64;
        if offset < prefix {
            let rest = &self.prefix[place(offset)?..];
            let bytes = rest.len().min(buffer.len());
            buffer[..bytes].copy_from_slice(&rest[..bytes]);
            return Ok(bytes);
        }
        let page_bytes = PAGE_BYTES as u64;
        let mut offset = offset - prefix;
        if offset < self.pages.len() as u64 * page_bytes {
            let mut page = vec![0; PAGE_BYTES];
            let id = self.pages[place(offset / page_bytes)?];
            if !self.generation.read(id, &mut page).map_err(io::Error::other)? {
                return Err(broken("a page is gone"));
            }
            let rest = &page[place(offset % page_bytes)?..];
            let bytes = rest.len().min(buffer.len());
            buffer[..bytes].copy_from_slice(&rest[..bytes]);
            return Ok(bytes);
        }
        offset -= self.pages.len() as u64 * page_bytes;
        for (file, size) in &self.segments {
            if offset < *size {
                let bytes =
                    usize::try_from(size - offset).map_or(buffer.len(), |rest| rest.min(buffer.len()));
                file.read_at(&mut buffer[..bytes], offset)?;
                return Ok(bytes);
            }
            offset -= size;
        }
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

impl ImageContent for ShardImage {
    fn size(&self) -> u64 {
        let segments: u64 = self.segments.iter().map(|(_, size)| size).sum();
        self.prefix.len() as u64 + (self.pages.len() * PAGE_BYTES) as u64 + segments
    }

    fn read(&self, mut offset: u64, mut buffer: &mut [u8]) -> io::Result<()> {
        while !buffer.is_empty() {
            let bytes = self.read_some(offset, buffer)?;
            offset += bytes as u64;
            buffer = &mut buffer[bytes..];
        }
        Ok(())
    }
}

/// Whether the disk had no room: nothing is broken.
pub(crate) fn is_full(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// A full disk stays one.
fn of_checkpoint(fault: CheckpointFault) -> io::Error {
    if let CheckpointFault::Full { source, .. } = fault {
        return source;
    }
    io::Error::other(fault)
}

/// Reads an image from its beginning to its end.
struct Source<'a> {
    content: &'a dyn ImageContent,
    offset: u64,
}

impl Source<'_> {
    fn take(&mut self, bytes: usize) -> io::Result<Bytes> {
        let mut piece = BytesMut::zeroed(bytes);
        self.content.read(self.offset, &mut piece)?;
        self.offset += bytes as u64;
        Ok(piece.freeze())
    }
}

/// Writes an image into a vault that holds nothing, durably. Every page and every segment is checked. Segments that are
/// sound in the vault `before` are taken from there.
pub fn unpack(content: &dyn ImageContent, into: &Vault, before: Option<&Vault>) -> io::Result<()> {
    let mut source = Source { content, offset: 0 };
    let mut head = source.take(HEAD_BYTES)?;
    if &head.split_to(MAGIC.len())[..] != MAGIC {
        return Err(broken("not of this release"));
    }
    let mut count = |limit: usize| {
        let count = usize::try_from(head.get_u32_le()).unwrap_or(usize::MAX);
        if count > limit { Err(broken("a count above its limit")) } else { Ok(count) }
    };
    let (header, segments, pages) = (count(PAGE_BYTES)?, count(SEGMENTS_MAX)?, count(PAGES_MAX)?);
    let header = source.take(header)?;
    let mut named = Vec::with_capacity(segments);
    for _segment in 0..segments {
        let mut entry = source.take(SEGMENT_BYTES)?;
        let mut hash = [0; 32];
        entry.copy_to_slice(&mut hash);
        let number = entry.get_u32_le();
        entry.advance(4);
        named.push((SegmentHash::new(hash), number, entry.get_u64_le()));
    }
    let mut ids = source.take(pages * PAGE_ID_BYTES)?;
    let mut store = into.store()?;
    let mut draft = store.draft().map_err(of_checkpoint)?;
    for _page in 0..pages {
        let table = ids.get_u16_le();
        ids.advance(2);
        let id = PageId { table, page: ids.get_u32_le() };
        draft.put(id, &source.take(PAGE_BYTES)?).map_err(of_checkpoint)?;
    }
    for (hash, number, size) in &named {
        let name = file_name(*number, hash);
        if before.is_some_and(|before| take_along(before, into, &name, hash, *size)) {
            source.offset += size;
        } else {
            unpack_segment(&mut source, into, &name, *size)?;
        }
    }
    into.disk().sync_dir(&into.journal_folder())?;
    // Opening makes the index; a segment whose bytes are not those of its name is found here, before it counts.
    let journal = into.journal()?;
    for (_, number, _) in &named {
        journal.verify_segment(*number).map_err(io::Error::other)?;
    }
    draft.finish(&header).map_err(of_checkpoint)?;
    Ok(())
}

/// Copies a segment from the vault before, if it has it and it holds.
fn take_along(before: &Vault, into: &Vault, name: &str, hash: &SegmentHash, size: u64) -> bool {
    let copy = || -> io::Result<bool> {
        let file = before.disk().open(&before.journal_folder().join(name))?;
        let bytes = usize::try_from(size).ok().filter(|_| file.size().is_ok_and(|own| own == size));
        let Some(bytes) = bytes else { return Ok(false) };
        let mut segment = vec![0; bytes];
        file.read_at(&mut segment, 0)?;
        if SegmentHash::of(&segment) != *hash {
            return Ok(false);
        }
        let file = into.disk().create(&into.journal_folder().join(name))?;
        file.write_at(&segment, 0)?;
        file.sync()?;
        Ok(true)
    };
    if let Ok(is_there) = copy() {
        return is_there;
    }
    // Half a copy is in the way of what comes instead; where there is none, nothing is to be removed.
    let _none = into.disk().remove(&into.journal_folder().join(name));
    false
}

fn unpack_segment(source: &mut Source<'_>, into: &Vault, name: &str, size: u64) -> io::Result<()> {
    let file = into.disk().create(&into.journal_folder().join(name))?;
    let mut offset = 0;
    while offset < size {
        let bytes = usize::try_from(size - offset).map_or(COPY_BYTES, |rest| rest.min(COPY_BYTES));
        file.write_at(&source.take(bytes)?, offset)?;
        offset += bytes as u64;
    }
    file.sync()
}
