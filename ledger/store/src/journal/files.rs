//! The files of the journal: written whole under another name, then renamed; opened when needed.

use super::{JournalFault, Known, locked};
use crate::disk::Disk;
use crate::index::{Run, SegmentEntries, parse_run_name, run_name};
use crate::segment::{Segment, SegmentHash, file_name, narrow, parse_file_name, wide};
use std::collections::BTreeMap;
use std::io;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// How many segments are held open; beyond, the one that was not used for longest is closed.
pub const OPEN_SEGMENTS_MAX: usize = 256;

/// Ends the name of a file that is being written.
const DRAFT: &str = ".draft";
/// The folder of segments that were moved away.
const ARCHIVE: &str = "archive";

/// The directory of the journal.
pub(super) struct Files {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
}

/// What lies in the directory.
pub(super) struct Listing {
    segments: BTreeMap<u32, Vec<(SegmentHash, PathBuf)>>,
    /// None inside another's range, by rising first segment.
    pub(super) runs: Vec<RangeInclusive<u32>>,
}

impl Files {
    pub(super) fn open(disk: Arc<dyn Disk>, directory: &Path) -> Result<Self, JournalFault> {
        disk.create_dir(directory)
            .map_err(|source| JournalFault::disk(directory, "creating the directory", source))?;
        Ok(Self { disk, directory: directory.to_path_buf() })
    }

    fn names(&self, directory: &Path) -> Result<Vec<String>, JournalFault> {
        match self.disk.list(directory) {
            Ok(names) => Ok(names),
            Err(absent) if absent.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(source) => Err(JournalFault::disk(directory, "listing", source)),
        }
    }

    /// Removes drafts and runs that a longer one has replaced; answers what is left.
    pub(super) fn clean(&self) -> Result<Listing, JournalFault> {
        let mut listing = Listing { segments: BTreeMap::new(), runs: Vec::new() };
        for directory in [self.directory.clone(), self.directory.join(ARCHIVE)] {
            for name in self.names(&directory)? {
                let path = directory.join(&name);
                if let Some((number, hash)) = parse_file_name(&name) {
                    listing.note_segment(number, hash, path);
                } else if let Some(segments) = parse_run_name(&name) {
                    listing.runs.push(segments);
                } else if name.ends_with(DRAFT) {
                    self.remove(&path)?;
                }
            }
        }
        // The longest first, so that what lies inside another comes after it.
        listing.runs.sort_by_key(|run| (*run.start(), std::cmp::Reverse(*run.end())));
        let mut kept: Vec<RangeInclusive<u32>> = Vec::new();
        for run in std::mem::take(&mut listing.runs) {
            if kept.last().is_some_and(|longer| longer.contains(run.start())) {
                self.remove(&self.directory.join(run_name(&run)))?;
            } else {
                kept.push(run);
            }
        }
        listing.runs = kept;
        Ok(listing)
    }

    pub(super) fn named_hash(&self, number: u32) -> Option<SegmentHash> {
        let names = self.disk.list(&self.directory).ok()?;
        let mut named = names.iter().filter_map(|name| parse_file_name(name));
        named.find(|(of, _)| *of == number).map(|(_, hash)| hash)
    }

    pub(super) fn remove(&self, path: &Path) -> Result<(), JournalFault> {
        self.disk.remove(path).map_err(|source| JournalFault::disk(path, "removing", source))
    }

    /// All of a file of this directory, or `None` where there is none.
    pub(super) fn read(&self, name: &str) -> Result<Option<Vec<u8>>, JournalFault> {
        let path = self.directory.join(name);
        let fault = |source| JournalFault::disk(&path, "reading", source);
        let file = match self.disk.open(&path) {
            Ok(file) => file,
            Err(absent) if absent.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(fault(source)),
        };
        let mut bytes = vec![0; usize::try_from(file.size().map_err(fault)?).unwrap_or(0)];
        file.read_at(&mut bytes, 0).map_err(fault)?;
        Ok(Some(bytes))
    }

    /// Writes a file through `fill`, which hands over its bytes in order; durable and in its place on return.
    pub(super) fn write(
        &self,
        name: &str,
        fill: impl FnOnce(&mut dyn FnMut(&[u8]) -> Result<(), JournalFault>) -> Result<(), JournalFault>,
    ) -> Result<PathBuf, JournalFault> {
        let path = self.directory.join(name);
        let draft = self.directory.join(format!("{name}{DRAFT}"));
        let fault = |doing| move |source| JournalFault::disk(&self.directory.join(name), doing, source);
        match self.disk.remove(&draft) {
            Err(failed) if failed.kind() != io::ErrorKind::NotFound => {
                return Err(fault("removing its old draft")(failed));
            }
            Ok(()) | Err(_) => {}
        }
        let file = self.disk.create(&draft).map_err(fault("creating its draft"))?;
        let mut end = 0;
        let filled = fill(&mut |bytes| {
            file.write_at(bytes, end).map_err(fault("writing"))?;
            end += u64::from(narrow(bytes.len()));
            Ok(())
        });
        if let Err(failed) = filled.and_then(|()| file.sync().map_err(fault("syncing"))) {
            // On a full disk the draft would only be in the way; opening removes it in any case.
            let _best_effort = self.disk.remove(&draft);
            return Err(failed);
        }
        self.disk.rename(&draft, &path).map_err(fault("renaming its draft"))?;
        self.disk.sync_dir(&self.directory).map_err(fault("syncing its directory"))?;
        Ok(path)
    }

    /// Copies a segment into the archive, durable on return, and then removes it here.
    pub(super) fn move_to_archive(
        &self,
        number: u32,
        hash: &SegmentHash,
        bytes: &[u8],
    ) -> Result<(), JournalFault> {
        let name = file_name(number, hash);
        let archive = Self { disk: Arc::clone(&self.disk), directory: self.directory.join(ARCHIVE) };
        let fault = |source| JournalFault::disk(&archive.directory, "creating the archive", source);
        self.disk.create_dir(&archive.directory).map_err(fault)?;
        self.disk.sync_dir(&self.directory).map_err(fault)?;
        archive.write(&name, |write| write(bytes))?;
        self.remove_segment(&name)
    }

    /// Whether a segment's file is in this directory, and whether it is in the archive.
    pub(super) fn places_of(&self, number: u32, hash: &SegmentHash) -> Result<(bool, bool), JournalFault> {
        let name = file_name(number, hash);
        let is_in = |directory: &Path| {
            let path = directory.join(&name);
            match self.disk.open(&path) {
                Ok(_) => Ok(true),
                Err(absent) if absent.kind() == io::ErrorKind::NotFound => Ok(false),
                Err(source) => Err(JournalFault::disk(&path, "opening", source)),
            }
        };
        Ok((is_in(&self.directory)?, is_in(&self.directory.join(ARCHIVE))?))
    }

    fn remove_segment(&self, name: &str) -> Result<(), JournalFault> {
        self.remove(&self.directory.join(name))?;
        let fault = |source| JournalFault::disk(&self.directory, "syncing", source);
        self.disk.sync_dir(&self.directory).map_err(fault)
    }

    pub(super) fn write_segment(
        &self,
        number: u32,
        hash: &SegmentHash,
        bytes: &[u8],
    ) -> Result<(), JournalFault> {
        self.write(&file_name(number, hash), |write| write(bytes)).map(drop)
    }

    pub(super) fn write_segment_run(
        &self,
        number: u32,
        entries: SegmentEntries,
    ) -> Result<Arc<Run>, JournalFault> {
        let bytes = entries.encode();
        self.write_run(&(number..=number), |write| write(&bytes))
    }

    pub(super) fn write_run(
        &self,
        segments: &RangeInclusive<u32>,
        fill: impl FnOnce(&mut dyn FnMut(&[u8]) -> Result<(), JournalFault>) -> Result<(), JournalFault>,
    ) -> Result<Arc<Run>, JournalFault> {
        self.write(&run_name(segments), fill)?;
        self.open_run(segments)
    }

    pub(super) fn open_run(&self, segments: &RangeInclusive<u32>) -> Result<Arc<Run>, JournalFault> {
        let path = self.directory.join(run_name(segments));
        let file = self.disk.open(&path).map_err(|source| JournalFault::disk(&path, "opening", source))?;
        let run = Run::open(file, &path)?;
        if run.segments() != segments {
            return Err(run.misnamed());
        }
        Ok(Arc::new(run))
    }

    /// Opens a segment where it is: in the directory or in the archive.
    pub(super) fn open_segment(&self, number: u32, hash: &SegmentHash) -> Result<Arc<Segment>, JournalFault> {
        let name = file_name(number, hash);
        let places = [self.directory.join(&name), self.directory.join(ARCHIVE).join(&name)];
        for path in &places {
            match self.disk.open(path) {
                Ok(file) => {
                    let segment = Segment::open(file, path)?;
                    if segment.number() != number {
                        return Err(segment.misnamed());
                    }
                    return Ok(Arc::new(segment));
                }
                Err(absent) if absent.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(JournalFault::disk(path, "opening", source)),
            }
        }
        Err(JournalFault::Missing { directory: self.directory.clone(), number })
    }
}

impl Listing {
    fn note_segment(&mut self, number: u32, hash: SegmentHash, path: PathBuf) {
        let copies = self.segments.entry(number).or_default();
        // The same file may lie in both places while it is being moved.
        if copies.iter().all(|(known, _)| *known != hash) {
            copies.push((hash, path));
        }
    }

    /// Every segment up to the last that a file or a run speaks of.
    pub(super) fn segments(&self, files: &Files) -> Vec<Result<Arc<Known>, JournalFault>> {
        let last_segment = self.segments.last_key_value().map(|(number, _)| *number);
        let last = last_segment.max(self.runs.last().map(|run| *run.end()));
        let count = last.map_or(0, |last| wide(last) + 1);
        (0u32..).take(count).map(|number| self.known(files, number)).collect()
    }

    fn known(&self, files: &Files, number: u32) -> Result<Arc<Known>, JournalFault> {
        match self.segments.get(&number).map(Vec::as_slice) {
            Some([(hash, _)]) => {
                let segment = files.open_segment(number, hash)?;
                Ok(Arc::new(Known { hash: *hash, zone: segment.zone().clone() }))
            }
            Some([(_, first), (_, second), ..]) => {
                Err(JournalFault::Twice { first: first.clone(), second: second.clone(), number })
            }
            Some([]) | None => Err(JournalFault::Missing { directory: files.directory.clone(), number }),
        }
    }
}

/// The open segments.
#[derive(Default)]
pub(super) struct OpenSegments {
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    /// Counts askings.
    uses: u64,
    /// Each with the count when it was last asked for.
    segments: BTreeMap<u32, (u64, Arc<Segment>)>,
}

impl OpenSegments {
    /// The segment of that number, opened by `open` if it is not.
    pub(super) fn get(
        &self,
        number: u32,
        open: impl FnOnce() -> Result<Arc<Segment>, JournalFault>,
    ) -> Result<Arc<Segment>, JournalFault> {
        if let Some(segment) = locked(&self.held).find(number) {
            return Ok(segment);
        }
        let segment = open()?;
        locked(&self.held).keep(number, Arc::clone(&segment));
        Ok(segment)
    }

    /// Closes a segment whose file has been replaced.
    pub(super) fn forget(&self, number: u32) {
        locked(&self.held).segments.remove(&number);
    }
}

impl Held {
    fn find(&mut self, number: u32) -> Option<Arc<Segment>> {
        self.uses += 1;
        let (used, segment) = self.segments.get_mut(&number)?;
        *used = self.uses;
        Some(Arc::clone(segment))
    }

    fn keep(&mut self, number: u32, segment: Arc<Segment>) {
        self.segments.insert(number, (self.uses, segment));
        if self.segments.len() > OPEN_SEGMENTS_MAX {
            let oldest = self.segments.iter().min_by_key(|(_, (used, _))| *used).map(|(number, _)| *number);
            oldest.and_then(|number| self.segments.remove(&number));
        }
    }
}
