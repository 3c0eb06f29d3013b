//! The event envelope: CloudEvents 1.0 in JSON, as it lies in the outbox and travels over the bus.

use kernel::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

/// The media type of one event.
pub const MEDIA_TYPE: &str = "application/cloudevents+json";
/// The media type of a batch of events, which is what one AMQP message carries.
pub const BATCH_MEDIA_TYPE: &str = "application/cloudevents-batch+json";

/// One fact that happened, with the CloudEvents attributes OnePool uses.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Event {
    /// Always `1.0`.
    pub specversion: SpecVersion,
    /// Unique; consumers take an id once.
    pub id: Uuid,
    /// The service that tells, as `onepool/<service>`.
    pub source: String,
    /// The event's name, such as `order.placed`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The payload's version, counted from 1.
    #[serde(rename = "dataversion")]
    pub version: u16,
    /// The aggregate it happened to; events with the same subject and source arrive in order.
    pub subject: String,
    /// When it happened.
    pub time: Timestamp,
    /// W3C trace context of the request or event that caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// The id of the event that caused it, if an event did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causationid: Option<Uuid>,
    /// The payload, still as text: it is parsed once, by whoever consumes it.
    pub data: Box<RawValue>,
}

/// The CloudEvents version, `1.0`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum SpecVersion {
    /// CloudEvents 1.0.
    #[default]
    #[serde(rename = "1.0")]
    V1,
}

/// A payload with its event's name and version.
pub trait Payload: Serialize + DeserializeOwned {
    /// The event's name, such as `order.placed`.
    const KIND: &'static str;
    /// The payload's version.
    const VERSION: u16 = 1;

    /// The aggregate the event happened to.
    fn subject(&self) -> String;
}

/// An event whose payload is not what its name promises.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    /// Another event than expected.
    #[error("expected {expected}, got {got}")]
    Kind {
        /// The expected name.
        expected: &'static str,
        /// The name found.
        got: String,
    },
    /// JSON that does not fit the payload's shape.
    #[error("the payload of {kind} does not parse: {source}")]
    Shape {
        /// The event's name.
        kind: &'static str,
        /// Where parsing stopped.
        source: serde_json::Error,
    },
}

impl Event {
    /// The payload as the type its name promises.
    pub fn payload<P: Payload>(&self) -> Result<P, PayloadError> {
        if self.kind != P::KIND {
            return Err(PayloadError::Kind { expected: P::KIND, got: self.kind.clone() });
        }
        serde_json::from_str(self.data.get()).map_err(|source| PayloadError::Shape { kind: P::KIND, source })
    }

    /// What an event caused by this one carries on.
    pub fn as_cause(&self) -> Cause {
        Cause { traceparent: self.traceparent.clone(), event: Some(self.id) }
    }
}

/// What made something happen: carried from the request or event into every event that follows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cause {
    /// W3C trace context.
    pub traceparent: Option<String>,
    /// The event that caused it; none for a request.
    pub event: Option<Uuid>,
}
