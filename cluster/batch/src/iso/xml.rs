//! XML as a stream of tags and texts, within limits, without any of XML's hazards.
//!
//! **Refused.** Document types and with them entities of one's own; encodings other than UTF-8; processing
//! instructions; elements deeper than [`DEPTH_MAX`]; tags, texts and comments longer than [`TOKEN_BYTES_MAX`]; bytes
//! that are no XML. What a file may cost in memory does not depend on what is in it.

use crate::gauge::{Gauge, Since};
use crate::reason::FileFault;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};
use std::io::{BufReader, Read};

/// The deepest element: the messages have at most 15 levels.
pub(crate) const DEPTH_MAX: usize = 32;

/// The longest tag, text or comment.
pub(crate) const TOKEN_BYTES_MAX: usize = 64 << 10;

/// The most attributes of an element.
const ATTRIBUTES_MAX: usize = 16;

/// What comes next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Token {
    /// An element opens: its name is [`Xml::name`], its attributes [`Xml::attribute`].
    Open,
    /// The element closes: what stood in it is [`Xml::text`], if it has no children.
    Close,
    /// The document's end.
    End,
}

/// See the module's words.
pub(crate) struct Xml<R> {
    reader: Reader<BufReader<Gauge<R>>>,
    since: Since,
    buffer: Vec<u8>,
    name: String,
    attributes: Vec<(String, String)>,
    text: String,
    depth: usize,
    has_root: bool,
    is_started: bool,
}

impl<R: Read> Xml<R> {
    pub(crate) fn new(file: R) -> Self {
        let (gauge, since) = Gauge::new(file, TOKEN_BYTES_MAX);
        let mut reader = Reader::from_reader(BufReader::with_capacity(64 << 10, gauge));
        let config = reader.config_mut();
        config.expand_empty_elements = true;
        config.check_comments = true;
        config.check_end_names = true;
        Self {
            reader,
            since,
            buffer: Vec::new(),
            name: String::new(),
            attributes: Vec::new(),
            text: String::new(),
            depth: 0,
            has_root: false,
            is_started: false,
        }
    }

    /// Where the reader is, in bytes.
    pub(crate) fn position(&self) -> u64 {
        self.reader.buffer_position()
    }

    /// The full name of the element that opened last.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Its attribute, by its full name.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// What stood before this tag, since the last one.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn wrong(&self, what: impl Into<String>) -> FileFault {
        FileFault::format(format!("byte {}", self.position()), what)
    }

    /// Goes on to the next tag.
    pub(crate) fn next(&mut self) -> Result<Token, FileFault> {
        self.text.clear();
        loop {
            self.buffer.clear();
            let mut buffer = std::mem::take(&mut self.buffer);
            let step = match self.reader.read_event_into(&mut buffer) {
                Ok(event) => {
                    let position = self.reader.buffer_position();
                    let mut state = State {
                        name: &mut self.name,
                        attributes: &mut self.attributes,
                        text: &mut self.text,
                        depth: &mut self.depth,
                        has_root: &mut self.has_root,
                        is_first: !std::mem::replace(&mut self.is_started, true),
                    };
                    state.take(event).map_err(|what| FileFault::format(format!("byte {position}"), what))
                }
                Err(error) => Err(self.wrong(format!("not well-formed XML: {error}"))),
            };
            self.buffer = buffer;
            self.since.reset();
            if let Some(token) = step? {
                return Ok(token);
            }
        }
    }
}

/// What an event changes.
struct State<'a> {
    name: &'a mut String,
    attributes: &'a mut Vec<(String, String)>,
    text: &'a mut String,
    depth: &'a mut usize,
    has_root: &'a mut bool,
    is_first: bool,
}

impl State<'_> {
    fn take(&mut self, event: Event<'_>) -> Result<Option<Token>, String> {
        match event {
            Event::Start(start) => {
                self.open(&start)?;
                return Ok(Some(Token::Open));
            }
            Event::End(_) => {
                *self.depth -= 1;
                return Ok(Some(Token::Close));
            }
            Event::Text(text) => self.push(&text.xml10_content())?,
            Event::CData(text) => self.push(&text.xml10_content())?,
            Event::GeneralRef(name) => {
                let character = match name.resolve_char_ref().map_err(|error| error.to_string())? {
                    Some(character) => character,
                    None => predefined(&name.into_inner())?,
                };
                self.push(character.encode_utf8(&mut [0; 4]))?;
            }
            Event::Decl(declaration) => {
                if !self.is_first {
                    return Err("the XML declaration must come first".into());
                }
                if let Some(encoding) = declaration.encoding() {
                    let encoding = encoding.map_err(|error| error.to_string())?;
                    if !encoding.eq_ignore_ascii_case("utf-8") && !encoding.eq_ignore_ascii_case("us-ascii") {
                        return Err(format!(
                            "the encoding is '{encoding}', only UTF-8 is taken: save the file as UTF-8"
                        ));
                    }
                }
            }
            Event::Comment(_) => {}
            Event::DocType(_) => {
                return Err("a document type (DOCTYPE) is refused: messages have none".into());
            }
            Event::PI(_) => return Err("a processing instruction is refused: messages have none".into()),
            Event::Empty(_) => return Err("an empty element was not opened and closed".into()),
            Event::Eof => {
                if *self.depth > 0 {
                    return Err("the file ends in the middle of an element: it was cut off".into());
                }
                return Ok(Some(Token::End));
            }
        }
        Ok(None)
    }

    fn open(&mut self, start: &BytesStart<'_>) -> Result<(), String> {
        if *self.depth == 0 && std::mem::replace(self.has_root, true) {
            return Err("there is a second root element".into());
        }
        *self.depth += 1;
        if *self.depth > DEPTH_MAX {
            return Err(format!("elements are nested deeper than {DEPTH_MAX} levels"));
        }
        self.name.clear();
        self.name.push_str(start.name().as_ref());
        self.attributes.clear();
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|error| format!("not well-formed XML: {error}"))?;
            if self.attributes.len() == ATTRIBUTES_MAX {
                return Err(format!("an element has more than {ATTRIBUTES_MAX} attributes"));
            }
            let value = attribute
                .normalized_value(XmlVersion::Implicit1_0)
                .map_err(|error| format!("not well-formed XML: {error}"))?;
            self.attributes.push((attribute.key.as_ref().to_owned(), value.into_owned()));
        }
        Ok(())
    }

    fn push(&mut self, text: &str) -> Result<(), String> {
        if let Some(character) = text.chars().find(|character| !is_xml(*character)) {
            return Err(format!("the character {} is none of XML's", character.escape_default()));
        }
        if *self.depth == 0 && !text.trim_matches(['\u{feff}', ' ', '\n', '\r', '\t']).is_empty() {
            return Err("not XML: there is text outside of any element".into());
        }
        if self.text.len() + text.len() > TOKEN_BYTES_MAX {
            return Err(format!("a text is longer than {TOKEN_BYTES_MAX} bytes"));
        }
        self.text.push_str(text);
        Ok(())
    }
}

fn predefined(name: &str) -> Result<char, String> {
    Ok(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => {
            return Err(format!(
                "the entity &{}; is not known: only XML's own five are",
                crate::figure::shown(name)
            ));
        }
    })
}

/// Whether XML 1.0 knows the character.
pub(crate) fn is_xml(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
}
