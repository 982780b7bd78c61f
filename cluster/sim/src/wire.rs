//! The network of a simulated town: streams of bytes in order, as TCP gives them, that take their time, stand still
//! and break.
//!
//! Within a connection nothing is reordered or doubled, as TCP promises; across connections everything may overtake.
//! A blocked direction holds what is under way until it is opened (TCP sends again) or the connection is reset. A
//! node that loses its power says nothing to anybody; its peers' connections are reset once it is back. A garbled
//! byte arrives garbled: finding it is the frames' business.

use crate::dice::Dice;
use crate::story::Story;
use bytes::{Buf, Bytes};
use fen_net::{Door, Pipe, Wire, Wired};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep};

/// Bytes under way in one direction before whoever writes waits.
const WINDOW_BYTES: usize = 1 << 20;
/// How often a connection is tried again while its way is blocked.
const DIAL_AGAIN: Duration = Duration::from_secs(1);

/// How the network is at the moment.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// The shortest way.
    pub delay_ms_min: u64,
    /// The longest.
    pub delay_ms_max: u64,
    /// Pieces in a million after which the connection breaks.
    pub breaks: u64,
    /// Pieces in a million with a wrong bit.
    pub garbled: u64,
}

impl Weather {
    /// A quiet day.
    pub const FAIR: Self = Self { delay_ms_min: 0, delay_ms_max: 2, breaks: 0, garbled: 0 };
}

/// See the module. Clones are the same network.
#[derive(Clone)]
pub struct Network {
    state: Arc<Mutex<State>>,
    story: Story,
}

struct State {
    dice: Dice,
    weather: Weather,
    doors: BTreeMap<SocketAddr, (u64, mpsc::UnboundedSender<Pipe>)>,
    blocked: BTreeSet<(u64, u64)>,
    connections: Vec<Weak<Mutex<Connection>>>,
}

/// Both directions between the ends 0 and 1.
struct Connection {
    nodes: [u64; 2],
    ways: [Way; 2],
    /// Ends that are gone without a word.
    silent: [bool; 2],
    reset: bool,
}

/// What end `i` wrote and the other has not read.
#[derive(Default)]
struct Way {
    pieces: VecDeque<(Instant, Bytes)>,
    bytes: usize,
    last: Option<Instant>,
    closed: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Connection {
    fn wake(&mut self) {
        for way in &mut self.ways {
            way.reader.take().into_iter().chain(way.writer.take()).for_each(Waker::wake);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Network {
    /// Nobody is on it yet.
    pub fn new(seed: u64, story: Story) -> Self {
        let state = State {
            dice: Dice::new(seed, "network"),
            weather: Weather::FAIR,
            doors: BTreeMap::new(),
            blocked: BTreeSet::new(),
            connections: Vec::new(),
        };
        Self { state: Arc::new(Mutex::new(state)), story }
    }

    /// One node's way onto it.
    pub fn wire(&self, node: u64) -> Arc<dyn Wire> {
        Arc::new(NodeWire { network: self.clone(), node })
    }

    /// The weather changes.
    pub fn set_weather(&self, weather: Weather) {
        lock(&self.state).weather = weather;
    }

    /// Nothing gets from one node to the other any more.
    pub fn block(&self, from: u64, to: u64) {
        lock(&self.state).blocked.insert((from, to));
    }

    /// Everything gets everywhere again.
    pub fn open_all(&self) {
        lock(&self.state).blocked.clear();
        for connection in self.connections() {
            lock(&connection).wake();
        }
    }

    fn connections(&self) -> Vec<Arc<Mutex<Connection>>> {
        let mut state = lock(&self.state);
        state.connections.retain(|connection| connection.strong_count() > 0);
        state.connections.iter().filter_map(Weak::upgrade).collect()
    }

    /// A node is gone: its own end of everything is dead at once. The others hear of it now, or, where it lost its
    /// power, when it is back.
    pub fn cut(&self, node: u64, with_a_word: bool) {
        lock(&self.state).doors.retain(|_, (owner, _)| *owner != node);
        for connection in self.connections() {
            let mut connection = lock(&connection);
            for end in 0..2 {
                if connection.nodes[end] == node {
                    connection.silent[end] = true;
                    connection.reset |= with_a_word;
                }
            }
            connection.wake();
        }
    }

    /// A node is back: whoever still speaks to its former self is told.
    pub fn back(&self, node: u64) {
        for connection in self.connections() {
            let mut connection = lock(&connection);
            if (0..2).any(|end| connection.nodes[end] == node && connection.silent[end]) {
                connection.reset = true;
                connection.wake();
            }
        }
    }

    fn passes(&self, from: u64, to: u64) -> bool {
        !lock(&self.state).blocked.contains(&(from, to))
    }

    fn delay(&self) -> Duration {
        let mut state = lock(&self.state);
        let weather = state.weather;
        state.dice.pause(weather.delay_ms_min, weather.delay_ms_max)
    }

    fn connect(&self, from: u64, to: SocketAddr) -> io::Result<Pipe> {
        let mut state = lock(&self.state);
        let (owner, door) = state.doors.get(&to).cloned().ok_or(io::ErrorKind::ConnectionRefused)?;
        let connection = Arc::new(Mutex::new(Connection {
            nodes: [from, owner],
            ways: [Way::default(), Way::default()],
            silent: [false; 2],
            reset: false,
        }));
        state.connections.push(Arc::downgrade(&connection));
        let end = |side| End { network: self.clone(), connection: connection.clone(), side, due: None };
        door.send(Box::new(end(1))).map_err(|_| io::ErrorKind::ConnectionRefused)?;
        Ok(Box::new(end(0)))
    }

    /// One piece sets out: when it arrives, and what is left of it.
    fn send(&self, from: u64, to: u64, piece: &[u8]) -> Option<(Duration, Bytes)> {
        self.story
            .trace(from << 56 | to << 48 | (piece.len() as u64) << 32 | u64::from(crc32c::crc32c(piece)));
        let mut state = lock(&self.state);
        let weather = state.weather;
        if state.dice.happens(weather.breaks) {
            return None;
        }
        let mut bytes = piece.to_vec();
        if state.dice.happens(weather.garbled) {
            let place = state.dice.index(bytes.len());
            bytes[place] ^= 1 << state.dice.below(8);
            self.story.mark("a garbled byte was sent");
        }
        Some((state.dice.pause(weather.delay_ms_min, weather.delay_ms_max), Bytes::from(bytes)))
    }
}

struct NodeWire {
    network: Network,
    node: u64,
}

impl Wire for NodeWire {
    fn listen(&self, at: SocketAddr) -> Wired<'_, Box<dyn Door>> {
        Box::pin(async move {
            let (door, coming) = mpsc::unbounded_channel();
            let mut state = lock(&self.network.state);
            if state.doors.contains_key(&at) {
                return Err(io::ErrorKind::AddrInUse.into());
            }
            state.doors.insert(at, (self.node, door));
            Ok(Box::new(NodeDoor { address: at, coming }) as Box<dyn Door>)
        })
    }

    fn dial<'a>(&'a self, to: &'a str) -> Wired<'a, Pipe> {
        Box::pin(async move {
            let to: SocketAddr = to.parse().map_err(|_| io::Error::other("no such host"))?;
            loop {
                tokio::time::sleep(self.network.delay()).await;
                let owner = lock(&self.network.state).doors.get(&to).map(|(owner, _)| *owner);
                let owner = owner.ok_or(io::ErrorKind::ConnectionRefused)?;
                if self.network.passes(self.node, owner) && self.network.passes(owner, self.node) {
                    return self.network.connect(self.node, to);
                }
                tokio::time::sleep(DIAL_AGAIN).await;
            }
        })
    }
}

struct NodeDoor {
    address: SocketAddr,
    coming: mpsc::UnboundedReceiver<Pipe>,
}

impl Door for NodeDoor {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn accept(&mut self) -> Wired<'_, (Pipe, SocketAddr)> {
        Box::pin(async move {
            let pipe = self.coming.recv().await.ok_or(io::ErrorKind::NotConnected)?;
            Ok((pipe, self.address))
        })
    }
}

/// One end of a connection.
struct End {
    network: Network,
    connection: Arc<Mutex<Connection>>,
    side: usize,
    due: Option<Pin<Box<Sleep>>>,
}

impl Connection {
    fn check(&self, end: usize) -> io::Result<()> {
        if self.reset || self.silent[end] { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) }
    }
}

impl AsyncRead for End {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            let mut connection = lock(&this.connection);
            connection.check(this.side)?;
            let (from, to) = (connection.nodes[1 - this.side], connection.nodes[this.side]);
            let mute = connection.silent[1 - this.side] || !this.network.passes(from, to);
            let way = &mut connection.ways[1 - this.side];
            way.reader = Some(context.waker().clone());
            if mute {
                return Poll::Pending;
            }
            let Some((due, piece)) = way.pieces.front_mut() else {
                return if way.closed { Poll::Ready(Ok(())) } else { Poll::Pending };
            };
            if *due > Instant::now() {
                let due = *due;
                drop(connection);
                let sleep = this.due.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
                sleep.as_mut().reset(due);
                if sleep.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
                continue;
            }
            let bytes = piece.len().min(buffer.remaining());
            buffer.put_slice(&piece[..bytes]);
            piece.advance(bytes);
            if piece.is_empty() {
                way.pieces.pop_front();
            }
            way.bytes -= bytes;
            if let Some(writer) = way.writer.take() {
                writer.wake();
            }
            return Poll::Ready(Ok(()));
        }
    }
}

impl AsyncWrite for End {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        let mut connection = lock(&self.connection);
        connection.check(self.side)?;
        let (from, to) = (connection.nodes[self.side], connection.nodes[1 - self.side]);
        if connection.ways[self.side].bytes >= WINDOW_BYTES {
            connection.ways[self.side].writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        let piece = &buffer[..buffer.len().min(WINDOW_BYTES)];
        let Some((delay, piece)) = self.network.send(from, to, piece) else {
            self.network.story.mark("a connection broke");
            connection.reset = true;
            connection.wake();
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        };
        let written = piece.len();
        let way = &mut connection.ways[self.side];
        let due = way.last.unwrap_or_else(Instant::now).max(Instant::now() + delay);
        way.last = Some(due);
        way.bytes += written;
        way.pieces.push_back((due, piece));
        if let Some(reader) = way.reader.take() {
            reader.wake();
        }
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        close(&self.connection, self.side);
        Poll::Ready(Ok(()))
    }
}

fn close(connection: &Mutex<Connection>, end: usize) {
    let mut connection = lock(connection);
    connection.ways[end].closed = true;
    connection.wake();
}

impl Drop for End {
    fn drop(&mut self) {
        close(&self.connection, self.side);
        let mut connection = lock(&self.connection);
        // Whoever writes to somebody who is gone is told, unless he went without a word.
        if !connection.silent[self.side] {
            let unread = !connection.ways[1 - self.side].pieces.is_empty();
            connection.reset |= unread;
            connection.wake();
        }
    }
}
