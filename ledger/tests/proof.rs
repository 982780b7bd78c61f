//! Digests and proofs of a whole ledger: sealed and young records in one tree, the same after a restart and in
//! memory, and checked by the crate that knows no ledger.

#![allow(clippy::unwrap_used, reason = "a panic is a test's report")]

use fen_ledger::proof::Content;
use fen_ledger::{
    Account, AccountId, Amount, Code, Ledger, LedgerCode, Options, Stamp, SystemClock, Transfer, TransferId,
};
use fen_proof::TreeHash;
use fen_proof::tree::{Head, check_consistency, check_inclusion};
use fen_store::disk::{Disk, MemoryDisk};
use std::sync::Arc;
use zerocopy::IntoBytes as _;

fn account(id: u128, ledger: u32) -> Account {
    Account {
        id: AccountId::new(id),
        ledger: LedgerCode::new(ledger),
        code: Code::new(1),
        ..Account::default()
    }
}

fn transfer(id: u128) -> Transfer {
    Transfer {
        id: TransferId::new(id),
        debit_account_id: AccountId::new(1),
        credit_account_id: AccountId::new(2),
        amount: Amount::new(id),
        ledger: LedgerCode::new(156),
        code: Code::new(7),
        ..Transfer::default()
    }
}

/// Posts transfers of these ids.
fn post(ledger: &Ledger, ids: std::ops::Range<u128>) {
    let events: Vec<Transfer> = ids.map(transfer).collect();
    for events in events.chunks(8_000) {
        let outcomes = ledger.create_transfers(events).unwrap();
        assert!(outcomes.iter().all(|outcome| outcome.status.name() == "created"));
    }
}

fn check(ledger: &Ledger, head: &Head, id: u128) {
    let mut tree = ledger.record_tree().unwrap();
    let (number, record) = tree.find(TransferId::new(id)).unwrap().unwrap();
    assert_eq!((number.get(), record.amount.get()), (u64::try_from(id).unwrap() - 1, id));
    let path = tree.inclusion(number, head.size).unwrap().unwrap();
    check_inclusion(&TreeHash::leaf(record.as_bytes()), number.get(), head.size, &path, &head.root).unwrap();
}

fn open(disk: &MemoryDisk) -> Ledger {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    Ledger::open_on(&disk, Arc::new(SystemClock), &Options::default()).unwrap()
}

#[test]
fn every_record_is_proved_whether_sealed_or_young() {
    let disk = MemoryDisk::new();
    let ledger = open(&disk);
    ledger.create_accounts(&[account(1, 156), account(2, 156), account(3, 840)]).unwrap();
    let mut heads = vec![ledger.history_head(Content::TotalsAndBooks).unwrap()];
    assert_eq!(heads[0].head, Head { size: 0, root: TreeHash::empty() });
    for ids in [1..101, 101..70_001, 70_001..131_073, 131_073..140_001] {
        post(&ledger, ids);
        heads.push(ledger.history_head(Content::Totals).unwrap());
    }
    let last = heads.last().unwrap();
    assert_eq!((last.head.size, last.ledgers[&840].accounts), (140_000, 1));
    assert_eq!(last.ledgers[&156].debits_posted.get(), Some((1..=140_000u128).sum()));
    let sizes = heads.iter().map(|head| head.head.size);
    assert!(sizes.eq([0, 100, 70_000, 131_072, 140_000]));
    let ledger = reopened(ledger, &disk);
    for head in &heads[1..] {
        for id in [1, 50, 100, 65_536, 65_537, 70_000, 131_072, 140_000] {
            if id <= u128::from(head.head.size) {
                check(&ledger, &head.head, id);
            }
        }
    }
    let mut tree = ledger.record_tree().unwrap();
    for older in &heads {
        assert_eq!(tree.root(older.head.size).unwrap(), Some(older.head.root));
        for newer in heads.iter().filter(|newer| newer.head.size >= older.head.size) {
            let path = tree.consistency(older.head.size, newer.head.size).unwrap().unwrap();
            check_consistency(&older.head, &newer.head, &path).unwrap();
        }
    }
    assert_eq!(tree.root(140_001).unwrap(), None);
    assert_eq!(tree.find(TransferId::new(140_001)).unwrap(), None);
    let audit = ledger.audit().unwrap();
    assert_eq!(audit.faults, Vec::<String>::new());
}

fn reopened(ledger: Ledger, disk: &MemoryDisk) -> Ledger {
    let identity = ledger.history_head(Content::Totals).unwrap().identity;
    drop(ledger);
    let ledger = open(disk);
    assert_eq!(ledger.history_head(Content::Totals).unwrap().identity, identity);
    ledger
}

#[test]
fn a_ledger_in_memory_has_the_same_tree() {
    let ledger = Ledger::in_memory(Stamp::new(1_000));
    ledger.create_accounts(&[account(1, 156), account(2, 156)]).unwrap();
    post(&ledger, 1..66_001);
    let head = ledger.history_head(Content::TotalsAndBooks).unwrap();
    assert_eq!((head.identity, head.books), (0, Some(ledger.digest().unwrap())));
    for id in [1, 65_536, 66_000] {
        check(&ledger, &head.head, id);
    }
}
