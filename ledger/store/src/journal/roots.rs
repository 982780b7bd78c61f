//! The Merkle trees of segments' records: what proofs are made of (the crate `fen-proof` says how).
//!
//! A segment holds 65,536 records and begins at a multiple of that, so the hash over its records is a whole subtree
//! of the tree over all records. It is worked out when a digest or a proof first asks for it, never while sealing:
//! until someone signs a root, nobody outside could tell, and the path of transfers does not pay for it. Roots are
//! kept in the file `roots` (68 bytes a segment), each beside the hash of the segment it was worked out from.
//!
//! **Invariants.** A segment's bytes are held against its name before its records are hashed. The file is never the
//! only copy of anything: damaged, foreign or lost, it is made again. Tested in `journal/tests`, and by every proof.

use super::{Journal, JournalFault, locked};
use crate::segment::{BLOCK_RECORDS, Reading, SegmentHash, block_of, narrow};
use fen_book::CHUNK_RECORDS;
use fen_proof::TreeHash;
use fen_proof::tree::WholeTree;
use std::collections::BTreeMap;
use zerocopy::IntoBytes as _;

const FILE: &str = "roots";
const MAGIC: [u8; 8] = *b"FENROOT1";
const ENTRY_BYTES: usize = 4 + 32 + 32;
const SUM_BYTES: usize = 4;

/// The roots that are known.
#[derive(Default)]
pub(super) struct Roots {
    is_read: bool,
    /// Those in memory that the file does not have.
    is_ahead: bool,
    known: BTreeMap<u32, (SegmentHash, TreeHash)>,
}

impl Roots {
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        for (number, (hash, root)) in &self.known {
            bytes.extend_from_slice(&number.to_le_bytes());
            bytes.extend_from_slice(hash.bytes());
            bytes.extend_from_slice(root.bytes());
        }
        let sum = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// `None` where these are not the bytes that were written.
    fn from_bytes(bytes: &[u8]) -> Option<BTreeMap<u32, (SegmentHash, TreeHash)>> {
        let (body, sum) = bytes.split_last_chunk::<SUM_BYTES>()?;
        let entries = body.strip_prefix(&MAGIC)?;
        if crc32c::crc32c(body).to_le_bytes() != *sum || !entries.len().is_multiple_of(ENTRY_BYTES) {
            return None;
        }
        let entry = |bytes: &[u8]| {
            let (number, hashes) = bytes.split_first_chunk::<4>()?;
            let (hash, root) = hashes.split_first_chunk::<32>()?;
            let root = root.first_chunk::<32>()?;
            Some((u32::from_le_bytes(*number), (SegmentHash::new(*hash), TreeHash::new(*root))))
        };
        entries.chunks_exact(ENTRY_BYTES).map(entry).collect()
    }
}

impl Journal {
    /// All hashes over one segment's records.
    pub fn record_tree(&self, number: u32) -> Result<WholeTree, JournalFault> {
        let view = self.view();
        let hash = self.known(&view, number)?.hash;
        let segment = self.segment_in(&view, number)?;
        segment.verify(&hash)?;
        let mut reading = Reading::new(segment);
        let mut leaves = Vec::with_capacity(CHUNK_RECORDS);
        for position in 0..narrow(CHUNK_RECORDS) {
            let (block, row) = block_of(position);
            assert!(row < BLOCK_RECORDS, "a row is one of its block");
            leaves.push(TreeHash::leaf(reading.record_in(block, row)?.as_bytes()));
        }
        Ok(WholeTree::new(leaves))
    }

    /// The hash over one segment's records; worked out once for each segment.
    pub fn record_root(&self, number: u32) -> Result<TreeHash, JournalFault> {
        let hash = self.known(&self.view(), number)?.hash;
        let mut roots = locked(&self.roots);
        if !roots.is_read {
            let bytes = self.files.read(FILE)?;
            roots.known = bytes.and_then(|bytes| Roots::from_bytes(&bytes)).unwrap_or_default();
            roots.is_read = true;
        }
        if let Some((of, root)) = roots.known.get(&number)
            && *of == hash
        {
            return Ok(*root);
        }
        let root = self.record_tree(number)?.root();
        roots.known.insert(number, (hash, root));
        roots.is_ahead = true;
        Ok(root)
    }

    /// Writes down the roots that were worked out, so that the next asker need not.
    pub fn keep_record_roots(&self) -> Result<(), JournalFault> {
        let mut roots = locked(&self.roots);
        if roots.is_ahead {
            let bytes = roots.to_bytes();
            self.files.write(FILE, |write| write(&bytes))?;
            roots.is_ahead = false;
        }
        Ok(())
    }

    /// Works every kept root out again from its records; answers what differs or cannot be read.
    pub fn verify_record_roots(&self) -> Vec<JournalFault> {
        let kept = match self.files.read(FILE) {
            Ok(bytes) => bytes.and_then(|bytes| Roots::from_bytes(&bytes)).unwrap_or_default(),
            Err(fault) => return vec![fault],
        };
        let check = |(number, (hash, root)): (u32, (SegmentHash, TreeHash))| {
            let view = self.view();
            // What is missing is told of by `damage`, for every segment alike.
            let Ok(known) = self.known(&view, number) else { return None };
            match self.record_tree(number) {
                Ok(tree) if known.hash == hash && tree.root() == root => None,
                Ok(_) => Some(JournalFault::OtherHistory { number }),
                Err(fault) => Some(fault),
            }
        };
        kept.into_iter().filter_map(check).collect()
    }
}
