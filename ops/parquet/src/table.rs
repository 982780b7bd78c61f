//! A Parquet file of rows of one kind: groups of rows, each written column by column.
//!
//! **Invariants.** The file gets its name when it is whole. At most [`GROUP_ROWS`] rows are in memory.

use fen_export::{ExportFault, Written, file_fault, part_of};
use parquet::basic::Compression;
use parquet::data_type::{
    ByteArray, ByteArrayType, DataType, FixedLenByteArray, FixedLenByteArrayType, Int32Type, Int64Type,
};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Rows of a group; they are held in memory until it is written.
const GROUP_ROWS: usize = 131_072;
/// The largest amount that DECIMAL(38, 0) holds.
const AMOUNT_MAX: u128 = 10u128.pow(38) - 1;

/// What a kind of row looks like in a file.
pub(crate) trait Row: Sized {
    /// The schema, as Parquet writes it.
    const SCHEMA: &'static str;
    /// The columns, in the order of every export.
    const COLUMNS: &'static [&'static str];

    /// What the row's amounts are called, and the amounts.
    fn amounts(&self) -> (String, Vec<u128>);

    /// Puts all columns of a group, in their order.
    fn put(group: &mut Group<'_, Self>) -> Result<(), ExportFault>;
}

/// A file that is being written.
pub(crate) struct Table<R> {
    path: PathBuf,
    part: PathBuf,
    file: File,
    writer: SerializedFileWriter<File>,
    rows: Vec<R>,
}

impl<R: Row> Table<R> {
    /// Begins a file, under another name until it is whole.
    pub(crate) fn create(path: &Path) -> Result<Self, ExportFault> {
        let part = part_of(path);
        let fault = |error: &dyn std::fmt::Display| file_fault(&part, error);
        let file = File::create(&part).map_err(|error| fault(&error))?;
        let kept = file.try_clone().map_err(|error| fault(&error))?;
        let schema = parse_message_type(R::SCHEMA).map_err(|error| fault(&error))?;
        assert!(
            schema.get_fields().iter().map(|field| field.name()).eq(R::COLUMNS.iter().copied()),
            "the schema has the columns of every export"
        );
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let writer = SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties))
            .map_err(|error| fault(&error))?;
        let rows = Vec::with_capacity(GROUP_ROWS);
        Ok(Self { path: path.to_owned(), part, file: kept, writer, rows })
    }

    /// Adds a row.
    pub(crate) fn push(&mut self, row: R) -> Result<(), ExportFault> {
        let (name, amounts) = row.amounts();
        if amounts.into_iter().any(|amount| amount > AMOUNT_MAX) {
            let words = format!("{name}: an amount has more than 38 digits; export as CSV");
            return Err(ExportFault::Value(words));
        }
        self.rows.push(row);
        if self.rows.len() == GROUP_ROWS { self.write_group() } else { Ok(()) }
    }

    fn write_group(&mut self) -> Result<(), ExportFault> {
        let rows = std::mem::replace(&mut self.rows, Vec::with_capacity(GROUP_ROWS));
        let writer = self.writer.next_row_group().map_err(|error| file_fault(&self.part, &error))?;
        let mut group = Group { writer, rows: &rows, part: &self.part };
        R::put(&mut group)?;
        group.writer.close().map_err(|error| file_fault(&self.part, &error))?;
        Ok(())
    }

    /// Ends the file: it is on disk, and has its name.
    pub(crate) fn end(mut self, written: Written) -> Result<Written, ExportFault> {
        if !self.rows.is_empty() {
            self.write_group()?;
        }
        self.writer.close().map_err(|error| file_fault(&self.part, &error))?;
        self.file.sync_all().map_err(|error| file_fault(&self.part, &error))?;
        fs::rename(&self.part, &self.path).map_err(|error| file_fault(&self.path, &error))?;
        Ok(written)
    }
}

/// The columns of a row group, written one after another.
pub(crate) struct Group<'a, R> {
    writer: SerializedRowGroupWriter<'a, File>,
    rows: &'a [R],
    part: &'a Path,
}

impl<R> Group<'_, R> {
    fn column<T: DataType>(&mut self, value: impl Fn(&R) -> T::T) -> Result<(), ExportFault> {
        let values: Vec<T::T> = self.rows.iter().map(value).collect();
        let fault = |error: parquet::errors::ParquetError| file_fault(self.part, &error);
        let column = self.writer.next_column().map_err(fault)?;
        let mut column = column.expect("the schema has as many columns as are written");
        column.typed::<T>().write_batch(&values, None, None).map_err(fault)?;
        column.close().map_err(fault)
    }

    /// A column of texts.
    pub(crate) fn text(&mut self, value: impl Fn(&R) -> String) -> Result<(), ExportFault> {
        self.column::<ByteArrayType>(|row| ByteArray::from(value(row).into_bytes()))
    }

    /// A column of unsigned 64-bit numbers.
    pub(crate) fn wide(&mut self, value: impl Fn(&R) -> u64) -> Result<(), ExportFault> {
        self.column::<Int64Type>(|row| value(row).cast_signed())
    }

    /// A column of unsigned 32-bit numbers.
    pub(crate) fn word(&mut self, value: impl Fn(&R) -> u32) -> Result<(), ExportFault> {
        self.column::<Int32Type>(|row| value(row).cast_signed())
    }

    /// A column of days, counted from 1970-01-01.
    pub(crate) fn day(&mut self, value: impl Fn(&R) -> i32) -> Result<(), ExportFault> {
        self.column::<Int32Type>(value)
    }

    /// A column of amounts in minor units.
    pub(crate) fn amount(&mut self, value: impl Fn(&R) -> u128) -> Result<(), ExportFault> {
        // Below 10^38, so the sign bit of the 16 bytes stays clear.
        let bytes = |row: &R| FixedLenByteArray::from(value(row).to_be_bytes().to_vec());
        self.column::<FixedLenByteArrayType>(bytes)
    }
}
