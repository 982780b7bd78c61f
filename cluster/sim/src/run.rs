//! One run of one seed: found the town, let clients live while things go wrong, heal everything, wait until all is
//! quiet, and judge.

use crate::clients::{BANK, Client, History, Street};
use crate::dice::Dice;
use crate::disk::Astray;
use crate::oracle::{self, Digests};
use crate::plan::{Plan, Trouble};
use crate::story::Story;
use crate::town::Town;
use crate::wire::Weather;
use fen_book::AccountId;
use fen_cluster::Limits;
use fen_net::NodeId;
use fen_raft::GroupId;
use fen_store::disk::{Call, Disk, Effect, Trouble as DiskTrouble};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// How a run ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// Of everything that happened.
    pub hash: u64,
    /// Virtual time.
    pub virtual_ms: u64,
    /// Transfers acknowledged.
    pub acknowledged: u64,
    /// Faults done, by kind.
    pub faults: BTreeMap<String, u64>,
    /// Rare things reached.
    pub marks: BTreeMap<String, u64>,
    /// What an oracle said first.
    pub failure: Option<String>,
}

/// How often the town is looked after.
const ROUND: Duration = Duration::from_millis(50);
/// After everything is healed all must be answered within this.
const PATIENCE: Duration = Duration::from_mins(2);

/// Runs a seed on a clock of its own, on this thread.
pub fn run(seed: u64, aloud: bool) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime needs nothing");
    runtime.block_on(async {
        let plan = Plan::draw(seed);
        let story = Story::begin(aloud);
        story.line(&format!(
            "seed {seed}: {} nodes, {} shards, {} clients, {} troubles",
            plan.nodes,
            plan.shards,
            plan.clients,
            plan.troubles.len()
        ));
        let mut day = Day::begin(seed, plan, story.clone()).await;
        day.troubled().await;
        if !story.has_failed() {
            day.healed().await;
        }
        if !story.has_failed() {
            day.judged().await;
        }
        let acknowledged = day.street.history.lock().unwrap_or_else(PoisonError::into_inner);
        let acknowledged = acknowledged.orders.iter().filter(|order| order.answer.is_some()).count() as u64;
        let virtual_ms = story.milliseconds();
        let (failure, hash, faults, marks) = story.end();
        Outcome { seed, hash, virtual_ms, acknowledged, faults, marks, failure }
    })
}

/// A panic anywhere in the shipped code is a failure of the run.
pub fn listen_for_panics() -> Arc<Mutex<Option<String>>> {
    let heard: Arc<Mutex<Option<String>>> = Arc::default();
    let hearing = heard.clone();
    std::panic::set_hook(Box::new(move |panic| {
        let mut heard = hearing.lock().unwrap_or_else(PoisonError::into_inner);
        heard.get_or_insert_with(|| panic.to_string());
    }));
    heard
}

struct Day {
    seed: u64,
    plan: Plan,
    story: Story,
    town: Town,
    street: Street,
    accounts: Vec<AccountId>,
    clients: Vec<JoinHandle<()>>,
    digests: Digests,
    dice: Dice,
    /// Who is to start again, and when.
    starting: BTreeMap<usize, Instant>,
    /// What ends, and when.
    ending: Vec<(Instant, End)>,
    terms: BTreeMap<u32, u64>,
}

#[derive(Clone, Copy)]
enum End {
    Partition,
    Storm,
    Slow(usize),
    Full(usize),
}

/// Customers' accounts, each circle on a shard of its own.
fn circles(town: &Town) -> Vec<Vec<AccountId>> {
    let Some(place) = town.places.iter().find_map(|place| place.running.as_ref()) else { return Vec::new() };
    let directory = place.0.office().router.directory();
    let mut circles: BTreeMap<u32, Vec<AccountId>> = BTreeMap::new();
    for customer in 1..=u128::from(town.shards) * 6 {
        let account = AccountId::new(customer << 64 | 7);
        if let Some(shard) = oracle::shard_of_account(&directory, account) {
            circles.entry(shard).or_default().push(account);
        }
    }
    circles.into_values().collect()
}

impl Day {
    async fn begin(seed: u64, plan: Plan, story: Story) -> Self {
        let limits = Limits { cache_mb: 1, replay_mb: 1, segment_mb: 4, kept_entries: plan.kept_entries };
        let mut town = Town::build(seed, plan.nodes, plan.shards, limits, story.clone());
        town.found().await;
        let circles = circles(&town);
        let accounts = std::iter::once(BANK).chain(circles.iter().flatten().copied()).collect();
        let counters = (0..town.places.len()).map(|index| town.counter(index)).collect();
        let street = Street {
            counters: Arc::new(Mutex::new(counters)),
            history: Arc::new(Mutex::new(History::default())),
            circles: Arc::new(circles),
            story: story.clone(),
        };
        Client::new(seed, 0, street.clone()).open_accounts().await;
        let clients = (1..=plan.clients)
            .map(|number| tokio::spawn(Client::new(seed, number, street.clone()).live(plan.things)))
            .collect();
        Self {
            seed,
            story,
            town,
            street,
            accounts,
            clients,
            digests: Digests::default(),
            dice: Dice::new(seed, "town"),
            starting: BTreeMap::new(),
            ending: Vec::new(),
            terms: BTreeMap::new(),
            plan,
        }
    }

    /// First: things go wrong, and nothing may be wrong.
    async fn troubled(&mut self) {
        let begun = Instant::now();
        for (at, trouble) in self.plan.troubles.clone() {
            while begun.elapsed() < Duration::from_millis(at) && !self.story.has_failed() {
                self.round().await;
            }
            self.strike(trouble).await;
        }
    }

    /// Looks after the town for a moment, as an operator's supervisor does.
    async fn round(&mut self) {
        tokio::time::sleep(ROUND).await;
        let now = Instant::now();
        for index in 0..self.town.places.len() {
            let Some((_, life)) = &self.town.places[index].running else { continue };
            if life.is_over() {
                let down = self.dice.pause(0, 3_000);
                self.stop(index, true, down).await;
            } else if let Some((node, _)) = &self.town.places[index].running
                && let Ok(reason) = tokio::time::timeout(Duration::ZERO, node.failed()).await
            {
                self.story.line(&format!("node {} stops by itself: {reason}", index + 1));
                self.story.mark("a node stopped by itself after a fault of its disk");
                let down = self.dice.pause(0, 1_000);
                self.stop(index, false, down).await;
            }
        }
        let due: Vec<usize> =
            self.starting.iter().filter(|(_, at)| **at <= now).map(|(index, _)| *index).collect();
        for index in due {
            self.starting.remove(&index);
            self.start(index).await;
        }
        let (over, still): (Vec<_>, Vec<_>) = self.ending.drain(..).partition(|(at, _)| *at <= now);
        self.ending = still;
        for (_, end) in over {
            self.put_right(end);
        }
        if self.dice.happens(200_000) {
            self.digests.look(&self.town).await;
        }
        self.watch_terms();
    }

    fn watch_terms(&mut self) {
        for place in &self.town.places {
            let Some((node, _)) = &place.running else { continue };
            for group in node.office().status().groups {
                let known = self.terms.entry(group.group).or_insert(group.term);
                if group.term > *known {
                    *known = group.term;
                    self.story.mark("a shard had a new term");
                    let crossings = node.office().router.teller(GroupId(group.group));
                    if crossings.is_some_and(|teller| teller.crossings_open() > 0) {
                        self.story.mark("a new leader found transfers on their way");
                    }
                }
            }
        }
    }

    fn put_right(&mut self, end: End) {
        match end {
            End::Partition => self.town.network.open_all(),
            End::Storm => self.town.network.set_weather(Weather::FAIR),
            End::Slow(index) => self.town.places[index].pace.set_slowest_ms(0),
            End::Full(index) => self.town.places[index].disk.set_capacity(None),
        }
    }

    async fn stop(&mut self, index: usize, power: bool, down: Duration) {
        self.town.stop(index, power).await;
        self.tell_clients(index);
        self.starting.insert(index, Instant::now() + down);
    }

    async fn start(&mut self, index: usize) {
        self.town.start(index).await;
        self.tell_clients(index);
        if self.town.places[index].running.is_none() && self.town.places[index].lost.is_none() {
            self.starting.insert(index, Instant::now() + Duration::from_millis(500));
        }
    }

    fn tell_clients(&self, index: usize) {
        let mut counters = self.street.counters.lock().unwrap_or_else(PoisonError::into_inner);
        counters[index] = self.town.counter(index);
    }

    fn ends_in(&mut self, milliseconds: u64, end: End) {
        self.ending.push((Instant::now() + Duration::from_millis(milliseconds), end));
    }

    async fn strike(&mut self, trouble: Trouble) {
        let words = format!("{trouble:?}");
        let kind = words.split(' ').next().unwrap_or_default().to_owned();
        self.story.fault(&kind, &words);
        match trouble {
            Trouble::Kill { node, down_ms } => self.stop(node, false, Duration::from_millis(down_ms)).await,
            Trouble::Power { node, after_calls: None, down_ms } => {
                self.stop(node, true, Duration::from_millis(down_ms)).await;
            }
            Trouble::Power { node, after_calls: Some(calls), .. } => {
                if let Some((_, life)) = &self.town.places[node].running {
                    life.power_goes_after(calls);
                }
            }
            Trouble::PowerEverywhere { down_ms } => {
                for node in 0..self.town.places.len() {
                    let down = self.dice.pause(0, down_ms);
                    self.stop(node, true, down).await;
                }
            }
            Trouble::Partition { sides, lasts_ms } => {
                for (from, to) in pairs(self.town.places.len()) {
                    if (sides >> from ^ sides >> to) & 1 == 1 {
                        self.town.network.block(from + 1, to + 1);
                    }
                }
                self.ends_in(lasts_ms, End::Partition);
            }
            Trouble::OneWay { from, to, lasts_ms } => {
                self.town.network.block(from as u64 + 1, to as u64 + 1);
                self.ends_in(lasts_ms, End::Partition);
            }
            Trouble::Storm { weather, lasts_ms } => {
                self.town.network.set_weather(weather);
                self.ends_in(lasts_ms, End::Storm);
            }
            Trouble::Slow { node, slowest_ms, lasts_ms } => {
                self.town.places[node].pace.set_slowest_ms(slowest_ms);
                self.ends_in(lasts_ms, End::Slow(node));
            }
            Trouble::Clock { node, skew_ms } => self.town.places[node].clock.set_skew_ms(skew_ms),
            Trouble::HandOver { shard, to } => self.hand_over(shard, to as u64 + 1).await,
            Trouble::Image { node } => self.make_images(node).await,
            Trouble::Full { node, lasts_ms } => {
                let disk = &self.town.places[node].disk;
                disk.set_capacity(Some(disk.used_bytes()));
                self.ends_in(lasts_ms, End::Full(node));
            }
            Trouble::Fault { node, after_calls, torn } => {
                let effect = if torn { Effect::Tear(self.seed) } else { Effect::Fail };
                let call = Some(if torn { Call::Write } else { Call::Sync });
                self.town.places[node].disk.fail(DiskTrouble { call, after: after_calls, effect });
            }
            Trouble::Lie { node, after_writes, lost } => {
                self.lie(node, after_writes, if lost { Astray::Lost } else { Astray::Misdirected }).await;
            }
            Trouble::Rot { node, bits } => self.rot(node, bits).await,
        }
    }

    /// The one disk that may lie does.
    async fn lie(&mut self, node: usize, writes: u64, how: Astray) {
        self.town.places[node].disk_lied = true;
        if let Some((_, life)) = &self.town.places[node].running {
            life.lead_astray(writes, how);
        }
        self.make_images(node).await;
    }

    /// The power goes, and some bits of the books rot meanwhile.
    async fn rot(&mut self, node: usize, bits: u64) {
        self.town.places[node].disk_lied = true;
        self.stop(node, true, Duration::from_millis(500)).await;
        let disk = self.town.places[node].disk.clone();
        let books = books_of(&disk);
        for _bit in 0..bits {
            let Some((path, size)) = books.get(self.dice.index(books.len())) else { break };
            let (offset, bit) = (self.dice.below(*size), u8::try_from(self.dice.below(8)).unwrap_or(0));
            if disk.flip(path, offset, bit) {
                self.story.mark("a bit of the books rotted");
            }
        }
    }

    async fn hand_over(&self, shard: u32, to: u64) {
        for place in &self.town.places {
            let Some((node, _)) = &place.running else { continue };
            let Some(teller) = node.office().router.teller(GroupId(shard)) else { continue };
            let status = teller.group().status();
            if status.leads && status.voters.contains(&NodeId(to)) {
                let asked = teller.group().transfer_leadership(NodeId(to)).await;
                self.story.mark(if asked.is_ok() {
                    "leadership was handed over"
                } else {
                    "a hand-over was refused"
                });
                return;
            }
        }
    }

    async fn make_images(&self, node: usize) {
        let Some((node, _)) = &self.town.places[node].running else { return };
        for shard in 1..=self.town.shards {
            if let Some(teller) = node.office().router.teller(GroupId(shard)) {
                let asked = teller.group().make_image().await;
                self.story.mark(if asked.is_ok() {
                    "an image was asked for"
                } else {
                    "an image was refused"
                });
            }
        }
    }

    /// Second: nothing goes wrong any more, and everything must come to its end.
    async fn healed(&mut self) {
        self.story.line("everything is put right");
        self.town.network.open_all();
        self.town.network.set_weather(Weather::FAIR);
        self.ending.clear();
        for index in 0..self.town.places.len() {
            let place = &self.town.places[index];
            place.disk.heal();
            place.disk.set_capacity(None);
            place.pace.set_slowest_ms(0);
            place.clock.set_skew_ms(0);
            // Whatever its disk did to it: the operator starts it anew.
            if place.running.is_some() {
                self.stop(index, false, Duration::ZERO).await;
            }
        }
        let end = Instant::now() + PATIENCE;
        while !self.clients.iter().all(JoinHandle::is_finished) {
            if self.story.has_failed() {
                return;
            }
            if Instant::now() > end {
                let waiting = self.clients.iter().filter(|client| !client.is_finished()).count();
                return self.story.fail(&format!("{waiting} clients still wait for an answer"));
            }
            self.round().await;
        }
        self.story.line("all clients have their answers");
        while !self.replicas_agree() {
            if Instant::now() > end {
                return self.story.fail("the replicas do not come to one place of the log");
            }
            self.round().await;
        }
        while !self.nothing_is_on_its_way().await {
            if Instant::now() > end {
                return self.story.fail("transfers between shards do not come to their end");
            }
            self.round().await;
        }
        self.digests.look(&self.town).await;
    }

    /// Whether no shard has a transfer that another one has to hear of.
    async fn nothing_is_on_its_way(&self) -> bool {
        for place in &self.town.places {
            let Some((node, _)) = &place.running else { continue };
            for shard in 1..=self.town.shards {
                let Some(teller) = node.office().router.teller(GroupId(shard)) else { continue };
                let open = teller.group().peek(|machine| machine.books().crossings().len()).await;
                if open.is_ok_and(|open| open > 0) {
                    return false;
                }
            }
        }
        self.replicas_agree()
    }

    /// Shards that do not run where they should. Where the disk lied, refusing to go on is right.
    fn missing_shards(&self) -> usize {
        let mut missing = 0;
        for place in &self.town.places {
            let Some((node, _)) = &place.running else { continue };
            let router = &node.office().router;
            let directory = router.directory();
            let ours = directory.shards.iter().filter(|shard| shard.holders.contains(&place.id));
            let absent = ours.filter(|shard| router.teller(GroupId(shard.group)).is_none()).count();
            if place.disk_lied && absent > 0 {
                self.story.mark("a shard refused to go on from a disk that lied");
            } else {
                missing += absent;
            }
        }
        missing
    }

    /// Whether each shard's members that run have applied the same, and the leader's all.
    fn replicas_agree(&self) -> bool {
        let all = self.town.places.iter().all(|place| place.running.is_some() || place.lost.is_some());
        let mut applied: BTreeMap<u32, Vec<(u64, u64)>> = BTreeMap::new();
        for place in &self.town.places {
            let Some((node, _)) = &place.running else { continue };
            for group in node.office().status().groups {
                applied.entry(group.group).or_default().push((group.applied_index, group.last_index));
            }
        }
        if self.missing_shards() > 0 {
            return false;
        }
        let groups = usize::try_from(self.town.shards).unwrap_or(0) + 1;
        let same =
            |places: &Vec<(u64, u64)>| places.iter().all(|(at, last)| *at == places[0].0 && at == last);
        all && applied.len() == groups && applied.values().all(same)
    }

    /// Third: the books, the answers and the model; then all of it again after everybody was gone.
    async fn judged(&mut self) {
        let history = {
            let mut history = self.street.history.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *history)
        };
        let trail = oracle::trail::follow(&self.town, &history).await;
        let models = oracle::answers::judge_answers(&self.town, &trail, &history, &self.accounts);
        oracle::judge_presence(&self.town, &history, &trail).await;
        oracle::judge_clearing(&self.town).await;
        oracle::judge_replicas(&self.town, &models, &self.accounts).await;
        for index in 0..self.town.places.len() {
            self.stop(index, true, Duration::ZERO).await;
        }
        let end = Instant::now() + PATIENCE;
        while !self.replicas_agree() && !self.story.has_failed() {
            if Instant::now() > end {
                return self.story.fail("after everybody was gone, the replicas do not come to one place");
            }
            self.round().await;
        }
        self.digests.look(&self.town).await;
        oracle::judge_presence(&self.town, &history, &trail).await;
        oracle::judge_clearing(&self.town).await;
        oracle::judge_replicas(&self.town, &models, &self.accounts).await;
        *self.street.history.lock().unwrap_or_else(PoisonError::into_inner) = history;
    }
}

fn pairs(nodes: usize) -> Vec<(u64, u64)> {
    let nodes = nodes as u64;
    (0..nodes).flat_map(|from| (0..nodes).filter(move |to| *to != from).map(move |to| (from, to))).collect()
}

/// The files of the books, without the log.
fn books_of(disk: &dyn Disk) -> Vec<(PathBuf, u64)> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::from("shards")];
    while let Some(folder) = folders.pop() {
        for name in disk.list(&folder).unwrap_or_default() {
            let path = folder.join(name);
            match disk.open(Path::new(&path)).and_then(|file| file.size()) {
                Ok(size) if size > 0 => files.push((path, size)),
                Ok(_empty) => {}
                Err(_folder) => folders.push(path),
            }
        }
    }
    files
}
