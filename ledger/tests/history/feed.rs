//! The change feed against the plain list of all that was posted.

use crate::world::{SLEEPER, World, open, segment, world};
use fen_book::LimitChange;
use fen_book::memo::LIMIT_CODE;
use fen_ledger::{
    Account, AccountFlags, AccountId, Amount, Change, Code, Fault, FeedAsked, FeedPage, FeedPosition, Ledger,
    LedgerCode, Stamp, Transfer, TransferId,
};
use fen_store::disk::{Disk as _, MemoryDisk};

fn pages(ledger: &Ledger, asked: FeedAsked) -> Vec<FeedPage> {
    let mut pages = Vec::new();
    let mut asked = asked;
    loop {
        let page = ledger.feed(&asked).unwrap();
        assert!(page.is_end || page.next > asked.from, "a page that is not the last moves on");
        asked.from = page.next;
        let is_end = page.is_end;
        pages.push(page);
        if is_end {
            return pages;
        }
    }
}

fn transfers(pages: &[FeedPage]) -> Vec<Transfer> {
    let transfer = |(_, change): &(FeedPosition, Change)| match change {
        Change::Transfer(transfer) => Some(*transfer),
        Change::Opened(_) | Change::Expired(_) | Change::Burned(_) | Change::Applied(_) => None,
    };
    pages.iter().flat_map(|page| page.changes.iter().filter_map(transfer)).collect()
}

fn check(world: &World) {
    let all: Vec<Transfer> = world.posted.iter().map(|(transfer, _)| *transfer).collect();
    let asked = FeedAsked { limit: 5_000, ..FeedAsked::default() };
    let told = pages(&world.ledger, asked);
    assert!(transfers(&told) == all);
    let changes: Vec<_> = told.iter().flat_map(|page| &page.changes).collect();
    let accounts = usize::try_from(SLEEPER).unwrap();
    assert_eq!(changes.len(), accounts + all.len());
    assert!(changes[..accounts].iter().all(|(_, change)| matches!(change, Change::Opened(_))));
    // From behind any change, the rest.
    for at in [0, 400, 401, 66_000, changes.len() - 2] {
        let from = changes[at].0.to_string().parse().unwrap();
        let rest = pages(&world.ledger, FeedAsked { from, limit: 8_189, ..FeedAsked::default() });
        let rest: Vec<_> = rest.into_iter().flat_map(|page| page.changes).collect();
        assert!(rest.iter().eq(changes[at + 1..].iter().copied()), "from {at}");
    }
    let of_code = pages(&world.ledger, FeedAsked { code: Some(2), limit: 100_000, ..FeedAsked::default() });
    let wanted: Vec<Transfer> = all.iter().filter(|transfer| transfer.code.get() == 2).copied().collect();
    assert!(transfers(&of_code) == wanted);
    let none = pages(&world.ledger, FeedAsked { product: Some(7), limit: 100, ..FeedAsked::default() });
    assert!(none.iter().all(|page| page.changes.is_empty()));
}

#[test]
fn the_feed_tells_everything_once_and_in_order() {
    let world = world();
    check(&world);
    let world = world.reopen();
    check(&world);
    let end = pages(&world.ledger, FeedAsked { limit: 8_189, ..FeedAsked::default() }).pop().unwrap().next;
    let elsewhere = Ledger::in_memory(Stamp::new(1));
    match elsewhere.feed(&FeedAsked { from: end, limit: 1, ..FeedAsked::default() }) {
        Err(Fault::Cursor(words)) => assert!(words.contains("another ledger or shard"), "{words}"),
        other => panic!("{other:?}"),
    }
    let mut parts: Vec<String> = end.to_string().split('.').map(str::to_owned).collect();
    parts[0] = "70000".to_owned();
    let forged = FeedAsked { from: parts.join(".").parse().unwrap(), limit: 1, ..FeedAsked::default() };
    match world.ledger.feed(&forged) {
        Err(Fault::Cursor(words)) => assert!(words.contains("record 69999 here is another one"), "{words}"),
        other => panic!("{other:?}"),
    }
    assert!(matches!("1.2".parse::<FeedPosition>(), Err(Fault::Cursor(_))));

    // A damaged block is a gap that is named; all the rest is told.
    let damaged = segment(&world.disk, 1);
    assert!(world.disk.flip(&damaged, 200_000, 3));
    let told = pages(&world.ledger, FeedAsked { limit: 8_189, ..FeedAsked::default() });
    let gaps: Vec<_> = told.iter().flat_map(|page| &page.gaps).collect();
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    assert!(gaps[0].reason.contains(&*damaged.display().to_string()), "{}", gaps[0].reason);
    let missing = gaps[0].records.start.get()..gaps[0].records.end.get();
    assert_eq!(missing.end - missing.start, 256);
    let rest: Vec<Transfer> = (0u64..)
        .zip(&world.posted)
        .filter(|(number, _)| !missing.contains(number))
        .map(|(_, (transfer, _))| *transfer)
        .collect();
    assert!(transfers(&told) == rest);
}

/// Accounts 1 and 2, and transfers of these ids.
fn post(ledger: &Ledger, ids: std::ops::RangeInclusive<u128>) {
    let transfer = |id| Transfer {
        id: TransferId::new(id),
        debit_account_id: AccountId::new(1),
        credit_account_id: AccountId::new(2),
        amount: Amount::new(1),
        ledger: LedgerCode::new(156),
        code: Code::new(1),
        ..Transfer::default()
    };
    for batch in ids.map(transfer).collect::<Vec<_>>().chunks(8_000) {
        ledger.create_transfers(batch).unwrap();
    }
}

/// A limit is told by two records: here the last of one segment and the first of the next.
#[test]
fn a_memo_that_lies_in_two_segments_is_told_once_or_missed_by_name() {
    let disk = MemoryDisk::new();
    let ledger = open(&disk);
    let account = |id| Account {
        id: AccountId::new(id),
        ledger: LedgerCode::new(156),
        code: Code::new(1),
        flags: if id == 2 { AccountFlags::DEBITS_MUST_NOT_EXCEED_CREDITS } else { AccountFlags::NONE },
        ..Account::default()
    };
    ledger.create_accounts(&[account(1), account(2)]).unwrap();
    post(&ledger, 1..=65_535);
    let limit = LimitChange { account_id: AccountId::new(2), limit: Amount::new(u128::MAX / 3) };
    ledger.set_limits(&[limit]).unwrap();
    ledger.create_accounts(&[account(3)]).unwrap();
    let asked = |limit, code| FeedAsked { limit, code, ..FeedAsked::default() };
    let check = |ledger: &Ledger| {
        for limit in [1, 3, 8_189] {
            let mut all = pages(ledger, asked(8_189, None)).into_iter().flat_map(|page| page.changes);
            let before = all.nth(65_535).unwrap().0;
            let mut asked = FeedAsked { from: before, ..asked(limit, None) };
            let mut told = Vec::new();
            while told.len() < 4 {
                let page = ledger.feed(&asked).unwrap();
                assert!(page.gaps.is_empty());
                asked.from = page.next;
                told.extend(page.changes);
                if page.is_end {
                    break;
                }
            }
            let places: Vec<usize> = (0..told.len())
                .filter(|place| matches!(&told[*place].1, Change::Applied(memo) if memo.about == 2))
                .collect();
            assert_eq!(places.len(), 1, "{limit}");
            assert!(matches!(&told[places[0] + 1].1, Change::Opened(account) if account.id.get() == 3));
        }
        let only = pages(ledger, asked(8_189, Some(LIMIT_CODE)));
        let only: Vec<_> = only.iter().flat_map(|page| &page.changes).collect();
        assert!(matches!(only[..], [(_, Change::Applied(memo))] if memo.ledger.get() == 156), "{only:?}");
    };
    check(&ledger);
    post(&ledger, 70_000..=70_000 + 66_000);
    drop(ledger);
    let ledger = open(&disk);
    check(&ledger);
    assert!(ledger.audit().unwrap().faults.is_empty());

    // The last block of the first segment, with the memo's head.
    let first = segment(&disk, 0);
    let size = disk.open(&first).unwrap().size().unwrap();
    let all = pages(&ledger, asked(8_189, None)).into_iter().flat_map(|page| page.changes);
    let before = all.map(|change| change.0).nth(65_500).unwrap();
    let is_found = (0..size).rev().step_by(40).any(|offset| {
        assert!(disk.flip(&first, offset, 1));
        let told = ledger.feed(&FeedAsked { from: before, ..asked(100, None) }).unwrap();
        let Some(gap) = told.gaps.first() else { return false };
        assert_eq!((told.gaps.len(), gap.records.end.get()), (1, 65_537), "its other record is missing too");
        assert!(gap.reason.contains(&*first.display().to_string()), "{}", gap.reason);
        let applied = told.changes.iter().find(|(_, change)| matches!(change, Change::Applied(_)));
        assert!(applied.is_none() && told.changes.len() == 100, "{applied:?}");
        true
    });
    assert!(is_found, "one of the bytes is of the last block");
}
