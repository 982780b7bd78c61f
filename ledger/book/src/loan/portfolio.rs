//! The loan book as the bank's management and its supervisor look at it: by class, stage, age and vintage.
//!
//! A portfolio is read from the lives of all loans, as of the business date; nothing of it is kept. A loan that was
//! sold or written off is counted apart: it is no asset of the bank any more.

use super::classes::Class;
use super::control::Role;
use super::life::Life;
use super::loans::{Loan, Loans};
use super::money::Money;
use super::position::{position, standing};
use super::product::{Product, ProductId};
use super::register::customer;
use crate::book::Book;
use crate::quantity::{BusinessDate, LedgerCode};
use fen_terms::Day;
use std::collections::{BTreeMap, BTreeSet};

/// Days past due at which an ageing bucket ends; the last one is open.
pub const AGEING: [(&str, u32); 8] = [
    ("current", 0),
    ("1-30", 30),
    ("31-60", 60),
    ("61-90", 90),
    ("91-180", 180),
    ("181-270", 270),
    ("271-360", 360),
    ("over 360", u32::MAX),
];

/// Some loans.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Slice {
    /// How many.
    pub loans: u64,
    /// Their principal outstanding.
    pub principal: Money,
    /// What is provided for them.
    pub provision: Money,
}

impl Slice {
    fn add(&mut self, principal: Money, provision: Money) {
        self.loans = self.loans.saturating_add(1);
        self.principal += principal;
        self.provision += provision;
    }
}

/// The loans first drawn in one month.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Vintage {
    /// How many.
    pub loans: u64,
    /// What was drawn of them, ever.
    pub drawn: Money,
    /// The principal outstanding.
    pub principal: Money,
    /// Of that, of loans thirty days past due or more.
    pub principal_past_due_30: Money,
    /// Of that, of loans ninety days past due or more.
    pub principal_past_due_90: Money,
    /// What was written off.
    pub written_off: Money,
}

/// The loans of one product.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct ProductPortfolio {
    /// Which product.
    pub product_id: ProductId,
    /// Its currency.
    pub ledger: LedgerCode,
    /// Lines and approvals of which nothing was drawn yet.
    pub approved: u64,
    /// Loans on which something is owed to the bank.
    pub open: Slice,
    /// Who owes it.
    pub borrowers: u64,
    /// Loans that are paid.
    pub closed: u64,
    /// Loans written or charged off, and what of the principal was given up.
    pub given_up: Slice,
    /// What came back of those.
    pub recovered: Money,
    /// Loans sold, with their principal.
    pub sold: Slice,
    /// Loans ever drawn.
    pub drawn_loans: u64,
    /// What was drawn of them.
    pub drawn: Money,
    /// How many of them were their borrowers' first loan anywhere.
    pub first_time_loans: u64,
    /// What was drawn of those.
    pub first_time_drawn: Money,
    /// The open loans by class, in the order of [`Class::ALL`].
    pub classes: [Slice; 5],
    /// The open loans by stage, one to three.
    pub stages: [Slice; 3],
    /// The open loans by days past due, as in [`AGEING`].
    pub ageing: [Slice; 8],
    /// Open loans whose interest is no income until paid.
    pub non_accrual: Slice,
    /// By year and month of the first draw.
    pub vintages: BTreeMap<(i32, u32), Vintage>,
    /// What each funder has at stake (positive) or is owed (negative), in the order of the product's list.
    pub funders: Vec<(u128, Money)>,
    /// Billed to who subsidises interest.
    pub subsidy_billed: Money,
    /// Billed to who makes good losses.
    pub compensation_billed: Money,
}

impl ProductPortfolio {
    /// The principal of open loans in the classes that do not perform.
    pub fn non_performing(&self) -> Money {
        let classes = Class::ALL.iter().zip(&self.classes);
        classes.filter(|(class, _)| class.is_non_performing()).map(|(_, slice)| slice.principal).sum()
    }

    fn take(&mut self, loan: &Loan, life: &Life<'_>, product: &Product, today: Day) {
        let Some(first_draw) = life.draws.first() else {
            self.approved = self.approved.saturating_add(1);
            return;
        };
        let at = position(life, product, today);
        self.subsidy_billed += at[Role::SubsidyReceivable];
        self.compensation_billed += at[Role::CompensationReceivable];
        for (place, (_, stake)) in self.funders.iter_mut().enumerate() {
            *stake += Role::funder(place).map_or(Money::ZERO, |role| at[role]);
        }
        self.take_draws(loan, life);
        let standing = standing(life, product, today);
        let principal = life.outstanding().principal;
        let (year, month, _) = first_draw.on.ymd();
        let vintage = self.vintages.entry((year, month)).or_default();
        vintage.loans = vintage.loans.saturating_add(1);
        vintage.drawn += life.drawn();
        if let Some(lost) = given_up(life) {
            vintage.written_off += lost;
            self.given_up.add(lost, Money::ZERO);
            self.recovered -= at[Role::Recovery];
        } else if life.sold.is_some() {
            self.sold.add(principal, Money::ZERO);
        } else if life.is_closed() {
            self.closed = self.closed.saturating_add(1);
        } else {
            vintage.principal += principal;
            if standing.days_past_due >= 30 {
                vintage.principal_past_due_30 += principal;
            }
            if standing.days_past_due >= 90 {
                vintage.principal_past_due_90 += principal;
            }
            let provision = -at[Role::Provision];
            self.open.add(principal, provision);
            let class = Class::ALL.iter().position(|class| *class == standing.class);
            let stage = usize::from(standing.stage.saturating_sub(1));
            let age = AGEING.iter().position(|(_, last)| standing.days_past_due <= *last);
            for slice in [class.and_then(|place| self.classes.get_mut(place)), self.stages.get_mut(stage)]
                .into_iter()
                .chain([age.and_then(|place| self.ageing.get_mut(place))])
                .chain([standing.is_non_accrual.then_some(&mut self.non_accrual)])
                .flatten()
            {
                slice.add(principal, provision);
            }
        }
    }

    fn take_draws(&mut self, loan: &Loan, life: &Life<'_>) {
        self.drawn_loans = self.drawn_loans.saturating_add(1);
        self.drawn += life.drawn();
        if loan.facts.is_first_time_borrower {
            self.first_time_loans = self.first_time_loans.saturating_add(1);
            self.first_time_drawn += life.drawn();
        }
    }
}

/// What of the principal was given up, if the loan was.
fn given_up(life: &Life<'_>) -> Option<Money> {
    let charged_off = life.charged_off.as_ref().map(|snapshot| snapshot.outstanding.principal);
    let written_off =
        life.written_off_on.map(|_| life.rows.iter().map(|row| row.written_off.principal).sum());
    charged_off.or(written_off)
}

/// Every product with its loans, as of the business date.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Portfolio {
    /// The day; none before the first event.
    pub as_of: Option<BusinessDate>,
    /// By product id.
    pub products: Vec<ProductPortfolio>,
}

impl Book {
    /// The loan book as it stands. Reads every loan.
    pub fn portfolio(&self) -> Portfolio {
        let loans: &Loans = self.loans();
        let today = loans.today();
        let mut products: BTreeMap<ProductId, (ProductPortfolio, BTreeSet<u128>)> = BTreeMap::new();
        for (id, shelf) in &loans.products {
            let product = shelf.current();
            let funders = product.funders.iter().map(|funder| (funder.id, Money::ZERO)).collect();
            let empty =
                ProductPortfolio { product_id: *id, ledger: product.ledger, funders, ..Default::default() };
            products.insert(*id, (empty, BTreeSet::new()));
        }
        for loan in loans.iter(&self.accounts) {
            let Some((product, borrowers)) = products.get_mut(&loan.product_id) else { continue };
            let life = loans.life(&loan);
            let before = product.open.loans;
            product.take(&loan, &life, loans.product_of(&loan), today);
            if product.open.loans > before {
                borrowers.insert(customer(loan.account_id));
            }
        }
        let products = products.into_values().map(|(product, borrowers)| ProductPortfolio {
            borrowers: u64::try_from(borrowers.len()).unwrap_or(u64::MAX),
            ..product
        });
        Portfolio { as_of: loans.business_date(), products: products.collect() }
    }
}
