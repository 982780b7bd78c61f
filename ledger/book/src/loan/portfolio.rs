//! The loan book as the bank's management and its supervisor look at it: by class, stage, age and vintage.
//!
//! A portfolio is read from the records of all loans, a glance at each, and of those that run no ordinary course from
//! their lives, as of the business date; nothing of it is kept but the count of borrowers. A loan that was sold or written
//! off is counted apart: it is no asset of the bank any more.

use super::classes::Class;
use super::control::{Position, Role};
use super::course::Glance;
use super::life::Life;
use super::loans::Loans;
use super::money::Money;
use super::order::Facts;
use super::position::{Standing, position, standing};
use super::product::ProductId;
use super::register::{LoanSlot, wide};
use crate::accounts::Accounts;
use crate::book::Book;
use crate::quantity::{BusinessDate, LedgerCode};
use fen_terms::Day;
use std::collections::BTreeMap;

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
    /// Who owes principal of it.
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

    /// What others have at stake, are owed or were billed.
    fn take_parties(&mut self, at: &Position) {
        self.subsidy_billed += at[Role::SubsidyReceivable];
        self.compensation_billed += at[Role::CompensationReceivable];
        for (place, (_, stake)) in self.funders.iter_mut().enumerate() {
            *stake += Role::funder(place).map_or(Money::ZERO, |role| at[role]);
        }
    }

    fn take(&mut self, told: &Told) {
        let Some(first_drawn_on) = told.first_drawn_on else {
            self.approved = self.approved.saturating_add(u64::from(told.kept != Kept::Cancelled));
            return;
        };
        let Told { drawn, principal, standing, provision, .. } = *told;
        if let Some(at) = &told.at {
            self.take_parties(at);
        }
        self.drawn_loans = self.drawn_loans.saturating_add(1);
        self.drawn += drawn;
        if told.is_first_time_borrower {
            self.first_time_loans = self.first_time_loans.saturating_add(1);
            self.first_time_drawn += drawn;
        }
        let (year, month, _) = first_drawn_on.ymd();
        let vintage = self.vintages.entry((year, month)).or_default();
        vintage.loans = vintage.loans.saturating_add(1);
        vintage.drawn += drawn;
        if let Some(lost) = told.given_up {
            vintage.written_off += lost;
            self.given_up.add(lost, Money::ZERO);
            self.recovered += told.recovered;
        } else if told.kept == Kept::Sold {
            self.sold.add(principal, Money::ZERO);
        } else if told.kept == Kept::Closed {
            self.closed = self.closed.saturating_add(1);
        } else {
            vintage.principal += principal;
            if standing.days_past_due >= 30 {
                vintage.principal_past_due_30 += principal;
            }
            if standing.days_past_due >= 90 {
                vintage.principal_past_due_90 += principal;
            }
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
}

/// What a portfolio takes of a loan.
struct Told {
    is_first_time_borrower: bool,
    first_drawn_on: Option<Day>,
    drawn: Money,
    principal: Money,
    /// Where it stands in the control accounts, if others than the bank may have a part in it.
    at: Option<Position>,
    standing: Standing,
    provision: Money,
    /// What of the principal was given up, if the loan was.
    given_up: Option<Money>,
    /// What came back since, whoever has a share in it.
    recovered: Money,
    kept: Kept,
}

/// Where a loan that was not given up is counted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    Open,
    Closed,
    Sold,
    /// It was a line whose opening was taken back.
    Cancelled,
}

impl Loans {
    /// A loan as its portfolio sees it: from its record, or where it runs no ordinary course, from its life.
    fn told(&self, slot: LoanSlot, accounts: &Accounts) -> Told {
        let is_first_time_borrower = Facts::from(*self.register.facts.get(wide(slot))).is_first_time_borrower;
        if let Some((course, Glance { standing, provision, is_closed })) =
            self.register.glance(slot, self.today())
        {
            return Told {
                is_first_time_borrower,
                first_drawn_on: Some(course.disbursed_on),
                drawn: course.principal,
                principal: course.owed,
                at: None,
                standing,
                provision,
                given_up: None,
                recovered: Money::ZERO,
                kept: if is_closed { Kept::Closed } else { Kept::Open },
            };
        }
        let loan = self.loan_at(slot, accounts);
        let (life, product) = (self.life(&loan), self.product_of(&loan));
        let at = position(&life, product, self.today());
        let kept = if loan.is_cancelled {
            Kept::Cancelled
        } else if life.sold.is_some() {
            Kept::Sold
        } else if life.is_closed() {
            Kept::Closed
        } else {
            Kept::Open
        };
        Told {
            is_first_time_borrower,
            first_drawn_on: life.draws.first().map(|draw| draw.on),
            drawn: life.drawn(),
            principal: life.outstanding().principal,
            at: Some(at),
            standing: standing(&life, product, self.today()),
            provision: -at[Role::Provision],
            given_up: given_up(&life),
            recovered: recovered(&life),
            kept,
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

/// What came back of a loan since it was given up.
fn recovered(life: &Life<'_>) -> Money {
    let paid: Money = life.rows.iter().map(|row| row.paid.total()).sum();
    let since = life.charged_off.as_ref().map_or(Money::ZERO, |snapshot| paid - snapshot.paid.total());
    life.recovered + since
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
    /// The loan book as it stands. Reads every loan's record, and folds those that run no ordinary course.
    pub fn portfolio(&self) -> Portfolio {
        let loans: &Loans = self.loans();
        let mut products: BTreeMap<ProductId, ProductPortfolio> = BTreeMap::new();
        for (id, shelf) in &loans.products {
            let product = shelf.current();
            let funders = product.funders.iter().map(|funder| (funder.id, Money::ZERO)).collect();
            let (ledger, borrowers) = (product.ledger, u64::from(shelf.borrowers));
            let empty =
                ProductPortfolio { product_id: *id, ledger, funders, borrowers, ..Default::default() };
            products.insert(*id, empty);
        }
        for slot in loans.register.slots() {
            let product_id = loans.register.agreed(slot).product_id;
            let product = products.get_mut(&product_id).expect("a loan's product is on the shelf");
            product.take(&loans.told(slot, &self.accounts));
        }
        Portfolio { as_of: loans.business_date(), products: products.into_values().collect() }
    }
}
