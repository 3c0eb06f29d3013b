//! `order.changed`: an order that goes somewhere else is sourced anew.

use bus::ConsumeError;
use contracts::Event;
use store::Tx;

use super::with_causes;
use crate::app::Pool;
use crate::app::redirect_orders::redirect_orders;

pub(super) fn consume(tx: &mut Tx<'_>, pool: &Pool, events: &[Event]) -> Result<(), ConsumeError> {
    redirect_orders(tx, pool, &with_causes(events)?)
}
