//! A table of columns: a bitmap of those that are not zero throughout, then these in order.

use super::bits::{Cursor, Malformed};
use super::column::{Column, encode_column};

/// The columns of one piece. It is large: it stands where it was made, and is filled anew for the next piece.
#[derive(Clone, Copy)]
pub(crate) struct Columns<const N: usize> {
    columns: [Column; N],
}

impl<const N: usize> Default for Columns<N> {
    fn default() -> Self {
        Self { columns: [Column::Constant(0); N] }
    }
}

impl<const N: usize> Columns<N> {
    /// The table that begins at the cursor, of `count` rows.
    pub(crate) fn parse(cursor: &mut Cursor<'_>, count: usize) -> Result<Self, Malformed> {
        let mut columns = Self::default();
        columns.read(cursor, count)?;
        Ok(columns)
    }

    /// Reads the table that begins at the cursor, of `count` rows, over what stands here.
    pub(crate) fn read(&mut self, cursor: &mut Cursor<'_>, count: usize) -> Result<(), Malformed> {
        let begin = cursor.malformed();
        let present = cursor.word()?;
        if N < 32 && present >> N != 0 {
            return Err(begin);
        }
        for (index, column) in self.columns.iter_mut().enumerate() {
            *column =
                if present >> index & 1 == 1 { Column::parse(cursor, count)? } else { Column::Constant(0) };
        }
        Ok(())
    }

    /// One column.
    #[inline]
    pub(crate) fn column(&self, index: usize) -> &Column {
        &self.columns[index]
    }

    /// One value.
    #[inline]
    pub(crate) fn get(&self, bytes: &[u8], column: usize, row: usize) -> u64 {
        self.columns[column].get(bytes, row)
    }
}

/// Appends a table; every column has the same count of rows, 1 to 256.
pub(crate) fn encode_columns<const N: usize>(columns: &[&[u64]; N], out: &mut Vec<u8>) {
    const { assert!(N <= 32, "the bitmap has 32 bits") };
    let begin = out.len();
    out.extend_from_slice(&[0; 4]);
    let mut present = 0u32;
    for (index, values) in columns.iter().enumerate() {
        if values.iter().any(|value| *value != 0) {
            present |= 1 << index;
            encode_column(values, out);
        }
    }
    out[begin..begin + 4].copy_from_slice(&present.to_le_bytes());
}
