//! The town: nodes as the operator has them, each with its disk, its clock and its pace, on one network.

use crate::dice::Dice;
use crate::disk::Life;
use crate::story::Story;
use crate::wire::Network;
use fen_cluster::clock::Clock;
use fen_cluster::gateway::Gateway;
use fen_cluster::{ClientDoor, Config, Limits, Node, SecurityConfig, TempoConfig, World};
use fen_raft::{Crew, Pace};
use fen_store::disk::MemoryDisk;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// The books begin on this day, in nanoseconds since 1970: 2 March 2026.
const FIRST_DAY: u64 = 1_772_409_600_000_000_000;

/// A node's idea of the time of day.
pub struct NodeClock {
    begun: Instant,
    skew_ms: AtomicI64,
    dice: Mutex<Dice>,
}

impl NodeClock {
    /// Ahead or behind from now on.
    pub fn set_skew_ms(&self, skew: i64) {
        self.skew_ms.store(skew, Ordering::SeqCst);
    }
}

impl Clock for NodeClock {
    fn now(&self) -> u64 {
        let since = u64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let jitter = self.dice.lock().unwrap_or_else(PoisonError::into_inner).below(1_000_000);
        let skew = self.skew_ms.load(Ordering::SeqCst).saturating_mul(1_000_000);
        (FIRST_DAY + since + jitter).saturating_add_signed(skew)
    }
}

/// How fast a node works.
pub struct NodePace {
    dice: Mutex<Dice>,
    slowest_ms: AtomicU64,
}

impl NodePace {
    /// No job waits longer than this.
    pub fn set_slowest_ms(&self, milliseconds: u64) {
        self.slowest_ms.store(milliseconds, Ordering::SeqCst);
    }
}

impl Pace for NodePace {
    fn before_job(&self, _worker: &str) -> Duration {
        let slowest = self.slowest_ms.load(Ordering::SeqCst);
        if slowest == 0 {
            return Duration::ZERO;
        }
        let mut dice = self.dice.lock().unwrap_or_else(PoisonError::into_inner);
        // Most jobs are quick; a few take as long as it gets.
        if dice.happens(100_000) { dice.pause(0, slowest) } else { dice.pause(0, slowest / 20) }
    }
}

/// A place where a node runs, or could.
pub struct Place {
    /// The node's id.
    pub id: u64,
    /// Its disk.
    pub disk: MemoryDisk,
    /// Its clock.
    pub clock: Arc<NodeClock>,
    /// Its pace.
    pub pace: Arc<NodePace>,
    /// Its present life.
    pub running: Option<(Node, Life)>,
    /// Why it is given up: its disk holds what nobody wrote.
    pub lost: Option<String>,
    /// Whether its disk was made to lie, so that refusing to start is right.
    pub disk_lied: bool,
    starts: u64,
}

/// See the module.
pub struct Town {
    /// The network.
    pub network: Network,
    /// What happens.
    pub story: Story,
    /// All places.
    pub places: Vec<Place>,
    /// How many shards.
    pub shards: u32,
    limits: Limits,
    seed: u64,
}

/// What clients find when they come to a node: its gateway, and the life that it answers in.
#[derive(Clone)]
pub struct Counter {
    /// What they call.
    pub gateway: Gateway,
    /// After its end nothing that it says is heard.
    pub life: Life,
}

/// Where a node listens for its peers.
pub fn address(id: u64) -> SocketAddr {
    let port = 7_000 + u16::try_from(id).expect("a town has a few nodes");
    SocketAddr::from(([127, 0, 0, 1], port))
}

impl Town {
    /// Empty houses.
    pub fn build(seed: u64, nodes: u64, shards: u32, limits: Limits, story: Story) -> Self {
        let network = Network::new(seed, story.clone());
        let places = (1..=nodes)
            .map(|id| Place {
                id,
                disk: MemoryDisk::new(),
                clock: Arc::new(NodeClock {
                    begun: Instant::now(),
                    skew_ms: AtomicI64::new(0),
                    dice: Mutex::new(Dice::new(seed ^ id, "clock")),
                }),
                pace: Arc::new(NodePace {
                    dice: Mutex::new(Dice::new(seed ^ id, "pace")),
                    slowest_ms: AtomicU64::new(0),
                }),
                running: None,
                lost: None,
                disk_lied: false,
                starts: 0,
            })
            .collect();
        Self { network, story, places, shards, limits, seed }
    }

    /// Founds the cluster through the first node.
    pub async fn found(&mut self) {
        for index in 0..self.places.len() {
            self.start(index).await;
        }
        let nodes = self.places.iter().map(|place| fen_api::wire::Node {
            id: place.id,
            peer_address: address(place.id).to_string(),
            client_address: address(place.id).to_string(),
        });
        let request = fen_api::wire::InitRequest { nodes: nodes.collect(), shards: self.shards };
        loop {
            let Some((node, _)) = &self.places[0].running else { return };
            let deadline = Instant::now() + Duration::from_secs(10);
            match node.office().found(request.clone(), deadline).await {
                Ok(()) => return self.story.line("the cluster is founded"),
                Err(fault) => self.story.line(&format!("founding goes on: {fault}")),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    fn config(&self, index: usize) -> Config {
        Config {
            cluster: "f0e1".to_owned(),
            node: self.places[index].id,
            data: PathBuf::new(),
            peer_address: address(self.places[index].id),
            client_address: address(self.places[index].id),
            watch_address: None,
            security: SecurityConfig { plaintext: true, ..SecurityConfig::default() },
            limits: self.limits.clone(),
            tempo: TempoConfig::default(),
        }
    }

    /// Starts a node that does not run; it may refuse.
    pub async fn start(&mut self, index: usize) {
        let config = self.config(index);
        let (network, story) = (self.network.clone(), self.story.clone());
        let place = &mut self.places[index];
        if place.running.is_some() || place.lost.is_some() {
            return;
        }
        place.starts += 1;
        let id = place.id;
        network.back(id);
        let cutting = network.clone();
        let life = Life::begin(place.disk.clone(), story.clone(), move || cutting.cut(id, false));
        let world = World {
            disk: Arc::new(life.clone()),
            wire: network.wire(id),
            crew: Crew::Tasks(place.pace.clone()),
            clock: place.clock.clone(),
            door: ClientDoor::Shut,
            indexes: None,
        };
        match Node::start_in(world, config).await {
            Ok(node) => {
                story.line(&format!("node {id} runs"));
                place.running = Some((node, life));
            }
            Err(fault) => {
                life.end();
                if place.disk_lied {
                    story.mark("a node refused to go on from a disk that lied");
                    story.line(&format!("node {id} is given up: {fault}"));
                    place.lost = Some(fault.to_string());
                } else {
                    story.line(&format!("node {id} does not start: {fault}"));
                }
            }
        }
    }

    /// Ends a node's life. With the power gone, its disk keeps what the dice say of everything not yet durable.
    pub async fn stop(&mut self, index: usize, power: bool) {
        let seed = self.seed ^ self.places[index].starts << 8 ^ self.places[index].id;
        let place = &mut self.places[index];
        let Some((node, life)) = place.running.take() else { return };
        life.end();
        if power {
            place.disk.crash(seed);
        } else {
            self.network.cut(place.id, true);
            place.disk.kill();
        }
        // What is left of it cleans up behind itself; it reaches neither disk nor network any more.
        tokio::spawn(node.stop());
        tokio::task::yield_now().await;
    }

    /// Whom a client finds at a node, if anybody.
    pub fn counter(&self, index: usize) -> Option<Counter> {
        let (node, life) = self.places[index].running.as_ref()?;
        Some(Counter { gateway: node.gateway().clone(), life: life.clone() })
    }
}
