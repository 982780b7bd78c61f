//! Memory in whole blocks, aligned so that a disk can take it without a copy.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The unit of direct writes: offsets, lengths and addresses are multiples of it.
pub const BLOCK_BYTES: usize = 4096;

#[derive(Clone, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(4096))]
struct Block([u8; BLOCK_BYTES]);

/// A byte buffer whose address is a multiple of [`BLOCK_BYTES`], so records in it can be viewed in place.
#[derive(Clone)]
pub struct Blocks {
    blocks: Vec<Block>,
    length: usize,
}

impl Blocks {
    /// `length` zero bytes.
    pub fn zeroed(length: usize) -> Self {
        Self { blocks: vec![Block([0; BLOCK_BYTES]); length.div_ceil(BLOCK_BYTES)], length }
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.blocks.as_bytes()[..self.length]
    }

    /// The bytes, to be written.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.blocks.as_mut_slice().as_mut_bytes()[..self.length]
    }

    /// How many bytes.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }
}

impl AsRef<[u8]> for Blocks {
    fn as_ref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl core::fmt::Debug for Blocks {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Blocks({} bytes)", self.length)
    }
}

/// Whether a disk may take these bytes as they lie, without a copy.
pub(super) fn is_whole_blocks(buffer: &[u8], offset: u64) -> bool {
    let block = BLOCK_BYTES as u64;
    !buffer.is_empty()
        && buffer.as_ptr().addr().is_multiple_of(BLOCK_BYTES)
        && buffer.len().is_multiple_of(BLOCK_BYTES)
        && offset.is_multiple_of(block)
}
