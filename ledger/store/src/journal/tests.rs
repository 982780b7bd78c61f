//! The journal against the plain records: every question is answered as by looking through all of them.

use super::*;
use crate::disk::MemoryDisk;
use crate::segment::testing::{Bank, Ids};
use fen_book::{Account, Amount, Balances, NO_SLOT, Stamp, TransferFlags};

/// A journal of some chunks, beside the chunks themselves.
struct World {
    disk: MemoryDisk,
    journal: Journal,
    chunks: Vec<(Chunk, Vec<AccountId>)>,
    bank: Bank,
}

const DIRECTORY: &str = "journal";

fn open(disk: &MemoryDisk) -> Journal {
    Journal::open(Arc::new(disk.clone()), Path::new(DIRECTORY)).unwrap()
}

fn world(chunks: u32, accounts: u32, ids: Ids) -> World {
    let disk = MemoryDisk::new();
    let journal = open(&disk);
    let mut bank = Bank::new(3, accounts, ids, 40);
    let chunks: Vec<_> = (0..chunks).map(|_| bank.chunk()).collect();
    for (chunk, ids) in &chunks {
        journal.seal(chunk, ids).unwrap();
    }
    World { disk, journal, chunks, bank }
}

impl World {
    fn records(&self) -> impl DoubleEndedIterator<Item = (RecordNumber, &Transfer, [AccountSlot; 2])> {
        self.chunks.iter().flat_map(|(chunk, _)| {
            let first = chunk.first().get();
            (0..CHUNK_RECORDS).map(move |at| {
                let number = RecordNumber::new(first + u64::try_from(at).unwrap());
                (number, &chunk.records[at], chunk.slots[at])
            })
        })
    }

    /// An account's entries with the balances after each, the plain way.
    fn statement(&self, slot: u32) -> Vec<(Found, Balances)> {
        let mut account = Account::default();
        let mut reserved = std::collections::BTreeMap::new();
        let mut lines = Vec::new();
        for (number, record, slots) in self.records() {
            if record.flags.contains(TransferFlags::PENDING) {
                reserved.insert(record.id, record.amount);
            }
            let Some(side) = slots.iter().position(|held| held.get() == slot) else { continue };
            let (pending, posted) = if side == 0 {
                (&mut account.debits_pending, &mut account.debits_posted)
            } else {
                (&mut account.credits_pending, &mut account.credits_posted)
            };
            if record.flags.contains(TransferFlags::PENDING) {
                *pending = pending.checked_add(record.amount).unwrap();
            } else if let Some(held) = reserved.get(&record.pending_id) {
                *pending = pending.checked_sub(*held).unwrap();
                if record.flags.contains(TransferFlags::POST_PENDING_TRANSFER) {
                    *posted = posted.checked_add(record.amount).unwrap();
                }
            } else {
                *posted = posted.checked_add(record.amount).unwrap();
            }
            if record.is_transfer() {
                lines.push((Found { number, record: *record }, account.balances()));
            }
        }
        lines
    }

    fn check_account(&self, slot: u32, filter: &AccountFilter) {
        let mut wanted = self.statement(slot);
        wanted.retain(|(found, _)| {
            let record = &found.record;
            let debited = record.debit_account_id == self.bank.account(slot).id;
            (if debited { filter.debits } else { filter.credits })
                && (filter.code == 0 || record.code.get() == filter.code)
                && (filter.user_data_64 == 0 || record.user_data_64 == filter.user_data_64)
                && record.timestamp >= filter.timestamp_min
                && (filter.timestamp_max.is_zero() || record.timestamp <= filter.timestamp_max)
        });
        if filter.reversed {
            wanted.reverse();
        }
        wanted.truncate(usize::try_from(filter.limit).unwrap());
        let slot = AccountSlot::new(slot);
        let newest = Some(self.journal.chunks() - 1);
        let lines: Vec<_> = self.journal.account_balances(slot, newest, filter).map(Result::unwrap).collect();
        assert_eq!(lines, wanted, "{filter:?}");
        let found: Vec<Found> =
            self.journal.account_transfers(slot, newest, filter).map(Result::unwrap).collect();
        assert!(found.iter().eq(wanted.iter().map(|(found, _)| found)), "{filter:?}");
    }

    fn stamp(&self, number: usize) -> Stamp {
        self.chunks[number / CHUNK_RECORDS].0.records[number % CHUNK_RECORDS].timestamp
    }
}

#[test]
fn statements_are_those_of_the_plain_records() {
    let world = world(3, 400, Ids::Random);
    let all = AccountFilter { debits: true, credits: true, limit: u32::MAX, ..AccountFilter::default() };
    for slot in [0, 7] {
        for reversed in [false, true] {
            let filter = AccountFilter { reversed, ..all };
            world.check_account(slot, &filter);
            world.check_account(slot, &AccountFilter { limit: 10, ..filter });
            world.check_account(slot, &AccountFilter { credits: false, code: 2, ..filter });
            world.check_account(slot, &AccountFilter { debits: false, user_data_64: 3, ..filter });
            let (timestamp_min, timestamp_max) = (world.stamp(50_000), world.stamp(150_000));
            world.check_account(slot, &AccountFilter { timestamp_min, timestamp_max, ..filter });
            world.check_account(slot, &AccountFilter { timestamp_min, limit: 3, ..filter });
            world.check_account(slot, &AccountFilter { timestamp_max, limit: 3, ..filter });
        }
    }
    let nobody = world.journal.account_transfers(AccountSlot::new(4_000), Some(2), &all);
    assert_eq!(nobody.count(), 0);
}

#[test]
fn ids_and_resolutions_are_found_and_no_others() {
    for ids in [Ids::Random, Ids::Rising] {
        let mut world = world(2, 400, ids);
        let mut asked: Vec<TransferId> = Vec::new();
        let mut wanted = Vec::new();
        let mut ended = Vec::new();
        let sample: Vec<_> =
            world.records().step_by(17).map(|(number, record, _)| (number, *record)).collect();
        for (number, record) in sample {
            if !record.id.is_zero() {
                wanted.push((asked.len(), Found { number, record }));
                asked.push(record.id);
            }
            if !record.pending_id.is_zero() {
                ended.push((record.pending_id, Found { number, record }));
            }
            asked.push(TransferId::new(u128::from(world.bank.random()) << 32));
        }
        assert_eq!(world.journal.find_transfers(&asked).unwrap(), wanted);
        assert!(ended.len() > 500);
        let pending_ids: Vec<TransferId> = ended.iter().map(|(id, _)| *id).collect();
        let found = world.journal.resolutions(&pending_ids).unwrap();
        assert!(found.iter().map(|(_, found)| found).eq(ended.iter().map(|(_, found)| found)));
        let (_, first) = &wanted[0];
        assert_eq!(world.journal.find_transfer(first.record.id).unwrap().as_ref(), Some(first));
        assert_eq!(world.journal.resolution(TransferId::new(77)).unwrap(), None);
        assert_eq!(world.journal.find_transfers(&[]).unwrap(), Vec::new());
    }
}

#[test]
fn queries_are_those_of_the_plain_records() {
    let world = world(2, 400, Ids::Rising);
    let all = QueryFilter { limit: u32::MAX, ..QueryFilter::default() };
    let (timestamp_min, timestamp_max) = (world.stamp(60_000), world.stamp(70_000));
    let filters = [
        QueryFilter { timestamp_min, timestamp_max, ..all },
        QueryFilter { code: 3, user_data_64: 2, ..all },
        QueryFilter { ledger: 156, limit: 300, ..all },
        QueryFilter { ledger: 155, ..all },
        QueryFilter { user_data_128: 1 << 70, ..all },
        QueryFilter { limit: 0, ..all },
    ];
    for filter in filters.iter().flat_map(|filter| [*filter, QueryFilter { reversed: true, ..*filter }]) {
        for below in [RecordNumber::new(131_072), RecordNumber::new(65_700)] {
            let mut wanted: Vec<Found> = world
                .records()
                .filter(|(number, record, _)| {
                    *number < below
                        && record.is_transfer()
                        && (filter.code == 0 || record.code.get() == filter.code)
                        && (filter.ledger == 0 || record.ledger.get() == filter.ledger)
                        && (filter.user_data_64 == 0 || record.user_data_64 == filter.user_data_64)
                        && (filter.user_data_128 == 0 || record.user_data_128 == filter.user_data_128)
                        && record.timestamp >= filter.timestamp_min
                        && (filter.timestamp_max.is_zero() || record.timestamp <= filter.timestamp_max)
                })
                .map(|(number, record, _)| Found { number, record: *record })
                .collect();
            if filter.reversed {
                wanted.reverse();
            }
            wanted.truncate(usize::try_from(filter.limit).unwrap());
            let found: Vec<Found> =
                world.journal.query_transfers(&filter, below).map(Result::unwrap).collect();
            assert!(found == wanted, "{filter:?} below {below}");
        }
    }
}

#[test]
fn all_records_come_in_order() {
    let world = world(2, 400, Ids::Random);
    let from = RecordNumber::new(1_000);
    let mut expected = world.records().skip(1_000);
    for found in world.journal.records(from) {
        let found = found.unwrap();
        let (number, record, _) = expected.next().unwrap();
        assert_eq!((found.number, &found.record), (number, record));
    }
    assert!(expected.next().is_none());
    let backwards = world.journal.records(from).rev().step_by(777).map(Result::unwrap);
    let expected = world.records().rev().take(2 * CHUNK_RECORDS - 1_000).step_by(777);
    assert!(
        backwards.map(|found| (found.number, found.record)).eq(expected.map(|(at, record, _)| (at, *record)))
    );
    let number = RecordNumber::new(70_000);
    assert_eq!(world.journal.record(number).unwrap(), world.chunks[1].0.records[70_000 - CHUNK_RECORDS]);
    assert!(matches!(world.journal.record(world.journal.end()), Err(JournalFault::NotSealed { .. })));
}

#[test]
fn sealing_twice_is_once_and_out_of_turn_is_refused() {
    let mut world = world(1, 50, Ids::Rising);
    let (chunk, ids) = world.chunks[0].clone();
    world.journal.seal(&chunk, &ids).unwrap();
    assert_eq!(world.journal.chunks(), 1);
    let mut other = chunk.clone();
    other.records[5].amount = Amount::new(1);
    assert!(matches!(world.journal.seal(&other, &ids), Err(JournalFault::OutOfTurn { number: 0, .. })));
    world.bank.chunk();
    let (late, late_ids) = world.bank.chunk();
    assert!(matches!(world.journal.seal(&late, &late_ids), Err(JournalFault::OutOfTurn { number: 2, .. })));
    assert!(late.slots.iter().any(|slots| slots[0] == NO_SLOT));
}

/// What must hold after any crash: what was sealed is there, whole and found.
fn check_after_crash(journal: &Journal, chunks: &[(Chunk, Vec<AccountId>)], sealed: u32) {
    assert!(journal.chunks() >= sealed, "what was sealed is still there");
    assert_eq!(journal.damage().len(), 0, "{:?}", journal.damage());
    for (chunk, _) in &chunks[..wide(journal.chunks())] {
        journal.verify_segment(chunk.number).unwrap();
        let record = &chunk.records[3];
        assert_eq!(journal.find_transfer(record.id).unwrap().map(|found| found.record), Some(*record));
    }
}

#[test]
fn a_crash_at_any_call_loses_nothing() {
    use crate::disk::{Effect, Trouble};
    let mut bank = Bank::new(3, 20, Ids::Rising, 0);
    let chunks: Vec<_> = (0..2).map(|_| bank.chunk()).collect();
    let mut after = 0;
    loop {
        let disk = MemoryDisk::new();
        let journal = open(&disk);
        journal.seal(&chunks[0].0, &chunks[0].1).unwrap();
        disk.fail(Trouble { call: None, after, effect: Effect::Halt });
        let outcome = journal.seal(&chunks[1].0, &chunks[1].1);
        disk.crash(after);
        check_after_crash(&open(&disk), &chunks, if outcome.is_ok() { 2 } else { 1 });
        let again = open(&disk);
        again.seal(&chunks[1].0, &chunks[1].1).unwrap();
        check_after_crash(&again, &chunks, 2);
        if outcome.is_ok() {
            break;
        }
        after += 1;
    }
    assert!(after > 6, "sealing makes several calls");
}

/// Flips a bit so far into the file whose name ends so.
fn flip(disk: &MemoryDisk, ending: &str, permille: u64) {
    let names = disk.list(Path::new(DIRECTORY)).unwrap();
    let name = names.iter().find(|name| name.ends_with(ending)).unwrap();
    let path = Path::new(DIRECTORY).join(name);
    let size = disk.open(&path).unwrap().size().unwrap();
    disk.flip(&path, size * permille / 1_000, 3);
}

fn name_of(journal: &Journal, number: u32) -> String {
    crate::segment::file_name(number, &journal.segment_hashes()[wide(number)].1)
}

#[test]
fn a_damaged_block_hides_no_other() {
    let world = world(3, 40, Ids::Rising);
    flip(&world.disk, &name_of(&world.journal, 1), 400);
    let journal = open(&world.disk);
    assert_eq!(journal.damage().len(), 0, "blocks are checked when they are read");
    assert!(journal.verify_segment(0).is_ok() && journal.verify_segment(1).is_err());
    let all = AccountFilter { debits: true, credits: true, limit: u32::MAX, ..AccountFilter::default() };
    let statement = world.statement(5);
    for reversed in [false, true] {
        let filter = AccountFilter { reversed, ..all };
        let told: Vec<_> = journal.account_transfers(AccountSlot::new(5), Some(2), &filter).collect();
        let faults: Vec<_> = told.iter().filter_map(|entry| entry.as_ref().err()).collect();
        assert_eq!(faults.len(), 1);
        assert!(faults[0].to_string().contains("block"), "{}", faults[0]);
        let missing = statement.len() - told.iter().flatten().count();
        assert!((1..=BLOCK_RECORDS).contains(&missing), "one block is missing, not {missing} entries");
        let lines = journal.account_balances(AccountSlot::new(5), Some(2), &filter);
        let lines: Vec<_> = lines.flatten().collect();
        assert!(lines.iter().all(|line| statement.contains(line)), "a told balance is right");
        assert!(lines.last().unwrap().0.number.get() / 65_536 == if reversed { 0 } else { 2 });
    }
    for told in [
        journal.records(RecordNumber::ZERO).collect::<Vec<_>>(),
        journal.records(RecordNumber::ZERO).rev().collect(),
    ] {
        assert_eq!(told.iter().flatten().count(), 3 * CHUNK_RECORDS - BLOCK_RECORDS);
        assert_eq!(told.len(), 3 * CHUNK_RECORDS - BLOCK_RECORDS + 1);
    }
}

#[test]
fn a_missing_segment_is_named_and_hides_no_other() {
    let world = world(3, 40, Ids::Rising);
    world.disk.remove(&Path::new(DIRECTORY).join(name_of(&world.journal, 1))).unwrap();
    let journal = open(&world.disk);
    assert!(matches!(journal.damage()[..], [JournalFault::Missing { number: 1, .. }]));
    let statement = world.statement(5);
    let filter = AccountFilter { debits: true, credits: true, limit: u32::MAX, ..AccountFilter::default() };
    for reversed in [false, true] {
        let filter = AccountFilter { reversed, ..filter };
        let told: Vec<_> = journal.account_balances(AccountSlot::new(5), Some(2), &filter).collect();
        assert_eq!(told.iter().filter(|entry| entry.is_err()).count(), 1);
        let mut wanted: Vec<_> =
            statement.iter().filter(|(found, _)| found.number.get() / 65_536 != 1).copied().collect();
        if reversed {
            wanted.reverse();
        }
        assert!(told.into_iter().flatten().eq(wanted));
    }
    let lost = world.chunks[1].0.records[3].id;
    assert!(journal.find_transfer(lost).is_err(), "a fault is not an answer");
    assert!(journal.find_transfer(world.chunks[2].0.records[3].id).unwrap().is_some());
}

#[test]
fn index_runs_are_made_again_from_segments() {
    let world = world(2, 40, Ids::Random);
    let ids: Vec<TransferId> = world.records().step_by(53).map(|(_, record, _)| record.id).collect();
    let answer = world.journal.find_transfers(&ids).unwrap();
    // A run is gone: made again on opening.
    world.disk.remove(&Path::new(DIRECTORY).join("00000000-00000000.run")).unwrap();
    assert_eq!(open(&world.disk).find_transfers(&ids).unwrap(), answer);
    // Its directory is damaged: the same.
    flip(&world.disk, "00000001-00000001.run", 999);
    assert_eq!(open(&world.disk).find_transfers(&ids).unwrap(), answer);
    // A block is damaged: whoever needs it has it made again, and so does whoever looks.
    flip(&world.disk, "00000000-00000000.run", 300);
    let journal = open(&world.disk);
    assert_eq!(journal.find_transfers(&ids).unwrap(), answer);
    assert!(matches!(journal.take_mended()[..], [JournalFault::Damaged { piece: Piece::Block(_), .. }]));
    assert_eq!((journal.take_mended().len(), journal.verify_index().len()), (0, 0));
    flip(&world.disk, "00000000-00000000.run", 300);
    let journal = open(&world.disk);
    assert!(matches!(journal.verify_index()[..], [JournalFault::Damaged { piece: Piece::Block(_), .. }]));
    assert_eq!(journal.mend_index().unwrap(), 1);
    assert_eq!(journal.verify_index().len(), 0);
    assert_eq!(journal.find_transfers(&ids).unwrap(), answer);
    assert_eq!(journal.mend_index().unwrap(), 0);
    assert_eq!(open(&world.disk).find_transfers(&ids).unwrap(), answer);
}

#[test]
fn merging_changes_no_answer_and_survives_a_crash_at_any_call() {
    use crate::disk::{Effect, Trouble};
    let world = world(9, 40, Ids::Random);
    let ids: Vec<TransferId> = world.records().step_by(5_003).map(|(_, record, _)| record.id).collect();
    let answer = world.journal.find_transfers(&ids).unwrap();
    for after in [0, 3, 40, 200, 300, 600, 2_047, 2_050, 2_054, 2_058, 2_062] {
        let journal = open(&world.disk);
        world.disk.fail(Trouble { call: None, after, effect: Effect::Halt });
        let outcome = journal.merge_once(u32::MAX);
        world.disk.crash(after);
        assert_eq!(open(&world.disk).find_transfers(&ids).unwrap(), answer);
        if outcome.is_ok() {
            break;
        }
    }
    let journal = open(&world.disk);
    while journal.merge_once(u32::MAX).unwrap() {}
    let runs = world.disk.list(Path::new(DIRECTORY)).unwrap();
    let runs: Vec<_> = runs.into_iter().filter(|name| name.contains(".run")).collect();
    assert_eq!(runs, ["00000000-00000007.run", "00000008-00000008.run"]);
    assert_eq!(journal.find_transfers(&ids).unwrap(), answer);
    assert_eq!(open(&world.disk).find_transfers(&ids).unwrap(), answer);
}

#[test]
fn an_archived_segment_is_still_read() {
    let world = world(2, 40, Ids::Rising);
    let name = name_of(&world.journal, 0);
    let directory = Path::new(DIRECTORY);
    world.disk.create_dir(&directory.join("archive")).unwrap();
    world.disk.rename(&directory.join(&name), &directory.join("archive").join(&name)).unwrap();
    let journal = open(&world.disk);
    assert_eq!(journal.damage().len(), 0);
    assert_eq!(journal.record(RecordNumber::new(9)).unwrap(), world.chunks[0].0.records[9]);
    journal.verify_segment(0).unwrap();
}

#[test]
fn a_lost_segment_is_put_back_by_sealing_or_from_another_replica() {
    let world = world(3, 40, Ids::Random);
    let other = open(&world.disk);
    let (hash, bytes) = other.read_segment(1).unwrap();
    let path = Path::new(DIRECTORY).join(name_of(&world.journal, 1));
    let lost = world.chunks[1].0.records[3];
    for from_replica in [false, true] {
        world.disk.remove(&path).unwrap();
        world.disk.remove(&Path::new(DIRECTORY).join("00000001-00000001.run")).unwrap();
        let journal = open(&world.disk);
        assert!(journal.find_transfer(lost.id).is_err());
        if from_replica {
            let mut wrong = bytes.clone();
            wrong[77] ^= 1;
            assert!(journal.install_segment(1, &hash, &wrong).is_err());
            assert!(journal.install_segment(2, &hash, &bytes).is_err());
            journal.install_segment(1, &hash, &bytes).unwrap();
        } else {
            let (chunk, ids) = &world.chunks[1];
            assert_eq!(journal.seal(chunk, ids).unwrap(), hash);
        }
        assert_eq!(journal.find_transfer(lost.id).unwrap().map(|found| found.record), Some(lost));
        check_after_crash(&journal, &world.chunks, 3);
        check_after_crash(&open(&world.disk), &world.chunks, 3);
    }
    // A replica that lags takes the next segment as it is.
    let disk = MemoryDisk::new();
    let follower = open(&disk);
    assert!(follower.install_segment(1, &hash, &bytes).is_err(), "not before the one before it");
    let (first_hash, first) = other.read_segment(0).unwrap();
    follower.install_segment(0, &first_hash, &first).unwrap();
    follower.install_segment(1, &hash, &bytes).unwrap();
    check_after_crash(&follower, &world.chunks, 2);
}

#[test]
fn a_damaged_block_is_mended_from_another_replica() {
    let world = world(2, 40, Ids::Rising);
    let (hash, bytes) = world.journal.read_segment(1).unwrap();
    flip(&world.disk, &name_of(&world.journal, 1), 400);
    let journal = open(&world.disk);
    assert!(journal.read_segment(1).is_err(), "damage is not passed on");
    journal.install_segment(1, &hash, &bytes).unwrap();
    check_after_crash(&journal, &world.chunks, 2);
    assert_eq!(journal.records(RecordNumber::ZERO).map(Result::unwrap).count(), 2 * CHUNK_RECORDS);
}

#[test]
fn a_full_disk_leaves_no_draft_and_sealing_goes_on_with_room() {
    let world = world(1, 40, Ids::Rising);
    let mut bank = world.bank;
    let (chunk, ids) = bank.chunk();
    world.disk.set_capacity(Some(world.disk.used_bytes() + 100_000));
    let fault = world.journal.seal(&chunk, &ids).unwrap_err();
    assert!(fault.is_full(), "{fault}");
    assert_eq!(world.disk.list(Path::new(DIRECTORY)).unwrap().len(), 2, "one segment and its run");
    world.disk.set_capacity(None);
    world.journal.seal(&chunk, &ids).unwrap();
    assert_eq!(open(&world.disk).chunks(), 2);
}

#[test]
fn a_newer_releases_segment_stops_the_opening() {
    let world = world(1, 40, Ids::Rising);
    let (_, mut bytes) = world.journal.read_segment(0).unwrap();
    let trailer = bytes.len() - 32;
    bytes[trailer + 12] = 9;
    let sum = crc32c::crc32c(&bytes[trailer..trailer + 16]);
    bytes[trailer + 16..trailer + 20].copy_from_slice(&sum.to_le_bytes());
    let path = Path::new(DIRECTORY).join(name_of(&world.journal, 0));
    world.disk.open(&path).unwrap().write_at(&bytes, 0).unwrap();
    let opened = Journal::open(Arc::new(world.disk.clone()), Path::new(DIRECTORY));
    assert!(matches!(opened, Err(JournalFault::Newer { found: 9, .. })));
}

#[test]
fn record_roots_are_kept_made_again_and_held_against_their_records() {
    use fen_proof::TreeHash;
    use zerocopy::IntoBytes as _;
    let world = world(2, 40, Ids::Random);
    let leaves =
        |chunk: &Chunk| chunk.records.iter().map(|record| TreeHash::leaf(record.as_bytes())).collect();
    let wanted =
        [0, 1].map(|number: usize| fen_proof::tree::WholeTree::new(leaves(&world.chunks[number].0)).root());
    assert_eq!([0, 1].map(|number| world.journal.record_root(number).unwrap()), wanted);
    world.journal.keep_record_roots().unwrap();
    let kept = open(&world.disk);
    assert_eq!(kept.verify_record_roots().len(), 0);
    // A damaged block is not noticed by who has the root, and is by who verifies.
    flip(&world.disk, &name_of(&world.journal, 1), 400);
    let journal = open(&world.disk);
    assert_eq!(journal.record_root(1).unwrap(), wanted[1]);
    assert!(matches!(journal.verify_record_roots()[..], [JournalFault::Damaged { .. }]));
    flip(&world.disk, &name_of(&world.journal, 1), 400);
    // The file is damaged, then gone: made again.
    flip(&world.disk, "roots", 500);
    assert_eq!(open(&world.disk).record_root(0).unwrap(), wanted[0]);
    world.disk.remove(&Path::new(DIRECTORY).join("roots")).unwrap();
    let journal = open(&world.disk);
    assert_eq!(journal.record_root(1).unwrap(), wanted[1]);
    assert!(matches!(journal.record_root(2), Err(JournalFault::NotSealed { .. })));
    // Another segment in its place, sound by itself, is not the one that was hashed.
    journal.keep_record_roots().unwrap();
    let mut chunk = world.chunks[1].0.clone();
    chunk.records[7].amount = Amount::new(chunk.records[7].amount.get() + 1);
    world.disk.remove(&Path::new(DIRECTORY).join(name_of(&world.journal, 1))).unwrap();
    let journal = open(&world.disk);
    let bytes = encode(&chunk, &world.chunks[1].1);
    journal.install_segment(1, &SegmentHash::of(&bytes), &bytes).unwrap();
    assert_ne!(journal.record_root(1).unwrap(), wanted[1]);
    assert!(matches!(journal.verify_record_roots()[..], [JournalFault::OtherHistory { number: 1 }]));
}

/// A world's journal, its first segment moved to the archive until the disk halts after so many calls.
fn archived_until(after: u64) -> (World, bool) {
    use crate::disk::{Effect, Trouble};
    let world = world(2, 20, Ids::Rising);
    world.disk.fail(Trouble { call: None, after, effect: Effect::Halt });
    let outcome = world.journal.archive_segment(0, Stamp::MAX);
    world.disk.crash(after);
    (world, outcome.is_ok())
}

#[test]
fn moving_to_the_archive_survives_a_crash_at_any_call() {
    let mut after = 0;
    loop {
        let (world, done) = archived_until(after);
        let journal = open(&world.disk);
        check_after_crash(&journal, &world.chunks, 2);
        journal.archive_segment(0, Stamp::MAX).unwrap();
        assert_eq!(journal.archive_segment(0, Stamp::MAX).unwrap(), Archived::Already);
        check_after_crash(&journal, &world.chunks, 2);
        check_after_crash(&open(&world.disk), &world.chunks, 2);
        let names = |place: &Path| world.disk.list(place).unwrap();
        assert_eq!(names(&Path::new(DIRECTORY).join("archive")), [name_of(&journal, 0)]);
        assert!(!names(Path::new(DIRECTORY)).contains(&name_of(&journal, 0)));
        if done {
            break;
        }
        after += 1;
    }
    assert!(after > 6, "moving makes several calls");
}

#[test]
fn only_what_is_old_and_sound_is_archived() {
    let world = world(2, 20, Ids::Rising);
    let last = world.chunks[0].0.records[CHUNK_RECORDS - 1].timestamp;
    assert_eq!(world.journal.archive_segment(0, last).unwrap(), Archived::TooYoung);
    let after = Stamp::new(last.get() + 1);
    assert_eq!(world.journal.archive_segment(0, after).unwrap(), Archived::Now);
    assert_eq!(world.journal.archive_segment(1, after).unwrap(), Archived::TooYoung);
    flip(&world.disk, &name_of(&world.journal, 1), 400);
    let journal = open(&world.disk);
    assert!(matches!(journal.archive_segment(1, Stamp::MAX), Err(JournalFault::Damaged { .. })));
    assert!(world.disk.list(Path::new(DIRECTORY)).unwrap().contains(&name_of(&journal, 1)));
    // The archive is away: what was in it is named, the rest is read.
    world.disk.remove(&Path::new(DIRECTORY).join("archive").join(name_of(&journal, 0))).unwrap();
    let journal = open(&world.disk);
    let [JournalFault::Missing { number: 0, .. }] = &journal.damage()[..] else { panic!("it is missing") };
    assert!(journal.damage()[0].to_string().contains("archive"));
    assert_eq!(
        journal.record(RecordNumber::new(CHUNK_RECORDS as u64)).unwrap(),
        world.chunks[1].0.records[0]
    );
}
