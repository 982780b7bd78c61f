//! A shard: the book as a replicated machine.
//!
//! **Stamps.** The leader proposes its clock with each parcel; the book takes the proposal only if it is ahead of
//! its own clock by enough, and goes on from its own clock otherwise. So stamps rise along the log whatever leaders'
//! clocks say, and every replica stamps alike.

use crate::parcel::{self, PackedCommand};
use bytes::{Bytes, BytesMut};
use fen_api::records::{self, PackedResult};
use fen_book::{Account, Book, Command, Recall, Reply, STAMP_MAX, Stamp, Transfer};
use fen_raft::{Answer, Audience, Image, LogPlace, Machine, Mark, Parcel};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use zerocopy::{FromZeros, IntoBytes};

/// Commands' numbers in a parcel, for ever.
pub mod kind {
    /// Nothing but the passing of time.
    pub const PULSE: u16 = 0;
    /// Opens accounts.
    pub const CREATE_ACCOUNTS: u16 = 1;
    /// Posts transfers.
    pub const CREATE_TRANSFERS: u16 = 2;
}

/// See the module.
pub struct ShardMachine {
    book: Book,
    accounts: Vec<Account>,
    transfers: Vec<Transfer>,
    /// When the next pending transfer lapses; read by whoever proposes pulses.
    next_expiry: Arc<AtomicU64>,
}

impl ShardMachine {
    /// An empty shard.
    pub fn new() -> (Self, Arc<AtomicU64>) {
        let next_expiry = Arc::new(AtomicU64::new(u64::MAX));
        let machine = Self {
            book: Book::new(),
            accounts: Vec::new(),
            transfers: Vec::new(),
            next_expiry: next_expiry.clone(),
        };
        (machine, next_expiry)
    }

    /// The book, to be read.
    pub fn book(&self) -> &Book {
        &self.book
    }

    fn command(&mut self, stamp: u64, command: &PackedCommand) -> io::Result<Reply> {
        let broken = |what: &str| io::Error::new(io::ErrorKind::InvalidData, format!("log entry: {what}"));
        let command = match command.kind {
            kind::PULSE => Command::Pulse,
            kind::CREATE_ACCOUNTS => {
                copy(&command.body, &mut self.accounts)
                    .ok_or_else(|| broken("accounts of the wrong size"))?;
                Command::CreateAccounts(&self.accounts)
            }
            kind::CREATE_TRANSFERS => {
                copy(&command.body, &mut self.transfers)
                    .ok_or_else(|| broken("transfers of the wrong size"))?;
                Command::CreateTransfers(&self.transfers)
            }
            _unknown => return Err(broken("a command that this release does not know")),
        };
        let events = u64::try_from(command.event_count()).map_err(io::Error::other)?;
        let stamp = stamp.min(STAMP_MAX.get()).max(self.book.clock().get().saturating_add(events));
        Ok(self.book.apply(&command, Stamp::new(stamp), &Recall::nothing()))
    }
}

/// The log's bytes lie anywhere; the book wants records where the processor likes them.
fn copy<T: FromZeros + IntoBytes + zerocopy::FromBytes + zerocopy::Immutable + Clone>(
    bytes: &[u8],
    records: &mut Vec<T>,
) -> Option<()> {
    let count = bytes.len() / size_of::<T>();
    if bytes.len() != count * size_of::<T>() {
        return None;
    }
    records.resize(count, T::new_zeroed());
    records.as_mut_bytes().copy_from_slice(bytes);
    Some(())
}

fn pack(reply: &Reply) -> Bytes {
    let mut packed = BytesMut::new();
    match reply {
        Reply::Accounts(outcomes) => {
            packed.reserve(outcomes.len() * records::RESULT_BYTES);
            for outcome in outcomes {
                let result = PackedResult { timestamp: outcome.timestamp, status: outcome.status.number() };
                records::pack_result(&mut packed, result);
            }
        }
        Reply::Transfers(outcomes) => {
            packed.reserve(outcomes.len() * records::RESULT_BYTES);
            for outcome in outcomes {
                let result = PackedResult { timestamp: outcome.timestamp, status: outcome.status.number() };
                records::pack_result(&mut packed, result);
            }
        }
        Reply::Done => {}
    }
    packed.freeze()
}

impl Machine for ShardMachine {
    fn mark(&self) -> Mark {
        Mark::default()
    }

    fn apply(&mut self, _place: LogPlace, parcel: &Parcel, audience: Audience) -> io::Result<Answer> {
        let mut answers = BytesMut::new();
        for command in parcel::unpack(parcel.body.clone()).map_err(io::Error::other)? {
            let reply = self.command(parcel.stamp, &command)?;
            if audience == Audience::Client {
                parcel::add_answer(&mut answers, &pack(&reply));
            }
        }
        let next = self.book.next_expiry().map_or(u64::MAX, Stamp::get);
        self.next_expiry.store(next, Ordering::Relaxed);
        Ok(Answer(answers.freeze()))
    }

    fn checkpoint(&mut self, _mark: Mark) -> io::Result<Image> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "a shard's log is kept whole"))
    }

    fn image(&mut self) -> io::Result<Option<Image>> {
        Ok(None)
    }

    fn install(&mut self, _image: Image) -> io::Result<()> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "a shard's log is kept whole"))
    }
}
