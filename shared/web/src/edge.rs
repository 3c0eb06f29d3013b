//! The outermost middleware: every request gets its span here, and every answer its security headers, and a problem where
//! actix itself refused.

use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::task::{Context, Poll, ready as ready_or_pending};

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::http::StatusCode;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use actix_web::{Error, HttpResponse};
use contracts::{Problem, ProblemCode};
use tracing::Span;

use crate::failure::answer_problem;
use crate::trace;

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

/// The middleware.
pub(crate) struct Edge;

impl<S, B> Transform<S, ServiceRequest> for Edge
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<BoxBody>;
    type Error = Error;
    type Transform = Edged<S>;
    type InitError = ();
    type Future = Ready<Result<Edged<S>, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(Edged { service }))
    }
}

/// Everything that is served, inside its edge.
pub(crate) struct Edged<S> {
    service: S,
}

impl<S, B> Service<ServiceRequest> for Edged<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<BoxBody>;
    type Error = Error;
    type Future = Answering<S::Future>;

    forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let span = trace::begin(&request);
        let answering = span.in_scope(|| self.service.call(request));
        Answering { span, answering: Box::pin(answering) }
    }
}

/// A request that is being answered, in its span.
pub(crate) struct Answering<F> {
    span: Span,
    answering: Pin<Box<F>>,
}

impl<F, B> Future for Answering<F>
where
    F: Future<Output = Result<ServiceResponse<B>, Error>>,
    B: MessageBody + 'static,
{
    type Output = Result<ServiceResponse<BoxBody>, Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { span, answering } = self.get_mut();
        let _entered = span.enter();
        let answered = ready_or_pending!(answering.as_mut().poll(context));
        let answered = answered.map(|response| finish(response.map_into_boxed_body()));
        let status = match &answered {
            Ok(response) => response.status(),
            Err(error) => error.as_response_error().status_code(),
        };
        trace::end(span, status);
        Poll::Ready(answered.map(|response| response.map_body(|_, body| trace::within(span, body))))
    }
}

fn finish(response: ServiceResponse) -> ServiceResponse {
    let mut response = if speaks_for_itself(&response) { response } else { as_problem(response) };
    let headers = response.headers_mut();
    headers.reserve(HEADERS.len());
    for (name, value) in HEADERS {
        if !headers.contains_key(&name) {
            headers.insert(name, value);
        }
    }
    response
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
