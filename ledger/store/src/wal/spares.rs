//! Empty segment files in reserve: released ones for another life, and new ones written with zeros ahead of need.
//!
//! Overwriting space that was written before is several times faster than first writes to reserved space, because
//! the file system need not note each piece as written. So new files are filled by whoever has time (a thread
//! beside the log's), and the log makes one itself, reserved but unwritten, only when it finds none.

use super::{WalFault, WalOptions};
use crate::disk::{Blocks, Disk, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const PREFIX: &str = "spare-";

/// How much of a new file is written at once.
const FILL_BYTES: u64 = 1 << 20;

/// The reserve of a log, shared with it; any thread may fill it.
pub struct Spares {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    options: WalOptions,
    pool: Mutex<Pool>,
}

struct Pool {
    ready: Vec<Spare>,
    /// The number in the next spare's name.
    next: u64,
}

/// A file of the right size with nothing of worth in it.
pub(super) struct Spare {
    pub(super) name: String,
    pub(super) file: Arc<dyn File>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Space {
    Reserved,
    Written,
}

impl Spares {
    /// Takes up what an earlier run has left among `names`.
    pub(super) fn open(
        disk: &Arc<dyn Disk>,
        directory: &Path,
        options: &WalOptions,
        names: &[String],
    ) -> Result<Self, WalFault> {
        let (mut ready, mut next) = (Vec::new(), 0);
        for name in names {
            let Some(number) = name.strip_prefix(PREFIX).and_then(|number| number.parse::<u64>().ok()) else {
                continue;
            };
            next = next.max(number.saturating_add(1));
            let path = directory.join(name);
            let file = disk.open(&path).map_err(WalFault::disk(name, "opening"))?;
            let size = file.size().map_err(WalFault::disk(name, "opening"))?;
            if size == options.segment_bytes && ready.len() < options.spares_max {
                ready.push(Spare { name: name.clone(), file });
            } else {
                disk.remove(&path).map_err(WalFault::disk(name, "removing"))?;
            }
        }
        let pool = Mutex::new(Pool { ready, next });
        Ok(Self { disk: Arc::clone(disk), directory: directory.to_owned(), options: *options, pool })
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        // No one panics while holding it.
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many files are in reserve.
    pub fn count(&self) -> usize {
        self.pool().ready.len()
    }

    /// Makes new files until [`WalOptions::spares_min`] are in reserve, and says how many it made. Best called from a
    /// thread of its own after each new segment; a fault here leaves the log as it is.
    pub fn fill(&self) -> Result<usize, WalFault> {
        let mut made = 0;
        while self.count() < self.options.spares_min {
            let spare = self.make(Space::Written)?;
            self.pool().ready.push(spare);
            made += 1;
        }
        Ok(made)
    }

    /// Sees to it that there is one in reserve, its space taken and not written yet: what is on its way when the disk
    /// turns out to be full still has room then.
    ///
    /// # Errors
    /// [`WalFault::Full`] where there is no room for it; the log is as it was.
    pub fn hold_one(&self) -> Result<(), WalFault> {
        if self.count() == 0 {
            let spare = self.make(Space::Reserved)?;
            self.pool().ready.push(spare);
        }
        Ok(())
    }

    /// One file, made on the spot if there is none.
    pub(super) fn take(&self) -> Result<Spare, WalFault> {
        let ready = self.pool().ready.pop();
        match ready {
            Some(spare) => Ok(spare),
            None => self.make(Space::Reserved),
        }
    }

    /// Gives a file back that was taken and not used.
    pub(super) fn put(&self, spare: Spare) {
        self.pool().ready.push(spare);
    }

    /// Takes a released segment into the reserve, or removes it if there are enough. The caller syncs the directory.
    pub(super) fn recycle(&self, name: &str, file: Arc<dyn File>) -> Result<(), WalFault> {
        let path = self.directory.join(name);
        let right_size = file.size().is_ok_and(|size| size == self.options.segment_bytes);
        if !right_size || self.count() >= self.options.spares_max {
            return self.disk.remove(&path).map_err(WalFault::disk(name, "removing"));
        }
        let spare = Spare { name: self.new_name(), file };
        let renamed = self.disk.rename(&path, &self.directory.join(&spare.name));
        renamed.map_err(WalFault::disk(name, "renaming"))?;
        self.put(spare);
        Ok(())
    }

    fn new_name(&self) -> String {
        let mut pool = self.pool();
        let name = format!("{PREFIX}{:06}", pool.next);
        pool.next += 1;
        name
    }

    fn make(&self, space: Space) -> Result<Spare, WalFault> {
        let name = self.new_name();
        let path = self.directory.join(&name);
        let made = self.disk.create(&path).and_then(|file| {
            file.allocate(self.options.segment_bytes)?;
            if space == Space::Written {
                write_zeros(file.as_ref(), self.options.segment_bytes)?;
            }
            file.sync()?;
            Ok(file)
        });
        made.map(|file| Spare { name: name.clone(), file }).map_err(|source| {
            // Half a file is of no use; if it cannot be removed either, the next opening does it.
            let _ = self.disk.remove(&path);
            if matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
                return WalFault::Full { bytes: self.options.segment_bytes, source };
            }
            WalFault::Disk { file: name, doing: "making", source }
        })
    }
}

fn write_zeros(file: &dyn File, size: u64) -> io::Result<()> {
    let zeros = Blocks::zeroed(usize::try_from(FILL_BYTES.min(size)).unwrap_or(0));
    let mut offset = 0;
    while offset < size {
        let rest = usize::try_from(size - offset).unwrap_or(usize::MAX);
        let piece = &zeros.as_slice()[..zeros.len().min(rest)];
        file.write_durable_at(piece, offset)?;
        offset += piece.len() as u64;
    }
    Ok(())
}
