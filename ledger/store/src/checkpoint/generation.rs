//! One checkpoint, to be read.

use super::manifest::Manifest;
use super::{CheckpointFault, PAGE_BYTES, PAGES_NAME, PageId};
use crate::disk::{Blocks, File};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// How many pages are read at once where they lie side by side.
const RUN_PAGES: usize = 16;

/// Whoever pages are shown to; what it refuses stops the showing.
pub type PageVisitor<'v> = dyn FnMut(PageId, &[u8]) -> Result<(), String> + 'v;

/// Where a page lies, and what it must be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Placed {
    /// Which slot.
    pub slot: u32,
    /// CRC-32C of the page, verified at every reading.
    pub checksum: u32,
    /// The first half of the page's SHA-256: pages of one hash are one page, on whichever node.
    pub hash: [u8; 16],
}

impl Placed {
    /// What a page will be known by, once it lies in `slot`.
    pub(super) fn of(page: &[u8], slot: u32) -> Self {
        let digest = Sha256::digest(page);
        let mut hash = [0; 16];
        hash.copy_from_slice(&digest[..16]);
        Self { slot, checksum: crc32c::crc32c(page), hash }
    }

    /// Where it begins in the file.
    pub(super) fn offset(&self) -> u64 {
        u64::from(self.slot) * PAGE_BYTES as u64
    }
}

/// A finished checkpoint; its pages stay as they are as long as it is held.
pub struct Generation {
    manifest: Manifest,
    pages: Arc<dyn File>,
}

impl Generation {
    pub(super) fn empty(pages: Arc<dyn File>) -> Self {
        Self { manifest: Manifest::default(), pages }
    }

    pub(super) fn new(manifest: Manifest, pages: Arc<dyn File>) -> Self {
        Self { manifest, pages }
    }

    /// Checks that every slot lies in the file.
    pub(super) fn open(manifest: Manifest, pages: Arc<dyn File>) -> Result<Self, CheckpointFault> {
        let size = pages.size().map_err(CheckpointFault::disk(PAGES_NAME, "reading"))?;
        for (id, placed) in &manifest.pages {
            if placed.offset() + PAGE_BYTES as u64 > size {
                return Err(damaged(*id, placed));
            }
        }
        Ok(Self { manifest, pages })
    }

    /// Its number: checkpoints count from one.
    pub fn number(&self) -> u64 {
        self.manifest.generation
    }

    /// What whoever wrote it wanted remembered.
    pub fn header(&self) -> &[u8] {
        &self.manifest.header
    }

    /// All pages, in the order of their ids.
    pub fn pages(&self) -> impl ExactSizeIterator<Item = (PageId, &Placed)> {
        self.manifest.pages.iter().map(|(id, placed)| (*id, placed))
    }

    /// The manifest's pages, to begin the next one from.
    pub(super) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    pub(super) fn file(&self) -> &Arc<dyn File> {
        &self.pages
    }

    /// Reads one page; false if there is no such page.
    ///
    /// # Errors
    /// [`CheckpointFault::DamagedPage`], or what the disk says.
    ///
    /// # Panics
    /// If `page` has not [`PAGE_BYTES`] bytes.
    pub fn read(&self, id: PageId, page: &mut [u8]) -> Result<bool, CheckpointFault> {
        assert!(page.len() == PAGE_BYTES, "a page has {PAGE_BYTES} bytes");
        let Some(placed) = self.manifest.pages.get(&id) else { return Ok(false) };
        let reading = self.pages.read_at(page, placed.offset());
        reading.map_err(CheckpointFault::disk(PAGES_NAME, "reading"))?;
        verify(id, placed, page)?;
        Ok(true)
    }

    /// Shows every page, verified, in the order of their ids. Pages lie at addresses that are multiples of 4,096.
    ///
    /// # Errors
    /// The first page that is damaged, or that `visit` refuses.
    pub fn load(&self, visit: &mut PageVisitor<'_>) -> Result<(), CheckpointFault> {
        let mut buffer = Blocks::zeroed(RUN_PAGES * PAGE_BYTES);
        let mut rest = self.pages().peekable();
        let mut run: Vec<(PageId, &Placed)> = Vec::with_capacity(RUN_PAGES);
        while let Some((id, placed)) = rest.next() {
            run.clear();
            run.push((id, placed));
            while run.len() < RUN_PAGES
                && let Some((_, next)) = rest.peek()
                && run.last().is_some_and(|(_, last)| last.slot.checked_add(1) == Some(next.slot))
            {
                run.extend(rest.next());
            }
            let bytes = &mut buffer.as_mut_slice()[..run.len() * PAGE_BYTES];
            let reading = self.pages.read_once_at(bytes, placed.offset());
            reading.map_err(CheckpointFault::disk(PAGES_NAME, "reading"))?;
            for ((id, placed), page) in run.iter().zip(bytes.chunks_exact(PAGE_BYTES)) {
                verify(*id, placed, page)?;
                let PageId { table, page: number } = *id;
                visit(*id, page).map_err(|reason| CheckpointFault::Refused {
                    table,
                    page: number,
                    reason,
                })?;
            }
        }
        Ok(())
    }
}

fn damaged(id: PageId, placed: &Placed) -> CheckpointFault {
    let PageId { table, page } = id;
    CheckpointFault::DamagedPage { table, page, file: PAGES_NAME.to_owned(), offset: placed.offset() }
}

fn verify(id: PageId, placed: &Placed, page: &[u8]) -> Result<(), CheckpointFault> {
    if crc32c::crc32c(page) == placed.checksum { Ok(()) } else { Err(damaged(id, placed)) }
}
