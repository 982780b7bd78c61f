//! A file's rows gathered into days, oldest first.
//!
//! A file that is sorted by date is streamed: one day is in memory at a time. One that is not is read whole and
//! sorted, rows of one day staying in the file's order; that costs some 200 bytes a row.

use super::source::{Accounts, BadRow, Row, Source};

/// Whether the rows come by date, as the first reading of the file has found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sorting {
    /// No row is older than the one before.
    ByDate,
    /// Some row is.
    Mixed,
}

/// The days of a file.
pub(crate) enum Days<'m> {
    /// Read as asked for; `next` is the first row of the day to come.
    Streamed { source: Box<Source<'m>>, next: Option<Row> },
    /// All rows, newest first, to be taken from the end.
    Sorted { rows: Vec<Row> },
}

impl<'m> Days<'m> {
    /// Begins reading a source that has been read through once before without a bad row.
    pub(crate) fn new(
        mut source: Source<'m>,
        sorting: Sorting,
        accounts: &mut Accounts,
    ) -> Result<Self, BadRow> {
        match sorting {
            Sorting::ByDate => {
                let next = source.next(accounts).transpose()?;
                Ok(Self::Streamed { source: Box::new(source), next })
            }
            Sorting::Mixed => {
                let mut rows = Vec::new();
                while let Some(row) = source.next(accounts) {
                    rows.push(row?);
                }
                rows.sort_by_key(|row| row.day);
                rows.reverse();
                Ok(Self::Sorted { rows })
            }
        }
    }

    /// The rows of the next day that has any; empty at the end.
    pub(crate) fn next_day(&mut self, accounts: &mut Accounts) -> Result<Vec<Row>, BadRow> {
        let mut day: Vec<Row> = Vec::new();
        match self {
            Self::Streamed { source, next } => {
                while let Some(row) = next.take_if(|row| day.first().is_none_or(|first| first.day == row.day))
                {
                    day.push(row);
                    *next = source.next(accounts).transpose()?;
                }
            }
            Self::Sorted { rows } => {
                while let Some(row) = rows.pop_if(|row| day.first().is_none_or(|first| first.day == row.day))
                {
                    day.push(row);
                }
            }
        }
        Ok(day)
    }
}
