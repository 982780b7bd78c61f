//! Old segments move to the folder `archive` (a mount or a link elsewhere) and are read there as before.
//!
//! The bytes are held against their name, copied under another name, synced, renamed, and only then removed here; the
//! order makes every moment safe to be interrupted at. Index and roots stay: a look-up by id still knows where to read.
//!
//! **Invariants.** Nothing is rewritten: the file in the archive has the bytes and the name that it had here. A damaged
//! segment is not moved: here it can still be compared and mended.

use super::{Journal, JournalFault, locked};
use fen_book::Stamp;

/// What became of a segment that should move.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Archived {
    /// It was moved.
    Now,
    /// It was there.
    Already,
    /// It has records that are not old enough.
    TooYoung,
}

impl Journal {
    /// Moves a segment to the archive, if all of its records bear stamps below `before`.
    pub fn archive_segment(&self, number: u32, before: Stamp) -> Result<Archived, JournalFault> {
        let _one_at_a_time = locked(&self.sealing);
        let view = self.view();
        let known = self.known(&view, number)?;
        if known.zone.stamps.max >= before {
            return Ok(Archived::TooYoung);
        }
        let (is_here, is_there) = self.files.places_of(number, &known.hash)?;
        if !is_here && is_there {
            return Ok(Archived::Already);
        }
        // Where a crash left it in both places, the copy is written again: it may have rotted since.
        let bytes = self.segment_in(&view, number)?.read_all(&known.hash)?;
        self.files.move_to_archive(number, &known.hash, &bytes)?;
        self.open.forget(number);
        Ok(Archived::Now)
    }
}
