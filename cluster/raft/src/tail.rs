//! One group's log as it is known in memory: where each entry lies, and the youngest entries themselves.
//!
//! Replication to each follower and the machine all read the same youngest entries a moment after they were
//! appended. They share the bytes that came in from the client or the leader; the write-ahead log is read only for
//! what has left the cache. The cache keeps to a budget of bytes, and never drops an entry that is not durable
//! yet: it is nowhere else.
//!
//! **Invariants.** Entries are consecutive: from the one after the purged to the last, without a hole. An entry
//! without a position is in the cache.

use crate::codec;
use crate::words::{Entry, LogPlace, Vote};
use bytes::Bytes;
use fen_store::wal::{Position, SegmentNumber};
use std::collections::VecDeque;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One entry.
#[derive(Clone)]
struct Record {
    term: u64,
    kind: u16,
    stamp: u64,
    body_bytes: usize,
    cached: Option<Bytes>,
    position: Option<Position>,
}

/// What is needed to make an entry again.
pub(crate) enum Content {
    /// Still in the cache.
    Here { place: LogPlace, kind: u16, stamp: u64, body: Bytes },
    /// To be read from the write-ahead log.
    At { place: LogPlace, position: Position },
}

/// See the module.
#[derive(Default)]
pub(crate) struct TailState {
    purged: Option<LogPlace>,
    /// The index of the first record. A log without records may begin anywhere after what was purged.
    first: u64,
    records: VecDeque<Record>,
    /// Records before this one are not cached.
    first_cached: usize,
    cached_bytes: usize,
    vote: Option<Vote>,
    committed: Option<LogPlace>,
}

impl TailState {
    fn next(&self) -> u64 {
        self.first + self.records.len() as u64
    }
    fn slot(&self, index: u64) -> Option<usize> {
        let slot = usize::try_from(index.checked_sub(self.first)?).ok()?;
        (slot < self.records.len()).then_some(slot)
    }

    /// Recovery: an entry was found in the write-ahead log.
    pub(crate) fn found(&mut self, place: LogPlace, position: Position) -> io::Result<()> {
        if self.purged.is_some_and(|purged| place.index <= purged.index) {
            return Ok(());
        }
        if self.records.is_empty() {
            self.first = place.index.max(self.first);
        }
        if place.index != self.next() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("the log goes from entry {} to entry {}", self.next(), place.index),
            ));
        }
        let record = Record {
            term: place.term,
            kind: 0,
            stamp: 0,
            body_bytes: 0,
            cached: None,
            position: Some(position),
        };
        self.records.push_back(record);
        self.first_cached = self.records.len();
        Ok(())
    }

    /// Entries from `from` on are void.
    pub(crate) fn truncate(&mut self, from: u64) {
        while self.next() > from {
            let Some(record) = self.records.pop_back() else { break };
            if record.cached.is_some() {
                self.cached_bytes -= record.body_bytes;
            }
        }
        self.first_cached = self.first_cached.min(self.records.len());
    }

    /// Entries up to and with `up_to` are no longer needed.
    pub(crate) fn purge(&mut self, up_to: LogPlace) {
        while self.first <= up_to.index {
            let Some(record) = self.records.pop_front() else { break };
            if record.cached.is_some() {
                self.cached_bytes -= record.body_bytes;
            }
            self.first_cached = self.first_cached.saturating_sub(1);
            self.first += 1;
        }
        self.first = self.first.max(up_to.index + 1);
        self.purged = self.purged.max(Some(up_to));
    }

    pub(crate) fn set_vote(&mut self, vote: Vote) {
        self.vote = Some(vote);
    }
    pub(crate) fn set_committed(&mut self, committed: Option<LogPlace>) {
        self.committed = committed;
    }
}

/// [`TailState`], shared between the log, its readers and the thread that writes.
pub(crate) struct Tail {
    state: Mutex<TailState>,
    cache_bytes_max: usize,
}

impl Tail {
    pub(crate) fn new(state: TailState, cache_bytes_max: usize) -> Self {
        Self { state: Mutex::new(state), cache_bytes_max }
    }

    /// The state; a holder that panicked cannot have left it half-changed in a way that matters more than stopping.
    pub(crate) fn state(&self) -> MutexGuard<'_, TailState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds entries; they can be read from now on.
    pub(crate) fn append(&self, entries: &[Entry]) {
        let mut state = self.state();
        for entry in entries {
            if state.records.is_empty() {
                state.first = entry.log_id.index.max(state.first);
            }
            assert_eq!(entry.log_id.index, state.next(), "a log has no hole");
            let (kind, stamp, body) = codec::entry_body(entry);
            state.cached_bytes += body.len();
            state.records.push_back(Record {
                term: *entry.log_id.leader_id,
                kind,
                stamp,
                body_bytes: body.len(),
                cached: Some(body),
                position: None,
            });
        }
    }

    /// These entries are durable now; what exceeds the budget leaves the cache, oldest first.
    pub(crate) fn settle(&self, durable: &[(LogPlace, Position)]) {
        let mut state = self.state();
        for (place, position) in durable {
            // An entry that was truncated while it was being written is nobody's any more.
            if let Some(slot) = state.slot(place.index).filter(|slot| state.records[*slot].term == place.term)
            {
                state.records[slot].position = Some(*position);
            }
        }
        while state.cached_bytes > self.cache_bytes_max && state.first_cached < state.records.len() {
            let slot = state.first_cached;
            if state.records[slot].position.is_none() {
                break;
            }
            let (cached, bytes) = (state.records[slot].cached.take(), state.records[slot].body_bytes);
            if cached.is_some() {
                state.cached_bytes -= bytes;
            }
            state.first_cached += 1;
        }
    }

    /// The entries from `start` to before `end` that are there, up to about `bytes_max` bytes but at least one.
    pub(crate) fn contents(&self, start: u64, end: u64, bytes_max: usize) -> Vec<Content> {
        let state = self.state();
        let (mut contents, mut bytes) = (Vec::new(), 0);
        let mut index = start.max(state.first);
        while index < end.min(state.next()) && (contents.is_empty() || bytes < bytes_max) {
            let Some(record) = state.slot(index).map(|slot| &state.records[slot]) else { break };
            let place = LogPlace { term: record.term, index };
            contents.push(match (&record.cached, record.position) {
                (Some(body), _) => {
                    bytes += body.len();
                    Content::Here { place, kind: record.kind, stamp: record.stamp, body: body.clone() }
                }
                (None, Some(position)) => {
                    bytes += usize::try_from(position.length).unwrap_or(usize::MAX);
                    Content::At { place, position }
                }
                (None, None) => unreachable!("an entry that is not durable is in the cache"),
            });
            index += 1;
        }
        contents
    }

    /// What was purged last, and the last entry.
    pub(crate) fn ends(&self) -> (Option<LogPlace>, Option<LogPlace>) {
        let state = self.state();
        let last = state.records.back().map(|record| LogPlace { term: record.term, index: state.next() - 1 });
        (state.purged, last.or(state.purged))
    }

    pub(crate) fn vote(&self) -> Option<Vote> {
        self.state().vote
    }
    pub(crate) fn committed(&self) -> Option<LogPlace> {
        self.state().committed
    }

    /// The oldest file of the write-ahead log that still holds something of this group.
    pub(crate) fn oldest_segment(&self) -> Option<SegmentNumber> {
        self.state().records.front().and_then(|record| record.position).map(|position| position.segment)
    }
}
