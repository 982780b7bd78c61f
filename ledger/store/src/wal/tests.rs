//! Tests of the log as a whole. `crash` breaks the disk under it, `damage` its bytes.

mod crash;
mod damage;

use super::*;
use crate::disk::{Disk, MemoryDisk, RealDisk};
use std::path::Path;
use std::sync::Arc;

const DIRECTORY: &str = "wal";
const GROUP: GroupId = GroupId::new(3);

/// Small segments, so that few entries fill many.
fn small() -> WalOptions {
    WalOptions {
        segment_bytes: 32 << 10,
        staging_bytes: 16 << 10,
        spares_min: 1,
        spares_max: 3,
        ..WalOptions::new(99)
    }
}

/// A frame as a test remembers it.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Seen {
    Entry { group: u32, index: u64, term: u64, body: Vec<u8> },
    Keep { group: u32, name: u16, body: Vec<u8> },
    Truncate { group: u32, from: u64 },
    Purge { group: u32, up_to: u64, term: u64 },
    Forget { group: u32 },
}

impl Seen {
    fn of(found: &Found<'_>) -> Self {
        match *found {
            Found::Entry(Entry { group, index, term, kind, stamp, body }) => {
                assert_eq!(
                    (u64::from(kind), stamp.get()),
                    (term % 7, index.get() * 10),
                    "all fields come back"
                );
                assert_eq!(body.as_ptr().addr() % 64, 0, "bodies are aligned");
                Self::Entry { group: group.get(), index: index.get(), term, body: body.to_owned() }
            }
            Found::Control(Control::Keep { group, name, body }) => {
                Self::Keep { group: group.get(), name, body: body.to_owned() }
            }
            Found::Control(Control::Truncate { group, from }) => {
                Self::Truncate { group: group.get(), from: from.get() }
            }
            Found::Control(Control::Purge { group, up_to, term }) => {
                Self::Purge { group: group.get(), up_to: up_to.get(), term }
            }
            Found::Control(Control::Forget { group }) => Self::Forget { group: group.get() },
        }
    }
}

/// An opened log with all that it showed.
struct Opened {
    wal: Wal,
    recovery: Recovery,
    seen: Vec<(Position, Seen)>,
}

impl Opened {
    /// The indexes of the entries shown.
    fn indexes(&self) -> Vec<u64> {
        let index = |(_, seen): &(Position, Seen)| match seen {
            Seen::Entry { index, .. } => Some(*index),
            Seen::Keep { .. } | Seen::Truncate { .. } | Seen::Purge { .. } | Seen::Forget { .. } => None,
        };
        self.seen.iter().filter_map(index).collect()
    }
}

fn open_from(disk: &dyn Fn() -> Arc<dyn Disk>, options: &WalOptions, from: u64) -> Result<Opened, WalFault> {
    let mut seen = Vec::new();
    let mut visit = |position, found: Found<'_>| {
        seen.push((position, Seen::of(&found)));
        Ok(())
    };
    let from = SegmentNumber::new(from);
    let (wal, recovery) = Wal::open(disk(), Path::new(DIRECTORY), options, from, &mut visit)?;
    Ok(Opened { wal, recovery, seen })
}

fn open(disk: &MemoryDisk) -> Result<Opened, WalFault> {
    open_from(&|| Arc::new(disk.clone()), &small(), 1)
}

fn entry(index: u64, body: &[u8]) -> Entry<'_> {
    let term = index / 3;
    let kind = u16::try_from(term % 7).unwrap();
    Entry { group: GROUP, index: LogIndex::new(index), term, kind, stamp: Stamp::new(index * 10), body }
}

/// The body that belongs to an index, of a length that depends on it.
fn body_of(index: u64) -> Vec<u8> {
    let length = usize::try_from(index * 997 % 5000).unwrap();
    (0..length).map(|at| u8::try_from((at as u64 + index) % 251).unwrap()).collect()
}

/// Appends and commits entries, `per_commit` at a time.
fn write(wal: &mut Wal, indexes: core::ops::Range<u64>, per_commit: u64) -> Result<Vec<Position>, WalFault> {
    let mut positions = Vec::new();
    for index in indexes {
        positions.push(wal.append(&entry(index, &body_of(index)))?);
        if (index + 1) % per_commit == 0 {
            wal.commit()?;
        }
    }
    wal.commit()?;
    Ok(positions)
}

fn expect(indexes: core::ops::Range<u64>) -> Vec<Seen> {
    indexes
        .map(|index| Seen::Entry { group: GROUP.get(), index, term: index / 3, body: body_of(index) })
        .collect()
}

fn seen_only(opened: &Opened) -> Vec<Seen> {
    opened.seen.iter().map(|(_, seen)| seen.clone()).collect()
}

#[test]
fn what_was_committed_comes_back_in_order() {
    for per_commit in [1, 4, 1000] {
        let disk = MemoryDisk::new();
        let mut first = open(&disk).unwrap();
        assert!(first.recovery.created && first.seen.is_empty());
        let positions = write(&mut first.wal, 0..60, per_commit).unwrap();
        assert!(first.wal.segment() > SegmentNumber::new(3), "several segments are filled");
        drop(first);
        disk.crash(1);

        let second = open(&disk).unwrap();
        assert_eq!(seen_only(&second), expect(0..60));
        assert_eq!(second.seen.iter().map(|(position, _)| *position).collect::<Vec<_>>(), positions);
        assert_eq!(
            (second.recovery.frames, second.recovery.torn, second.recovery.created),
            (60, None, false)
        );
    }
}

#[test]
fn many_lives_make_one_log() {
    let disk = MemoryDisk::new();
    for life in 0..20 {
        let mut opened = open(&disk).unwrap();
        assert_eq!(seen_only(&opened), expect(0..life * 3));
        write(&mut opened.wal, life * 3..life * 3 + 3, 2).unwrap();
        if life % 2 == 0 {
            opened.wal.settle().unwrap();
            opened.wal.settle().unwrap();
        }
        disk.crash(life);
    }
}

#[test]
fn a_real_disk_keeps_it_too() {
    let directory = tempfile::tempdir().unwrap();
    let real = || -> Arc<dyn Disk> { Arc::new(RealDisk::open(directory.path()).unwrap()) };
    let mut opened = open_from(&real, &small(), 1).unwrap();
    assert_eq!(opened.wal.spares().fill().unwrap(), 1);
    let positions = write(&mut opened.wal, 0..50, 5).unwrap();
    let reader = opened.wal.reader();
    for (index, position) in positions.iter().enumerate() {
        let stored = reader.read(*position).unwrap();
        assert_eq!(stored.entry().unwrap().index.get(), index as u64);
        assert_eq!(stored.body(), body_of(index as u64));
    }
    drop((opened, reader));
    let again = open_from(&real, &small(), 1).unwrap();
    assert_eq!(seen_only(&again), expect(0..50));
}

#[test]
fn nothing_staged_is_seen_before_a_commit() {
    let disk = MemoryDisk::new();
    let mut opened = open(&disk).unwrap();
    opened.wal.append(&entry(0, b"staged")).unwrap();
    assert!(opened.wal.staged_bytes() > 0);
    disk.crash(0);
    assert!(open(&disk).unwrap().seen.is_empty());
}

#[test]
fn limits_are_refused_and_harm_nothing() {
    let disk = MemoryDisk::new();
    let mut opened = open(&disk).unwrap();
    let fault = opened.wal.append(&entry(0, &vec![0; 40_000])).unwrap_err();
    assert!(matches!(fault, WalFault::TooLarge { bytes: 40_000, .. }), "{fault}");
    let blob = Control::Keep { group: GROUP, name: 1, body: &[0; KEEP_BYTES_MAX + 1] };
    assert!(matches!(opened.wal.append_control(&blob).unwrap_err(), WalFault::TooLarge { .. }));
    write(&mut opened.wal, 0..3, 1).unwrap();

    let wide = WalOptions { segment_bytes: 4 << 20, ..WalOptions::new(1) };
    let other = MemoryDisk::new();
    let mut opened = open_from(&|| Arc::new(other.clone()), &wide, 1).unwrap();
    opened.wal.append(&entry(0, &vec![1; BODY_BYTES_MAX])).unwrap();
    let fault = opened.wal.append(&entry(0, &vec![1; BODY_BYTES_MAX + 1])).unwrap_err();
    assert_eq!(fault.to_string(), "a body of 1114113 bytes is beyond the limit of 1114112: split the batch");

    for segment_bytes in [0, 4096, 100_000, 2 << 30] {
        let options = WalOptions { segment_bytes, ..small() };
        let fault = open_from(&|| Arc::new(MemoryDisk::new()), &options, 1).err().unwrap();
        assert!(matches!(fault, WalFault::Options { .. }), "{fault}");
    }
}

#[test]
fn released_segments_live_again_and_their_past_stays_dead() {
    let disk = MemoryDisk::new();
    let mut opened = open(&disk).unwrap();
    let mut oldest = 0;
    for round in 0..30 {
        let positions = write(&mut opened.wal, round * 10..round * 10 + 10, 3).unwrap();
        let segment = opened.wal.segment();
        let reader = opened.wal.reader();
        opened.wal.release(segment).unwrap();
        for (position, index) in positions.iter().zip(round * 10..) {
            let read = reader.read(*position);
            if position.segment < segment {
                assert!(matches!(read, Err(WalFault::Released { .. })));
                oldest = index + 1;
            } else {
                assert_eq!(read.unwrap().body(), body_of(index));
            }
        }
        if round % 4 == 3 {
            disk.crash(round);
            opened = open(&disk).unwrap();
            assert_eq!(seen_only(&opened), expect(oldest..round * 10 + 10));
        }
    }
    let files = disk.list(Path::new(DIRECTORY)).unwrap().len();
    assert!(files <= 1 + small().spares_max, "space is bounded: {files} files");
}

#[test]
fn opening_from_a_checkpoint_reads_nothing_before_and_keeps_it() {
    let disk = MemoryDisk::new();
    let mut opened = open(&disk).unwrap();
    let positions = write(&mut opened.wal, 0..60, 4).unwrap();
    let from = positions[40].segment;
    let first = positions.iter().position(|position| position.segment == from).unwrap() as u64;
    disk.crash(5);
    let opened = open_from(&|| Arc::new(disk.clone()), &small(), from.get()).unwrap();
    assert_eq!(seen_only(&opened), expect(first..60));
    assert_eq!(opened.recovery.first, from);
    disk.crash(6);
    let mut opened = open(&disk).unwrap();
    assert_eq!(seen_only(&opened), expect(0..60), "an older checkpoint finds all that it needs");
    opened.wal.release(from).unwrap();
    disk.crash(6);
    assert_eq!(seen_only(&open(&disk).unwrap()), expect(first..60));
    disk.crash(6);
    let too_far = open_from(&|| Arc::new(disk.clone()), &small(), 1000).err().unwrap();
    assert!(matches!(too_far, WalFault::Missing { .. }), "{too_far}");
}

#[test]
fn standing_controls_survive_the_release_of_their_segment() {
    let disk = MemoryDisk::new();
    let mut opened = open(&disk).unwrap();
    let (one, two) = (GroupId::new(1), GroupId::new(2));
    let controls = [
        Control::Keep { group: one, name: 0, body: b"first vote" },
        Control::Keep { group: one, name: 0, body: b"vote" },
        Control::Keep { group: one, name: 1, body: b"committed" },
        Control::Keep { group: two, name: 0, body: b"gone" },
        Control::Purge { group: one, up_to: LogIndex::new(5), term: 2 },
        Control::Purge { group: one, up_to: LogIndex::new(4), term: 1 },
        Control::Truncate { group: one, from: LogIndex::new(9) },
        Control::Forget { group: two },
    ];
    for control in &controls {
        opened.wal.append_control(control).unwrap();
    }
    opened.wal.commit().unwrap();
    assert_eq!(opened.wal.kept(one, 0), Some(b"vote".as_slice()));
    assert_eq!(opened.wal.kept(two, 0), None);
    for round in 0..6 {
        write(&mut opened.wal, round * 20..round * 20 + 20, 3).unwrap();
        let segment = opened.wal.segment();
        opened.wal.release(segment).unwrap();
        disk.crash(round);
        opened = open(&disk).unwrap();
        let expected = [
            Seen::Keep { group: 1, name: 0, body: b"vote".to_vec() },
            Seen::Keep { group: 1, name: 1, body: b"committed".to_vec() },
            Seen::Purge { group: 1, up_to: 5, term: 2 },
        ];
        assert_eq!(&seen_only(&opened)[..3], &expected);
        assert_eq!(opened.wal.kept(one, 0), Some(b"vote".as_slice()));
    }
}

#[test]
fn an_index_is_built_while_the_log_is_recovered() {
    let disk = MemoryDisk::new();
    let mut opened = open(&disk).unwrap();
    write(&mut opened.wal, 1..31, 4).unwrap();
    opened.wal.append_control(&Control::Truncate { group: GROUP, from: LogIndex::new(21) }).unwrap();
    let replaced = opened.wal.append(&entry(21, b"another")).unwrap();
    opened.wal.append_control(&Control::Purge { group: GROUP, up_to: LogIndex::new(10), term: 3 }).unwrap();
    opened.wal.commit().unwrap();
    disk.crash(0);

    let mut index = GroupIndex::new();
    let mut visit =
        |position, found: Found<'_>| index.observe(position, &found).map_err(|fault| fault.to_string());
    let shared = Arc::new(disk.clone());
    let from = SegmentNumber::FIRST;
    let (wal, _) = Wal::open(shared, Path::new(DIRECTORY), &small(), from, &mut visit).unwrap();
    assert_eq!(index.get(GROUP, LogIndex::new(10)), None);
    assert_eq!(index.last(GROUP).unwrap().0, LogIndex::new(21));
    assert_eq!(index.get(GROUP, LogIndex::new(21)).unwrap().position, replaced);
    let reader = wal.reader();
    for value in 11..21 {
        let placed = index.get(GROUP, LogIndex::new(value)).unwrap();
        assert_eq!(reader.read(placed.position).unwrap().body(), body_of(value));
        assert_eq!(placed.term, value / 3);
    }
}

#[test]
fn a_visitor_can_refuse() {
    let disk = MemoryDisk::new();
    write(&mut open(&disk).unwrap().wal, 0..3, 1).unwrap();
    disk.crash(0);
    let mut visit = |_, _: Found<'_>| Err("a gap".to_owned());
    let shared = Arc::new(disk.clone());
    let fault =
        Wal::open(shared, Path::new(DIRECTORY), &small(), SegmentNumber::FIRST, &mut visit).err().unwrap();
    assert_eq!(fault.to_string(), "00000000000000000001.wal, frame at byte 4096: a gap");
    disk.crash(0);
    assert_eq!(open(&disk).unwrap().indexes(), [0, 1, 2]);
}
