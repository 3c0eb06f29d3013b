//! Bulk answers: result lines of an import, and exports as they are read.

use std::future::Future;

use actix_web::HttpResponse;
use actix_web::body::BodyStream;
use bytes::Bytes;
use contracts::Problem;
use futures_util::Stream;
use futures_util::future::join;
use futures_util::stream::StreamExt;
use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use super::spool::Spool;
use super::{Incoming, Line, NDJSON};
use crate::{Answer, Failure};

/// The result of one line of an import: `result` where it was done, `problem` where it was refused.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LineAnswer<R> {
    /// The line in the body, counted from 1.
    pub line: u64,
    /// What came of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<R>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}

impl<R> LineAnswer<R> {
    fn new(line: u64, outcome: Result<R, Problem>) -> Self {
        match outcome {
            Ok(result) => Self { line, result: Some(result), problem: None },
            Err(problem) => Self { line, result: None, problem: Some(problem) },
        }
    }
}

/// Runs an import: `work` gets the readable items in order, at most `batch` at once, and tells the outcome of each.
///
/// The answer has a line per line of the body, in its order, and always the status 200. When `work` fails as a whole,
/// its items and all later ones are answered with that problem and nothing more is tried: they can be sent again.
pub async fn import<T, R, O, W, F>(mut incoming: Incoming<T, R>, batch: usize, mut work: W) -> Answer
where
    T: DeserializeOwned,
    R: DeserializeOwned + Into<T>,
    O: Serialize,
    W: FnMut(Vec<T>) -> F,
    F: Future<Output = Result<Vec<Result<O, Problem>>, Failure>>,
{
    let mut spool = Spool::default();
    let mut stopped: Option<Problem> = None;
    let mut answers = Vec::new();
    let mut next = incoming.next_batch(batch).await;
    while let Some(lines) = next {
        let (numbers, items) = apart(lines);
        // While a batch is worked on, the answers to the one before are written and the one after is read.
        let meanwhile = async { (spool.write(&answers).await, incoming.next_batch(batch).await) };
        let (outcomes, (written, following)) = join(outcomes(&mut work, items, &mut stopped), meanwhile).await;
        written.map_err(Failure::internal)?;
        answers = answered(numbers, outcomes, stopped.as_ref());
        next = following;
    }
    spool.write(&answers).await.map_err(Failure::internal)?;
    let body = spool.read().await.map_err(Failure::internal)?;
    Ok(stream(NDJSON, body.map(|chunk| chunk.map_err(Failure::internal))))
}

/// The number of a line, and why it could not be read.
type Number = (u64, Option<Problem>);

fn apart<T>(lines: Vec<Line<T>>) -> (Vec<Number>, Vec<T>) {
    let mut numbers = Vec::with_capacity(lines.len());
    let mut items = Vec::with_capacity(lines.len());
    for line in lines {
        let (item, problem) = match line.item {
            Ok(item) => (Some(item), None),
            Err(problem) => (None, Some(problem)),
        };
        numbers.push((line.number, problem));
        items.extend(item);
    }
    (numbers, items)
}

fn answered<O>(
    numbers: Vec<Number>,
    outcomes: Vec<Result<O, Problem>>,
    stopped: Option<&Problem>,
) -> Vec<LineAnswer<O>> {
    let mut outcomes = outcomes.into_iter();
    let answer = |(number, unreadable)| {
        let outcome = match unreadable {
            Some(problem) => Err(problem),
            None => outcomes.next().unwrap_or_else(|| Err(unanswered(stopped))),
        };
        LineAnswer::new(number, outcome)
    };
    numbers.into_iter().map(answer).collect()
}

async fn outcomes<T, O, W, F>(work: &mut W, items: Vec<T>, stopped: &mut Option<Problem>) -> Vec<Result<O, Problem>>
where
    W: FnMut(Vec<T>) -> F,
    F: Future<Output = Result<Vec<Result<O, Problem>>, Failure>>,
{
    if items.is_empty() || stopped.is_some() {
        return Vec::new();
    }
    match work(items).await {
        Ok(outcomes) => outcomes,
        Err(failure) => {
            *stopped = Some(failure.into_problem());
            Vec::new()
        }
    }
}

/// The problem of a line whose outcome was not told.
fn unanswered(stopped: Option<&Problem>) -> Problem {
    stopped
        .cloned()
        .unwrap_or_else(|| Failure::internal("an import told fewer outcomes than it got items").into_problem())
}

/// An export as ndjson: page by page as it is read, each when the client has taken the one before.
///
/// A failure in the middle cuts the connection, so that a truncated export cannot be taken for a whole one.
pub fn export<T: Serialize, S>(pages: S) -> HttpResponse
where
    S: Stream<Item = Result<Vec<T>, Failure>> + 'static,
{
    stream(NDJSON, pages.map(|page| page.and_then(|items| lines(&items))))
}

fn lines<T: Serialize>(items: &[T]) -> Result<Bytes, Failure> {
    let mut lines = Vec::new();
    for item in items {
        serde_json::to_writer(&mut lines, item).map_err(Failure::internal)?;
        lines.push(b'\n');
    }
    Ok(lines.into())
}

/// A streamed answer of any media type, such as a csv export.
pub fn stream<S>(media_type: &'static str, chunks: S) -> HttpResponse
where
    S: Stream<Item = Result<Bytes, Failure>> + 'static,
{
    let chunks = chunks.map(|chunk| chunk.map_err(|failure| std::io::Error::other(failure.into_problem())));
    // An empty chunk would end a chunked body early.
    let chunks = chunks.filter(|chunk| std::future::ready(chunk.as_ref().map_or(true, |bytes| !bytes.is_empty())));
    HttpResponse::Ok().content_type(media_type).body(BodyStream::new(Box::pin(chunks)))
}
