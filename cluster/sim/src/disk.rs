//! A node's disk in one life of the node: the memory disk underneath outlives it.
//!
//! Once the life has ended, by the town's will or in the middle of a chosen call, every call fails and changes
//! nothing: tasks of a life that is over may still run for a moment, and must not touch what the next one finds.

use crate::story::Story;
use fen_store::disk::{Disk, File, MemoryDisk};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// One life.
#[derive(Clone)]
pub struct Life {
    inner: Arc<Inner>,
}

struct Inner {
    disk: MemoryDisk,
    story: Story,
    over: AtomicBool,
    /// Calls until the power goes; below zero, it stays.
    until_power_goes: AtomicI64,
    /// Writes to books, not to the log, of which one is lost or goes astray; below zero, none.
    until_astray: AtomicI64,
    astray: Mutex<Astray>,
    calls: AtomicU64,
    ended: Notify,
    on_end: Box<dyn Fn() + Send + Sync>,
}

/// What becomes of one write that the disk reports done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Astray {
    /// It never happens.
    #[default]
    Lost,
    /// It lands one block further.
    Misdirected,
}

fn over() -> io::Error {
    io::Error::other("this life is over")
}

impl Life {
    /// Begins; `on_end` is called once, at the very call in which it ends.
    pub fn begin(disk: MemoryDisk, story: Story, on_end: impl Fn() + Send + Sync + 'static) -> Self {
        let inner = Inner {
            disk,
            story,
            over: AtomicBool::new(false),
            until_power_goes: AtomicI64::new(-1),
            until_astray: AtomicI64::new(-1),
            astray: Mutex::default(),
            calls: AtomicU64::new(0),
            ended: Notify::new(),
            on_end: Box::new(on_end),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Ends it.
    pub fn end(&self) {
        if !self.inner.over.swap(true, Ordering::SeqCst) {
            (self.inner.on_end)();
            self.inner.ended.notify_waiters();
        }
    }

    /// Whether it has ended.
    pub fn is_over(&self) -> bool {
        self.inner.over.load(Ordering::SeqCst)
    }

    /// Waits for its end.
    pub async fn ended(&self) {
        let ended = self.inner.ended.notified();
        if !self.is_over() {
            ended.await;
        }
    }

    /// The power goes in the middle of a call, after so many more.
    pub fn power_goes_after(&self, calls: u64) {
        self.inner.until_power_goes.store(i64::try_from(calls).unwrap_or(i64::MAX), Ordering::SeqCst);
    }

    /// One of the next writes to the books is reported done, and is not.
    pub fn lead_astray(&self, writes: u64, how: Astray) {
        *self.inner.astray.lock().unwrap_or_else(PoisonError::into_inner) = how;
        self.inner.until_astray.store(i64::try_from(writes).unwrap_or(i64::MAX), Ordering::SeqCst);
    }

    /// Does a call, unless the life is over or ends with it.
    fn call<T>(&self, work: impl FnOnce(&MemoryDisk) -> io::Result<T>) -> io::Result<T> {
        let inner = &*self.inner;
        if self.is_over() {
            return Err(over());
        }
        inner.calls.fetch_add(1, Ordering::SeqCst);
        if inner.until_power_goes.load(Ordering::SeqCst) >= 0
            && inner.until_power_goes.fetch_sub(1, Ordering::SeqCst) == 0
        {
            // The device has the call; what the crash leaves of it is the dice's business.
            drop(work(&inner.disk));
            inner.story.mark("the power went in the middle of a call");
            self.end();
            return Err(over());
        }
        work(&inner.disk)
    }

    fn file(&self, path: &Path, file: Arc<dyn File>) -> Arc<dyn File> {
        Arc::new(LifeFile { life: self.clone(), path: path.to_owned(), file })
    }

    /// What becomes of a write of the books at this moment.
    fn astray(&self, path: &Path) -> Option<Astray> {
        let inner = &*self.inner;
        if path.starts_with("log") || inner.until_astray.load(Ordering::SeqCst) < 0 {
            return None;
        }
        (inner.until_astray.fetch_sub(1, Ordering::SeqCst) == 0).then(|| {
            let how = *inner.astray.lock().unwrap_or_else(PoisonError::into_inner);
            inner.story.mark(match how {
                Astray::Lost => "a write of the books was lost",
                Astray::Misdirected => "a write of the books was misdirected",
            });
            how
        })
    }
}

impl Disk for Life {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        self.call(|disk| disk.open(path)).map(|file| self.file(path, file))
    }
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        self.call(|disk| disk.create(path)).map(|file| self.file(path, file))
    }
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.call(|disk| disk.create_dir(path))
    }
    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        self.call(|disk| disk.list(directory))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        if to.ends_with("CURRENT") {
            self.inner.story.mark("an image from a peer was put in force");
        }
        self.call(|disk| disk.rename(from, to))
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.call(|disk| disk.remove(path))
    }
    fn sync_dir(&self, directory: &Path) -> io::Result<()> {
        self.call(|disk| disk.sync_dir(directory))
    }
}

struct LifeFile {
    life: Life,
    path: PathBuf,
    file: Arc<dyn File>,
}

const BLOCK: u64 = 4_096;

impl File for LifeFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.life.call(|_| self.file.read_at(buffer, offset))
    }
    fn write_at(&self, buffer: &[u8], offset: u64) -> io::Result<()> {
        let offset = match self.life.astray(&self.path) {
            None => offset,
            Some(Astray::Lost) => {
                // The file has its length all the same.
                return self.life.call(|_| self.file.allocate(offset + buffer.len() as u64));
            }
            Some(Astray::Misdirected) => offset + BLOCK,
        };
        self.life.call(|_| self.file.write_at(buffer, offset))
    }
    fn sync(&self) -> io::Result<()> {
        self.life.call(|_| self.file.sync())
    }
    fn size(&self) -> io::Result<u64> {
        self.life.call(|_| self.file.size())
    }
    fn allocate(&self, size: u64) -> io::Result<()> {
        self.life.call(|_| self.file.allocate(size))
    }
}
