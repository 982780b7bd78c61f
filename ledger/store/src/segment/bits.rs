//! Integers at rest: packed to a fixed width, or as varints, and the cursor that reads them back.
//!
//! **Invariants.** Reading never panics and never reads outside its piece, whatever the bytes. A buffer that packed
//! values are read from ends in [`SLACK`] bytes that are no part of the piece, so that one unaligned load of sixteen
//! bytes serves any value of up to 64 bits.

/// Zero bytes behind every piece in memory (not on disk).
pub(crate) const SLACK: usize = 16;

/// What reading found to be impossible, and where in the piece.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Malformed {
    /// Bytes from the beginning of the piece.
    pub(crate) at: usize,
}

/// A count or position as an index.
#[inline]
pub(crate) fn wide(value: u32) -> usize {
    usize::try_from(value).expect("an index of 32 bits fits this machine's addresses")
}

/// An index as the 32 bits that the formats keep.
#[inline]
pub(crate) fn narrow(value: usize) -> u32 {
    u32::try_from(value).expect("a segment holds fewer than 2^32 of anything")
}

/// The lower half.
#[inline]
pub(crate) fn low_half(value: u128) -> u64 {
    u64::try_from(value & u128::from(u64::MAX)).unwrap_or(0)
}

/// The upper half.
#[inline]
pub(crate) fn high_half(value: u128) -> u64 {
    u64::try_from(value >> 64).unwrap_or(0)
}

/// Both halves together.
#[inline]
pub(crate) fn from_halves(low: u64, high: u64) -> u128 {
    (u128::from(high) << 64) | u128::from(low)
}

/// The lowest `width` bits set; `width` is at most 64.
#[inline]
pub(crate) fn mask(width: u32) -> u64 {
    u64::MAX.checked_shr(64 - width.min(64)).unwrap_or(0)
}

/// How many bits a value needs.
#[inline]
pub(crate) fn bits_of(value: u64) -> u32 {
    64 - value.leading_zeros()
}

/// How many bytes `count` values of `width` bits need.
#[inline]
pub(crate) fn packed_bytes(count: usize, width: u32) -> usize {
    (count * wide(width)).div_ceil(8)
}

/// Appends the lowest `width` bits of each value, lowest first, without gaps.
pub(crate) fn pack(values: impl Iterator<Item = u64>, width: u32, out: &mut Vec<u8>) {
    let keep = mask(width);
    let mut held: u128 = 0;
    let mut bits = 0;
    for value in values {
        held |= u128::from(value & keep) << bits;
        bits += width;
        if bits >= 64 {
            out.extend_from_slice(&low_half(held).to_le_bytes());
            held >>= 64;
            bits -= 64;
        }
    }
    let rest = low_half(held).to_le_bytes();
    out.extend_from_slice(&rest[..wide(bits.div_ceil(8))]);
}

/// Value `index` of those packed from `start` on.
#[inline]
pub(crate) fn unpack(bytes: &[u8], start: usize, width: u32, index: usize) -> u64 {
    let bit = index * wide(width);
    let at = start + bit / 8;
    let shift = narrow(bit % 8);
    let Some(rest) = bytes.get(at..) else { return 0 };
    if width <= 56 {
        let Some(window) = rest.first_chunk::<8>() else { return 0 };
        (u64::from_le_bytes(*window) >> shift) & mask(width)
    } else {
        let Some(window) = rest.first_chunk::<16>() else { return 0 };
        low_half(u128::from_le_bytes(*window) >> shift) & mask(width)
    }
}

/// Appends a number seven bits at a time, lowest first.
pub(crate) fn put_varint(mut value: u128, out: &mut Vec<u8>) {
    loop {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        if value == 0 {
            out.push(low & 0x7f);
            return;
        }
        out.push(low | 0x80);
    }
}

/// A small signed number (two's complement in a `u64`) as a small unsigned one.
pub(crate) fn zigzag(value: u64) -> u64 {
    let sign = if value >> 63 == 1 { u64::MAX } else { 0 };
    (value << 1) ^ sign
}

/// The reverse of [`zigzag`].
pub(crate) fn unzigzag(value: u64) -> u64 {
    let sign = if value & 1 == 1 { u64::MAX } else { 0 };
    (value >> 1) ^ sign
}

/// Reads a piece from its beginning to its end.
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    end: usize,
}

impl<'a> Cursor<'a> {
    /// Over the first `end` bytes; what follows is [`SLACK`].
    pub(crate) fn new(bytes: &'a [u8], end: usize) -> Self {
        Self { bytes, at: 0, end: end.min(bytes.len()) }
    }

    /// Where it stands.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// Whether nothing follows.
    pub(crate) fn is_at_end(&self) -> bool {
        self.at == self.end
    }

    /// That what stands here cannot be.
    pub(crate) fn malformed(&self) -> Malformed {
        Malformed { at: self.at }
    }

    /// The next byte.
    pub(crate) fn byte(&mut self) -> Result<u8, Malformed> {
        let start = self.skip(1)?;
        self.bytes.get(start).copied().ok_or(Malformed { at: start })
    }

    /// Steps over `length` bytes; answers where they begin.
    pub(crate) fn skip(&mut self, length: usize) -> Result<usize, Malformed> {
        let start = self.at;
        let end = start.checked_add(length).filter(|end| *end <= self.end);
        self.at = end.ok_or(Malformed { at: start })?;
        Ok(start)
    }

    /// The next four bytes as a number.
    pub(crate) fn word(&mut self) -> Result<u32, Malformed> {
        let start = self.skip(4)?;
        let window = self.bytes.get(start..).and_then(<[u8]>::first_chunk::<4>);
        window.map(|bytes| u32::from_le_bytes(*bytes)).ok_or(Malformed { at: start })
    }

    /// The next varint.
    pub(crate) fn wide_varint(&mut self) -> Result<u128, Malformed> {
        let begin = self.at;
        let mut value: u128 = 0;
        let mut shift = 0;
        loop {
            let byte = self.byte()?;
            let part = u128::from(byte & 0x7f);
            if shift > 126 || (shift == 126 && part > 3) {
                return Err(Malformed { at: begin });
            }
            value |= part << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
            shift += 7;
        }
    }

    /// The next varint, which must fit 64 bits.
    pub(crate) fn varint(&mut self) -> Result<u64, Malformed> {
        let begin = self.at;
        u64::try_from(self.wide_varint()?).map_err(|_| Malformed { at: begin })
    }

    /// The next varint, which must be at most `max`.
    pub(crate) fn count(&mut self, max: usize) -> Result<usize, Malformed> {
        let begin = self.at;
        let value = usize::try_from(self.varint()?).ok().filter(|value| *value <= max);
        value.ok_or(Malformed { at: begin })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn packed_values_come_back(values in prop::collection::vec(any::<u64>(), 1..300), width in 0u32..=64) {
            let mut bytes = Vec::new();
            pack(values.iter().copied(), width, &mut bytes);
            prop_assert_eq!(bytes.len(), packed_bytes(values.len(), width));
            bytes.extend_from_slice(&[0xff; SLACK]);
            for (index, value) in values.iter().enumerate() {
                prop_assert_eq!(unpack(&bytes, 0, width, index), value & mask(width));
            }
        }

        #[test]
        fn varints_come_back(value: u128, signed: i64) {
            let mut bytes = Vec::new();
            put_varint(value, &mut bytes);
            let mut cursor = Cursor::new(&bytes, bytes.len());
            prop_assert_eq!(cursor.wide_varint(), Ok(value));
            prop_assert_eq!(cursor.at(), bytes.len());
            prop_assert_eq!(unzigzag(zigzag(signed.cast_unsigned())), signed.cast_unsigned());
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let mut cursor = Cursor::new(&bytes, bytes.len());
            while cursor.wide_varint().is_ok() {}
            prop_assert!(cursor.at() <= bytes.len());
        }
    }
}
