//! Records out of csv (RFC 4180): the first names the fields, each later one is an item.

use std::collections::VecDeque;

use contracts::{Problem, ProblemCode};
use csv::StringRecord;
use csv_core::{ReadRecordResult, Reader};
use serde::de::DeserializeOwned;

use super::framing::TooLong;
use crate::extract::refuse_in_text;

/// More fields than this in a record are no table but an attack.
const MOST_FIELDS: usize = 1_000;

type Row = (u64, Result<Vec<Vec<u8>>, TooLong>);

/// Cuts a stream of bytes into csv records.
pub(super) struct Rows {
    reader: Reader,
    output: Vec<u8>,
    written: usize,
    ends: Vec<usize>,
    fields: usize,
    too_long: bool,
    /// Line ends so far, and the line on which the present record began.
    line_ends: u64,
    line: Option<u64>,
    ready: VecDeque<Row>,
    header: Option<StringRecord>,
}

impl Rows {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            reader: Reader::new(),
            output: vec![0; limit],
            written: 0,
            ends: vec![0; MOST_FIELDS],
            fields: 0,
            too_long: false,
            line_ends: 0,
            line: None,
            ready: VecDeque::new(),
            header: None,
        }
    }

    /// The line on which the record that is being read began.
    pub(super) fn present(&self) -> u64 {
        self.line.unwrap_or(self.line_ends.saturating_add(1))
    }

    /// Takes a piece of the body; an empty one ends the last record.
    pub(super) fn push(&mut self, mut piece: &[u8]) {
        loop {
            let output = self.output.get_mut(self.written..).unwrap_or_default();
            let ends = self.ends.get_mut(self.fields..).unwrap_or_default();
            let (result, read, written, fields) = self.reader.read_record(piece, output, ends);
            let (consumed, rest) = piece.split_at(read.min(piece.len()));
            self.count(consumed);
            piece = rest;
            self.written = self.written.saturating_add(written);
            self.fields = self.fields.saturating_add(fields);
            match result {
                ReadRecordResult::InputEmpty | ReadRecordResult::End => return,
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {
                    self.too_long = true;
                    (self.written, self.fields) = (0, 0);
                }
                ReadRecordResult::Record => self.complete(),
            }
        }
    }

    /// The next record as an item; none where more bytes are needed. The first record is the header.
    pub(super) fn next<T: DeserializeOwned>(&mut self) -> Option<(u64, Result<T, Problem>)> {
        loop {
            let (line, row) = self.ready.pop_front()?;
            let record = row.map_err(|TooLong| too_long()).and_then(text);
            let Some(header) = &self.header else {
                match record {
                    Ok(names) => self.header = Some(without_mark(&names)),
                    Err(problem) => {
                        // Without names nothing that follows means anything.
                        self.ready.clear();
                        self.header = Some(StringRecord::new());
                        return Some((line, Err(problem)));
                    }
                }
                continue;
            };
            return Some((line, record.and_then(|record| item(header, &record))));
        }
    }

    fn complete(&mut self) {
        let row = if std::mem::take(&mut self.too_long) { Err(TooLong) } else { Ok(self.fields()) };
        self.ready.push_back((self.line.take().unwrap_or(self.line_ends), row));
        (self.written, self.fields) = (0, 0);
    }

    /// The reader's own count lags where lines end with two bytes, and people look a line up by its number.
    fn count(&mut self, consumed: &[u8]) {
        for byte in consumed {
            match byte {
                b'\n' => self.line_ends = self.line_ends.saturating_add(1),
                b'\r' => {}
                _ if self.line.is_none() => self.line = Some(self.line_ends.saturating_add(1)),
                _ => {}
            }
        }
    }

    fn fields(&self) -> Vec<Vec<u8>> {
        let ends = self.ends.get(..self.fields).unwrap_or_default();
        let starts = std::iter::once(0).chain(ends.iter().copied());
        let field = |(start, end): (usize, &usize)| self.output.get(start..*end).unwrap_or_default().to_vec();
        starts.zip(ends).map(field).collect()
    }
}

/// Spreadsheets put a byte order mark before the first name.
fn without_mark(names: &StringRecord) -> StringRecord {
    names.iter().map(|name| name.trim_start_matches('\u{feff}').trim()).collect()
}

fn text(fields: Vec<Vec<u8>>) -> Result<StringRecord, Problem> {
    let text = |field: Vec<u8>| String::from_utf8(field).map_err(|_| malformed("the line is not UTF-8"));
    fields.into_iter().map(text).collect()
}

fn item<T: DeserializeOwned>(header: &StringRecord, record: &StringRecord) -> Result<T, Problem> {
    header.iter().zip(record).try_for_each(|(name, value)| refuse_in_text(name, value))?;
    if header.len() != record.len() {
        return Err(malformed(&format!("the line has {} fields, the header {}", record.len(), header.len())));
    }
    record.deserialize(Some(header)).map_err(|error| match error.kind() {
        csv::ErrorKind::Deserialize { err, .. } => {
            let index = err.field().and_then(|index| usize::try_from(index).ok());
            let name = index.and_then(|index| header.get(index)).unwrap_or_default();
            Problem::new(ProblemCode::Malformed).field(name, err.kind().to_string())
        }
        _ => malformed("the line could not be read"),
    })
}

fn malformed(detail: &str) -> Problem {
    Problem::new(ProblemCode::Malformed).detail(detail)
}

pub(super) fn too_long() -> Problem {
    Problem::new(ProblemCode::TooLarge).detail("the line is longer than the limit")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Stock {
        sku: String,
        quantity: i64,
        note: Option<String>,
    }

    fn read(limit: usize, pieces: &[&[u8]]) -> Vec<(u64, Result<Stock, Problem>)> {
        let mut rows = Rows::new(limit);
        let mut out = Vec::new();
        for piece in pieces.iter().copied().chain([&[][..]]) {
            rows.push(piece);
            while let Some(row) = rows.next() {
                out.push(row);
            }
        }
        out
    }

    fn stock(sku: &str, quantity: i64, note: Option<&str>) -> Result<Stock, Problem> {
        Ok(Stock { sku: sku.to_owned(), quantity, note: note.map(ToOwned::to_owned) })
    }

    #[test]
    fn records_are_whole_wherever_the_pieces_end() {
        let body = "\u{feff}sku,quantity,note\r\n00123,5,\r\n\"a,b\",-1,\"two\nlines\"\r\nc,7,x".as_bytes();
        let expected = vec![
            (2, stock("00123", 5, None)),
            (3, stock("a,b", -1, Some("two\nlines"))),
            (5, stock("c", 7, Some("x"))),
        ];
        assert_eq!(read(100, &[body]), expected);
        for cut in 1..body.len() {
            let (left, right) = body.split_at(cut);
            assert_eq!(read(100, &[left, right]), expected, "cut at {cut}");
        }
    }

    #[test]
    fn a_bad_record_is_refused_alone_and_named() {
        let rows = read(16, &[b"sku,quantity\na,x\nb,2,3\nthis line is far too long,1\n\xff,1\nc,3\n"]);
        let lines: Vec<u64> = rows.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [2, 3, 4, 5, 6]);
        let problem = |index: usize| rows[index].1.as_ref().unwrap_err();
        assert_eq!(problem(0).errors[0].field, "quantity");
        assert_eq!(problem(1).code, ProblemCode::Malformed);
        assert_eq!(problem(2).code, ProblemCode::TooLarge);
        assert_eq!(problem(3).detail.as_deref(), Some("the line is not UTF-8"));
        assert_eq!(rows[4].1, stock("c", 3, None));
    }

    #[test]
    fn an_unknown_column_is_refused() {
        let rows = read(100, &[b"sku,quantity,colour\na,1,red\n"]);
        assert!(rows[0].1.as_ref().unwrap_err().errors[0].detail.contains("colour"));
    }
}
