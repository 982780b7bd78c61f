//! The rest of the client's calls: limits, openings, receipts, chains, positions, queries, loans, and any command in
//! its JSON.

use crate::client::{Client, id_message, ledger, transfers};
use crate::fault::ClientFault;
use crate::{answers, records, wire};
use fen_book::loan::command::LoanCommand;
use fen_book::loan::order::LoanId;
use fen_book::{
    Account, AccountId, AccountOpening, ChainEnd, ChainOutcome, LimitChange, OpeningStatus, Outcome,
    Position, QueryFilter, Receipt, SetLimitStatus, Transfer,
};

fn known<T>(read: Option<Vec<T>>, count: usize) -> Result<Vec<T>, ClientFault> {
    let read = read.ok_or(ClientFault::Garbled("a status that this release does not know"))?;
    if read.len() == count { Ok(read) } else { Err(ClientFault::Garbled("not one result for each event")) }
}

impl Client {
    /// Posts transfers; each outcome with the balances of both accounts right after it.
    pub async fn create_transfers_with_balances(
        &self,
        transfers: &[Transfer],
    ) -> Result<Vec<Receipt>, ClientFault> {
        let transfers: Vec<_> = transfers.iter().map(records::transfer_message).collect();
        let count = transfers.len();
        let message = wire::CreateTransfersRequest { transfers };
        let ask = |channel| {
            let message = message.clone();
            async move { ledger(channel).create_transfers_with_balances(message).await }
        };
        known(self.ask(ask).await?.receipts.iter().map(answers::receipt).collect(), count)
    }

    /// Opens accounts with limits and opening balances.
    pub async fn open_accounts(
        &self,
        openings: &[AccountOpening],
    ) -> Result<Vec<Outcome<OpeningStatus>>, ClientFault> {
        let message =
            wire::OpenAccountsRequest { openings: openings.iter().map(records::opening_message).collect() };
        let ask = |channel| {
            let message = message.clone();
            async move { ledger(channel).open_accounts(message).await }
        };
        known(self.ask(ask).await?.openings.iter().map(answers::opening).collect(), openings.len())
    }

    /// Changes accounts' limits.
    pub async fn set_limits(
        &self,
        changes: &[LimitChange],
    ) -> Result<Vec<Outcome<SetLimitStatus>>, ClientFault> {
        let change = |change: &LimitChange| wire::LimitChange {
            account_id: records::halves(change.account_id.get()),
            limit: records::halves(change.limit.get()),
        };
        let message = wire::SetLimitsRequest { changes: changes.iter().map(change).collect() };
        let ask = |channel| {
            let message = message.clone();
            async move { ledger(channel).set_limits(message).await }
        };
        known(self.ask(ask).await?.results.iter().map(answers::limit).collect(), changes.len())
    }

    /// Posts or voids whole chains of pending transfers.
    pub async fn end_chains(&self, ends: &[ChainEnd]) -> Result<Vec<ChainOutcome>, ClientFault> {
        let end = |end: &ChainEnd| wire::ChainEnd {
            id: records::halves(end.id.get()),
            pending_id: records::halves(end.pending_id.get()),
            flags: u32::from(end.flags.bits()),
        };
        let message = wire::EndChainsRequest { ends: ends.iter().map(end).collect() };
        let ask = |channel| {
            let message = message.clone();
            async move { ledger(channel).end_chains(message).await }
        };
        known(self.ask(ask).await?.results.iter().map(answers::chain).collect(), ends.len())
    }

    /// Accounts with all that is reserved on them, each read at one moment.
    pub async fn lookup_positions(&self, ids: &[AccountId]) -> Result<Vec<Option<Position>>, ClientFault> {
        let message = wire::Ids { ids: ids.iter().map(|id| id_message(id.get())).collect() };
        let ask = |channel| {
            let message = message.clone();
            async move { ledger(channel).lookup_positions(message).await }
        };
        let found: Result<_, String> = self.ask(ask).await?.found.iter().map(records::position).collect();
        found.map_err(|_| ClientFault::Garbled("an account that no book could hold"))
    }

    /// Accounts that pass a filter, of all shards.
    pub async fn query_accounts(&self, filter: &QueryFilter) -> Result<Vec<Account>, ClientFault> {
        let message = records::query_filter_message(filter);
        let ask = |channel| async move { ledger(channel).query_accounts(message).await };
        let accounts: Result<_, String> = self
            .ask(ask)
            .await?
            .found
            .iter()
            .filter_map(|found| found.account.as_ref())
            .map(records::account)
            .collect();
        accounts.map_err(|_| ClientFault::Garbled("an account that no book could hold"))
    }

    /// Transfers that pass a filter, of all shards.
    pub async fn query_transfers(&self, filter: &QueryFilter) -> Result<Vec<Transfer>, ClientFault> {
        let message = records::query_filter_message(filter);
        let ask = |channel| async move { ledger(channel).query_transfers(message).await };
        Ok(transfers(&self.ask(ask).await?)?.into_iter().flatten().collect())
    }

    /// A product, loan events, or a step of day-end. An event that was taken before answers `exists`.
    pub async fn loans(&self, command: &LoanCommand) -> Result<wire::LoanReply, ClientFault> {
        let message = wire::LoanBatch { command: command.encode() };
        let ask = |channel| {
            let message = message.clone();
            async move { ledger(channel).loans(message).await }
        };
        self.ask(ask).await
    }

    /// Loans as of the business date, in the JSON of `fen exec`.
    pub async fn lookup_loans(&self, ids: &[LoanId]) -> Result<Vec<Option<String>>, ClientFault> {
        let message = wire::Ids { ids: ids.iter().map(|id| id_message(*id)).collect() };
        let ask = |channel| {
            let message = message.clone();
            async move { ledger(channel).lookup_loans(message).await }
        };
        Ok(self.ask(ask).await?.found.into_iter().map(|found| found.json).collect())
    }

    /// Any command of `fen exec` in its JSON; the reply is the line that `fen exec` prints.
    pub async fn execute(&self, command: &str) -> Result<String, ClientFault> {
        let message = wire::Command { json: command.to_owned() };
        let ask = |channel| {
            let message = message.clone();
            async move { ledger(channel).execute(message).await }
        };
        Ok(self.ask(ask).await?.json)
    }

    /// What each ledger adds up to.
    pub async fn trial_balance(&self) -> Result<wire::TrialBalance, ClientFault> {
        let ask =
            |channel| async move { ledger(channel).get_trial_balance(wire::TrialBalanceRequest {}).await };
        self.ask(ask).await
    }
}
