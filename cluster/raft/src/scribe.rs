//! The one worker that writes: every group's entries, votes and marks go through it, in one order, into the node's
//! one write-ahead log, and whatever has queued up shares one durable write.
//!
//! **Invariants.** A vote or an entry is reported durable only after the write that holds it has come back, and a
//! later one never before an earlier one. After the first failed write nothing is written or reported any more:
//! the node has to stop and recover. A full disk is no failure: what came before is made durable and told, and the next
//! entry waits until there is room.

use crate::codec::{self, Ink, Reader};
use crate::crew::{Closed, Crew, Orders, Queue};
use crate::log::GroupLog;
#[cfg(feature = "planted")]
use crate::planted::{self, Bug};
use crate::tail::{Tail, TailState};
use crate::words::{Entry, GroupId, LogPlace, Types, Vote};
use fen_book::Stamp;
use fen_store::disk::Disk;
use fen_store::room::{self, Room, Waiting};
use fen_store::wal::{
    self, Control, Found, LogIndex, Position, SegmentNumber, Wal, WalFault, WalOptions, WalReader,
};
use openraft::storage::IOFlushed;
use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{oneshot, watch};

/// Orders that may wait; whoever brings one more waits with it.
const ORDERS_MAX: usize = 4_096;
/// A commit mark alone is not worth a write of its own at once: it goes with the next one, or after this long.
const MARK_PATIENCE: Duration = Duration::from_millis(50);
/// Names under which a group's standing words are kept in the log.
const VOTE: u16 = 1;
const COMMITTED: u16 = 2;

/// Told when an order is durable, or why it is not.
pub(crate) enum Done {
    /// The library's own callback.
    Flushed(IOFlushed<Types>),
    /// Whoever waits.
    Waiting(oneshot::Sender<io::Result<()>>),
}

impl Done {
    fn tell(self, result: io::Result<()>) {
        match self {
            Self::Flushed(callback) => callback.io_completed(result),
            // Whoever asked has gone; the write stands all the same.
            Self::Waiting(sender) => drop(sender.send(result)),
        }
    }
}

/// What the scribe is asked to do.
pub(crate) enum Order {
    /// Append to a group's log.
    Entries { group: GroupId, entries: Vec<Entry>, tail: Arc<Tail>, done: Done },
    /// Remember a vote.
    Vote { group: GroupId, vote: Vote, done: Done },
    /// Remember how far a group is committed; not urgent.
    Committed { group: GroupId, at: LogPlace },
    /// Entries from here on are void.
    Truncate { group: GroupId, from: u64 },
    /// Entries up to here are no longer needed; afterwards files below `keep_from` are recycled.
    Purge { group: GroupId, up_to: LogPlace, done: Done },
}

/// A node's write-ahead log, shared by all its groups. The worker behind it ends, after what is queued, when this is
/// dropped and the last group with it.
pub struct Scribe {
    crew: Crew,
    orders: Orders<Order>,
    reader: WalReader,
    groups: Arc<Mutex<HashMap<GroupId, Arc<Tail>>>>,
    cache_bytes_max: usize,
    failed: watch::Receiver<Option<String>>,
    room: Room,
}

impl Scribe {
    /// Opens or creates the log in `directory` and reads what every group had in it. Each group may cache
    /// `cache_bytes_max` bytes of young entries.
    pub fn open(
        crew: &Crew,
        disk: Arc<dyn Disk>,
        directory: &Path,
        options: &WalOptions,
        cache_bytes_max: usize,
    ) -> Result<Self, WalFault> {
        let mut states: HashMap<GroupId, TailState> = HashMap::new();
        let mut visit = |position: Position, found: Found<'_>| {
            recover(&mut states, position, &found).map_err(|fault| fault.to_string())
        };
        let (wal, _recovery) = Wal::open(disk, directory, options, SegmentNumber::FIRST, &mut visit)?;
        let tails =
            states.into_iter().map(|(group, state)| (group, Arc::new(Tail::new(state, cache_bytes_max))));
        let groups = Arc::new(Mutex::new(tails.collect::<HashMap<_, _>>()));
        let (orders, queue) = crew.queue(ORDERS_MAX);
        let (failing, failed) = watch::channel(None);
        let reader = wal.reader();
        let room = Room::default();
        let desk = Desk {
            crew: crew.clone(),
            wal,
            queue,
            groups: groups.clone(),
            waiting: Vec::new(),
            failing,
            room: room.clone(),
            reserve: Reserve::default(),
        };
        crew.hire("fen-scribe", desk.run()).map_err(|source| WalFault::Disk {
            file: directory.display().to_string(),
            doing: "starting the worker that writes",
            source,
        })?;
        Ok(Self { crew: crew.clone(), orders, reader, groups, cache_bytes_max, failed, room })
    }

    /// A group's part of the log; empty where the group is new here.
    pub(crate) fn group(&self, group: GroupId) -> GroupLog {
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        let tail = groups
            .entry(group)
            .or_insert_with(|| Arc::new(Tail::new(TailState::default(), self.cache_bytes_max)))
            .clone();
        GroupLog::new(group, tail, self.orders.clone(), self.reader.clone(), self.crew.clone())
    }

    /// Who works for the node.
    pub(crate) fn crew(&self) -> &Crew {
        &self.crew
    }

    /// Up to which entry a group's log was thrown away: whatever its machine holds has to reach so far.
    pub fn purged(&self, group: GroupId) -> u64 {
        let groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        groups.get(&group).and_then(|tail| tail.ends().0).map_or(0, |place| place.index)
    }

    /// The room on the node's disk; short while the log waits for some.
    pub fn room(&self) -> &Room {
        &self.room
    }

    /// Says why, once the log can no longer be written; the node must stop then.
    pub fn failed(&self) -> watch::Receiver<Option<String>> {
        self.failed.clone()
    }
}

fn place(index: LogIndex, term: u64) -> LogPlace {
    LogPlace { term, index: index.get() }
}

/// Takes one frame of the log into the picture of its group.
fn recover(
    states: &mut HashMap<GroupId, TailState>,
    position: Position,
    found: &Found<'_>,
) -> io::Result<()> {
    match found {
        Found::Entry(entry) => {
            let state = states.entry(GroupId(entry.group.get())).or_default();
            state.found(place(entry.index, entry.term), position)?;
        }
        Found::Control(Control::Keep { group, name, body }) => {
            let state = states.entry(GroupId(group.get())).or_default();
            let mut reader = Reader(bytes::Bytes::copy_from_slice(body));
            match *name {
                VOTE => state.set_vote(reader.vote()?),
                COMMITTED => state.set_committed(reader.maybe()?.map(LogPlace::of)),
                _unknown => return Err(codec::garbled("a standing word of unknown name")),
            }
        }
        Found::Control(Control::Truncate { group, from }) => {
            states.entry(GroupId(group.get())).or_default().truncate(from.get());
        }
        Found::Control(Control::Purge { group, up_to, term }) => {
            states.entry(GroupId(group.get())).or_default().purge(place(*up_to, *term));
        }
        Found::Control(Control::Forget { group }) => {
            states.remove(&GroupId(group.get()));
        }
    }
    Ok(())
}

/// The worker's own things.
struct Desk {
    crew: Crew,
    wal: Wal,
    queue: Queue<Order>,
    groups: Arc<Mutex<HashMap<GroupId, Arc<Tail>>>>,
    /// Orders that are staged but not durable.
    waiting: Vec<Staged>,
    failing: watch::Sender<Option<String>>,
    room: Room,
    reserve: Reserve,
}

/// A file in reserve. A leader's heartbeats are answered behind the entries before them, so entries that wait for room
/// would hold up reads too: writes are turned away while there is room for what is on its way.
#[derive(Default)]
struct Reserve {
    /// The file of the log that was being written when it was looked after last.
    at: Option<SegmentNumber>,
    /// There is none.
    short: Option<Waiting>,
}

struct Staged {
    done: Done,
    durable: Option<Places>,
}

/// Where entries of one group will lie once the write is done.
struct Places {
    tail: Arc<Tail>,
    entries: Vec<(LogPlace, Position)>,
}

impl Desk {
    /// Works until nobody can send orders any more; after a fault it only says so.
    async fn run(mut self) {
        if let Err(fault) = self.serve().await {
            self.fail(&fault);
            self.refuse().await;
        }
    }

    async fn serve(&mut self) -> Result<(), WalFault> {
        let mut marks = false;
        loop {
            match self.queue.next_within(MARK_PATIENCE).await {
                Ok(Some(order)) => {
                    self.crew.turn("scribe").await;
                    self.write_waiting(order).await?;
                    if self.reserve.at != Some(self.wal.segment()) {
                        self.keep_reserve()?;
                    }
                    marks = self.waiting.is_empty();
                    #[cfg(feature = "planted")]
                    if planted::is_here(Bug::AnsweredBeforeDurable) {
                        self.answer_early();
                        marks = true;
                    }
                    if !marks {
                        self.commit()?;
                    }
                }
                Ok(None) => {
                    if std::mem::take(&mut marks) {
                        self.commit()?;
                    }
                    self.wal.settle()?;
                    self.keep_reserve()?;
                }
                Err(Closed) => return self.commit(),
            }
        }
    }

    /// Looks after the file in reserve; where there is no room for one, the node is short of room.
    fn keep_reserve(&mut self) -> Result<(), WalFault> {
        self.reserve.at = Some(self.wal.segment());
        match self.wal.spares().hold_one() {
            Ok(()) => self.reserve.short = None,
            Err(fault @ WalFault::Full { .. }) => {
                if self.reserve.short.is_none() {
                    tracing::error!(%fault, "the log has its last file, and no writes are taken in");
                    self.reserve.short = Some(self.room.wait());
                }
            }
            Err(fault) => return Err(fault),
        }
        Ok(())
    }

    /// Stages an order, and all that wait behind it.
    async fn write_waiting(&mut self, order: Order) -> Result<(), WalFault> {
        self.write(order).await?;
        while let Some(order) = self.queue.try_next() {
            self.write(order).await?;
        }
        Ok(())
    }

    #[cfg(feature = "planted")]
    fn answer_early(&mut self) {
        for staged in &mut self.waiting {
            let nobody = Done::Waiting(oneshot::channel().0);
            std::mem::replace(&mut staged.done, nobody).tell(Ok(()));
        }
    }

    /// Makes everything staged durable and tells who waits.
    fn commit(&mut self) -> Result<(), WalFault> {
        let begun = Instant::now();
        self.wal.commit()?;
        metrics::histogram!("fen_log_write_seconds").record(begun.elapsed().as_secs_f64());
        for staged in self.waiting.drain(..) {
            if let Some(places) = staged.durable {
                places.tail.settle(&places.entries);
            }
            staged.done.tell(Ok(()));
        }
        Ok(())
    }

    async fn write(&mut self, order: Order) -> Result<(), WalFault> {
        match order {
            Order::Entries { group, entries, tail, done } => {
                let mut places = Places { tail, entries: Vec::with_capacity(entries.len()) };
                for entry in &entries {
                    places.entries.push((LogPlace::of(entry.log_id), self.entry(group, entry).await?));
                }
                self.waiting.push(Staged { done, durable: Some(places) });
            }
            #[cfg(feature = "planted")]
            Order::Vote { done, .. } if planted::is_here(Bug::LostVote) => done.tell(Ok(())),
            #[cfg(feature = "planted")]
            Order::Truncate { .. } if planted::is_here(Bug::ForgottenTruncation) => {}
            Order::Vote { group, vote, done } => {
                let body = Ink::default().vote(&vote).done();
                let keep = Control::Keep { group: wal::GroupId::new(group.0), name: VOTE, body: &body };
                self.control(&keep).await?;
                self.waiting.push(Staged { done, durable: None });
            }
            Order::Committed { group, at } => {
                let body = Ink::default().maybe(Some(&at.log_id())).done();
                let keep = Control::Keep { group: wal::GroupId::new(group.0), name: COMMITTED, body: &body };
                self.control(&keep).await?;
            }
            Order::Truncate { group, from } => {
                let from = LogIndex::new(from);
                self.control(&Control::Truncate { group: wal::GroupId::new(group.0), from }).await?;
            }
            Order::Purge { group, up_to, done } => self.purge(group, up_to, done).await?,
        }
        Ok(())
    }

    async fn entry(&mut self, group: GroupId, entry: &Entry) -> Result<Position, WalFault> {
        let (kind, stamp, body) = codec::entry_body(entry);
        let entry = wal::Entry {
            group: wal::GroupId::new(group.0),
            index: LogIndex::new(entry.log_id.index),
            term: *entry.log_id.leader_id,
            kind,
            stamp: Stamp::new(stamp),
            body: &body,
        };
        self.when_there_is_room(|wal| wal.append(&entry)).await
    }

    async fn control(&mut self, control: &Control<'_>) -> Result<Position, WalFault> {
        self.when_there_is_room(|wal| wal.append_control(control)).await
    }

    /// Stages something, however long that takes on a full disk. What was staged before is durable meanwhile, and told.
    async fn when_there_is_room(
        &mut self,
        mut stage: impl FnMut(&mut Wal) -> Result<Position, WalFault> + Send,
    ) -> Result<Position, WalFault> {
        let mut waiting = None;
        loop {
            match stage(&mut self.wal) {
                Err(fault @ WalFault::Full { .. }) => {
                    if waiting.is_none() {
                        tracing::error!(%fault, "the log waits for room");
                        waiting = Some(self.room.wait());
                    }
                    self.commit()?;
                    self.crew.rest(room::PATIENCE).await;
                }
                done => {
                    if waiting.is_some() {
                        tracing::info!("there is room again, and the log goes on");
                    }
                    return done;
                }
            }
        }
    }

    async fn purge(&mut self, group: GroupId, up_to: LogPlace, done: Done) -> Result<(), WalFault> {
        let index = LogIndex::new(up_to.index);
        #[cfg(feature = "planted")]
        let index = LogIndex::new(index.get() + u64::from(planted::is_here(Bug::PurgeOffByOne)));
        let purge = Control::Purge { group: wal::GroupId::new(group.0), up_to: index, term: up_to.term };
        self.control(&purge).await?;
        self.waiting.push(Staged { done, durable: None });
        // The purge must be durable before the files that it frees are overwritten. And only now does everything
        // staged have its place: what has none is not written yet, so it will lie in this segment or a later one.
        self.commit()?;
        let oldest = {
            let groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
            groups.values().filter_map(|tail| tail.oldest_segment()).min()
        };
        self.wal.release(oldest.unwrap_or_else(|| self.wal.segment()))
    }

    /// The end: everything that waits is told why.
    fn fail(&mut self, fault: &WalFault) {
        let reason = fault.to_string();
        tracing::error!(%reason, "the write-ahead log failed; the node must stop");
        self.failing.send_replace(Some(reason.clone()));
        for staged in self.waiting.drain(..) {
            staged.done.tell(Err(io::Error::other(reason.clone())));
        }
    }

    /// After the end: everything that still comes is told why.
    async fn refuse(&mut self) {
        let reason = self.failing.borrow().clone().unwrap_or_default();
        while let Ok(order) = self.queue.next_within(MARK_PATIENCE).await {
            match order {
                Some(Order::Entries { done, .. } | Order::Vote { done, .. } | Order::Purge { done, .. }) => {
                    done.tell(Err(io::Error::other(reason.clone())));
                }
                Some(Order::Committed { .. } | Order::Truncate { .. }) | None => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tail::Content;
    use crate::words::Parcel;
    use bytes::Bytes;
    use fen_store::disk::MemoryDisk;
    use openraft::EntryPayload;

    const GROUP: GroupId = GroupId(3);

    fn entry(index: u64) -> Entry {
        let body = Bytes::from(vec![7; 5_000]);
        let log_id = LogPlace { term: 1, index }.log_id();
        Entry { log_id, payload: EntryPayload::Normal(Parcel { stamp: index, body }) }
    }

    /// Entries and a purge that wait together: the entries fill several files before any of them has its place.
    #[tokio::test]
    async fn a_purge_frees_no_file_of_entries_staged_before_it() {
        let options = WalOptions { segment_bytes: 32 << 10, ..WalOptions::new(1) };
        let disk = Arc::new(MemoryDisk::new());
        let mut visit = |_: Position, _: Found<'_>| Ok(());
        let (wal, _) = Wal::open(disk, Path::new("wal"), &options, SegmentNumber::FIRST, &mut visit).unwrap();
        let reader = wal.reader();
        let tail = Arc::new(Tail::new(TailState::default(), 1));
        let groups = Arc::new(Mutex::new(HashMap::from([(GROUP, tail.clone())])));
        let (queue, failing) = (Queue::never(), watch::channel(None).0);
        let mut desk = Desk {
            crew: Crew::Threads,
            wal,
            queue,
            groups,
            waiting: Vec::new(),
            failing,
            room: Room::default(),
            reserve: Reserve::default(),
        };
        let done = || Done::Waiting(oneshot::channel().0);

        let entries: Vec<Entry> = (0..30).map(entry).collect();
        tail.append(&entries);
        desk.write(Order::Entries { group: GROUP, entries, tail: tail.clone(), done: done() }).await.unwrap();
        let up_to = LogPlace { term: 1, index: 0 };
        tail.state().purge(up_to);
        desk.write(Order::Purge { group: GROUP, up_to, done: done() }).await.unwrap();

        let contents = tail.contents(1, 30, usize::MAX);
        assert_eq!(contents.len(), 29);
        for content in contents {
            let Content::At { place, position } = content else { panic!("nothing is cached") };
            let stored = reader.read(position).unwrap();
            assert_eq!(stored.entry().map(|entry| entry.index.get()), Some(place.index));
        }
    }
}
