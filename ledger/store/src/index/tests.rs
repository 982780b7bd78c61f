//! Runs and their merging, over entries made from a seed.

use super::*;
use crate::disk::{Disk, MemoryDisk};
use crate::journal::Piece;
use std::path::Path;

const KEYS: u32 = 3_000;

/// Ids of segment `segment`, all different.
fn id(segment: u32, position: u32) -> TransferId {
    let number = u128::from(segment) << 32 | u128::from(position);
    TransferId::new((number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835))
}

fn put(disk: &MemoryDisk, name: &str, bytes: &[u8]) -> Arc<Run> {
    let file = disk.create(Path::new(name)).unwrap();
    file.write_at(bytes, 0).unwrap();
    Arc::new(Run::open(file, Path::new(name)).unwrap())
}

fn segment_run(disk: &MemoryDisk, segment: u32) -> Arc<Run> {
    let mut entries = SegmentEntries::of(segment);
    for position in 0..KEYS {
        // Every third record ends the pending transfer two before it.
        let pending_id = if position % 3 == 2 { id(segment, position - 2) } else { TransferId::ZERO };
        entries.add(position, id(segment, position), pending_id);
    }
    put(disk, &run_name(&(segment..=segment)), &entries.encode())
}

fn merged(disk: &MemoryDisk, runs: &[Arc<Run>]) -> Arc<Run> {
    let mut bytes = Vec::new();
    merge(runs, |part| {
        bytes.extend_from_slice(part);
        Ok(())
    })
    .unwrap();
    put(disk, &format!("merged-{}", runs[0].segments().start()), &bytes)
}

fn find(runs: &[Arc<Run>], kind: KeyKind, ids: &[TransferId]) -> Vec<(usize, u64)> {
    let mut found = Vec::new();
    candidates(runs, kind, ids, RecordNumber::MAX, |place, number| found.push((place, number.get())))
        .unwrap();
    found.sort_unstable();
    found
}

fn check(runs: &[Arc<Run>], segments: std::ops::Range<u32>) {
    for segment in segments {
        let first = u64::from(segment) << 16;
        let ids: Vec<TransferId> = (0..KEYS).map(|position| id(segment, position)).collect();
        let all: Vec<(usize, u64)> =
            (0..KEYS).map(|at| (crate::segment::wide(at), first + u64::from(at))).collect();
        assert_eq!(find(runs, KeyKind::Id, &ids), all);
        let ended: Vec<(usize, u64)> =
            (0..KEYS).step_by(3).map(|at| (crate::segment::wide(at), first + u64::from(at) + 2)).collect();
        assert_eq!(find(runs, KeyKind::PendingId, &ids), ended);
    }
    let absent: Vec<TransferId> = (0..KEYS).map(|position| id(77, position)).collect();
    assert!(find(runs, KeyKind::Id, &absent).len() < 3);
}

#[test]
fn a_merged_run_says_what_its_parts_said() {
    let disk = MemoryDisk::new();
    let mut runs: Vec<Arc<Run>> = (0..17).map(|segment| segment_run(&disk, segment)).collect();
    check(&runs, 0..17);
    for first in [0usize, 8] {
        let due = due(&runs, u32::MAX).unwrap();
        assert_eq!(*due[0].segments(), u32::try_from(first).unwrap()..=u32::try_from(first).unwrap());
        let merged = merged(&disk, due);
        runs.retain(|run| run.length() > 1 || !merged.segments().contains(run.segments().start()));
        runs.insert(first / 8, merged);
    }
    assert_eq!(runs.iter().map(|run| run.length()).collect::<Vec<_>>(), [8, 8, 1]);
    assert!(due(&runs, u32::MAX).is_none());
    check(&runs, 0..17);
    for run in &runs {
        run.verify().unwrap();
    }
}

#[test]
fn names_say_which_segments() {
    assert_eq!(parse_run_name(&run_name(&(8..=15))), Some(8..=15));
    for wrong in ["8-15.run", "00000008-00000007.run", "00000008.run", "00000008-00000015.seg", ""] {
        assert_eq!(parse_run_name(wrong), None);
    }
}

#[test]
fn a_flipped_bit_is_a_fault_and_never_an_answer() {
    let disk = MemoryDisk::new();
    let mut entries = SegmentEntries::of(4);
    (0..KEYS).for_each(|position| entries.add(position, id(4, position), TransferId::ZERO));
    let good = entries.encode();
    let ids: Vec<TransferId> = (0..KEYS).map(|position| id(4, position)).collect();
    let mut pieces = Vec::new();
    for round in 0..200usize {
        let bit = round * 7_919 * 31 % (8 * good.len());
        let mut bytes = good.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let name = format!("{round}.run");
        let file = disk.create(Path::new(&name)).unwrap();
        file.write_at(&bytes, 0).unwrap();
        let run = match Run::open(file, Path::new(&name)) {
            Ok(run) => Arc::new(run),
            Err(JournalFault::Damaged { piece, .. }) => {
                pieces.push(piece);
                continue;
            }
            Err(other) => panic!("{other}"),
        };
        let mut found = 0;
        match candidates(&[run], KeyKind::Id, &ids, RecordNumber::MAX, |_, _| found += 1) {
            Ok(()) => assert_eq!(found, KEYS, "a flip in the header or in padding"),
            Err(JournalFault::Damaged { piece, .. }) => pieces.push(piece),
            Err(other) => panic!("{other}"),
        }
    }
    assert!(pieces.contains(&Piece::Filter) && pieces.iter().any(|piece| matches!(piece, Piece::Block(_))));
}
