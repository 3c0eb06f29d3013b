//! Bytes of a request body as they arrive: the pause between them and their number are bounded.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use actix_web::web::{Bytes, BytesMut};
use contracts::{Problem, ProblemCode};
use futures_util::StreamExt;
use sha2::{Digest, Sha256};

use crate::Limits;
use crate::extract::BodyDigest;

/// A body that arrives.
pub(crate) struct Body {
    payload: Payload,
    pause: Duration,
}

impl Body {
    pub(crate) fn new(payload: Payload, pause: Duration) -> Self {
        Self { payload, pause }
    }

    /// The next piece; none at the end.
    pub(crate) async fn next(&mut self) -> Option<Result<Bytes, Problem>> {
        match tokio::time::timeout(self.pause, self.payload.next()).await {
            Ok(piece) => piece.map(|piece| piece.map_err(|error| broken(&error.to_string()))),
            Err(_) => Some(Err(broken("it stood still for too long"))),
        }
    }
}

fn broken(why: &str) -> Problem {
    Problem::new(ProblemCode::Malformed).detail(format!("the body did not arrive whole: {why}"))
}

/// The media type of the body in lower case, without its parameters; none where the client names none.
pub(crate) fn media_type(request: &HttpRequest) -> Option<String> {
    let value = request.headers().get(CONTENT_TYPE)?.to_str().unwrap_or_default();
    Some(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

/// Reads the body whole, refuses it where it is too long, and keeps its digest for the request's fingerprint.
pub(crate) fn read_whole(
    request: &HttpRequest,
    payload: &mut Payload,
) -> impl Future<Output = Result<Bytes, Problem>> + use<> {
    let limits = Limits::of(request);
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let digest = BodyDigest::of(request);
    let body = Body::new(payload.take(), limits.body_pause);
    async move {
        let body = gather(body, announced.unwrap_or(0), limits.body_bytes).await?;
        digest.set(Sha256::digest(&body).into());
        Ok(body)
    }
}

async fn gather(mut arriving: Body, announced: usize, limit: usize) -> Result<Bytes, Problem> {
    let too_large = || Problem::new(ProblemCode::TooLarge).detail(format!("the limit is {limit} bytes"));
    if announced > limit {
        return Err(too_large());
    }
    let mut body = BytesMut::with_capacity(announced);
    while let Some(piece) = arriving.next().await {
        let piece = piece?;
        if body.len().saturating_add(piece.len()) > limit {
            return Err(too_large());
        }
        body.extend_from_slice(&piece);
    }
    Ok(body.freeze())
}
