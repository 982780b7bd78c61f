//! A bank that lends, in one book and without a disk: what the loan benches share.
//!
//! Every borrower has a deposit account and one loan: 1,000 to 30,000 yuan in 5, 10 or 20 monthly parts of equal
//! principal, 0.02 to 0.05 % a day. Borrower `n` is a pure function of its number. Full chunks of the journal are
//! forgotten at once, as if sealed.

use fen_book::loan::command::{LoanCommand, LoanReply};
use fen_book::loan::day_end::DayEndReply;
use fen_book::loan::order::{LoanAct, LoanOrder, Opening};
use fen_book::loan::product::{Product, StatedTerms};
use fen_book::loan::product_status::ProductStatus;
use fen_book::loan::status::LoanStatus;
use fen_book::{
    Account, AccountFlags, AccountId, Amount, Book, BusinessDate, Code, Command, CreateTransferStatus,
    EVENTS_MAX, LedgerCode, Recall, Reply, Stamp, Transfer, TransferId,
};
use fen_terms::{Amortisation, Day, Money, Percent, Period, PeriodUnit, Rate, Rounding, RoundingMode};
use std::ops::Range;

/// Loan orders in a command: as many as one may have.
pub const ORDERS: u64 = 1_024;

/// One borrower in so many has spent what was lent when it falls due.
const POOR_ONE_IN: u64 = 100;

const YUAN: LedgerCode = LedgerCode::new(156);
const DEPOSIT: Code = Code::new(2);
const SHOP: AccountId = AccountId::new(1);
const PRODUCT: u128 = 101;

/// See the module's words.
pub struct Bank {
    /// Its books.
    pub book: Book,
    clock: u64,
    orders: u128,
}

/// A day, counted from the first of March 2026.
pub fn date(of_march: u64) -> BusinessDate {
    let first = Day::from_ymd(2026, 3, 1).expect("the first of March is a day");
    let day = first.plus_days(i64::try_from(of_march).expect("a few days")).expect("a day of that year");
    BusinessDate::new(day.number())
}

fn customer(number: u64) -> u128 {
    u128::from((number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 1) << 64
}

fn drawn(number: u64, below: u64) -> u64 {
    (number + 1).wrapping_mul(0xd1b5_4a32_d192_ed03).rotate_left(29) % below
}

fn principal(number: u64) -> u64 {
    100_000 + drawn(number, 2_900_001)
}

fn periods(number: u64) -> u16 {
    [5, 10, 20][usize::try_from(drawn(number ^ 0xff, 3)).expect("one of three")]
}

impl Bank {
    /// A bank with one product, whose instalments day-end collects or borrowers pay by themselves.
    pub fn new(collects: bool) -> Self {
        let mut bank = Self { book: Book::new(), clock: 1_000_000_000, orders: 0 };
        let shop = Account { id: SHOP, ledger: YUAN, code: DEPOSIT, ..Account::default() };
        bank.apply(&Command::CreateAccounts(&[shop]));
        let terms = StatedTerms {
            period: Some(Period { unit: PeriodUnit::Month, every: 1 }),
            amortisation: Some(Amortisation::EqualPrincipal),
            rounding: Some(Rounding { mode: RoundingMode::HalfUp, to: Money::new(1), instalment_to: None }),
            ..StatedTerms::default()
        };
        let penalty_multiple = Percent::new(3, 2);
        let product =
            Product { id: PRODUCT, ledger: YUAN, terms, penalty_multiple, collects, ..Product::default() };
        let LoanReply::Product(told) = bank.loans(&LoanCommand::PutProduct(Box::new(product)).encode())
        else {
            panic!("a product is answered as one")
        };
        assert_eq!(told.status, ProductStatus::Created);
        bank
    }

    fn apply(&mut self, command: &Command<'_>) -> Reply {
        self.clock += command.stamp_count() as u64;
        let reply = self.book.apply(command, Stamp::new(self.clock), &Recall::nothing());
        let full: Vec<u32> = self.book.young().full_chunks().map(|chunk| chunk.number).collect();
        for number in full {
            self.book.forget_chunk(number);
        }
        reply
    }

    /// Carries out a loan command.
    pub fn loans(&mut self, body: &[u8]) -> LoanReply {
        let Reply::Loans(reply) = self.apply(&Command::Loans(body)) else {
            panic!("a loan command is answered as one")
        };
        reply
    }

    /// Carries out loan orders, all of which must be granted.
    pub fn granted(&mut self, body: &[u8]) {
        let LoanReply::Orders(outcomes) = self.loans(body) else { panic!("orders are answered as such") };
        assert!(outcomes.iter().all(|outcome| outcome.status == LoanStatus::Created), "all are granted");
    }

    /// Opens the borrowers' accounts.
    pub fn open(&mut self, numbers: Range<u64>) {
        let account = |number| Account {
            id: AccountId::new(customer(number) | 1),
            ledger: YUAN,
            code: DEPOSIT,
            flags: AccountFlags::DEBITS_MUST_NOT_EXCEED_CREDITS,
            ..Account::default()
        };
        let accounts: Vec<Account> = numbers.map(account).collect();
        for batch in accounts.chunks(EVENTS_MAX) {
            self.apply(&Command::CreateAccounts(batch));
        }
    }

    /// The bytes of a command with one order for each borrower.
    fn command(
        &mut self,
        numbers: impl Iterator<Item = u64>,
        on: BusinessDate,
        act: impl Fn(u64) -> LoanAct,
    ) -> Vec<u8> {
        let orders = numbers.map(|number| {
            self.orders += 1;
            let (id, loan_id) = (self.orders, customer(number) | 2);
            LoanOrder { id, loan_id, effective_on: on, act: act(number) }
        });
        LoanCommand::Orders(orders.collect()).encode()
    }

    /// Loans paid out.
    pub fn disbursement(&mut self, numbers: impl Iterator<Item = u64>, on: BusinessDate) -> Vec<u8> {
        self.command(numbers, on, |number| {
            let rate = Percent::new(2 + drawn(number ^ 0xffff, 4), 100).expect("hundredths of a per cent");
            LoanAct::Disburse(Box::new(Opening {
                product_id: PRODUCT,
                account_id: AccountId::new(customer(number) | 1),
                amount: Amount::new(u128::from(principal(number))),
                terms: StatedTerms {
                    periods: Some(periods(number)),
                    rate: Some(Rate::daily(rate)),
                    ..StatedTerms::default()
                },
                ..Opening::default()
            }))
        })
    }

    /// A part of the principal and some interest paid back.
    pub fn repayment(&mut self, numbers: impl Iterator<Item = u64>, on: BusinessDate) -> Vec<u8> {
        self.command(numbers, on, |number| LoanAct::Repay {
            account_id: AccountId::ZERO,
            amount: Amount::new(u128::from(principal(number) / u64::from(periods(number)))),
            in_advance: None,
        })
    }

    /// Those who are poor spend all they were lent.
    pub fn spend(&mut self, numbers: impl Iterator<Item = u64>) {
        let mut spent = Vec::new();
        for number in numbers.filter(|number| number % POOR_ONE_IN == 7) {
            self.orders += 1;
            spent.push(Transfer {
                id: TransferId::new(self.orders),
                debit_account_id: AccountId::new(customer(number) | 1),
                credit_account_id: SHOP,
                amount: Amount::new(u128::from(principal(number))),
                ledger: YUAN,
                code: DEPOSIT,
                ..Transfer::default()
            });
        }
        for batch in spent.chunks(EVENTS_MAX) {
            let Reply::Transfers(outcomes) = self.apply(&Command::CreateTransfers(batch)) else {
                panic!("transfers are answered as such")
            };
            assert!(outcomes.iter().all(|outcome| outcome.status == CreateTransferStatus::Created));
        }
    }

    /// Closes the days up to one; the number of loans on which anything changed.
    pub fn close(&mut self, through: BusinessDate) -> u64 {
        let body = LoanCommand::DayEnd { through, loans_max: 0 }.encode();
        let mut loans = 0;
        loop {
            let LoanReply::DayEnd(DayEndReply { outcome, is_done, loans: touched, .. }) = self.loans(&body)
            else {
                panic!("a day-end is answered as one")
            };
            assert_eq!(outcome.status, LoanStatus::Created);
            loans += u64::from(touched);
            if is_done {
                return loans;
            }
        }
    }

    /// Lends to so many borrowers, the same number on each of thirty days, and lets the poor spend it. The business date
    /// is then the first of April, and on each of its thirty days a thirtieth of the loans falls due.
    pub fn lend_in_march(&mut self, borrowers: u64) {
        self.open(0..borrowers);
        for day in 0..30 {
            if day > 0 {
                self.close(date(day - 1));
            }
            let mut numbers = (day..borrowers).step_by(30).peekable();
            let most = usize::try_from(ORDERS).expect("a command's orders are few");
            while numbers.peek().is_some() {
                let batch: Vec<u64> = numbers.by_ref().take(most).collect();
                let body = self.disbursement(batch.iter().copied(), date(day));
                self.granted(&body);
                self.spend(batch.into_iter());
            }
        }
        self.close(date(30));
    }
}
