//! From a 128-bit id to the slot of its record: open addressing over 64-bit entries.
//!
//! An entry holds 32 bits of the id's hash and the slot plus one (zero is empty); the id itself is compared in
//! the record, where it stands anyway. Eight bytes an entry instead of twenty keep the table in cache: memory
//! traffic decides how fast transfers are posted. The place of an entry is the top bits of the same 32, so a
//! table doubles in one sequential pass without looking at a record.
//!
//! **Invariants.** At most three quarters full. The hash is fixed for ever: no replica may differ. Removal
//! closes the gap, so there are no tombstones.

/// The hash of an id: two rounds of 64 x 64 -> 128 bit multiplication, folded.
#[inline]
pub fn hash_of(id: u128) -> u32 {
    let low = u64::try_from(id & u128::from(u64::MAX)).unwrap_or(0);
    let high = u64::try_from(id >> 64).unwrap_or(0);
    let first = fold(low ^ 0x9e37_79b9_7f4a_7c15, high ^ 0xd1b5_4a32_d192_ed03);
    let second = fold(first ^ low, 0xa076_1d64_78bd_642f);
    u32::try_from(second >> 32).unwrap_or(0)
}

#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a).wrapping_mul(u128::from(b));
    let low = u64::try_from(product & u128::from(u64::MAX)).unwrap_or(0);
    let high = u64::try_from(product >> 64).unwrap_or(0);
    low ^ high
}

/// The table.
pub struct SlotIndex {
    entries: Vec<u64>,
    bits: u32,
    len: usize,
}

const HASH_MASK: u64 = 0xffff_ffff_0000_0000;

impl SlotIndex {
    /// A table that holds `count` entries without growing.
    pub fn with_capacity(count: usize) -> Self {
        let wanted = count.saturating_add(count / 3).saturating_add(16);
        let bits = wanted.next_power_of_two().trailing_zeros().clamp(4, 32);
        Self { entries: vec![0; 1usize << bits], bits, len: 0 }
    }

    /// Forgets all ids, and keeps the memory.
    pub fn clear(&mut self) {
        self.entries.fill(0);
        self.len = 0;
    }

    /// How many ids it knows.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it knows none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[inline]
    fn home(&self, hash: u32) -> usize {
        usize::try_from(u64::from(hash) >> 32u32.saturating_sub(self.bits)).unwrap_or(0)
    }

    #[inline]
    fn mask(&self) -> usize {
        self.entries.len().wrapping_sub(1)
    }

    /// The entry at a hash's home, so that its cache line is there when it is searched.
    #[inline]
    pub(crate) fn peek(&self, hash: u32) -> u64 {
        self.entries[self.home(hash)]
    }

    /// The first slot with this hash, its id not compared.
    #[inline]
    pub(crate) fn candidate(&self, hash: u32) -> Option<u32> {
        self.find(hash, |_| true)
    }

    /// The slot whose hash is `hash` and for which `is_it` holds.
    #[inline]
    pub fn find(&self, hash: u32, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        let mask = self.mask();
        let mut place = self.home(hash);
        loop {
            let entry = self.entries[place];
            if entry == 0 {
                return None;
            }
            if entry >> 32 == u64::from(hash) {
                let slot = slot_of(entry);
                if is_it(slot) {
                    return Some(slot);
                }
            }
            place = place.wrapping_add(1) & mask;
        }
    }

    /// Adds a slot that is not there yet.
    #[inline]
    pub fn insert(&mut self, hash: u32, slot: u32) {
        if self.len.saturating_mul(4) >= self.entries.len().saturating_mul(3) {
            self.double();
        }
        self.place(entry_of(hash, slot));
        self.len = self.len.saturating_add(1);
    }

    #[inline]
    fn place(&mut self, entry: u64) {
        let mask = self.mask();
        let mut place = self.home(hash_in(entry));
        while self.entries[place] != 0 {
            place = place.wrapping_add(1) & mask;
        }
        self.entries[place] = entry;
    }

    #[cold]
    fn double(&mut self) {
        assert!(self.bits < 32, "an index holds at most three thousand million ids; add a shard");
        let old = core::mem::take(&mut self.entries);
        self.bits = self.bits.saturating_add(1);
        self.entries = vec![0; 1usize << self.bits];
        for entry in old {
            if entry != 0 {
                self.place(entry);
            }
        }
    }

    /// Removes a slot that is there.
    pub fn remove(&mut self, hash: u32, slot: u32) {
        let mask = self.mask();
        let wanted = entry_of(hash, slot);
        let mut hole = self.home(hash);
        while self.entries[hole] != wanted {
            assert!(self.entries[hole] != 0, "only a known id is removed");
            hole = hole.wrapping_add(1) & mask;
        }
        let mut next = hole.wrapping_add(1) & mask;
        while self.entries[next] != 0 {
            let home = self.home(hash_in(self.entries[next]));
            let distance_from_home = next.wrapping_sub(home) & mask;
            let distance_from_hole = next.wrapping_sub(hole) & mask;
            if distance_from_home >= distance_from_hole {
                self.entries[hole] = self.entries[next];
                hole = next;
            }
            next = next.wrapping_add(1) & mask;
        }
        self.entries[hole] = 0;
        self.len = self.len.saturating_sub(1);
    }
}

#[inline]
fn entry_of(hash: u32, slot: u32) -> u64 {
    (u64::from(hash) << 32) | u64::from(slot.checked_add(1).expect("the last slot number means none"))
}

#[inline]
fn slot_of(entry: u64) -> u32 {
    u32::try_from(entry & !HASH_MASK).unwrap_or(0).wrapping_sub(1)
}

#[inline]
fn hash_in(entry: u64) -> u32 {
    u32::try_from(entry >> 32).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ids that share a home collide, are found, and are removed in any order without losing each other.
    #[test]
    fn entries_survive_the_removal_of_their_neighbours() {
        let ids: Vec<u128> = (0..5_000u128).map(|n| n.wrapping_mul(0x1_0000_0001)).collect();
        let mut index = SlotIndex::with_capacity(4);
        for (slot, id) in ids.iter().enumerate() {
            index.insert(hash_of(*id), u32::try_from(slot).unwrap());
        }
        for (removed, id) in ids.iter().enumerate().step_by(3) {
            index.remove(hash_of(*id), u32::try_from(removed).unwrap());
        }
        for (slot, id) in ids.iter().enumerate() {
            let found = index.find(hash_of(*id), |at| ids[usize::try_from(at).unwrap()] == *id);
            let expected = (slot % 3 != 0).then(|| u32::try_from(slot).unwrap());
            assert_eq!(found, expected, "id {id}");
        }
        assert_eq!(index.len(), ids.len() - ids.len().div_ceil(3));
    }
}
