//! `order.changed`: an order that names another guide or store is credited anew. What else changes of it earns nobody anything.

use bus::ConsumeError;
use contracts::Event;
use contracts::events::OrderChanged;
use store::Tx;

use crate::app::recredit::{Recredit, recredit};

pub(super) fn consume(tx: &mut Tx<'_>, events: &[Event]) -> Result<(), ConsumeError> {
    let mut changes = Vec::new();
    for event in events {
        let order: OrderChanged = event.payload()?;
        let Some(credited) = order.credited else { continue };
        changes.push(Recredit {
            order_id: order.order_id,
            version: order.version,
            guide: credited.guide.map(Into::into),
            store: credited.store.map(Into::into),
            changed_at: order.changed_at,
            cause: event.as_cause(),
        });
    }
    if changes.is_empty() {
        return Ok(());
    }
    Ok(recredit(tx, &changes)?)
}
