//! What all flag words share: sets of named bits in a `u16`.

/// Gives a flag word its set operations. `$known` is the count of bits, from bit 0, that a client may set.
macro_rules! impl_flags {
    ($name:ident, $known:literal) => {
        impl $name {
            /// The bits that a client may set.
            pub const KNOWN: Self = Self((1 << $known) - 1);

            /// The flags as the integer of the wire.
            pub const fn bits(self) -> u16 {
                self.0
            }
            /// The integer of the wire as flags, unknown bits included.
            pub const fn from_bits(bits: u16) -> Self {
                Self(bits)
            }
            /// Whether every flag of `other` is set.
            pub const fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }
            /// Whether any flag of `other` is set.
            pub const fn intersects(self, other: Self) -> bool {
                self.0 & other.0 != 0
            }
            /// These flags and those of `other`.
            #[must_use]
            pub const fn with(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }
            /// These flags without those of `other`.
            #[must_use]
            pub const fn without(self, other: Self) -> Self {
                Self(self.0 & !other.0)
            }
            /// Whether a bit is set that no client may set.
            pub const fn has_unknown(self) -> bool {
                self.0 & !Self::KNOWN.0 != 0
            }
        }
    };
}
