//! How a command of `fen` ends: the exit codes, and the sentence that goes to stderr.

use std::fmt;
use std::process::ExitCode;

/// The exit codes, the same for every command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Exit {
    /// Done, and nothing was found wrong.
    Done,
    /// The input was refused, or something was found wrong.
    Refused,
    /// The command was called wrongly.
    Usage,
    /// What it needs cannot be reached or opened.
    Unreachable,
}

impl Exit {
    /// The number that the shell sees.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Refused => 1,
            Self::Usage => 2,
            Self::Unreachable => 3,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}

/// Why a command stopped: what is wrong and where, and how to mend it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Failure {
    exit: Exit,
    what: String,
    mend: Option<String>,
}

impl Failure {
    /// The input is wrong, or was refused.
    pub(crate) fn refused(what: impl Into<String>) -> Self {
        Self { exit: Exit::Refused, what: what.into(), mend: None }
    }

    /// The command, a configuration or a mapping is wrong.
    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, what: what.into(), mend: None }
    }

    /// Something cannot be opened, read, written or reached.
    pub(crate) fn unreachable(what: impl Into<String>) -> Self {
        Self { exit: Exit::Unreachable, what: what.into(), mend: None }
    }

    /// Adds what the reader can do about it.
    #[must_use]
    pub(crate) fn mend(self, mend: impl Into<String>) -> Self {
        Self { mend: Some(mend.into()), ..self }
    }

    /// How the process ends because of it.
    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        match &self.mend {
            Some(mend) => write!(f, "\n  mend: {mend}"),
            None => Ok(()),
        }
    }
}

/// Prints to standard output. Who closed it has read enough: that ends the command, without a panic.
pub(crate) fn say(text: &str) -> Result<(), Failure> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| Failure::unreachable(format!("standard output cannot be written: {error}")))
}
