//! Orders to the loan side, and the transfers of borrowers who spend what they were lent.

use super::{Borrowers, DEPOSIT, PRODUCT, account_id, loan_id, rate};
use crate::fault::{Fault, Run};
use crate::stream::{Refused, Stream, sift};
use crate::workload::YUAN;
use fen_book::loan::order::{LoanAct, LoanOrder, Opening};
use fen_book::loan::product::StatedTerms;
use fen_book::loan::status::LoanStatus;
use fen_ledger::{
    AccountId, Amount, Body, BusinessDate, CreateTransferStatus, LoanCommand, LoanReply, Reply, Transfer,
    TransferId,
};

/// What borrowers do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Act {
    /// The loan is paid out.
    Disburse,
    /// The first instalment is paid, to the fen, on its day.
    Repay,
    /// Those who are poor spend all they were lent.
    Spend,
}

impl Act {
    /// Acts have ids of their own, above one another, rising with the borrowers' numbers.
    const fn event_id(self, number: u64) -> u128 {
        let act = match self {
            Self::Disburse => 1,
            Self::Repay => 2,
            Self::Spend => 3,
        };
        (act << 96) | (number as u128 + 1)
    }
}

/// What one act of all borrowers, or of those of one day, comes to: commands of `batch` orders.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Orders {
    /// Who.
    pub borrowers: Borrowers,
    /// What.
    pub act: Act,
    /// Of those whose loan is paid out on this day of March; of all, if none.
    pub day: Option<u64>,
    /// The business date of it.
    pub on: BusinessDate,
    /// Orders in a command.
    pub batch: u32,
    /// Where spent money goes.
    pub shop: AccountId,
}

impl Orders {
    /// How many borrowers.
    pub fn count(&self) -> u64 {
        self.day.map_or(self.borrowers.count, |day| self.borrowers.on_day(day))
    }

    /// How many commands.
    pub fn batches(&self) -> u64 {
        self.count().div_ceil(u64::from(self.batch))
    }

    /// The numbers of a command's borrowers, in the order of its events.
    pub fn numbers(&self, batch: u64) -> impl Iterator<Item = u64> + use<> {
        let size = u64::from(self.batch);
        let places = (batch * size)..((batch + 1) * size).min(self.count());
        let (day, act) = (self.day, self.act);
        let numbers = places.map(move |place| day.map_or(place, |day| place * super::DUE_DAYS + day));
        numbers.filter(move |number| act != Act::Spend || Borrowers::is_poor(*number))
    }

    fn order(&self, number: u64) -> LoanOrder {
        let terms = self.borrowers.terms(number);
        let act = match self.act {
            Act::Disburse => LoanAct::Disburse(Box::new(Opening {
                product_id: PRODUCT,
                account_id: account_id(number),
                amount: Amount::new(u128::from(terms.principal)),
                terms: StatedTerms {
                    periods: Some(terms.periods),
                    rate: Some(rate(terms)),
                    ..StatedTerms::default()
                },
                ..Opening::default()
            })),
            Act::Repay | Act::Spend => LoanAct::Repay {
                account_id: AccountId::ZERO,
                amount: Amount::new(u128::from(terms.first_instalment().total())),
                in_advance: None,
            },
        };
        LoanOrder { id: self.act.event_id(number), loan_id: loan_id(number), effective_on: self.on, act }
    }

    fn spending(&self, number: u64) -> Transfer {
        Transfer {
            id: TransferId::new(self.act.event_id(number)),
            debit_account_id: account_id(number),
            credit_account_id: self.shop,
            amount: Amount::new(u128::from(self.borrowers.terms(number).principal)),
            ledger: YUAN,
            code: DEPOSIT,
            ..Transfer::default()
        }
    }
}

impl Stream for Orders {
    fn body(&self, batch: u64) -> Body {
        let numbers = self.numbers(batch);
        if self.act == Act::Spend {
            return Body::Transfers(numbers.map(|number| self.spending(number)).collect());
        }
        let orders = numbers.map(|number| self.order(number)).collect();
        Body::Loans(LoanCommand::Orders(orders).encode())
    }

    fn judge(&self, reply: &Reply, refused: &mut Vec<Refused>) -> Run<u64> {
        if let Reply::Transfers(outcomes) = reply
            && self.act == Act::Spend
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
