//! The checkpoint: the book's tables as pages on disk, replaced all at once, of which only changed pages are written.
//!
//! A directory holds one file of page slots (`pages`) and small manifests that say which page lies in which slot.
//! A new checkpoint (a [`Draft`]) puts the changed pages into slots that no kept generation uses, makes them durable,
//! and then swaps in a manifest that names old and new slots together. Nothing that a manifest names is ever
//! overwritten while that manifest, or a reader of it, is there.
//!
//! **Invariants**
//! - Opening gives the last checkpoint whose [`Draft::finish`] came back, or one after it; never a mixture.
//! - Two generations are kept with all their pages. Whoever releases the log only up to the older one can mend a
//!   damaged page of the newer one from this disk alone: open the older, replay.
//! - A page is verified by its checksum whenever it is read, a manifest by its own.
//! - A [`Generation`] can be read as long as someone holds it, however many checkpoints follow.
//!
//! Limits: pages of [`PAGE_BYTES`], a header of [`HEADER_BYTES_MAX`], 2^32 slots.
//!
//! Deliberately absent: what the pages mean (the header and the tables belong to whoever writes them), giving space of
//! the slot file back to the file system, and threads: a draft is written by whoever has it, beside the book.
//!
//! Tested in `checkpoint/tests`: a model, every disk call failing or stopping the machine, flipped bits, arbitrary
//! bytes as a manifest.

mod draft;
mod fault;
mod generation;
mod manifest;
#[cfg(test)]
mod tests;

pub use draft::Draft;
pub use fault::CheckpointFault;
pub use generation::{Generation, PageVisitor, Placed};

use crate::disk::{Disk, File};
use manifest::{Manifest, name_of, number_of};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

/// The size of every page.
pub const PAGE_BYTES: usize = 65_536;

/// The largest header of a checkpoint.
pub const HEADER_BYTES_MAX: usize = 65_536;

/// The file that holds the page slots.
const PAGES_NAME: &str = "pages";

/// A manifest before it is whole.
const ASIDE_NAME: &str = "MANIFEST.new";

/// Names a page: the table it belongs to and its number there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PageId {
    /// Which table; the numbers are the book's.
    pub table: u16,
    /// Which page of it.
    pub page: u32,
}

/// The checkpoints of one book.
pub struct PageStore {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    current: Arc<Generation>,
    previous: Option<Arc<Generation>>,
    /// Generations that someone may still read.
    lent: Vec<Weak<Generation>>,
    /// The highest generation that ever had a manifest here.
    last_number: u64,
    poison: Option<String>,
}

impl PageStore {
    /// Opens the newest checkpoint in `directory`; without one the store is empty, at generation zero.
    ///
    /// # Errors
    /// See [`CheckpointFault`]. If the newest manifest is damaged, [`Self::open_generation`] may open the one before.
    pub fn open(disk: Arc<dyn Disk>, directory: &Path) -> Result<Self, CheckpointFault> {
        let numbers = Self::prepare(&disk, directory)?;
        let newest = numbers.last().copied();
        Self::open_at(disk, directory, &numbers, newest)
    }

    /// Opens an older checkpoint in the place of the newest; the next one written follows both.
    ///
    /// # Errors
    /// As [`Self::open`]; [`CheckpointFault::Missing`] if there is no such generation.
    pub fn open_generation(
        disk: Arc<dyn Disk>,
        directory: &Path,
        number: u64,
    ) -> Result<Self, CheckpointFault> {
        let numbers = Self::prepare(&disk, directory)?;
        if !numbers.contains(&number) {
            return Err(CheckpointFault::Missing { file: name_of(number) });
        }
        Self::open_at(disk, directory, &numbers, Some(number))
    }

    /// The generations whose manifests are there, oldest first, without opening any.
    ///
    /// # Errors
    /// [`CheckpointFault::Disk`].
    pub fn generations(disk: &dyn Disk, directory: &Path) -> Result<Vec<u64>, CheckpointFault> {
        let place = directory.display().to_string();
        let names = disk.list(directory).map_err(CheckpointFault::disk(&place, "listing"))?;
        Ok(names.iter().filter_map(|name| number_of(name)).collect())
    }

    fn prepare(disk: &Arc<dyn Disk>, directory: &Path) -> Result<Vec<u64>, CheckpointFault> {
        let place = directory.display().to_string();
        disk.create_dir(directory).map_err(CheckpointFault::disk(&place, "creating"))?;
        let parent = directory.parent().unwrap_or(Path::new(""));
        disk.sync_dir(parent).map_err(CheckpointFault::disk(&place, "creating"))?;
        Self::generations(disk.as_ref(), directory)
    }

    fn open_at(
        disk: Arc<dyn Disk>,
        directory: &Path,
        numbers: &[u64],
        number: Option<u64>,
    ) -> Result<Self, CheckpointFault> {
        let pages = Self::open_pages(disk.as_ref(), directory, number.is_some())?;
        let load = |number: u64| -> Result<Arc<Generation>, CheckpointFault> {
            let manifest = Manifest::read(disk.as_ref(), directory, number)?;
            Ok(Arc::new(Generation::open(manifest, Arc::clone(&pages))?))
        };
        let current = match number {
            Some(number) => load(number)?,
            None => Arc::new(Generation::empty(Arc::clone(&pages))),
        };
        // A damaged older generation is worth nothing, and no reason to refuse the newer, sound one.
        let older = numbers.iter().copied().rfind(|older| *older < current.number());
        let previous = older.and_then(|older| load(older).ok());
        let last_number = numbers.last().copied().unwrap_or(0);
        let (directory, lent) = (directory.to_owned(), Vec::new());
        Ok(Self { disk, directory, current, previous, lent, last_number, poison: None })
    }

    fn open_pages(
        disk: &dyn Disk,
        directory: &Path,
        must_exist: bool,
    ) -> Result<Arc<dyn File>, CheckpointFault> {
        let path = directory.join(PAGES_NAME);
        let opened = match disk.open(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && must_exist => {
                return Err(CheckpointFault::Missing { file: PAGES_NAME.to_owned() });
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => disk.create(&path),
            opened => opened,
        };
        opened.map_err(CheckpointFault::disk(PAGES_NAME, "opening"))
    }

    /// The checkpoint that was opened or written last, to be read by any thread for as long as it likes.
    pub fn current(&mut self) -> Arc<Generation> {
        self.lent.retain(|lent| lent.strong_count() > 0);
        self.lent.push(Arc::downgrade(&self.current));
        Arc::clone(&self.current)
    }

    /// The number of the current checkpoint; zero if there is none yet.
    pub fn generation(&self) -> u64 {
        self.current.number()
    }

    /// The number of the checkpoint before, if it is kept.
    pub fn previous_generation(&self) -> Option<u64> {
        self.previous.as_ref().map(|previous| previous.number())
    }

    /// The header of the current checkpoint; empty if there is none yet.
    pub fn header(&self) -> &[u8] {
        self.current.header()
    }

    /// The header of the checkpoint before, if it is kept.
    pub fn previous_header(&self) -> Option<&[u8]> {
        self.previous.as_ref().map(|previous| previous.header())
    }

    /// Shows every page of the current checkpoint, as [`Generation::load`].
    ///
    /// # Errors
    /// As [`Generation::load`].
    pub fn load(&self, visit: &mut PageVisitor<'_>) -> Result<(), CheckpointFault> {
        self.current.load(visit)
    }

    /// Begins the next checkpoint: all pages of the current one, until they are put anew or removed.
    ///
    /// # Errors
    /// [`CheckpointFault::Poisoned`] after a failed write or sync.
    pub fn draft(&mut self) -> Result<Draft<'_>, CheckpointFault> {
        if let Some(because) = &self.poison {
            return Err(CheckpointFault::Poisoned { because: because.clone() });
        }
        Draft::begin(self)
    }

    /// Writes the next checkpoint in one go: the pages given, all others as they were.
    ///
    /// # Errors
    /// As [`Draft::put`] and [`Draft::finish`].
    pub fn write_checkpoint<'p>(
        &mut self,
        pages: impl IntoIterator<Item = (PageId, &'p [u8])>,
        header: &[u8],
    ) -> Result<u64, CheckpointFault> {
        let mut draft = self.draft()?;
        for (id, page) in pages {
            draft.put(id, page)?;
        }
        draft.finish(header)
    }

    /// Which slots must not be written: those of both kept generations and of all that someone still reads.
    fn slots_in_use(&self) -> Vec<bool> {
        let mut used = Vec::new();
        let lent: Vec<_> = self.lent.iter().filter_map(Weak::upgrade).collect();
        for generation in lent.iter().chain(&self.previous).chain([&self.current]) {
            for (_, placed) in generation.pages() {
                let slot = usize::try_from(placed.slot).unwrap_or(usize::MAX);
                if used.len() <= slot {
                    used.resize(slot + 1, false);
                }
                used[slot] = true;
            }
        }
        used
    }

    /// Remembers a fault after which nothing more is written; a full disk is none.
    fn guard<T>(&mut self, done: Result<T, CheckpointFault>) -> Result<T, CheckpointFault> {
        match &done {
            Ok(_) | Err(CheckpointFault::Full { .. } | CheckpointFault::TooLarge { .. }) => {}
            Err(fault) => self.poison = Some(fault.to_string()),
        }
        done
    }
}
