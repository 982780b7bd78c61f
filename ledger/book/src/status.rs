//! The coded answers, one list per command, in the order in which the rules are checked: the first that applies
//! is the answer. The numbers are for ever; they step by ten so that a later rule can stand in its place.
//!
//! Names and order are those of `TigerBeetle`'s public protocol (0.17), so that its users feel at home.

macro_rules! statuses {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $number:literal, $text:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(u16)]
        #[allow(missing_docs, reason = "each name says its rule in words")]
        pub enum $name {
            $($variant = $number,)*
        }

        impl $name {
            /// Every status, in checking order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The number on the wire.
            pub const fn number(self) -> u16 {
                match self {
                    $(Self::$variant => $number,)*
                }
            }
            /// The status of a number on the wire, or `None` where this release knows no such number.
            pub const fn from_number(number: u16) -> Option<Self> {
                match number {
                    $($number => Some(Self::$variant),)*
                    _ => None,
                }
            }
            /// The name that people and programs read, in snake case.
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

statuses! {
    /// The answer to one event of `create_accounts`.
    CreateAccountStatus {
        LinkedEventFailed = 10, "linked_event_failed";
        LinkedEventChainOpen = 20, "linked_event_chain_open";
        ImportedEventExpected = 30, "imported_event_expected";
        ImportedEventNotExpected = 40, "imported_event_not_expected";
        TimestampMustBeZero = 50, "timestamp_must_be_zero";
        ImportedEventTimestampOutOfRange = 60, "imported_event_timestamp_out_of_range";
        ImportedEventTimestampMustNotAdvance = 70, "imported_event_timestamp_must_not_advance";
        ReservedField = 80, "reserved_field";
        ReservedFlag = 90, "reserved_flag";
        IdMustNotBeZero = 100, "id_must_not_be_zero";
        IdMustNotBeIntMax = 110, "id_must_not_be_int_max";
        ExistsWithDifferentFlags = 120, "exists_with_different_flags";
        ExistsWithDifferentUserData128 = 130, "exists_with_different_user_data_128";
        ExistsWithDifferentUserData64 = 140, "exists_with_different_user_data_64";
        ExistsWithDifferentUserData32 = 150, "exists_with_different_user_data_32";
        ExistsWithDifferentLedger = 160, "exists_with_different_ledger";
        ExistsWithDifferentCode = 170, "exists_with_different_code";
        Exists = 180, "exists";
        FlagsAreMutuallyExclusive = 190, "flags_are_mutually_exclusive";
        DebitsPendingMustBeZero = 200, "debits_pending_must_be_zero";
        DebitsPostedMustBeZero = 210, "debits_posted_must_be_zero";
        CreditsPendingMustBeZero = 220, "credits_pending_must_be_zero";
        CreditsPostedMustBeZero = 230, "credits_posted_must_be_zero";
        LedgerMustNotBeZero = 240, "ledger_must_not_be_zero";
        CodeMustNotBeZero = 250, "code_must_not_be_zero";
        LimitNeedsALimitingFlag = 251, "limit_needs_a_limiting_flag";
        OpeningBalanceHasTwoSides = 252, "opening_balance_has_two_sides";
        ImportedEventTimestampMustNotRegress = 260, "imported_event_timestamp_must_not_regress";
        OpeningBalanceRefused = 261, "opening_balance_refused";
        Created = 0, "created";
    }
}

statuses! {
    /// The answer to one event of `create_transfers`.
    CreateTransferStatus {
        LinkedEventFailed = 10, "linked_event_failed";
        LinkedEventChainOpen = 20, "linked_event_chain_open";
        LinkedEventsCrossShards = 22, "linked_events_cross_shards";
        ImportedEventCrossesShards = 24, "imported_event_crosses_shards";
        ImportedEventExpected = 30, "imported_event_expected";
        ImportedEventNotExpected = 40, "imported_event_not_expected";
        TimestampMustBeZero = 50, "timestamp_must_be_zero";
        ImportedEventTimestampOutOfRange = 60, "imported_event_timestamp_out_of_range";
        ImportedEventTimestampMustNotAdvance = 70, "imported_event_timestamp_must_not_advance";
        ReservedFlag = 80, "reserved_flag";
        IdMustNotBeZero = 90, "id_must_not_be_zero";
        IdMustNotBeIntMax = 100, "id_must_not_be_int_max";
        IdMustNotBeTheBanksOwn = 102, "id_must_not_be_the_banks_own";
        ExistsWithDifferentFlags = 110, "exists_with_different_flags";
        ExistsWithDifferentPendingId = 120, "exists_with_different_pending_id";
        ExistsWithDifferentTimeout = 130, "exists_with_different_timeout";
        ExistsWithDifferentDebitAccountId = 140, "exists_with_different_debit_account_id";
        ExistsWithDifferentCreditAccountId = 150, "exists_with_different_credit_account_id";
        ExistsWithDifferentAmount = 160, "exists_with_different_amount";
        ExistsWithDifferentUserData128 = 170, "exists_with_different_user_data_128";
        ExistsWithDifferentUserData64 = 180, "exists_with_different_user_data_64";
        ExistsWithDifferentUserData32 = 190, "exists_with_different_user_data_32";
        ExistsWithDifferentLedger = 200, "exists_with_different_ledger";
        ExistsWithDifferentCode = 210, "exists_with_different_code";
        Exists = 220, "exists";
        IdAlreadyFailed = 230, "id_already_failed";
        FlagsAreMutuallyExclusive = 240, "flags_are_mutually_exclusive";
        DebitAccountIdMustNotBeZero = 250, "debit_account_id_must_not_be_zero";
        DebitAccountIdMustNotBeIntMax = 260, "debit_account_id_must_not_be_int_max";
        CreditAccountIdMustNotBeZero = 270, "credit_account_id_must_not_be_zero";
        CreditAccountIdMustNotBeIntMax = 280, "credit_account_id_must_not_be_int_max";
        AccountsMustBeDifferent = 290, "accounts_must_be_different";
        PendingIdMustBeZero = 300, "pending_id_must_be_zero";
        PendingIdMustNotBeZero = 310, "pending_id_must_not_be_zero";
        PendingIdMustNotBeIntMax = 320, "pending_id_must_not_be_int_max";
        PendingIdMustBeDifferent = 330, "pending_id_must_be_different";
        TimeoutReservedForPendingTransfer = 340, "timeout_reserved_for_pending_transfer";
        ClosingTransferMustBePending = 350, "closing_transfer_must_be_pending";
        LedgerMustNotBeZero = 360, "ledger_must_not_be_zero";
        CodeMustNotBeZero = 370, "code_must_not_be_zero";
        DebitAccountNotFound = 380, "debit_account_not_found";
        CreditAccountNotFound = 390, "credit_account_not_found";
        AccountsMustHaveTheSameLedger = 400, "accounts_must_have_the_same_ledger";
        TransferMustHaveTheSameLedgerAsAccounts = 410, "transfer_must_have_the_same_ledger_as_accounts";
        DebitAccountIsAControlAccount = 412, "debit_account_is_a_control_account";
        CreditAccountIsAControlAccount = 414, "credit_account_is_a_control_account";
        PendingTransferNotFound = 420, "pending_transfer_not_found";
        PendingTransferNotPending = 430, "pending_transfer_not_pending";
        PendingTransferHasDifferentDebitAccountId = 440, "pending_transfer_has_different_debit_account_id";
        PendingTransferHasDifferentCreditAccountId = 450, "pending_transfer_has_different_credit_account_id";
        PendingTransferHasDifferentLedger = 460, "pending_transfer_has_different_ledger";
        PendingTransferHasDifferentCode = 470, "pending_transfer_has_different_code";
        ExceedsPendingTransferAmount = 480, "exceeds_pending_transfer_amount";
        PendingTransferHasDifferentAmount = 490, "pending_transfer_has_different_amount";
        PendingTransferAlreadyPosted = 500, "pending_transfer_already_posted";
        PendingTransferAlreadyVoided = 510, "pending_transfer_already_voided";
        PendingTransferExpired = 520, "pending_transfer_expired";
        ImportedEventTimestampMustNotRegress = 530, "imported_event_timestamp_must_not_regress";
        ImportedEventTimestampMustPostdateDebitAccount = 540, "imported_event_timestamp_must_postdate_debit_account";
        ImportedEventTimestampMustPostdateCreditAccount = 550, "imported_event_timestamp_must_postdate_credit_account";
        ImportedEventTimeoutMustBeZero = 560, "imported_event_timeout_must_be_zero";
        DebitAccountAlreadyClosed = 570, "debit_account_already_closed";
        CreditAccountAlreadyClosed = 580, "credit_account_already_closed";
        OverflowsDebitsPending = 590, "overflows_debits_pending";
        OverflowsCreditsPending = 600, "overflows_credits_pending";
        OverflowsDebitsPosted = 610, "overflows_debits_posted";
        OverflowsCreditsPosted = 620, "overflows_credits_posted";
        OverflowsDebits = 630, "overflows_debits";
        OverflowsCredits = 640, "overflows_credits";
        OverflowsTimeout = 650, "overflows_timeout";
        ExceedsCredits = 660, "exceeds_credits";
        ExceedsDebits = 670, "exceeds_debits";
        Created = 0, "created";
    }
}

statuses! {
    /// The answer to one event of `set_limits`.
    SetLimitStatus {
        IdMustNotBeZero = 10, "id_must_not_be_zero";
        IdMustNotBeIntMax = 20, "id_must_not_be_int_max";
        AccountNotFound = 30, "account_not_found";
        LimitNeedsALimitingFlag = 40, "limit_needs_a_limiting_flag";
        BalanceExceedsLimit = 50, "balance_exceeds_limit";
        Set = 0, "set";
    }
}

impl CreateTransferStatus {
    /// Refusals that only a cluster of several shards can have: no book alone gives them.
    pub const OF_SEVERAL_SHARDS: &'static [Self] =
        &[Self::LinkedEventsCrossShards, Self::ImportedEventCrossesShards];

    /// Whether this refusal stands behind those that tell of the id itself: then the id was free until now.
    pub const fn comes_after_the_id(self) -> bool {
        self.number() > Self::IdAlreadyFailed.number()
    }

    /// Whether the refusal depended on the moment: then the id is burned, so that a retry under the same id can
    /// never post what its sender was told had failed.
    pub const fn burns_id(self) -> bool {
        match self {
            Self::DebitAccountNotFound
            | Self::CreditAccountNotFound
            | Self::PendingTransferNotFound
            | Self::ExceedsCredits
            | Self::ExceedsDebits
            | Self::DebitAccountAlreadyClosed
            | Self::CreditAccountAlreadyClosed => true,
            Self::LinkedEventFailed
            | Self::LinkedEventChainOpen
            | Self::LinkedEventsCrossShards
            | Self::ImportedEventCrossesShards
            | Self::ImportedEventExpected
            | Self::ImportedEventNotExpected
            | Self::TimestampMustBeZero
            | Self::ImportedEventTimestampOutOfRange
            | Self::ImportedEventTimestampMustNotAdvance
            | Self::ReservedFlag
            | Self::IdMustNotBeZero
            | Self::IdMustNotBeIntMax
            | Self::IdMustNotBeTheBanksOwn
            | Self::ExistsWithDifferentFlags
            | Self::ExistsWithDifferentPendingId
            | Self::ExistsWithDifferentTimeout
            | Self::ExistsWithDifferentDebitAccountId
            | Self::ExistsWithDifferentCreditAccountId
            | Self::ExistsWithDifferentAmount
            | Self::ExistsWithDifferentUserData128
            | Self::ExistsWithDifferentUserData64
            | Self::ExistsWithDifferentUserData32
            | Self::ExistsWithDifferentLedger
            | Self::ExistsWithDifferentCode
            | Self::Exists
            | Self::IdAlreadyFailed
            | Self::FlagsAreMutuallyExclusive
            | Self::DebitAccountIdMustNotBeZero
            | Self::DebitAccountIdMustNotBeIntMax
            | Self::CreditAccountIdMustNotBeZero
            | Self::CreditAccountIdMustNotBeIntMax
            | Self::AccountsMustBeDifferent
            | Self::PendingIdMustBeZero
            | Self::PendingIdMustNotBeZero
            | Self::PendingIdMustNotBeIntMax
            | Self::PendingIdMustBeDifferent
            | Self::TimeoutReservedForPendingTransfer
            | Self::ClosingTransferMustBePending
            | Self::LedgerMustNotBeZero
            | Self::CodeMustNotBeZero
            | Self::AccountsMustHaveTheSameLedger
            | Self::TransferMustHaveTheSameLedgerAsAccounts
            | Self::DebitAccountIsAControlAccount
            | Self::CreditAccountIsAControlAccount
            | Self::PendingTransferNotPending
            | Self::PendingTransferHasDifferentDebitAccountId
            | Self::PendingTransferHasDifferentCreditAccountId
            | Self::PendingTransferHasDifferentLedger
            | Self::PendingTransferHasDifferentCode
            | Self::ExceedsPendingTransferAmount
            | Self::PendingTransferHasDifferentAmount
            | Self::PendingTransferAlreadyPosted
            | Self::PendingTransferAlreadyVoided
            | Self::PendingTransferExpired
            | Self::ImportedEventTimestampMustNotRegress
            | Self::ImportedEventTimestampMustPostdateDebitAccount
            | Self::ImportedEventTimestampMustPostdateCreditAccount
            | Self::ImportedEventTimeoutMustBeZero
            | Self::OverflowsDebitsPending
            | Self::OverflowsCreditsPending
            | Self::OverflowsDebitsPosted
            | Self::OverflowsCreditsPosted
            | Self::OverflowsDebits
            | Self::OverflowsCredits
            | Self::OverflowsTimeout
            | Self::Created => false,
        }
    }
}
