//! Takes the next step for whatever waits for one: a task on every member, at work only where that member leads.
//!
//! It remembers nothing that the shard's state does not say. A step whose answer was lost is taken again; after a
//! change of leader everything that is due is looked at anew.

use crate::ask::Ask;
use crate::crossing::board::{Board, Matter};
use crate::crossing::orders::{self, LegEnd, STEP_MAX, Verdict, Word, kind};
use crate::crossing::table::{Crossing, Stage};
use crate::fault::ServeFault;
use crate::parcel::PackedCommand;
use crate::router::Router;
use crate::teller::Teller;
use bytes::Bytes;
use fen_api::records;
use fen_book::{CreateTransferStatus as Status, Transfer, TransferId};
use fen_raft::GroupId;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use zerocopy::IntoBytes;

/// How often is looked without being called.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long one attempt at the other shard may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(10);
/// Steps under way at once.
const STEPS_MAX: usize = 8;

/// See the module.
#[derive(Clone)]
pub struct Driver {
    router: Router,
    teller: Teller,
    board: Arc<Board>,
    source: u32,
    /// A step failed: everything that is due is looked at anew.
    again: Arc<AtomicBool>,
}

impl Driver {
    /// Starts the task; it ends with the group.
    pub fn start(router: Router, teller: Teller, board: Arc<Board>) {
        let source = teller.group().id().0;
        let driver = Self { router, teller, board, source, again: Arc::default() };
        tokio::spawn(driver.run());
    }

    fn leads(&self) -> bool {
        self.teller.group().status().leads
    }

    async fn run(self) {
        let places = Arc::new(Semaphore::new(STEPS_MAX));
        let (mut term, mut turn) = (0, 0);
        // The router forgets its tellers when the node stops.
        while self.router.teller(GroupId(self.source)).is_some() {
            // Called or not, it looks.
            let _called = tokio::time::timeout(LOOK_EVERY, self.board.work()).await;
            let status = self.teller.group().status();
            if !status.leads {
                continue;
            }
            if status.term != term || self.again.swap(false, Ordering::Relaxed) {
                (term, turn) = (status.term, 0);
            }
            while let Ok(place) = places.clone().acquire_owned().await {
                let due = self
                    .teller
                    .group()
                    .peek(move |machine| machine.books().crossings().due_after(turn, STEP_MAX));
                let Ok(due) = due.await else { return };
                let Some((last, _)) = due.last() else { break };
                turn = *last;
                self.set_out(due.into_iter().map(|(_, crossing)| crossing), place);
            }
        }
    }

    /// One task for each shard and kind of step.
    fn set_out(&self, due: impl Iterator<Item = Crossing>, place: OwnedSemaphorePermit) {
        let mut errands: BTreeMap<(u32, bool), Vec<Crossing>> = BTreeMap::new();
        for crossing in due {
            errands.entry((crossing.target, crossing.stage() == Stage::Out)).or_default().push(crossing);
        }
        let place = Arc::new(place);
        for ((target, is_out), crossings) in errands {
            let (driver, place) = (self.clone(), place.clone());
            tokio::spawn(async move {
                let done = if is_out {
                    driver.carry(target, &crossings).await
                } else {
                    driver.end(target, &crossings).await
                };
                if let Err(fault) = done {
                    driver.again.store(true, Ordering::Relaxed);
                    tracing::debug!(source = driver.source, target, %fault, "a step between shards is left to others");
                }
                drop(place);
            });
        }
    }

    /// Asks a shard until it answers, for as long as this node leads.
    async fn insist(&self, group: GroupId, number: u16, body: Bytes) -> Result<Bytes, ServeFault> {
        let question = Ask::Submit(PackedCommand { kind: number, body });
        loop {
            let asked = self.router.ask(group, &question, Instant::now() + PATIENCE).await;
            let fault = match asked {
                Ok(answered) => return Ok(answered.bytes),
                Err(fault) => fault,
            };
            if matches!(fault, ServeFault::Refused(_)) {
                tracing::error!(source = self.source, target = group.0, %fault, "a step between shards is refused");
            }
            if !self.leads() {
                return Err(fault);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// The leg, and what follows from the target's word.
    async fn carry(&self, target: u32, crossings: &[Crossing]) -> Result<(), ServeFault> {
        let asked: Vec<Transfer> = crossings.iter().map(|crossing| crossing.asked).collect();
        let legs = orders::with_source(self.source, &asked);
        let verdicts = self.insist(GroupId(target), kind::IN, legs).await?;
        let ids: Vec<TransferId> =
            orders::copy::<Verdict>(&verdicts).unwrap_or_default().iter().map(|verdict| verdict.id).collect();
        if ids != asked.iter().map(|transfer| transfer.id).collect::<Vec<_>>() {
            return Err(ServeFault::Unavailable("the target's verdicts cannot be read".to_owned()));
        }
        let answer = self.insist(GroupId(self.source), kind::DECIDE, verdicts).await?;
        let results = orders::results(&answer).unwrap_or_default();
        let told = ids.into_iter().zip(results).filter(|(_, (_, word))| *word == Word::Final);
        self.board.tell(Matter::Decision, told.map(|(id, (result, _))| (id, result)));
        Ok(())
    }

    /// The end of a leg that reserves.
    async fn end(&self, target: u32, crossings: &[Crossing]) -> Result<(), ServeFault> {
        let end = |crossing: &Crossing| match crossing.stage() {
            Stage::Posting => LegEnd::post(crossing.asked.id, crossing.posted),
            Stage::Out | Stage::Reserved | Stage::Voiding => LegEnd::void(crossing.asked.id),
        };
        let ends: Vec<LegEnd> = crossings.iter().map(end).collect();
        let answer = self.insist(GroupId(target), kind::END, orders::with_source(self.source, &ends)).await?;
        let results = records::unpack_results(&answer).unwrap_or_default();
        let mut done = Vec::new();
        for (end, result) in ends.iter().zip(results) {
            match Status::from_number(result.status) {
                Some(Status::Created | Status::Exists) => done.push((end.id, result)),
                refused => {
                    tracing::error!(
                        transfer = end.id.get(),
                        ?refused,
                        "a leg cannot be ended; its money stays in clearing"
                    );
                }
            }
        }
        let ids: Vec<TransferId> = done.iter().map(|(id, _)| *id).collect();
        let body = Bytes::copy_from_slice(ids.as_bytes());
        self.insist(GroupId(self.source), kind::ENDED, body).await?;
        self.board.tell(Matter::End, done);
        Ok(())
    }
}
