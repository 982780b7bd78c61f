//! All records of a range, one after another, for other tools: sealed ones from the journal, then the young.
//!
//! **Invariants.** One moment: what is posted after the export began is not in it. Memory is bounded by a block and
//! the young records. A damaged piece is told as a fault in its place, and the export goes on behind it.
//!
//! Every record but the marks of burned ids and memos: transfers, posts, voids, expiries. So posted amounts add up to the trial
//! balance, and pendings less what ended them to what is reserved. Tested in `ledger/tests/export.rs` and, through
//! other tools, by `ops/export/check`.

use crate::fault::{Answer, Fault, words};
use crate::past::Past;
use crate::proof::YoungRecords;
use crate::statement::{Period, stamps};
use fen_book::loan::bank_days::BankDays;
use fen_book::{AccountId, Book, BusinessDate, LedgerCode, RecordNumber, Stamp, Transfer, TransferFlags};
use fen_store::journal::Journal;
use std::ops::Range;
use std::sync::Arc;

/// What is asked for; an empty list asks for all.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ExportAsked {
    /// Which records, by stamp or by a business date.
    pub period: Period,
    /// In these ledgers.
    pub ledgers: Vec<LedgerCode>,
    /// Touching one of these accounts.
    pub accounts: Vec<AccountId>,
}

/// What a record does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RecordKind {
    /// Moves its amount.
    Posted,
    /// Reserves its amount.
    Pending,
    /// Moves its amount and ends the reservation `pending_id`.
    PostPending,
    /// Ends the reservation `pending_id`.
    VoidPending,
    /// The reservation `pending_id` has lapsed.
    Expired,
}

impl RecordKind {
    /// Of a record that is no burned id and no memo.
    pub fn of(record: &Transfer) -> Self {
        let has = |flag| record.flags.contains(flag);
        if has(TransferFlags::EXPIRY) {
            Self::Expired
        } else if has(TransferFlags::PENDING) {
            Self::Pending
        } else if has(TransferFlags::POST_PENDING_TRANSFER) {
            Self::PostPending
        } else if has(TransferFlags::VOID_PENDING_TRANSFER) {
            Self::VoidPending
        } else {
            Self::Posted
        }
    }

    /// As it is written in exports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Posted => "posted",
            Self::Pending => "pending",
            Self::PostPending => "post_pending",
            Self::VoidPending => "void_pending",
            Self::Expired => "expired",
        }
    }
}

/// A record with its dates.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ExportLine {
    /// Its number in the journal.
    pub number: RecordNumber,
    /// As the journal has it.
    pub record: Transfer,
    /// The business date on which it was booked.
    pub booked_on: BusinessDate,
    /// The day from which it counts.
    pub value_on: BusinessDate,
}

/// All records of a range as of now, oldest first.
///
/// # Errors
/// [`Fault::Stopped`]. A damaged piece is a fault in its place.
pub fn export<P: Past>(past: &P, asked: ExportAsked) -> Answer<Export<'_>> {
    let period = asked.period;
    let (begin, young) = past.look(move |book| (Beginning::of(book, &period), YoungRecords::of(book)))?;
    let numbers = begin.first_record(past.journal())..begin.first_young;
    Ok(Export::new(past.journal(), begin, numbers, young.into_records(), asked))
}

/// The most lines on a page.
pub const LINES_MAX: u32 = 8_189;
/// A page looks at so many records at most, whatever of them is asked for.
const RECORDS_PER_PAGE: u64 = 1 << 19;

/// Which page of an export.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PageAsked {
    /// The first record that may be on it.
    pub from: RecordNumber,
    /// What the first page told: records from this one on are not told. `None` is what there is now.
    pub below: Option<RecordNumber>,
    /// At most so many lines.
    pub lines_max: u32,
}

/// A page of an export, for whoever cannot hold one open.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ExportPage {
    /// Oldest first.
    pub lines: Vec<ExportLine>,
    /// Where the next page begins; nothing at the end.
    pub next: Option<RecordNumber>,
    /// Records from this one on are not told, on later pages either.
    pub below: RecordNumber,
    /// Each piece of history that could not be read, in words.
    pub faults: Vec<Arc<str>>,
}

/// A page of all records of a range.
///
/// # Errors
/// [`Fault::Stopped`].
pub fn page(past: &impl Past, asked: &ExportAsked, at: PageAsked) -> Answer<ExportPage> {
    let period = asked.period;
    let (begin, size) = past.look(move |book| (Beginning::of(book, &period), size_of(book)))?;
    let below = at.below.unwrap_or(size).min(size);
    let from = if at.from.is_zero() { begin.first_record(past.journal()) } else { at.from };
    let mut end = below.min(RecordNumber::new(from.get().saturating_add(RECORDS_PER_PAGE)));
    let mut young = Vec::new();
    if past.journal().is_some() && from < begin.first_young {
        end = end.min(begin.first_young);
    } else {
        young = past.look(move |book| young_among(book, from..end))?;
    }
    let lines_max = usize::try_from(at.lines_max.min(LINES_MAX)).unwrap_or(usize::MAX);
    let mut export = Export::new(past.journal(), begin, from..end, young.into_iter(), asked.clone());
    let mut page = ExportPage { below, ..ExportPage::default() };
    while page.lines.len() < lines_max {
        match export.next() {
            Some(Ok(line)) => page.lines.push(line),
            Some(Err(fault)) => page.faults.push(words(&fault)),
            None => {
                page.next = Some(end).filter(|end| *end < below && !export.is_over);
                return Ok(page);
            }
        }
    }
    let behind = page.lines.last().map_or(from, |line| RecordNumber::new(line.number.get() + 1));
    page.next = Some(behind).filter(|behind| *behind < below);
    Ok(page)
}

fn young_among(book: &Book, numbers: Range<RecordNumber>) -> Vec<(RecordNumber, Transfer)> {
    let mut found = Vec::new();
    for chunk in book.young().chunks() {
        let first = chunk.first().get();
        let place = |number: RecordNumber| {
            let place = usize::try_from(number.get().saturating_sub(first)).unwrap_or(usize::MAX);
            place.min(chunk.records.len())
        };
        let places = place(numbers.start)..place(numbers.end);
        let numbered = (first..).skip(places.start).map(RecordNumber::new);
        found.extend(numbered.zip(chunk.records.get(places).unwrap_or_default().iter().copied()));
    }
    found
}

/// How many records there are.
fn size_of(book: &Book) -> RecordNumber {
    let open = book.young().open_chunk();
    RecordNumber::new(open.first().get() + u64::try_from(open.records.len()).unwrap_or(u64::MAX))
}

/// What the book tells when an export begins.
struct Beginning {
    first: Stamp,
    end: Option<Stamp>,
    days: BankDays,
    first_young: RecordNumber,
}

impl Beginning {
    fn of(book: &Book, period: &Period) -> Self {
        let (first, end) = stamps(period, book);
        Self { first, end, days: book.loans().days().clone(), first_young: book.first_young() }
    }

    /// Where the range begins. Where the piece is damaged that tells it, all is read, and it is told in its place.
    fn first_record(&self, journal: Option<&Journal>) -> RecordNumber {
        let first = journal.map(|journal| journal.number_at_stamp(self.first));
        first.and_then(Result::ok).unwrap_or(RecordNumber::ZERO)
    }
}

type Sealed<'a> = Box<dyn Iterator<Item = Answer<(RecordNumber, Transfer)>> + 'a>;

/// See the module's words.
pub struct Export<'a> {
    asked: ExportAsked,
    first: Stamp,
    end: Option<Stamp>,
    days: BankDays,
    records: Sealed<'a>,
    /// What lies behind is later than what is asked for.
    is_over: bool,
}

impl<'a> Export<'a> {
    /// `numbers` are those of the sealed records; the young follow them.
    fn new(
        journal: Option<&'a Journal>,
        begin: Beginning,
        numbers: Range<RecordNumber>,
        young: impl Iterator<Item = (RecordNumber, Transfer)> + 'a,
        asked: ExportAsked,
    ) -> Self {
        let Beginning { first, end, days, first_young } = begin;
        let young = young.map(Ok);
        let records: Sealed<'a> = match journal {
            None => Box::new(young),
            Some(journal) => {
                let sealed = journal.records(numbers.start).below(numbers.end.min(first_young));
                let sealed = sealed.map(|found| match found {
                    Ok(found) => Ok((found.number, found.record)),
                    Err(fault) => Err(damaged(fault)),
                });
                Box::new(sealed.chain(young))
            }
        };
        Self { asked, first, end, days, records, is_over: false }
    }

    fn wants(&self, line: &ExportLine) -> bool {
        let ExportAsked { period, ledgers, accounts } = &self.asked;
        let record = &line.record;
        let is_valued = match period {
            Period::Valued { first, last } => *first <= line.value_on && line.value_on <= *last,
            Period::All | Period::Stamps { .. } | Period::Booked { .. } => true,
        };
        is_valued
            && !record.flags.intersects(TransferFlags::BURNED.with(TransferFlags::MEMO))
            && record.timestamp >= self.first
            && (ledgers.is_empty() || ledgers.contains(&record.ledger))
            && (accounts.is_empty()
                || accounts.contains(&record.debit_account_id)
                || accounts.contains(&record.credit_account_id))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is handed over by map_err")]
fn damaged(fault: fen_store::journal::JournalFault) -> Fault {
    Fault::Damaged(words(&fault))
}

impl Iterator for Export<'_> {
    type Item = Answer<ExportLine>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (number, record) = match self.records.next()? {
                Ok(found) => found,
                Err(fault) => return Some(Err(fault)),
            };
            // Stamps never fall along the journal.
            if self.end.is_some_and(|end| record.timestamp >= end) {
                self.is_over = true;
                return None;
            }
            let booked_on = self.days.day_of(record.timestamp);
            let line = ExportLine { number, record, booked_on, value_on: self.days.value_day_of(&record) };
            if self.wants(&line) {
                return Some(Ok(line));
            }
        }
    }
}
