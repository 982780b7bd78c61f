//! The limits of a product, at the moment of disbursement: how much, where, until when, to how many and to whom.

use super::money::Money;
use super::plan::Planner;
use super::product::{Product, ProductId};
use super::register::{Borrower, customer};
use super::status::LoanStatus as Status;
use crate::quantity::AccountId;
use fen_terms::Day;

/// A draw, as limits look at it.
pub(super) struct Draw {
    pub(super) on: Day,
    /// The whole loan with it, or of a line this draw.
    pub(super) amount: Money,
    pub(super) account_id: AccountId,
    pub(super) region: u32,
    /// By how much the principal outstanding grows.
    pub(super) more: Money,
    pub(super) exceeds_line: bool,
    /// How many draws of the loan there are with it.
    pub(super) count: usize,
}

impl Planner<'_> {
    /// The limits that hold at the moment of disbursement.
    pub(super) fn check_limits(&self, product_id: ProductId, draw: &Draw) -> Result<(), Status> {
        let shelf = self.loans.products.get(&product_id).ok_or(Status::ProductNotFound)?;
        let product = shelf.current();
        check_amount(product, draw.amount)?;
        let limits = &product.limits;
        if !limits.regions.is_empty() && !limits.regions.contains(&draw.region) {
            return Err(Status::RegionNotServed);
        }
        if limits.ends_on.is_some_and(|last| draw.on > last) {
            return Err(Status::ProductEnded);
        }
        let owed = if limits.borrowers.is_some() || limits.exposure_per_borrower.is_some() {
            let borrower = Borrower { product_id, customer: customer(draw.account_id) };
            self.loans.register.owed_by(borrower, self.accounts)
        } else {
            None
        };
        if owed.is_none() && limits.borrowers.is_some_and(|most| shelf.borrowers >= most) {
            return Err(Status::ExceedsBorrowers);
        }
        if limits.exposure.is_some_and(|most| shelf.exposure + draw.more > most) {
            return Err(Status::ExceedsExposure);
        }
        if limits.exposure_per_borrower.is_some_and(|most| owed.unwrap_or_default() + draw.more > most) {
            return Err(Status::ExceedsExposurePerBorrower);
        }
        if draw.exceeds_line {
            return Err(Status::ExceedsLine);
        }
        if product.draws_max.is_some_and(|most| draw.count > usize::from(most)) {
            return Err(Status::ExceedsDraws);
        }
        Ok(())
    }
}

/// Whether a loan, or a draw of a line, is as large as the product allows.
pub(super) fn check_amount(product: &Product, amount: Money) -> Result<(), Status> {
    if product.amount.is_below(amount) {
        return Err(Status::AmountBelowProductMinimum);
    }
    if product.amount.is_above(amount) {
        return Err(Status::AmountAboveProductMaximum);
    }
    Ok(())
}
