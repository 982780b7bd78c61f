//! A shard: the book as a replicated machine.
//!
//! **Stamps.** The leader proposes its clock with each parcel; the book takes the proposal only if it is ahead of
//! its own clock by enough, and goes on from its own clock otherwise. So stamps rise along the log whatever leaders'
//! clocks say, and every replica stamps alike.
//!
//! Sealing and checkpoints are written by workers beside the machine (`shard/sealer.rs`, `shard/keeper.rs`). On a full
//! disk they wait for room, and reads go on.

mod keeper;
mod sealer;

use crate::books::Books;
use crate::crossing::board::Board;
use crate::crossing::table::{self, Crossings};
use crate::image::{self, ShardImage};
use crate::parcel::{self, PackedCommand};
use crate::vault::{Damage, Vault};
use bytes::{Bytes, BytesMut};
use fen_book::Stamp;
use fen_ledger::Fault;
use fen_ledger::shard::{CheckpointHeader, Shard};
use fen_raft::{Answer, Audience, Checkpoint, Crew, Image, LogPlace, Machine, Mark, Parcel};
use fen_store::checkpoint::{Generation, PageId};
use fen_store::room::Room;
use fen_store::wal::SegmentNumber;
use keeper::{Keeper, Step};
use sealer::Sealer;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
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
    books: Books,
    board: Arc<Board>,
    sealer: Sealer,
    keeper: Keeper,
    /// The room that its workers wait for; closed with the machine.
    room: Room,
    /// The checkpoint in force, and its mark.
    standing: Arc<Generation>,
    mark: Mark,
    /// The log's bytes lie anywhere; the book wants records where the processor likes them.
    aligned: Vec<u128>,
    /// When the next pending transfer lapses; read by whoever proposes pulses.
    next_expiry: Arc<AtomicU64>,
}

impl ShardMachine {
    /// The shard as its last checkpoint has it, or an empty one; `room` is that of the node's disk.
    pub fn open(number: u32, crew: Crew, vault: Vault, room: &Room) -> io::Result<Self> {
        let (mut store, journal) = (vault.store()?, Arc::new(vault.journal()?));
        let mut crossings = Crossings::default();
        let mut others = |page: PageId, bytes: &[u8]| match page.table {
            table::TABLE => crossings.restore(bytes),
            unknown => Err(format!("table {unknown} is unknown to this release")),
        };
        let restored = Shard::restore_beside(&store, journal.clone(), &mut others);
        let shard = restored.map_err(|fault| {
            if matches!(fault, Fault::Damaged(_)) { Damage::error(fault) } else { io::Error::other(fault) }
        })?;
        let books = Books::new(number, shard, crossings);
        let mark = read_mark(store.header())?;
        let standing = store.current();
        let settled =
            CheckpointHeader::read_from_prefix(store.header()).map_or(0, |(header, _)| header.book.chunk);
        let room = room.beside();
        if !crew.may_wait_aside() {
            room.close();
        }
        let (sealer, sealed) = Sealer::start(&crew, journal.clone(), settled, room.clone())?;
        let keeper = Keeper::start(&crew, store, journal, sealed, room.clone())?;
        let (board, next_expiry, aligned) = Default::default();
        let machine = Self {
            crew,
            number,
            vault,
            books,
            board,
            sealer,
            keeper,
            room,
            standing,
            mark,
            aligned,
            next_expiry,
        };
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
        self.let_go_of_sealed()?;
        Ok(answer)
    }

    fn let_go_of_sealed(&mut self) -> io::Result<()> {
        while let Some(number) = self.sealer.sealed_now()? {
            self.books.shard_mut().chunk_is_sealed(number);
        }
        Ok(())
    }

    fn image_of_checkpoint(&self) -> io::Result<Image> {
        let (header, _mark) = CheckpointHeader::read_from_prefix(self.standing.header())
            .map_err(|_| io::Error::other("the checkpoint's header is too short"))?;
        let journal = self.books.shard().journal();
        let content = ShardImage::new(&self.vault, self.standing.clone(), journal, header.book.chunk)?;
        Ok(Image { mark: self.mark.clone(), content: Arc::new(content) })
    }
}

impl Drop for ShardMachine {
    fn drop(&mut self) {
        self.room.close();
    }
}

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

    fn checkpoint(&mut self, mark: Mark) -> io::Result<Checkpoint> {
        let (frozen, pages) = self.books.shard_mut().freeze(SegmentNumber::FIRST);
        let page = |(page, bytes)| (PageId { table: table::TABLE, page }, bytes);
        let beside = (0..).zip(self.books.crossings().pages()).map(page).collect();
        let mut header = frozen.as_bytes().to_vec();
        write_mark(&mut header, &mark);
        self.keeper.begin((&frozen, pages), header, beside, mark)?;
        Ok(Checkpoint::UnderWay)
    }

    fn go_on(&mut self) -> io::Result<Checkpoint> {
        // A checkpoint waits for chunks that are being sealed; a fault of that would otherwise not be heard.
        self.let_go_of_sealed()?;
        Ok(match self.keeper.go_on(self.books.shard_mut())? {
            Step::More => Checkpoint::UnderWay,
            Step::Waits => Checkpoint::Waits,
            Step::Kept(kept) => {
                self.sealer.settle(kept.chunk);
                (self.mark, self.standing) = (kept.mark, kept.generation);
                Checkpoint::Whole(self.image_of_checkpoint()?)
            }
        })
    }

    fn image(&mut self) -> io::Result<Option<Image>> {
        if self.standing.number() == 0 {
            return Ok(None);
        }
        self.image_of_checkpoint().map(Some)
    }

    fn install(&mut self, image: Image) -> io::Result<()> {
        let is_full = |error: &io::Error| image::is_full(error.kind());
        let unpacked = self.room.until_room(is_full, || {
            let next = self.vault.successor()?;
            image::unpack(&*image.content, &next, Some(&self.vault)).map(|()| next)
        });
        let next = unpacked.unwrap_or_else(|| Err(io::ErrorKind::StorageFull.into()))?;
        next.take_over(&self.vault)?;
        let (expiry, board) = (self.next_expiry.clone(), self.board.clone());
        *self = Self::open(self.number, self.crew.clone(), next, &self.room)?;
        (self.next_expiry, self.board) = (expiry, board);
        self.publish();
        if self.mark != image.mark {
            return Err(io::Error::other("the image is of another place of the log than it says"));
        }
        Ok(())
    }
}
