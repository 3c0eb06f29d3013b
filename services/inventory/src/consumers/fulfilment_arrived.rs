//! `fulfilment.arrived`: the units have come to the location where they are collected.

use bus::ConsumeError;
use contracts::Event;
use store::Tx;

use super::with_causes;
use crate::app::Pool;
use crate::app::send_orders::receive_sent;

pub(super) fn consume(tx: &mut Tx<'_>, pool: &Pool, events: &[Event]) -> Result<(), ConsumeError> {
    receive_sent(tx, pool, &with_causes(events)?)
}
