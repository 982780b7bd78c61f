//! The loan side as a checkpoint holds it: the register's tables page by page, and beside them, as one run of bytes,
//! what is few: products with the sums over their loans, and the dates.

use super::super::bank_days::BankDays;
use super::super::codec::{Reader, Writer};
use super::super::control::{Position, Role};
use super::super::loans::{Loan, Loans, Shelf};
use super::super::money::Money;
use super::super::product::Product;
use super::super::unbilled::{Accruals, Line};
use super::{
    Agreements, EventTable, Events, FactsTable, LoanRecord, LoanSlot, LoanTable, Register, Scroll, wide,
};
use crate::accounts::Accounts;
use crate::image::{Table, TablePage};
use crate::pages::PageCopy;
use crate::quantity::{AccountSlot, Stamp};
use crate::slots::{SlotIndex, hash_of};
use fen_terms::{Clock, Day, TickRate};
use std::collections::BTreeMap;
use zerocopy::IntoBytes;

/// How many records each of the register's tables has.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct LoanCounts {
    pub(crate) loans: u64,
    pub(crate) events: u64,
    pub(crate) order_lines: u64,
    pub(crate) terms_lines: u64,
}

/// The register's tables, while they are restored.
#[derive(Default)]
pub(crate) struct LoanTables {
    pub(crate) records: LoanTable,
    pub(crate) facts: FactsTable,
    pub(crate) events: EventTable,
    pub(crate) orders: Scroll,
    pub(crate) terms: Scroll,
}

impl LoanTables {
    /// Ends restoring; false where the pages do not hold so many records.
    pub(crate) fn end(&mut self, counts: LoanCounts) -> bool {
        let len = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        self.records.restore_len(len(counts.loans))
            && self.facts.restore_len(len(counts.loans))
            && self.events.restore_len(len(counts.events))
            && self.orders.lines.restore_len(len(counts.order_lines))
            && self.terms.lines.restore_len(len(counts.terms_lines))
    }
}

/// Does the same to each of the register's tables.
macro_rules! each_table {
    ($register:expr, $table:ident, $number:ident => $what:expr) => {{
        let register = $register;
        {
            let ($table, $number) = (&mut register.records, Table::LoanRecords);
            $what
        }
        {
            let ($table, $number) = (&mut register.facts, Table::LoanFacts);
            $what
        }
        {
            let ($table, $number) = (&mut register.events.table, Table::LoanEvents);
            $what
        }
        {
            let ($table, $number) = (&mut register.events.scroll.lines, Table::LoanOrders);
            $what
        }
        {
            let ($table, $number) = (&mut register.agreements.scroll.lines, Table::LoanTerms);
            $what
        }
    }};
}

impl Register {
    pub(crate) fn counts(&self) -> LoanCounts {
        let count = |len: usize| u64::try_from(len).unwrap_or(u64::MAX);
        LoanCounts {
            loans: count(self.records.len()),
            events: count(self.events.table.len()),
            order_lines: count(self.events.scroll.lines.len()),
            terms_lines: count(self.agreements.scroll.lines.len()),
        }
    }

    /// Fixes the moment of a checkpoint.
    pub(crate) fn freeze(&mut self) {
        each_table!(self, table, _number => { table.freeze(); });
    }

    /// Adds pages of the last freeze until there are `pages_max`.
    pub(crate) fn take_frozen(&mut self, pages_max: usize, pages: &mut Vec<TablePage>) {
        each_table!(self, table, number => {
            let rest = pages_max.saturating_sub(pages.len());
            let named = |copy: PageCopy| TablePage { table: number, page: copy.page, bytes: copy.bytes };
            pages.extend(table.take_frozen(rest).into_iter().map(named));
        });
    }

    /// Whether pages of the last freeze are still to be taken.
    pub(crate) fn has_frozen(&self) -> bool {
        self.records.has_frozen()
            || self.facts.has_frozen()
            || self.events.table.has_frozen()
            || self.events.scroll.lines.has_frozen()
            || self.agreements.scroll.lines.has_frozen()
    }

    /// Hands out the bytes of all tables, in one order for ever.
    pub(crate) fn feed(&self, take: &mut dyn FnMut(&[u8])) {
        self.records.iter().for_each(|record| take(record.as_bytes()));
        self.facts.iter().for_each(|record| take(record.as_bytes()));
        self.events.table.iter().for_each(|record| take(record.as_bytes()));
        self.events.scroll.lines.iter().for_each(|line| take(line.as_bytes()));
        self.agreements.scroll.lines.iter().for_each(|line| take(line.as_bytes()));
    }

    /// The tables of a checkpoint with their indexes made anew, but for the loans that are folded.
    fn restore(tables: LoanTables, products: &BTreeMap<u128, Shelf>, accounts: &Accounts) -> Option<Self> {
        let LoanTables { records, facts, events, orders, terms } = tables;
        let version = |product_id, number: u32| -> Option<&Product> {
            let index = usize::try_from(number).ok()?.checked_sub(1)?;
            products.get(&product_id)?.versions.get(index)
        };
        let agreements = Agreements::restore(terms, version)?;
        let mut index = SlotIndex::with_capacity(records.len());
        for (slot, record) in (0_u32..).zip(records.iter()) {
            index.insert(hash_of(record.id), slot);
        }
        let is_within = |slot: u32, len: usize| wide(slot) < len;
        let fits = records.iter().all(|record| {
            is_within(record.account.get(), accounts.len())
                && is_within(record.agreed, agreements.len())
                && record.last_event.checked_sub(1).is_none_or(|event| is_within(event, events.len()))
        });
        let (mut slot, loans) = (0_usize, records.len());
        let rises = events.iter().all(|event| {
            slot = slot.saturating_add(1);
            is_within(event.loan, loans) && wide(event.previous) < slot
        });
        (fits && rises).then(|| Self {
            records,
            facts,
            events: Events::restore(events, orders),
            agreements,
            index,
            ..Self::default()
        })
    }
}

impl Writer {
    fn count(&mut self, count: usize) {
        self.u32(u32::try_from(count).unwrap_or(u32::MAX));
    }

    fn signed(&mut self, money: Money) {
        self.u128(money.get().cast_unsigned());
    }

    fn accruals(&mut self, accruals: &Accruals) {
        self.count(accruals.lines.len());
        for (rate, line) in &accruals.lines {
            self.u128(rate.numerator);
            self.u128(rate.denominator);
            self.u8(rate.clock.number());
            self.u128(line.sum.cast_unsigned());
            self.u128(line.ticks.cast_unsigned());
        }
        self.signed(accruals.ahead);
        self.signed(accruals.posted);
    }
}

impl Reader<'_> {
    fn signed(&mut self) -> Option<Money> {
        self.u128().map(|value| Money::new(value.cast_signed()))
    }

    fn accruals(&mut self) -> Option<Accruals> {
        let mut accruals = Accruals::default();
        for _ in 0..self.u32()? {
            let (numerator, denominator) = (self.u128()?, self.u128()?);
            let clock = Clock::from_number(self.u8()?)?;
            let line = Line { sum: self.u128()?.cast_signed(), ticks: self.u128()?.cast_signed() };
            if denominator == 0 {
                return None;
            }
            accruals.lines.insert(TickRate { numerator, denominator, clock }, line);
        }
        accruals.ahead = self.signed()?;
        accruals.posted = self.signed()?;
        Some(accruals)
    }
}

impl Loans {
    /// Products and dates as bytes; none for a book without products.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        if self.products.is_empty() && self.business_date.is_none() {
            return writer.bytes;
        }
        writer.i32(self.business_date.map_or(i32::MIN, Day::number));
        writer.count(self.days.lines().len());
        for (day, stamp) in self.days.lines() {
            writer.i32(day.number());
            writer.u64(stamp.get());
        }
        writer.count(self.products.len());
        for shelf in self.products.values() {
            writer.count(shelf.versions.len());
            for version in &shelf.versions {
                writer.product(version);
            }
            for role in Role::ALL {
                writer.signed(shelf.posted[*role]);
            }
            writer.signed(shelf.exposure);
            writer.accruals(&shelf.accruals);
        }
        writer.u32(u32::try_from(self.withheld.len()).unwrap_or(u32::MAX));
        for id in &self.withheld {
            writer.u128(*id);
        }
        writer.bytes
    }

    fn read(bytes: &[u8], accounts: &Accounts) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        if reader.is_at_end() {
            return Some(Self::default());
        }
        let mut loans = Self { business_date: Day::from_number(reader.i32()?), ..Self::default() };
        let mut begun = Vec::new();
        for _ in 0..reader.u32()? {
            begun.push((Day::from_number(reader.i32()?)?, Stamp::new(reader.u64()?)));
        }
        loans.days = BankDays::restore(begun)?;
        for _ in 0..reader.u32()? {
            let mut id = None;
            for _ in 0..reader.u32()? {
                let product = reader.product()?;
                id = Some(product.id);
                loans.shelve(&product, accounts)?;
            }
            let mut posted = Position::default();
            for role in Role::ALL {
                posted[*role] = reader.signed()?;
            }
            let shelf = loans.products.get_mut(&id?)?;
            shelf.posted = posted;
            shelf.exposure = reader.signed()?;
            shelf.accruals = reader.accruals()?;
        }
        for _ in 0..reader.u32()? {
            loans.withheld.insert(reader.u128()?);
        }
        reader.is_at_end().then_some(loans)
    }

    /// The loan side of a checkpoint.
    ///
    /// # Errors
    /// In words, where bytes and tables are not those of one book.
    pub(crate) fn restore(bytes: &[u8], tables: LoanTables, accounts: &Accounts) -> Result<Self, String> {
        Self::put_together(bytes, tables, accounts)
            .ok_or_else(|| "the loans of the checkpoint make no sense".to_owned())
    }

    fn put_together(bytes: &[u8], tables: LoanTables, accounts: &Accounts) -> Option<Self> {
        let mut loans = Self::read(bytes, accounts)?;
        loans.register = Register::restore(tables, &loans.products, accounts)?;
        for slot in loans.register.slots() {
            let nothing = LoanRecord::new(0, AccountSlot::ZERO, 0);
            let came = loans.register.follow(slot, &nothing, accounts);
            let product_id = loans.register.agreed(slot).product_id;
            let shelf = loans.products.get_mut(&product_id)?;
            shelf.borrowers = shelf.borrowers.checked_add_signed(came)?;
            if loans.register.record(slot).course().is_none() {
                let loan = loans.folded_again(slot, accounts)?;
                let (product_id, account_id) = (loan.product_id, loan.account_id);
                loans.reserve_subsidy(product_id, account_id, loan.contract.subsidy_room);
                loans.register.folded.insert(slot, loan);
            } else if loans.register.agreed(slot).ordinary.is_none() {
                return None;
            }
        }
        Some(loans)
    }

    /// A folded loan, made anew from its orders.
    fn folded_again(&self, slot: LoanSlot, accounts: &Accounts) -> Option<Loan> {
        let mut loan = self.loan_of_record(slot, accounts);
        let as_of = self.register.record(slot).as_of();
        let outlook = self.outlook(&loan, &loan.events, as_of).ok()?;
        (loan.posted, loan.unbilled) = (outlook.position, outlook.unbilled);
        Some(loan)
    }

    /// Hands out all that the loan side is, as bytes: equal for equal books, whoever keeps them.
    pub fn feed(&self, take: &mut dyn FnMut(&[u8])) {
        take(&self.to_bytes());
        self.register.feed(take);
    }
}
