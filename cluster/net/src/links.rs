//! The side that calls: one connection for each peer and lane, made when it is needed, made anew when it breaks.
//!
//! Nothing is sent twice from here. When a connection breaks, every call under way on it fails, and its caller
//! decides. While a peer cannot be reached, calls to it fail at once, but for one attempt each back-off.

use crate::connection::{GREETING_SECONDS_MAX, QUEUE_FRAMES_MAX, write_all};
use crate::frame::{self, Body, Frame, Kind, Lane};
use crate::hello::{self, Hello};
use crate::wire::{Pipe, Tcp, Wire};
use crate::{ClusterId, NetFault, NodeId, Security, node_name};
use bytes::Bytes;
use rustls::pki_types::ServerName;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Answers that may wait for one asker. A peer that sends more than was asked for loses the connection.
const ANSWERS_MAX: usize = 1_024;
const BACK_OFF_FIRST: Duration = Duration::from_millis(20);
const BACK_OFF_LONGEST: Duration = Duration::from_millis(500);

type Waiting = Arc<Mutex<HashMap<u64, mpsc::Sender<Frame>>>>;

/// All of a node's connections to its peers.
#[derive(Clone)]
pub struct Links {
    shared: Arc<Shared>,
}

struct Shared {
    cluster: ClusterId,
    own: NodeId,
    security: Security,
    wire: Arc<dyn Wire>,
    links: Mutex<HashMap<(NodeId, String, Lane), Link>>,
}

impl Links {
    /// For a node that speaks as `own`, over TCP.
    pub fn new(cluster: ClusterId, own: NodeId, security: Security) -> Self {
        Self::over(Arc::new(Tcp), cluster, own, security)
    }

    /// The same over any wire.
    pub fn over(wire: Arc<dyn Wire>, cluster: ClusterId, own: NodeId, security: Security) -> Self {
        Self { shared: Arc::new(Shared { cluster, own, security, wire, links: Mutex::default() }) }
    }

    /// The connection to a peer; not dialled before something is sent.
    pub fn link(&self, to: NodeId, address: &str, lane: Lane) -> Link {
        let mut links = self.shared.links.lock().unwrap_or_else(PoisonError::into_inner);
        let link = links.entry((to, address.to_owned(), lane)).or_insert_with(|| {
            let hello = Hello { cluster: self.shared.cluster, from: self.shared.own, to, lane };
            Link::start(hello, address.to_owned(), self.shared.security.clone(), self.shared.wire.clone())
        });
        link.clone()
    }
}

/// One connection, shared by all who speak on its lane.
#[derive(Clone)]
pub struct Link {
    queue: mpsc::Sender<Frame>,
    waiting: Waiting,
    next_id: Arc<AtomicU64>,
    address: Arc<str>,
}

impl Link {
    fn start(hello: Hello, address: String, security: Security, wire: Arc<dyn Wire>) -> Self {
        let (queue, frames) = mpsc::channel(QUEUE_FRAMES_MAX);
        let waiting = Waiting::default();
        let address: Arc<str> = address.into();
        let dialler = Dialler { hello, address: address.clone(), security, wire, waiting: waiting.clone() };
        tokio::spawn(dialler.run(frames));
        Self { queue, waiting, next_id: Arc::new(AtomicU64::new(1)), address }
    }

    /// Begins an exchange of frames under an id of its own.
    pub fn open(&self) -> Call {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let (sender, answers) = mpsc::channel(ANSWERS_MAX);
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(id, sender);
        Call { link: self.clone(), id, answers, ends: false }
    }

    /// One question, one answer.
    pub async fn call(
        &self,
        kind: Kind,
        group: u32,
        body: Body,
        patience: Duration,
    ) -> Result<Bytes, NetFault> {
        let mut call = self.open();
        let exchange = async {
            call.send(kind, group, body).await?;
            call.next().await
        };
        let late = NetFault::Late { milliseconds: u64::try_from(patience.as_millis()).unwrap_or(u64::MAX) };
        let answer = tokio::time::timeout(patience, exchange).await.map_err(|_| late)??;
        Ok(answer.body.into_bytes())
    }

    fn gone(&self) -> NetFault {
        NetFault::Unreachable { peer: self.address.to_string(), because: "the connection is down".to_owned() }
    }
}

/// An exchange under way.
pub struct Call {
    link: Link,
    id: u64,
    answers: mpsc::Receiver<Frame>,
    ends: bool,
}

impl Call {
    /// Sends one frame; waits while the queue is full.
    pub async fn send(&self, kind: Kind, group: u32, body: Body) -> Result<(), NetFault> {
        let frame = Frame { kind, group, id: self.id, body };
        self.link.queue.send(frame).await.map_err(|_| self.link.gone())
    }

    /// The next answer.
    pub async fn next(&mut self) -> Result<Frame, NetFault> {
        let frame = self.answers.recv().await.ok_or_else(|| self.link.gone())?;
        if frame.kind == Kind::FAILED {
            let reason = frame.body.into_bytes();
            return Err(NetFault::Refused(String::from_utf8_lossy(&reason).into_owned()));
        }
        Ok(frame)
    }

    /// Tells the other side, when this is dropped, that no more answers are wanted: for exchanges that the other
    /// side keeps something for.
    pub fn announce_end(&mut self) {
        self.ends = true;
    }

    /// A sender of its own, for whoever sends while another receives.
    pub fn sender(&self) -> CallSender {
        CallSender { link: self.link.clone(), id: self.id }
    }
}

/// The sending half of a [`Call`].
#[derive(Clone)]
pub struct CallSender {
    link: Link,
    id: u64,
}

impl CallSender {
    /// As [`Call::send`].
    pub async fn send(&self, kind: Kind, group: u32, body: Body) -> Result<(), NetFault> {
        let frame = Frame { kind, group, id: self.id, body };
        self.link.queue.send(frame).await.map_err(|_| self.link.gone())
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.link.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
        if self.ends {
            // A full queue loses the end; the other side then keeps a little until the connection breaks.
            let _lost =
                self.link.queue.try_send(Frame { kind: Kind::END, group: 0, id: self.id, body: Body::EMPTY });
        }
    }
}

struct Dialler {
    hello: Hello,
    address: Arc<str>,
    security: Security,
    wire: Arc<dyn Wire>,
    waiting: Waiting,
}

impl Dialler {
    async fn run(self, mut frames: mpsc::Receiver<Frame>) {
        let mut back_off = BACK_OFF_FIRST;
        let mut not_before = Instant::now();
        while let Some(first) = frames.recv().await {
            if Instant::now() >= not_before {
                match self.dial().await {
                    Ok(pipe) => {
                        back_off = BACK_OFF_FIRST;
                        let end = self.converse(pipe, first, &mut frames).await;
                        tracing::debug!(peer = %self.address, lane = ?self.hello.lane, end, "connection ended");
                    }
                    Err(fault) => {
                        tracing::debug!(peer = %self.address, lane = ?self.hello.lane, %fault, "cannot connect");
                        back_off = (back_off * 2).min(BACK_OFF_LONGEST);
                    }
                }
                not_before = Instant::now() + back_off;
            }
            // Whoever still waits will get no answer; what is still queued was never sent.
            while frames.try_recv().is_ok() {}
            self.waiting.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }

    async fn dial(&self) -> Result<Pipe, NetFault> {
        let limit = Duration::from_secs(GREETING_SECONDS_MAX);
        let late = NetFault::Late { milliseconds: GREETING_SECONDS_MAX * 1_000 };
        let mut pipe = tokio::time::timeout(limit, self.connect()).await.map_err(|_| late)??;
        let late = NetFault::Late { milliseconds: GREETING_SECONDS_MAX * 1_000 };
        tokio::time::timeout(limit, hello::greet(&mut pipe, self.hello)).await.map_err(|_| late)??;
        Ok(pipe)
    }

    async fn connect(&self) -> Result<Pipe, NetFault> {
        let stream = self.wire.dial(&self.address).await?;
        match &self.security {
            Security::Plain => Ok(stream),
            Security::Mutual { connector, .. } => {
                let name = ServerName::try_from(node_name(self.hello.to))
                    .map_err(|error| NetFault::Security(error.to_string()))?;
                Ok(Box::new(connector.connect(name, stream).await?))
            }
        }
    }

    /// Until either half ends; says which and why.
    async fn converse(&self, pipe: Pipe, first: Frame, frames: &mut mpsc::Receiver<Frame>) -> String {
        let (mut reading, writing) = tokio::io::split(pipe);
        let (queue, mut queued) = mpsc::channel(QUEUE_FRAMES_MAX);
        let feed = async {
            let mut next = Some(first);
            while let Some(frame) = next {
                if queue.send(frame).await.is_err() {
                    return "the writer ended".to_owned();
                }
                next = frames.recv().await;
            }
            "nobody sends any more".to_owned()
        };
        let write = async {
            match write_all(writing, self.hello.lane, &mut queued).await {
                Ok(()) => "nothing more to write".to_owned(),
                Err(fault) => fault.to_string(),
            }
        };
        let read = async {
            loop {
                match frame::read(&mut reading, self.hello.lane).await {
                    Ok(Some(frame)) => {
                        if let Err(reason) = self.deliver(frame) {
                            return reason.to_owned();
                        }
                    }
                    Ok(None) => return "the peer closed it".to_owned(),
                    Err(fault) => return fault.to_string(),
                }
            }
        };
        tokio::select! { end = feed => end, end = write => end, end = read => end }
    }

    fn deliver(&self, frame: Frame) -> Result<(), &'static str> {
        let sender = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).get(&frame.id).cloned();
        let Some(sender) = sender else { return Ok(()) };
        match sender.try_send(frame) {
            // A closed channel is a caller that has lost patience.
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => Ok(()),
            Err(mpsc::error::TrySendError::Full(_)) => Err("the peer sends more than was asked for"),
        }
    }
}
