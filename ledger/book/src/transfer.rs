//! A transfer: 128 bytes, the same in a client's request, in the log, in the journal and in a look-up's answer.

use crate::quantity::{AccountId, Amount, Code, LedgerCode, Stamp, TimeoutSeconds, TransferId};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// What a transfer is and does, one bit each.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(transparent)]
pub struct TransferFlags(u16);

impl TransferFlags {
    /// No flag.
    pub const NONE: Self = Self(0);
    /// Posted together with the next event, or not at all.
    pub const LINKED: Self = Self(1 << 0);
    /// Reserves the amount instead of posting it.
    pub const PENDING: Self = Self(1 << 1);
    /// Posts (all or part of) the pending transfer `pending_id`.
    pub const POST_PENDING_TRANSFER: Self = Self(1 << 2);
    /// Releases the pending transfer `pending_id`.
    pub const VOID_PENDING_TRANSFER: Self = Self(1 << 3);
    /// Moves at most what keeps the debit account's debits within its credits.
    pub const BALANCING_DEBIT: Self = Self(1 << 4);
    /// Moves at most what keeps the credit account's credits within its debits.
    pub const BALANCING_CREDIT: Self = Self(1 << 5);
    /// Closes the debit account until voided or expired.
    pub const CLOSING_DEBIT: Self = Self(1 << 6);
    /// Closes the credit account until voided or expired.
    pub const CLOSING_CREDIT: Self = Self(1 << 7);
    /// Bears a stamp of its own, from the past.
    pub const IMPORTED: Self = Self(1 << 8);
    /// Only in the journal: not a transfer but a record of a [memo](crate::memo).
    pub const MEMO: Self = Self(1 << 13);
    /// Only in the journal: not a transfer but the mark of an id that was refused for good.
    pub const BURNED: Self = Self(1 << 14);
    /// Only in the journal: not a transfer but the expiry of the pending transfer `pending_id`.
    pub const EXPIRY: Self = Self(1 << 15);

    /// Every flag that a client may set with the name that it has in `fen exec`, in bit order.
    pub const NAMES: [(&'static str, Self); 9] = [
        ("linked", Self::LINKED),
        ("pending", Self::PENDING),
        ("post_pending_transfer", Self::POST_PENDING_TRANSFER),
        ("void_pending_transfer", Self::VOID_PENDING_TRANSFER),
        ("balancing_debit", Self::BALANCING_DEBIT),
        ("balancing_credit", Self::BALANCING_CREDIT),
        ("closing_debit", Self::CLOSING_DEBIT),
        ("closing_credit", Self::CLOSING_CREDIT),
        ("imported", Self::IMPORTED),
    ];
}

impl_flags!(TransferFlags, 9);

/// One transfer: a debit and a credit of one amount.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Transfer {
    /// Who it is; a second one with the same id answers `exists` or what differs.
    pub id: TransferId,
    /// The account debited.
    pub debit_account_id: AccountId,
    /// The account credited.
    pub credit_account_id: AccountId,
    /// Asked for in a request, moved in a record.
    pub amount: Amount,
    /// The pending transfer that a post or a void ends.
    pub pending_id: TransferId,
    /// The client's own, not read by the book.
    pub user_data_128: u128,
    /// The client's own, not read by the book.
    pub user_data_64: u64,
    /// The client's own, not read by the book.
    pub user_data_32: u32,
    /// How long a pending transfer holds the money; zero is for ever.
    pub timeout: TimeoutSeconds,
    /// Currency or asset.
    pub ledger: LedgerCode,
    /// Reason, in the bank's own list.
    pub code: Code,
    /// What it does.
    pub flags: TransferFlags,
    /// When it was posted; zero in a request that is not imported.
    pub timestamp: Stamp,
}

const _: () = assert!(size_of::<Transfer>() == 128 && align_of::<Transfer>() == 16);

impl Transfer {
    /// Whether this journal record is a transfer and not the mark of a burned id or of an expiry, or of a memo.
    pub const fn is_transfer(&self) -> bool {
        let others = TransferFlags::BURNED.with(TransferFlags::EXPIRY).with(TransferFlags::MEMO);
        !self.flags.intersects(others)
    }
}
