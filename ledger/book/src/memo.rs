//! Memos: applied commands that move no money, as records of the journal.
//!
//! A limit that was set, a version of a product, a loan event beyond paying out and repaying, a business date that
//! began, an order to the registry of payment files: each is told whole by a run of records, so that it is sealed, bound
//! by proofs and told by the change feed as transfers are. What pays out or repays is told by its transfers.
//!
//! A memo is a head and, behind it, its body in parts of 32 bytes. All bear
//! [`TransferFlags::MEMO`](crate::TransferFlags::MEMO), no id and no account, and the stamp of the last transfer before,
//! so that stamps never fall along the journal and an import may go on behind it.
//!
//! | field | in the head | in a part |
//! |---|---|---|
//! | `code` | what it is, never zero | zero |
//! | `timeout` | how long the body is | how much of it is left, this part included |
//! | `user_data_128` | the account, loan, product or file | the second 16 bytes, little-endian |
//! | `amount` | the product of a product or loan event | the first 16 bytes, little-endian |
//! | `user_data_64`, `user_data_32`, `ledger` | the command's own stamp, its day, its currency | zero |
//!
//! The body is a command of one event, as the log keeps it. **Invariant.** A run stands together: the records of one memo
//! follow each other. Limits: a body of at most [`BODY_MAX`] bytes, as no command of one event is longer. Not told: how
//! the memory of a book is kept. Tested here, and by feeds from which a book is made again in the ledger's tests.

use crate::batches::BatchOrder;
use crate::book::Book;
use crate::journal::NO_SLOT;
use crate::loan::apply::EVENT_CODE;
use crate::loan::command::LoanCommand;
use crate::loan::order::{LoanAct, LoanOrder};
use crate::loan::product::{Product, ProductId};
use crate::opening::LimitChange;
use crate::quantity::{AccountId, Amount, BusinessDate, Code, LedgerCode, Stamp, TimeoutSeconds};
use crate::transfer::{Transfer, TransferFlags};
use fen_terms::Day;
use zerocopy::{FromBytes, IntoBytes};

/// The code of a business date's memo.
pub const BUSINESS_DATE_CODE: u16 = 9_300;
/// The code of a product's memo.
pub const PRODUCT_CODE: u16 = 9_301;
/// The code of a limit's memo.
pub const LIMIT_CODE: u16 = 9_302;
/// The code of the memo of an order to the registry of payment files. A loan event's memo bears the code of its transfers.
pub const FILE_CODE: u16 = 9_303;

/// The longest body.
pub const BODY_MAX: usize = 1 << 17;

/// How much of a body a record holds.
const PART_BYTES: usize = 32;

/// The most records of a memo.
pub const MEMO_RECORDS_MAX: usize = 1 + BODY_MAX / PART_BYTES;

/// An applied command that moved no money, with what readers choose by.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Memo {
    /// What it is.
    pub code: Code,
    /// Currency, where it is of one.
    pub ledger: LedgerCode,
    /// The account, loan, product or file.
    pub about: u128,
    /// The product, if it is of one.
    pub product_id: ProductId,
    /// The day from which it counts, or that began; 1970-01-01 where it is of none.
    pub day: BusinessDate,
    /// When it was applied.
    pub stamp: Stamp,
    /// The command.
    pub body: Vec<u8>,
}

/// What a memo tells.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Applied {
    /// An account has this limit from now on.
    Limit(LimitChange),
    /// A product came into force, a loan event was entered, or the day before a new business date was closed.
    Loans(LoanCommand),
    /// The registry of payment files took an order.
    File(BatchOrder),
}

impl Memo {
    /// What it tells.
    ///
    /// # Errors
    /// In words, where the body is no command of this release.
    pub fn applied(&self) -> Result<Applied, String> {
        match self.code.get() {
            LIMIT_CODE => match LimitChange::read_from_bytes(&self.body) {
                Ok(change) => Ok(Applied::Limit(change)),
                Err(_) => Err(format!("{} bytes are no change of a limit", self.body.len())),
            },
            FILE_CODE => BatchOrder::decode(&self.body).map(Applied::File),
            _ => LoanCommand::decode(&self.body).map(Applied::Loans),
        }
    }

    fn records(&self, timestamp: Stamp) -> impl Iterator<Item = Transfer> {
        let record = Transfer { flags: TransferFlags::MEMO, timestamp, ..Transfer::default() };
        let length = |bytes: usize| TimeoutSeconds::new(u32::try_from(bytes).unwrap_or(u32::MAX));
        let head = Transfer {
            amount: Amount::new(self.product_id),
            user_data_128: self.about,
            user_data_64: self.stamp.get(),
            user_data_32: self.day.get().cast_unsigned(),
            timeout: length(self.body.len()),
            ledger: self.ledger,
            code: self.code,
            ..record
        };
        let parts = self.body.chunks(PART_BYTES).zip((0..self.body.len()).step_by(PART_BYTES));
        let part = move |(bytes, begin): (&[u8], usize)| {
            let mut whole = [0; PART_BYTES];
            whole.iter_mut().zip(bytes).for_each(|(place, byte)| *place = *byte);
            let [first, second] = halves(whole);
            Transfer {
                amount: Amount::new(u128::from_le_bytes(first)),
                user_data_128: u128::from_le_bytes(second),
                timeout: length(self.body.len().saturating_sub(begin)),
                ..record
            }
        };
        core::iter::once(head).chain(parts.map(part))
    }
}

fn halves(whole: [u8; PART_BYTES]) -> [[u8; 16]; 2] {
    let (first, second) = whole.split_at(16);
    [first, second].map(|half| half.try_into().expect("half of 32 bytes is 16"))
}

/// What a record of the journal is to a reader of memos.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Piece {
    /// The last record of a memo.
    Whole(Memo),
    /// A record of a memo that goes on.
    Part,
    /// A part of a memo whose beginning the reader has not met.
    Stray,
}

/// Puts memos together, record by record.
#[derive(Default)]
pub struct MemoReader {
    begun: Option<(Memo, usize)>,
}

impl MemoReader {
    /// Whether a memo has begun and goes on.
    pub fn is_within(&self) -> bool {
        self.begun.is_some()
    }

    /// Lets go of what has begun: its next records are missing.
    pub fn lose(&mut self) {
        self.begun = None;
    }

    /// Takes the next record that bears [`TransferFlags::MEMO`].
    pub fn take(&mut self, record: &Transfer) -> Piece {
        let length = usize::try_from(record.timeout.get()).unwrap_or(usize::MAX);
        let (memo, left) = if record.code.is_zero() {
            let Some((mut memo, left)) = self.begun.take() else { return Piece::Stray };
            if left != length {
                return Piece::Stray;
            }
            let bytes = [record.amount.get().to_le_bytes(), record.user_data_128.to_le_bytes()];
            memo.body.extend(bytes.as_flattened().iter().take(left));
            (memo, left.saturating_sub(PART_BYTES))
        } else {
            let memo = Memo {
                code: record.code,
                ledger: record.ledger,
                about: record.user_data_128,
                product_id: record.amount.get(),
                day: BusinessDate::new(record.user_data_32.cast_signed()),
                stamp: Stamp::new(record.user_data_64),
                body: Vec::new(),
            };
            (memo, length)
        };
        if left == 0 {
            return Piece::Whole(memo);
        }
        self.begun = Some((memo, left));
        Piece::Part
    }
}

impl Book {
    fn write_memo(&mut self, memo: &Memo) {
        assert!(memo.body.len() <= BODY_MAX, "a command of one event fits a memo");
        let timestamp = self.young.last_transfer_stamp();
        for record in memo.records(timestamp) {
            self.young.make_room();
            self.young.push(&record, [NO_SLOT, NO_SLOT]);
        }
    }

    /// Tells that an account has a limit from now on.
    pub(crate) fn tell_limit(&mut self, account_id: AccountId, limit: Amount, stamp: Stamp) {
        let ledger = self.accounts.slot_of(account_id).map(|slot| self.accounts.get(slot).ledger);
        self.write_memo(&Memo {
            code: Code::new(LIMIT_CODE),
            ledger: ledger.unwrap_or_default(),
            about: account_id.get(),
            product_id: 0,
            day: BusinessDate::default(),
            stamp,
            body: LimitChange { account_id, limit }.as_bytes().to_vec(),
        });
    }

    /// Tells that a product is in force.
    pub(crate) fn tell_product(&mut self, product: &Product, stamp: Stamp) {
        self.write_memo(&Memo {
            code: Code::new(PRODUCT_CODE),
            ledger: product.ledger,
            about: product.id,
            product_id: product.id,
            day: BusinessDate::default(),
            stamp,
            body: LoanCommand::PutProduct(Box::new(product.clone())).encode(),
        });
    }

    /// Tells of a loan event that is entered.
    pub(crate) fn tell_order(&mut self, order: &LoanOrder, product_id: ProductId, stamp: Stamp) {
        let ledger = self.loans.product(product_id).map(|product| product.ledger);
        self.write_memo(&Memo {
            code: Code::new(EVENT_CODE.saturating_add(order.act.number())),
            ledger: ledger.unwrap_or_default(),
            about: order.loan_id,
            product_id,
            day: order.effective_on,
            stamp,
            body: LoanCommand::Orders(vec![order.clone()]).encode(),
        });
    }

    /// Tells that the registry of payment files took an order.
    pub(crate) fn tell_file(&mut self, order: &BatchOrder, stamp: Stamp) {
        self.write_memo(&Memo {
            code: Code::new(FILE_CODE),
            ledger: LedgerCode::default(),
            about: order.key(),
            product_id: 0,
            day: BusinessDate::default(),
            stamp,
            body: order.encode(),
        });
    }

    /// A business date begins and is told; one that has begun begins no more.
    pub(crate) fn begin_day(&mut self, day: Day, last_before: Stamp) {
        if self.loans.days.today().is_some_and(|today| day <= today) {
            return;
        }
        self.loans.days.begin(day, last_before);
        let closed = day.plus_days(-1).unwrap_or(day);
        let through = BusinessDate::new(closed.number());
        self.write_memo(&Memo {
            code: Code::new(BUSINESS_DATE_CODE),
            ledger: LedgerCode::default(),
            about: 0,
            product_id: 0,
            day: BusinessDate::new(day.number()),
            stamp: last_before,
            body: LoanCommand::DayEnd { through, loans_max: 0 }.encode(),
        });
    }
}

/// Whether a loan event is told by its transfers: it pays out, or takes a repayment.
pub(crate) fn is_told_by_transfers(act: &LoanAct) -> bool {
    match act {
        LoanAct::Disburse(_) | LoanAct::Repay { .. } | LoanAct::Prepay { .. } => true,
        LoanAct::OpenLine(_)
        | LoanAct::Charge { .. }
        | LoanAct::Waive { .. }
        | LoanAct::Reverse { .. }
        | LoanAct::Chargeback { .. }
        | LoanAct::Refund { .. }
        | LoanAct::Reschedule(_)
        | LoanAct::ChargeOff
        | LoanAct::WriteOff
        | LoanAct::Recover { .. }
        | LoanAct::Sell { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memo(length: usize) -> Memo {
        Memo {
            code: Code::new(PRODUCT_CODE),
            ledger: LedgerCode::new(156),
            about: 7,
            product_id: u128::MAX,
            day: BusinessDate::new(-3),
            stamp: Stamp::new(99),
            body: (0..=u8::MAX).cycle().take(length).collect(),
        }
    }

    #[test]
    fn a_memo_of_any_length_is_read_back() {
        for length in [0, 1, 31, 32, 33, 64, 1_000, BODY_MAX] {
            let written = memo(length);
            let records: Vec<Transfer> = written.records(Stamp::new(5)).collect();
            assert_eq!(records.len(), 1 + length.div_ceil(PART_BYTES));
            assert!(records.iter().all(|record| !record.is_transfer() && record.id.is_zero()));
            let mut reader = MemoReader::default();
            let mut pieces: Vec<Piece> = records.iter().map(|record| reader.take(record)).collect();
            assert_eq!(pieces.pop(), Some(Piece::Whole(written)));
            assert!(pieces.iter().all(|piece| *piece == Piece::Part) && !reader.is_within());
        }
    }

    #[test]
    fn a_part_without_what_comes_before_it_is_a_stray() {
        let records: Vec<Transfer> = memo(100).records(Stamp::new(5)).collect();
        for missing in 0..records.len() {
            let mut reader = MemoReader::default();
            let rest = records.iter().enumerate().filter(|(place, _)| *place != missing);
            let pieces: Vec<Piece> = rest.map(|(_, record)| reader.take(record)).collect();
            assert!(pieces.iter().all(|piece| !matches!(piece, Piece::Whole(_))), "{missing}");
        }
    }
}
