//! `fen-parquet`: transfers of any range as Parquet, the same rows as `fen export`.
//!
//! A binary of its own, because the format's library is as large as the ledger. Columns: ids and `user_data_128` are
//! decimal texts; `amount` is DECIMAL(38, 0) in minor units, which others add up exactly; dates are DATE;
//! `timestamp` is an unsigned 64-bit count of nanoseconds, unique to its record.

use clap::Parser;
use fen_export::{ExportFault, Selection, TRANSFER_COLUMNS, Written, day, file_fault, kind, part_of};
use fen_ledger::export::ExportLine;
use parquet::basic::Compression;
use parquet::data_type::{
    ByteArray, ByteArrayType, DataType, FixedLenByteArray, FixedLenByteArrayType, Int32Type, Int64Type,
};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// Writes transfers of any range as Parquet.
#[derive(Parser, Debug)]
#[command(
    name = "fen-parquet",
    version,
    term_width = 0,
    after_help = "Examples:
  fen-parquet --data ./books --out all.parquet
  fen-parquet --endpoint 127.0.0.1:7001 --certificates fen-dev --out all.parquet
  fen-parquet --data ./books --from 2026-03-01 --to 2026-03-31 --ledger 156 --out march.parquet
  duckdb -c \"select ledger, sum(amount) from 'all.parquet' where kind in ('posted', 'post_pending') group by ledger\"

The file gets its name when it is whole. Exits 0 done, 1 where a piece of history is damaged (it is named, the rest is
written) or an amount has more than 38 digits, 2 called wrongly, 3 cannot open or write."
)]
struct Arguments {
    #[command(flatten)]
    selection: Selection,
    /// The file to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

const SCHEMA: &str = "message transfers {
    REQUIRED INT64 number (INTEGER(64, false));
    REQUIRED BYTE_ARRAY id (STRING);
    REQUIRED BYTE_ARRAY kind (STRING);
    REQUIRED BYTE_ARRAY debit_account_id (STRING);
    REQUIRED BYTE_ARRAY credit_account_id (STRING);
    REQUIRED FIXED_LEN_BYTE_ARRAY (16) amount (DECIMAL(38, 0));
    REQUIRED INT32 ledger (INTEGER(32, false));
    REQUIRED INT32 code (INTEGER(16, false));
    REQUIRED INT32 booked_on (DATE);
    REQUIRED INT32 value_on (DATE);
    REQUIRED INT64 timestamp (INTEGER(64, false));
    REQUIRED BYTE_ARRAY pending_id (STRING);
    REQUIRED INT32 timeout (INTEGER(32, false));
    REQUIRED BYTE_ARRAY user_data_128 (STRING);
    REQUIRED INT64 user_data_64 (INTEGER(64, false));
    REQUIRED INT32 user_data_32 (INTEGER(32, false));
    REQUIRED INT32 flags (INTEGER(16, false));
    REQUIRED INT32 shard (INTEGER(32, false));
}";

/// The shard that booked a record, and the record.
type Row = (u32, ExportLine);

/// Records of a row group; their rows are held in memory until it is written.
const GROUP_RECORDS: usize = 131_072;
/// The largest amount that DECIMAL(38, 0) holds.
const AMOUNT_MAX: u128 = 10u128.pow(38) - 1;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match write(&arguments) {
        Ok(written) => {
            println!("{}: {} records", arguments.out.display(), written.records);
            ExitCode::from(u8::from(written.damaged > 0))
        }
        Err(fault) => {
            eprintln!("fen-parquet: {fault}");
            ExitCode::from(fault.exit_code())
        }
    }
}

fn write(arguments: &Arguments) -> Result<Written, ExportFault> {
    let part = part_of(&arguments.out);
    let fault = |error: &dyn std::fmt::Display| file_fault(&part, error);
    let file = File::create(&part).map_err(|error| fault(&error))?;
    let kept = file.try_clone().map_err(|error| fault(&error))?;
    let schema = parse_message_type(SCHEMA).map_err(|error| fault(&error))?;
    assert!(
        schema.get_fields().iter().map(|field| field.name()).eq(TRANSFER_COLUMNS),
        "the schema has the columns of every export"
    );
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut writer = SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties))
        .map_err(|error| fault(&error))?;
    let mut rows: Vec<Row> = Vec::with_capacity(GROUP_RECORDS);
    let written = arguments.selection.each(&mut |shard, line| {
        if line.record.amount.get() > AMOUNT_MAX {
            let words =
                format!("transfer {}: its amount has more than 38 digits; export as CSV", line.record.id);
            return Err(ExportFault::Value(words));
        }
        rows.push((shard, *line));
        if rows.len() == GROUP_RECORDS {
            write_group(&mut writer, &rows, &part)?;
            rows.clear();
        }
        Ok(())
    })?;
    if !rows.is_empty() {
        write_group(&mut writer, &rows, &part)?;
    }
    writer.close().map_err(|error| fault(&error))?;
    kept.sync_all().map_err(|error| fault(&error))?;
    fs::rename(&part, &arguments.out).map_err(|error| file_fault(&arguments.out, &error))?;
    Ok(written)
}

/// The columns of a row group, written one after another.
struct Group<'a> {
    writer: SerializedRowGroupWriter<'a, File>,
    rows: &'a [Row],
    part: &'a Path,
}

impl Group<'_> {
    fn put<T: DataType>(&mut self, value: impl Fn(&ExportLine) -> T::T) -> Result<(), ExportFault> {
        let values: Vec<T::T> = self.rows.iter().map(|(_, line)| value(line)).collect();
        self.put_all::<T>(&values)
    }

    fn put_all<T: DataType>(&mut self, values: &[T::T]) -> Result<(), ExportFault> {
        let fault = |error: parquet::errors::ParquetError| file_fault(self.part, &error);
        let column = self.writer.next_column().map_err(fault)?;
        let mut column = column.expect("the schema has as many columns as are written");
        column.typed::<T>().write_batch(values, None, None).map_err(fault)?;
        column.close().map_err(fault)
    }

    fn text(&mut self, value: impl Fn(&ExportLine) -> String) -> Result<(), ExportFault> {
        self.put::<ByteArrayType>(|line| ByteArray::from(value(line).into_bytes()))
    }

    fn wide(&mut self, value: impl Fn(&ExportLine) -> u64) -> Result<(), ExportFault> {
        self.put::<Int64Type>(|line| value(line).cast_signed())
    }

    fn word(&mut self, value: impl Fn(&ExportLine) -> u32) -> Result<(), ExportFault> {
        self.put::<Int32Type>(|line| value(line).cast_signed())
    }
}

fn write_group(
    writer: &mut SerializedFileWriter<File>,
    rows: &[Row],
    part: &Path,
) -> Result<(), ExportFault> {
    let group = writer.next_row_group().map_err(|error| file_fault(part, &error))?;
    let mut group = Group { writer: group, rows, part };
    group.wide(|line| line.number.get())?;
    group.text(|line| line.record.id.to_string())?;
    group.text(|line| kind(line).to_owned())?;
    group.text(|line| line.record.debit_account_id.to_string())?;
    group.text(|line| line.record.credit_account_id.to_string())?;
    group.put::<FixedLenByteArrayType>(|line| {
        // Below 10^38, so the sign bit of the 16 bytes stays clear.
        FixedLenByteArray::from(line.record.amount.get().to_be_bytes().to_vec())
    })?;
    group.word(|line| line.record.ledger.get())?;
    group.word(|line| u32::from(line.record.code.get()))?;
    group.put::<Int32Type>(|line| day(line.booked_on).number())?;
    group.put::<Int32Type>(|line| day(line.value_on).number())?;
    group.wide(|line| line.record.timestamp.get())?;
    group.text(|line| line.record.pending_id.to_string())?;
    group.word(|line| line.record.timeout.get())?;
    group.text(|line| line.record.user_data_128.to_string())?;
    group.wide(|line| line.record.user_data_64)?;
    group.word(|line| line.record.user_data_32)?;
    group.word(|line| u32::from(line.record.flags.bits()))?;
    let shards: Vec<i32> = rows.iter().map(|(shard, _)| shard.cast_signed()).collect();
    group.put_all::<Int32Type>(&shards)?;
    group.writer.close().map_err(|error| file_fault(part, &error))?;
    Ok(())
}
