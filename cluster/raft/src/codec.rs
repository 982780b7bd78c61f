//! What nodes say to each other about a group, in bytes: little-endian, no padding, every length checked.
//!
//! Entries are sent from where they lie: their headers first, in one part, then their bodies, one part each.

use crate::words::{
    CommittedLeader, Entry, LeaderId, LogId, Membership, Parcel, Peer, StoredMembership, Types, Vote,
};
use bytes::{Buf, Bytes};
use fen_net::Body;
use openraft::EntryPayload;
use openraft::raft::{
    AppendEntriesRequest, StreamAppendError, StreamAppendResult, TransferLeaderRequest, VoteRequest,
    VoteResponse,
};
use std::collections::{BTreeMap, BTreeSet};
use std::io;

/// Kinds of entries, in the log and on the wire.
pub(crate) mod kind {
    /// A new leader's first word.
    pub(crate) const BLANK: u16 = 1;
    /// A parcel for the machine.
    pub(crate) const PARCEL: u16 = 2;
    /// Who belongs to the group.
    pub(crate) const MEMBERSHIP: u16 = 3;
}

/// Voters and learners of one group, at most.
const MEMBERS_MAX: u32 = 64;
const ADDRESS_BYTES_MAX: u32 = 256;
/// Entries in one request, at most.
const ENTRIES_MAX: u32 = 4_096;

pub(crate) fn garbled(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("garbled message: {what}"))
}

/// Bytes being written.
#[derive(Default)]
pub(crate) struct Ink(pub(crate) Vec<u8>);

impl Ink {
    pub(crate) fn u8(&mut self, value: u8) -> &mut Self {
        self.0.push(value);
        self
    }
    pub(crate) fn u16(&mut self, value: u16) -> &mut Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }
    pub(crate) fn u32(&mut self, value: u32) -> &mut Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }
    pub(crate) fn u64(&mut self, value: u64) -> &mut Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }
    pub(crate) fn count(&mut self, value: usize) -> &mut Self {
        self.u32(u32::try_from(value).expect("counts in messages are bounded"))
    }
    pub(crate) fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.count(value.len());
        self.0.extend_from_slice(value);
        self
    }
    pub(crate) fn log_id(&mut self, id: &LogId) -> &mut Self {
        self.u64(*id.leader_id).u64(id.index)
    }
    pub(crate) fn maybe(&mut self, id: Option<&LogId>) -> &mut Self {
        match id {
            None => self.u8(0),
            Some(id) => self.u8(1).log_id(id),
        }
    }
    pub(crate) fn vote(&mut self, vote: &Vote) -> &mut Self {
        self.u64(vote.leader_id.term).u64(vote.leader_id.voted_for).u8(u8::from(vote.committed))
    }
    pub(crate) fn membership(&mut self, membership: &Membership) -> &mut Self {
        let configs = membership.get_joint_config();
        self.count(configs.len());
        for config in configs {
            self.count(config.len());
            for node in config {
                self.u64(*node);
            }
        }
        self.count(membership.nodes().count());
        for (node, peer) in membership.nodes() {
            self.u64(*node).bytes(peer.address.as_bytes());
        }
        self
    }
    pub(crate) fn stored_membership(&mut self, stored: &StoredMembership) -> &mut Self {
        self.maybe(stored.log_id().as_ref()).membership(stored.membership())
    }
    pub(crate) fn done(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }
}

/// Bytes being read.
pub(crate) struct Reader(pub(crate) Bytes);

impl Reader {
    fn need(&self, bytes: usize) -> io::Result<()> {
        if self.0.remaining() < bytes { Err(garbled("it ends too soon")) } else { Ok(()) }
    }
    pub(crate) fn u8(&mut self) -> io::Result<u8> {
        self.need(1)?;
        Ok(self.0.get_u8())
    }
    pub(crate) fn u16(&mut self) -> io::Result<u16> {
        self.need(2)?;
        Ok(self.0.get_u16_le())
    }
    pub(crate) fn u32(&mut self) -> io::Result<u32> {
        self.need(4)?;
        Ok(self.0.get_u32_le())
    }
    pub(crate) fn u64(&mut self) -> io::Result<u64> {
        self.need(8)?;
        Ok(self.0.get_u64_le())
    }
    fn count(&mut self, limit: u32) -> io::Result<u32> {
        let count = self.u32()?;
        if count > limit { Err(garbled("a count above its limit")) } else { Ok(count) }
    }
    pub(crate) fn take(&mut self, bytes: u32) -> io::Result<Bytes> {
        let bytes = usize::try_from(bytes).map_err(|_| garbled("a length"))?;
        self.need(bytes)?;
        Ok(self.0.split_to(bytes))
    }
    pub(crate) fn log_id(&mut self) -> io::Result<LogId> {
        Ok(LogId { leader_id: CommittedLeader::new(self.u64()?), index: self.u64()? })
    }
    pub(crate) fn maybe(&mut self) -> io::Result<Option<LogId>> {
        match self.u8()? {
            0 => Ok(None),
            1 => self.log_id().map(Some),
            _other => Err(garbled("neither absent nor present")),
        }
    }
    pub(crate) fn vote(&mut self) -> io::Result<Vote> {
        let leader_id = LeaderId { term: self.u64()?, voted_for: self.u64()? };
        Ok(Vote { leader_id, committed: self.u8()? != 0 })
    }
    pub(crate) fn membership(&mut self) -> io::Result<Membership> {
        let mut configs = Vec::new();
        for _config in 0..self.count(MEMBERS_MAX)? {
            let mut config = BTreeSet::new();
            for _node in 0..self.count(MEMBERS_MAX)? {
                config.insert(self.u64()?);
            }
            configs.push(config);
        }
        let mut nodes = BTreeMap::new();
        for _node in 0..self.count(MEMBERS_MAX)? {
            let node = self.u64()?;
            let length = self.count(ADDRESS_BYTES_MAX)?;
            let address =
                String::from_utf8(self.take(length)?.to_vec()).map_err(|_| garbled("an address"))?;
            nodes.insert(node, Peer { address });
        }
        if configs.is_empty() && nodes.is_empty() {
            return Ok(Membership::default());
        }
        Membership::new(configs, nodes).map_err(|fault| garbled(&fault.to_string()))
    }
    pub(crate) fn stored_membership(&mut self) -> io::Result<StoredMembership> {
        let log_id = self.maybe()?;
        Ok(StoredMembership::new(log_id, self.membership()?))
    }
    pub(crate) fn end(&self) -> io::Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(garbled("more than was announced")) }
    }
}

/// An entry's kind, stamp and body, as the log keeps them.
pub(crate) fn entry_body(entry: &Entry) -> (u16, u64, Bytes) {
    match &entry.payload {
        EntryPayload::Blank => (kind::BLANK, 0, Bytes::new()),
        EntryPayload::Normal(parcel) => (kind::PARCEL, parcel.stamp, parcel.body.clone()),
        EntryPayload::Membership(membership) => {
            (kind::MEMBERSHIP, 0, Ink::default().membership(membership).done().into())
        }
    }
}

/// The reverse of [`entry_body`].
pub(crate) fn entry_from(log_id: LogId, kind_number: u16, stamp: u64, body: Bytes) -> io::Result<Entry> {
    let payload = match kind_number {
        kind::BLANK => EntryPayload::Blank,
        kind::PARCEL => EntryPayload::Normal(Parcel { stamp, body }),
        kind::MEMBERSHIP => EntryPayload::Membership(Reader(body).membership()?),
        _unknown => return Err(garbled("an entry of unknown kind")),
    };
    Ok(Entry { log_id, payload })
}

pub(crate) fn append_request(request: &AppendEntriesRequest<Types>) -> Body {
    let mut ink = Ink(Vec::with_capacity(128 + 32 * request.entries.len()));
    ink.vote(&request.vote).maybe(request.prev_log_id.as_ref()).maybe(request.leader_commit.as_ref());
    ink.count(request.entries.len());
    let mut bodies = Vec::with_capacity(request.entries.len());
    for entry in &request.entries {
        let (kind_number, stamp, body) = entry_body(entry);
        ink.log_id(&entry.log_id).u16(kind_number).u64(stamp).count(body.len());
        bodies.push(body);
    }
    let mut message = Body::from(ink.done());
    for body in bodies {
        message.push(body);
    }
    message
}

pub(crate) fn read_append_request(message: Bytes) -> io::Result<AppendEntriesRequest<Types>> {
    let mut reader = Reader(message);
    let (vote, prev_log_id, leader_commit) = (reader.vote()?, reader.maybe()?, reader.maybe()?);
    let count = reader.count(ENTRIES_MAX)?;
    let mut heads = Vec::new();
    for _entry in 0..count {
        heads.push((reader.log_id()?, reader.u16()?, reader.u64()?, reader.u32()?));
    }
    let mut entries = Vec::with_capacity(heads.len());
    let first = prev_log_id.as_ref().map_or(0, |id| id.index + 1);
    for (expected, (log_id, kind_number, stamp, length)) in (first..).zip(heads) {
        if log_id.index != expected {
            return Err(garbled("entries with a hole between them"));
        }
        entries.push(entry_from(log_id, kind_number, stamp, reader.take(length)?)?);
    }
    reader.end()?;
    Ok(AppendEntriesRequest { vote, prev_log_id, entries, leader_commit })
}

pub(crate) fn append_result(result: &StreamAppendResult<Types>) -> Body {
    let mut ink = Ink::default();
    match result {
        Ok(matching) => ink.u8(0).maybe(matching.as_ref()),
        Err(StreamAppendError::Conflict(at)) => ink.u8(1).log_id(at),
        Err(StreamAppendError::HigherVote(vote)) => ink.u8(2).vote(vote),
    };
    Body::from(ink.done())
}

pub(crate) fn read_append_result(message: Bytes) -> io::Result<StreamAppendResult<Types>> {
    let mut reader = Reader(message);
    let result = match reader.u8()? {
        0 => Ok(reader.maybe()?),
        1 => Err(StreamAppendError::Conflict(reader.log_id()?)),
        2 => Err(StreamAppendError::HigherVote(reader.vote()?)),
        _other => return Err(garbled("an unknown answer to entries")),
    };
    reader.end()?;
    Ok(result)
}

pub(crate) fn vote_request(request: &VoteRequest<Types>) -> Body {
    let mut ink = Ink::default();
    ink.vote(&request.vote).maybe(request.last_log_id.as_ref()).u8(u8::from(request.leadership_transfer));
    Body::from(ink.done())
}

pub(crate) fn read_vote_request(message: Bytes) -> io::Result<VoteRequest<Types>> {
    let mut reader = Reader(message);
    let mut request = VoteRequest::new(reader.vote()?, reader.maybe()?);
    request.leadership_transfer = reader.u8()? != 0;
    reader.end()?;
    Ok(request)
}

pub(crate) fn vote_response(response: &VoteResponse<Types>) -> Body {
    let mut ink = Ink::default();
    ink.vote(&response.vote).u8(u8::from(response.vote_granted)).maybe(response.last_log_id.as_ref());
    Body::from(ink.done())
}

pub(crate) fn read_vote_response(message: Bytes) -> io::Result<VoteResponse<Types>> {
    let mut reader = Reader(message);
    let (vote, granted) = (reader.vote()?, reader.u8()? != 0);
    let response = VoteResponse::new(vote, reader.maybe()?, granted);
    reader.end()?;
    Ok(response)
}

pub(crate) fn transfer_request(request: &TransferLeaderRequest<Types>) -> Body {
    let mut ink = Ink::default();
    ink.vote(request.from_leader()).u64(*request.to_node_id()).maybe(request.last_log_id());
    Body::from(ink.done())
}

pub(crate) fn read_transfer_request(message: Bytes) -> io::Result<TransferLeaderRequest<Types>> {
    let mut reader = Reader(message);
    let request = TransferLeaderRequest::new(reader.vote()?, reader.u64()?, reader.maybe()?);
    reader.end()?;
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::LogPlace;
    use proptest::prelude::*;

    /// Every reader of messages, on the same bytes: it answers or refuses, and takes no more memory than it was sent.
    fn read_as_everything(bytes: &Bytes) {
        drop(read_append_request(bytes.clone()));
        drop(read_append_result(bytes.clone()));
        drop(read_vote_request(bytes.clone()));
        drop(read_vote_response(bytes.clone()));
        drop(read_transfer_request(bytes.clone()));
        drop(Reader(bytes.clone()).stored_membership());
        for kind_number in 0..5 {
            let place = LogPlace { term: 1, index: 1 };
            drop(entry_from(place.log_id(), kind_number, 0, bytes.clone()));
        }
    }

    fn request(entries: &[Vec<u8>]) -> AppendEntriesRequest<Types> {
        let entry = |(index, body): (u64, &Vec<u8>)| Entry {
            log_id: LogPlace { term: 3, index }.log_id(),
            payload: EntryPayload::Normal(Parcel { stamp: index, body: Bytes::from(body.clone()) }),
        };
        AppendEntriesRequest {
            vote: Vote { leader_id: LeaderId { term: 3, voted_for: 1 }, committed: true },
            prev_log_id: Some(LogPlace { term: 2, index: 6 }.log_id()),
            entries: (7..).zip(entries).map(entry).collect(),
            leader_commit: None,
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            read_as_everything(&Bytes::from(bytes));
        }

        #[test]
        fn requests_come_back_and_changed_ones_do_no_harm(
            bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..6),
            at in any::<prop::sample::Index>(),
            with in any::<u8>(),
            cut in any::<prop::sample::Index>(),
        ) {
            let request = request(&bodies);
            let bytes = append_request(&request).into_bytes();
            let back = read_append_request(bytes.clone()).unwrap();
            prop_assert_eq!(&back.entries, &request.entries);
            prop_assert_eq!((back.vote, back.prev_log_id), (request.vote, request.prev_log_id));
            let mut changed = bytes.to_vec();
            changed[at.index(bytes.len())] = with;
            read_as_everything(&Bytes::from(changed));
            let short = bytes.slice(..cut.index(bytes.len()));
            prop_assert!(read_append_request(short).is_err(), "a message that ends too soon is refused");
        }
    }
}
