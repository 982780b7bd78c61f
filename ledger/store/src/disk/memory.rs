//! A disk in memory that behaves as badly as a real one may, and the same way every time.
//!
//! It keeps apart what was written and what was made durable, in sectors of 512 bytes, the unit that a device
//! writes whole. [`MemoryDisk::crash`] leaves of everything since the last sync whatever a seed says: any subset of
//! the sectors, any prefix of the creations, renames and removals of names. [`MemoryDisk::fail`] arranges for a call to
//! fail, tear or stop the machine; [`MemoryDisk::flip`] lets a bit rot.
//!
//! **Invariants.** No clock, no thread, no randomness but the seeds given. After a failed sync the sectors it did
//! not write stay volatile until they are written again: a second sync does not save them, as in Linux.
//!
//! Deliberately absent: delays (the simulator's), and crashes that lose a directory (only names in it).

mod content;

use super::{Disk, File};
use content::{Content, Seeded};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The kinds of call that can be made to fail.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Call {
    /// Reading from a file.
    Read,
    /// Writing to a file (a durable write is a write and a sync).
    Write,
    /// Syncing a file or a directory.
    Sync,
    /// Creating, renaming or removing a name.
    Name,
    /// Reserving space.
    Allocate,
}

/// What happens at the chosen call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// The call fails and does nothing; later calls work.
    Fail,
    /// A write puts down some of its sectors, by the seed, and fails; other calls fail and do nothing.
    Tear(u64),
    /// The machine stops: this call and all later ones fail until [`MemoryDisk::crash`]. A write or renaming has
    /// been handed to the device, so the crash decides what is left of it.
    Halt,
}

/// One thing that shall go wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Trouble {
    /// Which calls are counted; `None` for all of them.
    pub call: Option<Call>,
    /// How many of these calls still succeed before.
    pub after: u64,
    /// What happens then, once.
    pub effect: Effect,
}

/// A disk in memory; clones are the same disk.
#[derive(Clone, Default)]
pub struct MemoryDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    directories: BTreeSet<PathBuf>,
    names: Names,
    names_durable: Names,
    /// Changes of names since, in order.
    changes: Vec<Change>,
    /// Contents by number; those that no name leads to stay readable through open handles.
    contents: Vec<Content>,
    troubles: Vec<Trouble>,
    capacity: Option<u64>,
    calls: u64,
    halted: bool,
    /// Counts crashes: handles opened before one are dead.
    life: u64,
}

type Names = BTreeMap<PathBuf, usize>;

enum Change {
    Create(PathBuf, usize),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
}

impl Change {
    fn apply(&self, names: &mut Names) {
        match self {
            Self::Create(path, content) => {
                names.insert(path.clone(), *content);
            }
            Self::Rename(from, to) => {
                if let Some(content) = names.remove(from) {
                    names.insert(to.clone(), content);
                }
            }
            Self::Remove(path) => {
                names.remove(path);
            }
        }
    }

    fn directory(&self) -> Option<&Path> {
        match self {
            Self::Create(path, _) | Self::Remove(path) | Self::Rename(_, path) => path.parent(),
        }
    }
}

/// What a counted call is to do.
enum Verdict {
    Proceed,
    Tear(u64),
    /// Do it, then report the failure.
    Halt,
}

fn trouble() -> io::Error {
    io::Error::other("injected input/output error")
}

fn halted() -> io::Error {
    io::Error::other("the machine has stopped")
}

impl State {
    /// Counts a call and says how it goes.
    fn call(&mut self, call: Call) -> io::Result<Verdict> {
        if self.halted {
            return Err(halted());
        }
        self.calls += 1;
        let mut due = None;
        for (index, trouble) in self.troubles.iter_mut().enumerate() {
            if trouble.call.is_some_and(|kind| kind != call) {
                continue;
            }
            match trouble.after.checked_sub(1) {
                Some(rest) => trouble.after = rest,
                None => due = due.or(Some(index)),
            }
        }
        match due.map(|index| self.troubles.remove(index).effect) {
            None => Ok(Verdict::Proceed),
            Some(Effect::Tear(seed)) if call == Call::Write => Ok(Verdict::Tear(seed)),
            Some(Effect::Tear(_) | Effect::Fail) => Err(trouble()),
            Some(Effect::Halt) => {
                self.halted = true;
                Ok(Verdict::Halt)
            }
        }
    }

    fn change(&mut self, change: Change) -> io::Result<()> {
        let verdict = self.call(Call::Name)?;
        change.apply(&mut self.names);
        self.changes.push(change);
        finish(&verdict)
    }

    fn named(&self) -> BTreeSet<usize> {
        self.names.values().chain(self.names_durable.values()).copied().collect()
    }

    fn used_bytes(&self) -> u64 {
        self.named().into_iter().map(|content| self.contents[content].size()).sum()
    }

    fn room_for(&self, content: usize, size: u64) -> io::Result<()> {
        let Some(capacity) = self.capacity else { return Ok(()) };
        let named = self.named();
        let mut used: u64 =
            named.iter().filter(|&&other| other != content).map(|&other| self.contents[other].size()).sum();
        used += size.max(self.contents[content].size());
        if used <= capacity { Ok(()) } else { Err(io::ErrorKind::StorageFull.into()) }
    }

    fn check_directory(&self, path: &Path) -> io::Result<()> {
        let directory = path.parent().unwrap_or(Path::new(""));
        if directory == Path::new("") || self.directories.contains(directory) {
            Ok(())
        } else {
            Err(io::ErrorKind::NotFound.into())
        }
    }
}

fn finish(verdict: &Verdict) -> io::Result<()> {
    match verdict {
        Verdict::Proceed => Ok(()),
        Verdict::Tear(_) => Err(trouble()),
        Verdict::Halt => Err(halted()),
    }
}

impl MemoryDisk {
    /// An empty disk without a limit.
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A test that panicked elsewhere leaves the state whole: nothing here panics half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Cuts the power and starts again: of what was not durable the seed says what is left, open handles are
    /// dead, and troubles not yet met are forgotten.
    pub fn crash(&self, seed: u64) {
        let state = &mut *self.state();
        let mut seeded = Seeded::new(seed);
        let kept = seeded.below(state.changes.len() as u64 + 1);
        for change in state.changes.drain(..).take(usize::try_from(kept).unwrap_or(usize::MAX)) {
            change.apply(&mut state.names_durable);
        }
        state.names = state.names_durable.clone();
        for content in &mut state.contents {
            content.crash(&mut seeded);
        }
        state.troubles.clear();
        state.halted = false;
        state.life += 1;
    }

    /// Kills the process, not the machine: everything written is still there, open handles are dead.
    pub fn kill(&self) {
        let state = &mut *self.state();
        state.troubles.clear();
        state.halted = false;
        state.life += 1;
    }

    /// Arranges for something to go wrong.
    pub fn fail(&self, trouble: Trouble) {
        self.state().troubles.push(trouble);
    }

    /// Forgets the troubles not yet met.
    pub fn heal(&self) {
        self.state().troubles.clear();
    }

    /// How many calls were made so far (opening and listing are not counted).
    pub fn calls(&self) -> u64 {
        self.state().calls
    }

    /// Limits the sum of all files' sizes; `None` lifts the limit.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.state().capacity = bytes;
    }

    /// The sum of all files' sizes, as the limit counts it.
    pub fn used_bytes(&self) -> u64 {
        self.state().used_bytes()
    }

    /// Inverts bit `bit` (0 to 7) of the byte at `offset`, durably. False where there is no such byte.
    pub fn flip(&self, path: &Path, offset: u64, bit: u8) -> bool {
        let state = &mut *self.state();
        match state.names.get(path) {
            Some(&content) => state.contents[content].flip(offset, bit),
            None => false,
        }
    }
}

impl Disk for MemoryDisk {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let state = self.state();
        if state.halted {
            return Err(halted());
        }
        let content = *state.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(Arc::new(MemoryFile { disk: self.clone(), content, life: state.life }))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let state = &mut *self.state();
        state.check_directory(path)?;
        if state.names.contains_key(path) || state.directories.contains(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let content = state.contents.len();
        state.contents.push(Content::default());
        state.change(Change::Create(path.to_owned(), content))?;
        Ok(Arc::new(MemoryFile { disk: self.clone(), content, life: state.life }))
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let state = &mut *self.state();
        if state.halted {
            return Err(halted());
        }
        for directory in path.ancestors().filter(|ancestor| *ancestor != Path::new("")) {
            if state.names.contains_key(directory) {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            state.directories.insert(directory.to_owned());
        }
        Ok(())
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        let state = self.state();
        if state.halted {
            return Err(halted());
        }
        state.check_directory(&directory.join("any"))?;
        let paths = state.names.keys().chain(&state.directories);
        let mut names: Vec<String> = paths
            .filter(|path| path.parent() == Some(directory))
            .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
            .collect();
        names.sort_unstable();
        Ok(names)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let state = &mut *self.state();
        state.check_directory(to)?;
        if !state.names.contains_key(from) {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.change(Change::Rename(from.to_owned(), to.to_owned()))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let state = &mut *self.state();
        if !state.names.contains_key(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.change(Change::Remove(path.to_owned()))
    }

    fn sync_dir(&self, directory: &Path) -> io::Result<()> {
        let state = &mut *self.state();
        finish(&state.call(Call::Sync)?)?;
        let (done, rest): (Vec<_>, Vec<_>) =
            state.changes.drain(..).partition(|change| change.directory() == Some(directory));
        for change in done {
            change.apply(&mut state.names_durable);
        }
        state.changes = rest;
        Ok(())
    }
}

struct MemoryFile {
    disk: MemoryDisk,
    content: usize,
    life: u64,
}

impl MemoryFile {
    fn state(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.disk.state();
        if state.life == self.life && !state.halted { Ok(state) } else { Err(halted()) }
    }
}

impl File for MemoryFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let state = &mut *self.state()?;
        finish(&state.call(Call::Read)?)?;
        state.contents[self.content].read(buffer, offset)
    }

    fn write_at(&self, buffer: &[u8], offset: u64) -> io::Result<()> {
        let state = &mut *self.state()?;
        let verdict = state.call(Call::Write)?;
        let end = offset.checked_add(buffer.len() as u64).ok_or(io::ErrorKind::FileTooLarge)?;
        state.room_for(self.content, end)?;
        let content = &mut state.contents[self.content];
        match verdict {
            Verdict::Tear(seed) => content.write_torn(buffer, offset, &mut Seeded::new(seed))?,
            Verdict::Proceed | Verdict::Halt => content.write(buffer, offset)?,
        }
        finish(&verdict)
    }

    fn sync(&self) -> io::Result<()> {
        let state = &mut *self.state()?;
        match state.call(Call::Sync) {
            Ok(Verdict::Proceed) => {
                state.contents[self.content].sync();
                Ok(())
            }
            Ok(verdict) => finish(&verdict),
            Err(error) => {
                state.contents[self.content].fail_sync();
                Err(error)
            }
        }
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.state()?.contents[self.content].size())
    }

    fn allocate(&self, size: u64) -> io::Result<()> {
        let state = &mut *self.state()?;
        let verdict = state.call(Call::Allocate)?;
        state.room_for(self.content, size)?;
        state.contents[self.content].extend(size)?;
        finish(&verdict)
    }
}

#[cfg(test)]
mod tests;
