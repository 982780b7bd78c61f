//! One column of up to 256 integers: the smallest of three forms, each read at any index without the others.
//!
//! - *constant*: one value.
//! - *linear*: `base + slope * index + residual`, the residuals packed to one width; the few that do not fit it stand
//!   apart with their index. Rising ids and stamps have residuals of no width at all.
//! - *dictionary*: up to [`DICTIONARY_MAX`] distinct values, and packed indexes into them.
//!
//! All arithmetic wraps at 64 bits, so any values have a linear form. The choice depends on the values only.

use super::bits::{
    Cursor, Malformed, bits_of, mask, narrow, pack, packed_bytes, put_varint, unpack, unzigzag, wide, zigzag,
};

/// The most values in a column.
pub(crate) const COLUMN_MAX: usize = 256;
/// The most distinct values of a dictionary.
const DICTIONARY_MAX: usize = 16;
/// The most residuals that may stand apart.
const EXCEPTIONS_MAX: usize = 255;
/// A residual that stands apart takes its index and eight bytes.
const EXCEPTION_BYTES: usize = 9;

const CONSTANT: u8 = 0;
const LINEAR: u8 = 1;
const DICTIONARY: u8 = 2;

/// Where a column's parts lie in its piece. It borrows nothing, so it can be kept beside the buffer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Column {
    /// See the module's words.
    Constant(u64),
    /// See the module's words.
    Linear(Linear),
    /// See the module's words.
    Dictionary(Dictionary),
}

/// See [`Column::Linear`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Linear {
    base: u64,
    slope: u64,
    width: u32,
    packed: usize,
    exceptions: usize,
    exception_indexes: usize,
    exception_values: usize,
}

/// A bit for each index.
pub(crate) type Marks = [u64; COLUMN_MAX / 64];

/// Packed values of one width.
struct Packed {
    start: usize,
    width: u32,
    count: usize,
}

/// Sets the bit of each index whose packed value is `wanted`: as many at once as one load of eight bytes holds,
/// compared side by side. Nearly always none of them is it, and nothing else is done.
fn mark_packed(bytes: &[u8], packed: &Packed, wanted: u64, rows: &mut Marks) {
    let count = packed.count.min(COLUMN_MAX);
    if !(1..=28).contains(&packed.width) {
        for index in 0..count {
            let holds = unpack(bytes, packed.start, packed.width, index) == wanted;
            rows[index / 64] |= u64::from(holds) << (index % 64);
        }
        return;
    }
    // A load begins up to seven bits before its first value.
    let width = wide(packed.width);
    let at_once = 57 / width;
    let ones = (0..at_once).fold(0u64, |ones, place| ones | 1 << (place * width));
    let (keep, low) = (ones * mask(packed.width), ones * mask(packed.width - 1));
    let sought = ones * wanted;
    for first in (0..count).step_by(at_once) {
        let bit = first * width;
        let window = bytes.get(packed.start + bit / 8..).and_then(<[u8]>::first_chunk::<8>);
        let Some(window) = window else { return };
        let differs = ((u64::from_le_bytes(*window) >> (bit % 8)) ^ sought) & keep;
        // The highest bit of a value's place is left set where no bit of it differs.
        let mut equal = keep & !low & !(((differs & low) + low) | differs);
        while equal != 0 {
            let index = first + wide(equal.trailing_zeros()) / width;
            if index < count {
                rows[index / 64] |= 1 << (index % 64);
            }
            equal &= equal - 1;
        }
    }
}

/// See [`Column::Dictionary`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Dictionary {
    values: usize,
    count: usize,
    width: u32,
    packed: usize,
}

#[inline]
fn eight(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(<[u8]>::first_chunk::<8>).map_or(0, |value| u64::from_le_bytes(*value))
}

#[inline]
fn index_u64(index: usize) -> u64 {
    u64::from(narrow(index))
}

impl Linear {
    #[inline]
    fn get(&self, bytes: &[u8], index: usize) -> u64 {
        if self.exceptions > 0 {
            let indexes = bytes.get(self.exception_indexes..).unwrap_or_default();
            let found = indexes.iter().take(self.exceptions).position(|at| usize::from(*at) == index);
            if let Some(found) = found {
                return eight(bytes, self.exception_values + 8 * found);
            }
        }
        self.line(index).wrapping_add(unpack(bytes, self.packed, self.width, index))
    }

    #[inline]
    fn line(&self, index: usize) -> u64 {
        self.base.wrapping_add(self.slope.wrapping_mul(index_u64(index)))
    }

    /// As [`Column::mark`], where the line is level.
    fn mark(&self, bytes: &[u8], count: usize, wanted: u64, rows: &mut Marks) {
        let residual = wanted.wrapping_sub(self.base);
        if residual <= mask(self.width) {
            mark_packed(bytes, &Packed { start: self.packed, width: self.width, count }, residual, rows);
        }
        for exception in 0..self.exceptions {
            let Some(index) = bytes.get(self.exception_indexes + exception).copied().map(usize::from) else {
                return;
            };
            if index < count {
                let holds = eight(bytes, self.exception_values + 8 * exception) == wanted;
                rows[index / 64] &= !(1 << (index % 64));
                rows[index / 64] |= u64::from(holds) << (index % 64);
            }
        }
    }

    fn fill(&self, bytes: &[u8], out: &mut [u64]) {
        for (index, value) in out.iter_mut().enumerate() {
            *value = self.line(index).wrapping_add(unpack(bytes, self.packed, self.width, index));
        }
        for exception in 0..self.exceptions {
            let index =
                bytes.get(self.exception_indexes + exception).map_or(usize::MAX, |at| usize::from(*at));
            if let Some(value) = out.get_mut(index) {
                *value = eight(bytes, self.exception_values + 8 * exception);
            }
        }
    }
}

impl Column {
    /// Reads the column that begins at the cursor and holds `count` values.
    pub(crate) fn parse(cursor: &mut Cursor<'_>, count: usize) -> Result<Self, Malformed> {
        let begin = cursor.malformed();
        match cursor.byte()? {
            CONSTANT => Ok(Self::Constant(cursor.varint()?)),
            LINEAR => {
                let width = Some(u32::from(cursor.byte()?)).filter(|width| *width <= 64).ok_or(begin)?;
                let exceptions = usize::from(cursor.byte()?);
                let base = cursor.varint()?;
                let slope = unzigzag(cursor.varint()?);
                let packed = cursor.skip(packed_bytes(count, width))?;
                let exception_indexes = cursor.skip(exceptions)?;
                let exception_values = cursor.skip(8 * exceptions)?;
                let linear =
                    Linear { base, slope, width, packed, exceptions, exception_indexes, exception_values };
                Ok(Self::Linear(linear))
            }
            DICTIONARY => {
                let distinct = usize::from(cursor.byte()?);
                if !(2..=DICTIONARY_MAX).contains(&distinct) {
                    return Err(begin);
                }
                let width = bits_of(index_u64(distinct - 1));
                let values = cursor.skip(8 * distinct)?;
                let packed = cursor.skip(packed_bytes(count, width))?;
                Ok(Self::Dictionary(Dictionary { values, count: distinct, width, packed }))
            }
            _ => Err(begin),
        }
    }

    /// The value at `index`, which must be below the count given to [`Column::parse`].
    #[inline]
    pub(crate) fn get(&self, bytes: &[u8], index: usize) -> u64 {
        match self {
            Self::Constant(value) => *value,
            Self::Linear(linear) => linear.get(bytes, index),
            Self::Dictionary(dictionary) => {
                let at = unpack(bytes, dictionary.packed, dictionary.width, index);
                let at = usize::try_from(at).unwrap_or(0).min(dictionary.count - 1);
                eight(bytes, dictionary.values + 8 * at)
            }
        }
    }

    /// The first `out.len()` values.
    pub(crate) fn fill(&self, bytes: &[u8], out: &mut [u64]) {
        match self {
            Self::Constant(value) => out.fill(*value),
            Self::Linear(linear) => linear.fill(bytes, out),
            Self::Dictionary(_) => {
                for (index, value) in out.iter_mut().enumerate() {
                    *value = self.get(bytes, index);
                }
            }
        }
    }

    /// Sets in `rows` the bit of each of the first `count` indexes that hold `wanted`.
    pub(crate) fn mark(&self, bytes: &[u8], count: usize, wanted: u64, rows: &mut Marks) {
        match self {
            Self::Linear(linear) if linear.slope == 0 => linear.mark(bytes, count, wanted, rows),
            Self::Dictionary(dictionary) => {
                let place =
                    (0..dictionary.count).find(|place| eight(bytes, dictionary.values + 8 * place) == wanted);
                if let Some(place) = place {
                    let packed = Packed { start: dictionary.packed, width: dictionary.width, count };
                    mark_packed(bytes, &packed, index_u64(place), rows);
                }
            }
            Self::Constant(_) | Self::Linear(_) => {
                let mut values = [0; COLUMN_MAX];
                let values = &mut values[..count.min(COLUMN_MAX)];
                self.fill(bytes, values);
                for (index, value) in values.iter().enumerate() {
                    rows[index / 64] |= u64::from(*value == wanted) << (index % 64);
                }
            }
        }
    }

    /// Whether `value` may be among the values; `false` is certain. Costs no look at the values themselves.
    pub(crate) fn may_hold(&self, bytes: &[u8], value: u64) -> bool {
        match self {
            Self::Constant(constant) => *constant == value,
            Self::Linear(linear) => {
                linear.slope != 0
                    || linear.exceptions > 0
                    || value.wrapping_sub(linear.base) <= mask(linear.width)
            }
            Self::Dictionary(dictionary) => {
                (0..dictionary.count).any(|index| eight(bytes, dictionary.values + 8 * index) == value)
            }
        }
    }
}

/// A linear form that has been worked out but not written.
struct LinearPlan {
    base: u64,
    slope: u64,
    width: u32,
    exceptions: usize,
    bytes: usize,
}

fn residual(values: &[u64], index: usize, base: u64, slope: u64) -> u64 {
    values[index].wrapping_sub(base).wrapping_sub(slope.wrapping_mul(index_u64(index)))
}

/// The lowest value less its line, and how far above it the highest is.
fn spread(values: &[u64], slope: u64) -> (u64, u64) {
    let first = values[0];
    let (mut lowest, mut highest) = (0, 0);
    let mut line = first;
    for value in values {
        let above = value.wrapping_sub(line).cast_signed();
        lowest = above.min(lowest);
        highest = above.max(highest);
        line = line.wrapping_add(slope);
    }
    (first.wrapping_add(lowest.cast_unsigned()), highest.wrapping_sub(lowest).cast_unsigned())
}

/// So many of the first values tell whether a column is noise.
const SAMPLE: usize = 16;
/// A sample that spreads over so many bits may be noise, which no line, width or dictionary makes smaller.
const NOISE_BITS: u32 = 58;

/// Whether values spread over nearly all 64 bits and hardly one comes twice.
fn is_noise(sample: &[u64]) -> bool {
    let is_new = |index: &usize| !sample[..*index].contains(&sample[*index]);
    bits_of(spread(sample, 0).1) >= NOISE_BITS && (0..sample.len()).filter(is_new).count() > SAMPLE * 3 / 4
}

/// The slope that makes the residuals of all values smallest: none, or the mean rise from the first to the last.
fn plan_linear(values: &[u64]) -> LinearPlan {
    if is_noise(&values[..values.len().min(SAMPLE)]) {
        let bytes = packed_bytes(values.len(), 64);
        return LinearPlan { base: 0, slope: 0, width: 64, exceptions: 0, bytes };
    }
    let (base, reach) = spread(values, 0);
    let steps = i64::from(narrow(values.len() - 1));
    let rise = values[values.len() - 1].wrapping_sub(values[0]).cast_signed() / steps;
    let slope = rise.cast_unsigned();
    if slope != 0 {
        let (sloped_base, sloped_reach) = spread(values, slope);
        if bits_of(sloped_reach) < bits_of(reach) {
            return plan_width(values, sloped_base, slope, bits_of(sloped_reach));
        }
    }
    plan_width(values, base, 0, bits_of(reach))
}

/// The width that takes the fewest bytes, counting the residuals that then stand apart.
fn plan_width(values: &[u64], base: u64, slope: u64, widest: u32) -> LinearPlan {
    let full = packed_bytes(values.len(), widest);
    let mut best = LinearPlan { base, slope, width: widest, exceptions: 0, bytes: full };
    if full <= EXCEPTION_BYTES {
        return best;
    }
    // Neighbours count into different tables, for values of one width would wait for each other in one.
    let mut of_width = [[0u32; 65]; 4];
    let mut line = base;
    for (index, value) in values.iter().enumerate() {
        of_width[index % 4][wide(bits_of(value.wrapping_sub(line)))] += 1;
        line = line.wrapping_add(slope);
    }
    let mut exceptions = 0;
    for width in (0..widest).rev() {
        exceptions += of_width.iter().map(|counts| wide(counts[wide(width) + 1])).sum::<usize>();
        if exceptions > EXCEPTIONS_MAX {
            break;
        }
        let bytes = packed_bytes(values.len(), width) + exceptions * EXCEPTION_BYTES;
        if bytes < best.bytes {
            best = LinearPlan { base, slope, width, exceptions, bytes };
        }
    }
    best
}

/// The distinct values in the order of their first place, or `None` where they are too many.
fn distinct(values: &[u64]) -> Option<Vec<u64>> {
    let mut found: Vec<u64> = Vec::with_capacity(DICTIONARY_MAX);
    for value in values {
        if !found.contains(value) {
            if found.len() == DICTIONARY_MAX {
                return None;
            }
            found.push(*value);
        }
    }
    Some(found)
}

/// Appends the smallest form of the values, of which there are 1 to [`COLUMN_MAX`].
pub(crate) fn encode_column(values: &[u64], out: &mut Vec<u8>) {
    assert!((1..=COLUMN_MAX).contains(&values.len()), "a column holds 1 to 256 values");
    let first = values[0];
    if values.iter().all(|value| *value == first) {
        out.push(CONSTANT);
        put_varint(u128::from(first), out);
        return;
    }
    let plan = plan_linear(values);
    // A dictionary takes at least two values and a bit for each index.
    if plan.bytes > 2 * 8 + values.len() / 8
        && let Some(found) = distinct(values)
    {
        let width = bits_of(index_u64(found.len() - 1));
        if 8 * found.len() + packed_bytes(values.len(), width) < plan.bytes {
            write_dictionary(values, &found, width, out);
            return;
        }
    }
    write_linear(values, &plan, out);
}

fn write_linear(values: &[u64], plan: &LinearPlan, out: &mut Vec<u8>) {
    let [width, ..] = plan.width.to_le_bytes();
    let exceptions = u8::try_from(plan.exceptions).expect("the plan keeps to 255 exceptions");
    out.extend_from_slice(&[LINEAR, width, exceptions]);
    put_varint(u128::from(plan.base), out);
    put_varint(u128::from(zigzag(plan.slope)), out);
    let residual_at = |index| residual(values, index, plan.base, plan.slope);
    let apart = |index: &usize| bits_of(residual_at(*index)) > plan.width;
    if plan.width == 64 {
        for value in values {
            out.extend_from_slice(&value.wrapping_sub(plan.base).to_le_bytes());
        }
    } else {
        pack((0..values.len()).map(residual_at), plan.width, out);
    }
    if plan.exceptions > 0 {
        for index in (0..values.len()).filter(apart) {
            out.push(u8::try_from(index).expect("a column has 256 values at most"));
        }
        for index in (0..values.len()).filter(apart) {
            out.extend_from_slice(&values[index].to_le_bytes());
        }
    }
}

fn write_dictionary(values: &[u64], found: &[u64], width: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(&[DICTIONARY, u8::try_from(found.len()).expect("16 values at most")]);
    for value in found {
        out.extend_from_slice(&value.to_le_bytes());
    }
    let place = |value: &u64| found.iter().position(|known| known == value).map_or(0, index_u64);
    pack(values.iter().map(place), width, out);
}

#[cfg(test)]
mod tests {
    use super::super::bits::SLACK;
    use super::*;
    use proptest::prelude::*;

    fn round_trip(values: &[u64]) -> usize {
        let mut bytes = Vec::new();
        encode_column(values, &mut bytes);
        let length = bytes.len();
        bytes.extend_from_slice(&[0; SLACK]);
        let mut cursor = Cursor::new(&bytes, length);
        let column = Column::parse(&mut cursor, values.len()).unwrap();
        assert_eq!(cursor.at(), length, "all that was written is read");
        let mut filled = vec![0; values.len()];
        column.fill(&bytes, &mut filled);
        assert_eq!(filled, values);
        for (index, value) in values.iter().enumerate() {
            assert_eq!(column.get(&bytes, index), *value);
            assert!(column.may_hold(&bytes, *value));
            let mut rows = [0; COLUMN_MAX / 64];
            column.mark(&bytes, values.len(), *value, &mut rows);
            let holds = |index: usize| rows[index / 64] >> (index % 64) & 1 == 1;
            if index % 16 == 0 {
                assert!(values.iter().enumerate().all(|(index, other)| holds(index) == (other == value)));
            }
        }
        length
    }

    #[test]
    fn what_is_regular_is_small() {
        let rising: Vec<u64> = (0..100).map(|index| u64::MAX - 100 + index).collect();
        assert!(round_trip(&[7; 256]) <= 2);
        assert!(round_trip(&rising) <= 16);
        let falling: Vec<u64> = (0..256u64).map(|index| 9_000 - 3 * index).collect();
        assert!(round_trip(&falling) <= 8);
        let one_whale: Vec<u64> =
            (0..256u64).map(|index| if index == 99 { u64::MAX } else { index % 7 }).collect();
        assert!(round_trip(&one_whale) <= 3 + 4 + 256 * 3 / 8 + 9);
        let two_kinds: Vec<u64> =
            (0..256u64).map(|index| if index % 3 == 0 { u64::MAX / 3 } else { 5 }).collect();
        assert!(round_trip(&two_kinds) <= 2 + 16 + 32);
    }

    proptest! {
        #[test]
        fn any_values_come_back(values in prop::collection::vec(any::<u64>(), 1..=256)) {
            round_trip(&values);
        }

        #[test]
        fn clustered_values_come_back(
            base: u64, slope in -3i64..3, spread in 0u32..64,
            noise in prop::collection::vec(any::<u64>(), 1..=256), far in prop::collection::vec(0usize..256, 0..6),
        ) {
            let mut values: Vec<u64> = noise.iter().enumerate().map(|(index, noise)| {
                base.wrapping_add(slope.cast_unsigned().wrapping_mul(index_u64(index))).wrapping_add(noise & mask(spread))
            }).collect();
            for index in far {
                if let Some(value) = values.get_mut(index) {
                    *value = value.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                }
            }
            round_trip(&values);
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..600), count in 1usize..=256) {
            let end = bytes.len().saturating_sub(SLACK);
            if let Ok(column) = Column::parse(&mut Cursor::new(&bytes, end), count) {
                let mut out = vec![0; count];
                column.fill(&bytes, &mut out);
                for (index, value) in out.iter().enumerate() {
                    // Where an index stands apart twice, the two readers may differ; neither may panic.
                    let _ = column.get(&bytes, index) == *value;
                }
            }
        }
    }
}
