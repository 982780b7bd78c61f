//! What carries bytes between nodes: TCP, or what a simulation puts in its place.
//!
//! A wire makes connections and takes them in; each is a stream of bytes in order, that may break at any moment.
//! Everything above is the same on every wire: TLS, the greeting, frames and their checksums, lanes, back-off.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

/// What a wire will have done.
pub type Wired<'a, T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send + 'a>>;

/// Bytes both ways.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// One connection's stream.
pub type Pipe = Box<dyn Stream>;

/// See the module.
pub trait Wire: Send + Sync + 'static {
    /// Takes connections in at an address.
    fn listen(&self, at: SocketAddr) -> Wired<'_, Box<dyn Door>>;
    /// Connects to a host and port.
    fn dial<'a>(&'a self, to: &'a str) -> Wired<'a, Pipe>;
}

/// Where connections come in; dropped, it is closed.
pub trait Door: Send {
    /// The address listened on, its port drawn where none was named.
    fn address(&self) -> SocketAddr;
    /// The next connection, and where it comes from.
    fn accept(&mut self) -> Wired<'_, (Pipe, SocketAddr)>;
}

/// The network of the machine.
#[derive(Clone, Copy, Default, Debug)]
pub struct Tcp;

impl Wire for Tcp {
    fn listen(&self, at: SocketAddr) -> Wired<'_, Box<dyn Door>> {
        Box::pin(async move {
            let socket = TcpListener::bind(at).await?;
            let address = socket.local_addr()?;
            Ok(Box::new(TcpDoor { socket, address }) as Box<dyn Door>)
        })
    }

    fn dial<'a>(&'a self, to: &'a str) -> Wired<'a, Pipe> {
        Box::pin(async move {
            let stream = TcpStream::connect(to).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as Pipe)
        })
    }
}

struct TcpDoor {
    socket: TcpListener,
    address: SocketAddr,
}

impl Door for TcpDoor {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn accept(&mut self) -> Wired<'_, (Pipe, SocketAddr)> {
        Box::pin(async move {
            let (stream, peer) = self.socket.accept().await?;
            stream.set_nodelay(true)?;
            Ok((Box::new(stream) as Pipe, peer))
        })
    }
}
