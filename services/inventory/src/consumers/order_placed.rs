//! `order.placed`: the order is sourced.

use std::collections::{BTreeMap, BTreeSet};

use bus::ConsumeError;
use contracts::Event;
use contracts::events::OrderPlaced;
use store::Tx;

use super::line;
use crate::app::Pool;
use crate::app::source_orders::{PlacedOrder, source_orders};
use crate::domain::{Place, Request};

pub(super) fn consume(tx: &mut Tx<'_>, pool: &Pool, events: &[Event]) -> Result<(), ConsumeError> {
    let orders = events.iter().map(placed).collect::<Result<Vec<_>, _>>()?;
    source_orders(tx, pool, orders)
}

fn placed(event: &Event) -> Result<PlacedOrder, ConsumeError> {
    let order: OrderPlaced = event.payload()?;
    let destination = order.fulfilment.destination.unwrap_or_default();
    let request = Request {
        channel: order.channel,
        placed_at: order.placed_at,
        kind: order.fulfilment.kind,
        to: destination.point,
        place: Place { province: destination.province, city: destination.city, adcode: None },
        amount: Some(order.totals.total_amount),
        whole: false,
        pickup: order.fulfilment.location,
        lines: order.lines.into_iter().map(line).collect(),
        excluded: BTreeSet::new(),
        allowed: BTreeMap::new(),
        claim: None,
        redirected_by: None,
    };
    Ok(PlacedOrder { order_id: order.order_id, request, reservation: order.reservation_id, cause: event.as_cause() })
}
