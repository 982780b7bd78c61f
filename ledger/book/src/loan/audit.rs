//! Whether loans and control accounts agree: every loan's posted position is what its events come to, the positions
//! add up to the product's, and that is what the product's control accounts hold.
//!
//! In two parts, since a fold costs some ten times as much as a glance. The sums are of one moment. Each loan is held
//! against its own events by itself, so loans can be asked for some at a time, while commands go on in between.

use super::control::{Position, Role, control_account};
use super::loans::Loans;
use super::money::Money;
use super::product::ProductId;
use super::register::{Borrower, LoanSlot, customer, wide};
use super::unbilled::{Accruals, Unbilled};
use crate::accounts::Accounts;
use fen_terms::Day;
use num_rational::BigRational;
use std::collections::{BTreeMap, BTreeSet};

impl Loans {
    /// What does not agree, in words; nothing where all is well.
    pub fn audit(&self, accounts: &Accounts) -> Vec<String> {
        let mut faults = self.audit_sums(accounts);
        faults.extend(self.audit_lives(accounts, 0, u32::MAX));
        faults
    }

    /// Which sums do not agree, in words; nothing where all is well.
    pub fn audit_sums(&self, accounts: &Accounts) -> Vec<String> {
        let mut faults = Vec::new();
        let mut sums: BTreeMap<ProductId, (Position, Money)> = BTreeMap::new();
        let mut borrowers: BTreeMap<ProductId, BTreeSet<u128>> = BTreeMap::new();
        let mut earning: BTreeMap<ProductId, Accruals> = BTreeMap::new();
        for slot in self.register.slots() {
            let record = self.register.record(slot);
            let (posted, unbilled) = self.standing(slot);
            let product_id = self.register.agreed(slot).product_id;
            earning.entry(product_id).or_default().shift(&Unbilled::default(), &unbilled);
            let (sum, exposure) = sums.entry(product_id).or_default();
            sum.add(&posted);
            *exposure += record.owed();
            if record.owed().is_positive() {
                let account = accounts.get(record.account).id;
                borrowers.entry(product_id).or_default().insert(customer(account));
            }
        }
        for (id, shelf) in &self.products {
            let (sum, exposure) = sums.remove(id).unwrap_or_default();
            let borrowing = borrowers.remove(id).unwrap_or_default();
            let owed: Money = borrowing
                .iter()
                .map(|customer| Borrower { product_id: *id, customer: *customer })
                .filter_map(|borrower| self.register.owed_by(borrower, accounts))
                .sum();
            let count = u32::try_from(borrowing.len()).unwrap_or(u32::MAX);
            if exposure != shelf.exposure || owed != exposure || count != shelf.borrowers {
                faults.push(format!("product {id}: the exposure is not that of its loans"));
            }
            let accruals = earning.remove(id).unwrap_or_default();
            let kept = &shelf.accruals;
            if (&accruals.lines, accruals.ahead) != (&kept.lines, kept.ahead) {
                faults.push(format!("product {id}: what its loans earn unbilled is not in its sums"));
            }
            let mut sum = sum;
            sum[Role::InterestAccrued] += kept.posted;
            sum[Role::InterestIncome] -= kept.posted;
            for role in Role::ALL {
                let held = balance(accounts, *id, *role);
                if sum[*role] != shelf.posted[*role] || held != Some(sum[*role]) {
                    let name = role.name();
                    faults.push(format!(
                        "product {id}: loans come to {:?} in {name}, the control account holds {held:?}",
                        sum[*role]
                    ));
                }
            }
        }
        faults
    }

    /// The position of a loan as posted, and what it earns unbilled, without its events.
    fn standing(&self, slot: LoanSlot) -> (Position, Unbilled) {
        if let Some(loan) = self.register.folded.get(&slot) {
            return (loan.posted, loan.unbilled.clone());
        }
        let Some(mut run) = self.register.run(slot) else { return Default::default() };
        let posted = run.position();
        // In the middle of day-end a loan may be ahead of the business date.
        run.age_to(self.today().max(self.register.record(slot).as_of()));
        (posted, run.unbilled())
    }

    /// Which of up to `count` loans from the one at `first` on, in the order in which they were made, are not what their
    /// events come to. Folds each of them anew.
    pub fn audit_lives(&self, accounts: &Accounts, first: u32, count: u32) -> Vec<String> {
        let slots = self.register.slots().skip(wide(first)).take(wide(count));
        slots.filter_map(|slot| self.fault_of(slot, accounts)).collect()
    }

    fn fault_of(&self, slot: LoanSlot, accounts: &Accounts) -> Option<String> {
        let (loan, record) = (self.loan_at(slot, accounts), self.register.record(slot));
        let as_of = self.today().max(record.as_of());
        let outlook = self.outlook(&loan, &loan.events, as_of);
        let mut unbilled = loan.unbilled.clone();
        let course = self.register.run(slot).map(|mut run| {
            run.age_to(as_of);
            unbilled = run.unbilled();
            run.course
        });
        let is_right = outlook.as_ref().is_ok_and(|outlook| {
            outlook.position == loan.posted
                && outlook.wakes_on == record.wakes_on()
                && outlook.course == course
        });
        if !is_right {
            return Some(format!("loan {}: its events come to another position than is posted", loan.id));
        }
        let earns_alike = outlook.is_ok_and(|outlook| {
            outlook.unbilled == unbilled || earned_of(&outlook.unbilled, as_of) == earned_of(&unbilled, as_of)
        });
        let words = || format!("loan {}: its events earn otherwise than its product's sums say", loan.id);
        (!earns_alike).then(words)
    }
}

/// What a loan earns unbilled up to each of two days: two ways of saying the same may differ in their lines.
fn earned_of(unbilled: &Unbilled, as_of: Day) -> [BigRational; 2] {
    let mut accruals = Accruals::default();
    accruals.shift(&Unbilled::default(), unbilled);
    [1, 11].map(|days| accruals.exactly(as_of.plus_days(days).unwrap_or(as_of)))
}

/// Debits less credits of a control account, whose turnover knows no bound of a single loan's.
fn balance(accounts: &Accounts, product: u128, role: Role) -> Option<Money> {
    let account = accounts.get(accounts.slot_of(control_account(product, role))?);
    let debits = i128::try_from(account.debits_posted.get()).ok()?;
    let credits = i128::try_from(account.credits_posted.get()).ok()?;
    Some(Money::new(debits.checked_sub(credits)?))
}
