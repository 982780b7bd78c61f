//! Tests of the page store as a whole.

use super::*;
use crate::disk::{Call, Effect, MemoryDisk, RealDisk, Trouble};
use std::collections::BTreeMap;

const DIRECTORY: &str = "checkpoint";

/// The pages that a checkpoint should hold: which version of which page.
type Model = BTreeMap<PageId, u64>;

fn open(disk: &MemoryDisk) -> Result<PageStore, CheckpointFault> {
    PageStore::open(Arc::new(disk.clone()), Path::new(DIRECTORY))
}

fn page_of(id: PageId, version: u64) -> Vec<u8> {
    let seed = u64::from(id.table) << 48 | u64::from(id.page) << 16 | version;
    seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes().repeat(PAGE_BYTES / 8)
}

/// The pages that checkpoint `number` changes, in tables that grow, and one that it removes.
fn changes(number: u64) -> (Vec<PageId>, Option<PageId>) {
    let id = |table, page: u64| PageId { table, page: u32::try_from(page).unwrap() };
    let changed = vec![id(1, number), id(1, number / 2), id(2, number % 3), id(7, 0)];
    (changed, (number % 4 == 3).then(|| id(1, number - 1)))
}

fn header_of(number: u64) -> Vec<u8> {
    format!("checkpoint {number}").into_bytes()
}

/// What the pages are after `number` checkpoints.
fn model_of(number: u64) -> Model {
    let mut model = Model::new();
    for number in 1..=number {
        let (changed, removed) = changes(number);
        model.extend(changed.into_iter().map(|id| (id, number)));
        removed.map(|id| model.remove(&id));
    }
    model
}

/// Writes the next checkpoint and says which it was.
fn write(store: &mut PageStore) -> Result<u64, CheckpointFault> {
    // The number in the header, not the generation: a failed checkpoint may use up a generation.
    let number = next_of(store.header());
    let (changed, removed) = changes(number);
    let mut draft = store.draft()?;
    for id in changed {
        draft.put(id, &page_of(id, number))?;
    }
    if let Some(id) = removed {
        draft.remove(id);
    }
    draft.finish(&header_of(number))?;
    Ok(number)
}

fn next_of(header: &[u8]) -> u64 {
    let text = core::str::from_utf8(header).unwrap();
    text.strip_prefix("checkpoint ").map_or(0, |number| number.parse().unwrap()) + 1
}

/// Checks that a generation is exactly some checkpoint, and says which.
fn check(generation: &Generation) -> Result<u64, CheckpointFault> {
    let number = next_of(generation.header()) - 1;
    let mut expected = model_of(number).into_iter();
    generation.load(&mut |id, page| {
        let (expected, version) = expected.next().unwrap();
        assert_eq!(id, expected);
        assert_eq!(page.as_ptr().addr() % 4096, 0);
        assert!(page == page_of(id, version), "page {id:?} of checkpoint {number} has another version");
        Ok(())
    })?;
    assert_eq!(expected.next(), None);
    Ok(number)
}

#[test]
fn checkpoints_follow_each_other() {
    let disk = MemoryDisk::new();
    let mut store = open(&disk).unwrap();
    assert_eq!((store.generation(), store.header(), store.previous_generation()), (0, [].as_slice(), None));
    for number in 1..12 {
        assert_eq!(write(&mut store).unwrap(), number);
        assert_eq!(check(&store.current()).unwrap(), number);
        if number % 3 == 0 {
            disk.crash(number);
            store = open(&disk).unwrap();
            assert_eq!(check(&store.current()).unwrap(), number);
            let shared = Arc::new(disk.clone());
            let mut older = PageStore::open_generation(shared, Path::new(DIRECTORY), number - 1).unwrap();
            assert_eq!(check(&older.current()).unwrap(), number - 1, "the one before is whole");
        }
        assert_eq!(store.previous_generation(), (number > 1).then(|| number - 1));
    }
    let id = PageId { table: 2, page: 1 };
    let mut page = vec![0; PAGE_BYTES];
    let version = model_of(11)[&id];
    assert!(store.current().read(id, &mut page).unwrap());
    assert!(page == page_of(id, version));
    assert!(!store.current().read(PageId { table: 3, page: 1 }, &mut page).unwrap());
    let manifests = disk.list(Path::new(DIRECTORY)).unwrap();
    assert_eq!(manifests.len(), 3, "two manifests and the pages: {manifests:?}");
}

#[test]
fn a_real_disk_keeps_them_too() {
    let directory = tempfile::tempdir().unwrap();
    let open = || {
        PageStore::open(Arc::new(RealDisk::open(directory.path()).unwrap()), Path::new(DIRECTORY)).unwrap()
    };
    let mut store = open();
    for _ in 0..5 {
        write(&mut store).unwrap();
    }
    drop(store);
    assert_eq!(check(&open().current()).unwrap(), 5);
}

#[test]
fn only_changed_pages_are_written_and_space_is_used_again() {
    let disk = MemoryDisk::new();
    let mut store = open(&disk).unwrap();
    let ids: Vec<_> = (0..60).map(|page| PageId { table: 0, page }).collect();
    let page = page_of(ids[0], 0);
    store.write_checkpoint(ids.iter().map(|id| (*id, page.as_slice())), b"").unwrap();
    let hashes: std::collections::BTreeSet<_> =
        store.current().pages().map(|(_, placed)| placed.hash).collect();
    assert_eq!(hashes.len(), 1, "one content, one hash");

    let file = disk.open(&Path::new(DIRECTORY).join(PAGES_NAME)).unwrap();
    for number in 1..40 {
        let before = store.current();
        let mut draft = store.draft().unwrap();
        draft.put(ids[number % 7], &page_of(ids[0], number as u64)).unwrap();
        assert_eq!(draft.written(), 1);
        draft.finish(b"").unwrap();
        let after = store.current();
        let moved = before.pages().zip(after.pages()).filter(|(before, after)| before != after).count();
        assert_eq!(moved, 1);
    }
    assert_eq!(file.size().unwrap(), 64 * PAGE_BYTES as u64);
}

#[test]
fn a_draft_that_is_dropped_leaves_nothing() {
    let disk = MemoryDisk::new();
    let mut store = open(&disk).unwrap();
    for _ in 0..3 {
        write(&mut store).unwrap();
    }
    for _ in 0..50 {
        let mut draft = store.draft().unwrap();
        for (id, version) in model_of(3) {
            draft.put(id, &page_of(id, version + 9)).unwrap();
        }
    }
    assert_eq!(check(&store.current()).unwrap(), 3);
    assert!(matches!(
        store.draft().unwrap().finish(&vec![0; HEADER_BYTES_MAX + 1]),
        Err(CheckpointFault::TooLarge { .. })
    ));
    assert_eq!(write(&mut store).unwrap(), 4);
    disk.crash(0);
    assert_eq!(check(&open(&disk).unwrap().current()).unwrap(), 4);
}

#[test]
fn a_reader_keeps_its_generation() {
    let disk = MemoryDisk::new();
    let mut store = open(&disk).unwrap();
    let mut held = Vec::new();
    for _ in 0..8 {
        write(&mut store).unwrap();
        held.push(store.current());
    }
    for (generation, number) in held.iter().zip(1..) {
        assert_eq!(check(generation).unwrap(), number);
    }
}

/// A life: opens, checks, writes some checkpoints. Whatever stops it, what comes next must be `asked` or one before.
fn live(disk: &MemoryDisk, finished: &mut u64, checkpoints: u64) -> Result<(), CheckpointFault> {
    let mut store = open(disk)?;
    let number = check(&store.current())?;
    assert!(number == *finished || number == *finished + 1, "{number} after {finished}");
    *finished = number;
    for _ in 0..checkpoints {
        *finished = write(&mut store)?;
    }
    Ok(())
}

#[test]
fn power_is_cut_at_every_call() {
    let disk = MemoryDisk::new();
    live(&disk, &mut 0, 3).unwrap();
    for after in 0..disk.calls() {
        for seed in [after, after + 1000] {
            let disk = MemoryDisk::new();
            let mut finished = 0;
            disk.fail(Trouble { call: None, after, effect: Effect::Halt });
            assert!(live(&disk, &mut finished, 3).is_err());
            disk.crash(seed);
            disk.fail(Trouble { call: None, after: (after * 5 + seed) % 17, effect: Effect::Halt });
            let _ = live(&disk, &mut finished, 1);
            disk.crash(seed + 7);
            live(&disk, &mut finished, 1)
                .unwrap_or_else(|fault| panic!("call {after}, seed {seed}: {fault}"));
        }
    }
}

#[test]
fn every_call_fails_once() {
    for call in [Call::Read, Call::Write, Call::Sync, Call::Name, Call::Allocate] {
        for after in 0..12 {
            for effect in [Effect::Fail, Effect::Tear(after)] {
                let disk = MemoryDisk::new();
                let mut finished = 0;
                live(&disk, &mut finished, 2).unwrap();
                disk.fail(Trouble { call: Some(call), after, effect });
                let _ = live(&disk, &mut finished, 2);
                disk.heal();
                disk.crash(after);
                live(&disk, &mut finished, 1).unwrap_or_else(|fault| panic!("{call:?} {after}: {fault}"));
            }
        }
    }
}

#[test]
fn after_a_failed_sync_nothing_more_is_written() {
    let disk = MemoryDisk::new();
    let mut store = open(&disk).unwrap();
    write(&mut store).unwrap();
    disk.fail(Trouble { call: Some(Call::Sync), after: 1, effect: Effect::Fail });
    assert!(matches!(write(&mut store), Err(CheckpointFault::Disk { .. })));
    let fault = write(&mut store).unwrap_err();
    assert!(fault.to_string().starts_with("checkpoints have stopped after a fault ("), "{fault}");
    assert_eq!(check(&store.current()).unwrap(), 1, "what stands can still be read");
}

#[test]
fn a_full_disk_leaves_the_checkpoint_before() {
    let disk = MemoryDisk::new();
    let mut store = open(&disk).unwrap();
    write(&mut store).unwrap();
    let pages = 64 * PAGE_BYTES as u64;
    for spare in [0, 100, 300] {
        disk.set_capacity(Some(pages + spare));
        let fault = write(&mut store).unwrap_err();
        assert!(matches!(fault, CheckpointFault::Full { .. }), "{fault}");
    }
    let full = vec![0; PAGE_BYTES];
    let mut draft = store.draft().unwrap();
    let fault = (0..100).find_map(|page| draft.put(PageId { table: 9, page }, &full).err()).unwrap();
    assert!(matches!(fault, CheckpointFault::Full { .. }), "{fault}");
    assert_eq!(check(&store.current()).unwrap(), 1);
    disk.set_capacity(None);
    assert_eq!(write(&mut store).unwrap(), 2);
    disk.crash(0);
    assert_eq!(check(&open(&disk).unwrap().current()).unwrap(), 2);
}

/// Every call of a draft meets a full disk at some time and is made again.
#[test]
fn a_draft_goes_on_when_there_is_room() {
    let disk = MemoryDisk::new();
    let mut store = open(&disk).unwrap();
    let ids: Vec<_> = (0..200).map(|page| PageId { table: 5, page: page * 3 % 200 }).collect();
    let again = |call: &mut dyn FnMut() -> Result<(), CheckpointFault>, room: u64| {
        for capacity in [0, 1000, room] {
            disk.set_capacity(Some(capacity));
            match call() {
                Ok(()) => return,
                Err(CheckpointFault::Full { .. }) => {}
                Err(fault) => panic!("{fault}"),
            }
        }
        panic!("there is room");
    };
    let room = 300 * PAGE_BYTES as u64;
    let mut draft = store.draft().unwrap();
    for id in &ids {
        again(&mut || draft.put(*id, &page_of(*id, 1)), room);
    }
    again(&mut || draft.finish(b"full at times").map(|_| ()), room);
    drop(draft);
    disk.crash(0);
    let store = open(&disk).unwrap();
    let mut count = 0;
    let mut visit = |id, page: &[u8]| {
        count += 1;
        assert!(page == page_of(id, 1));
        Ok(())
    };
    store.load(&mut visit).unwrap();
    assert_eq!((count, store.header()), (200, b"full at times".as_slice()));
}

#[test]
fn a_damaged_page_is_named_and_the_generation_before_is_whole() {
    let disk = MemoryDisk::new();
    let mut store = open(&disk).unwrap();
    for _ in 0..4 {
        write(&mut store).unwrap();
    }
    let id = PageId { table: 1, page: 4 };
    let current = store.current();
    let (_, placed) = current.pages().find(|(page, _)| *page == id).unwrap();
    let offset = u64::from(placed.slot) * PAGE_BYTES as u64;
    assert!(disk.flip(&Path::new(DIRECTORY).join(PAGES_NAME), offset + 12_345, 3));
    drop(store);
    let text = check(&open(&disk).unwrap().current()).unwrap_err().to_string();
    assert!(text.starts_with(&format!("page 4 of table 1 is damaged (pages at byte {offset})")), "{text}");
    let mut page = vec![0; PAGE_BYTES];
    assert!(open(&disk).unwrap().current().read(id, &mut page).is_err());

    let shared = || -> Arc<dyn Disk> { Arc::new(disk.clone()) };
    assert_eq!(PageStore::generations(&disk, Path::new(DIRECTORY)).unwrap(), [3, 4]);
    let mut older = PageStore::open_generation(shared(), Path::new(DIRECTORY), 3).unwrap();
    assert_eq!(check(&older.current()).unwrap(), 3);
    assert_eq!(write(&mut older).unwrap(), 4);
    assert_eq!(older.generation(), 5, "the damaged generation's number is not used again");
    assert_eq!(check(&open(&disk).unwrap().current()).unwrap(), 4);
    let none = PageStore::open_generation(shared(), Path::new(DIRECTORY), 9).err().unwrap();
    assert!(matches!(none, CheckpointFault::Missing { .. }), "{none}");
}

#[test]
fn a_damaged_manifest_is_named() {
    let disk = MemoryDisk::new();
    let mut store = open(&disk).unwrap();
    for _ in 0..3 {
        write(&mut store).unwrap();
    }
    let name = "MANIFEST-00000000000000000003";
    assert!(disk.flip(&Path::new(DIRECTORY).join(name), 70, 0));
    let text = open(&disk).err().unwrap().to_string();
    assert!(text.starts_with(&format!("{name} is damaged: it fails its checksum")), "{text}");
    disk.flip(&Path::new(DIRECTORY).join(name), 70, 0);
    disk.flip(&Path::new(DIRECTORY).join("MANIFEST-00000000000000000002"), 70, 0);
    let store = open(&disk).unwrap();
    assert_eq!((store.generation(), store.previous_generation()), (3, None));
}

#[test]
fn missing_and_short_pages_are_found_at_opening() {
    let disk = MemoryDisk::new();
    write(&mut open(&disk).unwrap()).unwrap();
    let path = Path::new(DIRECTORY).join(PAGES_NAME);
    disk.remove(&path).unwrap();
    let fault = open(&disk).err().unwrap();
    assert_eq!(
        fault.to_string(),
        "pages is missing: put it back, or restore this node from its peers or from a backup"
    );
    disk.create(&path).unwrap().allocate(PAGE_BYTES as u64).unwrap();
    assert!(matches!(open(&disk), Err(CheckpointFault::DamagedPage { .. })));
}

#[test]
fn a_visitor_can_refuse() {
    let disk = MemoryDisk::new();
    let mut store = open(&disk).unwrap();
    write(&mut store).unwrap();
    let fault = store.load(&mut |_, _| Err("no such table".to_owned())).unwrap_err();
    assert_eq!(fault.to_string(), "page 0 of table 1: no such table");
}
