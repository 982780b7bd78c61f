//! What the book can answer by itself: accounts, and the young end of the journal.
//!
//! The storage asks these first and then goes on in the sealed segments, bounded by the first young record.

use crate::account::{Account, Balances};
use crate::accounts::{shown, wide};
use crate::book::Book;
use crate::command::{AccountFilter, BalanceLine, OpenPending, QueryFilter};
use crate::journal::Chunk;
use crate::quantity::{AccountId, AccountSlot, RecordNumber, STAMP_MAX, Stamp};
use crate::transfer::{Transfer, TransferFlags};
use core::ops::{ControlFlow, Range};
use std::collections::BTreeMap;

/// An inclusive range of stamps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StampRange {
    /// The first.
    pub min: Stamp,
    /// The last.
    pub max: Stamp,
}

impl StampRange {
    /// The range that a filter asks for; `None` where it can hold nothing: a stamp out of range, or `min` above
    /// `max`. Zero is no bound.
    pub fn asked(min: Stamp, max: Stamp) -> Option<Self> {
        let is_sound = |stamp: Stamp| stamp.is_zero() || stamp.is_in_range();
        if !is_sound(min) || !is_sound(max) {
            return None;
        }
        let max = if max.is_zero() { STAMP_MAX } else { max };
        (min <= max).then_some(Self { min, max })
    }

    /// Whether a stamp lies in it.
    pub fn holds(self, stamp: Stamp) -> bool {
        self.min <= stamp && stamp <= self.max
    }
}

/// Zero in a filter is no test.
fn passes<T: PartialEq + Default + Copy>(wanted: T, actual: T) -> bool {
    wanted == T::default() || wanted == actual
}

impl AccountFilter {
    /// The stamps asked for; `None` where the filter can find nothing.
    pub fn range(&self) -> Option<StampRange> {
        let finds = !self.account_id.is_zero() && !self.account_id.is_max() && self.limit > 0;
        if !finds || !(self.debits || self.credits) {
            return None;
        }
        StampRange::asked(self.timestamp_min, self.timestamp_max)
    }

    /// Whether a journal record is a transfer that is asked for, its stamp apart.
    pub fn matches(&self, record: &Transfer) -> bool {
        let side = (self.debits && record.debit_account_id == self.account_id)
            || (self.credits && record.credit_account_id == self.account_id);
        side && record.is_transfer()
            && passes(self.user_data_128, record.user_data_128)
            && passes(self.user_data_64, record.user_data_64)
            && passes(self.user_data_32, record.user_data_32)
            && passes(self.code, record.code.get())
    }
}

impl QueryFilter {
    /// The stamps asked for; `None` where the filter can find nothing.
    pub fn range(&self) -> Option<StampRange> {
        if self.limit == 0 {
            return None;
        }
        StampRange::asked(self.timestamp_min, self.timestamp_max)
    }

    /// Whether an account is asked for, its stamp apart.
    pub fn matches_account(&self, account: &Account) -> bool {
        passes(self.user_data_128, account.user_data_128)
            && passes(self.user_data_64, account.user_data_64)
            && passes(self.user_data_32, account.user_data_32)
            && passes(self.ledger, account.ledger.get())
            && passes(self.code, account.code.get())
    }

    /// Whether a journal record is a transfer that is asked for, its stamp apart.
    pub fn matches_transfer(&self, record: &Transfer) -> bool {
        record.is_transfer()
            && passes(self.user_data_128, record.user_data_128)
            && passes(self.user_data_64, record.user_data_64)
            && passes(self.user_data_32, record.user_data_32)
            && passes(self.ledger, record.ledger.get())
            && passes(self.code, record.code.get())
    }
}

/// One entry of an account.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Its place in the journal.
    pub number: RecordNumber,
    /// The transfer.
    pub record: Transfer,
    /// The account's balances after it.
    pub balances: Balances,
}

/// An account and what is reserved on it, at one moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Position {
    /// The account.
    pub account: Account,
    /// How far it may go beyond its flag's rule.
    pub limit: crate::Amount,
    /// Its open pending transfers, oldest first.
    pub pendings: Vec<OpenPending>,
}

impl Book {
    /// The account with this id, as a client sees it.
    pub fn account(&self, id: AccountId) -> Option<Account> {
        self.accounts.slot_of(id).map(|slot| shown(self.accounts.get(slot)))
    }

    /// The account with this id and all that is reserved on it, in one read.
    pub fn position(&self, id: AccountId) -> Option<Position> {
        let slot = self.accounts.slot_of(id)?;
        let open = |pending: &crate::pendings::Pending| OpenPending {
            id: pending.transfer.id,
            amount: pending.transfer.amount,
            expires_at: pending.expires_at().unwrap_or(Stamp::ZERO),
        };
        Some(Position {
            account: shown(self.accounts.get(slot)),
            limit: self.accounts.limit(slot),
            pendings: self.pendings.of_account(slot).map(open).collect(),
        })
    }

    /// Accounts that pass the filter, by stamp.
    pub fn query_accounts(&self, filter: &QueryFilter) -> Vec<Account> {
        let Some(range) = filter.range() else { return Vec::new() };
        let slots = self.accounts.slot_at_stamp(range.min)
            ..self.accounts.slot_at_stamp(Stamp::new(range.max.get().saturating_add(1)));
        let limit = usize::try_from(filter.limit).unwrap_or(usize::MAX);
        let account = |slot: usize| self.accounts.table.get(slot);
        let wanted = |slot: &usize| filter.matches_account(account(*slot));
        if filter.reversed {
            slots.rev().filter(wanted).take(limit).map(|slot| shown(account(slot))).collect()
        } else {
            slots.filter(wanted).take(limit).map(|slot| shown(account(slot))).collect()
        }
    }

    /// Young transfers that pass the filter, by stamp, at most `filter.limit`.
    pub fn query_young_transfers(&self, filter: &QueryFilter) -> Vec<Transfer> {
        let Some(range) = filter.range() else { return Vec::new() };
        self.collect_young(filter.reversed, filter.limit, |record| {
            range.holds(record.timestamp) && filter.matches_transfer(record)
        })
    }

    /// Young transfers of one account that pass the filter, by stamp, at most `filter.limit`.
    pub fn young_account_transfers(&self, filter: &AccountFilter) -> Vec<Transfer> {
        let Some(range) = filter.range() else { return Vec::new() };
        self.collect_young(filter.reversed, filter.limit, |record| {
            range.holds(record.timestamp) && filter.matches(record)
        })
    }

    fn collect_young(&self, reversed: bool, limit: u32, wanted: impl Fn(&Transfer) -> bool) -> Vec<Transfer> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        if reversed {
            let newest_first = self.young.chunks().rev().flat_map(|chunk| chunk.records.iter().rev());
            newest_first.filter(|record| wanted(record)).take(limit).copied().collect()
        } else {
            let oldest_first = self.young.chunks().flat_map(|chunk| chunk.records.iter());
            oldest_first.filter(|record| wanted(record)).take(limit).copied().collect()
        }
    }

    /// The balances after each young transfer of one account that passes the filter.
    pub fn young_account_balances(&self, filter: &AccountFilter) -> Vec<BalanceLine> {
        let line = |entry: Entry| BalanceLine { timestamp: entry.record.timestamp, balances: entry.balances };
        let numbers = RecordNumber::ZERO..RecordNumber::MAX;
        self.young_entries(filter, &numbers, |_| true).into_iter().map(line).collect()
    }

    /// The young transfers of one account that pass the filter, have one of these numbers and are `wanted`, each with
    /// the account's balances after it.
    pub fn young_entries(
        &self,
        filter: &AccountFilter,
        numbers: &Range<RecordNumber>,
        wanted: impl Fn(&Transfer) -> bool,
    ) -> Vec<Entry> {
        let (Some(range), Some(slot)) = (filter.range(), self.accounts.slot_of(filter.account_id)) else {
            return Vec::new();
        };
        let limit = usize::try_from(filter.limit).unwrap_or(usize::MAX);
        let mut entries = Vec::new();
        let mut take = |number, record: &Transfer, balances| {
            let is_asked = numbers.contains(&number) && range.holds(record.timestamp);
            if entries.len() < limit && is_asked && filter.matches(record) && wanted(record) {
                entries.push(Entry { number, record: *record, balances });
            }
            if entries.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        };
        if filter.reversed {
            // Back from what the account has now: a page costs the records behind its last entry.
            let mut closing = self.accounts.get(slot).balances();
            for chunk in self.young.chunks().rev() {
                match (Follow { chunk, slot }).lines_back(closing, &mut take) {
                    ControlFlow::Continue(opening) => closing = opening,
                    ControlFlow::Break(()) => break,
                }
            }
        } else {
            for chunk in self.young.chunks() {
                if (Follow { chunk, slot }).lines(&mut take).is_break() {
                    break;
                }
            }
        }
        entries
    }

    /// The number of the first young record; that of the next record, where there is none.
    pub fn first_young(&self) -> RecordNumber {
        self.young.chunks().next().map_or(self.young.next_number(), Chunk::first)
    }

    /// What an account had before a record, as far as young records tell: `None` for an older one.
    pub fn young_balances_before(&self, slot: AccountSlot, number: RecordNumber) -> Option<Balances> {
        if number < self.first_young() {
            return None;
        }
        for chunk in self.young.chunks() {
            let records = u64::try_from(chunk.records.len()).unwrap_or(u64::MAX);
            let behind = chunk.first().get().saturating_add(records);
            if behind <= number.get() {
                continue;
            }
            let Some(touch) = chunk.touches.iter().find(|touch| touch.slot == slot) else { continue };
            let mut before = touch.opening;
            if chunk.first() < number {
                // Broken off or not, it is what it had at the last entry before.
                let _until = (Follow { chunk, slot }).lines(&mut |at, _: &Transfer, balances| {
                    if at >= number {
                        return ControlFlow::Break(());
                    }
                    before = balances;
                    ControlFlow::Continue(())
                });
            }
            return Some(before);
        }
        Some(self.accounts.get(slot).balances())
    }

    /// Calls `note` with what each account had before a record, of those with an entry in the young records from it
    /// on; one account may come several times, the first counts.
    pub fn young_standing(&self, number: RecordNumber, mut note: impl FnMut(AccountSlot, Balances)) {
        for chunk in self.young.chunks() {
            let passed =
                usize::try_from(number.get().saturating_sub(chunk.first().get())).unwrap_or(usize::MAX);
            if passed >= chunk.records.len() {
                continue;
            }
            let mut standing: BTreeMap<AccountSlot, Balances> =
                chunk.touches.iter().map(|touch| (touch.slot, touch.opening)).collect();
            let mut part_posts = chunk.part_posts.iter().peekable();
            for (position, (record, slots)) in chunk.records.iter().zip(&chunk.slots).enumerate().take(passed)
            {
                let part = part_posts.next_if(|part| wide(AccountSlot::new(part.position)) == position);
                let released = part.map_or(record.amount, |part| part.pending_amount);
                for (side, slot) in slots.iter().enumerate() {
                    if let Some(balances) = standing.get_mut(slot) {
                        post(balances, side, record, released);
                    }
                }
            }
            for (slot, balances) in standing {
                note(slot, balances);
            }
        }
    }

    /// The young record with that number.
    pub fn young_record(&self, number: RecordNumber) -> Option<&Transfer> {
        let chunk = self.young.chunks().rev().find(|chunk| chunk.first() <= number)?;
        let position = number.get().saturating_sub(chunk.first().get());
        chunk.records.get(usize::try_from(position).ok()?)
    }

    /// The number of the first record with a stamp at or above the given one, as far as young records tell: `None`
    /// where an older one may have it.
    pub fn young_number_at_stamp(&self, stamp: Stamp) -> Option<RecordNumber> {
        let is_below = |record: &Transfer| record.timestamp < stamp;
        let mut found = None;
        for chunk in self.young.chunks() {
            let position = chunk.records.partition_point(is_below);
            if position > 0 {
                let position = u64::try_from(position).unwrap_or(u64::MAX);
                found = Some(RecordNumber::new(chunk.first().get().saturating_add(position)));
            }
        }
        found
    }

    /// The number, plus one, of the newest sealed chunk with an entry of the account; zero where there is none.
    pub fn newest_sealed_chunk_of(&self, slot: AccountSlot) -> u32 {
        for chunk in self.young.chunks() {
            if let Some(touch) = chunk.touches.iter().find(|touch| touch.slot == slot) {
                return touch.previous;
            }
        }
        self.accounts.get(slot).reserved
    }
}

const HOLDS: &str = "a record moves balances as it did when it was posted";

/// Posts a record to the balances of its debit account (side 0) or its credit account (side 1).
fn post(balances: &mut Balances, side: usize, record: &Transfer, released: crate::Amount) {
    let (pending, posted) = if side == 0 {
        (&mut balances.debits_pending, &mut balances.debits_posted)
    } else {
        (&mut balances.credits_pending, &mut balances.credits_posted)
    };
    if record.flags.contains(TransferFlags::PENDING) {
        *pending = pending.checked_add(record.amount).expect(HOLDS);
    } else if record.pending_id.is_zero() {
        *posted = posted.checked_add(record.amount).expect(HOLDS);
    } else {
        *pending = pending.checked_sub(released).expect(HOLDS);
        if record.flags.contains(TransferFlags::POST_PENDING_TRANSFER) {
            *posted = posted.checked_add(record.amount).expect(HOLDS);
        }
    }
}

/// The reverse of [`post`].
fn take_back(balances: &mut Balances, side: usize, record: &Transfer, released: crate::Amount) {
    let (pending, posted) = if side == 0 {
        (&mut balances.debits_pending, &mut balances.debits_posted)
    } else {
        (&mut balances.credits_pending, &mut balances.credits_posted)
    };
    if record.flags.contains(TransferFlags::PENDING) {
        *pending = pending.checked_sub(record.amount).expect(HOLDS);
    } else if record.pending_id.is_zero() {
        *posted = posted.checked_sub(record.amount).expect(HOLDS);
    } else {
        *pending = pending.checked_add(released).expect(HOLDS);
        if record.flags.contains(TransferFlags::POST_PENDING_TRANSFER) {
            *posted = posted.checked_sub(record.amount).expect(HOLDS);
        }
    }
}

/// One account's way through one chunk.
struct Follow<'a> {
    chunk: &'a Chunk,
    slot: AccountSlot,
}

impl Follow<'_> {
    /// Calls `line` with every record that moves the account, and its balances after it, until it has enough.
    fn lines(
        &self,
        line: &mut impl FnMut(RecordNumber, &Transfer, Balances) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let Some(touch) = self.chunk.touches.iter().find(|touch| touch.slot == self.slot) else {
            return ControlFlow::Continue(());
        };
        let mut part_posts = self.chunk.part_posts.iter().peekable();
        let mut balances = touch.opening;
        for (position, (record, slots)) in self.chunk.records.iter().zip(&self.chunk.slots).enumerate() {
            let part = part_posts.next_if(|part| wide(AccountSlot::new(part.position)) == position);
            if !slots.contains(&self.slot) {
                continue;
            }
            let released = part.map_or(record.amount, |part| part.pending_amount);
            let side = usize::from(slots[0] != self.slot);
            post(&mut balances, side, record, released);
            line(self.number(position), record, balances)?;
        }
        ControlFlow::Continue(())
    }

    /// The same from the newest on; `closing` is what the account has after the chunk, and what it had before is told.
    fn lines_back(
        &self,
        closing: Balances,
        line: &mut impl FnMut(RecordNumber, &Transfer, Balances) -> ControlFlow<()>,
    ) -> ControlFlow<(), Balances> {
        let mut part_posts = self.chunk.part_posts.iter().rev().peekable();
        let mut balances = closing;
        let records = self.chunk.records.iter().zip(&self.chunk.slots).enumerate();
        for (position, (record, slots)) in records.rev() {
            let part = part_posts.next_if(|part| wide(AccountSlot::new(part.position)) == position);
            if !slots.contains(&self.slot) {
                continue;
            }
            line(self.number(position), record, balances)?;
            let released = part.map_or(record.amount, |part| part.pending_amount);
            let side = usize::from(slots[0] != self.slot);
            take_back(&mut balances, side, record, released);
        }
        ControlFlow::Continue(balances)
    }

    fn number(&self, position: usize) -> RecordNumber {
        let position = u64::try_from(position).unwrap_or(u64::MAX);
        RecordNumber::new(self.chunk.first().get().saturating_add(position))
    }
}
