//! NDJSON files: a JSON object in each line. The first may be the head (`{"message_id": ...}`), all others are items,
//! with the fields of [`rows`].
//!
//! **Limits.** A line of 64 KiB, in UTF-8. A key that is not known refuses the file.

use crate::item::{Block, Format, Head, Item, Piece, Source, Sum};
use crate::reason::FileFault;
use crate::rows::{self, FIELDS, Row};
use crate::rules::Rules;
use fen_book::batches::Acceptance;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Take};

/// The longest line.
const LINE_BYTES_MAX: u64 = 64 << 10;

/// A file's head, as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HeadLine {
    message_id: String,
    #[serde(default)]
    initiator: String,
    #[serde(default)]
    created: String,
    items: Option<u64>,
    sum: Option<String>,
    #[serde(default)]
    all_or_nothing: bool,
}

/// What was read last.
enum Place {
    Start,
    Head,
    Block,
}

/// See the module's words.
pub struct NdjsonFile<'a, R> {
    reader: Take<BufReader<R>>,
    rules: &'a Rules,
    line: Vec<u8>,
    number: u64,
    /// The first line, where it is an item already.
    waiting: Option<Item>,
    place: Place,
}

impl<'a, R: Read> NdjsonFile<'a, R> {
    /// Nothing is read yet.
    pub fn open(file: R, rules: &'a Rules) -> Self {
        let reader = BufReader::with_capacity(256 << 10, file).take(LINE_BYTES_MAX);
        Self { reader, rules, line: Vec::new(), number: 0, waiting: None, place: Place::Start }
    }

    /// The next line that is not empty.
    fn next_line(&mut self) -> Result<bool, FileFault> {
        loop {
            self.line.clear();
            self.reader.set_limit(LINE_BYTES_MAX);
            let size = self
                .reader
                .read_until(b'\n', &mut self.line)
                .map_err(|error| FileFault::format(self.at(), error.to_string()))?;
            self.number += 1;
            if size == 0 {
                return Ok(false);
            }
            if self.reader.limit() == 0 && self.line.last() != Some(&b'\n') {
                return Err(FileFault::format(self.at(), format!("longer than {LINE_BYTES_MAX} bytes")));
            }
            if !self.line.trim_ascii().is_empty() {
                return Ok(true);
            }
        }
    }

    fn at(&self) -> String {
        format!("line {}", self.number)
    }

    fn item(&self) -> Result<Item, FileFault> {
        let wrong = |what: String| FileFault::format(self.at(), what);
        let fields: BTreeMap<String, Value> =
            serde_json::from_slice(&self.line).map_err(|error| wrong(error.to_string()))?;
        let mut texts: [String; FIELDS.len()] = Default::default();
        for (name, value) in fields {
            let field = FIELDS.iter().position(|field| *field == name).ok_or_else(|| {
                wrong(format!(
                    "'{}' is no field; fields are {}",
                    crate::figure::shown(&name),
                    FIELDS.join(", ")
                ))
            })?;
            texts[field] = match value {
                Value::String(text) => text,
                Value::Number(number) if number.is_u64() => number.to_string(),
                Value::Null => String::new(),
                Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                    return Err(wrong(format!("'{name}' must be a text or a whole number"))
                        .mend("write amounts and rates as texts, so that no reader on the way rounds them"));
                }
            };
        }
        let mut row: Row<'_> = [""; FIELDS.len()];
        for ((value, text), field) in row.iter_mut().zip(&texts).zip(FIELDS) {
            *value = if text.is_empty() { self.rules.default_of(field) } else { text };
        }
        Ok(rows::item(&row, self.rules))
    }

    /// The head, if the first line is one; else that line is the first item.
    fn head(&mut self) -> Result<Head, FileFault> {
        if !self.next_line()? {
            return Ok(Head::default());
        }
        if !self.line.windows(12).any(|window| window == b"\"message_id\"") {
            self.waiting = Some(self.item()?);
            return Ok(Head::default());
        }
        let wrong = |what: String| FileFault::format("line 1", what);
        let head: HeadLine = serde_json::from_slice(&self.line).map_err(|error| wrong(error.to_string()))?;
        if head.message_id.is_empty() || head.message_id.chars().count() > 35 {
            return Err(wrong("'message_id' must have 1 to 35 letters".to_owned()));
        }
        let sum = match head.sum {
            None => None,
            Some(text) => Some(
                Sum::parse(&text)
                    .ok_or_else(|| wrong(format!("'sum': '{}' is no amount", crate::figure::shown(&text))))?,
            ),
        };
        Ok(Head {
            message_id: head.message_id,
            initiator: head.initiator.chars().take(35).collect(),
            created: head.created,
            items: head.items,
            sum,
            acceptance: if head.all_or_nothing { Acceptance::Whole } else { Acceptance::Items },
        })
    }
}

impl<R: Read> Source for NdjsonFile<'_, R> {
    fn next_piece(&mut self) -> Result<Option<Piece>, FileFault> {
        match self.place {
            Place::Start => {
                self.place = Place::Head;
                Ok(Some(Piece::Head(Box::new(self.head()?))))
            }
            Place::Head => {
                self.place = Place::Block;
                Ok(Some(Piece::Block(Box::<Block>::default())))
            }
            Place::Block => match self.waiting.take() {
                Some(item) => Ok(Some(Piece::Item(item))),
                None if self.next_line()? => Ok(Some(Piece::Item(self.item()?))),
                None => Ok(None),
            },
        }
    }

    fn format(&self) -> Format {
        Format::Ndjson
    }
}
