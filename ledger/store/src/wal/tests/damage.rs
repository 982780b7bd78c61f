//! Bytes rot, files vanish, files are not what they seem.

use super::*;
use proptest::prelude::*;

/// A log of a few segments, and its segment files.
fn written(settled: bool) -> (MemoryDisk, Vec<String>) {
    let disk = MemoryDisk::new();
    let mut opened = open(&disk).unwrap();
    write(&mut opened.wal, 0..30, 3).unwrap();
    if settled {
        opened.wal.settle().unwrap();
    }
    disk.crash(0);
    let names = disk.list(Path::new(DIRECTORY)).unwrap();
    let names = names.into_iter().filter(|name| name.contains(".wal")).collect();
    (disk, names)
}

fn path(name: &str) -> std::path::PathBuf {
    Path::new(DIRECTORY).join(name)
}

/// Everything in a file.
fn content(disk: &MemoryDisk, name: &str) -> Vec<u8> {
    let file = disk.open(&path(name)).unwrap();
    let mut bytes = vec![0; usize::try_from(file.size().unwrap()).unwrap()];
    file.read_at(&mut bytes, 0).unwrap();
    bytes
}

/// Every flipped bit is either where no one looks (padding), or found and named. In no case are wrong bytes shown or
/// a part of what was settled lost.
#[test]
fn no_flipped_bit_changes_what_comes_back() {
    let (disk, names) = written(true);
    for name in &names {
        let bytes = content(&disk, name);
        let mut found = 0;
        for offset in (0..bytes.len() as u64).step_by(61) {
            let bit = u8::try_from(offset % 8).unwrap();
            assert!(disk.flip(&path(name), offset, bit));
            match open(&disk) {
                Ok(opened) => assert_eq!(seen_only(&opened), expect(0..30), "{name} byte {offset}"),
                Err(WalFault::Damaged { file, .. }) => {
                    assert_eq!(&file, name);
                    found += 1;
                }
                Err(WalFault::Newer { .. } | WalFault::Foreign { .. }) if offset < 64 => found += 1,
                Err(fault) => panic!("{name} byte {offset}: {fault}"),
            }
            restore(&disk, name, &bytes);
        }
        assert!(found > 0, "{name}");
    }
}

/// Puts a file back as it was, and removes what opening it has added.
fn restore(disk: &MemoryDisk, name: &str, bytes: &[u8]) {
    let file = disk.open(&path(name)).unwrap();
    file.write_at(bytes, 0).unwrap();
    file.sync().unwrap();
}

#[test]
fn an_unsettled_last_batch_that_rots_is_cut_and_reported() {
    let (disk, _) = written(false);
    let mut opened = open(&disk).unwrap();
    write(&mut opened.wal, 30..31, 1).unwrap();
    let position = opened.wal.append(&entry(31, b"the last word")).unwrap();
    opened.wal.commit().unwrap();
    disk.crash(0);
    assert!(disk.flip(&path(&segment::name_of(position.segment)), u64::from(position.offset) + 64, 1));
    let opened = open(&disk).unwrap();
    assert_eq!(seen_only(&opened), expect(0..31));
    assert_eq!(opened.recovery.torn.unwrap().offset, position.offset);
}

/// Batches of one size, so that any of them would fit in the place of any other.
#[test]
fn a_batch_in_the_place_of_another_is_damage() {
    let disk = MemoryDisk::new();
    let mut opened = open(&disk).unwrap();
    let body = [7; 100];
    let mut offsets = Vec::new();
    for index in 0..4 {
        offsets.push(u64::from(opened.wal.append(&entry(index, &body)).unwrap().offset));
        opened.wal.commit().unwrap();
    }
    opened.wal.settle().unwrap();
    disk.crash(0);
    let name = "00000000000000000001.wal";
    let bytes = content(&disk, name);
    for (lost, &to) in offsets.iter().enumerate() {
        for &from in offsets.iter().filter(|from| **from != to) {
            let from = usize::try_from(from).unwrap();
            disk.open(&path(name)).unwrap().write_at(&bytes[from..from + 4096], to).unwrap();
            let fault = open(&disk).err().unwrap();
            assert!(matches!(fault, WalFault::Damaged { offset, .. } if offset == to), "{lost}: {fault}");
            restore(&disk, name, &bytes);
        }
    }
    assert_eq!(open(&disk).unwrap().indexes(), [0, 1, 2, 3]);
}

/// Two logs of one identity, as when a backup is put back in part: each segment is sound, together they are not.
#[test]
fn a_segment_of_another_past_is_damage() {
    let log = |bodies: &[usize]| {
        let disk = MemoryDisk::new();
        let mut opened = open(&disk).unwrap();
        for (length, index) in bodies.iter().zip(0..) {
            opened.wal.append(&entry(index, &vec![1; *length])).unwrap();
            opened.wal.commit().unwrap();
        }
        assert_eq!(opened.wal.segment(), SegmentNumber::new(2));
        disk.crash(0);
        disk
    };
    let (block, two_blocks) = (4096 - 64, 8192 - 64);
    let seven = log(&[block; 8]);
    let four = log(&[two_blocks, two_blocks, two_blocks, block, block]);
    let second = "00000000000000000002.wal";
    restore(&seven, second, &content(&four, second));
    let text = open(&seven).err().unwrap().to_string();
    assert!(
        text.starts_with(&format!("{second} is damaged at byte 0: the segment does not continue")),
        "{text}"
    );
}

#[test]
fn a_missing_segment_is_named() {
    let (disk, names) = written(true);
    assert!(names.len() > 2);
    disk.remove(&path(&names[1])).unwrap();
    let fault = open(&disk).err().unwrap();
    assert!(fault.to_string().starts_with(&format!("{} is missing", names[1])), "{fault}");
}

#[test]
fn a_segment_cut_short_is_damage() {
    let (disk, names) = written(true);
    let bytes = content(&disk, &names[0]);
    disk.remove(&path(&names[0])).unwrap();
    for length in [0, 10, 4096, 5000, 20_000] {
        let file = disk.create(&path(&names[0])).unwrap();
        file.write_at(&bytes[..length], 0).unwrap();
        let fault = open(&disk).err().unwrap();
        assert!(matches!(&fault, WalFault::Damaged { file, .. } if *file == names[0]), "{fault}");
        disk.remove(&path(&names[0])).unwrap();
    }
}

#[test]
fn another_log_is_refused() {
    let (disk, _) = written(true);
    let other = WalOptions { identity: 100, ..small() };
    let fault = open_from(&|| Arc::new(disk.clone()), &other, 1).err().unwrap();
    assert!(matches!(fault, WalFault::Foreign { found: 99, expected: 100, .. }), "{fault}");
}

#[test]
fn reading_one_entry_verifies_it() {
    let disk = MemoryDisk::new();
    let mut opened = open(&disk).unwrap();
    let positions = write(&mut opened.wal, 0..5, 1).unwrap();
    let reader = opened.wal.reader();
    let name = "00000000000000000001.wal";
    for (offset, what) in [(0, "header"), (70, "body")] {
        let at = u64::from(positions[2].offset) + offset;
        assert!(disk.flip(&path(name), at, 3));
        let text = reader.read(positions[2]).err().unwrap().to_string();
        assert!(text.contains(&format!("{name} is damaged at byte {}", positions[2].offset)), "{text}");
        assert!(text.contains(what), "{text}");
        assert!(disk.flip(&path(name), at, 3));
    }
    assert_eq!(reader.read(positions[2]).unwrap().body(), body_of(2));
    let wrong = Position { length: positions[2].length + 1, ..positions[2] };
    assert!(reader.read(wrong).is_err());
    let beyond = Position { offset: 1 << 29, ..positions[2] };
    assert!(matches!(reader.read(beyond), Err(WalFault::Disk { .. })));
}

/// Where the last block with anything in it begins: in a settled log, the mark that proves the last batch.
fn content_end(disk: &MemoryDisk, name: &str) -> usize {
    let bytes = content(disk, name);
    let last = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    last - last % 4096
}

/// Everything is there. Only where the damage has taken the proof of the last batch together with the batch, the log
/// looks as if the power had failed in that commit, and ends in it: no log can tell the two apart.
fn all_or_short_of_the_last_batch(opened: &Opened, spares_the_proof: bool) -> bool {
    let seen = seen_only(opened);
    seen == expect(0..30) || (!spares_the_proof && (27..30).any(|end| seen == expect(0..end)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Arbitrary bytes over a part of a segment: a fault or what was there before, never a panic.
    #[test]
    fn garbage_is_never_believed(
        segment in 0..3_usize,
        offset in 0..30_000_usize,
        garbage in proptest::collection::vec(any::<u8>(), 1..600),
    ) {
        let (disk, names) = written(true);
        let file = disk.open(&path(&names[segment.min(names.len() - 1)])).unwrap();
        let reached = content_end(&disk, names.last().unwrap());
        file.write_at(&garbage, offset as u64).unwrap();
        if let Ok(opened) = open(&disk) {
            let spares_the_proof = segment + 1 < names.len() || offset + garbage.len() <= reached;
            prop_assert!(all_or_short_of_the_last_batch(&opened, spares_the_proof));
        }
    }

    /// Pieces of the log itself, copied to where they do not belong.
    #[test]
    fn the_logs_own_frames_elsewhere_are_not_believed(from in 0..480_usize, to in 0..480_usize, blocks in 1..64_usize) {
        let (disk, names) = written(true);
        let name = names.last().unwrap();
        let bytes = content(&disk, name);
        let piece = &bytes[from * 64..(from * 64 + blocks * 64).min(bytes.len())];
        let reached = content_end(&disk, name);
        disk.open(&path(name)).unwrap().write_at(piece, to as u64 * 64).unwrap();
        if let Ok(opened) = open(&disk) {
            prop_assert!(all_or_short_of_the_last_batch(&opened, to * 64 + piece.len() <= reached));
        }
    }
}
