//! An account: 128 bytes, the same in a client's request, in memory, in a checkpoint and in a look-up's answer.

use crate::quantity::{AccountId, Amount, Code, LedgerCode, Stamp};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// What an account is and may do, one bit each.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(transparent)]
pub struct AccountFlags(u16);

impl AccountFlags {
    /// No flag.
    pub const NONE: Self = Self(0);
    /// Created together with the next event, or not at all.
    pub const LINKED: Self = Self(1 << 0);
    /// `debits_pending + debits_posted <= credits_posted (+ limit)`, at every moment.
    pub const DEBITS_MUST_NOT_EXCEED_CREDITS: Self = Self(1 << 1);
    /// `credits_pending + credits_posted <= debits_posted (+ limit)`, at every moment.
    pub const CREDITS_MUST_NOT_EXCEED_DEBITS: Self = Self(1 << 2);
    /// Balances after each transfer can be asked for with `get_account_balances`.
    pub const HISTORY: Self = Self(1 << 3);
    /// Bears a stamp of its own, from the past.
    pub const IMPORTED: Self = Self(1 << 4);
    /// Takes no transfer but the void of a pending one.
    pub const CLOSED: Self = Self(1 << 5);

    /// Only inside the book: there is a limit record for this account.
    pub const HAS_LIMIT: Self = Self(1 << 15);

    /// Every flag with the name that it has in `fen exec`, in bit order.
    pub const NAMES: [(&'static str, Self); 6] = [
        ("linked", Self::LINKED),
        ("debits_must_not_exceed_credits", Self::DEBITS_MUST_NOT_EXCEED_CREDITS),
        ("credits_must_not_exceed_debits", Self::CREDITS_MUST_NOT_EXCEED_DEBITS),
        ("history", Self::HISTORY),
        ("imported", Self::IMPORTED),
        ("closed", Self::CLOSED),
    ];
}

impl_flags!(AccountFlags, 6);

/// One account. `reserved` must be zero in a request; the book keeps its own mark there and hands out zero.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Account {
    /// Who it is.
    pub id: AccountId,
    /// Reserved by open pending transfers that debit this account.
    pub debits_pending: Amount,
    /// All posted debits.
    pub debits_posted: Amount,
    /// Reserved by open pending transfers that credit this account.
    pub credits_pending: Amount,
    /// All posted credits.
    pub credits_posted: Amount,
    /// The client's own, not read by the book.
    pub user_data_128: u128,
    /// The client's own, not read by the book.
    pub user_data_64: u64,
    /// The client's own, not read by the book.
    pub user_data_32: u32,
    /// Zero in requests and answers. In the book: the number, plus one, of the last journal segment that has an
    /// entry of this account.
    pub reserved: u32,
    /// Currency or asset.
    pub ledger: LedgerCode,
    /// Kind of account, in the bank's own chart.
    pub code: Code,
    /// What it may do.
    pub flags: AccountFlags,
    /// When it was opened.
    pub timestamp: Stamp,
}

const _: () = assert!(size_of::<Account>() == 128 && align_of::<Account>() == 16);

/// The four balances of an account at one moment.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Balances {
    /// Reserved debits.
    pub debits_pending: Amount,
    /// Posted debits.
    pub debits_posted: Amount,
    /// Reserved credits.
    pub credits_pending: Amount,
    /// Posted credits.
    pub credits_posted: Amount,
}

impl Account {
    /// The four balances.
    pub const fn balances(&self) -> Balances {
        Balances {
            debits_pending: self.debits_pending,
            debits_posted: self.debits_posted,
            credits_pending: self.credits_pending,
            credits_posted: self.credits_posted,
        }
    }
}
