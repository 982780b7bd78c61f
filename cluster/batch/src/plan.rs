//! What an item asks of the books.

use crate::ids::Names;
use crate::item::{Act, Item};
use crate::rules::{PastDates, Rules};
use fen_book::loan::order::{Facts, LoanAct, LoanOrder, Opening};
use fen_book::{
    Account, AccountFlags, AccountId, Amount, BusinessDate, Code, LedgerCode, Transfer, TransferFlags,
    TransferId,
};
use fen_terms::Day;

/// What the id of a reservation follows from, beside its item's.
const HOLD: &str = "hold";

/// What holds for every item of a file on one day.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Planner<'a> {
    pub(crate) rules: &'a Rules,
    pub(crate) names: Names,
    /// The day on which this is done.
    pub(crate) today: Day,
    /// Whether the books know their day; before the first loan they don't.
    pub(crate) has_day: bool,
    pub(crate) open_flags: AccountFlags,
}

impl Planner<'_> {
    /// A plain transfer.
    pub(crate) fn transfer(&self, item: &Item, id: u128) -> Transfer {
        Transfer {
            id: TransferId::new(id),
            debit_account_id: AccountId::new(item.debit),
            credit_account_id: AccountId::new(item.credit),
            amount: Amount::new(item.amount),
            user_data_128: self.names.key(),
            ledger: LedgerCode::new(item.ledger),
            code: self.rules.transfer_code(),
            ..Transfer::default()
        }
    }

    /// Reserves what a transfer is to move.
    pub(crate) fn hold(&self, item: &Item, id: u128) -> Transfer {
        Transfer { flags: TransferFlags::PENDING, ..self.transfer(item, Names::further(id, HOLD)) }
    }

    /// Posts what was reserved, under the item's own id.
    pub(crate) fn post(&self, item: &Item, id: u128) -> Transfer {
        Transfer {
            id: TransferId::new(id),
            pending_id: TransferId::new(Names::further(id, HOLD)),
            amount: Amount::new(item.amount),
            user_data_128: self.names.key(),
            flags: TransferFlags::POST_PENDING_TRANSFER,
            ..Transfer::default()
        }
    }

    /// Lets go what was reserved.
    pub(crate) fn void(id: u128) -> Transfer {
        Transfer {
            id: TransferId::new(Names::further(id, "void")),
            pending_id: TransferId::new(Names::further(id, HOLD)),
            flags: TransferFlags::VOID_PENDING_TRANSFER,
            ..Transfer::default()
        }
    }

    /// A disbursement, or a repayment of so much.
    pub(crate) fn order(&self, item: &Item, id: u128, amount: u128) -> LoanOrder {
        let own = Names::further(id, "loan");
        let is_new = item.act == Act::Disburse && item.loan_id == 0;
        LoanOrder {
            id,
            loan_id: if is_new { own } else { item.loan_id },
            effective_on: self.effective_on(item),
            act: if item.act == Act::Disburse {
                LoanAct::Disburse(Box::new(Opening {
                    product_id: item.product_id,
                    account_id: AccountId::new(item.credit),
                    amount: Amount::new(amount),
                    terms: item.terms.as_deref().cloned().unwrap_or_default(),
                    facts: Facts::default(),
                }))
            } else {
                LoanAct::Repay {
                    account_id: AccountId::new(item.debit),
                    amount: Amount::new(amount),
                    in_advance: None,
                }
            },
        }
    }

    /// The account that the money comes to, if it is to be opened.
    pub(crate) fn opening(&self, item: &Item) -> Option<Account> {
        let rule = self.rules.open.as_ref()?;
        (item.act != Act::Repay && item.credit != 0).then(|| Account {
            id: AccountId::new(item.credit),
            ledger: LedgerCode::new(item.ledger),
            code: Code::new(rule.code),
            flags: self.open_flags,
            ..Account::default()
        })
    }

    /// Zero stands for the bank's day, whatever it is when the order comes.
    fn effective_on(&self, item: &Item) -> BusinessDate {
        let stated = item.on.filter(|on| *on < self.today && self.rules.dates.past == PastDates::AsStated);
        match stated {
            Some(day) => BusinessDate::new(day.number()),
            None if self.has_day => BusinessDate::ZERO,
            None => BusinessDate::new(self.today.number()),
        }
    }
}
