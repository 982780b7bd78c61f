//! Reading known fields out of an object, each mistake named by its path: `events[3].flags[0]`.

use super::Json;
use std::fmt;

/// The most fields in one object; far above any record, it keeps the search for repeats cheap.
const FIELDS_MAX: usize = 96;

/// Where a value stands: a chain of steps on the stack, written out only when something is wrong there.
#[derive(Clone, Copy, Debug)]
pub enum Path<'p> {
    /// The whole line.
    Line,
    /// A field of the object before.
    Field(&'p Path<'p>, &'p str),
    /// An element of the list before.
    Element(&'p Path<'p>, usize),
}

impl<'p> Path<'p> {
    /// One step down, into a field.
    pub fn field(&'p self, name: &'p str) -> Path<'p> {
        Path::Field(self, name)
    }

    /// One step down, into a list.
    pub fn element(&'p self, index: usize) -> Path<'p> {
        Path::Element(self, index)
    }

    /// Something is wrong here.
    pub fn wrong(&self, reason: impl Into<String>) -> Wrong {
        Wrong { field: self.to_string(), reason: reason.into() }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::Line => Ok(()),
            Path::Field(Path::Line, name) => f.write_str(name),
            Path::Field(parent, name) => write!(f, "{parent}.{name}"),
            Path::Element(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

/// What is wrong, and with which field.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wrong {
    /// A path; empty for the line as a whole.
    pub field: String,
    /// In words, with the mend where there is one.
    pub reason: String,
}

/// The fields of an object, none of them twice.
pub fn object<'j, 'a>(
    json: &'j Json<'a>,
    path: &Path,
) -> Result<&'j [(std::borrow::Cow<'a, str>, Json<'a>)], Wrong> {
    let Json::Object(fields) = json else {
        return Err(path.wrong(format!("must be an object, not {}", json.kind())));
    };
    if fields.len() > FIELDS_MAX {
        return Err(path.wrong(format!("{} fields; at most {FIELDS_MAX} are read", fields.len())));
    }
    for (index, (name, _)) in fields.iter().enumerate() {
        if fields[..index].iter().any(|(earlier, _)| earlier == name) {
            return Err(path.field(name).wrong("is given twice"));
        }
    }
    Ok(fields)
}

/// The elements of a list.
pub fn list<'j, 'a>(json: &'j Json<'a>, path: &Path) -> Result<&'j [Json<'a>], Wrong> {
    match json {
        Json::List(values) => Ok(values),
        Json::Null | Json::Boolean(_) | Json::Number(_) | Json::Text(_) | Json::Object(_) => {
            Err(path.wrong(format!("must be a list, not {}", json.kind())))
        }
    }
}

/// A string.
pub fn text<'j>(json: &'j Json<'_>, path: &Path) -> Result<&'j str, Wrong> {
    match json {
        Json::Text(text) => Ok(text),
        Json::Null | Json::Boolean(_) | Json::Number(_) | Json::List(_) | Json::Object(_) => {
            Err(path.wrong(format!("must be a string, not {}", json.kind())))
        }
    }
}

/// `true` or `false`.
pub fn boolean(json: &Json, path: &Path) -> Result<bool, Wrong> {
    match json {
        Json::Boolean(value) => Ok(*value),
        Json::Null | Json::Number(_) | Json::Text(_) | Json::List(_) | Json::Object(_) => {
            Err(path.wrong(format!("must be true or false, not {}", json.kind())))
        }
    }
}

/// A whole number from 0 to the type's largest, as a JSON number or as a string of decimal digits.
pub fn integer<T: TryFrom<u128> + Whole>(json: &Json, path: &Path) -> Result<T, Wrong> {
    let value = decimal(digits(json, path)?, path, T::MOST)?;
    T::try_from(value).map_err(|_| path.wrong(format!("is beyond the largest, {}", T::MOST)))
}

/// An amount in minor units: a whole number, or `"max"` for 2^128 - 1.
pub fn money(json: &Json, path: &Path) -> Result<u128, Wrong> {
    match json {
        Json::Text(text) if text == "max" => Ok(u128::MAX),
        Json::Null | Json::Boolean(_) | Json::Number(_) | Json::Text(_) | Json::List(_) | Json::Object(_) => {
            integer::<u128>(json, path)
        }
    }
}

/// An id: a whole number, or a string in hexadecimal (`0x...`) or in the form of a UUID.
pub fn id(json: &Json, path: &Path) -> Result<u128, Wrong> {
    let digits = digits(json, path)?;
    if let Some(hex) = digits.strip_prefix("0x") {
        return hexadecimal(hex)
            .ok_or_else(|| path.wrong("0x must be followed by 1 to 32 hexadecimal digits"));
    }
    if let Some(hex) = uuid_digits(digits) {
        return hexadecimal(&hex).ok_or_else(|| path.wrong("is no UUID"));
    }
    decimal(digits, path, u128::MAX)
}

/// The types that an integer field may have, with their largest value.
pub trait Whole {
    /// The largest value.
    const MOST: u128;
}

impl Whole for u16 {
    const MOST: u128 = 0xffff;
}
impl Whole for u32 {
    const MOST: u128 = 0xffff_ffff;
}
impl Whole for u64 {
    const MOST: u128 = 0xffff_ffff_ffff_ffff;
}
impl Whole for u128 {
    const MOST: u128 = u128::MAX;
}

/// The text of a number, or of a string that must hold one.
fn digits<'j>(json: &'j Json<'_>, path: &Path) -> Result<&'j str, Wrong> {
    match json {
        Json::Number(digits) => Ok(digits),
        Json::Text(text) => Ok(text),
        Json::Null | Json::Boolean(_) | Json::List(_) | Json::Object(_) => {
            Err(path.wrong(format!("must be a whole number, not {}", json.kind())))
        }
    }
}

fn decimal(digits: &str, path: &Path, most: u128) -> Result<u128, Wrong> {
    if digits.is_empty() {
        return Err(path.wrong("must be a whole number, not an empty string"));
    }
    if let Some(rest) = digits.strip_prefix('-')
        && rest.bytes().all(|byte| byte.is_ascii_digit())
    {
        return Err(path.wrong("must not be negative"));
    }
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(
            path.wrong(format!("must be a whole number in decimal digits, not {}", shortened(digits)))
        );
    }
    match digits.parse::<u128>() {
        Ok(value) if value <= most => Ok(value),
        Ok(_) | Err(_) => Err(path.wrong(format!("is beyond the largest, {most}"))),
    }
}

fn hexadecimal(digits: &str) -> Option<u128> {
    let fits = (1..=32).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if fits { u128::from_str_radix(digits, 16).ok() } else { None }
}

/// The 32 digits of `8-4-4-4-12`, or `None` where the text has another shape.
fn uuid_digits(text: &str) -> Option<String> {
    let dashed = text.len() == 36
        && text.bytes().enumerate().all(|(index, byte)| (byte == b'-') == matches!(index, 8 | 13 | 18 | 23));
    dashed.then(|| text.replace('-', ""))
}

/// A text that a client sent, fit to stand in a message.
fn shortened(text: &str) -> String {
    const SHOWN_MAX: usize = 48;
    match text.char_indices().nth(SHOWN_MAX) {
        None => format!("'{text}'"),
        Some((cut, _)) => format!("'{}...'", &text[..cut]),
    }
}

/// The value of a field that must be there.
pub fn required<T>(value: Option<T>, path: &Path, name: &str) -> Result<T, Wrong> {
    value.ok_or_else(|| path.field(name).wrong("is missing"))
}

/// A field that is not one of `known`.
pub fn unknown_field(path: &Path, known: &[&str]) -> Wrong {
    path.wrong(format!("is no field here; known are {}", known.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;

    fn read<T>(text: &str, read: impl Fn(&Json, &Path) -> Result<T, Wrong>) -> Result<T, String> {
        read(&parse(text).unwrap(), &Path::Line.field("x")).map_err(|wrong| wrong.reason)
    }

    #[test]
    fn integers_come_as_numbers_or_strings() {
        assert_eq!(read("7", integer::<u16>), Ok(7));
        assert_eq!(read("\"65535\"", integer::<u16>), Ok(65_535));
        assert_eq!(read("\"007\"", integer::<u32>), Ok(7));
        assert_eq!(read("65536", integer::<u16>), Err("is beyond the largest, 65535".into()));
        assert_eq!(read("18446744073709551615", integer::<u64>), Ok(u64::MAX));
        assert_eq!(read("340282366920938463463374607431768211455", integer::<u128>), Ok(u128::MAX));
        assert!(read("340282366920938463463374607431768211456", integer::<u128>).is_err());
        assert_eq!(read("-1", integer::<u64>), Err("must not be negative".into()));
        for wrong in
            ["1.0", "1e3", "\"\"", "\"1 \"", "\"+1\"", "\"max\"", "\"0x1\"", "null", "true", "[]", "{}"]
        {
            assert!(read(wrong, integer::<u64>).is_err(), "{wrong}");
        }
    }

    #[test]
    fn ids_have_three_forms() {
        assert_eq!(read("\"255\"", id), Ok(255));
        assert_eq!(read("255", id), Ok(255));
        assert_eq!(read("\"0xFf\"", id), Ok(255));
        assert_eq!(read("\"00000000-0000-0001-0000-0000000000ff\"", id), Ok((1 << 64) + 255));
        assert_eq!(read("\"0xffffffffffffffffffffffffffffffff\"", id), Ok(u128::MAX));
        for wrong in [
            "\"0x\"",
            "\"0x1ffffffffffffffffffffffffffffffff\"",
            "\"ff\"",
            "\"max\"",
            "\"0x-1\"",
            "\"0000000-00000-0001-0000-0000000000ff\"",
            "\"00000000-0000-0001-0000-0000000000fg\"",
        ] {
            assert!(read(wrong, id).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_amounts_know_max() {
        assert_eq!(read("\"max\"", money), Ok(u128::MAX));
        assert_eq!(read("\"1\"", money), Ok(1));
        assert!(read("\"MAX\"", money).is_err());
        assert!(read("\"0x10\"", money).is_err());
    }

    #[test]
    fn paths_read_like_code() {
        let events = Path::Line.field("events");
        let event = events.element(3);
        let flags = event.field("flags");
        assert_eq!(flags.element(0).to_string(), "events[3].flags[0]");
        assert_eq!(Path::Line.to_string(), "");
    }

    #[test]
    fn a_field_given_twice_is_refused() {
        let json = parse("{\"id\":1,\"code\":2,\"id\":1}").unwrap();
        let wrong = object(&json, &Path::Line).unwrap_err();
        assert_eq!((wrong.field.as_str(), wrong.reason.as_str()), ("id", "is given twice"));
    }
}
