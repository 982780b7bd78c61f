//! What a script is run on: anything that takes the book's commands and can be read.

use fen_book::loan::view::LoanView;
use fen_book::{
    Account, AccountFilter, AccountId, BalanceLine, Command, Position, QueryFilter, Reply, Stamp, Transfer,
    TransferId,
};
use fen_model::ModelLedger;

/// One form of the ledger: the naive model, the book, a ledger on disk, a cluster.
///
/// Its clock stands still but for one nanosecond an event and what [`Self::tick`] adds, so that every form gives
/// the same stamps. A fault (a full disk, a lost node) is no answer: an implementation panics with it.
pub trait Subject {
    /// Called before every line of a script. A form that can restart, check-point or change leaders does so here
    /// when its seed says so; no answer may change by it.
    fn between_lines(&mut self) {}
    /// Carries out one command at the next stamps.
    fn apply(&mut self, command: &Command<'_>) -> Reply;
    /// Lets time pass.
    fn tick(&mut self, nanoseconds: u64);
    /// The stamp of the last event or tick.
    fn clock(&self) -> Stamp;
    /// `None` in the place of an id that is not found.
    fn lookup_accounts(&mut self, ids: &[AccountId]) -> Vec<Option<Account>>;
    /// `None` in the place of an id that is not found.
    fn lookup_transfers(&mut self, ids: &[TransferId]) -> Vec<Option<Transfer>>;
    /// One account and its open reservations, at one moment.
    fn position(&mut self, id: AccountId) -> Option<Position>;
    /// One account's entries.
    fn account_transfers(&mut self, filter: &AccountFilter) -> Vec<Transfer>;
    /// One account's balances after each of its entries.
    fn account_balances(&mut self, filter: &AccountFilter) -> Vec<BalanceLine>;
    /// Accounts by what they bear.
    fn query_accounts(&mut self, filter: &QueryFilter) -> Vec<Account>;
    /// Transfers by what they bear.
    fn query_transfers(&mut self, filter: &QueryFilter) -> Vec<Transfer>;
    /// A loan as of the business date.
    fn loan(&mut self, id: u128) -> Option<LoanView> {
        panic!("this form of the ledger tells no stories of loans, such as {id}'s")
    }
    /// What does not agree between loans and control accounts.
    fn loan_faults(&mut self) -> Vec<String> {
        Vec::new()
    }
}

impl Subject for ModelLedger {
    fn apply(&mut self, command: &Command<'_>) -> Reply {
        ModelLedger::apply(self, command)
    }
    fn tick(&mut self, nanoseconds: u64) {
        ModelLedger::tick(self, nanoseconds);
    }
    fn clock(&self) -> Stamp {
        ModelLedger::clock(self)
    }
    fn lookup_accounts(&mut self, ids: &[AccountId]) -> Vec<Option<Account>> {
        self.model().lookup_accounts(ids)
    }
    fn lookup_transfers(&mut self, ids: &[TransferId]) -> Vec<Option<Transfer>> {
        self.model().lookup_transfers(ids)
    }
    fn position(&mut self, id: AccountId) -> Option<Position> {
        self.model().position(id)
    }
    fn account_transfers(&mut self, filter: &AccountFilter) -> Vec<Transfer> {
        self.model().account_transfers(filter)
    }
    fn account_balances(&mut self, filter: &AccountFilter) -> Vec<BalanceLine> {
        self.model().account_balances(filter)
    }
    fn query_accounts(&mut self, filter: &QueryFilter) -> Vec<Account> {
        self.model().query_accounts(filter)
    }
    fn query_transfers(&mut self, filter: &QueryFilter) -> Vec<Transfer> {
        self.model().query_transfers(filter)
    }
}
