//! Lines of any bytes, bounded: one that is too long is stepped over whole, so the next is read from its start.

use std::io::{self, BufRead};

/// The longest line: a full batch of transfers with every field written out and much white space is half of it.
pub(crate) const LINE_SIZE_MAX: usize = 16 << 20;

/// What reading a line gave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Line {
    /// The buffer holds it, without its line feed.
    Read,
    /// It was longer than the limit; the buffer holds nothing.
    TooLong,
    /// There is none left.
    End,
}

/// Reads the next line of at most `size_max` bytes into `buffer`.
pub(crate) fn next_line(input: &mut impl BufRead, buffer: &mut Vec<u8>, size_max: usize) -> io::Result<Line> {
    buffer.clear();
    let mut line = Line::End;
    loop {
        let chunk = match input.fill_buf() {
            Ok(chunk) => chunk,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if chunk.is_empty() {
            return Ok(line);
        }
        let feed = chunk.iter().position(|byte| *byte == b'\n');
        let part = &chunk[..feed.unwrap_or(chunk.len())];
        if line == Line::TooLong || buffer.len() + part.len() > size_max {
            buffer.clear();
            line = Line::TooLong;
        } else {
            buffer.extend_from_slice(part);
            line = Line::Read;
        }
        let used = feed.map_or(chunk.len(), |at| at + 1);
        input.consume(used);
        if feed.is_some() {
            return Ok(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufReader;

    fn lines(text: &[u8], size_max: usize, capacity: usize) -> Vec<(Line, Vec<u8>)> {
        let mut input = BufReader::with_capacity(capacity, text);
        let mut buffer = Vec::new();
        let mut all = Vec::new();
        loop {
            let line = next_line(&mut input, &mut buffer, size_max).unwrap();
            if line == Line::End {
                return all;
            }
            all.push((line, buffer.clone()));
        }
    }

    #[test]
    fn a_long_line_costs_only_itself() {
        for capacity in [1, 2, 3, 64] {
            assert_eq!(
                lines(b"ab\n\nabcde\nabcd\nx", 4, capacity),
                [
                    (Line::Read, b"ab".to_vec()),
                    (Line::Read, Vec::new()),
                    (Line::TooLong, Vec::new()),
                    (Line::Read, b"abcd".to_vec()),
                    (Line::Read, b"x".to_vec()),
                ],
                "{capacity}"
            );
        }
        assert!(lines(b"", 4, 8).is_empty());
    }
}
