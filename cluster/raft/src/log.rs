//! One group's log as the replication library wants it.

use crate::codec;
use crate::crew::{Crew, Orders};
use crate::scribe::{Done, Order};
use crate::tail::{Content, Tail};
use crate::words::{Entry, GroupId, LogId, LogPlace, Types, Vote};
use bytes::Bytes;
use fen_store::wal::WalReader;
use futures_util::{Stream, stream};
use openraft::storage::{IOFlushed, RaftLogStorage};
use openraft::{LogState, OptionalSend, RaftLogReader};
use std::collections::VecDeque;
use std::fmt::Debug;
use std::io;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;
use tokio::sync::oneshot;

/// Entries handed on at once, in bytes: the library limits their number only.
const READ_BYTES_MAX: usize = 4 << 20;

/// See the module. Cheap to clone; all clones see one log.
#[derive(Clone)]
pub(crate) struct GroupLog {
    group: GroupId,
    tail: Arc<Tail>,
    orders: Orders<Order>,
    reader: WalReader,
    crew: Crew,
}

impl GroupLog {
    pub(crate) fn new(
        group: GroupId,
        tail: Arc<Tail>,
        orders: Orders<Order>,
        reader: WalReader,
        crew: Crew,
    ) -> Self {
        Self { group, tail, orders, reader, crew }
    }

    fn order(&self, order: Order) -> io::Result<()> {
        self.orders.send(order).map_err(|_| io::Error::other("the write-ahead log is closed"))
    }

    async fn durable(&self, order: impl FnOnce(Done) -> Order) -> io::Result<()> {
        let (sender, receiver) = oneshot::channel();
        self.order(order(Done::Waiting(sender)))?;
        receiver.await.map_err(|_| io::Error::other("the write-ahead log is closed"))?
    }

    async fn read(&self, start: u64, end: u64) -> io::Result<Vec<Entry>> {
        let contents = self.tail.contents(start, end, READ_BYTES_MAX);
        if contents.iter().all(|content| matches!(content, Content::Here { .. })) {
            return contents.into_iter().map(|content| entry(&self.reader, content)).collect();
        }
        let reader = self.reader.clone();
        let entries = move || {
            contents.into_iter().map(|content| entry(&reader, content)).collect::<io::Result<Vec<_>>>()
        };
        self.crew.aside(entries).await?
    }
}

fn entry(reader: &WalReader, content: Content) -> io::Result<Entry> {
    match content {
        Content::Here { place, kind, stamp, body } => codec::entry_from(place.log_id(), kind, stamp, body),
        Content::At { place, position } => {
            let found = reader.read(position).map_err(io::Error::other)?;
            let stored =
                found.entry().ok_or_else(|| codec::garbled("the log holds no entry at that place"))?;
            if (stored.index.get(), stored.term) != (place.index, place.term) {
                return Err(codec::garbled("the log holds another entry at that place"));
            }
            let (kind, stamp, body) = (stored.kind, stored.stamp.get(), Bytes::copy_from_slice(stored.body));
            codec::entry_from(place.log_id(), kind, stamp, body)
        }
    }
}

/// A range as first and one past the last.
fn bounds(range: &impl RangeBounds<u64>) -> (u64, u64) {
    let start = match range.start_bound() {
        Bound::Included(start) => *start,
        Bound::Excluded(start) => start.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(end) => end.saturating_add(1),
        Bound::Excluded(end) => *end,
        Bound::Unbounded => u64::MAX,
    };
    (start, end)
}

impl RaftLogReader<Types> for GroupLog {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<Entry>, io::Error> {
        let (mut start, end) = bounds(&range);
        let mut entries = Vec::new();
        loop {
            let some = self.read(start, end).await?;
            let Some(last) = some.last() else { return Ok(entries) };
            start = last.log_id.index + 1;
            entries.extend(some);
        }
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> Result<Vec<Entry>, io::Error> {
        self.read(start, end).await
    }

    /// A piece at a time, so that a machine that is far behind does not pull the whole log into memory.
    async fn entries_stream<RB>(
        &mut self,
        range: RB,
    ) -> impl Stream<Item = Result<Entry, io::Error>> + OptionalSend
    where
        RB: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        let (start, end) = bounds(&range);
        let state = (self.clone(), start, VecDeque::new());
        let pieces = stream::unfold(state, move |(log, mut next, mut piece)| async move {
            if piece.is_empty() {
                match log.read(next, end).await {
                    Ok(entries) => piece = VecDeque::from(entries),
                    Err(error) => return Some((Err(error), (log, end, piece))),
                }
            }
            let entry: Entry = piece.pop_front()?;
            next = entry.log_id.index + 1;
            Some((Ok(entry), (log, next, piece)))
        });
        Box::pin(pieces)
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, io::Error> {
        Ok(self.tail.vote())
    }
}

impl RaftLogStorage<Types> for GroupLog {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<Types>, io::Error> {
        let (purged, last) = self.tail.ends();
        Ok(LogState {
            last_purged_log_id: purged.map(LogPlace::log_id),
            last_log_id: last.map(LogPlace::log_id),
        })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), io::Error> {
        self.tail.state().set_vote(*vote);
        self.durable(|done| Order::Vote { group: self.group, vote: *vote, done }).await
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), io::Error> {
        let Some(at) = committed.map(LogPlace::of) else { return Ok(()) };
        self.tail.state().set_committed(Some(at));
        self.order(Order::Committed { group: self.group, at })
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, io::Error> {
        Ok(self.tail.committed().map(LogPlace::log_id))
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<Types>) -> Result<(), io::Error>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<Entry> = entries.into_iter().collect();
        self.tail.append(&entries);
        let (tail, done) = (self.tail.clone(), Done::Flushed(callback));
        self.order(Order::Entries { group: self.group, entries, tail, done })
    }

    async fn truncate_after(&mut self, last_log_id: Option<LogId>) -> Result<(), io::Error> {
        let from = last_log_id.map_or(0, |id| id.index + 1);
        self.tail.state().truncate(from);
        self.order(Order::Truncate { group: self.group, from })
    }

    async fn purge(&mut self, log_id: LogId) -> Result<(), io::Error> {
        let up_to = LogPlace::of(log_id);
        self.tail.state().purge(up_to);
        self.durable(|done| Order::Purge { group: self.group, up_to, done }).await
    }
}
