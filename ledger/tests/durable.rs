//! A ledger in a directory: closed and opened again, with and without a checkpoint, it holds the same books.

use fen_ledger::{
    Account, AccountFilter, AccountFlags, AccountId, Amount, Answer, Code, CreateTransferStatus, Fault,
    Ledger, LedgerCode, Options, QueryFilter, Transfer, TransferFlags, TransferId,
};

const ACCOUNTS: u128 = 50;

fn account(id: u128) -> Account {
    let flags = AccountFlags::HISTORY;
    Account {
        id: AccountId::new(id),
        ledger: LedgerCode::new(156),
        code: Code::new(1),
        flags,
        ..Account::default()
    }
}

fn transfer(id: u128) -> Transfer {
    let (flags, pending_id) = match id % 10 {
        7 => (TransferFlags::PENDING, 0),
        8 => (TransferFlags::POST_PENDING_TRANSFER, id - 1),
        _ => (TransferFlags::NONE, 0),
    };
    let named = pending_id == 0;
    let account = |n: u128| if named { AccountId::new(1 + n % ACCOUNTS) } else { AccountId::ZERO };
    Transfer {
        id: TransferId::new(id),
        debit_account_id: account(id),
        credit_account_id: account(id * 7 + 1),
        amount: Amount::new(if named { 10 + id % 100 } else { 5 }),
        pending_id: TransferId::new(pending_id),
        ledger: LedgerCode::new(if named { 156 } else { 0 }),
        code: Code::new(if named { 9 } else { 0 }),
        flags,
        ..Transfer::default()
    }
}

fn fill(ledger: &Ledger, ids: std::ops::Range<u128>) -> Answer<()> {
    let all: Vec<Transfer> = ids.map(transfer).collect();
    for batch in all.chunks(8_000) {
        for outcome in ledger.create_transfers(batch)? {
            let fine = [CreateTransferStatus::Created, CreateTransferStatus::AccountsMustBeDifferent];
            let is_fine = fine.contains(&outcome.status) || outcome.status == CreateTransferStatus::Exists;
            assert!(is_fine, "{}", outcome.status);
        }
    }
    Ok(())
}

fn options(checkpoint_bytes: u64) -> Options {
    Options { checkpoint_bytes, ..Options::default() }
}

#[test]
fn a_ledger_opened_again_holds_the_same_books() {
    for checkpoint_bytes in [1 << 40, 3 << 20] {
        let directory = tempfile::tempdir().unwrap();
        let ledger = Ledger::open_with(directory.path(), &options(checkpoint_bytes)).unwrap();
        let accounts: Vec<Account> = (1..=ACCOUNTS).map(account).collect();
        ledger.create_accounts(&accounts).unwrap();
        fill(&ledger, 1..200_000).unwrap();
        let (digest, audit) = (ledger.digest().unwrap(), ledger.audit().unwrap());
        assert_eq!(audit.faults, Vec::<String>::new());
        drop(ledger);

        let ledger = Ledger::open_with(directory.path(), &options(checkpoint_bytes)).unwrap();
        let from_checkpoint = ledger.recovery().checkpoint_index > 0;
        assert_eq!(from_checkpoint, checkpoint_bytes < 1 << 30, "a checkpoint was made when it was due");
        assert_eq!(ledger.digest().unwrap(), digest);
        assert_eq!(ledger.audit().unwrap(), audit);
        fill(&ledger, 1..30_000).unwrap();
        assert_eq!(ledger.digest().unwrap(), digest, "what was sent again changed nothing");
    }
}

#[test]
fn history_is_one_whether_young_or_sealed() {
    let directory = tempfile::tempdir().unwrap();
    let durable = Ledger::open(directory.path()).unwrap();
    let memory = Ledger::in_memory(durable.clock());
    for ledger in [&durable, &memory] {
        ledger.create_accounts(&(1..=ACCOUNTS).map(account).collect::<Vec<_>>()).unwrap();
        fill(ledger, 1..150_000).unwrap();
    }
    let without_stamps =
        |transfers: Vec<Transfer>| -> Vec<TransferId> { transfers.iter().map(|t| t.id).collect() };
    for reversed in [false, true] {
        for limit in [1, 100, 10_000] {
            let filter = AccountFilter {
                account_id: AccountId::new(8),
                limit,
                debits: true,
                credits: true,
                reversed,
                ..AccountFilter::default()
            };
            let expected = without_stamps(memory.account_transfers(&filter).unwrap());
            assert_eq!(without_stamps(durable.account_transfers(&filter).unwrap()), expected);
            let lines = |ledger: &Ledger| -> Vec<_> {
                ledger.account_balances(&filter).unwrap().iter().map(|line| line.balances).collect()
            };
            assert_eq!(lines(&durable), lines(&memory));
            let query = QueryFilter { code: 9, limit, reversed, ..QueryFilter::default() };
            let expected = without_stamps(memory.query_transfers(&query).unwrap());
            assert_eq!(without_stamps(durable.query_transfers(&query).unwrap()), expected);
        }
    }
    let ids = [TransferId::new(3), TransferId::new(149_999), TransferId::new(1 << 90)];
    let found = durable.lookup_transfers(&ids).unwrap();
    assert_eq!(found.iter().map(Option::is_some).collect::<Vec<_>>(), [true, true, false]);
}

#[test]
fn many_threads_share_one_ledger() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(directory.path()).unwrap();
    ledger.create_accounts(&(1..=ACCOUNTS).map(account).collect::<Vec<_>>()).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8u128 {
            let ledger = &ledger;
            scope.spawn(move || {
                for id in 0..100 {
                    let mut one = transfer(id * 10 + 1);
                    one.id = TransferId::new(1_000_000 * (thread + 1) + id);
                    ledger.create_transfers(&[one]).unwrap();
                }
            });
        }
    });
    let audit = ledger.audit().unwrap();
    assert_eq!((audit.transfers, audit.faults), (800, Vec::new()));
}

#[test]
fn a_directory_is_one_ledgers() {
    let directory = tempfile::tempdir().unwrap();
    let first = Ledger::open(directory.path()).unwrap();
    let second = Ledger::open(directory.path());
    assert!(matches!(&second, Err(Fault::Open(words)) if words.contains("in use")), "{:?}", second.err());
    drop(first);
    drop(Ledger::open(directory.path()).unwrap());
    std::fs::write(directory.path().join("FORMAT"), "fen ledger, format 99\nidentity 1\n").unwrap();
    let newer = Ledger::open(directory.path());
    assert!(
        matches!(&newer, Err(Fault::Open(words)) if words.contains("newer release")),
        "{:?}",
        newer.err()
    );
    std::fs::write(directory.path().join("FORMAT"), "fen ledger, format 1\nidentity 1\n").unwrap();
    let older = Ledger::open(directory.path());
    assert!(
        matches!(&older, Err(Fault::Open(words)) if words.contains("format 1, of an older release")),
        "{:?}",
        older.err()
    );
}
