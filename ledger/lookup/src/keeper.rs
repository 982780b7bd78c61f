//! The keeper: sled in a folder of its own, and what is done when it breaks.
//!
//! sled 0.34 may panic on bytes that are not its own, and it writes behind our back only what it is told to: every call
//! into it is caught, and whatever is not an answer breaks the index. Pages of a run are flushed before the list names
//! the run, and the list before what it replaces is removed. Each index is a folder `index-N`; a broken one is left
//! where it is until the next has begun, because sled may still hold its files.

use crate::run::{
    Hashed, LIST_KEY, Run, bits_for, due, hash, hashed, list_value, page_key, pages, read_list, read_page,
};
use crate::{Broken, FeedFault, Kind, Source};
use sha2::{Digest, Sha256};
use std::fmt::Display;
use std::fs;
use std::io;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What sled may keep in memory.
const CACHE_BYTES: u64 = 32 << 20;
const PREFIX: &str = "index-";

/// One kind's tree, and its runs.
#[derive(Clone)]
struct Indexed {
    tree: sled::Tree,
    runs: Arc<Vec<Run>>,
    /// Whether the runs were held against the source since the folder was opened.
    is_checked: bool,
}

/// An open index.
#[derive(Clone)]
struct Open {
    db: sled::Db,
    kinds: [Indexed; 2],
}

enum State {
    /// Nothing is indexed until it is fed.
    Closed,
    Open(Box<Open>),
    Broken(Broken),
}

/// See the module's words.
pub struct Lookup {
    directory: PathBuf,
    state: Mutex<State>,
    /// Held by whoever feeds.
    feeding: Mutex<()>,
}

fn broken(why: &dyn Display) -> Broken {
    Broken(Arc::from(why.to_string()))
}

/// A call into sled: an error and a panic are the same to us.
fn guarded<T>(call: impl FnOnce() -> sled::Result<T>) -> Result<T, Broken> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(fault)) => Err(broken(&fault)),
        Err(_panic) => Err(broken(&"its files are damaged")),
    }
}

fn place(kind: Kind) -> usize {
    match kind {
        Kind::Reference => 0,
        Kind::Customer => 1,
    }
}

impl Open {
    fn in_folder(directory: &Path) -> Result<Self, Broken> {
        guarded(|| {
            let config = sled::Config::default().path(directory).cache_capacity(CACHE_BYTES);
            let db = config.flush_every_ms(None).open()?;
            let tree = |kind: Kind| -> sled::Result<Indexed> {
                let tree = db.open_tree(kind.tree())?;
                Ok(Indexed { tree, runs: Arc::default(), is_checked: false })
            };
            let kinds = [tree(Kind::Reference)?, tree(Kind::Customer)?];
            Ok(Self { db, kinds })
        })
        .and_then(Self::read_lists)
    }

    fn read_lists(mut self) -> Result<Self, Broken> {
        for indexed in &mut self.kinds {
            if let Some(list) = guarded(|| indexed.tree.get(LIST_KEY))? {
                let runs = read_list(&list).ok_or_else(|| broken(&"its list of runs does not hold"))?;
                indexed.runs = Arc::new(runs);
            }
        }
        Ok(self)
    }
}

impl Indexed {
    /// The runs that may answer.
    fn answered(&self) -> &[Run] {
        if self.is_checked { &self.runs } else { &[] }
    }

    /// The entries of a bucket.
    fn bucket(&self, run: &Run, bucket: u32, each: &mut dyn FnMut(Hashed)) -> Result<(), Broken> {
        let (mut page, mut count) = (0, 1);
        while page < count {
            let key = page_key(run, bucket, page);
            let value = guarded(|| self.tree.get(key))?.ok_or_else(|| broken(&"a page of it is missing"))?;
            let read = read_page(&key, &value);
            let (pages, entries) = read.ok_or_else(|| broken(&"a page of it is damaged"))?;
            entries.for_each(&mut *each);
            (page, count) = (page + 1, pages);
        }
        Ok(())
    }

    /// Writes the pages of a run. `entries` are sorted.
    fn write(&self, run: &Run, entries: &[Hashed]) -> Result<(), Broken> {
        let mut rest = entries;
        for bucket in 0..run.buckets() {
            let end = rest.partition_point(|(hash, _)| run.bucket_of(*hash) <= Some(bucket));
            let (now, later) = rest.split_at(end);
            for (key, value) in pages(run, bucket, now) {
                guarded(|| self.tree.insert(key, value))?;
            }
            rest = later;
        }
        Ok(())
    }

    fn remove(&self, run: &Run) -> Result<(), Broken> {
        let first = page_key(run, 0, 0);
        let last = page_key(run, u32::MAX, u32::MAX);
        let keys: Vec<sled::IVec> =
            guarded(|| self.tree.range(first..=last).keys().collect::<sled::Result<_>>())?;
        keys.iter().try_for_each(|key| guarded(|| self.tree.remove(key)).map(drop))
    }
}

fn source_of<S: Source>(source: &S, units: Range<u32>) -> Result<Option<[u8; 32]>, FeedFault> {
    let mut hasher = Sha256::new();
    for unit in units {
        match source.name(unit).map_err(|fault| source_fault(&fault))? {
            Some(name) => hasher.update(name),
            None => return Ok(None),
        }
    }
    Ok(Some(hasher.finalize().into()))
}

/// Whether the runs were made from what the source has.
fn check<S: Source>(runs: &[Run], source: &S) -> Result<(), FeedFault> {
    let units = source.units().map_err(|fault| source_fault(&fault))?;
    for run in runs {
        if run.last >= units {
            return Err(broken(&"it covers more than there is").into());
        }
        if source_of(source, run.first..run.last + 1)?.is_some_and(|name| name != run.source) {
            return Err(broken(&"it was made from other books").into());
        }
    }
    Ok(())
}

fn source_fault(fault: &dyn Display) -> FeedFault {
    FeedFault::Source(Arc::from(fault.to_string()))
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The numbers of the folders of indexes, rising.
fn numbers(directory: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        let number: Option<u64> =
            name.to_str().and_then(|name| name.strip_prefix(PREFIX)).and_then(|name| name.parse().ok());
        numbers.extend(number);
    }
    numbers.sort_unstable();
    Ok(numbers)
}

impl Lookup {
    /// The index in a directory, which is made when it is first fed. Until then it covers nothing.
    pub fn new(directory: &Path) -> Self {
        let state = Mutex::new(State::Closed);
        Self { directory: directory.to_path_buf(), state, feeding: Mutex::default() }
    }

    fn open(&self) -> Result<Option<Open>, Broken> {
        match &*locked(&self.state) {
            State::Closed => Ok(None),
            State::Open(open) => Ok(Some(Open::clone(open))),
            State::Broken(why) => Err(why.clone()),
        }
    }

    /// Remembers that the index broke; what is asked meanwhile is looked for everywhere.
    fn give_up(&self, why: Broken) -> Broken {
        let mut state = locked(&self.state);
        let was = std::mem::replace(&mut *state, State::Broken(why.clone()));
        drop(state);
        // sled may panic once more when it is closed.
        let _closed = catch_unwind(AssertUnwindSafe(|| drop(was)));
        why
    }

    /// How many places, from the first on, are indexed.
    pub fn covered(&self, kind: Kind) -> u64 {
        match &*locked(&self.state) {
            State::Open(open) => covered(open.kinds[place(kind)].answered()),
            State::Closed | State::Broken(_) => 0,
        }
    }

    /// A reader of the places that may bear a key: they lie among the covered ones, and each must be held against the
    /// key.
    ///
    /// # Errors
    /// [`Broken`], where the index cannot answer.
    pub fn find(&self, kind: Kind, key: u128, is_reversed: bool) -> Result<Places<'_>, Broken> {
        let indexed = self.open()?.map(|open| open.kinds[place(kind)].clone());
        let indexed = indexed.filter(|indexed| indexed.is_checked);
        let runs = indexed.as_ref().map(|indexed| Arc::clone(&indexed.runs)).unwrap_or_default();
        let left = 0..runs.len();
        Ok(Places { lookup: self, indexed, runs, left, hash: hash(key), is_reversed })
    }

    /// Takes over what the source has and the index has not. `is_wanted` is asked after each unit whether to go on.
    ///
    /// # Errors
    /// [`FeedFault`]; it may be called again after any.
    pub fn feed<S: Source>(
        &self,
        kind: Kind,
        source: &S,
        is_wanted: &dyn Fn() -> bool,
    ) -> Result<(), FeedFault> {
        let _one_at_a_time = locked(&self.feeding);
        let fed = self.feed_all(kind, source, is_wanted);
        if let Err(FeedFault::Broken(why)) = &fed {
            self.give_up(why.clone());
        }
        fed
    }

    fn feed_all<S: Source>(
        &self,
        kind: Kind,
        source: &S,
        is_wanted: &dyn Fn() -> bool,
    ) -> Result<(), FeedFault> {
        let open = self.open_to_feed()?;
        let mut indexed = open.kinds[place(kind)].clone();
        if !indexed.is_checked {
            check(&indexed.runs, source)?;
            indexed.is_checked = true;
            self.publish(kind, &indexed);
        }
        while is_wanted() {
            let unit = indexed.runs.last().map_or(0, |run| run.last + 1);
            if unit >= source.units().map_err(|fault| source_fault(&fault))? {
                break;
            }
            let Some(name) = source_of(source, unit..unit + 1)? else {
                return Err(source_fault(&format!("unit {unit} has no name")));
            };
            let entries = source.entries(unit).map_err(|fault| source_fault(&fault))?;
            let mut entries: Vec<Hashed> = hashed(&entries, 0).collect();
            entries.sort_unstable();
            let run = Run { first: unit, last: unit, bits: bits_for(entries.len()), source: name };
            indexed.write(&run, &entries)?;
            let mut runs = Vec::clone(&indexed.runs);
            runs.push(run);
            self.replace(kind, &open.db, &mut indexed, runs, &[])?;
            while let Some(range) = due(&indexed.runs) {
                if !self.merge(kind, &open.db, &mut indexed, range, source)? {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Makes one run of some. `false` where the source cannot name their units now: it is tried again later.
    fn merge<S: Source>(
        &self,
        kind: Kind,
        db: &sled::Db,
        indexed: &mut Indexed,
        range: Range<usize>,
        source: &S,
    ) -> Result<bool, FeedFault> {
        let old: Vec<Run> = indexed.runs[range.clone()].to_vec();
        let (Some(first), Some(last)) = (old.first(), old.last()) else { return Ok(false) };
        let Some(name) = source_of(source, first.first..last.last + 1)? else { return Ok(false) };
        let base = first.place(0);
        let mut entries: Vec<Hashed> = Vec::new();
        for run in &old {
            let behind = u32::try_from(run.place(0) - base).unwrap_or(u32::MAX);
            for bucket in 0..run.buckets() {
                indexed.bucket(run, bucket, &mut |(hash, offset)| entries.push((hash, behind + offset)))?;
            }
        }
        entries.sort_unstable();
        let run = Run { first: first.first, last: last.last, bits: bits_for(entries.len()), source: name };
        indexed.write(&run, &entries)?;
        let mut runs = Vec::clone(&indexed.runs);
        runs.splice(range, [run]);
        self.replace(kind, db, indexed, runs, &old)?;
        Ok(true)
    }

    /// Puts another list of runs in force, then removes what it has no more.
    fn replace(
        &self,
        kind: Kind,
        db: &sled::Db,
        indexed: &mut Indexed,
        runs: Vec<Run>,
        gone: &[Run],
    ) -> Result<(), Broken> {
        guarded(|| db.flush())?;
        guarded(|| indexed.tree.insert(LIST_KEY, list_value(&runs)))?;
        guarded(|| db.flush())?;
        indexed.runs = Arc::new(runs);
        self.publish(kind, indexed);
        gone.iter().try_for_each(|run| indexed.remove(run))
    }

    fn publish(&self, kind: Kind, indexed: &Indexed) {
        if let State::Open(open) = &mut *locked(&self.state) {
            open.kinds[place(kind)] = indexed.clone();
        }
    }

    /// The index, opened; a new one where there is none or it broke.
    fn open_to_feed(&self) -> Result<Open, Broken> {
        let is_broken = match self.open() {
            Ok(Some(open)) => return Ok(open),
            Ok(None) => false,
            Err(_) => true,
        };
        let disk = |fault: io::Error| broken(&format!("{}: {fault}", self.directory.display()));
        fs::create_dir_all(&self.directory).map_err(disk)?;
        let known = numbers(&self.directory).map_err(disk)?;
        let newest = known.last().copied().unwrap_or(0);
        let folder = |number: u64| self.directory.join(format!("{PREFIX}{number}"));
        let kept =
            if is_broken { None } else { Open::in_folder(&folder(newest)).ok().map(|open| (newest, open)) };
        let (number, open) = match kept {
            Some(kept) => kept,
            None => (newest + 1, Open::in_folder(&folder(newest + 1))?),
        };
        for old in known.into_iter().filter(|old| *old != number) {
            fs::remove_dir_all(folder(old)).map_err(disk)?;
        }
        *locked(&self.state) = State::Open(Box::new(open.clone()));
        Ok(open)
    }
}

fn covered(runs: &[Run]) -> u64 {
    runs.last().map_or(0, |run| run.places().end)
}

/// See [`Lookup::find`]: for each run, the places that may bear the key, in order.
pub struct Places<'a> {
    lookup: &'a Lookup,
    indexed: Option<Indexed>,
    runs: Arc<Vec<Run>>,
    left: Range<usize>,
    hash: u32,
    is_reversed: bool,
}

impl Places<'_> {
    /// How many places, from the first on, this reader covers.
    pub fn covered(&self) -> u64 {
        covered(&self.runs)
    }

    /// The covered places that are not told yet.
    pub fn untold(&self) -> Range<u64> {
        let runs = &self.runs[self.left.clone()];
        match (runs.first(), runs.last()) {
            (Some(first), Some(last)) => first.places().start..last.places().end,
            _ => 0..0,
        }
    }

    fn places(&self, run: &Run) -> Result<Vec<u64>, Broken> {
        let mut places = Vec::new();
        if let (Some(indexed), Some(bucket)) = (&self.indexed, run.bucket_of(self.hash)) {
            indexed.bucket(run, bucket, &mut |(hash, offset)| {
                if hash == self.hash {
                    places.push(run.place(offset));
                }
            })?;
        }
        if self.is_reversed {
            places.reverse();
        }
        Ok(places)
    }
}

impl Iterator for Places<'_> {
    type Item = Result<Vec<u64>, Broken>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = if self.is_reversed { self.left.next_back()? } else { self.left.next()? };
        let run = *self.runs.get(next)?;
        match self.places(&run) {
            Ok(places) => Some(Ok(places)),
            // A merge may have removed the run meanwhile; the next reader has the merged one.
            Err(why) if self.is_replaced(&run) => Some(Err(why)),
            Err(why) => Some(Err(self.lookup.give_up(why))),
        }
    }
}

impl Places<'_> {
    /// Whether the run is not in force any more.
    fn is_replaced(&self, run: &Run) -> bool {
        let Some(indexed) = &self.indexed else { return false };
        match &*locked(&self.lookup.state) {
            State::Open(open) => {
                open.kinds.iter().any(|now| now.tree.name() == indexed.tree.name() && !now.runs.contains(run))
            }
            State::Closed | State::Broken(_) => true,
        }
    }
}
