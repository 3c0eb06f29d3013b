//! Writes over HTTP: a command and its idempotency record in one transaction.

use actix_web::HttpResponse;
use contracts::{Problem, ProblemCode};
use store::idempotency::{self, Key, Started};
use store::{Error, Store, Tx};
use web::{Failure, Meta};

use crate::Answer;

/// A write that did not happen.
#[derive(Debug)]
pub enum WriteError<E> {
    /// The command refused.
    Refused(E),
    /// The idempotency key belongs to another request.
    KeyReused,
    /// The transaction failed.
    Store(Error),
}

impl<E> From<Error> for WriteError<E> {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl<E: Into<Problem>> From<WriteError<E>> for Problem {
    fn from(error: WriteError<E>) -> Self {
        match error {
            WriteError::Refused(refusal) => refusal.into(),
            WriteError::KeyReused => Self::new(ProblemCode::IdempotencyKeyReused)
                .field("Idempotency-Key", "was used before for another method, path or body"),
            WriteError::Store(error) => error.into(),
        }
    }
}

/// Runs a command in a transaction and answers with what it answers; a request whose `Idempotency-Key` was seen before
/// gets the stored answer. A refused command stores nothing, so the caller may correct and repeat it.
pub async fn write<E>(
    meta: &Meta,
    store: &Store,
    name: &'static str,
    command: impl FnOnce(&mut Tx<'_>) -> Result<Answer, E> + Send + 'static,
) -> Result<HttpResponse, Failure>
where
    E: Into<Problem> + Send + 'static,
{
    let key = key_of(meta);
    let (answer, replayed) = store
        .transact(name, move |tx| {
            let Some(key) = key else {
                return command(tx).map(|answer| (answer, false)).map_err(WriteError::Refused);
            };
            match idempotency::begin(tx, &key)? {
                Started::Replay(stored) => Ok((Answer::from_stored(stored), true)),
                Started::Reused | Started::InFlight => Err(WriteError::KeyReused),
                Started::Fresh => {
                    let answer = command(tx).map_err(WriteError::Refused)?;
                    idempotency::finish(tx, &key, &answer.to_stored())?;
                    Ok((answer, false))
                }
            }
        })
        .await?;
    Ok(answer.respond(replayed))
}

/// The idempotency key of a request, if it has one.
pub fn key_of(meta: &Meta) -> Option<Key> {
    meta.idempotency_key.as_ref().map(|key| Key {
        client: meta.principal.client_id.to_string(),
        key: key.clone(),
        fingerprint: meta.fingerprint(),
    })
}
