//! What a gateway asks of the node that leads a shard, and what it hears, in bytes for the way between two nodes.

use crate::fault::ServeFault;
use crate::parcel::PackedCommand;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use fen_api::wire;
use fen_net::NodeId;
use prost::Message;

/// One question to one shard.
#[derive(Clone, PartialEq, Debug)]
pub enum Ask {
    /// Put a command into the log; answered by packed results.
    Submit(PackedCommand),
    /// Answered by [`wire::Accounts`].
    Accounts(wire::Ids),
    /// Answered by [`wire::Transfers`].
    Transfers(wire::Ids),
    /// Answered by [`wire::Transfers`].
    AccountTransfers(wire::AccountFilter),
    /// Answered by [`wire::BalanceLines`].
    Balances(wire::AccountFilter),
    /// Answered by [`wire::Position`].
    Position(wire::PositionRequest),
    /// A change of the directory, for the directory's group only; answered by nothing, or by the reason of a refusal.
    Change(Bytes),
}

impl Ask {
    /// For the way.
    pub fn encode(&self) -> Bytes {
        let mut bytes = BytesMut::new();
        match self {
            Self::Submit(command) => {
                bytes.reserve(3 + command.body.len());
                bytes.put_u8(1);
                bytes.put_u16_le(command.kind);
                bytes.put_slice(&command.body);
            }
            Self::Accounts(ids) => put(&mut bytes, 2, ids),
            Self::Transfers(ids) => put(&mut bytes, 3, ids),
            Self::AccountTransfers(filter) => put(&mut bytes, 4, filter),
            Self::Balances(filter) => put(&mut bytes, 5, filter),
            Self::Position(request) => put(&mut bytes, 6, request),
            Self::Change(change) => {
                bytes.put_u8(7);
                bytes.put_slice(change);
            }
        }
        bytes.freeze()
    }

    /// From the way.
    pub fn decode(mut bytes: Bytes) -> Result<Self, String> {
        if bytes.is_empty() {
            return Err("an empty question".to_owned());
        }
        let number = bytes.get_u8();
        match number {
            1 if bytes.len() >= 2 => {
                let kind = bytes.get_u16_le();
                Ok(Self::Submit(PackedCommand { kind, body: bytes }))
            }
            2 => read(bytes).map(Self::Accounts),
            3 => read(bytes).map(Self::Transfers),
            4 => read(bytes).map(Self::AccountTransfers),
            5 => read(bytes).map(Self::Balances),
            6 => read(bytes).map(Self::Position),
            7 => Ok(Self::Change(bytes)),
            _unknown => Err(format!("a question of unknown number {number}")),
        }
    }
}

fn put(bytes: &mut BytesMut, number: u8, message: &impl Message) {
    bytes.put_u8(number);
    message.encode(bytes).expect("a growing buffer has room");
}

/// A message from bytes.
pub fn read<M: Message + Default>(bytes: Bytes) -> Result<M, String> {
    M::decode(bytes).map_err(|error| error.to_string())
}

/// An answer or its fault, for the way.
pub fn encode_answer(answer: &Result<Bytes, ServeFault>) -> Bytes {
    let mut bytes = BytesMut::new();
    match answer {
        Ok(answer) => {
            bytes.reserve(1 + answer.len());
            bytes.put_u8(0);
            bytes.put_slice(answer);
        }
        Err(ServeFault::NotLeader(leader)) => {
            bytes.put_u8(1);
            bytes.put_u64_le(leader.map_or(0, |node| node.0));
        }
        Err(ServeFault::Busy) => bytes.put_u8(2),
        Err(ServeFault::Refused(reason)) => {
            bytes.put_u8(3);
            bytes.put_slice(reason.as_bytes());
        }
        Err(ServeFault::Unavailable(reason)) => {
            bytes.put_u8(4);
            bytes.put_slice(reason.as_bytes());
        }
    }
    bytes.freeze()
}

/// The reverse of [`encode_answer`].
pub fn decode_answer(mut bytes: Bytes) -> Result<Bytes, ServeFault> {
    let garbled = || ServeFault::Unavailable("a peer's answer cannot be read".to_owned());
    if bytes.is_empty() {
        return Err(garbled());
    }
    let words = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
    match bytes.get_u8() {
        0 => Ok(bytes),
        1 if bytes.len() == 8 => {
            let node = bytes.get_u64_le();
            Err(ServeFault::NotLeader((node != 0).then_some(NodeId(node))))
        }
        2 => Err(ServeFault::Busy),
        3 => Err(ServeFault::Refused(words(&bytes))),
        4 => Err(ServeFault::Unavailable(words(&bytes))),
        _unknown => Err(garbled()),
    }
}
