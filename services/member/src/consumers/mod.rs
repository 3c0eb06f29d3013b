//! What the member service hears: orders in one stream, so that the events of one order stay in their order, and tills.

mod order_cancelled;
mod order_changed;
mod order_completed;
mod order_placed;
mod pos_recorded;
mod refund_issued;

use std::sync::Arc;

use bus::{ConsumeError, Handler, Hearing};
use contracts::{Cause, Event, Payload};

use crate::app::{Desk, FactError};

/// What happens to orders. One queue, because a batch locks many members: two batches at once would wait for each other.
pub const ORDERS: Hearing = Hearing {
    service: "member",
    subscription: "orders",
    events: &["order.placed", "order.changed", "order.completed", "order.cancelled", "refund.issued"],
    partitions: 1,
    gives_way: true,
};

/// What tills sold and took back: apart, so that a store's day sent at once does not hold up orders.
pub const TILLS: Hearing =
    Hearing { service: "member", subscription: "tills", events: &["pos.recorded"], partitions: 1, gives_way: true };

/// Takes the events of tills.
pub fn tills(desk: Desk) -> Handler {
    Arc::new(move |tx, _, events| pos_recorded::take(tx, &desk, events))
}

/// Takes the events of the stream.
pub fn orders(desk: Desk) -> Handler {
    Arc::new(move |tx, kind, events| match kind {
        "order.placed" => order_placed::take(tx, &desk, events),
        "order.changed" => order_changed::take(tx, &desk, events),
        "order.completed" => order_completed::take(tx, &desk, events),
        "order.cancelled" => order_cancelled::take(tx, &desk, events),
        "refund.issued" => refund_issued::take(tx, &desk, events),
        other => Err(ConsumeError::Park(format!("{other} is not heard here"))),
    })
}

/// The events' payloads, each with what it causes.
fn payloads<P: Payload>(events: &[Event]) -> Result<Vec<(P, Cause)>, ConsumeError> {
    events.iter().map(|event| Ok((event.payload()?, event.as_cause()))).collect()
}

impl From<FactError> for ConsumeError {
    fn from(error: FactError) -> Self {
        match error {
            FactError::NotYet(_) | FactError::NoLine { .. } => Self::Retry(error.to_string()),
            FactError::Wrong { .. } => Self::Park(error.to_string()),
            FactError::Store(error) => Self::Store(error),
        }
    }
}
