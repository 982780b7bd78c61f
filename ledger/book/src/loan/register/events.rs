//! The orders that were taken, by their ids: 48 bytes each, and a scroll for those that do not fit.

use super::super::allocation::InAdvance;
use super::super::codec::{Reader, Writer};
use super::super::event::EventId;
use super::super::order::{LoanAct, LoanOrder};
use super::record::{EventRecord, EventTable};
use super::scroll::Scroll;
use crate::bank_ids::Highest;
use crate::quantity::{AccountId, Amount};
use crate::slots::{SlotIndex, hash_of};

/// See the module's words.
pub(crate) struct Events {
    pub(crate) table: EventTable,
    pub(crate) scroll: Scroll,
    index: SlotIndex,
    highest: Highest,
}

impl Default for Events {
    fn default() -> Self {
        Self {
            table: EventTable::new(),
            scroll: Scroll::default(),
            index: SlotIndex::with_capacity(0),
            highest: Highest::default(),
        }
    }
}

fn wide(slot: u32) -> usize {
    usize::try_from(slot).unwrap_or(usize::MAX)
}

/// An amount of a loan event, which [`MONEY_MAX`](super::super::money::MONEY_MAX) bounds.
pub(super) fn narrow(amount: Amount) -> u64 {
    u64::try_from(amount.get()).expect("an amount of a loan event is bounded")
}

/// A choice's place among all, plus one; zero for none.
pub(super) fn place_of(in_advance: Option<InAdvance>) -> u8 {
    let place = in_advance.and_then(|choice| InAdvance::ALL.iter().position(|other| *other == choice));
    place.and_then(|place| u8::try_from(place.saturating_add(1)).ok()).unwrap_or(0)
}

/// The act of a repayment that its record holds whole.
pub(super) fn repayment(taken: &EventRecord, own_account: AccountId) -> LoanAct {
    let choice = usize::from(taken.in_advance).checked_sub(1);
    LoanAct::Repay {
        account_id: if taken.names_account == 0 { AccountId::ZERO } else { own_account },
        amount: Amount::new(u128::from(taken.amount)),
        in_advance: choice.and_then(|place| InAdvance::ALL.get(place).copied()),
    }
}

impl Events {
    /// The records of a checkpoint, and the scroll; the index is made anew.
    pub(super) fn restore(table: EventTable, scroll: Scroll) -> Self {
        let mut index = SlotIndex::with_capacity(table.len());
        let mut highest = Highest::default();
        for (slot, taken) in (0_u32..).zip(table.iter()) {
            index.insert(hash_of(taken.id), slot);
            highest.note(taken.id);
        }
        Self { table, scroll, index, highest }
    }

    /// Where an order is.
    pub(crate) fn find(&self, id: EventId) -> Option<u32> {
        if self.highest.is_below(id) {
            return None;
        }
        self.index.find(hash_of(id), |slot| self.table.get(wide(slot)).id == id)
    }

    /// Looks ahead: the entry at an order's home in the index, which it will be looked for or entered at.
    pub(crate) fn peek(&self, id: EventId) -> u64 {
        self.index.peek(hash_of(id))
    }

    /// The record of an order.
    pub(crate) fn record(&self, slot: u32) -> &EventRecord {
        self.table.get(wide(slot))
    }

    /// An order whose fields are on the scroll.
    pub(super) fn on_scroll(&self, taken: &EventRecord) -> LoanOrder {
        let read = u32::try_from(taken.amount).ok().and_then(|place| self.scroll.read(place));
        let order = read.and_then(|(bytes, _)| Reader::new(&bytes).order());
        order.expect("what is on the scroll was written as an order")
    }

    /// Writes an order onto the scroll.
    pub(super) fn write(&mut self, order: &LoanOrder) -> u32 {
        let mut writer = Writer::default();
        writer.order(order);
        self.scroll.write(&writer.bytes)
    }

    /// Adds a record.
    pub(super) fn add(&mut self, taken: EventRecord) -> u32 {
        let slot = u32::try_from(self.table.push(taken)).expect("a shard takes fewer than 2^32 loan orders");
        self.index.insert(hash_of(taken.id), slot);
        self.highest.note(taken.id);
        slot
    }

    /// Marks an order as taken back.
    pub(crate) fn reverse(&mut self, slot: u32) {
        self.table.get_mut(wide(slot)).is_reversed = 1;
    }
}
