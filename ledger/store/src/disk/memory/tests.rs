use super::*;

fn bytes(disk: &MemoryDisk, path: &str) -> Vec<u8> {
    let file = disk.open(Path::new(path)).unwrap();
    let mut bytes = vec![0; usize::try_from(file.size().unwrap()).unwrap()];
    file.read_at(&mut bytes, 0).unwrap();
    bytes
}

fn durable_file(disk: &MemoryDisk, path: &str, size: usize) -> Arc<dyn File> {
    let file = disk.create(Path::new(path)).unwrap();
    file.write_at(&vec![b'-'; size], 0).unwrap();
    file.sync().unwrap();
    disk.sync_dir(Path::new("")).unwrap();
    file
}

#[test]
fn a_crash_leaves_any_subset_of_whole_sectors() {
    let mut seen = BTreeSet::new();
    for seed in 0..200 {
        let disk = MemoryDisk::new();
        let file = durable_file(&disk, "file", 1536);
        file.write_at(&[b'x'; 1536], 0).unwrap();
        disk.crash(seed);
        let left = bytes(&disk, "file");
        assert_eq!(left.len(), 1536);
        for sector in left.chunks(512) {
            assert!(sector.iter().all(|byte| *byte == sector[0]), "a sector is written whole");
        }
        seen.insert([left[0], left[512], left[1024]]);
        assert!(file.sync().is_err(), "handles do not outlive a crash");
    }
    assert_eq!(seen.len(), 8);
}

#[test]
fn what_was_synced_survives_and_seeds_repeat() {
    for seed in 0..20 {
        let run = || {
            let disk = MemoryDisk::new();
            let file = durable_file(&disk, "file", 5000);
            file.write_at(b"kept", 700).unwrap();
            file.sync().unwrap();
            file.write_at(&[b'x'; 3000], 4000).unwrap();
            disk.crash(seed);
            bytes(&disk, "file")
        };
        let left = run();
        assert_eq!(left, run());
        assert_eq!(&left[700..704], b"kept");
        assert!(left.len() >= 5000);
    }
}

#[test]
fn names_not_synced_are_lost_in_order() {
    let mut seen = BTreeSet::new();
    for seed in 0..100 {
        let disk = MemoryDisk::new();
        durable_file(&disk, "a", 1);
        disk.create(Path::new("b")).unwrap();
        disk.rename(Path::new("b"), Path::new("a")).unwrap();
        disk.create(Path::new("c")).unwrap();
        disk.crash(seed);
        seen.insert((disk.list(Path::new("")).unwrap(), bytes(&disk, "a").len()));
    }
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let expected = [(names(&["a"]), 0), (names(&["a"]), 1), (names(&["a", "b"]), 1), (names(&["a", "c"]), 0)];
    assert_eq!(seen, BTreeSet::from(expected));
}

#[test]
fn a_failed_sync_is_not_healed_by_the_next() {
    let lost = (0..50).any(|seed| {
        let disk = MemoryDisk::new();
        let file = durable_file(&disk, "file", 512);
        file.write_at(b"x", 0).unwrap();
        disk.fail(Trouble { call: Some(Call::Sync), after: 0, effect: Effect::Fail });
        file.sync().unwrap_err();
        file.sync().unwrap();
        disk.crash(seed);
        bytes(&disk, "file")[0] == b'-'
    });
    assert!(lost);
}

#[test]
fn troubles_come_when_they_are_due() {
    let disk = MemoryDisk::new();
    let file = durable_file(&disk, "file", 16_384);
    disk.fail(Trouble { call: Some(Call::Write), after: 1, effect: Effect::Tear(3) });
    file.write_at(b"x", 0).unwrap();
    file.write_at(&[b'y'; 16_384], 0).unwrap_err();
    let torn = bytes(&disk, "file");
    assert!(torn.contains(&b'y') && !torn.iter().all(|byte| *byte == b'y'));
    file.write_at(b"x", 0).unwrap();

    disk.fail(Trouble { call: None, after: 2, effect: Effect::Halt });
    file.sync().unwrap();
    file.write_at(b"x", 0).unwrap();
    file.sync().unwrap_err();
    file.write_at(b"x", 0).unwrap_err();
    assert!(disk.open(Path::new("file")).is_err());
    disk.crash(0);
    disk.open(Path::new("file")).unwrap().sync().unwrap();
}

#[test]
fn a_full_disk_says_so_and_takes_writes_in_place() {
    let disk = MemoryDisk::new();
    let file = durable_file(&disk, "file", 1000);
    disk.set_capacity(Some(1500));
    file.allocate(1500).unwrap();
    assert_eq!(file.write_at(b"xx", 1499).unwrap_err().kind(), io::ErrorKind::StorageFull);
    file.write_at(b"x", 1499).unwrap();
    let other = disk.create(Path::new("other")).unwrap();
    assert_eq!(other.allocate(1).unwrap_err().kind(), io::ErrorKind::StorageFull);
    disk.set_capacity(None);
    other.allocate(1).unwrap();
}

#[test]
fn bits_rot() {
    let disk = MemoryDisk::new();
    durable_file(&disk, "file", 3);
    assert!(disk.flip(Path::new("file"), 1, 0));
    assert_eq!(bytes(&disk, "file"), b"-,-");
    assert!(!disk.flip(Path::new("file"), 3, 0));
    assert!(!disk.flip(Path::new("none"), 0, 0));
}
