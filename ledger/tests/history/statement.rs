//! Statements against the plain re-adding of all that was posted: every page, every balance, every period, of
//! accounts that are in every block and of such that are hardly anywhere; before and after sealing, and with pieces
//! of history damaged or gone.

use crate::world::{CASH, Posting, SLEEPER, World, open, posting, segment, world};
use fen_ledger::{
    Account, AccountId, Amount, Balances, BusinessDate, Code, CreateTransferStatus, Cursor, Direction, Fault,
    Ledger, LedgerCode, LoanCommand, Period, Stamp, Statement, StatementAsked, StatementLine, Transfer,
    TransferId,
};
use fen_store::disk::Disk;

impl World {
    fn check(&self, id: u128, period: Period, limit: u32) {
        let all = self.entries(id);
        let (min, max) = match period {
            Period::Stamps { min, max } => (min, if max.is_zero() { Stamp::MAX } else { max }),
            Period::All | Period::Booked { .. } | Period::Valued { .. } => (Stamp::ZERO, Stamp::MAX),
        };
        let before = |stamp: Stamp| {
            let last = all.iter().rev().find(|(_, transfer, _)| transfer.timestamp < stamp);
            last.map(|(_, _, balances)| *balances).unwrap_or_default()
        };
        let wanted: Vec<_> = all
            .iter()
            .filter(|(_, transfer, _)| min <= transfer.timestamp && transfer.timestamp <= max)
            .copied()
            .collect();
        for direction in [Direction::OldestFirst, Direction::NewestFirst] {
            let asked =
                StatementAsked { account_id: AccountId::new(id), period, direction, after: None, limit };
            let pages = self.pages(&asked);
            for page in &pages {
                assert_eq!(page.opening, Some(before(min)), "account {id}");
                assert_eq!(
                    page.closing,
                    Some(before(Stamp::new(max.get().saturating_add(1)))),
                    "account {id}"
                );
                assert_eq!(page.faults, []);
            }
            let mut lines: Vec<_> = pages.iter().flat_map(|page| page.lines.iter().map(told)).collect();
            if direction == Direction::NewestFirst {
                lines.reverse();
            }
            assert_eq!(lines.len(), wanted.len(), "account {id}, {period:?}, {direction:?}");
            assert!(lines == wanted, "account {id}, {period:?}, {direction:?}");
        }
    }

    fn pages(&self, asked: &StatementAsked) -> Vec<Statement> {
        let mut pages = Vec::new();
        let mut asked = *asked;
        loop {
            let page = self.ledger.statement(&asked).unwrap().unwrap();
            asked.after = page.next;
            pages.push(page);
            if asked.after.is_none() {
                return pages;
            }
        }
    }
}

fn told(line: &StatementLine) -> (u64, Transfer, Balances) {
    (line.number.get(), line.transfer, line.balances)
}

fn page_of(id: u128, direction: Direction, limit: u32) -> StatementAsked {
    StatementAsked { account_id: AccountId::new(id), period: Period::All, direction, after: None, limit }
}

fn check_all(world: &World) {
    let stamps = |min: usize, max: usize| Period::Stamps { min: world.stamp(min), max: world.stamp(max) };
    for id in [CASH, 7, 399, SLEEPER] {
        world.check(id, Period::All, 8_189);
    }
    world.check(9, Period::All, 37);
    world.check(SLEEPER, Period::All, 1);
    for id in [CASH, 8, SLEEPER] {
        world.check(id, stamps(10, 70_000), 2_000);
        world.check(id, stamps(65_536, 65_536 + 255), 100);
        world.check(id, stamps(150_001, 270_000), 5_000);
        world.check(id, Period::Stamps { min: Stamp::ZERO, max: world.stamp(5) }, 3);
        world.check(id, Period::Stamps { min: world.stamp(271_000), max: Stamp::ZERO }, 1_000);
    }
}

#[test]
fn statements_are_those_of_the_plain_records() {
    let mut world = world();
    check_all(&world);
    world = world.reopen();
    check_all(&world);
    assert_eq!(world.ledger.statement(&page_of(9_999, Direction::OldestFirst, 5)).unwrap(), None);
    cursors_stay(&mut world);
}

/// A cursor goes on where it was, whatever is booked meanwhile.
fn cursors_stay(world: &mut World) {
    for (direction, begin) in [(Direction::OldestFirst, 1_000_000u128), (Direction::NewestFirst, 2_000_000)] {
        let first = world.ledger.statement(&page_of(CASH, direction, 100)).unwrap().unwrap();
        let last = first.lines[99].number.get();
        let next = first.next.unwrap().to_string();
        let mut seed = 99;
        let more: Vec<Posting> =
            (begin..begin + 50).filter(|id| id % 10 != 7).map(|id| posting(id, &mut seed)).collect();
        world.post(&more);
        let after = Some(next.parse::<Cursor>().unwrap());
        let second = StatementAsked { after, ..page_of(CASH, direction, 100) };
        let second = world.ledger.statement(&second).unwrap().unwrap();
        let lines: Vec<_> = second.lines.iter().map(told).collect();
        let all = world.entries(CASH).into_iter();
        let wanted: Vec<_> = match direction {
            Direction::OldestFirst => all.filter(|(number, ..)| *number > last).take(100).collect(),
            Direction::NewestFirst => all.rev().filter(|(number, ..)| *number < last).take(100).collect(),
        };
        assert!(lines == wanted, "{direction:?}");
    }
}

#[test]
fn a_cursor_from_elsewhere_is_refused() {
    let ledgers = [3u128, 5].map(|amount| {
        let ledger = Ledger::in_memory(Stamp::new(1_000 * u64::try_from(amount).unwrap()));
        let account = |id| Account {
            id: AccountId::new(id),
            ledger: LedgerCode::new(156),
            code: Code::new(1),
            ..Account::default()
        };
        ledger.create_accounts(&[account(1), account(2), account(3)]).unwrap();
        let transfer = |id| Transfer {
            id: TransferId::new(id),
            debit_account_id: AccountId::new(1),
            credit_account_id: AccountId::new(2 + id % 2),
            amount: Amount::new(amount),
            ledger: LedgerCode::new(156),
            code: Code::new(9),
            ..Transfer::default()
        };
        let count = if amount == 3 { 40 } else { 20 };
        ledger.create_transfers(&(1..=count).map(transfer).collect::<Vec<_>>()).unwrap();
        ledger
    });
    let asked = page_of(1, Direction::OldestFirst, 5);
    let cursor =
        |ledger: &Ledger, limit| ledger.statement(&StatementAsked { limit, ..asked }).unwrap().unwrap().next;
    let refusal = |asked: &StatementAsked| match ledgers[1].statement(asked) {
        Err(Fault::Cursor(words)) => words.to_string(),
        other => panic!("{other:?}"),
    };
    let here = cursor(&ledgers[1], 5);
    let foreign = StatementAsked { after: cursor(&ledgers[0], 5), ..asked };
    assert!(refusal(&foreign).contains("another ledger or shard: record 4 here is another one"));
    let beyond = StatementAsked { after: cursor(&ledgers[0], 30), ..asked };
    assert!(refusal(&beyond).contains("record 29, where it stands, is not in this one"));
    let other_account = StatementAsked { account_id: AccountId::new(2), after: here, ..asked };
    assert!(refusal(&other_account).contains("it is of account 1, and account 2 is asked for"));
    let backwards = StatementAsked { direction: Direction::NewestFirst, after: here, ..asked };
    assert!(refusal(&backwards).contains("oldest first"));
    assert_eq!(
        ledgers[1].statement(&StatementAsked { after: here, ..asked }).unwrap().unwrap().lines.len(),
        5
    );
}

/// Closing balances of business dates are read again years of postings later.
#[test]
fn a_closed_day_has_one_balance_for_ever() {
    let ledger = Ledger::in_memory(Stamp::new(1_000));
    let account = |id| Account {
        id: AccountId::new(id),
        ledger: LedgerCode::new(156),
        code: Code::new(1),
        ..Account::default()
    };
    ledger.create_accounts(&[account(1), account(2)]).unwrap();
    let pay = |id: u128| {
        let transfer = Transfer {
            id: TransferId::new(id),
            debit_account_id: AccountId::new(1),
            credit_account_id: AccountId::new(2),
            amount: Amount::new(id),
            ledger: LedgerCode::new(156),
            code: Code::new(9),
            ..Transfer::default()
        };
        assert_eq!(ledger.create_transfers(&[transfer]).unwrap()[0].status, CreateTransferStatus::Created);
    };
    let roll = |day| {
        ledger.loans(&LoanCommand::DayEnd { through: BusinessDate::new(day), loans_max: 0 }).unwrap();
    };
    let of_days = |first, last| {
        let period = Period::Booked { first: BusinessDate::new(first), last: BusinessDate::new(last) };
        let asked = StatementAsked { period, ..page_of(2, Direction::OldestFirst, 100) };
        let page = ledger.statement(&asked).unwrap().unwrap();
        let ids: Vec<u128> = page.lines.iter().map(|line| line.transfer.id.get()).collect();
        let days: Vec<i32> = page.lines.iter().map(|line| line.booked_on.get()).collect();
        let credit = |balances: Option<Balances>| balances.unwrap().credits_posted.get();
        (credit(page.opening), ids, days, credit(page.closing))
    };
    roll(20_000);
    pay(1);
    pay(2);
    roll(20_001);
    pay(4);
    roll(20_004);
    let day_two = (3, vec![4], vec![20_002], 7);
    assert_eq!(of_days(20_001, 20_001), (0, vec![1, 2], vec![20_001; 2], 3));
    assert_eq!(of_days(20_002, 20_002), day_two);
    pay(8);
    assert_eq!(of_days(20_002, 20_002), day_two, "what is booked today is not in it");
    assert_eq!(of_days(20_003, 20_004), (7, vec![], vec![], 7), "rolled over in one go");
    assert_eq!(of_days(20_005, 20_005), (7, vec![8], vec![20_005], 15), "today");
    assert_eq!(of_days(20_006, 20_009), (15, vec![], vec![], 15), "to come");
    roll(20_400);
    assert_eq!(of_days(20_002, 20_002), day_two, "a year later");
    assert_eq!(of_days(20_001, 20_400), (0, vec![1, 2, 4, 8], vec![20_001, 20_001, 20_002, 20_005], 15));
}

#[test]
fn a_damaged_piece_is_named_and_hides_no_more_than_it_must() {
    let world = world().reopen();
    let whole = world.entries(CASH);
    // A block in the middle of the second segment.
    let damaged = segment(&world.disk, 1);
    assert!(world.disk.flip(&damaged, 200_000, 3));
    for direction in [Direction::OldestFirst, Direction::NewestFirst] {
        let pages = world.pages(&page_of(CASH, direction, 8_189));
        let faults: Vec<_> = pages.iter().flat_map(|page| &page.faults).collect();
        assert!(!faults.is_empty(), "{direction:?}");
        for fault in faults {
            assert!(fault.contains(&*damaged.display().to_string()), "{fault}");
        }
        let lines: Vec<_> = pages.iter().flat_map(|page| page.lines.iter().map(told)).collect();
        assert!(lines.iter().all(|line| {
            whole.binary_search_by_key(&line.0, |known| known.0).is_ok_and(|at| whole[at] == *line)
        }));
        let lost = whole.len() - lines.len();
        assert!(0 < lost && lost <= 256, "{lost} lines are lost, {direction:?}");
        assert_eq!(pages[0].closing, Some(whole.last().unwrap().2));
    }
}

#[test]
fn a_segment_that_is_gone_is_named() {
    let mut world = world().reopen();
    let cursor = world.ledger.statement(&page_of(CASH, Direction::OldestFirst, 100)).unwrap().unwrap().next;
    let gone = segment(&world.disk, 0);
    drop(std::mem::replace(&mut world.ledger, Ledger::in_memory(Stamp::new(1))));
    world.disk.remove(&gone).unwrap();
    world.ledger = open(&world.disk);
    let pages = world.pages(&page_of(CASH, Direction::NewestFirst, 8_189));
    let lines: usize = pages.iter().map(|page| page.lines.len()).sum();
    let told = world.entries(CASH).iter().filter(|(number, ..)| *number >= 65_536).count();
    assert_eq!(lines, told, "all of the other segments");
    assert!(
        pages.last().unwrap().faults.iter().any(|fault| fault.contains("segment 0")),
        "{:?}",
        pages.last().unwrap().faults
    );
    let asked = StatementAsked { after: cursor, ..page_of(CASH, Direction::OldestFirst, 10) };
    match world.ledger.statement(&asked) {
        Err(Fault::Damaged(words)) => assert!(words.contains("segment 0"), "{words}"),
        other => panic!("{other:?}"),
    }
}
