//! Looking ahead, as for transfers: the memory that the next loans need is asked for before any of them is looked at.
//!
//! Loans and accounts stand in memory that no cache holds. First the index entries of a whole group are read, then the
//! records that they name, then the accounts that these name; within a pass no read waits for another. Nothing is
//! decided here.

use super::order::{LoanAct, LoanOrder};
use super::register::LoanSlot;
use crate::accounts::Accounts;
use crate::book::Book;
use crate::quantity::AccountSlot;
use crate::slots::hash_of;

/// How many loans are looked at together.
pub(super) const GROUP: usize = 32;

impl Book {
    /// Brings near what the next orders will read.
    pub(super) fn look_ahead_to(&self, orders: &[LoanOrder]) {
        let Self { loans, accounts, .. } = self;
        let register = &loans.register;
        let mut hashes = [(0_u32, 0_u32); GROUP];
        let mut seen = 0_u64;
        for (order, hashes) in orders.iter().zip(&mut hashes) {
            hashes.0 = hash_of(order.loan_id);
            seen ^= register.peek(hashes.0) ^ register.events.peek(order.id);
            if let LoanAct::Disburse(opening) = &order.act {
                hashes.1 = hash_of(opening.account_id.get());
                seen ^= accounts.peek(hashes.1);
            }
        }
        core::hint::black_box(seen);
        let mut slots = [AccountSlot::ZERO; GROUP];
        for ((order, hashes), slot) in orders.iter().zip(&hashes).zip(&mut slots) {
            if matches!(order.act, LoanAct::Disburse(_)) {
                seen ^= accounts.peek_account(hashes.1);
            } else if let Some(loan) = register.peek_record(hashes.0) {
                *slot = loan;
            }
        }
        look_at(accounts, seen, &slots);
    }

    /// Brings near what the next loans of a day-end will read.
    pub(super) fn look_ahead_at(&self, loans: &[LoanSlot]) {
        let mut slots = [AccountSlot::ZERO; GROUP];
        for (loan, slot) in loans.iter().zip(&mut slots) {
            *slot = self.loans.register.record(*loan).account;
        }
        look_at(&self.accounts, 0, &slots);
    }
}

fn look_at(accounts: &Accounts, mut seen: u64, slots: &[AccountSlot]) {
    for slot in slots.iter().filter(|slot| !slot.is_zero()) {
        let account = accounts.get(*slot);
        seen ^= u64::from(account.reserved) ^ u64::from(account.debits_posted.is_zero());
    }
    core::hint::black_box(seen);
}
