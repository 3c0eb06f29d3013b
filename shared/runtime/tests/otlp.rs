//! Spans reach a collector over OTLP. A process of its own, since telemetry is installed once per process.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, also in what its tests share")]

use std::time::{Duration, SystemTime};

use runtime::Settings;
use runtime::telemetry::{self, Effect, add_link, current_traceparent, record_effect, rename, set_parent};
use testkit::{CollectedSpan, Collector};
use tracing::info_span;

const CAUSE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const UNRECORDED: &str = "00-9bf92f3577b34da6a3ce929d0e0e4739-00f067aa0ba902b7-00";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spans_reach_the_collector_with_their_parent_their_links_and_their_effects() {
    let collector = Collector::start();
    let endpoint = ("ONEPOOL__TELEMETRY__OTLP_ENDPOINT".to_owned(), format!("{}/", collector.endpoint()));
    let settings = Settings::load(&[], None, [endpoint]).unwrap().platform().unwrap();
    let telemetry = telemetry::init("order", &settings.root.log, &settings.telemetry).unwrap();
    let span = info_span!("http");
    set_parent(&span, PARENT);
    add_link(&span, CAUSE);
    let traceparent = span.in_scope(current_traceparent).unwrap();
    rename(&span, || "POST /v1/orders".to_owned());
    drop(span);
    record_effect(effect(CAUSE));
    record_effect(effect(UNRECORDED));
    record_effect(effect("rubbish"));
    telemetry.shutdown();

    assert!(traceparent.ends_with("-01"), "the caller's decision to sample holds");
    let handled = only(&collector.trace("0af7651916cd43dd8448eb211c80319c"));
    assert_eq!((handled.service.as_str(), handled.name.as_str()), ("order", "POST /v1/orders"));
    assert_eq!((handled.id.as_str(), handled.parent.as_str()), (&traceparent[36..52], "b7ad6b7169203331"));
    assert_eq!(handled.linked, ["4bf92f3577b34da6a3ce929d0e0e4736"]);
    let effect = only(&collector.trace("4bf92f3577b34da6a3ce929d0e0e4736"));
    assert_eq!((effect.name.as_str(), effect.parent.as_str()), ("handle order.placed", "00f067aa0ba902b7"));
    assert_eq!(effect.attributes["service"], "inventory");
    assert!(collector.trace("9bf92f3577b34da6a3ce929d0e0e4739").is_empty(), "nobody records this trace");
}

fn effect(cause: &str) -> Effect<'_> {
    let since = SystemTime::UNIX_EPOCH;
    Effect {
        name: "handle order.placed".to_owned(),
        cause,
        since,
        until: since.checked_add(Duration::from_secs(1)).unwrap(),
        attributes: vec![("service", "inventory".to_owned())],
    }
}

fn only(spans: &[CollectedSpan]) -> CollectedSpan {
    assert_eq!(spans.len(), 1, "{spans:?}");
    spans.first().unwrap().clone()
}
