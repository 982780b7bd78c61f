//! Writing a checkpoint: changed pages into free slots, then the manifest that names them.
//!
//! A full disk is no end: the call that met it may be made again when there is room, and the draft is still whole. That
//! matters to whoever tracks which pages have changed: pages handed to a draft need not be asked for twice.

use super::manifest::{Manifest, name_of, number_of};
use super::{
    CheckpointFault, Generation, HEADER_BYTES_MAX, PAGE_BYTES, PAGES_NAME, PageId, PageStore, Placed,
};
use crate::disk::Blocks;
use std::sync::Arc;

/// How many pages are written at once where their slots lie side by side.
const RUN_PAGES: usize = 16;

/// By how many slots the file grows.
const GROWTH_SLOTS: u64 = 64;

/// A checkpoint being written, beside the one that stands. Dropped before [`Draft::finish`] succeeds it leaves nothing.
pub struct Draft<'s> {
    store: &'s mut PageStore,
    manifest: Manifest,
    used: Vec<bool>,
    /// Below it all slots are taken.
    lowest: usize,
    /// How many slots the file has room for.
    slots: u64,
    run: Run,
    written: u64,
    finished: bool,
}

/// Pages that lie side by side, to be written together.
struct Run {
    blocks: Blocks,
    first: u32,
    pages: usize,
}

impl<'s> Draft<'s> {
    pub(super) fn begin(store: &'s mut PageStore) -> Result<Self, CheckpointFault> {
        let size = store.current.file().size().map_err(CheckpointFault::disk(PAGES_NAME, "reading"))?;
        let (used, manifest) = (store.slots_in_use(), store.current.manifest().clone());
        let run = Run { blocks: Blocks::zeroed(RUN_PAGES * PAGE_BYTES), first: 0, pages: 0 };
        Ok(Self {
            store,
            manifest,
            used,
            lowest: 0,
            slots: size / PAGE_BYTES as u64,
            run,
            written: 0,
            finished: false,
        })
    }

    /// Puts a page, new or in the place of what the checkpoint before had. Pages of consecutive calls are written in
    /// pieces of up to 1 MiB, each durable at once, so that the disk is never asked to sync much at a time.
    ///
    /// # Errors
    /// After [`CheckpointFault::Full`] the same page may be put again; any other fault stops all checkpoints.
    ///
    /// # Panics
    /// If `page` has not [`PAGE_BYTES`] bytes, or the draft is finished.
    pub fn put(&mut self, id: PageId, page: &[u8]) -> Result<(), CheckpointFault> {
        assert!(page.len() == PAGE_BYTES, "a page has {PAGE_BYTES} bytes");
        assert!(!self.finished, "a finished draft takes no more pages");
        let slot = self.take_slot()?;
        let follows =
            u32::try_from(self.run.pages).is_ok_and(|pages| self.run.first.checked_add(pages) == Some(slot));
        if self.run.pages == RUN_PAGES || !follows {
            if let Err(fault) = self.write_run() {
                self.give_back(slot);
                return Err(fault);
            }
            self.run.first = slot;
        }
        let start = self.run.pages * PAGE_BYTES;
        self.run.blocks.as_mut_slice()[start..start + PAGE_BYTES].copy_from_slice(page);
        self.run.pages += 1;
        self.written += 1;
        self.manifest.pages.insert(id, Placed::of(page, slot));
        Ok(())
    }

    /// Leaves a page out from now on.
    pub fn remove(&mut self, id: PageId) {
        self.manifest.pages.remove(&id);
    }

    /// How many pages were put.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Makes this the current checkpoint, durably, and gives its number. The one before is kept; the slots of the
    /// one before that are free.
    ///
    /// # Errors
    /// As [`Self::put`]; [`CheckpointFault::TooLarge`] for a header beyond the limit.
    ///
    /// # Panics
    /// If the draft is finished.
    pub fn finish(&mut self, header: &[u8]) -> Result<u64, CheckpointFault> {
        if header.len() > HEADER_BYTES_MAX {
            return Err(CheckpointFault::TooLarge { bytes: header.len(), limit: HEADER_BYTES_MAX });
        }
        assert!(!self.finished, "a draft is finished once");
        self.write_run()?;
        let pages = Arc::clone(self.store.current.file());
        let number = self.store.last_number + 1;
        self.manifest.generation = number;
        header.clone_into(&mut self.manifest.header);

        let store = &mut *self.store;
        let synced = pages.sync().map_err(CheckpointFault::uncertain(PAGES_NAME, "syncing"));
        store.guard(synced)?;
        let written = self.manifest.write(store.disk.as_ref(), &store.directory);
        store.guard(written)?;
        self.finished = true;
        let manifest = core::mem::take(&mut self.manifest);
        let before = core::mem::replace(&mut store.current, Arc::new(Generation::new(manifest, pages)));
        store.previous = (before.number() > 0).then_some(before);
        store.last_number = number;
        let removed = store.remove_old_manifests();
        store.guard(removed)?;
        Ok(number)
    }

    /// A slot that nothing kept lies in, the lowest.
    fn take_slot(&mut self) -> Result<u32, CheckpointFault> {
        let taken = self.used[self.lowest.min(self.used.len())..].iter().take_while(|used| **used).count();
        let slot = self.lowest + taken;
        if slot as u64 >= self.slots {
            let slots = (slot as u64 + 1).next_multiple_of(GROWTH_SLOTS);
            let grown = self.store.current.file().allocate(slots * PAGE_BYTES as u64);
            let grown = grown.map_err(CheckpointFault::disk(PAGES_NAME, "growing"));
            self.store.guard(grown)?;
            self.slots = slots;
        }
        if self.used.len() <= slot {
            self.used.resize(slot + 1, false);
        }
        self.used[slot] = true;
        self.lowest = slot + 1;
        let source = std::io::ErrorKind::FileTooLarge;
        u32::try_from(slot).map_err(|_| CheckpointFault::disk(PAGES_NAME, "growing")(source.into()))
    }

    /// Takes back what [`Self::take_slot`] gave last.
    fn give_back(&mut self, slot: u32) {
        self.lowest = usize::try_from(slot).unwrap_or(usize::MAX);
        self.used[self.lowest] = false;
    }

    fn write_run(&mut self) -> Result<(), CheckpointFault> {
        if self.run.pages == 0 {
            return Ok(());
        }
        let bytes = &self.run.blocks.as_slice()[..self.run.pages * PAGE_BYTES];
        let offset = u64::from(self.run.first) * PAGE_BYTES as u64;
        let written = self.store.current.file().write_durable_at(bytes, offset);
        self.store.guard(written.map_err(CheckpointFault::disk(PAGES_NAME, "writing")))?;
        self.run.pages = 0;
        Ok(())
    }
}

impl PageStore {
    /// Removes the manifests of all but the two kept generations. It need not be durable: what comes back after a
    /// power cut is older than both and removed again.
    fn remove_old_manifests(&self) -> Result<(), CheckpointFault> {
        let place = self.directory.display().to_string();
        let names = self.disk.list(&self.directory).map_err(CheckpointFault::disk(&place, "listing"))?;
        let kept = [Some(self.current.number()), self.previous_generation()];
        for number in names.iter().filter_map(|name| number_of(name)) {
            if !kept.contains(&Some(number)) {
                let name = name_of(number);
                let removed = self.disk.remove(&self.directory.join(&name));
                removed.map_err(CheckpointFault::disk(&name, "removing"))?;
            }
        }
        Ok(())
    }
}
