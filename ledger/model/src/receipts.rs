//! Transfers answered with what their accounts held right after them.

use crate::journal::re_add;
use crate::{Model, batch};
use fen_book::{CreateTransferStatus, Receipt, Stamp, Transfer};

impl Model {
    /// Posts a batch; the balances are found by re-adding the journal up to each of its transfers.
    pub(crate) fn receipts(&mut self, events: &[Transfer], stamp: Stamp) -> Vec<Receipt> {
        let mut receipts = Vec::new();
        for (event, outcome) in events.iter().zip(batch::run(self, events, stamp)) {
            let mut receipt = Receipt { outcome, debit: None, credit: None };
            if outcome.status == CreateTransferStatus::Created {
                let is_it = |transfer: &Transfer| transfer.id == event.id;
                let place = self.journal.iter().position(|entry| entry.transfer().is_some_and(is_it));
                let until = &self.journal[..=place.expect("what was created is in the journal")];
                let transfer = self.transfer(event.id).expect("what was created is in the journal");
                receipt.debit = Some(re_add(transfer.debit_account_id, until));
                receipt.credit = Some(re_add(transfer.credit_account_id, until));
            }
            receipts.push(receipt);
        }
        receipts
    }
}
