//! Three whole nodes in this process, called by the client over gRPC.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses what it needs")]
#![allow(clippy::unwrap_used, reason = "a panic in a test is its report")]

use fen_api::{Client, ClientOptions, wire};
use fen_book::{
    Account, AccountFlags, AccountId, Amount, Code, CreateAccountStatus, CreateTransferStatus, LedgerCode,
    Transfer, TransferId,
};
use fen_cluster::{Certificates, Config, Limits, Node, NodeFault, SecurityConfig, TempoConfig, World};
use fen_net::{Authority, NODES_NAME, NodeId, node_name};
use fen_store::disk::MemoryDisk;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::runtime::Runtime;

pub const CNY: LedgerCode = LedgerCode::new(156);
pub const BANK: AccountId = AccountId::new((u64::MAX as u128) << 64 | 1);

/// Two addresses for each node, on a loopback host that no other town has: no connection begins there, and nobody else
/// listens there, so a node that is down finds its addresses free.
fn addresses() -> Vec<SocketAddr> {
    static TOWNS: AtomicU32 = AtomicU32::new(2);
    let town = TOWNS.fetch_add(1, Ordering::Relaxed) & 0x3ff;
    let host = Ipv4Addr::from(0x7f00_0000 | (std::process::id() & 0x3fff) << 10 | town);
    (7_001..7_007).map(|port| SocketAddr::from((host, port))).collect()
}

pub struct Town {
    pub configs: Vec<Config>,
    pub nodes: Vec<Option<Node>>,
    /// Each node has threads of its own, so that it can be torn off in mid-step.
    runtimes: Vec<Option<Runtime>>,
    pub disks: Vec<Arc<MemoryDisk>>,
    pub client: Client,
    _folder: tempfile::TempDir,
}

impl Town {
    pub async fn found(shards: u32, authority: Option<&Authority>) -> Self {
        Self::found_with(shards, authority, &Limits::default()).await
    }

    pub async fn found_with(shards: u32, authority: Option<&Authority>, limits: &Limits) -> Self {
        Self::found_on(Vec::new(), shards, authority, limits).await
    }

    /// The same with the nodes' data on disks in memory, as far as there are any.
    pub async fn found_on(
        disks: Vec<Arc<MemoryDisk>>,
        shards: u32,
        authority: Option<&Authority>,
        limits: &Limits,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let addresses = addresses();
        let mut configs = Vec::new();
        for (node, pair) in (1_u64..).zip(addresses.chunks_exact(2)) {
            let security = match authority {
                None => SecurityConfig { plaintext: true, ..SecurityConfig::default() },
                Some(authority) => certificates(folder.path(), node, authority),
            };
            configs.push(Config {
                cluster: "c0ffee".to_owned(),
                node,
                data: folder.path().join(format!("node-{node}")),
                peer_address: pair[0],
                client_address: pair[1],
                watch_address: None,
                security,
                limits: limits.clone(),
                tempo: TempoConfig::default(),
            });
        }
        let (mut nodes, mut runtimes) = (Vec::new(), Vec::new());
        for (index, config) in configs.iter().enumerate() {
            let runtime = runtime();
            nodes.push(Some(start_on(&runtime, config, disks.get(index)).await.unwrap()));
            runtimes.push(Some(runtime));
        }
        let clients: Vec<String> = configs.iter().map(|config| config.client_address.to_string()).collect();
        let mut options = ClientOptions { patience: Duration::from_secs(20), ..ClientOptions::default() };
        if let Some(pem) = configs[0].certificates().unwrap() {
            let pem: Certificates = pem;
            options.security = Some(pem.client_security());
        }
        let client = Client::new(&clients, options).unwrap();
        let entries = configs.iter().map(|config| wire::Node {
            id: config.node,
            peer_address: config.peer_address.to_string(),
            client_address: config.client_address.to_string(),
        });
        client.init(entries.collect(), shards).await.unwrap();
        Self { configs, nodes, runtimes, disks, client, _folder: folder }
    }

    pub async fn stop(&mut self, index: usize) {
        self.nodes[index].take().unwrap().stop().await;
        self.runtimes[index].take().unwrap().shutdown_background();
    }

    /// Tears a node off: nothing that was under way is finished.
    pub fn kill(&mut self, index: usize) {
        self.runtimes[index].take().unwrap().shutdown_background();
        drop(self.nodes[index].take());
    }

    pub async fn start(&mut self, index: usize) {
        // The listening sockets and the lock of the one before go when its last task has ended.
        let deadline = tokio::time::Instant::now() + Duration::from_mins(1);
        let (node, runtime) = loop {
            let runtime = runtime();
            match start_on(&runtime, &self.configs[index], self.disks.get(index)).await {
                Ok(node) => break (node, runtime),
                Err(fault) => {
                    runtime.shutdown_background();
                    assert!(tokio::time::Instant::now() < deadline, "{fault}");
                }
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        (self.nodes[index], self.runtimes[index]) = (Some(node), Some(runtime));
    }

    pub fn leader_of(&self, group: u32) -> Option<usize> {
        let running = self.nodes.iter().flatten();
        let leaders = running.flat_map(|node| node.office().status().groups);
        let leader = leaders.filter(|status| status.group == group).map(|status| status.leader).max()?;
        self.configs.iter().position(|config| config.node == leader)
    }

    pub async fn open(&self, ids: &[AccountId]) {
        let account = |id: &AccountId| Account {
            id: *id,
            ledger: CNY,
            code: Code::new(1),
            flags: if *id == BANK {
                AccountFlags::NONE
            } else {
                AccountFlags::DEBITS_MUST_NOT_EXCEED_CREDITS
            },
            ..Account::default()
        };
        let accounts: Vec<Account> = ids.iter().map(account).collect();
        for outcome in self.client.create_accounts(&accounts).await.unwrap() {
            assert!(matches!(outcome.status, CreateAccountStatus::Created | CreateAccountStatus::Exists));
        }
    }

    pub async fn balance(&self, id: AccountId) -> u128 {
        let account = self.client.lookup_accounts(&[id]).await.unwrap()[0].unwrap();
        account.credits_posted.get().wrapping_sub(account.debits_posted.get())
    }
}

impl Drop for Town {
    /// A runtime must not wait for its end within another one.
    fn drop(&mut self) {
        self.runtimes.iter_mut().filter_map(Option::take).for_each(Runtime::shutdown_background);
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

async fn start_on(
    runtime: &Runtime,
    config: &Config,
    disk: Option<&Arc<MemoryDisk>>,
) -> Result<Node, NodeFault> {
    let world = World::machine(config)?;
    let world = match disk {
        Some(disk) => World { disk: disk.clone(), ..world },
        None => world,
    };
    runtime.spawn(Node::start_in(world, config.clone())).await.unwrap()
}

fn certificates(folder: &Path, node: u64, authority: &Authority) -> SecurityConfig {
    let (certificate, key) = authority.issue(&[node_name(NodeId(node)), NODES_NAME.to_owned()]).unwrap();
    let write = |name: String, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        Some(path)
    };
    SecurityConfig {
        plaintext: false,
        authority: write("authority.pem".to_owned(), authority.certificate()),
        certificate: write(format!("{node}.pem"), &certificate),
        key: write(format!("{node}.key"), &key),
    }
}

pub fn customer(number: u64) -> AccountId {
    AccountId::new(u128::from(number) << 64 | 1)
}

pub fn pay(id: u128, debit: AccountId, credit: AccountId, amount: u128) -> Transfer {
    Transfer {
        id: TransferId::new(id),
        debit_account_id: debit,
        credit_account_id: credit,
        amount: Amount::new(amount),
        ledger: CNY,
        code: Code::new(1),
        ..Transfer::default()
    }
}

pub async fn post(client: &Client, transfer: Transfer) -> CreateTransferStatus {
    client.create_transfers(&[transfer]).await.unwrap()[0].status
}
