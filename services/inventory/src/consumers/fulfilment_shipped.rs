//! `fulfilment.shipped`: the units have left.

use bus::ConsumeError;
use contracts::Event;
use store::Tx;

use super::payloads;
use crate::app::ship_orders::ship_orders;

pub(super) fn consume(tx: &mut Tx<'_>, events: &[Event]) -> Result<(), ConsumeError> {
    ship_orders(tx, &payloads(events)?)
}
