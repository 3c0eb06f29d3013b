//! `fulfilment.sent`: the units have left for the location where they are collected.

use bus::ConsumeError;
use contracts::Event;
use store::Tx;

use super::payloads;
use crate::app::send_orders::send_orders;

pub(super) fn consume(tx: &mut Tx<'_>, events: &[Event]) -> Result<(), ConsumeError> {
    send_orders(tx, &payloads(events)?)
}
