//! All accounts, and the limits of those that have one.

use crate::account::{Account, AccountFlags};
use crate::pages::{PagedTable, per_page};
use crate::quantity::{AccountId, AccountSlot, Amount, Stamp};
use crate::slots::{SlotIndex, hash_of};
use std::collections::BTreeMap;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// How far an account may go beyond its flag's rule: an overdraft, or a credit limit.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct LimitRecord {
    /// In minor units.
    pub limit: Amount,
    /// Whose.
    pub slot: AccountSlot,
    /// Keeps the record a multiple of its alignment.
    pub reserved: [u32; 3],
}

/// **Invariants.** Slots are dense and in order of stamps. An account has a limit record if and only if its flags
/// carry [`AccountFlags::HAS_LIMIT`].
pub struct Accounts {
    pub(crate) table: PagedTable<Account, { per_page::<Account>() }>,
    pub(crate) limits: PagedTable<LimitRecord, { per_page::<LimitRecord>() }>,
    index: SlotIndex,
    limit_of: BTreeMap<AccountSlot, usize>,
}

impl Accounts {
    pub(crate) fn new() -> Self {
        Self {
            table: PagedTable::new(),
            limits: PagedTable::new(),
            index: SlotIndex::with_capacity(0),
            limit_of: BTreeMap::new(),
        }
    }

    /// Puts the tables of a checkpoint into service: the indexes are made anew.
    pub(crate) fn restore(
        table: PagedTable<Account, { per_page::<Account>() }>,
        limits: PagedTable<LimitRecord, { per_page::<LimitRecord>() }>,
    ) -> Self {
        let mut index = SlotIndex::with_capacity(table.len());
        for (slot, account) in table.iter().enumerate() {
            index.insert(hash_of(account.id.get()), narrow(slot).get());
        }
        let limit_of = limits.iter().enumerate().map(|(at, record)| (record.slot, at)).collect();
        Self { table, limits, index, limit_of }
    }

    /// How many accounts there are.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Where the account with this id lives.
    #[inline]
    pub fn slot_of(&self, id: AccountId) -> Option<AccountSlot> {
        self.index
            .find(hash_of(id.get()), |slot| self.table.get(wide(AccountSlot::new(slot))).id == id)
            .map(AccountSlot::new)
    }

    /// Looks ahead: the entry at an id's home in the index.
    #[inline]
    pub(crate) fn peek(&self, hash: u32) -> u64 {
        self.index.peek(hash)
    }

    /// Looks ahead: the slot that most likely is the id's, and part of its account so that it is in cache.
    #[inline]
    pub(crate) fn peek_account(&self, hash: u32) -> u64 {
        let slot = self.index.candidate(hash).map_or(0, |slot| wide(AccountSlot::new(slot)));
        if slot >= self.table.len() {
            return 0;
        }
        let account = self.table.get(slot);
        u64::from(account.user_data_32)
            ^ u64::from(account.flags.bits())
            ^ u64::from(account.debits_posted.is_zero())
    }

    /// The account in a slot, as the book keeps it.
    #[inline]
    pub fn get(&self, slot: AccountSlot) -> &Account {
        self.table.get(wide(slot))
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, slot: AccountSlot) -> &mut Account {
        self.table.get_mut(wide(slot))
    }

    /// The limit of an account; zero where it has none.
    pub fn limit(&self, slot: AccountSlot) -> Amount {
        self.limit_of.get(&slot).map_or(Amount::ZERO, |at| self.limits.get(*at).limit)
    }

    pub(crate) fn set_limit(&mut self, slot: AccountSlot, limit: Amount) {
        if let Some(at) = self.limit_of.get(&slot) {
            self.limits.get_mut(*at).limit = limit;
        } else {
            let at = self.limits.push(LimitRecord { limit, slot, reserved: [0; 3] });
            self.limit_of.insert(slot, at);
            let account = self.get_mut(slot);
            account.flags = account.flags.with(AccountFlags::HAS_LIMIT);
        }
    }

    /// Opens an account whose id is not known yet.
    pub(crate) fn open(&mut self, account: Account) -> AccountSlot {
        let slot = narrow(self.table.push(account));
        self.index.insert(hash_of(account.id.get()), slot.get());
        slot
    }

    /// The stamp of the youngest account; zero where there is none.
    pub fn last_stamp(&self) -> Stamp {
        self.table.len().checked_sub(1).map_or(Stamp::ZERO, |last| self.table.get(last).timestamp)
    }

    /// The first slot whose account is stamped `stamp` or later.
    pub fn slot_at_stamp(&self, stamp: Stamp) -> usize {
        let (mut low, mut high) = (0usize, self.table.len());
        while low < high {
            let middle = low.midpoint(high);
            if self.table.get(middle).timestamp < stamp {
                low = middle.saturating_add(1);
            } else {
                high = middle;
            }
        }
        low
    }

    /// Whether an account bears exactly this stamp.
    pub fn has_stamp(&self, stamp: Stamp) -> bool {
        let slot = self.slot_at_stamp(stamp);
        slot < self.table.len() && self.table.get(slot).timestamp == stamp
    }
}

/// A slot as an index.
#[inline]
pub(crate) fn wide(slot: AccountSlot) -> usize {
    usize::try_from(slot.get()).unwrap_or(usize::MAX)
}

/// An index as a slot.
#[inline]
pub(crate) fn narrow(index: usize) -> AccountSlot {
    AccountSlot::new(u32::try_from(index).expect("a shard holds fewer than 2^32 accounts"))
}

/// What a client sees of an account: without the book's own marks.
pub fn shown(account: &Account) -> Account {
    Account { reserved: 0, flags: account.flags.without(AccountFlags::HAS_LIMIT), ..*account }
}
