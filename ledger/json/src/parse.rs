//! From text to [`Json`], by recursive descent; the first thing that is not JSON ends it, with its column.

use super::{DEPTH_MAX, Json};
use std::borrow::Cow;

/// Why a text is no JSON.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Malformed {
    /// Bytes before the place, plus one.
    pub column: usize,
    /// What was expected or found there.
    pub what: &'static str,
}

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "not JSON at column {}: {}", self.column, self.what)
    }
}

/// Reads exactly one value and nothing after it but white space.
pub fn parse(text: &str) -> Result<Json<'_>, Malformed> {
    let mut cursor = Cursor { text, at: 0 };
    cursor.skip_space();
    let value = cursor.value(0)?;
    cursor.skip_space();
    if cursor.at < text.len() {
        return Err(cursor.malformed("something follows the value"));
    }
    Ok(value)
}

/// A position in the text; `at` is always on a character's boundary.
struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn malformed(&self, what: &'static str) -> Malformed {
        Malformed { column: self.at + 1, what }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// Steps over `byte` if it is next.
    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        if found {
            self.at += 1;
        }
        found
    }

    fn value(&mut self, depth: usize) -> Result<Json<'a>, Malformed> {
        if depth > DEPTH_MAX {
            return Err(self.malformed("nested too deeply"));
        }
        match self.peek() {
            None => Err(self.malformed("the text ends where a value must stand")),
            Some(b'{') => self.object(depth),
            Some(b'[') => self.list(depth),
            Some(b'"') => Ok(Json::Text(self.string()?)),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Json::Boolean(true)),
            Some(b'f') => self.word("false", Json::Boolean(false)),
            Some(b'n') => self.word("null", Json::Null),
            Some(_) => Err(self.malformed("a value must stand here")),
        }
    }

    fn word(&mut self, word: &str, value: Json<'a>) -> Result<Json<'a>, Malformed> {
        if self.text[self.at..].starts_with(word) {
            self.at += word.len();
            Ok(value)
        } else {
            Err(self.malformed("a value must stand here"))
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json<'a>, Malformed> {
        self.at += 1;
        let mut fields = Vec::new();
        self.skip_space();
        if self.take(b'}') {
            return Ok(Json::Object(fields));
        }
        loop {
            self.skip_space();
            if self.peek() != Some(b'"') {
                return Err(self.malformed("a field's name in double quotes must stand here"));
            }
            let name = self.string()?;
            self.skip_space();
            if !self.take(b':') {
                return Err(self.malformed("a colon must follow a field's name"));
            }
            self.skip_space();
            fields.push((name, self.value(depth + 1)?));
            self.skip_space();
            if self.take(b'}') {
                return Ok(Json::Object(fields));
            }
            if !self.take(b',') {
                return Err(self.malformed("a comma or } must follow a field"));
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<Json<'a>, Malformed> {
        self.at += 1;
        let mut values = Vec::new();
        self.skip_space();
        if self.take(b']') {
            return Ok(Json::List(values));
        }
        loop {
            self.skip_space();
            values.push(self.value(depth + 1)?);
            self.skip_space();
            if self.take(b']') {
                return Ok(Json::List(values));
            }
            if !self.take(b',') {
                return Err(self.malformed("a comma or ] must follow a value"));
            }
        }
    }

    /// The shape of a number only; what range it must be in is the field's affair.
    fn number(&mut self) -> Result<Json<'a>, Malformed> {
        let start = self.at;
        self.take(b'-');
        if self.take(b'0') {
            if matches!(self.peek(), Some(b'0'..=b'9')) {
                return Err(self.malformed("a number must not begin with 0"));
            }
        } else {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            if !self.take(b'+') {
                self.take(b'-');
            }
            self.digits()?;
        }
        Ok(Json::Number(&self.text[start..self.at]))
    }

    fn digits(&mut self) -> Result<(), Malformed> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start { Err(self.malformed("a digit must stand here")) } else { Ok(()) }
    }

    /// A string; copied only when it has escapes.
    fn string(&mut self) -> Result<Cow<'a, str>, Malformed> {
        self.at += 1;
        let start = self.at;
        loop {
            match self.peek() {
                None => return Err(self.malformed("a string is not closed")),
                Some(b'"') => {
                    let text = &self.text[start..self.at];
                    self.at += 1;
                    return Ok(Cow::Borrowed(text));
                }
                Some(b'\\') => return self.escaped_string(start),
                Some(0..=31) => return Err(self.malformed("a control character in a string must be escaped")),
                Some(_) => self.at += 1,
            }
        }
    }

    fn escaped_string(&mut self, start: usize) -> Result<Cow<'a, str>, Malformed> {
        let mut text = String::from(&self.text[start..self.at]);
        let mut copied = self.at;
        loop {
            match self.peek() {
                None => return Err(self.malformed("a string is not closed")),
                Some(b'"') => {
                    text.push_str(&self.text[copied..self.at]);
                    self.at += 1;
                    return Ok(Cow::Owned(text));
                }
                Some(b'\\') => {
                    text.push_str(&self.text[copied..self.at]);
                    self.at += 1;
                    text.push(self.escape()?);
                    copied = self.at;
                }
                Some(0..=31) => return Err(self.malformed("a control character in a string must be escaped")),
                Some(_) => self.at += 1,
            }
        }
    }

    /// What follows a backslash.
    fn escape(&mut self) -> Result<char, Malformed> {
        let Some(byte) = self.peek() else { return Err(self.malformed("a string is not closed")) };
        let plain = match byte {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode(),
            _ => return Err(self.malformed("an unknown escape")),
        };
        self.at += 1;
        Ok(plain)
    }

    /// `uXXXX`, or a pair of them for a character beyond 16 bits.
    fn unicode(&mut self) -> Result<char, Malformed> {
        let high = self.four_hex()?;
        if !(0xd800..0xe000).contains(&high) {
            return char::from_u32(high).ok_or_else(|| self.malformed("no such character"));
        }
        if high >= 0xdc00 || !self.take(b'\\') || self.peek() != Some(b'u') {
            return Err(self.malformed("half of a surrogate pair"));
        }
        let low = self.four_hex()?;
        if !(0xdc00..0xe000).contains(&low) {
            return Err(self.malformed("half of a surrogate pair"));
        }
        let code = 0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00);
        char::from_u32(code).ok_or_else(|| self.malformed("no such character"))
    }

    /// Steps over `u` and four hexadecimal digits.
    fn four_hex(&mut self) -> Result<u32, Malformed> {
        self.at += 1;
        let digits = self.text.get(self.at..self.at + 4).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
        let Some(digits) = digits else {
            return Err(self.malformed("four hexadecimal digits must stand here"));
        };
        self.at += 4;
        u32::from_str_radix(digits, 16).map_err(|_| self.malformed("four hexadecimal digits must stand here"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_digits() {
        let most = "340282366920938463463374607431768211455";
        for text in ["0", "-0", "7", "1.50", "1e3", "-2.5E+10", most] {
            assert_eq!(parse(text).unwrap(), Json::Number(text));
        }
        for text in ["01", "+1", ".5", "1.", "1e", "-", "0x10", "NaN", "1_000"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn agrees_with_a_known_reader_on_what_is_json() {
        let good = [
            "null",
            " true ",
            "[]",
            "{}",
            "[1,2 , 3]",
            "{\"a\":{\"b\":[null,false]}}",
            "\"\\u00e9\\ud83e\\ude99\\/\\b\\f\"",
            "\"\"",
            "{\"\":0}",
        ];
        let bad = [
            "",
            " ",
            "nul",
            "[1,]",
            "{,}",
            "{\"a\"}",
            "{\"a\":}",
            "{a:1}",
            "{'a':1}",
            "[1 2]",
            "\"",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\\ud800\"",
            "\"\\udc00\"",
            "\"\\ud800\\u0041\"",
            "\"\u{1}\"",
            "1 2",
            "{} {}",
            "[",
            "{\"a\":1",
            "\"\\u+123\"",
        ];
        for text in good {
            assert!(serde_json::from_str::<serde_json::Value>(text).is_ok(), "{text}");
            assert!(parse(text).is_ok(), "{text}");
        }
        for text in bad {
            assert!(serde_json::from_str::<serde_json::Value>(text).is_err(), "{text}");
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn any_cut_of_a_command_is_refused_without_a_panic() {
        let command = "{\"op\":\"create_accounts\",\"events\":[{\"id\":\"1\",\"flags\":[\"hist\\u006fry\"]}],\"é\":-1.5e2}";
        for (cut, _) in command.char_indices() {
            assert!(parse(&command[..cut]).is_err(), "{cut}");
        }
        assert!(parse(command).is_ok());
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert!(parse(&deep(DEPTH_MAX + 1)).is_ok());
        assert_eq!(parse(&deep(DEPTH_MAX + 2)).unwrap_err().what, "nested too deeply");
        assert!(parse(&"[".repeat(1_000_000)).is_err());
    }

    #[test]
    fn a_mistake_is_named_with_its_column() {
        assert_eq!(
            parse("{\"op\" \"x\"}").unwrap_err().to_string(),
            "not JSON at column 7: a colon must follow a field's name"
        );
    }
}
