//! Figures and names as files write them: amounts into minor units, account names into ids.

use crate::reason::{ItemFault, Reason};
use fen_terms::Currency;
use std::fmt::Write as _;
use uuid::Uuid;

/// No amount has more digits (ISO 20022 allows 18); so the sum of as many items as a file can have fits.
const DIGITS_MAX: usize = 18;

/// IBANs become ids under this namespace, the same in every file and bank.
const IBAN_NAMESPACE: Uuid = Uuid::from_u128(0x6e3f_9a52_1f0b_5c4e_9d27_41b0_c8e5_7a13);

/// A plain decimal, as an integer with so many decimals. More decimals than that are taken only if they are zeros.
///
/// # Errors
/// In words.
pub fn decimal(text: &str, decimals: u8) -> Result<u128, &'static str> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if whole.len() + part.len() > DIGITS_MAX + usize::from(decimals) || whole.is_empty() {
        return Err("is no amount");
    }
    let kept = part.len().min(usize::from(decimals));
    let (part, spare) = part.split_at_checked(kept).ok_or("is no amount")?;
    let mut value = 0_u128;
    for byte in whole.bytes().chain(part.bytes()) {
        if !byte.is_ascii_digit() {
            return Err("is no amount");
        }
        value = value * 10 + u128::from(byte - b'0');
    }
    if spare.bytes().any(|byte| byte != b'0') {
        return Err("has more decimals than its currency; nothing is rounded");
    }
    let missing = usize::from(decimals) - kept;
    Ok(value * 10_u128.pow(u32::try_from(missing).unwrap_or(0)))
}

/// An amount of a currency in minor units.
///
/// # Errors
/// AM01 for zero, AM12 for what is no amount.
pub(crate) fn amount(text: &str, currency: Currency) -> Result<u128, ItemFault> {
    let minor = decimal(text, currency.decimals()).map_err(|what| {
        ItemFault::new(Reason::AmountInvalid, format!("the amount '{}' {what}", shown(text)))
    })?;
    if minor == 0 {
        return Err(ItemFault::new(Reason::AmountZero, "the amount is zero"));
    }
    Ok(minor)
}

/// An integer with so many decimals as a decimal.
pub fn print(value: u128, decimals: u8) -> String {
    let decimals = usize::from(decimals);
    let digits = format!("{value:0>width$}", width = decimals + 1);
    let (whole, part) = digits.split_at(digits.len() - decimals);
    if part.is_empty() { whole.to_owned() } else { format!("{whole}.{part}") }
}

/// Minor units of a ledger's currency in major units; the bare number where the ledger is no currency.
pub fn money(minor: u128, ledger: u32) -> String {
    print(minor, Currency::from_number(ledger).map_or(0, Currency::decimals))
}

/// The letters of a ledger's currency; `XXX` (no currency) for an asset of the bank's own.
pub fn currency_code(ledger: u32) -> &'static str {
    Currency::from_number(ledger).map_or("XXX", Currency::code)
}

/// A currency by its letters.
///
/// # Errors
/// AM03.
pub(crate) fn currency(code: &str) -> Result<Currency, ItemFault> {
    Currency::from_code(code).ok_or_else(|| {
        ItemFault::new(Reason::CurrencyNotAllowed, format!("'{}' is no currency of ISO 4217", shown(code)))
    })
}

/// An id: decimal digits, `0x` and hexadecimal digits, or a UUID.
pub fn id(text: &str) -> Option<u128> {
    if let Some(hex) = text.strip_prefix("0x") {
        return u128::from_str_radix(hex, 16).ok().filter(|_| !hex.starts_with('+'));
    }
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok();
    }
    if text.len() == 36 { Uuid::parse_str(text).ok().map(|id| id.as_u128()) } else { None }
}

/// The id of the account that an IBAN names; the same wherever Fen runs, so accounts can be opened by it.
///
/// # Errors
/// AC01, where it is no IBAN.
pub fn iban_account(text: &str) -> Result<u128, ItemFault> {
    let wrong =
        |what: &str| Err(ItemFault::new(Reason::AccountIncorrect, format!("'{}' {what}", shown(text))));
    if text.len() < 15
        || text.len() > 34
        || !text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    {
        return wrong("is no IBAN");
    }
    let rearranged = text.bytes().skip(4).chain(text.bytes().take(4));
    let remainder = rearranged.fold(0_u32, |rest, byte| {
        if byte.is_ascii_digit() {
            (rest * 10 + u32::from(byte - b'0')) % 97
        } else {
            (rest * 100 + u32::from(byte - b'A') + 10) % 97
        }
    });
    if remainder != 1 {
        return wrong("is no IBAN: its check digits are wrong");
    }
    Ok(Uuid::new_v5(&IBAN_NAMESPACE, text.as_bytes()).as_u128())
}

/// An id as files and reports show it: short ones in decimal, UUIDs and the like as 32 hexadecimal digits, so that both
/// fit the 34 characters that ISO 20022 gives an account.
pub fn print_id(id: u128) -> String {
    if id < 1_000_000_000_000_000_000 { id.to_string() } else { format!("0x{id:032x}") }
}

/// What a client wrote, short enough for a sentence.
pub(crate) fn shown(text: &str) -> String {
    let mut out = String::new();
    for (count, character) in text.chars().enumerate() {
        if count == 40 {
            out.push_str("...");
            break;
        }
        if character.is_control() {
            write!(out, "{}", character.escape_default()).expect("writing to a string cannot fail");
        } else {
            out.push(character);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn amounts_are_exact_or_refused() {
        let yuan = Currency::from_code("CNY").unwrap();
        assert_eq!(amount("12", yuan), Ok(1200));
        assert_eq!(amount("12.3", yuan), Ok(1230));
        assert_eq!(amount("12.3400", yuan), Ok(1234));
        for text in
            ["", ".5", "-1", "1e3", "1,5", "1.234", "0", "0.00", "99999999999999999999999", "1.2.3", "１"]
        {
            assert!(amount(text, yuan).is_err(), "{text}");
        }
        assert_eq!(amount("500", Currency::from_code("JPY").unwrap()), Ok(500));
    }

    #[test]
    fn ibans_are_checked_by_their_digits() {
        assert!(iban_account("DE89370400440532013000").is_ok());
        assert!(iban_account("DE89370400440532013001").is_err());
        assert!(iban_account("de89370400440532013000").is_err());
        assert!(iban_account("DE89").is_err());
    }

    #[test]
    fn ids_are_read_as_they_are_printed() {
        for value in [0, 1, 999_999_999_999_999_999, 1_000_000_000_000_000_000, u128::MAX] {
            let text = print_id(value);
            assert!(text.len() <= 34);
            assert_eq!(id(&text), Some(value));
        }
        assert_eq!(id("0x+1"), None);
        assert_eq!(id("12a"), None);
        assert_eq!(id("6e3f9a52-1f0b-5c4e-9d27-41b0c8e57a13"), Some(IBAN_NAMESPACE.as_u128()));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,60}", decimals in 0_u8..6) {
            let _either = decimal(&text, decimals);
            let _either = id(&text);
            let _either = iban_account(&text);
        }

        #[test]
        fn what_is_printed_is_read(minor in 1_u128..1_000_000_000_000_000_000, decimals in 0_u8..5) {
            prop_assert_eq!(decimal(&print(minor, decimals), decimals), Ok(minor));
        }
    }
}
