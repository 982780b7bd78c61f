//! Running a folder of scripts against their blessed answers, or blessing what they answer now.

use crate::run::{self, Run};
use crate::{Subject, file};
use fen_book::Stamp;
use std::fs;
use std::path::{Path, PathBuf};

/// What is wrong with a script, or with the books under it.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// The file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A line makes no sense, or the books do not balance.
    #[error("{path}: {reason}")]
    Line {
        /// In which file.
        path: PathBuf,
        /// Which line, and why.
        reason: String,
    },
    /// The answers are not the blessed ones.
    #[error("{path}, act {act}: answers `{found}`, blessed is `{blessed}` (to bless: cargo xtask bless)")]
    Answer {
        /// In which file.
        path: PathBuf,
        /// In which act, from 1.
        act: usize,
        /// The first blessed line that is not met.
        blessed: String,
        /// What came in its place.
        found: String,
    },
}

/// What to do where answers are not the blessed ones.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Blessing {
    /// Complain.
    Check,
    /// Write them into the file.
    Bless,
}

impl Blessing {
    /// `Bless` where the environment says `FEN_BLESS=1`, as `cargo xtask bless` does.
    pub fn from_environment() -> Self {
        if std::env::var_os("FEN_BLESS").is_some_and(|value| value == "1") {
            Self::Bless
        } else {
            Self::Check
        }
    }
}

/// The scripts of accounts and transfers, `scripts/*.fen`, in order of their names.
pub fn all() -> Result<Vec<PathBuf>, ScriptError> {
    of_folder("scripts")
}

/// The scripts of loans, `scripts/loans/*.fen`, in order of their names. The model knows no loans: these are told on
/// the book and on ledgers.
pub fn loans() -> Result<Vec<PathBuf>, ScriptError> {
    of_folder("scripts/loans")
}

fn of_folder(name: &str) -> Result<Vec<PathBuf>, ScriptError> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    let file = |source| ScriptError::File { path: folder.clone(), source };
    let mut paths = Vec::new();
    for entry in fs::read_dir(&folder).map_err(file)? {
        let path = entry.map_err(file)?.path();
        if path.extension().is_some_and(|extension| extension == "fen") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Runs one script on the subject that `open` makes, given the moment at which its clock must stand.
pub fn script<'s>(
    path: &Path,
    blessing: Blessing,
    open: impl FnOnce(Stamp) -> Box<dyn Subject + 's>,
) -> Result<Run, ScriptError> {
    let file = |source| ScriptError::File { path: path.to_owned(), source };
    let text = fs::read_to_string(path).map_err(file)?;
    let acts = file::read(&text);
    let run = run::run(&acts, open(run::start(&acts)))
        .map_err(|reason| ScriptError::Line { path: path.to_owned(), reason })?;
    if blessing == Blessing::Bless {
        let blessed = file::write(&acts, &run.answers);
        if blessed != text {
            fs::write(path, blessed).map_err(file)?;
        }
        return Ok(run);
    }
    for (index, (act, answers)) in acts.iter().zip(&run.answers).enumerate() {
        let longest = act.answers.len().max(answers.len());
        let line = |lines: &[String], at: usize| lines.get(at).cloned().unwrap_or_default();
        let differs = (0..longest).find(|at| line(&act.answers, *at) != line(answers, *at));
        if let Some(at) = differs {
            return Err(ScriptError::Answer {
                path: path.to_owned(),
                act: index + 1,
                blessed: line(&act.answers, at),
                found: line(answers, at),
            });
        }
    }
    Ok(run)
}
