//! What every answer passes on its way out: security headers, and a problem where actix itself refused.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse};
use contracts::{Problem, ProblemCode};

use crate::failure::answer_problem;

/// An API answer loads nothing and is shown in no frame.
const API_POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

/// Headers on every answer that does not set them itself.
const HEADERS: [(HeaderName, HeaderValue); 5] = [
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (CONTENT_SECURITY_POLICY, API_POLICY),
];

/// The outermost middleware but for the span.
pub(crate) async fn edge<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let response = next.call(request).await?.map_into_boxed_body();
    let mut response = if speaks_for_itself(&response) { response } else { as_problem(response) };
    for (name, value) in HEADERS {
        if !response.headers().contains_key(&name) {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}

/// Whether the answer is a success, or carries a body that a client can read.
fn speaks_for_itself(response: &ServiceResponse) -> bool {
    let status = response.status();
    let written = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    !(status.is_client_error() || status.is_server_error())
        || written.is_some_and(|media_type| media_type.contains("json"))
}

fn as_problem(response: ServiceResponse) -> ServiceResponse {
    let status = response.status();
    if status.is_server_error() {
        let cause = response.response().error().map(ToString::to_string);
        tracing::error!(http.response.status_code = status.as_u16(), cause, "the request failed on our side");
    }
    let code = match status {
        StatusCode::UNAUTHORIZED => ProblemCode::Unauthenticated,
        StatusCode::FORBIDDEN => ProblemCode::Forbidden,
        StatusCode::NOT_FOUND => ProblemCode::NotFound,
        StatusCode::METHOD_NOT_ALLOWED => ProblemCode::MethodNotAllowed,
        StatusCode::PAYLOAD_TOO_LARGE => ProblemCode::TooLarge,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => ProblemCode::UnsupportedMediaType,
        StatusCode::TOO_MANY_REQUESTS => ProblemCode::RateLimited,
        StatusCode::SERVICE_UNAVAILABLE => ProblemCode::Unavailable,
        other if other.is_server_error() => ProblemCode::Internal,
        _ => ProblemCode::Malformed,
    };
    let (request, refused) = response.into_parts();
    let mut answer = answer_problem(&Problem::new(code));
    for (name, value) in refused.headers() {
        if name != CONTENT_TYPE {
            answer.headers_mut().append(name.clone(), value.clone());
        }
    }
    ServiceResponse::new(request, answer)
}

/// A path that nobody serves.
pub(crate) async fn unknown_path() -> HttpResponse {
    answer_problem(&Problem::new(ProblemCode::NotFound).detail("there is no such path; /openapi.json lists them all"))
}
