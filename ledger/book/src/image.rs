//! The book as a checkpoint holds it: pages of its tables and a header, taken at one moment while commands go on.
//!
//! [`Book::freeze`] fixes the moment; [`Book::take_frozen`] hands out the pages that changed since the last
//! checkpoint, a few at a time; [`Restore`] builds the same book from all pages. What is not in a page is made
//! anew: every index follows from the records.

use crate::accounts::Accounts;
use crate::batches::Batches;
use crate::book::Book;
use crate::journal::{Chunk, PartPost, Touch};
use crate::loan::loans::Loans;
use crate::loan::{LoanCounts, LoanTables};
use crate::pages::{PAGE_BYTES, PagedTable, Record, page_bytes, per_page};
use crate::pendings::{Pending, Pendings};
use crate::quantity::Stamp;
use crate::transfer::Transfer;
use crate::young::Young;
use core::cmp::Ordering;
use std::collections::BTreeMap;
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

/// The book's tables, numbered for ever.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u16)]
pub enum Table {
    /// Accounts in order of slot.
    Accounts = 1,
    /// Limits of accounts that have one.
    Limits = 2,
    /// Open pending transfers and free slots between them.
    Pendings = 3,
    /// Records of the open chunk.
    Records = 4,
    /// Touches of the open chunk.
    Touches = 5,
    /// Part posts of the open chunk.
    PartPosts = 6,
    /// Products and the bank's dates, as bytes.
    Loans = 7,
    /// Loans in order of slot.
    LoanRecords = 8,
    /// What is kept with each loan.
    LoanFacts = 9,
    /// Loan orders as they came.
    LoanEvents = 10,
    /// Fields of loan orders that have no fixed size.
    LoanOrders = 11,
    /// Terms that loans state for themselves.
    LoanTerms = 12,
    /// The registry of payment files, as bytes that tell their own end.
    Batches = 13,
}

impl Table {
    const ALL: [(u16, Table); 13] = [
        (1, Table::Accounts),
        (2, Table::Limits),
        (3, Table::Pendings),
        (4, Table::Records),
        (5, Table::Touches),
        (6, Table::PartPosts),
        (7, Table::Loans),
        (8, Table::LoanRecords),
        (9, Table::LoanFacts),
        (10, Table::LoanEvents),
        (11, Table::LoanOrders),
        (12, Table::LoanTerms),
        (13, Table::Batches),
    ];

    /// The tables of the open chunk, the products and the payment files: every checkpoint has all their pages, and none
    /// of an earlier one's.
    pub const OF_OPEN_CHUNK: [Table; 5] =
        [Table::Records, Table::Touches, Table::PartPosts, Table::Loans, Table::Batches];

    /// The table's number in a checkpoint.
    pub fn number(self) -> u16 {
        Self::ALL.iter().find(|(_, table)| *table == self).map_or(0, |(number, _)| *number)
    }

    fn from_number(number: u16) -> Option<Self> {
        Self::ALL.iter().find(|(of, _)| *of == number).map(|(_, table)| *table)
    }
}

/// One page of one table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TablePage {
    /// Whose.
    pub table: Table,
    /// Which.
    pub page: u32,
    /// Exactly [`PAGE_BYTES`].
    pub bytes: Vec<u8>,
}

/// The version of what tables and header hold. It rises with every change that an earlier release would read wrongly.
pub const IMAGE_VERSION: u32 = 3;

/// Counts and clocks of a frozen book.
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Header {
    /// [`Book::clock`].
    pub clock: Stamp,
    /// The stamp of the youngest transfer.
    pub last_transfer_stamp: Stamp,
    /// How many accounts.
    pub accounts: u64,
    /// How many limits.
    pub limits: u64,
    /// How many slots for pending transfers, free ones included.
    pub pendings: u64,
    /// How many records in the open chunk.
    pub records: u64,
    /// How many touches in the open chunk.
    pub touches: u64,
    /// How many part posts in the open chunk.
    pub part_posts: u64,
    /// How many bytes of products and dates.
    pub loan_bytes: u64,
    /// How many loans.
    pub loans: u64,
    /// How many loan orders.
    pub loan_events: u64,
    /// How many lines of loan orders.
    pub loan_order_lines: u64,
    /// How many lines of loans' own terms.
    pub loan_terms_lines: u64,
    /// The open chunk's number: all chunks before it must be sealed when the checkpoint is valid.
    pub chunk: u32,
    /// [`IMAGE_VERSION`] of the release that wrote it.
    pub version: u32,
}

impl Default for Header {
    /// Of a book in which nothing is.
    fn default() -> Self {
        Self { version: IMAGE_VERSION, ..Self::new_zeroed() }
    }
}

/// The moment of a checkpoint.
pub struct Frozen {
    /// Goes into the checkpoint as bytes.
    pub header: Header,
    /// Pages of the open chunk, copied at once: there are at most 17 MiB of them.
    pub pages: Vec<TablePage>,
}

fn count(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

fn pages_of<T: Record>(table: Table, records: &[T]) -> impl Iterator<Item = TablePage> + '_ {
    records.chunks(per_page::<T>()).zip(0u32..).map(move |(page_records, page)| TablePage {
        table,
        page,
        bytes: page_bytes(page_records),
    })
}

/// Bytes cut into pages, the last filled up with zeros.
fn byte_pages(table: Table, bytes: &[u8]) -> impl Iterator<Item = TablePage> + '_ {
    bytes.chunks(PAGE_BYTES).zip(0u32..).map(move |(part, page)| {
        let mut bytes = part.to_vec();
        bytes.resize(PAGE_BYTES, 0);
        TablePage { table, page, bytes }
    })
}

impl Book {
    /// Fixes the moment of a checkpoint. The pages that changed since the last one come from
    /// [`Book::take_frozen`].
    pub fn freeze(&mut self) -> Frozen {
        self.accounts.table.freeze();
        self.accounts.limits.freeze();
        self.pendings.table.freeze();
        self.loans.register.freeze();
        let chunk = self.young.open_chunk();
        let loans = self.loans.to_bytes();
        let loan_counts = self.loans.register.counts();
        let header = Header {
            clock: self.clock,
            last_transfer_stamp: self.young.last_transfer_stamp(),
            accounts: count(self.accounts.table.len()),
            limits: count(self.accounts.limits.len()),
            pendings: count(self.pendings.table.len()),
            records: count(chunk.records.len()),
            touches: count(chunk.touches.len()),
            part_posts: count(chunk.part_posts.len()),
            loan_bytes: count(loans.len()),
            loans: loan_counts.loans,
            loan_events: loan_counts.events,
            loan_order_lines: loan_counts.order_lines,
            loan_terms_lines: loan_counts.terms_lines,
            chunk: chunk.number,
            version: IMAGE_VERSION,
        };
        let mut pages: Vec<TablePage> = pages_of(Table::Records, &chunk.records).collect();
        pages.extend(pages_of(Table::Touches, &chunk.touches));
        pages.extend(pages_of(Table::PartPosts, &chunk.part_posts));
        pages.extend(byte_pages(Table::Loans, &loans));
        pages.extend(byte_pages(Table::Batches, &self.batches.to_bytes()));
        Frozen { header, pages }
    }

    /// About `pages_max` pages of the last freeze; none at the end.
    pub fn take_frozen(&mut self, pages_max: usize) -> Vec<TablePage> {
        let mut pages = Vec::new();
        let named = |table| {
            move |copy: crate::pages::PageCopy| TablePage { table, page: copy.page, bytes: copy.bytes }
        };
        pages.extend(self.accounts.table.take_frozen(pages_max).into_iter().map(named(Table::Accounts)));
        let rest = pages_max.saturating_sub(pages.len());
        pages.extend(self.accounts.limits.take_frozen(rest).into_iter().map(named(Table::Limits)));
        let rest = pages_max.saturating_sub(pages.len());
        pages.extend(self.pendings.table.take_frozen(rest).into_iter().map(named(Table::Pendings)));
        self.loans.register.take_frozen(pages_max, &mut pages);
        pages
    }

    /// Whether pages of the last freeze are still to be taken.
    pub fn has_frozen(&self) -> bool {
        self.accounts.table.has_frozen()
            || self.accounts.limits.has_frozen()
            || self.pendings.table.has_frozen()
            || self.loans.register.has_frozen()
    }
}

/// Builds a book from a checkpoint, page by page, in order of table and page.
#[derive(Default)]
pub struct Restore {
    header: Header,
    accounts: PagedTable<crate::account::Account, { per_page::<crate::account::Account>() }>,
    limits: PagedTable<crate::accounts::LimitRecord, { per_page::<crate::accounts::LimitRecord>() }>,
    pendings: PagedTable<Pending, { per_page::<Pending>() }>,
    records: PagedTable<Transfer, { per_page::<Transfer>() }>,
    touches: PagedTable<Touch, { per_page::<Touch>() }>,
    part_posts: PagedTable<PartPost, { per_page::<PartPost>() }>,
    loans: Vec<u8>,
    loan_tables: LoanTables,
    batches: Vec<u8>,
    next: BTreeMap<u16, u32>,
}

impl Restore {
    /// Begins with the header.
    ///
    /// # Errors
    /// In words, where the book was written by another release in another form.
    pub fn of(header: &Header) -> Result<Self, String> {
        let age = match header.version.cmp(&IMAGE_VERSION) {
            Ordering::Less => "older",
            Ordering::Equal => return Ok(Self { header: *header, ..Self::default() }),
            Ordering::Greater => "newer",
        };
        Err(format!(
            "the checkpoint's book has form {}, of a release {age} than this one, which reads form {IMAGE_VERSION}: \
             start the release that wrote it",
            header.version
        ))
    }

    /// Takes one page.
    ///
    /// # Errors
    /// In words, where the page cannot be part of a book: an unknown table, a page out of order, a wrong size.
    pub fn page(&mut self, table: u16, page: u32, bytes: &[u8]) -> Result<(), String> {
        if bytes.len() != PAGE_BYTES {
            return Err(format!("page {page} of table {table} has {} bytes, not {PAGE_BYTES}", bytes.len()));
        }
        let expected = self.next.entry(table).or_default();
        if *expected != page {
            return Err(format!("table {table} has page {page} where page {expected} is due"));
        }
        *expected = page.saturating_add(1);
        match Table::from_number(table) {
            Some(Table::Accounts) => self.accounts.restore_page(bytes),
            Some(Table::Limits) => self.limits.restore_page(bytes),
            Some(Table::Pendings) => self.pendings.restore_page(bytes),
            Some(Table::Records) => self.records.restore_page(bytes),
            Some(Table::Touches) => self.touches.restore_page(bytes),
            Some(Table::PartPosts) => self.part_posts.restore_page(bytes),
            Some(Table::Loans) => self.loans.extend_from_slice(bytes),
            Some(Table::LoanRecords) => self.loan_tables.records.restore_page(bytes),
            Some(Table::LoanFacts) => self.loan_tables.facts.restore_page(bytes),
            Some(Table::LoanEvents) => self.loan_tables.events.restore_page(bytes),
            Some(Table::LoanOrders) => self.loan_tables.orders.lines.restore_page(bytes),
            Some(Table::LoanTerms) => self.loan_tables.terms.lines.restore_page(bytes),
            Some(Table::Batches) => self.batches.extend_from_slice(bytes),
            None => return Err(format!("table {table} is unknown to this release")),
        }
        Ok(())
    }

    /// Puts the book together.
    ///
    /// # Errors
    /// In words, where header and pages do not fit each other.
    pub fn finish(mut self) -> Result<Book, String> {
        fn end<T: Record, const N: usize>(
            name: &str,
            table: &mut PagedTable<T, N>,
            len: u64,
        ) -> Result<(), String> {
            let len =
                usize::try_from(len).map_err(|_| format!("{len} {name} do not fit this machine's memory"))?;
            if table.restore_len(len) { Ok(()) } else { Err(format!("the pages do not hold {len} {name}")) }
        }
        let header = self.header;
        end("accounts", &mut self.accounts, header.accounts)?;
        end("limits", &mut self.limits, header.limits)?;
        end("pending transfers", &mut self.pendings, header.pendings)?;
        end("records", &mut self.records, header.records)?;
        end("touches", &mut self.touches, header.touches)?;
        end("part posts", &mut self.part_posts, header.part_posts)?;
        let loan_bytes = usize::try_from(header.loan_bytes).unwrap_or(usize::MAX);
        let loans = self.loans.get(..loan_bytes);
        let loans = loans.ok_or_else(|| format!("the pages do not hold {loan_bytes} bytes of loans"))?;
        let loan_counts = LoanCounts {
            loans: header.loans,
            events: header.loan_events,
            order_lines: header.loan_order_lines,
            terms_lines: header.loan_terms_lines,
        };
        if !self.loan_tables.end(loan_counts) {
            return Err(format!("the pages do not hold {} loans and their orders", header.loans));
        }
        let accounts = Accounts::restore(self.accounts, self.limits);
        let loans = Loans::restore(loans, self.loan_tables, &accounts)?;
        let slot = |id, number: usize| {
            accounts
                .slot_of(id)
                .ok_or_else(|| format!("record {number} of the open chunk names an unknown account"))
        };
        let mut slots = Vec::with_capacity(crate::CHUNK_RECORDS);
        for (number, record) in self.records.iter().enumerate() {
            slots.push(if record.debit_account_id.is_zero() {
                [crate::NO_SLOT, crate::NO_SLOT]
            } else {
                [slot(record.debit_account_id, number)?, slot(record.credit_account_id, number)?]
            });
        }
        let mut records = Vec::with_capacity(crate::CHUNK_RECORDS);
        records.extend(self.records.iter());
        let touches = self.touches.iter().copied().collect();
        let part_posts = self.part_posts.iter().copied().collect();
        let chunk = Chunk { number: header.chunk, records, touches, slots, part_posts };
        Ok(Book {
            pendings: Pendings::restore(self.pendings),
            young: Young::restore(chunk, header.last_transfer_stamp),
            accounts,
            loans,
            batches: Batches::from_bytes(&self.batches)?,
            kept_legs: Vec::new(),
            clock: header.clock,
            ended_now: BTreeMap::new(),
        })
    }
}
