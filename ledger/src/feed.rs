//! The change feed: every applied command, in order, from any point of history on.
//!
//! Told are accounts as they are opened, and the records of the journal: a transfer (a plain one, a reservation, a post, a
//! void, a posting of a loan event or of day-end), an expiry, the mark of a refused id, and the memos of what moves no
//! money: limits, products, loan events beyond paying out and repaying, business dates, orders to the registry of payment
//! files. The feed is pulled: a page, and the position where the next one begins. Who
//! keeps the position after having dealt with the page gets every change at least once, whatever breaks.
//!
//! A position counts what lies before it: accounts and records. The journal and the order of accounts are the same on
//! every replica, so a position outlives the node that gave it. It bears the stamp of its last record: a ledger that has
//! another record there refuses it. Accounts and records are merged by their stamps. A memo takes several records and is
//! told with its last one; no page ends within one.
//!
//! **Invariants.** Pages laid end to end tell every change once. What a filter leaves out still moves the position on. A
//! damaged piece is named as a gap, with the records that are missing, and the feed goes on behind it.
//!
//! Limits: [`CHANGES_MAX`] changes a page, and [`LOOKED_AT_MAX`] looked at. Paying out and repaying are told by their
//! transfers, which bear the event's id, loan, act, day and amount; terms that a loan was given beyond its product's are
//! with the loan. Tested in `ledger/tests/history`.

use crate::fault::{Answer, Fault, words};
use crate::past::Past;
use fen_book::loan::control::product_bits;
use fen_book::loan::product::ProductId;
use fen_book::memo::{MEMO_RECORDS_MAX, Memo, MemoReader, Piece};
use fen_book::{
    Account, AccountFlags, AccountId, AccountSlot, Book, RecordNumber, Stamp, Transfer, TransferFlags,
};
use fen_store::journal::Journal;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;

/// The most changes of a page.
pub const CHANGES_MAX: u32 = 8_189;
/// The most records that a page looks at, so that a filter that hardly anything passes does not hold the caller.
pub const LOOKED_AT_MAX: u64 = 1 << 20;

/// A place in the feed; the default is its beginning.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct FeedPosition {
    records: u64,
    accounts: u64,
    /// Of the last record before.
    stamp: Stamp,
}

impl FeedPosition {
    /// The beginning of history.
    pub const BEGIN: Self = Self { records: 0, accounts: 0, stamp: Stamp::ZERO };
}

impl fmt::Display for FeedPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.records, self.accounts, self.stamp)
    }
}

impl FromStr for FeedPosition {
    type Err = Fault;

    fn from_str(text: &str) -> Answer<Self> {
        let mut parts = text.split('.').map(str::parse::<u64>);
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(Ok(records)), Some(Ok(accounts)), Some(Ok(stamp)), None) => {
                Ok(Self { records, accounts, stamp: Stamp::new(stamp) })
            }
            _ => Err(refused(&"it is no position of a feed: give the text as it was given")),
        }
    }
}

/// What is asked for. `None` is no test.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FeedAsked {
    /// Where the last page ended.
    pub from: FeedPosition,
    /// At most so many changes, and at most [`CHANGES_MAX`].
    pub limit: u32,
    /// Currency or asset.
    pub ledger: Option<u32>,
    /// The code of a transfer or an account.
    pub code: Option<u16>,
    /// Postings of loans of this product, and its control accounts.
    pub product: Option<ProductId>,
}

// What the book shows of the young records holds any memo whole, so a page that begins with one can tell it.
const _: () = assert!(MEMO_RECORDS_MAX < 8_189, "a memo fits a page");

/// What changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// An account was opened; shown as it was then, with nothing on it.
    Opened(Account),
    /// A transfer was booked, reserved, posted or voided.
    Transfer(Transfer),
    /// A reservation lapsed; the pending transfer is `pending_id`.
    Expired(Transfer),
    /// A refused transfer's id is spent.
    Burned(Transfer),
    /// A command was applied that moved no money.
    Applied(Memo),
}

/// A stretch of the journal that could not be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Gap {
    /// The records that are missing.
    pub records: Range<RecordNumber>,
    /// Why.
    pub reason: Arc<str>,
}

/// A page of the feed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FeedPage {
    /// Each with the position behind it.
    pub changes: Vec<(FeedPosition, Change)>,
    /// Where the next page begins.
    pub next: FeedPosition,
    /// Whether all that has happened is told.
    pub is_end: bool,
    /// What could not be read.
    pub gaps: Vec<Gap>,
}

fn refused(words: &dyn fmt::Display) -> Fault {
    Fault::Cursor(Arc::from(words.to_string()))
}

impl FeedAsked {
    fn wants_account(&self, account: &Account) -> bool {
        self.ledger.is_none_or(|ledger| ledger == account.ledger.get())
            && self.code.is_none_or(|code| code == account.code.get())
            && self.product.is_none_or(|product| is_of(product, account.id))
    }

    fn wants(&self, record: &Transfer) -> bool {
        self.ledger.is_none_or(|ledger| ledger == record.ledger.get())
            && self.code.is_none_or(|code| code == record.code.get())
            && self.product.is_none_or(|product| {
                is_of(product, record.debit_account_id) || is_of(product, record.credit_account_id)
            })
    }

    fn wants_memo(&self, memo: &Memo) -> bool {
        self.ledger.is_none_or(|ledger| ledger == memo.ledger.get())
            && self.code.is_none_or(|code| code == memo.code.get())
            && self.product.is_none_or(|product| product == memo.product_id)
    }
}

/// Whether an account is a control account of a product.
fn is_of(product: ProductId, id: AccountId) -> bool {
    let lower = id.get() & u128::from(u64::MAX);
    id.get() >> 64 == u128::from(u64::MAX) && lower >> 8 == u128::from(product_bits(product))
}

fn change(record: Transfer) -> Change {
    if record.flags.contains(TransferFlags::BURNED) {
        Change::Burned(record)
    } else if record.flags.contains(TransferFlags::EXPIRY) {
        Change::Expired(record)
    } else {
        Change::Transfer(record)
    }
}

/// What the book tells of a page.
struct Near {
    /// The accounts from the position on, as many as the page can need.
    accounts: Vec<Account>,
    first_young: u64,
    /// The stamp of the last record before the position, where it is young.
    last_stamp: Option<Stamp>,
    /// The records from the position, or from the first young one on.
    young: Vec<Transfer>,
    /// How many accounts and records there are.
    totals: [u64; 2],
}

fn at(index: usize) -> u64 {
    u64::try_from(index).unwrap_or(u64::MAX)
}

/// The record just before a position.
fn last_before(position: &FeedPosition) -> Option<RecordNumber> {
    position.records.checked_sub(1).map(RecordNumber::new)
}

fn near(book: &Book, from: &FeedPosition) -> Near {
    let accounts_max = usize::try_from(CHANGES_MAX).unwrap_or(usize::MAX);
    let total = at(book.accounts().len());
    let slots = (from.accounts.min(total)..total).take(accounts_max);
    let opened = |slot: u64| {
        let account = book.accounts().get(AccountSlot::new(u32::try_from(slot).unwrap_or(u32::MAX)));
        Account {
            id: account.id,
            user_data_128: account.user_data_128,
            user_data_64: account.user_data_64,
            user_data_32: account.user_data_32,
            ledger: account.ledger,
            code: account.code,
            flags: account.flags.without(AccountFlags::HAS_LIMIT.with(AccountFlags::CLOSED)),
            timestamp: account.timestamp,
            ..Account::default()
        }
    };
    let first_young = book.first_young().get();
    let begin = from.records.max(first_young);
    let behind = |chunk: &fen_book::Chunk| chunk.first().get() + at(chunk.records.len());
    let mut young = Vec::new();
    for chunk in book.young().chunks().filter(|chunk| behind(chunk) > begin) {
        let skip = usize::try_from(begin.saturating_sub(chunk.first().get())).unwrap_or(usize::MAX);
        let room = accounts_max.saturating_sub(young.len());
        young.extend(chunk.records.iter().skip(skip).take(room).copied());
    }
    Near {
        accounts: slots.map(opened).collect(),
        first_young,
        last_stamp: last_before(from).and_then(|last| book.young_record(last)).map(|record| record.timestamp),
        young,
        totals: [total, book.young().next_number().get()],
    }
}

/// A page being made.
struct Page {
    asked: FeedAsked,
    accounts: std::vec::IntoIter<Account>,
    /// Whether the accounts at hand are all there are.
    accounts_are_all: bool,
    told: FeedPage,
    looked_at: u64,
    memos: MemoReader,
    /// Where the memo begins that is being read.
    memo_from: FeedPosition,
}

impl Page {
    fn is_full(&self) -> bool {
        let limit = usize::try_from(self.asked.limit.min(CHANGES_MAX)).unwrap_or(usize::MAX);
        self.told.changes.len() >= limit || self.looked_at >= LOOKED_AT_MAX
    }

    /// Tells the accounts that were opened before a stamp. `false` where the page is full before they are told.
    fn take_accounts(&mut self, before: Stamp) -> bool {
        loop {
            match self.accounts.as_slice().first() {
                Some(account) if account.timestamp < before => {
                    if self.is_full() {
                        return false;
                    }
                    let account = *account;
                    self.accounts.next();
                    self.told.next.accounts += 1;
                    self.looked_at += 1;
                    if self.asked.wants_account(&account) {
                        self.told.changes.push((self.told.next, Change::Opened(account)));
                    }
                }
                Some(_) => return true,
                None => return self.accounts_are_all,
            }
        }
    }

    /// Tells a record. `false` where the page is full before it is told.
    fn take(&mut self, number: u64, record: Transfer) -> bool {
        if record.flags.contains(TransferFlags::MEMO) {
            return self.take_memo(number, &record);
        }
        self.end_memo();
        if !self.take_accounts(record.timestamp) || self.is_full() {
            return false;
        }
        let next = &mut self.told.next;
        (next.records, next.stamp) = (number + 1, record.timestamp);
        self.looked_at += 1;
        if self.asked.wants(&record) {
            self.told.changes.push((*next, change(record)));
        }
        true
    }

    /// Takes a record of a memo, and tells the memo with its last one. `false` where the page is full before it begins.
    fn take_memo(&mut self, number: u64, record: &Transfer) -> bool {
        if !record.code.is_zero() {
            self.end_memo();
            // It bears the stamp of the transfer before it; its own tells which accounts were open.
            let behind = Stamp::new(record.user_data_64.saturating_add(1));
            if !self.take_accounts(behind) || self.is_full() {
                return false;
            }
            self.memo_from = self.told.next;
        }
        let next = &mut self.told.next;
        (next.records, next.stamp) = (number + 1, record.timestamp);
        self.looked_at += 1;
        match self.memos.take(record) {
            Piece::Whole(memo) if self.asked.wants_memo(&memo) => {
                self.told.changes.push((self.told.next, Change::Applied(memo)));
            }
            Piece::Part | Piece::Whole(_) => {}
            Piece::Stray => self.note_stray(number..number + 1),
        }
        true
    }

    /// What of a memo was read is told as missing where the rest of it is.
    fn end_memo(&mut self) {
        if self.memos.is_within() {
            self.memos.lose();
            self.note_stray(self.memo_from.records..self.told.next.records);
        }
    }

    /// Notes records of a memo that cannot be told, as the rest of it is missing.
    fn note_stray(&mut self, missing: Range<u64>) {
        let records = RecordNumber::new(missing.start)..RecordNumber::new(missing.end);
        match self.told.gaps.last_mut() {
            Some(gap) if gap.records.end == records.start => gap.records.end = records.end,
            Some(gap) if gap.records.start == records.end => gap.records.start = records.start,
            _ => {
                let reason = Arc::from("the rest of what they tell is missing");
                self.told.gaps.push(Gap { records, reason });
            }
        }
    }

    /// Tells what is sealed, up to the first young record. `false` where the page is full before.
    fn take_sealed(&mut self, journal: &Journal, below: u64) -> bool {
        let mut expected = self.told.next.records;
        let mut reason: Option<Arc<str>> = None;
        for found in journal.records(RecordNumber::new(expected)) {
            match found {
                Ok(found) if found.number.get() >= below => break,
                Ok(found) => {
                    self.note_gap(expected..found.number.get(), reason.take());
                    if !self.take(found.number.get(), found.record) {
                        return false;
                    }
                    expected = found.number.get() + 1;
                }
                Err(fault) => reason = reason.or_else(|| Some(words(&fault))),
            }
        }
        if expected < below {
            self.note_gap(expected..below, reason);
            self.told.next.records = below;
        }
        true
    }

    fn note_gap(&mut self, missing: Range<u64>, reason: Option<Arc<str>>) {
        if let Some(reason) = reason.filter(|_| !missing.is_empty()) {
            self.end_memo();
            let records = RecordNumber::new(missing.start)..RecordNumber::new(missing.end);
            self.told.gaps.push(Gap { records, reason });
        }
    }
}

/// The page, from what the book told and what the journal has.
fn finish(journal: Option<&Journal>, near: Near, asked: &FeedAsked) -> Answer<FeedPage> {
    let [accounts, records] = near.totals;
    let from = asked.from;
    let elsewhere = |what: &str| Err(refused(&format!("it is from another ledger or shard: {what}")));
    if from.records > records || from.accounts > accounts {
        return elsewhere("it counts more than has happened in this one");
    }
    if let Some(last) = last_before(&from) {
        // Where the piece is damaged that would tell, the position is taken at its word.
        let sealed = || journal.and_then(|journal| journal.record(last).ok()).map(|record| record.timestamp);
        if near.last_stamp.or_else(sealed).is_some_and(|stamp| stamp != from.stamp) {
            return elsewhere(&format!("record {last} here is another one"));
        }
    }
    let accounts_are_all = from.accounts + at(near.accounts.len()) == accounts;
    let mut page = Page {
        asked: *asked,
        accounts: near.accounts.into_iter(),
        accounts_are_all,
        told: FeedPage { next: from, ..FeedPage::default() },
        looked_at: 0,
        memos: MemoReader::default(),
        memo_from: from,
    };
    let reached = match journal.filter(|_| from.records < near.first_young) {
        Some(journal) => page.take_sealed(journal, near.first_young),
        None => true,
    };
    let begin = page.told.next.records;
    let told = reached && (begin..).zip(near.young).all(|(number, record)| page.take(number, record));
    if page.memos.is_within() {
        // The book showed no more of it: the next page begins with it.
        page.told.next = page.memo_from;
    }
    let told = told && page.told.next.records == records && page.take_accounts(Stamp::MAX);
    let mut page = page.told;
    page.is_end = told && page.next.accounts == accounts;
    Ok(page)
}

/// What happened from a position on, oldest first.
///
/// # Errors
/// [`Fault::Stopped`]; [`Fault::Cursor`], where the position is from another ledger or shard.
pub fn page(past: &impl Past, asked: &FeedAsked) -> Answer<FeedPage> {
    let from = asked.from;
    let near = past.look(move |book| near(book, &from))?;
    finish(past.journal(), near, asked)
}
