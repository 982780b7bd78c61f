//! Writing: frames are staged in one aligned buffer, a commit writes it and waits until it is durable.

use super::frame::{Class, FRAME_BYTES_MAX, HEADER_BYTES, Header, When, frame_bytes};
use super::reader::Segments;
use super::recovery::{Visit, Walk};
use super::segment::{self, FIRST_BATCH, Opening, name_of, number_of};
use super::spares::Spare;
use super::{
    BODY_BYTES_MAX, Control, Entry, Found, GroupId, KEEP_BYTES_MAX, LogIndex, Position, Recovery,
    SegmentNumber, Spares, WalFault, WalOptions, WalReader,
};
use crate::disk::{BLOCK_BYTES, Blocks, Disk, File};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zerocopy::IntoBytes;

/// A log, open for writing. One thread owns it.
pub struct Wal {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    options: WalOptions,
    segments: Segments,
    spares: Arc<Spares>,
    end: End,
    staging: Staging,
    standing: Standing,
    /// Whether the last batch is known to be complete by something behind it.
    settled: bool,
    /// The fault after which nothing is certain any more.
    poison: Option<String>,
}

/// Where the log is written.
struct End {
    segment: SegmentNumber,
    file: Arc<dyn File>,
    /// How far batches may reach.
    limit: u64,
    /// Where the next batch begins, a whole number of blocks but for a torn tail.
    offset: u64,
    /// The life and batch of the frames being staged.
    when: When,
}

impl End {
    /// Where a log ends that has no segment: there is no room, so writing begins with a new one.
    fn before_the_first(spares: &Spares) -> Result<Self, WalFault> {
        let spare = spares.take()?;
        let file = Arc::clone(&spare.file);
        spares.put(spare);
        let segment = SegmentNumber::new(SegmentNumber::FIRST.get() - 1);
        Ok(Self { segment, file, limit: 0, offset: 0, when: When { life: 1, batch: 1 } })
    }
}

/// The batch that the next commit writes.
struct Staging {
    blocks: Blocks,
    used: usize,
    /// Its last frame: where it begins, and its header, to be marked as the last one.
    last: Option<(usize, Header)>,
}

/// What must outlive the segments it was written in.
#[derive(Default)]
struct Standing {
    kept: BTreeMap<(GroupId, u16), Vec<u8>>,
    purged: BTreeMap<GroupId, (LogIndex, u64)>,
}

impl Standing {
    fn observe(&mut self, control: &Control<'_>) {
        match *control {
            Control::Keep { group, name, body } => {
                self.kept.insert((group, name), body.to_owned());
            }
            Control::Purge { group, up_to, term } => {
                let purged = self.purged.entry(group).or_insert((up_to, term));
                *purged = (*purged).max((up_to, term));
            }
            Control::Forget { group } => {
                self.kept.retain(|(owner, _), _| *owner != group);
                self.purged.remove(&group);
            }
            Control::Truncate { .. } => {}
        }
    }

    fn controls(&self) -> impl Iterator<Item = Control<'_>> {
        let kept = self.kept.iter().map(|(&(group, name), body)| Control::Keep { group, name, body });
        let purged = self.purged.iter().map(|(&group, &(up_to, term))| Control::Purge { group, up_to, term });
        kept.chain(purged)
    }
}

impl Wal {
    /// Opens the log in `directory`, creating it where there is none, and shows every frame to `visit`, in order.
    ///
    /// Segments below `from` are not read: a checkpoint covers them. They stay until [`Self::release`] lets them go,
    /// so that an older checkpoint can be taken instead. With [`SegmentNumber::FIRST`] whatever there is is read.
    /// Nothing is changed on disk before all has been read and found good.
    ///
    /// # Errors
    /// See [`WalFault`]; `Refused` carries what `visit` answered.
    pub fn open(
        disk: Arc<dyn Disk>,
        directory: &Path,
        options: &WalOptions,
        from: SegmentNumber,
        visit: &mut dyn FnMut(Position, Found<'_>) -> Result<(), String>,
    ) -> Result<(Self, Recovery), WalFault> {
        segment::check(options)?;
        let place = directory.display().to_string();
        disk.create_dir(directory).map_err(WalFault::disk(&place, "creating"))?;
        let parent = directory.parent().unwrap_or(Path::new(""));
        disk.sync_dir(parent).map_err(WalFault::disk(&place, "creating"))?;
        let names = disk.list(directory).map_err(WalFault::disk(&place, "listing"))?;
        let (covered, live) = split(&names, from)?;

        let mut standing = Standing::default();
        let mut observe = |position: Position, found: Found<'_>| {
            if let Found::Control(control) = &found {
                standing.observe(control);
            }
            visit(position, found)
        };
        let recovered = recover(&disk, directory, options, &live, &mut observe)?;

        let spares = Arc::new(Spares::open(&disk, directory, options, &names)?);
        for segment in covered {
            let name = name_of(segment);
            let file = disk.open(&directory.join(&name)).map_err(WalFault::disk(&name, "opening"))?;
            recovered.segments.insert(segment, file);
        }
        disk.sync_dir(directory).map_err(WalFault::disk(&place, "syncing"))?;

        let (end, inside) = match recovered.end {
            Some((end, inside)) => (end, inside),
            None => (End::before_the_first(spares.as_ref())?, false),
        };
        let segment_bytes = usize::try_from(options.segment_bytes).unwrap_or(usize::MAX);
        let staging_bytes = options.staging_bytes.max(FRAME_BYTES_MAX).min(segment_bytes);
        let mut wal = Self {
            disk,
            directory: directory.to_owned(),
            options: *options,
            segments: recovered.segments,
            spares,
            end,
            staging: Staging {
                blocks: Blocks::zeroed(staging_bytes.next_multiple_of(BLOCK_BYTES)),
                used: 0,
                last: None,
            },
            standing,
            settled: true,
            poison: None,
        };
        wal.begin_life(inside)?;
        let mut recovery = recovered.recovery;
        recovery.last = wal.end.segment;
        recovery.first = live.first().copied().unwrap_or(wal.end.segment);
        Ok((wal, recovery))
    }

    /// Marks where this life begins, so that nothing an earlier one left behind can be taken for part of it. Where it
    /// left half a batch (`inside`), the good half shares a block with the place to go on: that is a new segment.
    fn begin_life(&mut self, inside: bool) -> Result<(), WalFault> {
        if !inside && self.room() >= BLOCK_BYTES as u64 {
            self.stage(Header::mark(Class::Start), &[]);
            let written = self.write_staged();
            return self.guard(written);
        }
        self.rotate()
    }

    /// Stages an entry for the next commit and says where it will lie. When the buffer or the segment is full, what
    /// was staged before is committed first.
    ///
    /// # Errors
    /// `TooLarge` and `Full` leave the log as it was; any other fault stops it.
    pub fn append(&mut self, entry: &Entry<'_>) -> Result<Position, WalFault> {
        self.append_frame(Header::entry(entry), entry.body, BODY_BYTES_MAX)
    }

    /// Stages a control, as [`Self::append`] an entry.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub fn append_control(&mut self, control: &Control<'_>) -> Result<Position, WalFault> {
        let body = match *control {
            Control::Keep { body, .. } => body,
            Control::Truncate { .. } | Control::Purge { .. } | Control::Forget { .. } => &[],
        };
        let position = self.append_frame(Header::control(control), body, KEEP_BYTES_MAX)?;
        self.standing.observe(control);
        Ok(position)
    }

    fn append_frame(&mut self, header: Header, body: &[u8], limit: usize) -> Result<Position, WalFault> {
        self.check()?;
        let bytes = body.len();
        let segment_room = self.options.segment_bytes - FIRST_BATCH;
        let limit = limit.min(usize::try_from(segment_room).unwrap_or(usize::MAX) - HEADER_BYTES);
        if bytes > limit {
            return Err(WalFault::TooLarge { bytes, limit });
        }
        let frame = frame_bytes(bytes);
        let staged_max = self.options.staging_bytes.min(self.staging.blocks.len());
        if self.staging.used > 0 && self.staging.used + frame > staged_max {
            self.commit()?;
        }
        if padded(self.staging.used + frame) > self.room() {
            self.commit()?;
            self.rotate()?;
        }
        if padded(frame) > self.room() {
            let limit = usize::try_from(self.room()).unwrap_or(usize::MAX).saturating_sub(HEADER_BYTES);
            return Err(WalFault::TooLarge { bytes, limit });
        }
        Ok(self.stage(header, body))
    }

    /// Writes all that is staged and waits until it is durable; does nothing if nothing is.
    ///
    /// # Errors
    /// Any fault stops the log: whether the batch is durable is unknown.
    pub fn commit(&mut self) -> Result<(), WalFault> {
        self.check()?;
        if self.staging.used == 0 {
            return Ok(());
        }
        let written = self.write_staged();
        self.settled = false;
        self.guard(written)
    }

    /// Commits, and then proves that the last batch was complete by writing something behind it: from then on a bit
    /// that rots in it is found as damage instead of being cut off as a torn tail. To be called when the queue has run
    /// empty; it costs one block, once.
    ///
    /// # Errors
    /// As [`Self::commit`].
    pub fn settle(&mut self) -> Result<(), WalFault> {
        self.commit()?;
        // A segment without room for one more block is settled by the next one.
        if self.settled || self.room() < BLOCK_BYTES as u64 {
            return Ok(());
        }
        self.stage(Header::mark(Class::Settled), &[]);
        let written = self.write_staged();
        self.guard(written)?;
        self.settled = true;
        Ok(())
    }

    /// How many bytes are staged.
    pub fn staged_bytes(&self) -> usize {
        self.staging.used
    }

    /// The segment being written.
    pub fn segment(&self) -> SegmentNumber {
        self.end.segment
    }

    /// The last blob of that name of a group, if one stands.
    pub fn kept(&self, group: GroupId, name: u16) -> Option<&[u8]> {
        self.standing.kept.get(&(group, name)).map(Vec::as_slice)
    }

    /// The reserve of empty segments, to be filled from another thread.
    pub fn spares(&self) -> Arc<Spares> {
        Arc::clone(&self.spares)
    }

    /// A reader of committed frames, for any thread.
    pub fn reader(&self) -> WalReader {
        WalReader::new(self.segments.clone(), self.options.identity)
    }

    /// Gives the segments below `before` free (the one being written stays); they will be written again.
    ///
    /// # Errors
    /// Any fault stops the log.
    pub fn release(&mut self, before: SegmentNumber) -> Result<(), WalFault> {
        self.check()?;
        let released = self.release_files(before.min(self.end.segment));
        self.guard(released)
    }

    fn release_files(&self, before: SegmentNumber) -> Result<(), WalFault> {
        let mut any = false;
        while let Some((segment, file)) = self.segments.pop_below(before) {
            self.spares.recycle(&name_of(segment), file)?;
            any = true;
        }
        if any {
            self.sync_directory()?;
        }
        Ok(())
    }

    fn sync_directory(&self) -> Result<(), WalFault> {
        let name = self.directory.display().to_string();
        self.disk.sync_dir(&self.directory).map_err(WalFault::disk(&name, "syncing"))
    }

    fn check(&self) -> Result<(), WalFault> {
        match &self.poison {
            Some(because) => Err(WalFault::Poisoned { because: because.clone() }),
            None => Ok(()),
        }
    }

    fn guard<T>(&mut self, done: Result<T, WalFault>) -> Result<T, WalFault> {
        if let Err(fault) = &done {
            self.poison = Some(fault.to_string());
        }
        done
    }

    /// How many bytes the segment has left for the batch being staged.
    fn room(&self) -> u64 {
        self.end.limit.saturating_sub(self.end.offset)
    }

    /// Puts a frame behind those staged already; there is room.
    fn stage(&mut self, mut header: Header, body: &[u8]) -> Position {
        let start = self.staging.used;
        let body_start = start + HEADER_BYTES;
        let body_end = body_start + body.len();
        let end = start + frame_bytes(body.len());
        assert!(end <= self.staging.blocks.len(), "a frame is staged where there is room");
        let bytes = self.staging.blocks.as_mut_slice();
        bytes[body_start..body_end].copy_from_slice(body);
        bytes[body_end..end].fill(0);
        // Over the copy: what is checked is what is written.
        header.place(self.end.segment, self.end.when, &bytes[body_start..body_end]);
        header.seal(self.options.identity);
        bytes[start..body_start].copy_from_slice(header.as_bytes());
        self.staging.last = Some((start, header));
        self.staging.used = end;
        header.position(self.end.offset + start as u64)
    }

    fn write_staged(&mut self) -> Result<(), WalFault> {
        let Staging { blocks, used, last } = &mut self.staging;
        let Some((start, mut header)) = last.take() else { return Ok(()) };
        let bytes = blocks.as_mut_slice();
        header.mark_last();
        header.seal(self.options.identity);
        bytes[start..start + HEADER_BYTES].copy_from_slice(header.as_bytes());
        let whole = used.next_multiple_of(BLOCK_BYTES);
        bytes[*used..whole].fill(0);

        let written = self.end.file.write_durable_at(&bytes[..whole], self.end.offset);
        written.map_err(WalFault::disk(&name_of(self.end.segment), "writing"))?;
        self.end.offset += whole as u64;
        self.end.when.batch += 1;
        *used = 0;
        Ok(())
    }

    /// Goes on in a new segment. Nothing is staged.
    fn rotate(&mut self) -> Result<(), WalFault> {
        assert!(self.staging.used == 0, "a batch lies in one segment");
        let spare = self.spares.take()?;
        let rotated = self.rotate_into(spare);
        self.guard(rotated)
    }

    /// The new file takes its place by its name, after its header and the standing controls are durable in it.
    fn rotate_into(&mut self, spare: Spare) -> Result<(), WalFault> {
        let segment = self.end.segment.next();
        let name = name_of(segment);
        let (limit, when) = (self.options.segment_bytes, self.end.when);
        let opening = Opening { segment, bytes: limit, previous_end: self.end.offset, when };
        let block = opening.encode(self.options.identity);
        spare.file.write_durable_at(block.as_slice(), 0).map_err(WalFault::disk(&name, "writing"))?;
        self.end = End { segment, file: Arc::clone(&spare.file), limit, offset: FIRST_BATCH, when };
        self.restate()?;
        let renamed = self.disk.rename(&self.directory.join(&spare.name), &self.directory.join(&name));
        renamed.map_err(WalFault::disk(&name, "naming"))?;
        self.sync_directory()?;
        self.segments.insert(segment, spare.file);
        self.settled = true;
        Ok(())
    }

    /// Writes the standing controls into the segment, so that older segments can go.
    fn restate(&mut self) -> Result<(), WalFault> {
        let standing = core::mem::take(&mut self.standing);
        for control in standing.controls() {
            let body = match control {
                Control::Keep { body, .. } => body,
                Control::Truncate { .. } | Control::Purge { .. } | Control::Forget { .. } => &[],
            };
            let frame = frame_bytes(body.len());
            if self.staging.used + frame > self.staging.blocks.len() {
                self.write_staged()?;
            }
            if padded(self.staging.used + frame) > self.room() {
                return Err(WalFault::Options {
                    rule: "a segment has room for the standing controls of all groups",
                });
            }
            self.stage(Header::control(&control), body);
        }
        self.standing = standing;
        self.write_staged()
    }
}

/// The bytes that a batch takes on disk.
fn padded(bytes: usize) -> u64 {
    bytes.next_multiple_of(BLOCK_BYTES) as u64
}

/// The segments among `names` that are below `from`, and the others, which must have no gaps.
fn split(
    names: &[String],
    from: SegmentNumber,
) -> Result<(Vec<SegmentNumber>, Vec<SegmentNumber>), WalFault> {
    let segments = names.iter().filter_map(|name| number_of(name));
    let (covered, live): (Vec<_>, Vec<_>) = segments.partition(|segment| *segment < from);
    let missing = |segment| WalFault::Missing { file: name_of(segment) };
    let first = live.first().copied();
    if from > SegmentNumber::FIRST && first != Some(from) {
        return Err(missing(from));
    }
    for pair in live.windows(2) {
        if pair[1] != pair[0].next() {
            return Err(missing(pair[0].next()));
        }
    }
    Ok((covered, live))
}

struct Recovered {
    segments: Segments,
    /// Where writing goes on, in a new life, and whether that is inside a batch that was torn.
    end: Option<(End, bool)>,
    recovery: Recovery,
}

/// Reads all segments.
fn recover(
    disk: &Arc<dyn Disk>,
    directory: &Path,
    options: &WalOptions,
    live: &[SegmentNumber],
    visit: &mut Visit<'_>,
) -> Result<Recovered, WalFault> {
    let (first, last) = (SegmentNumber::FIRST, SegmentNumber::FIRST);
    let recovery = Recovery { first, last, frames: 0, bytes: 0, torn: None, created: live.is_empty() };
    let mut recovered = Recovered { segments: Segments::default(), end: None, recovery };
    let mut before: Option<Piece> = None;
    for &segment in live {
        let name = name_of(segment);
        let file = disk.open(&directory.join(&name)).map_err(WalFault::disk(&name, "opening"))?;
        recovered.segments.insert(segment, Arc::clone(&file));
        let opening = Opening::read(file.as_ref(), segment, options.identity)?;
        if let Some(piece) = before.replace(Piece { name, file, opening }) {
            piece.read_before(&opening, options.identity, &mut recovered.recovery, visit)?;
        }
    }
    if let Some(piece) = before {
        recovered.end = Some(piece.read_last(options.identity, &mut recovered.recovery, visit)?);
    }
    Ok(recovered)
}

/// A segment to be read.
struct Piece {
    name: String,
    file: Arc<dyn File>,
    opening: Opening,
}

impl Piece {
    /// Reads it up to where `next` says that it ends.
    fn read_before(
        &self,
        next: &Opening,
        identity: u64,
        recovery: &mut Recovery,
        visit: &mut Visit<'_>,
    ) -> Result<(), WalFault> {
        let mut walk = Walk::open(self.file.as_ref(), &self.name, self.opening, identity)?;
        walk.run_to(next.previous_end, visit)?;
        walk.count(recovery);
        if next.when.batch != walk.when.batch + 1 || next.when.life < walk.when.life {
            let what = "the segment does not continue the one before it";
            return Err(WalFault::Damaged { file: name_of(next.segment), offset: 0, what });
        }
        Ok(())
    }

    /// Writes the last batch again where it lies. It may be in the page cache only: the process was killed before its
    /// sync, or the sync failed, after which a later one does not save what the kernel has given up. All batches
    /// before it were durable before it was begun.
    fn write_again(&self, from: u64, to: u64) -> Result<(), WalFault> {
        let bytes = to.next_multiple_of(BLOCK_BYTES as u64) - from;
        let mut batch = Blocks::zeroed(usize::try_from(bytes).unwrap_or(usize::MAX));
        if bytes == 0 {
            return self.file.sync().map_err(WalFault::disk(&self.name, "syncing"));
        }
        self.file.read_at(batch.as_mut_slice(), from).map_err(WalFault::disk(&self.name, "reading"))?;
        self.file.write_durable_at(batch.as_slice(), from).map_err(WalFault::disk(&self.name, "writing"))
    }

    /// Reads the last one up to its tail.
    fn read_last(
        self,
        identity: u64,
        recovery: &mut Recovery,
        visit: &mut Visit<'_>,
    ) -> Result<(End, bool), WalFault> {
        let segment = self.opening.segment;
        let mut walk = Walk::open(self.file.as_ref(), &self.name, self.opening, identity)?;
        recovery.torn = walk.run_to_tail(visit)?;
        walk.count(recovery);
        self.write_again(walk.batch_began, walk.offset)?;
        let when = When { life: walk.when.life + 1, batch: walk.when.batch + 1 };
        let (offset, inside) = (walk.offset, walk.inside);
        Ok((End { segment, file: self.file, limit: self.opening.bytes, offset, when }, inside))
    }
}
