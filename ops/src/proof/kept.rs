//! The digests that were signed, kept beside the books: proofs are made against the newest, and `fen verify` holds
//! the books against every one.

use crate::exit::Failure;
use crate::faults::broken;
use fen_ledger::Ledger;
use fen_proof::Digest;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

const FOLDER: &str = "digests";
const ENDING: &str = ".digest";

/// A digest and where it is.
pub(super) struct Kept {
    pub(super) digest: Digest,
    pub(super) note: String,
}

/// Where the digests of a ledger in a directory are kept.
pub(super) fn folder_in(directory: &Path) -> PathBuf {
    directory.join(FOLDER)
}

/// Where those of one shard of a cluster are kept, in the folder that was named for them.
pub(super) fn folder_of_shard(digests: &Path, shard: u32) -> PathBuf {
    digests.join(format!("shard-{shard}"))
}

/// Writes a digest into the folder; durable on return. One of the same size and date is replaced.
pub(super) fn keep(folder: &Path, digest: &Digest, note: &str) -> Result<PathBuf, Failure> {
    let date = digest.date.as_deref().unwrap_or("none");
    let path = folder.join(format!("{:020}-{date}{ENDING}", digest.head.size));
    let draft = path.with_extension("draft");
    let write = || -> io::Result<()> {
        fs::create_dir_all(folder)?;
        let mut file = fs::File::create(&draft)?;
        file.write_all(note.as_bytes())?;
        file.sync_all()?;
        fs::rename(&draft, &path)?;
        fs::File::open(folder)?.sync_all()
    };
    write().map_err(|error| Failure::unreachable(format!("{}: {error}", path.display())))?;
    Ok(path)
}

/// Paths of all kept digests, the smallest history first.
fn paths(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let failure = |error: io::Error| Failure::unreachable(format!("{}: {error}", folder.display()));
    let items = match fs::read_dir(folder) {
        Ok(items) => items,
        Err(absent) if absent.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failure(error)),
    };
    let paths = items.map(|item| item.map(|item| item.path())).collect::<io::Result<Vec<_>>>();
    let mut paths = paths.map_err(failure)?;
    paths.retain(|path| path.to_string_lossy().ends_with(ENDING));
    paths.sort_unstable();
    Ok(paths)
}

/// The newest kept digest.
pub(super) fn newest(folder: &Path) -> Result<Option<Kept>, Failure> {
    let Some(path) = paths(folder)?.pop() else { return Ok(None) };
    let note = super::read(&path)?;
    let digest = Digest::read_unchecked(&note)
        .map_err(|fault| Failure::refused(format!("{}: {fault}", path.display())))?;
    Ok(Some(Kept { digest, note }))
}

/// What is wrong between the books and the digests kept beside them, in words.
pub(crate) fn faults_of_kept(ledger: &Ledger, directory: &Path) -> Result<Vec<String>, Failure> {
    let paths = paths(&folder_in(directory))?;
    let mut faults = Vec::new();
    if paths.is_empty() {
        return Ok(faults);
    }
    let mut tree = ledger.record_tree().map_err(|fault| broken(&fault))?;
    for path in paths {
        let digest = match super::read(&path).map(|note| Digest::read_unchecked(&note)) {
            Ok(Ok(digest)) => digest,
            Ok(Err(fault)) => {
                faults.push(format!("{}: {fault}", path.display()));
                continue;
            }
            Err(failure) => {
                faults.push(failure.to_string());
                continue;
            }
        };
        match tree.root(digest.head.size) {
            Ok(root) if root == Some(digest.head.root) => {}
            Ok(None) => faults.push(format!(
                "{}: it covers {} records, the journal has {}: history was cut off",
                path.display(),
                digest.head.size,
                tree.size()
            )),
            Ok(Some(root)) => faults.push(format!(
                "{}: its root is {}, that of the same {} records in the journal is {root}: history was changed",
                path.display(),
                digest.head.root,
                digest.head.size
            )),
            Err(fault) => faults.push(format!("{}: {fault}", path.display())),
        }
    }
    Ok(faults)
}
