//! The change feed against the plain list of all that was posted.

use crate::world::{SLEEPER, World, segment, world};
use fen_ledger::{Change, Fault, FeedAsked, FeedPage, FeedPosition, Ledger, Stamp, Transfer};

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
        Change::Opened(_) | Change::Expired(_) | Change::Burned(_) => None,
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
