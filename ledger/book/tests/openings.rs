//! Limits, opening balances, receipts, and the end of a whole chain.

use fen_book::{
    Account, AccountFlags, AccountId, AccountOpening, Amount, Book, ChainEnd, ChainOutcome, Code, Command,
    CreateAccountStatus, CreateTransferStatus, LedgerCode, LimitChange, OpeningStatus, Recall, Reply,
    SetLimitStatus, Stamp, Transfer, TransferFlags, TransferId,
};

fn account(id: u128, flags: AccountFlags) -> Account {
    Account {
        id: AccountId::new(id),
        ledger: LedgerCode::new(156),
        code: Code::new(1),
        flags,
        ..Account::default()
    }
}

fn transfer(id: u128, amount: u128, flags: TransferFlags) -> Transfer {
    Transfer {
        id: TransferId::new(id),
        debit_account_id: AccountId::new(2),
        credit_account_id: AccountId::new(1),
        amount: Amount::new(amount),
        ledger: LedgerCode::new(156),
        code: Code::new(9),
        flags,
        ..Transfer::default()
    }
}

fn apply(book: &mut Book, command: &Command<'_>) -> Reply {
    let stamp = Stamp::new(book.clock().get() + command.stamp_count() as u64);
    book.apply(command, stamp, &Recall::nothing())
}

fn open(book: &mut Book, openings: &[AccountOpening]) -> Vec<OpeningStatus> {
    let Reply::Openings(outcomes) = apply(book, &Command::OpenAccounts(openings)) else { panic!("openings") };
    outcomes.iter().map(|outcome| outcome.status).collect()
}

/// The bank's cash, and Anna's account with 50 on it and an overdraft of 30.
fn anna() -> Book {
    let mut book = Book::new();
    apply(&mut book, &Command::CreateAccounts(&[account(1, AccountFlags::NONE)]));
    let opening = AccountOpening {
        account: account(2, AccountFlags::DEBITS_MUST_NOT_EXCEED_CREDITS),
        limit: Amount::new(30),
        opening_credit: Amount::new(50),
        contra_account_id: AccountId::new(1),
        transfer_id: TransferId::new(100),
        ..AccountOpening::default()
    };
    let created = OpeningStatus { account: CreateAccountStatus::Created, transfer: None };
    assert_eq!(open(&mut book, &[opening]), [created]);
    let exists = OpeningStatus { account: CreateAccountStatus::Exists, transfer: None };
    assert_eq!(open(&mut book, &[opening]), [exists]);
    book
}

fn pay(book: &mut Book, events: &[Transfer]) -> Vec<CreateTransferStatus> {
    let Reply::Receipts(receipts) = apply(book, &Command::CreateTransfersWithBalances(events)) else {
        panic!("receipts")
    };
    for receipt in &receipts {
        let posted = receipt.outcome.status == CreateTransferStatus::Created;
        assert_eq!(receipt.debit.is_some(), posted, "balances come with what was posted");
    }
    receipts.iter().map(|receipt| receipt.outcome.status).collect()
}

#[test]
fn an_overdraft_bears_its_limit_and_no_more() {
    let mut book = anna();
    let none = TransferFlags::NONE;
    let statuses = pay(&mut book, &[transfer(1, 80, none), transfer(2, 1, none)]);
    assert_eq!(statuses, [CreateTransferStatus::Created, CreateTransferStatus::ExceedsCredits]);

    let change =
        |id: u128, limit: u128| LimitChange { account_id: AccountId::new(id), limit: Amount::new(limit) };
    let changes =
        [change(0, 1), change(u128::MAX, 1), change(9, 1), change(1, 1), change(2, 29), change(2, 31)];
    let Reply::Limits(outcomes) = apply(&mut book, &Command::SetLimits(&changes)) else { panic!("limits") };
    let statuses: Vec<SetLimitStatus> = outcomes.iter().map(|outcome| outcome.status).collect();
    assert_eq!(statuses, SetLimitStatus::ALL, "every status, in checking order");
    assert_eq!(pay(&mut book, &[transfer(3, 1, none)]), [CreateTransferStatus::Created]);
    assert_eq!(book.position(AccountId::new(2)).map(|position| position.limit), Some(Amount::new(31)));
}

#[test]
fn an_opening_is_made_whole_or_not_at_all() {
    let mut book = anna();
    let accounts_before = book.accounts().len();
    let base = AccountOpening {
        account: account(3, AccountFlags::NONE),
        contra_account_id: AccountId::new(77),
        transfer_id: TransferId::new(200),
        ..AccountOpening::default()
    };
    let amount = Amount::new(5);
    let refused = [
        AccountOpening { limit: amount, ..base },
        AccountOpening { opening_debit: amount, opening_credit: amount, ..base },
        AccountOpening { opening_debit: amount, ..base },
        AccountOpening { opening_debit: amount, contra_account_id: AccountId::new(1), ..base },
    ];
    let only = |account| OpeningStatus { account, transfer: None };
    let because = |transfer| OpeningStatus {
        account: CreateAccountStatus::OpeningBalanceRefused,
        transfer: Some(transfer),
    };
    let expected = [
        only(CreateAccountStatus::LimitNeedsALimitingFlag),
        only(CreateAccountStatus::OpeningBalanceHasTwoSides),
        because(CreateTransferStatus::CreditAccountNotFound),
        because(CreateTransferStatus::IdAlreadyFailed),
    ];
    assert_eq!(open(&mut book, &refused), expected);
    assert_eq!(book.accounts().len(), accounts_before);
}

#[test]
fn a_chain_of_reservations_ends_as_one() {
    let mut book = anna();
    let linked = TransferFlags::PENDING.with(TransferFlags::LINKED);
    let reserved =
        [transfer(11, 10, linked), transfer(12, 20, linked), transfer(13, 30, TransferFlags::PENDING)];
    assert_eq!(pay(&mut book, &reserved), [CreateTransferStatus::Created; 3]);
    let end = |id: u128, pending_id: u128| ChainEnd {
        id: TransferId::new(id),
        pending_id: TransferId::new(pending_id),
        flags: TransferFlags::POST_PENDING_TRANSFER,
        ..ChainEnd::default()
    };
    let mut ended = |events: &[ChainEnd]| -> Vec<(CreateTransferStatus, u32)> {
        let Reply::ChainEnds(outcomes) = apply(&mut book, &Command::EndChains(events)) else {
            panic!("chain ends")
        };
        outcomes.iter().map(|ChainOutcome { outcome, members }| (outcome.status, *members)).collect()
    };
    let both = ChainEnd { flags: TransferFlags::NONE, ..end(20, 12) };
    let first = ended(&[both, end(20, 99), end(21, 12), end(21, 13), end(21, 100), end(30, 12)]);
    let expected = [
        (CreateTransferStatus::FlagsAreMutuallyExclusive, 0),
        (CreateTransferStatus::PendingTransferNotFound, 0),
        (CreateTransferStatus::Created, 3),
        (CreateTransferStatus::Exists, 0),
        (CreateTransferStatus::ExistsWithDifferentPendingId, 0),
        (CreateTransferStatus::PendingTransferAlreadyPosted, 0),
    ];
    assert_eq!(first, expected);
    assert!(book.pendings().is_empty());
    assert_eq!(book.account(AccountId::new(2)).map(|anna| anna.debits_posted), Some(Amount::new(60)));
}
