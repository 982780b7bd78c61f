//! How far an import came, kept beside the data so that the next one need not send again what is there.
//!
//! A mark is only a short cut. What makes resuming right is that every row has one id for ever; a mark that is
//! lost, torn, of another file or of other data is passed over, and the rows are sent again to answer `exists`.

use super::mapping::Records;
use fen_book::{AccountId, TransferId};
use fen_ledger::Ledger;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};

/// Where one file's import into one directory keeps its mark.
pub(crate) struct MarkFile {
    path: Option<PathBuf>,
}

/// How far an import came.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(deny_unknown_fields)]
struct Mark {
    /// Rows, in the order of posting, that the ledger has.
    rows: u64,
    /// The last of them, upper and lower half.
    last: (u64, u64),
}

impl MarkFile {
    /// The mark of the file and mapping with this fingerprint; without a directory there is none.
    pub(crate) fn new(imports: Option<&Path>, fingerprint: &str) -> Self {
        Self { path: imports.map(|directory| directory.join(format!("{fingerprint}.mark"))) }
    }

    /// How many rows need not be sent again.
    pub(crate) fn rows_present(&self, records: Records, ledger: &Ledger) -> u64 {
        self.read().filter(|mark| is_in_ledger(mark, records, ledger)).map_or(0, |mark| mark.rows)
    }

    /// Notes that the ledger has the first `rows` rows. A mark that cannot be written costs time, not rows.
    pub(crate) fn write(&self, rows: u64, last: u128) {
        let Some(path) = &self.path else { return };
        let mark = Mark { rows, last: halves(last) };
        if let Ok(text) = serde_json::to_string(&mark) {
            let beside = path.with_extension("new");
            let written = fs::write(&beside, text).and_then(|()| fs::rename(&beside, path));
            written.unwrap_or_default();
        }
    }

    /// Forgets it, so that the next import sends, and reports on, every row.
    pub(crate) fn remove(&self) {
        if let Some(path) = &self.path {
            fs::remove_file(path).unwrap_or_default();
        }
    }

    fn read(&self) -> Option<Mark> {
        serde_json::from_str(&fs::read_to_string(self.path.as_ref()?).ok()?).ok()
    }
}

/// Rows are posted in order, so where the last is, all before it are.
fn is_in_ledger(mark: &Mark, records: Records, ledger: &Ledger) -> bool {
    let id = u128::from(mark.last.0) << 64 | u128::from(mark.last.1);
    match records {
        Records::Transfers => ledger
            .lookup_transfers(&[TransferId::new(id)])
            .is_ok_and(|found| matches!(found.as_slice(), [Some(_)])),
        Records::Accounts => ledger
            .lookup_accounts(&[AccountId::new(id)])
            .is_ok_and(|found| matches!(found.as_slice(), [Some(_)])),
    }
}

fn halves(id: u128) -> (u64, u64) {
    let low = id & u128::from(u64::MAX);
    (u64::try_from(id >> 64).unwrap_or_default(), u64::try_from(low).unwrap_or_default())
}
