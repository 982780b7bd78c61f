//! What goes wrong in one run, drawn from its seed before it begins.
//!
//! **The promise.** Books survive and stay right as long as of each shard's members a majority has its disk. So any
//! number of nodes may crash, lose their power, be cut off, be slow or have wrong clocks, all at once; but only one
//! disk of a town is made to lie (lose or misdirect a write of the books, rot), and no disk is emptied. The log's
//! last write is not made to rot: no log can tell that from a write that the power cut short.

use crate::dice::Dice;
use crate::wire::Weather;

/// One thing that goes wrong.
#[allow(missing_docs, reason = "each line above a kind of trouble says what its numbers are")]
#[derive(Clone, Copy, Debug)]
pub enum Trouble {
    /// The process is killed and started again.
    Kill { node: usize, down_ms: u64 },
    /// The power goes, at once or in the middle of one of the next calls to the disk.
    Power { node: usize, after_calls: Option<u64>, down_ms: u64 },
    /// All lose their power.
    PowerEverywhere { down_ms: u64 },
    /// Two sides do not hear each other; bit `i` says on which side node `i` is.
    Partition { sides: u64, lasts_ms: u64 },
    /// One direction is silent.
    OneWay { from: usize, to: usize, lasts_ms: u64 },
    /// The network gets worse.
    Storm { weather: Weather, lasts_ms: u64 },
    /// Disk and machine take their time.
    Slow { node: usize, slowest_ms: u64, lasts_ms: u64 },
    /// The clock is wrong from now on.
    Clock { node: usize, skew_ms: i64 },
    /// Leadership of a shard is handed to a node.
    HandOver { shard: u32, to: usize },
    /// Every replica of a node makes an image.
    Image { node: usize },
    /// The disk is full for a while.
    Full { node: usize, lasts_ms: u64 },
    /// A call to the disk fails, or a write is torn.
    Fault { node: usize, after_calls: u64, torn: bool },
    /// A write of the books is lost or lands elsewhere; then the power goes.
    Lie { node: usize, after_writes: u64, lost: bool },
    /// The power goes, and some bits of the books rot.
    Rot { node: usize, bits: u64 },
}

/// A run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Nodes.
    pub nodes: u64,
    /// Shards.
    pub shards: u32,
    /// Clients.
    pub clients: u64,
    /// Things that each client does.
    pub things: u64,
    /// Entries kept behind an image.
    pub kept_entries: u64,
    /// When what goes wrong, in order.
    pub troubles: Vec<(u64, Trouble)>,
}

/// How long things go wrong.
const TROUBLED_MS: u64 = 20_000;

impl Plan {
    /// The plan of a seed.
    pub fn draw(seed: u64) -> Self {
        let mut dice = Dice::new(seed, "plan");
        let nodes = [3, 3, 3, 5, 5, 7][dice.index(6)];
        let shards = [1, 1, 2, 2, 3, 4][dice.index(6)];
        // Each run has a character: some kinds of trouble often, others never.
        let kinds: Vec<u64> = (0..14).filter(|_| dice.happens(450_000)).collect();
        let count = dice.within(2, 14);
        let liar = dice.index(usize::try_from(nodes).unwrap_or(3));
        let mut troubles = Vec::new();
        for _trouble in 0..count {
            let at = dice.within(500, TROUBLED_MS);
            let kind = if kinds.is_empty() { dice.below(14) } else { kinds[dice.index(kinds.len())] };
            troubles.push((at, trouble(&mut dice, kind, nodes, shards, liar)));
        }
        troubles.sort_by_key(|(at, _)| *at);
        Self {
            nodes,
            shards,
            clients: dice.within(1, 6),
            things: dice.within(10, 60),
            kept_entries: [1, 10, 1_000][dice.index(3)],
            troubles,
        }
    }
}

fn trouble(dice: &mut Dice, kind: u64, nodes: u64, shards: u32, liar: usize) -> Trouble {
    let some = |dice: &mut Dice| dice.index(usize::try_from(nodes).unwrap_or(3));
    let node = some(dice);
    let lasts_ms = dice.within(100, 6_000);
    match kind {
        0 => Trouble::Kill { node, down_ms: dice.within(0, 5_000) },
        1 => Trouble::Power { node, after_calls: None, down_ms: dice.within(0, 5_000) },
        2 => Trouble::Power { node, after_calls: Some(dice.below(60)), down_ms: dice.within(0, 5_000) },
        3 => Trouble::PowerEverywhere { down_ms: dice.within(0, 2_000) },
        4 => Trouble::Partition { sides: dice.draw(), lasts_ms },
        5 => Trouble::OneWay { from: node, to: some(dice), lasts_ms },
        6 => {
            let delay_ms_max = dice.within(5, 200);
            let weather = Weather {
                delay_ms_min: 0,
                delay_ms_max,
                breaks: dice.below(20_000),
                garbled: dice.below(10_000),
            };
            Trouble::Storm { weather, lasts_ms }
        }
        7 => Trouble::Slow { node, slowest_ms: dice.within(5, 400), lasts_ms },
        8 => {
            let far = dice.within(1, 40_000);
            let skew_ms = i64::try_from(far).unwrap_or(0) * if dice.happens(500_000) { 1 } else { -1 };
            Trouble::Clock { node, skew_ms }
        }
        9 => Trouble::HandOver {
            shard: 1 + u32::try_from(dice.below(u64::from(shards))).unwrap_or(0),
            to: node,
        },
        10 => Trouble::Image { node },
        11 => Trouble::Full { node, lasts_ms },
        12 => Trouble::Fault { node, after_calls: dice.below(80), torn: dice.happens(500_000) },
        _lies => {
            if dice.happens(500_000) {
                Trouble::Lie { node: liar, after_writes: dice.below(12), lost: dice.happens(500_000) }
            } else {
                Trouble::Rot { node: liar, bits: dice.within(1, 4) }
            }
        }
    }
}
