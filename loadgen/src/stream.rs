//! What a driver sends: commands without end, each a pure function of its number.

use crate::fault::{Fault, Run};
use crate::workload::Workload;
use fen_ledger::{AccountId, Body, CreateTransferStatus, Reply};

/// The place of an event in its command, and the status that refused it.
pub type Refused = (u32, &'static str);

/// A stream of commands.
pub trait Stream: Sync {
    /// The command of a number.
    fn body(&self, batch: u64) -> Body;

    /// How many events the answer is to; those that were refused are added to `refused`.
    ///
    /// # Errors
    /// Where the answer is one to something else.
    fn judge(&self, reply: &Reply, refused: &mut Vec<Refused>) -> Run<u64>;

    /// Accounts that a client looks at after the command, where it reads as well.
    fn accounts(&self, _batch: u64) -> Vec<AccountId> {
        Vec::new()
    }
}

/// The refused among outcomes, and how many outcomes there are.
pub(crate) fn sift<'a, T: 'a>(
    outcomes: impl ExactSizeIterator<Item = &'a T>,
    refused: &mut Vec<Refused>,
    status: impl Fn(&T) -> Option<&'static str>,
) -> u64 {
    let count = u64::try_from(outcomes.len()).unwrap_or(u64::MAX);
    refused.extend((0u32..).zip(outcomes).filter_map(|(index, outcome)| Some((index, status(outcome)?))));
    count
}

impl Stream for Workload {
    fn body(&self, batch: u64) -> Body {
        Body::Transfers(self.transfers(batch))
    }

    fn judge(&self, reply: &Reply, refused: &mut Vec<Refused>) -> Run<u64> {
        let Reply::Transfers(outcomes) = reply else {
            return Err(Fault::Process("the answer is not one to transfers".to_owned()));
        };
        let created = CreateTransferStatus::Created;
        Ok(sift(outcomes.iter(), refused, |outcome| {
            (outcome.status != created).then(|| outcome.status.name())
        }))
    }

    fn accounts(&self, batch: u64) -> Vec<AccountId> {
        self.orders(batch).take(100).map(|(_, order)| self.account_id(order.debit)).collect()
    }
}
