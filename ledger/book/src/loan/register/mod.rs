//! The register: how the loans of a book are kept. Every loan has a record, every order taken has one, and what has no
//! fixed size stands on a scroll; all of it in pages, so that a checkpoint takes what changed and nothing else.
//!
//! A loan on its ordinary course ([`course`](super::course)) is its record and nothing more. One that is folded has its
//! events in memory beside it ([`Loan`]). Either can be told as a [`Loan`]: its events hang on a chain from the newest
//! to the oldest. Indexes (ids, calendar, borrowers) follow from the records and are made anew at a restart.
//!
//! **Invariants.** A slot is never used again. A loan is in `folded` if and only if its record says that it runs no
//! course. `borrowers` and `calendar` agree with the records' `owed` and `wakes_on`.

mod agreed;
mod borrowers;
mod calendar;
mod events;
mod image;
mod record;
mod scroll;

pub(crate) use agreed::{Agreed, Agreements};
pub(crate) use borrowers::{Borrower, Borrowers, customer};
pub(crate) use calendar::Calendar;
pub(crate) use events::Events;
pub(crate) use image::{LoanCounts, LoanTables};
pub(crate) use record::{EventRecord, EventTable, FactsRecord, FactsTable, LoanRecord, LoanTable};
pub(crate) use scroll::Scroll;

use super::course::{Course, Glance, Run};
use super::event::Event;
use super::loans::{Loan, event_kind};
use super::money::Money;
use super::order::{LoanAct, LoanId, LoanOrder, Opening};
use crate::accounts::Accounts;
use crate::quantity::{AccountSlot, Amount, BusinessDate, Stamp};
use crate::slots::{SlotIndex, hash_of};
use fen_terms::Day;
use std::collections::BTreeMap;

/// Where a loan's record is: dense, in order of creation.
pub(crate) type LoanSlot = u32;

/// See the module's words.
pub(crate) struct Register {
    pub(crate) records: LoanTable,
    pub(crate) facts: FactsTable,
    pub(crate) events: Events,
    pub(crate) agreements: Agreements,
    pub(crate) calendar: Calendar,
    pub(crate) borrowers: Borrowers,
    /// The loans that run no ordinary course.
    pub(crate) folded: BTreeMap<LoanSlot, Loan>,
    index: SlotIndex,
}

impl Default for Register {
    fn default() -> Self {
        Self {
            records: LoanTable::new(),
            facts: FactsTable::new(),
            events: Events::default(),
            agreements: Agreements::default(),
            calendar: Calendar::default(),
            borrowers: Borrowers::default(),
            folded: BTreeMap::new(),
            index: SlotIndex::with_capacity(0),
        }
    }
}

/// Whether a loan is a line that is drawn upon.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Line {
    /// It is none.
    None,
    /// It is one of so much.
    Open(Money),
    /// It was one, and its opening was taken back.
    Cancelled,
}

/// A slot as an index.
pub(crate) fn wide(slot: LoanSlot) -> usize {
    usize::try_from(slot).unwrap_or(usize::MAX)
}

/// Whose a loan is.
fn borrower_of(record: &LoanRecord, agreements: &Agreements, accounts: &Accounts) -> Borrower {
    let product_id = agreements.get(record.agreed).product_id;
    Borrower { product_id, customer: customer(accounts.get(record.account).id) }
}

impl Register {
    /// How many loans there are.
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    /// Every slot.
    pub(crate) fn slots(&self) -> impl Iterator<Item = LoanSlot> + use<> {
        0..u32::try_from(self.len()).unwrap_or(u32::MAX)
    }

    /// Where a loan is.
    pub(crate) fn slot_of(&self, id: LoanId) -> Option<LoanSlot> {
        self.index.find(hash_of(id), |slot| self.records.get(wide(slot)).id == id)
    }

    /// Looks ahead: the entry at a loan's home in the index.
    pub(crate) fn peek(&self, hash: u32) -> u64 {
        self.index.peek(hash)
    }

    /// Looks ahead: the account of the loan that most likely is meant, so that its record is in cache.
    pub(crate) fn peek_record(&self, hash: u32) -> Option<AccountSlot> {
        self.index.candidate(hash).map(|slot| self.record(slot).account)
    }

    /// A loan's record.
    pub(crate) fn record(&self, slot: LoanSlot) -> &LoanRecord {
        self.records.get(wide(slot))
    }

    /// What was agreed for a loan.
    pub(crate) fn agreed(&self, slot: LoanSlot) -> &Agreed {
        self.agreements.get(self.record(slot).agreed)
    }

    /// Adds a record for a new loan.
    pub(crate) fn add(&mut self, record: LoanRecord, facts: FactsRecord) -> LoanSlot {
        let slot = u32::try_from(self.records.push(record)).expect("a shard holds fewer than 2^32 loans");
        self.facts.push(facts);
        self.index.insert(hash_of(record.id), slot);
        slot
    }

    /// The course of a loan, if it runs one, to be carried on.
    pub(crate) fn run(&self, slot: LoanSlot) -> Option<Run<'_>> {
        let course = self.record(slot).course()?;
        let ordinary = self.agreed(slot).ordinary.as_ref();
        Some(Run::of(course, ordinary.expect("a course is of an ordinary contract")))
    }

    /// The course of a loan, if it runs one, at a glance.
    pub(crate) fn glance(&self, slot: LoanSlot, today: Day) -> Option<(Course, Glance)> {
        let course = self.record(slot).course()?;
        let ordinary = self.agreed(slot).ordinary.as_ref();
        let glance = course.glance(ordinary.expect("a course is of an ordinary contract"), today);
        Some((course, glance))
    }

    /// The account that a loan is paid out to.
    pub(crate) fn account(&self, slot: LoanSlot) -> AccountSlot {
        self.record(slot).account
    }

    /// Whose a loan is.
    pub(crate) fn borrower(&self, slot: LoanSlot, accounts: &Accounts) -> Borrower {
        borrower_of(self.record(slot), &self.agreements, accounts)
    }

    /// What a borrower owes of a product, if anything.
    pub(crate) fn owed_by(&self, borrower: Borrower, accounts: &Accounts) -> Option<Money> {
        let loans = self.borrowers.loans(borrower, |slot| self.borrower(slot, accounts));
        loans.map(|slot| self.record(slot).owed()).reduce(|sum, owed| sum + owed)
    }

    /// Enters how a loan stands in the calendar and on its borrower's thread. Says how many borrowers of its product
    /// came (1) or went (-1).
    pub(crate) fn follow(&mut self, slot: LoanSlot, before: &LoanRecord, accounts: &Accounts) -> i32 {
        let after = *self.record(slot);
        if let Some(day) = after.wakes_on().filter(|_| before.wakes_on() != after.wakes_on()) {
            self.calendar.note(day, slot);
        }
        let Self { records, agreements, borrowers, .. } = self;
        let of = |slot| borrower_of(records.get(wide(slot)), agreements, accounts);
        match (before.owed().is_positive(), after.owed().is_positive()) {
            (false, true) => i32::from(borrowers.add(slot, of)),
            (true, false) => i32::from(borrowers.remove(slot, of)).saturating_neg(),
            (true, true) | (false, false) => 0,
        }
    }

    /// An order that was taken, by its slot.
    pub(crate) fn order_at(&self, event: u32, accounts: &Accounts) -> LoanOrder {
        let taken = *self.events.record(event);
        let slot = taken.loan;
        let record = self.record(slot);
        let account_id = accounts.get(record.account).id;
        let act = match taken.form {
            record::FORM_FIRST_DRAW => {
                let agreed = self.agreements.get(record.agreed);
                LoanAct::Disburse(Box::new(Opening {
                    product_id: agreed.product_id,
                    account_id,
                    amount: Amount::new(u128::from(taken.amount)),
                    terms: agreed.own.clone(),
                    facts: (*self.facts.get(wide(slot))).into(),
                }))
            }
            record::FORM_REPAYMENT => events::repayment(&taken, account_id),
            _ => return self.events.on_scroll(&taken),
        };
        let effective_on = BusinessDate::new(taken.on);
        LoanOrder { id: taken.id, loan_id: record.id, effective_on, act }
    }

    /// The events of a loan in order of arrival, without those reversed.
    pub(crate) fn events_of(&self, slot: LoanSlot, accounts: &Accounts) -> Vec<Event> {
        let mut events = Vec::new();
        let mut next = self.record(slot).last_event;
        while let Some(at) = next.checked_sub(1) {
            let taken = *self.events.record(at);
            next = taken.previous;
            if taken.is_reversed != 0 {
                continue;
            }
            let order = self.order_at(at, accounts);
            let amount = order.act.amount().and_then(Money::from_amount).unwrap_or_default();
            if let Some(kind) = event_kind(&order.act, amount) {
                let effective_on = Day::from_number(taken.on).unwrap_or(Day::MIN);
                events.push(Event { id: taken.id, effective_on, sequence: taken.stamp.get(), kind });
            }
        }
        events.reverse();
        events
    }

    /// The first order of a loan.
    pub(crate) fn first_event(&self, slot: LoanSlot) -> Option<u32> {
        let mut first = self.record(slot).last_event.checked_sub(1)?;
        while let Some(before) = self.events.record(first).previous.checked_sub(1) {
            first = before;
        }
        Some(first)
    }

    /// The line that a loan is, where it is one: its first order opened it.
    pub(crate) fn line_of(&self, slot: LoanSlot, accounts: &Accounts) -> Line {
        let Some(first) = self.first_event(slot) else { return Line::None };
        let taken = self.events.record(first);
        if taken.form != record::FORM_SCROLL {
            return Line::None;
        }
        let is_taken_back = taken.is_reversed != 0;
        let LoanAct::OpenLine(opening) = self.order_at(first, accounts).act else { return Line::None };
        if is_taken_back {
            return Line::Cancelled;
        }
        Money::from_amount(opening.amount).map_or(Line::None, Line::Open)
    }

    /// Keeps an order that was taken, as the newest of its loan.
    pub(crate) fn take(&mut self, slot: LoanSlot, order: &LoanOrder, stamp: Stamp, accounts: &Accounts) {
        let record = self.record(slot);
        let agreed = self.agreements.get(record.agreed);
        let account_id = accounts.get(record.account).id;
        let mut taken = EventRecord {
            id: order.id,
            stamp,
            loan: slot,
            previous: record.last_event,
            on: order.effective_on.get(),
            ..EventRecord::default()
        };
        if let LoanAct::Disburse(opening) = &order.act
            && record.last_event == 0
            && opening.account_id == account_id
            && opening.product_id == agreed.product_id
            && opening.terms == agreed.own
        {
            taken.form = record::FORM_FIRST_DRAW;
            taken.amount = events::narrow(opening.amount);
        } else if let LoanAct::Repay { account_id: named, amount, in_advance } = &order.act
            && (named.is_zero() || *named == account_id)
        {
            taken.form = record::FORM_REPAYMENT;
            taken.amount = events::narrow(*amount);
            taken.names_account = u8::from(!named.is_zero());
            taken.in_advance = events::place_of(*in_advance);
        } else {
            taken.amount = u64::from(self.events.write(order));
        }
        let event = self.events.add(taken);
        let record = self.records.get_mut(wide(slot));
        record.last_event = event.checked_add(1).expect("a shard takes fewer than 2^32 loan orders");
    }
}
