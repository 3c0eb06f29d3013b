//! The broker from outside: what waits in its queues, and messages that no relay sent.

use std::collections::{BTreeMap, VecDeque};

use futures_util::StreamExt;
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions,
    QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use rand::Rng;
use rand::rngs::StdRng;
use serde_json::Value;

/// The exchange that every event goes to, by its kind.
const EXCHANGE: &str = "onepool.events";

/// A link to the broker of one deployment.
#[derive(Debug)]
pub struct Queues {
    connection: Connection,
    names: Vec<String>,
}

impl Queues {
    /// Connects; `admin` is the management API, which alone can tell the queues' names.
    pub async fn connect(amqp: &str, admin: &str) -> Option<Self> {
        let vhost = amqp.rsplit_once('/').map_or("%2f", |(_, vhost)| vhost);
        let vhost = if vhost.contains(':') { "%2f" } else { vhost };
        let url = format!("{}/api/queues/{vhost}?columns=name", admin.trim_end_matches('/'));
        let text = reqwest::get(url).await.ok()?.text().await.ok()?;
        let queues: Value = serde_json::from_str(&text).ok()?;
        let names = queues.as_array()?.iter().filter_map(|queue| queue["name"].as_str());
        let names: Vec<String> = names.map(ToOwned::to_owned).collect();
        let connection = Connection::connect(amqp, ConnectionProperties::default()).await.ok()?;
        Some(Self { connection, names })
    }

    /// Messages that no consumer has been given yet; none while the broker is away.
    pub async fn waiting(&self) -> Option<u32> {
        let channel = self.connection.create_channel().await.ok()?;
        let look = QueueDeclareOptions { passive: true, durable: true, ..Default::default() };
        let mut waiting = 0;
        for name in &self.names {
            let queue = channel.queue_declare(name.as_str().into(), look, FieldTable::default()).await.ok()?;
            waiting += queue.message_count();
        }
        channel.close(200, "seen".into()).await.ok()?;
        Some(waiting)
    }

    /// Takes everything out of the queues of a service that is away, and puts each event back twice, in another order.
    pub async fn repeat_and_shuffle(&self, service: &str, random: &mut StdRng) {
        let channel = self.channel().await;
        let prefix = format!("onepool.{service}.");
        for queue in self.names.iter().filter(|name| name.starts_with(&prefix)) {
            let events = drain(&channel, queue).await;
            for event in twice_in_any_order(events, random) {
                send(&channel, "", queue, &Value::Array(vec![event]).to_string()).await;
            }
        }
    }

    /// A channel that knows what became of its messages.
    pub async fn channel(&self) -> Channel {
        let channel = self.connection.create_channel().await.expect("the broker is there");
        channel.confirm_select(ConfirmSelectOptions::default()).await.expect("the broker confirms");
        channel
    }
}

/// Publishes a batch of events as the relay would, whatever is in it.
pub async fn publish(channel: &Channel, kind: &str, body: &str) {
    send(channel, EXCHANGE, kind, body).await;
}

#[expect(
    clippy::disallowed_methods,
    reason = "what a broken relay or a stranger would do is done here, past the outbox"
)]
async fn send(channel: &Channel, exchange: &str, key: &str, body: &str) {
    let mut headers = FieldTable::default();
    headers.insert("partition".into(), AMQPValue::LongString("0".into()));
    let properties = BasicProperties::default()
        .with_content_type("application/cloudevents-batch+json".into())
        .with_delivery_mode(2)
        .with_headers(headers);
    let options = BasicPublishOptions { mandatory: true, ..Default::default() };
    let sent = channel.basic_publish(exchange.into(), key.into(), options, body.as_bytes(), properties);
    let confirmation = sent.await.expect("the broker takes it").await.expect("the broker confirms");
    assert!(confirmation.is_ack(), "the broker refused a message to {key}");
}

/// Everything that waits in a queue, in its order.
async fn drain(channel: &Channel, queue: &str) -> Vec<Value> {
    let look = QueueDeclareOptions { passive: true, durable: true, ..Default::default() };
    let declared = channel.queue_declare(queue.into(), look, FieldTable::default()).await.expect("the queue is there");
    let consumer =
        channel.basic_consume(queue.into(), "".into(), BasicConsumeOptions::default(), FieldTable::default());
    let mut consumer = consumer.await.expect("nobody else reads it");
    let mut events: Vec<Value> = Vec::new();
    for _ in 0..declared.message_count() {
        let message = consumer.next().await.expect("as many as were counted").expect("the broker is there");
        let batch: Vec<Value> = serde_json::from_slice(&message.data).expect("a batch of events");
        events.extend(batch);
        message.acker.ack(BasicAckOptions::default()).await.expect("the broker is there");
    }
    // Let go of the queue before its own reader comes back.
    channel.basic_cancel(consumer.tag(), BasicCancelOptions::default()).await.expect("the broker is there");
    events
}

/// The events in an order drawn by chance in which each teller's events about one subject keep theirs, and with each
/// event once more at some later place.
fn twice_in_any_order(events: Vec<Value>, random: &mut StdRng) -> Vec<Value> {
    let mut streams: BTreeMap<(String, String), VecDeque<Value>> = BTreeMap::new();
    for event in events {
        let name = |field: &str| event[field].as_str().unwrap_or_default().to_owned();
        streams.entry((name("subject"), name("source"))).or_default().push_back(event);
    }
    let mut streams: Vec<VecDeque<Value>> = streams.into_values().collect();
    let mut mixed: Vec<Value> = Vec::new();
    while !streams.is_empty() {
        let chosen = random.random_range(0..streams.len());
        mixed.extend(streams[chosen].pop_front());
        if streams[chosen].is_empty() {
            streams.swap_remove(chosen);
        }
    }
    for first in (0..mixed.len()).rev() {
        let again = random.random_range(first + 1..=mixed.len());
        mixed.insert(again, mixed[first].clone());
    }
    mixed
}
