//! A shard: the book as a replicated machine.
//!
//! **Stamps.** The leader proposes its clock with each parcel; the book takes the proposal only if it is ahead of
//! its own clock by enough, and goes on from its own clock otherwise. So stamps rise along the log whatever leaders'
//! clocks say, and every replica stamps alike.

use crate::books::Books;
use crate::crossing::board::Board;
use crate::crossing::table::{self, Crossings};
use crate::image::{self, ShardImage};
use crate::parcel::{self, PackedCommand};
use crate::vault::Vault;
use bytes::{Bytes, BytesMut};
use crossbeam_channel::Receiver;
use fen_book::image::Table;
use fen_book::{Chunk, Stamp};
use fen_ledger::shard::{CheckpointHeader, Shard, touched_ids};
use fen_raft::{Answer, Audience, Crew, Helper, Image, LogPlace, Machine, Mark, Parcel};
use fen_store::checkpoint::{PageId, PageStore};
use fen_store::journal::{Journal, JournalFault};
use fen_store::wal::SegmentNumber;
use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use zerocopy::{FromBytes, IntoBytes};

/// The numbers of the commands that this release takes from clients: the book's own.
pub mod kind {
    pub use fen_book::command::kind::*;

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
    number: u32,
    vault: Vault,
    store: PageStore,
    books: Books,
    board: Arc<Board>,
    sealer: Sealer,
    mark: Mark,
    /// The log's bytes lie anywhere; the book wants records where the processor likes them.
    aligned: Vec<u128>,
    /// When the next pending transfer lapses; read by whoever proposes pulses.
    next_expiry: Arc<AtomicU64>,
}

impl ShardMachine {
    /// The shard as its last checkpoint has it, or an empty one.
    pub fn open(number: u32, crew: Crew, vault: Vault) -> io::Result<Self> {
        let (store, journal) = (vault.store()?, Arc::new(vault.journal()?));
        let mut crossings = Crossings::default();
        let mut others = |page: PageId, bytes: &[u8]| match page.table {
            table::TABLE => crossings.restore(bytes),
            unknown => Err(format!("table {unknown} is unknown to this release")),
        };
        let shard = Shard::restore_beside(&store, journal.clone(), &mut others).map_err(io::Error::other)?;
        let books = Books::new(number, shard, crossings);
        let mark = read_mark(store.header())?;
        let settled =
            CheckpointHeader::read_from_prefix(store.header()).map_or(0, |(header, _)| header.book.chunk);
        let sealer = Sealer::start(&crew, journal, settled)?;
        let (board, next_expiry) = Default::default();
        let machine =
            Self { crew, number, vault, store, books, board, sealer, mark, aligned: Vec::new(), next_expiry };
        machine.publish();
        Ok(machine)
    }

    /// When the next pending transfer lapses, kept true.
    pub fn next_expiry(&self) -> Arc<AtomicU64> {
        self.next_expiry.clone()
    }

    /// Where it is told what waits for a step between shards, and what became of it.
    pub fn board(&self) -> Arc<Board> {
        self.board.clone()
    }

    /// The shard, to be read.
    pub fn shard(&self) -> &Shard {
        self.books.shard()
    }

    /// The shard with what is on its way to others, to be read.
    pub fn books(&self) -> &Books {
        &self.books
    }

    fn publish(&self) {
        let next = self.shard().book().next_expiry().map_or(u64::MAX, Stamp::get);
        self.next_expiry.store(next, Ordering::Relaxed);
        self.board.publish(self.books.crossings());
    }

    fn command(&mut self, stamp: u64, command: &PackedCommand) -> io::Result<Bytes> {
        let bytes = command.body.len();
        self.aligned.resize(bytes.div_ceil(size_of::<u128>()), 0);
        let body = &mut self.aligned.as_mut_bytes()[..bytes];
        body.copy_from_slice(&command.body);
        let answer = self.books.apply(stamp, command.kind, body)?;
        for chunk in self.books.shard_mut().take_full_chunks() {
            self.sealer.seal(chunk)?;
        }
        while let Some(number) = self.sealer.sealed_now()? {
            self.books.shard_mut().chunk_is_sealed(number);
        }
        Ok(answer)
    }

    /// Everything that changed since the last checkpoint, written in one go beside the waiting traffic.
    fn write_checkpoint(&mut self, mark: &Mark) -> io::Result<()> {
        let (header, pages) = self.books.shard_mut().freeze(SegmentNumber::FIRST);
        let of_open_chunk = |id: &PageId| {
            id.table == table::TABLE || Table::OF_OPEN_CHUNK.iter().any(|table| table.number() == id.table)
        };
        let mut left_over: BTreeSet<PageId> =
            self.store.current().pages().map(|(id, _)| id).filter(of_open_chunk).collect();
        let mut draft = self.store.draft().map_err(io::Error::other)?;
        for (page, bytes) in (0..).zip(self.books.crossings().pages()) {
            let id = PageId { table: table::TABLE, page };
            left_over.remove(&id);
            draft.put(id, &bytes).map_err(io::Error::other)?;
        }
        let mut next = Some(pages);
        while let Some(pages) = next {
            for page in pages {
                let id = PageId { table: page.table.number(), page: page.page };
                left_over.remove(&id);
                draft.put(id, &page.bytes).map_err(io::Error::other)?;
            }
            next = self.books.shard_mut().take_frozen(PAGES_PER_STEP);
        }
        for id in left_over {
            draft.remove(id);
        }
        while self.books.shard().journal().chunks() < header.book.chunk {
            let number = self.sealer.sealed_next()?;
            self.books.shard_mut().chunk_is_sealed(number);
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
        let journal = self.books.shard().journal();
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
            let answer = self.command(parcel.stamp, &command)?;
            if audience == Audience::Client {
                parcel::add_answer(&mut packed, &answer);
            }
        }
        self.publish();
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
        let (expiry, board) = (self.next_expiry.clone(), self.board.clone());
        *self = Self::open(self.number, self.crew.clone(), next)?;
        (self.next_expiry, self.board) = (expiry, board);
        self.publish();
        if self.mark != image.mark {
            return Err(io::Error::other("the image is of another place of the log than it says"));
        }
        Ok(())
    }
}
