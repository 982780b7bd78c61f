//! Three shards' books, and whatever can happen to the steps between them: late, lost, taken twice, out of order.

#![allow(clippy::unwrap_used, reason = "a panic in a test is its report")]

use super::orders::{self, LegEnd, Verdict, Word, kind};
use super::table::{Crossings, Stage};
use crate::books::Books;
use bytes::Bytes;
use fen_api::records;
use fen_book::clearing::{Step, clearing_account, step_id};
use fen_book::command::kind as book_kind;
use fen_book::{
    Account, AccountFlags, AccountId, Amount, Code, CreateTransferStatus as Status, LedgerCode,
    TimeoutSeconds, Transfer, TransferFlags, TransferId,
};
use fen_ledger::shard::Shard;
use fen_store::checkpoint::PageStore;
use fen_store::disk::{Disk, MemoryDisk};
use fen_store::journal::Journal;
use proptest::prelude::*;
use std::path::Path;
use std::sync::Arc;
use zerocopy::IntoBytes;

const CNY: LedgerCode = LedgerCode::new(156);
const USD: LedgerCode = LedgerCode::new(840);
const SHARDS: u32 = 3;
const CUSTOMERS: u32 = 4;
const SECOND: u64 = 1_000_000_000;

/// Aligned bytes, as the machine gives them to the books.
fn aligned(body: &[u8], apply: impl FnOnce(&[u8]) -> Bytes) -> Bytes {
    let mut words = vec![0_u128; body.len().div_ceil(16)];
    words.as_mut_bytes()[..body.len()].copy_from_slice(body);
    apply(&words.as_bytes()[..body.len()])
}

struct World {
    books: Vec<Books>,
    now: u64,
    /// Steps whose answers are still to come, or come again.
    verdicts: Vec<(u32, Bytes)>,
}

/// Customer `number` of a shard. The last one of each lives in another currency.
fn customer(shard: u32, number: u32) -> AccountId {
    AccountId::new((u128::from(shard) << 64) | (u128::from(number) + 1))
}

const BANK: AccountId = AccountId::new((u64::MAX as u128) << 64 | 1);

impl World {
    fn new() -> Self {
        let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
        let books = |number: u32| {
            let folder = number.to_string();
            let store = PageStore::open(disk.clone(), &Path::new(&folder).join("checkpoint")).unwrap();
            let journal = Arc::new(Journal::open(disk.clone(), &Path::new(&folder).join("journal")).unwrap());
            Books::new(number, Shard::restore(&store, journal).unwrap(), Crossings::default())
        };
        for number in 1..=SHARDS {
            for name in ["checkpoint", "journal"] {
                disk.create_dir(&Path::new(&number.to_string()).join(name)).unwrap();
            }
        }
        let mut world = Self { books: (1..=SHARDS).map(books).collect(), now: SECOND, verdicts: Vec::new() };
        for shard in 1..=SHARDS {
            let account =
                |id, ledger, flags| Account { id, ledger, code: Code::new(1), flags, ..Account::default() };
            let mut accounts = vec![account(BANK, CNY, AccountFlags::NONE)];
            for number in 0..CUSTOMERS {
                let ledger = if number + 1 == CUSTOMERS { USD } else { CNY };
                accounts.push(account(
                    customer(shard, number),
                    ledger,
                    AccountFlags::DEBITS_MUST_NOT_EXCEED_CREDITS,
                ));
            }
            world.apply(shard, book_kind::CREATE_ACCOUNTS, accounts.as_bytes());
            let pay = |number| plain(u128::from(shard * 10 + number), BANK, customer(shard, number), 1_000);
            let funds: Vec<Transfer> = (0..CUSTOMERS - 1).map(pay).collect();
            world.apply(shard, book_kind::CREATE_TRANSFERS, funds.as_bytes());
        }
        world
    }

    fn of(&self, shard: u32) -> &Books {
        &self.books[shard as usize - 1]
    }

    fn apply(&mut self, shard: u32, number: u16, body: &[u8]) -> Bytes {
        let (now, books) = (self.now, &mut self.books[shard as usize - 1]);
        aligned(body, |body| books.apply(now, number, body).unwrap())
    }

    fn out(&mut self, shard: u32, events: &[Transfer]) -> Vec<(Status, Word)> {
        let answer = self.apply(shard, kind::OUT, events.as_bytes());
        let results = orders::results(&answer).unwrap().into_iter();
        results.map(|(result, word)| (Status::from_number(result.status).unwrap(), word)).collect()
    }

    /// Takes the next step of one crossing; its answer may be delivered, kept, or both.
    fn step(&mut self, source: u32, place: usize, fate: u32) {
        let due = self.of(source).crossings().due_after(0, 100);
        let Some((_, crossing)) = due.get(place % due.len().max(1)).copied() else { return };
        if crossing.stage() == Stage::Out {
            let legs = orders::with_source(source, &[crossing.asked]);
            let verdicts = self.apply(crossing.target, kind::IN, &legs);
            if fate.is_multiple_of(2) {
                self.apply(source, kind::DECIDE, &verdicts);
            }
            if fate.is_multiple_of(3) {
                self.verdicts.push((source, verdicts));
            }
            return;
        }
        let end = match crossing.stage() {
            Stage::Posting => LegEnd::post(crossing.asked.id, crossing.posted),
            Stage::Out | Stage::Reserved | Stage::Voiding => LegEnd::void(crossing.asked.id),
        };
        let answer = self.apply(crossing.target, kind::END, &orders::with_source(source, &[end]));
        let result = records::unpack_results(&answer).unwrap()[0];
        let status = Status::from_number(result.status).unwrap();
        assert!(matches!(status, Status::Created | Status::Exists), "a leg can be ended: {status}");
        if fate.is_multiple_of(2) {
            self.apply(source, kind::ENDED, crossing.asked.id.as_bytes());
        }
    }

    fn deliver_late(&mut self, place: usize) {
        if let Some((source, verdicts)) = self.verdicts.get(place % self.verdicts.len().max(1)).cloned() {
            self.apply(source, kind::DECIDE, &verdicts);
        }
    }

    /// Until nothing waits for a step.
    fn settle(&mut self) {
        for place in 0..self.verdicts.len() {
            self.deliver_late(place);
        }
        for source in 1..=SHARDS {
            while !self.of(source).crossings().due_after(0, 1).is_empty() {
                self.step(source, 0, 0);
            }
        }
    }

    fn record(&self, shard: u32, id: TransferId) -> Option<Transfer> {
        self.of(shard).shard().find_record(id).unwrap().filter(Transfer::is_transfer)
    }

    /// Debits equal credits everywhere, clearing adds up to nothing, and what left a payer is what reached a payee.
    fn check(&self, sent: &[(u32, u32, Transfer)]) {
        for books in &self.books {
            assert_eq!(books.shard().audit().faults, Vec::<String>::new());
            assert!(books.crossings().is_empty());
        }
        for (source, target) in (1..=SHARDS).flat_map(|one| (1..=SHARDS).map(move |other| (one, other))) {
            for ledger in [CNY, USD] {
                let Some(id) = clearing_account(source, target, ledger) else { continue };
                let part = |shard| self.of(shard).shard().book().account(id).unwrap_or_default();
                let (there, here) = (part(target), part(source));
                assert_eq!(here.credits_posted, there.debits_posted, "{source} to {target}");
                for account in [here, there] {
                    assert_eq!(
                        (account.credits_pending, account.debits_pending),
                        (Amount::ZERO, Amount::ZERO)
                    );
                }
            }
        }
        for (source, target, asked) in sent {
            let Some(hold) = self.record(*source, asked.id) else { continue };
            let leg = self.record(*target, step_id(asked.id, Step::Leg));
            let settled = self.record(*source, step_id(asked.id, Step::Settle));
            let ended = self.record(*target, step_id(asked.id, Step::LegEnd));
            let posts = |record: Option<Transfer>| {
                let posts =
                    record.filter(|record| record.flags.contains(TransferFlags::POST_PENDING_TRANSFER));
                posts.map(|record| record.amount)
            };
            match leg {
                None => {
                    let back = self.of(*source).shard().book().young().resolution(hold.id).copied();
                    assert!(back.is_some() && posts(back).is_none(), "refused: the payer has it back");
                }
                Some(leg) if leg.flags.contains(TransferFlags::PENDING) => {
                    let resolution = self.of(*source).shard().book().young().resolution(hold.id).copied();
                    assert_eq!(posts(resolution), posts(ended), "both ends of a reservation agree");
                }
                Some(leg) => assert_eq!(posts(settled), Some(leg.amount), "posted once, on both sides alike"),
            }
        }
    }
}

fn plain(id: u128, debit: AccountId, credit: AccountId, amount: u128) -> Transfer {
    Transfer {
        id: TransferId::new(id),
        debit_account_id: debit,
        credit_account_id: credit,
        amount: Amount::new(amount),
        ledger: CNY,
        code: Code::new(1),
        ..Transfer::default()
    }
}

fn flagged(flags: TransferFlags, transfer: Transfer) -> Transfer {
    Transfer { flags, ..transfer }
}

/// Splitmix: as random as a story needs.
fn next(seed: &mut u64) -> u32 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut word = *seed;
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    u32::try_from((word ^ (word >> 31)) >> 33).unwrap()
}

/// A random transfer from one shard to another.
fn draw(seed: &mut u64, id: u128) -> (u32, u32, Transfer) {
    let source = next(seed) % SHARDS + 1;
    let target = (source + next(seed) % (SHARDS - 1)) % SHARDS + 1;
    // Sometimes a currency that does not fit, or an account that is not there.
    let (payer, payee) = (next(seed) % CUSTOMERS, next(seed) % (CUSTOMERS + 1));
    let flags = match next(seed) % 8 {
        0..=2 => TransferFlags::PENDING,
        3 => TransferFlags::BALANCING_DEBIT,
        4 => TransferFlags::PENDING.with(TransferFlags::CLOSING_CREDIT),
        5 => TransferFlags::PENDING.with(TransferFlags::CLOSING_DEBIT),
        _plain => TransferFlags::NONE,
    };
    let amount = u128::from(next(seed) % 700);
    let transfer = plain(id, customer(source, payer), customer(target, payee), amount);
    let reserves = flags.contains(TransferFlags::PENDING);
    let timeout = TimeoutSeconds::new(if reserves { next(seed) % 3 } else { 0 });
    (source, target, Transfer { timeout, ..flagged(flags, transfer) })
}

fn story(mut seed: u64) {
    let mut world = World::new();
    let mut sent: Vec<(u32, u32, Transfer)> = Vec::new();
    let mut end_id = 1 << 100;
    for _event in 0..120 {
        world.now += u64::from(next(&mut seed)) % SECOND;
        match next(&mut seed) % 8 {
            0..=2 => {
                let retry = sent.get(next(&mut seed) as usize % (sent.len() + 3)).copied();
                let (source, target, asked) = retry.unwrap_or_else(|| {
                    let drawn = draw(&mut seed, 1_000 + sent.len() as u128);
                    sent.push(drawn);
                    drawn
                });
                world.out(source, &[orders::across(&asked, target)]);
            }
            3 => {
                let Some((source, _, asked)) = sent.get(next(&mut seed) as usize % (sent.len() + 1)).copied()
                else {
                    continue;
                };
                end_id += 1;
                let posts = next(&mut seed).is_multiple_of(2);
                let (flags, amount) = if posts {
                    (
                        TransferFlags::POST_PENDING_TRANSFER,
                        u128::from(next(&mut seed)) % (asked.amount.get() + 1),
                    )
                } else {
                    (TransferFlags::VOID_PENDING_TRANSFER, 0)
                };
                let credit =
                    if next(&mut seed).is_multiple_of(2) { AccountId::ZERO } else { asked.credit_account_id };
                let end = Transfer {
                    pending_id: asked.id,
                    ..plain(end_id, asked.debit_account_id, credit, amount)
                };
                world.out(source, &[flagged(flags, end)]);
            }
            4 => world.deliver_late(next(&mut seed) as usize),
            5 => {
                let shard = next(&mut seed) % SHARDS + 1;
                world.apply(shard, book_kind::PULSE, &[]);
            }
            _step => {
                let (source, place, fate) = (next(&mut seed) % SHARDS + 1, next(&mut seed), next(&mut seed));
                world.step(source, place as usize, fate);
            }
        }
    }
    world.settle();
    for source in 1..=SHARDS {
        let open: Vec<Transfer> = world.of(source).crossings().iter().map(|open| open.asked).collect();
        for asked in open {
            end_id += 1;
            let void = Transfer { pending_id: asked.id, id: TransferId::new(end_id), ..Transfer::default() };
            let answers = world.out(source, &[flagged(TransferFlags::VOID_PENDING_TRANSFER, void)]);
            assert!(matches!(answers[0].0, Status::Created | Status::PendingTransferExpired), "{answers:?}");
        }
    }
    world.settle();
    world.check(&sent);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]
    #[test]
    fn steps_in_any_order_any_number_of_times_move_money_once(seed: u64) {
        story(seed);
    }
}

fn decided(world: &mut World, source: u32, target: u32, asked: Transfer) -> Status {
    let first = world.out(source, &[orders::across(&asked, target)])[0];
    if first.1 == Word::Final {
        return first.0;
    }
    let crossing = world.of(source).crossings().get(asked.id).copied().unwrap();
    let verdicts = world.apply(target, kind::IN, &orders::with_source(source, &[crossing.asked]));
    let answer = world.apply(source, kind::DECIDE, &verdicts);
    Status::from_number(orders::results(&answer).unwrap()[0].0.status).unwrap()
}

#[test]
fn each_refusal_has_the_status_of_a_local_one_and_stays_refused() {
    let mut world = World::new();
    let (anna, bea) = (customer(1, 0), customer(2, 0));
    let nobody = customer(2, CUSTOMERS + 7);
    let cases = [
        (plain(101, anna, bea, 2_000), Status::ExceedsCredits),
        (plain(102, anna, nobody, 10), Status::CreditAccountNotFound),
        (plain(103, customer(1, CUSTOMERS + 7), bea, 10), Status::DebitAccountNotFound),
        (plain(104, anna, customer(2, CUSTOMERS - 1), 10), Status::AccountsMustHaveTheSameLedger),
        (plain(105, customer(1, CUSTOMERS - 1), bea, 10), Status::AccountsMustHaveTheSameLedger),
        (
            Transfer { timeout: TimeoutSeconds::new(1), ..plain(106, anna, bea, 1) },
            Status::TimeoutReservedForPendingTransfer,
        ),
        (
            flagged(TransferFlags::CLOSING_DEBIT, plain(107, anna, bea, 1)),
            Status::ClosingTransferMustBePending,
        ),
        (Transfer { ledger: LedgerCode::ZERO, ..plain(108, anna, bea, 1) }, Status::LedgerMustNotBeZero),
        (Transfer { code: Code::ZERO, ..plain(109, anna, bea, 1) }, Status::CodeMustNotBeZero),
        (plain(110, anna, bea, 100), Status::Created),
    ];
    for (asked, status) in cases {
        assert_eq!(decided(&mut world, 1, 2, asked), status);
        let again = world.out(1, &[orders::across(&asked, 2)])[0];
        let known = world.of(2).verdict(asked.id, step_id(asked.id, Step::Leg)).unwrap();
        if status == Status::Created {
            assert_eq!(again, (Status::Exists, Word::Known));
        } else if let Some(known) = known {
            assert_eq!(again, (Status::Exists, Word::Known));
            assert_eq!(known.status(), Some(status), "the target keeps its reason");
        } else {
            let stays = if status.burns_id() { Status::IdAlreadyFailed } else { status };
            assert_eq!(again, (stays, Word::Final));
        }
    }
    // Opened after it was refused: the refusal stands.
    let account = Account { id: nobody, ledger: CNY, code: Code::new(1), ..Account::default() };
    world.apply(2, book_kind::CREATE_ACCOUNTS, account.as_bytes());
    let stale = Transfer { timestamp: fen_book::Stamp::new(5), ..plain(102, anna, nobody, 10) };
    let verdict = world.apply(2, kind::IN, &orders::with_source(1, &[stale]));
    let verdict = orders::copy::<Verdict>(&verdict).unwrap()[0];
    assert_eq!(verdict.status(), Some(Status::CreditAccountNotFound));
    let (payer, payee) = (world.of(1).shard().book().account(anna), world.of(2).shard().book().account(bea));
    assert_eq!((payer.unwrap().debits_posted.get(), payee.unwrap().credits_posted.get()), (100, 1_100));
}

#[test]
fn a_reservation_is_held_on_both_sides_and_ends_on_both() {
    let mut world = World::new();
    let (anna, bea) = (customer(1, 0), customer(2, 0));
    let pending = flagged(TransferFlags::PENDING, plain(1, anna, bea, 400));
    let end = |id, flags, amount| {
        flagged(flags, Transfer { pending_id: TransferId::new(1), ..plain(id, anna, bea, amount) })
    };
    // A post that comes with the reservation waits for it.
    let post = end(2, TransferFlags::POST_PENDING_TRANSFER, 150);
    let words: Vec<Word> =
        world.out(1, &[orders::across(&pending, 2), post]).into_iter().map(|(_, word)| word).collect();
    assert_eq!(words, [Word::UnderWay, Word::AskAgain]);
    assert_eq!(decided(&mut world, 1, 2, pending), Status::Created);
    let reserved = |world: &World| {
        let (payer, payee) =
            (world.of(1).shard().book().account(anna), world.of(2).shard().book().account(bea));
        (payer.unwrap().debits_pending.get(), payee.unwrap().credits_pending.get())
    };
    assert_eq!(reserved(&world), (400, 400));
    let too_much = end(3, TransferFlags::POST_PENDING_TRANSFER, 401);
    assert_eq!(world.out(1, &[too_much])[0], (Status::ExceedsPendingTransferAmount, Word::Final));
    assert_eq!(world.out(1, &[post])[0], (Status::Created, Word::UnderWay));
    assert_eq!(world.out(1, &[post])[0], (Status::Exists, Word::UnderWayBefore));
    world.settle();
    assert_eq!(reserved(&world), (0, 0));
    assert_eq!(world.of(2).shard().book().account(bea).unwrap().credits_posted.get(), 1_150);
    let late = end(4, TransferFlags::VOID_PENDING_TRANSFER, 0);
    assert_eq!(world.out(1, &[late])[0], (Status::PendingTransferAlreadyPosted, Word::Final));
    world.check(&[(1, 2, pending)]);
}

#[test]
fn a_batch_that_reserves_and_ends_can_be_asked_again_at_any_stage() {
    let mut world = World::new();
    let hold =
        orders::across(&flagged(TransferFlags::PENDING, plain(900, customer(1, 0), customer(2, 0), 100)), 2);
    let dear = orders::across(
        &flagged(TransferFlags::PENDING, plain(910, customer(1, 0), customer(2, 0), 100_000)),
        2,
    );
    let end = |id, of| Transfer {
        id: TransferId::new(id),
        pending_id: TransferId::new(of),
        flags: TransferFlags::VOID_PENDING_TRANSFER,
        ..Transfer::default()
    };
    let (void, void_dear) = (end(901, 900), end(911, 910));
    let not_yet = (Status::PendingTransferNotFound, Word::AskAgain);
    let at_once = (Status::PendingTransferNotFound, Word::AskAtOnce);
    assert_eq!(world.out(1, &[hold, void]), [(Status::Created, Word::UnderWay), not_yet]);
    assert_eq!(world.out(1, &[hold, void]), [(Status::Exists, Word::UnderWayBefore), not_yet]);
    // What the payer's shard refuses, nobody will ever decide.
    assert_eq!(world.out(1, &[dear, void_dear]), [(Status::ExceedsCredits, Word::Final), at_once]);
    assert_eq!(world.out(1, &[void_dear]), [(Status::PendingTransferNotFound, Word::Final)]);
    world.settle();
    // Reserved on both sides by now, whoever asks.
    assert_eq!(world.out(1, &[hold, void]), [(Status::Exists, Word::Final), at_once]);
    assert_eq!(world.out(1, &[void]), [(Status::Created, Word::UnderWay)]);
    world.settle();
    assert_eq!(world.out(1, &[hold, void]), [(Status::Exists, Word::Known), at_once]);
    assert_eq!(world.out(1, &[void]), [(Status::Exists, Word::Final)]);
}

#[test]
fn balancing_moves_what_each_side_has_room_for() {
    let mut world = World::new();
    let (anna, bea) = (customer(1, 0), customer(2, 0));
    let all = flagged(TransferFlags::BALANCING_DEBIT, plain(1, anna, bea, u128::MAX));
    assert_eq!(decided(&mut world, 1, 2, all), Status::Created);
    assert_eq!(world.of(1).shard().book().account(anna).unwrap().debits_posted.get(), 1_000);
    // Bea has 2,000 in credits and no debits: there is no room for more under a balancing credit.
    let carla = customer(1, 1);
    let none = flagged(TransferFlags::BALANCING_CREDIT, plain(2, carla, bea, 300));
    assert_eq!(decided(&mut world, 1, 2, none), Status::Created);
    let account = world.of(1).shard().book().account(carla).unwrap();
    assert_eq!((account.debits_posted.get(), account.debits_pending.get()), (0, 0));
    world.check(&[(1, 2, all), (1, 2, none)]);
}

#[test]
fn the_table_comes_back_from_its_pages() {
    let mut world = World::new();
    for id in 0..900_u128 {
        let asked = flagged(TransferFlags::PENDING, plain(1_000 + id, customer(1, 0), customer(2, 0), 1));
        let asked = Transfer { timeout: TimeoutSeconds::new(u32::try_from(id).unwrap()), ..asked };
        world.out(1, &[orders::across(&asked, 2)]);
        if id.is_multiple_of(2) {
            world.step(1, 0, 2);
        }
    }
    let crossings = world.of(1).crossings();
    let mut restored = Crossings::default();
    for page in crossings.pages() {
        restored.restore(&page).unwrap();
    }
    assert!(crossings.iter().eq(restored.iter()));
    assert_eq!(crossings.due_after(0, usize::MAX).len(), restored.due_after(0, usize::MAX).len());
    assert!(crossings.pages().len() > 2);
    for (place, byte) in [(0, 0xff), (160 + 16 - 4, 9)] {
        let mut page = crossings.pages().remove(0);
        page[place] = byte;
        page[place + 1] = byte;
        assert!(Crossings::default().restore(&page).is_err(), "byte {place}");
    }
}
