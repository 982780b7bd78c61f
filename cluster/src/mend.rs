//! Mends a shard's files from its other members: segments one by one, found by reading them all in turn; and where the
//! books cannot be opened at all, the whole of them. The index of ids is made again from the segments.
//!
//! The log is not touched: this node's votes and entries are in it, and what the image holds was applied by a majority.
//! So a mended member may vote as before. A log that is damaged itself cannot be mended so: such a node is replaced
//! under a new id.
//!
//! **Invariants.** What comes from a peer counts only if its hash is the one that this member agreed on (segments), or
//! if all its pages and segments hold and it reaches to where this member's log begins (books). Segments that are sound
//! here are not fetched. What is found and what is mended is logged and counted.
//!
//! Deliberately absent: a simulation, where nobody may wait, mends nothing.

use crate::ask::Read;
use crate::fault::ServeFault;
use crate::image;
use crate::reads::{IMAGE_HEAD_BYTES, SEGMENT_HEAD_BYTES};
use crate::router::Router;
use crate::vault::Vault;
use bytes::{Buf, Bytes};
use fen_api::wire;
use fen_net::NodeId;
use fen_raft::{GroupId, ImageContent};
use fen_store::journal::{Journal, JournalFault};
use fen_store::segment::SegmentHash;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::Instant;

/// Between two segments that are read to see whether they are sound.
const SEGMENT_EVERY: Duration = Duration::from_secs(1);
/// How long a peer may take over one piece.
const PIECE_PATIENCE: Duration = Duration::from_secs(10);
/// How long it is waited for that a peer's image reaches far enough, and between two askings.
const IMAGE_PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(100);
/// The longest segment taken in.
const SEGMENT_BYTES_MAX: u64 = 256 << 20;

fn broken(fault: impl std::fmt::Display) -> io::Error {
    io::Error::other(fault.to_string())
}

fn count(what: &'static str, is_mended: &'static str) {
    metrics::counter!("fen_damage_total", "what" => what, "mended" => is_mended).increment(1);
}

/// A shard's other members, as the directory has them.
fn others(router: &Router, group: GroupId) -> Vec<NodeId> {
    let directory = router.directory();
    let shard = directory.shards.iter().find(|shard| shard.group == group.0);
    let holders = shard.map_or(&[][..], |shard| &shard.holders);
    holders.iter().copied().map(NodeId).filter(|holder| *holder != router.node()).collect()
}

/// Reads a shard's segments in turn, and its index after each round of them, as long as the shard is served here, and
/// mends what is damaged.
pub(crate) async fn watch(router: Router, group: GroupId) {
    let mut next = 0;
    while let Some(teller) = router.teller(group) {
        let Ok(journal) = teller.group().peek(|machine| machine.shard().journal().clone()).await else {
            return;
        };
        let crew = teller.crew().clone();
        drop(teller);
        if next >= journal.chunks() {
            next = 0;
            let of_thread = journal.clone();
            if let Ok(Err(fault)) = crew.aside(move || of_thread.mend_index()).await {
                tracing::error!(group = group.0, %fault, "the index cannot be mended");
            }
        }
        for fault in journal.take_mended() {
            tracing::warn!(group = group.0, %fault, "the index is mended");
            count("index", "found");
            count("index", "mended");
        }
        if next < journal.chunks() {
            let (number, of_thread) = (next, journal.clone());
            next += 1;
            let looked = crew.aside(move || of_thread.verify_segment(number)).await;
            if let Ok(Err(fault)) = looked {
                tracing::error!(group = group.0, segment = number, %fault, "a segment is damaged");
                count("segment", "found");
                match mend_segment(&router, group, &journal, number).await {
                    Ok(from) => {
                        tracing::warn!(group = group.0, segment = number, %from, "a segment is mended");
                        count("segment", "mended");
                    }
                    Err(fault) => {
                        tracing::error!(group = group.0, segment = number, %fault, "a segment cannot be mended");
                    }
                }
            }
        }
        tokio::time::sleep(SEGMENT_EVERY).await;
    }
}

/// Fetches a segment from the first member that has it sound, and puts it in place.
async fn mend_segment(
    router: &Router,
    group: GroupId,
    journal: &Arc<Journal>,
    number: u32,
) -> io::Result<NodeId> {
    let mut last = broken("no other member holds this shard");
    for member in others(router, group) {
        let (hash, bytes) = match fetch_segment(router, group, member, number).await {
            Ok(fetched) => fetched,
            Err(fault) => {
                last = broken(fault);
                continue;
            }
        };
        let journal = journal.clone();
        let install = move || {
            let agreed = journal.segment_hash(number).or_else(|| journal.named_hash(number));
            // What this member's own file is called is what the members agreed on.
            if agreed.is_some_and(|agreed| agreed != hash) {
                return Err(broken("the peer has another segment under this number"));
            }
            journal.install_segment(number, &hash, &bytes).map_err(|fault: JournalFault| broken(fault))
        };
        match tokio::task::spawn_blocking(install).await.map_err(io::Error::other).flatten() {
            Ok(()) => return Ok(member),
            Err(fault) => last = fault,
        }
    }
    Err(last)
}

async fn fetch_segment(
    router: &Router,
    group: GroupId,
    member: NodeId,
    number: u32,
) -> Result<(SegmentHash, Vec<u8>), ServeFault> {
    let garbled = || ServeFault::Unavailable("a peer's segment cannot be read".to_owned());
    let mut segment = Vec::new();
    loop {
        let asked = wire::SegmentPieceRequest { number, offset: segment.len() as u64 };
        let question = Read::SegmentPiece(asked);
        let mut piece = router.ask_member(member, group, &question, Instant::now() + PIECE_PATIENCE).await?;
        if piece.len() <= SEGMENT_HEAD_BYTES {
            return Err(garbled());
        }
        let mut hash = [0; 32];
        piece.copy_to_slice(&mut hash);
        let size = piece.get_u64_le();
        segment.extend_from_slice(&piece);
        if size > SEGMENT_BYTES_MAX || segment.len() as u64 > size {
            return Err(garbled());
        }
        if segment.len() as u64 == size {
            return Ok((SegmentHash::new(hash), segment));
        }
    }
}

/// Puts the books of another member in the place of those in `vault`, which cannot be opened. They reach to `at_least`
/// of the log or further.
pub(crate) async fn books(
    router: &Router,
    group: GroupId,
    vault: Vault,
    at_least: u64,
) -> io::Result<NodeId> {
    count("books", "found");
    let mut last = broken("no other member holds this shard");
    for member in others(router, group) {
        let lent = Lent::ask(router.clone(), group, member, at_least).await;
        let taken = match lent {
            Ok(lent) => {
                let vault = vault.clone();
                let take = move || {
                    let next = vault.successor()?;
                    image::unpack(&lent, &next, Some(&vault))?;
                    next.take_over(&vault)
                };
                tokio::task::spawn_blocking(take).await.map_err(io::Error::other).flatten()
            }
            Err(fault) => Err(broken(fault)),
        };
        match taken {
            Ok(()) => {
                count("books", "mended");
                return Ok(member);
            }
            Err(fault) => last = fault,
        }
    }
    Err(last)
}

/// An image that lies at a peer, read piece by piece on a thread that may wait.
struct Lent {
    router: Router,
    group: GroupId,
    member: NodeId,
    runtime: Handle,
    place: (u64, u64),
    size: u64,
    /// The piece read last, and where it begins: what is read next mostly lies in it.
    piece: Mutex<(u64, Bytes)>,
}

impl Lent {
    /// Has a peer lend its image, once it reaches far enough.
    async fn ask(router: Router, group: GroupId, member: NodeId, at_least: u64) -> Result<Self, ServeFault> {
        let deadline = Instant::now() + IMAGE_PATIENCE;
        let asked = wire::ImagePieceRequest { at_least, ..wire::ImagePieceRequest::default() };
        let mut first = loop {
            let piece = Instant::now() + PIECE_PATIENCE;
            match router.ask_member(member, group, &Read::ImagePiece(asked), piece).await {
                Ok(first) if first.len() > IMAGE_HEAD_BYTES => break first,
                Ok(_short) => return Err(ServeFault::Unavailable("an empty image".to_owned())),
                Err(fault) if Instant::now() + PAUSE >= deadline => return Err(fault),
                Err(_not_yet) => tokio::time::sleep(PAUSE).await,
            }
        };
        let place = (first.get_u64_le(), first.get_u64_le());
        let size = first.get_u64_le();
        let piece = Mutex::new((0, first));
        Ok(Self { router, group, member, runtime: Handle::current(), place, size, piece })
    }

    fn fetch(&self, offset: u64) -> io::Result<Bytes> {
        let (term, index) = self.place;
        let asked = wire::ImagePieceRequest { at_least: 0, offset, term, index };
        let deadline = Instant::now() + PIECE_PATIENCE;
        let question = Read::ImagePiece(asked);
        let asking = self.router.ask_member(self.member, self.group, &question, deadline);
        let mut piece = self.runtime.block_on(asking).map_err(broken)?;
        if piece.len() <= IMAGE_HEAD_BYTES {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let place = (piece.get_u64_le(), piece.get_u64_le());
        if place != self.place || piece.get_u64_le() != self.size {
            return Err(broken("the peer lends another image by now"));
        }
        Ok(piece)
    }
}

impl ImageContent for Lent {
    fn size(&self) -> u64 {
        self.size
    }

    fn read(&self, mut offset: u64, mut buffer: &mut [u8]) -> io::Result<()> {
        let mut kept = self.piece.lock().unwrap_or_else(PoisonError::into_inner);
        while !buffer.is_empty() {
            let start = offset.checked_sub(kept.0).and_then(|start| usize::try_from(start).ok());
            let start = if let Some(start) = start.filter(|start| *start < kept.1.len()) {
                start
            } else {
                *kept = (offset, self.fetch(offset)?);
                0
            };
            let bytes = buffer.len().min(kept.1.len() - start);
            buffer[..bytes].copy_from_slice(&kept.1[start..start + bytes]);
            offset += bytes as u64;
            buffer = &mut buffer[bytes..];
        }
        Ok(())
    }
}
