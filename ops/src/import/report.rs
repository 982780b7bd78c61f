//! What an import found: every row whose printed balance differs goes to a report file with both figures, the
//! totals to the screen.

use super::figure::FigureForm;
use super::judge::{Figures, Judged};
use super::mapping::Records;
use super::posting::{NamedRow, Posted};
use super::running::Agreement;
use super::source::Accounts;
use crate::exit::Failure;
use crate::print::{self, Column};
use serde::Serialize;
use std::fmt::Write as _;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

/// How many breaks are kept to be named on the screen and in the JSON; the report file has all.
const BREAKS_NAMED_MAX: usize = 1_000;

/// A row whose printed balance differs.
#[derive(Serialize, Clone, PartialEq, Eq, Debug)]
pub(crate) struct Difference {
    /// Counted from 1, the header not counted.
    row: u64,
    /// Where it begins in the file.
    line: u64,
    /// The cells of its key.
    key: Box<str>,
    /// In the file's words.
    account: Box<str>,
    /// Of the row.
    date: String,
    /// Plus credits the account.
    amount: String,
    /// The balance printed before it plus the amount.
    expected: String,
    /// The balance that the source printed.
    printed: String,
    /// Printed less expected.
    differs_by: String,
    /// `rounding` or `break`.
    kind: &'static str,
    /// The sum of the account's rows up to here, as the ledger holds it.
    ledger_balance: String,
}

/// Writes differences as they are found.
pub(crate) struct Report {
    form: FigureForm,
    file: Option<(PathBuf, csv::Writer<BufWriter<File>>)>,
    breaks: Vec<Difference>,
}

impl Report {
    /// Begins a report; without a path nothing is written, but breaks are kept.
    pub(crate) fn new(path: Option<PathBuf>, form: FigureForm) -> Result<Self, Failure> {
        let file = match path {
            None => None,
            Some(path) => {
                let file = File::create(&path).map_err(|error| {
                    Failure::unreachable(format!("{}: the report cannot be written: {error}", path.display()))
                        .mend("name another file with --report")
                })?;
                Some((path, csv::Writer::from_writer(BufWriter::new(file))))
            }
        };
        Ok(Self { form, file, breaks: Vec::new() })
    }

    /// Takes a row; only differing ones leave a trace.
    pub(crate) fn take(&mut self, judged: &Judged, accounts: &Accounts) -> Result<(), Failure> {
        let kind = match judged.agreement {
            Some(Agreement::Rounded) => "rounding",
            Some(Agreement::Breaks) => "break",
            Some(Agreement::Agrees) | None => return Ok(()),
        };
        let row = &judged.row;
        let printed = row.balance.unwrap_or_default();
        let difference = Difference {
            row: row.number,
            line: row.line,
            key: row.key.clone(),
            account: accounts.get(row.account).name.clone(),
            date: date_text(row.day),
            amount: self.form.write(row.amount),
            expected: self.form.write(judged.expected),
            printed: self.form.write(printed),
            differs_by: self.form.write(printed - judged.expected),
            kind,
            ledger_balance: self.form.write(judged.sum),
        };
        if let Some((path, writer)) = &mut self.file {
            writer.serialize(&difference).map_err(|error| unwritable(path, &error))?;
        }
        if kind == "break" && self.breaks.len() < BREAKS_NAMED_MAX {
            self.breaks.push(difference);
        }
        Ok(())
    }

    /// Ends the file; gives the breaks and where the rest is.
    pub(crate) fn close(self) -> Result<(Vec<Difference>, Option<PathBuf>), Failure> {
        let Some((path, mut writer)) = self.file else { return Ok((self.breaks, None)) };
        writer.flush().map_err(|error| unwritable(&path, &error.into()))?;
        Ok((self.breaks, Some(path)))
    }
}

fn unwritable(path: &Path, error: &csv::Error) -> Failure {
    Failure::unreachable(format!("{}: the report cannot be written: {error}", path.display()))
}

/// A day number as `2024-02-29`.
pub(crate) fn date_text(day: u32) -> String {
    let span = jiff::Span::new().try_days(i64::from(day));
    let date = span.and_then(|span| jiff::civil::Date::constant(1970, 1, 1).checked_add(span));
    date.map_or_else(|_| format!("day {day}"), |date| date.to_string())
}

/// Debits and credits of one ledger, over the accounts of the import.
#[derive(Serialize, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct LedgerTotals {
    /// The ledger's number.
    pub(crate) ledger: u32,
    /// Accounts of this import in it, the bank's own included.
    pub(crate) accounts: u64,
    /// Of all of them, as the ledger holds them.
    #[serde(serialize_with = "as_text")]
    pub(crate) debits: u128,
    /// Likewise.
    #[serde(serialize_with = "as_text")]
    pub(crate) credits: u128,
}

impl LedgerTotals {
    /// Nothing yet.
    pub(crate) fn of(ledger: u32) -> Self {
        Self { ledger, accounts: 0, debits: 0, credits: 0 }
    }

    /// Adds an account. Sums of 128-bit balances may wrap by design: equal sums stay equal.
    pub(crate) fn add(&mut self, debits: u128, credits: u128) {
        self.accounts += 1;
        self.debits = self.debits.wrapping_add(debits);
        self.credits = self.credits.wrapping_add(credits);
    }
}

fn as_text<S: serde::Serializer>(value: &u128, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// All that an import has to tell.
pub(crate) struct Summary<'a> {
    /// What the rows are.
    pub(crate) records: Records,
    /// The file.
    pub(crate) file: &'a Path,
    /// Where the books are; `None` for a rehearsal in memory.
    pub(crate) data: Option<&'a Path>,
    /// How the printed balances compare.
    pub(crate) figures: Figures,
    /// What became of the rows.
    pub(crate) posted: &'a Posted,
    /// Customers' accounts that the file names.
    pub(crate) accounts: u64,
    /// Those whose balance in the ledger is the sum of their rows.
    pub(crate) accounts_agree: u64,
    /// Ledger by ledger.
    pub(crate) totals: &'a [LedgerTotals],
    /// Rows that break the running balance.
    pub(crate) breaks: &'a [Difference],
    /// Where every differing row stands.
    pub(crate) report: Option<&'a Path>,
    /// Of the whole ledger.
    pub(crate) digest: String,
    /// From opening the file to the digest.
    pub(crate) seconds: f64,
}

#[derive(Serialize)]
struct SummaryJson<'a> {
    file: String,
    rows: u64,
    accounts: u64,
    posted: u64,
    present: u64,
    repeated: u64,
    refused: u64,
    accounts_opened: u64,
    balances: BalancesJson,
    accounts_agree: u64,
    ledgers: &'a [LedgerTotals],
    breaks: &'a [Difference],
    not_posted: &'a [NamedRow],
    report: Option<String>,
    digest: &'a str,
    seconds: f64,
}

#[derive(Serialize)]
struct BalancesJson {
    agree: u64,
    rounding: u64,
    breaks: u64,
    unprinted: u64,
    below_zero: u64,
}

impl Summary<'_> {
    /// One object on one line.
    pub(crate) fn json(&self) -> Result<String, Failure> {
        let figures = self.figures;
        let json = SummaryJson {
            file: self.file.display().to_string(),
            rows: figures.rows,
            accounts: self.accounts,
            posted: self.posted.created,
            present: self.posted.present,
            repeated: self.posted.repeated,
            refused: self.posted.refused,
            accounts_opened: self.posted.accounts_opened,
            balances: BalancesJson {
                agree: figures.agree,
                rounding: figures.rounded,
                breaks: figures.breaks,
                unprinted: figures.unprinted,
                below_zero: figures.below_zero,
            },
            accounts_agree: self.accounts_agree,
            ledgers: self.totals,
            breaks: self.breaks,
            not_posted: &self.posted.named,
            report: self.report.map(|path| path.display().to_string()),
            digest: &self.digest,
            seconds: self.seconds,
        };
        serde_json::to_string(&json)
            .map_err(|error| Failure::refused(format!("the summary is no JSON: {error}")))
    }

    /// For people.
    pub(crate) fn words(&self) -> String {
        let mut out = String::new();
        self.write_words(&mut out).expect("writing to a string cannot fail");
        out
    }

    fn write_words(&self, out: &mut String) -> std::fmt::Result {
        let figures = self.figures;
        let posted = self.posted;
        match self.data {
            Some(data) => writeln!(out, "{} -> {}", self.file.display(), data.display())?,
            None => writeln!(out, "{} rehearsed in memory; --data DIR keeps the books", self.file.display())?,
        }
        let now = match self.records {
            Records::Transfers => "posted now",
            Records::Accounts => "opened now",
        };
        let line =
            |name: &str, value: u64, what: &str| vec![name.to_owned(), print::count(value), what.to_owned()];
        let mut rows = vec![
            line("rows", figures.rows, &format!("of {} accounts", print::count(self.accounts))),
            line(now, posted.created, ""),
            line("there before", posted.present, "nothing was doubled"),
        ];
        if posted.repeated > 0 {
            rows.push(line("same key", posted.repeated, "not posted: another row has this key"));
        }
        if posted.refused > 0 {
            rows.push(line("refused", posted.refused, "not posted: the ledger said no"));
        }
        if figures.unprinted < figures.rows {
            rows.push(line(
                "balances agree",
                figures.agree,
                "balance before, plus or minus amount = balance printed",
            ));
            rows.push(line("rounded", figures.rounded, "differ within the source's own rounding"));
            rows.push(line(
                "break",
                figures.breaks,
                "differ by more: a row is missing, or the order is ambiguous",
            ));
        }
        let columns = [Column::Text(""), Column::Figure(""), Column::Text("")];
        out.push_str(&print::table(&columns, rows));
        self.write_breaks(out)?;
        self.write_not_posted(out)?;
        self.write_totals(out)
    }

    fn write_breaks(&self, out: &mut String) -> std::fmt::Result {
        if self.breaks.is_empty() {
            return Ok(());
        }
        writeln!(out, "\nRows that break the running balance (named, neither hidden nor mended):")?;
        let columns = [
            Column::Figure("row"),
            Column::Text("key"),
            Column::Text("account"),
            Column::Text("date"),
            Column::Figure("amount"),
            Column::Figure("expected"),
            Column::Figure("printed"),
            Column::Figure("differs by"),
        ];
        let rows = self.breaks.iter().map(|row| {
            let texts = [
                &row.key as &str,
                &row.account,
                &row.date,
                &row.amount,
                &row.expected,
                &row.printed,
                &row.differs_by,
            ];
            std::iter::once(row.row.to_string()).chain(texts.map(str::to_owned)).collect()
        });
        out.push_str(&print::table(&columns, rows));
        let more = self.figures.breaks.saturating_sub(self.breaks.len() as u64);
        if more > 0 {
            writeln!(out, "  and {} more in the report", print::count(more))?;
        }
        Ok(())
    }

    fn write_not_posted(&self, out: &mut String) -> std::fmt::Result {
        if self.posted.named.is_empty() {
            return Ok(());
        }
        writeln!(out, "\nRows that were not posted:")?;
        let columns =
            [Column::Figure("row"), Column::Figure("line"), Column::Text("key"), Column::Text("status")];
        let rows = self.posted.named.iter();
        let rows = rows.map(|row| {
            vec![row.row.to_string(), row.line.to_string(), row.key.to_string(), row.status.to_owned()]
        });
        out.push_str(&print::table(&columns, rows));
        Ok(())
    }

    fn write_totals(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out)?;
        for totals in self.totals {
            let relation = if totals.debits == totals.credits { "=" } else { "DIFFER FROM" };
            writeln!(
                out,
                "{}: debits {} {relation} credits {}",
                print::currency(totals.ledger),
                print::unsigned_money(totals.ledger, totals.debits),
                print::unsigned_money(totals.ledger, totals.credits)
            )?;
        }
        if self.records == Records::Accounts {
            return writeln!(out, "digest {} ({:.1} s)", self.digest, self.seconds);
        }
        writeln!(
            out,
            "read back: the balance of {} of {} accounts is the sum of its rows",
            print::count(self.accounts_agree),
            print::count(self.accounts)
        )?;
        if let Some(report) = self.report {
            writeln!(out, "report: {}", report.display())?;
        }
        writeln!(out, "digest {} ({:.1} s)", self.digest, self.seconds)
    }
}
