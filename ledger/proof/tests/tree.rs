//! The tree against RFC 6962's own description of it, and against the roots that every implementation shares.

#![allow(clippy::unwrap_used, reason = "a panic is a test's report")]

use fen_proof::tree::{
    Head, Subtrees, WholeTree, check_consistency, check_inclusion, consistency, inclusion, root,
};
use fen_proof::{ProofFault, TreeHash};
use proptest::prelude::*;

/// Leaves, and whole subtrees worked out anew for each question.
struct Leaves(Vec<TreeHash>);

impl Subtrees for Leaves {
    type Fault = std::convert::Infallible;

    fn whole(&mut self, level: u32, index: u64) -> Result<TreeHash, Self::Fault> {
        let length = 1usize << level;
        let first = usize::try_from(index).unwrap() * length;
        Ok(WholeTree::new(self.0[first..first + length].to_vec()).root())
    }
}

fn leaves(count: u64) -> Leaves {
    Leaves((0..count).map(|number| TreeHash::leaf(&number.to_le_bytes())).collect())
}

/// Section 2.1, word for word.
fn definition(leaves: &[TreeHash]) -> TreeHash {
    match leaves {
        [] => TreeHash::empty(),
        [one] => *one,
        more => {
            let mut split = 1;
            while split * 2 < more.len() {
                split *= 2;
            }
            TreeHash::node(&definition(&more[..split]), &definition(&more[split..]))
        }
    }
}

fn root_of(count: u64) -> TreeHash {
    root(&mut leaves(count), count).unwrap()
}

#[test]
fn the_roots_that_every_implementation_shares() {
    let inputs: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];
    let roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let mut leaves = Leaves(inputs.iter().map(|data| TreeHash::leaf(data)).collect());
    for (size, wanted) in (1..).zip(roots) {
        let found = root(&mut leaves, size).unwrap();
        let bytes = (0..32).map(|at| u8::from_str_radix(&wanted[2 * at..2 * at + 2], 16).unwrap());
        assert!(bytes.eq(found.bytes().iter().copied()), "{wanted}");
    }
}

#[test]
fn every_leaf_of_every_small_tree_is_proved() {
    for size in 0..70 {
        let mut tree = leaves(size);
        let top = root(&mut tree, size).unwrap();
        assert_eq!(top, definition(&tree.0));
        for index in 0..size {
            let leaf = tree.0[usize::try_from(index).unwrap()];
            let path = inclusion(&mut tree, index, size).unwrap();
            check_inclusion(&leaf, index, size, &path, &top).unwrap();
            for other in (0..size).filter(|other| *other != index) {
                assert!(check_inclusion(&leaf, other, size, &path, &top).is_err(), "{index} is not {other}");
            }
        }
    }
}

#[test]
fn every_small_tree_begins_with_every_smaller_one_and_no_other() {
    let roots: Vec<TreeHash> = (0..40).map(root_of).collect();
    let head = |size: u64| Head { size, root: roots[usize::try_from(size).unwrap()] };
    for newer in 0..40 {
        for older in 0..=newer {
            let path = consistency(&mut leaves(newer), older, newer).unwrap();
            check_consistency(&head(older), &head(newer), &path).unwrap();
            for other in (0..40).filter(|other| *other != older) {
                let lie = Head { size: older, root: head(other).root };
                assert!(check_consistency(&lie, &head(newer), &path).is_err(), "{older} {newer} {other}");
            }
            for other in (older..40).filter(|other| *other != newer && older != 0) {
                let lie = Head { size: newer, root: head(other).root };
                assert!(check_consistency(&head(older), &lie, &path).is_err(), "{older} {newer} {other}");
            }
        }
    }
}

#[test]
fn what_cannot_be_is_named() {
    let (three, four) = (Head { size: 3, root: root_of(3) }, Head { size: 4, root: root_of(4) });
    assert_eq!(check_consistency(&four, &three, &[]), Err(ProofFault::OlderIsLarger { older: 4, newer: 3 }));
    let other = Head { size: 4, root: root_of(5) };
    assert_eq!(check_consistency(&four, &other, &[]), Err(ProofFault::TwoHistories { size: 4 }));
    assert_eq!(check_consistency(&three, &four, &[]), Err(ProofFault::PathLength));
    let leaf = TreeHash::leaf(b"");
    let beyond = Err(ProofFault::IndexBeyondTree { index: 4, size: 4 });
    assert_eq!(check_inclusion(&leaf, 4, 4, &[], &four.root), beyond);
    assert_eq!(check_inclusion(&leaf, 0, 4, &[leaf], &four.root), Err(ProofFault::PathLength));
    assert_eq!(check_inclusion(&leaf, 0, 4, &[leaf; 3], &four.root), Err(ProofFault::PathLength));
}

proptest! {
    #[test]
    fn any_leaf_is_proved_and_any_change_is_seen(size in 1u64..3_000, at: u64, step: usize, bit in 0usize..256) {
        let index = at % size;
        let mut tree = leaves(size);
        let top = root(&mut tree, size).unwrap();
        prop_assert_eq!(top, definition(&tree.0));
        let leaf = tree.0[usize::try_from(index).unwrap()];
        let mut path = inclusion(&mut tree, index, size).unwrap();
        check_inclusion(&leaf, index, size, &path, &top).unwrap();
        if let Some(hash) = step.checked_rem(path.len()).and_then(|step| path.get_mut(step)) {
            let mut bytes = *hash.bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            *hash = TreeHash::new(bytes);
            prop_assert!(check_inclusion(&leaf, index, size, &path, &top).is_err());
        }
    }

    #[test]
    fn any_growth_is_proved_and_any_change_is_seen(newer in 1u64..3_000, at: u64, step: usize, bit in 0usize..256) {
        let older = at % (newer + 1);
        let mut tree = leaves(newer);
        let heads = [older, newer].map(|size| Head { size, root: root(&mut tree, size).unwrap() });
        let mut path = consistency(&mut tree, older, newer).unwrap();
        check_consistency(&heads[0], &heads[1], &path).unwrap();
        if let Some(hash) = step.checked_rem(path.len()).and_then(|step| path.get_mut(step)) {
            let mut bytes = *hash.bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            *hash = TreeHash::new(bytes);
            prop_assert!(check_consistency(&heads[0], &heads[1], &path).is_err());
        }
    }
}
