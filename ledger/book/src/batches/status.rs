//! How the registry answers, and where a file stands. The numbers are for ever.

macro_rules! numbered {
    ($(#[$doc:meta])* $name:ident { $($(#[$each:meta])* $variant:ident = $number:literal, $text:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u16)]
        pub enum $name {
            $($(#[$each])* $variant = $number,)*
        }

        impl $name {
            /// Every one, in this order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The number that is stored and sent.
            pub const fn number(self) -> u16 {
                match self {
                    $(Self::$variant => $number,)*
                }
            }

            /// The one of a number.
            pub const fn from_number(number: u16) -> Option<Self> {
                match number {
                    $($number => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// The name that people and programs read.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.pad(self.name())
            }
        }
    };
}

numbered! {
    /// The answer to an order to the registry, in checking order.
    BatchStatus {
        /// Zero names nothing, nor does an empty message id.
        KeyMustNotBeZero = 10, "key_must_not_be_zero";
        /// The message id was used for another file.
        ExistsWithDifferentContent = 20, "exists_with_different_content";
        /// The same file was taken before.
        Exists = 30, "exists";
        /// There is nothing to do.
        ItemsMustNotBeZero = 40, "items_must_not_be_zero";
        /// A file that somebody else must release tells who brought it.
        SubmitterMustBeNamed = 50, "submitter_must_be_named";
        /// The registry is full.
        TooManyBatches = 60, "too_many_batches";
        /// No such file.
        NotFound = 70, "not_found";
        /// It was released, needs no release, or has ended.
        DoesNotAwaitRelease = 80, "does_not_await_release";
        /// A release tells whose it is.
        ReleaserMustBeNamed = 90, "releaser_must_be_named";
        /// Four eyes: who brought the file can't release it.
        ReleaserMustNotBeSubmitter = 100, "releaser_must_not_be_submitter";
        /// Nothing of it may be done yet.
        AwaitsRelease = 110, "awaits_release";
        /// Only a file whose items are all reserved first is decided on.
        NotHeld = 114, "not_held";
        /// All of it is being posted, or let go: it can't be cancelled any more.
        AlreadyDecided = 116, "already_decided";
        /// It was done or cancelled before.
        AlreadyEnded = 120, "already_ended";
        /// More outcomes than the file has items.
        MoreThanItsItems = 130, "more_than_its_items";
        /// Longer than a text may be.
        TextTooLong = 140, "text_too_long";
        /// Done.
        Created = 0, "created";
    }
}

numbered! {
    /// Where a file stands.
    BatchState {
        /// Somebody other than who brought it must release it.
        AwaitsRelease = 1, "awaits_release";
        /// It is being done, or was stopped in the middle and will be gone on with.
        GoesOn = 2, "goes_on";
        /// Its further items are for a later day.
        Waits = 3, "waits";
        /// Every item has its outcome.
        Done = 4, "done";
        /// It was stopped for good.
        Cancelled = 5, "cancelled";
        /// All of it is reserved and is being posted.
        Posts = 6, "posts";
        /// Not all of it could be reserved, or it was cancelled: what is reserved is being let go.
        Voids = 7, "voids";
    }
}

impl BatchState {
    /// Whether nothing more will come of it.
    pub const fn has_ended(self) -> bool {
        matches!(self, Self::Done | Self::Cancelled)
    }

    /// Whether it is decided what becomes of all its reservations.
    pub const fn is_decided(self) -> bool {
        matches!(self, Self::Posts | Self::Voids)
    }
}
