//! The items of a bulk body, one by one as they arrive.

use std::collections::VecDeque;
use std::future::{Ready, ready};
use std::marker::PhantomData;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use contracts::{Problem, ProblemCode};
use serde::de::DeserializeOwned;

use super::NDJSON;
use super::framing::Lines;
use super::rows::{Rows, too_long};
use crate::body::{Body, media_type};
use crate::extract::parse;
use crate::{Failure, Limits};

/// One line of a bulk body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line<T> {
    /// Where it is, counted from 1 (a csv header is line 1).
    pub number: u64,
    /// The item, or why it cannot be read.
    pub item: Result<T, Problem>,
}

/// A bulk body: ndjson (`application/x-ndjson`, also without a content type) or csv (`text/csv`, first line the names).
///
/// A csv record cannot nest, so items that do name a flat `R` that turns into `T`.
pub struct Incoming<T, R = T> {
    body: Body,
    format: Format,
    ended: bool,
    ready: VecDeque<Line<T>>,
    row: PhantomData<fn() -> R>,
}

enum Format {
    Ndjson(Lines),
    Csv(Box<Rows>),
}

impl<T: DeserializeOwned, R: DeserializeOwned + Into<T>> Incoming<T, R> {
    /// The next lines, at most so many (blank ones left out); none once the body has ended.
    pub async fn next_batch(&mut self, at_most: usize) -> Option<Vec<Line<T>>> {
        let at_most = at_most.max(1);
        while self.ready.len() < at_most && !self.ended {
            match self.body.next().await {
                Some(Ok(piece)) => self.take(&piece),
                Some(Err(problem)) => {
                    self.ended = true;
                    let number = match &self.format {
                        Format::Ndjson(lines) => lines.present(),
                        Format::Csv(rows) => rows.present(),
                    };
                    self.ready.push_back(Line { number, item: Err(problem) });
                }
                None => {
                    self.ended = true;
                    self.take(&[]);
                }
            }
        }
        let batch: Vec<_> = self.ready.drain(..at_most.min(self.ready.len())).collect();
        (!batch.is_empty()).then_some(batch)
    }

    /// Cuts a piece into lines; an empty one means that nothing more comes.
    fn take(&mut self, piece: &[u8]) {
        match &mut self.format {
            Format::Ndjson(lines) => {
                lines.push(piece);
                while let Some((number, line)) = lines.next() {
                    self.ready.extend(read_line(number, line.as_deref().ok()));
                }
                if let Some((number, line)) = if self.ended { lines.last() } else { None } {
                    self.ready.extend(read_line(number, line.as_deref().ok()));
                }
            }
            Format::Csv(rows) => {
                if !piece.is_empty() || self.ended {
                    rows.push(piece);
                }
                while let Some((number, row)) = rows.next::<R>() {
                    self.ready.push_back(Line { number, item: row.map(Into::into) });
                }
            }
        }
    }
}

/// One line of JSON; none where it is blank.
fn read_line<T: DeserializeOwned>(number: u64, line: Option<&[u8]>) -> Option<Line<T>> {
    let Some(line) = line else {
        return Some(Line { number, item: Err(too_long()) });
    };
    let line = if number == 1 { line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line) } else { line };
    let line = line.trim_ascii();
    (!line.is_empty()).then(|| Line { number, item: parse(line) })
}

impl<T: 'static, R: 'static> FromRequest for Incoming<T, R> {
    type Error = Failure;
    type Future = Ready<Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let limits = Limits::of(request);
        let format = match format(request, limits.line_bytes) {
            Ok(format) => format,
            Err(problem) => return ready(Err(problem.into())),
        };
        let body = Body::new(payload.take(), limits.body_pause);
        ready(Ok(Self { body, format, ended: false, ready: VecDeque::new(), row: PhantomData }))
    }
}

fn format(request: &HttpRequest, line_bytes: usize) -> Result<Format, Problem> {
    match media_type(request).as_deref().unwrap_or(NDJSON) {
        NDJSON | "application/ndjson" | "application/jsonl" | "application/json" => {
            Ok(Format::Ndjson(Lines::new(line_bytes)))
        }
        "text/csv" => Ok(Format::Csv(Box::new(Rows::new(line_bytes)))),
        _ => Err(Problem::new(ProblemCode::UnsupportedMediaType)
            .detail("send the lines as application/x-ndjson or text/csv")),
    }
}
