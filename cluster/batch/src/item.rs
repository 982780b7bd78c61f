//! What a file holds, whatever its format: a head, blocks, and items, one after the other.

use crate::reason::{FileFault, ItemFault};
use fen_book::batches::Acceptance;
use fen_book::loan::product::StatedTerms;
use fen_terms::{Currency, Day};
use std::fmt;

/// The forms a file can have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// ISO 20022 customer credit transfer initiation, of version 9 or 11.
    CreditTransfer(u8),
    /// ISO 20022 customer direct debit initiation, of version 8 or 10.
    DirectDebit(u8),
    /// Rows with columns.
    Csv,
    /// One JSON object a line.
    Ndjson,
}

impl Format {
    /// The ISO message's name; for the others what their results call them.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CreditTransfer(9) => "pain.001.001.09",
            Self::CreditTransfer(_) => "pain.001.001.11",
            Self::DirectDebit(8) => "pain.008.001.08",
            Self::DirectDebit(_) => "pain.008.001.10",
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What a file says of itself.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Head {
    /// Its name, given by whoever made it; empty where the format has none.
    pub message_id: String,
    /// Who made it.
    pub initiator: String,
    /// When, as it is written.
    pub created: String,
    /// How many items it says it has.
    pub items: Option<u64>,
    /// What it says they come to.
    pub sum: Option<Sum>,
    /// Whether it is to be taken item by item.
    pub acceptance: Acceptance,
}

/// A part of a file with a common account or day; files without blocks have one, without a name.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Block {
    /// Its name.
    pub id: String,
    /// How many items it says it has.
    pub items: Option<u64>,
    /// What it says they come to.
    pub sum: Option<Sum>,
}

/// What an item asks for.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub enum Act {
    /// Money from one account to another.
    #[default]
    Transfer,
    /// A loan, or a draw of one, to the account that is credited.
    Disburse,
    /// A repayment from the account that is debited.
    Repay,
}

impl Act {
    /// The name in CSV, NDJSON and results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Transfer => "transfer",
            Self::Disburse => "disburse",
            Self::Repay => "repay",
        }
    }

    /// The act of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Transfer, Self::Disburse, Self::Repay].into_iter().find(|act| act.name() == name)
    }
}

/// One payment.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Item {
    /// What its maker calls it, from end to end.
    pub end_to_end_id: String,
    /// What its maker calls the instruction; mostly empty.
    pub instruction_id: String,
    /// What it asks for.
    pub act: Act,
    /// The account that is debited; zero where none is named.
    pub debit: u128,
    /// The account that is credited; zero where none is named.
    pub credit: u128,
    /// The loan; zero where none is named.
    pub loan_id: u128,
    /// The product of a new loan.
    pub product_id: u128,
    /// How much, in minor units.
    pub amount: u128,
    /// Its currency's ISO 4217 number.
    pub ledger: u32,
    /// The day on which it is to be done; `None` is at once.
    pub on: Option<Day>,
    /// What a new loan states.
    pub terms: Option<Box<StatedTerms>>,
    /// Why it can't be carried out as it is written.
    pub fault: Option<Box<ItemFault>>,
}

impl Item {
    /// What it is known by within its file: the end-to-end id, else the instruction's, else nothing.
    pub fn name(&self) -> Option<&str> {
        let has_own = !self.end_to_end_id.is_empty() && self.end_to_end_id != "NOTPROVIDED";
        if has_own {
            return Some(&self.end_to_end_id);
        }
        Some(self.instruction_id.as_str()).filter(|name| !name.is_empty())
    }

    /// Notes a fault, if it has none yet: the first one found is told.
    pub(crate) fn note(&mut self, fault: ItemFault) {
        self.fault.get_or_insert_with(|| Box::new(fault));
    }
}

/// The next thing that a file holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Piece {
    /// Comes once, first.
    Head(Box<Head>),
    /// Begins a block; comes before any item.
    Block(Box<Block>),
    /// An item of the block.
    Item(Item),
}

/// A file that is read from its beginning to its end.
pub trait Source {
    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// Where the file breaks its format; nothing can be read after that.
    fn next_piece(&mut self) -> Result<Option<Piece>, FileFault>;

    /// Its form; known once the head was read.
    fn format(&self) -> Format;
}

/// A sum over items of any currencies, as control sums have it: major units, with five decimals kept.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Sum(pub u128);

/// Decimals of a [`Sum`]; no currency has more.
const SUM_DECIMALS: u8 = 5;

impl Sum {
    /// An amount of a currency.
    pub fn of(minor: u128, ledger: u32) -> Option<Self> {
        let decimals = Currency::from_number(ledger).map_or(0, Currency::decimals);
        let scale = 10_u128.checked_pow(u32::from(SUM_DECIMALS.checked_sub(decimals)?))?;
        minor.checked_mul(scale).map(Self)
    }

    /// Reads a decimal.
    pub fn parse(text: &str) -> Option<Self> {
        crate::figure::decimal(text, SUM_DECIMALS).ok().map(Self)
    }

    /// The sum of two.
    pub fn plus(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }
}

impl fmt::Display for Sum {
    /// With two decimals at least, and no more than it needs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = crate::figure::print(self.0, SUM_DECIMALS);
        let least = text.len() - 3;
        let zeros = text.len() - text.trim_end_matches('0').len();
        f.write_str(&text[..text.len() - zeros.min(text.len() - least)])
    }
}
