//! The check: what every answer acknowledged is added up again, and the books must hold exactly that.
//!
//! While the clock runs an answer costs one pass over its statuses; only those that are not `created` are kept, with
//! the batch and the place. Afterwards the batches are made again from their numbers and their acknowledged effects
//! are added into one array per side, which is compared with every account of the ledger. Then the ledger's own
//! audit adds up its whole journal, and the count of transfers must be that of the answers: so nothing
//! acknowledged is lost, and nothing is there twice.

use crate::answers::Answers;
use crate::fault::Run;
use crate::target::Target;
use crate::workload::{Kind, Order, Workload};
use fen_ledger::{Account, AccountId, Amount};

/// How many faults are put into words.
const FAULTS_MAX: usize = 20;

/// The first faults, and how many more there are.
pub(crate) fn shortened(mut faults: Vec<String>) -> Vec<String> {
    let more = faults.len().saturating_sub(FAULTS_MAX);
    faults.truncate(FAULTS_MAX);
    if more > 0 {
        faults.push(format!("and {more} more"));
    }
    faults
}

/// What one account must hold.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
struct Sums {
    debits_pending: u64,
    debits_posted: u64,
    credits_pending: u64,
    credits_posted: u64,
}

impl Sums {
    fn are_of(&self, account: &Account) -> bool {
        let amount = |sum: u64| Amount::new(u128::from(sum));
        account.debits_pending == amount(self.debits_pending)
            && account.debits_posted == amount(self.debits_posted)
            && account.credits_pending == amount(self.credits_pending)
            && account.credits_posted == amount(self.credits_posted)
    }
}

/// The sums of all acknowledged effects.
#[derive(Clone, Debug)]
pub struct Expected {
    workload: Workload,
    sums: Vec<Sums>,
    created: u64,
}

fn index(number: u64) -> usize {
    usize::try_from(number).expect("an account's number fits the address space")
}

impl Expected {
    /// Nothing acknowledged yet.
    pub fn new(workload: Workload) -> Self {
        Self { workload, sums: vec![Sums::default(); index(workload.population())], created: 0 }
    }

    /// Of which answers.
    pub fn workload(&self) -> Workload {
        self.workload
    }

    /// How many transfers the books must hold.
    pub fn created(&self) -> u64 {
        self.created
    }

    /// Adds the acknowledged effects of a batch.
    pub fn add(&mut self, batch: u64, answers: &Answers) {
        let mut refused = answers.of_batch(batch).peekable();
        for (position, (_, order)) in (0u32..).zip(self.workload.orders(batch)) {
            if refused.next_if_eq(&position).is_none() {
                self.created += 1;
                self.add_order(&order);
            }
        }
    }

    fn add_order(&mut self, order: &Order) {
        let (posted, reserved, released) = match order.kind {
            Kind::Plain => (order.amount, 0, 0),
            Kind::Pending => (0, order.amount, 0),
            Kind::Post { reserved } => (order.amount, 0, reserved),
            Kind::Void { reserved } => (0, 0, reserved),
        };
        let debit = &mut self.sums[index(order.debit)];
        debit.debits_posted += posted;
        debit.debits_pending = debit.debits_pending + reserved - released;
        let credit = &mut self.sums[index(order.credit)];
        credit.credits_posted += posted;
        credit.credits_pending = credit.credits_pending + reserved - released;
    }

    /// What of this the books do not hold, and what their own audit finds wrong; nothing where all is right.
    ///
    /// # Errors
    /// A fault of the ledger or the cluster.
    pub fn compare(&self, books: &dyn Target) -> Run<Vec<String>> {
        let mut faults = self.of_accounts(books)?;
        let held = books.audit(&mut faults)?;
        if let Some(held) = held.filter(|held| *held != self.created) {
            faults.push(format!("{} transfers were acknowledged, the books hold {held}", self.created));
        }
        Ok(shortened(faults))
    }

    /// The accounts that do not hold what they must.
    ///
    /// # Errors
    /// A fault of the ledger or the cluster.
    pub fn of_accounts(&self, books: &dyn Target) -> Run<Vec<String>> {
        let mut faults = Vec::new();
        for numbers in self.workload.account_batches() {
            let ids: Vec<AccountId> =
                numbers.clone().map(|number| self.workload.account_id(number)).collect();
            for (number, found) in numbers.zip(books.accounts(&ids)?) {
                faults.extend(self.fault_of(number, found));
            }
        }
        Ok(shortened(faults))
    }

    fn fault_of(&self, number: u64, found: Option<Account>) -> Option<String> {
        let sums = &self.sums[index(number)];
        match found {
            Some(account) if sums.are_of(&account) => None,
            Some(account) => Some(format!(
                "account {number} holds {:?}, the answers add up to {sums:?}",
                account.balances()
            )),
            None => Some(format!("account {number} is not there")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::Stream as _;
    use crate::workload::{Hot, Ids, Kinds};
    use fen_ledger::{Ledger, Stamp};

    fn ledger_with(workload: &Workload) -> Ledger {
        let ledger = Ledger::in_memory(Stamp::new(1_000));
        let accounts: Vec<Account> = (0..workload.accounts).map(|number| workload.account(number)).collect();
        ledger.create_accounts(&accounts).unwrap();
        ledger
    }

    #[test]
    fn the_books_hold_what_was_acknowledged_and_a_lost_or_doubled_batch_is_found() {
        let workload = Workload {
            seed: 3,
            accounts: 100,
            batch: 1_000,
            ids: Ids::Random,
            hot: Hot::Zipf,
            kinds: Kinds::TwoPhase,
            base: 0,
            crossing: None,
            refused_percent: 0,
        };
        let ledger = ledger_with(&workload);
        let (mut answers, mut expected) = (Answers::default(), Expected::new(workload));
        for batch in 0..5 {
            let reply = ledger.submit(workload.body(batch)).unwrap().wait().unwrap();
            let mut refused = Vec::new();
            assert_eq!(workload.judge(&reply, &mut refused).unwrap(), 1_000);
            answers.keep(batch, refused);
            expected.add(batch, &answers);
        }
        assert_eq!(expected.compare(&ledger).unwrap(), Vec::<String>::new());
        assert!(
            answers.refused().contains_key("exceeds_credits"),
            "some are refused: {:?}",
            answers.refused()
        );

        let mut lost = expected.clone();
        lost.add(5, &answers);
        assert!(!lost.compare(&ledger).unwrap().is_empty(), "an acknowledged batch is not in the books");
        ledger.create_transfers(&workload.transfers(6)).unwrap();
        assert!(!expected.compare(&ledger).unwrap().is_empty(), "a batch in the books nobody was told of");
    }
}
