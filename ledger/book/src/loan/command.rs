//! A command to the loan side, as bytes in the log: a product, loan events, or a step of day-end.
//!
//! The bytes are a kind, a count, and then each order's fields in turn, little-endian, optional ones behind a byte that
//! says whether they are there. What decodes is exactly what encodes: no spare bits, no trailing bytes.

use super::codec::{Reader, Writer};
use super::day_end::{DayEndReply, STAMPS_PER_CHUNK};
use super::order::LoanOrder;
use super::product::Product;
use super::product_status::ProductStatus;
use super::status::LoanStatus;
use crate::book::Book;
use crate::command::Outcome;
use crate::quantity::{BusinessDate, Stamp, TransferId};
use crate::recall::Recall;

/// The most loan orders in one command; a product or a step of day-end is one order.
pub const ORDERS_MAX: usize = 1_024;

const KIND_PRODUCT: u8 = 1;
const KIND_ORDERS: u8 = 2;
const KIND_DAY_END: u8 = 3;

/// How many stamps a product takes: one for each control account.
const STAMPS_PER_PRODUCT: usize = 32;

const _: () = assert!(super::control::ROLES <= STAMPS_PER_PRODUCT, "each control account has its stamp");

/// A command to the loan side.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LoanCommand {
    /// Puts a product in force.
    PutProduct(Box<Product>),
    /// Loan events.
    Orders(Vec<LoanOrder>),
    /// A chunk of the way to the end of a day.
    DayEnd {
        /// The last day to be closed.
        through: BusinessDate,
        /// How many loans are taken at most; zero is as many as a chunk may have.
        loans_max: u32,
    },
}

/// The answer to a [`LoanCommand`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LoanReply {
    /// To a product.
    Product(Outcome<ProductStatus>),
    /// To orders, in their order.
    Orders(Vec<Outcome<LoanStatus>>),
    /// To a step of day-end.
    DayEnd(DayEndReply),
}

impl LoanCommand {
    /// The command's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        match self {
            Self::PutProduct(product) => {
                writer.u8(KIND_PRODUCT);
                writer.u32(1);
                writer.product(product);
            }
            Self::Orders(orders) => {
                writer.u8(KIND_ORDERS);
                writer.u32(u32::try_from(orders.len()).unwrap_or(u32::MAX));
                for order in orders {
                    writer.order(order);
                }
            }
            Self::DayEnd { through, loans_max } => {
                writer.u8(KIND_DAY_END);
                writer.u32(1);
                writer.i32(through.get());
                writer.u32(*loans_max);
            }
        }
        writer.bytes
    }

    /// The command of some bytes.
    ///
    /// # Errors
    /// In words, where they are none of this release.
    pub fn decode(body: &[u8]) -> Result<Self, String> {
        let mut reader = Reader::new(body);
        let command = Self::read(&mut reader);
        match command {
            Some(command) if reader.is_at_end() => Ok(command),
            Some(_) | None => Err(format!("{} bytes are no loan command of this release", body.len())),
        }
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let (kind, count) = (reader.u8()?, reader.u32()?);
        match (kind, count) {
            (KIND_PRODUCT, 1) => Some(Self::PutProduct(Box::new(reader.product()?))),
            (KIND_DAY_END, 1) => {
                Some(Self::DayEnd { through: BusinessDate::new(reader.i32()?), loans_max: reader.u32()? })
            }
            (KIND_ORDERS, count) if usize::try_from(count).ok()? <= ORDERS_MAX => {
                (0..count).map(|_| reader.order()).collect::<Option<Vec<_>>>().map(Self::Orders)
            }
            _ => None,
        }
    }

    /// How many orders some bytes hold, and how many stamps those take; nothing where they are no command.
    pub(crate) fn counts(body: &[u8]) -> (usize, usize) {
        let mut reader = Reader::new(body);
        let (Some(kind), Some(count)) = (reader.u8(), reader.u32()) else { return (0, 0) };
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let stamps = match kind {
            KIND_PRODUCT => STAMPS_PER_PRODUCT,
            KIND_DAY_END => STAMPS_PER_CHUNK,
            _ => usize::try_from(super::apply::STAMPS_PER_EVENT).unwrap_or(usize::MAX),
        };
        (count, count.saturating_mul(stamps))
    }

    /// The transfer ids that clients chose in some bytes.
    pub(crate) fn transfer_ids(body: &[u8]) -> Vec<TransferId> {
        match Self::decode(body) {
            Ok(Self::Orders(orders)) => orders.iter().map(|order| TransferId::new(order.id)).collect(),
            Ok(Self::PutProduct(_) | Self::DayEnd { .. }) | Err(_) => Vec::new(),
        }
    }
}

impl Book {
    /// Applies a loan command of the log.
    ///
    /// # Panics
    /// Where the bytes are no loan command: the log takes none that do not decode.
    pub(crate) fn apply_loans(&mut self, body: &[u8], stamp: Stamp, recall: &Recall) -> LoanReply {
        let command = LoanCommand::decode(body).expect("the log takes loan commands that decode");
        match command {
            LoanCommand::PutProduct(product) => {
                let status = self.put_product(&product, stamp, recall);
                LoanReply::Product(Outcome { timestamp: stamp, status })
            }
            LoanCommand::Orders(orders) => LoanReply::Orders(self.take_orders(orders, stamp, recall)),
            LoanCommand::DayEnd { through, loans_max } => {
                LoanReply::DayEnd(self.day_end(through, loans_max, stamp, recall))
            }
        }
    }
}
