//! The span of a request: continued from the caller's `traceparent`, named by method and route, free of personal data.
//!
//! Paths and queries may hold personal data, so the route's pattern is recorded instead, by the gate that knows it.

use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::ServiceRequest;
use actix_web::http::header::HeaderName;
use actix_web::http::{Method, StatusCode};
use bytes::Bytes;
use tracing::Span;
use tracing::field::{Empty, display};

/// Where the caller says which trace the request belongs to (W3C Trace Context).
static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The span of a request that begins.
pub(crate) fn begin(request: &ServiceRequest) -> Span {
    let span = tracing::info_span!(
        "http",
        http.request.method = label(request.method()),
        http.route = Empty,
        http.response.status_code = Empty,
        client.id = Empty,
        otel.kind = "server",
        otel.status_code = Empty,
        trace_id = Empty,
    );
    let parent = request.headers().get(&TRACEPARENT).and_then(|value| value.to_str().ok());
    // A parent that is taken over is recorded with it.
    if !parent.is_some_and(|parent| runtime::telemetry::set_parent(&span, parent))
        && let Some(trace_id) = runtime::telemetry::trace_id_of(&span)
    {
        span.record("trace_id", display(trace_id));
    }
    span
}

/// What is said of a request once it is answered.
pub(crate) fn end(span: &Span, status: StatusCode) {
    tracing::record_all!(
        span,
        http.response.status_code = status.as_u16(),
        otel.status_code = if status.is_server_error() { "ERROR" } else { "OK" }
    );
}

/// A method as it is named in traces and metrics: anybody may invent one, and each name would be kept for ever, so those that
/// HTTP does not know share a name (OpenTelemetry's semantic conventions for HTTP).
pub(crate) fn label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::CONNECT => "CONNECT",
        Method::TRACE => "TRACE",
        _ => "_OTHER",
    }
}

/// A body that is made while it is sent, in the span of its request. One that is whole needs no span any more.
pub(crate) fn within(span: &Span, body: BoxBody) -> BoxBody {
    if body.size() == BodySize::Stream { BoxBody::new(Traced { span: span.clone(), body }) } else { body }
}

struct Traced {
    span: Span,
    body: BoxBody,
}

impl MessageBody for Traced {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let Self { span, body } = self.get_mut();
        span.in_scope(|| Pin::new(body).poll_next(context))
    }
}
