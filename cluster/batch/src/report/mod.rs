//! What the bank answers: `pain.002` about a file, its items' outcomes as CSV or NDJSON, statements and notifications.

pub mod lines;
pub mod statement;
pub mod status_report;

use crate::desk::{DeskFault, Filed};
use crate::item::{Block, Item, Piece};
use crate::outcome::{Outcome, Word};
use crate::spool::Spool;
use std::io;

/// Why a report could not be made.
#[derive(Debug)]
pub enum ReportFault {
    /// File or outcomes can't be read.
    Desk(DeskFault),
    /// The report can't be written.
    Written(io::Error),
}

impl From<DeskFault> for ReportFault {
    fn from(fault: DeskFault) -> Self {
        Self::Desk(fault)
    }
}

impl From<crate::reason::FileFault> for ReportFault {
    fn from(fault: crate::reason::FileFault) -> Self {
        Self::Desk(fault.into())
    }
}

impl From<io::Error> for ReportFault {
    fn from(fault: io::Error) -> Self {
        Self::Written(fault)
    }
}

/// What stands in a file, beside what its items came to.
#[derive(Debug)]
pub(crate) enum Told {
    /// A block begins.
    Block(Block),
    /// An item and its outcome.
    Item(u64, Item, Outcome),
}

/// Reads file and outcomes side by side.
pub(crate) fn side_by_side(
    filed: &Filed,
    is_cancelled: bool,
    mut tell: impl FnMut(Told) -> Result<(), ReportFault>,
) -> Result<(), ReportFault> {
    let mut spool: Spool = filed.spool()?;
    let mut source = filed.source()?;
    let mut position = 0;
    while let Some(piece) = source.next_piece()? {
        match piece {
            Piece::Head(_) => {}
            Piece::Block(block) => tell(Told::Block(*block))?,
            Piece::Item(item) => {
                let mut outcome = spool.get(position)?;
                if is_cancelled && !outcome.is_final() {
                    outcome = Outcome::refused(crate::reason::Reason::Cancelled);
                }
                tell(Told::Item(position, item, outcome))?;
                position += 1;
            }
        }
    }
    Ok(())
}

/// How many items there are of each word, and what they come to as control sums.
pub(crate) type Tally = [(u64, u128); Word::ALL.len()];

/// What banks call the whole of so many items of each word.
pub(crate) fn group_word(tally: &Tally) -> &'static str {
    let counts = tally.map(|(count, _)| count);
    match counts {
        [0, _, 0, 0] => "ACSC",
        [0, 0, _, 0] => "ACWC",
        [0, 0, 0, _] => "RJCT",
        [_, 0, 0, 0] => "PDNG",
        [0, _, _, _] => "PART",
        [_, _, _, 0] => "ACSP",
        _ => "PART",
    }
}
