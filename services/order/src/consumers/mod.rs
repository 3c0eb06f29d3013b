//! What the order book hears: the inventory's answers, who bought, the things that orders refer to, and for timelines
//! every event of an order.

mod buyer_identified;
mod order_events;
mod references_changed;
mod stock_backordered;
mod stock_better_found;
mod stock_promised_long;
mod stock_shorted;
mod stock_sourced;

use std::sync::Arc;

use bus::{ConsumeError, Hearing, Subscription};
use contracts::{Event, Payload};

use crate::app::references::References;
use crate::app::source_orders::Refusal;
use crate::settings::Rules;

/// The stream `sourcing`. One queue: the answers for an order stay in order, and a long batch costs as many statements as
/// a short one.
pub const SOURCING: Hearing = Hearing {
    service: "order",
    subscription: "sourcing",
    events: &["stock.sourced", "stock.backordered", "stock.better_found", "stock.shorted", "stock.promised_long"],
    partitions: 1,
    gives_way: false,
};

/// The stream `members`.
pub const MEMBERS: Hearing = Hearing {
    service: "order",
    subscription: "members",
    events: &["buyer.identified"],
    partitions: 1,
    gives_way: true,
};

/// The stream `reference`.
pub const REFERENCE: Hearing = Hearing {
    service: "order",
    subscription: "reference",
    events: &["channel.changed", "sku.changed", "location.changed", "listing.changed"],
    partitions: 1,
    gives_way: false,
};

/// The stream `timeline`. It gives way: who bought and sold waits for what is promised, and nobody waits for a timeline.
pub const TIMELINE: Hearing = Hearing {
    service: "order",
    subscription: "timeline",
    events: &[
        "order.placed",
        "order.changed",
        "order.cancelled",
        "order.held",
        "order.released",
        "order.completed",
        "fulfilment.offered",
        "fulfilment.accepted",
        "fulfilment.rejected",
        "fulfilment.shipped",
        "fulfilment.delivered",
        "fulfilment.sent",
        "fulfilment.arrived",
        "fulfilment.pickup_due",
        "return.received",
        "return.lapsed",
        "return.inspected",
        "refund.issued",
        "payment.received",
        "stock.sourced",
        "stock.backordered",
        "stock.released",
        "stock.better_found",
        "buyer.identified",
        "rebate.accrued",
        "rebate.reversed",
    ],
    partitions: 1,
    gives_way: true,
};

/// The stream `sourcing` with what happens to its events.
pub fn sourcing(rules: Rules) -> Subscription {
    SOURCING.handled_by(Arc::new(move |tx, kind, events| match kind {
        "stock.sourced" => stock_sourced::consume(tx, events, rules),
        "stock.backordered" => stock_backordered::consume(tx, events, rules),
        "stock.better_found" => stock_better_found::consume(tx, events, rules),
        "stock.shorted" => stock_shorted::consume(tx, events, rules),
        "stock.promised_long" => stock_promised_long::consume(tx, events),
        other => Err(unheard(other)),
    }))
}

/// The stream `members` with what happens to its events.
pub fn members() -> Subscription {
    MEMBERS.handled_by(Arc::new(|tx, _, events| buyer_identified::consume(tx, events)))
}

/// The stream `reference` with what happens to its events.
pub fn reference(references: References) -> Subscription {
    REFERENCE.handled_by(Arc::new(move |tx, kind, events| match kind {
        "channel.changed" => references_changed::channels(tx, &references, events),
        "sku.changed" => references_changed::skus(tx, &references, events),
        "location.changed" => references_changed::locations(tx, &references, events),
        "listing.changed" => references_changed::listings(tx, &references, events),
        other => Err(unheard(other)),
    }))
}

/// The stream `timeline` with what happens to its events.
pub fn timeline() -> Subscription {
    TIMELINE.handled_by(Arc::new(|tx, _, events| order_events::consume(tx, events)))
}

fn unheard(kind: &str) -> ConsumeError {
    ConsumeError::Park(format!("{kind} is not heard here"))
}

fn payloads<P: Payload>(events: &[Event]) -> Result<Vec<P>, ConsumeError> {
    events.iter().map(|event| Ok(event.payload()?)).collect()
}

impl From<Refusal> for ConsumeError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unknown(order) => Self::Retry(format!("order {order} is not in the book")),
            Refusal::Store(error) => Self::Store(error),
        }
    }
}
