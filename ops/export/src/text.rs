//! Rows as CSV (RFC 4180): a head, then a line for each record.

use crate::{COLUMNS, ExportFault, Selection, Written, day, file_fault, kind, part_of};
use fen_ledger::export::ExportLine;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

fn row(line: &ExportLine) -> [String; COLUMNS.len()] {
    let record = &line.record;
    [
        line.number.to_string(),
        record.id.to_string(),
        kind(line).to_owned(),
        record.debit_account_id.to_string(),
        record.credit_account_id.to_string(),
        record.amount.get().to_string(),
        record.ledger.get().to_string(),
        record.code.get().to_string(),
        day(line.booked_on).to_string(),
        day(line.value_on).to_string(),
        record.timestamp.get().to_string(),
        record.pending_id.to_string(),
        record.timeout.get().to_string(),
        record.user_data_128.to_string(),
        record.user_data_64.to_string(),
        record.user_data_32.to_string(),
        record.flags.bits().to_string(),
    ]
}

fn write_to(selection: &Selection, out: impl Write, path: &Path) -> Result<Written, ExportFault> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(COLUMNS).map_err(|error| file_fault(path, &error))?;
    let written =
        selection.each(|line| writer.write_record(row(line)).map_err(|error| file_fault(path, &error)))?;
    writer.flush().map_err(|error| file_fault(path, &error))?;
    Ok(written)
}

/// Writes the records to a file, or to standard output.
///
/// # Errors
/// Any [`ExportFault`].
pub fn write_csv(selection: &Selection, path: Option<&Path>) -> Result<Written, ExportFault> {
    let Some(path) = path else {
        return write_to(selection, std::io::stdout().lock(), Path::new("standard output"));
    };
    let part = part_of(path);
    let file = File::create(&part).map_err(|error| file_fault(&part, &error))?;
    let written = write_to(selection, &file, &part)?;
    file.sync_all().map_err(|error| file_fault(&part, &error))?;
    fs::rename(&part, path).map_err(|error| file_fault(path, &error))?;
    Ok(written)
}
