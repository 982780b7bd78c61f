//! Transfers by reference and accounts by customer: with the index, without it, and while it is damaged under a ledger
//! that serves.

use fen_ledger::search::Bounds;
use fen_ledger::{
    Account, AccountId, AccountSearch, Amount, Code, Direction, Ledger, LedgerCode, Transfer, TransferId,
    TransferSearch,
};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const ACCOUNTS: u128 = 65_536 + 900;
const TRANSFERS: u128 = 3 * 65_536 + 500;
const CNY: LedgerCode = LedgerCode::new(156);

/// Customers have up to five accounts, numbered in the lower half; every seventh account has no upper half.
fn account_id(number: u128) -> AccountId {
    AccountId::new(if number.is_multiple_of(7) {
        number + 1
    } else {
        (1 + number % 20_000) << 64 | (number + 1)
    })
}

/// Some references are one transfer's, some a thousand's, every third transfer has none.
fn reference(id: u128) -> u128 {
    match id % 3 {
        0 => 0,
        1 => (id % 190) + (7 << 80),
        _ => id << 70,
    }
}

fn filled(directory: &Path) -> Ledger {
    let ledger = Ledger::open(directory).unwrap();
    let account =
        |number| Account { id: account_id(number), ledger: CNY, code: Code::new(1), ..Account::default() };
    let accounts: Vec<Account> = (0..ACCOUNTS).map(account).collect();
    for batch in accounts.chunks(8_000) {
        ledger.create_accounts(batch).unwrap();
    }
    let transfer = |id: u128| Transfer {
        id: TransferId::new(id),
        debit_account_id: account_id(id % 500),
        credit_account_id: account_id(500 + id % 700),
        amount: Amount::new(id),
        user_data_128: reference(id),
        ledger: CNY,
        code: Code::new(1),
        ..Transfer::default()
    };
    let transfers: Vec<Transfer> = (1..=TRANSFERS).map(transfer).collect();
    for batch in transfers.chunks(8_000) {
        ledger.create_transfers(batch).unwrap();
    }
    ledger
}

fn check(ledger: &Ledger) {
    for wanted in [reference(1), reference(4), reference(2), reference(150_002), reference(TRANSFERS), 99] {
        for direction in [Direction::OldestFirst, Direction::NewestFirst] {
            let search = TransferSearch {
                user_data_128: Bounds::only(wanted),
                direction,
                limit: 8_189,
                ..TransferSearch::default()
            };
            let found: Vec<u128> =
                ledger.search_transfers(&search).unwrap().iter().map(|found| found.id.get()).collect();
            let mut plain: Vec<u128> = (1..=TRANSFERS).filter(|id| reference(*id) == wanted).collect();
            if direction == Direction::NewestFirst {
                plain.reverse();
            }
            assert_eq!(found, plain, "reference {wanted:x} {direction:?}");
        }
    }
    for customer in [1u64, 77, 8, 20_000, 4_000_000] {
        let search = AccountSearch { customer: Some(customer), limit: 100, ..AccountSearch::default() };
        let found: Vec<AccountId> =
            ledger.search_accounts(&search).unwrap().iter().map(|account| account.id).collect();
        let is_theirs = |id: &AccountId| {
            let upper = id.get() >> 64;
            (if upper == 0 { id.get() } else { upper }) == u128::from(customer)
        };
        let plain: Vec<AccountId> = (0..ACCOUNTS).map(account_id).filter(is_theirs).collect();
        assert_eq!(found, plain, "customer {customer}");
    }
}

/// Waits until everything that is sealed is indexed.
fn indexed(ledger: &Ledger) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while ledger.indexed() != Some([3 * 65_536, 65_536]) {
        assert!(Instant::now() < deadline, "indexed so far: {:?}", ledger.indexed());
        std::thread::yield_now();
    }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for path in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() { all.extend(files(&path)) } else { all.push(path) }
    }
    all
}

#[test]
fn the_index_changes_no_answer_and_is_made_again() {
    let place = tempfile::tempdir().unwrap();
    let ledger = filled(place.path());
    check(&ledger);
    indexed(&ledger);
    check(&ledger);
    drop(ledger);
    // What is there is used from the first question on.
    let ledger = Ledger::open(place.path()).unwrap();
    assert_eq!(ledger.indexed(), Some([3 * 65_536, 65_536]));
    check(&ledger);

    // Damaged while the ledger serves: every answer stays right.
    for path in files(&place.path().join("lookup")) {
        let mut bytes = fs::read(&path).unwrap();
        bytes.iter_mut().step_by(101).for_each(|byte| *byte ^= 0x11);
        fs::write(&path, bytes).unwrap();
    }
    check(&ledger);
    drop(ledger);
    let ledger = Ledger::open(place.path()).unwrap();
    check(&ledger);
    indexed(&ledger);
    check(&ledger);
    drop(ledger);

    fs::remove_dir_all(place.path().join("lookup")).unwrap();
    let ledger = Ledger::open(place.path()).unwrap();
    check(&ledger);
    indexed(&ledger);
    check(&ledger);
}
