//! Turnover: how much was booked and reserved, and how often, by ledger and code; over a period or day by day, of the
//! whole ledger or of one account.
//!
//! Of the whole ledger it costs a line of each segment's directory and the blocks at the ends of a day; of one account,
//! its entries. Posts count under the code of what they post; voids, expiries and burned ids move nothing and are not
//! counted.
//!
//! **Invariants.** What is young comes from the book's thread, what is older from the journal; no record is counted
//! twice while a chunk is being sealed. A damaged piece is named, and the rest is counted.
//!
//! Tested in `ledger/tests/history` against the plain sums of all records.

use crate::audit::Total;
use crate::cursor::Direction;
use crate::fault::{Answer, Fault, words};
use crate::past::Past;
use crate::statement::{LINES_MAX, Period, StatementAsked, stamps, statement};
use fen_book::{AccountId, AccountSlot, Amount, Book, BusinessDate, RecordNumber, Stamp, Transfer};
use fen_store::segment::CodeFlow;
use fen_terms::Day;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The most days that are told one by one.
pub const DAYS_MAX: usize = 3_660;

/// How a period is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Split {
    /// As one.
    #[default]
    Whole,
    /// Day by day, those without a transfer left out; the last [`DAYS_MAX`] days at most.
    Days,
}

/// What is asked for. `None` is no test.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TurnoverAsked {
    /// The entries of one account.
    pub account_id: Option<AccountId>,
    /// Currency or asset.
    pub ledger: Option<u32>,
    /// The transfers' code.
    pub code: Option<u16>,
    /// Which transfers; value dates are not asked for here, they count as [`Period::Booked`].
    pub period: Period,
    /// Whether every business date is told by itself.
    pub split: Split,
}

/// The transfers of one ledger and code, on one day if days are asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Turnover {
    /// The business date on which they were booked.
    pub date: Option<BusinessDate>,
    /// Currency or asset.
    pub ledger: u32,
    /// The transfers' code.
    pub code: u16,
    /// How many booked something.
    pub posted_count: u64,
    /// What they booked.
    pub posted: Total,
    /// How many reserved something.
    pub reserved_count: u64,
    /// What they reserved.
    pub reserved: Total,
}

/// The answer.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Turnovers {
    /// By rising day, ledger and code.
    pub lines: Vec<Turnover>,
    /// Each piece of history that could not be read, in words.
    pub faults: Vec<Arc<str>>,
}

/// A stretch of stamps that is told as one: its day, its first stamp, the first stamp behind it.
#[derive(Clone, Copy)]
struct Stretch {
    date: Option<BusinessDate>,
    first: Stamp,
    end: Stamp,
}

/// Sums being made.
struct Tally {
    asked: TurnoverAsked,
    stretches: Vec<Stretch>,
    sums: BTreeMap<(usize, u32, u16), Turnover>,
}

fn stretches(book: &Book, asked: &TurnoverAsked) -> Vec<Stretch> {
    let (first, end) = stamps(&booked(&asked.period), book);
    let end = end.unwrap_or(Stamp::MAX);
    if asked.split == Split::Whole {
        return vec![Stretch { date: None, first, end }];
    }
    let (days, clock) = (book.loans().days(), book.clock());
    let begins_at = begin_of_books(book);
    let mut stretches: Vec<Stretch> = Vec::new();
    let last = Stamp::new(clock.get().min(end.get().saturating_sub(1)));
    let mut day = Day::from_number(days.day_of(last).get());
    let mut behind = end;
    while let Some(today) = day.filter(|_| stretches.len() < DAYS_MAX && behind > first) {
        day = today.plus_days(-1);
        let close = day.and_then(|before| days.close_of(before, clock));
        let begins = close.map_or(Stamp::ZERO, |close| Stamp::new(close.get().saturating_add(1)));
        if begins < behind {
            let date = Some(BusinessDate::new(today.number()));
            stretches.push(Stretch { date, first: begins.max(first), end: behind });
            behind = begins;
        }
        if begins <= begins_at {
            break;
        }
    }
    stretches.reverse();
    stretches
}

/// The period by the days of booking.
fn booked(period: &Period) -> Period {
    match *period {
        Period::Valued { first, last } => Period::Booked { first, last },
        Period::All | Period::Stamps { .. } | Period::Booked { .. } => *period,
    }
}

/// No record bears an earlier stamp: every transfer is later than its accounts.
fn begin_of_books(book: &Book) -> Stamp {
    let accounts = book.accounts();
    if accounts.is_empty() { Stamp::MAX } else { accounts.get(AccountSlot::new(0)).timestamp }
}

impl Tally {
    fn new(book: &Book, asked: &TurnoverAsked) -> Self {
        Self { asked: *asked, stretches: stretches(book, asked), sums: BTreeMap::new() }
    }

    fn add(&mut self, stretch: usize, flow: &CodeFlow) {
        let asked = &self.asked;
        let is_asked = asked.ledger.is_none_or(|ledger| ledger == flow.ledger)
            && asked.code.is_none_or(|code| code == flow.code);
        if !is_asked {
            return;
        }
        let date = self.stretches.get(stretch).and_then(|stretch| stretch.date);
        let sum = self.sums.entry((stretch, flow.ledger, flow.code)).or_default();
        (sum.date, sum.ledger, sum.code) = (date, flow.ledger, flow.code);
        sum.posted_count += u64::from(flow.posted.count);
        sum.posted.add(Amount::new(flow.posted.amount));
        sum.reserved_count += u64::from(flow.reserved.count);
        sum.reserved.add(Amount::new(flow.reserved.amount));
    }

    fn add_record(&mut self, record: &Transfer) {
        let flow = CodeFlow::of(record.ledger.get(), record.code.get(), record.flags, record.amount);
        let stamp = record.timestamp;
        let place = self.stretches.partition_point(|stretch| stretch.end <= stamp);
        let holds = self.stretches.get(place).is_some_and(|stretch| stretch.first <= stamp);
        if let Some(flow) = flow.filter(|_| holds) {
            self.add(place, &flow);
        }
    }

    fn add_young(&mut self, book: &Book) {
        for record in book.young().chunks().flat_map(|chunk| &chunk.records) {
            self.add_record(record);
        }
    }

    fn into_answer(self, mut faults: Vec<Arc<str>>) -> Turnovers {
        faults.dedup();
        Turnovers { lines: self.sums.into_values().collect(), faults }
    }
}

/// How much was booked and reserved, by ledger and code.
///
/// # Errors
/// [`Fault::Stopped`]; [`Fault::Damaged`], where the piece of history is damaged that tells where a day begins.
pub fn turnover(past: &impl Past, asked: &TurnoverAsked) -> Answer<Turnovers> {
    if let Some(account) = asked.account_id {
        return of_account(past, account, asked);
    }
    let asked = *asked;
    let (mut tally, first_young) = past.look(move |book| {
        let mut tally = Tally::new(book, &asked);
        tally.add_young(book);
        (tally, book.first_young())
    })?;
    let Some(journal) = past.journal() else { return Ok(tally.into_answer(Vec::new())) };
    let number = |stamp: Stamp| {
        if stamp.is_zero() {
            return Ok(RecordNumber::ZERO);
        }
        let number = journal.number_at_stamp(stamp).map_err(|fault| Fault::Damaged(words(&fault)))?;
        Ok(number.min(first_young))
    };
    let mut faults = Vec::new();
    for (place, stretch) in tally.stretches.clone().into_iter().enumerate() {
        let numbers = number(stretch.first)?..number(stretch.end)?;
        let found = journal.flows(&numbers, |flow| tally.add(place, flow));
        faults.extend(found.iter().map(|fault| words(fault)));
    }
    Ok(tally.into_answer(faults))
}

fn of_account(past: &impl Past, account_id: AccountId, asked: &TurnoverAsked) -> Answer<Turnovers> {
    let look = *asked;
    let mut tally = past.look(move |book| Tally::new(book, &look))?;
    let mut page = StatementAsked {
        account_id,
        period: booked(&asked.period),
        direction: Direction::OldestFirst,
        after: None,
        limit: LINES_MAX,
    };
    let mut faults = Vec::new();
    while let Some(statement) = statement(past, &page)? {
        for line in &statement.lines {
            tally.add_record(&line.transfer);
        }
        faults.extend(statement.faults);
        page.after = statement.next;
        if page.after.is_none() {
            break;
        }
    }
    Ok(tally.into_answer(faults))
}
