//! Numbers from a seed, the same on every machine (`SplitMix64`).

use std::time::Duration;

pub(crate) const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

pub(crate) fn mixed(state: u64) -> u64 {
    let mut mixed = state.wrapping_add(STEP);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// See the module.
pub struct Dice(u64);

impl Dice {
    /// One purpose, one set of dice: what one draws more does not change what another draws.
    pub fn new(seed: u64, purpose: &str) -> Self {
        let purpose = crc32c::crc32c(purpose.as_bytes());
        Self(mixed(seed ^ u64::from(purpose).rotate_left(32)))
    }

    /// Any number.
    pub fn draw(&mut self) -> u64 {
        let state = self.0;
        self.0 = self.0.wrapping_add(STEP);
        mixed(state)
    }

    /// From zero to before the limit.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.draw() % limit.max(1)
    }

    /// From the first to the second, both included.
    pub fn within(&mut self, from: u64, to: u64) -> u64 {
        from + self.below(to - from + 1)
    }

    /// An index into something of that length.
    pub fn index(&mut self, length: usize) -> usize {
        let drawn = self.below(length as u64);
        usize::try_from(drawn).expect("an index was drawn below a length")
    }

    /// So many times in a million.
    pub fn happens(&mut self, in_a_million: u64) -> bool {
        in_a_million > 0 && self.below(1_000_000) < in_a_million
    }

    /// Milliseconds from the first to the second.
    pub fn pause(&mut self, from_ms: u64, to_ms: u64) -> Duration {
        Duration::from_millis(self.within(from_ms, to_ms))
    }
}
