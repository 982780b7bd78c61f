//! `fen-from-parquet`: a payment file in Parquet as the CSV that `fen batch` takes.
//!
//! Columns keep their names, so the rules under which the file is submitted map them (`[csv.columns]`, `csv.ignore`).
//! Texts, whole numbers, DECIMAL and DATE are written as they are; nothing is rounded, so a column of floating point or
//! of bytes refuses the file. Rows are read one after the other: memory is that of a row group's pages.

use clap::Parser;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::{Field, Row};
use std::fmt::Display;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Writes a payment file in Parquet as CSV for `fen batch`.
#[derive(Parser, Debug)]
#[command(
    name = "fen-from-parquet",
    version,
    term_width = 0,
    after_help = "Example:
  fen-from-parquet loans.parquet --out loans.csv
  fen batch submit loans.csv --rules ops/examples/batch.toml --data ./books

The file gets its name when it is whole. Exits 0 done, 1 where a column has no exact form as text, 2 called wrongly, 3
cannot read or write."
)]
struct Arguments {
    /// The Parquet file.
    file: PathBuf,
    /// The CSV file to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Why there is no CSV: the words, and the exit code.
#[derive(Debug)]
struct Fault(u8, String);

fn broken(path: &Path, error: &dyn Display) -> Fault {
    Fault(3, format!("{}: {error}", path.display()))
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match convert(&arguments.file, &arguments.out) {
        Ok(rows) => {
            println!("{}: {rows} rows", arguments.out.display());
            ExitCode::SUCCESS
        }
        Err(Fault(code, words)) => {
            eprintln!("fen-from-parquet: {words}");
            ExitCode::from(code)
        }
    }
}

fn convert(from: &Path, to: &Path) -> Result<u64, Fault> {
    let part = to.with_extension("part");
    let file = File::open(from).map_err(|error| broken(from, &error))?;
    let reader = SerializedFileReader::new(file).map_err(|error| broken(from, &error))?;
    let out = File::create(&part).map_err(|error| broken(&part, &error))?;
    let kept = out.try_clone().map_err(|error| broken(&part, &error))?;
    let mut out = BufWriter::new(out);
    let schema = reader.metadata().file_metadata().schema();
    let names: Vec<&str> = schema.get_fields().iter().map(|field| field.name()).collect();
    let written = |error: std::io::Error| broken(&part, &error);
    line(&mut out, names.iter().map(|name| (*name).to_owned())).map_err(written)?;
    let mut rows = 0;
    for row in reader.get_row_iter(None).map_err(|error| broken(from, &error))? {
        let row = row.map_err(|error| broken(from, &error))?;
        rows += 1;
        let cells =
            cells(&row).map_err(|what| Fault(1, format!("{}: row {rows}: {what}", from.display())))?;
        line(&mut out, cells.into_iter()).map_err(written)?;
    }
    out.flush().and_then(|()| kept.sync_all()).map_err(written)?;
    fs::rename(&part, to).map_err(|error| broken(to, &error))?;
    Ok(rows)
}

fn cells(row: &Row) -> Result<Vec<String>, String> {
    row.get_column_iter()
        .map(|(name, field)| cell(field).map_err(|what| format!("'{name}' {what}")))
        .collect()
}

/// A value as text, if it has one exact form.
fn cell(field: &Field) -> Result<String, &'static str> {
    Ok(match field {
        Field::Null => String::new(),
        Field::Str(text) => text.clone(),
        Field::Byte(_)
        | Field::Short(_)
        | Field::Int(_)
        | Field::Long(_)
        | Field::UByte(_)
        | Field::UShort(_)
        | Field::UInt(_)
        | Field::ULong(_)
        | Field::Decimal(_)
        | Field::Date(_) => field.to_string(),
        Field::Float16(_) | Field::Float(_) | Field::Double(_) => {
            return Err("is a floating-point number; write amounts and rates as DECIMAL or as text");
        }
        Field::Bytes(_) => return Err("is bytes without a meaning; annotate texts as STRING"),
        Field::Bool(_)
        | Field::TimeMillis(_)
        | Field::TimeMicros(_)
        | Field::TimestampMillis(_)
        | Field::TimestampMicros(_)
        | Field::Group(_)
        | Field::ListInternal(_)
        | Field::MapInternal(_) => {
            return Err("has no form in a payment file; leave the column out, or write a DATE or a text");
        }
    })
}

/// A line of CSV; every cell in quotes, so that no text means anything else.
fn line(out: &mut impl Write, cells: impl Iterator<Item = String>) -> std::io::Result<()> {
    for (place, cell) in cells.enumerate() {
        let comma = if place > 0 { "," } else { "" };
        write!(out, "{comma}\"{}\"", cell.replace('"', "\"\""))?;
    }
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int32Type, Int64Type};
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;
    use std::sync::Arc;

    /// Two payments: an id, an amount with two decimals, a day that one of them leaves out, and a rate if it is wanted.
    fn write(path: &Path, rate: Option<f64>) {
        let more = if rate.is_some() { "REQUIRED DOUBLE rate;" } else { "" };
        let schema = format!(
            "message items {{ REQUIRED BYTE_ARRAY id (STRING); REQUIRED INT64 amount (DECIMAL(12, 2));
             OPTIONAL INT32 on (DATE); {more} }}"
        );
        let schema = Arc::new(parse_message_type(&schema).expect("a schema"));
        let file = File::create(path).expect("a file");
        let properties = Arc::new(WriterProperties::builder().build());
        let mut writer = SerializedFileWriter::new(file, schema, properties).expect("a writer");
        let mut group = writer.next_row_group().expect("a group");
        let mut column = group.next_column().expect("ids").expect("ids");
        let ids = [ByteArray::from("A \"1\""), ByteArray::from("B")];
        column.typed::<ByteArrayType>().write_batch(&ids, None, None).expect("written");
        column.close().expect("closed");
        let mut column = group.next_column().expect("amounts").expect("amounts");
        column.typed::<Int64Type>().write_batch(&[1_050, 7], None, None).expect("written");
        column.close().expect("closed");
        let mut column = group.next_column().expect("days").expect("days");
        column.typed::<Int32Type>().write_batch(&[20_514], Some(&[1, 0]), None).expect("written");
        column.close().expect("closed");
        if let Some(rate) = rate {
            let mut column = group.next_column().expect("rates").expect("rates");
            column.typed::<DoubleType>().write_batch(&[rate, rate], None, None).expect("written");
            column.close().expect("closed");
        }
        group.close().expect("closed");
        writer.close().expect("closed");
    }

    #[test]
    fn a_table_becomes_the_rows_that_fen_takes() {
        let folder = std::env::temp_dir().join(format!("fen-from-parquet-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let (from, to) = (folder.join("items.parquet"), folder.join("items.csv"));
        write(&from, None);
        assert_eq!(convert(&from, &to).expect("converted"), 2);
        let text = fs::read_to_string(&to).expect("written");
        assert_eq!(
            text,
            "\"id\",\"amount\",\"on\"\n\"A \"\"1\"\"\",\"10.50\",\"2026-03-02\"\n\"B\",\"0.07\",\"\"\n"
        );
        write(&from, Some(0.05));
        let Fault(code, words) = convert(&from, &to).expect_err("floats are refused");
        assert!(code == 1 && words.contains("'rate' is a floating-point"), "{words}");
        fs::write(&from, b"no table").expect("written");
        assert_eq!(convert(&from, &to).expect_err("no Parquet").0, 3);
        fs::remove_dir_all(&folder).expect("removed");
    }
}
