//! `order.cancelled`: what was accrued on the cancelled units is taken back.

use bus::ConsumeError;
use contracts::Event;
use contracts::events::OrderCancelled;
use store::Tx;

use crate::app::reverse::{GiveBack, reverse};

pub(super) fn consume(tx: &mut Tx<'_>, events: &[Event]) -> Result<(), ConsumeError> {
    let mut given = Vec::with_capacity(events.len());
    for event in events {
        let order: OrderCancelled = event.payload()?;
        given.push(GiveBack {
            order_id: order.order_id,
            // A cancellation has no id of its own, and an order can be cancelled part by part.
            source_id: event.id,
            kind: "cancel",
            occurred_at: order.cancelled_at,
            lines: order.lines,
            cause: event.as_cause(),
        });
    }
    Ok(reverse(tx, &given)?)
}
