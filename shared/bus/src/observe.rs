//! What consumers and relays show: spans that name the business, and the numbers to alert on.

use std::time::{Duration, SystemTime};

use contracts::Event;
use kernel::Timestamp;
use metrics::{Counter, Gauge, Histogram};
use runtime::telemetry::{Effect, record_effect};
use store::outbox::Backlog;
use tracing::Span;

/// The causes a batch's span is linked to: enough to find the batch from most requests, few enough to cost nothing.
const MAX_LINKS: usize = 64;

/// The numbers of one subscription.
#[derive(Clone)]
pub(crate) struct Meters {
    service: String,
    subscription: &'static str,
    consumed: Counter,
    lag: Histogram,
    batch_events: Histogram,
    batch_seconds: Histogram,
    waiting: Counter,
    parked: Counter,
}

impl Meters {
    pub fn new(service: &str, subscription: &'static str) -> Self {
        let labels = [("service", service.to_owned()), ("subscription", subscription.to_owned())];
        Self {
            service: service.to_owned(),
            subscription,
            consumed: metrics::counter!("onepool_events_consumed_total", &labels),
            lag: metrics::histogram!("onepool_event_lag_seconds", &labels),
            batch_events: metrics::histogram!("onepool_consumer_batch_events", &labels),
            batch_seconds: metrics::histogram!("onepool_consumer_batch_seconds", &labels),
            waiting: metrics::counter!("onepool_events_set_aside_total", &labels),
            parked: metrics::counter!("onepool_events_parked_total", &labels),
        }
    }

    /// A span for a batch, linked to what caused its events.
    pub fn span(&self, events: &[Event]) -> Span {
        let first = events.first();
        let span = tracing::info_span!(
            "consume events",
            service = self.service,
            subscription = self.subscription,
            events = events.len(),
            event.kind = first.map(|event| event.kind.as_str()),
            event.subject = first.map(|event| event.subject.as_str()),
        );
        let mut last = None;
        let causes = events.iter().filter_map(|event| event.traceparent.as_deref());
        for cause in causes.filter(|cause| last.replace(*cause) != Some(*cause)).take(MAX_LINKS) {
            runtime::telemetry::add_link(&span, cause);
        }
        span
    }

    /// Counts a batch that is settled.
    pub fn settled(&self, events: &[Event], now: Timestamp, took: Duration) {
        self.consumed.increment(u64::try_from(events.len()).unwrap_or(u64::MAX));
        self.batch_events.record(u32::try_from(events.len()).unwrap_or(u32::MAX));
        self.batch_seconds.record(took);
        for event in events {
            let micros = now.unix_micros().saturating_sub(event.time.unix_micros());
            self.lag.record(Duration::from_micros(u64::try_from(micros).unwrap_or(0)));
            self.traced(event, now, took);
        }
    }

    /// Shows in the trace of an event's cause that it was handled here.
    fn traced(&self, event: &Event, now: Timestamp, took: Duration) {
        // Most causes are not recorded, and are told so without the cost of a span's attributes.
        let Some(cause) = event.traceparent.as_deref().filter(|cause| !cause.ends_with("-00")) else { return };
        let until = SystemTime::from(now.utc());
        record_effect(Effect {
            name: format!("handle {}", event.kind),
            cause,
            since: until.checked_sub(took).unwrap_or(until),
            until,
            attributes: vec![
                ("service", self.service.clone()),
                ("subscription", self.subscription.to_owned()),
                ("event.id", event.id.to_string()),
                ("event.kind", event.kind.clone()),
                ("event.subject", event.subject.clone()),
            ],
        });
    }

    /// Counts an event that became, or stays, a dead letter.
    pub fn set_aside(&self, parked: bool) {
        if parked {
            self.parked.increment(1);
        } else {
            self.waiting.increment(1);
        }
    }
}

/// The numbers of one service's relay.
#[derive(Clone)]
pub(crate) struct RelayMeters {
    pub leads: Gauge,
    backlog_events: Gauge,
    backlog_seconds: Gauge,
    pub in_flight: Gauge,
    pub confirmed_events: Counter,
    pub confirm_seconds: Histogram,
    pub refused: Counter,
}

impl RelayMeters {
    pub fn new(service: &str) -> Self {
        let labels = [("service", service.to_owned())];
        Self {
            leads: metrics::gauge!("onepool_relay_leads", &labels),
            backlog_events: metrics::gauge!("onepool_outbox_events", &labels),
            backlog_seconds: metrics::gauge!("onepool_outbox_oldest_seconds", &labels),
            in_flight: metrics::gauge!("onepool_relay_messages_in_flight", &labels),
            confirmed_events: metrics::counter!("onepool_events_published_total", &labels),
            confirm_seconds: metrics::histogram!("onepool_relay_confirm_seconds", &labels),
            refused: metrics::counter!("onepool_relay_refused_total", &labels),
        }
    }

    /// Shows what waits in the outbox.
    pub fn backlog(&self, backlog: &Backlog, now: Timestamp) {
        let oldest = backlog.oldest.map_or(0, |told| now.unix_micros().saturating_sub(told.timestamp_micros()));
        self.backlog_events.set(u32::try_from(backlog.events).unwrap_or(u32::MAX));
        self.backlog_seconds.set(Duration::from_micros(u64::try_from(oldest).unwrap_or(0)));
    }
}
