//! Transfers that crossed, as their clients know them: the reservation on the source and the leg on the target, put
//! together.

use crate::ask::{self, Ask, Read};
use crate::crossing::counter::heard_again;
use crate::crossing::orders::{self, Verdict, Word};
use crate::fault::ServeFault;
use crate::router::Router;
use bytes::{Bytes, BytesMut};
use fen_api::records::{self, PackedResult};
use fen_api::wire;
use fen_book::clearing::{Step, is_clearing, step_id};
use fen_book::{CreateTransferStatus as Status, Transfer, TransferFlags, TransferId};
use fen_raft::GroupId;
use std::collections::BTreeMap;
use tokio::time::Instant;

const ENDS: TransferFlags = TransferFlags::POST_PENDING_TRANSFER.with(TransferFlags::VOID_PENDING_TRANSFER);

fn unreadable() -> ServeFault {
    ServeFault::Unavailable("a shard's answer cannot be read".to_owned())
}

/// The same question to every shard, at once.
pub async fn ask_all(
    router: &Router,
    question: &Ask,
    deadline: Instant,
) -> Result<Vec<(GroupId, Bytes)>, ServeFault> {
    let directory = router.directory();
    if !directory.is_founded() {
        return Err(ServeFault::Unavailable(
            "the cluster has not been founded yet: fen cluster init".to_owned(),
        ));
    }
    if let [only] = &directory.shards[..] {
        let group = GroupId(only.group);
        return Ok(vec![(group, router.ask(group, question, deadline).await?.bytes)]);
    }
    let asking: Vec<_> = directory
        .shards
        .iter()
        .map(|shard| {
            let (router, question, group) = (router.clone(), question.clone(), GroupId(shard.group));
            tokio::spawn(async move { (group, router.ask(group, &question, deadline).await) })
        })
        .collect();
    let mut answers = Vec::with_capacity(asking.len());
    for asked in asking {
        let (group, answer) = asked.await.map_err(|error| ServeFault::Unavailable(error.to_string()))?;
        answers.push((group, answer?.bytes));
    }
    Ok(answers)
}

/// Records by id, wherever they lie, as they lie.
async fn records_of(
    router: &Router,
    ids: &[TransferId],
    deadline: Instant,
) -> Result<Vec<Option<Transfer>>, ServeFault> {
    let mut found = vec![None; ids.len()];
    if ids.is_empty() {
        return Ok(found);
    }
    let wide = ids.iter().map(|id| records::halves(id.get()).unwrap_or_default()).collect();
    for (_group, answer) in
        ask_all(router, &Ask::Read(Read::Transfers(wire::Ids { ids: wide })), deadline).await?
    {
        let part: wire::Transfers = ask::read(answer).map_err(ServeFault::Unavailable)?;
        if part.found.len() != ids.len() {
            return Err(unreadable());
        }
        for (so_far, part) in found.iter_mut().zip(part.found) {
            let Some(message) = part.transfer.filter(|_| so_far.is_none()) else { continue };
            *so_far = Some(records::transfer(&message).map_err(ServeFault::Unavailable)?);
        }
    }
    Ok(found)
}

/// Transfers by id. One that crossed is shown once its payee has it, from payer to payee; one that was refused, or is
/// not decided yet, is not shown.
pub async fn transfers(
    router: &Router,
    ids: &[TransferId],
    deadline: Instant,
) -> Result<Vec<Option<Transfer>>, ServeFault> {
    let found = records_of(router, ids, deadline).await?;
    let leg_of = |record: &Transfer| {
        let ends = record.flags.intersects(ENDS);
        step_id(if ends { record.pending_id } else { record.id }, Step::Leg)
    };
    let crossed = |record: &&Transfer| is_clearing(record.credit_account_id);
    let leg_ids: Vec<TransferId> = found.iter().flatten().filter(crossed).map(leg_of).collect();
    let legs = records_of(router, &leg_ids, deadline).await?;
    let legs: BTreeMap<TransferId, Transfer> = legs.into_iter().flatten().map(|leg| (leg.id, leg)).collect();
    let show = |record: Transfer| {
        if !is_clearing(record.credit_account_id) {
            return Some(record);
        }
        legs.get(&leg_of(&record)).map(|leg| whole(&record, leg))
    };
    Ok(found.into_iter().map(|record| record.and_then(show)).collect())
}

/// A reservation or its end on the source, with what only the leg knows.
fn whole(record: &Transfer, leg: &Transfer) -> Transfer {
    let credit_account_id = leg.credit_account_id;
    if record.flags.intersects(ENDS) {
        return Transfer { credit_account_id, ..*record };
    }
    let flags = record.flags.without(TransferFlags::PENDING).with(leg.flags);
    Transfer { credit_account_id, amount: leg.amount, flags, ..*record }
}

/// Answers a batch of `out`, in the results that clients get.
pub async fn cross(
    router: &Router,
    source: GroupId,
    batch: Bytes,
    deadline: Instant,
) -> Result<Bytes, ServeFault> {
    let answered = router.ask(source, &Ask::Cross(batch.clone()), deadline).await?.bytes;
    let results = orders::results(&answered).ok_or_else(unreadable)?;
    let events = orders::copy::<Transfer>(&batch).ok_or_else(unreadable)?;
    let was_known = results.iter().zip(&events).filter(|((_, word), _)| *word == Word::Known);
    let asked: Vec<(Transfer, u32)> = was_known.filter_map(|(_, event)| orders::crossing_of(event)).collect();
    let mut known = known(router, &asked, deadline).await?.into_iter();
    let mut packed = BytesMut::with_capacity(answered.len());
    for (result, word) in results {
        let result = if word == Word::Known { known.next().ok_or_else(unreadable)? } else { result };
        records::pack_result(&mut packed, result);
    }
    Ok(packed.freeze())
}

/// The answers to transfers that were decided before: what the target's legs say.
pub async fn known(
    router: &Router,
    asked: &[(Transfer, u32)],
    deadline: Instant,
) -> Result<Vec<PackedResult>, ServeFault> {
    let ids: Vec<TransferId> = asked.iter().map(|(transfer, _)| transfer.id).collect();
    let shown = transfers(router, &ids, deadline).await?;
    let mut results = Vec::with_capacity(asked.len());
    for ((transfer, target), existing) in asked.iter().zip(shown) {
        results.push(match existing {
            Some(existing) => {
                let status = fen_book::first_difference(transfer, &existing).unwrap_or(Status::Exists);
                PackedResult { timestamp: existing.timestamp, status: status.number() }
            }
            None => refused(router, transfer, *target, deadline).await?,
        });
    }
    Ok(results)
}

async fn refused(
    router: &Router,
    transfer: &Transfer,
    target: u32,
    deadline: Instant,
) -> Result<PackedResult, ServeFault> {
    let ids = wire::Ids { ids: vec![records::halves(transfer.id.get()).unwrap_or_default()] };
    let answer = router.ask(GroupId(target), &Ask::Read(Read::Verdicts(ids)), deadline).await?;
    let verdicts = orders::copy::<Verdict>(&answer.bytes).ok_or_else(unreadable)?;
    let status = verdicts.first().and_then(Verdict::status);
    let status = status.filter(|status| *status != Status::Created);
    let status = status
        .ok_or_else(|| ServeFault::Unavailable("a transfer between shards is still under way".to_owned()))?;
    Ok(PackedResult { timestamp: transfer.timestamp, status: heard_again(status.number()) })
}
