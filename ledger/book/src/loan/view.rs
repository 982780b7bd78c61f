//! What a look-up shows of a loan, as of the business date.

use super::event::{Event, EventId, EventKind};
use super::life::{Effect, Life};
use super::loans::{Loan, Loans};
use super::money::{Money, Parts};
use super::order::{Facts, LoanId};
use super::position::{Standing, standing};
use super::product::ProductId;
use super::row::Row;
use crate::accounts::Accounts;
use crate::quantity::{AccountId, Amount};
use fen_terms::Day;

/// What state a loan is in; the first that applies.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum LoanState {
    /// A line that nothing was drawn of yet.
    Approved,
    /// A line whose opening was taken back.
    Cancelled,
    /// It belongs to someone else.
    Sold,
    /// What was outstanding is given up.
    WrittenOff,
    /// It is no asset any more, but is still owed.
    ChargedOff,
    /// The borrower paid more than was owed.
    Overpaid,
    /// Everything is paid.
    Closed,
    /// Something is owed.
    Active,
}

impl LoanState {
    /// The name that people and programs read.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Cancelled => "cancelled",
            Self::Sold => "sold",
            Self::WrittenOff => "written_off",
            Self::ChargedOff => "charged_off",
            Self::Overpaid => "overpaid",
            Self::Closed => "closed",
            Self::Active => "active",
        }
    }
}

/// A loan, as of the business date.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LoanView {
    /// Who it is.
    pub id: LoanId,
    /// Its product.
    pub product_id: ProductId,
    /// The product's version that it was made under.
    pub product_version: u32,
    /// Whether its product lets a collection take all it asks for or nothing.
    pub collects_in_full: bool,
    /// The borrower's account.
    pub account_id: AccountId,
    /// The day of asking.
    pub as_of: Day,
    /// Its state.
    pub state: LoanState,
    /// The line, where it is one.
    pub line: Option<Money>,
    /// What was paid out.
    pub drawn: Money,
    /// What is owed, by component.
    pub outstanding: Parts,
    /// What of that is past due.
    pub overdue: Parts,
    /// What was paid, by component.
    pub paid: Parts,
    /// What was paid too much.
    pub overpaid: Money,
    /// What settles it today.
    pub payoff: Money,
    /// Interest of the period under way up to today, not billed yet.
    pub accrued: Money,
    /// Days past due, class and stage.
    pub standing: Standing,
    /// The buyer, if it was sold.
    pub owner: Option<u128>,
    /// What is kept with it.
    pub facts: Facts,
    /// The schedule as it lives; of a line that nothing was drawn of yet, as it would be.
    pub rows: Vec<Row>,
    /// What each event did.
    pub effects: Vec<(EventId, Effect)>,
}

impl LoanView {
    /// How much one of its events moved, if it was taken.
    pub fn moved_by(&self, event: EventId) -> Option<Amount> {
        let (_, effect) = self.effects.iter().find(|(id, _)| *id == event)?;
        Some((effect.parts.total() + effect.overpaid).or_zero().to_amount())
    }
}

impl Loans {
    /// A loan as of the business date, if there is one of that id.
    pub fn view(&self, id: LoanId, accounts: &Accounts) -> Option<LoanView> {
        let loan = &*self.loan(id, accounts)?;
        let life = self.life(loan);
        let as_of = self.today();
        let outstanding = life.outstanding();
        let state = if loan.is_cancelled {
            LoanState::Cancelled
        } else if loan.events.is_empty() {
            LoanState::Approved
        } else if life.sold.is_some() {
            LoanState::Sold
        } else if life.written_off_on.is_some() {
            LoanState::WrittenOff
        } else if life.overpaid.is_positive() {
            LoanState::Overpaid
        } else if life.is_closed() {
            LoanState::Closed
        } else if life.charged_off.is_some() {
            LoanState::ChargedOff
        } else {
            LoanState::Active
        };
        Some(LoanView {
            id,
            product_id: loan.product_id,
            product_version: loan.product_version,
            collects_in_full: self.product_of(loan).collects_in_full,
            account_id: loan.account_id,
            as_of,
            state,
            line: loan.line,
            drawn: life.drawn(),
            outstanding,
            overdue: life.rows.iter().filter(|row| row.due_on < as_of).map(Row::outstanding).sum(),
            paid: life.rows.iter().map(|row| row.paid).sum(),
            overpaid: life.overpaid,
            payoff: life.payoff(as_of).or_zero(),
            accrued: life.accrued(as_of),
            standing: standing(&life, self.product_of(loan), as_of),
            owner: life.sold.map(|sold| sold.owner),
            facts: loan.facts,
            effects: life.effects.iter().map(|effect| (effect.event, *effect)).collect(),
            rows: if loan.events.is_empty() { planned_rows(loan) } else { life.rows },
        })
    }
}

/// What an approved loan will owe, were its line drawn in full on the day it was opened.
fn planned_rows(loan: &Loan) -> Vec<Row> {
    let Some(amount) = loan.line else { return Vec::new() };
    let kind = EventKind::Disburse { amount };
    let drawn = Event { id: 0, effective_on: loan.opened_on, sequence: 0, kind };
    let life = Life::fold(&loan.contract, &[drawn], loan.opened_on);
    life.expect("a line is opened only on terms that can be kept").rows
}
