//! A loan as `lookup_loans` writes it, read again: so the loan of a directory and of a cluster are printed alike.

use crate::exit::Failure;
use serde::Deserialize;

/// Minor units in decimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Minor(pub(crate) i128);

impl<'de> Deserialize<'de> for Minor {
    fn deserialize<D: serde::Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        let digits = String::deserialize(reader)?;
        digits.parse().map(Self).map_err(serde::de::Error::custom)
    }
}

/// An amount by component.
#[derive(Deserialize, Debug)]
pub(crate) struct Parts {
    pub(crate) principal: Minor,
    pub(crate) interest: Minor,
    pub(crate) fees: Minor,
    pub(crate) penalties: Minor,
}

impl Parts {
    /// All of them.
    pub(crate) fn total(&self) -> Minor {
        Minor(self.principal.0 + self.interest.0 + self.fees.0 + self.penalties.0)
    }
}

/// An instalment.
#[derive(Deserialize, Debug)]
pub(crate) struct Instalment {
    pub(crate) n: u32,
    pub(crate) kind: String,
    pub(crate) due_on: String,
    pub(crate) due: Parts,
    pub(crate) paid: Parts,
    pub(crate) paid_early: Parts,
    pub(crate) paid_late: Parts,
    pub(crate) outstanding: Parts,
}

/// A loan as of the business date; what is not printed in words is left out.
#[derive(Deserialize, Debug)]
pub(crate) struct LoanPaper {
    pub(crate) id: String,
    pub(crate) product_id: String,
    pub(crate) product_version: u32,
    pub(crate) account_id: String,
    pub(crate) as_of: String,
    pub(crate) state: String,
    pub(crate) drawn: Minor,
    pub(crate) overpaid: Minor,
    pub(crate) payoff: Minor,
    pub(crate) line: Option<Minor>,
    pub(crate) balances: Parts,
    pub(crate) overdue: Parts,
    pub(crate) paid: Parts,
    pub(crate) days_past_due: u32,
    pub(crate) class: String,
    pub(crate) stage: u8,
    pub(crate) non_accrual: bool,
    pub(crate) instalments: Vec<Instalment>,
}

impl LoanPaper {
    /// Reads one.
    pub(crate) fn read(document: &str) -> Result<Self, Failure> {
        serde_json::from_str(document).map_err(|error| {
            Failure::unreachable(format!("the loan cannot be read: {error}"))
                .mend("is the cluster of another release? --json prints the loan as it came")
        })
    }
}
