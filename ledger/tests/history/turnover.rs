//! Sums and counts against the plain sums of all that was posted.

use crate::world::{CASH, SLEEPER, World, segment, world};
use fen_ledger::{
    Account, AccountId, Amount, BusinessDate, Code, Ledger, LedgerCode, LoanCommand, Period, Split, Stamp,
    Transfer, TransferFlags, TransferId, TurnoverAsked,
};
use std::collections::BTreeMap;

/// Count and amount of what was posted, and of what was reserved.
type Sums = BTreeMap<u16, [u128; 4]>;

fn plain(world: &World, wanted: impl Fn(&Transfer) -> bool) -> Sums {
    let mut sums = Sums::new();
    for (transfer, _) in world.posted.iter().filter(|(transfer, _)| wanted(transfer)) {
        let place = if transfer.flags.contains(TransferFlags::VOID_PENDING_TRANSFER) {
            continue;
        } else if transfer.flags.contains(TransferFlags::PENDING) {
            2
        } else {
            0
        };
        let sum = sums.entry(transfer.code.get()).or_default();
        sum[place] += 1;
        sum[place + 1] += transfer.amount.get();
    }
    sums
}

fn asked(world: &World, asked: &TurnoverAsked) -> Sums {
    let found = world.ledger.turnover(asked).unwrap();
    assert_eq!(found.faults, []);
    let line = |line: &fen_ledger::Turnover| {
        assert_eq!((line.ledger, line.date), (156, None));
        let amounts = [line.posted, line.reserved].map(|total| total.get().unwrap());
        (line.code, [line.posted_count.into(), amounts[0], line.reserved_count.into(), amounts[1]])
    };
    found.lines.iter().map(line).collect()
}

fn check(world: &World) {
    let all = TurnoverAsked::default();
    assert_eq!(asked(world, &all), plain(world, |_| true));
    for (min, max) in [(0, 65_535), (65_536, 131_071), (100, 65_700), (65_000, 270_000), (200_000, 200_010)] {
        let (min, max) = (world.stamp(min), world.stamp(max));
        let holds = |transfer: &Transfer| min <= transfer.timestamp && transfer.timestamp <= max;
        let period = Period::Stamps { min, max };
        assert_eq!(asked(world, &TurnoverAsked { period, ..all }), plain(world, holds));
        let of_cash = |transfer: &Transfer| {
            let accounts = [transfer.debit_account_id, transfer.credit_account_id];
            holds(transfer) && accounts.contains(&AccountId::new(CASH))
        };
        let account_id = Some(AccountId::new(CASH));
        assert_eq!(asked(world, &TurnoverAsked { account_id, period, ..all }), plain(world, of_cash));
    }
    let of_code = |transfer: &Transfer| transfer.code.get() == 2;
    assert_eq!(asked(world, &TurnoverAsked { code: Some(2), ..all }), plain(world, of_code));
    assert_eq!(asked(world, &TurnoverAsked { ledger: Some(840), ..all }), Sums::new());
    let of_sleeper = TurnoverAsked { account_id: Some(AccountId::new(SLEEPER)), ..all };
    assert_eq!(
        asked(world, &of_sleeper).values().map(|sum| sum[0] + sum[2]).sum::<u128>(),
        20,
        "21 entries, one of them a void"
    );
}

#[test]
fn sums_are_those_of_the_plain_records() {
    let world = world();
    check(&world);
    let world = world.reopen();
    check(&world);
    // A sum that needs a damaged block names it and counts the rest; one that the directory answers does not see it.
    let damaged = segment(&world.disk, 1);
    assert!(world.disk.flip(&damaged, 200_000, 3));
    assert_eq!(asked(&world, &TurnoverAsked::default()), plain(&world, |_| true));
    let period = Period::Stamps { min: world.stamp(65_600), max: world.stamp(200_000) };
    let found = world.ledger.turnover(&TurnoverAsked { period, ..TurnoverAsked::default() }).unwrap();
    assert_eq!(found.faults.len(), 1);
    assert!(found.faults[0].contains(&*damaged.display().to_string()), "{}", found.faults[0]);
    let counted: u64 = found.lines.iter().map(|line| line.posted_count + line.reserved_count).sum();
    let there = plain(&world, |transfer| {
        world.stamp(65_600) <= transfer.timestamp && transfer.timestamp <= world.stamp(200_000)
    });
    let there: u128 = there.values().map(|sum| sum[0] + sum[2]).sum();
    assert!((there - 256..there).contains(&u128::from(counted)), "{counted} of {there}");
}

#[test]
fn days_are_told_one_by_one() {
    let ledger = Ledger::in_memory(Stamp::new(1_000));
    let account = |id| Account {
        id: AccountId::new(id),
        ledger: LedgerCode::new(156),
        code: Code::new(1),
        ..Account::default()
    };
    ledger.create_accounts(&[account(1), account(2)]).unwrap();
    let pay = |id: u128, code| {
        let transfer = Transfer {
            id: TransferId::new(id),
            debit_account_id: AccountId::new(1),
            credit_account_id: AccountId::new(2),
            amount: Amount::new(id),
            ledger: LedgerCode::new(156),
            code: Code::new(code),
            ..Transfer::default()
        };
        ledger.create_transfers(&[transfer]).unwrap();
    };
    let roll =
        |day| ledger.loans(&LoanCommand::DayEnd { through: BusinessDate::new(day), loans_max: 0 }).unwrap();
    roll(20_000);
    pay(1, 7);
    pay(2, 8);
    pay(4, 7);
    roll(20_002);
    pay(8, 7);
    roll(20_003);
    roll(20_004);
    pay(16, 8);
    let told = |period| {
        let asked = TurnoverAsked { period, split: Split::Days, ..TurnoverAsked::default() };
        let found = ledger.turnover(&asked).unwrap();
        let line = |line: &fen_ledger::Turnover| {
            (line.date.unwrap().get(), line.code, line.posted_count, line.posted.get().unwrap())
        };
        found.lines.iter().map(line).collect::<Vec<_>>()
    };
    let all = [(20_001, 7, 2, 5), (20_001, 8, 1, 2), (20_003, 7, 1, 8), (20_005, 8, 1, 16)];
    assert_eq!(told(Period::All), all);
    let days =
        |first, last| Period::Booked { first: BusinessDate::new(first), last: BusinessDate::new(last) };
    assert_eq!(told(days(20_002, 20_004)), all[2..3]);
    assert_eq!(told(days(20_001, 20_001)), all[..2]);
    assert_eq!(told(days(20_005, 20_100)), all[3..]);
    assert_eq!(told(days(19_000, 19_999)), []);
}
