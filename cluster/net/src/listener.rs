//! The side that is called: takes connections in, hears who they are, and hands their frames on in order.

use crate::connection::{GREETING_SECONDS_MAX, QUEUE_FRAMES_MAX, write_all};
use crate::frame::{self, Body, Frame, Kind, Lane};
use crate::hello::{self, Hello};
use crate::wire::{Door, Pipe, Tcp, Wire};
use crate::{ClusterId, NetFault, NodeId, Security};
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, watch};

/// Connections at once; more are closed unheard.
const CONNECTIONS_MAX: usize = 1_024;

/// Makes a session for each connection.
pub trait Receive: Send + Sync + 'static {
    /// A peer has said who it is and what for.
    fn open(&self, hello: &Hello, outbox: Outbox) -> Box<dyn Session>;
}

/// What happens to the frames of one connection.
pub trait Session: Send {
    /// Called for each frame, in order; the next one is read only after this is done.
    fn receive<'a>(&'a mut self, frame: Frame) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;
}

/// Where answers go. Cheap to clone; dead once the connection is.
#[derive(Clone)]
pub struct Outbox {
    queue: mpsc::Sender<Frame>,
}

impl Outbox {
    /// Sends one frame back; `false` once the connection is gone.
    pub async fn send(&self, frame: Frame) -> bool {
        self.queue.send(frame).await.is_ok()
    }

    /// Answers a request with the reason why it cannot be served.
    pub async fn fail(&self, group: u32, id: u64, reason: &str) -> bool {
        self.send(Frame { kind: Kind::FAILED, group, id, body: Body::from(reason.as_bytes().to_vec()) }).await
    }
}

/// Dropped, it stops the listener and every connection that it took in.
pub struct Stop {
    _signal: watch::Sender<()>,
    address: SocketAddr,
    turned_away: Arc<AtomicU64>,
}

impl Stop {
    /// The address listened on, its port drawn where none was named.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections that were refused so far: strangers, garbled or truncated frames, other versions.
    pub fn turned_away(&self) -> u64 {
        self.turned_away.load(Ordering::Relaxed)
    }
}

/// See the module.
pub struct Listener {
    door: Box<dyn Door>,
    own: (ClusterId, NodeId),
    security: Security,
}

impl Listener {
    /// Listens on TCP; plaintext is allowed on loopback only.
    pub async fn bind(
        address: SocketAddr,
        cluster: ClusterId,
        own: NodeId,
        security: Security,
    ) -> Result<Self, NetFault> {
        Self::bind_on(&Tcp, address, cluster, own, security).await
    }

    /// Listens on any wire.
    pub async fn bind_on(
        wire: &dyn Wire,
        address: SocketAddr,
        cluster: ClusterId,
        own: NodeId,
        security: Security,
    ) -> Result<Self, NetFault> {
        if matches!(security, Security::Plain) && !address.ip().is_loopback() {
            return Err(NetFault::Security(format!("plaintext on {address}: it is for loopback only")));
        }
        let door = wire.listen(address).await?;
        Ok(Self { door, own: (cluster, own), security })
    }

    /// Takes connections in until the answer is dropped.
    pub fn serve(self, receive: Arc<dyn Receive>) -> Result<Stop, NetFault> {
        let (signal, stopped) = watch::channel(());
        let turned_away = Arc::new(AtomicU64::new(0));
        let stop = Stop { _signal: signal, address: self.door.address(), turned_away: turned_away.clone() };
        tokio::spawn(self.run(receive, stopped, turned_away));
        Ok(stop)
    }

    async fn run(
        mut self,
        receive: Arc<dyn Receive>,
        mut stopped: watch::Receiver<()>,
        turned_away: Arc<AtomicU64>,
    ) {
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let accepted = tokio::select! {
                _ended = stopped.changed() => return,
                accepted = self.door.accept() => accepted,
            };
            // Out of descriptors, or a connection that was reset while it waited: neither is a reason to stop.
            let Ok((stream, peer)) = accepted else {
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            };
            let Ok(place) = places.clone().try_acquire_owned() else {
                turned_away.fetch_add(1, Ordering::Relaxed);
                count_refused("too_many");
                continue;
            };
            let (own, security) = (self.own, self.security.clone());
            let (receive, mut stopped, turned_away) = (receive.clone(), stopped.clone(), turned_away.clone());
            tokio::spawn(async move {
                let end = tokio::select! {
                    _ended = stopped.changed() => Ok(()),
                    end = attend(stream, own, security, &*receive) => end,
                };
                if let Err(fault) = end {
                    turned_away.fetch_add(1, Ordering::Relaxed);
                    count_refused(fault.class());
                    tracing::warn!(%peer, %fault, "connection refused or broken off");
                }
                drop(place);
            });
        }
    }
}

fn count_refused(reason: &'static str) {
    metrics::counter!("fen_connections_refused_total", "reason" => reason).increment(1);
}

/// One connection, from the handshake to its end.
async fn attend(
    stream: Pipe,
    own: (ClusterId, NodeId),
    security: Security,
    receive: &dyn Receive,
) -> Result<(), NetFault> {
    let limit = Duration::from_secs(GREETING_SECONDS_MAX);
    let late = || NetFault::Late { milliseconds: GREETING_SECONDS_MAX * 1_000 };
    let greeting = async {
        let (mut pipe, certificate) = secure(stream, security).await?;
        let hello = hello::welcome(&mut pipe, own, certificate.as_deref()).await?;
        Ok::<_, NetFault>((pipe, hello))
    };
    let (pipe, hello) = tokio::time::timeout(limit, greeting).await.map_err(|_| late())??;
    let (queue, queued) = mpsc::channel(QUEUE_FRAMES_MAX);
    let mut session = receive.open(&hello, Outbox { queue });
    exchange(pipe, hello.lane, queued, &mut *session).await
}

async fn exchange(
    pipe: Pipe,
    lane: Lane,
    mut queued: mpsc::Receiver<Frame>,
    session: &mut dyn Session,
) -> Result<(), NetFault> {
    let (mut reading, writing) = tokio::io::split(pipe);
    let read = async {
        while let Some(frame) = frame::read(&mut reading, lane).await? {
            session.receive(frame).await;
        }
        Ok(())
    };
    tokio::select! { end = read => end, end = write_all(writing, lane, &mut queued) => end }
}

/// The stream after the handshake, and the certificate that the caller presented.
async fn secure(stream: Pipe, security: Security) -> Result<(Pipe, Option<Vec<u8>>), NetFault> {
    match security {
        Security::Plain => Ok((stream, None)),
        Security::Mutual { acceptor, .. } => {
            let tls = acceptor.accept(stream).await?;
            let certificate = tls.get_ref().1.peer_certificates().and_then(<[_]>::first);
            let certificate = certificate.map(|certificate| certificate.as_ref().to_vec());
            let certificate = certificate.ok_or(NetFault::Garbled("no certificate"))?;
            Ok((Box::new(tls), Some(certificate)))
        }
    }
}
