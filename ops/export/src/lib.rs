//! Which records to export, and each of them as a row: what `fen export` and `fen-parquet` share.
//!
//! **Invariants.** A file bears its name only when it is whole: it is written as `NAME.part` and renamed at the end. A
//! damaged piece of history is told on standard error, the rest is written, and the exit code says that it is not all.
//!
//! What a row holds is said in `fen_json::report::export`. Tested by `ops/tests/export.rs`, and through the tools of others by `check`.

mod source;
mod text;

pub use fen_json::report::export::{ACCOUNT_COLUMNS, TRANSFER_COLUMNS, kind};
pub use text::{write_accounts, write_transfers};

use clap::{Args, ValueEnum};
use fen_json::{Json, Path as Place};
use fen_ledger::export::{ExportAsked, ExportLine};
use fen_ledger::{Account, AccountId, BusinessDate, LedgerCode, Period, Stamp};
use fen_terms::Day;
use source::Source;
use std::path::{Path, PathBuf};

/// Which records, and where from.
#[derive(Args, Debug)]
pub struct Selection {
    /// The data directory.
    #[arg(long, value_name = "DIR", required_unless_present = "endpoint")]
    data: Option<PathBuf>,
    /// A cluster instead: a node's address for clients, host and port; several, so that one may be down.
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',', conflicts_with = "data")]
    endpoint: Vec<String>,
    /// With --endpoint: the folder with authority.pem, client.pem and client.key; else the connection is plaintext.
    #[arg(long, value_name = "DIR", requires = "endpoint")]
    certificates: Option<PathBuf>,
    /// The first: a date (2026-03-01), or a stamp in nanoseconds.
    #[arg(long, value_name = "DATE or STAMP")]
    from: Option<Bound>,
    /// The last, inclusive.
    #[arg(long, value_name = "DATE or STAMP")]
    to: Option<Bound>,
    /// Which date of a record must lie between these.
    #[arg(long, value_enum, default_value_t = By::Booked)]
    by: By,
    /// Only this ledger (a currency's number, such as 156); may be given several times.
    #[arg(long, value_name = "NUMBER")]
    ledger: Vec<u32>,
    /// Only what touches this account; may be given several times.
    #[arg(long, value_name = "ID", value_parser = id)]
    account: Vec<u128>,
}

/// What is exported.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum What {
    /// Records of the journal.
    Transfers,
    /// Accounts.
    Accounts,
}

/// A record's dates.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum By {
    /// The business date on which it was booked.
    Booked,
    /// The day from which it counts.
    Value,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Bound {
    Date(Day),
    Stamp(Stamp),
}

impl std::str::FromStr for Bound {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(nanoseconds) = text.parse::<u64>() {
            return Ok(Self::Stamp(Stamp::new(nanoseconds)));
        }
        Day::parse(text)
            .map(Self::Date)
            .ok_or_else(|| format!("{text:?} is no date (2026-03-31) and no stamp"))
    }
}

fn id(text: &str) -> Result<u128, String> {
    fen_json::id(&Json::Text(text.into()), &Place::Line).map_err(|wrong| wrong.reason)
}

/// Why there is no export.
#[derive(Debug, thiserror::Error)]
pub enum ExportFault {
    /// The arguments do not fit together.
    #[error("{0}")]
    Usage(String),
    /// Something cannot be opened, read or written.
    #[error("{0}")]
    Unreachable(String),
    /// A value does not fit the format.
    #[error("{0}")]
    Value(String),
}

impl ExportFault {
    /// The exit code of the process.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Value(_) => 1,
            Self::Usage(_) => 2,
            Self::Unreachable(_) => 3,
        }
    }
}

/// The fault of a file.
pub fn file_fault(path: &Path, error: &dyn std::fmt::Display) -> ExportFault {
    ExportFault::Unreachable(format!("{}: {error}", path.display()))
}

/// What was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Written {
    /// How many records.
    pub records: u64,
    /// How many pieces of history could not be read.
    pub damaged: u64,
}

impl Selection {
    fn period(&self) -> Result<Period, ExportFault> {
        let date = |day: Day| BusinessDate::new(day.number());
        let (from, to) = match (self.from, self.to) {
            (None, None) => return Ok(Period::All),
            (Some(Bound::Stamp(_)) | None, Some(Bound::Stamp(_)) | None) => {
                let stamp = |bound| if let Some(Bound::Stamp(stamp)) = bound { stamp } else { Stamp::ZERO };
                return Ok(Period::Stamps { min: stamp(self.from), max: stamp(self.to) });
            }
            (Some(Bound::Date(from)), Some(Bound::Date(to))) => (from, to),
            (Some(Bound::Date(from)), None) => (from, Day::MAX),
            (None, Some(Bound::Date(to))) => (Day::MIN, to),
            (Some(Bound::Date(_)), Some(Bound::Stamp(_))) | (Some(Bound::Stamp(_)), Some(Bound::Date(_))) => {
                let words = "--from and --to must both be dates or both be stamps";
                return Err(ExportFault::Usage(words.to_owned()));
            }
        };
        let (first, last) = (date(from), date(to));
        Ok(match self.by {
            By::Booked => Period::Booked { first, last },
            By::Value => Period::Valued { first, last },
        })
    }

    fn asked(&self) -> Result<ExportAsked, ExportFault> {
        Ok(ExportAsked {
            period: self.period()?,
            ledgers: self.ledger.iter().map(|number| LedgerCode::new(*number)).collect(),
            accounts: self.account.iter().map(|id| AccountId::new(*id)).collect(),
        })
    }

    fn source(&self) -> Result<Source, ExportFault> {
        match &self.data {
            Some(data) => Source::directory(data),
            None => Source::cluster(&self.endpoint, self.certificates.as_deref()),
        }
    }

    /// Hands every record that is asked for to `take`, with the shard that booked it: each shard's oldest first.
    ///
    /// # Errors
    /// Any [`ExportFault`].
    pub fn each(&self, take: Take<'_, ExportLine>) -> Result<Written, ExportFault> {
        let asked = self.asked()?;
        self.source()?.each(asked, take)
    }

    /// Hands every account that is asked for to `take`, as it is when its page is read, in the order of opening: of
    /// these ledgers, these ids, opened in the period.
    ///
    /// # Errors
    /// Any [`ExportFault`].
    pub fn each_account(&self, take: Take<'_, Account>) -> Result<Written, ExportFault> {
        let ExportAsked { period, ledgers, accounts } = self.asked()?;
        self.source()?.each_account(&period, &mut |shard, account| {
            let is_asked = (ledgers.is_empty() || ledgers.contains(&account.ledger))
                && (accounts.is_empty() || accounts.contains(&account.id));
            if is_asked { take(shard, account).map(|()| true) } else { Ok(false) }
        })
    }
}

/// What takes the rows: the shard, and what it tells. A ledger in a directory is shard 0.
pub type Take<'a, T> = &'a mut dyn FnMut(u32, &T) -> Result<(), ExportFault>;

/// A day of the books.
pub fn day(date: BusinessDate) -> Day {
    Day::from_number(date.get()).unwrap_or(Day::MAX)
}

/// The path under which a file is written until it is whole.
pub fn part_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    PathBuf::from(name)
}
