//! What carries bytes between nodes: TCP, or what a simulation puts in its place.
//!
//! A wire makes connections and takes them in; each is a stream of bytes in order, that may break at any moment.
//! Everything above is the same on every wire: TLS, the greeting, frames and their checksums, lanes, back-off.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

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
            let mut fault = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
            for address in tokio::net::lookup_host(to).await? {
                match connect(address).await {
                    Ok(stream) => return Ok(Box::new(stream) as Pipe),
                    Err(error) => fault = error,
                }
            }
            Err(fault)
        })
    }
}

/// Connects without standing in the way of whoever wants to listen where this connection begins: the system may draw
/// the very port of a node that is down, and without the mark such a connection, or what is left of it for a minute
/// after its end, would keep that node from starting.
async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    let stream = socket.connect(address).await?;
    refuse_oneself(&stream)?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Where nobody listens the system may draw that very port for our own end, and connect us to ourselves.
fn refuse_oneself(stream: &TcpStream) -> io::Result<()> {
    if stream.local_addr()? == stream.peer_addr()? {
        stream.set_zero_linger()?;
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The port that our end of a connection was given can be listened on while the connection stands, and after.
    #[tokio::test]
    async fn a_connection_keeps_nobody_from_listening_where_it_begins() {
        let mut door = Tcp.listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let (stream, accepted) = tokio::join!(connect(door.address()), door.accept());
        let (stream, (pipe, _peer)) = (stream.unwrap(), accepted.unwrap());
        let own = stream.local_addr().unwrap();
        drop(Tcp.listen(own).await.unwrap());
        // Ended from our side first, it lingers in the system for a minute.
        drop(stream);
        drop(pipe);
        Tcp.listen(own).await.unwrap();
    }

    #[tokio::test]
    async fn nobody_talks_to_himself() {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let own = socket.local_addr().unwrap();
        // What the system may draw by itself, made sure of: both ends are one.
        let stream = socket.connect(own).await.unwrap();
        assert_eq!(stream.local_addr().unwrap(), stream.peer_addr().unwrap());
        assert!(refuse_oneself(&stream).is_err());
    }
}
