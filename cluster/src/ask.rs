//! What a gateway asks of the node that leads a shard, and what it hears, in bytes for the way between two nodes.

use crate::fault::ServeFault;
use crate::parcel::PackedCommand;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use fen_api::wire;
use fen_net::NodeId;
use prost::Message;

/// One question to one shard, or to the directory.
#[derive(Clone, PartialEq, Debug)]
pub enum Ask {
    /// Put a command into the log; answered by what the book answered, packed.
    Submit(PackedCommand),
    /// A change of the directory, for the directory's group only; answered by nothing, or by the reason of a refusal.
    Change(Bytes),
    /// An order to the registry of payment files, for the directory's group only; answered by a
    /// [`fen_book::batches::BatchReply`].
    Batch(Bytes),
    /// The files of the registry; of the directory's group too. Answered by [`wire::BatchList`].
    Batches(wire::BatchQuery),
    /// What the directory's leader is about to do; answered by [`wire::PlanReply`].
    Plan,
    /// Up to where the leader has applied, confirmed by a majority; answered by a little-endian `u64`.
    ReadIndex,
    /// About the members of the group, for its leader.
    Members(Members),
    /// A batch with transfers that cross; see [`crate::crossing::orders`]. Answered when all of them are decided.
    Cross(Bytes),
    /// A look into the books, by the leader once a majority has confirmed that it leads.
    Read(Read),
    /// A look into the books as whoever holds them has them: their age in milliseconds as a little-endian `u64`, then
    /// the answer.
    Near(Read),
}

/// What changes nothing.
#[derive(Clone, PartialEq, Debug)]
pub enum Read {
    /// Answered by [`wire::Accounts`].
    Accounts(wire::Ids),
    /// Answered by [`wire::Transfers`].
    Transfers(wire::Ids),
    /// Answered by [`wire::Transfers`].
    AccountTransfers(wire::AccountFilter),
    /// Answered by [`wire::BalanceLines`].
    Balances(wire::AccountFilter),
    /// Answered by [`wire::Positions`].
    Positions(wire::Ids),
    /// Answered by [`wire::Accounts`].
    QueryAccounts(wire::QueryFilter),
    /// Answered by [`wire::Transfers`].
    QueryTransfers(wire::QueryFilter),
    /// Answered by [`wire::LoanDocuments`].
    Loans(wire::Ids),
    /// Answered by [`wire::Ids`]: those of the loans that the shard has.
    LoansHere(wire::Ids),
    /// Answered by [`wire::TrialBalance`].
    Totals,
    /// Adds the books up again; answered by [`wire::MemberAudit`].
    Audit,
    /// Folds some loans, from the one at a place on; answered by [`wire::VerifyLoansReply`].
    AuditLives(wire::VerifyLoansRequest),
    /// What this shard said to the legs of transfers; answered by [`crate::crossing::orders::Verdict`]s.
    Verdicts(wire::Ids),
    /// Answered by [`wire::MovedReply`].
    Moved(wire::MovedQuery),
    /// Answered by the business date as a little-endian `i32`, or by nothing where there is none yet.
    BusinessDate,
    /// A page of this shard's part; the cursor is its own. Answered by [`wire::Statement`].
    Statement(wire::StatementRequest),
    /// Answered by [`wire::LoanStatement`].
    LoanStatement(wire::LoanStatementRequest),
    /// Answered by [`wire::GeneralLedgerPart`].
    GeneralLedger(wire::GeneralLedgerRequest),
    /// Answered by [`wire::Portfolio`].
    Portfolio,
    /// Answered by [`wire::DayEndStatus`].
    DayEndStatus,
    /// A page of what happened on this shard; the positions are its own. With `follow` it waits for a moment where there
    /// is nothing new. Answered by [`wire::FeedPage`].
    Feed(wire::FeedRequest),
    /// Adds up what has crossed to and from other shards; answered by [`wire::ClearingPart`].
    Clearing,
    /// A page of this shard's; answered by [`wire::FoundTransfers`].
    SearchTransfers(wire::TransferSearch),
    /// Answered by [`wire::AccountsPart`].
    SearchAccounts(wire::AccountSearch),
    /// What this shard counts: a transfer from shard to shard is its source's. Answered by [`wire::Turnovers`].
    Turnover(wire::TurnoverRequest),
    /// Answered by [`wire::ExportPart`].
    Export(wire::ExportPartRequest),
    /// Answered by [`wire::Head`]; which cluster it is, the asker knows.
    Head(wire::HeadsRequest),
    /// Answered by [`wire::InclusionReply`].
    Inclusion(wire::InclusionRequest),
    /// Answered by [`wire::ConsistencyReply`].
    Consistency(wire::ConsistencyRequest),
    /// Moves old segments of this member's journal to its archive, which no answer depends on; answered by
    /// [`wire::MemberArchived`]. Who it is, the asker knows.
    Archive(wire::ArchiveRequest),
    /// Of the image of one member; see `mend.rs`.
    ImagePiece(wire::ImagePieceRequest),
    /// Of a segment of one member.
    SegmentPiece(wire::SegmentPieceRequest),
}

/// What concerns a group's members.
#[derive(Clone, PartialEq, Debug)]
pub enum Members {
    /// How the group stands; answered by [`wire::GroupStatus`].
    Standing,
    /// Adds a member without a vote, which catches up by and by.
    Invite(wire::Node),
    /// Makes these nodes, members all, the voters; others leave.
    Voters(wire::NodeIds),
    /// Hands the leadership over.
    HandOver(wire::NodeIds),
    /// Lets go of members without a vote.
    Dismiss(wire::NodeIds),
}

/// The first byte of a near read; the read follows.
const NEAR: u8 = 32;

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
            Self::Change(change) => {
                bytes.put_u8(2);
                bytes.put_slice(change);
            }
            Self::Plan => bytes.put_u8(3),
            Self::ReadIndex => bytes.put_u8(4),
            Self::Members(Members::Standing) => bytes.put_u8(5),
            Self::Members(Members::Invite(node)) => put(&mut bytes, 6, node),
            Self::Members(Members::Voters(nodes)) => put(&mut bytes, 7, nodes),
            Self::Members(Members::HandOver(to)) => put(&mut bytes, 8, to),
            Self::Members(Members::Dismiss(nodes)) => put(&mut bytes, 9, nodes),
            Self::Cross(batch) => {
                bytes.reserve(1 + batch.len());
                bytes.put_u8(10);
                bytes.put_slice(batch);
            }
            Self::Batch(order) => {
                bytes.put_u8(20);
                bytes.put_slice(order);
            }
            Self::Batches(query) => put(&mut bytes, 21, query),
            Self::Read(read) => read.put(&mut bytes),
            Self::Near(read) => {
                bytes.put_u8(NEAR);
                read.put(&mut bytes);
            }
        }
        bytes.freeze()
    }

    /// From the way.
    pub fn decode(mut bytes: Bytes) -> Result<Self, String> {
        if bytes.is_empty() {
            return Err("an empty question".to_owned());
        }
        match bytes.get_u8() {
            1 if bytes.len() >= 2 => {
                let kind = bytes.get_u16_le();
                Ok(Self::Submit(PackedCommand { kind, body: bytes }))
            }
            2 => Ok(Self::Change(bytes)),
            3 => Ok(Self::Plan),
            4 => Ok(Self::ReadIndex),
            5 => Ok(Self::Members(Members::Standing)),
            6 => read(bytes).map(Members::Invite).map(Self::Members),
            7 => read(bytes).map(Members::Voters).map(Self::Members),
            8 => read(bytes).map(Members::HandOver).map(Self::Members),
            9 => read(bytes).map(Members::Dismiss).map(Self::Members),
            10 => Ok(Self::Cross(bytes)),
            20 => Ok(Self::Batch(bytes)),
            21 => read(bytes).map(Self::Batches),
            NEAR if !bytes.is_empty() => {
                let number = bytes.get_u8();
                Read::decode(number, bytes).map(Self::Near)
            }
            number => Read::decode(number, bytes).map(Self::Read),
        }
    }
}

impl Read {
    /// Whether it looks at every account or loan, or at much of history: it takes its time on a large book.
    pub(crate) fn takes_long(&self) -> bool {
        match self {
            Self::Totals
            | Self::Audit
            | Self::AuditLives(_)
            | Self::Statement(_)
            | Self::LoanStatement(_)
            | Self::GeneralLedger(_)
            | Self::Portfolio
            | Self::Feed(_)
            | Self::Clearing
            | Self::SearchTransfers(_)
            | Self::SearchAccounts(_)
            | Self::Turnover(_)
            | Self::Export(_)
            | Self::Head(_)
            | Self::Inclusion(_)
            | Self::Consistency(_)
            | Self::Archive(_)
            | Self::ImagePiece(_)
            | Self::SegmentPiece(_)
            | Self::QueryAccounts(_)
            | Self::QueryTransfers(_) => true,
            Self::Accounts(_)
            | Self::Transfers(_)
            | Self::AccountTransfers(_)
            | Self::Balances(_)
            | Self::Positions(_)
            | Self::Loans(_)
            | Self::LoansHere(_)
            | Self::Verdicts(_)
            | Self::Moved(_)
            | Self::BusinessDate
            | Self::DayEndStatus => false,
        }
    }

    fn put(&self, bytes: &mut BytesMut) {
        match self {
            Self::Accounts(ids) => put(bytes, 64, ids),
            Self::Transfers(ids) => put(bytes, 65, ids),
            Self::AccountTransfers(filter) => put(bytes, 66, filter),
            Self::Balances(filter) => put(bytes, 67, filter),
            Self::Positions(ids) => put(bytes, 68, ids),
            Self::QueryAccounts(filter) => put(bytes, 69, filter),
            Self::QueryTransfers(filter) => put(bytes, 70, filter),
            Self::Loans(ids) => put(bytes, 71, ids),
            Self::LoansHere(ids) => put(bytes, 72, ids),
            Self::Totals => bytes.put_u8(73),
            Self::BusinessDate => bytes.put_u8(74),
            Self::Audit => bytes.put_u8(75),
            Self::AuditLives(asked) => put(bytes, 92, asked),
            Self::Verdicts(ids) => put(bytes, 76, ids),
            Self::Statement(asked) => put(bytes, 77, asked),
            Self::LoanStatement(asked) => put(bytes, 78, asked),
            Self::GeneralLedger(asked) => put(bytes, 79, asked),
            Self::Portfolio => bytes.put_u8(80),
            Self::DayEndStatus => bytes.put_u8(81),
            Self::Feed(asked) => put(bytes, 82, asked),
            Self::Clearing => bytes.put_u8(83),
            Self::SearchTransfers(search) => put(bytes, 84, search),
            Self::SearchAccounts(search) => put(bytes, 85, search),
            Self::Turnover(asked) => put(bytes, 86, asked),
            Self::Export(asked) => put(bytes, 87, asked),
            Self::Head(asked) => put(bytes, 88, asked),
            Self::Inclusion(asked) => put(bytes, 89, asked),
            Self::Consistency(asked) => put(bytes, 90, asked),
            Self::Archive(asked) => put(bytes, 91, asked),
            Self::ImagePiece(asked) => put(bytes, 112, asked),
            Self::SegmentPiece(asked) => put(bytes, 113, asked),
            Self::Moved(query) => put(bytes, 96, query),
        }
    }

    fn decode(number: u8, bytes: Bytes) -> Result<Self, String> {
        match number {
            64 => read(bytes).map(Self::Accounts),
            65 => read(bytes).map(Self::Transfers),
            66 => read(bytes).map(Self::AccountTransfers),
            67 => read(bytes).map(Self::Balances),
            68 => read(bytes).map(Self::Positions),
            69 => read(bytes).map(Self::QueryAccounts),
            70 => read(bytes).map(Self::QueryTransfers),
            71 => read(bytes).map(Self::Loans),
            72 => read(bytes).map(Self::LoansHere),
            73 => Ok(Self::Totals),
            74 => Ok(Self::BusinessDate),
            75 => Ok(Self::Audit),
            76 => read(bytes).map(Self::Verdicts),
            77 => read(bytes).map(Self::Statement),
            78 => read(bytes).map(Self::LoanStatement),
            79 => read(bytes).map(Self::GeneralLedger),
            80 => Ok(Self::Portfolio),
            81 => Ok(Self::DayEndStatus),
            82 => read(bytes).map(Self::Feed),
            83 => Ok(Self::Clearing),
            84 => read(bytes).map(Self::SearchTransfers),
            85 => read(bytes).map(Self::SearchAccounts),
            86 => read(bytes).map(Self::Turnover),
            87 => read(bytes).map(Self::Export),
            88 => read(bytes).map(Self::Head),
            89 => read(bytes).map(Self::Inclusion),
            90 => read(bytes).map(Self::Consistency),
            91 => read(bytes).map(Self::Archive),
            92 => read(bytes).map(Self::AuditLives),
            112 => read(bytes).map(Self::ImagePiece),
            113 => read(bytes).map(Self::SegmentPiece),
            96 => read(bytes).map(Self::Moved),
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
        Err(ServeFault::NoRoom(reason)) => {
            bytes.put_u8(5);
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
        5 => Err(ServeFault::NoRoom(words(&bytes))),
        _unknown => Err(garbled()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_is_what_is_heard_and_nothing_else_is() {
        let ids = wire::Ids { ids: vec![wire::Uint128 { high: 1, low: 2 }] };
        let all = [
            Ask::Submit(PackedCommand { kind: 7, body: Bytes::from_static(b"abc") }),
            Ask::Change(Bytes::from_static(b"{}")),
            Ask::Batch(Bytes::from_static(b"abc")),
            Ask::Batches(wire::BatchQuery { limit: 9, ..wire::BatchQuery::default() }),
            Ask::Plan,
            Ask::ReadIndex,
            Ask::Members(Members::Standing),
            Ask::Members(Members::Voters(wire::NodeIds { ids: vec![1, 2] })),
            Ask::Read(Read::Positions(ids.clone())),
            Ask::Near(Read::Positions(ids)),
            Ask::Near(Read::Totals),
            Ask::Read(Read::Statement(wire::StatementRequest {
                after: "1:00".to_owned(),
                ..wire::StatementRequest::default()
            })),
            Ask::Read(Read::GeneralLedger(wire::GeneralLedgerRequest { as_of: Some(0) })),
            Ask::Near(Read::Portfolio),
            Ask::Near(Read::ImagePiece(wire::ImagePieceRequest { offset: 7, ..Default::default() })),
            Ask::Near(Read::SegmentPiece(wire::SegmentPieceRequest { number: 3, offset: 7 })),
            Ask::Near(Read::DayEndStatus),
            Ask::Read(Read::SearchTransfers(wire::TransferSearch { limit: 7, ..Default::default() })),
            Ask::Read(Read::SearchAccounts(wire::AccountSearch { limit: 7, ..Default::default() })),
            Ask::Read(Read::Turnover(wire::TurnoverRequest { by_day: true, ..Default::default() })),
            Ask::Read(Read::Export(wire::ExportPartRequest { from_record: 7, ..Default::default() })),
            Ask::Read(Read::Head(wire::HeadsRequest { shard: 7, books: true })),
            Ask::Read(Read::Inclusion(wire::InclusionRequest { size: 7, ..Default::default() })),
            Ask::Read(Read::Consistency(wire::ConsistencyRequest { shard: 1, older: 2, newer: 3 })),
            Ask::Near(Read::Archive(wire::ArchiveRequest { before: -7 })),
        ];
        for ask in all {
            assert_eq!(Ask::decode(ask.encode()).unwrap(), ask);
        }
        for number in 0..=u8::MAX {
            // Whatever comes, it is a question or refused.
            let _read = Ask::decode(Bytes::copy_from_slice(&[number, 0xff, 0xff, 0xff]));
        }
        assert!(Ask::decode(Bytes::from_static(&[NEAR, 1, 0, 0])).is_err(), "no command is taken for a read");
        assert!(Ask::decode(Bytes::new()).is_err());
    }
}
