//! What a service hears, and what its handler can answer.

use std::sync::Arc;

use contracts::{Event, PayloadError};
use store::Tx;

/// One stream of events a service hears, in one order per subject.
#[derive(Clone)]
pub struct Subscription {
    /// Unique within its service; also the key of its inbox.
    pub name: &'static str,
    /// The kinds it hears, such as `order.placed`.
    pub events: &'static [&'static str],
    /// How many queues share the stream; the events of one subject always take the same one.
    pub partitions: u16,
    /// Whether each waits, up to `bus.give_way_ms`, while the process takes events that do not by the batch: what is booked
    /// about an order can wait for what a buyer waits for.
    pub gives_way: bool,
    /// What happens to them.
    pub handle: Handler,
}

/// Takes events of one kind, at most one per subject, in the transaction that marks them as taken.
///
/// The text is the events' kind. The whole group fails together, and is then tried one by one.
pub type Handler = Arc<dyn Fn(&mut Tx<'_>, &str, &[Event]) -> Result<(), ConsumeError> + Send + Sync>;

/// Why a handler did not take its events. Its transaction is rolled back.
#[derive(Debug, thiserror::Error)]
pub enum ConsumeError {
    /// It may succeed later, for example because a fact it needs has not arrived yet.
    #[error("to be tried again: {0}")]
    Retry(String),
    /// It never will, for example because the payload is not what it promises.
    #[error("parked: {0}")]
    Park(String),
    /// The database did not take it.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl From<PayloadError> for ConsumeError {
    fn from(error: PayloadError) -> Self {
        Self::Park(error.to_string())
    }
}

impl From<diesel::result::Error> for ConsumeError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Store(error.into())
    }
}
