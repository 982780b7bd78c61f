//! The Merkle tree of RFC 6962, section 2 (the same in RFC 9162): its hashes, its proofs, and their checks.
//!
//! ```text
//! leaf = SHA-256(0x00 || data)      node = SHA-256(0x01 || left || right)      empty tree = SHA-256("")
//! ```
//!
//! A tree of n leaves splits at the largest power of two below n. So every run of 2^k leaves that begins at a
//! multiple of 2^k is a whole subtree for ever, whatever comes after it: who keeps the hashes of some of these
//! ([`Subtrees`]) can answer for all.
//!
//! **Invariants.** Makers and checkers are written from the two different descriptions that the RFCs give of them
//! (recursive and by bits) and are held against each other by tests.

use crate::fault::ProofFault;
use sha2::{Digest as _, Sha256};

/// A tree has fewer leaves than this.
pub const LEAVES_MAX: u64 = 1 << 63;

/// The hash of a leaf, a node or a tree.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreeHash([u8; 32]);

impl TreeHash {
    /// Wraps 32 bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Of the tree without leaves.
    pub fn empty() -> Self {
        Self(Sha256::digest(b"").into())
    }

    /// Of a leaf.
    pub fn leaf(data: &[u8]) -> Self {
        Self(Sha256::new().chain_update([0]).chain_update(data).finalize().into())
    }

    /// Of a node above two others.
    pub fn node(left: &Self, right: &Self) -> Self {
        Self(Sha256::new().chain_update([1]).chain_update(left.0).chain_update(right.0).finalize().into())
    }
}

impl std::fmt::Display for TreeHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&crate::text::base64(&self.0))
    }
}

impl std::fmt::Debug for TreeHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TreeHash({self})")
    }
}

/// Who knows the hashes of whole subtrees.
pub trait Subtrees {
    /// Why a hash could not be had.
    type Fault;

    /// The hash over the 2^`level` leaves that begin with leaf `index` * 2^`level`.
    fn whole(&mut self, level: u32, index: u64) -> Result<TreeHash, Self::Fault>;
}

/// The largest power of two below `length`, which is at least 2.
fn split(length: u64) -> u64 {
    assert!(length >= 2, "only what has two leaves is split");
    1 << (length - 1).ilog2()
}

/// The hash over the leaves from `first` up to `end`, a range that the tree's own splits lead to.
fn span<S: Subtrees>(trees: &mut S, first: u64, end: u64) -> Result<TreeHash, S::Fault> {
    let length = end - first;
    if length.is_power_of_two() {
        assert!(first.is_multiple_of(length), "splits lead to whole subtrees at multiples of their length");
        return trees.whole(length.ilog2(), first >> length.ilog2());
    }
    let middle = first + split(length);
    let left = span(trees, first, middle)?;
    Ok(TreeHash::node(&left, &span(trees, middle, end)?))
}

/// The root of the tree of the first `size` leaves.
pub fn root<S: Subtrees>(trees: &mut S, size: u64) -> Result<TreeHash, S::Fault> {
    if size == 0 { Ok(TreeHash::empty()) } else { span(trees, 0, size) }
}

/// The inclusion proof of leaf `index` in the tree of `size` leaves: from its sibling up to a child of the root.
///
/// # Panics
/// Where the tree has no such leaf.
pub fn inclusion<S: Subtrees>(trees: &mut S, index: u64, size: u64) -> Result<Vec<TreeHash>, S::Fault> {
    assert!(index < size, "a proof is made for a leaf of the tree");
    let (mut first, mut end, mut path) = (0, size, Vec::new());
    while end - first > 1 {
        let middle = first + split(end - first);
        if index < middle {
            path.push(span(trees, middle, end)?);
            end = middle;
        } else {
            path.push(span(trees, first, middle)?);
            first = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// The consistency proof between the trees of `older` and of `newer` leaves.
///
/// # Panics
/// Where the older tree is the larger one.
pub fn consistency<S: Subtrees>(trees: &mut S, older: u64, newer: u64) -> Result<Vec<TreeHash>, S::Fault> {
    assert!(older <= newer, "a tree grows");
    let mut path = Vec::new();
    if older == 0 {
        return Ok(path);
    }
    let (mut first, mut end, mut rest) = (0, newer, older);
    // The checker has the older root itself; any other whole subtree of the older tree must be told.
    let mut is_known = true;
    while rest < end - first {
        let middle = first + split(end - first);
        if rest <= middle - first {
            path.push(span(trees, middle, end)?);
            end = middle;
        } else {
            path.push(span(trees, first, middle)?);
            rest -= middle - first;
            first = middle;
            is_known = false;
        }
    }
    if !is_known {
        path.push(span(trees, first, end)?);
    }
    path.reverse();
    Ok(path)
}

/// Where a path has come to: a leaf's (or subtree's) number and the last number, at one level of the tree.
struct Climb {
    at: u64,
    last: u64,
}

impl Climb {
    /// Whether the next hash of the path stands to the left; goes up to the level where that is decided.
    fn is_left(&mut self) -> bool {
        if self.at & 1 == 1 {
            return true;
        }
        if self.at != self.last {
            return false;
        }
        // The right edge: levels at which there is no sibling are passed.
        while self.at != 0 && self.at & 1 == 0 {
            self.up();
        }
        true
    }

    fn up(&mut self) {
        self.at >>= 1;
        self.last >>= 1;
    }
}

/// Checks an inclusion proof (RFC 9162, section 2.1.3.2).
///
/// # Errors
/// [`ProofFault::IndexBeyondTree`], [`ProofFault::PathLength`], [`ProofFault::RecordNotInTree`].
pub fn check_inclusion(
    leaf: &TreeHash,
    index: u64,
    size: u64,
    path: &[TreeHash],
    root: &TreeHash,
) -> Result<(), ProofFault> {
    if index >= size {
        return Err(ProofFault::IndexBeyondTree { index, size });
    }
    let mut climb = Climb { at: index, last: size - 1 };
    let mut hash = *leaf;
    for step in path {
        if climb.last == 0 {
            return Err(ProofFault::PathLength);
        }
        hash = if climb.is_left() { TreeHash::node(step, &hash) } else { TreeHash::node(&hash, step) };
        climb.up();
    }
    if climb.last != 0 {
        return Err(ProofFault::PathLength);
    }
    if hash == *root { Ok(()) } else { Err(ProofFault::RecordNotInTree { found: hash, stated: *root }) }
}

/// The size and root of a tree.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head {
    /// How many leaves.
    pub size: u64,
    /// The hash over them.
    pub root: TreeHash,
}

/// Checks a consistency proof (RFC 9162, section 2.1.4.2).
///
/// # Errors
/// [`ProofFault::OlderIsLarger`], [`ProofFault::TwoHistories`], [`ProofFault::PathLength`],
/// [`ProofFault::NotAnExtension`].
pub fn check_consistency(older: &Head, newer: &Head, path: &[TreeHash]) -> Result<(), ProofFault> {
    if older.size > newer.size {
        return Err(ProofFault::OlderIsLarger { older: older.size, newer: newer.size });
    }
    if older.size == newer.size && older.root != newer.root {
        return Err(ProofFault::TwoHistories { size: older.size });
    }
    if older.size == newer.size || older.size == 0 {
        let is_empty_tree = older.size != 0 || older.root == TreeHash::empty();
        return match (path, is_empty_tree) {
            ([], true) => Ok(()),
            ([], false) => Err(ProofFault::NotAnExtension { older: older.size, newer: newer.size }),
            ([_, ..], _) => Err(ProofFault::PathLength),
        };
    }
    let mut climb = Climb { at: older.size - 1, last: newer.size - 1 };
    while climb.at & 1 == 1 {
        climb.up();
    }
    // Where the older tree is one whole subtree, its root is where the path begins, and is not repeated in it.
    let (start, steps) = if older.size.is_power_of_two() {
        (older.root, path)
    } else {
        let (start, steps) = path.split_first().ok_or(ProofFault::PathLength)?;
        (*start, steps)
    };
    let (mut old, mut new) = (start, start);
    for step in steps {
        if climb.last == 0 {
            return Err(ProofFault::PathLength);
        }
        if climb.is_left() {
            old = TreeHash::node(step, &old);
            new = TreeHash::node(step, &new);
        } else {
            new = TreeHash::node(&new, step);
        }
        climb.up();
    }
    if climb.last != 0 {
        return Err(ProofFault::PathLength);
    }
    if old == older.root && new == newer.root {
        return Ok(());
    }
    Err(ProofFault::NotAnExtension { older: older.size, newer: newer.size })
}

/// All hashes of one whole tree, for a number of leaves that is a power of two.
pub struct WholeTree {
    /// The leaves, then the level above, up to the root.
    levels: Vec<Vec<TreeHash>>,
}

impl WholeTree {
    /// Over these leaves' hashes.
    ///
    /// # Panics
    /// Where their number is no power of two.
    pub fn new(leaves: Vec<TreeHash>) -> Self {
        assert!(leaves.len().is_power_of_two(), "a whole tree has a power of two of leaves");
        let mut levels = vec![leaves];
        while let Some(below) = levels.last().filter(|level| level.len() > 1) {
            let above = below.chunks_exact(2).map(|pair| TreeHash::node(&pair[0], &pair[1])).collect();
            levels.push(above);
        }
        Self { levels }
    }

    /// The hash over 2^`level` leaves; `None` where there are not so many.
    pub fn whole(&self, level: u32, index: u64) -> Option<TreeHash> {
        let level = self.levels.get(usize::try_from(level).ok()?)?;
        level.get(usize::try_from(index).ok()?).copied()
    }

    /// The hash over all.
    pub fn root(&self) -> TreeHash {
        self.levels.last().and_then(|level| level.first()).copied().unwrap_or_else(TreeHash::empty)
    }
}
