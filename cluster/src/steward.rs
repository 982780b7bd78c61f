//! Carries out what the directory wants, on the node that leads it: members of groups, products on every shelf, days
//! closed on every shard.
//!
//! **Invariants.** It keeps nothing but how long something stands still: each round compares what is wanted with what is, and takes at most one step for
//! each group. So it may be killed at any point, and whoever leads next goes on. Every step is safe to take twice.
//! Tested step by step in [`membership`](crate::membership), and on real processes in `ops/tests/membership.rs`.

use crate::ask::{self, Ask, Members, Read};
use crate::directory::{Change, Directory, ShardEntry};
use crate::fault::ServeFault;
use crate::membership::{self, Step, next_step};
use crate::parcel::PackedCommand;
use crate::router::Router;
use crate::shard::kind;
use bytes::Bytes;
use fen_api::wire;
use fen_book::BusinessDate;
use fen_book::loan::command::LoanCommand;
use fen_raft::GroupId;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Between two rounds while something is to be done; the directory's own changes begin one at once.
const ROUND: Duration = Duration::from_millis(100);
/// Between two rounds while nothing is.
const REST: Duration = Duration::from_secs(1);
/// So long a shard's day-end may stand still before it is carried on from here.
const DAY_END_PATIENCE: Duration = Duration::from_secs(3);
/// How long a group may take over one step.
const STEP_PATIENCE: Duration = Duration::from_secs(3);

/// What is still to be done, in words; shared with who asks.
#[derive(Default)]
pub(crate) struct Plan {
    /// The directory that was compared with what is.
    of: Option<Arc<Directory>>,
    steps: Vec<String>,
}

impl Plan {
    /// The steps, seen from a directory that may be newer than the one that was compared.
    pub(crate) fn steps(&self, directory: &Arc<Directory>) -> Vec<String> {
        if self.of.as_ref().is_some_and(|of| Arc::ptr_eq(of, directory)) {
            return self.steps.clone();
        }
        vec!["the last change is being taken up".to_owned()]
    }
}

/// Works until the node stops.
pub(crate) async fn work(router: Router, plan: Arc<Mutex<Plan>>) {
    let mut changes = router.directory_changes();
    let mut stalls = Stalls::new();
    loop {
        let directory = changes.borrow_and_update().clone();
        let leads = router.directory_group().is_some_and(|group| group.status().leads);
        let steps = if leads && directory.is_founded() {
            Round { router: &router, directory: &directory, stalls: &mut stalls, steps: Vec::new() }
                .go()
                .await
        } else {
            Vec::new()
        };
        let pause = if steps.is_empty() { REST } else { ROUND };
        *plan.lock().unwrap_or_else(PoisonError::into_inner) = Plan { of: leads.then_some(directory), steps };
        let changed = tokio::time::timeout(pause, changes.changed()).await;
        if changed.is_ok_and(|seen| seen.is_err()) {
            return;
        }
    }
}

/// Since when each shard's business date stands where it is, while a day is to be closed: whoever asked for that
/// drives it himself, and only what he leaves is carried on here.
type Stalls = BTreeMap<u32, (Option<i32>, Instant)>;

struct Round<'a> {
    router: &'a Router,
    directory: &'a Directory,
    stalls: &'a mut Stalls,
    /// What was found to be done.
    steps: Vec<String>,
}

impl Round<'_> {
    async fn go(mut self) -> Vec<String> {
        let keepers = self.directory.keepers.clone();
        // Every node has the directory; those that do not keep it read it.
        let reads = |node: &&u64| !keepers.contains(*node) && !self.directory.leaving.contains(*node);
        let readers: Vec<u64> = self.directory.nodes.keys().filter(reads).copied().collect();
        self.group(GroupId::DIRECTORY, &keepers, &readers).await;
        for shard in &self.directory.shards {
            let group = GroupId(shard.group);
            let is_settled = self.group(group, &shard.wanted, &[]).await;
            if is_settled && sorted(&shard.holders) != sorted(&shard.wanted) {
                self.change(&Change::Settled { group: shard.group }).await;
            }
            self.shelve(shard).await;
            self.close_days(shard).await;
        }
        for node in &self.directory.leaving {
            if self.directory.shards.iter().any(|shard| shard.holders.contains(node)) {
                continue;
            }
            if self.steps.is_empty() {
                self.change(&Change::Retire { node: *node }).await;
            }
        }
        self.steps
    }

    async fn change(&mut self, change: &Change) {
        if let Err(fault) = self.router.change(change, Instant::now() + STEP_PATIENCE).await {
            self.steps.push(format!("the directory cannot be changed at the moment: {fault}"));
        }
    }

    /// One step for a group; `true` where none is left.
    async fn group(&mut self, group: GroupId, wanted: &[u64], readers: &[u64]) -> bool {
        let standing = match self.members(group, Members::Standing).await {
            Ok(answer) => ask::read::<wire::GroupStatus>(answer).map_err(ServeFault::Unavailable),
            Err(fault) => Err(fault),
        };
        let standing = match standing {
            Ok(standing) => standing,
            Err(fault) => {
                self.steps.push(format!("{group}: {fault}"));
                return false;
            }
        };
        let step = next_step(&standing, wanted, readers);
        let Some(words) = step.words(group) else { return true };
        let ids = |ids: Vec<u64>| wire::NodeIds { ids };
        let asked = match step {
            Step::Nothing | Step::Wait { .. } => None,
            Step::Invite(node) => self.directory.nodes.get(&node).map(|entry| {
                Members::Invite(wire::Node {
                    id: node,
                    peer_address: entry.peer_address.clone(),
                    client_address: entry.client_address.clone(),
                })
            }),
            Step::Voters(nodes) => Some(Members::Voters(ids(nodes))),
            Step::Dismiss(nodes) => Some(Members::Dismiss(ids(nodes))),
            Step::HandOver(node) => Some(Members::HandOver(ids(vec![node]))),
        };
        let mut words = words;
        if let Some(asked) = asked {
            // A change that is under way still refuses the next one: the next round asks again.
            match self.members(group, asked).await {
                Ok(_done) => tracing::info!(%words, "membership"),
                Err(fault) => words = format!("{words} ({fault})"),
            }
        }
        self.steps.push(words);
        false
    }

    async fn members(&self, group: GroupId, question: Members) -> Result<Bytes, ServeFault> {
        if group == GroupId::DIRECTORY {
            let directory = self.router.directory_group().ok_or(ServeFault::NotLeader(None))?;
            return membership::serve(&directory, question).await;
        }
        self.ask(group, &Ask::Members(question)).await
    }

    async fn ask(&self, group: GroupId, question: &Ask) -> Result<Bytes, ServeFault> {
        Ok(self.router.ask(group, question, Instant::now() + STEP_PATIENCE).await?.bytes)
    }

    async fn loans(&self, group: GroupId, command: Vec<u8>) -> Result<wire::LoanReply, ServeFault> {
        let question = Ask::Submit(PackedCommand { kind: kind::LOANS, body: Bytes::from(command) });
        ask::read(self.ask(group, &question).await?).map_err(ServeFault::Unavailable)
    }

    /// Puts the directory's products on a shard's shelf, in their order. The mark of how many lie there follows each,
    /// so that none is put a second time but the last, which the book knows as the one in force.
    async fn shelve(&mut self, shard: &ShardEntry) {
        for (place, product) in self.directory.products.iter().enumerate().skip(shard.shelved) {
            let Some(command) = unhex(&product.command) else {
                self.steps.push(format!("product {}: it cannot be read", product.id));
                return;
            };
            match self.loans(GroupId(shard.group), command).await {
                Ok(reply) => {
                    let told = reply.results.first().map_or("nothing", |result| &result.name);
                    // One that collides with a shard's accounts is passed over: its loans are told so there, and the
                    // products behind it go on.
                    if !["created", "exists", "control_account_exists"].contains(&told) {
                        self.steps.push(format!("shard {}: product {}: {told}", shard.group, product.id));
                        return;
                    }
                    self.change(&Change::Shelved { group: shard.group, count: place + 1 }).await;
                }
                Err(fault) => {
                    self.steps.push(format!("shard {}: product {}: {fault}", shard.group, product.id));
                    return;
                }
            }
        }
    }

    /// Closes the days on a shard that lags behind the others: its day-end was interrupted, or it is new.
    async fn close_days(&mut self, shard: &ShardEntry) {
        let Some(through) = self.directory.closed_through else { return };
        let group = GroupId(shard.group);
        let date = match self.ask(group, &Ask::Read(Read::BusinessDate)).await {
            Ok(answer) => <[u8; 4]>::try_from(&answer[..]).ok().map(i32::from_le_bytes),
            Err(fault) => {
                self.steps.push(format!("shard {}: {fault}", shard.group));
                return;
            }
        };
        if date.is_some_and(|date| date > through) {
            self.stalls.remove(&shard.group);
            return;
        }
        let now = Instant::now();
        let (seen, since) = *self.stalls.entry(shard.group).or_insert((date, now));
        if seen != date || since.elapsed() < DAY_END_PATIENCE {
            if seen != date {
                self.stalls.insert(shard.group, (date, now));
            }
            self.steps.push(format!("shard {}: its day-end is under way", shard.group));
            return;
        }
        let through = BusinessDate::new(through);
        let command = LoanCommand::DayEnd { through, loans_max: 0 }.encode();
        let words = match self.loans(group, command).await {
            Ok(_step) => format!("shard {}: its day-end goes on", shard.group),
            Err(fault) => format!("shard {}: its day-end: {fault}", shard.group),
        };
        self.steps.push(words);
    }
}

fn sorted(ids: &[u64]) -> Vec<u64> {
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    ids
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    if !text.len().is_multiple_of(2) {
        return None;
    }
    text.as_bytes().chunks_exact(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}
