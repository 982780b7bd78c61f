//! The side of the replication that listens: hands each frame to its group.

use crate::adapter::{Snapshot, SnapshotMeta};
use crate::codec::{self, Ink, Reader};
use crate::group::Group;
use crate::machine::{ImageContent, Machine};
use crate::network::{self, kind};
use crate::words::{GroupId, Types, Vote};
use bytes::Bytes;
use fen_net::{Body, Frame, Hello, Kind, Outbox, Receive, Session};
use fen_store::disk::{Disk, File};
use futures_util::{StreamExt, stream};
use openraft::raft::AppendEntriesRequest;
use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::{Semaphore, mpsc};

/// Requests of one stream that wait for the group.
const STREAM_REQUESTS_MAX: usize = 32;
/// Streams and images that one connection may have open.
const EXCHANGES_MAX: usize = 256;
/// Clients' requests that peers may have under way here.
const FORWARDED_MAX: usize = 1_024;
/// The largest image taken in.
const IMAGE_BYTES_MAX: u64 = 1 << 40;

type Future_<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What peers may ask of a group, whatever its machine.
trait Member: Send + Sync {
    fn append(&self, requests: mpsc::Receiver<AppendEntriesRequest<Types>>, reply: Reply) -> Future_<'_, ()>;
    fn answer(&self, what: Kind, message: Bytes) -> Future_<'_, io::Result<Body>>;
    fn install(&self, vote: Vote, snapshot: Snapshot) -> Future_<'_, io::Result<Vote>>;
}

/// Serves requests that peers pass on for their clients.
pub trait Serve: Send + Sync + 'static {
    /// The answer's bytes, or the reason why there is none.
    fn serve(
        &self,
        group: GroupId,
        request: Bytes,
    ) -> Pin<Box<dyn Future<Output = Result<Bytes, String>> + Send>>;
}

/// Sends clients' requests on to the node that leads their group.
pub async fn forward(
    link: &fen_net::Link,
    group: GroupId,
    request: Bytes,
    patience: std::time::Duration,
) -> Result<Bytes, fen_net::NetFault> {
    link.call(kind::FORWARD, group.0, Body::from(request), patience).await
}

/// All groups of a node, as its peers find them.
#[derive(Clone)]
pub struct Groups {
    members: Arc<RwLock<HashMap<GroupId, Arc<dyn Member>>>>,
    serve: Arc<dyn Serve>,
    forwarded: Arc<Semaphore>,
    spool: Arc<Spool>,
}

impl Groups {
    /// None yet. Images that peers send are spooled into `directory` of the disk.
    pub fn new(disk: Arc<dyn Disk>, directory: PathBuf, serve: Arc<dyn Serve>) -> io::Result<Self> {
        let spool = Spool { disk, directory, next: AtomicU64::new(0) };
        spool.clear()?;
        let forwarded = Arc::new(Semaphore::new(FORWARDED_MAX));
        Ok(Self { members: Arc::default(), serve, forwarded, spool: Arc::new(spool) })
    }

    /// From now on peers reach this group.
    pub fn add<M: Machine>(&self, group: Group<M>) {
        let mut members = self.members.write().unwrap_or_else(PoisonError::into_inner);
        members.insert(group.id(), Arc::new(group));
    }

    /// From now on they don't.
    pub fn remove(&self, group: GroupId) {
        self.members.write().unwrap_or_else(PoisonError::into_inner).remove(&group);
    }

    fn member(&self, group: u32) -> Option<Arc<dyn Member>> {
        self.members.read().unwrap_or_else(PoisonError::into_inner).get(&GroupId(group)).cloned()
    }
}

impl Receive for Groups {
    fn open(&self, _hello: &Hello, outbox: Outbox) -> Box<dyn Session> {
        Box::new(Conversation {
            groups: self.clone(),
            outbox,
            streams: HashMap::new(),
            images: HashMap::new(),
        })
    }
}

/// Where a request's answers go.
#[derive(Clone)]
struct Reply {
    outbox: Outbox,
    group: u32,
    id: u64,
}

impl Reply {
    async fn send(&self, what: Kind, body: Body) -> bool {
        self.outbox.send(Frame { kind: what, group: self.group, id: self.id, body }).await
    }
    async fn fail(&self, reason: &str) {
        self.outbox.fail(self.group, self.id, reason).await;
    }
}

/// One connection.
struct Conversation {
    groups: Groups,
    outbox: Outbox,
    streams: HashMap<u64, mpsc::Sender<AppendEntriesRequest<Types>>>,
    images: HashMap<u64, Incoming>,
}

impl Session for Conversation {
    fn receive<'a>(&'a mut self, frame: Frame) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(async move {
            let reply = Reply { outbox: self.outbox.clone(), group: frame.group, id: frame.id };
            if let Err(error) = self.take(frame, reply.clone()).await {
                reply.fail(&error.to_string()).await;
            }
        })
    }
}

impl Conversation {
    async fn take(&mut self, frame: Frame, reply: Reply) -> io::Result<()> {
        let (what, group, message) = (frame.kind, frame.group, frame.body.into_bytes());
        match what {
            Kind::END => {
                self.streams.remove(&reply.id);
                self.images.remove(&reply.id);
            }
            kind::FORWARD => self.forward(GroupId(group), message, reply),
            kind::APPEND => self.append(self.member(group)?, message, reply).await?,
            kind::IMAGE_BEGIN => {
                if self.images.len() >= EXCHANGES_MAX {
                    return Err(io::Error::other("too many images at once"));
                }
                self.images.insert(reply.id, self.groups.spool.begin(message)?);
            }
            kind::IMAGE_PIECE => {
                let incoming =
                    self.images.get_mut(&reply.id).ok_or_else(|| codec::garbled("a lost piece"))?;
                incoming.piece(message)?;
            }
            kind::IMAGE_END => {
                let incoming = self.images.remove(&reply.id).ok_or_else(|| codec::garbled("a lost end"))?;
                let (vote, snapshot) = incoming.finish()?;
                let vote = self.member(group)?.install(vote, snapshot).await?;
                reply.send(what, Body::from(Ink::default().vote(&vote).done())).await;
            }
            _request => {
                // Answered beside the connection: a vote waits for the disk, and others must not wait for it.
                let member = self.member(group)?;
                tokio::spawn(async move {
                    match member.answer(what, message).await {
                        Ok(body) => drop(reply.send(what, body).await),
                        Err(error) => reply.fail(&error.to_string()).await,
                    }
                });
            }
        }
        Ok(())
    }

    fn member(&self, group: u32) -> io::Result<Arc<dyn Member>> {
        let unknown =
            || io::Error::new(io::ErrorKind::NotFound, format!("group {group} is not on this node"));
        self.groups.member(group).ok_or_else(unknown)
    }

    async fn append(&mut self, member: Arc<dyn Member>, message: Bytes, reply: Reply) -> io::Result<()> {
        let request = codec::read_append_request(message)?;
        let id = reply.id;
        if !self.streams.contains_key(&id) {
            self.streams.retain(|_, requests| !requests.is_closed());
            if self.streams.len() >= EXCHANGES_MAX {
                return Err(io::Error::other("too many streams at once"));
            }
            let (requests, queue) = mpsc::channel(STREAM_REQUESTS_MAX);
            self.streams.insert(id, requests);
            tokio::spawn(async move { member.append(queue, reply).await });
        }
        if let Some(requests) = self.streams.get(&id) {
            // A stream that has ended with an error drops what the leader had already sent.
            let _dropped = requests.send(request).await;
        }
        Ok(())
    }

    fn forward(&self, group: GroupId, message: Bytes, reply: Reply) {
        let Ok(place) = self.groups.forwarded.clone().try_acquire_owned() else {
            tokio::spawn(async move { reply.fail("busy").await });
            return;
        };
        let serving = self.groups.serve.serve(group, message);
        tokio::spawn(async move {
            match serving.await {
                Ok(answer) => drop(reply.send(kind::FORWARD, Body::from(answer)).await),
                Err(reason) => reply.fail(&reason).await,
            }
            drop(place);
        });
    }
}

impl<M: Machine> Member for Group<M> {
    fn append(&self, requests: mpsc::Receiver<AppendEntriesRequest<Types>>, reply: Reply) -> Future_<'_, ()> {
        Box::pin(async move {
            let input = stream::unfold(requests, |mut requests| async move {
                let request = requests.recv().await?;
                Some((request, requests))
            });
            let mut results = pin!(self.raft().stream_append(input));
            while let Some(result) = results.next().await {
                match result {
                    Ok(result) => {
                        if !reply.send(kind::APPEND, codec::append_result(&result)).await {
                            return;
                        }
                    }
                    Err(fatal) => return reply.fail(&fatal.to_string()).await,
                }
            }
        })
    }

    fn answer(&self, what: Kind, message: Bytes) -> Future_<'_, io::Result<Body>> {
        Box::pin(async move {
            match what {
                kind::VOTE => {
                    let request = codec::read_vote_request(message)?;
                    let response = self.raft().vote(request).await.map_err(io::Error::other)?;
                    Ok(codec::vote_response(&response))
                }
                kind::PRE_VOTE => {
                    let request = codec::read_vote_request(message)?;
                    let response = self.raft().pre_vote(request).await.map_err(io::Error::other)?;
                    Ok(codec::vote_response(&response))
                }
                kind::TRANSFER => {
                    let request = codec::read_transfer_request(message)?;
                    let response = self.raft().handle_transfer_leader(request).await;
                    Ok(network::transfer_response(&response.map_err(io::Error::other)?))
                }
                _unknown => Err(codec::garbled("a request of unknown kind")),
            }
        })
    }

    fn install(&self, vote: Vote, snapshot: Snapshot) -> Future_<'_, io::Result<Vote>> {
        Box::pin(async move {
            let response = self.raft().install_full_snapshot(vote, snapshot).await;
            Ok(response.map_err(io::Error::other)?.vote)
        })
    }
}

/// Where images lie while they come in.
struct Spool {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    next: AtomicU64,
}

impl Spool {
    /// What was left half-way by an earlier run is of no use.
    fn clear(&self) -> io::Result<()> {
        self.disk.create_dir(&self.directory)?;
        for name in self.disk.list(&self.directory)? {
            self.disk.remove(&self.directory.join(name))?;
        }
        Ok(())
    }

    fn begin(&self, message: Bytes) -> io::Result<Incoming> {
        let mut reader = Reader(message);
        let (vote, last_log_id) = (reader.vote()?, reader.maybe()?);
        let (last_membership, size) = (reader.stored_membership()?, reader.u64()?);
        reader.end()?;
        if size > IMAGE_BYTES_MAX {
            return Err(codec::garbled("an image of impossible size"));
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let path = self.directory.join(format!("incoming-{number}"));
        let file = self.disk.create(&path)?;
        let spooled = Spooled { file, size, disk: self.disk.clone(), path };
        Ok(Incoming { vote, meta: SnapshotMeta { last_log_id, last_membership }, spooled, received: 0 })
    }
}

/// An image on its way in.
struct Incoming {
    vote: Vote,
    meta: SnapshotMeta,
    spooled: Spooled,
    received: u64,
}

impl Incoming {
    fn piece(&mut self, message: Bytes) -> io::Result<()> {
        let mut reader = Reader(message);
        let offset = reader.u64()?;
        let bytes = reader.0;
        if offset != self.received || offset + bytes.len() as u64 > self.spooled.size {
            return Err(codec::garbled("a piece out of place"));
        }
        self.spooled.file.write_at(&bytes, offset)?;
        self.received += bytes.len() as u64;
        Ok(())
    }

    fn finish(self) -> io::Result<(Vote, Snapshot)> {
        if self.received != self.spooled.size {
            return Err(codec::garbled("an image with its end missing"));
        }
        let content: Arc<dyn ImageContent> = Arc::new(self.spooled);
        Ok((self.vote, Snapshot { meta: self.meta, snapshot: content }))
    }
}

/// An image in a file that goes away with it.
struct Spooled {
    file: Arc<dyn File>,
    size: u64,
    disk: Arc<dyn Disk>,
    path: PathBuf,
}

impl ImageContent for Spooled {
    fn size(&self) -> u64 {
        self.size
    }
    fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_at(buffer, offset)
    }
}

impl Drop for Spooled {
    fn drop(&mut self) {
        // What cannot be removed now goes at the next start.
        let _left = self.disk.remove(&self.path);
    }
}
