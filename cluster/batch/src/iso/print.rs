//! Writes XML: every text escaped, every element closed, no character that XML does not know.

use super::xml::is_xml;
use std::io::{self, Write};

/// A writer of elements.
#[derive(Debug)]
pub struct Print<W> {
    out: W,
    open: Vec<&'static str>,
}

impl<W: Write> Print<W> {
    /// Begins a message: its root and its namespace.
    ///
    /// # Errors
    /// Where `out` can't be written.
    pub fn message(mut out: W, name: &str, body: &'static str) -> io::Result<Self> {
        write!(
            out,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:{name}\">\n"
        )?;
        let mut print = Self { out, open: Vec::new() };
        print.open(body)?;
        Ok(print)
    }

    /// Opens an element.
    ///
    /// # Errors
    /// As [`Print::message`].
    pub fn open(&mut self, name: &'static str) -> io::Result<()> {
        self.indent()?;
        self.open.push(name);
        writeln!(self.out, "<{name}>")
    }

    /// Closes the element that was opened last.
    ///
    /// # Errors
    /// As [`Print::message`].
    pub fn close(&mut self) -> io::Result<()> {
        let name = self.open.pop().unwrap_or_default();
        self.indent()?;
        writeln!(self.out, "</{name}>")
    }

    /// An element with a text.
    ///
    /// # Errors
    /// As [`Print::message`].
    pub fn text(&mut self, name: &str, text: &str) -> io::Result<()> {
        self.indent()?;
        write!(self.out, "<{name}>")?;
        escaped(&mut self.out, text)?;
        writeln!(self.out, "</{name}>")
    }

    /// An element with a text, if there is one.
    ///
    /// # Errors
    /// As [`Print::message`].
    pub fn maybe(&mut self, name: &str, text: &str) -> io::Result<()> {
        if text.is_empty() { Ok(()) } else { self.text(name, text) }
    }

    /// An amount with its currency.
    ///
    /// # Errors
    /// As [`Print::message`].
    pub fn amount(&mut self, name: &str, minor: u128, ledger: u32) -> io::Result<()> {
        self.indent()?;
        let (code, money) = (crate::figure::currency_code(ledger), crate::figure::money(minor, ledger));
        writeln!(self.out, "<{name} Ccy=\"{code}\">{money}</{name}>")
    }

    /// Nested elements around one text: `Tp/CdOrPrtry/Cd`.
    ///
    /// # Errors
    /// As [`Print::message`].
    pub fn nested(&mut self, path: &[&'static str], text: &str) -> io::Result<()> {
        let Some((last, around)) = path.split_last() else { return Ok(()) };
        for name in around {
            self.open(name)?;
        }
        self.text(last, text)?;
        for _ in around {
            self.close()?;
        }
        Ok(())
    }

    /// Closes all that is open, and the root.
    ///
    /// # Errors
    /// As [`Print::message`].
    pub fn end(mut self) -> io::Result<W> {
        while !self.open.is_empty() {
            self.close()?;
        }
        writeln!(self.out, "</Document>")?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn indent(&mut self) -> io::Result<()> {
        const BLANKS: &str = "                                ";
        let width = (self.open.len() + 1).min(BLANKS.len());
        self.out.write_all(&BLANKS.as_bytes()[..width])
    }
}

/// Appends a text with XML's own characters escaped; what XML does not know becomes a full stop.
///
/// # Errors
/// Where `out` can't be written.
pub fn escaped(out: &mut impl Write, text: &str) -> io::Result<()> {
    let mut rest = text;
    while let Some(place) =
        rest.find(|character: char| matches!(character, '&' | '<' | '>') || !is_xml(character))
    {
        let (plain, from) = rest.split_at(place);
        out.write_all(plain.as_bytes())?;
        let mut characters = from.chars();
        let instead: &[u8] = match characters.next() {
            Some('&') => b"&amp;",
            Some('<') => b"&lt;",
            Some('>') => b"&gt;",
            Some(_) | None => b".",
        };
        out.write_all(instead)?;
        rest = characters.as_str();
    }
    out.write_all(rest.as_bytes())
}
