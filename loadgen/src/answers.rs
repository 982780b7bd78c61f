//! All answers of a run, compactly: what was refused, and everything else was done.

use crate::stream::Refused;
use std::collections::BTreeMap;

/// See the module.
#[derive(Clone, Default, Debug)]
pub struct Answers {
    refusals: BTreeMap<u64, Vec<Refused>>,
}

impl Answers {
    /// Keeps what was refused of a command.
    pub fn keep(&mut self, batch: u64, refused: Vec<Refused>) {
        if !refused.is_empty() {
            self.refusals.insert(batch, refused);
        }
    }

    /// Adds what another client was answered.
    pub fn merge(&mut self, mut other: Self) {
        self.refusals.append(&mut other.refusals);
    }

    /// How often each status that refuses was answered.
    pub fn refused(&self) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::new();
        for (_, status) in self.refusals.values().flatten() {
            *counts.entry((*status).to_owned()).or_insert(0) += 1;
        }
        counts
    }

    /// Each command of which something was refused, and what.
    pub fn all(&self) -> impl Iterator<Item = (u64, &[Refused])> {
        self.refusals.iter().map(|(batch, refused)| (*batch, refused.as_slice()))
    }

    /// The places in a command that were refused, rising.
    pub fn of_batch(&self, batch: u64) -> impl Iterator<Item = u32> + '_ {
        self.refusals.get(&batch).map_or(&[][..], Vec::as_slice).iter().map(|(index, _)| *index)
    }
}
