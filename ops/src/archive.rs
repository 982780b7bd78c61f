//! `fen archive`: old segments of the journal move elsewhere, and are still read.

use crate::desk::{Books, Place};
use crate::exit::{Exit, Failure, say};
use crate::faults::{broken, open_existing};
use crate::print::{count, plural};
use crate::reach::{self, Reach};
use clap::Args;
use fen_ledger::BusinessDate;
use fen_terms::Day;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a cluster may take: members copy what they move.
const PATIENCE: Duration = Duration::from_mins(4);

/// Moves segments of the journal that are older than a date to another directory; they are still read there.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  fen archive --data ./books --before 2024-01-01 --to /mnt/cold/books
  fen archive --data ./books --before 2024-01-01
  fen archive --endpoint 127.0.0.1:7001 --certificates fen-dev --before 2024-01-01

On a cluster every member of every shard moves its own copy to the folder `journal/archive` of that shard's books, which
the node's operator may make a link to another disk; a member that does not answer is named, and is asked again by the
same command. The directory becomes the folder `journal/archive` of the books, by a link; without --to it is an ordinary folder, or
what was linked before. Each segment is copied, checked and synced before it is removed here, so the command may be
interrupted at any moment and given again. Nothing is ever rewritten. If the directory is away later, what was in it is
named, and everything else is read.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    books: Books,
    /// Segments whose records were all booked before this business date are moved.
    #[arg(long, value_name = "DATE", value_parser = date)]
    before: Day,
    /// Where to: a directory, on any file system.
    #[arg(long, value_name = "DIR", conflicts_with = "endpoint")]
    to: Option<PathBuf>,
}

fn date(text: &str) -> Result<Day, String> {
    Day::parse(text).ok_or_else(|| format!("{text:?} is no date; write it as 2026-03-31"))
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments, json: bool) -> Result<Exit, Failure> {
    match arguments.books.place() {
        Place::Directory(data) => of_directory(arguments, data, json),
        Place::Cluster(reach) => of_cluster(arguments, &reach, json),
    }
}

fn of_cluster(arguments: &Arguments, reach: &Reach, json: bool) -> Result<Exit, Failure> {
    let before = BusinessDate::new(arguments.before.number());
    let members = reach::wait(async {
        let client = reach.patient_client(PATIENCE)?;
        client.archive(before).await.map_err(reach::failure)
    })?;
    let mut out = String::new();
    for member in &members {
        let segments = plural(u64::from(member.moved), "segment", "segments");
        let moved = count(u64::from(member.moved));
        let fault = if member.fault.is_empty() { String::new() } else { format!(", then: {}", member.fault) };
        writeln!(out, "shard {}, node {}: {moved} {segments} moved{fault}", member.group, member.node)
            .expect("writing to a string cannot fail");
    }
    if json {
        let member = |member: &fen_api::wire::MemberArchived| {
            serde_json::json!({
                "shard": member.group, "node": member.node, "moved": member.moved,
                "fault": Some(&member.fault).filter(|fault| !fault.is_empty()),
            })
        };
        let members: Vec<_> = members.iter().map(member).collect();
        out = format!("{}\n", serde_json::json!({ "members": members }));
    }
    say(&out)?;
    let is_whole = members.iter().all(|member| member.fault.is_empty());
    Ok(if is_whole { Exit::Done } else { Exit::Refused })
}

fn of_directory(arguments: &Arguments, data: &Path, json: bool) -> Result<Exit, Failure> {
    let ledger = open_existing(data)?;
    if let Some(to) = &arguments.to {
        link(&data.join("journal").join("archive"), to)?;
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
