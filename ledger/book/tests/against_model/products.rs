//! Products among the random commands: their control accounts, which nobody but the bank moves, and ids of the bank's own.

use crate::random::Story;
use fen_book::loan::command::LoanCommand;
use fen_book::loan::product::{Band, Product};
use fen_book::{Command, LedgerCode};

/// The product of the stories.
const PRODUCT: u128 = 7;

/// Drawn, it stands for [`OF_THE_BANK`].
pub(crate) const BANK: u64 = u64::MAX - 1;

/// As an account, the product's control account for principal; as a transfer, one that the bank itself would make.
pub(crate) const OF_THE_BANK: u128 = (u64::MAX as u128) << 64 | PRODUCT << 8;

/// An id that was drawn: the largest stands for the largest there is, the one below it for what is the bank's own.
pub(crate) fn whole(drawn: u64) -> u128 {
    match drawn {
        u64::MAX => u128::MAX,
        BANK => OF_THE_BANK,
        _ => drawn.into(),
    }
}

impl Story {
    /// The product's first version, or a further one, or the same again; seldom in another currency.
    pub(crate) fn put_product(&mut self) {
        let product = Product {
            id: PRODUCT,
            ledger: LedgerCode::new(if self.dice.once_in(8) { 840 } else { 156 }),
            periods: Band { min: None, max: self.dice.of(&[None, Some(5), Some(6)]) },
            ..Product::default()
        };
        let body = LoanCommand::PutProduct(Box::new(product)).encode();
        self.pair.apply(&Command::Loans(&body));
    }
}
