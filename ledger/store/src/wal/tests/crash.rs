//! The disk fails, tears, fills up or loses power at every call, one after the other.

use super::*;
use crate::disk::{Call, Effect, Trouble};

/// What a run had answered before it was stopped, and what it had asked for at most.
#[derive(Default)]
struct Run {
    committed: u64,
    asked: u64,
}

/// A life of the log: entries in commits of differing size, now and then all but the last segment released.
/// Returns at the first fault.
fn live(disk: &MemoryDisk, run: &mut Run, entries: u64) -> Result<u64, WalFault> {
    let mut opened = open(disk)?;
    let first = opened.indexes().first().copied();
    let next = opened.indexes().last().map_or(run.committed, |index| index + 1);
    if let Some(first) = first {
        assert_eq!(
            seen_only(&opened),
            expect(first..next),
            "what comes back is whole, in order, without gaps"
        );
    }
    assert!(next >= run.committed, "entry {} was answered and is gone: {next} follows", run.committed - 1);
    assert!(next <= run.asked, "nothing comes back that was not asked for");
    run.committed = next;
    run.asked = run.asked.max(next);
    for index in next..next + entries {
        run.asked = index + 1;
        opened.wal.append(&entry(index, &body_of(index)))?;
        if index % 3 == 2 || index % 7 == 0 {
            opened.wal.commit()?;
            run.committed = index + 1;
        }
        if index % 10 == 9 {
            opened.wal.settle()?;
            run.committed = index + 1;
        }
        if index % 25 == 24 {
            // What was released may be gone or still there; the last segment always holds something.
            let segment = opened.wal.segment();
            opened.wal.release(SegmentNumber::new(segment.get() - 1))?;
        }
    }
    Ok(next)
}

/// How many disk calls a whole life makes.
fn calls_of_a_life() -> u64 {
    let disk = MemoryDisk::new();
    live(&disk, &mut Run::default(), 40).unwrap();
    disk.calls()
}

#[test]
fn power_is_cut_at_every_call() {
    for after in 0..calls_of_a_life() {
        for seed in 0..6 {
            let disk = MemoryDisk::new();
            let mut run = Run::default();
            disk.fail(Trouble { call: None, after, effect: Effect::Halt });
            assert!(live(&disk, &mut run, 40).is_err());
            // Again in the recovery, now and then, and then to the end.
            for again in 0..3 {
                disk.crash(seed * 31 + again);
                disk.fail(Trouble {
                    call: None,
                    after: (after * 7 + seed * 5 + again) % 23,
                    effect: Effect::Halt,
                });
                let _ = live(&disk, &mut run, 9);
            }
            disk.crash(seed);
            live(&disk, &mut run, 20).unwrap_or_else(|fault| panic!("call {after}, seed {seed}: {fault}"));
        }
    }
}

#[test]
fn the_process_is_killed_at_every_call() {
    for after in 0..calls_of_a_life() {
        let disk = MemoryDisk::new();
        let mut run = Run::default();
        disk.fail(Trouble { call: None, after, effect: Effect::Halt });
        assert!(live(&disk, &mut run, 40).is_err());
        disk.kill();
        live(&disk, &mut run, 5).unwrap();
        // What was read once is durable from then on.
        disk.crash(after);
        live(&disk, &mut run, 5).unwrap();
    }
}

/// After a failed sync the kernel shows what it has not written. A log that goes on from there must not have a hole
/// once the power goes.
#[test]
fn what_a_failed_sync_left_in_memory_is_written_again() {
    for after in 0..calls_of_a_life() {
        let disk = MemoryDisk::new();
        let mut run = Run::default();
        disk.fail(Trouble { call: Some(Call::Sync), after, effect: Effect::Fail });
        let _ = live(&disk, &mut run, 40);
        disk.kill();
        live(&disk, &mut run, 5).unwrap_or_else(|fault| panic!("sync {after}: {fault}"));
        disk.crash(after);
        live(&disk, &mut run, 5).unwrap_or_else(|fault| panic!("sync {after}, then the power: {fault}"));
    }
}

#[test]
fn every_write_and_sync_fails_once() {
    for call in [Call::Write, Call::Sync, Call::Name, Call::Allocate, Call::Read] {
        for after in 0..120 {
            for effect in [Effect::Fail, Effect::Tear(after)] {
                let disk = MemoryDisk::new();
                let mut run = Run::default();
                disk.fail(Trouble { call: Some(call), after, effect });
                let _ = live(&disk, &mut run, 40);
                disk.heal();
                disk.crash(after + 1);
                live(&disk, &mut run, 10).unwrap_or_else(|fault| panic!("{call:?} {after}: {fault}"));
            }
        }
    }
}

#[test]
fn after_a_failed_commit_everything_refuses() {
    for call in [Call::Write, Call::Sync] {
        let disk = MemoryDisk::new();
        let mut opened = open(&disk).unwrap();
        write(&mut opened.wal, 0..3, 1).unwrap();
        opened.wal.append(&entry(3, b"lost")).unwrap();
        disk.fail(Trouble { call: Some(call), after: 0, effect: Effect::Fail });
        assert!(matches!(opened.wal.commit(), Err(WalFault::Disk { .. })));
        let poisoned = |done: Result<(), WalFault>| {
            let fault = done.unwrap_err();
            assert!(fault.to_string().contains("the log has stopped after a fault (writing"), "{fault}");
        };
        poisoned(opened.wal.commit());
        poisoned(opened.wal.settle());
        poisoned(opened.wal.append(&entry(4, b"")).map(|_| ()));
        poisoned(opened.wal.append_control(&Control::Forget { group: GROUP }).map(|_| ()));
        poisoned(opened.wal.release(SegmentNumber::FIRST));
    }
}

#[test]
fn a_full_disk_stops_writing_until_there_is_room() {
    let disk = MemoryDisk::new();
    let mut opened = open(&disk).unwrap();
    disk.set_capacity(Some(3 * small().segment_bytes));
    let mut index = 0;
    let fault = loop {
        match opened.wal.append(&entry(index, &body_of(index))) {
            Ok(_) => opened.wal.commit().unwrap(),
            Err(fault) => break fault,
        }
        index += 1;
    };
    assert!(matches!(fault, WalFault::Full { .. }), "{fault}");
    assert!(matches!(opened.wal.append(&entry(index, &body_of(index))), Err(WalFault::Full { .. })));
    let segment = opened.wal.segment();
    opened.wal.release(segment).unwrap();
    write(&mut opened.wal, index..index + 10, 2).unwrap();
    disk.crash(3);
    let opened = open(&disk).unwrap();
    let first = opened.indexes()[0];
    assert_eq!(seen_only(&opened), expect(first..index + 10));
}
