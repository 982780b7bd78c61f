//! `fen archive`: old segments of the journal move elsewhere, and are still read.

use crate::exit::{Exit, Failure, say};
use crate::faults::{broken, open_existing};
use crate::print::{count, plural};
use clap::Args;
use fen_ledger::BusinessDate;
use fen_terms::Day;
use std::io;
use std::path::{Path, PathBuf};

/// Moves segments of the journal that are older than a date to another directory; they are still read there.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  fen archive --data ./books --before 2024-01-01 --to /mnt/cold/books
  fen archive --data ./books --before 2024-01-01

The directory becomes the folder `journal/archive` of the books, by a link; without --to it is an ordinary folder, or
what was linked before. Each segment is copied, checked and synced before it is removed here, so the command may be
interrupted at any moment and given again. Nothing is ever rewritten. If the directory is away later, what was in it is
named, and everything else is read.")]
pub(crate) struct Arguments {
    /// The data directory.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Segments whose records were all booked before this business date are moved.
    #[arg(long, value_name = "DATE", value_parser = date)]
    before: Day,
    /// Where to: a directory, on any file system.
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
}

fn date(text: &str) -> Result<Day, String> {
    Day::parse(text).ok_or_else(|| format!("{text:?} is no date; write it as 2026-03-31"))
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments, json: bool) -> Result<Exit, Failure> {
    let ledger = open_existing(&arguments.data)?;
    if let Some(to) = &arguments.to {
        link(&arguments.data.join("journal").join("archive"), to)?;
    }
    let before =
        ledger.begin_of(BusinessDate::new(arguments.before.number())).map_err(|fault| broken(&fault))?;
    let bar = crate::progress::items("archive", 0);
    let moved = ledger.archive_before(before, |_| bar.inc(1));
    bar.finish_and_clear();
    let moved = moved.map_err(|fault| Failure::refused(fault.to_string()))?;
    let segments = plural(u64::from(moved), "segment", "segments");
    let words = format!("{} {segments} moved\n", count(moved));
    say(&if json { format!("{}\n", serde_json::json!({ "moved": moved })) } else { words })?;
    Ok(Exit::Done)
}

/// Makes `archive` a link to `to`, unless it is one.
fn link(archive: &Path, to: &Path) -> Result<(), Failure> {
    let failure = |path: &Path, what: &dyn std::fmt::Display| {
        Failure::unreachable(format!("{}: {what}", path.display()))
            .mend("name a directory that exists and can be written")
    };
    let to = to.canonicalize().map_err(|error| failure(to, &error))?;
    if !to.is_dir() {
        return Err(failure(&to, &"is no directory"));
    }
    match std::os::unix::fs::symlink(&to, archive) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let linked = archive.canonicalize().map_err(|error| failure(archive, &error))?;
            if linked == to {
                return Ok(());
            }
            Err(Failure::refused(format!(
                "the archive of these books is {}, not {}",
                linked.display(),
                to.display()
            ))
            .mend("leave --to away, or move what is there and replace the link journal/archive"))
        }
        Err(error) => Err(failure(archive, &error)),
    }
}
