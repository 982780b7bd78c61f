//! The steps' commands and answers, as the logs of two shards carry them.
//!
//! ```text
//! out      records of 128 bytes, as the client sent them; one that crosses bears the flag [`ACROSS`] and, in the place
//!          of its stamp, the number of its target shard
//!          answer: for each, its result of 16 bytes with a [`Word`] in byte 10
//! in       16 bytes: source shard u32, zeros; then the transfers as the source reserved them
//!          answer: a [`Verdict`] for each
//! decide   a [`Verdict`] for each; answer: a result for each
//! end      16 bytes: source shard u32, zeros; then a [`LegEnd`] for each; answer: a result for each
//! ended    ids of 16 bytes; no answer
//! ```

use bytes::{BufMut, Bytes, BytesMut};
use fen_api::records::{self, PackedResult, RESULT_BYTES};
use fen_book::{Amount, CreateTransferStatus, Stamp, Transfer, TransferFlags, TransferId};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The numbers of the commands.
pub mod kind {
    /// On the source: reserve.
    pub const OUT: u16 = 256;
    /// On the target: the leg.
    pub const IN: u16 = 257;
    /// On the source: post or void.
    pub const DECIDE: u16 = 258;
    /// On the target: the end of a leg that reserves.
    pub const END: u16 = 259;
    /// On the source: that is done.
    pub const ENDED: u16 = 260;

    /// Whether a number is one of these.
    pub fn is_a_step(number: u16) -> bool {
        (OUT..=ENDED).contains(&number)
    }
}

/// Marks a transfer that crosses, on its way to the source's log. No client may set it, and no book sees it.
pub const ACROSS: TransferFlags = TransferFlags::from_bits(1 << 13);

/// Crossings in one step's command.
pub const STEP_MAX: usize = 4_096;

/// The bytes before the records of `in` and `end`.
pub const HEAD_BYTES: usize = 16;

/// What a transfer becomes on its way to the source's log.
pub fn across(transfer: &Transfer, target: u32) -> Transfer {
    Transfer { flags: transfer.flags.with(ACROSS), timestamp: Stamp::new(u64::from(target)), ..*transfer }
}

/// The transfer as it was asked for, and its target shard, where it is marked to cross.
pub fn crossing_of(transfer: &Transfer) -> Option<(Transfer, u32)> {
    let target = u32::try_from(transfer.timestamp.get()).ok()?;
    let asked = Transfer { flags: transfer.flags.without(ACROSS), timestamp: Stamp::ZERO, ..*transfer };
    transfer.flags.contains(ACROSS).then_some((asked, target))
}

/// What the result of an event in `out` says beside its status.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Word {
    /// The result is the answer.
    Final = 0,
    /// Reserved just now; the answer comes when it is decided.
    UnderWay = 1,
    /// Reserved by an earlier call, and not decided yet.
    UnderWayBefore = 2,
    /// Known and decided long ago; the target's leg says how.
    Known = 3,
    /// Not done: it ends a transfer that is itself still under way.
    AskAgain = 4,
    /// Not done: the same batch names what it ends, which is not under way any more.
    AskAtOnce = 5,
}

/// Adds an event's result.
pub fn put_result(into: &mut BytesMut, result: PackedResult, word: Word) {
    records::pack_result(into, result);
    let place = into.len() - RESULT_BYTES + 10;
    into[place] = word as u8;
}

/// Results with their words; `None` where they cannot be read.
pub fn results(bytes: &[u8]) -> Option<Vec<(PackedResult, Word)>> {
    let plain = records::unpack_results(bytes)?;
    let words = bytes.chunks_exact(RESULT_BYTES).map(|result| match result[10] {
        0 => Some(Word::Final),
        1 => Some(Word::UnderWay),
        2 => Some(Word::UnderWayBefore),
        3 => Some(Word::Known),
        4 => Some(Word::AskAgain),
        5 => Some(Word::AskAtOnce),
        _unknown => None,
    });
    plain.into_iter().zip(words).map(|(result, word)| Some((result, word?))).collect()
}

/// What the target said to a leg.
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Verdict {
    /// The transfer.
    pub id: TransferId,
    /// What the leg moved.
    pub amount: Amount,
    status: u16,
    reserved: [u8; 14],
}

const _: () = assert!(size_of::<Verdict>() == 48);

impl Verdict {
    /// A leg's answer.
    pub fn new(id: TransferId, status: CreateTransferStatus, amount: Amount) -> Self {
        Self { id, amount, status: status.number(), reserved: [0; 14] }
    }

    /// Created, or why not; `None` where this release knows no such status.
    pub fn status(&self) -> Option<CreateTransferStatus> {
        CreateTransferStatus::from_number(self.status)
    }
}

/// The end of a leg that reserves.
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct LegEnd {
    /// The transfer.
    pub id: TransferId,
    /// What is posted of it.
    pub amount: Amount,
    posts: u8,
    reserved: [u8; 15],
}

const _: () = assert!(size_of::<LegEnd>() == 48);

impl LegEnd {
    /// Posts so much of a leg.
    pub fn post(id: TransferId, amount: Amount) -> Self {
        Self { id, amount, posts: 1, reserved: [0; 15] }
    }

    /// Releases a leg.
    pub fn void(id: TransferId) -> Self {
        Self { id, amount: Amount::ZERO, posts: 0, reserved: [0; 15] }
    }

    /// Whether it posts.
    pub fn posts(&self) -> bool {
        self.posts == 1
    }
}

/// A step's command body: the source shard, then the records.
pub fn with_source<T: IntoBytes + Immutable>(source: u32, steps: &[T]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(HEAD_BYTES + size_of_val(steps));
    bytes.put_u32_le(source);
    bytes.put_bytes(0, HEAD_BYTES - 4);
    bytes.put_slice(steps.as_bytes());
    bytes.freeze()
}

/// The reverse of [`with_source`], for bytes that lie aligned.
pub fn read_with_source<T: FromBytes + Immutable + KnownLayout>(body: &[u8]) -> Result<(u32, &[T]), String> {
    let (head, rest) = body.split_at_checked(HEAD_BYTES).ok_or("a step without its source")?;
    let source = head.first_chunk::<4>().map_or(0, |bytes| u32::from_le_bytes(*bytes));
    Ok((source, read(rest)?))
}

/// Records that lie aligned.
pub fn read<T: FromBytes + Immutable + KnownLayout>(body: &[u8]) -> Result<&[T], String> {
    <[T]>::ref_from_bytes(body).map_err(|_| format!("{} bytes are no whole number of steps", body.len()))
}

/// Records that lie anywhere.
pub fn copy<T: FromBytes>(body: &[u8]) -> Option<Vec<T>> {
    if !body.len().is_multiple_of(size_of::<T>()) {
        return None;
    }
    body.chunks_exact(size_of::<T>()).map(|record| T::read_from_bytes(record).ok()).collect()
}
