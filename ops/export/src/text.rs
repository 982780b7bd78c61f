//! Rows as CSV (RFC 4180): a head, then a line for each record or account.

use crate::{ACCOUNT_COLUMNS, ExportFault, Selection, TRANSFER_COLUMNS, Written, file_fault, part_of};
use fen_json::report::export;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

type Writer<'a> = csv::Writer<&'a mut dyn Write>;

/// Writes the records to a file, or to standard output.
///
/// # Errors
/// Any [`ExportFault`].
pub fn write_transfers(selection: &Selection, path: Option<&Path>) -> Result<Written, ExportFault> {
    write(path, &TRANSFER_COLUMNS, &mut |writer, place| {
        selection.each(&mut |shard, line| row(writer, &export::transfer(shard, line), place))
    })
}

/// Writes the accounts to a file, or to standard output.
///
/// # Errors
/// Any [`ExportFault`].
pub fn write_accounts(selection: &Selection, path: Option<&Path>) -> Result<Written, ExportFault> {
    write(path, &ACCOUNT_COLUMNS, &mut |writer, place| {
        selection.each_account(&mut |_shard, account| row(writer, &export::account(account), place))
    })
}

fn row(writer: &mut Writer<'_>, row: &[String], place: &Path) -> Result<(), ExportFault> {
    writer.write_record(row).map_err(|error| file_fault(place, &error))
}

type Rows<'a> = &'a mut dyn FnMut(&mut Writer<'_>, &Path) -> Result<Written, ExportFault>;

fn write(path: Option<&Path>, head: &[&str], rows: Rows<'_>) -> Result<Written, ExportFault> {
    let Some(path) = path else {
        let mut out = std::io::stdout().lock();
        return write_to(&mut out, Path::new("standard output"), head, rows);
    };
    let part = part_of(path);
    let mut file = File::create(&part).map_err(|error| file_fault(&part, &error))?;
    let written = write_to(&mut file, &part, head, rows)?;
    file.sync_all().map_err(|error| file_fault(&part, &error))?;
    fs::rename(&part, path).map_err(|error| file_fault(path, &error))?;
    Ok(written)
}

fn write_to(
    out: &mut dyn Write,
    place: &Path,
    head: &[&str],
    rows: Rows<'_>,
) -> Result<Written, ExportFault> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(head).map_err(|error| file_fault(place, &error))?;
    let written = rows(&mut writer, place)?;
    writer.flush().map_err(|error| file_fault(place, &error))?;
    Ok(written)
}
