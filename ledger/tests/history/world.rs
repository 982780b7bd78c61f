//! A ledger with four sealed chunks and a young one, beside the plain list of all that was posted.

use fen_ledger::{
    Account, AccountId, Amount, Balances, Code, CreateTransferStatus, Ledger, LedgerCode, Options, Stamp,
    SystemClock, Transfer, TransferFlags, TransferId,
};
use fen_store::disk::{Disk, MemoryDisk};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The bank's cash: in every other transfer.
pub(crate) const CASH: u128 = 1;
pub(crate) const ACCOUNTS: u128 = 400;
/// Has entries in the first transfers only, and one in the last.
pub(crate) const SLEEPER: u128 = 401;
/// Four sealed chunks, and a young one that is not full.
pub(crate) const TRANSFERS: u128 = 4 * 65_536 + 9_000;
const BATCH: usize = 8_000;

fn random(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *seed;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// A transfer, and how it moves both its accounts: reserved, released, posted.
pub(crate) struct Posting {
    pub(crate) transfer: Transfer,
    pub(crate) moves: [u128; 3],
}

pub(crate) fn posting(id: u128, seed: &mut u64) -> Posting {
    let draw = u128::from(random(seed));
    let sleeps = id <= 20 || id == TRANSFERS;
    let debit = if sleeps {
        SLEEPER
    } else if draw.is_multiple_of(2) {
        CASH
    } else {
        2 + draw / 2 % (ACCOUNTS - 2)
    };
    let credit = 2 + (debit + 1 + (draw >> 32) % (ACCOUNTS - 4)) % (ACCOUNTS - 2);
    let credit = if credit == debit { CASH } else { credit };
    let amount = 1 + (draw >> 48) % 1_000;
    let flags = if id % 10 == 7 { TransferFlags::PENDING } else { TransferFlags::NONE };
    let moves = if id % 10 == 7 { [amount, 0, 0] } else { [0, 0, amount] };
    let transfer = Transfer {
        id: TransferId::new(id),
        debit_account_id: AccountId::new(debit),
        credit_account_id: AccountId::new(credit),
        amount: Amount::new(amount),
        ledger: LedgerCode::new(156),
        code: Code::new(1 + u16::try_from(draw % 3).unwrap()),
        flags,
        ..Transfer::default()
    };
    Posting { transfer, moves }
}

/// The post of a part, or the void, of the pending transfer before it.
fn ending(id: u128, pending: &Transfer) -> Posting {
    let amount = pending.amount.get();
    let part = amount.div_ceil(2);
    let (flags, posted) = if id % 20 == 8 {
        (TransferFlags::POST_PENDING_TRANSFER, part)
    } else {
        (TransferFlags::VOID_PENDING_TRANSFER, 0)
    };
    let transfer = Transfer {
        id: TransferId::new(id),
        pending_id: pending.id,
        amount: Amount::new(posted),
        flags,
        ..Transfer::default()
    };
    Posting { transfer, moves: [0, amount, posted] }
}

pub(crate) struct World {
    pub(crate) disk: MemoryDisk,
    pub(crate) ledger: Ledger,
    /// As the ledger shows them, with what each moved.
    pub(crate) posted: Vec<(Transfer, [u128; 3])>,
}

pub(crate) fn open(disk: &MemoryDisk) -> Ledger {
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let options = Options { checkpoint_bytes: 8 << 20, ..Options::default() };
    Ledger::open_on(&shared, Arc::new(SystemClock), &options).unwrap()
}

pub(crate) fn world() -> World {
    let disk = MemoryDisk::new();
    let ledger = open(&disk);
    let account = |id| Account {
        id: AccountId::new(id),
        ledger: LedgerCode::new(156),
        code: Code::new(1),
        ..Account::default()
    };
    ledger.create_accounts(&(1..=SLEEPER).map(account).collect::<Vec<_>>()).unwrap();
    let mut world = World { disk, ledger, posted: Vec::new() };
    let mut seed = 11;
    let mut all: Vec<Posting> = Vec::new();
    for id in 1..=TRANSFERS {
        let next = match all.last().filter(|last| last.transfer.flags.contains(TransferFlags::PENDING)) {
            Some(pending) => ending(id, &pending.transfer),
            None => posting(id, &mut seed),
        };
        all.push(next);
    }
    world.post(&all);
    world
}

impl World {
    pub(crate) fn post(&mut self, all: &[Posting]) {
        for batch in all.chunks(BATCH) {
            let transfers: Vec<Transfer> = batch.iter().map(|posting| posting.transfer).collect();
            let outcomes = self.ledger.create_transfers(&transfers).unwrap();
            for (posting, outcome) in batch.iter().zip(outcomes) {
                assert_eq!(outcome.status, CreateTransferStatus::Created, "{:?}", posting.transfer);
                let mut shown = posting.transfer;
                shown.timestamp = outcome.timestamp;
                if let Some((pending, _)) = self.posted.last().filter(|_| !shown.pending_id.is_zero()) {
                    let of_pending = *pending;
                    shown.debit_account_id = of_pending.debit_account_id;
                    shown.credit_account_id = of_pending.credit_account_id;
                    shown.ledger = of_pending.ledger;
                    shown.code = of_pending.code;
                    if shown.flags.contains(TransferFlags::VOID_PENDING_TRANSFER) {
                        shown.amount = of_pending.amount;
                    }
                }
                self.posted.push((shown, posting.moves));
            }
        }
    }

    /// Closes and opens the ledger, so that all full chunks are sealed.
    pub(crate) fn reopen(self) -> Self {
        drop(self.ledger);
        let ledger = open(&self.disk);
        Self { ledger, ..self }
    }

    /// An account's entries, oldest first, the plain way.
    pub(crate) fn entries(&self, id: u128) -> Vec<(u64, Transfer, Balances)> {
        let id = AccountId::new(id);
        let mut balances = Balances::default();
        let mut lines = Vec::new();
        for (number, (transfer, [reserved, released, posted])) in (0u64..).zip(&self.posted) {
            let (pending, settled) = if transfer.debit_account_id == id {
                (&mut balances.debits_pending, &mut balances.debits_posted)
            } else if transfer.credit_account_id == id {
                (&mut balances.credits_pending, &mut balances.credits_posted)
            } else {
                continue;
            };
            *pending = Amount::new(pending.get() + reserved - released);
            *settled = Amount::new(settled.get() + posted);
            lines.push((number, *transfer, balances));
        }
        lines
    }

    pub(crate) fn stamp(&self, index: usize) -> Stamp {
        self.posted[index].0.timestamp
    }
}

/// The file of a segment.
pub(crate) fn segment(disk: &MemoryDisk, number: u32) -> PathBuf {
    let prefix = format!("{number:08}-");
    let names = disk.list(Path::new("journal")).unwrap();
    let is_it = |name: &String| {
        name.starts_with(&prefix) && Path::new(name).extension().is_some_and(|kind| kind == "seg")
    };
    let name = names.into_iter().find(is_it).unwrap();
    Path::new("journal").join(name)
}
