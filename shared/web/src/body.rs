//! Bytes of a request body as they arrive, with the pause between them bounded.

use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::web::Bytes;
use contracts::{Problem, ProblemCode};
use futures_util::StreamExt;

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
