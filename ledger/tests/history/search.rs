//! Searches against a look at every record.

use crate::world::{CASH, SLEEPER, World, world};
use fen_ledger::search::Bounds;
use fen_ledger::{
    Account, AccountId, AccountSearch, Amount, Code, Direction, LedgerCode, Stamp, Transfer, TransferFlags,
    TransferId, TransferSearch,
};

fn check(world: &World, search: &TransferSearch) {
    for direction in [Direction::OldestFirst, Direction::NewestFirst] {
        for limit in [3, 8_189] {
            let search = TransferSearch { direction, limit, ..search.clone() };
            let all = world.posted.iter().map(|(transfer, _)| *transfer);
            let mut wanted: Vec<Transfer> = all.filter(|transfer| search.finds(transfer)).collect();
            if direction == Direction::NewestFirst {
                wanted.reverse();
            }
            wanted.truncate(usize::try_from(limit).unwrap());
            assert!(world.ledger.search_transfers(&search).unwrap() == wanted, "{search:?}");
        }
    }
}

fn check_all(world: &World) {
    let all = TransferSearch::default();
    let big: Bounds<Amount> = (Amount::new(990)..=Amount::MAX).into();
    let middle: Bounds<Stamp> = (world.stamp(60_000)..=world.stamp(140_000)).into();
    check(world, &all);
    check(world, &TransferSearch { amount: big.clone(), ..all.clone() });
    check(world, &TransferSearch { timestamp: middle.clone(), amount: big.clone(), ..all.clone() });
    check(
        world,
        &TransferSearch { id: (TransferId::new(65_000)..=TransferId::new(66_000)).into(), ..all.clone() },
    );
    check(world, &TransferSearch { code: (Code::new(2)..=Code::new(2)).into(), amount: big, ..all.clone() });
    check(
        world,
        &TransferSearch { ledger: (LedgerCode::new(157)..=LedgerCode::new(999)).into(), ..all.clone() },
    );
    check(world, &TransferSearch { flags: TransferFlags::POST_PENDING_TRANSFER, ..all.clone() });
    check(
        world,
        &TransferSearch {
            flags_without: TransferFlags::PENDING.with(TransferFlags::VOID_PENDING_TRANSFER),
            timestamp: middle,
            ..all.clone()
        },
    );
    for id in [CASH, 9, SLEEPER].map(AccountId::new) {
        check(world, &TransferSearch { account_id: Some(id), ..all.clone() });
        check(
            world,
            &TransferSearch {
                debit_account_id: Some(id),
                code: (Code::new(1)..=Code::new(2)).into(),
                ..all.clone()
            },
        );
        check(
            world,
            &TransferSearch {
                credit_account_id: Some(id),
                debit_account_id: Some(AccountId::new(CASH)),
                ..all.clone()
            },
        );
    }
    let none = TransferSearch { timestamp: (Stamp::new(9)..=Stamp::new(5)).into(), limit: 5, ..all };
    assert_eq!(world.ledger.search_transfers(&none).unwrap(), []);
}

#[test]
fn searches_find_what_a_look_at_every_record_finds() {
    let world = world();
    check_all(&world);
    let world = world.reopen();
    check_all(&world);

    let ids: Vec<AccountId> = (1..=SLEEPER).map(AccountId::new).collect();
    let accounts: Vec<Account> = world.ledger.lookup_accounts(&ids).unwrap().into_iter().flatten().collect();
    let busy: Bounds<Amount> = (Amount::new(350_000)..=Amount::MAX).into();
    let search = AccountSearch { credits_posted: busy, limit: 50, ..AccountSearch::default() };
    let wanted: Vec<Account> =
        accounts.iter().filter(|account| search.finds(account)).take(50).copied().collect();
    assert_eq!(world.ledger.search_accounts(&search).unwrap(), wanted);
    let search = AccountSearch {
        id: (AccountId::new(100)..=AccountId::new(120)).into(),
        direction: Direction::NewestFirst,
        limit: 3,
        ..AccountSearch::default()
    };
    let found: Vec<u128> =
        world.ledger.search_accounts(&search).unwrap().iter().map(|account| account.id.get()).collect();
    assert_eq!(found, [120, 119, 118]);
}
