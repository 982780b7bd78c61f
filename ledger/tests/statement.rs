//! Statements against the plain re-adding of all that was posted: every page, every balance, every period, of
//! accounts that are in every block and of such that are hardly anywhere; before and after sealing, and with pieces
//! of history damaged or gone.
#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

use fen_ledger::{
    Account, AccountId, Amount, Balances, BusinessDate, Code, CreateTransferStatus, Cursor, Direction, Fault,
    Ledger, LedgerCode, LoanCommand, Options, Period, Stamp, Statement, StatementAsked, StatementLine,
    SystemClock, Transfer, TransferFlags, TransferId,
};
use fen_store::disk::{Disk, MemoryDisk};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The bank's cash: in every other transfer.
const CASH: u128 = 1;
const ACCOUNTS: u128 = 400;
/// Has entries in the first transfers only, and one in the last.
const SLEEPER: u128 = 401;
/// Four sealed chunks, and a young one that is not full.
const TRANSFERS: u128 = 4 * 65_536 + 9_000;
const BATCH: usize = 8_000;

fn random(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *seed;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// A transfer, and how it moves both its accounts: reserved, released, posted.
struct Posting {
    transfer: Transfer,
    moves: [u128; 3],
}

fn posting(id: u128, seed: &mut u64) -> Posting {
    let draw = u128::from(random(seed));
    let sleeps = id <= 20 || id == TRANSFERS;
    let debit = if sleeps {
        SLEEPER
    } else if draw.is_multiple_of(2) {
        CASH
    } else {
        2 + draw / 2 % (ACCOUNTS - 2)
    };
    let credit = 2 + (debit + 1 + (draw >> 32) % (ACCOUNTS - 4)) % (ACCOUNTS - 2);
    let credit = if credit == debit { CASH } else { credit };
    let amount = 1 + (draw >> 48) % 1_000;
    let flags = if id % 10 == 7 { TransferFlags::PENDING } else { TransferFlags::NONE };
    let moves = if id % 10 == 7 { [amount, 0, 0] } else { [0, 0, amount] };
    let transfer = Transfer {
        id: TransferId::new(id),
        debit_account_id: AccountId::new(debit),
        credit_account_id: AccountId::new(credit),
        amount: Amount::new(amount),
        ledger: LedgerCode::new(156),
        code: Code::new(1 + u16::try_from(draw % 3).unwrap()),
        flags,
        ..Transfer::default()
    };
    Posting { transfer, moves }
}

/// The post of a part, or the void, of the pending transfer before it.
fn ending(id: u128, pending: &Transfer) -> Posting {
    let amount = pending.amount.get();
    let part = amount.div_ceil(2);
    let (flags, posted) = if id % 20 == 8 {
        (TransferFlags::POST_PENDING_TRANSFER, part)
    } else {
        (TransferFlags::VOID_PENDING_TRANSFER, 0)
    };
    let transfer = Transfer {
        id: TransferId::new(id),
        pending_id: pending.id,
        amount: Amount::new(posted),
        flags,
        ..Transfer::default()
    };
    Posting { transfer, moves: [0, amount, posted] }
}

struct World {
    disk: MemoryDisk,
    ledger: Ledger,
    /// As the ledger shows them, with what each moved.
    posted: Vec<(Transfer, [u128; 3])>,
}

fn open(disk: &MemoryDisk) -> Ledger {
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let options = Options { checkpoint_bytes: 8 << 20, ..Options::default() };
    Ledger::open_on(&shared, Arc::new(SystemClock), &options).unwrap()
}

fn world() -> World {
    let disk = MemoryDisk::new();
    let ledger = open(&disk);
    let account = |id| Account {
        id: AccountId::new(id),
        ledger: LedgerCode::new(156),
        code: Code::new(1),
        ..Account::default()
    };
    ledger.create_accounts(&(1..=SLEEPER).map(account).collect::<Vec<_>>()).unwrap();
    let mut world = World { disk, ledger, posted: Vec::new() };
    let mut seed = 11;
    let mut all: Vec<Posting> = Vec::new();
    for id in 1..=TRANSFERS {
        let next = match all.last().filter(|last| last.transfer.flags.contains(TransferFlags::PENDING)) {
            Some(pending) => ending(id, &pending.transfer),
            None => posting(id, &mut seed),
        };
        all.push(next);
    }
    world.post(&all);
    world
}

impl World {
    fn post(&mut self, all: &[Posting]) {
        for batch in all.chunks(BATCH) {
            let transfers: Vec<Transfer> = batch.iter().map(|posting| posting.transfer).collect();
            let outcomes = self.ledger.create_transfers(&transfers).unwrap();
            for (posting, outcome) in batch.iter().zip(outcomes) {
                assert_eq!(outcome.status, CreateTransferStatus::Created, "{:?}", posting.transfer);
                let mut shown = posting.transfer;
                shown.timestamp = outcome.timestamp;
                if let Some((pending, _)) = self.posted.last().filter(|_| !shown.pending_id.is_zero()) {
                    let of_pending = *pending;
                    shown.debit_account_id = of_pending.debit_account_id;
                    shown.credit_account_id = of_pending.credit_account_id;
                    shown.ledger = of_pending.ledger;
                    shown.code = of_pending.code;
                    if shown.flags.contains(TransferFlags::VOID_PENDING_TRANSFER) {
                        shown.amount = of_pending.amount;
                    }
                }
                self.posted.push((shown, posting.moves));
            }
        }
    }

    /// Closes and opens the ledger, so that all full chunks are sealed.
    fn reopen(self) -> Self {
        drop(self.ledger);
        let ledger = open(&self.disk);
        Self { ledger, ..self }
    }

    /// An account's entries, oldest first, the plain way.
    fn entries(&self, id: u128) -> Vec<(u64, Transfer, Balances)> {
        let id = AccountId::new(id);
        let mut balances = Balances::default();
        let mut lines = Vec::new();
        for (number, (transfer, [reserved, released, posted])) in (0u64..).zip(&self.posted) {
            let (pending, settled) = if transfer.debit_account_id == id {
                (&mut balances.debits_pending, &mut balances.debits_posted)
            } else if transfer.credit_account_id == id {
                (&mut balances.credits_pending, &mut balances.credits_posted)
            } else {
                continue;
            };
            *pending = Amount::new(pending.get() + reserved - released);
            *settled = Amount::new(settled.get() + posted);
            lines.push((number, *transfer, balances));
        }
        lines
    }

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

    fn stamp(&self, index: usize) -> Stamp {
        self.posted[index].0.timestamp
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

/// The file of a segment.
fn segment(disk: &MemoryDisk, number: u32) -> PathBuf {
    let prefix = format!("{number:08}-");
    let names = disk.list(Path::new("journal")).unwrap();
    let name = names.into_iter().find(|name| name.starts_with(&prefix)).unwrap();
    Path::new("journal").join(name)
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
