//! What was agreed for one loan: the product's terms and the loan's own, put together.

use super::allocation::{Allocation, InAdvance};
use super::fees::Fees;
use super::holidays::Holidays;
use super::life::{from_terms, to_terms};
use super::money::{Money, Parts};
use super::subsidy::Subsidy;
use fen_terms::{Percent, Terms};
use std::sync::Arc;

/// What an early repayment by `prepay` does to the schedule.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Debug)]
pub enum Prepayment {
    /// The instalments stay; the money is allocated to them in advance.
    #[default]
    KeepInstalments,
    /// The instalments stay as large as they are, and the last ones fall away.
    ShortenTerm,
    /// As many instalments as before, each smaller.
    SmallerInstalments,
    /// Only the whole loan may be repaid early.
    FullSettlementOnly,
}

impl Prepayment {
    /// Every choice.
    pub const ALL: [Self; 4] =
        [Self::KeepInstalments, Self::ShortenTerm, Self::SmallerInstalments, Self::FullSettlementOnly];

    /// The name in a product.
    pub const fn name(self) -> &'static str {
        match self {
            Self::KeepInstalments => "keep_instalments",
            Self::ShortenTerm => "shorten_term",
            Self::SmallerInstalments => "smaller_instalments",
            Self::FullSettlementOnly => "full_settlement_only",
        }
    }

    /// The choice of a name, or `None` where there is none.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|choice| choice.name() == name)
    }
}

/// What interest is reckoned on once money moves at other times than planned.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Debug)]
pub enum InterestOn {
    /// As planned: paying early or late changes nothing in the interest billed.
    #[default]
    Schedule,
    /// The principal that is really owed, day by day.
    Balance,
}

impl InterestOn {
    /// Every choice.
    pub const ALL: [Self; 2] = [Self::Schedule, Self::Balance];

    /// The name in a product.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::Balance => "balance",
        }
    }

    /// The choice of a name, or `None` where there is none.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|choice| choice.name() == name)
    }
}

/// Up to which day a loan bears interest that is repaid early.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Debug)]
pub enum SettlementDay {
    /// It is free.
    #[default]
    Free,
    /// It bears interest.
    BearsInterest,
    /// A full settlement bears the interest of its whole period, up to the next due day; principal that is repaid early
    /// in part bears none from its day on.
    BearsToNextDueDay,
}

impl SettlementDay {
    /// Every choice.
    pub const ALL: [Self; 3] = [Self::Free, Self::BearsInterest, Self::BearsToNextDueDay];
}

/// How a draw's down payment comes in.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Debug)]
pub enum DownPaymentFrom {
    /// The borrower repays it.
    #[default]
    Repayment,
    /// It is kept back from what is paid out, at the moment of the draw.
    Draw,
}

impl DownPaymentFrom {
    /// Every choice.
    pub const ALL: [Self; 2] = [Self::Repayment, Self::Draw];

    /// The name in a product.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Repayment => "repayment",
            Self::Draw => "draw",
        }
    }

    /// The choice of a name, or `None` where there is none.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|choice| choice.name() == name)
    }
}

/// Everything the life of a loan follows from, besides its events.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Contract {
    /// The schedule's terms. `principal`, `disbursed_on` and `disbursements` follow from the draws and are not read.
    pub terms: Terms,
    /// Where repayments go.
    pub allocation: Allocation,
    /// Where repayments in advance go.
    pub in_advance: InAdvance,
    /// What an early repayment does.
    pub prepayment: Prepayment,
    /// What interest is reckoned on.
    pub interest_on: InterestOn,
    /// Whether the settlement day bears interest.
    pub settlement_day: SettlementDay,
    /// Interest on overdue principal, as a multiple of the rate (1.5 is one and a half times); `None` charges none.
    pub penalty_multiple: Option<Percent>,
    /// How a draw's down payment comes in.
    pub down_payment_from: DownPaymentFrom,
    /// What is charged of itself.
    pub fees: Fees,
    /// How due days avoid days off, if they do.
    pub holidays: Option<Arc<Holidays>>,
    /// Who bears a part of the interest, if anyone.
    pub subsidy: Option<Subsidy>,
    /// How much of it this loan may claim in all: the borrower's cap, less what earlier loans and draws have reserved.
    pub subsidy_room: Money,
}

impl Contract {
    /// What does not reach the borrower of a draw: its down payment, if it is kept back, and its fee.
    pub fn kept_back(&self, drawn: Money) -> Parts {
        let principal = match self.down_payment_from {
            DownPaymentFrom::Repayment => Money::ZERO,
            DownPaymentFrom::Draw => {
                self.terms.down_payment_of(to_terms(drawn)).map_or(Money::ZERO, from_terms)
            }
        };
        let fees = self.fees.of_draw(drawn, &self.terms.rounding).min(drawn - principal);
        Parts { principal, fees, ..Parts::ZERO }
    }
}
