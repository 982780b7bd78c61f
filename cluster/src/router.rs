//! Finds the node that leads a shard and asks it, wherever it is, until there is an answer or no time left.

use crate::ask::{self, Ask};
use crate::directory::{Change, Directory, DirectoryMachine};
use crate::fault::ServeFault;
use crate::teller::Teller;
use bytes::Bytes;
use fen_net::{Lane, Links, NetFault, NodeId};
use fen_raft::{Group, GroupFault, GroupId, Parcel, Serve};
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Between two attempts while nobody leads.
const PAUSE: Duration = Duration::from_millis(5);
/// How long a peer may take before another one is asked.
const PEER_PATIENCE: Duration = Duration::from_secs(1);

/// See the module. Cheap to clone.
#[derive(Clone)]
pub struct Router {
    node: NodeId,
    links: Links,
    directory: watch::Receiver<Arc<Directory>>,
    tellers: Arc<RwLock<HashMap<GroupId, Teller>>>,
    directory_group: Arc<RwLock<Option<Group<DirectoryMachine>>>>,
}

/// An answer, and who gave it.
pub struct Answered {
    /// As [`Ask`] says.
    pub bytes: Bytes,
    /// The shard's leader.
    pub leader: NodeId,
}

impl Router {
    /// For a node that sees the cluster through `directory`.
    pub fn new(node: NodeId, links: Links, directory: watch::Receiver<Arc<Directory>>) -> Self {
        Self { node, links, directory, tellers: Arc::default(), directory_group: Arc::default() }
    }

    /// The directory as this node has it.
    pub fn directory(&self) -> Arc<Directory> {
        self.directory.borrow().clone()
    }

    /// A shard is served on this node from now on.
    pub fn add(&self, group: GroupId, teller: Teller) {
        self.tellers.write().unwrap_or_else(PoisonError::into_inner).insert(group, teller);
    }

    /// The teller of a shard, if this node holds it.
    pub fn teller(&self, group: GroupId) -> Option<Teller> {
        self.tellers.read().unwrap_or_else(PoisonError::into_inner).get(&group).cloned()
    }

    /// The directory's group runs on this node from now on.
    pub fn set_directory_group(&self, group: Group<DirectoryMachine>) {
        *self.directory_group.write().unwrap_or_else(PoisonError::into_inner) = Some(group);
    }

    /// The directory's group on this node, while it runs.
    pub fn directory_group(&self) -> Option<Group<DirectoryMachine>> {
        self.directory_group.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Stops all groups of this node.
    pub async fn close(&self) {
        let tellers = std::mem::take(&mut *self.tellers.write().unwrap_or_else(PoisonError::into_inner));
        for teller in tellers.into_values() {
            teller.group().stop().await;
        }
        let directory = self.directory_group.write().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(directory) = directory {
            directory.stop().await;
        }
    }

    /// Changes the directory, wherever its leader is.
    pub async fn change(&self, change: &Change, deadline: Instant) -> Result<(), ServeFault> {
        loop {
            let fault = match self.change_here(change.encode()).await {
                Err(GroupFault::NotLeader { leader: Some((node, peer)) }) if node != self.node => {
                    let link = self.links.link(node, &peer.address, Lane::Forward);
                    let question = Ask::Change(change.encode()).encode();
                    match fen_raft::forward(&link, GroupId::DIRECTORY, question, PEER_PATIENCE).await {
                        Ok(answer) => match ask::decode_answer(answer) {
                            Ok(reason) => return refusal(&reason),
                            Err(fault) => fault,
                        },
                        Err(fault) => ServeFault::Unavailable(fault.to_string()),
                    }
                }
                Ok(reason) => return refusal(&reason),
                Err(fault) => fault.into(),
            };
            if let ServeFault::Refused(_) = fault {
                return Err(fault);
            }
            if Instant::now() + PAUSE >= deadline {
                return Err(fault);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn change_here(&self, change: Bytes) -> Result<Bytes, GroupFault> {
        let group = self.directory_group().ok_or(GroupFault::NotLeader { leader: None })?;
        Ok(group.propose(Parcel { stamp: 0, body: change }).await?.0)
    }

    /// All tellers of this node.
    pub fn tellers(&self) -> Vec<Teller> {
        self.tellers.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Asks a shard's leader. Asked again where a leader was lost on the way: commands bear ids, so nothing is done
    /// twice.
    pub async fn ask(
        &self,
        group: GroupId,
        question: &Ask,
        deadline: Instant,
    ) -> Result<Answered, ServeFault> {
        let mut hint = None;
        let mut turn = 0_usize;
        loop {
            let target = hint.take().unwrap_or_else(|| self.next_holder(group, &mut turn));
            let asking = tokio::time::timeout_at(deadline, self.ask_node(target, group, question));
            let fault = match asking.await {
                Ok(Ok(bytes)) => return Ok(Answered { bytes, leader: target }),
                Ok(Err(fault)) => fault,
                Err(_elapsed) => ServeFault::Unavailable("no answer in time".to_owned()),
            };
            let pause = match &fault {
                ServeFault::Busy | ServeFault::Refused(_) => return Err(fault),
                ServeFault::NotLeader(Some(leader)) if *leader != target => {
                    hint = Some(*leader);
                    Duration::ZERO
                }
                ServeFault::NotLeader(_) | ServeFault::Unavailable(_) => PAUSE,
            };
            if Instant::now() + pause >= deadline {
                return Err(match fault {
                    ServeFault::NotLeader(_) => {
                        ServeFault::Unavailable("nobody leads this shard at the moment".to_owned())
                    }
                    ServeFault::Busy | ServeFault::Refused(_) | ServeFault::Unavailable(_) => fault,
                });
            }
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
        }
    }

    /// This node first, if it holds the shard; then the others in turn.
    fn next_holder(&self, group: GroupId, turn: &mut usize) -> NodeId {
        let directory = self.directory();
        let shard = directory.shards.iter().find(|shard| shard.group == group.0);
        let holders = shard.map_or(&[][..], |shard| &shard.holders);
        let own = holders.iter().position(|holder| *holder == self.node.0).unwrap_or(0);
        let holder = holders.get((own + *turn) % holders.len().max(1)).copied();
        *turn += 1;
        holder.map_or(self.node, NodeId)
    }

    async fn ask_node(&self, target: NodeId, group: GroupId, question: &Ask) -> Result<Bytes, ServeFault> {
        if target == self.node {
            let teller = self.teller(group).ok_or(ServeFault::NotLeader(None))?;
            return teller.serve(question.clone()).await;
        }
        let directory = self.directory();
        let entry = directory.node(target).ok_or(ServeFault::NotLeader(None))?;
        let link = self.links.link(target, &entry.peer_address, Lane::Forward);
        match fen_raft::forward(&link, group, question.encode(), PEER_PATIENCE).await {
            Ok(answer) => ask::decode_answer(answer),
            Err(NetFault::Refused(reason)) if reason == "busy" => Err(ServeFault::Busy),
            Err(fault) => Err(ServeFault::Unavailable(fault.to_string())),
        }
    }
}

fn refusal(reason: &Bytes) -> Result<(), ServeFault> {
    if reason.is_empty() {
        return Ok(());
    }
    Err(ServeFault::Refused(String::from_utf8_lossy(reason).into_owned()))
}

impl Serve for Router {
    /// For peers: answered here or not at all, so that no question goes round in circles.
    fn serve(
        &self,
        group: GroupId,
        request: Bytes,
    ) -> Pin<Box<dyn Future<Output = Result<Bytes, String>> + Send>> {
        let (router, teller) = (self.clone(), self.teller(group));
        Box::pin(async move {
            let answer = match (Ask::decode(request), teller) {
                (Err(reason), _) => Err(ServeFault::Refused(reason)),
                (Ok(Ask::Change(change)), _) if group == GroupId::DIRECTORY => {
                    router.change_here(change).await.map_err(ServeFault::from)
                }
                (Ok(_), None) => Err(ServeFault::NotLeader(None)),
                (Ok(question), Some(teller)) => teller.serve(question).await,
            };
            Ok(ask::encode_answer(&answer))
        })
    }
}
