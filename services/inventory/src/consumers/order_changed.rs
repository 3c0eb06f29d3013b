//! `order.changed`: lines that were added are sourced, and an order that goes somewhere else is sourced anew.

use bus::ConsumeError;
use contracts::Event;
use contracts::events::OrderChanged;
use store::Tx;

use super::line;
use crate::app::Pool;
use crate::app::change_orders::{Change, change_orders};

pub(super) fn consume(tx: &mut Tx<'_>, pool: &Pool, events: &[Event]) -> Result<(), ConsumeError> {
    let changes = events.iter().map(change).collect::<Result<Vec<_>, _>>()?;
    change_orders(tx, pool, changes)
}

fn change(event: &Event) -> Result<Change, ConsumeError> {
    let OrderChanged { order_id, version, destination, added, .. } = event.payload()?;
    let raised_by = added.as_ref().map_or(0, |it| it.totals.total_amount);
    let added = added.into_iter().flat_map(|it| it.lines).map(line).collect();
    Ok(Change { order_id, version, to: destination, again: false, added, raised_by, cause: event.as_cause() })
}
