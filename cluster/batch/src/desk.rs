//! Where files lie while they are done: each in a folder of its own, with the rules it was taken under and the outcomes
//! of its items.
//!
//! A file is durable here before the registry knows it, so whoever finds it in the registry of these books finds it
//! here, to go on with or to answer about. The folder's name is the file's key and the beginning of its hash.

use crate::books::Books;
use crate::check::{Checked, check};
use crate::ids::Names;
use crate::item::{Source, Sum};
use crate::open::open;
use crate::reason::{FileFault, Reason};
use crate::rules::Rules;
use crate::run::{Ended, Job, RunFault, run};
use crate::spool::{RECORD_BYTES, Spool};
use fen_book::batches::{Acceptance, BatchEntry, BatchFile, BatchProgress};
use fen_book::{Amount, BusinessDate, LedgerCode};
use fen_terms::Day;
use sha2::{Digest as _, Sha256};
use std::cell::RefCell;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// See the module's words.
#[derive(Clone, Debug)]
pub struct Desk {
    folder: PathBuf,
}

/// A file that lies on the desk.
#[derive(Debug)]
pub struct Filed {
    folder: PathBuf,
    /// The rules it was taken under.
    pub rules: Rules,
}

/// Who brings a file, and when.
#[derive(Clone, Debug)]
pub struct Submission<'a> {
    /// Who.
    pub by: &'a str,
    /// The file's name, where it tells none itself.
    pub message_id: Option<&'a str>,
    /// The bank's day.
    pub today: Day,
    /// Minutes of the day, in the bank's zone.
    pub minutes: u16,
    /// How many transfers the books link, all or none; see [`crate::books::Room`].
    pub chain_max: usize,
}

/// What was found of a file, whether it is taken or not.
#[derive(Clone, Debug)]
pub struct Looked {
    /// What it holds.
    pub checked: Checked,
    /// How the registry is to know it.
    pub file: BatchFile,
}

/// Why a file could not be looked at or laid down.
#[derive(Debug)]
pub enum DeskFault {
    /// The file is refused.
    Refused(FileFault),
    /// The disk.
    Disk(PathBuf, io::Error),
}

impl std::fmt::Display for DeskFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused(fault) => fault.fmt(f),
            Self::Disk(path, error) => write!(f, "{}: {error}", path.display()),
        }
    }
}

impl std::error::Error for DeskFault {}

impl From<FileFault> for DeskFault {
    fn from(fault: FileFault) -> Self {
        Self::Refused(fault)
    }
}

fn at(path: &Path) -> impl Fn(io::Error) -> DeskFault + use<> {
    let path = path.to_owned();
    move |error| DeskFault::Disk(path.clone(), error)
}

/// Reads through, into a hash and if it is to be kept a copy, and tells how far it is.
struct Copying<'a> {
    from: File,
    copy: Option<File>,
    hash: Rc<RefCell<Sha256>>,
    watch: &'a mut dyn FnMut(u64),
}

impl Read for Copying<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let size = self.from.read(buffer)?;
        let piece = buffer.get(..size).unwrap_or_default();
        self.hash.borrow_mut().update(piece);
        if let Some(copy) = &mut self.copy {
            copy.write_all(piece)?;
        }
        (self.watch)(u64::try_from(size).unwrap_or(0));
        Ok(size)
    }
}

/// Reads a file to its end and says what it holds, without keeping anything. `watch` is told of every piece's bytes.
///
/// # Errors
/// Why it is refused.
pub fn look(
    path: &Path,
    rules: &Rules,
    submission: &Submission<'_>,
    watch: &mut dyn FnMut(u64),
) -> Result<Looked, DeskFault> {
    look_and_copy(path, rules, submission, None, watch)
}

fn look_and_copy(
    path: &Path,
    rules: &Rules,
    submission: &Submission<'_>,
    copy: Option<File>,
    watch: &mut dyn FnMut(u64),
) -> Result<Looked, DeskFault> {
    let from = File::open(path).map_err(at(path))?;
    let hash = Rc::new(RefCell::new(Sha256::new()));
    let copying = Copying { from, copy, hash: Rc::clone(&hash), watch };
    let mut source = open(BufReader::with_capacity(1 << 20, copying), rules)?;
    let checked = check(source.as_mut(), &mut |_| {})?;
    drop(source);
    let content: [u8; 32] = hash.borrow_mut().finalize_reset().into();
    let file = describe(&checked, content, rules, submission)?;
    Ok(Looked { checked, file })
}

/// How the registry is to know a file.
fn describe(
    checked: &Checked,
    content: [u8; 32],
    rules: &Rules,
    submission: &Submission<'_>,
) -> Result<BatchFile, FileFault> {
    let head = &checked.head;
    let own = Some(head.message_id.as_str()).filter(|id| !id.is_empty());
    let message_id = match own.or(submission.message_id) {
        Some(id) => id.to_owned(),
        None => hex(&content[..16]),
    };
    let initiator: String = head.initiator.chars().take(35).collect();
    let acceptance = match head.acceptance {
        Acceptance::Items => Acceptance::Items,
        Acceptance::Whole | Acceptance::Held => check_whole(checked, submission.chain_max)?,
    };
    let tomorrow = submission.today.plus_days(1).unwrap_or(submission.today);
    let is_after = rules.cut_off_minutes().ok().flatten().is_some_and(|cut_off| submission.minutes > cut_off);
    let earliest = if is_after { tomorrow } else { submission.today };
    let first_on = checked.first_on.map_or(earliest, |stated| stated.max(earliest));
    Ok(BatchFile {
        key: Names::new(&initiator, &message_id).key(),
        message_id,
        initiator,
        format: checked.format.name().to_owned(),
        content,
        acceptance,
        items: checked.items,
        sum: Amount::new(if checked.ledger == 0 { checked.sum.0 } else { checked.minor }),
        ledger: LedgerCode::new(checked.ledger),
        first_on: BusinessDate::new(first_on.number()),
        submitted_by: submission.by.to_owned(),
        needs_release: rules.needs_release(checked.sum),
    })
}

/// All items or none, of transfers of one day: in one linked command where that holds them, else by reservations.
fn check_whole(checked: &Checked, chain_max: usize) -> Result<Acceptance, FileFault> {
    let refused = |reason, what: String| Err(FileFault::of(reason, "group header", what));
    if let Some((place, id, fault)) = checked.named.first() {
        return refused(
            fault.reason,
            format!("item {place} '{id}': {}, and all or none are asked for", fault.what),
        );
    }
    if !checked.twice.is_empty() {
        return refused(
            Reason::EndToEndDuplicate,
            "an id stands there twice, and all or none are asked for".into(),
        );
    }
    let [_, disbursements, repayments] = checked.acts;
    if disbursements + repayments > 0 {
        let what = "all or none can be asked for of transfers, and not of loans".to_owned();
        return refused(Reason::OperationInvalid, what);
    }
    if !checked.is_one_day {
        let what = "all or none are asked for of items for different days".to_owned();
        return refused(Reason::DateInvalid, what);
    }
    let is_linked = usize::try_from(checked.items).is_ok_and(|items| items <= chain_max);
    Ok(if is_linked { Acceptance::Whole } else { Acceptance::Held })
}

impl Desk {
    /// A desk in a folder, which is made when something is laid down.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Looks at a file and, unless it is refused, lays it down, durable.
    ///
    /// # Errors
    /// Why it is refused, or what the disk says.
    pub fn lay_down(
        &self,
        path: &Path,
        (rules, rules_text): (&Rules, &str),
        submission: &Submission<'_>,
        watch: &mut dyn FnMut(u64),
    ) -> Result<Looked, DeskFault> {
        fs::create_dir_all(&self.folder).map_err(at(&self.folder))?;
        let draft = self.folder.join(format!("draft-{}", std::process::id()));
        if draft.exists() {
            fs::remove_dir_all(&draft).map_err(at(&draft))?;
        }
        fs::create_dir(&draft).map_err(at(&draft))?;
        let looked = self.lay_in(&draft, path, (rules, rules_text), submission, watch);
        if looked.is_err() {
            // What is refused is not kept; what can't be removed is overwritten by the next one.
            drop(fs::remove_dir_all(&draft));
        }
        looked
    }

    fn lay_in(
        &self,
        draft: &Path,
        path: &Path,
        (rules, rules_text): (&Rules, &str),
        submission: &Submission<'_>,
        watch: &mut dyn FnMut(u64),
    ) -> Result<Looked, DeskFault> {
        let copy_path = draft.join("file");
        let copy = File::create(&copy_path).map_err(at(&copy_path))?;
        let sync = copy.try_clone().map_err(at(&copy_path))?;
        let looked = look_and_copy(path, rules, submission, Some(copy), watch)?;
        sync.sync_all().map_err(at(&copy_path))?;
        for (name, bytes) in [("rules.toml", rules_text.as_bytes()), ("twice", &twice_bytes(&looked.checked))]
        {
            let path = draft.join(name);
            let mut file = File::create(&path).map_err(at(&path))?;
            file.write_all(bytes).and_then(|()| file.sync_all()).map_err(at(&path))?;
        }
        let folder = self.folder_of(looked.file.key, &looked.file.content);
        if folder.exists() {
            fs::remove_dir_all(draft).map_err(at(draft))?;
        } else {
            fs::rename(draft, &folder).map_err(at(&folder))?;
            File::open(&self.folder).and_then(|folder| folder.sync_all()).map_err(at(&self.folder))?;
        }
        Ok(looked)
    }

    fn folder_of(&self, key: u128, content: &[u8; 32]) -> PathBuf {
        self.folder.join(format!("{key:032x}-{}", hex(&content[..4])))
    }

    /// A file of the registry, as it lies here.
    ///
    /// # Errors
    /// Where it doesn't lie here, or its rules can't be read.
    pub fn find(&self, entry: &BatchEntry) -> Result<Filed, DeskFault> {
        let folder = self.folder_of(entry.file.key, &entry.file.content);
        let path = folder.join("rules.toml");
        let text = fs::read_to_string(&path).map_err(at(&path))?;
        let rules =
            Rules::parse(&text).map_err(|what| FileFault::format(path.display().to_string(), what))?;
        Ok(Filed { folder, rules })
    }
}

impl Filed {
    /// Carries out what of the file is due, in as many passes as it takes. `watch` is told how far each is.
    ///
    /// # Errors
    /// See [`RunFault`]; what was done is kept, and the same call goes on.
    pub fn carry_out<B: Books + ?Sized>(
        &self,
        books: &B,
        entry: &BatchEntry,
        today: Day,
        watch: &mut dyn FnMut(&BatchProgress),
    ) -> Result<Ended, RunFault> {
        let twice = self.twice()?;
        let mut spool = self.spool()?;
        let mut entry = entry.clone();
        loop {
            let mut source = self.source()?;
            let job = Job { entry: &entry, rules: &self.rules, twice: &twice, today };
            let ended = run(books, &job, source.as_mut(), &mut spool, watch)?;
            if !ended.state.is_decided() {
                return Ok(ended);
            }
            // Decided, by this run or by whoever cancelled it: the entry tells.
            let known = books.batches(Some(&entry.file.message_id))?;
            let key = entry.file.key;
            entry = known.into_iter().find(|known| known.file.key == key).unwrap_or(entry);
        }
    }

    /// Reads the file from its beginning.
    ///
    /// # Errors
    /// Where it can't be read.
    pub fn source(&self) -> Result<Box<dyn Source + '_>, DeskFault> {
        let path = self.folder.join("file");
        let file = File::open(&path).map_err(at(&path))?;
        Ok(open(BufReader::with_capacity(1 << 20, file), &self.rules)?)
    }

    /// Its items' outcomes.
    ///
    /// # Errors
    /// Where they can't be opened.
    pub fn spool(&self) -> Result<Spool, DeskFault> {
        let path = self.folder.join("outcomes");
        Spool::open(&path).map_err(at(&path))
    }

    /// Whether what became of its items lies here too: a file that was done from elsewhere is here without it.
    ///
    /// # Errors
    /// Where the outcomes can't be looked at.
    pub fn is_answered(&self, entry: &BatchEntry) -> Result<bool, DeskFault> {
        let path = self.folder.join("outcomes");
        match fs::metadata(&path) {
            Ok(found) => Ok(found.len() >= entry.file.items * RECORD_BYTES as u64),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(at(&path)(error)),
        }
    }

    /// The ids that stand in it twice, as hashes.
    ///
    /// # Errors
    /// Where they can't be read.
    pub fn twice(&self) -> Result<std::collections::HashSet<u64>, DeskFault> {
        let path = self.folder.join("twice");
        let bytes = fs::read(&path).map_err(at(&path))?;
        let words = bytes.chunks_exact(8);
        Ok(words.map(|word| u64::from_le_bytes(word.try_into().unwrap_or_default())).collect())
    }
}

fn twice_bytes(checked: &Checked) -> Vec<u8> {
    let mut hashes: Vec<u64> = checked.twice.iter().copied().collect();
    hashes.sort_unstable();
    hashes.iter().flat_map(|hash| hash.to_le_bytes()).collect()
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        write!(out, "{byte:02x}").expect("writing to a string cannot fail");
    }
    out
}

/// A file's sum as the registry keeps it, in major units: of one currency in its minor units, of several as a control
/// sum.
pub fn print_sum(file: &BatchFile) -> String {
    if file.ledger.is_zero() {
        Sum(file.sum.get()).to_string()
    } else {
        crate::figure::money(file.sum.get(), file.ledger.get())
    }
}
