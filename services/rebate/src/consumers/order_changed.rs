//! `order.changed`: an order that names another guide or store, or has more lines, is decided anew. What else changes of it
//! earns nobody anything.

use bus::ConsumeError;
use contracts::Event;
use contracts::events::OrderChanged;
use store::Tx;

use crate::app::redecide::{Change, Named, redecide};
use crate::domain::sale::SaleLine;

pub(super) fn consume(tx: &mut Tx<'_>, events: &[Event]) -> Result<(), ConsumeError> {
    let mut changes = Vec::new();
    for event in events {
        let order: OrderChanged = event.payload()?;
        let named = order
            .credited
            .map(|credited| Named { guide: credited.guide.map(Into::into), store: credited.store.map(Into::into) });
        let added = order.added.map(|added| added.lines).unwrap_or_default();
        if named.is_none() && added.is_empty() {
            continue;
        }
        changes.push(Change {
            order_id: order.order_id,
            version: order.version,
            named,
            added: added.into_iter().map(|line| SaleLine::of(line, true)).collect(),
            changed_at: order.changed_at,
            cause: event.as_cause(),
        });
    }
    if changes.is_empty() {
        return Ok(());
    }
    Ok(redecide(tx, changes)?)
}
