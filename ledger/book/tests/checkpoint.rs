//! A book restored from a checkpoint's pages goes on exactly as the book that was frozen.

use fen_book::image::{Header, IMAGE_VERSION, Restore, TablePage};
use fen_book::{
    Account, AccountId, Amount, Book, Code, Command, LedgerCode, Recall, Reply, Stamp, Transfer,
    TransferFlags, TransferId,
};
use std::collections::BTreeMap;

fn account(id: u128) -> Account {
    Account { id: AccountId::new(id), ledger: LedgerCode::new(156), code: Code::new(1), ..Account::default() }
}

fn transfer(id: u128, flags: TransferFlags) -> Transfer {
    Transfer {
        id: TransferId::new(id),
        debit_account_id: AccountId::new(1 + id % 3),
        credit_account_id: AccountId::new(1 + (id + 1) % 3),
        amount: Amount::new(10 + id),
        ledger: LedgerCode::new(156),
        code: Code::new(9),
        flags,
        ..Transfer::default()
    }
}

fn apply(book: &mut Book, events: &[Transfer]) -> Reply {
    let stamp = Stamp::new(book.clock().get() + events.len() as u64);
    book.apply(&Command::CreateTransfers(events), stamp, &Recall::nothing())
}

#[test]
fn writes_during_a_checkpoint_do_not_show_in_it() {
    let mut book = Book::new();
    let accounts = [account(1), account(2), account(3)];
    book.apply(&Command::CreateAccounts(&accounts), Stamp::new(100), &Recall::nothing());
    apply(&mut book, &[transfer(1, TransferFlags::NONE), transfer(2, TransferFlags::PENDING)]);
    let frozen = book.freeze();
    let balances_then = book.account(AccountId::new(2));
    apply(&mut book, &[transfer(3, TransferFlags::NONE), transfer(4, TransferFlags::PENDING)]);

    let mut pages: BTreeMap<(u16, u32), TablePage> = BTreeMap::new();
    let mut add = |page: TablePage| pages.insert((page.table.number(), page.page), page);
    frozen.pages.into_iter().for_each(|page| assert!(add(page).is_none()));
    while book.has_frozen() {
        book.take_frozen(1).into_iter().for_each(|page| assert!(add(page).is_none()));
    }
    let of_another_release = |version| Restore::of(&Header { version, ..frozen.header }).err().unwrap();
    assert!(of_another_release(IMAGE_VERSION - 1).contains("older"));
    assert!(of_another_release(IMAGE_VERSION + 1).contains("newer"));
    let mut restore = Restore::of(&frozen.header).unwrap();
    for ((table, page), image) in &pages {
        restore.page(*table, *page, &image.bytes).unwrap();
    }
    let mut restored = restore.finish().unwrap();

    assert_eq!(restored.account(AccountId::new(2)), balances_then);
    assert_eq!(restored.pendings().len(), 1);
    let again =
        apply(&mut restored, &[transfer(3, TransferFlags::NONE), transfer(4, TransferFlags::PENDING)]);
    assert!(matches!(again, Reply::Transfers(_)));
    for id in 1..=3 {
        assert_eq!(restored.account(AccountId::new(id)), book.account(AccountId::new(id)));
    }
    assert_eq!(restored.young().open_chunk(), book.young().open_chunk());
}
