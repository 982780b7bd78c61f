//! The disk as the storage sees it: a handful of calls, so that tests and the simulator can stand in for it.
//!
//! Every path is relative to the ledger's directory. Calls block; threads belong to the caller. A sync error is
//! final: whoever gets one stops (the kernel may have dropped the very pages that it could not write).
//!
//! [`RealDisk`] is the operating system's; [`MemoryDisk`] is a deterministic one that can crash, tear, fill up and
//! rot on demand. Both keep the same contract, tested by one suite.

mod blocks;
#[cfg(test)]
mod contract;
mod memory;
mod real;

pub use blocks::{BLOCK_BYTES, Blocks};
pub use memory::{Call, Effect, MemoryDisk, Trouble};
pub use real::{OpenFault, RealDisk};

use std::io;
use std::path::Path;
use std::sync::Arc;

/// A directory tree of files.
pub trait Disk: Send + Sync {
    /// Opens a file for reading and writing; `NotFound` where there is none.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>>;
    /// Creates an empty file; `AlreadyExists` where there is one.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>>;
    /// Creates a directory and its parents; done already is done.
    fn create_dir(&self, path: &Path) -> io::Result<()>;
    /// The names in a directory, sorted.
    fn list(&self, directory: &Path) -> io::Result<Vec<String>>;
    /// Puts `from` in the place of `to`, at once or not at all.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes creations, renames and removals in a directory durable.
    fn sync_dir(&self, directory: &Path) -> io::Result<()>;
}

/// An open file, read and written at offsets; shared between threads.
pub trait File: Send + Sync {
    /// Reads exactly `buffer.len()` bytes; `UnexpectedEof` beyond the end.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
    /// Reads like [`File::read_at`], for one pass over much that is not expected in memory: a disk that can read past
    /// the page cache does so where buffer, length and offset are whole blocks.
    fn read_once_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.read_at(buffer, offset)
    }
    /// Writes all of `buffer`, extending the file where needed. Durable after [`File::sync`] only.
    fn write_at(&self, buffer: &[u8], offset: u64) -> io::Result<()>;
    /// Makes all finished writes durable.
    fn sync(&self) -> io::Result<()>;
    /// Writes all of `buffer` and makes it durable before returning: the log's one call per commit. A disk that
    /// can write past the page cache does so where buffer ([`Blocks`]), length and offset are whole blocks.
    /// Earlier writes to the same file are not necessarily durable afterwards.
    fn write_durable_at(&self, buffer: &[u8], offset: u64) -> io::Result<()> {
        self.write_at(buffer, offset)?;
        self.sync()
    }
    /// Its length in bytes.
    fn size(&self) -> io::Result<u64>;
    /// Reserves space up to `size` bytes, reading as zeros; `StorageFull` where the disk has not so much.
    fn allocate(&self, size: u64) -> io::Result<()>;
}
