//! Statements: an account's entries in a period, page by page, with the balance after each, and what the account had
//! when the period began and when it ended.
//!
//! The book's thread tells what is young (`near`); the caller's own thread reads the rest from the journal
//! (`finish`), beginning at the record where the page begins. Periods are turned into record numbers first: the
//! stamp at which a business date ended is replicated state, and the journal never changes, so a closing balance
//! read again years later is the same.
//!
//! **Invariants.** A page costs what it tells, and at most one segment for each of the two balances. A damaged piece
//! is named in [`Statement::faults`], and what lies behind it is told all the same.
//!
//! Limits: [`LINES_MAX`] lines a page. Tested in `ledger/tests/history`.

use crate::cursor::{Cursor, Direction};
use crate::fault::{Answer, Fault, words};
use crate::past::Past;
use fen_book::{
    Account, AccountFilter, AccountId, AccountSlot, Balances, BankDays, Book, BusinessDate, Entry,
    RecordNumber, Stamp, Transfer,
};
use fen_store::journal::{EntriesAsked, Journal};
use fen_terms::Day;
use std::ops::Range;
use std::sync::Arc;

/// The most lines of a page.
pub const LINES_MAX: u32 = 8_189;

/// Which entries belong into a statement.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Period {
    /// All.
    #[default]
    All,
    /// By stamp, both inclusive; zero is no bound.
    Stamps {
        /// The first.
        min: Stamp,
        /// The last.
        max: Stamp,
    },
    /// Those booked on these business dates, both inclusive.
    Booked {
        /// The first.
        first: BusinessDate,
        /// The last.
        last: BusinessDate,
    },
    /// Those that count from one of these days, whenever they were booked; the balances are of the same business
    /// dates.
    Valued {
        /// The first.
        first: BusinessDate,
        /// The last.
        last: BusinessDate,
    },
}

/// What is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StatementAsked {
    /// Whose.
    pub account_id: AccountId,
    /// Which entries.
    pub period: Period,
    /// In which order.
    pub direction: Direction,
    /// Where the last page ended.
    pub after: Option<Cursor>,
    /// At most so many lines, and at most [`LINES_MAX`].
    pub limit: u32,
}

/// A line of a statement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StatementLine {
    /// The transfer's place in the journal.
    pub number: RecordNumber,
    /// The transfer.
    pub transfer: Transfer,
    /// The business date on which it was booked.
    pub booked_on: BusinessDate,
    /// The day from which it counts.
    pub value_on: BusinessDate,
    /// What the account had after it.
    pub balances: Balances,
}

/// A page of a statement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Statement {
    /// The account as it is now.
    pub account: Account,
    /// What it had before the period; `None` where a piece of history that tells is damaged.
    pub opening: Option<Balances>,
    /// What it had at the end of the period; `None` as above.
    pub closing: Option<Balances>,
    /// The page.
    pub lines: Vec<StatementLine>,
    /// Where the next page begins; none at the end.
    pub next: Option<Cursor>,
    /// Each piece of history that could not be read, in words; lines may be missing for it.
    pub faults: Vec<Arc<str>>,
}

/// One end of a period.
#[derive(Clone, Copy)]
pub(crate) enum Bound {
    /// This record.
    Number(RecordNumber),
    /// The first sealed record with this stamp or a later one.
    Stamp(Stamp),
}

/// What the book tells of a statement.
struct Near {
    account: Account,
    slot: AccountSlot,
    newest_sealed: Option<u32>,
    first_young: RecordNumber,
    bounds: [Bound; 2],
    /// What the account had after its last sealed entry.
    closing_sealed: Option<Balances>,
    /// What the account had at each bound, where the young records tell.
    standing: [Option<Balances>; 2],
    young: Vec<Entry>,
    days: BankDays,
}

pub(crate) fn bound(book: &Book, stamp: Stamp) -> Bound {
    match book.young_number_at_stamp(stamp) {
        Some(number) => Bound::Number(number),
        None if stamp.is_zero() || book.first_young().is_zero() => Bound::Number(RecordNumber::ZERO),
        None => Bound::Stamp(stamp),
    }
}

fn after(stamp: Stamp) -> Stamp {
    Stamp::new(stamp.get().saturating_add(1))
}

fn day(date: BusinessDate) -> Day {
    Day::from_number(date.get()).unwrap_or(Day::MAX)
}

/// The stamps of a period: the first of it, and the first behind it; `None` for no end.
pub(crate) fn stamps(period: &Period, book: &Book) -> (Stamp, Option<Stamp>) {
    let days = book.loans().days();
    let close = |day: Day| days.close_of(day, book.clock()).map(after);
    match period {
        Period::All => (Stamp::ZERO, None),
        Period::Stamps { min, max } => (*min, (!max.is_zero()).then(|| after(*max))),
        Period::Booked { first, last } => (begin(*first, &close), close(day(*last))),
        Period::Valued { first, .. } => (begin(*first, &close), None),
    }
}

/// The first stamp of a day; the largest of all for a day to come.
fn begin(first: BusinessDate, close: &impl Fn(Day) -> Option<Stamp>) -> Stamp {
    match day(first).plus_days(-1) {
        Some(before) => close(before).unwrap_or(Stamp::MAX),
        None => Stamp::ZERO,
    }
}

impl StatementAsked {
    /// All lines of both sides.
    fn filter(&self) -> AccountFilter {
        AccountFilter {
            account_id: self.account_id,
            debits: true,
            credits: true,
            reversed: self.direction.is_reversed(),
            // One more than asked for tells whether there is a next page.
            limit: self.limit.min(LINES_MAX) + 1,
            ..AccountFilter::default()
        }
    }

    fn wants(&self, record: &Transfer, days: &BankDays) -> bool {
        match self.period {
            Period::Valued { first, last } => {
                let value_on = days.value_day_of(record);
                first <= value_on && value_on <= last
            }
            Period::All | Period::Stamps { .. } | Period::Booked { .. } => true,
        }
    }

    /// What of a period's records lies behind the cursor.
    fn behind_cursor(&self, numbers: Range<RecordNumber>) -> Range<RecordNumber> {
        match (self.after, self.direction) {
            (None, _) => numbers,
            (Some(cursor), Direction::NewestFirst) => numbers.start..numbers.end.min(cursor.number),
            (Some(cursor), Direction::OldestFirst) => {
                let next = RecordNumber::new(cursor.number.get().saturating_add(1));
                numbers.start.max(next)..numbers.end
            }
        }
    }
}

/// What the book tells; `None` for an unknown account.
///
/// # Errors
/// [`Fault::Cursor`], where the cursor is not of this statement.
fn near(book: &Book, asked: &StatementAsked) -> Answer<Option<Near>> {
    let Some(slot) = book.accounts().slot_of(asked.account_id) else { return Ok(None) };
    let Some(account) = book.account(asked.account_id) else { return Ok(None) };
    if let Some(cursor) = &asked.after {
        cursor.check(asked.account_id, asked.direction)?;
        if cursor.number >= book.first_young() {
            cursor.check_record(book.young_record(cursor.number))?;
        }
    }
    let days = book.loans().days().clone();
    let (first, end) = stamps(&asked.period, book);
    let end = match end {
        Some(stamp) => bound(book, stamp),
        None => Bound::Number(book.young().next_number()),
    };
    let bounds = [bound(book, first), end];
    let standing = bounds.map(|bound| match bound {
        Bound::Number(number) => book.young_balances_before(slot, number),
        Bound::Stamp(_) => None,
    });
    let young = match bounds {
        [_, Bound::Stamp(_)] => Vec::new(),
        [first, Bound::Number(end)] => {
            let first = match first {
                Bound::Number(number) => number,
                Bound::Stamp(_) => RecordNumber::ZERO,
            };
            let numbers = asked.behind_cursor(first..end);
            book.young_entries(&asked.filter(), &numbers, |record| asked.wants(record, &days))
        }
    };
    Ok(Some(Near {
        account,
        slot,
        newest_sealed: book.newest_sealed_chunk_of(slot).checked_sub(1),
        first_young: book.first_young(),
        closing_sealed: book.young_balances_before(slot, book.first_young()),
        bounds,
        standing,
        young,
        days,
    }))
}

fn damaged(fault: &dyn std::fmt::Display) -> Fault {
    Fault::Damaged(words(fault))
}

/// A page of an account's statement; `None` for an unknown account.
///
/// # Errors
/// [`Fault::Stopped`]; [`Fault::Cursor`], where the cursor is not of this statement; [`Fault::Damaged`], where the
/// piece of history that tells where the page begins is damaged or missing.
pub fn statement(past: &impl Past, asked: &StatementAsked) -> Answer<Option<Statement>> {
    let look = *asked;
    let near = past.look(move |book| near(book, &look))??;
    near.map(|near| finish(past.journal(), near, asked)).transpose()
}

/// The statement: what the book told, joined with what the journal has. A ledger in memory has no journal.
///
/// # Errors
/// [`Fault::Cursor`] as above; [`Fault::Damaged`], where the piece of history is damaged or missing that tells where
/// the page or the period begins.
fn finish(journal: Option<&Journal>, near: Near, asked: &StatementAsked) -> Answer<Statement> {
    let mut page = Page { limit: asked.limit.min(LINES_MAX), days: near.days, lines: Vec::new() };
    let (account, mut faults) = (near.account, Vec::new());
    let mut standing = near.standing;
    match journal.filter(|_| !near.first_young.is_zero()) {
        None => page.take(near.young),
        Some(journal) => {
            let sealed_cursor = asked.after.filter(|cursor| cursor.number < near.first_young);
            if let Some(cursor) = sealed_cursor {
                let record = journal.record(cursor.number).map_err(|fault| damaged(&fault))?;
                cursor.check_record(Some(&record))?;
            }
            let mut numbers = [RecordNumber::ZERO; 2];
            for (number, bound) in numbers.iter_mut().zip(near.bounds) {
                *number = match bound {
                    Bound::Number(number) => number,
                    Bound::Stamp(stamp) => {
                        let found = journal.number_at_stamp(stamp).map_err(|fault| damaged(&fault))?;
                        found.min(near.first_young)
                    }
                };
            }
            for (standing, number) in standing.iter_mut().zip(numbers) {
                if standing.is_none() {
                    match journal.balances_before(near.slot, near.newest_sealed, number) {
                        Ok(balances) => *standing = Some(balances),
                        Err(fault) => faults.push(words(&fault)),
                    }
                }
            }
            let numbers = asked.behind_cursor(numbers[0]..numbers[1].min(near.first_young));
            let sealed = EntriesAsked {
                slot: near.slot,
                newest_chunk: near.newest_sealed,
                filter: AccountFilter { limit: u32::MAX, ..asked.filter() },
                numbers,
                closing: near.closing_sealed,
            };
            match asked.direction {
                Direction::NewestFirst => {
                    page.take(near.young);
                    page.take_sealed(journal, sealed, asked, &mut faults);
                }
                Direction::OldestFirst => {
                    page.take_sealed(journal, sealed, asked, &mut faults);
                    page.take(near.young);
                }
            }
        }
    }
    let next = page.end(asked);
    let [opening, closing] = standing;
    faults.dedup();
    Ok(Statement { account, opening, closing, lines: page.lines, next, faults })
}

/// A page being filled.
struct Page {
    limit: u32,
    days: BankDays,
    lines: Vec<StatementLine>,
}

impl Page {
    /// One line more than the page has tells that there is a next one.
    fn is_full(&self) -> bool {
        self.lines.len() > usize::try_from(self.limit).unwrap_or(usize::MAX)
    }

    fn put(&mut self, entry: &Entry) {
        self.lines.push(StatementLine {
            number: entry.number,
            transfer: entry.record,
            booked_on: self.days.day_of(entry.record.timestamp),
            value_on: self.days.value_day_of(&entry.record),
            balances: entry.balances,
        });
    }

    fn take(&mut self, entries: Vec<Entry>) {
        for entry in entries {
            if self.is_full() {
                return;
            }
            self.put(&entry);
        }
    }

    fn take_sealed(
        &mut self,
        journal: &Journal,
        sealed: EntriesAsked,
        asked: &StatementAsked,
        faults: &mut Vec<Arc<str>>,
    ) {
        let mut entries = journal.account_entries(sealed);
        while !self.is_full() {
            match entries.next() {
                Some(Ok((found, balances))) => {
                    if asked.wants(&found.record, &self.days) {
                        self.put(&Entry { number: found.number, record: found.record, balances });
                    }
                }
                Some(Err(fault)) => faults.push(words(&fault)),
                None => return,
            }
        }
    }

    /// Ends the page: where the next one begins, if there is one.
    fn end(&mut self, asked: &StatementAsked) -> Option<Cursor> {
        if !self.is_full() {
            return None;
        }
        self.lines.pop();
        self.lines.last().map(|last| Cursor::behind(asked.account_id, asked.direction, last))
    }
}
