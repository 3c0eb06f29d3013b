//! Trace ids are there and are handed on without any collector, and metrics can be read.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, also in what its tests share")]

use runtime::telemetry::{self, add_link, current_trace_id, current_traceparent, metrics_text, set_parent};
use runtime::{Lifecycle, Settings};
use tracing::info_span;

const REMOTE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn install() {
    let settings = Settings::load(&[], None, []).unwrap().platform().unwrap();
    telemetry::init("onepool", &settings.root.log, &settings.telemetry).unwrap();
    telemetry::init("onepool", &settings.root.log, &settings.telemetry).unwrap();
}

#[test]
fn outside_any_span_there_is_no_trace() {
    install();
    assert_eq!(current_traceparent(), None);
    assert_eq!(current_trace_id(), None);
}

#[test]
fn a_span_has_a_trace_that_its_children_share() {
    install();
    let outer = info_span!("outer").in_scope(|| {
        let outer = current_traceparent().unwrap();
        let inner = info_span!("inner").in_scope(|| current_traceparent().unwrap());
        assert_eq!(outer[..35], inner[..35], "one trace");
        assert_ne!(outer[36..52], inner[36..52], "two spans");
        outer
    });
    assert_eq!((outer.len(), &outer[..3]), (55, "00-"));
    assert_ne!(&outer[3..35], "0".repeat(32));
}

#[test]
fn a_span_continues_the_trace_of_another_process() {
    install();
    let span = info_span!("consume");
    set_parent(&span, REMOTE);
    let (traceparent, trace) = span.in_scope(|| (current_traceparent().unwrap(), current_trace_id().unwrap()));
    assert_eq!(trace, "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(&traceparent[3..35], trace);
    assert_ne!(&traceparent[36..52], "00f067aa0ba902b7", "it is a span of its own");
}

#[test]
fn what_is_no_traceparent_is_ignored() {
    install();
    let broken = [
        "",
        "00",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        "00-4bf92f3577b34da6a3ce929d0e0e473-000f067aa0ba902b7-01",
    ];
    for text in broken {
        let span = info_span!("consume");
        set_parent(&span, text);
        add_link(&span, text);
        let trace = span.in_scope(current_trace_id).unwrap();
        assert_ne!(trace, "4bf92f3577b34da6a3ce929d0e0e4736", "{text}");
    }
}

#[test]
fn a_later_version_may_carry_more() {
    install();
    let span = info_span!("consume");
    set_parent(&span, "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more");
    assert_eq!(span.in_scope(current_trace_id).unwrap(), "4bf92f3577b34da6a3ce929d0e0e4736");
}

#[test]
fn metrics_are_read_as_prometheus_text_with_buckets() {
    install();
    metrics::counter!("orders_total", "channel" => "tmall").increment(3);
    metrics::histogram!("transaction_seconds").record(0.004);
    metrics::histogram!("batch_size").record(7.0);
    let text = metrics_text();
    assert!(text.contains("orders_total{channel=\"tmall\"} 3"), "{text}");
    assert!(text.contains("transaction_seconds_bucket{le=\"0.005\"} 1"), "{text}");
    assert!(text.contains("transaction_seconds_bucket{le=\"0.0025\"} 0"), "{text}");
    assert!(text.contains("batch_size_bucket{le=\"10\"} 1"), "{text}");
}

#[tokio::test]
async fn the_upkeep_of_metrics_ends_with_the_process() {
    let lifecycle = Lifecycle::new();
    telemetry::spawn_upkeep(&lifecycle);
    assert_eq!(lifecycle.shutdown(std::time::Duration::from_secs(10)).await, Ok(()));
}
