//! Commands on their way in: split by shard, passed to each part's leader, their answers joined again.

use super::{Call, Gateway, not_founded, unreadable};
use crate::ask::{self, Ask, Read};
use crate::crossing::show;
use crate::fault::ServeFault;
use crate::parcel::PackedCommand;
use crate::shard::kind;
use crate::split::{self, Parts, Split};
use bytes::Bytes;
use fen_api::records::{RECORD_BYTES, halves};
use fen_api::wire;
use fen_book::{EVENTS_MAX, TransferId};
use fen_net::NodeId;
use fen_raft::GroupId;
use prost::Message;
use std::collections::BTreeMap;

/// An answer's bytes, and who gave it.
type Reply = Result<(Bytes, Option<NodeId>), ServeFault>;

impl Gateway {
    /// Accounts and transfers in packed records; answered by packed results.
    pub(super) async fn submit_records(&self, kind_number: u16, records: Bytes, call: &Call) -> Reply {
        let events = records.len() / RECORD_BYTES;
        if records.len() != events * RECORD_BYTES {
            return Err(ServeFault::Refused(format!(
                "{} bytes are no whole number of records",
                records.len()
            )));
        }
        if events > EVENTS_MAX {
            return Err(ServeFault::Refused(format!(
                "{events} events; the most in one call are {EVENTS_MAX}"
            )));
        }
        split::names_no_clearing(kind_number, &records).map_err(ServeFault::Refused)?;
        let directory = self.office.router.directory();
        match &directory.shards[..] {
            [] => Err(not_founded()),
            [only] => {
                let (bytes, leader) = self.submit_to(GroupId(only.group), kind_number, records, call).await?;
                Ok((bytes, Some(leader)))
            }
            _several => {
                let split = if kind_number == kind::CREATE_ACCOUNTS {
                    let parts = split::accounts(&directory, &records).map_err(ServeFault::Refused)?;
                    Split { parts, ..Split::default() }
                } else {
                    let pendings = split::pendings_to_find(&records);
                    let found = self.find_pendings(&pendings, call).await?;
                    split::transfers(&directory, &records, &found).map_err(ServeFault::Refused)?
                };
                let mut answers = self.submit_parts(kind_number, split.parts, call).await?;
                answers.push(split::refusals(&split.refused));
                split::join(events, &answers).map(|results| (results, None)).ok_or_else(unreadable)
            }
        }
    }

    /// A command to one shard.
    pub(super) async fn submit_to(
        &self,
        group: GroupId,
        kind_number: u16,
        body: Bytes,
        call: &Call,
    ) -> Result<(Bytes, NodeId), ServeFault> {
        let question = Ask::Submit(PackedCommand { kind: kind_number, body });
        let answered = self.office.router.ask(group, &question, call.deadline).await?;
        Ok((answered.bytes, answered.leader))
    }

    async fn submit_parts(
        &self,
        kind_number: u16,
        parts: Parts,
        call: &Call,
    ) -> Result<Vec<(Vec<usize>, Bytes)>, ServeFault> {
        let mut asking = Vec::new();
        for (group, part) in parts {
            let (router, deadline) = (self.office.router.clone(), call.deadline);
            let records = part.records.freeze();
            let asked = tokio::spawn(async move {
                if part.crosses && kind_number == kind::CREATE_TRANSFERS {
                    return show::cross(&router, group, records, deadline).await;
                }
                let question = Ask::Submit(PackedCommand { kind: kind_number, body: records });
                Ok(router.ask(group, &question, deadline).await?.bytes)
            });
            asking.push((part.events, asked));
        }
        let mut answers = Vec::new();
        for (events, asked) in asking {
            let answered = asked.await.map_err(|error| ServeFault::Unavailable(error.to_string()))??;
            answers.push((events, answered));
        }
        Ok(answers)
    }

    /// On which shards transfers are, such as the pending ones that a batch ends without naming an account.
    pub(super) async fn find_pendings(
        &self,
        pendings: &[TransferId],
        call: &Call,
    ) -> Result<BTreeMap<TransferId, GroupId>, ServeFault> {
        let mut found = BTreeMap::new();
        if pendings.is_empty() {
            return Ok(found);
        }
        let ids = pendings.iter().map(|id| halves(id.get()).unwrap_or_default()).collect();
        for (group, answer) in self.ask_all(&Read::Transfers(wire::Ids { ids }), &call.of_leaders()).await? {
            let transfers: wire::Transfers = ask::read(answer).map_err(ServeFault::Unavailable)?;
            let there = pendings.iter().zip(&transfers.found).filter(|(_, found)| found.transfer.is_some());
            found.extend(there.map(|(pending, _)| (*pending, group)));
        }
        Ok(found)
    }

    /// Transfers with receipts.
    pub(super) async fn receipts(&self, records: Bytes, call: &Call) -> Result<wire::Receipts, ServeFault> {
        let directory = self.office.router.directory();
        let events = records.len() / RECORD_BYTES;
        let found = self.find_pendings(&split::pendings_to_find(&records), call).await?;
        split::names_no_clearing(kind::CREATE_TRANSFERS, &records).map_err(ServeFault::Refused)?;
        let split = split::transfers(&directory, &records, &found).map_err(ServeFault::Refused)?;
        let parts = split.at_home().map_err(ServeFault::Refused)?;
        let answers = self.submit_parts(kind::CREATE_TRANSFERS_WITH_BALANCES, parts, call).await?;
        let receipts = joined(events, &answers, |part: wire::Receipts| part.receipts)?;
        Ok(wire::Receipts { receipts })
    }

    /// Accounts with limits and opening balances.
    pub(super) async fn openings(&self, records: Bytes, call: &Call) -> Result<wire::Openings, ServeFault> {
        let directory = self.office.router.directory();
        let (events, parts) = split::openings(&directory, &records).map_err(ServeFault::Refused)?;
        let answers = self.submit_parts(kind::OPEN_ACCOUNTS, parts, call).await?;
        let openings = joined(events, &answers, |part: wire::Openings| part.openings)?;
        Ok(wire::Openings { openings })
    }

    /// Changes of limits.
    pub(super) async fn limits(&self, records: Bytes, call: &Call) -> Result<wire::Results, ServeFault> {
        let directory = self.office.router.directory();
        let (events, parts) = split::limits(&directory, &records).map_err(ServeFault::Refused)?;
        let answers = self.submit_parts(kind::SET_LIMITS, parts, call).await?;
        let results = joined(events, &answers, |part: wire::Results| part.results)?;
        Ok(wire::Results { results })
    }

    /// Ends of chains.
    pub(super) async fn chain_ends(
        &self,
        records: Bytes,
        call: &Call,
    ) -> Result<wire::ChainResults, ServeFault> {
        let directory = self.office.router.directory();
        let found = self.find_pendings(&split::chains_to_find(&records), call).await?;
        let (events, parts) = split::chain_ends(&directory, &records, &found).map_err(ServeFault::Refused)?;
        let answers = self.submit_parts(kind::END_CHAINS, parts, call).await?;
        let results = joined(events, &answers, |part: wire::ChainResults| part.results)?;
        Ok(wire::ChainResults { results })
    }
}

/// The parts' answers in the batch's order.
pub(super) fn joined<M: Message + Default, T>(
    events: usize,
    parts: &[(Vec<usize>, Bytes)],
    list: impl Fn(M) -> Vec<T>,
) -> Result<Vec<T>, ServeFault> {
    let mut joined: Vec<Option<T>> = std::iter::repeat_with(|| None).take(events).collect();
    for (places, answer) in parts {
        let answers = list(ask::read(answer.clone()).map_err(ServeFault::Unavailable)?);
        if answers.len() != places.len() {
            return Err(unreadable());
        }
        for (place, answer) in places.iter().zip(answers) {
            *joined.get_mut(*place).ok_or_else(unreadable)? = Some(answer);
        }
    }
    joined.into_iter().collect::<Option<Vec<T>>>().ok_or_else(unreadable)
}
