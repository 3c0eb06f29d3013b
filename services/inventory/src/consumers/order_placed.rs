//! `order.placed`: the order is sourced.

use std::collections::{BTreeMap, BTreeSet};

use bus::ConsumeError;
use contracts::Event;
use contracts::events::OrderPlaced;
use store::Tx;

use crate::app::Pool;
use crate::app::source_orders::{PlacedOrder, source_orders};
use crate::domain::{Line, Request, Ruleset};

pub(super) fn consume(tx: &mut Tx<'_>, pool: &Pool, rules: Ruleset, events: &[Event]) -> Result<(), ConsumeError> {
    let orders = events.iter().map(placed).collect::<Result<Vec<_>, _>>()?;
    source_orders(tx, pool, rules, orders)
}

fn placed(event: &Event) -> Result<PlacedOrder, ConsumeError> {
    let order: OrderPlaced = event.payload()?;
    let lines = order.lines.into_iter().map(|line| Line {
        line_no: line.line_no,
        sku: line.sku,
        quantity: line.quantity,
        parts: Vec::new(),
    });
    let request = Request {
        channel: order.channel,
        placed_at: order.placed_at,
        kind: order.fulfilment.kind,
        to: order.fulfilment.destination.and_then(|destination| destination.point),
        pickup: order.fulfilment.location,
        lines: lines.collect(),
        excluded: BTreeSet::new(),
        allowed: BTreeMap::new(),
        claim: None,
    };
    Ok(PlacedOrder { order_id: order.order_id, request, reservation: order.reservation_id, cause: event.as_cause() })
}
