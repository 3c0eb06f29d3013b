//! A JSON body.

use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use actix_web::web::BytesMut;
use actix_web::{FromRequest, HttpRequest};
use contracts::{Problem, ProblemCode};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::malformed;
use super::meta::BodyDigest;
use crate::body::Body;
use crate::{Failure, Limits};

/// A JSON body, read whole and at most [`Limits::body_bytes`] long.
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
        let limits = Limits::of(request);
        let accepted = accept(request, limits.body_bytes);
        let digest = BodyDigest::of(request);
        let body = Body::new(payload.take(), limits.body_pause);
        Box::pin(async move {
            let expected = accepted?;
            let body = read(body, expected, limits.body_bytes).await?;
            digest.set(Sha256::digest(&body).into());
            parse(&body).map(Self).map_err(Failure::from)
        })
    }
}

/// Refuses what need not be read at all; tells how many bytes are announced.
fn accept(request: &HttpRequest, limit: usize) -> Result<usize, Problem> {
    if let Some(media_type) = request.headers().get(CONTENT_TYPE) {
        let essence = media_type.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
        let subtype = essence.to_ascii_lowercase();
        if subtype != "application/json" && !(subtype.starts_with("application/") && subtype.ends_with("+json")) {
            return Err(Problem::new(ProblemCode::UnsupportedMediaType).detail("send the body as application/json"));
        }
    }
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    match announced {
        Some(length) if length > limit => Err(too_large(limit)),
        other => Ok(other.unwrap_or(0)),
    }
}

async fn read(mut arriving: Body, expected: usize, limit: usize) -> Result<BytesMut, Problem> {
    let mut body = BytesMut::with_capacity(expected);
    while let Some(piece) = arriving.next().await {
        let piece = piece?;
        if body.len().saturating_add(piece.len()) > limit {
            return Err(too_large(limit));
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

/// One JSON value out of the bytes, with nothing after it.
pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    if body.is_empty() {
        return Err(Problem::new(ProblemCode::Malformed).detail("a JSON body is needed"));
    }
    let mut source = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut source).map_err(|error| malformed(&error))?;
    source.end().map_err(|error| Problem::new(ProblemCode::Malformed).field("", error.to_string()))?;
    Ok(value)
}

fn too_large(limit: usize) -> Problem {
    Problem::new(ProblemCode::TooLarge).detail(format!("the limit is {limit} bytes"))
}
