//! What the inventory hears: orders in one stream, so that what happens to an order stays in its order, tills, and SKUs.

mod fulfilment_arrived;
mod fulfilment_rejected;
mod fulfilment_sent;
mod fulfilment_shipped;
mod order_cancelled;
mod order_changed;
mod order_placed;
mod order_restated;
mod pos_recorded;
mod return_inspected;
mod return_received;
mod sku_changed;

use std::sync::Arc;

use bus::{ConsumeError, Hearing, Subscription};
use contracts::events::OrderLine;
use contracts::{Cause, Event, Payload};

use crate::app::Pool;
use crate::domain::Line;

/// The stream `orders`. One queue: writers of stock take turns anyhow, and a long batch costs as many statements as a
/// short one.
pub const ORDERS: Hearing = Hearing {
    service: "inventory",
    subscription: "orders",
    events: &[
        "order.placed",
        "order.changed",
        "order.cancelled",
        "order.restated",
        "fulfilment.rejected",
        "fulfilment.sent",
        "fulfilment.arrived",
        "fulfilment.shipped",
        "return.received",
        "return.inspected",
    ],
    partitions: 1,
    gives_way: false,
};

/// The stream `tills`: apart, so that a store's day sent at once does not hold up orders.
pub const TILLS: Hearing =
    Hearing { service: "inventory", subscription: "tills", events: &["pos.recorded"], partitions: 1, gives_way: false };

/// The stream `catalog`.
pub const CATALOG: Hearing = Hearing {
    service: "inventory",
    subscription: "catalog",
    events: &["sku.changed"],
    partitions: 1,
    gives_way: false,
};

/// The stream `orders` with what happens to its events.
pub fn orders(pool: Arc<Pool>) -> Subscription {
    ORDERS.handled_by(Arc::new(move |tx, kind, events| match kind {
        "order.placed" => order_placed::consume(tx, &pool, events),
        "order.changed" => order_changed::consume(tx, &pool, events),
        "order.restated" => order_restated::consume(tx, &pool, events),
        "order.cancelled" => order_cancelled::consume(tx, events),
        "fulfilment.rejected" => fulfilment_rejected::consume(tx, &pool, events),
        "fulfilment.sent" => fulfilment_sent::consume(tx, events),
        "fulfilment.arrived" => fulfilment_arrived::consume(tx, &pool, events),
        "fulfilment.shipped" => fulfilment_shipped::consume(tx, events),
        "return.received" => return_received::consume(tx, events),
        "return.inspected" => return_inspected::consume(tx, events),
        other => Err(ConsumeError::Park(format!("{other} is not heard here"))),
    }))
}

/// The stream `tills` with what happens to its events.
pub fn tills() -> Subscription {
    TILLS.handled_by(Arc::new(|tx, _, events| pos_recorded::consume(tx, events)))
}

/// The stream `catalog` with what happens to its events.
pub fn catalog() -> Subscription {
    CATALOG.handled_by(Arc::new(|tx, _, events| sku_changed::consume(tx, events)))
}

fn payloads<P: Payload>(events: &[Event]) -> Result<Vec<P>, ConsumeError> {
    events.iter().map(|event| Ok(event.payload()?)).collect()
}

/// A line as sourcing sees it; what a bundle is made of is looked up.
fn line(line: OrderLine) -> Line {
    Line { line_no: line.line_no, sku: line.sku, quantity: line.quantity, parts: Vec::new() }
}

fn with_causes<P: Payload>(events: &[Event]) -> Result<Vec<(P, Cause)>, ConsumeError> {
    events.iter().map(|event| Ok((event.payload()?, event.as_cause()))).collect()
}
