//! `fulfilment.rejected`: the rejected part is sourced elsewhere.

use bus::ConsumeError;
use contracts::Event;
use store::Tx;

use super::with_causes;
use crate::app::Pool;
use crate::app::resource_orders::resource_orders;

pub(super) fn consume(tx: &mut Tx<'_>, pool: &Pool, events: &[Event]) -> Result<(), ConsumeError> {
    resource_orders(tx, pool, &with_causes(events)?)
}
