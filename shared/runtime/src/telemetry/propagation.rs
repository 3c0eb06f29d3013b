//! Trace context across processes, in the W3C's `traceparent` format (Trace Context, version 00).

use std::fmt::{Display, Write};
use std::time::SystemTime;

use opentelemetry::trace::{
    Span as _, SpanContext, SpanId, SpanKind, TraceContextExt, TraceFlags, TraceId, TraceState, Tracer,
};
use opentelemetry::{Context, KeyValue, global};
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

/// The trace of a span, shown as 32 hexadecimal digits.
pub fn trace_id_of(span: &Span) -> Option<impl Display + use<>> {
    context_of(span).map(|span| span.trace_id())
}

/// Makes a span, not yet entered, the child of a span in another process, and says whether it is. What is no valid
/// `traceparent` is ignored. A span that has a `trace_id` field gets it filled, so that its log lines name the trace.
pub fn set_parent(span: &Span, traceparent: &str) -> bool {
    let Some(parent) = parse(traceparent) else { return false };
    span.record("trace_id", tracing::field::display(parent.trace_id()));
    // Refused only where the span is disabled or has begun: then it keeps the parent it has.
    span.set_parent(Context::new().with_remote_span_context(parent)).is_ok()
}

/// Gives a span a name that was not known when it began; asked for only where the span is recorded.
pub fn rename(span: &Span, name: impl FnOnce() -> String) {
    if !super::is_collected() {
        return;
    }
    let context = span.context();
    let span = context.span();
    if span.is_recording() {
        span.update_name(name());
    }
}

/// Says that a span also follows from a span in another process: a batch handles what many requests caused.
pub fn add_link(span: &Span, traceparent: &str) {
    if let Some(cause) = parse(traceparent) {
        span.add_link(cause);
    }
}

/// What one of many causes had as its effect, when all of them were handled together.
#[derive(Clone, Debug)]
pub struct Effect<'e> {
    /// What was done, for the name of the span.
    pub name: String,
    /// The cause, as a `traceparent`.
    pub cause: &'e str,
    /// When the handling began.
    pub since: SystemTime,
    /// When it was done.
    pub until: SystemTime,
    /// What else to say.
    pub attributes: Vec<(&'static str, String)>,
}

/// Records an effect as a span in the trace of its cause, so that a trace can be followed through a batch, whose own span
/// can be in one trace only. Where the cause's trace is not recorded, nothing is.
pub fn record_effect(effect: Effect<'_>) {
    let Some(cause) = parse(effect.cause).filter(SpanContext::is_sampled) else { return };
    let tracer = global::tracer("onepool");
    let attributes = effect.attributes.into_iter().map(|(key, value)| KeyValue::new(key, value));
    let mut span = tracer
        .span_builder(effect.name)
        .with_kind(SpanKind::Consumer)
        .with_start_time(effect.since)
        .with_attributes(attributes)
        .start_with_context(&tracer, &Context::new().with_remote_span_context(cause));
    span.end_with_timestamp(effect.until);
}

fn current() -> Option<SpanContext> {
    context_of(&Span::current())
}

fn context_of(span: &Span) -> Option<SpanContext> {
    let context = span.context();
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
