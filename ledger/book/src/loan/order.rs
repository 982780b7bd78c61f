//! What a client asks of the loan side, one event at a time.

use super::allocation::InAdvance;
use super::event::{ChargeKind, EventId};
use super::product::{ProductId, StatedTerms};
use super::status::LoanStatus;
use crate::quantity::{AccountId, Amount, BusinessDate};
use fen_terms::{Percent, Period};

/// Names a loan.
pub type LoanId = u128;

/// What the bank knew when it said yes; kept with the loan, not read by the book but for the region.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Facts {
    /// The credit decision.
    pub decision: u128,
    /// The version of the model that made it.
    pub model_version: u32,
    /// The score it gave.
    pub score: u32,
    /// Where the borrower lives, in the bank's own numbering.
    pub region: u32,
    /// Whether this is the borrower's first loan with any bank.
    pub is_first_time_borrower: bool,
    /// The collateral, in the bank's own register.
    pub collateral: u128,
}

/// The terms of a new loan or line.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Opening {
    /// The product.
    pub product_id: ProductId,
    /// The borrower's account: what is lent goes there.
    pub account_id: AccountId,
    /// The whole loan, a draw of it, or the line.
    pub amount: Amount,
    /// What the product leaves open.
    pub terms: StatedTerms,
    /// What is kept with the loan.
    pub facts: Facts,
}

/// One order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LoanOrder {
    /// Names the event; in one space with transfer ids, as its first transfer bears it.
    pub id: EventId,
    /// Which loan; may be zero in a waiver or a reversal, whose event tells.
    pub loan_id: LoanId,
    /// The day it counts from; zero (1970-01-01) is the business date.
    pub effective_on: BusinessDate,
    /// What is asked.
    pub act: LoanAct,
}

/// What is asked. Zero in an account means the loan's own account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LoanAct {
    /// Opens a line that is drawn upon later.
    OpenLine(Box<Opening>),
    /// Pays out the loan, or a draw.
    Disburse(Box<Opening>),
    /// Takes a repayment from an account.
    Repay {
        /// From where.
        account_id: AccountId,
        /// How much.
        amount: Amount,
        /// Where what is in advance goes, if not where the product says.
        in_advance: Option<InAdvance>,
    },
    /// Takes an early repayment from an account.
    Prepay {
        /// From where.
        account_id: AccountId,
        /// How much.
        amount: Amount,
    },
    /// Charges a fee or a penalty.
    Charge {
        /// Which.
        kind: ChargeKind,
        /// How much.
        amount: Amount,
        /// From when it is owed.
        due_on: BusinessDate,
    },
    /// Forgives what is unpaid of a charge, or fees or penalties up to an amount.
    Waive {
        /// The charge; zero where an amount is named instead.
        event_id: EventId,
        /// What to forgive, whatever it was charged for.
        forgive: Option<(ChargeKind, Amount)>,
    },
    /// Takes an event back, as if it had never been.
    Reverse {
        /// The event.
        event_id: EventId,
    },
    /// Gives a repayment back that its payer's bank has called back.
    Chargeback {
        /// To where.
        account_id: AccountId,
        /// How much.
        amount: Amount,
    },
    /// Pays out an overpaid balance.
    Refund {
        /// To where.
        account_id: AccountId,
        /// How much.
        amount: Amount,
    },
    /// Changes the schedule.
    Reschedule(Reschedule),
    /// Gives the loan up as an asset.
    ChargeOff,
    /// Gives up what is outstanding.
    WriteOff,
    /// Takes what comes back after the write-off.
    Recover {
        /// From where.
        account_id: AccountId,
        /// How much.
        amount: Amount,
    },
    /// Sells the loan.
    Sell {
        /// The buyer.
        owner: u128,
    },
}

/// What of a schedule changes: due days, the rate, or the number of instalments, exactly one of them. With a first due
/// day, what is owed is spread anew over so many instalments from there on, at another rate and by another period if
/// they are named; or what is past due is spread over the instalments to come.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Reschedule {
    /// A due day, and where it moves.
    pub shift: Option<(BusinessDate, BusinessDate)>,
    /// A new rate.
    pub rate: Option<Percent>,
    /// A new number of instalments.
    pub periods: Option<u16>,
    /// The first due day of what is spread anew.
    pub first_due_on: Option<BusinessDate>,
    /// The distance between its due days, if it is not the loan's.
    pub period: Option<Period>,
    /// Whether what is past due is spread over the instalments to come.
    pub is_reamortisation: bool,
}

impl LoanAct {
    /// The number under which the event's transfers are coded in the journal.
    pub const fn number(&self) -> u16 {
        match self {
            Self::OpenLine(_) => 1,
            Self::Disburse(_) => 2,
            Self::Repay { .. } => 3,
            Self::Prepay { .. } => 4,
            Self::Charge { .. } => 5,
            Self::Waive { .. } => 6,
            Self::Reverse { .. } => 7,
            Self::Chargeback { .. } => 8,
            Self::Refund { .. } => 9,
            Self::Reschedule(_) => 10,
            Self::ChargeOff => 11,
            Self::WriteOff => 12,
            Self::Recover { .. } => 13,
            Self::Sell { .. } => 14,
        }
    }

    /// What it asks to move, if it moves money or sets an amount.
    pub const fn amount(&self) -> Option<Amount> {
        match self {
            Self::OpenLine(opening) | Self::Disburse(opening) => Some(opening.amount),
            Self::Repay { amount, .. }
            | Self::Prepay { amount, .. }
            | Self::Charge { amount, .. }
            | Self::Chargeback { amount, .. }
            | Self::Refund { amount, .. }
            | Self::Recover { amount, .. } => Some(*amount),
            Self::Waive { forgive, .. } => match forgive {
                Some((_, amount)) => Some(*amount),
                None => None,
            },
            Self::Reverse { .. }
            | Self::Reschedule(_)
            | Self::ChargeOff
            | Self::WriteOff
            | Self::Sell { .. } => None,
        }
    }

    /// The account it names, if any.
    pub const fn account(&self) -> Option<AccountId> {
        match self {
            Self::OpenLine(opening) | Self::Disburse(opening) => Some(opening.account_id),
            Self::Repay { account_id, .. }
            | Self::Prepay { account_id, .. }
            | Self::Chargeback { account_id, .. }
            | Self::Refund { account_id, .. }
            | Self::Recover { account_id, .. } => Some(*account_id),
            Self::Charge { .. }
            | Self::Waive { .. }
            | Self::Reverse { .. }
            | Self::Reschedule(_)
            | Self::ChargeOff
            | Self::WriteOff
            | Self::Sell { .. } => None,
        }
    }
}

impl LoanOrder {
    /// In what another order under the same id differs first, in the order of [`LoanStatus`]; `None` where they are the
    /// same.
    pub fn first_difference(&self, other: &Self) -> Option<LoanStatus> {
        use LoanStatus as Status;
        if self.act.number() != other.act.number() {
            return Some(Status::ExistsWithDifferentOp);
        }
        let differences = [
            (self.loan_id != other.loan_id, Status::ExistsWithDifferentLoanId),
            (self.act.product() != other.act.product(), Status::ExistsWithDifferentProductId),
            (self.act.account() != other.act.account(), Status::ExistsWithDifferentAccountId),
            (self.act.amount() != other.act.amount(), Status::ExistsWithDifferentAmount),
            (self.effective_on != other.effective_on, Status::ExistsWithDifferentEffectiveOn),
        ];
        let of_all = differences.into_iter().find(|(differs, _)| *differs).map(|(_, status)| status);
        of_all.or_else(|| self.act.own_difference(&other.act))
    }
}

impl LoanAct {
    /// The event that a waiver or a reversal names; zero in a waiver that names none.
    pub const fn event(&self) -> Option<EventId> {
        match self {
            Self::Waive { event_id, .. } | Self::Reverse { event_id } => Some(*event_id),
            Self::OpenLine(_)
            | Self::Disburse(_)
            | Self::Repay { .. }
            | Self::Prepay { .. }
            | Self::Charge { .. }
            | Self::Chargeback { .. }
            | Self::Refund { .. }
            | Self::Reschedule(_)
            | Self::ChargeOff
            | Self::WriteOff
            | Self::Recover { .. }
            | Self::Sell { .. } => None,
        }
    }

    /// The product it names, if any.
    const fn product(&self) -> Option<ProductId> {
        match self {
            Self::OpenLine(opening) | Self::Disburse(opening) => Some(opening.product_id),
            Self::Repay { .. }
            | Self::Prepay { .. }
            | Self::Charge { .. }
            | Self::Waive { .. }
            | Self::Reverse { .. }
            | Self::Chargeback { .. }
            | Self::Refund { .. }
            | Self::Reschedule(_)
            | Self::ChargeOff
            | Self::WriteOff
            | Self::Recover { .. }
            | Self::Sell { .. } => None,
        }
    }

    /// In what two acts of one kind differ first, beside product, account and amount.
    fn own_difference(&self, other: &Self) -> Option<LoanStatus> {
        use LoanStatus as Status;
        if self == other {
            return None;
        }
        Some(match (self, other) {
            (Self::OpenLine(own) | Self::Disburse(own), Self::OpenLine(new) | Self::Disburse(new)) => {
                if own.terms == new.terms {
                    Status::ExistsWithDifferentFacts
                } else {
                    Status::ExistsWithDifferentTerms
                }
            }
            (Self::Repay { .. }, _) => Status::ExistsWithDifferentInAdvance,
            (Self::Charge { kind, .. }, Self::Charge { kind: new, .. }) if kind == new => {
                Status::ExistsWithDifferentDueOn
            }
            (Self::Charge { .. }, _) => Status::ExistsWithDifferentKind,
            (Self::Waive { event_id, .. }, Self::Waive { event_id: new, .. }) if event_id == new => {
                Status::ExistsWithDifferentKind
            }
            (Self::Waive { .. } | Self::Reverse { .. }, _) => Status::ExistsWithDifferentEventId,
            (Self::Reschedule(_), _) => Status::ExistsWithDifferentSchedule,
            (Self::Sell { .. }, _) => Status::ExistsWithDifferentOwner,
            _ => Status::ExistsWithDifferentFields,
        })
    }
}
