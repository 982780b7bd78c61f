//! All records of a range, one after another, for other tools: sealed ones from the journal, then the young.
//!
//! **Invariants.** One moment: what is posted after the export began is not in it. Memory is bounded by a block and
//! the young records. A damaged piece is told as a fault in its place, and the export goes on behind it.
//!
//! Every record but the marks of burned ids: transfers, posts, voids, expiries. So posted amounts add up to the trial
//! balance, and pendings less what ended them to what is reserved. Tested in `ledger/tests/export.rs` and, through
//! other tools, by `ops/export/check`.

use crate::fault::{Answer, Fault, words};
use crate::past::Past;
use crate::proof::YoungRecords;
use crate::statement::{Period, stamps};
use fen_book::loan::bank_days::BankDays;
use fen_book::{AccountId, Book, BusinessDate, LedgerCode, RecordNumber, Stamp, Transfer, TransferFlags};
use fen_store::journal::Journal;

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
    /// Of a record that is no burned id.
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
    let begin = past.look(move |book| Beginning::of(book, &period))?;
    Ok(Export::new(past.journal(), begin, asked))
}

/// What the book tells when an export begins.
struct Beginning {
    first: Stamp,
    end: Option<Stamp>,
    days: BankDays,
    first_young: RecordNumber,
    young: YoungRecords,
}

impl Beginning {
    fn of(book: &Book, period: &Period) -> Self {
        let (first, end) = stamps(period, book);
        Self {
            first,
            end,
            days: book.loans().days().clone(),
            first_young: book.first_young(),
            young: YoungRecords::of(book),
        }
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
}

impl<'a> Export<'a> {
    fn new(journal: Option<&'a Journal>, begin: Beginning, asked: ExportAsked) -> Self {
        let Beginning { first, end, days, first_young, young } = begin;
        let young = young.into_records().map(Ok);
        let records: Sealed<'a> = match journal {
            None => Box::new(young),
            Some(journal) => {
                // Where the piece is damaged that tells where the range begins, all is read, and it is told in its place.
                let from = journal.number_at_stamp(first).unwrap_or(RecordNumber::ZERO);
                let sealed = journal.records(from).map(|found| match found {
                    Ok(found) => Ok((found.number, found.record)),
                    Err(fault) => Err(damaged(fault)),
                });
                let is_older = move |found: &Answer<(RecordNumber, Transfer)>| {
                    found.as_ref().map_or(true, |(number, _)| *number < first_young)
                };
                Box::new(sealed.take_while(is_older).chain(young))
            }
        };
        Self { asked, first, end, days, records }
    }

    fn wants(&self, line: &ExportLine) -> bool {
        let ExportAsked { period, ledgers, accounts } = &self.asked;
        let record = &line.record;
        let is_valued = match period {
            Period::Valued { first, last } => *first <= line.value_on && line.value_on <= *last,
            Period::All | Period::Stamps { .. } | Period::Booked { .. } => true,
        };
        is_valued
            && !record.flags.contains(TransferFlags::BURNED)
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
