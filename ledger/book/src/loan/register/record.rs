//! A loan's record, the facts kept with it, and the record of an order taken: fixed sizes, page by page in checkpoints.

use super::super::course::Course;
use super::super::money::Money;
use super::super::order::Facts;
use crate::pages::{PagedTable, per_page};
use crate::quantity::{AccountSlot, Stamp};
use fen_terms::Day;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Stands for "no day".
const NO_DAY: i32 = i32::MIN;

/// A loan. Money in minor units, days as numbers.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct LoanRecord {
    pub(crate) id: u128,
    /// Of a course: paid out. Of a loan that is folded: what it may claim of its subsidy.
    principal: u64,
    /// Principal owed that counts for limits; of a course: all that is owed.
    owed: u64,
    /// Of a course, as the next three: see [`Course`].
    interest_paid: u64,
    late_settled: u64,
    late_paid: u64,
    late_days: u64,
    /// The borrower's account.
    pub(crate) account: AccountSlot,
    /// The number of what was agreed.
    pub(crate) agreed: u32,
    /// Of a course.
    disbursed_on: i32,
    /// The day that the posted position is as of.
    as_of: i32,
    wakes_on: i32,
    /// The slot of its last event, plus one.
    pub(crate) last_event: u32,
    /// Of a course: how many instalments are settled.
    settled: u16,
    /// Whether it runs its ordinary course; else it is folded.
    is_on_course: u16,
    reserved: u32,
}

const _: () = assert!(size_of::<LoanRecord>() == 96);

/// The loans' records.
pub(crate) type LoanTable = PagedTable<LoanRecord, { per_page::<LoanRecord>() }>;

fn day(number: i32) -> Day {
    Day::from_number(number).unwrap_or(Day::MIN)
}

fn narrow(money: Money) -> u64 {
    u64::try_from(money.get()).expect("a record's money is bounded, and never negative")
}

fn wide(minor_units: u64) -> Money {
    Money::new(i128::from(minor_units))
}

impl LoanRecord {
    /// A loan that nothing has happened to.
    pub(crate) fn new(id: u128, account: AccountSlot, agreed: u32) -> Self {
        Self { id, account, agreed, as_of: Day::MIN.number(), wakes_on: NO_DAY, ..Self::default() }
    }

    /// Its course, if it runs one.
    pub(crate) fn course(&self) -> Option<Course> {
        (self.is_on_course != 0).then(|| Course {
            disbursed_on: day(self.disbursed_on),
            principal: wide(self.principal),
            owed: wide(self.owed),
            interest_paid: wide(self.interest_paid),
            late_settled: wide(self.late_settled),
            late_paid: wide(self.late_paid),
            late_days: u128::from(self.late_days),
            settled: self.settled,
            as_of: day(self.as_of),
        })
    }

    /// Enters a course.
    pub(crate) fn set_course(&mut self, course: &Course) {
        self.is_on_course = 1;
        self.disbursed_on = course.disbursed_on.number();
        self.principal = narrow(course.principal);
        self.owed = narrow(course.owed);
        self.interest_paid = narrow(course.interest_paid);
        self.late_settled = narrow(course.late_settled);
        self.late_paid = narrow(course.late_paid);
        self.late_days = u64::try_from(course.late_days).expect("bounded principal bears bounded days");
        self.settled = course.settled;
        self.as_of = course.as_of.number();
    }

    /// Enters what is kept here of a loan that is folded.
    pub(crate) fn set_folded(&mut self, owed: Money, as_of: Day, subsidy_room: Money) {
        let Self { id, account, agreed, wakes_on, last_event, .. } = *self;
        *self = Self { id, account, agreed, wakes_on, last_event, ..Self::default() };
        self.owed = narrow(owed.or_zero());
        self.principal = narrow(subsidy_room);
        self.as_of = as_of.number();
    }

    /// What it may claim of its subsidy: nothing on an ordinary course.
    pub(crate) fn subsidy_room(&self) -> Money {
        if self.is_on_course == 0 { wide(self.principal) } else { Money::ZERO }
    }

    /// Principal owed, as it counts for limits.
    pub(crate) fn owed(&self) -> Money {
        wide(self.owed)
    }

    /// The day that the posted position is as of.
    pub(crate) fn as_of(&self) -> Day {
        day(self.as_of)
    }

    /// The next day on which its position changes of itself.
    pub(crate) fn wakes_on(&self) -> Option<Day> {
        Day::from_number(self.wakes_on)
    }

    /// Enters that day.
    pub(crate) fn set_wakes_on(&mut self, wakes_on: Option<Day>) {
        self.wakes_on = wakes_on.map_or(NO_DAY, Day::number);
    }
}

/// What is kept with a loan: see [`Facts`].
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct FactsRecord {
    decision: u128,
    collateral: u128,
    model_version: u32,
    score: u32,
    region: u32,
    is_first_time_borrower: u32,
}

/// The facts, by the slots of their loans.
pub(crate) type FactsTable = PagedTable<FactsRecord, { per_page::<FactsRecord>() }>;

impl From<Facts> for FactsRecord {
    fn from(facts: Facts) -> Self {
        let Facts { decision, model_version, score, region, is_first_time_borrower, collateral } = facts;
        let is_first_time_borrower = u32::from(is_first_time_borrower);
        Self { decision, collateral, model_version, score, region, is_first_time_borrower }
    }
}

impl From<FactsRecord> for Facts {
    fn from(record: FactsRecord) -> Self {
        let FactsRecord { decision, collateral, model_version, score, region, is_first_time_borrower } =
            record;
        let is_first_time_borrower = is_first_time_borrower != 0;
        Self { decision, model_version, score, region, is_first_time_borrower, collateral }
    }
}

/// Where the fields of an order are, beside those in its record. Numbered for ever.
pub(crate) const FORM_SCROLL: u8 = 0;
/// The first draw of a loan: all else is in the loan's record, its facts and its agreement.
pub(crate) const FORM_FIRST_DRAW: u8 = 1;
/// A repayment from the loan's own account.
pub(crate) const FORM_REPAYMENT: u8 = 2;

/// An order that was taken, which is an event of its loan.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct EventRecord {
    /// The order's id.
    pub(crate) id: u128,
    /// When it was taken.
    pub(crate) stamp: Stamp,
    /// How much; of an order on the scroll, where it begins there.
    pub(crate) amount: u64,
    /// The loan's slot.
    pub(crate) loan: u32,
    /// The slot of the loan's event before it, plus one.
    pub(crate) previous: u32,
    /// The day it counts from.
    pub(crate) on: i32,
    /// Which form.
    pub(crate) form: u8,
    /// Of a repayment: where the rest goes, if it says so: its place among all choices, plus one.
    pub(crate) in_advance: u8,
    /// Of a repayment: whether it names the account.
    pub(crate) names_account: u8,
    /// Whether it was taken back.
    pub(crate) is_reversed: u8,
}

const _: () = assert!(size_of::<EventRecord>() == 48);

/// The orders, as they came.
pub(crate) type EventTable = PagedTable<EventRecord, { per_page::<EventRecord>() }>;
