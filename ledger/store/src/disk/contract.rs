//! What every disk promises, tried on each of them.

use super::{BLOCK_BYTES, Blocks, Disk, MemoryDisk, RealDisk};
use std::io::ErrorKind;
use std::path::Path;

fn on_every_disk(contract: impl Fn(&dyn Disk)) {
    contract(&MemoryDisk::new());
    let directory = tempfile::tempdir().unwrap();
    contract(&RealDisk::open(directory.path()).unwrap());
}

#[test]
fn files_are_read_where_they_were_written() {
    on_every_disk(|disk| {
        let path = Path::new("file");
        assert_eq!(disk.open(path).err().unwrap().kind(), ErrorKind::NotFound);
        let file = disk.create(path).unwrap();
        assert_eq!(disk.create(path).err().unwrap().kind(), ErrorKind::AlreadyExists);
        assert_eq!(file.size().unwrap(), 0);

        file.write_at(b"ledger", 1000).unwrap();
        assert_eq!(file.size().unwrap(), 1006);
        let mut read = [1; 8];
        file.read_at(&mut read, 998).unwrap();
        assert_eq!(&read, b"\0\0ledger", "a gap reads as zeros");
        assert_eq!(file.read_at(&mut read, 999).err().unwrap().kind(), ErrorKind::UnexpectedEof);

        let again = disk.open(path).unwrap();
        file.write_at(b"L", 1000).unwrap();
        again.read_at(&mut read, 998).unwrap();
        assert_eq!(&read, b"\0\0Ledger", "every handle sees every write");
        file.sync().unwrap();
    });
}

#[test]
fn durable_writes_take_any_shape() {
    on_every_disk(|disk| {
        let file = disk.create(Path::new("log")).unwrap();
        file.allocate(4 * BLOCK_BYTES as u64).unwrap();
        let mut blocks = Blocks::zeroed(2 * BLOCK_BYTES);
        blocks.as_mut_slice().fill(7);
        file.write_durable_at(blocks.as_slice(), BLOCK_BYTES as u64).unwrap();
        file.write_durable_at(&blocks.as_slice()[..100], 10).unwrap();
        let mut read = vec![0; 4 * BLOCK_BYTES];
        file.read_at(&mut read, 0).unwrap();
        let mut once = Blocks::zeroed(4 * BLOCK_BYTES);
        file.read_once_at(once.as_mut_slice(), 0).unwrap();
        assert!(once.as_slice() == read);
        file.read_once_at(&mut once.as_mut_slice()[..7], 5000).unwrap();
        assert_eq!(
            file.read_once_at(once.as_mut_slice(), 4096).err().unwrap().kind(),
            ErrorKind::UnexpectedEof
        );
        let sevens = |bytes: &[u8]| bytes.iter().all(|&byte| byte == 7);
        let zeros = |bytes: &[u8]| bytes.iter().all(|&byte| byte == 0);
        assert!(zeros(&read[..10]) && sevens(&read[10..110]) && zeros(&read[110..BLOCK_BYTES]));
        assert!(sevens(&read[BLOCK_BYTES..3 * BLOCK_BYTES]) && zeros(&read[3 * BLOCK_BYTES..]));
    });
}

#[test]
fn reserved_space_reads_as_zeros_and_never_shrinks() {
    on_every_disk(|disk| {
        let file = disk.create(Path::new("file")).unwrap();
        file.write_at(b"kept", 0).unwrap();
        file.allocate(100_000).unwrap();
        assert_eq!(file.size().unwrap(), 100_000);
        file.allocate(10).unwrap();
        assert_eq!(file.size().unwrap(), 100_000);
        let mut read = [1; 6];
        file.read_at(&mut read, 0).unwrap();
        assert_eq!(&read, b"kept\0\0");
        file.read_at(&mut read, 99_994).unwrap();
        assert_eq!(read, [0; 6]);
    });
}

#[test]
fn names_are_listed_renamed_and_removed() {
    on_every_disk(|disk| {
        let directory = Path::new("outer/inner");
        assert_eq!(disk.list(directory).err().unwrap().kind(), ErrorKind::NotFound);
        disk.create_dir(directory).unwrap();
        disk.create_dir(directory).unwrap();
        let file = disk.create(&directory.join("b")).unwrap();
        disk.create(&directory.join("a")).unwrap();
        assert_eq!(disk.list(directory).unwrap(), ["a", "b"]);

        file.write_at(b"B", 0).unwrap();
        disk.rename(&directory.join("b"), &directory.join("a")).unwrap();
        assert_eq!(disk.list(directory).unwrap(), ["a"]);
        let mut read = [0];
        disk.open(&directory.join("a")).unwrap().read_at(&mut read, 0).unwrap();
        assert_eq!(&read, b"B", "a rename replaces");
        file.read_at(&mut read, 0).unwrap();

        disk.remove(&directory.join("a")).unwrap();
        assert_eq!(disk.remove(&directory.join("a")).err().unwrap().kind(), ErrorKind::NotFound);
        assert_eq!(
            disk.rename(&directory.join("a"), &directory.join("c")).err().unwrap().kind(),
            ErrorKind::NotFound
        );
        assert!(disk.list(directory).unwrap().is_empty());
        file.read_at(&mut read, 0).unwrap();
        disk.sync_dir(directory).unwrap();
        assert_eq!(disk.create(Path::new("no/file")).err().unwrap().kind(), ErrorKind::NotFound);
    });
}
