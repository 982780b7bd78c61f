//! Bounds what a parser may swallow before it gives something back: no tag, text or row is longer.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

/// Bytes read since something last came out.
#[derive(Clone, Default, Debug)]
pub(crate) struct Since(Rc<Cell<usize>>);

impl Since {
    /// Something came out.
    pub(crate) fn reset(&self) {
        self.0.set(0);
    }
}

/// A reader that ends with an error where too much comes in one piece.
#[derive(Debug)]
pub(crate) struct Gauge<R> {
    reader: R,
    since: Since,
    bytes_max: usize,
}

impl<R> Gauge<R> {
    /// Reads through to `reader`.
    pub(crate) fn new(reader: R, bytes_max: usize) -> (Self, Since) {
        let since = Since::default();
        (Self { reader, since: since.clone(), bytes_max }, since)
    }
}

impl<R: Read> Read for Gauge<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let since = self.since.0.get();
        if since > self.bytes_max {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("one tag, text or row is longer than {} bytes", self.bytes_max),
            ));
        }
        let size = self.reader.read(buffer)?;
        self.since.0.set(since.saturating_add(size));
        Ok(size)
    }
}
