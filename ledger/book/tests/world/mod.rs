//! A book with one product and two borrowers, that audits itself and goes through a checkpoint after every command.

#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "a panic in a test is the report")]

#[path = "../common/mod.rs"]
mod common;

use common::{Pages, loans_of};
use fen_book::loan::command::{LoanCommand, LoanReply};
use fen_book::loan::control::{Role, control_account};
use fen_book::loan::money::Money;
use fen_book::loan::order::{LoanAct, LoanOrder, Opening};
use fen_book::loan::product::{Band, Product, StatedTerms};
use fen_book::loan::product_status::ProductStatus;
use fen_book::loan::status::LoanStatus;
use fen_book::loan::view::LoanView;
use fen_book::{
    Account, AccountFlags, AccountId, Amount, Book, BusinessDate, Code, Command, LedgerCode, Recall, Reply,
    Stamp, Transfer, TransferId,
};
use fen_terms::{Amortisation, Day, Percent, Period, PeriodUnit, Rate, RoundingMode};

pub(crate) const CNY: LedgerCode = LedgerCode::new(156);
pub(crate) const ANNA: AccountId = AccountId::new(1);
pub(crate) const CASH: AccountId = AccountId::new(3);
pub(crate) const BOB: AccountId = AccountId::new(2);
pub(crate) const MICROLOAN: u128 = 7;

pub(crate) fn date(text: &str) -> BusinessDate {
    BusinessDate::new(Day::parse(text).unwrap().number())
}

pub(crate) fn percent(text: &str) -> Percent {
    Percent::parse(text).unwrap()
}

pub(crate) fn microloan() -> Product {
    Product {
        id: MICROLOAN,
        ledger: CNY,
        terms: StatedTerms {
            period: Some(Period { unit: PeriodUnit::Month, every: 1 }),
            amortisation: Some(Amortisation::EqualPrincipal),
            rounding: Some(fen_terms::Rounding {
                mode: RoundingMode::HalfUp,
                to: fen_terms::Money::new(1),
                instalment_to: None,
            }),
            ..StatedTerms::default()
        },
        amount: Band { min: Some(Money::new(50_000)), max: Some(Money::new(30_000_000)) },
        penalty_multiple: Some(percent("1.5")),
        ..Product::default()
    }
}

pub(crate) struct World {
    pub(crate) book: Book,
    pub(crate) pages: Pages,
    pub(crate) clock: u64,
    pub(crate) next_id: u128,
}

impl World {
    pub(crate) fn new(product: &Product) -> Self {
        let mut world = Self { book: Book::new(), pages: Pages::default(), clock: 1_000, next_id: 1_000 };
        let accounts: Vec<Account> = [ANNA, BOB]
            .into_iter()
            .map(|id| Account {
                id,
                ledger: CNY,
                code: Code::new(1),
                flags: AccountFlags::DEBITS_MUST_NOT_EXCEED_CREDITS,
                ..Account::default()
            })
            .collect();
        let cash = Account { id: CASH, ledger: CNY, code: Code::new(1), ..Account::default() };
        let accounts: Vec<Account> = accounts.into_iter().chain([cash]).collect();
        world.clock += 3;
        world.book.apply(&Command::CreateAccounts(&accounts), Stamp::new(world.clock), &Recall::nothing());
        assert_eq!(world.put(product), ProductStatus::Created);
        world
    }

    pub(crate) fn run(&mut self, command: &LoanCommand) -> LoanReply {
        let body = command.encode();
        assert_eq!(LoanCommand::decode(&body).as_ref(), Ok(command), "commands go there and back");
        let command = Command::Loans(&body);
        self.clock += u64::try_from(command.stamp_count()).unwrap();
        let Reply::Loans(reply) = self.book.apply(&command, Stamp::new(self.clock), &Recall::nothing())
        else {
            panic!("a loan command has a loan reply")
        };
        assert_eq!(self.book.loans().audit(self.book.accounts()), Vec::<String>::new());
        self.pages.checkpoint(&mut self.book, 1);
        let restored = self.pages.restore();
        assert_eq!(loans_of(&restored), loans_of(&self.book), "a checkpoint holds all there is");
        assert_eq!(restored.loans().audit(restored.accounts()), Vec::<String>::new());
        reply
    }

    pub(crate) fn put(&mut self, product: &Product) -> ProductStatus {
        let reply = self.run(&LoanCommand::PutProduct(Box::new(product.clone())));
        let LoanReply::Product(outcome) = reply else { panic!("a product is answered: {reply:?}") };
        outcome.status
    }

    pub(crate) fn order(&mut self, order: LoanOrder) -> LoanStatus {
        let reply = self.run(&LoanCommand::Orders(vec![order]));
        let LoanReply::Orders(outcomes) = reply else { panic!("orders are answered: {reply:?}") };
        outcomes[0].status
    }

    pub(crate) fn act(&mut self, on: &str, act: LoanAct) -> LoanStatus {
        self.next_id += 1;
        self.order(LoanOrder { id: self.next_id, loan_id: 1, effective_on: date(on), act })
    }

    pub(crate) fn lend(&mut self, on: &str, amount: u128) -> LoanStatus {
        self.act(on, LoanAct::Disburse(Box::new(opening(amount))))
    }

    pub(crate) fn repay(&mut self, on: &str, amount: u128) -> LoanStatus {
        let amount = Amount::new(amount);
        self.act(on, LoanAct::Repay { account_id: AccountId::ZERO, amount, in_advance: None })
    }

    pub(crate) fn day_end(&mut self, through: &str) -> LoanStatus {
        loop {
            let reply = self.run(&LoanCommand::DayEnd { through: date(through), loans_max: 0 });
            let LoanReply::DayEnd(reply) = reply else { panic!("day-end is answered: {reply:?}") };
            if reply.is_done {
                return reply.outcome.status;
            }
        }
    }

    /// Gives Anna money that the loan did not bring, from the bank's cash.
    pub(crate) fn book_money(&mut self, amount: u128) {
        self.next_id += 1;
        let transfer = Transfer {
            id: TransferId::new(self.next_id),
            debit_account_id: CASH,
            credit_account_id: ANNA,
            amount: Amount::new(amount),
            ledger: CNY,
            code: Code::new(1),
            ..Transfer::default()
        };
        self.clock += 1;
        let command = [transfer];
        self.book.apply(&Command::CreateTransfers(&command), Stamp::new(self.clock), &Recall::nothing());
    }

    /// The loan as a look-up shows it.
    pub(crate) fn view(&self) -> LoanView {
        self.book.loans().view(1, self.book.accounts()).unwrap()
    }

    pub(crate) fn held(&self, id: AccountId) -> i128 {
        let account = self.book.account(id).unwrap();
        i128::try_from(account.debits_posted.get()).unwrap()
            - i128::try_from(account.credits_posted.get()).unwrap()
    }

    pub(crate) fn control(&self, role: Role) -> i128 {
        self.held(control_account(MICROLOAN, role))
    }
}

pub(crate) fn opening(amount: u128) -> Opening {
    Opening {
        product_id: MICROLOAN,
        account_id: ANNA,
        amount: Amount::new(amount),
        terms: StatedTerms {
            rate: Some(Rate::daily(percent("0.05"))),
            periods: Some(5),
            ..StatedTerms::default()
        },
        ..Opening::default()
    }
}
