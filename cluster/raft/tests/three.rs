//! Three nodes over loopback: agreement, a leader that goes, a follower that comes back, an image for one that is
//! far behind, a node that starts again from its own disk.

#![allow(clippy::unwrap_used, reason = "a panic in a test is its report")]

use bytes::Bytes;
use fen_net::{ClusterId, Links, Listener, NodeId, Security, Stop};
use fen_raft::{
    Answer, Audience, Checkpoint, Crew, Group, GroupFault, GroupId, Groups, Image, LogPlace, Machine, Mark,
    Members, Parcel, Peer, Scribe, Serve, Site, Tempo,
};
use fen_store::disk::MemoryDisk;
use fen_store::wal::WalOptions;
use std::collections::BTreeSet;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const CLUSTER: ClusterId = ClusterId(1);
const GROUP: GroupId = GroupId(5);
const PATIENCE: Duration = Duration::from_secs(20);

/// Counts parcels and folds their bytes; the image survives in what stands for the node's disk.
struct Folding {
    count: u64,
    fold: u64,
    kept: Arc<Mutex<Option<Image>>>,
}

impl Folding {
    fn open(kept: &Arc<Mutex<Option<Image>>>) -> Self {
        let mut machine = Self { count: 0, fold: 0, kept: kept.clone() };
        if let Some(image) = machine.image().unwrap() {
            machine.take(&image);
        }
        machine
    }
    fn take(&mut self, image: &Image) {
        let mut words = [0; 16];
        image.content.read(0, &mut words).unwrap();
        self.count = u64::from_le_bytes(words[..8].try_into().unwrap());
        self.fold = u64::from_le_bytes(words[8..].try_into().unwrap());
    }
}

impl Machine for Folding {
    fn mark(&self) -> Mark {
        self.kept.lock().unwrap().as_ref().map(|image| image.mark.clone()).unwrap_or_default()
    }
    fn apply(&mut self, _place: LogPlace, parcel: &Parcel, _audience: Audience) -> io::Result<Answer> {
        self.count += 1;
        for byte in &parcel.body {
            self.fold = self.fold.wrapping_mul(31).wrapping_add(u64::from(*byte));
        }
        Ok(Answer(Bytes::copy_from_slice(&self.count.to_le_bytes())))
    }
    fn checkpoint(&mut self, mark: Mark) -> io::Result<Checkpoint> {
        let words: Vec<u8> = [self.count.to_le_bytes(), self.fold.to_le_bytes()].concat();
        let image = Image { mark, content: Arc::new(Bytes::from(words)) };
        *self.kept.lock().unwrap() = Some(image.clone());
        Ok(Checkpoint::Whole(image))
    }
    fn image(&mut self) -> io::Result<Option<Image>> {
        Ok(self.kept.lock().unwrap().clone())
    }
    fn install(&mut self, image: Image) -> io::Result<()> {
        self.take(&image);
        *self.kept.lock().unwrap() = Some(image);
        Ok(())
    }
}

struct Nobody;

impl Serve for Nobody {
    fn serve(
        &self,
        _group: GroupId,
        _request: Bytes,
    ) -> Pin<Box<dyn Future<Output = Result<Bytes, String>> + Send>> {
        Box::pin(async { Err("nothing is served here".to_owned()) })
    }
}

struct Node {
    id: NodeId,
    address: String,
    disk: MemoryDisk,
    kept: Arc<Mutex<Option<Image>>>,
    running: Option<(Group<Folding>, Stop, Scribe)>,
}

impl Node {
    async fn new(id: u64) -> Self {
        let probe = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = probe.local_addr().unwrap().to_string();
        Self { id: NodeId(id), address, disk: MemoryDisk::new(), kept: Arc::default(), running: None }
    }

    async fn start(&mut self) {
        let disk = Arc::new(self.disk.clone());
        let options = WalOptions { segment_bytes: 4 << 20, staging_bytes: 2 << 20, ..WalOptions::new(1) };
        let scribe = Scribe::open(&Crew::Threads, disk.clone(), Path::new("wal"), &options, 1 << 20).unwrap();
        let links = Links::new(CLUSTER, self.id, Security::Plain);
        let tempo = Tempo::default();
        let (replay_bytes_max, kept_entries) = (u64::MAX, 100);
        let site = Site { node: self.id, scribe: &scribe, links, tempo, replay_bytes_max, kept_entries };
        let group = Group::start(&site, GROUP, Folding::open(&self.kept)).await.unwrap();
        let groups = Groups::new(disk, PathBuf::from("spool"), Arc::new(Nobody)).unwrap();
        groups.add(group.clone());
        let address = self.address.parse().unwrap();
        let listener = Listener::bind(address, CLUSTER, self.id, Security::Plain).await.unwrap();
        let stop = listener.serve(Arc::new(groups)).unwrap();
        self.running = Some((group, stop, scribe));
    }

    async fn stop(&mut self) {
        let (group, stop, _scribe) = self.running.take().unwrap();
        drop(stop);
        group.stop().await;
    }

    fn group(&self) -> &Group<Folding> {
        &self.running.as_ref().unwrap().0
    }

    fn peer(&self) -> Peer {
        Peer { address: self.address.clone() }
    }

    async fn state(&self) -> (u64, u64) {
        self.group().peek(|machine| (machine.count, machine.fold)).await.unwrap()
    }
}

fn running(nodes: &[Node]) -> impl Iterator<Item = &Node> {
    nodes.iter().filter(|node| node.running.is_some())
}

/// Proposes wherever the leader is; every parcel counts once, since none is proposed again after it may have been
/// applied.
async fn propose(nodes: &[Node], body: &[u8]) -> u64 {
    let trying = async {
        loop {
            for node in running(nodes) {
                let parcel = Parcel { stamp: 1, body: Bytes::copy_from_slice(body) };
                match node.group().propose(parcel).await {
                    Ok(answer) => return u64::from_le_bytes(answer.0[..].try_into().unwrap()),
                    Err(GroupFault::NotLeader { .. }) => tokio::task::yield_now().await,
                    Err(fault) => panic!("{fault}"),
                }
            }
        }
    };
    tokio::time::timeout(PATIENCE, trying).await.unwrap()
}

async fn leader(nodes: &[Node]) -> usize {
    let any = running(nodes).next().unwrap();
    let down: BTreeSet<NodeId> =
        nodes.iter().filter(|node| node.running.is_none()).map(|node| node.id).collect();
    let led = |status: &fen_raft::GroupStatus| status.leader.is_some_and(|leader| !down.contains(&leader));
    let status = any.group().wait_for(PATIENCE, led).await.unwrap();
    nodes.iter().position(|node| Some(node.id) == status.leader).unwrap()
}

async fn agree(nodes: &[Node], count: u64) {
    let mut states = BTreeSet::new();
    for node in running(nodes) {
        let agreeing = async {
            while node.state().await.0 < count {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, agreeing).await.unwrap();
        states.insert(node.state().await);
    }
    assert_eq!(states.len(), 1, "all members have one state: {states:?}");
    assert_eq!(states.first().unwrap().0, count);
}

async fn found(count: u64) -> Vec<Node> {
    let mut nodes = Vec::new();
    for id in 1..=count {
        let mut node = Node::new(id).await;
        node.start().await;
        nodes.push(node);
    }
    let members: Members = nodes.iter().map(|node| (node.id, node.peer())).collect();
    nodes[0].group().found(&members).await.unwrap();
    nodes
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_survives_every_member_in_turn() {
    let mut nodes = found(3).await;
    let mut count = 0;
    for round in 0..3_usize {
        for size in [0, 1, 5_000, 700_000] {
            count += 1;
            assert_eq!(propose(&nodes, &vec![7; size]).await, count);
        }
        let leader = leader(&nodes).await;
        let victim = if round == 1 { (leader + 1) % 3 } else { leader };
        nodes[victim].stop().await;
        for _parcel in 0..20 {
            count += 1;
            assert_eq!(propose(&nodes, &[1, 2, 3]).await, count);
        }
        agree(&nodes, count).await;
        nodes[victim].start().await;
        agree(&nodes, count).await;
    }
    for node in &mut nodes {
        node.stop().await;
    }
    for node in &mut nodes {
        node.start().await;
    }
    count += 1;
    assert_eq!(propose(&nodes, b"after all were gone").await, count);
    agree(&nodes, count).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_member_gets_the_image_and_becomes_a_voter() {
    let mut nodes = found(1).await;
    for parcel in 0..3_000_u64 {
        propose(&nodes, &parcel.to_le_bytes()).await;
    }
    nodes[0].group().make_image().await.unwrap();
    while nodes[0].kept.lock().unwrap().is_none() {
        tokio::task::yield_now().await;
    }
    propose(&nodes, b"after the image").await;
    for id in [2, 3] {
        let mut node = Node::new(id).await;
        node.start().await;
        nodes[0].group().add_learner(node.id, node.peer()).await.unwrap();
        nodes.push(node);
    }
    let voters: BTreeSet<NodeId> = nodes.iter().map(|node| node.id).collect();
    nodes[0].group().set_voters(voters.clone()).await.unwrap();
    agree(&nodes, 3_001).await;
    assert!(nodes[1].kept.lock().unwrap().is_some(), "the new member took the image in");
    let status = nodes[2].group().wait_for(PATIENCE, |status| status.voters == voters).await.unwrap();
    assert_eq!(status.leader, Some(NodeId(1)));
    nodes[0].group().transfer_leadership(NodeId(2)).await.unwrap();
    nodes[2].group().wait_for(PATIENCE, |status| status.leader == Some(NodeId(2))).await.unwrap();
    propose(&nodes, b"under the new leader").await;
    agree(&nodes, 3_002).await;
}
