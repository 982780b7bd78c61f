//! The gRPC service `History`, and what joins the shards' parts of searches, sums, exports and proofs.
//!
//! A search's cursor is the stamp and the shard of the last record told, `STAMP.SHARD`: shards may stamp alike. An
//! export's names the shard and the record where it goes on, and for each shard where it ends: `2.7/1.500,2.900`.
//!
//! **Invariants.** Pages laid end to end tell every record once. Each shard's part of an export is that of one moment:
//! the one at which its first page was asked for.

use super::{Call, Gateway, status, unreadable};
use crate::ask::{self, Read};
use crate::fault::ServeFault;
use crate::gateway::look::sum;
use fen_api::wire::history_server::History;
use fen_api::{records, search, wire};
use fen_ledger::{Turnover, Turnovers};
use fen_raft::GroupId;
use futures_util::future::join_all;
use sha2::{Digest, Sha256};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use tonic::{Request, Response, Status};

type Reply<T> = Result<Response<T>, Status>;

/// The most that one search tells; and so much where nobody says.
const FOUND_MAX: u32 = fen_ledger::search::FOUND_MAX;

fn cursor_refused(what: &str) -> ServeFault {
    ServeFault::Refused(format!("the cursor is refused: {what}: give the text of `next` as it was given"))
}

/// The last record told: its stamp and its shard.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
struct Last {
    stamp: u64,
    shard: u32,
}

impl Last {
    fn parse(text: &str) -> Result<Option<Self>, ServeFault> {
        if text.is_empty() {
            return Ok(None);
        }
        let read = |(stamp, shard): (&str, &str)| {
            Some(Self { stamp: stamp.parse().ok()?, shard: shard.parse().ok()? })
        };
        let last = text.split_once('.').and_then(read).filter(|last| last.stamp > 0);
        last.map(Some).ok_or_else(|| cursor_refused("it names no record of a search"))
    }

    /// Behind which stamp a shard's own page begins.
    fn of_shard(last: Option<Self>, shard: u32, newest_first: bool) -> String {
        let Some(Self { stamp, shard: told }) = last else { return String::new() };
        let stamp = match (newest_first, shard.cmp(&told)) {
            // What it stamped alike comes behind what was told.
            (false, Ordering::Greater) => stamp - 1,
            (true, Ordering::Less) => stamp.saturating_add(1),
            (false, Ordering::Less | Ordering::Equal) | (true, Ordering::Greater | Ordering::Equal) => stamp,
        };
        stamp.to_string()
    }
}

/// Found records in their order, and the cursor of the next page.
fn page<T>(mut found: Vec<(Last, T)>, newest_first: bool, limit: u32) -> (Vec<T>, String) {
    let limit =
        usize::try_from(if limit == 0 { FOUND_MAX } else { limit.min(FOUND_MAX) }).unwrap_or(usize::MAX);
    found.sort_by_key(|(place, _)| *place);
    if newest_first {
        found.reverse();
    }
    let is_full = found.len() >= limit;
    found.truncate(limit);
    let last = found.last().filter(|_| is_full).map(|(place, _)| *place);
    let next = last.map_or_else(String::new, |last| format!("{}.{}", last.stamp, last.shard));
    (found.into_iter().map(|(_, record)| record).collect(), next)
}

/// Where an export goes on, and where each shard's part ends.
#[derive(Clone, PartialEq, Eq, Debug)]
struct ExportMark {
    shard: u32,
    record: u64,
    ends: BTreeMap<u32, u64>,
}

impl ExportMark {
    fn parse(text: &str) -> Option<Self> {
        let pair = |text: &str| {
            let (shard, record) = text.split_once('.')?;
            Some((shard.parse().ok()?, record.parse().ok()?))
        };
        let (at, ends) = text.split_once('/')?;
        let (shard, record) = pair(at)?;
        let ends: BTreeMap<u32, u64> = ends.split(',').map(pair).collect::<Option<_>>()?;
        ends.contains_key(&shard).then_some(Self { shard, record, ends })
    }

    fn text(&self) -> String {
        let mut out = format!("{}.{}/", self.shard, self.record);
        for (place, (shard, end)) in self.ends.iter().enumerate() {
            let comma = if place > 0 { "," } else { "" };
            write!(out, "{comma}{shard}.{end}").expect("writing to a string cannot fail");
        }
        out
    }
}

impl Gateway {
    /// A question to each shard that differs by shard.
    async fn ask_each(
        &self,
        question: impl Fn(u32) -> Read,
        call: &Call,
    ) -> Result<Vec<(u32, bytes::Bytes)>, ServeFault> {
        let directory = self.office().router.directory();
        if !directory.is_founded() {
            return Err(super::not_founded());
        }
        let asking = directory.shards.iter().map(|shard| {
            let question = question(shard.group);
            async move { Ok((shard.group, self.look(GroupId(shard.group), &question, call).await?)) }
        });
        join_all(asking).await.into_iter().collect()
    }

    fn known_shard(&self, shard: u32) -> Result<GroupId, ServeFault> {
        let group = GroupId(shard);
        match self.office().router.directory().shard(group) {
            Some(_) => Ok(group),
            None => Err(ServeFault::Refused(format!("shard: there is no shard {shard}"))),
        }
    }

    pub(crate) async fn search_transfers(
        &self,
        asked: wire::TransferSearch,
        call: &Call,
    ) -> Result<wire::FoundTransfers, ServeFault> {
        let last = Last::parse(&asked.after)?;
        let of_shard = |shard| {
            let after = Last::of_shard(last, shard, asked.newest_first);
            Read::SearchTransfers(wire::TransferSearch { after, ..asked.clone() })
        };
        let mut found = Vec::new();
        for (shard, answer) in self.ask_each(of_shard, call).await? {
            let part: wire::FoundTransfers = ask::read(answer).map_err(ServeFault::Unavailable)?;
            let placed = |transfer: wire::Transfer| (Last { stamp: transfer.timestamp, shard }, transfer);
            found.extend(part.transfers.into_iter().map(placed));
        }
        let (transfers, next) = page(found, asked.newest_first, asked.limit);
        Ok(wire::FoundTransfers { transfers, next })
    }

    pub(crate) async fn search_accounts(
        &self,
        asked: wire::AccountSearch,
        call: &Call,
    ) -> Result<wire::FoundAccounts, ServeFault> {
        let last = Last::parse(&asked.after)?;
        let (search, _period) = search::account_search(&asked).map_err(ServeFault::Refused)?;
        let of_shard = |shard| {
            let after = Last::of_shard(last, shard, asked.newest_first);
            Read::SearchAccounts(wire::AccountSearch { after, ..asked.clone() })
        };
        let mut found = Vec::new();
        let mut own: BTreeMap<u128, Vec<(Last, wire::Account, bool)>> = BTreeMap::new();
        for (shard, answer) in self.ask_each(of_shard, call).await? {
            let part: wire::AccountsPart = ask::read(answer).map_err(ServeFault::Unavailable)?;
            let placed = |account: wire::Account| (Last { stamp: account.timestamp, shard }, account);
            found.extend(part.accounts.into_iter().map(placed));
            for part in part.own {
                let account = part.account.ok_or_else(unreadable)?;
                let place = Last { stamp: account.timestamp, shard };
                own.entry(records::wide(account.id)).or_default().push((place, account, part.is_within));
            }
        }
        for mut parts in own.into_values() {
            parts.sort_by_key(|(place, _, _)| *place);
            let Some((place, first, is_within)) = parts.first().copied() else { continue };
            let whole = parts[1..].iter().try_fold(first, |whole, (_, part, _)| sum(&whole, part))?;
            let account = records::account(&whole).map_err(|_| unreadable())?;
            let is_behind =
                last.is_none_or(|last| if asked.newest_first { place < last } else { place > last });
            if is_within && is_behind && search.finds_balances(&account) {
                found.push((place, whole));
            }
        }
        let (accounts, next) = page(found, asked.newest_first, asked.limit);
        Ok(wire::FoundAccounts { accounts, next })
    }

    pub(crate) async fn turnover(
        &self,
        asked: wire::TurnoverRequest,
        call: &Call,
    ) -> Result<Turnovers, ServeFault> {
        let question = Read::Turnover(asked);
        let homes = match asked.account_id {
            Some(id) => self.homes(records::wide(Some(id)))?,
            None => self.homes(u128::MAX)?,
        };
        let asking = homes.iter().map(|home| self.look(*home, &question, call));
        let mut lines: BTreeMap<_, Turnover> = BTreeMap::new();
        let mut whole = Turnovers::default();
        for (home, answer) in homes.iter().zip(join_all(asking).await) {
            let part = ask::read(answer?).map_err(ServeFault::Unavailable)?;
            let part = search::turnovers(&part).ok_or_else(unreadable)?;
            for line in part.lines {
                let sum = lines.entry((line.date, line.ledger, line.code)).or_insert(Turnover {
                    date: line.date,
                    ledger: line.ledger,
                    code: line.code,
                    ..Turnover::default()
                });
                sum.posted_count += line.posted_count;
                sum.posted.include(line.posted);
                sum.reserved_count += line.reserved_count;
                sum.reserved.include(line.reserved);
            }
            whole.faults.extend(part.faults.iter().map(|fault| format!("shard {}: {fault}", home.0).into()));
        }
        whole.lines = lines.into_values().collect();
        Ok(whole)
    }

    pub(crate) async fn export(
        &self,
        asked: wire::ExportRequest,
        call: &Call,
    ) -> Result<wire::ExportPage, ServeFault> {
        let part = |from_record, below_record| {
            let asked = Some(wire::ExportRequest { after: String::new(), ..asked.clone() });
            Read::Export(wire::ExportPartRequest { asked, from_record, below_record })
        };
        let mut mark = if asked.after.is_empty() {
            // From behind the last record nothing is told but where that is.
            let mut ends = BTreeMap::new();
            for (shard, answer) in self.ask_each(|_| part(u64::MAX, None), call).await? {
                let told: wire::ExportPart = ask::read(answer).map_err(ServeFault::Unavailable)?;
                ends.insert(shard, told.below_record);
            }
            let shard = ends.keys().next().copied().ok_or_else(super::not_founded)?;
            ExportMark { shard, record: 0, ends }
        } else {
            ExportMark::parse(&asked.after)
                .ok_or_else(|| cursor_refused("it names no record of an export"))?
        };
        let below = mark.ends.get(&mark.shard).copied();
        let home = self.known_shard(mark.shard)?;
        let answer = self.look(home, &part(mark.record, below), call).await?;
        let told: wire::ExportPart = ask::read(answer).map_err(ServeFault::Unavailable)?;
        if below.is_some_and(|below| told.below_record < below) {
            return Err(cursor_refused("it is of another cluster's history, which is longer"));
        }
        let following = mark.ends.range(mark.shard + 1..).next().map(|(shard, _)| *shard);
        let next = match (told.next_record, following) {
            (Some(record), _) => {
                mark.record = record;
                mark.text()
            }
            (None, Some(shard)) => {
                (mark.shard, mark.record) = (shard, 0);
                mark.text()
            }
            (None, None) => String::new(),
        };
        let faults = told.faults.iter().map(|fault| format!("shard {}: {fault}", home.0)).collect();
        Ok(wire::ExportPage { lines: told.lines, next, faults })
    }

    /// Which shard of which cluster: the same on all members, and after any of them was replaced.
    fn identity(&self, shard: u32) -> u64 {
        let mut hasher = Sha256::new();
        hasher.update(b"fen shard 1");
        hasher.update(self.office().cluster_id());
        hasher.update(shard.to_le_bytes());
        let hash: [u8; 32] = hasher.finalize().into();
        u64::from_be_bytes([hash[0], hash[1], hash[2], hash[3], hash[4], hash[5], hash[6], hash[7]])
    }

    pub(crate) async fn heads(
        &self,
        asked: wire::HeadsRequest,
        call: &Call,
    ) -> Result<wire::Heads, ServeFault> {
        let question = Read::Head(asked);
        let homes = match asked.shard {
            0 => self.homes(u128::MAX)?,
            shard => vec![self.known_shard(shard)?],
        };
        let asking = homes.iter().map(|home| self.look(*home, &question, call));
        let mut heads = Vec::new();
        for answer in join_all(asking).await {
            let head: wire::Head = ask::read(answer?).map_err(ServeFault::Unavailable)?;
            heads.push(wire::Head { identity: self.identity(head.shard), ..head });
        }
        Ok(wire::Heads { heads })
    }

    pub(crate) async fn prove_inclusion(
        &self,
        asked: wire::InclusionRequest,
        call: &Call,
    ) -> Result<wire::InclusionReply, ServeFault> {
        let home = self.known_shard(asked.shard)?;
        ask::read(self.look(home, &Read::Inclusion(asked), call).await?).map_err(ServeFault::Unavailable)
    }

    pub(crate) async fn prove_consistency(
        &self,
        asked: wire::ConsistencyRequest,
        call: &Call,
    ) -> Result<wire::ConsistencyReply, ServeFault> {
        let home = self.known_shard(asked.shard)?;
        ask::read(self.look(home, &Read::Consistency(asked), call).await?).map_err(ServeFault::Unavailable)
    }

    /// Every member of every shard moves its own old segments.
    pub(super) async fn archive(&self, asked: wire::ArchiveRequest, call: &Call) -> wire::ArchiveReply {
        let (directory, question) = (self.office().router.directory(), &Read::Archive(asked));
        let members = directory.shards.iter().flat_map(|shard| {
            shard.holders.iter().map(|node| (GroupId(shard.group), fen_net::NodeId(*node)))
        });
        let asking = members.map(|(group, node)| async move {
            let answer = self.office().router.ask_member(node, group, question, call.deadline).await;
            let told = answer.and_then(|answer| {
                ask::read::<wire::MemberArchived>(answer).map_err(ServeFault::Unavailable)
            });
            let fault = |fault: ServeFault| wire::MemberArchived {
                fault: fault.to_string(),
                ..wire::MemberArchived::default()
            };
            wire::MemberArchived { group: group.0, node: node.0, ..told.unwrap_or_else(fault) }
        });
        wire::ArchiveReply { members: join_all(asking).await }
    }
}

#[tonic::async_trait]
impl History for Gateway {
    async fn search_transfers(&self, request: Request<wire::TransferSearch>) -> Reply<wire::FoundTransfers> {
        let call = Call::of(request.metadata());
        let found = Self::search_transfers(self, request.into_inner(), &call).await.map_err(status)?;
        Ok(Self::read_response(found, &call))
    }

    async fn search_accounts(&self, request: Request<wire::AccountSearch>) -> Reply<wire::FoundAccounts> {
        let call = Call::of(request.metadata());
        let found = Self::search_accounts(self, request.into_inner(), &call).await.map_err(status)?;
        Ok(Self::read_response(found, &call))
    }

    async fn get_turnover(&self, request: Request<wire::TurnoverRequest>) -> Reply<wire::Turnovers> {
        let call = Call::of(request.metadata());
        let found = self.turnover(request.into_inner(), &call).await.map_err(status)?;
        Ok(Self::read_response(search::turnovers_message(&found), &call))
    }

    async fn export(&self, request: Request<wire::ExportRequest>) -> Reply<wire::ExportPage> {
        let call = Call::of(request.metadata());
        let page = Self::export(self, request.into_inner(), &call).await.map_err(status)?;
        Ok(Self::read_response(page, &call))
    }

    async fn get_heads(&self, request: Request<wire::HeadsRequest>) -> Reply<wire::Heads> {
        let call = Call::of(request.metadata());
        let heads = self.heads(request.into_inner(), &call).await.map_err(status)?;
        Ok(Self::read_response(heads, &call))
    }

    async fn prove_inclusion(&self, request: Request<wire::InclusionRequest>) -> Reply<wire::InclusionReply> {
        let call = Call::of(request.metadata());
        let told = Self::prove_inclusion(self, request.into_inner(), &call).await.map_err(status)?;
        Ok(Self::read_response(told, &call))
    }

    async fn prove_consistency(
        &self,
        request: Request<wire::ConsistencyRequest>,
    ) -> Reply<wire::ConsistencyReply> {
        let call = Call::of(request.metadata());
        let told = Self::prove_consistency(self, request.into_inner(), &call).await.map_err(status)?;
        Ok(Self::read_response(told, &call))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pages of records with these stamps, as shards and gateway make them together.
    fn told(shards: &[Vec<u64>], newest_first: bool, limit: u32) -> Vec<(u64, u32)> {
        let (mut all, mut after) = (Vec::new(), String::new());
        loop {
            let last = Last::parse(&after).unwrap();
            let mut found = Vec::new();
            for (shard, stamps) in (1..).zip(shards) {
                let behind: u64 = Last::of_shard(last, shard, newest_first).parse().unwrap_or(0);
                let mut stamps: Vec<u64> = stamps.clone();
                stamps.sort_unstable();
                if newest_first {
                    stamps.reverse();
                }
                let is_told =
                    |stamp: &u64| behind == 0 || if newest_first { *stamp < behind } else { *stamp > behind };
                let page = stamps.into_iter().filter(is_told).take(usize::try_from(limit).unwrap());
                found.extend(page.map(|stamp| (Last { stamp, shard }, (stamp, shard))));
            }
            let (page, next) = page(found, newest_first, limit);
            all.extend(page);
            if next.is_empty() {
                return all;
            }
            after = next;
        }
    }

    #[test]
    fn pages_tell_every_record_once_although_shards_stamp_alike() {
        let shards = [vec![1, 5, 6, 9], vec![5, 6, 7], vec![], vec![1, 5, 9, 10]];
        let mut expected: Vec<(u64, u32)> =
            (1..).zip(&shards).flat_map(|(shard, stamps)| stamps.iter().map(move |s| (*s, shard))).collect();
        expected.sort_unstable();
        for limit in 1..13 {
            assert_eq!(told(&shards, false, limit), expected);
            let back: Vec<_> = expected.iter().rev().copied().collect();
            assert_eq!(told(&shards, true, limit), back);
        }
        for text in ["5", "x.1", "5.x", "0.1"] {
            assert!(Last::parse(text).unwrap_err().to_string().contains("refused"), "{text}");
        }
    }

    #[test]
    fn an_exports_cursor_names_every_end() {
        let text = "2.7/1.500,2.900";
        assert_eq!(ExportMark::parse(text).unwrap().text(), text);
        for text in ["2.7", "3.7/1.500,2.900", "2/1.5", "2.7/", "2.7/1.5,x"] {
            assert!(ExportMark::parse(text).is_none(), "{text}");
        }
    }
}
