//! Statements and reports over all shards: each makes its part, and the parts are joined.

use super::look::sum;
use super::parts::{self, Marks, Part};
use super::{Call, Gateway, unreadable};
use crate::ask::{self, Read};
use crate::fault::ServeFault;
use bytes::Bytes;
use fen_api::{records, reports, wire};
use fen_ledger::reports::{DayEndStatus, Portfolio, TrialBalance};
use fen_ledger::statement::LINES_MAX;
use fen_raft::GroupId;
use futures_util::future::join_all;
use prost::Message;
use std::collections::BTreeMap;

fn read<M: Message + Default>(answer: Bytes) -> Result<M, ServeFault> {
    ask::read(answer).map_err(ServeFault::Unavailable)
}

impl Gateway {
    /// A page of a statement: of a customer's account from its shard, of one of the bank's own from all of them.
    pub(crate) async fn statement(
        &self,
        asked: wire::StatementRequest,
        call: &Call,
    ) -> Result<wire::Statement, ServeFault> {
        match &self.homes(records::wide(asked.account_id))?[..] {
            [home] => read(self.look(*home, &Read::Statement(asked), call).await?),
            homes => self.statement_of_parts(homes, asked, call).await,
        }
    }

    async fn statement_of_parts(
        &self,
        homes: &[GroupId],
        asked: wire::StatementRequest,
        call: &Call,
    ) -> Result<wire::Statement, ServeFault> {
        parts::check(&asked).map_err(ServeFault::Refused)?;
        let marks = Marks::parse(&asked.after).map_err(ServeFault::Refused)?;
        let (asked, marks) = (&asked, &marks);
        let asking = homes.iter().map(|home| async move {
            let after = marks.of(home.0);
            let question =
                wire::StatementRequest { after: after.clone().unwrap_or_default(), ..asked.clone() };
            let page: wire::Statement = read(self.look(*home, &Read::Statement(question), call).await?)?;
            // What the part had where its page begins: at the end of what was told before.
            let before = match marks.before(home.0, asked) {
                None => page.opening,
                Some(question) => {
                    let told: wire::Statement =
                        read(self.look(*home, &Read::Statement(question), call).await?)?;
                    told.closing
                }
            };
            Ok(Part::new(home.0, after, before, page))
        });
        let parts: Vec<Part> = join_all(asking).await.into_iter().collect::<Result<_, ServeFault>>()?;
        let limit = if asked.limit == 0 { LINES_MAX } else { asked.limit.min(LINES_MAX) };
        parts::joined(parts, asked, usize::try_from(limit).unwrap_or(usize::MAX)).map_err(ServeFault::Refused)
    }

    /// A loan's postings, from the shard that has it; nothing where none has.
    pub(crate) async fn loan_statement(
        &self,
        asked: wire::LoanStatementRequest,
        call: &Call,
    ) -> Result<Option<wire::LoanStatement>, ServeFault> {
        let ids = wire::Ids { ids: asked.loan_id.into_iter().collect() };
        for (group, answer) in self.ask_all(&Read::LoansHere(ids), call).await? {
            if !read::<wire::Ids>(answer)?.ids.is_empty() {
                return read(self.look(group, &Read::LoanStatement(asked), call).await?).map(Some);
            }
        }
        Ok(None)
    }

    /// The sums of accounts. The bank's own are netted over all shards before they are summed.
    pub(crate) async fn general_ledger(
        &self,
        asked: wire::GeneralLedgerRequest,
        call: &Call,
    ) -> Result<wire::GeneralLedger, ServeFault> {
        let mut balance = TrialBalance::default();
        let mut own: BTreeMap<u128, wire::Account> = BTreeMap::new();
        for (_group, answer) in self.ask_all(&Read::GeneralLedger(asked), call).await? {
            let part: wire::GeneralLedgerPart = read(answer)?;
            for line in &part.lines {
                balance.include(&reports::line(line).ok_or_else(unreadable)?);
            }
            for account in part.own {
                let id = records::wide(account.id);
                let whole = own.get(&id).map_or(Ok(account), |other| sum(other, &account))?;
                own.insert(id, whole);
            }
        }
        for account in own.values() {
            balance.add(&records::account(account).map_err(|_| unreadable())?);
        }
        Ok(wire::GeneralLedger { lines: balance.into_lines().iter().map(reports::line_message).collect() })
    }

    /// The loan book of all shards.
    pub(crate) async fn portfolio(&self, call: &Call) -> Result<Portfolio, ServeFault> {
        let mut whole: Option<Portfolio> = None;
        for (_group, answer) in self.ask_all(&Read::Portfolio, call).await? {
            let part = reports::portfolio(&read(answer)?).ok_or_else(unreadable)?;
            match &mut whole {
                None => whole = Some(part),
                Some(sum) => reports::include_portfolio(sum, part),
            }
        }
        whole.ok_or_else(unreadable)
    }

    /// How far day-end is on all shards.
    pub(crate) async fn day_end_status(&self, call: &Call) -> Result<DayEndStatus, ServeFault> {
        let mut whole: Option<DayEndStatus> = None;
        for (_group, answer) in self.ask_all(&Read::DayEndStatus, call).await? {
            let part = reports::day_end(&read(answer)?);
            match &mut whole {
                None => whole = Some(part),
                Some(sum) => reports::include_day_end(sum, &part),
            }
        }
        whole.ok_or_else(unreadable)
    }
}
