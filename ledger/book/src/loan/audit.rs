//! Whether loans and control accounts agree: every loan's posted position is what its events come to, the positions
//! add up to the product's, and that is what the product's control accounts hold.

use super::control::{Position, Role, control_account};
use super::loans::Loans;
use super::money::Money;
use super::position::position;
use crate::accounts::Accounts;

impl Loans {
    /// What does not agree, in words; nothing where all is well. Folds every loan anew.
    pub fn audit(&self, accounts: &Accounts) -> Vec<String> {
        let mut faults = Vec::new();
        for (id, shelf) in &self.products {
            let mut sum = Position::default();
            let mut exposure = Money::ZERO;
            for loan in self.by_id.values().filter(|loan| loan.product_id == *id) {
                let life = self.life(loan);
                if position(&life, self.product_of(loan), self.today()) != loan.posted {
                    faults.push(format!(
                        "loan {}: its events come to another position than is posted",
                        loan.id
                    ));
                }
                sum.add(&loan.posted);
                exposure += loan.exposure;
            }
            if exposure != shelf.exposure || shelf.borrowers.values().copied().sum::<Money>() != exposure {
                faults.push(format!("product {id}: the exposure is not that of its loans"));
            }
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
}

/// Debits less credits of a control account.
fn balance(accounts: &Accounts, product: u128, role: Role) -> Option<Money> {
    let account = accounts.get(accounts.slot_of(control_account(product, role))?);
    Some(Money::from_amount(account.debits_posted)? - Money::from_amount(account.credits_posted)?)
}
