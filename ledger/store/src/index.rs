//! The id index: which record bears a transfer id, and which record ended a pending transfer.
//!
//! A *run* is an immutable file of entries (40-bit fingerprint of a key, record number), sorted, for a contiguous
//! range of segments. Every sealed segment gets a run of its own; eight neighbours of one size are merged into one,
//! so a journal of `n` segments has about `7 log8 n` runs. The index narrows down, the record decides: candidates
//! are compared with the record itself, so answers are exact whatever the fingerprints do.
//!
//! Two things keep look-ups from the disk: the smallest and largest id of each run (ids that rise with time cost a
//! comparison), and a filter of one cache line a probe, loaded when first needed. Filters are all the memory that an
//! index takes: 12 bits a key.
//!
//! **Invariants.** A run says what the segments say, and can be made again from them at any time; its name says
//! which ones. A run inside the range of a longer one is a left-over of a merge. Keys are hashed alike for ever.
//!
//! Deliberately absent: deletion (the journal only grows), and a manifest (names suffice).

mod filter;
mod key;
mod merge;
mod run;
#[cfg(test)]
mod tests;

pub(crate) use key::{Key, KeyKind};
pub(crate) use merge::{due, merge};
pub(crate) use run::{Run, SegmentEntries, parse_run_name, run_name};

use crate::journal::JournalFault;
use fen_book::{RecordNumber, TransferId};
use std::sync::Arc;

/// Asks every run, newest first, for the records that may hold one of the ids in that role. `found` is called with
/// the id's place in `ids` and a candidate; an id may get several, and most often gets the right one or none.
pub(crate) fn candidates(
    runs: &[Arc<Run>],
    kind: KeyKind,
    ids: &[TransferId],
    below: RecordNumber,
    mut found: impl FnMut(usize, RecordNumber),
) -> Result<(), JournalFault> {
    let Some((lowest, highest)) = key::reach(ids) else { return Ok(()) };
    let mut keys: Vec<Key> = Vec::new();
    let mut places = Vec::new();
    let may_help = |run: &&Arc<Run>| run.first() < below && run.meets(kind, lowest, highest);
    for run in runs.iter().rev().filter(may_help) {
        if keys.is_empty() {
            keys.extend(ids.iter().map(|id| Key::new(kind, *id)));
        }
        places.clear();
        places.extend((0..keys.len()).filter(|place| run.may_hold(keys[*place])));
        if places.is_empty() {
            continue;
        }
        run.filter()?.keep(&keys, &mut places);
        for place in &places {
            run.candidates(keys[*place], |number| {
                if number < below {
                    found(*place, number);
                }
            })?;
        }
    }
    Ok(())
}
