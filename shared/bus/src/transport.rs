//! What a transport does, whichever it is: take messages and settle them, hand messages out until they are acknowledged.
//!
//! Every transport delivers at least once and keeps the order of one publisher's messages in each queue. A queue has one
//! reader at a time; when that ends, what it has not acknowledged goes to the next one, in order.

use bytes::Bytes;
use futures_util::future::BoxFuture;

/// What went wrong on the way to the broker: nothing is known about what was not settled.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The broker cannot be reached, or the link broke.
    #[error("the broker is not available: {0}")]
    Unavailable(String),
    /// The broker took too long over something.
    #[error("the broker did not answer in time: {0}")]
    Timeout(&'static str),
    /// A subscription that the topology does not name.
    #[error("no such subscription: {0}")]
    Unknown(String),
    /// The address of the broker cannot be used.
    #[error("bus.url cannot be used: {0}")]
    Url(String),
}

/// A message to be sent: one outbox row, or neighbouring ones of one kind and partition.
#[derive(Clone, Debug)]
pub struct Message {
    /// Unique among the publisher's messages that are not settled yet.
    pub id: i64,
    /// The kind of all events in it.
    pub kind: String,
    /// The partition of all their subjects.
    pub partition: i16,
    /// A JSON array of CloudEvents.
    pub body: Bytes,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// The message.
    pub id: i64,
    /// Whether it is safe with everybody who hears it; if not, it is to be sent again.
    pub taken: bool,
}

/// A message that arrived.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Its number among what this reader was handed, growing.
    pub tag: u64,
    /// The kind of all events in it.
    pub kind: String,
    /// A JSON array of CloudEvents.
    pub body: Bytes,
}

/// Sends messages, in order, many at a time.
pub trait Publisher: Send {
    /// Hands a message over. It is on its way then, but not settled.
    fn publish(&mut self, message: Message) -> BoxFuture<'_, Result<(), Error>>;

    /// Waits until messages are settled, and says which. To stop waiting loses nothing.
    fn settled(&mut self) -> BoxFuture<'_, Result<Vec<Settled>, Error>>;
}

/// Reads one queue.
pub trait Reader: Send {
    /// Waits for a message. To stop waiting loses nothing.
    fn next(&mut self) -> BoxFuture<'_, Result<Delivery, Error>>;

    /// A message that has arrived already, if there is one.
    fn ready(&mut self) -> Result<Option<Delivery>, Error>;

    /// Acknowledges every message up to and with this one.
    fn acknowledge(&mut self, through: u64) -> BoxFuture<'_, Result<(), Error>>;

    /// Gives the queue back, with what is not acknowledged.
    fn close(self: Box<Self>) -> BoxFuture<'static, ()>;
}

/// A way for messages between services.
pub trait Transport: Send + Sync {
    /// A publisher for a service's outbox.
    fn publisher<'a>(&'a self, service: &'a str) -> BoxFuture<'a, Result<Box<dyn Publisher>, Error>>;

    /// A reader of one of a subscription's queues, counted from 0. While another one reads it, this one waits: either
    /// here or for its first message.
    fn reader<'a>(
        &'a self,
        service: &'a str,
        subscription: &'a str,
        partition: u16,
    ) -> BoxFuture<'a, Result<Box<dyn Reader>, Error>>;

    /// Whether messages can be sent and read now; for readiness.
    fn check(&self) -> BoxFuture<'_, Result<(), Error>>;
}
