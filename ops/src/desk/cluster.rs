//! The desk of a running cluster: the same questions, asked over the network.

use super::{Chunk, Desk, Page};
use crate::exit::Failure;
use crate::reach::{self, Reach};
use fen_api::{Client, ClientFault};
use fen_book::{AccountId, BusinessDate, Position, Transfer, TransferId};
use fen_ledger::reports::{DayEndStatus, Portfolio, TrialBalanceLine};
use fen_ledger::{
    Account, AccountFilter, AccountSearch, Direction, LoanCommand, LoanId, Period, StatementAsked,
    TransferSearch, TurnoverAsked, Turnovers,
};
use std::future::Future;
use std::time::Duration;
use tokio::runtime::Runtime;

/// How long an answer may take: some look at every account or loan.
const PATIENCE: Duration = Duration::from_mins(2);

/// See the module.
pub(super) struct ClusterDesk {
    runtime: Runtime,
    client: Client,
}

impl ClusterDesk {
    pub(super) fn new(reach: &Reach) -> Result<Self, Failure> {
        let runtime = reach::runtime()?;
        let client = runtime.block_on(async { reach.patient_client(PATIENCE) })?;
        Ok(Self { runtime, client })
    }

    fn hear<T>(&self, asking: impl Future<Output = Result<T, ClientFault>>) -> Result<T, Failure> {
        self.runtime.block_on(asking).map_err(reach::failure)
    }
}

impl Desk for ClusterDesk {
    fn position(&self, id: AccountId) -> Result<Option<Position>, Failure> {
        self.hear(self.client.lookup_positions(&[id])).map(|mut found| found.pop().flatten())
    }

    fn account(&self, id: AccountId) -> Result<Option<Account>, Failure> {
        self.hear(self.client.lookup_accounts(&[id])).map(|mut found| found.pop().flatten())
    }

    fn transfer(&self, id: TransferId) -> Result<Option<Transfer>, Failure> {
        self.hear(self.client.lookup_transfers(&[id])).map(|mut found| found.pop().flatten())
    }

    fn transfers(&self, filter: &AccountFilter) -> Result<Vec<Transfer>, Failure> {
        self.hear(self.client.account_transfers(filter))
    }

    fn statement(&self, asked: &StatementAsked, after: Option<&str>) -> Result<Option<Page>, Failure> {
        let told = self.hear(self.client.statement(asked, after.unwrap_or_default()))?;
        Ok(told.map(|(statement, next)| Page { statement, next }))
    }

    fn loan_postings(&self, id: LoanId, from: Direction, limit: u32) -> Result<Vec<Transfer>, Failure> {
        self.hear(self.client.loan_postings(id, from, limit))
    }

    fn loan(&self, id: LoanId) -> Result<Option<String>, Failure> {
        self.hear(self.client.lookup_loans(&[id])).map(|mut found| found.pop().flatten())
    }

    fn portfolio(&self) -> Result<Portfolio, Failure> {
        self.hear(self.client.portfolio())
    }

    fn trial_balance(&self, as_of: Option<BusinessDate>) -> Result<Vec<TrialBalanceLine>, Failure> {
        self.hear(self.client.general_ledger(as_of))
    }

    fn find_transfers(
        &self,
        search: &TransferSearch,
        period: &Period,
        after: Option<&str>,
    ) -> Result<(Vec<Transfer>, Option<String>), Failure> {
        self.hear(self.client.search_transfers(search, period, after.unwrap_or_default()))
    }

    fn find_accounts(
        &self,
        search: &AccountSearch,
        period: &Period,
        after: Option<&str>,
    ) -> Result<(Vec<Account>, Option<String>), Failure> {
        self.hear(self.client.search_accounts(search, period, after.unwrap_or_default()))
    }

    fn turnover(&self, asked: &TurnoverAsked) -> Result<Turnovers, Failure> {
        self.hear(self.client.turnover(asked))
    }

    fn day_end_status(&self) -> Result<DayEndStatus, Failure> {
        self.hear(self.client.day_end_status())
    }

    fn day_end_chunk(&self, through: BusinessDate) -> Result<Chunk, Failure> {
        let garbled = || Failure::unreachable("the cluster answered something else than a day-end");
        let reply = self.hear(self.client.loans(&LoanCommand::DayEnd { through, loans_max: 0 }))?;
        let day_end = reply.day_end.ok_or_else(garbled)?;
        let result = day_end.result.ok_or_else(garbled)?;
        Ok(Chunk {
            is_closed: result.status == 0,
            status: result.name,
            is_done: day_end.is_done,
            business_date: BusinessDate::new(day_end.business_date),
            loans: day_end.loans,
        })
    }
}
