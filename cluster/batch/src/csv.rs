//! CSV files: a header that names the columns, and an item in each row.
//!
//! **Limits.** A row of 64 KiB. A column that is neither a field's, nor mapped, nor ignored by the rules refuses the
//! file: a misspelt one would be without effect.

use crate::gauge::{Gauge, Since};
use crate::item::{Block, Format, Piece, Source};
use crate::reason::FileFault;
use crate::rows::{self, FIELDS, Row};
use crate::rules::Rules;
use csv::{ByteRecord, ErrorKind, Position, Reader, ReaderBuilder};
use std::io::Read;

/// The longest row.
const ROW_BYTES_MAX: usize = 64 << 10;

/// What comes next.
enum Next {
    Head,
    Block,
    Rows,
}

/// See the module's words.
pub struct CsvFile<'a, R> {
    reader: Reader<Gauge<R>>,
    since: Since,
    rules: &'a Rules,
    /// For each field, its column.
    columns: [Option<usize>; FIELDS.len()],
    record: ByteRecord,
    next: Next,
}

impl<'a, R: Read> CsvFile<'a, R> {
    /// Reads the header.
    ///
    /// # Errors
    /// Where it names a column twice, or one that means nothing, or leaves out what every item needs.
    pub fn open(file: R, rules: &'a Rules) -> Result<Self, FileFault> {
        let byte = |character: char| u8::try_from(character).unwrap_or(b',');
        let (gauge, since) = Gauge::new(file, ROW_BYTES_MAX);
        let mut reader = ReaderBuilder::new()
            .delimiter(byte(rules.csv.delimiter))
            .quote(byte(rules.csv.quote))
            .from_reader(gauge);
        let header = reader.byte_headers().map_err(|error| fault(&error))?.clone();
        let columns = columns(&header, rules)?;
        Ok(Self { reader, since, rules, columns, record: ByteRecord::new(), next: Next::Head })
    }

    fn row(&mut self) -> Result<Option<Piece>, FileFault> {
        if !self.reader.read_byte_record(&mut self.record).map_err(|error| fault(&error))? {
            return Ok(None);
        }
        self.since.reset();
        let mut row: Row<'_> = [""; FIELDS.len()];
        for ((value, column), field) in row.iter_mut().zip(self.columns).zip(FIELDS) {
            let cell = column.and_then(|column| self.record.get(column)).unwrap_or_default();
            let text = std::str::from_utf8(cell).map_err(|_| {
                FileFault::format(place(self.record.position()), format!("'{field}' is not UTF-8"))
                    .mend("save the file as UTF-8")
            })?;
            let text = text.trim();
            *value = if text.is_empty() { self.rules.default_of(field) } else { text };
        }
        Ok(Some(Piece::Item(rows::item(&row, self.rules))))
    }
}

impl<R: Read> Source for CsvFile<'_, R> {
    fn next_piece(&mut self) -> Result<Option<Piece>, FileFault> {
        match self.next {
            Next::Head => {
                self.next = Next::Block;
                Ok(Some(Piece::Head(Box::default())))
            }
            Next::Block => {
                self.next = Next::Rows;
                Ok(Some(Piece::Block(Box::<Block>::default())))
            }
            Next::Rows => self.row(),
        }
    }

    fn format(&self) -> Format {
        Format::Csv
    }
}

/// Where each field stands.
fn columns(header: &ByteRecord, rules: &Rules) -> Result<[Option<usize>; FIELDS.len()], FileFault> {
    let mut columns = [None; FIELDS.len()];
    let wrong = |what: String| FileFault::format("line 1", what);
    for (place, name) in header.iter().enumerate() {
        let name = String::from_utf8_lossy(name);
        let name = name.trim().trim_start_matches('\u{feff}');
        if rules.csv.ignore.iter().any(|ignored| ignored == name) {
            continue;
        }
        let mapped =
            rules.csv.columns.iter().find(|(_, column)| *column == name).map(|(field, _)| field.as_str());
        let field = FIELDS.iter().position(|field| *field == mapped.unwrap_or(name)).ok_or_else(|| {
            wrong(format!("'{}' is no field", crate::figure::shown(name))).mend(format!(
                "name it under [csv.columns] or csv.ignore in the rules; fields are {}",
                FIELDS.join(", ")
            ))
        })?;
        if columns[field].replace(place).is_some() {
            return Err(wrong(format!("'{}' stands there twice", FIELDS[field])));
        }
    }
    for (needed, field) in FIELDS.iter().enumerate() {
        let is_needed = ["id", "act", "amount", "currency"].contains(field);
        if is_needed && columns[needed].is_none() && rules.default_of(field).is_empty() {
            return Err(wrong(format!("no column is '{field}'")).mend(
                "name its column under [csv.columns] in the rules, or what every item has under [every]",
            ));
        }
    }
    Ok(columns)
}

fn place(position: Option<&Position>) -> String {
    position.map_or_else(String::new, |position| format!("line {}", position.line()))
}

fn fault(error: &csv::Error) -> FileFault {
    if let ErrorKind::UnequalLengths { pos, expected_len, len } = error.kind() {
        let what = format!("the row has {len} columns, the header {expected_len}");
        return FileFault::format(place(pos.as_ref()), what);
    }
    FileFault::format("", error.to_string())
}
