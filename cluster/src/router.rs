//! Finds the node that leads a shard and asks it, wherever it is, until there is an answer or no time left.

use crate::ask::{self, Ask, Members, Read};
use crate::clock::Clock;
use crate::directory::{Change, Directory, DirectoryMachine, registry_parcel};
use crate::fault::ServeFault;
use crate::steward::Plan;
use crate::teller::Teller;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use fen_api::batches::{ENTRIES_MAX, entry_message};
use fen_api::{records, wire};
use fen_book::batches::{BatchEntry, Batches};
use fen_net::{Lane, Links, NetFault, NodeId};
use fen_raft::{Group, GroupFault, GroupId, Parcel, Serve};
use prost::Message;
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Between two attempts while nobody leads.
const PAUSE: Duration = Duration::from_millis(5);
/// A member that has heard from the leader so lately answers at once.
const HEARD_LATELY: Duration = Duration::from_secs(1);
/// How long a member tries to hear from the leader.
const HEARING: Duration = Duration::from_millis(500);
/// How long a shard's leader without room on its disk has to hand over, where the shard has other members.
const ROOM_PATIENCE: Duration = Duration::from_secs(2);
/// How long a peer may take before another one is asked.
const PEER_PATIENCE: Duration = Duration::from_secs(1);
/// How often whoever waits for a leader's answer looks whether it still leads.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// The same for what looks at all of a large book.
const LONG_PATIENCE: Duration = Duration::from_mins(1);

/// See the module. Cheap to clone.
#[derive(Clone)]
pub struct Router {
    node: NodeId,
    links: Links,
    directory: watch::Receiver<Arc<Directory>>,
    tellers: Arc<RwLock<HashMap<GroupId, Teller>>>,
    directory_group: Arc<RwLock<Option<Group<DirectoryMachine>>>>,
    plan: Arc<Mutex<Plan>>,
    /// Stamps what goes into the registry of files.
    clock: Arc<dyn Clock>,
    /// When this node last had all of a shard.
    heard: Arc<Mutex<HashMap<GroupId, Instant>>>,
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
    pub fn new(
        node: NodeId,
        links: Links,
        directory: watch::Receiver<Arc<Directory>>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            node,
            links,
            directory,
            tellers: Arc::default(),
            directory_group: Arc::default(),
            plan: Arc::default(),
            clock,
            heard: Arc::default(),
        }
    }

    /// This node.
    pub(crate) fn node(&self) -> NodeId {
        self.node
    }

    /// The directory as this node has it.
    pub fn directory(&self) -> Arc<Directory> {
        self.directory.borrow().clone()
    }

    /// The directory's changes, as this node sees them.
    pub(crate) fn directory_changes(&self) -> watch::Receiver<Arc<Directory>> {
        self.directory.clone()
    }

    /// What the directory's leader on this node is about to do; filled by the [`steward`](crate::steward).
    pub(crate) fn plan(&self) -> Arc<Mutex<Plan>> {
        self.plan.clone()
    }

    /// Waits until the directory, as this node has it, is as wanted; `false` where it is not in time.
    pub async fn directory_becomes(&self, wanted: impl Fn(&Directory) -> bool, deadline: Instant) -> bool {
        let mut changes = self.directory.clone();
        let waiting = changes.wait_for(|directory| wanted(directory));
        tokio::time::timeout_at(deadline, waiting).await.is_ok_and(|seen| seen.is_ok())
    }

    /// A shard is not served on this node any more; its log and its books stay where they are.
    pub fn remove(&self, group: GroupId) -> Option<Teller> {
        self.tellers.write().unwrap_or_else(PoisonError::into_inner).remove(&group)
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
        let reason = self.ask_directory(&Ask::Change(change.encode()), deadline).await?;
        refusal(&reason)
    }

    /// Asks the directory's leader, wherever it is.
    pub(crate) async fn ask_directory(&self, question: &Ask, deadline: Instant) -> Result<Bytes, ServeFault> {
        loop {
            let fault = match self.serve_directory(question.clone()).await {
                Err(GroupFault::NotLeader { leader: Some((node, peer)) }) if node != self.node => {
                    let link = self.links.link(node, &peer.address, Lane::Forward);
                    let bytes = question.encode();
                    match fen_raft::forward(&link, GroupId::DIRECTORY, bytes, PEER_PATIENCE).await {
                        Ok(answer) => match ask::decode_answer(answer) {
                            Ok(answer) => return Ok(answer),
                            Err(fault) => fault,
                        },
                        Err(fault) => ServeFault::Unavailable(fault.to_string()),
                    }
                }
                Ok(answer) => return Ok(answer),
                Err(fault) => fault.into(),
            };
            if let ServeFault::Refused(_) | ServeFault::NoRoom(_) = fault {
                return Err(fault);
            }
            if Instant::now() + PAUSE >= deadline {
                return Err(match fault {
                    ServeFault::NotLeader(_) => {
                        ServeFault::Unavailable("nobody leads the directory at the moment".to_owned())
                    }
                    ServeFault::Busy
                    | ServeFault::NoRoom(_)
                    | ServeFault::Refused(_)
                    | ServeFault::Unavailable(_) => fault,
                });
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Serves a question to the directory, if this node leads it.
    async fn serve_directory(&self, question: Ask) -> Result<Bytes, GroupFault> {
        let group = self.directory_group().ok_or(GroupFault::NotLeader { leader: None })?;
        match question {
            Ask::Change(change) => Ok(group.propose(Parcel { stamp: 0, body: change }).await?.0),
            Ask::Batch(order) => Ok(group.propose(registry_parcel(self.clock.now(), &order)).await?.0),
            Ask::Batches(query) => {
                let listed = group.read(move |machine| list(machine.batches(), &query)).await?;
                Ok(Bytes::from(listed.encode_to_vec()))
            }
            Ask::Plan => {
                // Only the leader has a plan; asking for it finds out who that is.
                group.read_index().await?;
                let directory = self.directory();
                let steps = self.plan.lock().unwrap_or_else(PoisonError::into_inner).steps(&directory);
                Ok(Bytes::from(wire::PlanReply { steps }.encode_to_vec()))
            }
            Ask::Members(Members::HandOver(to)) => {
                group.read_index().await?;
                let to = to.ids.first().copied().map(NodeId);
                let to = to.filter(|to| group.status().voters.contains(to)).ok_or_else(|| {
                    GroupFault::Refused("the directory has no such voter to hand over to".to_owned())
                })?;
                group.transfer_leadership(to).await?;
                Ok(Bytes::new())
            }
            Ask::Submit(_)
            | Ask::Cross(_)
            | Ask::ReadIndex
            | Ask::Read(_)
            | Ask::Near(_)
            | Ask::Members(
                Members::Standing | Members::Invite(_) | Members::Voters(_) | Members::Dismiss(_),
            ) => Err(GroupFault::Refused("the directory is no shard".to_owned())),
        }
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
        let hands_over_until = Instant::now() + ROOM_PATIENCE;
        loop {
            let target = hint.take().unwrap_or_else(|| self.next_holder(group, &mut turn));
            let asking = tokio::time::timeout_at(deadline, self.ask_leader(target, group, question));
            let fault = match asking.await {
                Ok(Ok(bytes)) => return Ok(Answered { bytes, leader: target }),
                Ok(Err(fault)) => fault,
                Err(_elapsed) => ServeFault::Unavailable("no answer in time".to_owned()),
            };
            let pause = match &fault {
                ServeFault::NoRoom(_) if self.is_shared(group) && Instant::now() < hands_over_until => PAUSE,
                ServeFault::Busy | ServeFault::NoRoom(_) | ServeFault::Refused(_) => return Err(fault),
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
                    ServeFault::Busy
                    | ServeFault::NoRoom(_)
                    | ServeFault::Refused(_)
                    | ServeFault::Unavailable(_) => fault,
                });
            }
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
        }
    }

    /// Asks any member of a shard, this node first: the answer, and how old it is at most, in milliseconds.
    pub async fn near(
        &self,
        group: GroupId,
        question: &Read,
        deadline: Instant,
    ) -> Result<(Bytes, u64), ServeFault> {
        let question = Ask::Near(question.clone());
        let mut turn = 0_usize;
        loop {
            let target = self.next_holder(group, &mut turn);
            let asking = tokio::time::timeout_at(deadline, self.ask_node(target, group, &question));
            let fault = match asking.await {
                Ok(Ok(mut answer)) if answer.len() >= 8 => {
                    let age = answer.get_u64_le();
                    return Ok((answer, age));
                }
                Ok(Ok(_short)) => ServeFault::Unavailable("a peer's answer cannot be read".to_owned()),
                Ok(Err(fault)) => fault,
                Err(_elapsed) => ServeFault::Unavailable("no answer in time".to_owned()),
            };
            if matches!(fault, ServeFault::Busy | ServeFault::Refused(_))
                || Instant::now() + PAUSE >= deadline
            {
                return Err(fault);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Asks one member of a shard to look into its own books, however long that takes.
    pub(crate) async fn ask_member(
        &self,
        member: NodeId,
        group: GroupId,
        question: &Read,
        deadline: Instant,
    ) -> Result<Bytes, ServeFault> {
        let question = Ask::Near(question.clone());
        let patience = deadline.saturating_duration_since(Instant::now());
        let asking = self.ask_node_within(member, group, &question, patience);
        let late = |_elapsed| ServeFault::Unavailable(format!("{member}: no answer in time"));
        let mut answer = tokio::time::timeout_at(deadline, asking).await.map_err(late)??;
        if answer.len() < 8 {
            return Err(ServeFault::Unavailable(format!("{member}: its answer cannot be read")));
        }
        answer.advance(8);
        Ok(answer)
    }

    /// Serves a question on this node; a member's answer bears its age.
    async fn serve_here(&self, group: GroupId, question: Ask) -> Result<Bytes, ServeFault> {
        let teller = self.teller(group).ok_or(ServeFault::NotLeader(None))?;
        if !matches!(question, Ask::Near(_)) {
            return teller.serve(question).await;
        }
        let heard = self.heard(group, &teller).await?;
        let answer = teller.serve(question).await?;
        let age = u64::try_from(heard.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut aged = BytesMut::with_capacity(8 + answer.len());
        aged.put_u64_le(age);
        aged.put_slice(&answer);
        Ok(aged.freeze())
    }

    /// A moment of which this member has all that had been answered by then. Asked of the leader where the last one
    /// is some time ago; where nobody leads, the last one there is.
    async fn heard(&self, group: GroupId, teller: &Teller) -> Result<Instant, ServeFault> {
        let known = || self.heard.lock().unwrap_or_else(PoisonError::into_inner).get(&group).copied();
        if let Some(heard) = known().filter(|heard| heard.elapsed() < HEARD_LATELY) {
            return Ok(heard);
        }
        let begun = Instant::now();
        let caught_up = async {
            let answered = self.ask(group, &Ask::ReadIndex, begun + HEARING).await?;
            let index = <[u8; 8]>::try_from(&answered.bytes[..]).map_or(u64::MAX, u64::from_le_bytes);
            let applied = |status: &fen_raft::GroupStatus| {
                index == 0 || status.applied.is_some_and(|place| place.index >= index)
            };
            teller.group().wait_for(HEARING, applied).await?;
            Ok::<(), ServeFault>(())
        };
        match caught_up.await {
            Ok(()) => {
                self.heard.lock().unwrap_or_else(PoisonError::into_inner).insert(group, begun);
                Ok(begun)
            }
            Err(_nobody) => known().ok_or_else(|| {
                ServeFault::Unavailable("this member has not heard from a leader yet".to_owned())
            }),
        }
    }

    /// Whether a shard has more than one member.
    fn is_shared(&self, group: GroupId) -> bool {
        let directory = self.directory();
        directory.shards.iter().any(|shard| shard.group == group.0 && shard.holders.len() > 1)
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

    /// Asks a node that should lead, for as long as this node knows of no later leader: a leader with much to do is
    /// not asked twice for the same, which would give it more.
    async fn ask_leader(&self, target: NodeId, group: GroupId, question: &Ask) -> Result<Bytes, ServeFault> {
        let Some(teller) = self.teller(group) else { return self.ask_node(target, group, question).await };
        let term = teller.group().status().term;
        let later_leader = async {
            loop {
                tokio::time::sleep(LOOK_EVERY).await;
                let now = teller.group().status();
                let leader = now.leader.filter(|leader| *leader != target && now.term > term);
                if let Some(leader) = leader {
                    return leader;
                }
            }
        };
        tokio::select! {
            answer = self.ask_node_within(target, group, question, LONG_PATIENCE) => answer,
            leader = later_leader => Err(ServeFault::NotLeader(Some(leader))),
        }
    }

    async fn ask_node(&self, target: NodeId, group: GroupId, question: &Ask) -> Result<Bytes, ServeFault> {
        let takes_long = matches!(question, Ask::Read(read) | Ask::Near(read) if read.takes_long());
        let patience = if takes_long { LONG_PATIENCE } else { PEER_PATIENCE };
        self.ask_node_within(target, group, question, patience).await
    }

    async fn ask_node_within(
        &self,
        target: NodeId,
        group: GroupId,
        question: &Ask,
        patience: Duration,
    ) -> Result<Bytes, ServeFault> {
        if target == self.node {
            // Boxed: a member's read asks the leader in its turn.
            return Box::pin(self.serve_here(group, question.clone())).await;
        }
        let directory = self.directory();
        let entry = directory.node(target).ok_or(ServeFault::NotLeader(None))?;
        let link = self.links.link(target, &entry.peer_address, Lane::Forward);
        match fen_raft::forward(&link, group, question.encode(), patience).await {
            Ok(answer) => ask::decode_answer(answer),
            Err(NetFault::Refused(reason)) if reason == "busy" => Err(ServeFault::Busy),
            Err(fault) => Err(ServeFault::Unavailable(fault.to_string())),
        }
    }
}

/// Files of the registry that a query asks for.
fn list(batches: &Batches, query: &wire::BatchQuery) -> wire::BatchList {
    let is_asked_for =
        |entry: &&BatchEntry| query.message_id.is_empty() || query.message_id == entry.file.message_id;
    let most = usize::try_from(query.limit.min(ENTRIES_MAX)).unwrap_or(0);
    let found = batches.after(records::wide(query.after)).filter(is_asked_for).take(most);
    wire::BatchList { entries: found.map(entry_message).collect(), business_date: None }
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
        let router = self.clone();
        Box::pin(async move {
            let answer = match Ask::decode(request) {
                Err(reason) => Err(ServeFault::Refused(reason)),
                Ok(question) if group == GroupId::DIRECTORY => {
                    router.serve_directory(question).await.map_err(ServeFault::from)
                }
                Ok(question) => router.serve_here(group, question).await,
            };
            Ok(ask::encode_answer(&answer))
        })
    }
}
