//! What values a segment holds, so that a question can pass it by without reading it.

use super::bits::{Cursor, Malformed, narrow, put_varint};
use super::sums::{self, CodeFlow};
use fen_book::{QueryFilter, Stamp, Transfer, TransferId};

/// The most codes or ledgers that a zone lists one by one.
const LISTED_MAX: usize = 16;

/// The smallest and the largest value of a field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span<T> {
    /// The smallest.
    pub min: T,
    /// The largest.
    pub max: T,
}

impl<T: Copy + Ord> Span<T> {
    const fn of(value: T) -> Self {
        Self { min: value, max: value }
    }

    fn widen(&mut self, value: T) {
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }

    /// Whether the value lies between the two.
    pub fn holds(&self, value: T) -> bool {
        self.min <= value && value <= self.max
    }
}

/// The spans of a segment's transfers (burned ids and expiries count for stamps and ids only).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Zone {
    /// Of all records.
    pub stamps: Span<Stamp>,
    /// Of all records that have an id.
    pub ids: Option<Span<TransferId>>,
    /// How many of the records are transfers.
    pub transfers: u32,
    /// The fields that can be asked for.
    pub fields: Option<Fields>,
    /// What the transfers come to, by rising ledger and code; `None` where there are too many to keep.
    pub sums: Option<Vec<CodeFlow>>,
}

/// The spans of the fields that a query can name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fields {
    /// The client's own.
    pub user_data_128: Span<u128>,
    /// The client's own.
    pub user_data_64: Span<u64>,
    /// The client's own.
    pub user_data_32: Span<u32>,
    /// Every ledger, rising; `None` where they are more than sixteen.
    pub ledgers: Option<Vec<u32>>,
    /// Every code, rising; `None` where they are more than sixteen.
    pub codes: Option<Vec<u32>>,
}

fn list(listed: &mut Option<Vec<u32>>, value: u32) {
    if let Some(values) = listed
        && let Err(place) = values.binary_search(&value)
    {
        if values.len() == LISTED_MAX {
            *listed = None;
        } else {
            values.insert(place, value);
        }
    }
}

impl Zone {
    /// The zone of these records, of which there is at least one.
    pub(crate) fn of(records: &[Transfer]) -> Self {
        let first = records.first().expect("a segment has records");
        let mut zone =
            Self { stamps: Span::of(first.timestamp), ids: None, transfers: 0, fields: None, sums: None };
        for record in records {
            zone.stamps.widen(record.timestamp);
            if !record.id.is_zero() {
                zone.ids.get_or_insert(Span::of(record.id)).widen(record.id);
            }
            if record.is_transfer() {
                zone.transfers += 1;
                zone.fields.get_or_insert_with(|| Fields::of(record)).widen(record);
            }
        }
        zone.sums = sums::sums_of(records);
        zone
    }

    /// Whether a transfer of the segment may pass the filter; `false` is certain.
    pub fn may_answer(&self, filter: &QueryFilter) -> bool {
        let Some(fields) = &self.fields else { return false };
        stamps_meet(&self.stamps, filter.timestamp_min, filter.timestamp_max)
            && (filter.user_data_128 == 0 || fields.user_data_128.holds(filter.user_data_128))
            && (filter.user_data_64 == 0 || fields.user_data_64.holds(filter.user_data_64))
            && (filter.user_data_32 == 0 || fields.user_data_32.holds(filter.user_data_32))
            && (filter.ledger == 0 || lists(fields.ledgers.as_ref(), filter.ledger))
            && (filter.code == 0 || lists(fields.codes.as_ref(), u32::from(filter.code)))
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_varint(u128::from(self.stamps.min.get()), out);
        put_varint(u128::from(self.stamps.max.get()), out);
        out.push(u8::from(self.ids.is_some()));
        if let Some(ids) = &self.ids {
            put_varint(ids.min.get(), out);
            put_varint(ids.max.get(), out);
        }
        put_varint(u128::from(self.transfers), out);
        if let Some(fields) = &self.fields {
            fields.encode(out);
        }
        sums::encode(&self.sums, out);
    }

    pub(crate) fn decode(cursor: &mut Cursor<'_>, records: usize) -> Result<Self, Malformed> {
        let stamps = Span { min: Stamp::new(cursor.varint()?), max: Stamp::new(cursor.varint()?) };
        let ids = match cursor.byte()? {
            0 => None,
            _ => Some(Span {
                min: TransferId::new(cursor.wide_varint()?),
                max: TransferId::new(cursor.wide_varint()?),
            }),
        };
        let transfers = narrow(cursor.count(records)?);
        let fields = if transfers == 0 { None } else { Some(Fields::decode(cursor)?) };
        let sums = sums::decode(cursor)?;
        Ok(Self { stamps, ids, transfers, fields, sums })
    }
}

/// Whether a span of stamps and a filter's bounds (inclusive, zero is none) have a stamp in common.
pub(crate) fn stamps_meet(stamps: &Span<Stamp>, min: Stamp, max: Stamp) -> bool {
    stamps.max >= min && (max.is_zero() || stamps.min <= max)
}

fn lists(listed: Option<&Vec<u32>>, value: u32) -> bool {
    listed.is_none_or(|values| values.binary_search(&value).is_ok())
}

impl Fields {
    fn of(record: &Transfer) -> Self {
        Self {
            user_data_128: Span::of(record.user_data_128),
            user_data_64: Span::of(record.user_data_64),
            user_data_32: Span::of(record.user_data_32),
            ledgers: Some(Vec::new()),
            codes: Some(Vec::new()),
        }
    }

    fn widen(&mut self, record: &Transfer) {
        self.user_data_128.widen(record.user_data_128);
        self.user_data_64.widen(record.user_data_64);
        self.user_data_32.widen(record.user_data_32);
        list(&mut self.ledgers, record.ledger.get());
        list(&mut self.codes, u32::from(record.code.get()));
    }

    fn encode(&self, out: &mut Vec<u8>) {
        let spans = [
            self.user_data_128.min,
            self.user_data_128.max,
            u128::from(self.user_data_64.min),
            u128::from(self.user_data_64.max),
            u128::from(self.user_data_32.min),
            u128::from(self.user_data_32.max),
        ];
        for value in spans {
            put_varint(value, out);
        }
        for listed in [&self.ledgers, &self.codes] {
            // Zero stands for "too many to list": a zone with a transfer lists at least one.
            let values = listed.as_deref().unwrap_or_default();
            out.push(u8::try_from(values.len()).expect("sixteen at most are listed"));
            for value in values {
                put_varint(u128::from(*value), out);
            }
        }
    }

    fn decode(cursor: &mut Cursor<'_>) -> Result<Self, Malformed> {
        let user_data_128 = Span { min: cursor.wide_varint()?, max: cursor.wide_varint()? };
        let user_data_64 = Span { min: cursor.varint()?, max: cursor.varint()? };
        let user_data_32 = Span { min: word(cursor)?, max: word(cursor)? };
        let mut lists = [None, None];
        for listed in &mut lists {
            let count = cursor.count(LISTED_MAX)?;
            if count > 0 {
                *listed = Some((0..count).map(|_| word(cursor)).collect::<Result<Vec<u32>, Malformed>>()?);
            }
        }
        let [ledgers, codes] = lists;
        Ok(Self { user_data_128, user_data_64, user_data_32, ledgers, codes })
    }
}

fn word(cursor: &mut Cursor<'_>) -> Result<u32, Malformed> {
    let malformed = cursor.malformed();
    u32::try_from(cursor.varint()?).map_err(|_| malformed)
}
