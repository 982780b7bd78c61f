//! An export has every record of its range once, sealed or young, and adds up to the trial balance.

#![allow(clippy::unwrap_used, reason = "a panic is a test's report")]

use fen_ledger::export::{ExportAsked, ExportLine, RecordKind};
use fen_ledger::{
    Account, AccountId, Amount, Code, Ledger, LedgerCode, Options, Period, Stamp, SystemClock, Transfer,
    TransferFlags, TransferId,
};
use fen_store::disk::{Disk, MemoryDisk};
use std::sync::Arc;

fn account(id: u128, ledger: u32) -> Account {
    Account {
        id: AccountId::new(id),
        ledger: LedgerCode::new(ledger),
        code: Code::new(1),
        ..Account::default()
    }
}

/// Every tenth is reserved, of these every second posted in part; every seventh is in dollars.
fn transfers(count: u128) -> Vec<Transfer> {
    let of = |id: u128| {
        let ledger = if id.is_multiple_of(7) && !id.is_multiple_of(10) { 840 } else { 156 };
        let first = if ledger == 840 { 11 } else { 1 };
        let flags = if id.is_multiple_of(10) { TransferFlags::PENDING } else { TransferFlags::NONE };
        let transfer = Transfer {
            id: TransferId::new(id),
            debit_account_id: AccountId::new(first),
            credit_account_id: AccountId::new(first + 1 + id % 2),
            amount: Amount::new(id),
            ledger: LedgerCode::new(ledger),
            code: Code::new(7),
            flags,
            ..Transfer::default()
        };
        let post = Transfer {
            id: TransferId::new(count + id),
            pending_id: transfer.id,
            amount: Amount::new(id / 2),
            flags: TransferFlags::POST_PENDING_TRANSFER,
            ..Transfer::default()
        };
        std::iter::once(transfer).chain(id.is_multiple_of(20).then_some(post))
    };
    (1..=count).flat_map(of).collect()
}

fn exported(ledger: &Ledger, asked: ExportAsked) -> Vec<ExportLine> {
    ledger.export(asked).unwrap().map(Result::unwrap).collect()
}

fn check(ledger: &Ledger, count: u128) {
    let accounts = [
        account(1, 156),
        account(2, 156),
        account(3, 156),
        account(11, 840),
        account(12, 840),
        account(13, 840),
    ];
    ledger.create_accounts(&accounts).unwrap();
    let events = transfers(count);
    for events in events.chunks(8_000) {
        let outcomes = ledger.create_transfers(events).unwrap();
        assert!(outcomes.iter().all(|outcome| outcome.status.name() == "created"));
    }
    let all = exported(ledger, ExportAsked::default());
    assert_eq!(all.len(), events.len());
    assert!(all.iter().zip(&events).zip(0..).all(|((line, event), number)| {
        line.record.id == event.id && line.number.get() == number && line.value_on == line.booked_on
    }));
    let audit = ledger.audit().unwrap();
    for (number, totals) in &audit.ledgers {
        let ledgers = vec![LedgerCode::new(*number)];
        let of = exported(ledger, ExportAsked { ledgers, ..ExportAsked::default() });
        let moves = [RecordKind::Posted, RecordKind::PostPending];
        let moved = of.iter().filter(|line| moves.contains(&RecordKind::of(&line.record)));
        assert_eq!(
            Some(moved.map(|line| line.record.amount.get()).sum::<u128>()),
            totals.debits_posted.get()
        );
    }
    let accounts = vec![AccountId::new(2)];
    let touching = exported(ledger, ExportAsked { accounts, ..ExportAsked::default() });
    let wanted = all.iter().filter(|line| line.record.credit_account_id == AccountId::new(2));
    assert!(touching.iter().eq(wanted));
    for (first, last) in [(0, 0), (5, 5), (100, 70_000), (all.len() - 3, all.len() - 1)] {
        let (Some(min), Some(max)) = (all.get(first), all.get(last)) else { continue };
        let period = Period::Stamps { min: min.record.timestamp, max: max.record.timestamp };
        assert_eq!(exported(ledger, ExportAsked { period, ..ExportAsked::default() }), all[first..=last]);
    }
    let day = all[0].booked_on;
    let period = Period::Booked { first: day, last: all[all.len() - 1].booked_on };
    assert_eq!(exported(ledger, ExportAsked { period, ..ExportAsked::default() }), all);
}

#[test]
fn sealed_and_young_records_are_exported_once_each() {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    check(&Ledger::open_on(&disk, Arc::new(SystemClock), &Options::default()).unwrap(), 130_000);
}

#[test]
fn a_ledger_in_memory_is_exported_too() {
    check(&Ledger::in_memory(Stamp::new(1_000_000)), 900);
}
