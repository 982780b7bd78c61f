//! Chunks for tests and measurements: a small bank made from a seed, with every kind of record in it.

use super::narrow;
use fen_book::{
    Account, AccountId, AccountSlot, Amount, CHUNK_RECORDS, Chunk, Code, LedgerCode, NO_SLOT, PartPost,
    Stamp, TimeoutSeconds, Touch, Transfer, TransferFlags, TransferId,
};
use std::collections::{BTreeMap, VecDeque};

/// How transfer ids are chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ids {
    Rising,
    Random,
}

/// A bank that makes chunk after chunk, keeping balances by the plain rules.
pub(crate) struct Bank {
    seed: u64,
    ids: Ids,
    accounts: Vec<Account>,
    pendings: VecDeque<Transfer>,
    next_chunk: u32,
    next_id: u128,
    stamp: u64,
    /// Of a hundred records, how many are not plain transfers.
    special_percent: u64,
}

impl Bank {
    pub(crate) fn new(seed: u64, accounts: u32, ids: Ids, special_percent: u64) -> Self {
        let account = |slot: u32| Account {
            id: AccountId::new(u128::from(slot) + 1_000_001),
            ledger: LedgerCode::new(156),
            ..Account::default()
        };
        Self {
            seed,
            ids,
            accounts: (0..accounts).map(account).collect(),
            pendings: VecDeque::new(),
            next_chunk: 0,
            next_id: 1 << 80,
            stamp: 1_700_000_000_000_000_000,
            special_percent,
        }
    }

    /// A splitmix step.
    pub(crate) fn random(&mut self) -> u64 {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.seed;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.random() % u64::try_from(bound).unwrap()).unwrap()
    }

    pub(crate) fn account(&self, slot: u32) -> &Account {
        &self.accounts[super::wide(slot)]
    }

    fn id(&mut self) -> TransferId {
        self.next_id += 1;
        TransferId::new(match self.ids {
            Ids::Rising => self.next_id,
            Ids::Random => u128::from(self.random()) << 64 | u128::from(self.random()),
        })
    }

    fn plain(&mut self) -> Transfer {
        let debit = self.below(self.accounts.len());
        let credit = (debit + 1 + self.below(self.accounts.len() - 1)) % self.accounts.len();
        Transfer {
            id: self.id(),
            debit_account_id: self.accounts[debit].id,
            credit_account_id: self.accounts[credit].id,
            amount: Amount::new(u128::from(self.random() % 100_000)),
            user_data_64: if self.special_percent == 0 { 0 } else { self.random() % 5 },
            ledger: LedgerCode::new(156),
            code: Code::new(u16::try_from(1 + self.random() % 4).unwrap()),
            ..Transfer::default()
        }
    }

    fn ending(&mut self, kind: u64) -> Option<(Transfer, Amount)> {
        let pending = self.pendings.pop_front()?;
        let mut record = Transfer {
            id: TransferId::ZERO,
            pending_id: pending.id,
            flags: TransferFlags::EXPIRY,
            timeout: TimeoutSeconds::ZERO,
            ..pending
        };
        if kind < 6 {
            record.id = self.id();
            record.flags = TransferFlags::VOID_PENDING_TRANSFER;
        }
        if kind < 4 {
            record.flags = TransferFlags::POST_PENDING_TRANSFER;
        }
        if kind < 2 {
            record.amount = Amount::new(pending.amount.get() / 2);
        }
        Some((record, pending.amount))
    }

    /// The next record, and the reserved amount that it releases.
    fn record(&mut self) -> (Transfer, Amount) {
        if self.random() % 100 >= self.special_percent {
            return (self.plain(), Amount::ZERO);
        }
        match self.random() % 12 {
            kind @ 0..8 => {
                if let Some(ending) = self.ending(kind) {
                    return ending;
                }
            }
            8 => {
                let burned = Transfer { id: self.id(), flags: TransferFlags::BURNED, ..Transfer::default() };
                return (burned, Amount::ZERO);
            }
            _ => {}
        }
        let mut pending = self.plain();
        pending.flags = TransferFlags::PENDING;
        pending.timeout = TimeoutSeconds::new(3_600);
        self.pendings.push_back(pending);
        (pending, Amount::ZERO)
    }

    /// Makes the next chunk and the ids of its touched accounts.
    pub(crate) fn chunk(&mut self) -> (Chunk, Vec<AccountId>) {
        let mut chunk = Chunk {
            number: self.next_chunk,
            records: Vec::with_capacity(CHUNK_RECORDS),
            touches: Vec::new(),
            slots: Vec::with_capacity(CHUNK_RECORDS),
            part_posts: Vec::new(),
        };
        self.next_chunk += 1;
        let mut ids = Vec::new();
        for position in 0..CHUNK_RECORDS {
            self.stamp += if position % 8_189 == 0 { 4_000_000 } else { 1 };
            let (mut record, released) = self.record();
            record.timestamp = Stamp::new(self.stamp);
            if released > record.amount {
                let part =
                    PartPost { pending_amount: released, position: narrow(position), reserved: [0; 3] };
                chunk.part_posts.push(part);
            }
            let mut slots = [NO_SLOT; 2];
            if !record.flags.contains(TransferFlags::BURNED) {
                for (slot, id) in slots.iter_mut().zip([record.debit_account_id, record.credit_account_id]) {
                    let index = u32::try_from(id.get() - 1_000_001).unwrap();
                    *slot = AccountSlot::new(index);
                    self.touch(index, &mut chunk, &mut ids);
                }
                self.post(&record, released);
            }
            chunk.records.push(record);
            chunk.slots.push(slots);
        }
        (chunk, ids)
    }

    fn touch(&mut self, slot: u32, chunk: &mut Chunk, ids: &mut Vec<AccountId>) {
        let account = &mut self.accounts[super::wide(slot)];
        if account.reserved != chunk.number + 1 {
            let previous = account.reserved;
            let slot = AccountSlot::new(slot);
            chunk.touches.push(Touch { opening: account.balances(), slot, previous, reserved: 0 });
            ids.push(account.id);
            account.reserved = chunk.number + 1;
        }
    }

    fn post(&mut self, record: &Transfer, released: Amount) {
        let index = |id: AccountId| usize::try_from(id.get() - 1_000_001).unwrap();
        let moved = |amount: Amount, by: Amount| amount.checked_add(by).unwrap();
        let (debit, credit) = (index(record.debit_account_id), index(record.credit_account_id));
        if record.flags.contains(TransferFlags::PENDING) {
            let account = &mut self.accounts[debit];
            account.debits_pending = moved(account.debits_pending, record.amount);
            let account = &mut self.accounts[credit];
            account.credits_pending = moved(account.credits_pending, record.amount);
            return;
        }
        let account = &mut self.accounts[debit];
        account.debits_pending = account.debits_pending.checked_sub(released).unwrap();
        let account = &mut self.accounts[credit];
        account.credits_pending = account.credits_pending.checked_sub(released).unwrap();
        if record.flags.intersects(TransferFlags::VOID_PENDING_TRANSFER.with(TransferFlags::EXPIRY)) {
            return;
        }
        let account = &mut self.accounts[debit];
        account.debits_posted = moved(account.debits_posted, record.amount);
        let account = &mut self.accounts[credit];
        account.credits_posted = moved(account.credits_posted, record.amount);
    }
}

/// The records of a chunk by the slot of an account, as positions.
pub(crate) fn positions_by_slot(chunk: &Chunk) -> BTreeMap<u32, Vec<u32>> {
    let mut found: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for (position, slots) in chunk.slots.iter().enumerate() {
        for slot in slots.iter().filter(|slot| **slot != NO_SLOT) {
            found.entry(slot.get()).or_default().push(narrow(position));
        }
    }
    found
}
