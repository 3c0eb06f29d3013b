//! Exchanges, queues and bindings. Declaring what is there already changes nothing.

use lapin::options::{ExchangeBindOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, ExchangeKind};
use tokio::time::timeout;

use super::{DECLARE_TIMEOUT, open_channel};
use crate::Topology;
use crate::topology::{EXCHANGE, Hearing};
use crate::transport::Error;

/// The header that a partitioned subscription is spread by.
pub(super) const PARTITION_HEADER: &str = "partition";
/// A queue's bodies in bytes: as a message carries up to 256 KiB, a count alone would not bound the disk.
const MAX_QUEUE_BYTES: i64 = 4 << 30;
/// From version 4 on RabbitMQ drops what was delivered 20 times; a long outage of a database may take more.
const DELIVERY_LIMIT: i64 = 1_000_000;
/// One bucket of the hash ring per queue: the ring is even, so that more would only cost memory.
const RING_WEIGHT: &str = "1";

/// Declares everything, on a channel of its own.
pub(super) async fn topology(connection: &Connection, topology: &Topology, max_messages: u32) -> Result<(), Error> {
    let declared = async {
        let channel = open_channel(connection).await?;
        let kind = ExchangeKind::Topic;
        exchange(&channel, EXCHANGE, kind, FieldTable::default()).await?;
        for hearing in topology.hearings() {
            let queues = hearing.queues();
            for queue in &queues {
                declare_queue(connection, queue, max_messages).await?;
            }
            match queues.as_slice() {
                [queue] => bind_queue(&channel, hearing, queue).await?,
                queues => bind_partitions(&channel, hearing, queues).await?,
            }
        }
        channel.close(200, "declared".into()).await?;
        Ok(())
    };
    timeout(DECLARE_TIMEOUT, declared).await.map_err(|_| Error::Timeout("declaring the topology"))?
}

async fn exchange(channel: &Channel, name: &str, kind: ExchangeKind, arguments: FieldTable) -> Result<(), Error> {
    let options = ExchangeDeclareOptions { durable: true, ..Default::default() };
    Ok(channel.exchange_declare(name.into(), kind, options, arguments).await?)
}

/// A queue that is there with other arguments keeps them: only an operator can move its messages to a new one.
async fn declare_queue(connection: &Connection, name: &str, max_messages: u32) -> Result<(), Error> {
    let options = QueueDeclareOptions { durable: true, ..Default::default() };
    let channel = open_channel(connection).await?;
    let Err(refused) = channel.queue_declare(name.into(), options, queue_arguments(max_messages)).await else {
        channel.close(200, "declared".into()).await?;
        return Ok(());
    };
    // The refusal has closed the channel; looking at the queue tells a difference of arguments from any other failure.
    let channel = open_channel(connection).await?;
    let look = QueueDeclareOptions { passive: true, ..options };
    channel.queue_declare(name.into(), look, FieldTable::default()).await?;
    channel.close(200, "declared".into()).await?;
    tracing::warn!(queue = name, error = %refused, "a queue is there with other arguments and keeps them");
    Ok(())
}

/// A full queue refuses and the message stays in the outbox; the broker never drops or dead-letters one, because
/// consumers park what cannot succeed themselves.
fn queue_arguments(max_messages: u32) -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    arguments.insert("x-single-active-consumer".into(), AMQPValue::Boolean(true));
    arguments.insert("x-max-length".into(), AMQPValue::LongLongInt(max_messages.into()));
    arguments.insert("x-max-length-bytes".into(), AMQPValue::LongLongInt(MAX_QUEUE_BYTES));
    arguments.insert("x-delivery-limit".into(), AMQPValue::LongLongInt(DELIVERY_LIMIT));
    arguments.insert("x-overflow".into(), AMQPValue::LongString("reject-publish".into()));
    arguments.insert("x-queue-leader-locator".into(), AMQPValue::LongString("balanced".into()));
    arguments
}

async fn bind_queue(channel: &Channel, hearing: &Hearing, queue: &str) -> Result<(), Error> {
    for kind in hearing.events {
        let options = QueueBindOptions::default();
        channel.queue_bind(queue.into(), EXCHANGE.into(), (*kind).into(), options, FieldTable::default()).await?;
    }
    Ok(())
}

async fn bind_partitions(channel: &Channel, hearing: &Hearing, queues: &[String]) -> Result<(), Error> {
    let ring = hearing.address();
    let mut arguments = FieldTable::default();
    arguments.insert("hash-header".into(), AMQPValue::LongString(PARTITION_HEADER.into()));
    exchange(channel, &ring, ExchangeKind::Custom("x-consistent-hash".to_owned()), arguments).await?;
    for queue in queues {
        let options = QueueBindOptions::default();
        let weight = RING_WEIGHT.into();
        channel.queue_bind(queue.as_str().into(), ring.as_str().into(), weight, options, FieldTable::default()).await?;
    }
    for kind in hearing.events {
        let options = ExchangeBindOptions::default();
        let (ring, kind) = (ring.as_str().into(), (*kind).into());
        channel.exchange_bind(ring, EXCHANGE.into(), kind, options, FieldTable::default()).await?;
    }
    Ok(())
}
