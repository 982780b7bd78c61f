//! What was done, shard by shard: put together from the clients' answers, and for transfers between shards from the
//! records that their steps have left.
//!
//! **Invariants.** A transfer that crosses has one reservation, at most one leg, and at most one end of either; where
//! the leg moved money, both sides moved the same; where it was refused, or the reservation has lapsed, both sides
//! released theirs. Whatever contradicts this, or the client's answer, is a failure of the run.

use crate::clients::{ENDS, History, Order, status_of};
use crate::oracle::shard_of_account;
use crate::story::Story;
use crate::town::Town;
use fen_book::clearing::{Step, clearing_account, step_id};
use fen_book::{
    AccountId, CreateTransferStatus as Status, Stamp, TimeoutSeconds, Transfer, TransferFlags, TransferId,
};
use fen_cluster::directory::Directory;
use fen_raft::GroupId;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long a node may take to let somebody look into its machine.
const LOOKING: Duration = Duration::from_secs(10);

/// What one shard's book was asked, and what it must have said.
#[derive(Clone, Debug)]
pub struct Event {
    /// The stamp of the last of them. A refused leg leaves the stamp of the transfer before it.
    pub stamp: Stamp,
    /// A chain, or a transfer that stands alone, as the book was asked.
    pub transfers: Vec<Transfer>,
    /// The book's words.
    pub expected: Vec<Status>,
    /// When the client asked and was answered, in virtual milliseconds; nobody asks for what lapses.
    pub window: Option<(u64, u64)>,
    /// Whether it left a mark behind another record instead of a record.
    pub is_mark: bool,
}

/// See the module.
#[derive(Default, Debug)]
pub struct Trail {
    /// By shard, in the order of its log.
    pub events: BTreeMap<u32, Vec<Event>>,
    /// For each order under which stamp it was posted, if it was.
    pub posted: Vec<Option<Stamp>>,
}

/// Where an order goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    On(u32),
    Across(u32, u32),
}

fn clearing(source: u32, target: u32, transfer: &Transfer) -> AccountId {
    clearing_account(source, target, transfer.ledger).unwrap_or(AccountId::ZERO)
}

struct Tracer<'a> {
    story: &'a Story,
    history: &'a History,
    directory: &'a Directory,
    records: BTreeMap<(u32, TransferId), Transfer>,
    /// By reservation, the order that posted or voided it.
    ended_by: BTreeMap<TransferId, usize>,
    trail: Trail,
}

/// Follows every order.
pub async fn follow(town: &Town, history: &History) -> Trail {
    let Some(place) = town.places.iter().find_map(|place| place.running.as_ref()) else {
        return Trail::default();
    };
    let directory = place.0.office().router.directory();
    let mut tracer = Tracer {
        story: &town.story,
        history,
        directory: &directory,
        records: BTreeMap::new(),
        ended_by: BTreeMap::new(),
        trail: Trail { events: BTreeMap::new(), posted: vec![None; history.orders.len()] },
    };
    let mut steps = BTreeSet::new();
    for order in &history.orders {
        if let Some(Way::Across(source, target)) = tracer.way(&order.transfer) {
            let id = order.transfer.id;
            steps.extend([(source, id), (source, step_id(id, Step::Settle))]);
            steps.extend([(target, step_id(id, Step::Leg)), (target, step_id(id, Step::LegEnd))]);
        }
    }
    tracer.records = records_of(town, &steps).await;
    for (place, order) in history.orders.iter().enumerate() {
        let status = order.answer.and_then(|(_, result)| status_of(result));
        if order.transfer.flags.intersects(ENDS) && matches!(status, Some(Status::Created | Status::Exists)) {
            tracer.ended_by.insert(order.transfer.pending_id, place);
        }
    }
    for (place, order) in history.orders.iter().enumerate() {
        if order.chain.start == place {
            tracer.trace(&history.orders[order.chain.clone()], place);
        }
    }
    for events in tracer.trail.events.values_mut() {
        events.sort_by_key(|event| (event.stamp, event.is_mark));
    }
    tracer.trail
}

/// The records that steps have left, as one member of each shard has them.
async fn records_of(
    town: &Town,
    steps: &BTreeSet<(u32, TransferId)>,
) -> BTreeMap<(u32, TransferId), Transfer> {
    let mut records = BTreeMap::new();
    for shard in 1..=town.shards {
        let ids: Vec<TransferId> = steps.iter().filter(|(of, _)| *of == shard).map(|(_, id)| *id).collect();
        let honest = town.places.iter().filter(|place| !place.disk_lied);
        let mut tellers =
            honest.filter_map(|place| place.running.as_ref()?.0.office().router.teller(GroupId(shard)));
        let Some(teller) = tellers.next() else { continue };
        let looked = teller.group().peek(move |machine| {
            let found = |id: TransferId| (id, machine.shard().find_record(id).ok().flatten());
            ids.into_iter().map(found).collect::<Vec<_>>()
        });
        match tokio::time::timeout(LOOKING, looked).await {
            Ok(Ok(found)) => {
                let there = found.into_iter().filter_map(|(id, record)| Some(((shard, id), record?)));
                records.extend(there);
            }
            Ok(Err(_)) | Err(_) => town.story.fail(&format!("shard {shard} lets nobody look into it")),
        }
    }
    records
}

impl Tracer<'_> {
    fn way(&self, transfer: &Transfer) -> Option<Way> {
        let shard = |account| shard_of_account(self.directory, account);
        match (shard(transfer.debit_account_id), shard(transfer.credit_account_id)) {
            (Some(source), Some(target)) if source != target => Some(Way::Across(source, target)),
            (Some(shard), _) | (None, Some(shard)) => Some(Way::On(shard)),
            (None, None) => None,
        }
    }

    fn add(&mut self, shard: u32, event: Event) {
        self.trail.events.entry(shard).or_default().push(event);
    }

    fn fail(&self, transfer: &Transfer, words: &str) {
        self.story.fail(&format!("transfer {}: {words}", transfer.id.get()));
    }

    /// A chain, or an order that stands alone.
    fn trace(&mut self, orders: &[Order], first: usize) {
        let mut answers = Vec::with_capacity(orders.len());
        for order in orders {
            let answer = order.answer.and_then(|(at, result)| Some((at, result, status_of(result)?)));
            let Some(answer) = answer else {
                return self.fail(&order.transfer, "it was never answered, or with a status that is none");
            };
            answers.push(answer);
        }
        let ways: Vec<Way> = orders.iter().filter_map(|order| self.way(&order.transfer)).collect();
        if ways.len() != orders.len() {
            return self.fail(&orders[0].transfer, "it has no shard");
        }
        let (answered_ms, result, status) = answers[0];
        let window = (orders[0].asked_ms, answered_ms);
        let apart = ways.iter().any(|way| *way != ways[0] || matches!(way, Way::Across(..)));
        match ways[0] {
            _ if orders.len() > 1 && apart => {
                self.story.mark("a chain over several shards was refused");
                if answers.iter().any(|(_, _, status)| *status != Status::LinkedEventsCrossShards) {
                    self.fail(&orders[0].transfer, "a chain over several shards is not refused as such");
                }
            }
            Way::On(shard) => {
                let told: Vec<(Stamp, Status)> =
                    answers.iter().map(|(_, result, status)| (result.timestamp, *status)).collect();
                self.trace_at_home(shard, orders, first, &told, window);
            }
            Way::Across(source, target) if orders[0].transfer.flags.intersects(ENDS) => {
                // On the source the clearing account stands for the payee.
                let mut order = orders[0].clone();
                let clearing = clearing(source, target, &order.transfer);
                order.transfer.credit_account_id = clearing;
                self.trace_at_home(source, &[order], first, &[(result.timestamp, status)], window);
            }
            Way::Across(source, target) => {
                let order = &orders[0];
                self.trace_across((source, target), order, first, (result.timestamp, status), window);
            }
        }
    }

    fn trace_at_home(
        &mut self,
        shard: u32,
        orders: &[Order],
        first: usize,
        told: &[(Stamp, Status)],
        window: (u64, u64),
    ) {
        // Refused by an earlier attempt, nobody knows when: it changed no balance.
        if told.iter().any(|(_, status)| *status == Status::IdAlreadyFailed) {
            return self.story.mark("a lost refusal was found again as `id_already_failed`");
        }
        // Posted by an earlier attempt, whose answer was lost. A chain says so once, and stops there.
        let known = told.iter().position(|(_, status)| *status == Status::Exists);
        let (last, expected) = match known {
            Some(place) => {
                self.story.mark("a lost answer was found again as `exists`");
                let behind = u64::try_from(orders.len() - 1 - place).unwrap_or(0);
                let last = Stamp::new(told[place].0.get() + behind);
                (last, vec![Status::Created; orders.len()])
            }
            None => (told[told.len() - 1].0, told.iter().map(|(_, status)| *status).collect()),
        };
        let posted = expected.iter().all(|status| *status == Status::Created);
        if orders.len() > 1 {
            self.story.mark(if posted { "a chain was posted" } else { "a chain was refused" });
        }
        for (member, order) in orders.iter().enumerate() {
            let behind = u64::try_from(orders.len() - 1 - member).unwrap_or(0);
            let stamp = Stamp::new(last.get() - behind);
            if expected[member] == Status::Created {
                self.trail.posted[first + member] = Some(stamp);
            }
            let reserves = order.transfer.flags.contains(TransferFlags::PENDING);
            self.story.mark(match (posted, reserves) {
                (true, true) => "money was reserved",
                (true, false) => "money moved",
                (false, _) => "a transfer was refused",
            });
        }
        let transfers = orders.iter().map(|order| order.transfer).collect();
        self.add(shard, Event { stamp: last, transfers, expected, window: Some(window), is_mark: false });
    }

    /// A transfer from shard to shard, by the records of its steps.
    fn trace_across(
        &mut self,
        (source, target): (u32, u32),
        order: &Order,
        place: usize,
        (told_at, told): (Stamp, Status),
        window: (u64, u64),
    ) {
        let asked = order.transfer;
        let clearing = clearing(source, target, &asked);
        let hold = Transfer {
            credit_account_id: clearing,
            flags: asked.flags.with(TransferFlags::PENDING),
            ..asked
        };
        let record = |tracer: &Self, shard, id| tracer.records.get(&(shard, id)).copied();
        let leg_record = record(self, target, step_id(asked.id, Step::Leg));
        let alone = |stamp, transfer, status, window| Event {
            stamp,
            transfers: vec![transfer],
            expected: vec![status],
            window,
            is_mark: false,
        };
        let Some(held) = record(self, source, asked.id).filter(Transfer::is_transfer) else {
            if leg_record.is_some() || matches!(told, Status::Created | Status::Exists) {
                return self.fail(&asked, "it was posted, and nothing was reserved for it");
            }
            self.story.mark("a transfer between shards was refused by the payer's");
            if told != Status::IdAlreadyFailed {
                self.add(source, alone(told_at, hold, told, Some(window)));
            }
            return;
        };
        self.add(source, alone(held.timestamp, hold, Status::Created, Some(window)));
        let Some(leg_record) = leg_record else {
            return self.fail(&asked, "it was reserved, and never decided");
        };
        let leg = Transfer {
            id: step_id(asked.id, Step::Leg),
            debit_account_id: clearing,
            timeout: TimeoutSeconds::ZERO,
            ..asked
        };
        if leg_record.is_transfer() {
            self.add(target, alone(leg_record.timestamp, leg, Status::Created, Some(window)));
            if !matches!(told, Status::Created | Status::Exists) || told_at != held.timestamp {
                self.fail(&asked, &format!("it was posted, and its client heard {told}"));
            }
            self.trail.posted[place] = Some(held.timestamp);
        } else {
            let kept = u16::try_from(leg_record.user_data_32).ok().and_then(Status::from_number);
            let why = kept.unwrap_or(Status::IdAlreadyFailed);
            let refused = alone(leg_record.timestamp, leg, why, None);
            self.add(target, Event { is_mark: true, ..refused });
            if told != why && told != Status::IdAlreadyFailed {
                self.fail(&asked, &format!("its payee's shard said {why}, and its client heard {told}"));
            }
            self.story.mark("a transfer between shards was refused by the payee's");
        }
        self.trace_settling((source, target), &asked, leg_record.is_transfer(), window);
    }

    /// How both sides of a transfer from shard to shard came to their end.
    fn trace_settling(
        &mut self,
        (source, target): (u32, u32),
        asked: &Transfer,
        moved: bool,
        window: (u64, u64),
    ) {
        let settle = self.records.get(&(source, step_id(asked.id, Step::Settle))).copied();
        let leg_end = self.records.get(&(target, step_id(asked.id, Step::LegEnd))).copied();
        let reserves = asked.flags.contains(TransferFlags::PENDING);
        let lapses = !asked.timeout.is_zero();
        let end = |posts: bool, step: Step, of: TransferId, amount| Transfer {
            id: step_id(asked.id, step),
            pending_id: of,
            amount,
            flags: if posts {
                TransferFlags::POST_PENDING_TRANSFER
            } else {
                TransferFlags::VOID_PENDING_TRANSFER
            },
            ..Transfer::default()
        };
        let posts = |record: &Transfer| record.flags.contains(TransferFlags::POST_PENDING_TRANSFER);
        let event = |record: &Transfer, transfer, window| Event {
            stamp: record.timestamp,
            transfers: vec![transfer],
            expected: vec![Status::Created],
            window,
            is_mark: false,
        };
        match settle {
            Some(record) => {
                if reserves && moved {
                    return self.fail(asked, "what only reserves was settled by the cluster");
                }
                if posts(&record) != moved || (moved && record.amount != asked.amount) {
                    return self.fail(asked, "the two sides did not settle alike");
                }
                let amount = if moved { record.amount } else { fen_book::Amount::ZERO };
                let settle = end(moved, Step::Settle, asked.id, amount);
                self.add(source, event(&record, settle, moved.then_some(window)));
                self.story.mark("a transfer between shards was settled");
            }
            None if moved && !reserves => {
                return self.fail(asked, "the payee has it, and the payer did not pay");
            }
            None if !moved && !lapses => return self.fail(asked, "it was refused, and is still reserved"),
            None => {}
        }
        match leg_end {
            None if moved && reserves => {
                self.fail(asked, "a reservation between shards never ended at the payee");
            }
            None => {}
            Some(_) if !moved || !reserves => {
                self.fail(asked, "a leg that reserved nothing has an end");
            }
            Some(record) => {
                let ended = self.ended_by.get(&asked.id).map(|place| &self.history.orders[*place]);
                let posted =
                    ended.filter(|order| order.transfer.flags.contains(TransferFlags::POST_PENDING_TRANSFER));
                let amount = posted.map(|order| order.transfer.amount);
                if posts(&record) != posted.is_some() || amount.is_some_and(|amount| amount != record.amount)
                {
                    self.fail(asked, "its reservation ended one way here and another way there");
                }
                let asked_ms = ended.map(|order| order.asked_ms);
                let window = ended.and_then(|order| Some((asked_ms?, order.answer?.0)));
                let of = step_id(asked.id, Step::Leg);
                let amount = amount.unwrap_or(fen_book::Amount::ZERO);
                self.add(target, event(&record, end(posted.is_some(), Step::LegEnd, of, amount), window));
                self.story.mark(if ended.is_some() {
                    "a reservation between shards was ended"
                } else {
                    "a reservation between shards lapsed"
                });
            }
        }
    }
}
