//! Manifests: which page lies in which slot, with its checksum and hash, and the header of whoever wrote it.
//!
//! On disk: a fixed head of 64 bytes, the header, and one entry of 32 bytes for each page in the order of their ids,
//! all under one checksum. A manifest is written aside, synced and renamed, so it is there whole or not at all.

use super::{ASIDE_NAME, CheckpointFault, HEADER_BYTES_MAX, PageId, Placed};
use crate::disk::Disk;
use std::collections::BTreeMap;
use std::path::Path;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The format that this release writes, and the newest that it reads.
pub(super) const VERSION: u32 = 1;

const MAGIC: [u8; 8] = *b"FEN-PAGE";
const PREFIX: &str = "MANIFEST-";

/// The file name of a generation's manifest.
pub(super) fn name_of(generation: u64) -> String {
    format!("{PREFIX}{generation:020}")
}

/// The generation whose manifest bears a name, if one does.
pub(super) fn number_of(name: &str) -> Option<u64> {
    let number = name.strip_prefix(PREFIX)?.parse().ok()?;
    (name_of(number) == name).then_some(number)
}

#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Head {
    magic: [u8; 8],
    version: u32,
    /// Over all that follows, to the end of the file.
    checksum: u32,
    generation: u64,
    pages: u64,
    header_bytes: u32,
    zero: [u8; 28],
}

const HEAD_BYTES: usize = 64;
const CHECKSUM_FROM: usize = 16;
const _: () = assert!(size_of::<Head>() == HEAD_BYTES);

#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Item {
    hash: [u8; 16],
    table: u16,
    zero: u16,
    page: u32,
    slot: u32,
    checksum: u32,
}

const ITEM_BYTES: usize = 32;
const _: () = assert!(size_of::<Item>() == ITEM_BYTES);

/// What a manifest says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Manifest {
    pub(super) generation: u64,
    pub(super) header: Vec<u8>,
    pub(super) pages: BTreeMap<PageId, Placed>,
}

impl Manifest {
    pub(super) fn encode(&self) -> Vec<u8> {
        assert!(self.header.len() <= HEADER_BYTES_MAX, "a header has passed its limit's check");
        let mut bytes = Vec::with_capacity(HEAD_BYTES + self.header.len() + self.pages.len() * ITEM_BYTES);
        let mut head = Head {
            magic: MAGIC,
            version: VERSION,
            checksum: 0,
            generation: self.generation,
            pages: self.pages.len() as u64,
            header_bytes: u32::try_from(self.header.len()).unwrap_or(u32::MAX),
            zero: [0; 28],
        };
        bytes.extend_from_slice(head.as_bytes());
        bytes.extend_from_slice(&self.header);
        for (id, placed) in &self.pages {
            let Placed { slot, checksum, hash } = *placed;
            let item = Item { hash, table: id.table, zero: 0, page: id.page, slot, checksum };
            bytes.extend_from_slice(item.as_bytes());
        }
        head.checksum = crc32c::crc32c(&bytes[CHECKSUM_FROM..]);
        bytes[..HEAD_BYTES].copy_from_slice(head.as_bytes());
        bytes
    }

    /// Reads the bytes of the file that bears `generation`'s name.
    pub(super) fn decode(bytes: &[u8], generation: u64) -> Result<Self, CheckpointFault> {
        let file = name_of(generation);
        let damaged = |what| CheckpointFault::Damaged { file: file.clone(), what };
        let Ok((head, rest)) = Head::read_from_prefix(bytes) else {
            return Err(damaged("it is shorter than a manifest"));
        };
        if head.magic != MAGIC {
            return Err(damaged("it is not a manifest"));
        }
        if head.version > VERSION {
            return Err(CheckpointFault::Newer { file, found: head.version, known: VERSION });
        }
        if head.version == 0 || head.checksum != crc32c::crc32c(&bytes[CHECKSUM_FROM..]) {
            return Err(damaged("it fails its checksum"));
        }
        if head.generation != generation || generation == 0 {
            return Err(damaged("it bears another number than its name"));
        }
        let header_bytes = usize::try_from(head.header_bytes).unwrap_or(usize::MAX);
        if header_bytes > HEADER_BYTES_MAX || header_bytes > rest.len() {
            return Err(damaged("its header is too long"));
        }
        let (header, items) = rest.split_at(header_bytes);
        let (items, over) = items.as_chunks::<ITEM_BYTES>();
        if items.len() as u64 != head.pages || !over.is_empty() {
            return Err(damaged("its length does not fit its pages"));
        }
        let pages = decode_items(items).ok_or_else(|| damaged("its pages are out of order"))?;
        Ok(Self { generation, header: header.to_owned(), pages })
    }

    /// Reads the manifest of a generation.
    pub(super) fn read(disk: &dyn Disk, directory: &Path, generation: u64) -> Result<Self, CheckpointFault> {
        let name = name_of(generation);
        let file = disk.open(&directory.join(&name)).map_err(CheckpointFault::disk(&name, "opening"))?;
        let size = file.size().map_err(CheckpointFault::disk(&name, "reading"))?;
        let mut bytes = vec![0; usize::try_from(size).unwrap_or(usize::MAX)];
        file.read_at(&mut bytes, 0).map_err(CheckpointFault::disk(&name, "reading"))?;
        Self::decode(&bytes, generation)
    }

    /// Puts the manifest in its place, durably.
    pub(super) fn write(&self, disk: &dyn Disk, directory: &Path) -> Result<(), CheckpointFault> {
        let (aside, name) = (directory.join(ASIDE_NAME), name_of(self.generation));
        match disk.remove(&aside) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(CheckpointFault::disk(ASIDE_NAME, "removing")(error));
            }
            Ok(()) | Err(_) => {}
        }
        let file = disk.create(&aside).map_err(CheckpointFault::disk(ASIDE_NAME, "creating"))?;
        file.write_at(&self.encode(), 0).map_err(CheckpointFault::disk(ASIDE_NAME, "writing"))?;
        file.sync().map_err(CheckpointFault::uncertain(ASIDE_NAME, "syncing"))?;
        let swapped = disk.rename(&aside, &directory.join(&name)).and_then(|()| disk.sync_dir(directory));
        swapped.map_err(CheckpointFault::uncertain(&name, "naming"))
    }
}

/// The pages, if their ids rise.
fn decode_items(items: &[[u8; ITEM_BYTES]]) -> Option<BTreeMap<PageId, Placed>> {
    let mut pages = BTreeMap::new();
    for item in items {
        let Item { hash, table, zero: _, page, slot, checksum } = Item::read_from_bytes(item).ok()?;
        let id = PageId { table, page };
        if pages.last_key_value().is_some_and(|(last, _)| *last >= id) {
            return None;
        }
        pages.insert(id, Placed { slot, checksum, hash });
    }
    Some(pages)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn manifest() -> Manifest {
        let mut pages = BTreeMap::new();
        for page in 0..5 {
            let placed = Placed { slot: 9 - page, checksum: page * 7, hash: [3; 16] };
            pages.insert(PageId { table: 2, page }, placed);
        }
        Manifest { generation: 12, header: b"header".to_vec(), pages }
    }

    fn resealed(mut bytes: Vec<u8>) -> Vec<u8> {
        let checksum = crc32c::crc32c(&bytes[CHECKSUM_FROM..]);
        bytes[12..16].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    #[test]
    fn names_are_in_the_order_of_generations() {
        assert_eq!(name_of(3), "MANIFEST-00000000000000000003");
        assert_eq!(number_of(&name_of(u64::MAX)), Some(u64::MAX));
        assert_eq!(number_of("MANIFEST-3"), None);
        assert_eq!(number_of(ASIDE_NAME), None);
    }

    #[test]
    fn a_manifest_comes_back_and_no_flipped_bit_passes() {
        let bytes = manifest().encode();
        assert_eq!(Manifest::decode(&bytes, 12).unwrap(), manifest());
        assert!(Manifest::decode(&bytes, 13).is_err());
        for bit in 0..bytes.len() * 8 {
            let mut wrong = bytes.clone();
            wrong[bit / 8] ^= 1 << (bit % 8);
            assert!(Manifest::decode(&wrong, 12).is_err(), "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert!(Manifest::decode(&bytes[..length], 12).is_err(), "cut at {length}");
        }
    }

    #[test]
    fn a_newer_version_is_named() {
        let mut bytes = manifest().encode();
        bytes[8] = 4;
        let text = Manifest::decode(&bytes, 12).unwrap_err().to_string();
        let name = "MANIFEST-00000000000000000012";
        assert_eq!(
            text,
            format!("{name} has format version 4, this release knows up to 1: start the newer release")
        );
    }

    #[test]
    fn pages_out_of_order_are_refused_under_a_right_checksum() {
        let mut bytes = manifest().encode();
        let first = HEAD_BYTES + 6;
        bytes.copy_within(first..first + ITEM_BYTES, first + ITEM_BYTES);
        let text = Manifest::decode(&resealed(bytes), 12).unwrap_err().to_string();
        assert!(text.contains("out of order"), "{text}");
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            prop_assert!(Manifest::decode(&bytes, 1).is_err());
        }

        /// Under a right checksum wild fields neither panic nor make it reserve more than it was given.
        #[test]
        fn wild_fields_are_harmless(bytes in proptest::collection::vec(any::<u8>(), 48..400)) {
            let mut bytes = [[0; 16].as_slice(), &bytes].concat();
            bytes[..8].copy_from_slice(&MAGIC);
            bytes[8] = 1;
            bytes[16..24].copy_from_slice(&5_u64.to_le_bytes());
            if let Ok(manifest) = Manifest::decode(&resealed(bytes.clone()), 5) {
                prop_assert!(manifest.header.len() + manifest.pages.len() * ITEM_BYTES <= bytes.len());
            }
        }
    }
}
