//! A shard: the book as a replicated machine.
//!
//! **Stamps.** The leader proposes its clock with each parcel; the book takes the proposal only if it is ahead of
//! its own clock by enough, and goes on from its own clock otherwise. So stamps rise along the log whatever leaders'
//! clocks say, and every replica stamps alike.

use crate::image::{self, ShardImage};
use crate::parcel::{self, PackedCommand};
use crate::vault::Vault;
use bytes::{Bytes, BytesMut};
use crossbeam_channel::Receiver;
use fen_api::answers;
use fen_book::image::Table;
use fen_book::{Chunk, Command, Reply, STAMP_MAX, Stamp};
use fen_ledger::shard::{CheckpointHeader, Shard, touched_ids};
use fen_raft::{Answer, Audience, Crew, Helper, Image, LogPlace, Machine, Mark, Parcel};
use fen_store::checkpoint::{PageId, PageStore};
use fen_store::journal::{Journal, JournalFault};
use fen_store::wal::{LogIndex, SegmentNumber};
use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use zerocopy::{FromBytes, IntoBytes};

/// The numbers of the commands that this release takes from clients; see [`Command::encode`].
pub mod kind {
    /// Nothing but the passing of time.
    pub const PULSE: u16 = 0;
    /// Opens accounts.
    pub const CREATE_ACCOUNTS: u16 = 1;
    /// Posts transfers.
    pub const CREATE_TRANSFERS: u16 = 2;
    /// Posts transfers and tells the balances after each.
    pub const CREATE_TRANSFERS_WITH_BALANCES: u16 = 3;
    /// Opens accounts with limits and opening balances.
    pub const OPEN_ACCOUNTS: u16 = 4;
    /// Changes limits.
    pub const SET_LIMITS: u16 = 5;
    /// Ends chains of pending transfers.
    pub const END_CHAINS: u16 = 6;
    /// Products, loan events and day-ends.
    pub const LOANS: u16 = 7;

    use super::RecordBytes;
    use fen_book::{AccountOpening, CHAIN_ENDS_MAX, ChainEnd, EVENTS_MAX, LimitChange};

    /// How long the records of a kind are, and how many a command takes; `None` for what this release does not know.
    pub fn record_bytes(kind: u16) -> Option<RecordBytes> {
        let each = |bytes: usize, most: usize| Some(RecordBytes::Each { bytes, most });
        match kind {
            PULSE => each(0, 0),
            CREATE_ACCOUNTS | CREATE_TRANSFERS | CREATE_TRANSFERS_WITH_BALANCES => each(128, EVENTS_MAX),
            OPEN_ACCOUNTS => each(size_of::<AccountOpening>(), EVENTS_MAX / 2),
            SET_LIMITS => each(size_of::<LimitChange>(), EVENTS_MAX),
            END_CHAINS => each(size_of::<ChainEnd>(), CHAIN_ENDS_MAX),
            LOANS => Some(RecordBytes::Any),
            _unknown => None,
        }
    }
}

/// What a command's body is made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RecordBytes {
    /// Records of one length.
    Each {
        /// The length.
        bytes: usize,
        /// At most so many.
        most: usize,
    },
    /// What only the loan side reads.
    Any,
}

/// See the module.
pub struct ShardMachine {
    crew: Crew,
    vault: Vault,
    store: PageStore,
    shard: Shard,
    sealer: Sealer,
    mark: Mark,
    /// The log's bytes lie anywhere; the book wants records where the processor likes them.
    aligned: Vec<u128>,
    /// When the next pending transfer lapses; read by whoever proposes pulses.
    next_expiry: Arc<AtomicU64>,
}

impl ShardMachine {
    /// The shard as its last checkpoint has it, or an empty one.
    pub fn open(crew: Crew, vault: Vault) -> io::Result<Self> {
        let (store, journal) = (vault.store()?, Arc::new(vault.journal()?));
        let shard = Shard::restore(&store, journal.clone()).map_err(io::Error::other)?;
        let mark = read_mark(store.header())?;
        let settled =
            CheckpointHeader::read_from_prefix(store.header()).map_or(0, |(header, _)| header.book.chunk);
        let sealer = Sealer::start(&crew, journal, settled)?;
        let machine = Self {
            crew,
            vault,
            store,
            shard,
            sealer,
            mark,
            aligned: Vec::new(),
            next_expiry: Arc::default(),
        };
        machine.publish_expiry();
        Ok(machine)
    }

    /// When the next pending transfer lapses, kept true.
    pub fn next_expiry(&self) -> Arc<AtomicU64> {
        self.next_expiry.clone()
    }

    /// The shard, to be read.
    pub fn shard(&self) -> &Shard {
        &self.shard
    }

    fn publish_expiry(&self) {
        let next = self.shard.book().next_expiry().map_or(u64::MAX, Stamp::get);
        self.next_expiry.store(next, Ordering::Relaxed);
    }

    fn command(&mut self, stamp: u64, command: &PackedCommand) -> io::Result<Reply> {
        let broken =
            |reason: String| io::Error::new(io::ErrorKind::InvalidData, format!("log entry: {reason}"));
        let bytes = command.body.len();
        self.aligned.resize(bytes.div_ceil(size_of::<u128>()), 0);
        let body = &mut self.aligned.as_mut_bytes()[..bytes];
        body.copy_from_slice(&command.body);
        let command = Command::decode(command.kind, body).map_err(broken)?;
        let stamps = u64::try_from(command.stamp_count()).map_err(io::Error::other)?;
        let clock = self.shard.book().clock().get();
        let stamp = stamp.min(STAMP_MAX.get()).max(clock.saturating_add(stamps));
        // The shard counts commands, of which an entry may hold several; its count is its own.
        let next = LogIndex::new(self.shard.applied().get() + 1);
        let reply = self.shard.apply(next, &command, Stamp::new(stamp)).map_err(io::Error::other)?;
        for chunk in self.shard.take_full_chunks() {
            self.sealer.seal(chunk)?;
        }
        while let Some(number) = self.sealer.sealed_now()? {
            self.shard.chunk_is_sealed(number);
        }
        Ok(reply)
    }

    /// Everything that changed since the last checkpoint, written in one go beside the waiting traffic.
    fn write_checkpoint(&mut self, mark: &Mark) -> io::Result<()> {
        let (header, pages) = self.shard.freeze(SegmentNumber::FIRST);
        let of_open_chunk = |id: &PageId| Table::OF_OPEN_CHUNK.iter().any(|table| table.number() == id.table);
        let mut left_over: BTreeSet<PageId> =
            self.store.current().pages().map(|(id, _)| id).filter(of_open_chunk).collect();
        let mut draft = self.store.draft().map_err(io::Error::other)?;
        let mut next = Some(pages);
        while let Some(pages) = next {
            for page in pages {
                let id = PageId { table: page.table.number(), page: page.page };
                left_over.remove(&id);
                draft.put(id, &page.bytes).map_err(io::Error::other)?;
            }
            next = self.shard.take_frozen(PAGES_PER_STEP);
        }
        for id in left_over {
            draft.remove(id);
        }
        while self.shard.journal().chunks() < header.book.chunk {
            let number = self.sealer.sealed_next()?;
            self.shard.chunk_is_sealed(number);
        }
        let mut bytes = header.as_bytes().to_vec();
        write_mark(&mut bytes, mark);
        draft.finish(&bytes).map_err(io::Error::other)?;
        self.sealer.settled.store(header.book.chunk, Ordering::Release);
        Ok(())
    }

    fn image_of_checkpoint(&mut self) -> io::Result<Image> {
        let generation = self.store.current();
        let (header, _mark) = CheckpointHeader::read_from_prefix(generation.header())
            .map_err(|_| io::Error::other("the checkpoint's header is too short"))?;
        let journal = self.shard.journal();
        let content = ShardImage::new(&self.vault, generation, journal, header.book.chunk)?;
        Ok(Image { mark: self.mark.clone(), content: Arc::new(content) })
    }
}

/// Pages taken from the book at once for a checkpoint.
const PAGES_PER_STEP: usize = 64;

/// The mark follows the book's header in a checkpoint: 1 byte whether there is a place, term, index, membership.
fn write_mark(bytes: &mut Vec<u8>, mark: &Mark) {
    bytes.push(u8::from(mark.place.is_some()));
    let place = mark.place.unwrap_or_default();
    #[cfg(feature = "planted")]
    let place = if fen_raft::planted::is_here(fen_raft::planted::Bug::AppliedTwice) {
        LogPlace { index: place.index.saturating_sub(1), ..place }
    } else {
        place
    };
    bytes.extend_from_slice(&place.term.to_le_bytes());
    bytes.extend_from_slice(&place.index.to_le_bytes());
    bytes.extend_from_slice(&mark.membership);
}

fn read_mark(header: &[u8]) -> io::Result<Mark> {
    if header.is_empty() {
        return Ok(Mark::default());
    }
    let short = || io::Error::other("the checkpoint says nothing of the log");
    let rest = header.get(size_of::<CheckpointHeader>()..).ok_or_else(short)?;
    let (present, rest) = rest.split_first().ok_or_else(short)?;
    let (term, rest) = rest.split_first_chunk::<8>().ok_or_else(short)?;
    let (index, membership) = rest.split_first_chunk::<8>().ok_or_else(short)?;
    let place = LogPlace { term: u64::from_le_bytes(*term), index: u64::from_le_bytes(*index) };
    Ok(Mark { place: (*present == 1).then_some(place), membership: Bytes::copy_from_slice(membership) })
}

/// Turns full chunks into segments, so that the machine's own worker need not.
struct Sealer {
    chunks: Helper<Arc<Chunk>>,
    sealed: Receiver<Result<u32, String>>,
    /// The chunk at which the checkpoint in force begins; index runs are merged up to it.
    settled: Arc<AtomicU32>,
}

/// Full chunks that may wait; the machine waits with one more.
const CHUNKS_MAX: usize = 2;

impl Sealer {
    fn start(crew: &Crew, journal: Arc<Journal>, settled: u32) -> io::Result<Self> {
        let settled = Arc::new(AtomicU32::new(settled));
        let merge_below = Arc::clone(&settled);
        let (done, sealed) = crossbeam_channel::unbounded();
        let work = move |chunk: Arc<Chunk>| {
            let number = chunk.number;
            let result = seal(&journal, &chunk, merge_below.load(Ordering::Acquire))
                .map(|()| number)
                .map_err(|fault| fault.to_string());
            // The machine has gone; what is sealed stays sealed.
            drop(done.send(result));
        };
        Ok(Self { chunks: crew.helper("fen-seal", CHUNKS_MAX, work)?, sealed, settled })
    }

    fn seal(&mut self, chunk: Arc<Chunk>) -> io::Result<()> {
        self.chunks.send(chunk)
    }

    fn sealed_now(&self) -> io::Result<Option<u32>> {
        self.sealed.try_recv().ok().transpose().map_err(io::Error::other)
    }

    fn sealed_next(&self) -> io::Result<u32> {
        self.sealed.recv().map_err(io::Error::other)?.map_err(io::Error::other)
    }
}

fn seal(journal: &Journal, chunk: &Chunk, settled: u32) -> Result<(), JournalFault> {
    // After a restart the log is replayed from the checkpoint, and what was sealed since is sealed already.
    if journal.chunks() <= chunk.number {
        journal.seal(chunk, &touched_ids(chunk))?;
    }
    while journal.merge_once(settled)? {}
    Ok(())
}

impl Machine for ShardMachine {
    fn mark(&self) -> Mark {
        self.mark.clone()
    }

    fn apply(&mut self, _place: LogPlace, parcel: &Parcel, audience: Audience) -> io::Result<Answer> {
        let mut packed = BytesMut::new();
        for command in parcel::unpack(parcel.body.clone()).map_err(io::Error::other)? {
            let reply = self.command(parcel.stamp, &command)?;
            if audience == Audience::Client {
                parcel::add_answer(&mut packed, &answers::pack(&reply));
            }
        }
        self.publish_expiry();
        Ok(Answer(packed.freeze()))
    }

    fn checkpoint(&mut self, mark: Mark) -> io::Result<Image> {
        self.write_checkpoint(&mark)?;
        self.mark = mark;
        self.image_of_checkpoint()
    }

    fn image(&mut self) -> io::Result<Option<Image>> {
        if self.store.generation() == 0 {
            return Ok(None);
        }
        self.image_of_checkpoint().map(Some)
    }

    fn install(&mut self, image: Image) -> io::Result<()> {
        let next = self.vault.successor()?;
        image::unpack(&*image.content, &next)?;
        next.take_over(&self.vault)?;
        let expiry = self.next_expiry.clone();
        *self = Self::open(self.crew.clone(), next)?;
        self.next_expiry = expiry;
        self.publish_expiry();
        if self.mark != image.mark {
            return Err(io::Error::other("the image is of another place of the log than it says"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_the_books_own() {
        assert_eq!(Command::Pulse.encode().0, kind::PULSE);
        assert_eq!(Command::CreateAccounts(&[]).encode().0, kind::CREATE_ACCOUNTS);
        assert_eq!(Command::CreateTransfers(&[]).encode().0, kind::CREATE_TRANSFERS);
        let with_balances = Command::CreateTransfersWithBalances(&[]);
        assert_eq!(with_balances.encode().0, kind::CREATE_TRANSFERS_WITH_BALANCES);
        assert_eq!(Command::OpenAccounts(&[]).encode().0, kind::OPEN_ACCOUNTS);
        assert_eq!(Command::SetLimits(&[]).encode().0, kind::SET_LIMITS);
        assert_eq!(Command::EndChains(&[]).encode().0, kind::END_CHAINS);
        assert_eq!(Command::Loans(&[]).encode().0, kind::LOANS);
    }
}
