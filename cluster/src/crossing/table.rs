//! The crossings that are open on their source shard: part of the shard's replicated state.

use fen_book::{Amount, Book, LedgerCode, Transfer, TransferFlags, TransferId};
use fen_ledger::Total;
use fen_store::checkpoint::PAGE_BYTES;
use std::collections::{BTreeMap, BTreeSet};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Crossings that may be open on one shard, reserved ones included. A checkpoint copies all of them at once: 10 MiB.
pub const OPEN_MAX: usize = 65_536;

/// The number of the table in a checkpoint.
pub const TABLE: u16 = 256;

const PAGE_HEAD_BYTES: usize = 16;
const PER_PAGE: usize = (PAGE_BYTES - PAGE_HEAD_BYTES) / size_of::<Crossing>();

/// Which step comes next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Stage {
    /// The target has to decide.
    Out = 1,
    /// Both sides hold a reservation; the client or time ends it.
    Reserved = 2,
    /// The source has posted; the leg has to be posted.
    Posting = 3,
    /// The source has released; the leg has to be voided.
    Voiding = 4,
}

/// One open crossing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Crossing {
    /// What was asked for, with the amount that is reserved and the stamp of the reservation.
    pub asked: Transfer,
    /// While posting: how much.
    pub posted: Amount,
    /// When a reservation lapses; zero is never.
    pub expires_at: u64,
    /// The payee's shard.
    pub target: u32,
    stage: u8,
    reserved: [u8; 3],
}

const _: () = assert!(size_of::<Crossing>() == 160);

impl Crossing {
    /// A transfer that has just been reserved on its source.
    pub fn out(asked: Transfer, target: u32) -> Self {
        let lapses =
            if asked.timeout.is_zero() { None } else { asked.timestamp.checked_after(asked.timeout) };
        let expires_at = lapses.map_or(0, fen_book::Stamp::get);
        Self { asked, posted: Amount::ZERO, expires_at, target, stage: Stage::Out as u8, reserved: [0; 3] }
    }

    /// Which step comes next.
    pub fn stage(&self) -> Stage {
        match self.stage {
            1 => Stage::Out,
            2 => Stage::Reserved,
            3 => Stage::Posting,
            _voiding => Stage::Voiding,
        }
    }

    /// Whether both sides only reserve.
    pub fn is_reservation(&self) -> bool {
        self.asked.flags.contains(TransferFlags::PENDING)
    }
}

struct Row {
    crossing: Crossing,
    /// Its place among those that wait for a step; not part of the state.
    turn: u64,
}

/// See the module.
#[derive(Default)]
pub struct Crossings {
    rows: BTreeMap<TransferId, Row>,
    lapsing: BTreeSet<(u64, TransferId)>,
    due: BTreeMap<u64, TransferId>,
    turns: u64,
}

impl Crossings {
    /// How many are open.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether none is open.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How often a crossing has come to wait for a step since the machine was started.
    pub fn turns(&self) -> u64 {
        self.turns
    }

    /// All of them, in order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = &Crossing> {
        self.rows.values().map(|row| &row.crossing)
    }

    /// What is on its way, or reserved for it, by ledger.
    pub fn in_flight(&self) -> BTreeMap<LedgerCode, Total> {
        let mut sums: BTreeMap<LedgerCode, Total> = BTreeMap::new();
        for crossing in self.iter() {
            sums.entry(crossing.asked.ledger).or_default().add(crossing.asked.amount);
        }
        sums
    }

    /// The open crossing of a transfer.
    pub fn get(&self, id: TransferId) -> Option<&Crossing> {
        self.rows.get(&id).map(|row| &row.crossing)
    }

    /// Those that wait for a step and came after `turn`, oldest first, with their turns.
    pub fn due_after(&self, turn: u64, count_max: usize) -> Vec<(u64, Crossing)> {
        let later = self.due.range(turn.saturating_add(1)..).take(count_max);
        later.filter_map(|(turn, id)| Some((*turn, *self.get(*id)?))).collect()
    }

    /// Opens a crossing.
    pub fn insert(&mut self, crossing: Crossing) {
        let id = crossing.asked.id;
        let replaced = self.rows.insert(id, Row { crossing, turn: 0 });
        assert!(replaced.is_none(), "a crossing is opened once");
        self.place(id);
    }

    /// Moves a crossing on.
    pub fn advance(&mut self, id: TransferId, stage: Stage, posted: Amount) {
        let row = self.rows.get_mut(&id).expect("an open crossing is moved on");
        (row.crossing.stage, row.crossing.posted) = (stage as u8, posted);
        self.place(id);
    }

    /// Forgets a crossing.
    pub fn remove(&mut self, id: TransferId) {
        if let Some(row) = self.rows.remove(&id) {
            self.due.remove(&row.turn);
            self.lapsing.remove(&(row.crossing.expires_at, id));
        }
    }

    /// Puts a crossing where its stage wants it.
    fn place(&mut self, id: TransferId) {
        let row = self.rows.get_mut(&id).expect("an open crossing has a row");
        self.due.remove(&row.turn);
        let lapse = (row.crossing.expires_at, id);
        self.lapsing.remove(&lapse);
        match row.crossing.stage() {
            Stage::Reserved => {
                if lapse.0 != 0 {
                    self.lapsing.insert(lapse);
                }
            }
            Stage::Out | Stage::Posting | Stage::Voiding => {
                self.turns += 1;
                row.turn = self.turns;
                self.due.insert(row.turn, id);
            }
        }
    }

    /// Finds the reservations that the book has let lapse: their legs have to be voided.
    pub fn note_lapses(&mut self, book: &Book) {
        while let Some((expires_at, id)) = self.lapsing.first().copied() {
            if expires_at > book.clock().get() || book.pendings().get(id).is_some() {
                return;
            }
            self.advance(id, Stage::Voiding, Amount::ZERO);
        }
    }

    /// The table as pages of a checkpoint.
    pub fn pages(&self) -> Vec<Vec<u8>> {
        let all: Vec<Crossing> = self.iter().copied().collect();
        let page = |some: &[Crossing]| {
            let mut bytes = Vec::with_capacity(PAGE_BYTES);
            bytes.extend_from_slice(&(some.len() as u64).to_le_bytes());
            bytes.resize(PAGE_HEAD_BYTES, 0);
            bytes.extend_from_slice(some.as_bytes());
            bytes.resize(PAGE_BYTES, 0);
            bytes
        };
        all.chunks(PER_PAGE).map(page).collect()
    }

    /// Takes a page back in; in words, why it cannot be one.
    pub fn restore(&mut self, page: &[u8]) -> Result<(), String> {
        let broken = || "a page of open crossings does not hold what it says".to_owned();
        let (count, _) = page.split_first_chunk::<8>().ok_or_else(broken)?;
        let count = usize::try_from(u64::from_le_bytes(*count)).unwrap_or(usize::MAX);
        if page.len() != PAGE_BYTES || count > PER_PAGE {
            return Err(broken());
        }
        for record in page[PAGE_HEAD_BYTES..].chunks_exact(size_of::<Crossing>()).take(count) {
            let crossing = Crossing::read_from_bytes(record).map_err(|_| broken())?;
            if !(1..=4).contains(&crossing.stage) || self.rows.contains_key(&crossing.asked.id) {
                return Err(broken());
            }
            self.insert(crossing);
        }
        Ok(())
    }
}
