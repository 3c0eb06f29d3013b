//! Lines out of pieces of bytes, none of them held longer than allowed.

use bytes::{Bytes, BytesMut};

/// A line that is longer than allowed; the rest of it is passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLong;

/// Cuts a stream of bytes into lines.
#[derive(Debug)]
pub(super) struct Lines {
    buffer: BytesMut,
    /// How much of the buffer is known to hold no line end.
    searched: usize,
    /// Whether the present line was too long and is being passed over.
    skipping: bool,
    limit: usize,
    number: u64,
}

impl Lines {
    pub(super) fn new(limit: usize) -> Self {
        Self { buffer: BytesMut::new(), searched: 0, skipping: false, limit, number: 0 }
    }

    pub(super) fn push(&mut self, piece: &[u8]) {
        self.buffer.extend_from_slice(piece);
    }

    /// The next whole line and its number, counted from 1; none where more bytes are needed.
    pub(super) fn next(&mut self) -> Option<(u64, Result<Bytes, TooLong>)> {
        let unsearched = self.buffer.get(self.searched..).unwrap_or_default();
        let Some(found) = unsearched.iter().position(|byte| *byte == b'\n') else {
            self.searched = self.buffer.len();
            self.pass_over();
            return None;
        };
        let mut line = self.buffer.split_to(self.searched.saturating_add(found).saturating_add(1));
        line.truncate(line.len().saturating_sub(1));
        self.searched = 0;
        Some(self.finish(line))
    }

    /// What follows the last line end, once nothing more comes.
    pub(super) fn last(&mut self) -> Option<(u64, Result<Bytes, TooLong>)> {
        if self.buffer.is_empty() && !self.skipping {
            return None;
        }
        let line = self.buffer.split();
        Some(self.finish(line))
    }

    /// The number of the line that is being read.
    pub(super) const fn present(&self) -> u64 {
        self.number.saturating_add(1)
    }

    fn finish(&mut self, line: BytesMut) -> (u64, Result<Bytes, TooLong>) {
        self.number = self.number.saturating_add(1);
        let too_long = std::mem::take(&mut self.skipping) || line.len() > self.limit;
        (self.number, if too_long { Err(TooLong) } else { Ok(line.freeze()) })
    }

    /// Drops what has gathered of a line that is too long already.
    fn pass_over(&mut self) {
        if self.skipping || self.buffer.len() > self.limit {
            self.skipping = true;
            self.buffer.clear();
            self.searched = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(limit: usize, pieces: &[&str]) -> Vec<(u64, Result<String, TooLong>)> {
        let mut lines = Lines::new(limit);
        let mut out = Vec::new();
        let text = |bytes: Bytes| String::from_utf8(bytes.to_vec()).unwrap();
        for piece in pieces {
            lines.push(piece.as_bytes());
            while let Some((number, line)) = lines.next() {
                out.push((number, line.map(text)));
            }
            assert!(lines.buffer.len() <= limit, "no more than one line is held");
        }
        out.extend(lines.last().map(|(number, line)| (number, line.map(text))));
        out
    }

    #[test]
    fn lines_are_whole_wherever_the_pieces_end() {
        let expected = vec![(1, Ok("one".to_owned())), (2, Ok(String::new())), (3, Ok("three".to_owned()))];
        assert_eq!(cut(10, &["one\n\nthree"]), expected);
        assert_eq!(cut(10, &["o", "n", "e", "\n", "\n", "thr", "ee"]), expected);
        assert_eq!(cut(10, &["one\n\nthree\n"]), expected);
    }

    #[test]
    fn a_line_that_is_too_long_is_passed_over_alone() {
        let expected = vec![(1, Ok("a".to_owned())), (2, Err(TooLong)), (3, Ok("b".to_owned()))];
        assert_eq!(cut(4, &["a\n12345678901234567890\nb"]), expected);
        assert_eq!(cut(4, &["a\n1234", "5678", "901", "\nb\n"]), expected);
        assert_eq!(cut(4, &["a\n12345"]), expected[..2]);
        assert_eq!(cut(4, &["1234\n"]), [(1, Ok("1234".to_owned()))]);
    }
}
