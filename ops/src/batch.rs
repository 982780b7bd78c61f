//! `fen batch`: payment and loan files, checked whole, carried out item by item, each exactly once.
//!
//! **Invariants.** A file is accepted or refused as a whole before anything of it is done. Any of these commands may be
//! stopped at any moment and given again: what was done answers as the first time.
//!
//! **Deliberately absent.** Formats, checks and execution: they are `fen-batch`'s.

mod item;
mod place;
mod statement;
mod told;

pub(crate) use place::{Bank, Place};

use crate::exit::{Exit, Failure, say};
use crate::progress;
use clap::{Args, Subcommand, ValueEnum};
use fen_batch::books::Books;
use fen_batch::desk::{Desk, DeskFault, Looked, Submission, look};
use fen_batch::reason::{FileFault, Reason};
use fen_batch::report::{ReportFault, lines, status_report};
use fen_batch::rules::Rules;
use fen_batch::run::Ended;
use fen_book::BusinessDate;
use fen_book::batches::{BatchEntry, BatchOrder, BatchState, BatchStatus};
use fen_ledger::EVENTS_MAX;
use fen_terms::Day;
use place::fault_of_books;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Payment and loan files: check, submit, follow, answer.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  fen batch check salaries.xml
  fen batch submit loans.csv --rules ops/examples/batch.toml --data ./books --by anna
  fen batch release LOANS-2026-03 --data ./books --by bo
  fen batch status --data ./books
  fen batch result LOANS-2026-03 --data ./books --form pain.002 --out answer.xml
  fen batch item LOANS-2026-03 E2E-77 --data ./books
  fen batch statement 1001 --from 2026-03-02 --data ./books
  fen batch statement 1001 --from 2026-03-02 --endpoint 127.0.0.1:7001 --certificates fen-dev
  fen batch submit salaries.xml --endpoint 127.0.0.1:7001 --certificates fen-dev

Files are pain.001.001.09/.11, pain.008.001.08/.10, CSV or NDJSON; which, they tell by how they begin.
A file that is sent again, or was cut off, goes on where it was; nothing of it is done twice.")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Check(Check),
    Submit(Submit),
    Status(Status),
    Result(ResultOf),
    Release(Decide),
    Cancel(Decide),
    Run(RunDue),
    Statement(statement::Arguments),
    Item(item::Arguments),
}

/// Check a file as if it were submitted, and do nothing.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  fen batch check loans.csv --rules ops/examples/batch.toml")]
struct Check {
    #[command(flatten)]
    file: FileArguments,
    /// The data directory; with it, the message id is looked up too.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// A running cluster, where the message id is looked up.
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',', conflicts_with = "data")]
    endpoint: Vec<String>,
    /// With --endpoint: the folder with authority.pem, client.pem and client.key; else the connection is plaintext.
    #[arg(long, value_name = "DIR", requires = "endpoint")]
    certificates: Option<PathBuf>,
}

/// Submit a file, and carry out what of it is due. Submitted again, it goes on where it was.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  fen batch submit salaries.xml --data ./books --by anna --report answer.xml")]
struct Submit {
    #[command(flatten)]
    file: FileArguments,
    #[command(flatten)]
    place: Place,
    /// Who submits it; a second person may have to release it.
    #[arg(long, value_name = "NAME", default_value = "")]
    by: String,
    /// Where the bank's answer (pain.002) goes, whether the file is taken or refused.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

#[derive(Args, Debug)]
struct FileArguments {
    /// The file.
    file: PathBuf,
    /// The rules under which it is taken, in TOML; ops/examples/batch.toml explains each.
    #[arg(long, value_name = "RULES.toml")]
    rules: Option<PathBuf>,
    /// The file's name, where it tells none itself [default: the beginning of its hash].
    #[arg(long, value_name = "ID")]
    message_id: Option<String>,
}

/// Show the files that were submitted, or one of them.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  fen batch status SALARIES-2026-03 --data ./books")]
struct Status {
    /// The file's message id; all files without it.
    message_id: Option<String>,
    #[command(flatten)]
    place: Place,
}

/// Write what became of a file's items.
#[derive(Args, Debug)]
#[command(
    name = "result",
    after_help = "Example:
  fen batch result SALARIES-2026-03 --data ./books --form csv --out outcomes.csv"
)]
struct ResultOf {
    /// The file's message id.
    message_id: String,
    /// Who made the file, where several parties have one of that id.
    #[arg(long, value_name = "NAME")]
    initiator: Option<String>,
    #[command(flatten)]
    place: Place,
    /// The answer's form.
    #[arg(long, value_enum, default_value_t = Form::Csv)]
    form: Form,
    /// Where it goes [default: standard output].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Debug)]
enum Form {
    /// A line for each item.
    Csv,
    /// A JSON object for each item.
    Ndjson,
    /// ISO 20022's status report.
    #[value(name = "pain.002")]
    StatusReport,
}

/// Decide about a file: release what a second person must release, or cancel what is not done yet.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  fen batch release SALARIES-2026-03 --data ./books --by bo")]
struct Decide {
    /// The file's message id.
    message_id: String,
    /// Who made the file, where several parties have one of that id.
    #[arg(long, value_name = "NAME")]
    initiator: Option<String>,
    #[command(flatten)]
    place: Place,
    /// Who decides.
    #[arg(long, value_name = "NAME", default_value = "")]
    by: String,
}

/// Carry out whatever is due: files for this day, files that were stopped, collections to be tried again.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  fen batch run --data ./books")]
struct RunDue {
    #[command(flatten)]
    place: Place,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments, json: bool) -> Result<Exit, Failure> {
    match &arguments.command {
        Command::Check(arguments) => check(arguments, json),
        Command::Submit(arguments) => submit(arguments, json),
        Command::Status(arguments) => {
            let bank = arguments.place.open_existing()?;
            let entries = bank.books.batches(arguments.message_id.as_deref());
            let mut entries = entries.map_err(|fault| fault_of_books(&fault))?;
            entries.sort_by_key(|entry| entry.submitted_at);
            if let (Some(id), true) = (&arguments.message_id, entries.is_empty()) {
                return Err(unknown(id));
            }
            say(&if json { told::json(&entries) } else { told::table(&entries) })?;
            Ok(Exit::Done)
        }
        Command::Result(arguments) => result(arguments),
        Command::Release(arguments) => {
            let bank = arguments.place.open_existing()?;
            let entry = find(&*bank.books, &arguments.message_id, arguments.initiator.as_deref())?;
            let order = BatchOrder::Release { key: entry.file.key, by: arguments.by.clone() };
            let entry = decide(&*bank.books, &order)?;
            go_on(&bank, &entry, json)
        }
        Command::Cancel(arguments) => {
            let bank = arguments.place.open_existing()?;
            let entry = find(&*bank.books, &arguments.message_id, arguments.initiator.as_deref())?;
            let order = BatchOrder::Cancel { key: entry.file.key, by: arguments.by.clone() };
            let entry = decide(&*bank.books, &order)?;
            if entry.state == BatchState::Voids {
                return go_on(&bank, &entry, json);
            }
            say(&if json { told::json(std::slice::from_ref(&entry)) } else { told::table(&[entry]) })?;
            Ok(Exit::Done)
        }
        Command::Run(arguments) => run_due(arguments, json),
        Command::Statement(arguments) => statement::run(arguments),
        Command::Item(arguments) => item::run(arguments, json),
    }
}

fn unknown(id: &str) -> Failure {
    Failure::refused(format!("no file with the message id '{id}' was submitted"))
        .mend("`fen batch status` lists the files there are")
}

/// The rules, and their text, which is kept with the file.
fn rules(path: Option<&Path>) -> Result<(Rules, String), Failure> {
    let Some(path) = path else { return Ok((Rules::default(), String::new())) };
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::unreachable(format!("{}: cannot be read: {error}", path.display()))
            .mend("check the path of the rules")
    })?;
    let rules = Rules::parse(&text).map_err(|what| {
        Failure::usage(format!("{}: {what}", path.display()))
            .mend("ops/examples/batch.toml explains every key")
    })?;
    Ok((rules, text))
}

/// The day and the minute in the bank's zone.
fn now(rules: &Rules) -> (Day, u16) {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let minutes = i64::try_from(seconds / 60).unwrap_or(0) + i64::from(rules.dates.zone_hours) * 60;
    let day = i32::try_from(minutes.div_euclid(1_440)).ok().and_then(Day::from_number);
    (day.unwrap_or(Day::MIN), u16::try_from(minutes.rem_euclid(1_440)).unwrap_or(0))
}

/// The bank's day, or before its first one the calendar's.
fn today(books: &dyn Books, rules: &Rules) -> Result<(Day, u16), Failure> {
    let (day, minutes) = now(rules);
    let known = books.business_date().map_err(|fault| fault_of_books(&fault))?;
    Ok((known.and_then(|date| Day::from_number(date.get())).unwrap_or(day), minutes))
}

impl Check {
    /// The books in which a message id is looked up, where some are named.
    fn bank(&self) -> Result<Option<Bank>, Failure> {
        if self.data.is_none() && self.endpoint.is_empty() {
            return Ok(None);
        }
        Place::of(self.data.clone(), self.endpoint.clone(), self.certificates.clone()).open().map(Some)
    }
}

fn check(arguments: &Check, json: bool) -> Result<Exit, Failure> {
    let path = &arguments.file.file;
    let (rules, _) = rules(arguments.file.rules.as_deref())?;
    let bank = arguments.bank()?;
    let (day, minutes) = match &bank {
        Some(bank) => today(&*bank.books, &rules)?,
        None => now(&rules),
    };
    let chain_max = bank.as_ref().map_or(EVENTS_MAX, |bank| bank.books.room().chain);
    let message_id = arguments.file.message_id.as_deref();
    let submission = Submission { by: "", message_id, today: day, minutes, chain_max };
    let bar = bar_over(path);
    let looked = look(path, &rules, &submission, &mut |bytes| bar.inc(bytes));
    bar.finish_and_clear();
    let looked = looked.map_err(|fault| refused(path, fault))?;
    if let Some(bank) = &bank {
        let known =
            bank.books.batches(Some(&looked.file.message_id)).map_err(|fault| fault_of_books(&fault))?;
        let other = known.iter().find(|entry| entry.file.key == looked.file.key);
        if other.is_some_and(|other| other.file.content != looked.file.content) {
            return Err(refused(path, DeskFault::Refused(other_content(&looked))));
        }
    }
    say(&if json { told::check_json(&looked) } else { told::check_words(path, &looked, day) })?;
    let has_faults = looked.checked.faults > 0 || !looked.checked.twice.is_empty();
    Ok(if has_faults { Exit::Refused } else { Exit::Done })
}

fn other_content(looked: &Looked) -> FileFault {
    let what = format!("message id '{}' was used for another file", looked.file.message_id);
    FileFault::of(Reason::MessageDuplicate, "", what).mend("give a new file a new message id")
}

fn bar_over(path: &Path) -> indicatif::ProgressBar {
    progress::bytes("checking", std::fs::metadata(path).map_or(0, |metadata| metadata.len()))
}

fn refused(path: &Path, fault: DeskFault) -> Failure {
    match fault {
        DeskFault::Refused(fault) => {
            let failure = Failure::refused(format!("{}: refused: {fault}", path.display()));
            match fault.mend {
                Some(mend) => failure.mend(mend),
                None => failure.mend("nothing of it was done; correct the file and send it again"),
            }
        }
        DeskFault::Disk(path, error) => Failure::unreachable(format!("{}: {error}", path.display())),
    }
}

fn submit(arguments: &Submit, json: bool) -> Result<Exit, Failure> {
    let path = &arguments.file.file;
    let (rules, text) = rules(arguments.file.rules.as_deref())?;
    let bank = arguments.place.open()?;
    let (day, minutes) = today(&*bank.books, &rules)?;
    let message_id = arguments.file.message_id.as_deref();
    let chain_max = bank.books.room().chain;
    let submission = Submission { by: &arguments.by, message_id, today: day, minutes, chain_max };
    let bar = bar_over(path);
    let looked = bank.desk.lay_down(path, (&rules, &text), &submission, &mut |bytes| bar.inc(bytes));
    bar.finish_and_clear();
    let entered = looked.and_then(|looked| enter(&*bank.books, &looked).map(|entry| (entry, looked)));
    let entry = match entered {
        Ok((Ok(entry), _)) => entry,
        Ok((Err(failure), _)) => return Err(failure),
        Err(fault) => {
            if let (Some(report), DeskFault::Refused(fault)) = (&arguments.report, &fault) {
                report_refusal(report, path, &rules, fault)?;
            }
            return Err(refused(path, fault));
        }
    };
    let exit = go_on(&bank, &entry, json)?;
    if let Some(report) = &arguments.report {
        let entry = find(&*bank.books, &entry.file.message_id, Some(&entry.file.initiator))?;
        write_result(&bank.desk, &entry, Form::StatusReport, Some(report))?;
    }
    Ok(exit)
}

/// Enters a file in the registry, or finds it there.
fn enter(books: &dyn Books, looked: &Looked) -> Result<Result<BatchEntry, Failure>, DeskFault> {
    let order = BatchOrder::Enter(Box::new(looked.file.clone()));
    let reply = match books.registry(&order) {
        Ok(reply) => reply,
        Err(fault) => return Ok(Err(fault_of_books(&fault))),
    };
    match (reply.outcome.status, reply.entry) {
        (BatchStatus::Created | BatchStatus::Exists, Some(entry)) => Ok(Ok(*entry)),
        (BatchStatus::ExistsWithDifferentContent, _) => Err(DeskFault::Refused(other_content(looked))),
        (status, _) => Ok(Err(not_done(status))),
    }
}

fn not_done(status: BatchStatus) -> Failure {
    let failure = Failure::refused(format!("not done: {status}"));
    if matches!(status, BatchStatus::SubmitterMustBeNamed | BatchStatus::ReleaserMustBeNamed) {
        return failure.mend("say who you are with --by");
    }
    if status == BatchStatus::ReleaserMustNotBeSubmitter {
        return failure.mend("four eyes: somebody other than who submitted the file releases it");
    }
    failure.mend("`fen batch status` tells where the file stands")
}

fn decide(books: &dyn Books, order: &BatchOrder) -> Result<BatchEntry, Failure> {
    let reply = books.registry(order).map_err(|fault| fault_of_books(&fault))?;
    match (reply.outcome.status, reply.entry) {
        (BatchStatus::Created | BatchStatus::Exists, Some(entry)) => Ok(*entry),
        (status, _) => Err(not_done(status)),
    }
}

fn find(books: &dyn Books, id: &str, initiator: Option<&str>) -> Result<BatchEntry, Failure> {
    let entries = books.batches(Some(id)).map_err(|fault| fault_of_books(&fault))?;
    let mut found = entries
        .into_iter()
        .filter(|entry| initiator.is_none_or(|initiator| initiator == entry.file.initiator));
    let first = found.next().ok_or_else(|| unknown(id))?;
    match found.next() {
        None => Ok(first),
        Some(second) => Err(Failure::usage(format!(
            "'{id}' is of '{}' and of '{}'",
            first.file.initiator, second.file.initiator
        ))
        .mend("say whose with --initiator")),
    }
}

/// Carries out what of a file is due, and says where it stands.
fn go_on(bank: &Bank, entry: &BatchEntry, json: bool) -> Result<Exit, Failure> {
    let begun = Instant::now();
    let ended = if is_to_go(entry) || is_to_gather(bank, entry)? { Some(carry(bank, entry)?) } else { None };
    let now = find(&*bank.books, &entry.file.message_id, Some(&entry.file.initiator))?;
    let seconds = begun.elapsed().as_secs_f64();
    let text = if json {
        told::run_json(&now, ended.as_ref(), seconds)
    } else {
        told::run_words(&now, ended.as_ref(), seconds)
    };
    say(&text)?;
    Ok(if now.progress.refused > 0 { Exit::Refused } else { Exit::Done })
}

/// Whether something of a file may be done, if its day has come.
fn is_to_go(entry: &BatchEntry) -> bool {
    match entry.state {
        BatchState::GoesOn | BatchState::Waits | BatchState::Posts | BatchState::Voids => true,
        BatchState::AwaitsRelease | BatchState::Done | BatchState::Cancelled => false,
    }
}

/// Whether a file was done from elsewhere, and what became of its items does not lie here yet.
fn is_to_gather(bank: &Bank, entry: &BatchEntry) -> Result<bool, Failure> {
    if entry.state != BatchState::Done {
        return Ok(false);
    }
    let answered = bank.desk.find(entry).and_then(|filed| filed.is_answered(entry));
    let answered = answered.map_err(|fault| refused(Path::new(&entry.file.message_id), fault))?;
    Ok(!answered)
}

fn carry(bank: &Bank, entry: &BatchEntry) -> Result<Ended, Failure> {
    let file = &entry.file;
    let filed = bank.desk.find(entry).map_err(|fault| {
        refused(Path::new(&file.message_id), fault).mend(
            "a file is carried out where it lies: name its folder with --files, or submit the file again from here",
        )
    })?;
    let (day, _) = now(&filed.rules);
    let bar = progress::items("items", file.items);
    let ended = filed.carry_out(&*bank.books, entry, day, &mut |progress| {
        bar.set_position(progress.position);
        bar.set_message(told::moved(file, progress));
    });
    bar.finish_and_clear();
    ended.map_err(|fault| {
        Failure::unreachable(format!("'{}' was stopped: {fault}", file.message_id)).mend(
            "what was done is kept; submit the file again, or give `fen batch run`: it goes on where it was",
        )
    })
}

fn result(arguments: &ResultOf) -> Result<Exit, Failure> {
    let bank = arguments.place.open_existing()?;
    let entry = find(&*bank.books, &arguments.message_id, arguments.initiator.as_deref())?;
    write_result(&bank.desk, &entry, arguments.form, arguments.out.as_deref())?;
    Ok(Exit::Done)
}

fn write_result(desk: &Desk, entry: &BatchEntry, form: Form, out: Option<&Path>) -> Result<(), Failure> {
    let failed = |fault: ReportFault| match fault {
        ReportFault::Desk(fault) => refused(Path::new(&entry.file.message_id), fault),
        ReportFault::Written(error) => Failure::unreachable(format!("the result cannot be written: {error}")),
    };
    let filed = desk.find(entry).map_err(|fault| failed(fault.into()))?;
    let mut out: Box<dyn Write> = match out {
        Some(path) => Box::new(BufWriter::new(create(path)?)),
        None => Box::new(BufWriter::new(std::io::stdout().lock())),
    };
    let is_cancelled = entry.state == BatchState::Cancelled;
    let written = match form {
        Form::Csv => lines::write(&mut out, &filed, is_cancelled, lines::Lines::Csv),
        Form::Ndjson => lines::write(&mut out, &filed, is_cancelled, lines::Lines::Ndjson),
        Form::StatusReport => status_report::write(&mut out, entry, &filed, &instant()),
    };
    written.map_err(failed)
}

fn create(path: &Path) -> Result<File, Failure> {
    File::create(path).map_err(|error| Failure::unreachable(format!("{}: {error}", path.display())))
}

/// This instant in Greenwich, as ISO 20022 writes it.
fn instant() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    told::instant(seconds)
}

/// The answer to a file that was refused: what it said of itself before it broke off.
fn report_refusal(report: &Path, path: &Path, rules: &Rules, fault: &FileFault) -> Result<(), Failure> {
    let file =
        File::open(path).map_err(|error| Failure::unreachable(format!("{}: {error}", path.display())))?;
    let (head, format) = fen_batch::open::head(std::io::BufReader::new(file), rules);
    let out = BufWriter::new(create(report)?);
    status_report::refused(out, (&head, format), fault, &instant())
        .map_err(|error| Failure::unreachable(format!("{}: {error}", report.display())))
}

fn run_due(arguments: &RunDue, json: bool) -> Result<Exit, Failure> {
    let bank = arguments.place.open_existing()?;
    let mut exit = Exit::Done;
    for entry in files_to_go(&bank)? {
        if go_on(&bank, &entry, json)? == Exit::Refused {
            exit = Exit::Refused;
        }
    }
    Ok(exit)
}

/// The files of which something may be done, in the order in which they came.
fn files_to_go(bank: &Bank) -> Result<Vec<BatchEntry>, Failure> {
    let mut entries = bank.books.batches(None).map_err(|fault| fault_of_books(&fault))?;
    entries.retain(is_to_go);
    entries.sort_by_key(|entry| entry.submitted_at);
    Ok(entries)
}

/// Carries out what of the files that lie here is due on the bank's day, and tells the first day behind it on which
/// something of one is. A file that lies elsewhere, or can't be gone on with, is told of and left: it holds up nobody.
pub(crate) fn run_files(bank: &Bank, json: bool) -> Result<Option<BusinessDate>, Failure> {
    let known = bank.books.business_date().map_err(|fault| fault_of_books(&fault))?;
    let is_due = |entry: &BatchEntry| known.is_none_or(|today| entry.next_on <= today);
    for entry in files_to_go(bank)?.into_iter().filter(is_due) {
        let went = match bank.desk.find(&entry) {
            Ok(_) => go_on(bank, &entry, json).map(drop),
            Err(_) => Err(Failure::refused("it lies elsewhere")
                .mend("name its folder with --files, or give `fen batch run` where it lies")),
        };
        if let Err(failure) = went {
            eprintln!("payment file '{}' was left as it is: {}", entry.file.message_id, failure);
        }
    }
    let behind = |entry: &BatchEntry| known.is_some_and(|today| entry.next_on > today);
    let later = files_to_go(bank)?.into_iter().filter(behind).map(|entry| entry.next_on);
    Ok(later.min())
}
