//! The scenario of payment files: from a file on disk to durable outcomes, and what that does to everybody else.
//!
//! The file holds an item for each borrower of [`crate::loans`]: pay-outs as CSV or pain.001, or the first instalments
//! as CSV or pain.008. First it is done alone, against the clock, from the copy and the check to the last outcome.
//! Then a quarter as many items go beside single transfers that come at a set rate, whose latency is held against what
//! it was while nothing else ran. Then the books must hold what the files say, and every item be taken.

use super::{Plan, conclude, weigh};
use crate::drive::{Driven, Load, drive, open_accounts, open_all};
use crate::fault::{Fault, Run};
use crate::loans::{Act, Borrowers, Expected, PRODUCT, day};
use crate::measure::{forget_peak, process_cpu, resident};
use crate::report::{FileRun, Report, rate};
use crate::site::{Host, Site};
use crate::workload::{Hot, Ids, Kinds, Workload};
use crate::{Unwatched, Watch};
use fen_batch::books::{Books, ClusterBooks};
use fen_batch::desk::{Desk, Submission};
use fen_batch::figure::{print, print_id};
use fen_batch::rules::Rules;
use fen_book::batches::{BatchOrder, BatchProgress};
use fen_ledger::{BusinessDate, LoanCommand};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The day of March on which loans are paid out.
const PAID_OUT_ON: u64 = 14;

/// The day on which their first instalments fall due, counted from the first of March.
const DUE_ON: u64 = PAID_OUT_ON + 31;

/// Of the timed file's items, so many a hundred go beside online traffic.
const BESIDE_PERCENT: u64 = 25;

/// Single transfers a second, if nobody says otherwise.
const ONLINE_RATE: u64 = 1_000;

/// How long these run alone, if nobody says otherwise.
const ALONE: Duration = Duration::from_secs(5);

/// Accounts between which they go.
const CUSTOMERS: u64 = 1_000;

/// What the file is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileKind {
    /// Loans to be paid out, as CSV.
    Csv,
    /// Loans to be paid out, as pain.001.001.09.
    CreditTransfer,
    /// Instalments to be collected, as CSV.
    Collection,
    /// Instalments to be collected, as pain.008.001.08.
    DirectDebit,
}

impl FileKind {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::CreditTransfer => "pain.001",
            Self::Collection => "collection",
            Self::DirectDebit => "pain.008",
        }
    }

    const fn act(self) -> Act {
        match self {
            Self::Csv | Self::CreditTransfer => Act::Disburse { round: 0 },
            Self::Collection | Self::DirectDebit => Act::Repay,
        }
    }

    fn rules(self) -> String {
        let act = match self.act() {
            Act::Disburse { .. } => "disburse",
            Act::Repay | Act::Spend | Act::Earn | Act::Shop => "repay",
        };
        format!("[every]\nact = \"{act}\"\ncurrency = \"CNY\"\nproduct_id = \"{PRODUCT}\"\n")
    }
}

/// Where the items go, and how else the books are reached.
struct Bank<'a> {
    plan: &'a Plan,
    borrowers: Borrowers,
    /// Between whom single transfers go.
    customers: Workload,
    books: &'a dyn Books,
    site: &'a Site,
    /// A folder for files and outcomes.
    folder: PathBuf,
    watch: &'a dyn Watch,
}

/// Runs the scenario from empty books to the check.
///
/// # Errors
/// A fault of the place, the ledger or a process. Books that do not hold what was acknowledged are in the report.
pub(super) fn run(plan: &Plan, host: Host<'_>, watch: &dyn Watch) -> Run<Report> {
    plan.check()?;
    if host.elsewhere.is_some() {
        let words = "loans need books of their own, whose days the run may close: leave --endpoint out";
        return Err(Fault::Parameter(words.to_owned()));
    }
    let site = Site::open(plan, host)?;
    let mut report = site.report(plan)?;
    let further = (plan.loans * BESIDE_PERCENT).div_ceil(100);
    let count = plan.loans + further;
    let borrowers = Borrowers { seed: plan.seed, base: plan.base(), count, auto_debit: false };
    let customers = Workload {
        seed: plan.seed,
        accounts: CUSTOMERS,
        batch: 1,
        ids: Ids::Time,
        hot: Hot::Uniform,
        kinds: Kinds::Plain,
        base: plan.base(),
        crossing: None,
        refused_percent: 0,
    };
    let cluster_books;
    let books: &dyn Books = match &site {
        Site::Here(ledger, _) => ledger,
        Site::Nodes { cluster, .. } | Site::Elsewhere { cluster, .. } => {
            let client = cluster.client().clone();
            cluster_books = ClusterBooks::reach(|| Ok(client)).map_err(|fault| broken(&fault))?;
            &cluster_books
        }
    };
    let folder = site.place().unwrap_or(Path::new(".")).join("files");
    Bank { plan, borrowers, customers, books, site: &site, folder, watch }.run(&mut report)?;
    conclude(&mut report);
    weigh(&mut report, site, count);
    Ok(report)
}

fn broken(fault: &dyn std::fmt::Display) -> Fault {
    Fault::Process(fault.to_string())
}

/// How a file went.
struct Went {
    bytes: u64,
    check: Duration,
    whole: Duration,
    progress: BatchProgress,
}

impl Bank<'_> {
    fn run(&self, report: &mut Report) -> Run<()> {
        let Self { plan, borrowers, watch, .. } = self;
        self.open()?;
        let all = 0..borrowers.count;
        let act = plan.file.act();
        if act == Act::Repay {
            watch.step("disburse", borrowers.count);
            report.warm_up = self.carry(FileKind::Csv, "pay-out", all.clone(), PAID_OUT_ON)?.progress.taken;
            self.close(DUE_ON - 1)?;
        }
        let on = if act == Act::Repay { DUE_ON } else { PAID_OUT_ON };

        watch.step("online alone", ALONE.as_secs());
        let until =
            Load { seconds_max: Some(plan.seconds_max.unwrap_or(ALONE)), ..self.online_load(None, 0) };
        let alone = drive(self.site.books(), &until, &Unwatched)?;

        watch.step("file", plan.loans);
        forget_peak();
        let (own_before, nodes_before, cpu_before) = (resident().now, self.site.usage(), process_cpu());
        let went = self.carry(plan.file, "timed", 0..plan.loans, on)?;
        let (own, used) = (resident(), self.site.usage());
        report.cpu_seconds = used.cpu.saturating_sub(nodes_before.cpu).as_secs_f64();
        (report.rss_bytes, report.rss_peak_bytes) = (used.resident, used.resident_peak);
        if self.site.is_apart() {
            report.cpu_client_seconds = process_cpu().saturating_sub(cpu_before).as_secs_f64();
            report.cpu_seconds += report.cpu_client_seconds;
            report.rss_bytes += own.now;
            report.rss_peak_bytes += own.peak;
        }
        (report.done, report.seconds) = (went.progress.taken, went.whole.as_secs_f64());
        report.per_second = rate(went.progress.taken, went.whole);

        watch.step("file beside online", borrowers.count - plan.loans);
        let stop = AtomicBool::new(false);
        let (beside, second) = std::thread::scope(|scope| {
            let (online, load) = (self.site.books(), self.online_load(Some(&stop), sent_until(&alone)));
            let beside = scope.spawn(move || drive(online, &load, &Unwatched));
            let second = self.carry(plan.file, "beside", plan.loans..borrowers.count, on);
            stop.store(true, Ordering::Relaxed);
            let beside = beside.join().map_err(|_| Fault::Process("a client thread panicked".to_owned()));
            Ok::<_, Fault>((beside??, second?))
        })?;
        report.latency_ms = Some(beside.timing.latency());
        report.refused = beside.answers.refused();
        report.file = Some(FileRun {
            kind: plan.file.name().to_owned(),
            bytes: went.bytes,
            check_seconds: went.check.as_secs_f64(),
            memory_bytes: own.peak.saturating_sub(own_before),
            refused: went.progress.refused + second.progress.refused,
            alone_ms: alone.timing.latency(),
            beside_per_second: rate(second.progress.taken, second.whole),
        });
        watch.step("check", 1);
        self.check(report, [&alone, &beside])
    }

    /// Every item was taken, and every account holds what the files say.
    fn check(&self, report: &mut Report, online: [&Driven; 2]) -> Run<()> {
        let mut expected = Expected::new(self.borrowers);
        expected.add_all(Act::Disburse { round: 0 });
        if self.plan.file.act() == Act::Repay {
            expected.add_all(Act::Repay);
        }
        report.faults = expected.compare(self.site.books())?;
        let refused = report.file.as_ref().map_or(0, |file| file.refused);
        if refused > 0 || report.done != self.plan.loans {
            let (done, items) = (report.done, self.plan.loans);
            report
                .faults
                .push(format!("{refused} items were refused, and {done} of {items} timed ones taken"));
        }
        if online.iter().any(|driven| driven.created == 0) {
            report.faults.push("no single transfer was answered beside the file".to_owned());
        }
        Ok(())
    }

    /// The product, all accounts, and the day.
    fn open(&self) -> Run<()> {
        self.site.books().loan(&LoanCommand::PutProduct(Box::new(self.borrowers.product())))?;
        open_accounts(self.site.books(), &self.customers, &Unwatched)?;
        self.watch.step("accounts", self.borrowers.count);
        open_all(self.site.books(), self.borrowers.accounts(), self.watch)?;
        self.close(PAID_OUT_ON - 1)
    }

    /// Closes days, chunk by chunk, up to one.
    fn close(&self, through: u64) -> Run<()> {
        let through = BusinessDate::new(day(through).number());
        while self.books.business_date().map_err(|fault| broken(&fault))?.is_none_or(|date| date <= through) {
            self.site.books().loan(&LoanCommand::DayEnd { through, loans_max: 0 })?;
        }
        Ok(())
    }

    fn online_load<'a>(&'a self, stop: Option<&'a AtomicBool>, first: u64) -> Load<'a> {
        Load {
            stream: &self.customers,
            clients: 1,
            under_way: 1,
            first,
            end: u64::MAX,
            stride: 1,
            rate: Some(self.plan.rate.unwrap_or(ONLINE_RATE)),
            seconds_max: None,
            stop,
            reads: false,
        }
    }

    /// Makes a file of some borrowers' items, then takes it from there to its last outcome.
    fn carry(&self, kind: FileKind, name: &str, numbers: Range<u64>, on: u64) -> Run<Went> {
        std::fs::create_dir_all(&self.folder).map_err(|error| at(&self.folder, error))?;
        let path = self.folder.join(name);
        write_file(kind, &path, self.borrowers, numbers, on).map_err(|error| at(&path, error))?;
        let bytes = std::fs::metadata(&path).map_err(|error| at(&path, error))?.len();
        let text = kind.rules();
        let rules = Rules::parse(&text).map_err(|what| broken(&what))?;
        let chain_max = self.books.room().chain;
        let submission =
            Submission { by: "bench", message_id: Some(name), today: day(on), minutes: 0, chain_max };
        let desk = Desk::new(self.folder.join("desk"));
        let begun = Instant::now();
        let looked = desk.lay_down(&path, (&rules, &text), &submission, &mut |_| {});
        let looked = looked.map_err(|fault| broken(&fault))?;
        let check = begun.elapsed();
        let reply = self.books.registry(&BatchOrder::Enter(Box::new(looked.file)));
        let entry = reply.map_err(|fault| broken(&fault))?.entry;
        let entry = entry.ok_or_else(|| Fault::Process("the registry did not take the file".to_owned()))?;
        let filed = desk.find(&entry).map_err(|fault| broken(&fault))?;
        let mut seen = 0;
        let ended = filed.carry_out(self.books, &entry, day(on), &mut |progress| {
            self.watch.done(progress.position.saturating_sub(seen));
            seen = progress.position;
        });
        let ended = ended.map_err(|fault| broken(&fault))?;
        Ok(Went { bytes, check, whole: begun.elapsed(), progress: ended.progress })
    }
}

/// The number after the last single transfer of a run.
fn sent_until(driven: &Driven) -> u64 {
    driven.sent.iter().map(|sent| sent.end).max().unwrap_or(0)
}

fn at(path: &Path, error: io::Error) -> Fault {
    Fault::File { path: path.to_owned(), error }
}

/// What a file says of one borrower.
struct Line {
    number: u64,
    account: String,
    loan: String,
    amount: String,
    periods: u16,
    daily_rate: u64,
}

fn line(borrowers: Borrowers, act: Act, number: u64) -> Line {
    let terms = borrowers.terms(number);
    let amount = if act == Act::Repay { terms.first_instalment().total() } else { terms.principal };
    Line {
        number,
        account: print_id(borrowers.account_id(number).get()),
        loan: print_id(borrowers.loan_id(number, 0)),
        amount: print(u128::from(amount), 2),
        periods: terms.periods,
        daily_rate: terms.daily_rate,
    }
}

fn write_file(
    kind: FileKind,
    path: &Path,
    borrowers: Borrowers,
    numbers: Range<u64>,
    on: u64,
) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let lines = |numbers: Range<u64>| numbers.map(move |number| line(borrowers, kind.act(), number));
    match kind {
        FileKind::Csv => {
            writeln!(out, "id,credit_account,loan_id,amount,periods,daily_rate")?;
            for Line { number, account, loan, amount, periods, daily_rate } in lines(numbers) {
                writeln!(out, "P-{number},{account},{loan},{amount},{periods},0.0{daily_rate}")?;
            }
        }
        FileKind::Collection => {
            writeln!(out, "id,debit_account,loan_id,amount")?;
            for Line { number, account, loan, amount, .. } in lines(numbers) {
                writeln!(out, "C-{number},{account},{loan},{amount}")?;
            }
        }
        FileKind::CreditTransfer | FileKind::DirectDebit => message(&mut out, kind, lines, numbers, on)?,
    }
    out.flush()
}

fn message<I: Iterator<Item = Line>>(
    out: &mut impl Write,
    kind: FileKind,
    lines: impl Fn(Range<u64>) -> I,
    numbers: Range<u64>,
    on: u64,
) -> io::Result<()> {
    let is_debit = kind == FileKind::DirectDebit;
    let (name, body) = if is_debit {
        ("pain.008.001.08", "CstmrDrctDbtInitn")
    } else {
        ("pain.001.001.09", "CstmrCdtTrfInitn")
    };
    let (first, count, on) = (numbers.start, numbers.end - numbers.start, day(on));
    writeln!(
        out,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:{name}\">\
         <{body}><GrpHdr><MsgId>BENCH-{first}</MsgId><CreDtTm>{on}T08:00:00</CreDtTm><NbOfTxs>{count}</NbOfTxs>\
         <InitgPty><Nm>Bench</Nm></InitgPty></GrpHdr><PmtInf><PmtInfId>ALL</PmtInfId>"
    )?;
    let agent = "<FinInstnId><BICFI>DEUTDEFF</BICFI></FinInstnId>";
    if is_debit {
        writeln!(
            out,
            "<PmtMtd>DD</PmtMtd><PmtTpInf><CtgyPurp><Cd>LOAR</Cd></CtgyPurp></PmtTpInf><ReqdColltnDt>{on}</ReqdColltnDt>\
             <Cdtr><Nm>Bank</Nm></Cdtr><CdtrAcct><Id><Othr><Id>9</Id></Othr></Id></CdtrAcct><CdtrAgt>{agent}</CdtrAgt>"
        )?;
    } else {
        writeln!(
            out,
            "<PmtMtd>TRF</PmtMtd><PmtTpInf><LclInstrm><Prtry>{PRODUCT}</Prtry></LclInstrm>\
             <CtgyPurp><Cd>LOAN</Cd></CtgyPurp></PmtTpInf><ReqdExctnDt><Dt>{on}</Dt></ReqdExctnDt><Dbtr><Nm>Bank</Nm></Dbtr>\
             <DbtrAcct><Id><Othr><Id>9</Id></Othr></Id></DbtrAcct><DbtrAgt>{agent}</DbtrAgt>"
        )?;
    }
    for Line { number, account, loan, amount, periods, daily_rate } in lines(numbers) {
        let account = format!("<Id><Othr><Id>{account}</Id></Othr></Id>");
        if is_debit {
            writeln!(
                out,
                "<DrctDbtTxInf><PmtId><EndToEndId>C-{number}</EndToEndId></PmtId>\
                 <InstdAmt Ccy=\"CNY\">{amount}</InstdAmt><DbtrAgt>{agent}</DbtrAgt><Dbtr><Nm>Borrower {number}</Nm></Dbtr>\
                 <DbtrAcct>{account}</DbtrAcct><RmtInf><Strd><CdtrRefInf><Ref>{loan}</Ref></CdtrRefInf></Strd></RmtInf>\
                 </DrctDbtTxInf>"
            )?;
        } else {
            writeln!(
                out,
                "<CdtTrfTxInf><PmtId><EndToEndId>P-{number}</EndToEndId></PmtId>\
                 <Amt><InstdAmt Ccy=\"CNY\">{amount}</InstdAmt></Amt><CdtrAgt>{agent}</CdtrAgt><Cdtr><Nm>Borrower {number}</Nm></Cdtr>\
                 <CdtrAcct>{account}</CdtrAcct><RmtInf><Strd><CdtrRefInf><Ref>{loan}</Ref></CdtrRefInf>\
                 <AddtlRmtInf>periods={periods} daily_rate=0.0{daily_rate}</AddtlRmtInf></Strd></RmtInf></CdtTrfTxInf>"
            )?;
        }
    }
    writeln!(out, "</PmtInf></{body}></Document>")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;

    #[test]
    fn small_files_of_every_kind_are_verified() {
        for file in [FileKind::Csv, FileKind::CreditTransfer, FileKind::Collection, FileKind::DirectDebit] {
            let place = tempfile::Builder::new().prefix("fen-bench-").tempdir_in(".").unwrap();
            let data = Some(place.path().to_owned());
            let seconds_max = Some(Duration::from_millis(50));
            let plan = Plan { loans: 400, data, file, seconds_max, ..Plan::of(Scenario::Batch) };
            let host = Host { program: Path::new("fen"), elsewhere: None };
            let report = run(&plan, host, &Unwatched).unwrap();
            assert_eq!(report.faults, Vec::<String>::new(), "{file:?}");
            assert!(report.verified && report.done == 400, "{file:?}");
            assert!(report.to_string().contains("online"), "{report}");
        }
    }
}
