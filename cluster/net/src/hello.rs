//! The first frame on every connection: who speaks, to whom, about which cluster, in which language.

use crate::frame::{self, Body, Frame, Kind, Lane, Writer};
use crate::{NetFault, Security, node_name};
use std::fmt;
use tokio::io::{AsyncRead, AsyncWrite};

/// The version of frames and messages. A node answers only its own and refuses the rest by name.
pub const PROTOCOL_VERSION: u16 = 2;
const HELLO_BYTES: usize = 36;

/// Names a node for ever: a wiped node comes back under a new one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NodeId(pub u64);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "node {}", self.0)
    }
}

/// Names a cluster, drawn when it is founded, so that nodes of two clusters never mix.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ClusterId(pub u128);

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cluster {:032x}", self.0)
    }
}

/// See the module.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hello {
    /// Of the sender.
    pub cluster: ClusterId,
    /// The sender.
    pub from: NodeId,
    /// Whom it wants to reach.
    pub to: NodeId,
    /// What the connection is for.
    pub lane: Lane,
}

impl Hello {
    fn encode(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HELLO_BYTES);
        bytes.extend_from_slice(&PROTOCOL_VERSION.to_le_bytes());
        bytes.extend_from_slice(&[self.lane as u8, 0]);
        bytes.extend_from_slice(&self.cluster.0.to_le_bytes());
        bytes.extend_from_slice(&self.from.0.to_le_bytes());
        bytes.extend_from_slice(&self.to.0.to_le_bytes());
        assert_eq!(bytes.len(), HELLO_BYTES, "a hello has one size");
        bytes
    }

    fn decode(bytes: &[u8]) -> Result<Self, NetFault> {
        let bytes: &[u8; HELLO_BYTES] =
            bytes.try_into().map_err(|_| NetFault::Garbled("a hello of the wrong size"))?;
        let version = u16::from_le_bytes([bytes[0], bytes[1]]);
        if version != PROTOCOL_VERSION {
            return Err(NetFault::Refused(format!(
                "protocol version {version}; this node speaks {PROTOCOL_VERSION}"
            )));
        }
        let (mut cluster, mut from, mut to) = ([0; 16], [0; 8], [0; 8]);
        cluster.copy_from_slice(&bytes[4..20]);
        from.copy_from_slice(&bytes[20..28]);
        to.copy_from_slice(&bytes[28..36]);
        Ok(Self {
            cluster: ClusterId(u128::from_le_bytes(cluster)),
            from: NodeId(u64::from_le_bytes(from)),
            to: NodeId(u64::from_le_bytes(to)),
            lane: Lane::from_wire(bytes[2])?,
        })
    }
}

/// The caller's half: says hello and waits for the other side's.
pub(crate) async fn greet<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    hello: Hello,
) -> Result<(), NetFault> {
    let frame = Frame { kind: Kind::HELLO, group: 0, id: 0, body: Body::from(hello.encode()) };
    let mut writer = Writer::new(&mut *stream, Lane::Control);
    writer.write(&frame).await?;
    writer.flush().await?;
    let answer =
        frame::read(stream, Lane::Control).await?.ok_or(NetFault::Garbled("no answer to the hello"))?;
    let body = answer.body.into_bytes();
    if answer.kind == Kind::REFUSED {
        return Err(NetFault::Refused(String::from_utf8_lossy(&body).into_owned()));
    }
    let back = Hello::decode(&body)?;
    if back.from != hello.to || back.cluster != hello.cluster {
        return Err(NetFault::Refused(format!("{} of {} answered", back.from, back.cluster)));
    }
    Ok(())
}

/// The listener's half: hears the hello, checks it, answers it or says why not.
pub(crate) async fn welcome<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    own: (ClusterId, NodeId),
    certificate: Option<&[u8]>,
) -> Result<Hello, NetFault> {
    let frame = frame::read(stream, Lane::Control).await?.ok_or(NetFault::Garbled("no hello"))?;
    let verdict = if frame.kind == Kind::HELLO {
        Hello::decode(&frame.body.into_bytes()).and_then(|hello| check(hello, own, certificate))
    } else {
        Err(NetFault::Garbled("the first frame is no hello"))
    };
    let answer = match &verdict {
        Ok(hello) => {
            let back = Hello { from: own.1, to: hello.from, ..*hello };
            Frame { kind: Kind::HELLO, group: 0, id: 0, body: Body::from(back.encode()) }
        }
        Err(fault) => {
            Frame { kind: Kind::REFUSED, group: 0, id: 0, body: Body::from(fault.to_string().into_bytes()) }
        }
    };
    let mut writer = Writer::new(&mut *stream, Lane::Control);
    writer.write(&answer).await?;
    writer.flush().await?;
    verdict
}

fn check(hello: Hello, own: (ClusterId, NodeId), certificate: Option<&[u8]>) -> Result<Hello, NetFault> {
    if hello.cluster != own.0 {
        return Err(NetFault::Refused(format!("{} called; this node belongs to {}", hello.cluster, own.0)));
    }
    if hello.to != own.1 {
        return Err(NetFault::Refused(format!("{} was called; this is {}", hello.to, own.1)));
    }
    if let Some(certificate) = certificate {
        Security::check_name(certificate, &node_name(hello.from))?;
    }
    Ok(hello)
}
