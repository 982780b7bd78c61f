//! What an item came to: the books' own status, or why they were not asked; and what banks call that.

use crate::reason::Reason;
use fen_book::CreateTransferStatus as Transfer;
use fen_book::Stamp;
use fen_book::loan::status::LoanStatus as Loan;

/// What an item came to.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub enum Status {
    /// Nothing yet: it was not looked at, or its day is to come.
    #[default]
    Open,
    /// The book's answer to a transfer.
    Transfer(Transfer),
    /// The book's answer to a loan event; its number, which never changes.
    Loan(u16),
    /// It was refused before the book was asked.
    Refused(Reason),
    /// The money is reserved; whether it is posted depends on all the other items.
    Held,
    /// Not all was there; the rest is asked for again on later days.
    Short,
    /// Not all was there, and it is not asked for again.
    Partly,
}

/// What banks call it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Word {
    /// PDNG: not done yet.
    Pending,
    /// ACSC: done.
    Settled,
    /// ACWC: done, but not as much as was asked for.
    Changed,
    /// RJCT: not done.
    Rejected,
}

impl Word {
    /// All, in their order.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Settled, Self::Changed, Self::Rejected];

    /// The four letters.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Pending => "PDNG",
            Self::Settled => "ACSC",
            Self::Changed => "ACWC",
            Self::Rejected => "RJCT",
        }
    }
}

/// An item's outcome.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// What it came to.
    pub status: Status,
    /// When.
    pub stamp: Stamp,
    /// How much was moved, in minor units.
    pub moved: u128,
}

impl Outcome {
    /// Refused before the book was asked.
    pub fn refused(reason: Reason) -> Self {
        Self { status: Status::Refused(reason), ..Self::default() }
    }

    /// Whether nothing more will come of it.
    pub fn is_final(&self) -> bool {
        !matches!(self.status, Status::Open | Status::Held | Status::Short)
    }
}

impl Status {
    /// What banks call it.
    pub fn word(self) -> Word {
        match self {
            Self::Open | Self::Held | Self::Short => Word::Pending,
            Self::Partly => Word::Changed,
            Self::Transfer(Transfer::Created | Transfer::Exists) => Word::Settled,
            Self::Loan(number) if number == Loan::Created.number() || number == Loan::Exists.number() => {
                Word::Settled
            }
            Self::Transfer(_) | Self::Loan(_) | Self::Refused(_) => Word::Rejected,
        }
    }

    /// The book's own name for it, or ours.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Held => "held",
            Self::Transfer(status) => status.name(),
            Self::Loan(number) => loan_of(number).map_or("unknown", Loan::name),
            Self::Refused(reason) => reason.words(),
            Self::Short => "short",
            Self::Partly => "partly",
        }
    }

    /// Why it was not done, in the coding of banks; nothing where it was.
    pub fn reason(self) -> Option<Reason> {
        match self {
            Self::Open | Self::Held => None,
            Self::Short | Self::Partly => Some(Reason::FundsInsufficient),
            Self::Refused(reason) => Some(reason),
            Self::Transfer(status) => of_transfer(status),
            Self::Loan(number) => loan_of(number).map_or(Some(Reason::NotSpecified), of_loan),
        }
    }
}

/// A loan status by its number.
fn loan_of(number: u16) -> Option<Loan> {
    Loan::ALL.iter().copied().find(|status| status.number() == number).or_else(|| {
        let terms = fen_terms::TermsStatus::ALL.iter().copied().map(Loan::Terms);
        terms.into_iter().find(|status| status.number() == number)
    })
}

/// What banks call the refusal of a transfer. Whatever else a file's item can't bring about is told in words.
const TRANSFER_REASONS: [(Transfer, Reason); 17] = [
    (Transfer::DebitAccountIdMustNotBeZero, Reason::AccountIncorrect),
    (Transfer::DebitAccountIdMustNotBeIntMax, Reason::AccountIncorrect),
    (Transfer::CreditAccountIdMustNotBeZero, Reason::AccountIncorrect),
    (Transfer::CreditAccountIdMustNotBeIntMax, Reason::AccountIncorrect),
    (Transfer::AccountsMustBeDifferent, Reason::AccountIncorrect),
    (Transfer::DebitAccountNotFound, Reason::AccountIncorrect),
    (Transfer::CreditAccountNotFound, Reason::AccountIncorrect),
    (Transfer::DebitAccountIsAControlAccount, Reason::AccountIncorrect),
    (Transfer::CreditAccountIsAControlAccount, Reason::AccountIncorrect),
    (Transfer::DebitAccountAlreadyClosed, Reason::AccountClosed),
    (Transfer::CreditAccountAlreadyClosed, Reason::AccountClosed),
    (Transfer::AccountsMustHaveTheSameLedger, Reason::CurrencyNotAllowed),
    (Transfer::TransferMustHaveTheSameLedgerAsAccounts, Reason::CurrencyNotAllowed),
    (Transfer::ExceedsCredits, Reason::FundsInsufficient),
    (Transfer::ExceedsDebits, Reason::LimitExceeded),
    (Transfer::LinkedEventFailed, Reason::SettlementFailed),
    (Transfer::IdAlreadyFailed, Reason::NotSpecified),
];

fn of_transfer(status: Transfer) -> Option<Reason> {
    if matches!(status, Transfer::Created | Transfer::Exists) {
        return None;
    }
    let known = TRANSFER_REASONS.iter().find(|(known, _)| *known == status).map(|(_, reason)| *reason);
    Some(known.unwrap_or(match status.name().split_once('_') {
        Some(("exists", _)) => Reason::Duplicate,
        Some(("overflows", _)) => Reason::AmountNotAllowed,
        Some(_) | None => Reason::Narrative,
    }))
}

/// What banks call the refusal of a loan event.
const LOAN_REASONS: [(Loan, Reason); 38] = [
    (Loan::LinkedEventFailed, Reason::SettlementFailed),
    (Loan::ExistsWithDifferentFields, Reason::Duplicate),
    (Loan::LoanExists, Reason::Duplicate),
    (Loan::IdAlreadyFailed, Reason::NotSpecified),
    (Loan::AmountMustNotBeZero, Reason::AmountZero),
    (Loan::AmountTooLarge, Reason::AmountNotAllowed),
    (Loan::AmountBelowProductMinimum, Reason::AmountNotAllowed),
    (Loan::AmountAboveProductMaximum, Reason::AmountNotAllowed),
    (Loan::Overflows, Reason::AmountNotAllowed),
    (Loan::DateOutOfRange, Reason::DateInvalid),
    (Loan::EffectiveOnMustNotFollowBusinessDate, Reason::DateInvalid),
    (Loan::EventMustNotPrecedeDisbursement, Reason::DateInvalid),
    (Loan::LoanNotFound, Reason::LoanUnknown),
    (Loan::AccountNotFound, Reason::AccountIncorrect),
    (Loan::LoanHasDifferentAccount, Reason::AccountIncorrect),
    (Loan::AccountHasDifferentLedger, Reason::CurrencyNotAllowed),
    (Loan::AccountIsAControlAccount, Reason::AccountIncorrect),
    (Loan::AccountAlreadyClosed, Reason::AccountClosed),
    (Loan::LoanClosed, Reason::AccountBlocked),
    (Loan::LoanWrittenOff, Reason::AccountBlocked),
    (Loan::LoanNotWrittenOff, Reason::AccountBlocked),
    (Loan::LoanSold, Reason::AccountBlocked),
    (Loan::ExceedsCredits, Reason::FundsInsufficient),
    (Loan::ExceedsDebits, Reason::LimitExceeded),
    (Loan::ExceedsLine, Reason::LimitExceeded),
    (Loan::ExceedsBorrowers, Reason::LimitExceeded),
    (Loan::ExceedsExposure, Reason::LimitExceeded),
    (Loan::ExceedsExposurePerBorrower, Reason::LimitExceeded),
    (Loan::ProductNotFound, Reason::Forbidden),
    (Loan::ProductStopped, Reason::Forbidden),
    (Loan::ProductEnded, Reason::Forbidden),
    (Loan::RegionNotServed, Reason::Forbidden),
    (Loan::PeriodsOutsideProduct, Reason::Forbidden),
    (Loan::RateOutsideProduct, Reason::Forbidden),
    (Loan::OnlyFullSettlement, Reason::Forbidden),
    (Loan::TermFixedByProduct, Reason::Forbidden),
    (Loan::TermMissing, Reason::Forbidden),
    (Loan::LoanHasDifferentProduct, Reason::Forbidden),
];

fn of_loan(status: Loan) -> Option<Reason> {
    if matches!(status, Loan::Created | Loan::Exists) {
        return None;
    }
    let known = LOAN_REASONS.iter().find(|(known, _)| *known == status).map(|(_, reason)| *reason);
    Some(known.unwrap_or(Reason::Narrative))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_a_reason_and_every_success_none() {
        for status in Transfer::ALL {
            let is_done = matches!(status, Transfer::Created | Transfer::Exists);
            assert_eq!(Status::Transfer(*status).reason().is_none(), is_done, "{status}");
            assert_eq!(Status::Transfer(*status).word() == Word::Settled, is_done, "{status}");
        }
        for status in Loan::ALL {
            let is_done = matches!(status, Loan::Created | Loan::Exists);
            let kept = Status::Loan(status.number());
            assert_eq!((kept.reason().is_none(), kept.name()), (is_done, status.name()));
        }
    }
}
