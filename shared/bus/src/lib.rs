//! Events: topology, relay, consumers, retry, dead letters; over RabbitMQ or in process.

mod embedded;
mod rabbit;
mod subscription;
mod topology;
pub mod transport;

pub use subscription::{ConsumeError, Handler, Subscription};
pub use topology::{Hearing, Topology};
