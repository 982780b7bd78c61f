//! The side of the replication that speaks: votes, entries, images and hand-overs, each on its lane.

use crate::adapter::Snapshot;
use crate::codec::{self, Ink, Reader};
use crate::crew::Crew;
use crate::machine::ImageContent;
use crate::words::{GroupId, Peer, Types, Vote};
use bytes::{Bytes, BytesMut};
use fen_net::{Body, Call, Kind, Lane, Link, Links, NetFault, NodeId};
use futures_util::{Stream, StreamExt, stream};
use openraft::base::{BoxFuture, BoxStream};
use openraft::errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::{
    Backoff, NetBackoff, NetSnapshot, NetStreamAppend, NetTransferLeader, NetVote, RPCOption,
    RaftNetworkFactory,
};
use openraft::raft::{
    AppendEntriesRequest, SnapshotResponse, StreamAppendResult, TransferLeaderError, TransferLeaderRequest,
    TransferLeaderResponse, VoteRequest, VoteResponse,
};
use openraft::{AnyError, OptionalSend};
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Frames of the replication.
pub(crate) mod kind {
    use fen_net::Kind;
    pub(crate) const APPEND: Kind = Kind(16);
    pub(crate) const VOTE: Kind = Kind(17);
    pub(crate) const PRE_VOTE: Kind = Kind(18);
    pub(crate) const TRANSFER: Kind = Kind(19);
    pub(crate) const IMAGE_BEGIN: Kind = Kind(20);
    pub(crate) const IMAGE_PIECE: Kind = Kind(21);
    pub(crate) const IMAGE_END: Kind = Kind(22);
    pub(crate) const FORWARD: Kind = Kind(23);
}

/// Requests under way to one follower before the first is answered.
const WINDOW_REQUESTS: usize = 16;
/// Without an answer for so long the peer counts as gone.
const PATIENCE: Duration = Duration::from_secs(2);
/// An image is installed within this, or sent again.
const IMAGE_PATIENCE: Duration = Duration::from_mins(2);
const IMAGE_PIECE_BYTES: usize = 1 << 20;

/// Makes a group's way to each peer.
pub(crate) struct Network {
    pub(crate) group: GroupId,
    pub(crate) links: Links,
    pub(crate) crew: Crew,
}

impl RaftNetworkFactory<Types> for Network {
    type Network = Remote;

    async fn new_client(&mut self, target: u64, node: &Peer) -> Remote {
        self.remote(target, node, Lane::Append)
    }

    async fn new_heartbeat_client(&mut self, target: u64, node: &Peer) -> Remote {
        self.remote(target, node, Lane::Control)
    }

    async fn new_snapshot_client(&mut self, target: u64, node: &Peer) -> Remote {
        self.remote(target, node, Lane::Snapshot)
    }
}

impl Network {
    fn remote(&self, target: u64, node: &Peer, lane: Lane) -> Remote {
        let link = |lane| self.links.link(NodeId(target), &node.address, lane);
        Remote { group: self.group, control: link(Lane::Control), lane: link(lane), crew: self.crew.clone() }
    }
}

/// A group's way to one peer.
pub(crate) struct Remote {
    group: GroupId,
    control: Link,
    lane: Link,
    crew: Crew,
}

type RemoteFault = RPCError<Types>;

fn fault(fault: &NetFault) -> RemoteFault {
    match fault {
        NetFault::Refused(reason) => RPCError::Network(NetworkError::new(&AnyError::error(reason))),
        NetFault::Unreachable { .. }
        | NetFault::Late { .. }
        | NetFault::Garbled(_)
        | NetFault::TooLarge { .. }
        | NetFault::Security(_)
        | NetFault::Io(_) => RPCError::Unreachable(Unreachable::new(&AnyError::error(fault))),
    }
}

fn unreadable(error: &io::Error) -> RemoteFault {
    RPCError::Network(NetworkError::new(error))
}

impl Remote {
    async fn ask(&self, what: Kind, body: Body) -> Result<Bytes, RemoteFault> {
        self.control.call(what, self.group.0, body, PATIENCE).await.map_err(|reason| fault(&reason))
    }
}

impl NetStreamAppend<Types> for Remote {
    /// Keeps up to [`WINDOW_REQUESTS`] under way; the peer answers in the order of the requests.
    fn stream_append<'s, S>(
        &'s mut self,
        input: S,
        _option: RPCOption,
    ) -> BoxFuture<'s, Result<BoxStream<'s, Result<StreamAppendResult<Types>, RemoteFault>>, RemoteFault>>
    where
        S: Stream<Item = AppendEntriesRequest<Types>> + OptionalSend + Unpin + 'static,
    {
        let mut call = self.lane.open();
        call.announce_end();
        let (window, under_way) = mpsc::channel(WINDOW_REQUESTS);
        let pump = Pump::start(input, call.sender(), self.group, window);
        let state = Some(Answers { call, under_way, _pump: pump });
        let answers: BoxStream<'s, _> = Box::pin(stream::unfold(state, |state| async move {
            let mut state = state?;
            state.under_way.recv().await?;
            let answer = state.next().await;
            let goes_on = matches!(answer, Ok(Ok(_)));
            Some((answer, goes_on.then_some(state)))
        }));
        Box::pin(async move { Ok(answers) })
    }
}

struct Answers {
    call: Call,
    under_way: mpsc::Receiver<()>,
    _pump: Pump,
}

impl Answers {
    async fn next(&mut self) -> Result<StreamAppendResult<Types>, RemoteFault> {
        let late = NetFault::Late { milliseconds: 2_000 };
        let frame = match tokio::time::timeout(PATIENCE, self.call.next()).await {
            Ok(Ok(frame)) => frame,
            Ok(Err(reason)) => return Err(fault(&reason)),
            Err(_elapsed) => return Err(fault(&late)),
        };
        codec::read_append_result(frame.body.into_bytes()).map_err(|error| unreadable(&error))
    }
}

/// Sends requests as they come, while the answers are awaited elsewhere; ends with the exchange.
struct Pump(tokio::task::JoinHandle<()>);

impl Pump {
    fn start<S>(mut input: S, sender: fen_net::CallSender, group: GroupId, window: mpsc::Sender<()>) -> Self
    where
        S: Stream<Item = AppendEntriesRequest<Types>> + Send + Unpin + 'static,
    {
        Self(tokio::spawn(async move {
            while let Some(request) = input.next().await {
                if window.send(()).await.is_err() {
                    return;
                }
                if sender.send(kind::APPEND, group.0, codec::append_request(&request)).await.is_err() {
                    return;
                }
            }
        }))
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl NetVote<Types> for Remote {
    async fn vote(
        &mut self,
        request: VoteRequest<Types>,
        _option: RPCOption,
    ) -> Result<VoteResponse<Types>, RemoteFault> {
        let answer = self.ask(kind::VOTE, codec::vote_request(&request)).await?;
        codec::read_vote_response(answer).map_err(|error| unreadable(&error))
    }

    async fn pre_vote(
        &mut self,
        request: VoteRequest<Types>,
        _option: RPCOption,
    ) -> Result<VoteResponse<Types>, RemoteFault> {
        let answer = self.ask(kind::PRE_VOTE, codec::vote_request(&request)).await?;
        codec::read_vote_response(answer).map_err(|error| unreadable(&error))
    }
}

impl NetTransferLeader<Types> for Remote {
    async fn transfer_leader(
        &mut self,
        request: TransferLeaderRequest<Types>,
        _option: RPCOption,
    ) -> Result<TransferLeaderResponse<Types>, RemoteFault> {
        let answer = self.ask(kind::TRANSFER, codec::transfer_request(&request)).await?;
        let mut reader = Reader(answer);
        let read = |reader: &mut Reader| match reader.u8()? {
            0 => Ok(Ok(())),
            1 => {
                Ok(Err(TransferLeaderError::VoteChanged { expected: reader.vote()?, actual: reader.vote()? }))
            }
            2 => Ok(Err(TransferLeaderError::LogNotFlushed {
                expected: reader.maybe()?,
                actual: reader.maybe()?,
            })),
            _other => Err(codec::garbled("an unknown answer to a hand-over")),
        };
        read(&mut reader).map_err(|error| unreadable(&error))
    }
}

pub(crate) fn transfer_response(response: &TransferLeaderResponse<Types>) -> Body {
    let mut ink = Ink::default();
    match response {
        Ok(()) => ink.u8(0),
        Err(TransferLeaderError::VoteChanged { expected, actual }) => ink.u8(1).vote(expected).vote(actual),
        Err(TransferLeaderError::LogNotFlushed { expected, actual }) => {
            ink.u8(2).maybe(expected.as_ref()).maybe(actual.as_ref())
        }
    };
    Body::from(ink.done())
}

impl NetSnapshot<Types> for Remote {
    type SnapshotData = Arc<dyn ImageContent>;

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: Snapshot,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<Types>, StreamingError<Types>> {
        let sending = self.send_image(vote, snapshot);
        tokio::select! {
            biased;
            closed = cancel => Err(StreamingError::Closed(closed)),
            sent = sending => Ok(sent?),
        }
    }
}

impl Remote {
    async fn send_image(
        &self,
        vote: Vote,
        snapshot: Snapshot,
    ) -> Result<SnapshotResponse<Types>, RemoteFault> {
        let mut call = self.lane.open();
        call.announce_end();
        let send =
            async |what, body| call.send(what, self.group.0, body).await.map_err(|reason| fault(&reason));
        let size = snapshot.snapshot.size();
        let mut ink = Ink::default();
        ink.vote(&vote).maybe(snapshot.meta.last_log_id.as_ref());
        ink.stored_membership(&snapshot.meta.last_membership).u64(size);
        send(kind::IMAGE_BEGIN, Body::from(ink.done())).await?;
        let mut offset = 0;
        while offset < size {
            let bytes =
                usize::try_from(size - offset).map_or(IMAGE_PIECE_BYTES, |rest| rest.min(IMAGE_PIECE_BYTES));
            let content = snapshot.snapshot.clone();
            let piece = move || {
                let mut piece = BytesMut::zeroed(bytes);
                content.read(offset, &mut piece).map(|()| piece.freeze())
            };
            let piece = self.crew.aside(piece).await.flatten().map_err(|error| unreadable(&error))?;
            let mut body = Body::from(Ink::default().u64(offset).done());
            body.push(piece);
            send(kind::IMAGE_PIECE, body).await?;
            offset += bytes as u64;
        }
        send(kind::IMAGE_END, Body::EMPTY).await?;
        let late = NetFault::Late { milliseconds: 120_000 };
        let frame = tokio::time::timeout(IMAGE_PATIENCE, call.next()).await.map_err(|_| fault(&late))?;
        let frame = frame.map_err(|reason| fault(&reason))?;
        let vote = Reader(frame.body.into_bytes()).vote().map_err(|error| unreadable(&error))?;
        Ok(SnapshotResponse::new(vote))
    }
}

impl NetBackoff<Types> for Remote {
    /// The links themselves back off from a peer that cannot be reached; this only spaces the attempts.
    fn backoff(&self) -> Option<Backoff> {
        Some(Backoff::new(std::iter::repeat(Duration::from_millis(50))))
    }
}
