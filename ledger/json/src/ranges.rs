//! Ranges in writing, as searches are asked for on the command line and over REST: `LOW..HIGH` with both ends, `LOW..`,
//! `..HIGH`, or one value.

use crate::{Json, Path, id};
use fen_ledger::search::Bounds;

/// What a whole number may be at most.
pub trait Highest {
    /// The largest.
    const HIGHEST: Self;
}

macro_rules! highest {
    ($($kind:ty),*) => {
        $(impl Highest for $kind {
            const HIGHEST: Self = Self::MAX;
        })*
    };
}
highest!(u16, u32, u64, u128);

fn range<T: PartialOrd + Copy>(
    text: &str,
    lowest: T,
    highest: T,
    one: impl Fn(&str) -> Result<T, String>,
) -> Result<Bounds<T>, String> {
    let Some((low, high)) = text.split_once("..") else { return one(text).map(Bounds::only) };
    let low = if low.is_empty() { lowest } else { one(low)? };
    let high = if high.is_empty() { highest } else { one(high)? };
    if high < low {
        return Err(format!("{text}: it ends before it begins; write the lower end first"));
    }
    Ok((low..=high).into())
}

/// A range of ids: decimal, `0x` hexadecimal or UUIDs.
///
/// # Errors
/// What is wrong with it.
pub fn ids(text: &str) -> Result<Bounds<u128>, String> {
    let one = |text: &str| id(&Json::Text(text.into()), &Path::Line).map_err(|wrong| wrong.reason);
    range(text, 0, u128::MAX, one)
}

/// A range of whole numbers.
///
/// # Errors
/// What is wrong with it.
pub fn whole<T>(text: &str) -> Result<Bounds<T>, String>
where
    T: std::str::FromStr + Highest + Default + PartialOrd + Copy,
{
    range(text, T::default(), T::HIGHEST, |number| {
        number.parse().map_err(|_| format!("{number:?} is no whole number that this field can have"))
    })
}

/// The flags of these names, joined.
///
/// # Errors
/// The name that is none, with those that are.
pub fn flags<'a, T: Copy>(
    names: impl IntoIterator<Item = &'a str>,
    known: &[(&'static str, T)],
    none: T,
    with: impl Fn(T, T) -> T,
) -> Result<T, String> {
    names.into_iter().try_fold(none, |all, name| {
        let flag = known.iter().find(|(known, _)| *known == name).map(|(_, flag)| *flag);
        flag.map(|flag| with(all, flag)).ok_or_else(|| {
            let known: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
            format!("there is no flag {name:?}; known are {}", known.join(", "))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_have_both_ends() {
        assert_eq!(whole::<u16>("7").unwrap().ends(), Some((7, 7)));
        assert_eq!(whole::<u16>("7..").unwrap().ends(), Some((7, u16::MAX)));
        assert_eq!(whole::<u16>("..7").unwrap().ends(), Some((0, 7)));
        assert_eq!(ids("0x10..").unwrap().ends(), Some((16, u128::MAX)));
        for text in ["9..7", "x", "70000", "-1"] {
            assert!(whole::<u16>(text).is_err(), "{text}");
        }
    }
}
