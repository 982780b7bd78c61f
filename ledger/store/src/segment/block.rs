//! A block: 256 records of a segment as columns.
//!
//! 128-bit fields are two columns, lower half first, so that the regular half of an id (a customer, a time) packs
//! well whatever the other does. Accounts are references into the segment's dictionary of accounts. The last two
//! columns say what a part post released beyond what it posted.

use super::bits::{from_halves, high_half, low_half, wide};
use super::columns::{Columns, encode_columns};
use super::piece::{Body, Home, seal};
use super::{BLOCK_RECORDS, Cursor};
use crate::journal::{JournalFault, Piece};
use fen_book::{
    AccountId, Amount, Code, LedgerCode, Stamp, TimeoutSeconds, Transfer, TransferFlags, TransferId,
};
use std::ops::Range;

/// The columns of a record, by their place in a block.
pub(crate) mod field {
    pub(crate) const ID: usize = 0;
    pub(crate) const DEBIT: usize = 2;
    pub(crate) const CREDIT: usize = 3;
    pub(crate) const AMOUNT: usize = 4;
    pub(crate) const PENDING_ID: usize = 6;
    pub(crate) const USER_DATA_128: usize = 8;
    pub(crate) const USER_DATA_64: usize = 10;
    pub(crate) const USER_DATA_32: usize = 11;
    pub(crate) const TIMEOUT: usize = 12;
    pub(crate) const LEDGER: usize = 13;
    pub(crate) const CODE: usize = 14;
    pub(crate) const FLAGS: usize = 15;
    pub(crate) const STAMP: usize = 16;
    pub(crate) const RELEASED: usize = 17;
    pub(crate) const COUNT: usize = 19;
}

/// The columns of one block on their way to disk.
pub(crate) struct Rows {
    values: Vec<[u64; BLOCK_RECORDS]>,
}

impl Rows {
    pub(crate) fn new() -> Self {
        Self { values: vec![[0; BLOCK_RECORDS]; field::COUNT] }
    }

    fn put(&mut self, column: usize, row: usize, value: u128) {
        self.values[column][row] = low_half(value);
        self.values[column + 1][row] = high_half(value);
    }

    /// Fills one row; `references` are those of its debit and credit account.
    pub(crate) fn set(&mut self, row: usize, record: &Transfer, references: [u32; 2], released: Amount) {
        self.put(field::ID, row, record.id.get());
        self.put(field::AMOUNT, row, record.amount.get());
        self.put(field::PENDING_ID, row, record.pending_id.get());
        self.put(field::USER_DATA_128, row, record.user_data_128);
        self.put(field::RELEASED, row, released.get());
        let narrow_fields = [
            (field::DEBIT, u64::from(references[0])),
            (field::CREDIT, u64::from(references[1])),
            (field::USER_DATA_64, record.user_data_64),
            (field::USER_DATA_32, u64::from(record.user_data_32)),
            (field::TIMEOUT, u64::from(record.timeout.get())),
            (field::LEDGER, u64::from(record.ledger.get())),
            (field::CODE, u64::from(record.code.get())),
            (field::FLAGS, u64::from(record.flags.bits())),
            (field::STAMP, record.timestamp.get()),
        ];
        for (column, value) in narrow_fields {
            self.values[column][row] = value;
        }
    }

    /// Appends the block as a piece.
    pub(crate) fn encode(&self, number: u32, segment: u32, out: &mut Vec<u8>) {
        let start = out.len();
        let columns: [&[u64]; field::COUNT] = std::array::from_fn(|column| &self.values[column][..]);
        encode_columns(&columns, out);
        seal(Piece::Block(number), segment, start, out);
    }
}

/// A block read back.
pub(crate) struct Block {
    body: Body,
    columns: Box<Columns<{ field::COUNT }>>,
}

#[inline]
fn narrow_32(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

#[inline]
fn narrow_16(value: u64) -> u16 {
    u16::try_from(value).unwrap_or(u16::MAX)
}

impl Block {
    /// Reads a block, into the memory of one that is not needed any more.
    pub(crate) fn read(
        home: &Home<'_>,
        number: u32,
        range: &Range<u64>,
        spent: Option<Self>,
    ) -> Result<Self, JournalFault> {
        let piece = Piece::Block(number);
        let (memory, mut columns) =
            spent.map(|spent| (spent.body.into_memory(), spent.columns)).unwrap_or_default();
        let body = home.read_over(piece, range, memory)?;
        columns
            .read(&mut Cursor::new(body.bytes(), body.end()), BLOCK_RECORDS)
            .map_err(|malformed| home.malformed(piece, range.start, malformed))?;
        Ok(Self { body, columns })
    }

    #[inline]
    fn get(&self, column: usize, row: usize) -> u64 {
        self.columns.get(self.body.bytes(), column, row)
    }

    #[inline]
    fn get_128(&self, column: usize, row: usize) -> u128 {
        from_halves(self.get(column, row), self.get(column + 1, row))
    }

    /// The references of a row's debit and credit account.
    #[inline]
    pub(crate) fn references(&self, row: usize) -> [u32; 2] {
        [narrow_32(self.get(field::DEBIT, row)), narrow_32(self.get(field::CREDIT, row))]
    }

    #[inline]
    pub(crate) fn id(&self, row: usize) -> TransferId {
        TransferId::new(self.get_128(field::ID, row))
    }

    #[inline]
    pub(crate) fn pending_id(&self, row: usize) -> TransferId {
        TransferId::new(self.get_128(field::PENDING_ID, row))
    }

    #[inline]
    pub(crate) fn stamp(&self, row: usize) -> Stamp {
        Stamp::new(self.get(field::STAMP, row))
    }

    #[inline]
    pub(crate) fn flags(&self, row: usize) -> TransferFlags {
        TransferFlags::from_bits(narrow_16(self.get(field::FLAGS, row)))
    }

    #[inline]
    pub(crate) fn amount(&self, row: usize) -> Amount {
        Amount::new(self.get_128(field::AMOUNT, row))
    }

    /// What a part post released beyond what it posted.
    #[inline]
    pub(crate) fn released(&self, row: usize) -> Amount {
        Amount::new(self.get_128(field::RELEASED, row))
    }

    #[inline]
    pub(crate) fn user_data_128(&self, row: usize) -> u128 {
        self.get_128(field::USER_DATA_128, row)
    }

    /// The record, given the ids of its accounts.
    #[inline]
    pub(crate) fn record(&self, row: usize, debit: AccountId, credit: AccountId) -> Transfer {
        Transfer {
            id: self.id(row),
            debit_account_id: debit,
            credit_account_id: credit,
            amount: self.amount(row),
            pending_id: self.pending_id(row),
            user_data_128: self.user_data_128(row),
            user_data_64: self.get(field::USER_DATA_64, row),
            user_data_32: narrow_32(self.get(field::USER_DATA_32, row)),
            timeout: TimeoutSeconds::new(narrow_32(self.get(field::TIMEOUT, row))),
            ledger: LedgerCode::new(narrow_32(self.get(field::LEDGER, row))),
            code: Code::new(narrow_16(self.get(field::CODE, row))),
            flags: self.flags(row),
            timestamp: self.stamp(row),
        }
    }

    /// The rows whose debit or credit account is `reference`, rising.
    pub(crate) fn rows_of(&self, reference: u32) -> Vec<usize> {
        let wanted = u64::from(reference);
        let mut marks = [0u64; BLOCK_RECORDS / 64];
        for column in [field::DEBIT, field::CREDIT] {
            self.columns.column(column).mark(self.body.bytes(), BLOCK_RECORDS, wanted, &mut marks);
        }
        let mut rows = Vec::new();
        for (first, word) in (0..BLOCK_RECORDS).step_by(64).zip(marks) {
            let mut rest = word;
            while rest != 0 {
                rows.push(first + wide(rest.trailing_zeros()));
                rest &= rest - 1;
            }
        }
        rows
    }

    /// Whether a row may hold `value` in `column`; `false` is certain.
    pub(crate) fn may_hold(&self, column: usize, value: u64) -> bool {
        self.columns.column(column).may_hold(self.body.bytes(), value)
    }

    /// The value of a column in a row; 128-bit fields give their lower half.
    #[inline]
    pub(crate) fn value(&self, column: usize, row: usize) -> u64 {
        self.get(column, row)
    }
}
