//! Three whole nodes in this process, called by the client over gRPC.

#![allow(clippy::unwrap_used, reason = "a panic in a test is its report")]

use fen_api::{Client, ClientFault, ClientOptions, wire};
use fen_book::{
    Account, AccountFilter, AccountFlags, AccountId, Amount, Code, CreateAccountStatus, CreateTransferStatus,
    LedgerCode, TimeoutSeconds, Transfer, TransferFlags, TransferId,
};
use fen_cluster::{Certificates, Config, Limits, Node, SecurityConfig, TempoConfig};
use fen_net::{Authority, NODES_NAME, NodeId, node_name};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

const CNY: LedgerCode = LedgerCode::new(156);
const BANK: AccountId = AccountId::new((u64::MAX as u128) << 64 | 1);

/// Addresses that were free a moment ago.
fn addresses(count: usize) -> Vec<SocketAddr> {
    let held: Vec<_> = (0..count).map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    held.iter().map(|listener| listener.local_addr().unwrap()).collect()
}

/// How long a node may take to be there again.
const START_MAX: Duration = Duration::from_mins(1);

struct Town {
    configs: Vec<Config>,
    nodes: Vec<Option<Node>>,
    client: Client,
    _folder: tempfile::TempDir,
}

impl Town {
    async fn found(shards: u32, authority: Option<&Authority>) -> Self {
        Self::found_with(shards, authority, &Limits::default()).await
    }

    async fn found_with(shards: u32, authority: Option<&Authority>, limits: &Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let addresses = addresses(6);
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
        let mut nodes = Vec::new();
        for config in &configs {
            nodes.push(Some(Node::start(config.clone()).await.unwrap()));
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
        Self { configs, nodes, client, _folder: folder }
    }

    async fn stop(&mut self, index: usize) {
        self.nodes[index].take().unwrap().stop().await;
    }

    async fn start(&mut self, index: usize) {
        // The listening sockets and the lock of the one before go when its last task has ended.
        let deadline = tokio::time::Instant::now() + START_MAX;
        let node = loop {
            match Node::start(self.configs[index].clone()).await {
                Ok(node) => break node,
                Err(fault) => assert!(tokio::time::Instant::now() < deadline, "{fault}"),
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        self.nodes[index] = Some(node);
    }

    fn leader_of(&self, group: u32) -> Option<usize> {
        let running = self.nodes.iter().flatten();
        let leaders = running.flat_map(|node| node.office().status().groups);
        let leader = leaders.filter(|status| status.group == group).map(|status| status.leader).max()?;
        self.configs.iter().position(|config| config.node == leader)
    }

    async fn open(&self, ids: &[AccountId]) {
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

    async fn balance(&self, id: AccountId) -> u128 {
        let account = self.client.lookup_accounts(&[id]).await.unwrap()[0].unwrap();
        account.credits_posted.get().wrapping_sub(account.debits_posted.get())
    }
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

fn customer(number: u64) -> AccountId {
    AccountId::new(u128::from(number) << 64 | 1)
}

fn pay(id: u128, debit: AccountId, credit: AccountId, amount: u128) -> Transfer {
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

async fn post(client: &Client, transfer: Transfer) -> CreateTransferStatus {
    client.create_transfers(&[transfer]).await.unwrap()[0].status
}

#[tokio::test(flavor = "multi_thread")]
async fn money_is_right_whoever_leads_and_after_everybody_was_gone() {
    let mut town = Town::found(1, None).await;
    let (anna, baker) = (customer(1), customer(2));
    town.open(&[BANK, anna, baker]).await;
    let mut id = 0;
    for round in 0..3_u128 {
        for _payment in 0..10 {
            id += 1;
            assert_eq!(post(&town.client, pay(id, BANK, anna, 100)).await, CreateTransferStatus::Created);
        }
        let leader = town.leader_of(1).unwrap();
        town.stop(leader).await;
        id += 1;
        let status = post(&town.client, pay(id, anna, baker, 10)).await;
        assert!(matches!(status, CreateTransferStatus::Created | CreateTransferStatus::Exists), "{status}");
        assert_eq!(post(&town.client, pay(id, anna, baker, 10)).await, CreateTransferStatus::Exists);
        assert_eq!(town.balance(anna).await, (round + 1) * 990);
        town.start(leader).await;
    }
    assert_eq!(post(&town.client, pay(99, baker, anna, 1_000)).await, CreateTransferStatus::ExceedsCredits);
    for index in 0..3 {
        town.stop(index).await;
    }
    for index in 0..3 {
        town.start(index).await;
    }
    assert_eq!((town.balance(anna).await, town.balance(baker).await), (2_970, 30));
    assert_eq!(post(&town.client, pay(99, baker, anna, 1_000)).await, CreateTransferStatus::IdAlreadyFailed);
    let filter = AccountFilter { account_id: baker, limit: 10, credits: true, ..AccountFilter::default() };
    let entries = town.client.account_transfers(&filter).await.unwrap();
    assert_eq!(entries.iter().map(|entry| entry.id.get()).collect::<Vec<_>>(), [11, 22, 33]);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_clients_share_parcels_and_each_gets_its_own_answer() {
    let town = Town::found(1, None).await;
    let customers: Vec<AccountId> = (1..=32).map(customer).collect();
    town.open(&[&[BANK][..], &customers].concat()).await;
    let mut tasks = Vec::new();
    for (number, id) in (1_u128..).zip(customers.clone()) {
        let client = town.client.clone();
        tasks.push(tokio::spawn(async move {
            for payment in 0..50 {
                // An open chain of one client is refused, and never swallows another's transfer.
                let chained = Transfer { flags: TransferFlags::LINKED, ..pay(1, BANK, id, 5) };
                let status = post(&client, chained).await;
                assert_eq!(status, CreateTransferStatus::LinkedEventChainOpen);
                let status = post(&client, pay(number << 64 | (payment + 1), BANK, id, number)).await;
                assert_eq!(status, CreateTransferStatus::Created);
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    for (number, id) in (1_u128..).zip(customers) {
        assert_eq!(town.balance(id).await, 50 * number);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_are_split_by_shard_under_mutual_tls() {
    let authority = Authority::create().unwrap();
    let town = Town::found(4, Some(&authority)).await;
    let customers: Vec<AccountId> = (1..=40).map(customer).collect();
    town.open(&[&[BANK][..], &customers].concat()).await;
    let salaries: Vec<Transfer> =
        (1_u128..).zip(&customers).map(|(id, customer)| pay(id, BANK, *customer, id * 100)).collect();
    let outcomes = town.client.create_transfers(&salaries).await.unwrap();
    assert!(outcomes.iter().all(|outcome| outcome.status == CreateTransferStatus::Created));
    let again = town.client.create_transfers(&salaries).await.unwrap();
    for (first, second) in outcomes.iter().zip(&again) {
        assert_eq!((second.status, second.timestamp), (CreateTransferStatus::Exists, first.timestamp));
    }
    let bank = town.client.lookup_accounts(&[BANK]).await.unwrap()[0].unwrap();
    assert_eq!(bank.debits_posted.get(), (1..=40).map(|id| id * 100).sum::<u128>(), "its parts add up");
    let found = town.client.lookup_transfers(&[TransferId::new(7), TransferId::new(77)]).await.unwrap();
    assert_eq!((found[0].unwrap().amount.get(), found[1]), (700, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reservation_lapses_by_itself_and_wrong_requests_are_refused_with_their_reason() {
    let town = Town::found(1, None).await;
    let anna = customer(1);
    town.open(&[BANK, anna]).await;
    let pending =
        Transfer { flags: TransferFlags::PENDING, timeout: TimeoutSeconds::new(1), ..pay(1, BANK, anna, 70) };
    assert_eq!(post(&town.client, pending).await, CreateTransferStatus::Created);
    let (_account, pendings) = town.client.position(anna).await.unwrap().unwrap();
    assert_eq!(pendings.len(), 1);
    let lapsed = async {
        while !town.client.position(anna).await.unwrap().unwrap().1.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), lapsed).await.unwrap();
    let odd = town.client.submit(wire::RecordKind::Transfers, vec![0; 127].into()).await;
    assert!(matches!(odd, Err(ClientFault::Refused(reason)) if reason.contains("127 bytes")));
    let many = vec![pay(1, BANK, anna, 1); 8_190];
    assert!(matches!(town.client.create_transfers(&many).await, Err(ClientFault::Refused(_))));
    let full: Vec<Transfer> = (10..10 + 8_189).map(|id| pay(id, BANK, anna, 1)).collect();
    let outcomes = town.client.create_transfers(&full).await.unwrap();
    assert!(outcomes.iter().all(|outcome| outcome.status == CreateTransferStatus::Created));
    assert_eq!(town.balance(anna).await, 8_189);
}

#[tokio::test(flavor = "multi_thread")]
async fn checkpoints_free_the_log_and_a_member_that_missed_it_gets_the_books_whole() {
    let limits = Limits { replay_mb: 2, kept_entries: 2, ..Limits::default() };
    let mut town = Town::found_with(1, None, &limits).await;
    let (anna, baker) = (customer(1), customer(2));
    town.open(&[BANK, anna, baker]).await;
    let late = (town.leader_of(1).unwrap() + 1) % 3;
    town.stop(late).await;
    let mut id = 0;
    // More than one chunk of the journal, so that segments travel too.
    for _batch in 0..10 {
        let batch: Vec<Transfer> = (id + 1..=id + 8_000).map(|id| pay(id, BANK, anna, 1)).collect();
        id += 8_000;
        let outcomes = town.client.create_transfers(&batch).await.unwrap();
        assert!(outcomes.iter().all(|outcome| outcome.status == CreateTransferStatus::Created));
    }
    let purged = |town: &Town, index: usize| {
        let manifest = town.configs[index].data.join("shards/1/0/checkpoint");
        std::fs::read_dir(manifest).unwrap().count() > 1
    };
    let leader = town.leader_of(1).unwrap();
    while !purged(&town, leader) {
        tokio::task::yield_now().await;
    }
    town.start(late).await;
    let other = (0..3).find(|index| *index != late && *index != leader).unwrap();
    town.stop(other).await;
    // The late member is needed for a majority now: an answer means that it has caught up.
    assert_eq!(post(&town.client, pay(id + 1, anna, baker, 5)).await, CreateTransferStatus::Created);
    let taken_in = town.configs[late].data.join("shards/1/1/checkpoint");
    assert!(std::fs::read_dir(taken_in).unwrap().count() > 0, "it got the books whole, not entry by entry");
    town.stop(leader).await;
    town.start(other).await;
    assert_eq!((town.balance(anna).await, town.balance(baker).await), (79_995, 5));
    assert_eq!(post(&town.client, pay(1, BANK, anna, 1)).await, CreateTransferStatus::Exists);
    let found = town.client.lookup_transfers(&[TransferId::new(1), TransferId::new(id + 1)]).await.unwrap();
    assert!(found.iter().all(Option::is_some), "from a sealed segment, and young");
    let filter = AccountFilter { account_id: anna, limit: 3, credits: true, ..AccountFilter::default() };
    let entries = town.client.account_transfers(&filter).await.unwrap();
    assert_eq!(entries.iter().map(|entry| entry.id.get()).collect::<Vec<_>>(), [1, 2, 3]);
    for index in [late, other] {
        town.stop(index).await;
    }
    for index in 0..3 {
        town.start(index).await;
    }
    assert_eq!((town.balance(anna).await, town.balance(baker).await), (79_995, 5));
}
