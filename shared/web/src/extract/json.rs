//! A JSON body.

use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use contracts::{Problem, ProblemCode};
use serde::de::DeserializeOwned;

use super::{malformed, nul};
use crate::Failure;
use crate::body::{media_type, read_whole};

/// A JSON body, read whole and at most [`Limits::body_bytes`](crate::Limits::body_bytes) long.
///
/// 400 `malformed` names the field where reading stopped, 413 `too_large`, 415 `unsupported_media_type`. The digest of
/// the raw bytes becomes part of [`Meta::fingerprint`](super::Meta::fingerprint).
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);

impl<T> Json<T> {
    /// The body itself.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Json<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: DeserializeOwned + 'static> FromRequest for Json<T> {
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Failure>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let is_json = media_type(request).is_none_or(|media_type| is_json(&media_type));
        let body = read_whole(request, payload);
        Box::pin(async move {
            if !is_json {
                let problem = Problem::new(ProblemCode::UnsupportedMediaType);
                return Err(problem.detail("send the body as application/json").into());
            }
            parse(&body.await?).map(Self).map_err(Failure::from)
        })
    }
}

fn is_json(media_type: &str) -> bool {
    media_type == "application/json" || (media_type.starts_with("application/") && media_type.ends_with("+json"))
}

/// One JSON value out of the bytes, with nothing after it.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    if body.is_empty() {
        return Err(Problem::new(ProblemCode::Malformed).detail("a JSON body is needed"));
    }
    let value = serde_json::from_slice(body).map_err(|error| {
        located::<T>(body).unwrap_or_else(|| Problem::new(ProblemCode::Malformed).field("", error.to_string()))
    })?;
    nul::refuse_in_json(body)?;
    Ok(value)
}

/// The problem with the field where reading stopped. To follow the path costs as much as to read, so it is done only for
/// a body that failed; none when the value itself was fine and something comes after it.
fn located<T: DeserializeOwned>(body: &[u8]) -> Option<Problem> {
    let mut source = serde_json::Deserializer::from_slice(body);
    serde_path_to_error::deserialize::<_, T>(&mut source).err().map(|error| malformed(&error))
}
