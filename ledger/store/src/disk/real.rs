//! The operating system's disk: one directory, held exclusively.
//!
//! **Invariants.** While a [`RealDisk`] lives no other process opens the same directory (an advisory `flock`, so it
//! goes with the process, however that ends). Writes that must be durable bypass the page cache where the file
//! system allows it (`O_DIRECT` with `O_DSYNC`); where it refuses (tmpfs, some overlays) they are ordinary writes
//! followed by `fdatasync`, as durable and slower.

use super::blocks::is_whole_blocks;
use super::{Disk, File};
use rustix::fs::{FallocateFlags, FlockOperation, Mode, OFlags};
use std::fs;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use thiserror::Error;

/// The file whose lock says that a directory is in use; holds the process id of its holder, for people.
const LOCK_NAME: &str = "LOCK";

/// Why a directory could not be opened.
#[derive(Debug, Error)]
pub enum OpenFault {
    /// Another process, or another ledger in this one, holds it.
    #[error("{directory} is in use by process {holder}: stop it, or choose another directory")]
    Locked {
        /// The directory.
        directory: PathBuf,
        /// The process id that the holder has left, or "unknown".
        holder: String,
    },
    /// It may be read but not written.
    #[error(
        "{directory} cannot be written ({source}): check its owner and permissions, and how it is mounted"
    )]
    ReadOnly {
        /// The directory.
        directory: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Something else bears that name.
    #[error("{directory} is not a directory: give the path of a directory, new or existing")]
    NotADirectory {
        /// The path.
        directory: PathBuf,
    },
    /// Anything else.
    #[error("{directory} cannot be opened: {source}")]
    Other {
        /// The directory.
        directory: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl OpenFault {
    fn of(directory: &Path, source: io::Error) -> Self {
        let directory = directory.to_owned();
        let kind = source.kind();
        if matches!(kind, io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem) {
            Self::ReadOnly { directory, source }
        } else if matches!(kind, io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists) {
            Self::NotADirectory { directory }
        } else {
            Self::Other { directory, source }
        }
    }
}

/// A directory of the operating system.
#[derive(Debug)]
pub struct RealDisk {
    root: PathBuf,
    /// Dropping it gives the directory free.
    _lock: fs::File,
}

impl RealDisk {
    /// Opens a directory, creating it where there is none, and holds it against others until dropped.
    ///
    /// # Errors
    /// See [`OpenFault`]: in use, not writable, not a directory, or what the system says.
    pub fn open(directory: &Path) -> Result<Self, OpenFault> {
        let fault = |source| OpenFault::of(directory, source);
        fs::create_dir_all(directory).map_err(fault)?;
        let mut lock = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(directory.join(LOCK_NAME))
            .map_err(fault)?;
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let holder = fs::read_to_string(directory.join(LOCK_NAME)).unwrap_or_default();
                let holder = match holder.trim() {
                    "" => "unknown".to_owned(),
                    id => id.to_owned(),
                };
                return Err(OpenFault::Locked { directory: directory.to_owned(), holder });
            }
            Err(errno) => return Err(fault(errno.into())),
        }
        lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id())).map_err(fault)?;
        let root = directory.canonicalize().map_err(fault)?;
        Ok(Self { root, _lock: lock })
    }

    /// The process that has opened a directory last, whether it still holds it or not; for who waits for others' work.
    pub fn last_holder(directory: &Path) -> Option<u32> {
        fs::read_to_string(directory.join(LOCK_NAME)).ok()?.trim().parse().ok()
    }

    /// The directory, as an absolute path.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn resolve(&self, path: &Path) -> PathBuf {
        assert!(path.is_relative(), "a disk's paths are relative to its directory");
        self.root.join(path)
    }
}

impl Disk for RealDisk {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let file = fs::OpenOptions::new().read(true).write(true).open(self.resolve(path))?;
        Ok(Arc::new(RealFile::new(file)))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let file = fs::OpenOptions::new().read(true).write(true).create_new(true).open(self.resolve(path))?;
        Ok(Arc::new(RealFile::new(file)))
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(self.resolve(path))
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for item in fs::read_dir(self.resolve(directory))? {
            let name = item?.file_name();
            names.push(name.into_string().map_err(|name| {
                io::Error::new(io::ErrorKind::InvalidData, format!("{} is not UTF-8", name.display()))
            })?);
        }
        names.sort_unstable();
        Ok(names)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(self.resolve(from), self.resolve(to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(self.resolve(path))
    }

    fn sync_dir(&self, directory: &Path) -> io::Result<()> {
        fs::File::open(self.resolve(directory))?.sync_all()
    }
}

struct RealFile {
    file: fs::File,
    /// The same file once more, past the page cache; opened at first need, `None` where refused.
    direct: OnceLock<Option<fs::File>>,
    /// Some file systems open for direct access and then refuse it.
    direct_refused: AtomicBool,
}

impl RealFile {
    fn new(file: fs::File) -> Self {
        Self { file, direct: OnceLock::new(), direct_refused: AtomicBool::new(false) }
    }

    /// The way past the page cache for `buffer` at `offset`, where there is one.
    fn direct(&self, buffer: &[u8], offset: u64) -> Option<&fs::File> {
        if !is_whole_blocks(buffer, offset) || self.direct_refused.load(Ordering::Relaxed) {
            return None;
        }
        // By descriptor, not by name: the file may have been renamed since it was opened.
        let open = || {
            let path = format!("/proc/self/fd/{}", self.file.as_raw_fd());
            let flags = OFlags::RDWR | OFlags::DIRECT | OFlags::DSYNC | OFlags::CLOEXEC;
            rustix::fs::open(path, flags, Mode::empty()).ok().map(fs::File::from)
        };
        self.direct.get_or_init(open).as_ref()
    }
}

impl RealFile {
    /// What a direct call came to, or `None` where the file system refused it: then nothing was done, the ordinary way
    /// is as good, and is taken from now on.
    fn unless_refused(&self, done: io::Result<()>) -> Option<io::Result<()>> {
        if done.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::InvalidInput) {
            self.direct_refused.store(true, Ordering::Relaxed);
            return None;
        }
        Some(done)
    }
}

impl File for RealFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }

    fn read_once_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        if let Some(direct) = self.direct(buffer, offset)
            && let Some(done) = self.unless_refused(direct.read_exact_at(buffer, offset))
        {
            return done;
        }
        self.read_at(buffer, offset)
    }

    fn write_at(&self, buffer: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(buffer, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn write_durable_at(&self, buffer: &[u8], offset: u64) -> io::Result<()> {
        if let Some(direct) = self.direct(buffer, offset)
            && let Some(done) = self.unless_refused(direct.write_all_at(buffer, offset))
        {
            return done;
        }
        self.write_at(buffer, offset)?;
        self.sync()
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn allocate(&self, size: u64) -> io::Result<()> {
        if size == 0 {
            return Ok(());
        }
        let reserved = rustix::fs::fallocate(&self.file, FallocateFlags::empty(), 0, size);
        if reserved == Err(rustix::io::Errno::OPNOTSUPP) {
            // Without reservation at least the length is right; a full disk then shows at the write.
            return if self.size()? < size { self.file.set_len(size) } else { Ok(()) };
        }
        Ok(reserved?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_held_by_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new/books");
        let disk = RealDisk::open(&path).unwrap();
        let fault = RealDisk::open(&path).unwrap_err();
        assert!(
            matches!(&fault, OpenFault::Locked { holder, .. } if *holder == std::process::id().to_string())
        );
        assert!(fault.to_string().contains("in use by process"));
        drop(disk);
        RealDisk::open(&path).unwrap();
    }

    #[test]
    fn a_file_is_not_a_directory() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        fs::write(&path, b"x").unwrap();
        assert!(matches!(RealDisk::open(&path).unwrap_err(), OpenFault::NotADirectory { .. }));
        assert!(matches!(RealDisk::open(&path.join("below")).unwrap_err(), OpenFault::NotADirectory { .. }));
    }

    #[test]
    fn what_cannot_be_written_is_named_so() {
        for errno in [rustix::io::Errno::ROFS, rustix::io::Errno::ACCESS] {
            let fault = OpenFault::of(Path::new("books"), errno.into());
            assert!(matches!(fault, OpenFault::ReadOnly { .. }), "{fault}");
        }
    }
}
