//! Finds out what form a file has, by how it begins.

use crate::csv::CsvFile;
use crate::iso::initiation::InitiationFile;
use crate::item::{Head, Piece, Source};
use crate::ndjson::NdjsonFile;
use crate::reason::FileFault;
use crate::rules::Rules;
use std::io::{Cursor, Read};

/// How much of a file tells its form.
const SNIFF_BYTES: u64 = 512;

/// A source over a file of any known form.
///
/// # Errors
/// Where it begins like none of them.
pub fn open<'a>(mut file: impl Read + 'a, rules: &'a Rules) -> Result<Box<dyn Source + 'a>, FileFault> {
    let mut start = Vec::new();
    let unreadable = |error: std::io::Error| FileFault::format("byte 0", error.to_string());
    file.by_ref().take(SNIFF_BYTES).read_to_end(&mut start).map_err(unreadable)?;
    if start.starts_with(&[0xff, 0xfe]) || start.starts_with(&[0xfe, 0xff]) || start.contains(&0) {
        return Err(FileFault::format("byte 0", "the file is not UTF-8").mend("save the file as UTF-8"));
    }
    let text = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&start).trim_ascii_start();
    let first = text.first().copied();
    let mark = start.len() - start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&start).len();
    let mut whole = Cursor::new(start).chain(file);
    // The mark of UTF-8 is no part of the text.
    std::io::copy(&mut whole.by_ref().take(u64::try_from(mark).unwrap_or(0)), &mut std::io::sink())
        .map_err(unreadable)?;
    Ok(match first {
        None => return Err(FileFault::format("byte 0", "the file is empty")),
        Some(b'<') => Box::new(InitiationFile::open(whole, rules)?),
        Some(b'{') => Box::new(NdjsonFile::open(whole, rules)),
        Some(_) => Box::new(CsvFile::open(whole, rules)?),
    })
}

/// What a file says of itself and what form it has, as far as it can be read: for the answer to one that is refused.
pub fn head(file: impl Read, rules: &Rules) -> (Head, &'static str) {
    let Ok(mut source) = open(file, rules) else { return (Head::default(), "unknown") };
    let head = match source.next_piece() {
        Ok(Some(Piece::Head(head))) => *head,
        Ok(_) | Err(_) => Head::default(),
    };
    (head, source.format().name())
}
