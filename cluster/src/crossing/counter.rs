//! The counter for batches with transfers that cross: puts them into the source's log and waits until they are
//! decided. Runs where the source's leader is; whoever asked asks again when it was cut off.

use crate::crossing::board::{Board, Matter};
use crate::crossing::orders::{self, Word, kind};
use crate::crossing::table::OPEN_MAX;
use crate::fault::ServeFault;
use crate::parcel::PackedCommand;
use crate::teller::Teller;
use bytes::{Bytes, BytesMut};
use fen_api::records::PackedResult;
use fen_book::{CreateTransferStatus as Status, Transfer, TransferFlags, TransferId};
use std::collections::HashMap;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;
use zerocopy::IntoBytes;

/// How long one call waits while this node leads: as long as a call that names no deadline.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often is looked whether it does.
const LOOK_EVERY: Duration = Duration::from_millis(200);

type Hears = HashMap<(usize, Matter), oneshot::Receiver<PackedResult>>;

/// What an event may have to wait for.
fn matters(event: &Transfer) -> Vec<(TransferId, Matter)> {
    let ends = TransferFlags::POST_PENDING_TRANSFER.with(TransferFlags::VOID_PENDING_TRANSFER);
    match orders::crossing_of(event) {
        Some((asked, _)) => vec![(asked.id, Matter::Decision)],
        None if event.flags.intersects(ends) => {
            vec![(event.pending_id, Matter::Decision), (event.pending_id, Matter::End)]
        }
        None => Vec::new(),
    }
}

/// Answers a batch of `out`: every result is final, or [`Word::Known`].
pub(crate) async fn cross(teller: &Teller, board: &Board, body: Bytes) -> Result<Bytes, ServeFault> {
    let events = orders::copy::<Transfer>(&body)
        .ok_or_else(|| ServeFault::Refused(format!("{} bytes are no whole number of records", body.len())))?;
    if board.open() >= OPEN_MAX {
        return Err(ServeFault::Busy);
    }
    let answered = answer(teller, board, &events).await;
    board.tidy(events.iter().flat_map(matters));
    let mut packed = BytesMut::new();
    for (result, word) in answered? {
        orders::put_result(&mut packed, result, word);
    }
    Ok(packed.freeze())
}

fn late() -> ServeFault {
    ServeFault::Unavailable("a transfer between shards is still under way".to_owned())
}

/// Ends when nobody will hear anything here any more, or it has taken too long.
async fn given_up(teller: &Teller) -> ServeFault {
    let deadline = Instant::now() + PATIENCE;
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let status = teller.group().status();
        if !status.leads {
            return ServeFault::NotLeader(status.leader);
        }
        if Instant::now() >= deadline {
            return late();
        }
    }
}

async fn answer(
    teller: &Teller,
    board: &Board,
    events: &[Transfer],
) -> Result<Vec<(PackedResult, Word)>, ServeFault> {
    let given_up = given_up(teller);
    tokio::pin!(given_up);
    let unreadable = || ServeFault::Unavailable("the shard's answer cannot be read".to_owned());
    let mut answers: Vec<Option<(PackedResult, Word)>> = vec![None; events.len()];
    let mut left: Vec<usize> = (0..events.len()).collect();
    while !left.is_empty() {
        // Before it is asked, so that no answer is missed.
        let mut hears = Hears::new();
        for index in &left {
            for (id, matter) in matters(&events[*index]) {
                hears.insert((*index, matter), board.wait_for(id, matter));
            }
        }
        let mut body = BytesMut::with_capacity(left.len() * size_of::<Transfer>());
        for index in &left {
            body.extend_from_slice(events[*index].as_bytes());
        }
        let command = PackedCommand { kind: kind::OUT, body: body.freeze() };
        let results = orders::results(&teller.submit(command).await?).ok_or_else(unreadable)?;
        if results.len() != left.len() {
            return Err(unreadable());
        }
        let mut again = Vec::new();
        for (index, (result, word)) in left.into_iter().zip(results) {
            let is_end = orders::crossing_of(&events[index]).is_none();
            let matter = match (word, is_end) {
                (Word::Final | Word::Known, _) => {
                    answers[index] = Some((result, word));
                    continue;
                }
                (Word::AskAtOnce, _) => {
                    again.push(index);
                    continue;
                }
                (Word::UnderWay | Word::UnderWayBefore, true) => Matter::End,
                (Word::UnderWay | Word::UnderWayBefore, false) | (Word::AskAgain, _) => Matter::Decision,
            };
            let hear = hears.remove(&(index, matter)).ok_or_else(unreadable)?;
            let told = tokio::select! {
                told = hear => told.map_err(|_| late())?,
                fault = &mut given_up => return Err(fault),
            };
            if word == Word::AskAgain {
                again.push(index);
            } else {
                let settled = if is_end { result } else { told };
                answers[index] = Some((as_heard(settled, word), Word::Final));
            }
        }
        left = again;
    }
    Ok(answers.into_iter().flatten().collect())
}

/// A transfer's result, as its first caller hears it or as a later one does.
fn as_heard(result: PackedResult, word: Word) -> PackedResult {
    if word != Word::UnderWayBefore {
        return result;
    }
    PackedResult { status: heard_again(result.status), ..result }
}

/// The status that a retry hears.
pub(crate) fn heard_again(first: u16) -> u16 {
    match Status::from_number(first) {
        Some(Status::Created) => Status::Exists.number(),
        Some(refused) if refused.burns_id() => Status::IdAlreadyFailed.number(),
        Some(_) | None => first,
    }
}
