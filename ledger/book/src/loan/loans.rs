//! The loans of a book: products, loans with their events, the business date, and the calendar of what changes when.

use super::bank_days::BankDays;
use super::contract::Contract;
use super::control::{Position, product_bits};
use super::event::{Event, EventId, EventKind};
use super::life::Life;
use super::money::Money;
use super::order::{Facts, LoanAct, LoanId, LoanOrder};
use super::position::{next_change, position};
use super::product::{Product, ProductId};
use super::product_status::ProductStatus;
use super::status::LoanStatus;
use crate::quantity::{AccountId, BusinessDate, Stamp};
use fen_terms::Day;
use std::collections::{BTreeMap, BTreeSet};

/// One loan.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Loan {
    /// Who it is.
    pub id: LoanId,
    /// The product it is of.
    pub product_id: ProductId,
    /// The product as it was when the loan was made; its later versions are for later loans.
    pub product_version: u32,
    /// The borrower's account.
    pub account_id: AccountId,
    /// What was agreed.
    pub contract: Contract,
    /// What is kept with it.
    pub facts: Facts,
    /// The line, where it is one.
    pub line: Option<Money>,
    /// The day the line was opened or the loan first drawn.
    pub opened_on: Day,
    /// Its events, in order of arrival, without those reversed.
    pub events: Vec<Event>,
    /// Its position, as posted.
    pub(crate) posted: Position,
    /// The day that position is as of: the business date, or in the middle of day-end the day it is on its way to.
    pub(crate) posted_as_of: Day,
    /// The principal outstanding, as counted in its product's exposure.
    pub(crate) exposure: Money,
    /// The next day on which its position changes of itself.
    pub(crate) wakes_on: Option<Day>,
}

/// A product's versions, and what its loans come to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Shelf {
    /// Every version, the newest last.
    pub(crate) versions: Vec<Product>,
    /// The sum of its loans' positions.
    pub(crate) posted: Position,
    /// The principal outstanding.
    pub(crate) exposure: Money,
    /// By borrower, what is outstanding; those with nothing left out.
    pub(crate) borrowers: BTreeMap<u128, Money>,
    /// By borrower, what of the subsidy's cap the loans have reserved; those without left out.
    pub(crate) subsidies: BTreeMap<u128, Money>,
}

impl Shelf {
    /// The version in force.
    pub(crate) fn current(&self) -> &Product {
        self.versions.last().expect("a product on the shelf has a version")
    }

    /// Whether a new version would put another funder in the place, and so the account, of one before.
    fn moves_a_funder(&self, product: &Product) -> bool {
        self.versions.iter().any(|version| {
            version.funders.iter().zip(&product.funders).any(|(before, after)| before.id != after.id)
        })
    }
}

/// See the module's words.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Loans {
    pub(crate) products: BTreeMap<ProductId, Shelf>,
    pub(crate) by_id: BTreeMap<LoanId, Loan>,
    /// Every order taken, by its event's id, and when.
    pub(crate) orders: BTreeMap<EventId, (LoanOrder, Stamp)>,
    /// The events taken back.
    pub(crate) reversed: BTreeSet<EventId>,
    /// Which loans change of themselves on which day.
    pub(crate) calendar: BTreeSet<(Day, LoanId)>,
    /// The bank's day; none before the first event.
    pub(crate) business_date: Option<Day>,
    /// When each of the bank's days began.
    pub(crate) days: BankDays,
}

/// Who borrows through an account: its upper half, or the whole id where that is zero.
pub(crate) fn customer(account: AccountId) -> u128 {
    let upper = account.get() >> 64;
    if upper == 0 { account.get() } else { upper }
}

impl Loans {
    /// The bank's day.
    pub fn business_date(&self) -> Option<BusinessDate> {
        self.business_date.map(|day| BusinessDate::new(day.number()))
    }

    /// When each of the bank's days began.
    pub fn days(&self) -> &BankDays {
        &self.days
    }

    /// The day to ask lives as of: the business date, or before the first event the first day there is.
    pub(crate) fn today(&self) -> Day {
        self.business_date.unwrap_or(Day::MIN)
    }

    /// A product, in the version in force.
    pub fn product(&self, id: ProductId) -> Option<&Product> {
        self.products.get(&id).map(Shelf::current)
    }

    /// The number of a product's version in force, from one.
    pub fn product_version(&self, id: ProductId) -> Option<u32> {
        self.products.get(&id).and_then(|shelf| u32::try_from(shelf.versions.len()).ok())
    }

    /// A loan.
    pub fn loan(&self, id: LoanId) -> Option<&Loan> {
        self.by_id.get(&id)
    }

    /// All loans, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Loan> {
        self.by_id.values()
    }

    /// The product a loan was made under, in its version.
    pub fn product_of(&self, loan: &Loan) -> &Product {
        let shelf = self.products.get(&loan.product_id).expect("a loan's product is on the shelf");
        let index = usize::try_from(loan.product_version).unwrap_or(usize::MAX).saturating_sub(1);
        shelf.versions.get(index).expect("a loan's version of its product is kept")
    }

    /// The life of a loan as of the business date.
    pub fn life<'a>(&self, loan: &'a Loan) -> Life<'a> {
        let life = Life::fold(&loan.contract, &loan.events, self.today());
        life.expect("the events of a loan were folded before they were taken")
    }

    /// An order with what it leaves out filled in: from the first time it was taken, else the loan from the event that
    /// it waives or reverses, and the day from the business date (for a charge's due day, from the event's day).
    pub(crate) fn complete(&self, order: &LoanOrder) -> LoanOrder {
        let mut order = order.clone();
        let known = self.orders.get(&order.id).map(|(known, _)| known);
        if order.loan_id == 0 {
            let of_event = match &order.act {
                LoanAct::Waive { event_id, .. } | LoanAct::Reverse { event_id } => self.orders.get(event_id),
                LoanAct::OpenLine(_)
                | LoanAct::Disburse(_)
                | LoanAct::Repay { .. }
                | LoanAct::Prepay { .. }
                | LoanAct::Charge { .. }
                | LoanAct::Chargeback { .. }
                | LoanAct::Refund { .. }
                | LoanAct::Reschedule { .. }
                | LoanAct::ChargeOff
                | LoanAct::WriteOff
                | LoanAct::Recover { .. }
                | LoanAct::Sell { .. } => None,
            };
            order.loan_id = known.or(of_event.map(|(event, _)| event)).map_or(0, |event| event.loan_id);
        }
        if order.effective_on.is_zero() {
            order.effective_on =
                known.map_or(self.business_date().unwrap_or_default(), |known| known.effective_on);
        }
        if let LoanAct::Charge { due_on, .. } = &mut order.act
            && due_on.is_zero()
        {
            *due_on = order.effective_on;
        }
        order
    }

    /// Whether a product may come on the shelf, and what hinders it.
    pub(crate) fn plan_product(&self, product: &Product) -> ProductStatus {
        let shelf = self.products.get(&product.id);
        let changes_ledger = shelf.is_some_and(|shelf| shelf.current().ledger != product.ledger);
        match product.first_contradiction() {
            Some(status) if status < ProductStatus::LedgerMustNotChange || !changes_ledger => return status,
            Some(_) | None if changes_ledger => return ProductStatus::LedgerMustNotChange,
            Some(_) | None => {}
        }
        if let Some(shelf) = shelf {
            if shelf.moves_a_funder(product) {
                return ProductStatus::FundersMustKeepTheirPlace;
            }
            if shelf.current() == product {
                return ProductStatus::Exists;
            }
            return ProductStatus::Created;
        }
        let bits = product_bits(product.id);
        if self.products.keys().any(|other| product_bits(*other) == bits) {
            return ProductStatus::IdCollides;
        }
        ProductStatus::Created
    }

    /// Puts a product on the shelf, as its first version or a further one.
    pub(crate) fn shelve(&mut self, product: &Product) {
        let shelf = self.products.entry(product.id).or_insert_with(|| Shelf {
            versions: Vec::new(),
            posted: Position::default(),
            exposure: Money::ZERO,
            borrowers: BTreeMap::new(),
            subsidies: BTreeMap::new(),
        });
        shelf.versions.push(product.clone());
    }

    /// What a loan comes to as of a day, with given events.
    pub(crate) fn outlook(&self, loan: &Loan, events: &[Event], as_of: Day) -> Result<Outlook, LoanStatus> {
        Self::outlook_of(loan, self.product_of(loan), events, as_of)
    }

    /// The same for a loan that is not in the book yet, of a given product.
    pub(crate) fn outlook_of(
        loan: &Loan,
        product: &Product,
        events: &[Event],
        as_of: Day,
    ) -> Result<Outlook, LoanStatus> {
        let life = Life::fold(&loan.contract, events, as_of)?;
        let given_up = life.charged_off.is_some() || life.sold.is_some();
        Ok(Outlook {
            position: position(&life, product, as_of),
            exposure: if given_up { Money::ZERO } else { life.outstanding().principal },
            wakes_on: next_change(&life, product, as_of),
        })
    }

    /// What a loan may claim of its subsidy after a further draw, which is the last of its events: as much more as the
    /// draw's plan asks for, within what the borrower's cap has left. What a draw has reserved stays reserved.
    pub(crate) fn subsidy_room(&self, loan: &Loan, product: &Product, on: Day) -> Result<Money, LoanStatus> {
        let room = loan.contract.subsidy_room;
        let Some(cap) = product.subsidy.and_then(|subsidy| subsidy.borrower_max) else { return Ok(room) };
        let mut unbounded = loan.contract.clone();
        unbounded.subsidy_room = Money::from_minor(super::money::MONEY_MAX);
        let planned =
            Life::fold(&unbounded, &loan.events, on)?.rows.iter().map(|row| row.subsidised).sum::<Money>();
        let reserved = self
            .products
            .get(&loan.product_id)
            .and_then(|shelf| shelf.subsidies.get(&customer(loan.account_id)));
        let left = cap - reserved.copied().unwrap_or_default();
        Ok(room + (planned - room).min(left).or_zero())
    }

    /// Enters a loan that is new or changed, and what of the borrower's subsidy it has reserved.
    pub(crate) fn keep(&mut self, loan: Loan) {
        let before = self.by_id.get(&loan.id).map_or(Money::ZERO, |loan| loan.contract.subsidy_room);
        let more = loan.contract.subsidy_room - before;
        let shelf = self.products.get_mut(&loan.product_id).expect("a loan's product is on the shelf");
        if more.is_positive() {
            *shelf.subsidies.entry(customer(loan.account_id)).or_default() += more;
        }
        self.by_id.insert(loan.id, loan);
    }

    /// Enters a loan's new outlook: its position, its product's sums, and its place in the calendar.
    pub(crate) fn settle_outlook(&mut self, id: LoanId, outlook: &Outlook, as_of: Day) {
        let Some(loan) = self.by_id.get_mut(&id) else { return };
        let shelf = self.products.get_mut(&loan.product_id).expect("a loan's product is on the shelf");
        shelf.posted.add(&outlook.position.since(&loan.posted));
        let change = outlook.exposure - loan.exposure;
        shelf.exposure += change;
        let owed = shelf.borrowers.entry(customer(loan.account_id)).or_default();
        *owed += change;
        if !owed.is_positive() {
            shelf.borrowers.remove(&customer(loan.account_id));
        }
        if let Some(day) = loan.wakes_on {
            self.calendar.remove(&(day, id));
        }
        if let Some(day) = outlook.wakes_on {
            self.calendar.insert((day, id));
        }
        loan.posted = outlook.position;
        loan.posted_as_of = as_of;
        loan.exposure = outlook.exposure;
        loan.wakes_on = outlook.wakes_on;
    }
}

/// What a loan comes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Outlook {
    pub(crate) position: Position,
    pub(crate) exposure: Money,
    pub(crate) wakes_on: Option<Day>,
}

/// The event that an order makes, if it makes one.
pub(crate) fn event_kind(act: &LoanAct, amount: Money) -> Option<EventKind> {
    let day = |date: BusinessDate| Day::from_number(date.get());
    Some(match act {
        LoanAct::Disburse(_) => EventKind::Disburse { amount },
        LoanAct::Repay { in_advance, .. } => EventKind::Repay { amount, in_advance: *in_advance },
        LoanAct::Prepay { .. } => EventKind::Prepay { amount },
        LoanAct::Charge { kind, due_on, .. } => {
            EventKind::Charge { kind: *kind, amount, due_on: day(*due_on)? }
        }
        LoanAct::Waive { forgive: Some((kind, _)), .. } => EventKind::Forgive { kind: *kind, amount },
        LoanAct::Waive { event_id, forgive: None } => EventKind::Waive { charge: *event_id },
        LoanAct::Chargeback { .. } => EventKind::Chargeback { amount },
        LoanAct::Refund { .. } => EventKind::Refund { amount },
        LoanAct::Reschedule { first_due_on: Some(first_due_on), periods, rate, .. } => {
            EventKind::Restructure { first_due_on: day(*first_due_on)?, periods: (*periods)?, rate: *rate }
        }
        LoanAct::Reschedule { shift: Some((from, to)), .. } => {
            EventKind::ShiftDueDate { from: day(*from)?, to: day(*to)? }
        }
        LoanAct::Reschedule { rate: Some(rate), .. } => EventKind::ChangeRate { rate: *rate },
        LoanAct::Reschedule { periods: Some(periods), .. } => EventKind::ChangePeriods { periods: *periods },
        LoanAct::ChargeOff => EventKind::ChargeOff,
        LoanAct::WriteOff => EventKind::WriteOff,
        LoanAct::Recover { .. } => EventKind::Recover { amount },
        LoanAct::Sell { owner } => EventKind::Sell { owner: *owner },
        LoanAct::OpenLine(_)
        | LoanAct::Reverse { .. }
        | LoanAct::Reschedule { shift: None, rate: None, periods: None, first_due_on: None } => return None,
    })
}
