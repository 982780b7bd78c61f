//! Why a file or an item is turned away: codes of ISO 20022's external status reasons, with words and a mend.

use std::fmt;

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $number:literal, $code:literal, $words:literal;)*) => {
        /// A reason, in the coding that banks answer each other with.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        pub enum Reason {
            $($(#[$doc])* $variant,)*
        }

        impl Reason {
            /// Every reason.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The number that result files keep; for ever.
            pub const fn number(self) -> u16 {
                match self {
                    $(Self::$variant => $number,)*
                }
            }

            /// The reason of a number.
            pub const fn from_number(number: u16) -> Option<Self> {
                match number {
                    $($number => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// The four letters of the external code list.
            pub const fn code(self) -> &'static str {
                match self {
                    $(Self::$variant => $code,)*
                }
            }

            /// What people read.
            pub const fn words(self) -> &'static str {
                match self {
                    $(Self::$variant => $words,)*
                }
            }
        }
    };
}

reasons! {
    /// AC01
    AccountIncorrect = 1, "AC01", "the account is unknown or no account";
    /// AC04
    AccountClosed = 2, "AC04", "the account is closed";
    /// AC06
    AccountBlocked = 3, "AC06", "the account or its loan takes no such payment";
    /// AG01
    Forbidden = 4, "AG01", "the product or its limits forbid it";
    /// AG02
    OperationInvalid = 5, "AG02", "this kind of payment is not known here";
    /// AM01
    AmountZero = 6, "AM01", "the amount is zero";
    /// AM02
    AmountNotAllowed = 7, "AM02", "the amount is larger or smaller than allowed";
    /// AM03
    CurrencyNotAllowed = 8, "AM03", "the currency is not the account's, or not known";
    /// AM04
    FundsInsufficient = 9, "AM04", "there is not enough money in the account";
    /// AM05
    Duplicate = 10, "AM05", "the same payment is there already";
    /// AM10
    ControlSumWrong = 11, "AM10", "the control sum is not the sum of the items";
    /// AM12
    AmountInvalid = 12, "AM12", "the amount is none, or has more decimals than its currency";
    /// AM14
    LimitExceeded = 13, "AM14", "more than the limit agreed";
    /// AM18
    CountWrong = 14, "AM18", "the number of transactions is not the number of items";
    /// DT01
    DateInvalid = 15, "DT01", "the date is none, or not one on which this can be done";
    /// DU01
    MessageDuplicate = 16, "DU01", "the message id was used for another file";
    /// DU04
    EndToEndDuplicate = 17, "DU04", "the end-to-end id was used before in the file";
    /// DS02
    Cancelled = 18, "DS02", "the file was cancelled before this item";
    /// FF01
    FormatInvalid = 19, "FF01", "the file is not of its format";
    /// MS03
    NotSpecified = 20, "MS03", "refused earlier; the first reason was not kept";
    /// TM01
    CutOffPassed = 21, "TM01", "it came after the cut-off";
    /// NARR
    Narrative = 22, "NARR", "as told";
    /// ED05
    SettlementFailed = 23, "ED05", "another item of a file that is taken as a whole was refused";
    /// AC14 has no code of its own for loans: an invalid creditor reference
    LoanUnknown = 24, "RR07", "the loan is unknown";
}

/// Why a whole file is turned away.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileFault {
    /// The code.
    pub reason: Reason,
    /// Where: a line, an element, a byte.
    pub place: String,
    /// What is wrong there.
    pub what: String,
    /// What to do about it.
    pub mend: Option<String>,
}

impl FileFault {
    /// The file is not of its format.
    pub fn format(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { reason: Reason::FormatInvalid, place: place.into(), what: what.into(), mend: None }
    }

    /// Another reason.
    pub fn of(reason: Reason, place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { reason, place: place.into(), what: what.into(), mend: None }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn mend(self, mend: impl Into<String>) -> Self {
        Self { mend: Some(mend.into()), ..self }
    }
}

impl fmt::Display for FileFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.place.is_empty() {
            write!(f, "{}: ", self.place)?;
        }
        write!(f, "{} ({})", self.what, self.reason.code())
    }
}

impl std::error::Error for FileFault {}

/// Why one item can't be carried out, found before anybody is asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ItemFault {
    /// The code.
    pub reason: Reason,
    /// What is wrong.
    pub what: String,
}

impl ItemFault {
    /// A fault.
    pub fn new(reason: Reason, what: impl Into<String>) -> Self {
        Self { reason, what: what.into() }
    }
}

impl fmt::Display for ItemFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.what, self.reason.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn numbers_are_of_one_reason_each() {
        let numbers: BTreeSet<u16> = Reason::ALL.iter().map(|reason| reason.number()).collect();
        assert_eq!(numbers.len(), Reason::ALL.len());
        for reason in Reason::ALL {
            assert_eq!(Reason::from_number(reason.number()), Some(*reason));
            assert_eq!(reason.code().len(), 4);
        }
    }
}
