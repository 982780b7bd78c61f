//! A chunk comes back from its segment record by record and account by account; damage is named.

use super::testing::{Bank, Ids, positions_by_slot};
use super::*;
use crate::disk::{Disk, MemoryDisk};
use fen_book::{Amount, Chunk};
use std::collections::BTreeMap;

fn write(bytes: &[u8]) -> Arc<dyn File> {
    let disk = MemoryDisk::new();
    let file = disk.create(Path::new("piece.seg")).unwrap();
    file.write_at(bytes, 0).unwrap();
    file
}

fn open(bytes: &[u8]) -> Result<Segment, JournalFault> {
    Segment::open(write(bytes), Path::new("piece.seg"))
}

fn sample() -> (Chunk, Vec<AccountId>) {
    let mut bank = Bank::new(7, 3_000, Ids::Random, 40);
    bank.chunk();
    bank.chunk()
}

#[test]
fn a_chunk_comes_back() {
    let (chunk, ids) = sample();
    assert!(!chunk.part_posts.is_empty());
    let bytes = encode(&chunk, &ids);
    assert_eq!(bytes, encode(&chunk, &ids), "one chunk, one file");
    let segment = open(&bytes).unwrap();
    assert_eq!((segment.number(), segment.first().get()), (1, 65_536));
    let mut reading = Reading::new(Arc::new(open(&bytes).unwrap()));
    for (position, record) in (0u32..).zip(&chunk.records) {
        let (block, row) = block_of(position);
        assert_eq!(reading.record_in(block, row).unwrap(), *record);
        let part = chunk.part_posts.iter().find(|part| part.position == position);
        if let Some(part) = part {
            let released = reading.block(block).unwrap().released(row);
            assert_eq!(released, part.pending_amount.checked_sub(record.amount).unwrap());
        } else if position % 1_000 == 0 {
            assert_eq!(segment.record(position).unwrap(), *record);
            assert_eq!(reading.block(block).unwrap().released(row), Amount::ZERO);
        }
    }
    let hash = SegmentHash::of(&bytes);
    segment.verify(&hash).unwrap();
    assert_eq!(parse_file_name(&file_name(12, &hash)), Some((12, hash)));
}

#[test]
fn an_account_comes_back() {
    let (chunk, ids) = sample();
    let segment = open(&encode(&chunk, &ids)).unwrap();
    let positions = positions_by_slot(&chunk);
    for (touch, id) in chunk.touches.iter().zip(&ids) {
        let found = segment.touch_of(touch.slot).unwrap().unwrap();
        assert_eq!((found.id, found.slot, found.opening), (*id, touch.slot, touch.opening));
        assert_eq!(found.previous, touch.previous.checked_sub(1));
        if touch.slot.get() % 50 == 0 {
            assert_eq!(segment.positions_of(&found).unwrap(), positions[&touch.slot.get()]);
            assert_eq!(segment.slot_of(*id).unwrap(), Some(touch.slot));
        }
    }
    assert_eq!(segment.touch_of(AccountSlot::new(3_000)).unwrap(), None);
    assert_eq!(segment.slot_of(AccountId::new(5)).unwrap(), None);
}

#[test]
fn a_stamp_leads_to_its_position() {
    let (chunk, ids) = sample();
    let segment = open(&encode(&chunk, &ids)).unwrap();
    for position in [0usize, 1, 255, 256, 8_188, 8_189, 65_535] {
        let stamp = chunk.records[position].timestamp;
        assert_eq!(segment.position_at_stamp(stamp).unwrap(), narrow(position));
        let after = segment.position_at_stamp(Stamp::new(stamp.get() + 1)).unwrap();
        assert_eq!(after, narrow(position + 1));
    }
    assert_eq!(segment.position_at_stamp(Stamp::ZERO).unwrap(), 0);
}

/// Reads all that can be read; what comes back must be right, whatever else is damaged.
fn read_all(segment: &Segment, chunk: &Chunk) -> BTreeMap<String, u32> {
    let mut faults = BTreeMap::new();
    for position in (0..narrow(CHUNK_RECORDS)).step_by(BLOCK_RECORDS / 2) {
        match segment.record(position) {
            Ok(record) => assert_eq!(record, chunk.records[wide(position)]),
            Err(fault) => *faults.entry(fault.to_string()).or_default() += 1,
        }
    }
    faults
}

#[test]
fn a_flipped_bit_is_named_and_hides_no_other_block() {
    let (chunk, ids) = sample();
    let good = encode(&chunk, &ids);
    let mut bank = Bank::new(99, 2, Ids::Rising, 0);
    let mut named = 0;
    for _ in 0..40 {
        let mut bytes = good.clone();
        let bit = usize::try_from(bank.random() % u64::try_from(8 * good.len()).unwrap()).unwrap();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(open(&good).unwrap().verify(&SegmentHash::of(&bytes)).is_err());
        if let Ok(segment) = open(&bytes) {
            let faults = read_all(&segment, &chunk);
            assert!(faults.len() <= 1, "one bit damages one piece: {faults:?}");
            named += faults.len();
        }
    }
    assert!(named > 10, "most bits lie in blocks and pages");
}

#[test]
fn forged_pieces_are_refused_without_panic() {
    let (chunk, ids) = sample();
    let good = encode(&chunk, &ids);
    let directory = open(&good).unwrap().directory;
    let mut bank = Bank::new(5, 2, Ids::Rising, 0);
    let block = directory.block(3).unwrap();
    let account_page = directory.account_page(1).unwrap();
    let touch_page = directory.touch_page(1).unwrap();
    let end = directory.touch_page_ends.last().unwrap();
    let whole = u64::from(*end)..u64::try_from(good.len() - directory::TRAILER_BYTES).unwrap();
    let targets = [
        (Piece::Block(3), block),
        (Piece::AccountPage(1), account_page),
        (Piece::TouchPage(1), touch_page),
        (Piece::Directory, whole),
    ];
    for round in 0..400usize {
        let (piece, range) = &targets[round % targets.len()];
        let (start, end) = (usize::try_from(range.start).unwrap(), usize::try_from(range.end).unwrap());
        let mut bytes = good.clone();
        for _ in 0..=bank.random() % 3 {
            // The first bytes of a piece say most.
            let reach = if bank.random().is_multiple_of(2) { 48 } else { end - start - 4 };
            let at = start + usize::try_from(bank.random() % u64::try_from(reach).unwrap()).unwrap();
            bytes[at] = bank.random().to_le_bytes()[0];
        }
        let mut sealed = bytes[start..end - 4].to_vec();
        seal(*piece, chunk.number, 0, &mut sealed);
        bytes[start..end].copy_from_slice(&sealed);
        if let Ok(segment) = open(&bytes) {
            for position in [700, 768, 800, 1_023, 65_535] {
                let _ = segment.record(position);
            }
            for touch in chunk.touches.iter().step_by(97) {
                if let Ok(Some(found)) = segment.touch_of(touch.slot) {
                    let _ = segment.positions_of(&found);
                }
            }
        }
    }
}

#[test]
fn short_and_foreign_files_are_named() {
    let (chunk, ids) = sample();
    let good = encode(&chunk, &ids);
    for length in [0, 1, 31, 32, 33, good.len() - 1] {
        let fault = open(&good[..length]).unwrap_err().to_string();
        assert!(fault.contains("piece.seg: frame at byte"), "{fault}");
    }
    let mut newer = good.clone();
    let at = good.len() - directory::TRAILER_BYTES;
    newer[at + 12] = 2;
    let sum = crc32c::crc32c(&newer[at..at + 16]);
    newer[at + 16..at + 20].copy_from_slice(&sum.to_le_bytes());
    assert!(matches!(open(&newer), Err(JournalFault::Newer { found: 2, known: 1, .. })));
}
