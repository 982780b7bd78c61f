//! The loan side as a checkpoint holds it: the products, the orders that were taken, and the dates. All else (lives,
//! positions, sums, the calendar) follows from them and is made anew.

use super::bank_days::BankDays;
use super::codec::{Reader, Writer};
use super::control::Position;
use super::event::Event;
use super::loans::{Loan, Loans, event_kind};
use super::money::Money;
use super::order::{LoanAct, LoanId, LoanOrder, Opening};
use crate::quantity::Stamp;
use fen_terms::Day;
use std::collections::BTreeMap;

impl Writer {
    fn count(&mut self, count: usize) {
        self.u32(u32::try_from(count).unwrap_or(u32::MAX));
    }
}

impl Loans {
    /// The loan side as bytes; none for a book without products.
    pub fn to_bytes(&self) -> Vec<u8> {
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
        }
        writer.count(self.by_id.len());
        for loan in self.by_id.values() {
            writer.u128(loan.id);
            writer.u32(loan.product_version);
            writer.i32(loan.posted_as_of.number());
        }
        let mut orders: Vec<&(LoanOrder, Stamp)> = self.orders.values().collect();
        orders.sort_by_key(|(_, stamp)| *stamp);
        writer.count(orders.len());
        for (order, stamp) in orders {
            writer.u64(stamp.get());
            writer.order(order);
        }
        writer.bytes
    }

    /// The loan side of some bytes.
    ///
    /// # Errors
    /// In words, where they are not what [`Loans::to_bytes`] makes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let mut reader = Reader::new(bytes);
        if reader.is_at_end() {
            return Ok(Self::default());
        }
        let loans = Self::read(&mut reader);
        loans.filter(|_| reader.is_at_end()).ok_or_else(|| "the loans of the checkpoint make no sense".into())
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let mut loans = Self { business_date: Day::from_number(reader.i32()?), ..Self::default() };
        let mut begun = Vec::new();
        for _ in 0..reader.u32()? {
            begun.push((Day::from_number(reader.i32()?)?, Stamp::new(reader.u64()?)));
        }
        loans.days = BankDays::restore(begun)?;
        for _ in 0..reader.u32()? {
            for _ in 0..reader.u32()? {
                loans.shelve(&reader.product()?);
            }
        }
        let mut made: BTreeMap<LoanId, (u32, Day)> = BTreeMap::new();
        for _ in 0..reader.u32()? {
            made.insert(reader.u128()?, (reader.u32()?, Day::from_number(reader.i32()?)?));
        }
        for _ in 0..reader.u32()? {
            let stamp = Stamp::new(reader.u64()?);
            loans.retake(reader.order()?, stamp, &made)?;
        }
        for (id, (_, as_of)) in made {
            let loan = loans.by_id.get(&id)?;
            let outlook = loans.outlook(loan, &loan.events, as_of).ok()?;
            loans.settle_outlook(id, &outlook, as_of);
        }
        Some(loans)
    }

    /// Takes an order that was taken before: no rule is asked, nothing is posted.
    fn retake(&mut self, order: LoanOrder, stamp: Stamp, made: &BTreeMap<LoanId, (u32, Day)>) -> Option<()> {
        if !self.by_id.contains_key(&order.loan_id) {
            let (LoanAct::OpenLine(opening) | LoanAct::Disburse(opening)) = &order.act else { return None };
            let loan = self.remade(&order, opening, made.get(&order.loan_id)?.0)?;
            self.keep(loan);
        }
        let loan = self.by_id.get_mut(&order.loan_id)?;
        if let LoanAct::Reverse { event_id } = order.act {
            loan.events.retain(|event| event.id != event_id);
            self.reversed.insert(event_id);
        }
        let amount = order.act.amount().map_or(Some(Money::ZERO), Money::from_amount)?;
        if let Some(kind) = event_kind(&order.act, amount) {
            let effective_on = Day::from_number(order.effective_on.get())?;
            loan.events.push(Event { id: order.id, effective_on, sequence: stamp.get(), kind });
        }
        if matches!(order.act, LoanAct::Disburse(_)) {
            let mut loan = self.by_id.get(&order.loan_id)?.clone();
            let on = Day::from_number(order.effective_on.get())?;
            loan.contract.subsidy_room = self.subsidy_room(&loan, self.product_of(&loan), on).ok()?;
            self.keep(loan);
        }
        self.orders.insert(order.id, (order, stamp));
        Some(())
    }

    fn remade(&self, order: &LoanOrder, opening: &Opening, product_version: u32) -> Option<Loan> {
        let shelf = self.products.get(&opening.product_id)?;
        let index = usize::try_from(product_version).ok()?.checked_sub(1)?;
        let is_line = matches!(order.act, LoanAct::OpenLine(_));
        let line = if is_line { Some(Money::from_amount(opening.amount)?) } else { None };
        Some(Loan {
            id: order.loan_id,
            product_id: opening.product_id,
            product_version,
            account_id: opening.account_id,
            contract: shelf.versions.get(index)?.contract(&opening.terms).ok()?,
            facts: opening.facts,
            line,
            opened_on: Day::from_number(order.effective_on.get())?,
            events: Vec::new(),
            posted: Position::default(),
            posted_as_of: Day::MIN,
            exposure: Money::ZERO,
            wakes_on: None,
        })
    }
}
