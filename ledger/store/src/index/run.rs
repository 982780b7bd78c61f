//! A run: the sorted entries of some segments in one file.
//!
//! ```text
//! header      magic, format, first segment                            16 bytes
//! blocks      256 entries each: fingerprints, record numbers counted from the run's first
//! filter      the filter's lines
//! directory   segments, entries, spans of ids, ends and first fingerprints of the blocks
//! trailer     where the directory is, first segment, format, magic    40 bytes
//! ```
//!
//! Every piece bears a crc32c over its place and bytes, as in a segment.

use super::filter::{Filter, LINE_BYTES};
use super::key::{Key, KeyKind};
use crate::disk::File;
use crate::journal::{JournalFault, Piece};
use crate::segment::{
    Columns, Cursor, Home, Malformed, Span, encode_columns, first_record, narrow, put_varint, seal, wide,
};
use fen_book::{CHUNK_RECORDS, RecordNumber, TransferId};
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// The version of the format that this release writes, and the newest that it reads.
const FORMAT: u32 = 1;
const MAGIC: [u8; 8] = *b"FEN-RUNS";
const HEADER_BYTES: u64 = 16;
const TRAILER_BYTES: usize = 40;
/// Entries in a block.
pub(crate) const BLOCK_ENTRIES: usize = 256;
/// Full blocks are written together.
const WRITE_BYTES: usize = 1 << 20;

/// The name of a run's file, as in `00000008-00000015.run`: its first and its last segment.
pub(crate) fn run_name(segments: &RangeInclusive<u32>) -> String {
    format!("{:08}-{:08}.run", segments.start(), segments.end())
}

/// The segments that a name stands for, or `None` where it is not a run's.
pub(crate) fn parse_run_name(name: &str) -> Option<RangeInclusive<u32>> {
    let (first, last) = name.strip_suffix(".run")?.split_once('-')?;
    let segments = first.parse().ok()?..=last.parse().ok()?;
    (run_name(&segments) == name && !segments.is_empty()).then_some(segments)
}

/// One entry: fingerprint, and record number counted from the run's first.
pub(crate) type Entry = (u64, u64);

/// The spans of ids of a run, by role.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Spans {
    of_ids: Option<Span<TransferId>>,
    of_pending_ids: Option<Span<TransferId>>,
}

impl Spans {
    fn widen(&mut self, kind: KeyKind, id: TransferId) {
        let span = match kind {
            KeyKind::Id => &mut self.of_ids,
            KeyKind::PendingId => &mut self.of_pending_ids,
        };
        let held = span.get_or_insert(Span { min: id, max: id });
        *held = Span { min: held.min.min(id), max: held.max.max(id) };
    }

    fn join(&mut self, other: &Self) {
        for (kind, span) in [(KeyKind::Id, other.of_ids), (KeyKind::PendingId, other.of_pending_ids)] {
            if let Some(span) = span {
                self.widen(kind, span.min);
                self.widen(kind, span.max);
            }
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        for span in [self.of_ids, self.of_pending_ids] {
            out.push(u8::from(span.is_some()));
            if let Some(span) = span {
                put_varint(span.min.get(), out);
                put_varint(span.max.get(), out);
            }
        }
    }

    fn decode(cursor: &mut Cursor<'_>) -> Result<Self, Malformed> {
        let mut spans = [None, None];
        for span in &mut spans {
            if cursor.byte()? != 0 {
                let (min, max) = (cursor.wide_varint()?, cursor.wide_varint()?);
                *span = Some(Span { min: TransferId::new(min), max: TransferId::new(max) });
            }
        }
        let [of_ids, of_pending_ids] = spans;
        Ok(Self { of_ids, of_pending_ids })
    }
}

/// What is known of a run before its entries are written.
#[derive(Clone, Debug)]
pub(crate) struct Outline {
    pub(crate) segments: RangeInclusive<u32>,
    pub(crate) entries: u64,
    pub(crate) spans: Spans,
}

impl Outline {
    /// The outline of several neighbours merged.
    pub(crate) fn of(runs: &[Arc<Run>]) -> Option<Self> {
        let (first, last) = (runs.first()?, runs.last()?);
        let segments = *first.segments().start()..=*last.segments().end();
        let mut outline = Self { segments, entries: 0, spans: Spans::default() };
        for run in runs {
            outline.entries += run.outline.entries;
            outline.spans.join(&run.outline.spans);
        }
        Some(outline)
    }
}

/// Writes a run from entries that come in order.
pub(crate) struct RunWriter<W> {
    outline: Outline,
    /// Takes the next bytes of the file.
    write: W,
    buffer: Vec<u8>,
    written: u64,
    held: Vec<Entry>,
    firsts: Vec<u64>,
    ends: Vec<u64>,
    filter: Filter,
}

impl<E, W: FnMut(&[u8]) -> Result<(), E>> RunWriter<W> {
    pub(crate) fn new(outline: Outline, write: W) -> Self {
        let first = *outline.segments.start();
        let filter = Filter::for_keys(outline.entries);
        let mut buffer = Vec::with_capacity(2 * WRITE_BYTES);
        buffer.extend_from_slice(&MAGIC);
        buffer.extend_from_slice(&FORMAT.to_le_bytes());
        buffer.extend_from_slice(&first.to_le_bytes());
        let held = Vec::with_capacity(BLOCK_ENTRIES);
        Self { outline, write, buffer, written: 0, held, firsts: Vec::new(), ends: Vec::new(), filter }
    }

    fn first(&self) -> u32 {
        *self.outline.segments.start()
    }

    fn end(&self) -> u64 {
        self.written + u64::from(narrow(self.buffer.len()))
    }

    fn flush(&mut self) -> Result<(), E> {
        (self.write)(&self.buffer)?;
        self.written = self.end();
        self.buffer.clear();
        Ok(())
    }

    /// Adds the next entry; none is below the one before.
    pub(crate) fn add(&mut self, entry: Entry) -> Result<(), E> {
        self.filter.insert(entry.0);
        self.held.push(entry);
        if self.held.len() == BLOCK_ENTRIES { self.write_block() } else { Ok(()) }
    }

    fn write_block(&mut self) -> Result<(), E> {
        assert!(self.held.is_sorted(), "a run's entries are in order");
        let Some((first, _)) = self.held.first() else { return Ok(()) };
        self.firsts.push(*first);
        let fingerprints: Vec<u64> = self.held.iter().map(|entry| entry.0).collect();
        let numbers: Vec<u64> = self.held.iter().map(|entry| entry.1).collect();
        self.held.clear();
        let start = self.buffer.len();
        encode_columns(&[&fingerprints[..], &numbers[..]], &mut self.buffer);
        seal(Piece::Block(narrow(self.ends.len())), self.first(), start, &mut self.buffer);
        self.ends.push(self.end());
        if self.buffer.len() >= WRITE_BYTES { self.flush() } else { Ok(()) }
    }

    /// Writes what is left: the last block, filter, directory and trailer.
    pub(crate) fn finish(mut self) -> Result<(), E> {
        self.write_block()?;
        self.flush()?;
        let first = self.first();
        self.buffer.extend_from_slice(self.filter.bytes());
        seal(Piece::Filter, first, 0, &mut self.buffer);
        self.flush()?;
        let start = self.written;
        put_varint(u128::from(*self.outline.segments.end()), &mut self.buffer);
        put_varint(u128::from(self.outline.entries), &mut self.buffer);
        self.outline.spans.encode(&mut self.buffer);
        for (ends, firsts) in self.ends.chunks(BLOCK_ENTRIES).zip(self.firsts.chunks(BLOCK_ENTRIES)) {
            encode_columns(&[ends, firsts], &mut self.buffer);
        }
        seal(Piece::Directory, first, 0, &mut self.buffer);
        let length = u64::from(narrow(self.buffer.len()));
        let begin = self.buffer.len();
        self.buffer.extend_from_slice(&start.to_le_bytes());
        self.buffer.extend_from_slice(&length.to_le_bytes());
        self.buffer.extend_from_slice(&first.to_le_bytes());
        self.buffer.extend_from_slice(&FORMAT.to_le_bytes());
        let sum = crc32c::crc32c(&self.buffer[begin..]);
        self.buffer.extend_from_slice(&sum.to_le_bytes());
        self.buffer.extend_from_slice(&[0; 4]);
        self.buffer.extend_from_slice(&MAGIC);
        self.flush()
    }
}

/// Gathers the entries of one segment's records, for its run.
pub(crate) struct SegmentEntries {
    segment: u32,
    entries: Vec<u64>,
    spans: Spans,
}

impl SegmentEntries {
    pub(crate) fn of(segment: u32) -> Self {
        Self { segment, entries: Vec::with_capacity(CHUNK_RECORDS), spans: Spans::default() }
    }

    /// Adds the keys of the record at a position.
    pub(crate) fn add(&mut self, position: u32, id: TransferId, pending_id: TransferId) {
        for (kind, id) in [(KeyKind::Id, id), (KeyKind::PendingId, pending_id)] {
            if !id.is_zero() {
                self.spans.widen(kind, id);
                self.entries.push(Key::new(kind, id).fingerprint() << POSITION_BITS | u64::from(position));
            }
        }
    }

    /// The run as bytes.
    pub(crate) fn encode(mut self) -> Vec<u8> {
        self.entries.sort_unstable();
        let entries = u64::from(narrow(self.entries.len()));
        let outline = Outline { segments: self.segment..=self.segment, entries, spans: self.spans };
        let mut bytes = Vec::new();
        let mut writer = RunWriter::new(outline, |part: &[u8]| {
            bytes.extend_from_slice(part);
            Ok::<(), std::convert::Infallible>(())
        });
        for entry in self.entries {
            let Ok(()) = writer.add((entry >> POSITION_BITS, entry & ((1 << POSITION_BITS) - 1)));
        }
        let Ok(()) = writer.finish();
        bytes
    }
}

/// Bits of a position in a chunk.
const POSITION_BITS: u32 = 16;

const _: () = assert!(CHUNK_RECORDS == 1 << POSITION_BITS, "a position in a chunk has 16 bits");

/// An open run: its directory in memory, its filter once it has been needed, its entries on disk.
pub(crate) struct Run {
    file: Arc<dyn File>,
    path: PathBuf,
    outline: Outline,
    firsts: Vec<u64>,
    ends: Vec<u64>,
    /// Where the filter is; its length is a multiple of a line, and a checksum.
    filter_range: Range<u64>,
    filter: OnceLock<Filter>,
    loading: Mutex<()>,
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Run").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Run {
    /// The number of the first record that it covers.
    pub(crate) fn first(&self) -> RecordNumber {
        RecordNumber::new(u64::from(*self.outline.segments.start()) * CHUNK_RECORDS as u64)
    }

    /// Opens a run: reads and checks trailer and directory.
    pub(crate) fn open(file: Arc<dyn File>, path: &Path) -> Result<Self, JournalFault> {
        let size = file.size().map_err(|source| JournalFault::disk(path, "asking for its size", source))?;
        let home = Home { file: &*file, path, number: 0 };
        let (range, first) = read_trailer(&home, size)?;
        let home = Home { number: first, ..home };
        let body = home.read(Piece::Directory, &range)?;
        let mut cursor = Cursor::new(body.bytes(), body.end());
        let (outline, ends, firsts) = parse_directory(&mut cursor, body.bytes(), first)
            .map_err(|malformed| home.malformed(Piece::Directory, range.start, malformed))?;
        let blocks_end = ends.last().copied().unwrap_or(HEADER_BYTES);
        let in_order = ends.is_sorted_by(|a, b| a < b)
            && ends.first().is_none_or(|end| *end > HEADER_BYTES)
            && firsts.is_sorted()
            && range.start.checked_sub(blocks_end).is_some_and(|length| length > 4 && length % 64 == 4);
        if !in_order {
            return Err(home.damaged(Piece::Directory, range.start, "its pieces do not lie in a row"));
        }
        let filter_range = blocks_end..range.start;
        Ok(Self {
            path: path.to_path_buf(),
            outline,
            firsts,
            ends,
            filter_range,
            filter: OnceLock::new(),
            loading: Mutex::new(()),
            file,
        })
    }

    /// Which segments it covers.
    pub(crate) fn segments(&self) -> &RangeInclusive<u32> {
        &self.outline.segments
    }

    /// How many segments it covers.
    pub(crate) fn length(&self) -> u32 {
        self.outline.segments.end() - self.outline.segments.start() + 1
    }

    /// Where its file is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn block_count(&self) -> u32 {
        narrow(self.ends.len())
    }

    fn span(&self, kind: KeyKind) -> Option<&Span<TransferId>> {
        match kind {
            KeyKind::Id => self.outline.spans.of_ids.as_ref(),
            KeyKind::PendingId => self.outline.spans.of_pending_ids.as_ref(),
        }
    }

    /// Whether some id between the two may be here in that role.
    pub(crate) fn meets(&self, kind: KeyKind, lowest: TransferId, highest: TransferId) -> bool {
        self.span(kind).is_some_and(|span| span.min <= highest && span.max >= lowest)
    }

    /// Reads everything: all blocks and the filter.
    pub(crate) fn verify(&self) -> Result<(), JournalFault> {
        (0..self.block_count()).try_for_each(|number| self.block(number).map(drop))?;
        self.filter().map(drop)
    }

    /// Whether the key lies between the smallest and the largest of its kind.
    #[inline]
    pub(crate) fn may_hold(&self, key: Key) -> bool {
        self.span(key.kind()).is_some_and(|span| span.holds(key.id()))
    }

    fn home(&self) -> Home<'_> {
        Home { file: &*self.file, path: &self.path, number: *self.outline.segments.start() }
    }

    /// The filter, loaded now if this is the first time.
    pub(crate) fn filter(&self) -> Result<&Filter, JournalFault> {
        if let Some(filter) = self.filter.get() {
            return Ok(filter);
        }
        let _only_one_loads = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        if self.filter.get().is_none() {
            let length = self.filter_range.end - self.filter_range.start - 4;
            let bytes = usize::try_from(length).unwrap_or(0);
            let home = self.home();
            let read = |out: &mut [u8]| home.read_into(Piece::Filter, self.filter_range.start, out);
            let _ = self.filter.set(Filter::filled(bytes / LINE_BYTES * LINE_BYTES, read)?);
        }
        let fault = || self.home().damaged(Piece::Filter, self.filter_range.start, "it could not be kept");
        self.filter.get().ok_or_else(fault)
    }

    /// The entries of a block.
    pub(crate) fn block(&self, number: u32) -> Result<RunBlock, JournalFault> {
        let piece = Piece::Block(number);
        let index = wide(number);
        let start = index.checked_sub(1).map_or(HEADER_BYTES, |before| self.ends[before]);
        let range = start..self.ends[index];
        let home = self.home();
        let body = home.read(piece, &range)?;
        let whole = self.ends.len() * BLOCK_ENTRIES;
        let entries = usize::try_from(self.outline.entries).unwrap_or(whole);
        let count = entries.saturating_sub(index * BLOCK_ENTRIES).min(BLOCK_ENTRIES);
        let columns = Columns::parse(&mut Cursor::new(body.bytes(), body.end()), count)
            .map_err(|malformed| home.malformed(piece, range.start, malformed))?;
        Ok(RunBlock { body, columns, count })
    }

    /// The fault of a file whose segments are not those in its name.
    pub(crate) fn misnamed(&self) -> JournalFault {
        self.home().damaged(Piece::Frame, 0, "its segments are not those in its name")
    }

    /// The fault of a block whose entries fall.
    pub(crate) fn out_of_order(&self, number: u32) -> JournalFault {
        self.home().damaged(Piece::Block(number), 0, "its entries are out of order")
    }

    /// Every record number that stands under the key's fingerprint.
    pub(crate) fn candidates(
        &self,
        key: Key,
        mut found: impl FnMut(RecordNumber),
    ) -> Result<(), JournalFault> {
        let wanted = key.fingerprint();
        let base = first_record(*self.outline.segments.start()).get();
        // Equal fingerprints may begin at the end of the block before the first that begins with them.
        let begin = self.firsts.partition_point(|first| *first < wanted).saturating_sub(1);
        for index in begin..self.firsts.len() {
            if self.firsts[index] > wanted {
                break;
            }
            let block = self.block(narrow(index))?;
            for row in block.lower_bound(wanted)..block.count {
                let (fingerprint, number) = block.entry(row);
                if fingerprint != wanted {
                    break;
                }
                found(RecordNumber::new(base.saturating_add(number)));
            }
        }
        Ok(())
    }
}

/// A block of entries read back.
pub(crate) struct RunBlock {
    body: crate::segment::Body,
    columns: Columns<2>,
    count: usize,
}

impl RunBlock {
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    #[inline]
    pub(crate) fn entry(&self, row: usize) -> Entry {
        let bytes = self.body.bytes();
        (self.columns.get(bytes, 0, row), self.columns.get(bytes, 1, row))
    }

    /// The first row that is not below.
    fn lower_bound(&self, wanted: u64) -> usize {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low.midpoint(high);
            if self.columns.get(self.body.bytes(), 0, middle) < wanted {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}

fn parse_directory(
    cursor: &mut Cursor<'_>,
    bytes: &[u8],
    first: u32,
) -> Result<(Outline, Vec<u64>, Vec<u64>), Malformed> {
    let begin = cursor.malformed();
    let last = u32::try_from(cursor.varint()?).map_err(|_| begin)?;
    let entries = cursor.varint()?;
    let spans = Spans::decode(cursor)?;
    // Two entries a record at most.
    let records = u64::from(last.checked_sub(first).ok_or(begin)?).saturating_add(1) << 16;
    if entries > 2 * records {
        return Err(begin);
    }
    let blocks = usize::try_from(entries.div_ceil(u64::from(narrow(BLOCK_ENTRIES)))).map_err(|_| begin)?;
    let (mut ends, mut firsts) = (Vec::new(), Vec::new());
    for group in (0..blocks).step_by(BLOCK_ENTRIES) {
        let rows = (blocks - group).min(BLOCK_ENTRIES);
        let columns: Columns<2> = Columns::parse(cursor, rows)?;
        ends.extend((0..rows).map(|row| columns.get(bytes, 0, row)));
        firsts.extend((0..rows).map(|row| columns.get(bytes, 1, row)));
    }
    Ok((Outline { segments: first..=last, entries, spans }, ends, firsts))
}

/// Where the directory is, and the first segment.
fn read_trailer(home: &Home<'_>, size: u64) -> Result<(Range<u64>, u32), JournalFault> {
    let Some(at) = size.checked_sub(u64::from(narrow(TRAILER_BYTES))) else {
        return Err(home.damaged(Piece::Frame, 0, "the file is too short for an index run"));
    };
    let mut bytes = [0; TRAILER_BYTES];
    home.file
        .read_at(&mut bytes, at)
        .map_err(|source| JournalFault::disk(home.path, "reading the trailer", source))?;
    let number = |at: usize| bytes[at..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    let word = |at: usize| bytes[at..].first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
    if bytes[32..] != MAGIC {
        return Err(home.damaged(Piece::Frame, at, "it does not end as an index run does"));
    }
    if word(24) != crc32c::crc32c(&bytes[..24]) {
        return Err(home.damaged(Piece::Frame, at, "its checksum differs"));
    }
    if word(20) > FORMAT {
        return Err(JournalFault::Newer { file: home.path.to_path_buf(), found: word(20), known: FORMAT });
    }
    let (start, length) = (number(0), number(8));
    if start.checked_add(length) != Some(at) {
        return Err(home.damaged(Piece::Frame, at, "it leads nowhere"));
    }
    Ok((start..at, word(16)))
}
