//! What the rebate service hears: orders in one stream, so that the facts of an order stay in their order, and tills.

mod buyer_identified;
mod order_cancelled;
mod order_changed;
mod order_completed;
mod order_placed;
mod pos_identified;
mod pos_recorded;
mod refund_issued;

use std::sync::Arc;

use bus::{ConsumeError, Hearing, Subscription};
use contracts::Event;
use store::Tx;

use crate::app::FactError;

/// The stream `orders`. One queue: a batch costs the same few statements however many orders are in it, so long batches are
/// better than several hearers.
pub const ORDERS: Hearing = Hearing {
    service: "rebate",
    subscription: "orders",
    events: &[
        "order.placed",
        "buyer.identified",
        "order.changed",
        "order.completed",
        "order.cancelled",
        "refund.issued",
    ],
    partitions: 1,
    gives_way: true,
};

/// The stream `tills`: apart, so that a store's day sent at once does not hold up orders.
pub const TILLS: Hearing = Hearing {
    service: "rebate",
    subscription: "tills",
    events: &["pos.recorded", "pos.identified"],
    partitions: 1,
    gives_way: true,
};

/// The stream `tills` with what happens to its events.
pub fn tills() -> Subscription {
    TILLS.handled_by(Arc::new(handle))
}

/// The stream with what happens to its events.
pub fn orders() -> Subscription {
    ORDERS.handled_by(Arc::new(handle))
}

/// Runs the command that the events' kind stands for.
pub fn handle(tx: &mut Tx<'_>, kind: &str, events: &[Event]) -> Result<(), ConsumeError> {
    match kind {
        "order.placed" => order_placed::consume(tx, events),
        "buyer.identified" => buyer_identified::consume(tx, events),
        "order.changed" => order_changed::consume(tx, events),
        "order.completed" => order_completed::consume(tx, events),
        "order.cancelled" => order_cancelled::consume(tx, events),
        "refund.issued" => refund_issued::consume(tx, events),
        "pos.recorded" => pos_recorded::consume(tx, events),
        "pos.identified" => pos_identified::consume(tx, events),
        other => Err(ConsumeError::Park(format!("{other} is not heard here"))),
    }
}

impl From<FactError> for ConsumeError {
    fn from(error: FactError) -> Self {
        match error {
            FactError::Missing { .. } => Self::Retry(error.to_string()),
            FactError::Refused { .. } => Self::Park(error.to_string()),
            FactError::Store(error) => Self::Store(error),
        }
    }
}
