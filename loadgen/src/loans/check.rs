//! The check of a load of loans: what was acknowledged is added up again, borrower by borrower and for the product.

use super::{Borrowers, Orders, PRODUCT, Who, stream::Act};
use crate::answers::Answers;
use crate::check::shortened;
use crate::fault::Run;
use crate::target::Target;
use crate::workload::account_id;
use fen_book::loan::control::{Role, control_account};
use fen_ledger::{Account, AccountId, BusinessDate};
use std::collections::BTreeMap;

/// What one borrower's account must hold, in fen.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
struct Sums {
    debits: u64,
    credits: u64,
}

/// The sums of all acknowledged effects.
#[derive(Clone, Debug)]
pub struct Expected {
    borrowers: Borrowers,
    sums: Vec<Sums>,
    /// Employers and shops, by their number among accounts.
    others: BTreeMap<u64, Sums>,
    /// Principal lent and not paid back.
    principal: u128,
    /// Interest that was paid.
    interest: u128,
}

fn index(number: u64) -> usize {
    usize::try_from(number).expect("a borrower's number fits the address space")
}

impl Expected {
    /// Nothing acknowledged yet.
    pub fn new(borrowers: Borrowers) -> Self {
        Self {
            borrowers,
            sums: vec![Sums::default(); index(borrowers.count)],
            others: BTreeMap::new(),
            principal: 0,
            interest: 0,
        }
    }

    /// Adds what was answered to all commands of a stream.
    pub fn add(&mut self, orders: &Orders, answers: &Answers) {
        for batch in 0..orders.batches() {
            let mut refused = answers.of_batch(batch).peekable();
            for (place, number) in (0u32..).zip(orders.numbers(batch)) {
                if refused.next_if_eq(&place).is_none() {
                    self.add_act(orders, number);
                }
            }
        }
    }

    /// Adds what all borrowers did, where every one of them was taken.
    pub fn add_all(&mut self, act: Act) {
        let (borrowers, who) = (self.borrowers, Who::all(&self.borrowers));
        let orders = Orders { borrowers, act, who, on: BusinessDate::default(), batch: 1, others: (0, 1) };
        (0..self.borrowers.count).for_each(|number| self.add_act(&orders, number));
    }

    fn add_act(&mut self, orders: &Orders, number: u64) {
        let amount = orders.amount(number);
        match orders.act {
            Act::Disburse { .. } => {
                self.sums[index(number)].credits += amount;
                self.principal += u128::from(amount);
            }
            Act::Spend | Act::Shop => {
                self.sums[index(number)].debits += amount;
                self.others.entry(orders.others.0 + orders.other(number)).or_default().credits += amount;
            }
            Act::Earn => {
                self.sums[index(number)].credits += amount;
                self.others.entry(orders.others.0 + orders.other(number)).or_default().debits += amount;
            }
            Act::Repay => self.repay(number),
        }
    }

    /// Day-end has collected the first instalment of every loan of a day, where there was money.
    pub fn collect(&mut self, day: u64) {
        let numbers = (day..self.borrowers.count).step_by(index(super::DUE_DAYS));
        for number in numbers {
            let Sums { debits, credits } = self.sums[index(number)];
            if credits > debits {
                self.repay(number);
            }
        }
    }

    fn repay(&mut self, number: u64) {
        let first = self.borrowers.terms(number).first_instalment();
        self.sums[index(number)].debits += first.total();
        self.principal -= u128::from(first.principal);
        self.interest += u128::from(first.interest);
    }

    /// What of this the books do not hold, and what their own audit finds wrong; nothing where all is right.
    ///
    /// # Errors
    /// A fault of the ledger.
    pub fn compare(&self, books: &dyn Target) -> Run<Vec<String>> {
        let mut faults = Vec::new();
        for (piece, sums) in (0u64..).zip(self.sums.chunks(fen_ledger::EVENTS_MAX)) {
            let first = piece * fen_ledger::EVENTS_MAX as u64;
            let numbers = first..first + sums.len() as u64;
            let ids: Vec<AccountId> =
                numbers.clone().map(|number| self.borrowers.account_id(number)).collect();
            for ((number, sums), found) in numbers.zip(sums).zip(books.accounts(&ids)?) {
                faults.extend(fault_of(&format!("borrower {number}"), *sums, found));
            }
        }
        let others: Vec<AccountId> = self.others.keys().map(|number| account_id(*number)).collect();
        let found = others.chunks(fen_ledger::EVENTS_MAX).map(|ids| books.accounts(ids));
        let found = found.collect::<Run<Vec<_>>>()?;
        for ((number, sums), found) in self.others.iter().zip(found.into_iter().flatten()) {
            faults.extend(fault_of(&format!("employer or shop {number}"), *sums, found));
        }
        let role = |role| control_account(PRODUCT, role);
        let control = books.accounts(&[role(Role::Principal)])?;
        let held = control[0].map_or(0, |account| net(&account));
        if held != i128::try_from(self.principal).unwrap_or(i128::MAX) {
            faults.push(format!(
                "the product's principal stands at {held} fen, the answers at {}",
                self.principal
            ));
        }
        books.audit(&mut faults)?;
        Ok(shortened(faults))
    }

    /// Interest that was paid, in fen.
    pub fn interest(&self) -> u128 {
        self.interest
    }
}

/// Debits less credits.
fn net(account: &Account) -> i128 {
    let signed = |amount: fen_ledger::Amount| i128::try_from(amount.get()).unwrap_or(i128::MAX);
    signed(account.debits_posted) - signed(account.credits_posted)
}

fn fault_of(who: &str, sums: Sums, found: Option<Account>) -> Option<String> {
    let Some(account) = found else { return Some(format!("{who} has no account")) };
    let (debits, credits) = (account.debits_posted.get(), account.credits_posted.get());
    let is_right = debits == u128::from(sums.debits) && credits == u128::from(sums.credits);
    (!is_right)
        .then(|| format!("{who} has debits {debits} and credits {credits}, the answers add up to {sums:?}"))
}
