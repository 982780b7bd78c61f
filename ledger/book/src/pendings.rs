//! Open pending transfers: what they reserve, and when they lapse.
//!
//! A pending transfer lives here from its reservation to its post, void or expiry; its record stays in the
//! journal for ever. The table's free slots are zero records, found again after a restart.

use crate::pages::{PagedTable, per_page};
use crate::quantity::{AccountSlot, Stamp, TransferId};
use crate::slots::{SlotIndex, hash_of};
use crate::transfer::Transfer;
use std::collections::BTreeMap;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// An open pending transfer.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Pending {
    /// As it was posted to the journal.
    pub transfer: Transfer,
    /// The stamp of the first member of the linked chain that it came with; its own where it came alone.
    pub chain: Stamp,
    /// The accounts that it reserves on.
    pub debit: AccountSlot,
    /// See above.
    pub credit: AccountSlot,
}

const _: () = assert!(size_of::<Pending>() == 144);

impl Pending {
    /// When it lapses; `None` is never.
    pub fn expires_at(&self) -> Option<Stamp> {
        if self.transfer.timeout.is_zero() {
            return None;
        }
        Some(
            self.transfer
                .timestamp
                .checked_after(self.transfer.timeout)
                .expect("overflows_timeout was checked"),
        )
    }
}

/// All open pending transfers.
pub struct Pendings {
    pub(crate) table: PagedTable<Pending, { per_page::<Pending>() }>,
    index: SlotIndex,
    free: Vec<usize>,
    expiries: BTreeMap<(Stamp, Stamp), usize>,
    by_account: BTreeMap<(AccountSlot, Stamp), usize>,
    by_chain: BTreeMap<(Stamp, Stamp), usize>,
}

impl Pendings {
    pub(crate) fn new() -> Self {
        Self::restore(PagedTable::new())
    }

    /// Puts the table of a checkpoint into service: the indexes are made anew.
    pub(crate) fn restore(table: PagedTable<Pending, { per_page::<Pending>() }>) -> Self {
        let mut pendings = Self {
            index: SlotIndex::with_capacity(table.len()),
            table,
            free: Vec::new(),
            expiries: BTreeMap::new(),
            by_account: BTreeMap::new(),
            by_chain: BTreeMap::new(),
        };
        for at in (0..pendings.table.len()).rev() {
            let pending = *pendings.table.get(at);
            if pending.transfer.id.is_zero() {
                pendings.free.push(at);
            } else {
                pendings.enter(at, &pending);
            }
        }
        pendings
    }

    /// How many are open.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether none is open.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    fn find(&self, id: TransferId) -> Option<usize> {
        let is_it = |at| self.table.get(index_of(at)).transfer.id == id;
        self.index.find(hash_of(id.get()), is_it).map(index_of)
    }

    /// The open pending transfer with this id.
    pub fn get(&self, id: TransferId) -> Option<&Pending> {
        self.find(id).map(|at| self.table.get(at))
    }

    pub(crate) fn open(&mut self, pending: Pending) {
        let at = match self.free.pop() {
            Some(at) => {
                *self.table.get_mut(at) = pending;
                at
            }
            None => self.table.push(pending),
        };
        self.enter(at, &pending);
    }

    fn enter(&mut self, at: usize, pending: &Pending) {
        let stamp = pending.transfer.timestamp;
        let slot = u32::try_from(at).expect("a shard holds fewer than 2^32 open pending transfers");
        self.index.insert(hash_of(pending.transfer.id.get()), slot);
        if let Some(expires_at) = pending.expires_at() {
            self.expiries.insert((expires_at, stamp), at);
        }
        self.by_account.insert((pending.debit, stamp), at);
        self.by_account.insert((pending.credit, stamp), at);
        self.by_chain.insert((pending.chain, stamp), at);
    }

    /// Ends the pending transfer with this id, which must be open.
    pub(crate) fn close(&mut self, id: TransferId) {
        let at = self.find(id).expect("only an open pending transfer is ended");
        let pending = *self.table.get(at);
        let stamp = pending.transfer.timestamp;
        let slot = u32::try_from(at).expect("it was entered under a slot of 32 bits");
        self.index.remove(hash_of(id.get()), slot);
        if let Some(expires_at) = pending.expires_at() {
            self.expiries.remove(&(expires_at, stamp));
        }
        self.by_account.remove(&(pending.debit, stamp));
        self.by_account.remove(&(pending.credit, stamp));
        self.by_chain.remove(&(pending.chain, stamp));
        *self.table.get_mut(at) = Pending::default();
        self.free.push(at);
    }

    /// When the next one lapses.
    pub fn next_expiry(&self) -> Option<Stamp> {
        self.expiries.first_key_value().map(|((expires_at, _), _)| *expires_at)
    }

    /// The first that has lapsed at `now`, by moment of expiry, then by age.
    pub(crate) fn first_lapsed(&self, now: Stamp) -> Option<Pending> {
        let ((expires_at, _), at) = self.expiries.first_key_value()?;
        (*expires_at <= now).then(|| *self.table.get(*at))
    }

    /// Those that reserve on an account, oldest first.
    pub fn of_account(&self, slot: AccountSlot) -> impl Iterator<Item = &Pending> {
        self.by_account.range((slot, Stamp::ZERO)..=(slot, Stamp::MAX)).map(|(_, at)| self.table.get(*at))
    }

    /// The open members of a chain, in its order.
    pub fn of_chain(&self, chain: Stamp) -> impl Iterator<Item = &Pending> {
        self.by_chain.range((chain, Stamp::ZERO)..=(chain, Stamp::MAX)).map(|(_, at)| self.table.get(*at))
    }

    /// All open ones, by age.
    pub fn by_age(&self) -> Vec<&Pending> {
        let mut all: Vec<&Pending> =
            self.table.iter().filter(|pending| !pending.transfer.id.is_zero()).collect();
        all.sort_by_key(|pending| pending.transfer.timestamp);
        all
    }
}

fn index_of(at: u32) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}
