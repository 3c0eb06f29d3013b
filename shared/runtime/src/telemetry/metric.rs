//! The metrics recorder: one per process, read as Prometheus text.

use std::sync::OnceLock;
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::time::{MissedTickBehavior, interval};

use crate::Lifecycle;

/// Histograms gather samples until someone sorts them into buckets; where nobody scrapes, this does.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);
/// From a cached read (half a millisecond) to a request that a client gives up on (10 s), and on to an event that gave way
/// (30 s) or is hours late, which alerts must tell apart.
const DURATION_BUCKETS_SECONDS: [f64; 18] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 600.0];
/// Sizes and counts of what goes in one batch.
const SIZE_BUCKETS: [f64; 10] = [1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0];

static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();

/// Everything that was counted and measured, in Prometheus' text format.
pub fn metrics_text() -> String {
    install().render()
}

/// Keeps the histograms small for as long as the process lives.
pub fn spawn_upkeep(lifecycle: &Lifecycle) {
    let token = lifecycle.token();
    lifecycle.spawn("metrics upkeep", async move {
        let mut ticks = interval(UPKEEP_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while token.run_until_cancelled(ticks.tick()).await.is_some() {
            install().run_upkeep();
        }
    });
}

/// Names ending in `_seconds` are durations, all other histograms are sizes.
pub(super) fn install() -> &'static PrometheusHandle {
    RECORDER.get_or_init(|| {
        let builder = PrometheusBuilder::new();
        let recorder = builder
            .set_buckets(&SIZE_BUCKETS)
            .and_then(|builder| {
                builder.set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &DURATION_BUCKETS_SECONDS)
            })
            .unwrap_or_default()
            .build_recorder();
        let handle = recorder.handle();
        if metrics::set_global_recorder(recorder).is_err() {
            tracing::warn!("another metrics recorder was installed first; ours stays empty");
        }
        handle
    })
}
