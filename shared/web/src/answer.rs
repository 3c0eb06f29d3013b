//! Successful answers: JSON, with the resource's version as its `ETag`.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, ETAG, HeaderValue};
use serde::Serialize;

use crate::Failure;

/// What a handler answers with.
pub type Answer = Result<HttpResponse, Failure>;

/// 200 with a body that has no version, such as a list.
pub fn ok<T: Serialize>(body: &T) -> HttpResponse {
    json(StatusCode::OK, body, None)
}

/// 200 with a resource and its version.
pub fn versioned<T: Serialize>(body: &T, version: i64) -> HttpResponse {
    json(StatusCode::OK, body, Some(version))
}

/// 201 with the new resource and its version.
pub fn created<T: Serialize>(body: &T, version: i64) -> HttpResponse {
    json(StatusCode::CREATED, body, Some(version))
}

/// 202 with the resource as it is now; it goes on elsewhere.
pub fn accepted<T: Serialize>(body: &T, version: i64) -> HttpResponse {
    json(StatusCode::ACCEPTED, body, Some(version))
}

/// 204: done, with nothing to say.
pub fn no_content() -> HttpResponse {
    HttpResponse::NoContent().finish()
}

/// Room for a body to begin with: most fit in, and growing copies.
const ROOM: usize = 1 << 10;

/// A JSON body with a status and perhaps a version.
pub fn json<T: Serialize>(status: StatusCode, body: &T, version: Option<i64>) -> HttpResponse {
    let mut bytes = Vec::with_capacity(ROOM);
    match serde_json::to_writer(&mut bytes, body) {
        Ok(()) => raw(status, bytes, version),
        Err(error) => actix_web::ResponseError::error_response(&Failure::internal(error)),
    }
}

/// JSON that is already text, such as a stored answer that is replayed.
pub fn raw(status: StatusCode, body: impl Into<Vec<u8>>, version: Option<i64>) -> HttpResponse {
    let mut response = HttpResponse::build(status);
    response.insert_header((CONTENT_TYPE, HeaderValue::from_static("application/json")));
    if let Some(etag) = version.and_then(etag) {
        response.insert_header((ETAG, etag));
    }
    response.body(body.into())
}

/// The `ETag` of a version.
fn etag(version: i64) -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("\"{version}\"")).ok()
}
