//! Orders to the loan side, and the transfers of borrowers who earn, and who spend what they were lent.

use super::{Borrowers, DEPOSIT, DUE_DAYS, PRODUCT, rate};
use crate::fault::{Fault, Run};
use crate::stream::{Refused, Stream, sift};
use crate::workload::{Random, YUAN, account_id};
use fen_book::loan::order::{LoanAct, LoanOrder, Opening};
use fen_book::loan::product::StatedTerms;
use fen_book::loan::status::LoanStatus;
use fen_ledger::{
    AccountId, Amount, Body, BusinessDate, CreateTransferStatus, LoanCommand, LoanReply, Reply, Transfer,
    TransferId,
};

/// What a salary is, in fen.
const SALARY: u64 = 500_000;

/// The most that is paid in a shop, in fen. Ten times this is less than what is left of the smallest loan when its
/// first instalment is paid, so that nobody who shops is short on the due day.
const PURCHASE_MAX: u64 = 5_000;

/// What borrowers do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Act {
    /// A loan is paid out: the first one, or one after so many others.
    Disburse {
        /// How many others.
        round: u64,
    },
    /// The first instalment of the first loan is paid, to the fen, on its day.
    Repay,
    /// Those who are poor spend all they were lent.
    Spend,
    /// An employer pays.
    Earn,
    /// Something is bought.
    Shop,
}

impl Act {
    const fn number(self) -> u128 {
        match self {
            Self::Disburse { .. } => 1,
            Self::Repay => 2,
            Self::Spend => 3,
            Self::Earn => 4,
            Self::Shop => 5,
        }
    }

    /// Whether it is an order to the loan side.
    pub const fn is_of_loans(self) -> bool {
        matches!(self, Self::Disburse { .. } | Self::Repay)
    }

    /// Whether a borrower does it. Who has spent all gets no further loan, earns nothing and buys nothing.
    fn is_done_by(self, number: u64) -> bool {
        match self {
            Self::Disburse { round: 0 } | Self::Repay => true,
            Self::Spend => Borrowers::is_poor(number),
            Self::Disburse { .. } | Self::Earn | Self::Shop => !Borrowers::is_poor(number),
        }
    }
}

/// Which borrowers: from a number on, in steps, round and round.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Who {
    /// The first.
    pub first: u64,
    /// From one to the next.
    pub step: u64,
    /// How many.
    pub count: u64,
}

impl Who {
    /// Every borrower.
    pub const fn all(borrowers: &Borrowers) -> Self {
        Self { first: 0, step: 1, count: borrowers.count }
    }

    /// Those whose first loan is paid out on a day of March, counted from nought.
    pub const fn of_day(borrowers: &Borrowers, day: u64) -> Self {
        Self { first: day, step: DUE_DAYS, count: borrowers.on_day(day) }
    }
}

/// What one act of some borrowers comes to: commands of `batch` orders.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Orders {
    /// All there are.
    pub borrowers: Borrowers,
    /// What.
    pub act: Act,
    /// Of whom.
    pub who: Who,
    /// The business date of it; a borrower does the same thing once a day.
    pub on: BusinessDate,
    /// Orders in a command.
    pub batch: u32,
    /// Employers and shops are the accounts from this number on, so many.
    pub others: (u64, u64),
}

impl Orders {
    /// How many commands.
    pub fn batches(&self) -> u64 {
        self.who.count.div_ceil(u64::from(self.batch))
    }

    /// The numbers of a command's borrowers, in the order of its events.
    pub fn numbers(&self, batch: u64) -> impl Iterator<Item = u64> + use<> {
        let size = u64::from(self.batch);
        let places = (batch * size)..((batch + 1) * size).min(self.who.count);
        let (Who { first, step, .. }, all, act) = (self.who, self.borrowers.count, self.act);
        let numbers = places.map(move |place| (first + place * step) % all.max(1));
        numbers.filter(move |number| act.is_done_by(*number))
    }

    fn event_id(&self, number: u64) -> u128 {
        let day = u128::from(self.on.get().unsigned_abs());
        (self.act.number() << 96) | (day << 64) | u128::from(self.borrowers.base + number + 1)
    }

    /// The employer or the shop of a transfer, by its number among these.
    pub fn other(&self, number: u64) -> u64 {
        let (_, count) = self.others;
        match self.act {
            Act::Earn => number % count,
            // Half of all that is bought is bought in one of ten shops.
            Act::Shop => {
                let mut random = self.random(number);
                let few = (count / 10).max(1);
                if random.below(2) == 0 { random.below(few) } else { random.below(count) }
            }
            Act::Spend | Act::Disburse { .. } | Act::Repay => 0,
        }
    }

    fn random(&self, number: u64) -> Random {
        let day = u64::from(self.on.get().unsigned_abs());
        Random::of_batch(self.borrowers.seed ^ (day << 40), number)
    }

    /// What a transfer moves, in fen.
    pub fn amount(&self, number: u64) -> u64 {
        match self.act {
            Act::Earn => SALARY,
            Act::Shop => {
                let mut random = self.random(number);
                random.draw();
                1 + random.below(PURCHASE_MAX)
            }
            Act::Disburse { round } => self.borrowers.terms_of(number, round).principal,
            Act::Spend => self.borrowers.terms(number).principal,
            Act::Repay => self.borrowers.terms(number).first_instalment().total(),
        }
    }

    fn order(&self, number: u64) -> LoanOrder {
        let amount = Amount::new(u128::from(self.amount(number)));
        let (round, act) = match self.act {
            Act::Disburse { round } => {
                let terms = self.borrowers.terms_of(number, round);
                let opening = Opening {
                    product_id: PRODUCT,
                    account_id: self.borrowers.account_id(number),
                    amount,
                    terms: StatedTerms {
                        periods: Some(terms.periods),
                        rate: Some(rate(terms)),
                        ..StatedTerms::default()
                    },
                    ..Opening::default()
                };
                (round, LoanAct::Disburse(Box::new(opening)))
            }
            Act::Repay | Act::Spend | Act::Earn | Act::Shop => {
                (0, LoanAct::Repay { account_id: AccountId::ZERO, amount, in_advance: None })
            }
        };
        let loan_id = self.borrowers.loan_id(number, round);
        LoanOrder { id: self.event_id(number), loan_id, effective_on: self.on, act }
    }

    fn transfer(&self, number: u64) -> Transfer {
        let borrower = self.borrowers.account_id(number);
        let other = account_id(self.others.0 + self.other(number));
        let earns = self.act == Act::Earn;
        Transfer {
            id: TransferId::new(self.event_id(number)),
            debit_account_id: if earns { other } else { borrower },
            credit_account_id: if earns { borrower } else { other },
            amount: Amount::new(u128::from(self.amount(number))),
            ledger: YUAN,
            code: DEPOSIT,
            ..Transfer::default()
        }
    }
}

impl Stream for Orders {
    fn body(&self, batch: u64) -> Body {
        let numbers = self.numbers(batch);
        if !self.act.is_of_loans() {
            return Body::Transfers(numbers.map(|number| self.transfer(number)).collect());
        }
        let orders = numbers.map(|number| self.order(number)).collect();
        Body::Loans(LoanCommand::Orders(orders).encode())
    }

    fn judge(&self, reply: &Reply, refused: &mut Vec<Refused>) -> Run<u64> {
        if let Reply::Transfers(outcomes) = reply
            && !self.act.is_of_loans()
        {
            let created = CreateTransferStatus::Created;
            return Ok(sift(outcomes.iter(), refused, |outcome| {
                (outcome.status != created).then(|| outcome.status.name())
            }));
        }
        let Reply::Loans(LoanReply::Orders(outcomes)) = reply else {
            return Err(Fault::Process("the answer is not one to loan orders".to_owned()));
        };
        Ok(sift(outcomes.iter(), refused, |outcome| {
            (outcome.status != LoanStatus::Created).then(|| outcome.status.name())
        }))
    }
}
