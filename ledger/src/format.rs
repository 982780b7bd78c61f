//! The file that says what a directory is: a ledger, of which format, and which one.

use crate::fault::{Answer, Fault, words};
use fen_store::disk::Disk;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// The format that this release writes, and the only one that it reads: what an older one has in its log would give
/// another journal today, as the journal tells more since.
const VERSION: u32 = 2;
const NAME: &str = "FORMAT";
const SIZE_MAX: u64 = 4096;

/// What the file says.
pub(crate) struct Format {
    /// Written into every log segment, so that another ledger's log is never taken for this one's.
    pub(crate) identity: u64,
}

fn open_fault(fault: &dyn std::fmt::Display) -> Fault {
    Fault::Open(words(fault))
}

/// Reads the file, or makes it in a directory that has none.
pub(crate) fn check_or_create(disk: &Arc<dyn Disk>) -> Answer<Format> {
    match disk.open(Path::new(NAME)) {
        Ok(file) => {
            let size = file.size().map_err(|fault| open_fault(&fault))?;
            let mut text = vec![0; usize::try_from(size.min(SIZE_MAX)).unwrap_or_default()];
            file.read_at(&mut text, 0).map_err(|fault| open_fault(&fault))?;
            parse(&String::from_utf8_lossy(&text))
        }
        Err(fault) if fault.kind() == ErrorKind::NotFound => create(disk),
        Err(fault) => Err(open_fault(&fault)),
    }
}

fn parse(text: &str) -> Answer<Format> {
    let mut lines = text.lines();
    let version = lines.next().and_then(|line| line.strip_prefix("fen ledger, format "));
    let identity = lines.next().and_then(|line| line.strip_prefix("identity "));
    let (Some(version), Some(identity)) = (version, identity) else {
        return Err(open_fault(&"its FORMAT file is not one of Fen's: is this the right directory?"));
    };
    match version.trim().parse::<u32>() {
        Ok(VERSION) => {}
        Ok(version) if version < VERSION => {
            let text = format!(
                "it has format {version}, of an older release than this one, which reads {VERSION}: export it with the \
                 release that wrote it (fen export), and import that"
            );
            return Err(open_fault(&text));
        }
        Ok(version) => {
            let text =
                format!("it has format {version}, this release knows up to {VERSION}: use a newer release");
            return Err(open_fault(&text));
        }
        Err(_) => return Err(open_fault(&format!("its FORMAT file names no version: {version:?}"))),
    }
    let identity = u64::from_str_radix(identity.trim(), 16)
        .map_err(|_| open_fault(&format!("its FORMAT file names no identity: {identity:?}")))?;
    Ok(Format { identity })
}

fn create(disk: &Arc<dyn Disk>) -> Answer<Format> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let identity = u64::try_from(since.as_nanos() & u128::from(u64::MAX)).unwrap_or(1).max(1);
    let text = format!("fen ledger, format {VERSION}\nidentity {identity:016x}\n");
    let write = || -> std::io::Result<()> {
        let draft = Path::new("FORMAT.new");
        match disk.remove(draft) {
            Err(fault) if fault.kind() != ErrorKind::NotFound => return Err(fault),
            Ok(()) | Err(_) => {}
        }
        let file = disk.create(draft)?;
        file.write_at(text.as_bytes(), 0)?;
        file.sync()?;
        disk.rename(draft, Path::new(NAME))?;
        disk.sync_dir(Path::new(""))
    };
    write().map_err(|fault| open_fault(&fault))?;
    Ok(Format { identity })
}
