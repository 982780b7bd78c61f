//! Products, as far as accounts and transfers know of them: each has control accounts, which no client moves.
//!
//! **Absent on purpose.** Loans: the life that is folded anew is their model. What contradicts itself in a product, and
//! ids of products so large that they are hashed: the model is given none of these.

use crate::Model;
use fen_book::loan::command::{LoanCommand, LoanReply};
use fen_book::loan::control::ROLES;
use fen_book::loan::product::Product;
use fen_book::loan::product_status::ProductStatus as Status;
use fen_book::{Account, AccountId, Code, Outcome, STAMP_MAX, Stamp, TransferId};

/// The upper half of what is the bank's own.
const BANK: u128 = u64::MAX as u128;

impl Model {
    /// Carries out a command to the loan side that puts a product in force.
    pub(crate) fn loans(&mut self, body: &[u8], stamp: Stamp) -> LoanReply {
        let Ok(LoanCommand::PutProduct(product)) = LoanCommand::decode(body) else {
            unreachable!("loans have a model of their own: the life that is folded anew")
        };
        let status = self.put_product(&product, stamp);
        LoanReply::Product(Outcome { timestamp: stamp, status })
    }

    fn put_product(&mut self, product: &Product, stamp: Stamp) -> Status {
        assert_eq!(product.first_contradiction(), None, "the model is given sound products");
        assert!(product.id < 1 << 55, "the model is given products whose ids are not hashed");
        let before = self.products.iter().rev().find(|known| known.id == product.id);
        match before {
            Some(before) if before.ledger != product.ledger => return Status::LedgerMustNotChange,
            Some(before) if before == product => return Status::Exists,
            Some(_) => {}
            None if control_accounts(product).any(|id| self.opened(id).is_some()) => {
                return Status::ControlAccountExists;
            }
            None => {
                for (role, id) in (0..).zip(control_accounts(product)) {
                    let behind = ROLES as u64 - 1 - u64::from(role);
                    self.accounts.push(Account {
                        id,
                        ledger: product.ledger,
                        code: Code::new(9_000 + role),
                        timestamp: Stamp::new(stamp.get() - behind),
                        ..Account::default()
                    });
                }
            }
        }
        self.products.push(product.clone());
        Status::Created
    }

    /// Whether an account is a product's control account.
    pub(crate) fn is_control(&self, account: AccountId) -> bool {
        self.products.iter().any(|product| control_accounts(product).any(|id| id == account))
    }
}

fn control_accounts(product: &Product) -> impl Iterator<Item = AccountId> {
    let product = product.id;
    (0..ROLES as u128).map(move |role| AccountId::new(BANK << 64 | product << 8 | role))
}

/// Whether a transfer's id is a stamp under the bank's upper half: what the bank itself posts is named so.
pub(crate) fn is_of_the_bank(id: TransferId) -> bool {
    let lowest = BANK << 64;
    (lowest..=lowest + u128::from(STAMP_MAX.get())).contains(&id.get())
}
