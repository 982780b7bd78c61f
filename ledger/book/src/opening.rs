//! What goes beyond opening a bare account: a limit, an opening balance, the end of a whole chain of reservations.

use crate::account::Account;
use crate::quantity::{AccountId, Amount, TransferId};
use crate::transfer::TransferFlags;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// An account to be opened with a limit, an opening balance, or both; 256 bytes.
///
/// An opening balance is a transfer like any other: it is posted against a contra account, under an id of its
/// own, so that debits equal credits from the first moment. Account and transfer are made together or not at all.
/// Each event takes two stamps, the account's and, right after it, the transfer's.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct AccountOpening {
    /// As in [`Command::CreateAccounts`](crate::Command::CreateAccounts).
    pub account: Account,
    /// How far the account may go beyond its flag's rule; zero is none.
    pub limit: Amount,
    /// The opening balance as a debit; zero is none.
    pub opening_debit: Amount,
    /// The opening balance as a credit; zero is none.
    pub opening_credit: Amount,
    /// The other side of the opening balance.
    pub contra_account_id: AccountId,
    /// The id of the transfer that posts it.
    pub transfer_id: TransferId,
    /// Zero; anything else is `reserved_field`.
    pub reserved: [u128; 3],
}

const _: () = assert!(size_of::<AccountOpening>() == 256);

impl AccountOpening {
    /// Whether there is a balance to be posted.
    pub const fn has_balance(&self) -> bool {
        !self.opening_debit.is_zero() || !self.opening_credit.is_zero()
    }

    /// Whether it asks for a debit and a credit at once, which is refused.
    pub const fn has_two_sides(&self) -> bool {
        !self.opening_debit.is_zero() && !self.opening_credit.is_zero()
    }
}

/// A change of an account's limit.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct LimitChange {
    /// Whose.
    pub account_id: AccountId,
    /// The limit from now on; zero takes it away.
    pub limit: Amount,
}

/// Posts or voids, all together, the open pending transfers that were made by one linked chain.
///
/// The transfers that do it bear the ids `id`, `id + 1`, ... in the order of the chain. A retry answers `exists`.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ChainEnd {
    /// The first of the ids.
    pub id: TransferId,
    /// Any open member of the chain.
    pub pending_id: TransferId,
    /// [`TransferFlags::POST_PENDING_TRANSFER`] or [`TransferFlags::VOID_PENDING_TRANSFER`].
    pub flags: TransferFlags,
    /// Zero.
    pub reserved: [u16; 7],
}

const _: () = assert!(size_of::<ChainEnd>() == 48);
