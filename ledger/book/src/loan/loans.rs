//! The loans of a book: products, the register of loans, and the business date.

use super::bank_days::BankDays;
use super::contract::Contract;
use super::control::{ControlSlots, Position, ROLES, Role, control_account, controlled, product_bits};
use super::course::{Course, Ordinary};
use super::event::{Event, EventId, EventKind};
use super::life::Life;
use super::money::Money;
use super::order::{Facts, LoanAct, LoanId, LoanOrder, Opening, Reschedule};
use super::position::{next_change, position};
use super::product::{PRODUCTS_MAX, Product, ProductId};
use super::product_status::ProductStatus;
use super::register::{Line, LoanRecord, LoanSlot, Register, customer, wide};
use super::status::LoanStatus;
use super::unbilled::{Accruals, Unbilled};
use crate::accounts::Accounts;
use crate::quantity::{AccountId, AccountSlot, BusinessDate, Stamp};
use fen_terms::Day;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// One loan with its events: what is folded. A loan on its ordinary course is told so only when asked for.
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
    /// Whether it was a line whose opening was taken back.
    pub is_cancelled: bool,
    /// The day the line was opened or the loan first drawn.
    pub opened_on: Day,
    /// Its events, in order of arrival, without those reversed.
    pub events: Vec<Event>,
    /// Its position, as posted.
    pub(crate) posted: Position,
    /// What it earns before it is billed, as it is in its product's sums.
    pub(crate) unbilled: Unbilled,
}

/// A product's versions, and what its loans come to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Shelf {
    /// Every version, the newest last.
    pub(crate) versions: Vec<Product>,
    /// Where its control accounts are.
    pub(crate) controls: ControlSlots,
    /// The sum of its loans' positions.
    pub(crate) posted: Position,
    /// The principal outstanding.
    pub(crate) exposure: Money,
    /// How many borrowers have something outstanding.
    pub(crate) borrowers: u32,
    /// By borrower, what of the subsidy's cap the loans have reserved; those without left out.
    pub(crate) subsidies: BTreeMap<u128, Money>,
    /// What its loans have earned and not billed.
    pub(crate) accruals: Accruals,
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
#[derive(Default)]
pub struct Loans {
    pub(crate) products: BTreeMap<ProductId, Shelf>,
    /// How the products are told in the ids of their control accounts.
    pub(crate) product_bits: BTreeSet<u64>,
    /// Products that did not come into force because an account is open under the id of one of their control accounts.
    /// At most as many as there are such accounts.
    pub(crate) withheld: BTreeSet<ProductId>,
    pub(crate) register: Register,
    /// The bank's day; none before the first event.
    pub(crate) business_date: Option<Day>,
    /// When each of the bank's days began.
    pub(crate) days: BankDays,
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

    /// Whether an account is a control account of one of the products.
    #[inline]
    pub fn controls(&self, account: AccountId) -> bool {
        controlled(account).is_some_and(|bits| self.product_bits.contains(&bits))
    }

    /// The number of a product's version in force, from one.
    pub fn product_version(&self, id: ProductId) -> Option<u32> {
        self.products.get(&id).and_then(|shelf| u32::try_from(shelf.versions.len()).ok())
    }

    /// How many loans there are.
    pub fn len(&self) -> usize {
        self.register.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.register.len() == 0
    }

    /// How many of the loans run no ordinary course, and are folded from their events each time.
    pub fn folded_count(&self) -> usize {
        self.register.folded.len()
    }

    /// Whether there is a loan of that id.
    pub fn holds(&self, id: LoanId) -> bool {
        self.register.slot_of(id).is_some()
    }

    /// A loan with its events.
    pub fn loan(&self, id: LoanId, accounts: &Accounts) -> Option<Cow<'_, Loan>> {
        self.register.slot_of(id).map(|slot| self.loan_at(slot, accounts))
    }

    /// All loans, in the order in which they were made.
    pub fn iter<'a>(&'a self, accounts: &'a Accounts) -> impl Iterator<Item = Cow<'a, Loan>> {
        self.register.slots().map(|slot| self.loan_at(slot, accounts))
    }

    /// The loan in a slot, with its events.
    pub(crate) fn loan_at(&self, slot: LoanSlot, accounts: &Accounts) -> Cow<'_, Loan> {
        match self.register.folded.get(&slot) {
            Some(loan) => Cow::Borrowed(loan),
            None => Cow::Owned(self.loan_of_record(slot, accounts)),
        }
    }

    /// A loan as its record, its agreement and its orders tell it; with its position, where it runs a course.
    pub(crate) fn loan_of_record(&self, slot: LoanSlot, accounts: &Accounts) -> Loan {
        let record = self.register.record(slot);
        let agreed = self.register.agreed(slot);
        let mut contract = agreed.contract.clone();
        contract.subsidy_room = record.subsidy_room();
        let run = self.register.run(slot).map(|run| (run.position(), run.unbilled()));
        let is_on_course = run.is_some();
        let (posted, unbilled) = run.unwrap_or_default();
        let line = if is_on_course { Line::None } else { self.register.line_of(slot, accounts) };
        let opened_on = self.register.first_event(slot).map(|event| self.register.events.record(event).on);
        Loan {
            id: record.id,
            product_id: agreed.product_id,
            product_version: agreed.version,
            account_id: accounts.get(record.account).id,
            contract,
            facts: (*self.register.facts.get(wide(slot))).into(),
            line: match line {
                Line::Open(amount) => Some(amount),
                Line::None | Line::Cancelled => None,
            },
            is_cancelled: line == Line::Cancelled,
            opened_on: opened_on.and_then(Day::from_number).unwrap_or(Day::MIN),
            events: self.register.events_of(slot, accounts),
            posted,
            unbilled,
        }
    }

    /// A product in one of its versions.
    pub(crate) fn version(&self, product_id: ProductId, version: u32) -> &Product {
        let shelf = self.products.get(&product_id).expect("a loan's product is on the shelf");
        let index = usize::try_from(version).unwrap_or(usize::MAX).saturating_sub(1);
        shelf.versions.get(index).expect("a loan's version of its product is kept")
    }

    /// The product a loan was made under, in its version.
    pub fn product_of(&self, loan: &Loan) -> &Product {
        self.version(loan.product_id, loan.product_version)
    }

    /// An order that was taken, and when.
    pub fn order(&self, id: EventId, accounts: &Accounts) -> Option<(LoanOrder, Stamp)> {
        let event = self.register.events.find(id)?;
        Some((self.register.order_at(event, accounts), self.register.events.record(event).stamp))
    }

    /// The life of a loan as of the business date.
    pub fn life<'a>(&self, loan: &'a Loan) -> Life<'a> {
        let life = Life::fold(&loan.contract, &loan.events, self.today());
        life.expect("the events of a loan were folded before they were taken")
    }

    /// Fills in what an order leaves out: from the first time it was taken, else the loan from the event that it waives
    /// or reverses, and the day from the business date (for a charge's due day, from the event's day).
    pub(crate) fn complete(&self, order: &mut LoanOrder) {
        let taken =
            |id: EventId| self.register.events.find(id).map(|event| self.register.events.record(event));
        if order.loan_id == 0 {
            let of_event = order.act.event().and_then(taken);
            let event = taken(order.id).or(of_event);
            order.loan_id = event.map_or(0, |event| self.register.record(event.loan).id);
        }
        if order.effective_on.is_zero() {
            order.effective_on = taken(order.id)
                .map_or(self.business_date().unwrap_or_default(), |known| BusinessDate::new(known.on));
        }
        if let LoanAct::Charge { due_on, .. } = &mut order.act
            && due_on.is_zero()
        {
            *due_on = order.effective_on;
        }
    }

    /// Whether a product may come on the shelf, and what hinders it.
    pub(crate) fn plan_product(&self, product: &Product, accounts: &Accounts) -> ProductStatus {
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
        if self.product_bits.contains(&product_bits(product.id)) {
            return ProductStatus::IdCollides;
        }
        if self.products.len() >= PRODUCTS_MAX {
            return ProductStatus::TooManyProducts;
        }
        let is_open = |role: &Role| accounts.slot_of(control_account(product.id, *role)).is_some();
        if Role::ALL.iter().any(is_open) {
            return ProductStatus::ControlAccountExists;
        }
        ProductStatus::Created
    }

    /// Puts a product on the shelf, as its first version or a further one; `None` where a control account is missing.
    pub(crate) fn shelve(&mut self, product: &Product, accounts: &Accounts) -> Option<()> {
        let mut controls = [AccountSlot::ZERO; ROLES];
        for (slot, role) in controls.iter_mut().zip(Role::ALL) {
            *slot = accounts.slot_of(control_account(product.id, *role))?;
        }
        self.product_bits.insert(product_bits(product.id));
        let shelf = self.products.entry(product.id).or_insert_with(|| Shelf {
            versions: Vec::new(),
            controls,
            posted: Position::default(),
            exposure: Money::ZERO,
            borrowers: 0,
            subsidies: BTreeMap::new(),
            accruals: Accruals::default(),
        });
        shelf.versions.push(product.clone());
        Some(())
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
        let ordinary = if loan.line.is_none() { Ordinary::of(&loan.contract, product) } else { None };
        Ok(Outlook {
            position: position(&life, product, as_of),
            exposure: if given_up { Money::ZERO } else { life.outstanding().principal },
            wakes_on: next_change(&life, product, as_of),
            course: ordinary.and_then(|ordinary| Course::of_life(&life, &ordinary, as_of)),
            unbilled: life.unbilled(product, as_of),
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

    /// Notes what a loan has reserved of its borrower's subsidy.
    pub(crate) fn reserve_subsidy(&mut self, product_id: ProductId, account_id: AccountId, more: Money) {
        let shelf = self.products.get_mut(&product_id).expect("a loan's product is on the shelf");
        if more.is_positive() {
            *shelf.subsidies.entry(customer(account_id)).or_default() += more;
        }
    }

    /// Opens a record for the loan that an order makes.
    pub(crate) fn open(&mut self, order: &LoanOrder, accounts: &Accounts) -> LoanSlot {
        let opening = opening_of(order);
        let account = accounts.slot_of(opening.account_id).expect("a plan knows the borrower's account");
        let shelf = self.products.get(&opening.product_id).expect("a plan knows the product");
        let version = u32::try_from(shelf.versions.len()).unwrap_or(u32::MAX);
        let agreed = self.register.agreements.keep(shelf.current(), version, &opening.terms);
        self.open_agreed(order, agreed, account)
    }

    /// The same where the agreement is known.
    pub(crate) fn open_agreed(&mut self, order: &LoanOrder, agreed: u32, account: AccountSlot) -> LoanSlot {
        let record = LoanRecord::new(order.loan_id, account, agreed);
        self.register.add(record, opening_of(order).facts.into())
    }

    /// Enters the new outlook of a loan that was folded: its position, its product's sums, its place in the calendar;
    /// and that it is on course again, where it is.
    pub(crate) fn settle(
        &mut self,
        slot: LoanSlot,
        mut loan: Loan,
        outlook: &Outlook,
        as_of: Day,
        accounts: &Accounts,
    ) {
        let change = outlook.position.since(&loan.posted);
        self.accrue_otherwise(loan.product_id, &loan.unbilled, &outlook.unbilled);
        let before = *self.register.record(slot);
        let record = self.register.records.get_mut(wide(slot));
        record.set_wakes_on(outlook.wakes_on);
        if let Some(course) = &outlook.course {
            record.set_course(course);
            self.register.folded.remove(&slot);
        } else {
            let more = loan.contract.subsidy_room - record.subsidy_room();
            record.set_folded(outlook.exposure, as_of, loan.contract.subsidy_room);
            loan.posted = outlook.position;
            loan.unbilled = outlook.unbilled.clone();
            let (product_id, account_id) = (loan.product_id, loan.account_id);
            self.register.folded.insert(slot, loan);
            self.reserve_subsidy(product_id, account_id, more);
        }
        self.enter(slot, &before, &change, accounts);
    }

    /// Carries a loan's course on: the same for a loan that was not folded.
    pub(crate) fn proceed(
        &mut self,
        slot: LoanSlot,
        (course, wakes_on): (&Course, Option<Day>),
        change: &Position,
        (earned_before, earns): (&Unbilled, &Unbilled),
        accounts: &Accounts,
    ) {
        let product_id = self.register.agreed(slot).product_id;
        self.accrue_otherwise(product_id, earned_before, earns);
        let before = *self.register.record(slot);
        let record = self.register.records.get_mut(wide(slot));
        record.set_course(course);
        record.set_wakes_on(wakes_on);
        self.enter(slot, &before, change, accounts);
    }

    /// A loan earns otherwise than before.
    fn accrue_otherwise(&mut self, product_id: ProductId, before: &Unbilled, after: &Unbilled) {
        let shelf = self.products.get_mut(&product_id).expect("a loan's product is on the shelf");
        shelf.accruals.shift(before, after);
    }

    fn enter(&mut self, slot: LoanSlot, before: &LoanRecord, change: &Position, accounts: &Accounts) {
        let borrowers = self.register.follow(slot, before, accounts);
        let owed = self.register.record(slot).owed();
        let product_id = self.register.agreed(slot).product_id;
        let shelf = self.products.get_mut(&product_id).expect("a loan's product is on the shelf");
        shelf.posted.add(change);
        shelf.exposure += owed - before.owed();
        let count = shelf.borrowers.checked_add_signed(borrowers);
        shelf.borrowers = count.expect("a borrower who goes had come");
    }

    /// The first day on which a loan changes of itself.
    pub(crate) fn first_wake(&mut self) -> Option<Day> {
        let records = &self.register.records;
        self.register.calendar.first_day(|slot| records.get(wide(slot)).wakes_on())
    }

    /// At most `room` loans that change of themselves on a day.
    pub(crate) fn wake(&mut self, day: Day, room: usize) -> Vec<LoanSlot> {
        let records = &self.register.records;
        self.register.calendar.take(day, room, |slot| records.get(wide(slot)).wakes_on())
    }
}

fn opening_of(order: &LoanOrder) -> &Opening {
    let (LoanAct::OpenLine(opening) | LoanAct::Disburse(opening)) = &order.act else {
        panic!("only a line's opening or a draw makes a loan")
    };
    opening
}

/// What a loan comes to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Outlook {
    pub(crate) position: Position,
    pub(crate) exposure: Money,
    pub(crate) wakes_on: Option<Day>,
    /// Its course, if it has come to nothing out of the ordinary.
    pub(crate) course: Option<Course>,
    /// What it earns before it is billed.
    pub(crate) unbilled: Unbilled,
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
        LoanAct::Reschedule(change) => rescheduled(change)?,
        LoanAct::ChargeOff => EventKind::ChargeOff,
        LoanAct::WriteOff => EventKind::WriteOff,
        LoanAct::Recover { .. } => EventKind::Recover { amount },
        LoanAct::Sell { owner } => EventKind::Sell { owner: *owner },
        LoanAct::OpenLine(_) | LoanAct::Reverse { .. } => return None,
    })
}

/// The event that a change of the schedule makes; `None` where it names nothing.
fn rescheduled(change: &Reschedule) -> Option<EventKind> {
    let day = |date: BusinessDate| Day::from_number(date.get());
    let Reschedule { shift, rate, periods, first_due_on, period, is_reamortisation } = *change;
    Some(if is_reamortisation {
        EventKind::Reamortise
    } else if let Some(first_due_on) = first_due_on {
        EventKind::Restructure { first_due_on: day(first_due_on)?, periods: periods?, rate, period }
    } else if let Some((from, to)) = shift {
        EventKind::ShiftDueDate { from: day(from)?, to: day(to)? }
    } else if let Some(rate) = rate {
        EventKind::ChangeRate { rate }
    } else {
        EventKind::ChangePeriods { periods: periods? }
    })
}
