//! What happens to a loan, as the fold reads it.

use super::allocation::InAdvance;
use super::money::Money;
use fen_terms::{Day, Percent, Period};

/// Names an event of a loan; chosen by the client, in one space with transfer ids.
pub type EventId = u128;

/// Fee or penalty.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ChargeKind {
    /// For a service.
    Fee,
    /// For being late.
    Penalty,
}

impl ChargeKind {
    /// Every choice.
    pub const ALL: [Self; 2] = [Self::Fee, Self::Penalty];

    /// The name that people and programs read.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fee => "fee",
            Self::Penalty => "penalty",
        }
    }
}

/// One event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    /// Who it is.
    pub id: EventId,
    /// The day it counts from; at most the business date.
    pub effective_on: Day,
    /// Its place in the order of arrival.
    pub sequence: u64,
    /// What happened.
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum EventKind {
    /// Money was paid out: the whole loan, or a draw of it.
    Disburse {
        /// How much.
        amount: Money,
    },
    /// The borrower paid.
    Repay {
        /// How much.
        amount: Money,
        /// Where what is paid in advance goes, if not where the product says.
        in_advance: Option<InAdvance>,
    },
    /// The borrower paid back early, as the product's prepayment rule says.
    Prepay {
        /// How much.
        amount: Money,
    },
    /// A fee or a penalty was charged.
    Charge {
        /// Which.
        kind: ChargeKind,
        /// How much.
        amount: Money,
        /// It is billed with the first instalment due on or after this day.
        due_on: Day,
    },
    /// What is unpaid of a charge was forgiven.
    Waive {
        /// The charge.
        charge: EventId,
    },
    /// Fees or penalties were forgiven up to an amount, whatever they were charged for, the oldest first.
    Forgive {
        /// Which.
        kind: ChargeKind,
        /// How much at most.
        amount: Money,
    },
    /// A payment was taken back by the payer's bank.
    Chargeback {
        /// How much.
        amount: Money,
    },
    /// An overpaid balance was paid out.
    Refund {
        /// How much.
        amount: Money,
    },
    /// The instalment due `from`, and those after it, were moved.
    ShiftDueDate {
        /// The due day that moves.
        from: Day,
        /// Where to; the later ones follow it, period by period.
        to: Day,
    },
    /// The rate changed, from the event's day on.
    ChangeRate {
        /// The new rate, by the year or the day as before.
        rate: Percent,
    },
    /// The loan was stretched or shortened to so many instalments in all.
    ChangePeriods {
        /// How many, those past included.
        periods: u16,
    },
    /// What is owed was spread anew: nothing is past due any more.
    Restructure {
        /// The first new due day.
        first_due_on: Day,
        /// Over how many instalments.
        periods: u16,
        /// The new rate, if it changes.
        rate: Option<Percent>,
        /// The new distance between due days, if it changes.
        period: Option<Period>,
    },
    /// What was past due was spread over the instalments to come.
    Reamortise,
    /// The loan was given up as an asset; the borrower still owes it.
    ChargeOff,
    /// What is outstanding was given up.
    WriteOff,
    /// Something came back after the write-off.
    Recover {
        /// How much.
        amount: Money,
    },
    /// The loan was sold.
    Sell {
        /// The buyer.
        owner: u128,
    },
}

impl Event {
    /// The day on which the fold comes to it: a charge whose due day was already past when it was made counts from
    /// its due day, "as if it had come in time".
    pub fn takes_effect_on(&self) -> Day {
        match self.kind {
            EventKind::Charge { due_on, .. } => self.effective_on.min(due_on),
            EventKind::Disburse { .. }
            | EventKind::Repay { .. }
            | EventKind::Prepay { .. }
            | EventKind::Waive { .. }
            | EventKind::Forgive { .. }
            | EventKind::Chargeback { .. }
            | EventKind::Refund { .. }
            | EventKind::ShiftDueDate { .. }
            | EventKind::ChangeRate { .. }
            | EventKind::ChangePeriods { .. }
            | EventKind::Restructure { .. }
            | EventKind::Reamortise
            | EventKind::ChargeOff
            | EventKind::WriteOff
            | EventKind::Recover { .. }
            | EventKind::Sell { .. } => self.effective_on,
        }
    }
}
