//! The quantities of the book, each a type of its own, so that no account id is ever added to an amount.
//!
//! All are plain little-endian integers in memory and on disk. They check nothing by themselves: whether an
//! id may be zero is a rule of a command (`id_must_not_be_zero`), and rules answer with a status.

use core::fmt;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

macro_rules! quantity {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash,
            FromBytes, IntoBytes, Immutable, KnownLayout,
        )]
        #[repr(transparent)]
        pub struct $name($inner);

        impl $name {
            /// The smallest value; in filters and optional fields it means "absent".
            pub const ZERO: Self = Self(0);
            /// The largest value; reserved in ids, "as much as there is" in amounts.
            pub const MAX: Self = Self(<$inner>::MAX);

            /// Wraps the integer as it is.
            pub const fn new(value: $inner) -> Self {
                Self(value)
            }
            /// The integer.
            pub const fn get(self) -> $inner {
                self.0
            }
            /// Whether this is [`Self::ZERO`].
            pub const fn is_zero(self) -> bool {
                self.0 == 0
            }
            /// Whether this is [`Self::MAX`].
            pub const fn is_max(self) -> bool {
                self.0 == <$inner>::MAX
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl From<$inner> for $name {
            fn from(value: $inner) -> Self {
                Self(value)
            }
        }
    };
}

quantity! {
    /// Names an account. The upper 64 bits are its customer (the whole id, where they are zero).
    AccountId(u128)
}
quantity! {
    /// Names a transfer, chosen by the client; the key of idempotency.
    TransferId(u128)
}
quantity! {
    /// Money in minor units (fen, cents) of its ledger's currency. Never negative: direction is debit or credit.
    Amount(u128)
}
quantity! {
    /// The currency or asset of an account; for currencies the ISO 4217 number (CNY = 156).
    LedgerCode(u32)
}
quantity! {
    /// The bank's own code for the kind of an account or the reason of a transfer.
    Code(u16)
}
quantity! {
    /// Nanoseconds since 1970-01-01T00:00Z, given by the leader to every event, strictly rising.
    Stamp(u64)
}
quantity! {
    /// Days since 1970-01-01: the bank's day, rolled by day-end, not by a clock.
    BusinessDate(i32)
}
quantity! {
    /// How long a pending transfer holds money, in seconds; zero means for ever.
    TimeoutSeconds(u32)
}
quantity! {
    /// Where an account lives in its table: dense, in order of creation, never reused.
    AccountSlot(u32)
}
quantity! {
    /// The position of a record in the journal, counted from zero over the ledger's life.
    RecordNumber(u64)
}

/// The largest stamp: the top bit is kept free, as in the protocol whose statuses Fen shares.
pub const STAMP_MAX: Stamp = Stamp::new((1 << 63) - 1);

/// Nanoseconds in a second.
pub const NANOSECONDS_PER_SECOND: u64 = 1_000_000_000;

impl Stamp {
    /// Whether a client may send this as an event's own time: above zero and at most [`STAMP_MAX`].
    pub const fn is_in_range(self) -> bool {
        self.get() > 0 && self.get() <= STAMP_MAX.get()
    }

    /// This stamp plus a timeout, or `None` beyond [`STAMP_MAX`].
    pub fn checked_after(self, timeout: TimeoutSeconds) -> Option<Stamp> {
        let nanoseconds = u64::from(timeout.get()).checked_mul(NANOSECONDS_PER_SECOND)?;
        let stamp = Stamp::new(self.get().checked_add(nanoseconds)?);
        stamp.is_in_range().then_some(stamp)
    }
}

impl Amount {
    /// The sum, or `None` where it does not fit 128 bits.
    pub const fn checked_add(self, other: Amount) -> Option<Amount> {
        match self.get().checked_add(other.get()) {
            Some(sum) => Some(Amount::new(sum)),
            None => None,
        }
    }

    /// The difference, or `None` where it would be negative.
    pub const fn checked_sub(self, other: Amount) -> Option<Amount> {
        match self.get().checked_sub(other.get()) {
            Some(difference) => Some(Amount::new(difference)),
            None => None,
        }
    }

    /// The difference, or zero where it would be negative.
    #[must_use]
    pub const fn saturating_sub(self, other: Amount) -> Amount {
        Amount::new(self.get().saturating_sub(other.get()))
    }
}
