//! Events: topology, relay, consumers, retry, dead letters; over RabbitMQ or in process.

mod subscription;

pub use subscription::{ConsumeError, Handler, Subscription};
