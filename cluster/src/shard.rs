//! A shard: the book as a replicated machine.
//!
//! **Stamps.** The leader proposes its clock with each parcel; the book takes the proposal only if it is ahead of
//! its own clock by enough, and goes on from its own clock otherwise. So stamps rise along the log whatever leaders'
//! clocks say, and every replica stamps alike.

use crate::parcel::{self, PackedCommand};
use bytes::{Bytes, BytesMut};
use fen_api::records::{self, PackedResult};
use fen_book::{Book, Command, Recall, Reply, STAMP_MAX, Stamp};
use fen_raft::{Answer, Audience, Image, LogPlace, Machine, Mark, Parcel};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use zerocopy::IntoBytes;

/// The numbers of the commands that this release takes from clients; see [`Command::encode`].
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
    /// The log's bytes lie anywhere; the book wants records where the processor likes them.
    aligned: Vec<u128>,
    /// When the next pending transfer lapses; read by whoever proposes pulses.
    next_expiry: Arc<AtomicU64>,
}

impl ShardMachine {
    /// An empty shard.
    pub fn new() -> (Self, Arc<AtomicU64>) {
        let next_expiry = Arc::new(AtomicU64::new(u64::MAX));
        let machine = Self { book: Book::new(), aligned: Vec::new(), next_expiry: next_expiry.clone() };
        (machine, next_expiry)
    }

    /// The book, to be read.
    pub fn book(&self) -> &Book {
        &self.book
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
        let stamp = stamp.min(STAMP_MAX.get()).max(self.book.clock().get().saturating_add(stamps));
        Ok(self.book.apply(&command, Stamp::new(stamp), &Recall::nothing()))
    }
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
        // Commands with such replies are not taken from clients yet.
        Reply::Receipts(_)
        | Reply::Openings(_)
        | Reply::Limits(_)
        | Reply::ChainEnds(_)
        | Reply::Loans(_)
        | Reply::Done => {}
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_the_books_own() {
        assert_eq!(Command::Pulse.encode().0, kind::PULSE);
        assert_eq!(Command::CreateAccounts(&[]).encode().0, kind::CREATE_ACCOUNTS);
        assert_eq!(Command::CreateTransfers(&[]).encode().0, kind::CREATE_TRANSFERS);
    }
}
