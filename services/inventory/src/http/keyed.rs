//! Batched writes with idempotency keys: the answers are stored in the transaction of the batch.

use contracts::{Problem, ProblemCode};
use service::Answer;
use store::idempotency::{self, Key, Started, StoredAnswer};
use store::{Error, Tx};

use crate::store::locks;

/// A command with the key of its request.
#[derive(Clone, Debug)]
pub struct Keyed<C> {
    /// The key, if the request has one.
    pub key: Option<Key>,
    /// What is to be done.
    pub command: C,
}

/// The answer of a command, and whether it was given before.
pub type Answered = (Answer, bool);

/// A command that did not happen.
#[derive(Clone, Debug)]
pub enum Refused<R> {
    /// The command refused.
    ByRule(R),
    /// The idempotency key belongs to another request.
    KeyReused,
    /// The transaction failed.
    Failed(Problem),
}

impl<R> From<Error> for Refused<R> {
    fn from(error: Error) -> Self {
        Self::Failed(error.into())
    }
}

impl<R: Into<Problem>> From<Refused<R>> for Problem {
    fn from(refused: Refused<R>) -> Self {
        match refused {
            Refused::ByRule(refusal) => refusal.into(),
            Refused::KeyReused => Self::new(ProblemCode::IdempotencyKeyReused)
                .field("Idempotency-Key", "was used before for another method, path or body"),
            Refused::Failed(problem) => problem,
        }
    }
}

/// What the transaction of a batch begins with: the pool's lock, unless there are keys to be claimed before it.
pub fn lock<C>(batch: &[Keyed<C>]) -> &'static str {
    if batch.iter().any(|it| it.key.is_some()) { "" } else { locks::POOL }
}

/// Runs those commands of a batch that were not answered before. A refused one gives its key back.
pub fn run<C, R: Clone>(
    tx: &mut Tx<'_>,
    batch: &[Keyed<C>],
    work: impl FnOnce(&mut Tx<'_>, &[&C]) -> Result<Vec<Result<Answer, R>>, Error>,
) -> Result<Vec<Result<Answered, Refused<R>>>, Error> {
    let keys: Vec<Option<&Key>> = batch.iter().map(|it| it.key.as_ref()).collect();
    let started = idempotency::begin_batch(tx, &keys)?;
    let fresh: Vec<&C> = batch
        .iter()
        .zip(&started)
        .filter(|(_, started)| **started == Started::Fresh)
        .map(|(it, _)| &it.command)
        .collect();
    let mut done = if fresh.is_empty() { Vec::new() } else { work(tx, &fresh)? }.into_iter();
    let mut results: Vec<Result<Answered, Refused<R>>> = Vec::with_capacity(batch.len());
    for (index, started) in started.iter().enumerate() {
        results.push(match started {
            Started::Fresh => {
                let outcome = done.next().ok_or(Error::Broken("a batch command answers once per command"))?;
                outcome.map(|answer| (answer, false)).map_err(Refused::ByRule)
            }
            Started::Replay(stored) => Ok((Answer::from_stored(stored.clone()), true)),
            Started::Reused => Err(Refused::KeyReused),
            Started::InFlight => same_as_earlier(batch, &results, index),
        });
    }
    keep(tx, &keys, &started, &results)?;
    Ok(results)
}

/// The same request stands earlier in the batch: its answer is this one's.
fn same_as_earlier<C, R: Clone>(
    batch: &[Keyed<C>],
    results: &[Result<Answered, Refused<R>>],
    index: usize,
) -> Result<Answered, Refused<R>> {
    let key = batch.get(index).and_then(|it| it.key.as_ref());
    let earlier = batch.iter().zip(results).find(|(it, _)| it.key.as_ref() == key);
    match earlier {
        Some((_, Ok((answer, _)))) => Ok((answer.clone(), true)),
        Some((_, Err(refused))) => Err(refused.clone()),
        None => Err(Refused::KeyReused),
    }
}

fn keep<R>(
    tx: &mut Tx<'_>,
    keys: &[Option<&Key>],
    started: &[Started],
    results: &[Result<Answered, Refused<R>>],
) -> Result<(), Error> {
    let fresh = keys.iter().zip(started).zip(results).filter(|((_, started), _)| **started == Started::Fresh);
    let mut stored: Vec<(&Key, StoredAnswer)> = Vec::new();
    let mut refused: Vec<&Key> = Vec::new();
    for ((key, _), result) in fresh {
        match (key, result) {
            (Some(key), Ok((answer, _))) => stored.push((key, answer.to_stored())),
            (Some(key), Err(_)) => refused.push(key),
            (None, _) => {}
        }
    }
    let stored: Vec<(&Key, &StoredAnswer)> = stored.iter().map(|(key, answer)| (*key, answer)).collect();
    idempotency::finish_batch(tx, &stored)?;
    idempotency::release(tx, &refused)
}
