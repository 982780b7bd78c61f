//! `fen import`: a bank's CSV into the ledger, by a mapping.
//!
//! The file is read twice. The first reading checks every row against the mapping and posts nothing, so a file
//! that cannot be read leaves the books untouched. The second puts the rows of each day in their order, compares
//! them with the balances that the source printed, and posts them with stamps of their own days.
//!
//! **Invariants.** A row is posted once, however often it is imported. Where an import was interrupted leaves no
//! trace in the books. Nothing is rounded and no difference is mended: what does not agree is named.
//!
//! **Limits.** Dates from 1970-01-02 on, in the past; accounts in memory, rows a day at a time where the file is
//! sorted by date.
//! **Deliberately absent.** A language of expressions in mappings: a rule is a list of column values.

mod days;
mod figure;
mod judge;
mod mapping;
mod mark;
mod posting;
mod report;
mod running;
mod source;

use crate::exit::{Exit, Failure};
use crate::faults::{broken, open};
use crate::print::{self, count};
use crate::progress;
use clap::Args;
use days::{Days, Sorting};
use fen_book::{AccountId, EVENTS_MAX, Stamp};
use fen_ledger::Ledger;
use judge::{Judge, Judged};
use mapping::{Mapping, Records};
use mark::MarkFile;
use posting::{Posting, contra_id};
use report::{LedgerTotals, Report, Summary};
use sha2::{Digest as _, Sha256};
use source::{Accounts, Source};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Bad rows named before the rest is only counted.
const BAD_ROWS_NAMED_MAX: usize = 20;

/// A bank's CSV into the ledger, by a mapping; resumes, and posts no row twice.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  fen import ../shared/data/berka/trans.asc --map ops/examples/berka.toml --data ./books

Stopped at any moment, the same command goes on where it was. Without --data the file is only rehearsed.
Rows are transfers, or accounts (records = \"accounts\"). ops/examples/berka.toml explains every key of a mapping.")]
pub(crate) struct Arguments {
    /// The CSV file.
    file: PathBuf,
    /// The mapping: what the file's columns mean, in TOML.
    #[arg(long = "map", value_name = "MAP.toml")]
    map: PathBuf,
    /// The data directory; it is made if it does not exist.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where rows whose printed balance differs are listed [default: in DIR/imports].
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Rows in a batch, each durable before the next; smaller ones are slower.
    #[arg(long, value_name = "N", default_value_t = EVENTS_MAX, value_parser = batch_size)]
    batch: usize,
}

fn batch_size(text: &str) -> Result<usize, String> {
    let size = text.parse().ok().filter(|size| (1..=EVENTS_MAX).contains(size));
    size.ok_or_else(|| format!("must be a number from 1 to {EVENTS_MAX}"))
}

/// What the first reading found.
struct Checked {
    rows: u64,
    sorting: Sorting,
    fingerprint: String,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments, json: bool) -> Result<Exit, Failure> {
    let begun = Instant::now();
    let text = fs::read_to_string(&arguments.map).map_err(|error| {
        Failure::unreachable(format!("{}: cannot be read: {error}", arguments.map.display()))
            .mend("check the path of the mapping")
    })?;
    let mapping = Mapping::read(&arguments.map, &text)?;
    let checked = check(&arguments.file, &mapping, &text)?;
    let ledger = match &arguments.data {
        Some(directory) => open(directory)?,
        None => Ledger::in_memory(now()),
    };
    let imports = imports_directory(arguments.data.as_deref())?;
    let report_path = arguments
        .report
        .clone()
        .or_else(|| imports.as_ref().map(|dir| dir.join(checked.fingerprint.clone() + ".csv")));
    let mark = MarkFile::new(imports.as_deref(), &checked.fingerprint);
    let (rounding, opening) = balance_rule(&mapping)?;
    let mut import = Import {
        posting: Posting::new(
            &ledger,
            &mapping,
            arguments.batch,
            mark.rows_present(mapping.records, &ledger),
        )?,
        judge: Judge::new(mapping.order, rounding, opening),
        report: Report::new(report_path, source::figure_form(&mapping))?,
        accounts: Accounts::default(),
        mark,
    };
    import.post(&arguments.file, &mapping, &checked)?;

    let (accounts_agree, totals) = import.read_back(&ledger, &mapping)?;
    let (breaks, report_path) = import.report.close()?;
    let posted = import.posting.posted();
    let summary = Summary {
        records: mapping.records,
        file: &arguments.file,
        data: arguments.data.as_deref(),
        figures: import.judge.figures(),
        posted,
        accounts: import.accounts.len() as u64,
        accounts_agree,
        totals: &totals,
        breaks: &breaks,
        report: report_path.as_deref(),
        digest: print::hex(&ledger.digest().map_err(|fault| broken(&fault))?),
        seconds: begun.elapsed().as_secs_f64(),
    };
    let text = if json { summary.json()? + "\n" } else { summary.words() };
    crate::exit::say(&text)?;
    let balanced = totals.iter().all(|totals| totals.debits == totals.credits);
    Ok(if posted.refused == 0 && balanced { Exit::Done } else { Exit::Refused })
}

/// Where marks and reports are kept: beside the books that they speak of.
fn imports_directory(data: Option<&Path>) -> Result<Option<PathBuf>, Failure> {
    let Some(data) = data else { return Ok(None) };
    let imports = data.join("imports");
    fs::create_dir_all(&imports)
        .map_err(|error| Failure::unreachable(format!("{}: cannot be made: {error}", imports.display())))?;
    Ok(Some(imports))
}

/// One import under way.
struct Import<'a> {
    posting: Posting<'a>,
    judge: Judge,
    report: Report,
    accounts: Accounts,
    mark: MarkFile,
}

impl Import<'_> {
    /// The second reading: orders, judges and posts the file day by day.
    fn post(&mut self, file: &Path, mapping: &Mapping, checked: &Checked) -> Result<(), Failure> {
        let changed = || {
            Failure::refused(format!("{}: the file changed while it was imported", file.display()))
                .mend("import it again when nothing writes to it; rows already posted are not posted twice")
        };
        let bar = progress::items("posting", checked.rows);
        let source = Source::open(file, mapping, |file| Box::new(file))?;
        let mut days = Days::new(source, checked.sorting, &mut self.accounts).map_err(|_| changed())?;
        let mut last = None;
        loop {
            let day = days.next_day(&mut self.accounts).map_err(|_| changed())?;
            if day.is_empty() {
                break;
            }
            for judged in self.judge.day(day) {
                self.report.take(&judged, &self.accounts)?;
                if self.posting.push(&judged, &self.accounts)? {
                    self.note(self.id_of(&judged, mapping));
                }
                last = Some(self.id_of(&judged, mapping));
                bar.inc(1);
            }
        }
        self.posting.flush()?;
        if let Some(last) = last {
            self.note(last);
        }
        bar.finish_and_clear();
        if self.judge.figures().rows == checked.rows { Ok(()) } else { Err(changed()) }
    }

    /// What the ledger knows the row by.
    fn id_of(&self, judged: &Judged, mapping: &Mapping) -> u128 {
        match mapping.records {
            Records::Transfers => judged.row.id,
            Records::Accounts => self.accounts.get(judged.row.account).id,
        }
    }

    /// Notes how far the import is, unless a row was turned away: then every later import must meet it again.
    fn note(&self, last: u128) {
        let posted = self.posting.posted();
        if posted.refused + posted.repeated == 0 {
            self.mark.write(posted.created + posted.present, last);
        } else {
            self.mark.remove();
        }
    }

    /// Reads every account of the import back: how many hold the sum of their rows, and the totals.
    fn read_back(&self, ledger: &Ledger, mapping: &Mapping) -> Result<(u64, Vec<LedgerTotals>), Failure> {
        let mut expected: BTreeMap<u128, Option<i128>> = BTreeMap::new();
        for (account, index) in self.accounts.iter().zip(0_u32..) {
            let bank = mapping.contra.iter().map(|rule| (contra_id(account.ledger, rule.number), None));
            expected.extend(bank);
            expected.insert(account.id, Some(self.judge.sum(index)));
        }
        let ids: Vec<AccountId> = expected.keys().copied().map(AccountId::new).collect();
        let mut agree = 0;
        let mut totals: BTreeMap<u32, LedgerTotals> = BTreeMap::new();
        for ids in ids.chunks(EVENTS_MAX) {
            for account in ledger.lookup_accounts(ids).map_err(|fault| broken(&fault))?.into_iter().flatten()
            {
                let (debits, credits) = (account.debits_posted.get(), account.credits_posted.get());
                if let Some(Some(sum)) = expected.get(&account.id.get()) {
                    let same_size = credits.abs_diff(debits) == sum.unsigned_abs();
                    agree += u64::from(same_size && (credits >= debits) == (*sum >= 0));
                }
                let number = account.ledger.get();
                totals.entry(number).or_insert_with(|| LedgerTotals::of(number)).add(debits, credits);
            }
        }
        Ok((agree, totals.into_values().collect()))
    }
}

fn balance_rule(mapping: &Mapping) -> Result<(i128, mapping::Opening), Failure> {
    let Some(rule) = &mapping.balance else { return Ok((0, mapping::Opening::Zero)) };
    let rounding = match &rule.rounding {
        None => 0,
        Some(text) => figure::FigureForm { decimal: '.', thousands: None, ..source::figure_form(mapping) }
            .read(text)
            .map_err(|what| Failure::usage(format!("balance.rounding: {what}")))?,
    };
    Ok((rounding, rule.opening))
}

/// The first reading: every row must be one that the mapping can read.
fn check(path: &Path, mapping: &Mapping, mapping_text: &str) -> Result<Checked, Failure> {
    let size = fs::metadata(path).map_or(0, |metadata| metadata.len());
    let bar = progress::bytes("checking", size);
    let hash = Rc::new(RefCell::new(Sha256::new()));
    let watch = {
        let (hash, bar) = (Rc::clone(&hash), bar.clone());
        move |file| -> Box<dyn std::io::Read> {
            Box::new(progress::Watched::new(file, bar, move |piece: &[u8]| hash.borrow_mut().update(piece)))
        }
    };
    let mut source = Source::open(path, mapping, watch)?;
    let mut accounts = Accounts::default();
    let (mut rows, mut latest, mut sorting) = (0_u64, 0_u32, Sorting::ByDate);
    let mut bad = Vec::new();
    let mut bad_count = 0_u64;
    while let Some(row) = source.next(&mut accounts) {
        rows += 1;
        match row {
            Ok(row) => {
                if row.day < latest {
                    sorting = Sorting::Mixed;
                }
                latest = row.day;
            }
            Err(row) => {
                bad_count += 1;
                if bad.len() < BAD_ROWS_NAMED_MAX {
                    bad.push(format!("  line {}: {}", row.line, row.what));
                }
            }
        }
    }
    bar.finish_and_clear();
    if bad_count > 0 {
        let what = print::plural(bad_count, "row cannot be read", "rows cannot be read");
        let what = format!("{}: {} {what}, nothing was imported", path.display(), count(bad_count));
        return Err(Failure::refused(format!("{what}\n{}", bad.join("\n")))
            .mend("correct the file, or the mapping's rules for these columns"));
    }
    let mut fingerprint = Sha256::new();
    fingerprint.update(hash.borrow_mut().finalize_reset());
    fingerprint.update(mapping_text.as_bytes());
    let fingerprint = print::hex(&fingerprint.finalize()[..8]);
    Ok(Checked { rows, sorting, fingerprint })
}

/// The clock that a rehearsal starts with.
fn now() -> Stamp {
    let nanoseconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    Stamp::new(u64::try_from(nanoseconds).unwrap_or(u64::MAX / 2))
}
