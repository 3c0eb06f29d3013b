//! Trace context across processes, in the W3C's `traceparent` format (Trace Context, version 00).

use std::fmt::Write;

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The context of the span this is called in, to be stored or sent with what the span causes.
pub fn current_traceparent() -> Option<String> {
    let span = current()?;
    let mut text = String::with_capacity(55);
    let flags = span.trace_flags().to_u8();
    write!(text, "00-{:032x}-{:016x}-{flags:02x}", span.trace_id(), span.span_id()).ok()?;
    Some(text)
}

/// The trace that this is called in, as 32 hexadecimal digits.
pub fn current_trace_id() -> Option<String> {
    current().map(|span| span.trace_id().to_string())
}

/// Makes a span, not yet entered, the child of a span in another process. What is no valid `traceparent` is ignored.
/// A span that has a `trace_id` field gets it filled, so that its log lines name the trace.
pub fn set_parent(span: &Span, traceparent: &str) {
    if let Some(parent) = parse(traceparent) {
        span.record("trace_id", tracing::field::display(parent.trace_id()));
        // Refused only where the span is disabled or has begun: then it keeps the parent it has.
        let _ = span.set_parent(Context::new().with_remote_span_context(parent));
    }
}

/// Says that a span also follows from a span in another process: a batch handles what many requests caused.
pub fn add_link(span: &Span, traceparent: &str) {
    if let Some(cause) = parse(traceparent) {
        span.add_link(cause);
    }
}

fn current() -> Option<SpanContext> {
    let context = Span::current().context();
    let span = context.span().span_context().clone();
    span.is_valid().then_some(span)
}

fn parse(traceparent: &str) -> Option<SpanContext> {
    let mut parts = traceparent.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let widths = [(version, 2), (trace, 32), (span, 16), (flags, 2)];
    let well_formed = |(part, width): &(&str, usize)| {
        part.len() == *width && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    // A later version may append parts; version 00 has none, and ff is forbidden.
    if !widths.iter().all(well_formed) || version == "ff" || (version == "00" && parts.next().is_some()) {
        return None;
    }
    let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?) & TraceFlags::SAMPLED;
    let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
    let context = SpanContext::new(trace, span, flags, true, TraceState::NONE);
    context.is_valid().then_some(context)
}
