//! Golden files: what Fen answers in each form, byte for byte, for bankers to read.
//!
//! One pain.001 of six payments goes to a book on paper, whose clock moves by a second a command. The answers lie in
//! this folder; `FEN_BLESS=1 cargo test -p fen-batch golden` writes them anew, to be reviewed like code.

use fen_batch::books::{Answers, Books, BooksFault, Collected, Room, Sent, Work};
use fen_batch::desk::{Desk, Submission};
use fen_batch::outcome::Status;
use fen_batch::reason::{FileFault, Reason};
use fen_batch::report::statement::{self, Asked, Kind, StatementFault};
use fen_batch::report::{lines, status_report};
use fen_batch::rules::Rules;
use fen_book::batches::{BatchEntry, BatchOrder, BatchReply};
use fen_book::loan::command::{LoanCommand, LoanReply};
use fen_book::loan::product::{Product, StatedTerms};
use fen_book::{
    Account, AccountFlags, AccountId, Amount, Balances, Book, BusinessDate, Code, Command, LedgerCode,
    Outcome, Recall, Reply, Stamp, Transfer, TransferId,
};
use fen_ledger::{Statement, StatementLine};
use fen_terms::{Amortisation, Day, Money, Percent, Period, PeriodUnit, Rate, Rounding, RoundingMode};
use std::cell::RefCell;
use std::convert::Infallible;
use std::path::{Path, PathBuf};

const SECOND: u64 = 1_000_000_000;

/// Nine in the morning of 2 March 2026.
const OPENS_AT: u64 = 1_772_442_000 * SECOND;

const CREATED: &str = "2026-03-02T09:00:00Z";

const WRONG_REPLY: &str = "a command is answered in its own kind";

/// A book without a ledger around it.
struct Paper(RefCell<Book>);

impl Paper {
    fn apply(&self, command: &Command<'_>) -> Reply {
        let mut book = self.0.borrow_mut();
        let stamp = Stamp::new(book.clock().get().max(OPENS_AT) + SECOND);
        book.apply(command, stamp, &Recall::nothing())
    }
}

fn told<S>(outcomes: Vec<Outcome<S>>, status: impl Fn(S) -> Status) -> Answers {
    let told = |outcome: Outcome<S>| Outcome { timestamp: outcome.timestamp, status: status(outcome.status) };
    outcomes.into_iter().map(told).collect()
}

impl Books for Paper {
    fn business_date(&self) -> Result<Option<BusinessDate>, BooksFault> {
        Ok(self.0.borrow().loans().business_date())
    }

    fn registry(&self, order: &BatchOrder) -> Result<BatchReply, BooksFault> {
        let Reply::Batch(reply) = self.apply(&Command::Batch(&order.encode())) else {
            unreachable!("{WRONG_REPLY}")
        };
        Ok(reply)
    }

    fn batches(&self, _message_id: Option<&str>) -> Result<Vec<BatchEntry>, BooksFault> {
        Ok(self.0.borrow().batches().iter().cloned().collect())
    }

    fn room(&self) -> Room {
        Room { transfers: 100, orders: 100, chain: 100 }
    }

    fn send(&self, openings: Vec<Account>, work: Work) -> Result<Sent<'_>, BooksFault> {
        if !openings.is_empty() {
            self.apply(&Command::CreateAccounts(&openings));
        }
        let answers = match work {
            Work::Transfers(events) => {
                let reply = self.apply(&Command::CreateTransfers(&events));
                let Reply::Transfers(outcomes) = reply else { unreachable!("{WRONG_REPLY}") };
                told(outcomes, Status::Transfer)
            }
            Work::Orders(orders) => {
                let reply = self.apply(&Command::Loans(&LoanCommand::Orders(orders).encode()));
                let Reply::Loans(LoanReply::Orders(outcomes)) = reply else { unreachable!("{WRONG_REPLY}") };
                told(outcomes, |status| Status::Loan(status.number()))
            }
        };
        Ok(Box::new(move || Ok(answers)))
    }

    fn collected(&self, _loan: u128, events: &[u128]) -> Result<Collected, BooksFault> {
        Ok(Collected { amounts: vec![None; events.len()], is_in_full_only: false })
    }

    fn available(&self, _account: u128, _loan: u128) -> Result<Option<u128>, BooksFault> {
        Ok(None)
    }
}

fn account(id: u128, flags: AccountFlags) -> Account {
    Account {
        id: AccountId::new(id),
        ledger: LedgerCode::new(156),
        code: Code::new(2_001),
        flags,
        ..Account::default()
    }
}

/// A bank on its first day: a treasury, a borrower with an account, and a customer with ten yuan.
fn bank() -> Paper {
    let bank = Paper(RefCell::new(Book::new()));
    let kept = AccountFlags::DEBITS_MUST_NOT_EXCEED_CREDITS;
    bank.apply(&Command::CreateAccounts(&[
        account(9, AccountFlags::NONE),
        account(77, kept),
        account(78, kept),
    ]));
    let product = Product {
        id: 101,
        ledger: LedgerCode::new(156),
        terms: StatedTerms {
            rate: Some(Rate::annual(Percent::new(72, 10).unwrap())),
            period: Some(Period { unit: PeriodUnit::Month, every: 1 }),
            amortisation: Some(Amortisation::EqualInstalment),
            rounding: Some(Rounding { mode: RoundingMode::HalfUp, to: Money::new(1), instalment_to: None }),
            ..StatedTerms::default()
        },
        ..Product::default()
    };
    bank.apply(&Command::Loans(&LoanCommand::PutProduct(Box::new(product)).encode()));
    let eve = BusinessDate::new(Day::parse("2026-03-01").unwrap().number());
    bank.apply(&Command::Loans(&LoanCommand::DayEnd { through: eve, loans_max: 0 }.encode()));
    bank
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn must_be(name: &str, written: &[u8]) {
    let path = golden(name);
    if std::env::var_os("FEN_BLESS").is_some() {
        std::fs::write(&path, written).unwrap();
    }
    let expected = std::fs::read(&path).unwrap_or_default();
    let (expected, written) = (String::from_utf8_lossy(&expected), String::from_utf8_lossy(written));
    assert_eq!(written, expected, "{name} is not as it was; FEN_BLESS=1 writes it anew");
}

#[test]
fn answers_to_a_file_are_golden() {
    let (bank, folder) = (bank(), tempfile::tempdir().unwrap());
    let rules = Rules::default();
    let desk = Desk::new(folder.path().join("desk"));
    let today = Day::parse("2026-03-02").unwrap();
    let submission = Submission { by: "anna", message_id: None, today, minutes: 0, chain_max: 100 };
    let looked = desk.lay_down(&golden("payments.xml"), (&rules, ""), &submission, &mut |_| {}).unwrap();
    let entry = bank.registry(&BatchOrder::Enter(Box::new(looked.file))).unwrap().entry.unwrap();
    let filed = desk.find(&entry).unwrap();
    filed.carry_out(&bank, &entry, today, &mut |_| {}).unwrap();
    let entry = bank.batches(None).unwrap().remove(0);
    let mut out = Vec::new();
    status_report::write(&mut out, &entry, &filed, CREATED).unwrap();
    must_be("payments.pain.002.xml", &out);
    for (name, form) in
        [("payments.outcomes.csv", lines::Lines::Csv), ("payments.outcomes.ndjson", lines::Lines::Ndjson)]
    {
        let mut out = Vec::new();
        lines::write(&mut out, &filed, false, form).unwrap();
        must_be(name, &out);
    }
}

#[test]
fn the_answer_to_a_file_that_is_refused_is_golden() {
    let text = std::fs::read_to_string(golden("payments.xml")).unwrap();
    let (head, format) = fen_batch::open::head(text.as_bytes(), &Rules::default());
    let fault = FileFault::of(Reason::ControlSumWrong, "group header", "CtrlSum says 1, the items come to 2");
    let mut out = Vec::new();
    status_report::refused(&mut out, (&head, format), &fault, CREATED).unwrap();
    must_be("refused.pain.002.xml", &out);
}

#[test]
fn statements_and_notifications_are_golden() {
    let day = |text: &str| BusinessDate::new(Day::parse(text).unwrap().number());
    let line = |number: u64, (debit, credit): (u128, u128), (amount, debits, credits): (u128, u128, u128)| {
        StatementLine {
            number: fen_book::RecordNumber::new(number),
            transfer: Transfer {
                id: TransferId::new(700 + u128::from(number)),
                debit_account_id: AccountId::new(debit),
                credit_account_id: AccountId::new(credit),
                amount: Amount::new(amount),
                ledger: LedgerCode::new(156),
                code: Code::new(7),
                ..Transfer::default()
            },
            booked_on: day("2026-03-02"),
            value_on: day("2026-03-02"),
            balances: balances(debits, credits),
        }
    };
    let first = Statement {
        account: account(77, AccountFlags::NONE),
        opening: Some(balances(500, 2_500)),
        // Whatever came since: the closing balance is the one after the last entry that is told.
        closing: Some(balances(9_999, 9_999)),
        lines: vec![line(3, (9, 77), (100_000, 500, 102_500)), line(5, (77, 12), (2_075, 2_575, 102_500))],
        next: None,
        faults: Vec::new(),
    };
    let second = Statement { lines: vec![line(8, (77, 13), (100_000, 102_575, 102_500))], ..first.clone() };
    let days = (Day::parse("2026-03-02").unwrap(), Day::parse("2026-03-02").unwrap());
    for (kind, name) in
        [(Kind::Statement, "statement.camt.053.xml"), (Kind::Notification, "notification.camt.054.xml")]
    {
        let mut out = Vec::new();
        let mut pages = |after: Option<&str>| {
            Ok::<_, Infallible>(Some(match after {
                None => (first.clone(), Some("second".to_owned())),
                Some(_) => (second.clone(), None),
            }))
        };
        statement::write(&mut out, &Asked { kind, days, created: CREATED }, &mut pages).unwrap();
        must_be(name, &out);
    }
    let mut nobody = |_: Option<&str>| Ok::<_, Infallible>(None);
    let asked = Asked { kind: Kind::Statement, days, created: CREATED };
    let fault = statement::write(&mut Vec::new(), &asked, &mut nobody).unwrap_err();
    assert!(matches!(fault, StatementFault::NotFound));
}

fn balances(debits: u128, credits: u128) -> Balances {
    Balances {
        debits_posted: Amount::new(debits),
        credits_posted: Amount::new(credits),
        ..Balances::default()
    }
}
