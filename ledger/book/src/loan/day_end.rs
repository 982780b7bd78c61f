//! Day-end: what falls due is collected and billed, what is late ages, and the business date moves on.
//!
//! Only loans on which something changes are touched, found by the calendar; what the others earn is posted from sums
//! over each product (`unbilled`). They are taken in chunks: between two
//! chunks customers' events go on, and the books come out the same whatever the size of the chunks.

use super::apply::{DAY_END_CODE, STAMPS_PER_EVENT, accrued};
use super::control::{Position, ROLES};
use super::loans::Shelf;
use super::look_ahead::GROUP;
use super::money::Money;
use super::order::{LoanAct, LoanOrder};
use super::posting::{LastStamp, Marks, Posting};
use super::product::{PRODUCTS_MAX, ProductId};
use super::register::LoanSlot;
use super::status::LoanStatus;
use crate::bank_ids::{Asker, bank_id};
use crate::book::Book;
use crate::command::Outcome;
use crate::quantity::{AccountId, BusinessDate, Stamp};
use crate::recall::Recall;
use fen_terms::Day;
use std::collections::BTreeMap;

/// The most loans in a chunk: units of its room, which are also spent on what is posted for all loans of a product.
pub const CHUNK_LOANS: usize = 16_384;

/// The most stamps that a unit takes: of a loan, its collection, its write-off by rule, and the transfers of its
/// product when no other loan of that is in the chunk.
const STAMPS_PER_UNIT: usize = 128;

/// [`STAMPS_PER_EVENT`] as a count.
const EVENT_STAMPS: usize = 32;

const _: () = assert!(STAMPS_PER_EVENT == 32, "the same number");

const _: () = assert!(2 * EVENT_STAMPS + ROLES <= STAMPS_PER_UNIT, "a loan keeps within its unit");

/// How many products' accruals take as much of a chunk as a loan does: a stamp for each.
const PRODUCTS_A_UNIT: usize = 64;

const _: () =
    assert!(2 * PRODUCTS_A_UNIT <= STAMPS_PER_UNIT, "a part of a unit is not counted, and has room");

/// How many stamps a chunk takes: those of its units, and of the last day's accruals, which may go beyond them.
pub const STAMPS_PER_CHUNK: usize = CHUNK_LOANS * STAMPS_PER_UNIT + PRODUCTS_MAX;

/// The most days that one day-end closes: each is closed in turn, but a day so far ahead is a slip of the pen.
pub const DAYS_AT_ONCE_MAX: i64 = 3_660;

/// The answer to one chunk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DayEndReply {
    /// Whether the day is closed, or why it cannot be.
    pub outcome: Outcome<LoanStatus>,
    /// Whether all that was asked is done; else the same command goes on with it.
    pub is_done: bool,
    /// The bank's day after the chunk.
    pub business_date: BusinessDate,
    /// How many loans the chunk touched.
    pub loans: u32,
}

impl Book {
    /// Takes a chunk of the way to the end of day `through`; the business date is then the day after it.
    pub(crate) fn day_end(
        &mut self,
        through: BusinessDate,
        loans_max: u32,
        last: Stamp,
        recall: &Recall,
    ) -> DayEndReply {
        let answer = |book: &Self, status, is_done, loans| DayEndReply {
            outcome: Outcome { timestamp: last, status },
            is_done,
            business_date: book.loans.business_date().unwrap_or_default(),
            loans,
        };
        let Some(target) = Day::from_number(through.get()).and_then(|day| day.plus_days(1)) else {
            return answer(self, LoanStatus::DateOutOfRange, true, 0);
        };
        if self.loans.business_date.is_some_and(|today| target <= today) {
            return answer(self, LoanStatus::DayAlreadyClosed, true, 0);
        }
        let jumps = |today: Day| i64::from(today.days_until(target)) > DAYS_AT_ONCE_MAX;
        if self.loans.business_date.is_some_and(jumps) {
            return answer(self, LoanStatus::DayMustFollowBusinessDate, true, 0);
        }
        let room = u64::try_from(STAMPS_PER_CHUNK).unwrap_or(u64::MAX);
        let mut stamp = Stamp::new(last.get().saturating_sub(room));
        let mut loans = 0_u32;
        let asked = usize::try_from(loans_max).unwrap_or(usize::MAX);
        let mut room = if asked == 0 { CHUNK_LOANS } else { asked.min(CHUNK_LOANS) };
        while let Some(day) = self.next_to_begin().filter(|day| *day <= target) {
            if room == 0 {
                assert!(stamp <= last, "a chunk keeps within its stamps");
                return answer(self, LoanStatus::Created, false, loans);
            }
            let touched = self.roll_some(day, room, &mut stamp, recall);
            loans = loans.saturating_add(u32::try_from(touched).unwrap_or(u32::MAX));
            room = room.saturating_sub(touched);
            if self.loans.first_wake().is_none_or(|next| next > day) {
                room = room.saturating_sub(self.accrue(day, &mut stamp, recall));
                self.loans.business_date = Some(day.max(self.loans.today()));
                self.begin_day(day, stamp);
            }
        }
        assert!(stamp <= last, "a chunk keeps within its stamps");
        self.loans.business_date = Some(target);
        self.begin_day(target, last);
        answer(self, LoanStatus::Created, true, loans)
    }

    /// The day that has to be begun next: tomorrow, where interest runs; else the first on which a loan changes.
    fn next_to_begin(&mut self) -> Option<Day> {
        let wakes = self.loans.first_wake();
        let runs = self.loans.products.values().any(|shelf| !shelf.accruals.is_idle());
        let tomorrow = self.loans.business_date.filter(|_| runs).and_then(|today| today.plus_days(1));
        wakes.into_iter().chain(tomorrow).min()
    }

    /// Posts what loans earned and did not bill, up to the beginning of a day: what of it is new since the last day, in
    /// one transfer for each product. Says how much of a chunk's room that takes.
    fn accrue(&mut self, day: Day, stamp: &mut Stamp, recall: &Recall) -> usize {
        let earned = |shelf: &Shelf| shelf.accruals.as_of(day) - shelf.accruals.posted;
        let changes: Vec<(ProductId, Money)> = (self.loans.products.iter())
            .map(|(id, shelf)| (*id, earned(shelf)))
            .filter(|(_, change)| !change.is_zero())
            .collect();
        let closed = day.plus_days(-1).unwrap_or(day);
        for (product, more) in &changes {
            let change = accrued(*more);
            self.post_for_all(*product, &change, closed, stamp, recall);
            let shelf = self.loans.products.get_mut(product).expect("a product that earns is on the shelf");
            shelf.posted.add(&change);
            shelf.accruals.posted += *more;
        }
        1_usize.saturating_add(changes.len() / PRODUCTS_A_UNIT)
    }

    /// Posts what changes for all loans of a product together.
    fn post_for_all(
        &mut self,
        product_id: ProductId,
        change: &Position,
        day: Day,
        stamp: &mut Stamp,
        recall: &Recall,
    ) {
        let marks = Marks { first_id: None, loan_id: 0, code: DAY_END_CODE, day: day.number() };
        let posting = Posting { product_id, change, outside: None, marks: &marks };
        let posted = self.post_change(&posting, LastStamp::After(*stamp), recall);
        *stamp = posted.expect("nobody but the bank moves control accounts or takes ids of its own");
    }

    /// Rolls at most `room` loans to `day`: collects what was due the day before, then bills and ages.
    fn roll_some(&mut self, day: Day, room: usize, stamp: &mut Stamp, recall: &Recall) -> usize {
        let slots = self.loans.wake(day, room);
        let mut changes: BTreeMap<ProductId, Position> = BTreeMap::new();
        for (place, slot) in slots.iter().enumerate() {
            if place % GROUP == 0 {
                let ahead = slots.get(place..).unwrap_or_default();
                self.look_ahead_at(ahead.get(..GROUP).unwrap_or(ahead));
            }
            self.collect(*slot, day, stamp, recall);
            self.write_off_by_rule(*slot, day, stamp, recall);
            let product_id = self.loans.register.agreed(*slot).product_id;
            let change = self.roll(*slot, day);
            changes.entry(product_id).or_default().add(&change);
        }
        for (product, change) in changes {
            self.post_for_all(product, &change, day, stamp, recall);
        }
        slots.len()
    }

    /// Lets one loan come to a day, and says what that changes.
    fn roll(&mut self, slot: LoanSlot, day: Day) -> Position {
        let Self { loans, accounts, .. } = self;
        if let Some(mut run) = loans.register.run(slot) {
            let (before, earned_before) = (run.position(), run.unbilled());
            run.age_to(day);
            let change = run.position().since(&before);
            let (course, wakes_on, earns) = (run.course, run.next_change(), run.unbilled());
            loans.proceed(slot, (&course, wakes_on), &change, (&earned_before, &earns), accounts);
            return change;
        }
        let loan = loans.loan_at(slot, accounts).into_owned();
        let outlook = loans.outlook(&loan, &loan.events, day);
        let outlook = outlook.expect("the events of a loan were folded before they were taken");
        let change = outlook.position.since(&loan.posted);
        loans.settle(slot, loan, &outlook, day, accounts);
        change
    }

    /// Takes what was due up to the day before from the borrower's account, as far as it goes, if the product allows it in
    /// part.
    fn collect(&mut self, slot: LoanSlot, day: Day, stamp: &mut Stamp, recall: &Recall) {
        let agreed = self.loans.register.agreed(slot);
        let product = self.loans.version(agreed.product_id, agreed.version);
        if !product.collects {
            return;
        }
        let in_full = product.collects_in_full;
        let Some(yesterday) = day.plus_days(-1) else { return };
        let available = self.available(self.loans.register.account(slot));
        if !available.is_positive() {
            return;
        }
        let due = self.due_through(slot, yesterday);
        let amount = due.min(available);
        if !amount.is_positive() || (in_full && amount < due) {
            return;
        }
        // The first stamp of the event's own names it; its transfers bear the last ones.
        let id = bank_id(Stamp::new(stamp.get().saturating_add(1))).get();
        *stamp = Stamp::new(stamp.get().saturating_add(STAMPS_PER_EVENT));
        let mut order = LoanOrder {
            id,
            loan_id: self.loans.register.record(slot).id,
            effective_on: BusinessDate::new(yesterday.number()),
            act: LoanAct::Repay { account_id: AccountId::ZERO, amount: amount.to_amount(), in_advance: None },
        };
        // The business date stands at the last day rolled; collecting for a later one first moves it there.
        self.loans.business_date = Some(yesterday.max(self.loans.today()));
        self.take_order(&mut order, Asker::Bank, *stamp, recall);
    }

    /// Writes a loan off that has been past due for as long as its product allows.
    fn write_off_by_rule(&mut self, slot: LoanSlot, day: Day, stamp: &mut Stamp, recall: &Recall) {
        let agreed = self.loans.register.agreed(slot);
        let Some(most) = self.loans.version(agreed.product_id, agreed.version).write_off_days else { return };
        let since = if let Some(run) = self.loans.register.run(slot) {
            run.overdue_since(day)
        } else {
            let loan = self.loans.loan_at(slot, &self.accounts);
            let life = self.loans.life(&loan);
            life.overdue_since(day).filter(|_| life.sold.is_none() && life.charged_off.is_none())
        };
        let days = since.map_or(0, |since| since.days_until(day));
        if days < i32::from(most) {
            return;
        }
        let id = bank_id(Stamp::new(stamp.get().saturating_add(1))).get();
        *stamp = Stamp::new(stamp.get().saturating_add(STAMPS_PER_EVENT));
        let (loan_id, effective_on) = (self.loans.register.record(slot).id, BusinessDate::new(day.number()));
        self.loans.business_date = Some(day.max(self.loans.today()));
        let mut order = LoanOrder { id, loan_id, effective_on, act: LoanAct::WriteOff };
        self.take_order(&mut order, Asker::Bank, *stamp, recall);
    }

    /// What of a loan was due up to a day and is not paid.
    fn due_through(&self, slot: LoanSlot, day: Day) -> Money {
        if let Some(mut run) = self.loans.register.run(slot) {
            run.age_to(self.loans.today());
            return run.due_through(day);
        }
        let loan = self.loans.loan_at(slot, &self.accounts);
        let life = self.loans.life(&loan);
        let due = life.rows.iter().filter(|row| row.due_on <= day);
        due.map(|row| row.outstanding().total().or_zero()).sum()
    }
}
