//! `order.completed`: what was accrued is owed.

use bus::ConsumeError;
use contracts::Event;
use contracts::events::OrderCompleted;
use store::Tx;

use crate::app::earn::{EarnOrder, earn};

pub(super) fn consume(tx: &mut Tx<'_>, events: &[Event]) -> Result<(), ConsumeError> {
    let mut orders = Vec::with_capacity(events.len());
    for event in events {
        let order: OrderCompleted = event.payload()?;
        orders.push(EarnOrder { order_id: order.order_id, completed_at: order.completed_at });
    }
    Ok(earn(tx, &orders)?)
}
