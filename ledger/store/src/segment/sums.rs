//! What a segment's transfers come to, by ledger and code: so that a sum over years reads a line of each directory and
//! the blocks at its two ends.

use super::bits::{Cursor, Malformed, narrow, put_varint};
use fen_book::{Amount, Transfer, TransferFlags};

/// The most ledgers and codes that a segment keeps sums of; beyond, its blocks are read.
const SUMS_MAX: usize = 64;

/// How often something was done, and what it came to.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Flow {
    /// How often.
    pub count: u32,
    /// What it came to, in minor units.
    pub amount: u128,
}

impl Flow {
    fn add(&mut self, amount: Amount) -> Option<()> {
        self.count = self.count.checked_add(1)?;
        self.amount = self.amount.checked_add(amount.get())?;
        Some(())
    }
}

/// The transfers of one ledger and code.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct CodeFlow {
    /// Currency or asset.
    pub ledger: u32,
    /// The transfers' code.
    pub code: u16,
    /// What was booked: plain transfers, and what was posted of reserved ones.
    pub posted: Flow,
    /// What was reserved.
    pub reserved: Flow,
}

impl CodeFlow {
    /// The flow of one transfer; `None` for what books and reserves nothing.
    pub fn of(ledger: u32, code: u16, flags: TransferFlags, amount: Amount) -> Option<Self> {
        let ends = TransferFlags::VOID_PENDING_TRANSFER.with(TransferFlags::EXPIRY);
        let others = TransferFlags::BURNED.with(TransferFlags::MEMO);
        if flags.intersects(ends.with(others)) {
            return None;
        }
        let mut flow = Self { ledger, code, ..Self::default() };
        if flags.contains(TransferFlags::PENDING) {
            flow.reserved.add(amount)?;
        } else {
            flow.posted.add(amount)?;
        }
        Some(flow)
    }

    fn include(&mut self, other: &Self) -> Option<()> {
        for (flow, more) in [(&mut self.posted, other.posted), (&mut self.reserved, other.reserved)] {
            flow.count = flow.count.checked_add(more.count)?;
            flow.amount = flow.amount.checked_add(more.amount)?;
        }
        Some(())
    }
}

/// The sums of a segment, by rising ledger and code; `None` where there are too many, or one passes 128 bits.
pub(crate) type Sums = Option<Vec<CodeFlow>>;

/// The sums of these records.
pub(crate) fn sums_of(records: &[Transfer]) -> Sums {
    let mut sums: Vec<CodeFlow> = Vec::new();
    let mut last = 0;
    for record in records {
        let flow = CodeFlow::of(record.ledger.get(), record.code.get(), record.flags, record.amount);
        let Some(flow) = flow else { continue };
        let key = (flow.ledger, flow.code);
        // Most records are of the kind of one just before.
        if sums.get(last).is_none_or(|sum| (sum.ledger, sum.code) != key) {
            last = match sums.binary_search_by_key(&key, |sum| (sum.ledger, sum.code)) {
                Ok(place) => place,
                Err(_) if sums.len() == SUMS_MAX => return None,
                Err(place) => {
                    sums.insert(
                        place,
                        CodeFlow { ledger: flow.ledger, code: flow.code, ..CodeFlow::default() },
                    );
                    place
                }
            };
        }
        sums.get_mut(last)?.include(&flow)?;
    }
    Some(sums)
}

pub(crate) fn encode(sums: &Sums, out: &mut Vec<u8>) {
    out.push(u8::from(sums.is_some()));
    let Some(sums) = sums else { return };
    put_varint(u128::from(narrow(sums.len())), out);
    for sum in sums {
        put_varint(u128::from(sum.ledger), out);
        put_varint(u128::from(sum.code), out);
        for flow in [sum.posted, sum.reserved] {
            put_varint(u128::from(flow.count), out);
            put_varint(flow.amount, out);
        }
    }
}

/// Reads what [`encode`] wrote. A segment that was sealed before there were sums has none.
pub(crate) fn decode(cursor: &mut Cursor<'_>) -> Result<Sums, Malformed> {
    if cursor.is_at_end() || cursor.byte()? == 0 {
        return Ok(None);
    }
    let malformed = cursor.malformed();
    let word = |value: u64| u32::try_from(value).map_err(|_| malformed);
    let mut sums = Vec::new();
    for _ in 0..cursor.count(SUMS_MAX)? {
        let mut sum = CodeFlow { ledger: word(cursor.varint()?)?, ..CodeFlow::default() };
        sum.code = u16::try_from(cursor.varint()?).map_err(|_| malformed)?;
        for flow in [&mut sum.posted, &mut sum.reserved] {
            flow.count = word(cursor.varint()?)?;
            flow.amount = cursor.wide_varint()?;
        }
        sums.push(sum);
    }
    Ok(Some(sums))
}
