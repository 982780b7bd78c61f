//! Loans on their ordinary course against the fold: random products, borrowers and lives, and after every command
//! the audit, which folds every loan anew and compares position, next change and course, and the control accounts.
//!
//! Each life is told twice, to a book that takes day-end whole and to one that takes it in small chunks and is restored
//! from a checkpoint now and then: at the end both show the same loans. `FEN_LIVES_SEED` and `FEN_LIVES_CASES` choose
//! other lives.

#![allow(clippy::unwrap_used, reason = "a panic in a test is the report")]

mod common;

use common::{Pages, loans_of};
use fen_book::loan::allocation::{Allocation, Direction, InAdvance, Target};
use fen_book::loan::classes::Class;
use fen_book::loan::command::{LoanCommand, LoanReply};
use fen_book::loan::contract::Prepayment;
use fen_book::loan::event::ChargeKind;
use fen_book::loan::money::Money;
use fen_book::loan::order::{Facts, LoanAct, LoanOrder, Opening, Reschedule};
use fen_book::loan::product::{Funder, Limits, Product, StatedTerms};
use fen_book::loan::product_status::ProductStatus;
use fen_book::loan::status::LoanStatus;
use fen_book::loan::view::{LoanState, LoanView};
use fen_book::{
    Account, AccountFlags, AccountId, Amount, Book, BusinessDate, Code, Command, LedgerCode, Recall, Reply,
    Stamp, Transfer, TransferFlags, TransferId,
};
use fen_terms::{
    Accrual, Amortisation, Day, DayCount, Money as Units, Percent, Period, PeriodUnit, Rate, Rounding,
    RoundingMode,
};

const CNY: LedgerCode = LedgerCode::new(156);
const BANK: u128 = 9;
const PRODUCTS: u64 = 3;
const BORROWERS: u64 = 4;

/// A small generator of its own, so that a seed tells the same life everywhere.
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    fn of<T: Clone>(&mut self, all: &[T]) -> T {
        all[usize::try_from(self.below(all.len() as u64)).unwrap()].clone()
    }
}

fn percent(text: &str) -> Percent {
    Percent::parse(text).unwrap()
}

/// Targets in a random order; the ages mostly oldest first.
fn allocation(draws: &mut Draws) -> Allocation {
    let mut listed: Vec<Target> = Target::all().collect();
    for _ in 0..3 {
        for age in 0..3 {
            let (a, b) = (draws.below(4), draws.below(4));
            listed.swap(usize::try_from(age * 4 + a).unwrap(), usize::try_from(age * 4 + b).unwrap());
        }
    }
    if draws.one_in(8) {
        listed.rotate_left(4);
    }
    let direction = if draws.one_in(8) { Direction::Vertical } else { Direction::Horizontal };
    Allocation::new(&listed, direction).unwrap()
}

fn product(id: u128, draws: &mut Draws) -> Product {
    let rates = [
        Rate::daily(percent("0.05")),
        Rate::annual(percent("18")),
        Rate::annual(percent("3.7")),
        Rate::annual(percent("0")),
    ];
    let rounding = Rounding {
        mode: draws.of(RoundingMode::ALL),
        to: Units::new(draws.of(&[1, 1, 1, 100])),
        instalment_to: if draws.one_in(4) { Some(Units::new(100)) } else { None },
    };
    let mut product = Product {
        id,
        ledger: CNY,
        terms: StatedTerms {
            rate: Some(draws.of(&rates)),
            period: Some(draws.of(&[
                Period { unit: PeriodUnit::Month, every: 1 },
                Period { unit: PeriodUnit::Week, every: 2 },
                Period { unit: PeriodUnit::Day, every: 10 },
            ])),
            amortisation: Some(draws.of(Amortisation::ALL)),
            accrual: Some(draws.of(Accrual::ALL)),
            day_count: Some(draws.of(DayCount::ALL)),
            rounding: Some(rounding),
            ..StatedTerms::default()
        },
        allocation: allocation(draws),
        in_advance: draws.of(&[InAdvance::NextInstalments, InAdvance::NextInstalments, InAdvance::Spread]),
        prepayment: draws.of(&Prepayment::ALL),
        penalty_multiple: draws.of(&[None, Some(percent("1.5")), Some(percent("0")), Some(percent("1.3"))]),
        collects: draws.one_in(2),
        ..Product::default()
    };
    product.classes.more_days_than = [0, 20, 40, 70];
    product.classes.stage_days = [10, 30];
    product.classes.non_accrual_days = 25;
    if draws.one_in(2) {
        product.classes.provision = ["1.5", "3", "30", "60", "100"].map(percent);
    }
    if draws.one_in(3) {
        product.limits = Limits { borrowers: Some(2), ..Limits::default() };
    }
    if draws.one_in(8) {
        product.write_off_days = Some(60);
    }
    if draws.one_in(10) {
        product.funders = vec![Funder { id: 1, share: percent("30") }];
    }
    product
}

struct World {
    book: Book,
    pages: Pages,
    clock: u64,
    loans_max: u32,
}

impl World {
    fn new(loans_max: u32) -> Self {
        let mut world = Self { book: Book::new(), pages: Pages::default(), clock: 1_000, loans_max };
        let mut accounts: Vec<Account> = (1..=BORROWERS)
            .map(|id| Account {
                id: AccountId::new(u128::from(id)),
                ledger: CNY,
                code: Code::new(1),
                flags: AccountFlags::DEBITS_MUST_NOT_EXCEED_CREDITS,
                ..Account::default()
            })
            .collect();
        let bank = Account { id: AccountId::new(BANK), flags: AccountFlags::NONE, ..accounts[0] };
        accounts.push(bank);
        world.apply(&Command::CreateAccounts(&accounts));
        world
    }

    fn apply(&mut self, command: &Command<'_>) -> Reply {
        self.clock += u64::try_from(command.stamp_count()).unwrap();
        self.book.apply(command, Stamp::new(self.clock), &Recall::nothing())
    }

    fn loans(&mut self, command: &LoanCommand) -> LoanReply {
        let Reply::Loans(reply) = self.apply(&Command::Loans(&command.encode())) else {
            panic!("a loan command has a loan reply")
        };
        reply
    }

    fn audit(&self, told: &str) {
        assert_eq!(self.book.loans().audit(self.book.accounts()), Vec::<String>::new(), "{told}");
    }

    fn restart(&mut self) {
        self.pages.checkpoint(&mut self.book, 1);
        let restored = self.pages.restore();
        assert_eq!(loans_of(&restored), loans_of(&self.book), "a checkpoint holds all there is");
        self.book = restored;
        // What is restored is clean; what changes from here on is written again.
        self.audit("restored");
    }

    fn day_end(&mut self, through: BusinessDate, draws: &mut Draws) {
        loop {
            let command = LoanCommand::DayEnd { through, loans_max: self.loans_max };
            let LoanReply::DayEnd(reply) = self.loans(&command) else { panic!("day-end is answered") };
            if reply.is_done {
                assert_eq!(reply.outcome.status, LoanStatus::Created);
                break;
            }
            self.audit("between two chunks");
            if draws.one_in(4) {
                self.restart();
            }
        }
    }

    fn views(&self) -> Vec<Option<LoanView>> {
        let bare = |view: LoanView| LoanView { effects: Vec::new(), ..view };
        (1..=40).map(|id| self.book.loans().view(id, self.book.accounts()).map(bare)).collect()
    }

    /// The portfolio reads records; here its figures are added up from lives that were folded.
    fn audit_portfolio(&self) {
        let views: Vec<LoanView> = self.views().into_iter().flatten().collect();
        for product in self.book.portfolio().products {
            let own = || views.iter().filter(|view| view.product_id == product.product_id);
            let open = || own().filter(|view| matches!(view.state, LoanState::Active | LoanState::Overpaid));
            let count = |number: usize| u64::try_from(number).unwrap();
            let principal: Money = open().map(|view| view.outstanding.principal).sum();
            assert_eq!(product.drawn, own().map(|view| view.drawn).sum());
            if product.given_up.loans > 0 {
                // A view shows an overpaid loan as overpaid, whether it was charged off or not.
                continue;
            }
            assert_eq!((product.open.loans, product.open.principal), (count(open().count()), principal));
            assert_eq!(product.closed, count(own().filter(|view| view.state == LoanState::Closed).count()));
            for (class, slice) in Class::ALL.iter().zip(&product.classes) {
                let of_class = || open().filter(|view| view.standing.class == *class);
                let owed: Money = of_class().map(|view| view.outstanding.principal).sum();
                assert_eq!((slice.loans, slice.principal), (count(of_class().count()), owed), "{class:?}");
            }
            let first = own().filter(|view| view.facts.is_first_time_borrower && !view.drawn.is_zero());
            assert_eq!(product.first_time_loans, count(first.count()));
        }
    }

    /// Debits less credits: what day-end nets out in a chunk depends on the chunk.
    fn balances(&self) -> Vec<(u128, i128)> {
        let slots = (0..self.book.accounts().len()).map(|slot| u32::try_from(slot).unwrap());
        let accounts = slots.map(|slot| *self.book.accounts().get(fen_book::AccountSlot::new(slot)));
        let signed = |amount: Amount| i128::try_from(amount.get()).unwrap();
        accounts
            .map(|account| (account.id.get(), signed(account.debits_posted) - signed(account.credits_posted)))
            .collect()
    }
}

fn days_before(today: BusinessDate, days: u64) -> BusinessDate {
    BusinessDate::new(today.get() - i32::try_from(days).unwrap())
}

/// Something that happens to a loan, mostly ordinary.
fn order(
    id: u128,
    loans: u64,
    today: BusinessDate,
    (taken, strange): (&[u128], u64),
    draws: &mut Draws,
) -> LoanOrder {
    let back = if draws.one_in(strange / 6) { draws.below(30) } else { 0 };
    let effective_on = days_before(today, back);
    let amount = |draws: &mut Draws| {
        let most = draws.of(&[100_u64, 30_000, 30_000, 30_000, 120_000, 120_000, 1_100_000]);
        Amount::new(u128::from(1 + draws.below(most)))
    };
    let account_id = AccountId::ZERO;
    if loans == 0 || draws.one_in(5) {
        let opening = Opening {
            product_id: 100 + u128::from(draws.below(PRODUCTS)),
            account_id: AccountId::new(1 + u128::from(draws.below(BORROWERS))),
            amount: Amount::new(u128::from(1 + draws.below(1_000_000))),
            terms: StatedTerms { periods: Some(draws.of(&[1, 3, 5, 12])), ..StatedTerms::default() },
            facts: Facts { decision: u128::from(draws.below(3)), score: 7, ..Facts::default() },
        };
        let act = LoanAct::Disburse(Box::new(opening));
        return LoanOrder { id, loan_id: u128::from(loans) + 1, effective_on, act };
    }
    let loan_id = u128::from(1 + draws.below(loans));
    let act = match draws.below(strange) {
        0 => LoanAct::Prepay { account_id, amount: amount(draws) },
        1 => LoanAct::Charge {
            kind: draws.of(&ChargeKind::ALL),
            amount: Amount::new(500),
            due_on: effective_on,
        },
        2..=4 if !taken.is_empty() => {
            return LoanOrder {
                id,
                loan_id: 0,
                effective_on,
                act: LoanAct::Reverse { event_id: draws.of(taken) },
            };
        }
        5 => LoanAct::ChargeOff,
        6 => LoanAct::Refund { account_id, amount: Amount::new(10) },
        7 => LoanAct::Reschedule(Reschedule { rate: Some(percent("5")), ..Reschedule::default() }),
        8 => LoanAct::Chargeback { account_id, amount: Amount::new(77) },
        9 if draws.one_in(3) => LoanAct::WriteOff,
        _ => LoanAct::Repay {
            account_id: draws.of(&[
                AccountId::ZERO,
                AccountId::ZERO,
                AccountId::new(1),
                AccountId::new(BANK),
            ]),
            amount: amount(draws),
            in_advance: draws.of(&[
                None,
                None,
                None,
                Some(InAdvance::NextInstalments),
                Some(InAdvance::LastInstalments),
            ]),
        },
    };
    LoanOrder { id, loan_id, effective_on, act }
}

/// How many of the loans were on course, and how many folded, at the end of a life.
fn live(seed: u64) -> (usize, usize) {
    let mut draws = Draws(seed);
    // Strange things happen in some lives often, in most hardly ever.
    let strange = draws.of(&[40, 400, 4_000]);
    let mut worlds = [World::new(0), World::new(1 + u32::try_from(draws.below(3)).unwrap())];
    let products: Vec<Product> = (100..100 + PRODUCTS)
        .map(|id| {
            loop {
                let product = product(u128::from(id), &mut draws);
                if product.first_contradiction().is_none() {
                    return product;
                }
            }
        })
        .collect();
    for product in &products {
        for world in &mut worlds {
            let reply = world.loans(&LoanCommand::PutProduct(Box::new(product.clone())));
            assert!(matches!(reply, LoanReply::Product(outcome) if outcome.status == ProductStatus::Created));
        }
    }
    let mut today = BusinessDate::new(Day::from_ymd(2024, 1, 31).unwrap().number());
    let (mut next_id, mut loans) = (1_000_u128, 0_u64);
    let mut taken: Vec<u128> = Vec::new();
    for _ in 0..60 {
        next_id += 1;
        if draws.one_in(4) {
            let through = BusinessDate::new(today.get() + i32::try_from(draws.below(14)).unwrap());
            for world in &mut worlds {
                world.day_end(through, &mut draws);
                world.audit("after day-end");
            }
            today = BusinessDate::new(through.get() + 1);
        } else if draws.one_in(6) {
            let transfer = Transfer {
                id: TransferId::new(next_id),
                debit_account_id: AccountId::new(BANK),
                credit_account_id: AccountId::new(1 + u128::from(draws.below(BORROWERS))),
                amount: Amount::new(u128::from(draws.below(100_000))),
                ledger: CNY,
                code: Code::new(1),
                flags: TransferFlags::NONE,
                ..Transfer::default()
            };
            for world in &mut worlds {
                world.apply(&Command::CreateTransfers(&[transfer]));
            }
        } else {
            let order = order(next_id, loans, today, (&taken, strange), &mut draws);
            let mut answers = Vec::new();
            for world in &mut worlds {
                let LoanReply::Orders(outcomes) = world.loans(&LoanCommand::Orders(vec![order.clone()]))
                else {
                    panic!("orders are answered")
                };
                let again = world.loans(&LoanCommand::Orders(vec![order.clone()]));
                if outcomes[0].status == LoanStatus::Created {
                    let mut same = outcomes.clone();
                    same[0].status = LoanStatus::Exists;
                    assert_eq!(again, LoanReply::Orders(same), "{order:?}");
                }
                answers.push(outcomes[0].status);
            }
            assert_eq!(answers[0], answers[1], "{order:?}");
            if answers[0] == LoanStatus::Created {
                taken.push(order.id);
                loans += u64::from(order.loan_id == u128::from(loans) + 1);
            }
            for world in &worlds {
                world.audit(&format!("{order:?} as of {today}"));
            }
        }
        if draws.one_in(8) {
            worlds[1].restart();
        }
    }
    assert_eq!(worlds[0].views(), worlds[1].views());
    assert_eq!(worlds[0].balances(), worlds[1].balances());
    worlds[0].audit_portfolio();
    let folded = worlds[0].book.loans().folded_count();
    (worlds[0].book.loans().len() - folded, folded)
}

#[test]
fn ordinary_courses_are_what_the_fold_says() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let first = number("FEN_LIVES_SEED").unwrap_or(1);
    let cases = number("FEN_LIVES_CASES").unwrap_or(25);
    let (mut on_course, mut folded) = (0, 0);
    for seed in first..first + cases {
        println!("seed {seed}");
        let (some, others) = live(seed);
        on_course += some;
        folded += others;
    }
    println!("{on_course} loans on course, {folded} folded");
    assert!(
        on_course * 2 > folded && folded > 0,
        "both kinds are told: {on_course} on course, {folded} folded"
    );
}
