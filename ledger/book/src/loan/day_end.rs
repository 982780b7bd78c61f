//! Day-end: what falls due is collected and billed, what is late ages, and the business date moves on.
//!
//! Only loans on which something changes are touched, found by the calendar. They are taken in chunks: between two
//! chunks customers' events go on, and the books come out the same whatever the size of the chunks.

use super::apply::{DAY_END_CODE, Marks, bank_id};
use super::control::{Position, legs};
use super::loans::Loan;
use super::money::Money;
use super::order::{LoanAct, LoanId, LoanOrder};
use super::product::ProductId;
use super::status::LoanStatus;
use crate::book::Book;
use crate::command::Outcome;
use crate::quantity::{AccountId, BusinessDate, Stamp};
use crate::recall::Recall;
use fen_terms::Day;
use std::collections::BTreeMap;

/// How many stamps a chunk takes: enough for [`CHUNK_LOANS`] repayments and the postings of every product.
pub const STAMPS_PER_CHUNK: u64 = 1 << 20;

/// The most loans in a chunk.
pub const CHUNK_LOANS: usize = 16_384;

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
    pub(crate) fn day_end(&mut self, through: BusinessDate, last: Stamp, recall: &Recall) -> DayEndReply {
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
        let mut stamp = Stamp::new(last.get().saturating_sub(STAMPS_PER_CHUNK));
        let mut loans = 0_u32;
        let mut room = CHUNK_LOANS;
        while let Some((day, _)) = self.loans.calendar.first().copied().filter(|(day, _)| *day <= target) {
            if room == 0 {
                return answer(self, LoanStatus::Created, false, loans);
            }
            let touched = self.roll_some(day, room, &mut stamp, recall);
            loans = loans.saturating_add(u32::try_from(touched).unwrap_or(u32::MAX));
            room = room.saturating_sub(touched);
            if self.loans.calendar.first().is_none_or(|(next, _)| *next > day) {
                self.loans.business_date = Some(day.max(self.loans.today()));
                self.loans.days.begin(day, stamp);
            }
        }
        self.loans.business_date = Some(target);
        self.loans.days.begin(target, last);
        answer(self, LoanStatus::Created, true, loans)
    }

    /// Rolls at most `room` loans to `day`: collects what was due the day before, then bills and ages.
    fn roll_some(&mut self, day: Day, room: usize, stamp: &mut Stamp, recall: &Recall) -> usize {
        let due = self.loans.calendar.iter().take_while(|(on, _)| *on <= day).take(room);
        let ids: Vec<LoanId> = due.map(|(_, id)| *id).collect();
        let mut changes: BTreeMap<ProductId, Position> = BTreeMap::new();
        for id in &ids {
            self.collect(*id, day, stamp, recall);
            self.write_off_by_rule(*id, day, stamp, recall);
            let Some(loan) = self.loans.loan(*id) else { continue };
            let outlook = self.loans.outlook(loan, &loan.events, day);
            let outlook = outlook.expect("the events of a loan were folded before they were taken");
            let change = outlook.position.since(&loan.posted);
            changes.entry(loan.product_id).or_default().add(&change);
            self.loans.settle_outlook(*id, &outlook, day);
        }
        for (product, change) in changes {
            let legs = legs(product, &change, None);
            let count = u64::try_from(legs.len()).unwrap_or(u64::MAX);
            *stamp = Stamp::new(stamp.get().saturating_add(count));
            let ledger = self.loans.product(product).map(|product| product.ledger).unwrap_or_default();
            let marks = Marks { first_id: None, loan_id: 0, ledger, code: DAY_END_CODE, day: day.number() };
            let posted = self.post_legs(&legs, &marks, *stamp, recall);
            assert!(posted.is_ok(), "control accounts take what day-end posts");
        }
        ids.len()
    }

    /// Takes what was due up to the day before from the borrower's account, as far as it goes.
    fn collect(&mut self, loan_id: LoanId, day: Day, stamp: &mut Stamp, recall: &Recall) {
        let Some(loan) = self.loans.loan(loan_id) else { return };
        if !self.loans.product_of(loan).collects {
            return;
        }
        let Some(yesterday) = day.plus_days(-1) else { return };
        let amount = self.due_on(loan, yesterday).min(self.available(loan));
        if !amount.is_positive() {
            return;
        }
        // The first stamp of the event's own names it; its transfers bear the last ones.
        let id = bank_id(Stamp::new(stamp.get().saturating_add(1))).get();
        *stamp = Stamp::new(stamp.get().saturating_add(super::apply::STAMPS_PER_EVENT));
        let order = LoanOrder {
            id,
            loan_id,
            effective_on: BusinessDate::new(yesterday.number()),
            act: LoanAct::Repay { account_id: AccountId::ZERO, amount: amount.to_amount(), in_advance: None },
        };
        // The business date stands at the last day rolled; collecting for a later one first moves it there.
        self.loans.business_date = Some(yesterday.max(self.loans.today()));
        self.take_order(&order, *stamp, recall);
    }

    /// Writes a loan off that has been past due for as long as its product allows.
    fn write_off_by_rule(&mut self, loan_id: LoanId, day: Day, stamp: &mut Stamp, recall: &Recall) {
        let Some(loan) = self.loans.loan(loan_id) else { return };
        let Some(most) = self.loans.product_of(loan).write_off_days else { return };
        let life = self.loans.life(loan);
        let since = life.overdue_since(day).filter(|_| life.sold.is_none() && life.charged_off.is_none());
        let days = since.map_or(0, |since| since.days_until(day));
        if days < i32::from(most) {
            return;
        }
        let id = bank_id(Stamp::new(stamp.get().saturating_add(1))).get();
        *stamp = Stamp::new(stamp.get().saturating_add(super::apply::STAMPS_PER_EVENT));
        let effective_on = BusinessDate::new(day.number());
        self.loans.business_date = Some(day.max(self.loans.today()));
        self.take_order(&LoanOrder { id, loan_id, effective_on, act: LoanAct::WriteOff }, *stamp, recall);
    }

    fn due_on(&self, loan: &Loan, day: Day) -> Money {
        let life = self.loans.life(loan);
        let due = life.rows.iter().filter(|row| row.due_on <= day);
        due.map(|row| row.outstanding().total().or_zero()).sum()
    }
}
