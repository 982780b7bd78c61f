//! The book as a subject: in memory, all of its journal young.

use crate::Subject;
use fen_book::loan::view::LoanView;
use fen_book::{
    Account, AccountFilter, AccountFlags, AccountId, BalanceLine, Book, Command, Position, QueryFilter,
    Recall, Reply, Stamp, Transfer, TransferId,
};

/// A book and the time.
pub struct BookSubject {
    book: Book,
    clock: Stamp,
}

impl BookSubject {
    /// An empty book whose first event will bear the stamp after `start`.
    pub fn new(start: Stamp) -> Self {
        Self { book: Book::new(), clock: start }
    }
}

impl Subject for BookSubject {
    fn apply(&mut self, command: &Command<'_>) -> Reply {
        let count = u64::try_from(command.stamp_count()).expect("stamps are counted in 64 bits");
        self.clock = Stamp::new(self.clock.get() + count);
        let reply = self.book.apply(command, self.clock, &Recall::nothing());
        // A reader looks at the clock as it is now, which this command itself has moved.
        self.book.apply(&Command::Pulse, self.clock, &Recall::nothing());
        reply
    }
    fn tick(&mut self, nanoseconds: u64) {
        self.clock = Stamp::new(self.clock.get() + nanoseconds);
        self.book.apply(&Command::Pulse, self.clock, &Recall::nothing());
    }
    fn clock(&self) -> Stamp {
        self.clock
    }
    fn lookup_accounts(&mut self, ids: &[AccountId]) -> Vec<Option<Account>> {
        ids.iter().map(|id| self.book.account(*id)).collect()
    }
    fn lookup_transfers(&mut self, ids: &[TransferId]) -> Vec<Option<Transfer>> {
        let find =
            |id: &TransferId| self.book.young().find(*id).filter(|record| record.is_transfer()).copied();
        ids.iter().map(find).collect()
    }
    fn position(&mut self, id: AccountId) -> Option<Position> {
        self.book.position(id)
    }
    fn account_transfers(&mut self, filter: &AccountFilter) -> Vec<Transfer> {
        self.book.young_account_transfers(filter)
    }
    fn account_balances(&mut self, filter: &AccountFilter) -> Vec<BalanceLine> {
        let account = self.book.account(filter.account_id);
        let keeps_history = account.is_some_and(|account| account.flags.contains(AccountFlags::HISTORY));
        if keeps_history { self.book.young_account_balances(filter) } else { Vec::new() }
    }
    fn query_accounts(&mut self, filter: &QueryFilter) -> Vec<Account> {
        self.book.query_accounts(filter)
    }
    fn query_transfers(&mut self, filter: &QueryFilter) -> Vec<Transfer> {
        self.book.query_young_transfers(filter)
    }
    fn loan(&mut self, id: u128) -> Option<LoanView> {
        self.book.loans().view(id, self.book.accounts())
    }
    fn loan_faults(&mut self) -> Vec<String> {
        self.book.loans().audit(self.book.accounts())
    }
}
