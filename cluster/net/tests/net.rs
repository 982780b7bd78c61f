//! Two ends over loopback: exchange, order, limits, garbled frames and strangers.

#![allow(clippy::unwrap_used, reason = "a panic in a test is its report")]

use bytes::Bytes;
use fen_net::{
    Authority, Body, ClusterId, Frame, Hello, Kind, Lane, Links, Listener, NetFault, NodeId, Outbox, Receive,
    Security, Session, Stop, node_name,
};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const CLUSTER: ClusterId = ClusterId(7);
const ASK: Kind = Kind(Kind::FIRST_FREE);
const PATIENCE: Duration = Duration::from_secs(10);

/// Sends every body back, reversed.
struct Mirror;

struct MirrorSession(Outbox);

impl Receive for Mirror {
    fn open(&self, _hello: &Hello, outbox: Outbox) -> Box<dyn Session> {
        Box::new(MirrorSession(outbox))
    }
}

impl Session for MirrorSession {
    fn receive<'a>(&'a mut self, frame: Frame) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(async move {
            let body: Vec<u8> = frame.body.clone().into_bytes().iter().rev().copied().collect();
            if body == b"!on" {
                self.0.fail(frame.group, frame.id, "not that one").await;
            } else if frame.kind != Kind::END {
                self.0.send(Frame { body: Body::from(body), ..frame }).await;
            }
        })
    }
}

async fn mirror(security: Security) -> Stop {
    let listener =
        Listener::bind("127.0.0.1:0".parse().unwrap(), CLUSTER, NodeId(1), security).await.unwrap();
    listener.serve(Arc::new(Mirror)).unwrap()
}

fn identities() -> (Authority, Security, Security) {
    let authority = Authority::create().unwrap();
    let issue = |node| {
        let (certificate, key) = authority.issue(&[node_name(NodeId(node))]).unwrap();
        Security::mutual(authority.certificate(), &certificate, &key).unwrap()
    };
    let (one, two) = (issue(1), issue(2));
    (authority, one, two)
}

#[tokio::test(flavor = "multi_thread")]
async fn large_and_small_frames_come_back_in_order_and_intact_with_tls() {
    let (_authority, one, two) = identities();
    let stop = mirror(one).await;
    let links = Links::new(CLUSTER, NodeId(2), two);
    let link = links.link(NodeId(1), &stop.address().to_string(), Lane::Append);
    let mut call = link.open();
    for size in [0_usize, 1, 31, 70_000, 3_000_000] {
        let mut body = Body::EMPTY;
        body.push(Bytes::from_static(b"head"));
        body.push(Bytes::from(vec![5; size]));
        call.send(ASK, 9, body).await.unwrap();
    }
    for size in [0_usize, 1, 31, 70_000, 3_000_000] {
        let frame = call.next().await.unwrap();
        let body = frame.body.into_bytes();
        assert_eq!((frame.group, body.len()), (9, size + 4));
        assert!(body.ends_with(b"daeh") && body[..size].iter().all(|byte| *byte == 5));
    }
}

#[tokio::test]
async fn a_refusal_carries_its_reason_and_an_oversized_frame_never_leaves() {
    let stop = mirror(Security::Plain).await;
    let links = Links::new(CLUSTER, NodeId(2), Security::Plain);
    let link = links.link(NodeId(1), &stop.address().to_string(), Lane::Control);
    let no = link.call(ASK, 0, Body::from(b"no!".to_vec()), PATIENCE).await;
    assert!(matches!(no, Err(NetFault::Refused(reason)) if reason == "not that one"));
    let large = vec![0; Lane::Control.body_bytes_max() + 1];
    assert!(matches!(
        link.call(ASK, 0, Body::from(large), PATIENCE).await,
        Err(NetFault::Unreachable { .. })
    ));
}

#[tokio::test]
async fn another_cluster_another_node_and_another_name_are_turned_away() {
    let (_authority, one, two) = identities();
    let stop = mirror(one).await;
    let address = stop.address().to_string();
    let ask = async |cluster, own, to, security| {
        let link = Links::new(cluster, own, security).link(to, &address, Lane::Control);
        link.call(ASK, 0, Body::from(b"abc".to_vec()), PATIENCE).await
    };
    assert!(ask(ClusterId(8), NodeId(2), NodeId(1), two.clone()).await.is_err());
    assert!(ask(CLUSTER, NodeId(3), NodeId(1), two.clone()).await.is_err(), "the certificate says node 2");
    assert!(ask(CLUSTER, NodeId(2), NodeId(4), two.clone()).await.is_err());
    let (_other, _one, stranger) = identities();
    assert!(ask(CLUSTER, NodeId(2), NodeId(1), stranger).await.is_err(), "signed by another authority");
    assert!(ask(CLUSTER, NodeId(2), NodeId(1), Security::Plain).await.is_err());
    assert_eq!(ask(CLUSTER, NodeId(2), NodeId(1), two).await.unwrap(), Bytes::from_static(b"cba"));
    assert!(stop.turned_away() >= 3);
}

#[tokio::test]
async fn garbled_bytes_end_the_connection_and_nothing_else() {
    let stop = mirror(Security::Plain).await;
    for garbage in [&b"GET / HTTP/1.1\r\n\r\n................"[..], &[0; 64], b"FEN1"] {
        let mut stream = tokio::net::TcpStream::connect(stop.address()).await.unwrap();
        stream.write_all(garbage).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut rest = Vec::new();
        // Either an orderly refusal or a reset; in both cases the connection ends.
        let _end = stream.read_to_end(&mut rest).await;
    }
    let link = Links::new(CLUSTER, NodeId(2), Security::Plain).link(
        NodeId(1),
        &stop.address().to_string(),
        Lane::Control,
    );
    assert_eq!(link.call(ASK, 0, Body::from(b"abc".to_vec()), PATIENCE).await.unwrap(), &b"cba"[..]);
}

#[tokio::test]
async fn a_dead_peer_fails_calls_and_a_returning_one_serves_them() {
    let stop = mirror(Security::Plain).await;
    let address = stop.address();
    let link =
        Links::new(CLUSTER, NodeId(2), Security::Plain).link(NodeId(1), &address.to_string(), Lane::Control);
    assert!(link.call(ASK, 0, Body::from(b"abc".to_vec()), PATIENCE).await.is_ok());
    drop(stop);
    while link.call(ASK, 0, Body::from(b"abc".to_vec()), PATIENCE).await.is_ok() {}
    let listener = Listener::bind(address, CLUSTER, NodeId(1), Security::Plain).await.unwrap();
    let _stop = listener.serve(Arc::new(Mirror)).unwrap();
    let again = async {
        while link.call(ASK, 0, Body::from(b"abc".to_vec()), PATIENCE).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, again).await.unwrap();
}

#[tokio::test]
async fn plaintext_is_for_loopback_only() {
    let bound = Listener::bind("0.0.0.0:0".parse().unwrap(), CLUSTER, NodeId(1), Security::Plain).await;
    assert!(matches!(bound, Err(NetFault::Security(_))));
}
