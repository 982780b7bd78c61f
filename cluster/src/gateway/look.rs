//! Reads over all shards: each is asked for what it can have, and the answers are joined.

use super::{Call, Gateway, not_founded, unreadable};
use crate::ask::{self, Ask, Read};
use crate::crossing::show;
use crate::fault::ServeFault;
use crate::route::{self, Home};
use bytes::Bytes;
use fen_api::{records, wire};
use fen_book::{AccountId, Transfer, TransferId};
use fen_raft::GroupId;
use futures_util::future::join_all;
use prost::Message;
use std::collections::BTreeMap;

impl Gateway {
    /// A read of one shard, from its leader, or from any member where the caller said so.
    pub(super) async fn look(
        &self,
        group: GroupId,
        question: &Read,
        call: &Call,
    ) -> Result<Bytes, ServeFault> {
        if !call.is_near {
            let question = Ask::Read(question.clone());
            return Ok(self.office.router.ask(group, &question, call.deadline).await?.bytes);
        }
        let (bytes, age_ms) = self.office.router.near(group, question, call.deadline).await?;
        call.note_age(age_ms);
        Ok(bytes)
    }

    /// The same question to every shard, all at once.
    pub(super) async fn ask_all(
        &self,
        question: &Read,
        call: &Call,
    ) -> Result<Vec<(GroupId, Bytes)>, ServeFault> {
        let directory = self.office.router.directory();
        if !directory.is_founded() {
            return Err(not_founded());
        }
        let asking = directory.shards.iter().map(|shard| async {
            let group = GroupId(shard.group);
            Ok((group, self.look(group, question, call).await?))
        });
        join_all(asking).await.into_iter().collect()
    }

    /// Which of the ids each shard can have, by their places.
    fn places(&self, ids: &wire::Ids) -> Result<BTreeMap<GroupId, Vec<usize>>, ServeFault> {
        let directory = self.office.router.directory();
        let mut places: BTreeMap<GroupId, Vec<usize>> = BTreeMap::new();
        for (place, id) in ids.ids.iter().enumerate() {
            match route::home(AccountId::new(records::wide(Some(*id)))) {
                Home::Slot(slot) => {
                    let group = directory.shard_of(slot).ok_or_else(not_founded)?;
                    places.entry(group).or_default().push(place);
                }
                Home::Everywhere => {
                    for shard in &directory.shards {
                        places.entry(GroupId(shard.group)).or_default().push(place);
                    }
                }
                Home::Inherited => {}
            }
        }
        Ok(places)
    }

    /// Asks each shard for the accounts that it can have.
    async fn by_home<M: Message + Default>(
        &self,
        ids: &wire::Ids,
        ask: impl Fn(wire::Ids) -> Read,
        call: &Call,
    ) -> Result<Vec<(Vec<usize>, M)>, ServeFault> {
        let ask = &ask;
        let asking = self.places(ids)?.into_iter().map(|(group, places)| async move {
            let ids = wire::Ids { ids: places.iter().map(|place| ids.ids[*place]).collect() };
            let answer = self.look(group, &ask(ids), call).await?;
            Ok((places, ask::read(answer).map_err(ServeFault::Unavailable)?))
        });
        join_all(asking).await.into_iter().collect()
    }

    pub(super) async fn lookup_accounts(
        &self,
        ids: &wire::Ids,
        call: &Call,
    ) -> Result<wire::Accounts, ServeFault> {
        let mut found = vec![wire::FoundAccount { account: None }; ids.ids.len()];
        for (places, part) in self.by_home::<wire::Accounts>(ids, Read::Accounts, call).await? {
            if part.found.len() != places.len() {
                return Err(unreadable());
            }
            for (place, there) in places.into_iter().zip(part.found) {
                let so_far = &mut found[place].account;
                *so_far = match (so_far.take(), there.account) {
                    (Some(one), Some(other)) => Some(sum(&one, &other)?),
                    (one, other) => one.or(other),
                };
            }
        }
        Ok(wire::Accounts { found })
    }

    pub(super) async fn lookup_positions(
        &self,
        ids: &wire::Ids,
        call: &Call,
    ) -> Result<wire::Positions, ServeFault> {
        let mut found = vec![wire::Position::default(); ids.ids.len()];
        for (places, part) in self.by_home::<wire::Positions>(ids, Read::Positions, call).await? {
            if part.found.len() != places.len() {
                return Err(unreadable());
            }
            for (place, there) in places.into_iter().zip(part.found) {
                let so_far = &mut found[place];
                so_far.pendings.extend(there.pendings);
                so_far.limit = so_far.limit.or(there.limit);
                so_far.account = match (so_far.account.take(), there.account) {
                    (Some(one), Some(other)) => Some(sum(&one, &other)?),
                    (one, other) => one.or(other),
                };
            }
        }
        Ok(wire::Positions { found })
    }

    pub(super) async fn lookup_transfers(
        &self,
        ids: wire::Ids,
        call: &Call,
    ) -> Result<wire::Transfers, ServeFault> {
        let directory = self.office.router.directory();
        if !call.is_near && directory.shards.len() > 1 {
            let ids: Vec<TransferId> =
                ids.ids.into_iter().map(|id| TransferId::new(records::wide(Some(id)))).collect();
            let found = show::transfers(&self.office.router, &ids, call.deadline).await?;
            let message = |record: Option<Transfer>| wire::FoundTransfer {
                transfer: record.as_ref().map(records::transfer_message),
            };
            return Ok(wire::Transfers { found: found.into_iter().map(message).collect() });
        }
        let mut found = vec![wire::FoundTransfer { transfer: None }; ids.ids.len()];
        for (_group, answer) in self.ask_all(&Read::Transfers(ids), call).await? {
            let part: wire::Transfers = ask::read(answer).map_err(ServeFault::Unavailable)?;
            for (so_far, there) in found.iter_mut().zip(part.found) {
                so_far.transfer = so_far.transfer.take().or(there.transfer);
            }
        }
        Ok(wire::Transfers { found })
    }

    pub(super) async fn lookup_loans(
        &self,
        ids: wire::Ids,
        call: &Call,
    ) -> Result<wire::LoanDocuments, ServeFault> {
        let mut found = vec![wire::FoundLoan { json: None }; ids.ids.len()];
        for (_group, answer) in self.ask_all(&Read::Loans(ids), call).await? {
            let part: wire::LoanDocuments = ask::read(answer).map_err(ServeFault::Unavailable)?;
            for (so_far, there) in found.iter_mut().zip(part.found) {
                so_far.json = so_far.json.take().or(there.json);
            }
        }
        Ok(wire::LoanDocuments { found })
    }

    /// Accounts of all shards, in the order of their stamps. The bank's own are shown with the sum of their parts,
    /// under the first part's stamp.
    pub(super) async fn query_accounts(
        &self,
        filter: wire::QueryFilter,
        call: &Call,
    ) -> Result<wire::Accounts, ServeFault> {
        let mut accounts: Vec<wire::Account> = Vec::new();
        for (_group, answer) in self.ask_all(&Read::QueryAccounts(filter), call).await? {
            let part: wire::Accounts = ask::read(answer).map_err(ServeFault::Unavailable)?;
            accounts.extend(part.found.into_iter().filter_map(|found| found.account));
        }
        let id = |account: &wire::Account| records::wide(account.id);
        accounts.sort_by_key(|account| (id(account), account.timestamp));
        let mut whole: Vec<wire::Account> = Vec::with_capacity(accounts.len());
        for account in accounts {
            match whole.last_mut() {
                Some(last) if id(last) == id(&account) => *last = sum(last, &account)?,
                _another => whole.push(account),
            }
        }
        whole.sort_by_key(|account| account.timestamp);
        cut(&mut whole, filter.reversed, filter.limit);
        let found = whole.into_iter().map(|account| wire::FoundAccount { account: Some(account) }).collect();
        Ok(wire::Accounts { found })
    }

    pub(super) async fn query_transfers(
        &self,
        filter: wire::QueryFilter,
        call: &Call,
    ) -> Result<wire::Transfers, ServeFault> {
        let mut transfers: Vec<wire::Transfer> = Vec::new();
        for (_group, answer) in self.ask_all(&Read::QueryTransfers(filter), call).await? {
            let part: wire::Transfers = ask::read(answer).map_err(ServeFault::Unavailable)?;
            transfers.extend(part.found.into_iter().filter_map(|found| found.transfer));
        }
        transfers.sort_by_key(|transfer| transfer.timestamp);
        cut(&mut transfers, filter.reversed, filter.limit);
        let found = |transfer| wire::FoundTransfer { transfer: Some(transfer) };
        Ok(wire::Transfers { found: transfers.into_iter().map(found).collect() })
    }

    /// What each ledger adds up to, over all shards.
    pub(crate) async fn trial_balance(&self, call: &Call) -> Result<wire::TrialBalance, ServeFault> {
        let mut ledgers: BTreeMap<u32, Vec<wire::LedgerTotals>> = BTreeMap::new();
        for (_group, answer) in self.ask_all(&Read::Totals, call).await? {
            let part: wire::TrialBalance = ask::read(answer).map_err(ServeFault::Unavailable)?;
            for totals in part.ledgers {
                ledgers.entry(totals.ledger).or_default().push(totals);
            }
        }
        let ledgers = ledgers.into_values().map(|parts| added_up(&parts));
        Ok(wire::TrialBalance { ledgers: ledgers.collect::<Option<_>>().ok_or_else(unreadable)? })
    }

    /// The shards that have an account, or a part of it.
    pub(super) fn homes(&self, account: u128) -> Result<Vec<GroupId>, ServeFault> {
        let directory = self.office.router.directory();
        let homes: Vec<GroupId> = match route::home(AccountId::new(account)) {
            Home::Slot(slot) => directory.shard_of(slot).into_iter().collect(),
            Home::Everywhere => directory.shards.iter().map(|shard| GroupId(shard.group)).collect(),
            // No account has such an id: any shard can say so.
            Home::Inherited => directory.shards.iter().take(1).map(|shard| GroupId(shard.group)).collect(),
        };
        if homes.is_empty() { Err(not_founded()) } else { Ok(homes) }
    }

    /// An account's transfers: of one of the bank's own those of all its parts, in the order of their stamps.
    pub(super) async fn account_transfers(
        &self,
        filter: wire::AccountFilter,
        call: &Call,
    ) -> Result<wire::Transfers, ServeFault> {
        let (question, homes) =
            (&Read::AccountTransfers(filter), self.homes(records::wide(filter.account_id))?);
        let asking = homes.iter().map(|home| self.look(*home, question, call));
        let mut found: Vec<wire::FoundTransfer> = Vec::new();
        for answer in join_all(asking).await {
            found.extend(ask::read::<wire::Transfers>(answer?).map_err(ServeFault::Unavailable)?.found);
        }
        if homes.len() > 1 {
            found.sort_by_key(|found| found.transfer.map_or(0, |transfer| transfer.timestamp));
            cut(&mut found, filter.reversed, filter.limit);
        }
        Ok(wire::Transfers { found })
    }

    /// Asks the shard of one customer's account.
    pub(super) async fn ask_home(
        &self,
        account: u128,
        question: &Read,
        call: &Call,
    ) -> Result<Bytes, ServeFault> {
        match &self.homes(account)?[..] {
            [home] => self.look(*home, question, call).await,
            _several => Err(ServeFault::Refused(
                "the bank's own accounts have a part on every shard: a statement tells the balance after each entry"
                .to_owned(),
            )),
        }
    }
}

/// In the filter's order, and no more than it asks for.
fn cut<T>(records: &mut Vec<T>, reversed: bool, limit: u32) {
    if reversed {
        records.reverse();
    }
    records.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
}

/// The parts of one ledger on all shards as one.
fn added_up(parts: &[wire::LedgerTotals]) -> Option<wire::LedgerTotals> {
    let first = parts.first()?;
    let total = |figure: fn(&wire::LedgerTotals) -> &String| {
        parts.iter().map(|part| figure(part).parse::<fen_ledger::Total>().ok()).try_fold(
            fen_ledger::Total::default(),
            |mut sum, part| {
                sum.include(part?);
                Some(sum)
            },
        )
    };
    let own_accounts = parts.iter().map(|part| part.own_accounts).max().unwrap_or(0);
    let customers: u64 = parts.iter().map(|part| part.accounts - part.own_accounts.min(part.accounts)).sum();
    Some(wire::LedgerTotals {
        ledger: first.ledger,
        accounts: customers + own_accounts,
        debits_posted: total(|part| &part.debits_posted)?.to_string(),
        credits_posted: total(|part| &part.credits_posted)?.to_string(),
        debits_pending: total(|part| &part.debits_pending)?.to_string(),
        credits_pending: total(|part| &part.credits_pending)?.to_string(),
        own_accounts,
    })
}

/// Two parts of one of the bank's own accounts.
pub(super) fn sum(one: &wire::Account, other: &wire::Account) -> Result<wire::Account, ServeFault> {
    let add = |one: Option<wire::Uint128>, other: Option<wire::Uint128>| {
        let sum = records::wide(one).checked_add(records::wide(other));
        let overflow = || ServeFault::Refused("the parts of an account add up to more than 2^128".to_owned());
        sum.map(records::halves).ok_or_else(overflow)
    };
    Ok(wire::Account {
        debits_pending: add(one.debits_pending, other.debits_pending)?,
        debits_posted: add(one.debits_posted, other.debits_posted)?,
        credits_pending: add(one.credits_pending, other.credits_pending)?,
        credits_posted: add(one.credits_posted, other.credits_posted)?,
        ..*one
    })
}
