//! The span of a request: continued from the caller's `traceparent`, named by method and route, free of personal data.

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use tracing::Span;
use tracing::field::{Empty, display};
use tracing_actix_web::RootSpanBuilder;

/// Builds the root span of each request. Paths and queries may hold personal data, so the route's pattern is recorded
/// instead, by the gate that knows it.
pub(crate) struct RequestSpan;

impl RootSpanBuilder for RequestSpan {
    fn on_request_start(request: &ServiceRequest) -> Span {
        let span = tracing::info_span!(
            "http",
            http.request.method = %request.method(),
            http.route = Empty,
            http.response.status_code = Empty,
            client.id = Empty,
            otel.kind = "server",
            otel.status_code = Empty,
            trace_id = Empty,
        );
        if let Some(parent) = request.headers().get("traceparent").and_then(|value| value.to_str().ok()) {
            runtime::telemetry::set_parent(&span, parent);
        }
        if let Some(trace_id) = span.in_scope(runtime::telemetry::current_trace_id) {
            span.record("trace_id", display(trace_id));
        }
        span
    }

    fn on_request_end<B: MessageBody>(span: Span, outcome: &Result<ServiceResponse<B>, Error>) {
        let status = match outcome {
            Ok(response) => response.status(),
            Err(error) => error.as_response_error().status_code(),
        };
        span.record("http.response.status_code", status.as_u16());
        span.record("otel.status_code", if status.is_server_error() { "ERROR" } else { "OK" });
    }
}
